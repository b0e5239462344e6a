//! State that a new daemon reads from the previous one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqlitePool};
use tracing::warn;
use zmes_providers::App;
use zmes_shared::{EventId, MonitorId};

use super::handle::{Cursor, Device, LastFilter, Remembered};
use super::{SqlResult, deliveries, ends, keys, labels, rule_hits, snoozes, tokens, troubles, updates};
use crate::domain::MonitorFilter;

/// How far back announced events are read: longer than any sensible `catch-up`.
const ANNOUNCED_SINCE: SignedDuration = SignedDuration::from_hours(48);

/// Reads the remembered state; unreadable rows are skipped.
pub(super) async fn read(pool: &SqlitePool, now: Timestamp) -> SqlResult<Remembered> {
    let recent = recent(now);
    Ok(Remembered {
        cursors: cursors(pool).await?,
        since: Some(began(pool).await?),
        announced: announced(pool, recent).await?,
        told_elsewhere: told_elsewhere(pool, recent).await?,
        unidentified: unidentified(pool, recent).await?,
        open: ends::open(pool, recent).await?,
        started: ends::started(pool, recent).await?,
        filters: filters(pool).await?,
        sent: sent(pool).await?,
        tokens: tokens::all(pool).await?,
        token_sent: tokens::sent(pool).await?,
        last_delivery: deliveries::last(pool).await?,
        snoozes: snoozes::current(pool).await?,
        withheld: snoozes::withheld(pool).await?,
        last_snooze: snoozes::last(pool).await?,
        troubles: troubles::standing(pool).await?,
        link_keys: keys::link_keys(pool).await?,
        held: labels::held(pool).await?,
        labels: labels::recent(pool, now, recent).await?,
        unlabelled: updates::unlabelled(pool, now).await?,
        rule_hits: rule_hits::all(pool).await?,
    })
}

/// Returns since when (ms) announced alarms are read.
pub(super) fn recent(now: Timestamp) -> i64 {
    now.saturating_sub(ANNOUNCED_SINCE).unwrap_or(Timestamp::MIN).as_millisecond()
}

async fn cursors(pool: &SqlitePool) -> SqlResult<HashMap<MonitorId, Cursor>> {
    let rows = sqlx::query("SELECT monitor_id, event_id, at FROM cursors").fetch_all(pool).await?;
    let cursor = |row: &SqliteRow| {
        let event = EventId(row.try_get::<i64, _>(1)?.cast_unsigned());
        Ok((MonitorId(row.try_get(0)?), Cursor { event, at: time(row, 2)? }))
    };
    Ok(understood("cursors", &rows, cursor))
}

/// Reads rows and skips unreadable ones, so that they do not prevent the start.
pub(super) fn understood<T, C: FromIterator<T>>(
    table: &'static str,
    rows: &[SqliteRow],
    read: impl Fn(&SqliteRow) -> SqlResult<T>,
) -> C {
    let all = rows.len();
    let mut left_out = 0;
    let understood = rows.iter().filter_map(|row| read(row).inspect_err(|_| left_out += 1).ok()).collect();
    tell_left_out(table, left_out, all);
    understood
}

pub(super) fn tell_left_out(table: &'static str, left_out: usize, all: usize) {
    if left_out > 0 {
        warn!(table, left_out, all, "skipping unreadable rows of the state file");
    }
}

/// Returns when the record began, to the second: when its first table was made.
pub(super) async fn began(pool: &SqlitePool) -> SqlResult<Timestamp> {
    let query = "SELECT CAST(strftime('%s', MIN(installed_on)) AS INTEGER) * 1000 FROM _sqlx_migrations";
    time(&sqlx::query(query).fetch_one(pool).await?, 0)
}

