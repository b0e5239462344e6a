//! Forgets what is old, in steps that hold no lock for long and fit into one write set of Galera.

use std::time::Duration;

use sqlx::{AssertSqlSafe, MySql, MySqlConnection, QueryBuilder, Row};

use crate::fault::LedgerError;
use crate::line::{LedgerLine, Work, attempt};
use crate::lists::{MOST, padded};
use crate::records::{RecordKind, locked};
use crate::times;

/// Rows of one step.
pub const STEP: u64 = 1_000;

/// What a step has forgotten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Alarms.
    pub alarms: u64,
    /// Outcomes of alarms.
    pub outcomes: u64,
    /// Records that were deleted.
    pub records: u64,
}

impl Forgotten {
    /// Says whether there may be more.
    pub fn has_more(self) -> bool {
        self.alarms == STEP || self.outcomes == STEP || self.records == STEP
    }
}

/// Forgets alarms and outcomes that are older than `keep`, and records that were deleted longer ago than
/// `keep_deleted`: one step of each. Ages are by the database's clock. The pusher calls it, until there is no more.
pub async fn forget(
    line: &mut LedgerLine,
    keep: Duration,
    keep_deleted: Duration,
) -> Result<Forgotten, LedgerError> {
    // An outcome is younger than its alarm, so it outlives it.
    let (alarms, outcomes) = attempt!(line.statements(), |connection| {
        let alarms = delete(connection, "alarm", "written", keep).await?;
        Ok((alarms, delete(connection, "done", "at", keep).await?))
    })?;
    let records =
        attempt!(line.transaction(), |connection| { forget_records(connection, keep_deleted).await })?;
    Ok(Forgotten { alarms, outcomes, records })
}

async fn delete(connection: &mut MySqlConnection, table: &str, time: &str, keep: Duration) -> Work<u64> {
    let sql = format!(
        "DELETE FROM `{table}` WHERE `{time}` < UTC_TIMESTAMP(3) - INTERVAL ? * 1000 MICROSECOND \
         ORDER BY `{time}` LIMIT {STEP}"
    );
    let query = sqlx::query(AssertSqlSafe(sql)).bind(times::interval(keep));
    Ok(query.execute(connection).await?.rows_affected())
}

/// A node that was away when a record was deleted, and comes back when that is forgotten, would keep it for ever. So the
/// number of what was forgotten is noted: who has read less reads everything anew.
async fn forget_records(connection: &mut MySqlConnection, keep: Duration) -> Work<u64> {
    let sql = format!(
        "SELECT `rev`, `kind`, `id` FROM `record` WHERE `deleted` \
         AND `updated` < UTC_TIMESTAMP(3) - INTERVAL ? * 1000 MICROSECOND ORDER BY `rev` LIMIT {STEP}"
    );
    let query = sqlx::query(AssertSqlSafe(sql.clone())).bind(times::interval(keep));
    if query.fetch_all(&mut *connection).await?.is_empty() {
        return Ok(0);
    }
    // Nobody changes records from here on; what was found before may have been made again.
    let _rev: u64 = locked(connection).await?;
    let query = sqlx::query(AssertSqlSafe(sql)).bind(times::interval(keep));
    let rows = query.fetch_all(&mut *connection).await?;
    let Some(last) = rows.last() else { return Ok(0) };
    let floor: u64 = last.try_get(0)?;
    let sql = "UPDATE `counter` SET `value` = GREATEST(`value`, ?) WHERE `name` = 'record-floor'";
    sqlx::query(sql).bind(floor).execute(&mut *connection).await?;
    let (mut revs, mut devices) = (Vec::new(), Vec::new());
    for row in &rows {
        revs.push(row.try_get::<u64, _>(0)?);
        if row.try_get::<u8, _>(1)? == RecordKind::Device.number() {
            devices.push(row.try_get::<Vec<u8>, _>(2)?);
        }
    }
    delete_each(connection, "record", "rev", &revs).await?;
    delete_each(connection, "told", "handle", &devices).await?;
    delete_each(connection, "badge", "handle", &devices).await?;
    Ok(rows.len() as u64)
}

async fn delete_each<'v, V>(
    connection: &mut MySqlConnection,
    table: &str,
    column: &str,
    values: &'v [V],
) -> Work<()>
where
    V: Sync,
    &'v V: sqlx::Encode<'v, MySql> + sqlx::Type<MySql>,
{
    for chunk in values.chunks(MOST) {
        let mut query = QueryBuilder::<MySql>::new(format!("DELETE FROM `{table}` WHERE `{column}` IN ("));
        let mut list = query.separated(", ");
        for value in padded(chunk) {
            list.push_bind(value);
        }
        query.push(")");
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}
