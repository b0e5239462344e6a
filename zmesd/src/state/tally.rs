//! The record of alarms with what became of them, for admins.

use jiff::Timestamp;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use zmes_shared::MonitorId;
use zmes_shared::control::Since;
use zmes_shared::views::ToldTokens;

use super::SqlResult;
use super::handle::{RecordedAlarm, StateHandle, StateResult};
use super::record::{after_event, after_time, alarm};
use super::remembered::time;

/// Which alarms of the record to read; an absent member does not restrict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AlarmQuery {
    pub monitor: Option<MonitorId>,
    pub since: Option<Since>,
    pub until: Option<Timestamp>,
    /// Only alarms with a lower number.
    pub before: Option<i64>,
    pub limit: u32,
}

/// A recorded alarm with its number, and what became of its pushes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TalliedAlarm {
    pub number: i64,
    pub alarm: RecordedAlarm,
    pub told: ToldTokens,
}

/// How many alarms a monitor had in one hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmCount {
    pub monitor: MonitorId,
    pub monitor_name: String,
    /// How many full hours before the end.
    pub hours_ago: u64,
    pub alarms: u64,
    /// When the last of them was.
    pub last_at: Timestamp,
}

/// The record and the deliveries are numbered apart. Tests, digests and troubles are deliveries without an
/// alarm in the record.
const TALLY: &str = "WITH page AS MATERIALIZED ( \
    SELECT at, event_id, monitor_id, monitor_name, cause, late, ended_at, number, \
    node IS NOT NULL AS elsewhere FROM alarms \
    WHERE number > ?1 AND number < ?2 AND at <= ?3 AND (?4 IS NULL OR monitor_id = ?4) ORDER BY number DESC LIMIT ?5) \
    SELECT page.*, COALESCE(SUM(d.decision = 'sent'), 0), COALESCE(SUM(d.decision = 'skipped'), 0), \
    COALESCE(SUM(d.decision = 'failed'), 0), COALESCE(SUM(d.decision = 'queued'), 0) FROM page \
    LEFT JOIN pushed_alarms p ON p.at = page.at AND p.monitor_id = page.monitor_id \
    AND p.event_id IS page.event_id AND p.phase = 'start' AND p.origin IN ('poll', 'reconciled') \
    LEFT JOIN deliveries d ON d.alarm = p.number GROUP BY page.number";

impl StateHandle {
    /// Returns the newest alarms that match, oldest first, each with what became of its pushes; and whether the record
    /// begins later than `query.since`.
    pub async fn tallied_alarms(&self, query: AlarmQuery) -> StateResult<(Vec<TalliedAlarm>, bool)> {
        let AlarmQuery { monitor, since, until, before, limit } = query;
        let pool = self.settled().await;
        let (after, whole) = match since {
            Some(Since::Event(event)) => self.answer(after_event(&pool, event).await)?,
            Some(Since::Time(at)) => self.answer(after_time(&pool, at).await)?,
            None => (0, true),
        };
        let query = sqlx::query(TALLY)
            .bind(after)
            .bind(before.unwrap_or(i64::MAX))
            .bind(until.map_or(i64::MAX, Timestamp::as_millisecond))
            .bind(monitor.map(|monitor| monitor.0))
            .bind(limit);
        let rows = self.answer(query.fetch_all(&pool).await)?;
        let mut alarms: Vec<_> = self.answer(rows.iter().map(tallied).collect())?;
        // The page is read newest first, and GROUP BY promises no order.
        alarms.sort_by_key(|alarm: &TalliedAlarm| alarm.number);
        Ok((alarms, !whole))
    }

    /// Counts the alarms of each monitor after `since`, up to `until`, by full hours before `until`; at most `limit`
    /// counts.
    pub async fn hourly_alarms(
        &self,
        since: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> StateResult<Vec<AlarmCount>> {
        let query = "SELECT monitor_id, MAX(monitor_name), (?2 - at) / 3600000 AS hour, COUNT(*), MAX(at) FROM alarms \
             WHERE at > ?1 AND at <= ?2 GROUP BY monitor_id, hour LIMIT ?3";
        let query = sqlx::query(query).bind(since.as_millisecond()).bind(until.as_millisecond()).bind(limit);
        let rows = self.answer(query.fetch_all(&self.reader()).await)?;
        let count = |row: &SqliteRow| {
            Ok(AlarmCount {
                monitor: MonitorId(row.try_get(0)?),
                monitor_name: row.try_get(1)?,
                hours_ago: unsigned(row, 2)?,
                alarms: unsigned(row, 3)?,
                last_at: time(row, 4)?,
            })
        };
        self.answer(rows.iter().map(count).collect())
    }
}

fn tallied(row: &SqliteRow) -> SqlResult<TalliedAlarm> {
    let told = ToldTokens {
        sent: unsigned(row, 9)?,
        skipped: unsigned(row, 10)?,
        failed: unsigned(row, 11)?,
        queued: unsigned(row, 12)?,
    };
    Ok(TalliedAlarm { number: row.try_get(7)?, alarm: alarm(row)?, told })
}

fn unsigned(row: &SqliteRow, column: usize) -> SqlResult<u64> {
    row.try_get::<i64, _>(column).map(i64::cast_unsigned)
}
