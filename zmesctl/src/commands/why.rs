//! `zmesctl why EVENT|last`: what was decided about an event for each client and token.

use std::io;
use std::str::FromStr;

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use zmes_shared::control::Request;
use zmes_shared::views::{Why, WhyTarget, WhyTimes};
use zmes_shared::{EventId, Label};

use crate::commands::deliveries::waits;
use crate::commands::events::last as last_alarm;
use crate::commands::named::monitor as named_monitor;
use crate::context::{Context, Outcome};
use crate::error::CliError;
use crate::render::{Cell, Column, ColumnOf, Out, OutputStyle, Table, Tone, View, clean, time};
use crate::values::{self, MonitorArg};
use crate::words;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl why 32910
  zmesctl why last --monitor Garage
  zmesctl why 32910 --token 1a2b3c4d
  zmesctl why 32910 --json | jq '.targets[] | select(.decision != \"sent\")'

Decisions for tokens are kept for state.keep-deliveries, those for clients until
many later events have pushed them out.")]
pub struct WhyArgs {
    /// Event id in ZoneMinder, or `last` for the last announced alarm
    #[arg(value_name = "EVENT|last")]
    event: WhyEvent,
    /// With `last`: the last alarm of this monitor
    #[arg(short, long, value_name = "ID|NAME")]
    monitor: Option<MonitorArg>,
    /// Only this token: its handle, or its last 10 characters
    #[arg(long, value_name = "TOKEN", value_parser = values::token, allow_hyphen_values = true)]
    token: Option<String>,
}

pub(crate) async fn run(arguments: WhyArgs, context: &mut Context) -> Outcome {
    let WhyArgs { event, monitor, token } = arguments;
    let event = match (event, monitor) {
        (WhyEvent::Last, monitor) => last(monitor, context).await?,
        (WhyEvent::Event(event), None) => event,
        (WhyEvent::Event(_), Some(_)) => {
            let message = "--monitor can only be used with last: an event has one monitor".to_owned();
            return Err(CliError::Usage { message, hint: "zmesctl why last --monitor ID|NAME".to_owned() });
        }
    };
    context.ask::<Why>(Request::Why { event, token }).await
}

/// The event to explain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WhyEvent {
    Event(EventId),
    Last,
}

impl FromStr for WhyEvent {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim() {
            "last" => Ok(Self::Last),
            text => text.parse().map(Self::Event).map_err(|_| "expected an event id, or last"),
        }
    }
}

/// Returns the event of the last announced alarm.
async fn last(monitor: Option<MonitorArg>, context: &Context) -> Result<EventId, CliError> {
    let monitor = named_monitor(monitor, context).await?;
    let mut daemon = context.connect().await?;
    let of = monitor.map_or_else(String::new, |monitor| format!(" of monitor {monitor}"));
    let Some(alarm) = last_alarm(monitor, &mut daemon).await? else {
        let message = format!("no alarm{of} is recorded");
        let hint = "zmesctl doctor shows why; test alarms are not recorded".to_owned();
        return Err(CliError::NoSuchAlarm { message, hint });
    };
    alarm.event_id.ok_or_else(|| CliError::NoSuchAlarm {
        message: format!("the last alarm{of} has no event: ZoneMinder recorded none"),
        hint: "zmesctl watch --since 1h shows what was decided".to_owned(),
    })
}

impl View for Why {
    const LIST: Option<&'static str> = Some("targets");

    fn human(&self, out: &mut Out) -> io::Result<()> {
        let monitor = match (self.monitor_id, &self.monitor) {
            (Some(id), Some(name)) => format!(", monitor {id} ({})", clean(name)),
            (Some(id), None) => format!(", monitor {id}"),
            (None, _) => String::new(),
        };
        let title = out.paint(Tone::Strong, &format!("Event {}{monitor}", self.event_id));
        out.line(&format!("{title}:"))?;
        let zone = out.look().zone.clone();
        out.line(&format!("  {}", clean(&self.explanation)))?;
        for (what, at) in times(self) {
            out.line(&format!("  {what} {} ({})", time::date(at, &zone), out.ago(at)))?;
        }
        for alarm in &self.alarms {
            let (at, ago) = (time::date(alarm.at, &zone), out.ago(alarm.at));
            let late = if alarm.late { ", found later in the database" } else { "" };
            out.line(&format!("  alarm at {at} ({ago}){late}: {}", clean(&alarm.cause)))?;
            if let Some(ended_at) = alarm.ended_at {
                out.line(&format!("  ended at {} ({})", time::date(ended_at, &zone), out.ago(ended_at)))?;
            }
        }
        if !self.labels.is_empty() {
            out.line(&format!("  labels: {}", clean(&Label::listed(&self.labels))))?;
        }
        for note in &self.notes {
            let note = out.paint(Tone::Faint, &clean(note));
            out.line(&format!("  {note}"))?;
        }
        if !self.targets.is_empty() {
            out.table(&table(self, out))?;
        } else if self.announced && self.notes.is_empty() {
            out.line("No client or token was involved, or the decisions are no longer kept.")?;
        }
        Ok(())
    }
}

/// Returns the times of an explanation. If its alarms are known, they contain the time of the announcement.
fn times(why: &Why) -> impl Iterator<Item = (&'static str, Timestamp)> {
    let WhyTimes { announced_at, began_at, first_run_at, started_at, limited_from, limited_to } = why.times;
    let announced_at = announced_at.filter(|_| why.alarms.is_empty());
    [
        ("announced at", announced_at),
        ("began at", began_at),
        ("zmesd first ran here at", first_run_at),
        ("zmesd started at", started_at),
        ("limited from", limited_from),
        ("limited until", limited_to),
    ]
    .into_iter()
    .filter_map(|(what, at)| Some((what, at?)))
}

fn table(why: &Why, out: &Out) -> Table {
    let OutputStyle { now, zone, .. } = out.look();
    // The date is shown once, with the alarm.
    let day = why.alarms.first().map_or(*now, |alarm| alarm.at);
    let columns: &[ColumnOf<'_, WhyTarget>] = &[
        (Column::new("TIME").spare(1), &|target| Cell::new(&time::clock(day, target.at, zone))),
        (Column::new("TARGET"), &|target| Cell::new(words::target(target.kind))),
        (Column::new("ID"), &|target| Cell::new(&target.id)),
        (Column::new("USER").cuts().spare(2), &|target| Cell::maybe(target.user.as_ref())),
        (Column::new("DECISION"), &|target| Cell::decision(target.decision)),
        (Column::new("LATENCY").right().spare(3), &|target| {
            Cell::maybe(target.latency_ms.map(time::milliseconds))
        }),
        (Column::new("WHY").wraps(), &|target| Cell::new(&explanation(target, *now, zone))),
    ];
    Table::of(&why.targets, columns)
}

fn explanation(target: &WhyTarget, now: Timestamp, zone: &TimeZone) -> String {
    if let Some(snoozed) = &target.snoozed {
        return time::told(&snoozed.sentence(), zone);
    }
    let held = target.held.as_ref().map_or_else(String::new, |held| format!("; {}", waits(held, now)));
    let since = target.since.map_or_else(String::new, |since| format!(" ({})", time::date(since, zone)));
    format!("{}{since}{held}", target.explanation)
}
