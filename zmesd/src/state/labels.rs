//! What was detected in events, and alarms whose decisions for tokens wait for it.

use std::collections::HashMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, SqlitePool};
use tokio::time::Instant;
use zmes_shared::words::LabelWait;
use zmes_shared::{EventId, Label, MAX_LABELS, MonitorId};

use super::deliveries::millis;
use super::handle::{StateHandle, StateResult};
use super::remembered::{event, optional_time, time, understood};
use super::{SqlResult, signed};
use crate::domain::{Alarm, AlarmLabels, Origin, Phase};

/// Maximum number of waiting alarms that a new daemon reads: as many as a daemon holds.
const HELD: u32 = 1024;
/// How old the last alarm of an event may be that a new daemon reads the labels of.
const RECENT: SignedDuration = SignedDuration::from_hours(1);
/// As many events as the router keeps the labels of.
const RECENT_EVENTS: u32 = 1024;

/// An alarm whose decisions for tokens wait for labels.
#[derive(Debug, Clone)]
pub struct HeldAlarm {
    /// Its monotonic time is the time of reading.
    pub alarm: Alarm,
    pub until: Timestamp,
    /// When it ended, if it has.
    pub ended_at: Option<Timestamp>,
}

/// Adds what was detected in an event; of two confidences the higher one stays.
pub(super) async fn keep(
    transaction: &mut SqliteConnection,
    event: EventId,
    labels: &[Label],
    at: Timestamp,
) -> SqlResult {
    let keep = "INSERT INTO labels (event_id, name, confidence, at) VALUES (?1, ?2, ?3, ?4) \
                ON CONFLICT (event_id, name) DO UPDATE SET confidence = ?3 \
                WHERE ?3 > confidence OR confidence IS NULL";
    for label in labels {
        let keep = sqlx::query(keep).bind(signed(event)).bind(&label.name).bind(label.confidence);
        keep.bind(at.as_millisecond()).execute(&mut *transaction).await?;
    }
    Ok(())
}

/// Writes down that the decisions about an alarm wait. Alarms without an event never do.
pub(super) async fn hold(transaction: &mut SqliteConnection, alarm: &Alarm, until: Timestamp) -> SqlResult {
    let Some(event) = alarm.event else { return Ok(()) };
    let hold = "INSERT OR REPLACE INTO held_alarms (at, event_id, monitor_id, monitor_name, cause, origin, until) \
                VALUES (?, ?, ?, ?, ?, ?, ?)";
    sqlx::query(hold)
        .bind(alarm.at.as_millisecond())
        .bind(signed(event))
        .bind(alarm.monitor.0)
        .bind(&*alarm.monitor_name)
        .bind(&*alarm.cause)
        .bind(alarm.origin.word())
        .bind(until.as_millisecond())
        .execute(transaction)
        .await
        .map(drop)
}

/// Writes down that the decisions about an alarm wait no more.
pub(super) async fn release(transaction: &mut SqliteConnection, alarm: &Alarm) -> SqlResult {
    let release = "DELETE FROM held_alarms WHERE event_id = ? AND monitor_id = ? AND at = ?";
    let release = sqlx::query(release).bind(alarm.event.map(signed)).bind(alarm.monitor.0);
    release.bind(alarm.at.as_millisecond()).execute(transaction).await.map(drop)
}

/// Returns the alarms that waited when the last daemon ended, oldest first.
pub(super) async fn held(pool: &SqlitePool) -> SqlResult<Vec<HeldAlarm>> {
    let query = "SELECT h.at, h.event_id, h.monitor_id, h.monitor_name, h.cause, h.origin, h.until, a.ended_at \
                 FROM held_alarms h LEFT JOIN alarms a ON a.at = h.at AND a.monitor_id = h.monitor_id \
                 AND a.event_id = h.event_id ORDER BY h.at LIMIT ?";
    let rows = sqlx::query(query).bind(HELD).fetch_all(pool).await?;
    let alarm = |row: &SqliteRow| {
        let alarm = Alarm {
            monitor: MonitorId(row.try_get(2)?),
            monitor_name: row.try_get::<&str, _>(3)?.into(),
            event: event(row, 1)?,
            cause: row.try_get::<&str, _>(4)?.into(),
            labels: AlarmLabels::default(),
            at: time(row, 0)?,
            detected: Instant::now(),
            origin: Origin::parse(row.try_get(5)?),
            phase: Phase::Start,
            span: None,
            elsewhere: None,
            stands_for_event: false,
        };
        Ok(HeldAlarm { alarm, until: time(row, 6)?, ended_at: optional_time(row, 7)? })
    };
    Ok(understood("held_alarms", &rows, alarm))
}

