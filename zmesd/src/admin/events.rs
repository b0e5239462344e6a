//! `events`: announced alarms, and how many receivers got them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use zmes_shared::control::{ControlError, EventFilter};
use zmes_shared::views::{EventView, Events, EventsHourly, MonitorHours, ToldClients};
use zmes_shared::{EventId, Label, MonitorId};

use super::answers::off_loop;
use crate::admin::AdminParts;
use crate::domain::{Alarm, Decision, Origin};
use crate::route::RecentDecisions;
use crate::state::{AlarmCount, AlarmQuery, TalliedAlarm};

/// Alarms in a page by default, and at most: about 1 MiB.
const PAGE: (u32, u32) = (100, 1000);
const HOURS: usize = 24;
/// Counts that are read at most: 1000 monitors, each hour.
const COUNTS: u32 = 24_000;

type LabelsByEvent = HashMap<EventId, Vec<Label>>;

/// An alarm, in the record as in the router's memory.
type AlarmKey = (i64, MonitorId, Option<EventId>);

pub(super) async fn list(parts: &AdminParts, filter: EventFilter) -> Result<Events, ControlError> {
    let EventFilter { monitor, since, until, limit, before } = filter;
    let (usual, most) = PAGE;
    let limit = limit.unwrap_or(usual).clamp(1, most);
    let before = before.map(|before| i64::try_from(before).unwrap_or(i64::MAX));
    // One more entry shows whether there is another page.
    let query = AlarmQuery { monitor, since, until, before, limit: limit + 1 };
    let (alarms, gap) = parts.state.tallied_alarms(query).await?;
    let recent = parts.router.recent_decisions().await?;
    let ids: BTreeSet<_> = alarms.iter().filter_map(|tallied| tallied.alarm.event).collect();
    let labels = parts.state.labels_of(&ids.into_iter().collect::<Vec<_>>()).await?;
    off_loop(move || page(alarms, gap, limit, &recent, &labels)).await
}

fn page(
    mut alarms: Vec<TalliedAlarm>,
    gap: bool,
    limit: u32,
    recent: &RecentDecisions,
    labels: &LabelsByEvent,
) -> Events {
    let mut next = None;
    if alarms.len() > limit as usize {
        alarms.remove(0);
        next = alarms.first().map(|oldest| oldest.number.cast_unsigned());
    }
    let clients = clients(recent);
    let events = alarms.into_iter().map(|tallied| view(tallied, &clients, labels)).collect();
    Events { events, next, gap }
}

fn view(
    tallied: TalliedAlarm,
    clients: &HashMap<AlarmKey, ToldClients>,
    labels: &LabelsByEvent,
) -> EventView {
    let TalliedAlarm { alarm, told, .. } = tallied;
    let key = (alarm.at.as_millisecond(), alarm.monitor, alarm.event);
    EventView {
        event_id: alarm.event,
        monitor_id: alarm.monitor,
        monitor: alarm.monitor_name,
        at: alarm.at,
        cause: alarm.cause,
        labels: alarm.event.and_then(|event| labels.get(&event)).cloned().unwrap_or_default(),
        late: alarm.late,
        ended_at: alarm.ended_at,
        told,
        clients: clients.get(&key).copied(),
    }
}

/// Counts the decisions for clients of each alarm that the router remembers.
fn clients(recent: &RecentDecisions) -> HashMap<AlarmKey, ToldClients> {
    // Decisions that waited for labels are for tokens alone.
    let told = recent.alarms.iter().filter(|decided| decided.alarm.labels.waited.is_none());
    let decided = told.map(|decided| (&decided.alarm, &*decided.sessions));
    let missed = recent.missed.iter().map(|(alarm, told)| (alarm, told.as_slice()));
    let mut counts = HashMap::<_, ToldClients>::new();
    for (alarm, decisions) in
        decided.chain(missed).filter(|(alarm, _)| alarm.origin != Origin::Test && !alarm.is_end())
    {
        let count = counts.entry(key(alarm)).or_default();
        for (_, decision) in decisions {
            match decision {
                Decision::Send => count.sent += 1,
                Decision::Skip(_) => count.skipped += 1,
            }
        }
    }
    counts
}

fn key(alarm: &Alarm) -> AlarmKey {
    (alarm.at.as_millisecond(), alarm.monitor, alarm.event)
}

/// Counts the alarms of the last 24 hours, for each monitor and hour.
pub(super) async fn hourly(parts: &AdminParts) -> Result<EventsHourly, ControlError> {
    let until = parts.clock.now();
    let since = until.saturating_sub(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MIN);
    let counts = parts.state.hourly_alarms(since, until, COUNTS).await?;
    Ok(by_monitor(until, counts))
}

fn by_monitor(until: Timestamp, counts: Vec<AlarmCount>) -> EventsHourly {
    let mut monitors = BTreeMap::<MonitorId, MonitorHours>::new();
    for AlarmCount { monitor, monitor_name, hours_ago, alarms, last_at } in counts {
        let hours = monitors.entry(monitor).or_insert_with(|| MonitorHours {
            monitor_id: monitor,
            monitor: monitor_name,
            hours: vec![0; HOURS],
            last_at,
        });
        hours.last_at = hours.last_at.max(last_at);
        let place = usize::try_from(hours_ago).ok().and_then(|ago| (HOURS - 1).checked_sub(ago));
        if let Some(count) = place.and_then(|place| hours.hours.get_mut(place)) {
            *count += alarms;
        }
    }
    EventsHourly { until, monitors: monitors.into_values().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_told_oldest_first() {
        let until: Timestamp = "2026-11-30T09:00:00Z".parse().unwrap();
        let count = |monitor, hours_ago, alarms| AlarmCount {
            monitor: MonitorId(monitor),
            monitor_name: format!("Camera {monitor}"),
            hours_ago,
            alarms,
            last_at: until,
        };
        let hourly =
            by_monitor(until, vec![count(2, 23, 4), count(1, 0, 7), count(2, 0, 1), count(2, 24, 9)]);
        let told = serde_json::to_value(&hourly.monitors).unwrap();
        assert_eq!(
            told,
            serde_json::json!([
                {"monitor_id": 1, "monitor": "Camera 1", "hours": [0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,7], "last_at": until},
                {"monitor_id": 2, "monitor": "Camera 2", "hours": [4,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1], "last_at": until}
            ])
        );
    }
}
