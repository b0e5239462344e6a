//! What a new daemon reads from the previous one.

use std::collections::{BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqlitePool};
use tracing::warn;
use zmes_providers::App;
use zmes_shared::{EventId, MonitorId};

use super::handle::{Cursor, Device, LastFilter, Remembered};
use super::{deliveries, tokens};
use crate::domain::MonitorFilter;

/// How far back announced events are read: longer than any sensible `catch-up`.
const ANNOUNCED_SINCE: SignedDuration = SignedDuration::from_hours(48);

/// Reads what is remembered; unreadable rows are skipped.
pub(super) async fn read(pool: &SqlitePool, now: Timestamp) -> Result<Remembered, sqlx::Error> {
    Ok(Remembered {
        cursors: cursors(pool).await?,
        since: Some(began(pool).await?),
        announced: announced(pool, now).await?,
        unidentified: unidentified(pool, now).await?,
        filters: filters(pool).await?,
        sent: sent(pool).await?,
        tokens: tokens::all(pool).await?,
        token_sent: tokens::sent(pool).await?,
        last_delivery: deliveries::last(pool).await?,
    })
}

fn millis(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

async fn cursors(pool: &SqlitePool) -> Result<HashMap<MonitorId, Cursor>, sqlx::Error> {
    let rows = sqlx::query("SELECT monitor_id, event_id, at FROM cursors").fetch_all(pool).await?;
    let cursor = |row: &SqliteRow| -> Result<_, sqlx::Error> {
        let cursor = Cursor { event: EventId(row.try_get::<i64, _>(1)?.cast_unsigned()), at: time(row, 2)? };
        Ok((MonitorId(row.try_get(0)?), cursor))
    };
    Ok(understood("cursors", &rows, cursor))
}

/// Reads rows and skips unreadable ones, so that they do not prevent the start.
pub(super) fn understood<T, C: FromIterator<T>>(
    table: &'static str,
    rows: &[SqliteRow],
    read: impl Fn(&SqliteRow) -> Result<T, sqlx::Error>,
) -> C {
    let all = rows.len();
    let mut left_out = 0;
    let understood = rows.iter().filter_map(|row| read(row).inspect_err(|_| left_out += 1).ok()).collect();
    tell_left_out(table, left_out, all);
    understood
}

/// Logs how many rows of a table were skipped, if any.
pub(super) fn tell_left_out(table: &'static str, left_out: usize, all: usize) {
    if left_out > 0 {
        warn!(table, left_out, all, "skipping unreadable rows of the state file");
    }
}

/// Returns when the record began, to the second: when its first table was made.
pub(super) async fn began(pool: &SqlitePool) -> Result<Timestamp, sqlx::Error> {
    let query = "SELECT CAST(strftime('%s', MIN(installed_on)) AS INTEGER) * 1000 FROM _sqlx_migrations";
    time(&sqlx::query(query).fetch_one(pool).await?, 0)
}

async fn announced(pool: &SqlitePool, now: Timestamp) -> Result<BTreeSet<EventId>, sqlx::Error> {
    let since = now.as_millisecond().saturating_sub(millis(ANNOUNCED_SINCE));
    let rows = sqlx::query("SELECT event_id FROM alarms WHERE at >= ? AND event_id IS NOT NULL")
        .bind(since)
        .fetch_all(pool)
        .await?;
    Ok(understood("alarms", &rows, |row| row.try_get::<i64, _>(0).map(|id| EventId(id.cast_unsigned()))))
}

async fn unidentified(
    pool: &SqlitePool,
    now: Timestamp,
) -> Result<HashMap<MonitorId, Vec<Timestamp>>, sqlx::Error> {
    let since = now.as_millisecond().saturating_sub(millis(ANNOUNCED_SINCE));
    let query = "SELECT monitor_id, at FROM alarms WHERE at >= ? AND event_id IS NULL ORDER BY number";
    let mut times: HashMap<MonitorId, Vec<Timestamp>> = HashMap::new();
    let rows = sqlx::query(query).bind(since).fetch_all(pool).await?;
    let one = |row: &SqliteRow| Ok((MonitorId(row.try_get(0)?), time(row, 1)?));
    for (monitor, at) in understood::<_, Vec<_>>("alarms", &rows, one) {
        times.entry(monitor).or_default().push(at);
    }
    Ok(times)
}

async fn filters(pool: &SqlitePool) -> Result<HashMap<Device, LastFilter>, sqlx::Error> {
    let query = "SELECT user_name, kind, app, monlist, intlist, broken_at FROM device_filters";
    let rows = sqlx::query(query).fetch_all(pool).await?;
    // We wrote it, so it parses; in an edited file the device loses its filter.
    let filter = |row: &SqliteRow| {
        let filter = MonitorFilter::parse(row.try_get(3)?, row.try_get(4)?).ok();
        let broken_at = optional_time(row, 5)?;
        Ok((device(row)?, filter.map(|filter| LastFilter { filter, broken_at })))
    };
    let filters: Vec<_> = understood("device_filters", &rows, filter);
    Ok(filters.into_iter().filter_map(|(device, filter)| Some((device, filter?))).collect())
}

async fn sent(pool: &SqlitePool) -> Result<HashMap<(Device, MonitorId), Timestamp>, sqlx::Error> {
    let query = "SELECT user_name, kind, app, monitor_id, at FROM device_sent";
    let rows = sqlx::query(query).fetch_all(pool).await?;
    let one = |row: &SqliteRow| Ok(((device(row)?, MonitorId(row.try_get(3)?)), time(row, 4)?));
    Ok(understood("device_sent", &rows, one))
}

fn device(row: &SqliteRow) -> Result<Device, sqlx::Error> {
    Ok(Device { user: row.try_get(0)?, kind: App::parse(row.try_get(1)?), app: row.try_get(2)? })
}

/// Reads a time column (milliseconds); one out of range is an error of the file.
pub(super) fn time(row: &SqliteRow, column: usize) -> Result<Timestamp, sqlx::Error> {
    Timestamp::from_millisecond(row.try_get(column)?)
        .map_err(|source| sqlx::Error::ColumnDecode { index: column.to_string(), source: source.into() })
}

/// Reads a time column that may be NULL.
pub(super) fn optional_time(row: &SqliteRow, column: usize) -> Result<Option<Timestamp>, sqlx::Error> {
    match row.try_get::<Option<i64>, _>(column)? {
        Some(_) => time(row, column).map(Some),
        None => Ok(None),
    }
}
