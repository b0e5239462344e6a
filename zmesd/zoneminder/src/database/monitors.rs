//! The rows of `Monitors`, in both generations of columns.

use std::collections::BTreeMap;
use std::sync::Arc;

use sqlx::AssertSqlSafe;
use zmes_shared::MonitorId;

use super::cells::{Cells, Odd, readable};
use super::explain::{Answer, Fault};
use super::schema::Session;
use super::settings::Settings;
use crate::conf::{ServerIdentity, ServerScope};
use crate::{
    Monitor, MonitorSet, NotWatched, OtherServer, Recording, ServerShare, ServerShares, Whereabouts,
};

const COLUMNS: [&str; 9] =
    ["Id", "Name", "Type", "ServerId", "Function", "Capturing", "Recording", "Deleted", "EventCloseMode"];

/// The monitors as they are read.
pub(super) struct LoadedMonitors {
    /// Of this server, or of all.
    pub(super) monitors: MonitorSet,
    /// Those that are left out.
    pub(super) others: MonitorSet,
    pub(super) own_server: Option<u32>,
}

/// Returns the monitors of this server, and those that are left out. `names`: asks for the names of their servers, too.
pub(super) async fn load(
    session: &mut Session<'_>,
    settings: &Settings,
    scope: &ServerScope,
    names: bool,
) -> Answer<LoadedMonitors> {
    let schema = session.schema;
    schema.require("Monitors", &["Id", "Name"])?;
    let generation = if schema.has("Monitors", "Capturing") {
        // 1.37 kept `Function`, but nothing reads it any more.
        schema.require("Monitors", &["Recording"])?;
        Generation::Capturing
    } else {
        schema.require("Monitors", &["Function"])?;
        Generation::Function
    };
    // Before 1.30 there is one server, and all monitors are its own.
    let several = schema.has("Monitors", "ServerId");
    let own = match scope.own().filter(|_| several) {
        Some(identity) => Some(server_id(session, identity).await?),
        None => None,
    };
    let names = names || scope.is_all();
    let names = if names && several { server_names(session).await? } else { BTreeMap::new() };
    let sql = format!("SELECT {} FROM `Monitors` ORDER BY `Id`", schema.list("Monitors", &COLUMNS));
    let rows = session.rows(sql).await?;
    let monitors = readable("Monitors", &rows, |cells| {
        if cells.flag("Deleted")? {
            return Ok(None);
        }
        let mut monitor = read(cells, generation, settings)?;
        let server = u32::try_from(cells.integer("ServerId")?.unwrap_or_default()).unwrap_or_default();
        let is_elsewhere = match scope {
            ServerScope::Single => false,
            ServerScope::Own(_) => own.is_some_and(|own| own != server),
            ServerScope::All(_) => several && own != Some(server),
        };
        if is_elsewhere {
            let name = names.get(&server).cloned();
            monitor.elsewhere = Some(Arc::new(OtherServer { id: server, name }));
        }
        Ok(Some((monitor, !is_elsewhere || scope.is_all())))
    });
    let (taken, others): (Vec<_>, Vec<_>) = monitors.into_iter().flatten().partition(|(_, taken)| *taken);
    let set = |monitors: Vec<(Monitor, bool)>| monitors.into_iter().map(|(monitor, _)| monitor).collect();
    Ok(LoadedMonitors { monitors: set(taken), others: set(others), own_server: own })
}

/// Finds a monitor that is not among those of this server.
pub(super) async fn whereabouts(session: &mut Session<'_>, monitor: MonitorId) -> Answer<Whereabouts> {
    session.schema.require("Monitors", &["Id", "Name"])?;
    let columns = session.schema.list("Monitors", &["Id", "Name", "ServerId", "Deleted"]);
    let sql = format!("SELECT {columns} FROM `Monitors` WHERE `Id` = ?");
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(monitor.0).fetch_all(&mut *session.connection).await?;
    let found = readable("Monitors", &rows, |cells| {
        let name = name(cells, monitor)?.to_string();
        if cells.flag("Deleted")? {
            return Ok(Whereabouts::Deleted { name });
        }
        let server = u32::try_from(cells.integer("ServerId")?.unwrap_or_default()).unwrap_or_default();
        Ok(Whereabouts::There { name, server })
    });
    Ok(found.into_iter().next().unwrap_or(Whereabouts::Gone))
}

/// Counts the monitors of the other servers; `None`: all monitors are this server's.
pub(super) async fn shares(session: &mut Session<'_>, scope: &ServerScope) -> Answer<Option<ServerShares>> {
    let schema = session.schema;
    let Some(identity) = scope.own().filter(|_| schema.has("Monitors", "ServerId")) else { return Ok(None) };
    let own = server_id(session, identity).await?;
    let names = server_names(session).await?;
    let columns = schema.list("Monitors", &["ServerId", "Deleted"]);
    let rows = session.rows(format!("SELECT {columns} FROM `Monitors`")).await?;
    let owners = readable("Monitors", &rows, |cells| {
        let owner = cells.integer("ServerId")?.and_then(|id| u32::try_from(id).ok()).unwrap_or_default();
        Ok((!cells.flag("Deleted")?).then_some(owner))
    });
    let mut counts: BTreeMap<u32, u64> = BTreeMap::new();
    owners.into_iter().flatten().filter(|&id| id != own).for_each(|id| *counts.entry(id).or_default() += 1);
    let share = |(id, monitors)| ServerShare { id, name: names.get(&id).cloned(), monitors };
    let mut others: Vec<_> = counts.into_iter().map(share).collect();
    others.sort_by_key(|share| std::cmp::Reverse(share.monitors));
    Ok(Some(ServerShares { own, name: names.get(&own).cloned(), others }))
}

