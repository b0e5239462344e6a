//! `zmesctl watch`: the current state, then each change.

mod seen;

use std::future::pending;
use std::io;
use std::num::NonZeroU64;
use std::time::Duration;

use clap::Args;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::Value;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{SignalKind, signal};
use zmes_shared::client::{WatchItem, WatchStream};
use zmes_shared::control::{ClientState, Since, WatchEvent, WatchFilter, WatchKind, WatchType};
use zmes_shared::views::{MonitorView, TroubleView};
use zmes_shared::words::{DeliveryOutcome, Origin, Phase};
use zmes_shared::{EventId, Label, MonitorId};

use self::seen::Seen;
use crate::commands::follow::{self, Followed, Follower};
use crate::commands::named;
use crate::context::{Context, Outcome};
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::{Out, Tone, View, clean, columns, time};
use crate::values::{self, MonitorArg, SinceArg};
use crate::words;

/// Width of the word at the start of a line.
const LABEL: usize = 8;
/// Number of spaces between time, word and text.
const GAPS: usize = 4;
/// The `change` of lines that describe the state at the start of the stream.
const PRESENT: &str = "present";

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl watch
  zmesctl watch --monitor Garage --since 1h
  zmesctl watch --user bob --type decision,delivery
  zmesctl watch --jsonl --duration 1m | jq .type
  zmesctl watch --jsonl --reconnect --type alarm

Prints the current state, with --since the recorded past, then each change as it
happens. Decisions for clients are not recorded. Ctrl-C and a closed pipe end it
with exit code 0, a stopping daemon with 3; with --reconnect it waits for the next
daemon, and goes on where it was.")]
pub struct WatchArgs {
    /// Only this monitor
    #[arg(short, long, value_name = "ID|NAME")]
    monitor: Option<MonitorArg>,
    /// Only this token: its handle, or its last 10 characters
    #[arg(long, value_name = "TOKEN", value_parser = values::token, allow_hyphen_values = true)]
    token: Option<String>,
    /// Only clients and tokens of this ZoneMinder user; `*` matches any characters
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Only lines of these types (client is an alias of session)
    #[arg(long = "type", value_enum, value_name = "TYPE", value_delimiter = ',')]
    types: Vec<WatchType>,
    /// Start of the recorded past: an event id, a time, or an age such as 10m
    #[arg(long)]
    since: Option<SinceArg>,
    /// Number of lines after which to stop, including the current state
    #[arg(long, value_name = "N")]
    count: Option<NonZeroU64>,
    /// Time after which to stop
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    duration: Option<Duration>,
    /// Wait for zmesd when it restarts, and go on where it was
    #[arg(long)]
    reconnect: bool,
}

pub(crate) async fn run(arguments: WatchArgs, context: &mut Context) -> Outcome {
    let WatchArgs { monitor, token, user, types, since, count, duration, reconnect } = arguments;
    let since = since.map(|since| since.resolve(context.environment.now, &context.environment.zone));
    // Troubles do not belong to a token or a user.
    let troubles = types.is_empty() && token.is_none() && user.is_none();
    let monitor = named::monitor(monitor, context).await?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(CliError::Terminal)?;
    let filter = WatchFilter { monitor, token, user, types, since, troubles, ..WatchFilter::default() };
    let items = if reconnect {
        let seen = Seen::new(since.unwrap_or(Since::Time(context.environment.now)));
        WatchSource::Followed(Box::new((Follower::open(context, filter).await?, seen)))
    } else {
        WatchSource::Once(context.connect().await?.watch(filter).await?)
    };
    let unread = Unread::of_stdout();
    let over = async {
        match duration {
            Some(duration) => tokio::time::sleep(duration).await,
            None => pending().await,
        }
    };
    tokio::select! {
        biased;
        _ = interrupt.recv() => Ok(Exit::Done),
        () = over => Ok(Exit::Done),
        () = unread.closed() => Ok(Exit::Done),
        outcome = show(items, count, context) => outcome,
    }
}

/// Detects that the reader of the output is gone, even if there is nothing to write.
struct Unread(Option<AsyncFd<io::Stdout>>);

impl Unread {
    /// Watches standard output, if possible: a file is never closed.
    #[expect(deprecated, reason = "what replaces it is unsafe, and the standard output is never closed here")]
    fn of_stdout() -> Self {
        Self(AsyncFd::with_interest(io::stdout(), Interest::ERROR).ok())
    }

    /// Returns when the reading end is closed.
    async fn closed(&self) {
        match &self.0 {
            Some(stdout) if stdout.ready(Interest::ERROR).await.is_ok() => {}
            Some(_) | None => pending().await,
        }
    }
}

/// The source of the lines.
enum WatchSource {
    Once(WatchStream),
    /// A stream that continues over restarts of the daemon, and the lines that were shown.
    Followed(Box<(Follower, Seen)>),
}

