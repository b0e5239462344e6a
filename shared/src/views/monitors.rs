//! `zmesctl monitors list` and `reload`.

use serde::{Deserialize, Serialize};

use crate::{EventId, MonitorId, MonitorState};

/// The monitors of this server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Monitors {
    /// Ordered by id.
    pub monitors: Vec<MonitorView>,
}

/// One monitor as the daemon sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonitorView {
    /// `Monitors.Id`.
    pub id: MonitorId,
    /// `Monitors.Name`.
    pub name: String,
    /// The source of its state: `shm`, `db`, or `none` if it is not watched.
    pub source: String,
    /// What it is doing.
    pub state: MonitorState,
    /// Its latest event; `null` if there was none since its `zmc` started.
    pub last_event_id: Option<EventId>,
    /// `sizeof(SharedData)` of its ZoneMinder; `null` if unknown.
    pub layout: Option<u32>,
    /// Whether alarms of this monitor are detected.
    pub healthy: bool,
    /// Why not, or another remark; `null` if there is none.
    pub reason: Option<String>,
    /// The condition behind `reason`; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<MonitorTrouble>,
    /// A command that fixes it, if the daemon knows one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// What is special about a monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MonitorTrouble {
    /// ZoneMinder does not have it look for motion, or not at all.
    SwitchedOff,
    /// The daemon has not looked at it yet.
    NotLookedAt,
    /// There is no shared memory of it.
    NoMemory,
    /// Its `zmc` is starting, or has stopped.
    NotCaptured,
    /// Its `zmc` gives no sign of life.
    Frozen,
    /// Its `zmc` runs, but the camera delivers no picture.
    NoPicture,
    /// More alarms a minute than `zoneminder.alarm-limit`: the last of the others alone is announced.
    Flapping,
    /// A version of ZoneMinder that the daemon does not know: alarms come late, from the database.
    UnknownLayout,
    /// Its shared memory holds what no `zmc` writes.
    Damaged,
    /// The daemon may not read its shared memory.
    Permission,
    /// The system fails to read it.
    Io,
    /// It is followed in the database, which does not answer.
    Database,
    /// Worth knowing, but no alarm is missed. Also what a newer daemon adds.
    #[serde(other)]
    Remark,
}

/// The answer to `monitors reload`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// Monitors of this server.
    pub monitors: u64,
    /// Of these, new since the last time.
    pub added: u64,
    /// Gone since the last time.
    pub removed: u64,
    /// Users whose rights are known.
    pub users: u64,
}
