//! Times in SQL: `DATETIME(3)` in UTC in the tables, milliseconds since 1970 on the way. Neither depends on a time zone.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::{MySql, QueryBuilder};

/// A placeholder for milliseconds as a `DATETIME(3)`.
pub(crate) const DATETIME: &str = "TIMESTAMPADD(MICROSECOND, ? * 1000, TIMESTAMP'1970-01-01 00:00:00')";

/// Latest time that is stored: the end of the year 9998.
const LATEST: i64 = 253_370_764_799_999;

/// The milliseconds of a `DATETIME(3)`.
pub(crate) fn millis(column: &str) -> String {
    format!("TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'1970-01-01 00:00:00', {column}) DIV 1000")
}

/// The milliseconds since a `DATETIME(3)` of the database's own clock; negative where another member wrote it, whose
/// clock is ahead.
pub(crate) fn age(column: &str) -> String {
    format!("TIMESTAMPDIFF(MICROSECOND, {column}, UTC_TIMESTAMP(3)) DIV 1000")
}

/// What is bound to [`DATETIME`].
pub(crate) fn bound(at: Timestamp) -> i64 {
    at.as_millisecond().clamp(0, LATEST)
}

/// What [`millis`] returned; the oldest time for what no `Timestamp` can be.
pub(crate) fn timestamp(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MIN)
}

/// What [`age`] returned.
pub(crate) fn duration(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or_default())
}

/// Milliseconds of a duration, for an `INTERVAL ? * 1000 MICROSECOND`.
pub(crate) fn interval(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(LATEST).min(LATEST)
}

/// Adds a time as a `DATETIME(3)`.
pub(crate) fn push(query: &mut QueryBuilder<MySql>, at: Timestamp) {
    let (before, after) = DATETIME.split_once('?').unwrap_or_default();
    query.push(before).push_bind(bound(at)).push(after);
}
