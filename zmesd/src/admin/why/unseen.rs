//! Why an event was never announced: too old, not watched, without an alarm, or unknown to ZoneMinder.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, Unit};
use zmes_shared::control::{ControlError, ErrorCode};
use zmes_shared::views::{Why, WhyTarget, WhyTimes};
use zmes_shared::words::{MonitorCondition, SkipReason};
use zmes_shared::{EventId, MonitorId};
use zmes_zoneminder::{DbError, EventRow, EventStore, Whereabouts};

use super::skipped;
use crate::admin::{AdminParts, conditions, words};
use crate::detect::Condition;
use crate::domain::{PushState, Token};

/// Deadline of the database; shorter than that of `zmesctl`.
const ASKED: Duration = Duration::from_secs(3);

/// Explains why an event was not announced, and why the named token would not have received it anyway. An event that
/// ZoneMinder does not have is an error.
pub(super) async fn explain(
    parts: &AdminParts,
    event: EventId,
    token: Option<(String, &Token)>,
) -> Result<Why, ControlError> {
    let row = match tokio::time::timeout(ASKED, find(&*parts.events, event)).await {
        Ok(Ok(Some(row))) => row,
        Ok(Ok(None)) => return Err(no_event(event)),
        Ok(Err(error)) => return Err(unknown(event, &error.to_string())),
        Err(_) => return Err(unknown(event, "the database does not answer")),
    };
    let catalog = parts.catalog.now();
    let monitor = catalog.name_of(row.monitor).map(ToString::to_string);
    let targets = token.map(|(handle, token)| target(parts, &row, handle, token));
    let (explanation, times) = reason(parts, &row).await?;
    Ok(Why {
        event_id: event,
        monitor_id: Some(row.monitor),
        monitor,
        announced: false,
        explanation,
        times,
        labels: Vec::new(),
        alarms: Vec::new(),
        targets: targets.into_iter().collect(),
        notes: Vec::new(),
    })
}

fn target(parts: &AdminParts, row: &EventRow, handle: String, token: &Token) -> WhyTarget {
    let (now, began) = (parts.clock.now(), began(parts, row));
    let monitor = row.monitor;
    let mut since = None;
    let otherwise = if token.created_at > began {
        since = Some(token.created_at);
        "; besides, the token was registered only later".to_owned()
    } else if let Some(revoked) = &token.revoked {
        since = Some(revoked.at);
        format!("; besides, the token is revoked ({})", revoked.reason)
    } else if token.filter.interval(monitor).is_none() {
        format!("; besides, monitor {monitor} is not in the app's list")
    } else if token.muted(now) {
        format!("; besides, the token is muted: zmesctl tokens unmute {handle}")
    } else if token.state == PushState::Disabled {
        "; besides, the app asked for no pushes (its state is disabled)".to_owned()
    } else {
        String::new()
    };
    let reason = SkipReason::NotAnnounced;
    let explanation = format!("{}{otherwise}", words::undecided(reason));
    WhyTarget { since, ..skipped(handle, token, began, reason, explanation) }
}

fn began(parts: &AdminParts, row: &EventRow) -> Timestamp {
    let age = SignedDuration::try_from(row.age).unwrap_or(SignedDuration::MAX);
    let began = parts.clock.now().saturating_sub(age).unwrap_or(parts.started_at);
    began.round(Unit::Second).unwrap_or(began)
}

async fn find(events: &dyn EventStore, event: EventId) -> Result<Option<EventRow>, DbError> {
    let rows = events.since(EventId(event.0.saturating_sub(1)), &[], 1).await?;
    Ok(rows.into_iter().find(|row| row.id == event))
}

fn no_event(event: EventId) -> ControlError {
    ControlError::new(ErrorCode::NotFound, format!("no event {event}: neither zmesd nor ZoneMinder knows it"))
        .with_hint("it was deleted long ago, does not exist yet, or the number is wrong")
}

fn unknown(event: EventId, why: &str) -> ControlError {
    let message = format!("event {event} was not announced, and ZoneMinder cannot be asked about it: {why}");
    ControlError::new(ErrorCode::Unavailable, message).with_hint("zmesctl check db")
}

