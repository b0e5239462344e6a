//! What is logged: `info`, or directives such as `zmesd::ws=debug`.

use tracing_subscriber::filter::{LevelFilter, Targets};

/// Crates that the bare level word is about; all others stay at [`OTHERS`].
const OURS: [&str; 2] = ["zmesd", "zmes_shared"];
/// Libraries tell of trouble alone: their debug output is long and no admin's business.
const OTHERS: LevelFilter = LevelFilter::WARN;
/// In force where only directives are given.
const DEFAULT: LevelFilter = LevelFilter::INFO;
/// Longest text that is taken, in bytes.
const LONGEST: usize = 1024;

/// Says that a text is neither a level nor a list of directives.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no log level")]
pub struct InvalidLevel(String);

impl InvalidLevel {
    /// Says what is taken instead.
    pub fn hint(&self) -> &'static str {
        "use error, warn, info, debug or trace, or directives such as zmesd::ws=debug,sqlx=info"
    }
}

/// Turns the text of `log.level` into a filter.
///
/// A bare word sets the level of the daemon's own crates, `module=level` that of a module; they may be mixed,
/// separated by commas. Stricter than the usual directive language on purpose: there, a misspelt level is taken for
/// the name of a module, and switches the log off without a word.
pub fn parse(text: &str) -> Result<Targets, InvalidLevel> {
    if text.len() > LONGEST {
        return Err(InvalidLevel(format!("{}…", text.chars().take(40).collect::<String>())));
    }
    let mut own = DEFAULT;
    let mut directives = Vec::new();
    for part in text.split(',').map(str::trim) {
        let invalid = || InvalidLevel(part.to_owned());
        match part.split_once('=') {
            None => own = level(part).ok_or_else(invalid)?,
            Some((module, word)) if is_module(module) => {
                directives.push((module, level(word).ok_or_else(invalid)?));
            }
            Some(_) => return Err(invalid()),
        }
    }
    let ours = OURS.into_iter().map(|module| (module, own));
    Ok(Targets::new().with_default(OTHERS.min(own)).with_targets(ours).with_targets(directives))
}

fn level(word: &str) -> Option<LevelFilter> {
    match word.to_ascii_lowercase().as_str() {
        "off" => Some(LevelFilter::OFF),
        "error" => Some(LevelFilter::ERROR),
        "warn" => Some(LevelFilter::WARN),
        "info" => Some(LevelFilter::INFO),
        "debug" => Some(LevelFilter::DEBUG),
        "trace" => Some(LevelFilter::TRACE),
        _ => None,
    }
}

fn is_module(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_:".contains(&byte))
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
            ("loud", "loud"),
            ("", ""),
            ("info,", ""),
            ("zmesd=loud", "zmesd=loud"),
            ("=debug", "=debug"),
            ("zmesd[span{a=1}]=debug", "zmesd[span{a=1}]=debug"),
        ] {
            assert_eq!(parse(text), Err(InvalidLevel(named.into())), "{text}");
        }
        assert!(parse(&"x".repeat(5000)).unwrap_err().to_string().len() < 100);
    }
}
