//! `zmesctl alarm test`, `force` and `cancel`.

use std::io;
use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::tz::TimeZone;
use zmes_shared::control::{AlarmTest, Request};
use zmes_shared::views::{AlarmForced, AlarmTested, TargetDecision};
use zmes_shared::words::{DeliveryState, Reason, SkipReason};

use crate::commands::named;
use crate::context::{Context, Outcome};
use crate::error::CliError;
use crate::exit::Exit;
use crate::options::Format;
use crate::render::{Cell, Column, ColumnOf, Out, Table, View, clean, time};
use crate::values::{self, MonitorArg};
use crate::words;

/// Default time limit of `test --wait`, without `--timeout`: the slowest target decides.
const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

/// After this time, the command tells people what it waits for.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug, Subcommand)]
#[command(
    disable_help_subcommand = true,
    after_help = "Examples:\n  zmesctl alarm test --wait\n  zmesctl alarm force --monitor 1 --for 10s"
)]
pub enum AlarmCommand {
    /// Send a test alarm to the apps, without ZoneMinder
    Test(TestArgs),
    /// Force an alarm in ZoneMinder, which records an event
    Force(ForceArgs),
    /// Cancel a forced alarm
    Cancel(CancelArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl alarm test --dry-run                 show who would get it, and why
  zmesctl alarm test --monitor 3 --wait        show whether it arrives, and when
  zmesctl alarm test --token 1a2b3c4d --wait   show what the provider answers

It does not wait for labels (labels.wait), and rules by labels do not decide.

Exit codes: 0 no delivery failed, 7 some failed, 1 all failed.")]
pub struct TestArgs {
    /// Monitor that the test alarm names [default: the first one watched]
    #[arg(short, long, value_name = "ID|NAME")]
    monitor: Option<MonitorArg>,
    /// Only this token: its handle, or its last 10 characters
    #[arg(long, value_name = "TOKEN", value_parser = values::token, allow_hyphen_values = true)]
    token: Option<String>,
    /// Show who would get it; send nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Wait for all deliveries, and show how long each took
    #[arg(short, long)]
    wait: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl alarm force --monitor 1
  zmesctl alarm force --monitor 1 --for 1m

zmesd needs write access to ZoneMinder's shared memory for this, or a running
zmtrigger.pl.")]
pub struct ForceArgs {
    /// Monitor to force
    #[arg(short, long, value_name = "ID|NAME")]
    monitor: MonitorArg,
    /// Duration of the alarm, 1s to 1h
    #[arg(long = "for", value_name = "DURATION", value_parser = values::alarm_duration, default_value = "10s")]
    lasting: Duration,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  zmesctl alarm cancel --monitor 1\n  zmesctl alarm cancel --monitor Garage"
)]
pub struct CancelArgs {
    /// Monitor whose forced alarm is cancelled
    #[arg(short, long, value_name = "ID|NAME")]
    monitor: MonitorArg,
}

pub(crate) async fn run(command: AlarmCommand, context: &mut Context) -> Outcome {
    match command {
        AlarmCommand::Test(TestArgs { monitor, token, dry_run, wait }) => {
            let monitor = named::monitor(monitor, context).await?;
            let request = Request::AlarmTest(AlarmTest { monitor, token, dry_run, wait });
            if wait {
                wait_for_all(request, context).await
            } else {
                context.ask::<AlarmTested>(request).await
            }
        }
        AlarmCommand::Force(ForceArgs { monitor, lasting }) => {
            let (monitor, for_ms) = (named::one(monitor, context).await?, values::milliseconds(lasting));
            context.ask::<AlarmForced>(Request::AlarmForce { monitor, for_ms }).await
        }
        AlarmCommand::Cancel(CancelArgs { monitor }) => {
            let monitor = named::one(monitor, context).await?;
            context.ask::<AlarmForced>(Request::AlarmCancel { monitor }).await
        }
    }
}

/// Sends the request. If the answer takes longer than [`PATIENCE`], says what it waits for.
async fn wait_for_all(request: Request, context: &mut Context) -> Outcome {
    let told = context.environment.terminals.stderr && context.out.format() == Format::Human;
    let quiet = context.out.look().quiet;
    let answer = {
        let shared: &Context = context;
        let tested = async {
            let mut daemon = shared.connect_for(WAIT_TIMEOUT).await?;
            Ok::<_, CliError>(daemon.request::<AlarmTested>(request).await?)
        };
        tokio::pin!(tested);
        tokio::select! {
            biased;
            tested = &mut tested => tested,
            () = tokio::time::sleep(PATIENCE) => {
                if told && !quiet {
                    let limit = time::span(WAIT_TIMEOUT);
                    shared.to_errors(&format!("waiting for apps and providers, at most {limit} …"));
                }
                tested.await
            }
        }
    };
    context.show(&answer?)
}

/// Returns the reason for a decision, in the words of `why`.
fn reason(target: &TargetDecision, zone: &TimeZone) -> String {
    if let Some(snoozed) = &target.snoozed {
        return time::told(&snoozed.sentence(), zone);
    }
    match (&target.explanation, &target.reason) {
        (Some(told), Reason::None | Reason::Skip(SkipReason::Rule)) => told.clone(),
        (Some(told), reason) => format!("{reason}; {told}"),
        (None, reason) => reason.to_string(),
    }
}

impl View for AlarmTested {
    fn human(&self, out: &mut Out) -> io::Result<()> {
        let subject = if self.dry_run {
            format!("Dry run, nothing was sent: an alarm of monitor {}", self.monitor_id)
        } else {
            format!("Test alarm {} of monitor {}", self.event_id, self.monitor_id)
        };
        if self.targets.is_empty() {
            return out.line(&format!("{subject}: no app is connected and no token is registered"));
        }
        let count = |state| self.targets.iter().filter(|target| target.decision == state).count();
        let states = [DeliveryState::Sent, DeliveryState::Skipped, DeliveryState::Failed];
        let counts = states.map(|state| (count(state), state));
        let counts =
            counts.iter().filter(|(count, _)| *count > 0).map(|(count, state)| format!("{count} {state}"));
        out.line(&format!("{subject}: {}", counts.collect::<Vec<_>>().join(", ")))?;
        let zone = out.look().zone.clone();
        let columns: &[ColumnOf<'_, TargetDecision>] = &[
            (Column::new("TARGET"), &|target| Cell::new(words::target(target.kind))),
            (Column::new("ID"), &|target| Cell::new(&target.id)),
            (Column::new("DECISION"), &|target| Cell::decision(target.decision)),
            (Column::new("LATENCY").right(), &|target| {
                Cell::maybe(target.latency_ms.map(time::milliseconds))
            }),
            (Column::new("TRANSPORT").spare(1), &|target| Cell::maybe(target.transport.as_ref())),
            (Column::new("REASON").wraps(), &|target| Cell::new(&reason(target, &zone))),
            (Column::new("PROVIDER'S ID").wraps().spare(2), &|target| {
                Cell::maybe(target.provider_id.as_ref())
            }),
        ];
        out.table(&Table::of(&self.targets, columns))
    }

    fn exit(&self) -> Exit {
        let any = |state| self.targets.iter().any(|target| target.decision == state);
        match (any(DeliveryState::Failed), any(DeliveryState::Sent)) {
            (false, _) => Exit::Done,
            (true, true) => Exit::Partial,
            (true, false) => Exit::Negative,
        }
    }
}

impl View for AlarmForced {
    fn human(&self, out: &mut Out) -> io::Result<()> {
        let Self { monitor_id, trigger, via, for_ms } = self;
        let via = clean(via);
        match for_ms {
            Some(ms) => {
                let lasting = time::span(Duration::from_millis(*ms));
                out.line(&format!("Monitor {monitor_id}: alarm forced for {lasting} (through {via})."))
            }
            None => out.line(&format!("Monitor {monitor_id}: alarm {} (through {via}).", clean(trigger))),
        }
    }
}