/// Returns the labels of events that may have another alarm: of the last hour, or with one that has not ended since
/// `open_since` (ms). The oldest event first.
pub(super) async fn recent(
    pool: &SqlitePool,
    now: Timestamp,
    open_since: i64,
) -> SqlResult<Vec<(EventId, Vec<Label>)>> {
    let since = now.saturating_sub(RECENT).unwrap_or(Timestamp::MIN).as_millisecond();
    let query = "SELECT e.event_id, l.name, l.confidence FROM (SELECT event_id, MAX(number) AS last FROM alarms \
         WHERE at >= ?2 AND event_id IS NOT NULL AND (at >= ?1 OR open = 1) \
         GROUP BY event_id ORDER BY last DESC LIMIT ?3) e \
         JOIN labels l ON l.event_id = e.event_id ORDER BY e.last, l.confidence DESC, l.name";
    let query = sqlx::query(query).bind(since).bind(open_since.min(since)).bind(RECENT_EVENTS);
    let rows = query.fetch_all(pool).await?;
    let mut recent = Vec::<(EventId, Vec<Label>)>::new();
    for (event, label) in understood::<_, Vec<_>>("labels", &rows, label) {
        let Some(label) = label else { continue };
        match recent.last_mut().filter(|(last, _)| *last == event) {
            Some((_, labels)) => drop(label.merge_into(labels)),
            None => recent.push((event, vec![label])),
        }
    }
    Ok(recent)
}

/// Reads three columns: an event, the name of a label, its confidence.
fn label(row: &SqliteRow) -> SqlResult<(EventId, Option<Label>)> {
    let event = EventId(row.try_get::<i64, _>(0)?.cast_unsigned());
    Ok((event, Label::new(row.try_get(1)?, row.try_get::<Option<u32>, _>(2)?)))
}

/// Deletes the labels that were seen before that time (ms).
pub(super) async fn forget(connection: &mut SqliteConnection, before: i64) -> SqlResult {
    sqlx::query("DELETE FROM labels WHERE at < ?").bind(before).execute(connection).await.map(drop)
}

/// Returns labels as `pushed_alarms` has them: empty, or JSON.
pub(super) fn written(labels: &[Label]) -> String {
    if labels.is_empty() { String::new() } else { serde_json::to_string(labels).unwrap_or_default() }
}

/// Reads the columns of `pushed_alarms` about labels.
pub(super) fn of_alarm(row: &SqliteRow) -> SqlResult<AlarmLabels> {
    // A text that is no JSON only costs the labels.
    let known: Vec<Label> = serde_json::from_str(row.try_get("labels")?).unwrap_or_default();
    let waited = row.try_get::<Option<i64>, _>("waited_ms")?.map(|waited| {
        let waited = Duration::from_millis(waited.max(0).cast_unsigned());
        Ok::<_, sqlx::Error>((waited, LabelWait::parse(row.try_get("label_wait")?)))
    });
    let known = known.into_iter().take(MAX_LABELS).collect();
    Ok(AlarmLabels { known, waited: waited.transpose()? })
}

/// Returns how long an alarm waited, and how that ended, as `pushed_alarms` has it.
pub(super) fn waited(labels: &AlarmLabels) -> (Option<i64>, &'static str) {
    let Some((waited, ending)) = labels.waited else { return (None, "") };
    (Some(millis(waited)), ending.word())
}

impl StateHandle {
    /// Returns what was detected in these events.
    pub async fn labels_of(&self, events: &[EventId]) -> StateResult<HashMap<EventId, Vec<Label>>> {
        let mut found = HashMap::<EventId, Vec<Label>>::new();
        if events.is_empty() {
            return Ok(found);
        }
        let mut query = sqlx::QueryBuilder::<sqlx::Sqlite>::new(
            "SELECT event_id, name, confidence FROM labels WHERE event_id IN (",
        );
        let mut ids = query.separated(", ");
        for event in events {
            ids.push_bind(signed(*event));
        }
        query.push(") ORDER BY event_id, confidence DESC, name");
        let rows = self.answer(query.build().fetch_all(&self.reader()).await)?;
        for (event, label) in understood::<_, Vec<_>>("labels", &rows, label) {
            if let Some(label) = label {
                label.merge_into(found.entry(event).or_default());
            }
        }
        Ok(found)
    }

    /// Says whether decisions about an event wait for labels.
    pub async fn is_held(&self, event: EventId) -> StateResult<bool> {
        let query = "SELECT COUNT(*) FROM held_alarms WHERE event_id = ?";
        let count: i64 =
            self.answer(sqlx::query_scalar(query).bind(signed(event)).fetch_one(&self.reader()).await)?;
        Ok(count > 0)
    }
}
