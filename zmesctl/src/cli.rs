//! The command line: global options, the list of commands, and what stands around their help.
//!
//! Each command's own arguments live with the command; here is only its name.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

use crate::commands::{
    alarms, badges, checks, clients, completions, config, doctor, latency, log, monitors, push, reload,
    status, tokens, watch, why,
};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::options::Global;

const AFTER: &str = "\
Examples:
  zmesctl status                     how the daemon is
  zmesctl alarm test --wait          does an alarm reach everybody?
  zmesctl watch                      what is happening now
  zmesctl doctor                     what is wrong, and how to mend it
  zmesctl why 32910                  who was told of this event, who not, and why
  zmesctl clients list --json        for scripts
  zmesctl tokens list --failing -q   the handles alone

Exit codes:
  0  done, or the check holds        5  not permitted
  1  no, or the check does not hold  6  time-out
  2  usage                           7  done in part
  3  zmesd is not reachable          8  zmesd speaks another version
  4  no such client, monitor, event,
     token

Control socket, the first that is there:
  --socket, $ZMESCTL_SOCKET, $XDG_RUNTIME_DIR/zmesd/control.sock,
  /run/zmesd/control.sock

Manual: zmesctl(1), zmesd(8), zmesd.toml(5), zmes-control(7)";

/// Administration of zmesd, the event notification server for ZoneMinder
#[derive(Debug, Parser)]
#[command(name = "zmesctl", version, after_help = AFTER, max_term_width = 100)]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: TopCommand,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum TopCommand {
    /// Show how zmesd is: monitors, clients, events, database
    #[command(after_help = "Examples:\n  zmesctl status\n  zmesctl status --json | jq .monitors.stale")]
    Status,
    /// List or disconnect the apps that are connected
    #[command(subcommand)]
    Clients(clients::ClientsCommand),
    /// List the phones that are registered for pushes; silence, revoke, restore, import them
    #[command(subcommand)]
    Tokens(tokens::TokensCommand),
    /// Set the numbers on the apps' icons
    #[command(subcommand)]
    Badges(badges::BadgesCommand),
    /// List the monitors, or read them from ZoneMinder again
    #[command(subcommand)]
    Monitors(monitors::MonitorsCommand),
    /// Send a test alarm, or make ZoneMinder itself record
    #[command(subcommand)]
    Alarm(alarms::AlarmCommand),
    /// Check the ways to phones, or show what waits to be sent
    #[command(subcommand)]
    Push(push::PushCommand),
    /// Follow what happens: alarms, decisions, clients, monitors
    Watch(watch::WatchArgs),
    /// Explain what was decided about an event, for each client and token
    Why(why::WhyArgs),
    /// Find out why a phone does not ring: the whole way, step by step, with the command that mends it
    Doctor(doctor::DoctorArgs),
    /// Check one thing, for monitoring systems: one line with performance data, exit 0 or 1
    Check(checks::CheckArgs),
    /// Show how long alarms take from stage to stage
    #[command(
        after_help = "Examples:\n  zmesctl latency\n  zmesctl latency --json | jq '.stages[] | select(.p99_ms > 100)'"
    )]
    Latency,
    /// Change the log level of the running daemon
    #[command(subcommand)]
    Log(log::LogCommand),
    /// Read the configuration again and apply it
    #[command(after_help = "Example:\n  zmesctl reload    the same as: systemctl reload zmesd")]
    Reload,
    /// Check, print or show the configuration
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Print the completions for a shell
    Completions(completions::CompletionsArgs),
}

/// Runs one command.
pub async fn run(command: TopCommand, context: &mut Context) -> Result<Exit, CliError> {
    match command {
        TopCommand::Status => status::run(context).await,
        TopCommand::Clients(command) => clients::run(command, context).await,
        TopCommand::Tokens(command) => tokens::run(command, context).await,
        TopCommand::Badges(command) => badges::run(command, context).await,
        TopCommand::Monitors(command) => monitors::run(command, context).await,
        TopCommand::Alarm(command) => alarms::run(command, context).await,
        TopCommand::Push(command) => push::run(command, context).await,
        TopCommand::Watch(arguments) => watch::run(arguments, context).await,
        TopCommand::Why(arguments) => why::run(arguments, context).await,
        TopCommand::Check(arguments) => checks::run(arguments, context).await,
        TopCommand::Doctor(arguments) => doctor::run(arguments, context).await,
        TopCommand::Latency => latency::run(context).await,
        TopCommand::Log(command) => log::run(command, context).await,
        TopCommand::Reload => reload::run(context).await,
        TopCommand::Config(command) => config::run(command, context).await,
        TopCommand::Completions(arguments) => completions::run(&arguments, context),
    }
}

/// Parses a command line.
pub fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let cli = Cli::try_parse_from(arguments)?;
    // Not `conflicts_with`: clap does not see conflicts of global options that stand on different sides of a command.
    if cli.global.json && cli.global.jsonl {
        let message = "the argument '--json' cannot be used with '--jsonl'";
        return Err(Cli::command().error(ErrorKind::ArgumentConflict, message));
    }
    Ok(cli)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        fn walk(command: &clap::Command, without: &mut Vec<String>) {
            let examples = command.get_after_help().is_some_and(|help| help.to_string().contains("Example"));
            if !examples && command.get_name() != "help" {
                without.push(command.get_name().to_owned());
            }
            command.get_subcommands().for_each(|command| walk(command, without));
        }
        let mut without = Vec::new();
        walk(&Cli::command(), &mut without);
        assert_eq!(without, Vec::<String>::new());
    }

    #[test]
    fn global_options_stand_on_either_side() {
        let parse = |line: &str| parse(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert!(parse("zmesctl --json clients list").unwrap().global.json);
        assert!(parse("zmesctl clients list --json").unwrap().global.json);
        assert!(parse("zmesctl --json clients list --jsonl").is_err());
    }
}
