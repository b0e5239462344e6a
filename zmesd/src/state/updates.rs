//! Updates of alarms: labels that became known after an alarm was told without them.
//!
//! They need no table of their own: an alarm has an update where the first labels of its event were seen within a minute
//! after it.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqlitePool};
use zmes_shared::control::Since;
use zmes_shared::{EventId, Label, MAX_LABELS};

use super::SqlResult;
use super::handle::{RecordedAlarm, StateHandle, StateResult};
use super::record::{alarm as recorded, moment_of, start_of};
use super::remembered::{time, understood};
use crate::domain::{Alarm, DeliveryId, Origin, TokenId, UPDATE_WITHIN};

/// Pushes of the last minute that are read at a start.
const TOLD: u32 = 100_000;
/// Rows of labels that are read at most.
const LABELS: u32 = 200_000;

/// An alarm that a former daemon told without labels.
#[derive(Debug, Clone)]
pub struct UnlabelledStart {
    pub alarm: Alarm,
    /// The pushes that told of it, or are still to do so.
    pub told: Vec<(TokenId, DeliveryId)>,
    /// Its labels and when they were seen, if the former daemon did.
    pub seen: Option<FirstLabels>,
}

/// The labels of an event that were seen first, and when that was.
pub(super) type FirstLabels = (Timestamp, Vec<Label>);

/// The update of an alarm, as the record has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedUpdate {
    /// The last alarm of the event before it.
    pub alarm: RecordedAlarm,
    pub at: Timestamp,
    pub labels: Vec<Label>,
}

/// Returns the alarms of the last minute that were told without labels, and of which no update was decided.
pub(super) async fn unlabelled(pool: &SqlitePool, now: Timestamp) -> SqlResult<Vec<UnlabelledStart>> {
    let since = now.saturating_sub(UPDATE_WITHIN).unwrap_or(Timestamp::MIN).as_millisecond();
    let query = "SELECT d.token_id, d.id, a.monitor_id, a.event_id, a.at, a.monitor_name, a.cause, a.late FROM alarms a \
         LEFT JOIN pushed_alarms p ON p.at = a.at AND p.monitor_id = a.monitor_id AND p.event_id = a.event_id \
         AND p.phase = 'start' AND p.origin IN ('poll', 'reconciled') AND p.labels = '' \
         LEFT JOIN deliveries d ON d.alarm = p.number AND (d.decision = 'queued' \
         OR (d.decision = 'sent' AND d.reason = '') OR (d.decision = 'skipped' AND d.reason = 'shadow')) \
         AND NOT EXISTS (SELECT 1 FROM pushed_alarms q JOIN deliveries r ON r.alarm = q.number \
         WHERE q.event_id = a.event_id AND q.monitor_id = a.monitor_id AND q.phase = 'start' AND q.labels <> '' \
         AND r.token_id = d.token_id AND r.decision IN ('queued', 'sent')) \
         WHERE a.at >= ? AND a.event_id IS NOT NULL \
         AND NOT EXISTS (SELECT 1 FROM labels l WHERE l.event_id = a.event_id AND l.at < a.at) \
         AND NOT EXISTS (SELECT 1 FROM pushed_alarms u WHERE u.event_id = a.event_id \
         AND u.monitor_id = a.monitor_id AND u.phase = 'update') ORDER BY a.number, d.id LIMIT ?";
    let rows = sqlx::query(query).bind(since).bind(TOLD).fetch_all(pool).await?;
    let seen = first_seen(pool, since.saturating_sub(1)).await?;
    let mut starts = Vec::<UnlabelledStart>::new();
    for (told, alarm) in understood::<_, Vec<_>>("deliveries", &rows, told) {
        match starts.last_mut() {
            Some(last) if same(&last.alarm, &alarm) => last.told.extend(told),
            Some(_) | None => {
                starts.push(UnlabelledStart { alarm, told: told.into_iter().collect(), seen: None });
            }
        }
    }
    for start in &mut starts {
        start.seen = start.alarm.event.and_then(|event| seen.get(&event)).cloned();
    }
    Ok(starts)
}

