//! The record of alarms, read for replays.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqlitePool};
use zmes_shared::control::Since;
use zmes_shared::{EventId, MonitorId};

use super::handle::{RecordedAlarm, Replay, ReplaySpan};
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
