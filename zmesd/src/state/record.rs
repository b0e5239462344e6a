//! The record of alarms, read for replays.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqlitePool};
use zmes_shared::control::Since;
use zmes_shared::views::ToldTokens;
use zmes_shared::{EventId, MonitorId};

use super::handle::{AlarmCount, AlarmQuery, RecordedAlarm, Replay, ReplaySpan, TalliedAlarm};
use super::remembered::{began, event, time};
use super::{SqlResult, signed};

pub(super) async fn alarms_since(pool: &SqlitePool, since: Since, limit: u32) -> SqlResult<Replay> {
    let span = span(pool, since, limit).await?;
    let alarms = page(pool, span, limit).await?;
    Ok(Replay { alarms: alarms.into_iter().map(|(_, alarm)| alarm).collect(), gap: span.gap })
}

pub(super) async fn span(pool: &SqlitePool, since: Since, limit: u32) -> SqlResult<ReplaySpan> {
    let (after, reaches_back) = match since {
        Since::Event(event) => after_event(pool, event).await?,
        Since::Time(at) => after_time(pool, at).await?,
    };
    let query = "SELECT (SELECT MAX(number) FROM alarms), \
                 (SELECT number FROM alarms WHERE number > ? ORDER BY number DESC LIMIT 1 OFFSET ?)";
    let (until, left_out): (Option<i64>, Option<i64>) =
        sqlx::query_as(query).bind(after).bind(limit).fetch_one(pool).await?;
    Ok(ReplaySpan {
        after: left_out.unwrap_or(after),
        until: until.unwrap_or(after),
        gap: left_out.is_some() || !reaches_back,
    })
}

pub(super) async fn page(
    pool: &SqlitePool,
    span: ReplaySpan,
    limit: u32,
) -> SqlResult<Vec<(i64, RecordedAlarm)>> {
    let query = "SELECT at, event_id, monitor_id, monitor_name, cause, late, number FROM alarms \
                 WHERE number > ? AND number <= ? ORDER BY number LIMIT ?";
    let rows = sqlx::query(query).bind(span.after).bind(span.until).bind(limit).fetch_all(pool).await?;
    rows.iter().map(|row| Ok((row.try_get(6)?, alarm(row)?))).collect()
}

pub(super) async fn alarms_of_event(
    pool: &SqlitePool,
    event: EventId,
    limit: u32,
) -> SqlResult<Vec<RecordedAlarm>> {
    let query = "SELECT at, event_id, monitor_id, monitor_name, cause, late FROM alarms \
                 WHERE event_id = ? ORDER BY number LIMIT ?";
    let rows = sqlx::query(query).bind(signed(event)).bind(limit).fetch_all(pool).await?;
    rows.iter().map(alarm).collect()
}

/// Returns the newest alarms that match, oldest first, and whether the record begins later than `query.since`.
pub(super) async fn tallied(pool: &SqlitePool, query: AlarmQuery) -> SqlResult<(Vec<TalliedAlarm>, bool)> {
    let AlarmQuery { monitor, since, until, before, limit } = query;
    let (after, whole) = match since {
        Some(Since::Event(event)) => after_event(pool, event).await?,
        Some(Since::Time(at)) => after_time(pool, at).await?,
        None => (0, true),
    };
    // The record and the deliveries are numbered apart. Tests and digests are deliveries without an alarm in the record.
    let query = "WITH page AS MATERIALIZED (SELECT at, event_id, monitor_id, monitor_name, cause, late, number FROM alarms \
         WHERE number > ?1 AND number < ?2 AND at <= ?3 AND (?4 IS NULL OR monitor_id = ?4) \
         ORDER BY number DESC LIMIT ?5) \
         SELECT page.*, COALESCE(SUM(d.decision = 'sent'), 0), COALESCE(SUM(d.decision = 'skipped'), 0), \
         COALESCE(SUM(d.decision = 'failed'), 0), COALESCE(SUM(d.decision = 'queued'), 0) FROM page \
         LEFT JOIN pushed_alarms p ON p.at = page.at AND p.monitor_id = page.monitor_id \
         AND p.event_id IS page.event_id AND p.origin NOT IN ('test', 'snooze') \
         LEFT JOIN deliveries d ON d.alarm = p.number GROUP BY page.number";
    let rows = sqlx::query(query)
        .bind(after)
        .bind(before.unwrap_or(i64::MAX))
        .bind(until.map_or(i64::MAX, Timestamp::as_millisecond))
        .bind(monitor.map(|monitor| monitor.0))
        .bind(limit)
        .fetch_all(pool)
        .await?;
    let count = |row: &SqliteRow, column: usize| row.try_get::<i64, _>(column).map(i64::cast_unsigned);
    let read = |row: &SqliteRow| {
        let told = ToldTokens {
            sent: count(row, 7)?,
            skipped: count(row, 8)?,
            failed: count(row, 9)?,
            queued: count(row, 10)?,
        };
        Ok(TalliedAlarm { number: row.try_get(6)?, alarm: alarm(row)?, told })
    };
    let mut alarms = rows.iter().map(read).collect::<SqlResult<Vec<TalliedAlarm>>>()?;
    // The page is read newest first, and GROUP BY promises no order.
    alarms.sort_by_key(|alarm| alarm.number);
    Ok((alarms, !whole))
}

