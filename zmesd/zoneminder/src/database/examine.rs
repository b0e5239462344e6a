//! What `doctor` reads from the server: version, clock, privileges of the account, the newest events.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use zmes_shared::{EventId, MonitorId};

use super::cells::{Cells, readable};
use super::explain::Answer;
use super::schema::Session;
use super::{monitors, settings};
use crate::DatabaseReport;
use crate::conf::ServerScope;

/// Whole seconds, independent of the server's zone.
const SERVER: &str = "SELECT VERSION() AS `Server`, UNIX_TIMESTAMP() AS `Clock`";
/// By the index on `MonitorId` that every ZoneMinder has, this reads one row a monitor.
const NEWEST: &str = "SELECT `MonitorId`, MAX(`Id`) AS `Newest` FROM `Events` GROUP BY `MonitorId`";
/// Tables and columns that zmesd cannot work without.
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

/// Reads which `zmc` run: each writes `Connected` while it captures, and `NotRunning` when it ends.
async fn connected(session: &mut Session<'_>) -> Answer<BTreeSet<MonitorId>> {
    if !session.schema.has("Monitor_Status", "Status") {
        return Ok(BTreeSet::new());
    }
    // A zmc that was killed leaves its row behind; its time tells, if there is one (1.36.34 and later).
    let recent = if session.schema.has("Monitor_Status", "UpdatedOn") {
        " AND `UpdatedOn` > NOW() - INTERVAL 10 MINUTE"
    } else {
        ""
    };
    let sql = format!("SELECT `MonitorId` FROM `Monitor_Status` WHERE `Status` = 'Connected'{recent}");
    let rows = session.rows(sql).await?;
    Ok(readable("Monitor_Status", &rows, |cells| Ok(MonitorId(cells.id("MonitorId")?))).into_iter().collect())
}
