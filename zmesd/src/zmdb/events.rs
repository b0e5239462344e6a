//! The rows of `Events`.
//!
//! ZoneMinder stores local time without a zone, so ages are worked out by the server, by the clock and in the zone in
//! which the times were most likely written.

use std::time::Duration;

use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, MySql, MySqlConnection, QueryBuilder};
use zmes_shared::{EventId, MonitorId};

use super::cells::{Cells, Odd, readable};
use super::explain::Fault;
use super::schema::Schema;
use crate::ports::EventRow;

/// Open events of one monitor that are looked at. One is usual; crashes leave others open for ever.
const MAX_OPEN: u32 = 8;

/// Returns the highest id.
pub(super) async fn newest(
    connection: &mut MySqlConnection,
    schema: &Schema,
) -> Result<Option<EventId>, Fault> {
    schema.require("Events", &["Id"])?;
    let row = sqlx::query("SELECT MAX(`Id`) AS `Newest` FROM `Events`").fetch_one(connection).await?;
    let newest = Cells(&row).integer("Newest")?;
    newest.map(|id| u64::try_from(id).map(EventId).map_err(|_| Odd("Id").into())).transpose()
}

/// Returns the events after `after`, and those of `also` that exist, ordered by id.
pub(super) async fn since(
    connection: &mut MySqlConnection,
    schema: &Schema,
    after: EventId,
    also: &[EventId],
    limit: u32,
) -> Result<Vec<EventRow>, Fault> {
    let mut query = QueryBuilder::<MySql>::new(format!("{} WHERE `Id` > ", select(schema)?));
    query.push_bind(after.0);
    if !also.is_empty() {
        query.push(" OR `Id` IN (");
        let mut ids = query.separated(", ");
        for id in also {
            ids.push_bind(id.0);
        }
        query.push(")");
    }
    query.push(" ORDER BY `Id` LIMIT ").push_bind(limit);
    // With a list the text is new each time and not worth a place among the prepared statements.
    let rows = query.build().persistent(also.is_empty()).fetch_all(connection).await?;
    Ok(read(&rows))
}

/// Returns the open events of one monitor, newest first.
pub(super) async fn open(
    connection: &mut MySqlConnection,
    schema: &Schema,
    monitor: MonitorId,
) -> Result<Vec<EventRow>, Fault> {
    let sql = format!(
        "{} WHERE `MonitorId` = ? AND `{}` IS NULL ORDER BY `Id` DESC LIMIT {MAX_OPEN}",
        select(schema)?,
        times(schema).1
    );
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(monitor.0).fetch_all(connection).await?;
    Ok(read(&rows))
}

/// The columns of start and end; 1.36 renamed them.
fn times(schema: &Schema) -> (&'static str, &'static str) {
    if schema.has("Events", "StartDateTime") {
        ("StartDateTime", "EndDateTime")
    } else {
        ("StartTime", "EndTime")
    }
}

fn select(schema: &Schema) -> Result<String, Fault> {
    let (start, end) = times(schema);
    schema.require("Events", &["Id", "MonitorId", "Cause", "AlarmFrames", start, end])?;
    Ok(format!(
        "SELECT `Id`, `MonitorId`, `Cause`, `AlarmFrames`, TIMESTAMPDIFF(SECOND, `{start}`, NOW()) AS `Age`, \
         `{end}` IS NULL AS `IsOpen` FROM `Events`"
    ))
}

fn read(rows: &[MySqlRow]) -> Vec<EventRow> {
    readable("Events", rows, |cells| {
        let age = cells.integer("Age")?.unwrap_or_default();
        Ok(EventRow {
            id: EventId(cells.id("Id")?),
            monitor: MonitorId(cells.id("MonitorId")?),
            cause: cells.shown("Cause")?.unwrap_or_default(),
            // NULL in an event that has just begun.
            alarm_frames: u32::try_from(cells.integer("AlarmFrames")?.unwrap_or_default())
                .map_err(|_| Odd("AlarmFrames"))?,
            age: Duration::from_secs(u64::try_from(age.max(0)).map_err(|_| Odd("Age"))?),
            open: cells.flag("IsOpen")?,
        })
    })
}
