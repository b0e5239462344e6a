//! `zmesctl push check`, `push queue` and `push retry`.

use std::io;
use std::time::Duration;

use clap::{Args, Subcommand};
use zmes_shared::control::{Request, TransportChoice};
use zmes_shared::views::{CheckStep, PushCheck, PushQueue, PushRetried, RetriedTransport, TransportView};

use crate::commands::deliveries::table;
use crate::context::{Context, Outcome};
use crate::exit::Exit;
use crate::render::{Out, Table, Tone, View, clean, columns, time};
use crate::values;

/// Default time limit of a check, without `--timeout`: each step has its own deadline.
const CHECK_TIMEOUT: Duration = Duration::from_secs(30);

/// Column of a step's detail, after its name.
const DETAIL: usize = 14;

#[derive(Debug, Subcommand)]
#[command(
    disable_help_subcommand = true,
    after_help = "Examples:\n  zmesctl push check\n  zmesctl push queue\n  zmesctl push retry proxy"
)]
pub enum PushCommand {
    /// Check each push provider without sending anything
    Check(PushCheckArgs),
    /// Show queued pushes and the state of each transport
    #[command(after_help = "Examples:\n  zmesctl push queue\n  zmesctl push queue --json | jq .queued")]
    Queue,
    /// Retry a failed transport now, and send what is queued
    Retry(RetryArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl push check
  zmesctl push check fcm
  zmesctl push check @night-guard
  zmesctl push check --json | jq '.checks[] | select(.ok | not)'

Exit codes: 0 all steps succeeded, 1 a step failed.")]
pub struct PushCheckArgs {
    /// Only this transport: proxy, fcm, apns, a kind of targets such as ntfy, or one target: @night-guard
    #[arg(value_parser = values::transport, value_name = "TRANSPORT")]
    transport: Option<TransportChoice>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl push retry
  zmesctl push retry fcm

zmesd pauses a failed transport for up to a minute. If you know that the
provider works again, this ends the pause: the next push is sent at once, and if
it succeeds, the others follow.")]
pub struct RetryArgs {
    /// Only this transport: proxy, fcm, apns, a kind of targets such as ntfy, or one target: @night-guard
    #[arg(value_parser = values::transport, value_name = "TRANSPORT")]
    transport: Option<TransportChoice>,
}

pub(crate) async fn run(command: PushCommand, context: &mut Context) -> Outcome {
    match command {
        PushCommand::Check(PushCheckArgs { transport }) => {
            context.ask_within::<PushCheck>(Request::PushCheck { transport }, CHECK_TIMEOUT).await
        }
        PushCommand::Queue => context.ask::<PushQueue>(Request::PushQueue).await,
        PushCommand::Retry(RetryArgs { transport }) => {
            context.ask::<PushRetried>(Request::PushRetry { transport }).await
        }
    }
}

impl View for PushCheck {
    const LIST: Option<&'static str> = Some("checks");

    fn human(&self, out: &mut Out) -> io::Result<()> {
        if self.checks.is_empty() {
            return out.line("No push transport is configured: see [push] and [[target]] in zmesd.toml.");
        }
        for check in &self.checks {
            let verdict = if check.ok { out.paint(Tone::Good, "OK") } else { out.paint(Tone::Bad, "FAIL") };
            let age = check.age_ms.map(|ms| format!(", checked {} ago", time::milliseconds(ms)));
            let age = age.unwrap_or_default();
            out.line(&format!("{verdict} {} ({}){age}", clean(&check.transport), clean(&check.target)))?;
            let width = check.steps.iter().map(|step| columns(&clean(&step.name))).max().unwrap_or(0);
            for step in &check.steps {
                let line = line(step, width);
                out.hanging(&if step.ok { line } else { out.paint(Tone::Bad, &line) }, width + DETAIL)?;
            }
        }
        Ok(())
    }

    fn exit(&self) -> Exit {
        if self.checks.iter().all(|check| check.ok) { Exit::Done } else { Exit::Negative }
    }
}

fn line(step: &CheckStep, width: usize) -> String {
    let CheckStep { name, ok, ms, detail, .. } = step;
    let failed = if *ok { "" } else { "failed: " };
    format!("  {:width$}  {:>8}  {failed}{}", clean(name), time::milliseconds(*ms), clean(detail))
}

impl View for PushQueue {
    const LIST: Option<&'static str> = Some("deliveries");

    fn human(&self, out: &mut Out) -> io::Result<()> {
        match self.queued {
            0 => out.line("No push is queued.")?,
            1 => out.line("1 push is queued.")?,
            many => out.line(&format!("{many} pushes are queued."))?,
        }
        for transport in &self.transports {
            let line = state(transport, out);
            out.line(&line)?;
            if let Some(hint) = &transport.hint {
                out.hanging(&format!("  hint: {}", clean(hint)), 2)?;
            }
        }
        if self.deliveries.is_empty() {
            return Ok(());
        }
        let rows: Table = table(&self.deliveries, out);
        out.table(&rows)?;
        let more = self.queued.saturating_sub(self.deliveries.len() as u64);
        if more > 0 { out.line(&format!("(and {more} more)")) } else { Ok(()) }
    }
}

fn state(transport: &TransportView, out: &Out) -> String {
    let TransportView {
        transport: name, open, retry_at, last_error, in_flight, failing_since, failures, ..
    } = transport;
    let name = clean(name);
    let Some(error) = last_error.as_deref().map(clean) else {
        return format!("{name}: {in_flight} being sent");
    };
    let since = match failing_since {
        Some(since) if *failures > 1 => format!(" ({failures} failures since {})", out.ago(*since)),
        _ => String::new(),
    };
    if !open {
        return format!("{name}: {in_flight} being sent; last failure: {error}{since}");
    }
    let now = out.look().now;
    let left = retry_at.and_then(|at| Duration::try_from(at.duration_since(now)).ok());
    // A pause that has ended is shown as such, not as a time in the past.
    let rest = left.filter(|left| !left.is_zero()).map_or_else(
        || "paused; the next push shows whether it works again".to_owned(),
        |left| format!("paused for another {}", time::span(left.max(Duration::from_secs(1)))),
    );
    out.paint(Tone::Bad, &format!("{name}: {rest}: {error}{since}"))
}

impl View for PushRetried {
    const LIST: Option<&'static str> = Some("transports");

    fn human(&self, out: &mut Out) -> io::Result<()> {
        if self.transports.is_empty() {
            return out.line("No push transport is configured: see [push] and [[target]] in zmesd.toml.");
        }
        for transport in &self.transports {
            out.hanging(&retried(transport), 2)?;
        }
        Ok(())
    }
}

fn retried(transport: &RetriedTransport) -> String {
    let RetriedTransport { transport: name, rested, rest_ms, waiting, last_error } = transport;
    let name = clean(name);
    let pushes =
        if *waiting == 1 { "1 push is queued".to_owned() } else { format!("{waiting} pushes are queued") };
    if !rested {
        return format!("{name}: it was not paused; {pushes}");
    }
    let error =
        last_error.as_deref().map_or_else(String::new, |error| format!("; last failure: {}", clean(error)));
    let left = Duration::from_millis(rest_ms.unwrap_or_default());
    let rest = if left.is_zero() {
        "its pause was over".to_owned()
    } else {
        format!("ended a pause of another {}", time::span(left))
    };
    let next = if *waiting == 0 {
        "the next push is sent at once".to_owned()
    } else {
        format!("{pushes}: the first is sent now, the others follow if it succeeds")
    };
    format!("{name}: {rest}; {next}{error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_says_so() {
        let step =
            |ok| CheckStep { name: "tcp".into(), ok, ms: 5000, detail: "no answer".into(), fault: None };
        assert_eq!(line(&step(true), 3), "  tcp   5000 ms  no answer");
        assert_eq!(line(&step(false), 11), "  tcp           5000 ms  failed: no answer");
    }

    #[test]
    fn what_was_ended_and_what_comes_next_is_told() {
        let transport = |rest_ms: Option<u64>, waiting| RetriedTransport {
            transport: "proxy".to_owned(),
            rested: rest_ms.is_some(),
            rest_ms,
            waiting,
            last_error: rest_ms.map(|_| "503 Service Unavailable".to_owned()),
        };
        for (transport, said) in [
            (transport(None, 1), "proxy: it was not paused; 1 push is queued"),
            (
                transport(Some(27_400), 3),
                "proxy: ended a pause of another 27 s; 3 pushes are queued: the first is sent now, the others follow if it \
                 succeeds; last failure: 503 Service Unavailable",
            ),
            (
                transport(Some(0), 0),
                "proxy: its pause was over; the next push is sent at once; last failure: 503 Service Unavailable",
            ),
        ] {
            assert_eq!(retried(&transport), said);
        }
    }
}
