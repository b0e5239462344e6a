//! `zmesctl`, the administration tool of `zmesd`.
//!
//! Each run handles one command line: parse it ([`cli`]), send a request to the daemon ([`zmes_shared::client`]), show
//! the answer ([`render`]), return an [`exit::Exit`]. Each command is one file in [`commands`]: its arguments, its
//! request, and how people see the answer. Programs (`--json`) get the serde form of the views in `zmes_shared`.
//! [`completion`] answers shells while a command is being typed.

pub mod cli;
pub mod commands;
mod completion;
pub mod context;
pub mod environment;
pub mod error;
pub mod exit;
#[doc(hidden)]
pub mod fuzzing;
mod import;
pub mod options;
pub mod render;
pub mod shells;
mod usage;
mod values;
mod words;
mod zmesd;

use std::ffi::OsString;

use context::Context;
use environment::Environment;
use exit::Exit;

/// Runs one command line and returns its exit code. All output has been written when this returns.
pub async fn run(arguments: Vec<OsString>, environment: Environment) -> Exit {
    if completion::answer(&arguments, &environment).await.is_some() {
        return Exit::Done;
    }
    let cli = match cli::parse(&arguments) {
        Ok(cli) => cli,
        Err(error) => return usage::report(&error, &arguments, &environment),
    };
    let mut context = Context::new(cli.global, environment);
    let outcome = cli::run(cli.command, &mut context).await;
    context.finish(outcome)
}
