//! `zmesctl push check` and `push queue`.

use std::io;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::Value;
use zmes_shared::control::{Request, TransportKind};
use zmes_shared::views::{CheckStep, PushCheck, PushQueue, TransportView};

use super::deliveries::{milliseconds, table};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::{Out, Table, Tone, View, clean, columns};

/// How long a check may take when `--timeout` does not say: each step has a deadline of its own.
const CHECK_TIMEOUT: Duration = Duration::from_secs(30);

/// Where the detail of a step begins, behind its name.
const DETAIL: usize = 14;

/// `push …`
#[derive(Debug, Subcommand)]
#[command(
    disable_help_subcommand = true,
    after_help = "Examples:\n  zmesctl push check\n  zmesctl push queue"
)]
pub enum Command {
    /// Go to each provider as far as possible without sending anything
    Check(CheckArgs),
    /// Show what waits to be sent, and how the ways to phones are
    #[command(after_help = "Examples:\n  zmesctl push queue\n  zmesctl push queue --json | jq .queued")]
    Queue,
}

/// Which transport to check.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl push check
  zmesctl push check fcm
  zmesctl push check --json | jq '.checks[] | select(.ok | not)'

Exit codes: 0 every step went well, 1 one did not.")]
pub struct CheckArgs {
    /// Only this one
    #[arg(value_enum, value_name = "TRANSPORT")]
    transport: Option<TransportKind>,
}

pub(super) async fn run(command: Command, context: &mut Context) -> Result<Exit, CliError> {
    match command {
        Command::Check(CheckArgs { transport }) => {
            context.ask_within::<PushCheck>(Request::PushCheck { transport }, CHECK_TIMEOUT).await
        }
        Command::Queue => context.ask::<PushQueue>(Request::PushQueue).await,
    }
}

impl View for PushCheck {
    fn human(&self, out: &mut Out) -> io::Result<()> {
        if self.checks.is_empty() {
            return out.line("No way to phones is configured: see [push] in zmesd.toml.");
        }
        for check in &self.checks {
            let verdict = if check.ok { out.paint(Tone::Good, "OK") } else { out.paint(Tone::Bad, "FAIL") };
            out.line(&format!("{verdict} {} ({})", clean(&check.transport), clean(&check.target)))?;
            let width = check.steps.iter().map(|step| columns(&clean(&step.name))).max().unwrap_or(0);
            for step in &check.steps {
                let line = line(step, width);
                out.hanging(&if step.ok { line } else { out.paint(Tone::Bad, &line) }, width + DETAIL)?;
            }
        }
        Ok(())
    }

    fn elements(&self) -> serde_json::Result<Vec<Value>> {
        self.checks.iter().map(serde_json::to_value).collect()
    }

    fn exit(&self) -> Exit {
        if self.checks.iter().all(|check| check.ok) { Exit::Done } else { Exit::Negative }
    }
}

fn line(step: &CheckStep, width: usize) -> String {
    let CheckStep { name, ok, ms, detail } = step;
    let failed = if *ok { "" } else { "failed: " };
    format!("  {:width$}  {:>8}  {failed}{}", clean(name), milliseconds(*ms), clean(detail))
}

impl View for PushQueue {
    fn human(&self, out: &mut Out) -> io::Result<()> {
        match self.queued {
            0 => out.line("No push waits to be sent.")?,
            1 => out.line("1 push waits to be sent.")?,
            many => out.line(&format!("{many} pushes wait to be sent."))?,
        }
        for transport in &self.transports {
            let line = state(transport, out);
            out.line(&line)?;
        }
        if self.deliveries.is_empty() {
            return Ok(());
        }
        let rows: Table = table(&self.deliveries, out);
        out.table(&rows)?;
        let more = self.queued.saturating_sub(self.deliveries.len() as u64);
        if more > 0 { out.line(&format!("(and {more} more)")) } else { Ok(()) }
    }

    fn elements(&self) -> serde_json::Result<Vec<Value>> {
        self.deliveries.iter().map(serde_json::to_value).collect()
    }
}

fn state(transport: &TransportView, out: &Out) -> String {
    let TransportView { transport, open, retry_at, last_error, in_flight } = transport;
    let name = clean(transport);
    let error = last_error.as_deref().map_or_else(String::new, |error| format!(": {}", clean(error)));
    if *open {
        let again = retry_at.map_or_else(String::new, |at| format!(", tried again {}", out.ago(at)));
        return out.paint(Tone::Bad, &format!("{name}: held back{again}{error}"));
    }
    let error = if error.is_empty() { error } else { format!("; its last failure{error}") };
    format!("{name}: {in_flight} on their way{error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_says_so() {
        let step = |ok| CheckStep { name: "tcp".into(), ok, ms: 5000, detail: "no answer".into() };
        assert_eq!(line(&step(true), 3), "  tcp   5000 ms  no answer");
        assert_eq!(line(&step(false), 11), "  tcp           5000 ms  failed: no answer");
    }
}