async fn server_names(session: &mut Session<'_>) -> Answer<BTreeMap<u32, String>> {
    if session.schema.require("Servers", &["Id", "Name"]).is_err() {
        return Ok(BTreeMap::new());
    }
    let rows = session.rows("SELECT `Id`, `Name` FROM `Servers` ORDER BY `Id`".to_owned()).await?;
    let names = readable("Servers", &rows, |cells| {
        Ok((cells.id::<u32>("Id")?, cells.shown("Name")?.unwrap_or_default()))
    });
    Ok(names.into_iter().collect())
}

/// Which columns say what a monitor does.
#[derive(Debug, Clone, Copy)]
enum Generation {
    /// Up to 1.36.
    Function,
    /// From 1.37 on.
    Capturing,
}

/// Returns the number of a server.
pub(super) async fn server_id(session: &mut Session<'_>, identity: &ServerIdentity) -> Answer<u32> {
    let name = match identity {
        ServerIdentity::Id(id) => return Ok(*id),
        ServerIdentity::Name(name) => name,
    };
    session.schema.require("Servers", &["Id", "Name"])?;
    // The server compares, as it does for ZoneMinder: usually ignoring case and trailing blanks.
    let sql = "SELECT `Id` FROM `Servers` WHERE `Name` = ? ORDER BY `Id`";
    let rows = sqlx::query(sql).bind(name).fetch_all(&mut *session.connection).await?;
    let servers = readable("Servers", &rows, |cells| cells.id::<u32>("Id"));
    servers.first().copied().ok_or_else(|| Fault::NoServer(name.clone()))
}

fn read(cells: Cells<'_>, generation: Generation, settings: &Settings) -> Result<Monitor, Odd> {
    let id = MonitorId(cells.id("Id")?);
    let word = |column| Ok::<_, Odd>(cells.text(column)?.unwrap_or_default());
    let (recording, watched) = match generation {
        Generation::Function => from_function(&word("Function")?)?,
        Generation::Capturing => from_capturing(&word("Capturing")?, &word("Recording")?)?,
    };
    let on_demand = matches!(generation, Generation::Capturing) && word("Capturing")? == "Ondemand";
    let alarm_opens_event = match word("EventCloseMode")?.as_str() {
        "" | "system" => settings.alarm_opens_event,
        mode => mode == "alarm",
    };
    Ok(Monitor {
        id,
        name: name(cells, id)?,
        recording,
        alarm_opens_event,
        watched: if word("Type")? == "WebSite" { Err(NotWatched::WebSite) } else { watched },
        on_demand,
        elsewhere: None,
    })
}

/// Returns the name, or one made of the id: apps show the name of each alarm.
fn name(cells: Cells<'_>, id: MonitorId) -> Result<Arc<str>, Odd> {
    let name = cells.shown("Name")?.unwrap_or_default();
    Ok(if name.trim().is_empty() { format!("Monitor {id}").into() } else { name.into() })
}

/// `Function`. A Record monitor does not look for motion but can be forced, as a Nodect can.
fn from_function(function: &str) -> Result<(Recording, Result<(), NotWatched>), Odd> {
    match function {
        "Modect" | "Nodect" => Ok((Recording::OnAlarm, Ok(()))),
        "Record" | "Mocord" => Ok((Recording::Always, Ok(()))),
        "Monitor" => Ok((Recording::Never, Err(NotWatched::NoDetection))),
        "None" => Ok((Recording::Never, Err(NotWatched::NotCapturing))),
        _ => Err(Odd("Function")),
    }
}

/// `Capturing` and `Recording`. Without recording a monitor still alarms, only without an event.
fn from_capturing(capturing: &str, recording: &str) -> Result<(Recording, Result<(), NotWatched>), Odd> {
    let recording = match recording {
        "None" => Recording::Never,
        "OnMotion" => Recording::OnAlarm,
        "Always" => Recording::Always,
        _ => return Err(Odd("Recording")),
    };
    match capturing {
        "None" => Ok((recording, Err(NotWatched::NotCapturing))),
        "Ondemand" | "Always" => Ok((recording, Ok(()))),
        _ => Err(Odd("Capturing")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_up_to_1_36() {
        let watched = |function, recording| assert_eq!(from_function(function), Ok((recording, Ok(()))));
        watched("Modect", Recording::OnAlarm);
        watched("Nodect", Recording::OnAlarm);
        watched("Record", Recording::Always);
        watched("Mocord", Recording::Always);
        assert_eq!(from_function("Monitor").unwrap().1, Err(NotWatched::NoDetection));
        assert_eq!(from_function("None").unwrap().1, Err(NotWatched::NotCapturing));
        assert_eq!(from_function("X10"), Err(Odd("Function")));
    }

    #[test]
    fn columns_from_1_37_on() {
        assert_eq!(from_capturing("Always", "OnMotion"), Ok((Recording::OnAlarm, Ok(()))));
        assert_eq!(from_capturing("Ondemand", "Always"), Ok((Recording::Always, Ok(()))));
        assert_eq!(from_capturing("Always", "None"), Ok((Recording::Never, Ok(()))));
        assert_eq!(from_capturing("None", "Always").unwrap().1, Err(NotWatched::NotCapturing));
        assert_eq!(from_capturing("", "Always"), Err(Odd("Capturing")));
    }
}
