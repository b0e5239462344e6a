//! The command line: lists the commands and the function that runs each. The arguments are defined with the command.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

use zmes_shared::control::Request;
use zmes_shared::views::{ConfigReloaded, Latency, Status};

use crate::commands::{
    alarms, badges, checks, clients, cluster, completions, config, doctor, events, hook, log, monitors, mqtt,
    pictures, push, report, rules, snooze, tokens, top, troubles, watch, why,
};
use crate::context::{Context, Outcome};
use crate::options::Global;

const AFTER: &str = "\
Examples:
  zmesctl status                     show the state of the daemon
  zmesctl alarm test --wait          send a test alarm to every app
  zmesctl watch                      follow what happens
  zmesctl doctor                     find out what is wrong and how to fix it
  zmesctl why 32910                  explain who was notified of an event
  zmesctl clients list --json        print JSON for scripts
  zmesctl tokens list --failing -q   print only the handles

Exit codes:
  0  success, or the check passed    5  not permitted
  1  failure, or the check failed    6  timeout
  2  wrong command line              7  partial success
  3  zmesd cannot be reached         8  zmesd speaks another version
  4  no such client, monitor, event,
     or token

Control socket, the first one that is given or exists:
  --socket, $ZMESCTL_SOCKET, $XDG_RUNTIME_DIR/zmesd/control.sock,
  /run/zmesd/control.sock

Manual: zmesctl(1), zmesd(8), zmesd.toml(5), zmes-control(7)";

/// Administer zmesd, the event notification server for ZoneMinder
#[derive(Debug, Parser)]
#[command(name = "zmesctl", version, after_help = AFTER, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: TopCommand,
}

#[derive(Debug, Subcommand)]
pub enum TopCommand {
    /// Show the state of zmesd: monitors, clients, push, database
    #[command(after_help = "Examples:\n  zmesctl status\n  zmesctl status --json | jq .monitors.stale")]
    Status,
    /// List or disconnect connected apps
    #[command(subcommand)]
    Clients(clients::ClientsCommand),
    /// List, mute, revoke, restore or import registered phones
    #[command(subcommand)]
    Tokens(tokens::TokensCommand),
    /// Set the badge numbers on app icons
    #[command(subcommand)]
    Badges(badges::BadgesCommand),
    /// List monitors, or read them again from ZoneMinder
    #[command(subcommand)]
    Monitors(monitors::MonitorsCommand),
    /// Stop pushes of a monitor for a while, or end that
    Snooze(snooze::SnoozeArgs),
    /// Send a test alarm, or force an alarm in ZoneMinder
    #[command(subcommand)]
    Alarm(alarms::AlarmCommand),
    /// Check the push providers, or show queued pushes
    #[command(subcommand)]
    Push(push::PushCommand),
    /// Read the picture of an event, or end all links to pictures
    #[command(subcommand)]
    Pictures(pictures::PicturesCommand),
    /// Show or check the MQTT broker, or clear what it retains
    #[command(subcommand)]
    Mqtt(mqtt::MqttCommand),
    /// Make the ledger of several hosts, or show and change their nodes
    #[command(subcommand)]
    Cluster(cluster::ClusterCommand),
    /// Show alarms, clients, providers and findings live, until q
    Top(top::TopArgs),
    /// Follow alarms, decisions, deliveries, clients and monitors
    Watch(watch::WatchArgs),
    /// Run a command for each alarm
    Hook(hook::HookArgs),
    /// List announced alarms, and how many clients and phones were told
    Events(events::EventsArgs),
    /// Explain what was decided about an event for each client and token
    Why(why::WhyArgs),
    /// Find out why a phone does not ring, and how to fix it
    Doctor(doctor::DoctorArgs),
    /// List what keeps zmesd from seeing or sending alarms
    Troubles(troubles::TroublesArgs),
    /// Run a check for a monitoring system
    Check(checks::CheckArgs),
    /// List the rules, or test which one decides
    #[command(subcommand)]
    Rules(rules::RulesCommand),
    /// Show how long each stage of an alarm takes
    #[command(
        after_help = "Examples:\n  zmesctl latency\n  zmesctl latency --json | jq '.stages[] | select(.p99_ms > 100)'"
    )]
    Latency,
    /// Show or change the log level of the running daemon
    #[command(subcommand)]
    Log(log::LogCommand),
    /// Reload the configuration
    #[command(
        after_help = "Examples:\n  zmesctl reload                            same as: systemctl reload zmesd\n  zmesctl config check && zmesctl reload"
    )]
    Reload,
    /// Check, print or show the configuration
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Write a bundle for a bug report, with secrets hidden
    Report(report::ReportArgs),
    /// Print the completion script for a shell
    Completions(completions::CompletionsArgs),
}

pub async fn run(command: TopCommand, context: &mut Context) -> Outcome {
    match command {
        TopCommand::Status => context.ask::<Status>(Request::Status).await,
        TopCommand::Clients(command) => clients::run(command, context).await,
        TopCommand::Tokens(command) => tokens::run(command, context).await,
        TopCommand::Badges(command) => badges::run(command, context).await,
        TopCommand::Monitors(command) => monitors::run(command, context).await,
        TopCommand::Snooze(arguments) => snooze::run(arguments, context).await,
        TopCommand::Alarm(command) => alarms::run(command, context).await,
        TopCommand::Push(command) => push::run(command, context).await,
        TopCommand::Pictures(command) => pictures::run(command, context).await,
        TopCommand::Mqtt(command) => mqtt::run(command, context).await,
        TopCommand::Cluster(command) => cluster::run(command, context).await,
        TopCommand::Top(arguments) => top::run(arguments, context).await,
        TopCommand::Watch(arguments) => watch::run(arguments, context).await,
        TopCommand::Hook(arguments) => hook::run(arguments, context).await,
        TopCommand::Events(arguments) => events::run(arguments, context).await,
        TopCommand::Why(arguments) => why::run(arguments, context).await,
        TopCommand::Troubles(arguments) => troubles::run(&arguments, context).await,
        TopCommand::Check(arguments) => checks::run(arguments, context).await,
        TopCommand::Doctor(arguments) => doctor::run(arguments, context).await,
        TopCommand::Rules(command) => rules::run(command, context).await,
        TopCommand::Latency => context.ask::<Latency>(Request::Latency).await,
        TopCommand::Log(command) => log::run(command, context).await,
        TopCommand::Reload => context.ask::<ConfigReloaded>(Request::Reload).await,
        TopCommand::Config(command) => config::run(command, context).await,
        TopCommand::Report(arguments) => report::run(arguments, context).await,
        TopCommand::Completions(arguments) => completions::run(&arguments, context),
    }
}

pub fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let cli = Cli::try_parse_from(arguments)?;
    // Not `conflicts_with`: clap does not detect conflicts of global options on different sides of a command.
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