/// A row: an alarm, with one of the pushes that told of it.
type StartRow = (Option<(TokenId, DeliveryId)>, Alarm);

fn told(row: &SqliteRow) -> SqlResult<StartRow> {
    let delivery = row.try_get::<Option<i64>, _>(0)?.zip(row.try_get::<Option<i64>, _>(1)?);
    let origin = if row.try_get(7)? { Origin::Reconciled } else { Origin::Poll };
    let alarm = start_of(row, origin)?;
    Ok((delivery.map(|(token, delivery)| (TokenId(token), DeliveryId(delivery))), alarm))
}

fn same(one: &Alarm, other: &Alarm) -> bool {
    (one.at, one.event, one.monitor) == (other.at, other.event, other.monitor)
}

/// Returns the first labels of each event whose first were seen after that time (ms).
async fn first_seen(pool: &SqlitePool, after: i64) -> SqlResult<BTreeMap<EventId, FirstLabels>> {
    let query = "SELECT l.event_id, l.name, l.confidence, l.at FROM labels l WHERE l.at > ? \
         AND NOT EXISTS (SELECT 1 FROM labels o WHERE o.event_id = l.event_id AND o.at < l.at) \
         ORDER BY l.at DESC, l.event_id, l.confidence DESC, l.name LIMIT ?";
    let rows = sqlx::query(query).bind(after).bind(LABELS).fetch_all(pool).await?;
    let one = |row: &SqliteRow| {
        let event = EventId(row.try_get::<i64, _>(0)?.cast_unsigned());
        Ok((event, time(row, 3)?, Label::new(row.try_get(1)?, row.try_get::<Option<u32>, _>(2)?)))
    };
    let mut seen = BTreeMap::<EventId, FirstLabels>::new();
    for (event, at, label) in understood::<_, Vec<_>>("labels", &rows, one) {
        let (_, labels) = seen.entry(event).or_insert_with(|| (at, Vec::new()));
        if labels.len() < MAX_LABELS {
            labels.extend(label);
        }
    }
    Ok(seen)
}

impl StateHandle {
    /// Returns the updates after `since`, oldest first, at most `limit` (the newest win), and whether older ones were
    /// left out.
    pub async fn updates_since(&self, since: Since, limit: u32) -> StateResult<(Vec<RecordedUpdate>, bool)> {
        let pool = self.settled().await;
        let after = self.answer(moment_of(&pool, since).await)?;
        let seen = self.answer(first_seen(&pool, after).await)?;
        let query = "SELECT a.at, a.event_id, a.monitor_id, a.monitor_name, a.cause, a.late, a.ended_at, \
             a.node IS NOT NULL AS elsewhere FROM (SELECT DISTINCT l.event_id, l.at AS seen FROM labels l WHERE l.at > ?1 \
             AND NOT EXISTS (SELECT 1 FROM labels o WHERE o.event_id = l.event_id AND o.at < l.at)) s \
             JOIN alarms a ON a.event_id = s.event_id AND s.seen BETWEEN a.at AND a.at + ?2 \
             ORDER BY s.seen DESC, a.number DESC LIMIT ?3";
        let within = i64::try_from(UPDATE_WITHIN.as_millis()).unwrap_or(i64::MAX);
        // One more, to know whether there are others.
        let query = sqlx::query(query).bind(after).bind(within).bind(limit.saturating_add(1));
        let rows = self.answer(query.fetch_all(&pool).await)?;
        let gap = rows.len() > limit as usize;
        let alarms: Vec<RecordedAlarm> =
            self.answer(rows.iter().take(limit as usize).map(recorded).collect())?;
        let mut known = HashSet::new();
        let mut updates = Vec::new();
        // The newest first: of an event the last alarm counts.
        for alarm in alarms.into_iter().filter(|alarm| known.insert((alarm.event, alarm.monitor))) {
            if let Some((at, labels)) = alarm.event.and_then(|event| seen.get(&event)).cloned() {
                updates.push(RecordedUpdate { alarm, at, labels });
            }
        }
        updates.reverse();
        Ok((updates, gap))
    }
}