/// Finds the reason, the most certain one first, with the times that belong to it.
async fn reason(parts: &AdminParts, row: &EventRow) -> Result<(String, WhyTimes), ControlError> {
    let monitor = row.monitor;
    let catalog = parts.catalog.now();
    let mut times = WhyTimes::default();
    let Some(found) = catalog.monitors.find(monitor) else {
        return Ok((elsewhere(parts, monitor).await, times));
    };
    if let Err(reason) = found.watched {
        let reason = conditions::switched_off(reason);
        return Ok((format!("monitor {monitor} ({}) is not watched: {reason}", found.name), times));
    }
    if let Some(gap) = parts.gaps.find(monitor, row.id) {
        (times.limited_from, times.limited_to) = (Some(gap.from), Some(gap.to));
        let reason = format!(
            "its alarms flapped: monitor {monitor} ({}) had {} more than zoneminder.alarm-limit allows; of these only \
             the last of each minute was announced",
            found.name, gap.alarms
        );
        return Ok((reason, times));
    }
    if row.alarm_frames == 0 {
        let so_far = if row.open { " so far" } else { "" };
        let reason = format!("ZoneMinder recorded it without an alarm{so_far}: it has no alarm frames");
        return Ok((reason, times));
    }
    let began = began(parts, row);
    times.began_at = Some(began);
    let first = parts.state.record_began().await?;
    if began < first {
        times.first_run_at = Some(first);
        return Ok(("it began before zmesd ran here for the first time".to_owned(), times));
    }
    if !parts.state.reaches_back_to(began).await? {
        let reason = "it began before the oldest alarm that is still recorded (state.keep-events)";
        return Ok((reason.to_owned(), times));
    }
    if began < parts.started_at {
        times.started_at = Some(parts.started_at);
        let reason = "it began before zmesd started, and was older than zoneminder.catch-up then";
        return Ok((reason.to_owned(), times));
    }
    let reason = unhealthy(parts, monitor).unwrap_or_else(|| match &found.elsewhere {
        None => format!(
            "it was not announced, though monitor {monitor} is watched: perhaps another alarm of it was announced \
             just before (zoneminder.realarm-interval)"
        ),
        Some(server) => format!(
            "it was not announced, though monitor {monitor} of {server} is watched in the Events table: perhaps the \
             database did not answer for longer than zoneminder.catch-up"
        ),
    });
    Ok((reason, times))
}

/// A monitor that this server does not have.
async fn elsewhere(parts: &AdminParts, monitor: MonitorId) -> String {
    let asked = tokio::time::timeout(ASKED, parts.events.whereabouts(monitor)).await;
    let all = parts.configuration.running().zoneminder.servers.is_all();
    match asked {
        Ok(Ok(Some(Whereabouts::Gone))) => format!("monitor {monitor} was deleted"),
        Ok(Ok(Some(Whereabouts::Deleted { name }))) => format!("monitor {monitor} ({name}) was deleted"),
        // Of all servers each monitor is watched, once zmesd knows of it.
        Ok(Ok(Some(Whereabouts::There { name, .. }))) if all => {
            format!(
                "monitor {monitor} ({name}) is new: zmesd has not read the monitors since; zmesctl monitors reload"
            )
        }
        Ok(Ok(Some(Whereabouts::There { name, server: 0 }))) => {
            format!(
                "monitor {monitor} ({name}) belongs to no server, and zmesd serves one (zoneminder.server-id)"
            )
        }
        Ok(Ok(Some(Whereabouts::There { name, server }))) => format!(
            "monitor {monitor} ({name}) belongs to server {server}, not to the one that zmesd serves \
             (zoneminder.server-id); or it is new: zmesctl monitors reload"
        ),
        Ok(Ok(None) | Err(_)) | Err(_) if all => {
            format!(
                "zmesd does not know monitor {monitor}: it is new, or was deleted; zmesctl monitors reload"
            )
        }
        Ok(Ok(None) | Err(_)) | Err(_) => {
            format!("monitor {monitor} is not one of this server's (zoneminder.server-id), or was deleted")
        }
    }
}

/// A monitor that is unreadable now may have been unreadable at the time.
fn unhealthy(parts: &AdminParts, monitor: MonitorId) -> Option<String> {
    let reports = parts.reports.borrow();
    let report = reports.get(&monitor).filter(|report| !report.healthy())?;
    let reason = conditions::diagnose(monitor, &report.condition)?.sentence;
    let found = if report.condition.word() == MonitorCondition::DatabaseAway {
        "its alarms are found late, once the database answers"
    } else if matches!(report.condition, Condition::Elsewhere { .. }) {
        "a monitor that is not captured has no alarms"
    } else {
        "its alarms are still found late, in the Events table"
    };
    Some(format!("monitor {monitor} cannot be read: {reason}; {found}"))
}
