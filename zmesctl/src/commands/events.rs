//! `zmesctl events`: the announced alarms, and how many receivers each had.

use std::io;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use zmes_shared::client::{ClientError, ControlClient};
use zmes_shared::control::{EventFilter, Request};
use zmes_shared::views::{EventView, Events};
use zmes_shared::{Label, MonitorId};

use crate::commands::named;
use crate::context::{Context, Outcome};
use crate::render::{Cell, Column, ColumnOf, Out, Table, Tone, View, time};
use crate::values::{MonitorArg, PastArg, SinceArg};

/// Alarms per page: the daemon's limit.
const PAGE: u32 = 1000;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl events
  zmesctl events --since 22:00                       since ten in the evening
  zmesctl events --monitor Garage --since 12h --until 6h
  zmesctl events --since 32910 -q                    only the event ids
  zmesctl events --json | jq '.events[] | select(.told.failed > 0)'
  zmesctl events --json | jq '.events[] | select(any(.labels[]?; .name == \"person\"))'

Times without a zone are local. Alarms are recorded for state.keep-events, pushes
for state.keep-deliveries; decisions for clients are kept in memory for the last
alarms only. Test alarms are not recorded.")]
pub struct EventsArgs {
    /// Only this monitor
    #[arg(short, long, value_name = "ID|NAME")]
    monitor: Option<MonitorArg>,
    /// Only alarms after this event, time or age
    #[arg(long, value_name = "EVENT|TIME|AGE")]
    since: Option<SinceArg>,
    /// Only alarms up to this time or age
    #[arg(long, value_name = "TIME|AGE")]
    until: Option<PastArg>,
    /// Maximum number of alarms, the newest
    #[arg(short, long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

pub(crate) async fn run(arguments: EventsArgs, context: &mut Context) -> Outcome {
    let EventsArgs { monitor, since, until, limit } = arguments;
    let (now, zone) = (context.environment.now, &context.environment.zone);
    let since = since.map(|since| since.resolve(now, zone));
    let until = until.map(|until| until.resolve(now, zone));
    let monitor = named::monitor(monitor, context).await?;
    let mut daemon = context.connect().await?;
    let filter = EventFilter { monitor, since, until, ..EventFilter::default() };
    let found = gather(&mut daemon, filter, limit).await?;
    context.show(&found)
}

/// Returns the last announced alarm, or that of `monitor` if one is given.
pub(super) async fn last(
    monitor: Option<MonitorId>,
    daemon: &mut ControlClient,
) -> Result<Option<EventView>, ClientError> {
    let filter = EventFilter { monitor, ..EventFilter::default() };
    Ok(gather(daemon, filter, 1).await?.events.events.pop())
}

/// Requests page by page, from newest to oldest.
async fn gather(daemon: &mut ControlClient, filter: EventFilter, limit: u32) -> Result<Listed, ClientError> {
    let (mut pages, mut left, mut before, mut gap) = (Vec::new(), limit, None, false);
    let more = loop {
        let limit = Some(left.min(PAGE));
        let page: Events = daemon.request(Request::Events(EventFilter { limit, before, ..filter })).await?;
        left = left.saturating_sub(u32::try_from(page.events.len()).unwrap_or(u32::MAX));
        gap |= page.gap;
        pages.push(page.events);
        match page.next {
            // A page that does not advance would be requested forever.
            Some(next) if left > 0 && before.is_none_or(|before| next < before) => before = Some(next),
            next => break next.is_some(),
        }
    };
    let events = Events { events: pages.into_iter().rev().flatten().collect(), next: None, gap };
    Ok(Listed { events, more })
}

/// The requested alarms of all pages.
#[derive(Debug, Serialize)]
struct Listed {
    #[serde(flatten)]
    events: Events,
    /// There are older alarms.
    #[serde(skip)]
    more: bool,
}

impl View for Listed {
    const LIST: Option<&'static str> = Some("events");

    fn human(&self, out: &mut Out) -> io::Result<()> {
        let events = &self.events.events;
        if events.is_empty() {
            out.line("No matching alarms.")?;
        } else {
            let table = table(events, out);
            out.table(&table)?;
        }
        let remark = match (self.more, self.events.gap) {
            (true, _) => format!("older alarms: --limit {}", events.len().saturating_mul(10)),
            (false, true) => "the record begins later: earlier alarms are not recorded any more".to_owned(),
            (false, false) => return Ok(()),
        };
        let remark = out.paint(Tone::Faint, &remark);
        out.line(&remark)
    }

    fn names(&self) -> Option<Vec<String>> {
        let mut ids: Vec<_> = self.events.events.iter().filter_map(|event| event.event_id).collect();
        ids.dedup();
        Some(ids.iter().map(ToString::to_string).collect())
    }
}

fn table(events: &[EventView], out: &Out) -> Table {
    let zone = &out.look().zone;
    let columns: &[ColumnOf<'_, EventView>] = &[
        (Column::new("TIME"), &|event| Cell::new(&time::date(event.at, zone))),
        (Column::new("EVENT").right(), &|event| Cell::maybe(event.event_id)),
        (Column::new("MONITOR").cuts(), &|event| {
            Cell::new(&format!("{} ({})", event.monitor, event.monitor_id))
        }),
        (Column::new("CLIENTS").right().spare(4), &|event| {
            Cell::maybe(event.clients.map(|clients| clients.sent))
        }),
        (Column::new("PUSHES").right(), &|event| Cell::new(&event.told.sent)),
        (Column::new("FAILED").right(), &|event| count(event.told.failed).tone(Tone::Bad)),
        (Column::new("QUEUED").right().spare(1), &|event| count(event.told.queued).tone(Tone::Warning)),
        (Column::new("SKIPPED").right().spare(3), &|event| count(event.told.skipped)),
        (Column::new("LASTED").right().spare(6), &|event| Cell::maybe(lasted(event))),
        (Column::new("FOUND").spare(5), &|event| Cell::maybe(event.late.then_some("late"))),
        (Column::new("LABELS").cuts().spare(6), &|event| Cell::new(&Label::listed(&event.labels))),
        (Column::new("CAUSE").cuts().spare(2), &|event| Cell::new(&event.cause)),
    ];
    Table::of(events, columns)
}

/// Returns how long an alarm lasted, as far as zmesd saw it.
pub(super) fn lasted(event: &EventView) -> Option<String> {
    let lasted = Duration::try_from(event.ended_at?.duration_since(event.at)).ok()?;
    // Zero if start and end were both found afterwards, at the same moment.
    (!lasted.is_zero()).then(|| time::span(lasted))
}

fn count(number: u64) -> Cell {
    Cell::maybe((number > 0).then_some(number))
}
