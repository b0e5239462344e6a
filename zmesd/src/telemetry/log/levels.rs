//! Log levels: `info`, or directives such as `zmesd::ws=debug`.

use tracing_subscriber::filter::{LevelFilter, Targets};

use crate::config;

/// Crates that a bare level applies to; all others stay at [`OTHERS`].
const OURS: [&str; 2] = ["zmesd", "zmes_shared"];
/// Libraries log warnings only: their debug output is long and does not help admins.
const OTHERS: LevelFilter = LevelFilter::WARN;
/// Used where only directives are given.
const DEFAULT: LevelFilter = LevelFilter::INFO;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidLevel(String);

impl InvalidLevel {
    pub fn hint(&self) -> &'static str {
        "use error, warn, info, debug or trace, or directives such as zmesd::ws=debug,sqlx=info"
    }
}

/// Turns the text of `log.level` into a filter.
///
/// A bare word sets the level of the daemon's own crates, `module=level` that of a module; they may be mixed,
/// separated by commas. The configuration validates it, for the file and for `zmesctl` alike.
pub fn parse(text: &str) -> Result<Targets, InvalidLevel> {
    config::check_log_level(text).map_err(InvalidLevel)?;
    let level = |word: &str| word.parse().unwrap_or(DEFAULT);
    let mut own = DEFAULT;
    let mut directives = Vec::new();
    for part in text.split(',').map(str::trim) {
        match part.rsplit_once('=') {
            None => own = level(part),
            Some((module, word)) => directives.push((module, level(word))),
        }
    }
    let ours = OURS.into_iter().map(|module| (module, own));
    Ok(Targets::new().with_default(OTHERS.min(own)).with_targets(ours).with_targets(directives))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn a_word_is_about_our_crates_alone() {
        let filter = parse("debug").unwrap();
        assert!(filter.would_enable("zmesd::route", &Level::DEBUG));
        assert!(!filter.would_enable("zmesd::route", &Level::TRACE));
        assert!(!filter.would_enable("sqlx::query", &Level::INFO));
        assert!(filter.would_enable("sqlx::query", &Level::WARN));
        assert!(!parse("error").unwrap().would_enable("sqlx::query", &Level::WARN));
    }

    #[test]
    fn a_directive_leaves_the_rest_as_it_is() {
        let filter = parse("zmesd::ws=debug, sqlx=info").unwrap();
        assert!(filter.would_enable("zmesd::ws::pump", &Level::DEBUG));
        assert!(filter.would_enable("zmesd::route", &Level::INFO));
        assert!(!filter.would_enable("zmesd::route", &Level::DEBUG));
        assert!(filter.would_enable("sqlx::query", &Level::INFO));
    }

    #[test]
    fn what_is_no_level_is_named() {
        for (text, named) in [
            ("loud", "`loud`"),
            ("", "``"),
            ("info,", "``"),
            ("zmesd=loud", "`loud`"),
            ("=debug", "``"),
            ("zmesd[span{a=1}]=debug", "`zmesd[span{a=1}]`"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(named), "{text}: {error}");
        }
        assert!(parse(&"x".repeat(5000)).unwrap_err().to_string().len() < 100);
    }
}
