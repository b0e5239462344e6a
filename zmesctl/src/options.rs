//! Options of every command: where the daemon is, and who reads the output.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};

use crate::values;

/// Options that can come before or after the command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Control socket of zmesd
    #[arg(long, global = true, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long, global = true)]
    pub json: bool,
    /// Print one JSON object per line (lists and streams)
    #[arg(long, global = true)]
    pub jsonl: bool,
    /// Time limit of each request [default: 5s]
    #[arg(long, global = true, value_name = "DURATION", value_parser = values::duration)]
    pub timeout: Option<Duration>,
    /// When to use colours
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        value_enum,
        default_value_t,
        hide_possible_values = false
    )]
    pub color: ColorChoice,
    /// Print nothing on success; print only the ids or handles of lists
    #[arg(short, long, global = true, action = ArgAction::SetTrue)]
    pub quiet: bool,
}

impl Global {
    pub fn format(&self) -> Format {
        match (self.json, self.jsonl) {
            (false, false) => Format::Human,
            (true, _) => Format::Json,
            (false, true) => Format::Jsonl,
        }
    }
}

/// When to use colours; `auto`: on a terminal, unless `$NO_COLOR` is set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    // No doc comments: with them clap would print the help of every command on twice as many lines.
    #[default]
    Auto,
    Always,
    Never,
}

/// Who reads the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Human,
    /// A program that reads one document.
    Json,
    /// A program that reads one object per line.
    Jsonl,
}
