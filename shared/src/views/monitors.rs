//! `zmesctl monitors list` and `reload`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::words::{MonitorTrouble, StateSource};
use crate::{EventId, MonitorId, MonitorState};

/// The monitors of this server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Monitors {
    /// Ordered by id.
    pub monitors: Vec<MonitorView>,
    /// The monitors of other nodes of the cluster, by id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<MonitorElsewhere>,
}

/// A monitor that another node of the cluster watches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MonitorElsewhere {
    /// `Monitors.Id`.
    pub id: MonitorId,
    /// `Monitors.Name`.
    pub name: String,
}

/// One monitor as the daemon sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MonitorView {
    /// `Monitors.Id`.
    pub id: MonitorId,
    /// `Monitors.Name`.
    pub name: String,
    /// Where its state comes from.
    pub source: StateSource,
    /// What it is doing.
    pub state: MonitorState,
    /// The last opened event; `null` if there was none since its `zmc` started.
    pub last_event_id: Option<EventId>,
    /// `sizeof(SharedData)` of its ZoneMinder; `null` if unknown.
    pub layout: Option<u32>,
    /// Whether alarms of this monitor are seen.
    pub healthy: bool,
    /// The problem or a remark, as a sentence; `null` if there is none.
    pub reason: Option<String>,
    /// The problem as a word for scripts; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<MonitorTrouble>,
    /// What to do about it, usually a command; absent if there is nothing to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Until when its alarms are not pushed to anyone; absent if they are. See `snooze list`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snoozed_until: Option<Timestamp>,
    /// The server that captures it, if that is not the daemon's machine: then its alarms come from the Events table.
    /// Absent if the daemon's machine captures it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerView>,
}

/// A ZoneMinder server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServerView {
    /// `Servers.Id`; 0: none.
    pub id: u32,
    /// `Servers.Name`; absent if there is no such row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// No zmesd of the cluster is at work there: this node watches its monitors for now. Absent if not.
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub orphan: bool,
}

/// The answer to `monitors reload`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Reloaded {
    /// Monitors of this server.
    pub monitors: u64,
    /// Monitors that are new since the last reload.
    pub added: u64,
    /// Removed since the last reload.
    pub removed: u64,
    /// Users whose rights are known.
    pub users: u64,
}
