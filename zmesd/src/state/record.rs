//! The record of alarms, read for replays.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqlitePool};
use zmes_shared::control::Since;
use zmes_shared::{EventId, MonitorId};

use super::handle::{RecordedAlarm, Replay, ReplaySpan};
use super::remembered::{began, time};

const COLUMNS: &str = "SELECT at, event_id, monitor_id, monitor_name, cause, late FROM alarms";

/// Returns the alarms after `since`, oldest first, at most `limit` (the newest win, and the gap is said).
pub(super) async fn alarms_since(pool: &SqlitePool, since: Since, limit: u32) -> Result<Replay, sqlx::Error> {
    let (after, reaches_back) = match since {
        Since::Event(event) => after_event(pool, event).await?,
        Since::Time(at) => after_time(pool, at).await?,
    };
    let query = format!("{COLUMNS} WHERE number > ? ORDER BY number DESC LIMIT ?");
    let rows = sqlx::query(sqlx::AssertSqlSafe(query))
        .bind(after)
        .bind(i64::from(limit) + 1)
        .fetch_all(pool)
        .await?;
    let truncated = rows.len() > limit as usize;
    let newest = rows.iter().take(limit as usize);
    let mut alarms = newest.map(alarm).collect::<Result<Vec<_>, _>>()?;
    alarms.reverse();
    Ok(Replay { alarms, gap: truncated || !reaches_back })
}

/// Returns where the alarms after `since` stand, at most `limit` (the newest win, and the gap is said).
pub(super) async fn span(pool: &SqlitePool, since: Since, limit: u32) -> Result<ReplaySpan, sqlx::Error> {
    let (after, reaches_back) = match since {
        Since::Event(event) => after_event(pool, event).await?,
        Since::Time(at) => after_time(pool, at).await?,
    };
    let query = "SELECT (SELECT MAX(number) FROM alarms), \
                 (SELECT number FROM alarms WHERE number > ? ORDER BY number DESC LIMIT 1 OFFSET ?)";
    let row = sqlx::query(query).bind(after).bind(limit).fetch_one(pool).await?;
    let (until, left_out): (Option<i64>, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
    Ok(ReplaySpan {
        after: left_out.unwrap_or(after),
        until: until.unwrap_or(after),
        gap: left_out.is_some() || !reaches_back,
    })
}

/// Returns the next alarms of a span, oldest first, at most `limit`, each with its number.
pub(super) async fn page(
    pool: &SqlitePool,
    span: ReplaySpan,
    limit: u32,
) -> Result<Vec<(i64, RecordedAlarm)>, sqlx::Error> {
    let query = "SELECT at, event_id, monitor_id, monitor_name, cause, late, number FROM alarms \
                 WHERE number > ? AND number <= ? ORDER BY number LIMIT ?";
    let rows = sqlx::query(query).bind(span.after).bind(span.until).bind(limit).fetch_all(pool).await?;
    rows.iter().map(|row| Ok((row.try_get(6)?, alarm(row)?))).collect()
}

/// Returns the alarms of one event, oldest first, at most `limit`.
pub(super) async fn alarms_of_event(
    pool: &SqlitePool,
    event: EventId,
    limit: u32,
) -> Result<Vec<RecordedAlarm>, sqlx::Error> {
    let query = format!("{COLUMNS} WHERE event_id = ? ORDER BY number LIMIT ?");
    let query = sqlx::query(sqlx::AssertSqlSafe(query)).bind(super::signed(event)).bind(limit);
    query.fetch_all(pool).await?.iter().map(alarm).collect()
}

/// Says whether the record reaches back to that time.
pub(super) async fn reaches_back_to(pool: &SqlitePool, at: Timestamp) -> Result<bool, sqlx::Error> {
    Ok(after_time(pool, at).await?.1)
}

/// The number of the last alarm of that event, and whether the record knows the event at all.
///
/// An event that is not in the record may simply have been no alarm: then its neighbours tell where it stood.
async fn after_event(pool: &SqlitePool, event: EventId) -> Result<(i64, bool), sqlx::Error> {
    let id = i64::try_from(event.0).unwrap_or(i64::MAX);
    let query = "SELECT MAX(number), (SELECT MIN(event_id) FROM alarms) FROM alarms WHERE event_id <= ?";
    let row = sqlx::query(query).bind(id).fetch_one(pool).await?;
    let (number, oldest): (Option<i64>, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
    Ok((number.unwrap_or(0), number.is_some() || oldest.is_none()))
}

/// The number of the last alarm at or before that time, and whether the record reaches back to it.
async fn after_time(pool: &SqlitePool, at: Timestamp) -> Result<(i64, bool), sqlx::Error> {
    let query = "SELECT MAX(number), (SELECT MIN(number) FROM alarms) FROM alarms WHERE at <= ?";
    let row = sqlx::query(query).bind(at.as_millisecond()).fetch_one(pool).await?;
    let (number, oldest): (Option<i64>, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
    // Number 1 is still there: nothing was forgotten since the record began.
    let whole = oldest.is_none_or(|oldest| oldest == 1) && began(pool).await? <= at;
    Ok((number.unwrap_or(0), number.is_some() || whole))
}

fn alarm(row: &SqliteRow) -> Result<RecordedAlarm, sqlx::Error> {
    Ok(RecordedAlarm {
        at: time(row, 0)?,
        event: row.try_get::<Option<i64>, _>(1)?.map(|id| EventId(id.cast_unsigned())),
        monitor: MonitorId(row.try_get(2)?),
        monitor_name: row.try_get(3)?,
        cause: row.try_get(4)?,
        late: row.try_get(5)?,
    })
}
