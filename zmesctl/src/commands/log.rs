//! `zmesctl log level`.

use std::io;
use std::time::Duration;

use clap::{Args, Subcommand};
use zmes_shared::control::Request;
use zmes_shared::views::LogLevel;

use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::{Out, View, clean, time};
use crate::values;

/// `log …`
#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true, after_help = "Example:\n  zmesctl log level debug --for 10m")]
pub enum Command {
    /// Change the log level
    Level(LevelArgs),
}

/// Which level, and for how long.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl log level debug --for 10m
  zmesctl log level zmesd::ws=trace
  zmesctl log level info")]
pub struct LevelArgs {
    #[arg(help = "error, warn, info, debug, trace, or directives such as zmesd::ws=debug")]
    level: String,
    /// Go back to the configured level after this time
    #[arg(long = "for", value_name = "DURATION", value_parser = values::duration)]
    lasting: Option<Duration>,
}

pub(super) async fn run(command: Command, context: &mut Context) -> Result<Exit, CliError> {
    let Command::Level(LevelArgs { level, lasting }) = command;
    let for_ms = lasting.map(values::milliseconds);
    context.ask::<LogLevel>(Request::LogLevel { level, for_ms }).await
}

impl View for LogLevel {
    fn human(&self, out: &mut Out) -> io::Result<()> {
        let lasting = self
            .for_ms
            .map_or_else(String::new, |ms| format!(" for {}", time::span(Duration::from_millis(ms))));
        out.line(&format!("log level {}{lasting}, before: {}", clean(&self.level), clean(&self.before)))
    }
}