impl WatchSource {
    /// Returns the next line that was not shown before.
    async fn next(&mut self, context: &Context) -> Result<WatchLine, CliError> {
        match self {
            Self::Once(stream) => match stream.next().await? {
                WatchItem::Event(event) => Ok(WatchLine::Known(event)),
                WatchItem::Newer(value) => Ok(WatchLine::Newer(value)),
                WatchItem::End { reason } => Err(CliError::Ended { reason }),
            },
            Self::Followed(followed) => {
                let (source, seen) = &mut **followed;
                next_of(source, seen, context).await
            }
        }
    }
}

/// Returns the next new line, over as many restarts as needed. Reports once that the daemon is gone or back.
async fn next_of(follower: &mut Follower, seen: &mut Seen, context: &Context) -> Result<WatchLine, CliError> {
    let mut away = false;
    loop {
        match follower.next().await {
            Followed::Line(event) if seen.is_new(&event) => return Ok(WatchLine::Known(event)),
            Followed::Line(_) | Followed::Connected => {}
            Followed::Newer(value) => return Ok(WatchLine::Newer(value)),
            Followed::Lost(error) if follower.gives_up(&error) => return Err(error),
            Followed::Lost(error) => {
                if !std::mem::replace(&mut away, true) && !context.out.look().quiet {
                    context.remark("warning", &follow::away(&error.document().error.message));
                }
                follower.resume(seen.resume());
            }
        }
    }
}

/// Shows lines until there are enough or the daemon ends the stream.
async fn show(mut items: WatchSource, count: Option<NonZeroU64>, context: &mut Context) -> Outcome {
    let mut left = count.map(NonZeroU64::get);
    loop {
        let event = items.next(context).await?;
        context.out.item(&event).map_err(CliError::Output)?;
        left = left.map(|left| left - 1);
        if left == Some(0) {
            return Ok(Exit::Done);
        }
    }
}

/// One event. An event of a newer daemon reaches programs unchanged.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum WatchLine {
    Known(Box<WatchEvent>),
    Newer(Value),
}

impl View for WatchLine {
    fn human(&self, out: &mut Out) -> io::Result<()> {
        // People cannot read what zmesctl does not understand; `--json` shows it.
        let Self::Known(event) = self else { return Ok(()) };
        let (label, tone, text) = told(&event.kind, &out.look().zone);
        let at = out.paint(Tone::Faint, &time::clock(out.look().now, event.at, &out.look().zone));
        let label = out.paint(tone, &format!("{label:LABEL$}"));
        // The texts contain names and causes from outside.
        let line = format!("{at}  {label}  {}", clean(&text));
        let indent = columns(&at) + LABEL + GAPS;
        out.hanging(&line, indent)
    }
}

/// Returns label, tone and text of one line.
fn told(kind: &WatchKind, zone: &TimeZone) -> (&'static str, Tone, String) {
    match kind {
        WatchKind::Alarm { .. } => alarm_told(kind),
        WatchKind::Decision { alarm, event_id, monitor_id, target, id, phase, decided } => {
            let reason = match &decided.snoozed {
                Some(snoozed) => bracketed(&time::told(&snoozed.sentence(), zone)),
                None => bracketed(&words::reason(&decided.reason, decided.rule.as_deref())),
            };
            let about = about(*alarm, *event_id, Some(*monitor_id));
            let phase = of_phase(*phase);
            let text = format!("{about}{phase}{} {id}: {}{reason}", words::target(*target), decided.decision);
            ("decision", Tone::of_decision(decided.decision), text)
        }
        WatchKind::Delivery {
            alarm,
            event_id,
            monitor_id,
            target,
            id,
            outcome,
            detail,
            latency_ms,
            phase,
            labels,
        } => {
            let about = about(*alarm, *event_id, *monitor_id);
            let delivered = delivered(*outcome, *latency_ms, detail.as_deref(), labels);
            let text = format!("{about}{}{} {id}: {delivered}", of_phase(*phase), words::target(*target));
            ("delivery", tone(*outcome), text)
        }
        WatchKind::Session { change, reason, client, tried, count } => {
            let reason = reason.as_deref().map_or_else(String::new, bracketed);
            let tried = tried.as_deref().map_or_else(String::new, |user| match count {
                Some(count @ 2..) => format!(" as {user}, {count} times from there"),
                Some(_) | None => format!(" as {user}"),
            });
            // A client that is connected at the start shows its current state.
            let state = if client.state == ClientState::Pending { "pending" } else { "authenticated" };
            let change = if change == PRESENT { state } else { change };
            ("client", Tone::Plain, format!("{}: {change}{reason}{tried}", words::client(client)))
        }
        WatchKind::Token { change, reason, token } => {
            let reason = reason.as_deref().map_or_else(String::new, bracketed);
            let user = token.user.as_deref().unwrap_or("no user");
            let text = format!(
                "{} of {user}, {} {}, {}: {change}{reason}",
                token.handle,
                token.platform.as_str(),
                token.app,
                token.state.as_str()
            );
            ("token", Tone::Plain, text)
        }
        WatchKind::Monitor { monitor, .. } => ("monitor", health(monitor), monitor_text(monitor)),
        WatchKind::Trouble { change, trouble, .. } => trouble_told(change, trouble, zone),
        WatchKind::Lagged { missed: 0 } => ("lagged", Tone::Bad, follow::GAP.to_owned()),
        WatchKind::Lagged { missed } => {
            ("lagged", Tone::Bad, format!("{missed} events are missing here: zmesctl read too slowly"))
        }
        WatchKind::Unknown => ("?", Tone::Faint, String::new()),
    }
}

