//! The confirmation before a destructive change, and the options that replace it in scripts.

use std::io::{self, Write};

use clap::Args;

use crate::context::Context;
use crate::error::CliError;

/// `--yes` and `--dry-run`.
#[derive(Debug, Clone, Copy, Args)]
pub struct Consent {
    /// No confirmation: for scripts
    #[arg(short, long)]
    pub yes: bool,
    /// Show what would change; change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

impl Consent {
    /// Fails if a confirmation is needed but there is no terminal. `what` is like "revoking 3 tokens"; `command` is the
    /// command line that needs no confirmation.
    pub(super) fn check(self, context: &Context, what: &str, command: &str) -> Result<(), CliError> {
        if self.yes || self.dry_run || context.environment.terminals.interactive() {
            return Ok(());
        }
        Err(CliError::Usage {
            message: format!("{what} needs a confirmation, but stdin is not a terminal"),
            hint: command.to_owned(),
        })
    }
}

/// A confirmation for a change that has no preview.
#[derive(Debug, Clone, Copy)]
pub(super) struct Confirmation<'c> {
    /// Like "removing a node".
    pub(super) what: &'c str,
    /// The command line that needs no confirmation.
    pub(super) command: &'c str,
    /// Shown before the question; must be clean, as the question.
    pub(super) about: &'c str,
    pub(super) question: &'c str,
}

impl Confirmation<'_> {
    /// Asks, unless `--yes` was given; fails if the answer is not yes.
    pub(super) fn ask(self, yes: bool, context: &Context) -> Result<(), CliError> {
        Consent { yes, dry_run: false }.check(context, self.what, self.command)?;
        if yes || confirmed(context, self.about, self.question)? { Ok(()) } else { Err(CliError::Declined) }
    }
}

/// Shows what will change and asks on the terminal; anything but yes means no. Both texts must be clean.
pub(super) fn confirmed(context: &Context, about: &str, question: &str) -> Result<bool, CliError> {
    let mut answer = String::new();
    let mut stderr = io::stderr();
    // The question goes to the error output, so that the output can be redirected.
    about.lines().for_each(|line| context.to_errors(line));
    let asked = write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush());
    asked.and_then(|()| io::stdin().read_line(&mut answer)).map_err(CliError::Terminal)?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}
