//! Ends of alarms: what is written of them, and what a new daemon has to end.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, SqlitePool};
use zmes_shared::MonitorId;
use zmes_shared::control::Since;

use super::handle::{OpenAlarm, RecordedAlarm, StartedPush, StateHandle, StateResult};
use super::record::{alarm, moment_of, start_of};
use super::remembered::{event, time, understood};
use super::{SqlResult, cluster};
use crate::domain::{Alarm, DeliveryId, Origin, TokenId};

/// Pushes that told of starts and are read at a start; more than all tokens for some monitors.
const STARTED: u32 = 100_000;

/// The end of a monitor's alarms, as the record has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedEnd {
    /// The last of them.
    pub alarm: RecordedAlarm,
    pub ended_at: Timestamp,
    pub lasted: SignedDuration,
}

/// Writes that a monitor's alarms have ended. Of those before its episode nobody saw the end: they are only closed.
pub(super) async fn end(transaction: &mut SqliteConnection, end: &Alarm) -> SqlResult {
    let began = end.span.map_or(end.at, |span| span.began);
    let query = "UPDATE alarms SET open = 0, ended_at = CASE WHEN at >= ? THEN ? END \
                 WHERE monitor_id = ? AND open = 1";
    let query = sqlx::query(query).bind(began.as_millisecond()).bind(end.at.as_millisecond());
    query.bind(end.monitor.0).execute(&mut *transaction).await?;
    match &end.elsewhere {
        Some(elsewhere) => cluster::read_up_to(transaction, elsewhere).await,
        None => Ok(()),
    }
}

/// Writes that nobody saw the end of a monitor's open alarms.
pub(super) async fn give_up(transaction: &mut SqliteConnection, monitor: MonitorId) -> SqlResult {
    let query = "UPDATE alarms SET open = 0 WHERE monitor_id = ? AND open = 1";
    sqlx::query(query).bind(monitor.0).execute(transaction).await.map(drop)
}

/// Returns the last alarm of each monitor whose end was not told.
pub(super) async fn open(pool: &SqlitePool, since: i64) -> SqlResult<Vec<OpenAlarm>> {
    let query = "SELECT monitor_id, event_id, at, monitor_name, cause FROM alarms \
                 WHERE open = 1 AND node IS NULL AND at >= ? ORDER BY number";
    let rows = sqlx::query(query).bind(since).fetch_all(pool).await?;
    let one = |row: &SqliteRow| {
        let at = time(row, 2)?;
        Ok(OpenAlarm {
            monitor: MonitorId(row.try_get(0)?),
            event: event(row, 1)?,
            monitor_name: row.try_get::<&str, _>(3)?.into(),
            cause: row.try_get::<&str, _>(4)?.into(),
            began: at,
            at,
            closed: false,
        })
    };
    let mut last = BTreeMap::<MonitorId, OpenAlarm>::new();
    for alarm in understood::<_, Vec<_>>("alarms", &rows, one) {
        let began = last.get(&alarm.monitor).map_or(alarm.began, |first| first.began.min(alarm.began));
        last.insert(alarm.monitor, OpenAlarm { began, ..alarm });
    }
    Ok(last.into_values().collect())
}

/// Returns the pushes that told of alarms whose end was not told, or are still to do so.
pub(super) async fn started(pool: &SqlitePool, since: i64) -> SqlResult<Vec<StartedPush>> {
    let query = "SELECT d.token_id, d.id, a.monitor_id, a.event_id, a.at, a.monitor_name, a.cause FROM alarms a \
         JOIN pushed_alarms p ON p.at = a.at AND p.monitor_id = a.monitor_id AND p.event_id IS a.event_id \
         AND p.phase = 'start' AND p.origin IN ('poll', 'reconciled') \
         JOIN deliveries d ON d.alarm = p.number AND (d.decision = 'queued' \
         OR (d.decision = 'sent' AND d.reason = '') OR (d.decision = 'skipped' AND d.reason = 'shadow')) \
         WHERE a.open = 1 AND a.at >= ? ORDER BY a.number, d.id LIMIT ?";
    let rows = sqlx::query(query).bind(since).bind(STARTED).fetch_all(pool).await?;
    let one = |row: &SqliteRow| {
        Ok(StartedPush {
            token: TokenId(row.try_get(0)?),
            delivery: DeliveryId(row.try_get(1)?),
            alarm: start_of(row, Origin::Poll)?,
        })
    };
    Ok(understood("deliveries", &rows, one))
}

impl StateHandle {
    /// Returns the ends after `since`, oldest first, at most `limit` (the newest win), and whether older ones were left out.
    pub async fn ends_since(&self, since: Since, limit: u32) -> StateResult<(Vec<RecordedEnd>, bool)> {
        self.answer(after(&self.settled().await, since, limit).await)
    }
}

/// Reads the ends after `since`, oldest first, at most `limit` (the newest win), and whether older ones were left out.
pub(super) async fn after(
    pool: &SqlitePool,
    since: Since,
    limit: u32,
) -> SqlResult<(Vec<RecordedEnd>, bool)> {
    let after = moment_of(pool, since).await?;
    let query = "SELECT at, event_id, monitor_id, monitor_name, cause, late, ended_at, \
                 node IS NOT NULL AS elsewhere FROM alarms \
                 WHERE ended_at > ? ORDER BY ended_at DESC, monitor_id DESC, number DESC LIMIT ?";
    // One more, to know whether there are others.
    let query = sqlx::query(query).bind(after).bind(limit.saturating_add(1));
    let rows = query.fetch_all(pool).await?;
    let alarms: Vec<RecordedAlarm> = rows.iter().rev().map(alarm).collect::<SqlResult<_>>()?;
    let gap = alarms.len() > limit as usize;
    let mut ends = together(alarms);
    if gap {
        // Its first alarms may be missing.
        ends.remove(0);
    }
    Ok((ends, gap))
}

/// Makes one end of the alarms of a monitor that ended together.
fn together(alarms: Vec<RecordedAlarm>) -> Vec<RecordedEnd> {
    let mut ends = Vec::<RecordedEnd>::new();
    for alarm in alarms {
        let Some(ended_at) = alarm.ended_at else { continue };
        match ends.last_mut() {
            Some(end) if (end.ended_at, end.alarm.monitor) == (ended_at, alarm.monitor) => end.alarm = alarm,
            Some(_) | None => {
                let lasted = ended_at.duration_since(alarm.at);
                ends.push(RecordedEnd { alarm, ended_at, lasted });
            }
        }
    }
    ends
}
