//! Limits the file: old rows are dropped, and beyond `max-size` the oldest.

use std::time::Duration;

use sqlx::{Connection, SqliteConnection};

use super::deliveries::millis;
use super::{SqlResult, deliveries, labels, rule_hits, snoozes, tokens, troubles};
use crate::config::StateConfig;

/// Maximum number of deliveries (and alarms) dropped in one transaction, because writing waits meanwhile.
const BATCH: i64 = 5_000;
/// Transactions in one round; the next round drops the rest.
const BATCHES: u32 = 100;
/// Alarms younger than this (ms) stay: a restart must know that they were announced (`catch-up`).
const RECENT: i64 = 60 * 60 * 1000;
/// Free pages that stay in the file, to be used again.
const SPARE: i64 = 1024;
/// Pages that are returned to the file system at a time.
const PAGES: &str = "PRAGMA incremental_vacuum(4096)";
/// A device that has not logged in for this long (ms) is forgotten (FCM gives tokens up after 270 days, too).
const DEVICES: i64 = 270 * 24 * 60 * 60 * 1000;

/// Drops old rows; returns how many of each kind.
pub(super) async fn by_age(
    connection: &mut SqliteConnection,
    keep: &StateConfig,
    now: i64,
) -> SqlResult<[(&'static str, u64); 3]> {
    let before = |keep: Duration| now.saturating_sub(millis(keep));
    for forget in ["DELETE FROM device_filters WHERE broken_at < ?", "DELETE FROM device_sent WHERE at < ?"] {
        sqlx::query(forget).bind(now.saturating_sub(DEVICES)).execute(&mut *connection).await?;
    }
    let alarms = sqlx::query("DELETE FROM alarms WHERE at < ?").bind(before(keep.keep_events));
    let alarms = alarms.execute(&mut *connection).await?.rows_affected();
    labels::forget(&mut *connection, before(keep.keep_events)).await?;
    let deliveries = deliveries::forget(&mut *connection, before(keep.keep_deliveries)).await?;
    rule_hits::forget(&mut *connection, now, before(keep.keep_deliveries)).await?;
    snoozes::forget(&mut *connection, before(keep.keep_deliveries)).await?;
    troubles::forget(&mut *connection, before(keep.keep_deliveries)).await?;
    let tokens = tokens::forget_revoked(&mut *connection, before(keep.keep_tombstones)).await?;
    Ok([("alarms", alarms), ("deliveries", deliveries), ("revoked tokens", tokens)])
}

/// Drops the oldest deliveries and alarms until nine tenths of `max_size` are used, and returns free pages to the file
/// system; returns how many rows were dropped. Tokens and queued deliveries stay.
pub(super) async fn by_size(connection: &mut SqliteConnection, max_size: u64, now: i64) -> SqlResult<u64> {
    let mut dropped = 0;
    if used(connection).await? > max_size {
        for _ in 0..BATCHES {
            let gone = drop_oldest(connection, now).await?;
            dropped += gone;
            if gone == 0 || used(connection).await? <= max_size / 10 * 9 {
                break;
            }
        }
    }
    let free: i64 = sqlx::query_scalar("PRAGMA freelist_count").fetch_one(&mut *connection).await?;
    if free > SPARE {
        sqlx::query(PAGES).execute(&mut *connection).await?;
    }
    Ok(dropped)
}

/// Returns the bytes of the pages that hold something.
async fn used(connection: &mut SqliteConnection) -> SqlResult<u64> {
    let query = "SELECT (page_count - freelist_count) * page_size \
                 FROM pragma_page_count, pragma_freelist_count, pragma_page_size";
    let bytes: i64 = sqlx::query_scalar(query).fetch_one(connection).await?;
    Ok(bytes.max(0).cast_unsigned())
}

async fn drop_oldest(connection: &mut SqliteConnection, now: i64) -> SqlResult<u64> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let mut gone = 0;
    let ids = "SELECT MIN(id), MAX(id) FROM deliveries WHERE decision <> 'queued'";
    if let Some(before) = quarter(sqlx::query_as(ids).fetch_one(&mut *transaction).await?) {
        for query in [
            "DELETE FROM attempts WHERE delivery < ?1 AND delivery NOT IN \
             (SELECT id FROM deliveries WHERE id < ?1 AND decision = 'queued')",
            "DELETE FROM deliveries WHERE id < ?1 AND decision <> 'queued'",
        ] {
            gone += sqlx::query(query).bind(before).execute(&mut *transaction).await?.rows_affected();
        }
        let unused = "DELETE FROM pushed_alarms WHERE number < (SELECT MIN(alarm) FROM deliveries)";
        sqlx::query(unused).execute(&mut *transaction).await?;
    }
    let numbers = "SELECT MIN(number), MAX(number) FROM alarms";
    if let Some(before) = quarter(sqlx::query_as(numbers).fetch_one(&mut *transaction).await?) {
        let query = "DELETE FROM alarms WHERE number < ? AND at < ?";
        let query = sqlx::query(query).bind(before).bind(now.saturating_sub(RECENT));
        gone += query.execute(&mut *transaction).await?.rows_affected();
        let unused = "DELETE FROM labels WHERE at < (SELECT MIN(at) FROM alarms)";
        gone += sqlx::query(unused).execute(&mut *transaction).await?.rows_affected();
    }
    transaction.commit().await?;
    Ok(gone)
}

/// Returns the number before which one batch ends: a quarter of the entries, at most [`BATCH`].
fn quarter((first, last): (Option<i64>, Option<i64>)) -> Option<i64> {
    let (first, last) = (first?, last?);
    let span = last.saturating_sub(first);
    (span > 0).then(|| first.saturating_add((span / 4).clamp(1, BATCH)))
}
