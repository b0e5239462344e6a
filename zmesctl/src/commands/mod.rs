//! The commands, one file each: arguments, what is asked, and how people see the answer.

pub mod alarms;
pub mod checks;
pub mod clients;
pub mod completions;
pub mod config;
mod done;
pub mod log;
pub mod monitors;
mod reload;
mod status;
pub mod watch;

use crate::cli::Command;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;

/// Runs one command.
pub async fn run(command: Command, context: &mut Context) -> Result<Exit, CliError> {
    match command {
        Command::Status => status::run(context).await,
        Command::Clients(command) => clients::run(command, context).await,
        Command::Monitors(command) => monitors::run(command, context).await,
        Command::Alarm(command) => alarms::run(command, context).await,
        Command::Watch(arguments) => watch::run(arguments, context).await,
        Command::Check(arguments) => checks::run(arguments, context).await,
        Command::Log(command) => log::run(command, context).await,
        Command::Reload => reload::run(context).await,
        Command::Config(command) => config::run(command, context).await,
        Command::Completions(arguments) => completions::run(arguments, context),
    }
}
