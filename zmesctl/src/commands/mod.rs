//! The commands, one file each: arguments, what is asked, and how people see the answer.

pub mod alarms;
pub mod ask;
pub mod badges;
pub mod checks;
pub mod clients;
pub mod completions;
pub mod config;
mod deliveries;
pub mod doctor;
mod done;
pub mod latency;
pub mod log;
pub mod monitors;
mod named;
pub mod push;
mod reload;
mod status;
pub mod tokens;
pub mod watch;
pub mod why;

use crate::cli::Command;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;

/// Runs one command.
pub async fn run(command: Command, context: &mut Context) -> Result<Exit, CliError> {
    match command {
        Command::Status => status::run(context).await,
        Command::Clients(command) => clients::run(command, context).await,
        Command::Tokens(command) => tokens::run(command, context).await,
        Command::Badges(command) => badges::run(command, context).await,
        Command::Monitors(command) => monitors::run(command, context).await,
        Command::Alarm(command) => alarms::run(command, context).await,
        Command::Push(command) => push::run(command, context).await,
        Command::Watch(arguments) => watch::run(arguments, context).await,
        Command::Why(arguments) => why::run(arguments, context).await,
        Command::Check(arguments) => checks::run(arguments, context).await,
        Command::Doctor(arguments) => doctor::run(arguments, context).await,
        Command::Latency => latency::run(context).await,
        Command::Log(command) => log::run(command, context).await,
        Command::Reload => reload::run(context).await,
        Command::Config(command) => config::run(command, context).await,
        Command::Completions(arguments) => completions::run(arguments, context).await,
    }
}
