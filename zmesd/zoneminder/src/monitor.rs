//! Monitors as ZoneMinder's database describes them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use zmes_shared::MonitorId;

/// One camera: a row of `Monitors`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Monitor {
    /// `Monitors.Id`.
    pub id: MonitorId,
    /// `Monitors.Name`, control characters replaced, at most 64 characters up to 1.36.
    pub name: Arc<str>,
    /// When its video is recorded.
    pub recording: Recording,
    /// An alarm closes the continuous event and opens one of its own (`EventCloseMode` is `alarm`).
    pub alarm_opens_event: bool,
    /// Whether it can have alarms, else why not.
    pub watched: Result<(), NotWatched>,
    /// It is captured only while somebody watches it (`Capturing` is `Ondemand`). Otherwise its `zmc` waits, and renews
    /// nothing in the database (`zmc.cpp`).
    pub on_demand: bool,
    /// The server that captures it, if that is not this machine: its shared memory is there.
    pub elsewhere: Option<Arc<OtherServer>>,
}

/// A server of the installation that is not this machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OtherServer {
    /// `Servers.Id`; 0: the monitor belongs to no server.
    pub id: u32,
    /// `Servers.Name`, where there is such a row.
    pub name: Option<String>,
}

impl fmt::Display for OtherServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "server {} ({name})", self.id),
            None if self.id == 0 => f.write_str("no server"),
            None => write!(f, "server {}", self.id),
        }
    }
}

/// When ZoneMinder records a monitor; the two generations of columns mapped to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recording {
    /// Never: alarms happen without an event (1.37+: `Recording` is `None`).
    Never,
    /// Modect, Nodect; 1.37+ `OnMotion`: an alarm opens an event.
    OnAlarm,
    /// Record, Mocord; 1.37+ `Always`: an event is always open, alarms happen inside it.
    Always,
}

/// Why a monitor is not watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotWatched {
    /// `Function` is `None`, or `Capturing` is `None`.
    NotCapturing,
    /// `Function` is `Monitor`: it is only viewed.
    NoDetection,
    /// `Type` is `WebSite`.
    WebSite,
}

/// The watched monitors, by id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MonitorSet {
    monitors: BTreeMap<MonitorId, Arc<Monitor>>,
}

impl MonitorSet {
    /// Returns the monitor of that id.
    pub fn find(&self, id: MonitorId) -> Option<&Arc<Monitor>> {
        self.monitors.get(&id)
    }

    /// Iterates over all, ordered by id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Monitor>> {
        self.monitors.values()
    }

    /// Iterates over those that can have alarms, ordered by id.
    pub fn watched(&self) -> impl Iterator<Item = &Arc<Monitor>> {
        self.iter().filter(|monitor| monitor.watched.is_ok())
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.monitors.len()
    }

    /// Says whether there is none.
    pub fn is_empty(&self) -> bool {
        self.monitors.is_empty()
    }
}

impl FromIterator<Monitor> for MonitorSet {
    fn from_iter<I: IntoIterator<Item = Monitor>>(monitors: I) -> Self {
        Self { monitors: monitors.into_iter().map(|monitor| (monitor.id, Arc::new(monitor))).collect() }
    }
}
