//! Where events lie: `Events`, `Storage`, and `Config` of releases before there were storages.

use std::path::PathBuf;

use sqlx::{AssertSqlSafe, MySql, QueryBuilder};
use zmes_shared::{EventId, MonitorId};

use super::cells::{Cells, Odd, readable};
use super::events::start_column;
use super::explain::Answer;
use super::monitors::server_id;
use super::schema::Session;
use crate::conf::ServerScope;
use crate::pictures::{EventPlace, Scheme, Storage};

/// `ZM_EVENT_IMAGE_DIGITS` where `Config` does not say: ZoneMinder's default.
const DIGITS: usize = 5;
/// Rows of `Config`: up to 1.30 all of it is there, later only the digits.
const SETTINGS: &str = "SELECT `Name`, `Value` FROM `Config` \
     WHERE `Name` IN ('ZM_EVENT_IMAGE_DIGITS', 'ZM_DIR_EVENTS', 'ZM_USE_DEEP_STORAGE')";

#[derive(Default)]
struct PictureSettings {
    digits: Option<usize>,
    events: Option<PathBuf>,
    deep: bool,
}

pub(super) async fn place(
    session: &mut Session<'_>,
    event: EventId,
    scope: &ServerScope,
) -> Answer<Option<EventPlace>> {
    let start = start_column(session.schema);
    session.schema.require("Events", &["Id", "MonitorId", start])?;
    let storage = session.schema.list("Events", &["StorageId", "SecondaryStorageId", "Scheme"]);
    let server = if session.schema.has("Monitors", "ServerId") {
        "(SELECT `ServerId` FROM `Monitors` WHERE `Id` = `Events`.`MonitorId`)"
    } else {
        "NULL"
    };
    let sql = format!(
        "SELECT `MonitorId`, {storage}, DATE_FORMAT(`{start}`, '%Y-%m-%dT%H:%i:%s') AS `Start`, {server} AS `Server` \
         FROM `Events` WHERE `Id` = ?"
    );
    let row = sqlx::query(AssertSqlSafe(sql)).bind(event.0).fetch_optional(&mut *session.connection).await?;
    let Some(row) = row else { return Ok(None) };
    let cells = Cells(&row);
    let settings = settings(session).await?;
    let without_storages = !session.schema.has("Events", "StorageId");
    let scheme = match cells.text("Scheme")? {
        Some(scheme) => Scheme::parse(&scheme),
        None if without_storages && !settings.deep => Scheme::Shallow,
        None if without_storages => Scheme::Deep,
        None => Scheme::Medium,
    };
    let id = |column| -> Answer<u32> {
        let id = cells.integer(column)?.unwrap_or_default();
        Ok(u32::try_from(id).map_err(|_| Odd(column))?)
    };
    let (first, second) = (id("StorageId")?, id("SecondaryStorageId")?);
    let ids: Vec<u32> = [Some(first), (second != 0).then_some(second)].into_iter().flatten().collect();
    let rows = storage_rows(session, &ids).await?;
    let of_storage = rows.iter().find(|row| row.id == first).map_or(0, |row| row.server);
    let of_monitor = id("Server").unwrap_or_default();
    let servers = [of_storage, of_monitor];
    let own = match scope.own() {
        Some(identity) if rows.iter().any(|row| row.server != 0) => Some(server_id(session, identity).await?),
        // A picture on a disk of this server needs no row of it in `Servers`.
        Some(identity) if of_monitor != 0 => server_id(session, identity).await.ok(),
        Some(_) | None => None,
    };
    let is_other = |server: u32| server != 0 && own.is_some_and(|own| own != server);
    let server = servers.into_iter().find(|server| *server != 0).filter(|server| is_other(*server));
    // Where it was not said which server this machine is, all are its own, unless it watches those of all servers.
    let foreign = |server: u32| is_other(server) || server != 0 && own.is_none() && scope.is_all();
    let storage = |id: &u32| {
        let row = rows.iter().find(|row| row.id == *id);
        let path = row.and_then(|row| row.path.clone()).or_else(|| settings.events.clone());
        Storage { id: *id, path, elsewhere: row.is_some_and(|row| foreign(row.server)) }
    };
    let storages = ids.iter().map(storage).collect();
    Ok(Some(EventPlace {
        event,
        monitor: MonitorId(cells.id("MonitorId")?),
        storages,
        server,
        scheme,
        start: cells.text("Start")?.and_then(|start| start.parse().ok()),
        digits: settings.digits.unwrap_or(DIGITS),
    }))
}

/// Returns the newest frames with an alarm, the newest first.
pub(super) async fn alarm_frames(session: &mut Session<'_>, event: EventId, limit: u32) -> Answer<Vec<u64>> {
    session.schema.require("Frames", &["EventId", "FrameId", "Type"])?;
    let sql = "SELECT `FrameId` FROM `Frames` WHERE `EventId` = ? AND `Type` = 'Alarm' ORDER BY `FrameId` DESC LIMIT ?";
    let rows = sqlx::query(sql).bind(event.0).bind(limit).fetch_all(&mut *session.connection).await?;
    Ok(readable("Frames", &rows, |cells| cells.id("FrameId")))
}

async fn settings(session: &mut Session<'_>) -> Answer<PictureSettings> {
    session.schema.require("Config", &["Name", "Value"])?;
    let rows = sqlx::query(SETTINGS).fetch_all(&mut *session.connection).await?;
    let values = readable("Config", &rows, |cells| {
        Ok((cells.text("Name")?.unwrap_or_default(), cells.text("Value")?.unwrap_or_default()))
    });
    let mut settings = PictureSettings::default();
    for (name, value) in values {
        match name.as_str() {
            "ZM_EVENT_IMAGE_DIGITS" => settings.digits = value.trim().parse().ok(),
            "ZM_DIR_EVENTS" if !value.is_empty() => settings.events = Some(value.into()),
            "ZM_USE_DEEP_STORAGE" => settings.deep = value.trim() == "1",
            _ => {}
        }
    }
    Ok(settings)
}

/// A row of `Storage`.
struct StorageRow {
    id: u32,
    path: Option<PathBuf>,
    /// 0: any.
    server: u32,
}

async fn storage_rows(session: &mut Session<'_>, ids: &[u32]) -> Answer<Vec<StorageRow>> {
    if !session.schema.has("Storage", "Path") {
        return Ok(Vec::new());
    }
    let columns = session.schema.list("Storage", &["Id", "Path", "ServerId"]);
    let mut query = QueryBuilder::<MySql>::new(format!("SELECT {columns} FROM `Storage` WHERE `Id` IN ("));
    let mut list = query.separated(", ");
    for id in ids {
        list.push_bind(*id);
    }
    query.push(")");
    let found = query.build().fetch_all(&mut *session.connection).await?;
    Ok(readable("Storage", &found, |cells| {
        let server = cells.integer("ServerId")?.and_then(|id| u32::try_from(id).ok()).unwrap_or_default();
        Ok(StorageRow { id: cells.id("Id")?, path: cells.text("Path")?.map(PathBuf::from), server })
    }))
}