/// Counts the alarms of each monitor after `since`, up to `until`, by full hours before `until`; at most `limit` counts.
pub(super) async fn hourly(
    pool: &SqlitePool,
    since: Timestamp,
    until: Timestamp,
    limit: u32,
) -> SqlResult<Vec<AlarmCount>> {
    let query = "SELECT monitor_id, MAX(monitor_name), (?2 - at) / 3600000 AS hour, COUNT(*) FROM alarms \
         WHERE at > ?1 AND at <= ?2 GROUP BY monitor_id, hour ORDER BY monitor_id, hour DESC LIMIT ?3";
    let query = sqlx::query(query).bind(since.as_millisecond()).bind(until.as_millisecond()).bind(limit);
    let read = |row: &SqliteRow| {
        Ok(AlarmCount {
            monitor: MonitorId(row.try_get(0)?),
            monitor_name: row.try_get(1)?,
            hours_ago: row.try_get::<i64, _>(2)?.cast_unsigned(),
            alarms: row.try_get::<i64, _>(3)?.cast_unsigned(),
        })
    };
    query.fetch_all(pool).await?.iter().map(read).collect()
}

pub(super) async fn reaches_back_to(pool: &SqlitePool, at: Timestamp) -> SqlResult<bool> {
    Ok(after_time(pool, at).await?.1)
}

/// The number of the last alarm of that event, and whether the record knows the event at all.
///
/// An event that is not in the record may simply have been no alarm: then its neighbours tell where it stood.
async fn after_event(pool: &SqlitePool, event: EventId) -> SqlResult<(i64, bool)> {
    let query = "SELECT MAX(number), (SELECT MIN(event_id) FROM alarms) FROM alarms WHERE event_id <= ?";
    let (number, oldest): (Option<i64>, Option<i64>) =
        sqlx::query_as(query).bind(signed(event)).fetch_one(pool).await?;
    Ok((number.unwrap_or(0), number.is_some() || oldest.is_none()))
}

/// The number of the last alarm at or before that time, and whether the record reaches back to it.
async fn after_time(pool: &SqlitePool, at: Timestamp) -> SqlResult<(i64, bool)> {
    let query = "SELECT MAX(number), (SELECT MIN(number) FROM alarms) FROM alarms WHERE at <= ?";
    let (number, oldest): (Option<i64>, Option<i64>) =
        sqlx::query_as(query).bind(at.as_millisecond()).fetch_one(pool).await?;
    // Number 1 is still there: nothing was forgotten since the record began.
    let whole = oldest.is_none_or(|oldest| oldest == 1) && began(pool).await? <= at;
    Ok((number.unwrap_or(0), number.is_some() || whole))
}

fn alarm(row: &SqliteRow) -> SqlResult<RecordedAlarm> {
    Ok(RecordedAlarm {
        at: time(row, 0)?,
        event: event(row, 1)?,
        monitor: MonitorId(row.try_get(2)?),
        monitor_name: row.try_get(3)?,
        cause: row.try_get(4)?,
        late: row.try_get(5)?,
    })
}