/// Returns label, tone and text of the line for an alarm, for its update, or for its end.
fn alarm_told(kind: &WatchKind) -> (&'static str, Tone, String) {
    let WatchKind::Alarm {
        alarm,
        event_id,
        monitor_id,
        monitor,
        cause,
        origin,
        late,
        phase,
        lasted_ms,
        labels,
    } = kind
    else {
        return ("?", Tone::Faint, String::new());
    };
    let event = event_id.map_or_else(|| "no event".to_owned(), |id| format!("event {id}"));
    let origin = if *origin == Origin::Poll { String::new() } else { format!(" [{origin}]") };
    let late = if *late { " [late]" } else { "" };
    let number = if *alarm > 0 { format!("#{alarm} ") } else { String::new() };
    if *phase == Phase::End {
        let lasted = lasted_ms.map(|lasted| time::span(Duration::from_millis(lasted)));
        let lasted = lasted.map_or_else(String::new, |lasted| format!(" after {lasted}"));
        let text = format!("{number}monitor {monitor_id} {monitor}, {event}: ended{lasted}{late}");
        return ("END", Tone::Plain, text);
    }
    if *phase == Phase::Update {
        let labels = Label::listed(labels);
        return ("LABELS", Tone::Plain, format!("{number}monitor {monitor_id} {monitor}, {event}: {labels}"));
    }
    let text = format!("{number}monitor {monitor_id} {monitor}, {event}: {cause}{origin}{late}");
    ("ALARM", Tone::Strong, text)
}

/// Returns words that say a line is about the end or the update of an alarm, or an empty text.
fn of_phase(phase: Phase) -> &'static str {
    match phase {
        Phase::End => "end to ",
        Phase::Update => "update to ",
        Phase::Start | Phase::Unknown => "",
    }
}

/// Returns the outcome of a push: `sent after 112 ms (person 95 %)`.
fn delivered(outcome: DeliveryOutcome, latency_ms: u64, detail: Option<&str>, labels: &[Label]) -> String {
    let (detail, labels) = (bracketed(detail.unwrap_or_default()), bracketed(&Label::listed(labels)));
    let told = match outcome {
        DeliveryOutcome::Queued => outcome.to_string(),
        DeliveryOutcome::Sent
        | DeliveryOutcome::Retry
        | DeliveryOutcome::Failed
        | DeliveryOutcome::Skipped
        | DeliveryOutcome::Unknown => format!("{outcome} after {}", time::milliseconds(latency_ms)),
    };
    format!("{told}{detail}{labels}")
}

fn trouble_told(change: &str, trouble: &TroubleView, zone: &TimeZone) -> (&'static str, Tone, String) {
    let over = change == "cleared";
    let hint = if over { String::new() } else { bracketed(&trouble.hint) };
    let text = format!("{} {change}: {}{hint}", trouble.id, time::told(&trouble.sentence(), zone));
    ("trouble", if over { Tone::Good } else { Tone::Bad }, text)
}

/// Returns which alarm a line is about: by the number in the alarm's own line, else by event or monitor.
fn about(alarm: u64, event: Option<EventId>, monitor: Option<MonitorId>) -> String {
    match (alarm, event, monitor) {
        (1.., _, _) => format!("#{alarm} "),
        (0, Some(event), _) => format!("event {event} "),
        (0, None, Some(monitor)) => format!("monitor {monitor} "),
        (0, None, None) => String::new(),
    }
}

fn tone(outcome: DeliveryOutcome) -> Tone {
    match outcome {
        DeliveryOutcome::Sent => Tone::Good,
        DeliveryOutcome::Failed => Tone::Bad,
        DeliveryOutcome::Queued
        | DeliveryOutcome::Retry
        | DeliveryOutcome::Skipped
        | DeliveryOutcome::Unknown => Tone::Faint,
    }
}

fn bracketed(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(" ({text})") }
}

fn health(monitor: &MonitorView) -> Tone {
    if monitor.healthy { Tone::Plain } else { Tone::Bad }
}

fn monitor_text(monitor: &MonitorView) -> String {
    let reason = monitor.reason.as_deref().map_or_else(String::new, bracketed);
    format!("{} {}: {}, source {}{reason}", monitor.id, monitor.name, monitor.state, monitor.source)
}
