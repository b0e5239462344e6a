//! What `doctor` wants to know of the server: its version and clock, what the account may read, the newest events.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use zmes_shared::{EventId, MonitorId};

use super::cells::{Cells, readable};
use super::explain::Answer;
use super::schema::Session;
use super::{monitors, settings};
use crate::DatabaseReport;
use crate::conf::ServerScope;

/// Whole seconds, whatever zone the server is in.
const SERVER: &str = "SELECT VERSION() AS `Server`, UNIX_TIMESTAMP() AS `Clock`";
/// By the index on `MonitorId` that every ZoneMinder has, this reads one row a monitor.
const NEWEST: &str = "SELECT `MonitorId`, MAX(`Id`) AS `Newest` FROM `Events` GROUP BY `MonitorId`";
/// What nothing works without.
const NEEDED: [(&str, &[&str]); 4] = [
    ("Config", &["Name", "Value"]),
    ("Monitors", &["Id", "Name"]),
    ("Events", &["Id", "MonitorId", "Cause", "AlarmFrames"]),
    ("Users", &["Id", "Username", "Password", "Enabled", "Events", "Monitors"]),
];

pub(super) async fn examine(session: &mut Session<'_>, scope: &ServerScope) -> Answer<DatabaseReport> {
    for (table, columns) in NEEDED {
        session.schema.require(table, columns)?;
    }
    let row = sqlx::query(SERVER).fetch_one(&mut *session.connection).await?;
    let cells = Cells(&row);
    let clock = cells.integer("Clock")?.and_then(|seconds| i64::try_from(seconds).ok());
    let rows = sqlx::query(NEWEST).fetch_all(&mut *session.connection).await?;
    let newest = readable("Events", &rows, |cells| {
        Ok((MonitorId(cells.id("MonitorId")?), EventId(cells.id("Newest")?)))
    });
    Ok(DatabaseReport {
        server: cells.shown("Server")?.unwrap_or_default(),
        clock: clock.and_then(|seconds| Timestamp::from_second(seconds).ok()),
        newest: newest.into_iter().collect::<BTreeMap<_, _>>(),
        connected: connected(session).await?,
        servers: monitors::shares(session, scope).await?,
        zoneminder: settings::load(session).await?.version,
    })
}

/// Reads what each `zmc` says of itself: it writes `Connected` while it captures, and `NotRunning` when it ends.
async fn connected(session: &mut Session<'_>) -> Answer<BTreeSet<MonitorId>> {
    if !session.schema.has("Monitor_Status", "Status") {
        return Ok(BTreeSet::new());
    }
    // What a zmc has left behind that was killed is told by the time, where there is one (from 1.36.3x on).
    let recent = if session.schema.has("Monitor_Status", "UpdatedOn") {
        " AND `UpdatedOn` > NOW() - INTERVAL 10 MINUTE"
    } else {
        ""
    };
    let sql = format!("SELECT `MonitorId` FROM `Monitor_Status` WHERE `Status` = 'Connected'{recent}");
    let rows = session.rows(sql).await?;
    Ok(readable("Monitor_Status", &rows, |cells| Ok(MonitorId(cells.id("MonitorId")?))).into_iter().collect())
}
