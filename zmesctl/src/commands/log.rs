//! `zmesctl log level`.

use std::io;
use std::time::Duration;

use clap::{Args, Subcommand};
use zmes_shared::control::Request;
use zmes_shared::views::LogLevel;

use crate::context::{Context, Outcome};
use crate::error::CliError;
use crate::render::{Out, View, clean, time};
use crate::values;

const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];
/// Number of edits up to which a word counts as a mistyped level.
const MISTYPED: usize = 2;

#[derive(Debug, Subcommand)]
#[command(
    disable_help_subcommand = true,
    after_help = "Examples:\n  zmesctl log level\n  zmesctl log level debug --for 10m"
)]
pub enum LogCommand {
    /// Show or change the log level
    Level(LevelArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl log level                       show the current level
  zmesctl log level debug --for 10m
  zmesctl log level zmesd::ws=trace
  zmesctl log level info")]
pub struct LevelArgs {
    #[arg(help = "error, warn, info, debug, trace, or directives such as zmesd::ws=debug")]
    level: Option<String>,
    /// Duration of the change; then the configured level returns
    #[arg(long = "for", value_name = "DURATION", value_parser = values::duration, requires = "level")]
    lasting: Option<Duration>,
}

pub(crate) async fn run(command: LogCommand, context: &mut Context) -> Outcome {
    let LogCommand::Level(LevelArgs { level, lasting }) = command;
    let level = level.unwrap_or_default();
    refuse_mistyped(&level)?;
    let for_ms = lasting.map(values::milliseconds);
    context.ask::<LogLevel>(Request::LogLevel { level, for_ms }).await
}

/// A single word can be the target of a directive, but a word that is almost a level is a mistyped level.
fn refuse_mistyped(level: &str) -> Result<(), CliError> {
    let lower = level.trim().to_lowercase();
    let meant = LEVELS
        .into_iter()
        .find(|known| *known != lower && strsim::damerau_levenshtein(known, &lower) <= MISTYPED);
    match meant {
        Some(meant) if !LEVELS.contains(&lower.as_str()) => Err(CliError::Usage {
            message: format!("unknown log level {}", clean(level)),
            hint: format!("did you mean {meant}? The levels are {}", LEVELS.join(", ")),
        }),
        Some(_) | None => Ok(()),
    }
}

impl View for LogLevel {
    fn human(&self, out: &mut Out) -> io::Result<()> {
        if self.level == self.before && self.for_ms.is_none() {
            return out.line(&format!("log level {}", clean(&self.level)));
        }
        let lasting = self
            .for_ms
            .map_or_else(String::new, |ms| format!(" for {}", time::span(Duration::from_millis(ms))));
        out.line(&format!("log level {}{lasting} (was {})", clean(&self.level), clean(&self.before)))
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    #[test]
    fn a_mistyped_level_is_not_taken_for_a_target() {
        for (typed, meant) in [("debgu", "debug"), ("inf", "info"), ("Warning", ""), ("tarce", "trace")] {
            let refused = refuse_mistyped(typed).err().and_then(|error| error.hint().map(Cow::into_owned));
            assert_eq!(
                refused.unwrap_or_default().contains(&format!("did you mean {meant}?")),
                !meant.is_empty(),
                "{typed}"
            );
        }
        for right in ["debug", "INFO", "zmesd::ws=trace", "sqlx", "zmesd"] {
            assert!(refuse_mistyped(right).is_ok(), "{right}");
        }
    }
}