async fn announced(pool: &SqlitePool, since: i64) -> SqlResult<BTreeSet<EventId>> {
    let query = "SELECT event_id FROM alarms WHERE at >= ? AND event_id IS NOT NULL";
    let rows = sqlx::query(query).bind(since).fetch_all(pool).await?;
    Ok(understood("alarms", &rows, |row| row.try_get::<i64, _>(0).map(|id| EventId(id.cast_unsigned()))))
}

async fn told_elsewhere(pool: &SqlitePool, since: i64) -> SqlResult<BTreeMap<EventId, MonitorId>> {
    let query =
        "SELECT event_id, monitor_id FROM alarms WHERE at >= ? AND event_id IS NOT NULL AND node IS NOT NULL";
    let rows = sqlx::query(query).bind(since).fetch_all(pool).await?;
    let one = |row: &SqliteRow| Ok((event(row, 0)?, MonitorId(row.try_get(1)?)));
    let told: Vec<(Option<EventId>, MonitorId)> = understood("alarms", &rows, one);
    Ok(told.into_iter().filter_map(|(event, monitor)| Some((event?, monitor))).collect())
}

async fn unidentified(pool: &SqlitePool, since: i64) -> SqlResult<HashMap<MonitorId, Vec<Timestamp>>> {
    let query = "SELECT monitor_id, at FROM alarms WHERE at >= ? AND event_id IS NULL AND node IS NULL ORDER BY number";
    let mut times: HashMap<MonitorId, Vec<Timestamp>> = HashMap::new();
    let rows = sqlx::query(query).bind(since).fetch_all(pool).await?;
    let one = |row: &SqliteRow| Ok((MonitorId(row.try_get(0)?), time(row, 1)?));
    for (monitor, at) in understood::<_, Vec<_>>("alarms", &rows, one) {
        times.entry(monitor).or_default().push(at);
    }
    Ok(times)
}

async fn filters(pool: &SqlitePool) -> SqlResult<HashMap<Device, LastFilter>> {
    let query = "SELECT user_name, kind, app, monlist, intlist, broken_at FROM device_filters";
    let rows = sqlx::query(query).fetch_all(pool).await?;
    // We wrote it, so it parses; in an edited file the device loses its filter.
    let filter = |row: &SqliteRow| {
        let (device, broken_at) = (device(row)?, optional_time(row, 5)?);
        let filter = MonitorFilter::parse(row.try_get(3)?, row.try_get(4)?).ok();
        Ok(filter.map(|filter| (device, LastFilter { filter, broken_at })))
    };
    let filters: Vec<_> = understood("device_filters", &rows, filter);
    Ok(filters.into_iter().flatten().collect())
}

async fn sent(pool: &SqlitePool) -> SqlResult<HashMap<(Device, MonitorId), Timestamp>> {
    let query = "SELECT user_name, kind, app, monitor_id, at FROM device_sent";
    let rows = sqlx::query(query).fetch_all(pool).await?;
    let one = |row: &SqliteRow| Ok(((device(row)?, MonitorId(row.try_get(3)?)), time(row, 4)?));
    Ok(understood("device_sent", &rows, one))
}

fn device(row: &SqliteRow) -> SqlResult<Device> {
    Ok(Device { user: row.try_get(0)?, kind: App::parse(row.try_get(1)?), app: row.try_get(2)? })
}

/// Reads a time column (milliseconds); one out of range is an error of the file.
pub(super) fn time(row: &SqliteRow, column: usize) -> SqlResult<Timestamp> {
    Timestamp::from_millisecond(row.try_get(column)?)
        .map_err(|source| sqlx::Error::ColumnDecode { index: column.to_string(), source: source.into() })
}

pub(super) fn optional_time(row: &SqliteRow, column: usize) -> SqlResult<Option<Timestamp>> {
    row.try_get::<Option<i64>, _>(column)?.map(|_| time(row, column)).transpose()
}

pub(super) fn event(row: &SqliteRow, column: usize) -> SqlResult<Option<EventId>> {
    Ok(row.try_get::<Option<i64>, _>(column)?.map(|id| EventId(id.cast_unsigned())))
}
