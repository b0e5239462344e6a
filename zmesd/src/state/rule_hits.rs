//! How often each rule decided, by the hour.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, SqlitePool};

use super::SqlResult;
use super::remembered::{time, understood};
use crate::rules::MAX_RULES;

const HOUR: i64 = 60 * 60 * 1000;
/// How long hours are kept. The last one of each rule stays longer: `rules list` says when it decided last.
const KEPT: SignedDuration = SignedDuration::from_hours(25);

/// Alarms that a rule decided within one hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleHitRow {
    pub rule: Arc<str>,
    /// When the last of them was.
    pub last: Timestamp,
    pub alarms: u64,
}

/// Counts an alarm for each of the rules that decided for one of its receivers.
pub(super) async fn count(
    transaction: &mut SqliteConnection,
    rules: &[Arc<str>],
    at: Timestamp,
) -> SqlResult {
    let count = "INSERT INTO rule_hits (rule, hour, alarms, last) VALUES (?1, ?2, 1, ?3) \
                 ON CONFLICT (rule, hour) DO UPDATE SET alarms = alarms + 1, last = MAX(last, ?3)";
    let at = at.as_millisecond();
    for rule in rules {
        let count = sqlx::query(count).bind(&**rule).bind(at.div_euclid(HOUR)).bind(at);
        count.execute(&mut *transaction).await?;
    }
    Ok(())
}

/// Returns the hours that are kept, oldest first.
pub(super) async fn all(pool: &SqlitePool) -> SqlResult<Vec<RuleHitRow>> {
    let query = "SELECT last, alarms, rule FROM rule_hits ORDER BY hour DESC LIMIT ?";
    // Each rule has at most this many hours; names that were given up are forgotten in time.
    let limit = i64::try_from(2 * MAX_RULES * 26).unwrap_or(i64::MAX);
    let rows = sqlx::query(query).bind(limit).fetch_all(pool).await?;
    let hour = |row: &SqliteRow| {
        let alarms = row.try_get::<i64, _>(1)?.max(0).cast_unsigned();
        Ok(RuleHitRow { rule: row.try_get::<&str, _>(2)?.into(), last: time(row, 0)?, alarms })
    };
    let mut hours: Vec<_> = understood("rule_hits", &rows, hour);
    hours.reverse();
    Ok(hours)
}

/// Deletes hours of which nothing is counted any more, and rules that have not decided since `before` (ms).
pub(super) async fn forget(connection: &mut SqliteConnection, now: i64, before: i64) -> SqlResult {
    let old = "DELETE FROM rule_hits WHERE last < ?2 OR (last < ?1 AND EXISTS \
               (SELECT 1 FROM rule_hits newer WHERE newer.rule = rule_hits.rule AND newer.hour > rule_hits.hour))";
    let kept = i64::try_from(KEPT.as_millis()).unwrap_or(i64::MAX);
    let old = sqlx::query(old).bind(now.saturating_sub(kept)).bind(before);
    old.execute(connection).await.map(drop)
}
