//! `zmesctl mqtt status`, `mqtt check` and `mqtt clear`.

use std::io;
use std::time::Duration;

use clap::{Args, Subcommand};
use zmes_shared::control::Request;
use zmes_shared::views::{MqttCleared, MqttStatus, PushCheck};

use crate::commands::ask::Confirmation;
use crate::context::{Context, Outcome};
use crate::exit::Exit;
use crate::render::{Facts, Out, Tone, View, clean};

/// Default time limit of `check` and `clear`, without `--timeout`: each step has its own deadline.
const LONG: Duration = Duration::from_secs(40);

#[derive(Debug, Subcommand)]
#[command(
    disable_help_subcommand = true,
    after_help = "Examples:\n  zmesctl mqtt status\n  zmesctl mqtt check\n  zmesctl mqtt clear --yes"
)]
pub enum MqttCommand {
    /// Show the connection to the MQTT broker
    #[command(after_help = "\
Examples:
  zmesctl mqtt status
  zmesctl mqtt status --json | jq .connected

Exit codes: 0 connected, 1 not connected, or [mqtt] is not enabled.")]
    Status,
    /// Connect to the broker, publish a message and read it back
    #[command(after_help = "\
Examples:
  zmesctl mqtt check
  zmesctl mqtt check --json | jq '.checks[0].steps[] | select(.ok | not)'

The message is published at the topic `probe` below mqtt.topic. Brokers such as
mosquitto deny silently, so it counts only once it has come back.

Exit codes: 0 all steps succeeded, 1 a step failed.")]
    Check,
    /// Remove everything that zmesd has retained at the broker
    Clear(ClearArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl mqtt clear            asks for confirmation
  zmesctl mqtt clear --yes      for scripts

Home Assistant then removes the devices. zmesd publishes nothing until
`zmesctl reload` or a restart: set mqtt.enabled = false before, to leave it so.")]
pub struct ClearArgs {
    /// No confirmation: for scripts
    #[arg(short, long)]
    yes: bool,
}

pub(crate) async fn run(command: MqttCommand, context: &mut Context) -> Outcome {
    match command {
        MqttCommand::Status => context.ask::<MqttStatus>(Request::MqttStatus).await,
        MqttCommand::Check => context.ask_within::<PushCheck>(Request::MqttCheck, LONG).await,
        MqttCommand::Clear(ClearArgs { yes }) => clear(yes, context).await,
    }
}

async fn clear(yes: bool, context: &mut Context) -> Outcome {
    let confirmation = Confirmation {
        what: "emptying the broker",
        command: "zmesctl mqtt clear --yes",
        about: "Removes all states and devices of zmesd from the broker; Home Assistant forgets the devices.",
        question: "Remove them?",
    };
    confirmation.ask(yes, context)?;
    context.ask_within::<MqttCleared>(Request::MqttClear, LONG).await
}

impl View for MqttStatus {
    fn human(&self, out: &mut Out) -> io::Result<()> {
        let broker = clean(&self.broker);
        let title = match (self.connected, self.cleared) {
            (true, _) => out.paint(Tone::Good, &format!("Connected to {broker}")),
            (false, true) => out.paint(Tone::Warning, "Cleared: nothing is published until `zmesctl reload`"),
            (false, false) => out.paint(Tone::Bad, &format!("Not connected to {broker}")),
        };
        let since = self.since.map(|since| format!(", since {}", out.ago(since))).unwrap_or_default();
        out.line(&format!("{title}{since}"))?;
        let mut facts = Facts::default();
        facts.add("acknowledged", format!("{} messages", self.acknowledged));
        facts.add("backlog", self.backlog.to_string());
        if self.ignored_commands > 0 {
            let text = format!("{} ignored: see the log of zmesd", self.ignored_commands);
            facts.add("commands", out.paint(Tone::Warning, &text));
        }
        if let Some(error) = &self.last_error {
            let at = self.last_error_at.map(|at| format!(" ({})", out.ago(at))).unwrap_or_default();
            facts.add("last error", format!("{}{at}", clean(error)));
        }
        if let Some(hint) = &self.hint {
            facts.add("hint", clean(hint));
        }
        out.facts(&facts)
    }

    fn exit(&self) -> Exit {
        if self.connected { Exit::Done } else { Exit::Negative }
    }
}

impl View for MqttCleared {
    fn human(&self, out: &mut Out) -> io::Result<()> {
        out.line(&format!(
            "{} topics were emptied. Nothing is published until `zmesctl reload` or a restart.",
            self.topics
        ))
    }
}
