//! `zmesctl status`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::doctor::Finding;
use super::mqtt::MqttStatus;
use super::troubles::TroubleSummary;
use crate::sentence::SentencePart;

/// The state of the daemon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Status {
    /// The daemon's version.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// When it started.
    pub started_at: Timestamp,
    /// Its uptime in milliseconds.
    pub uptime_ms: u64,
    /// Monitors.
    pub monitors: MonitorCounts,
    /// Apps connected by WebSocket.
    pub clients: ClientCounts,
    /// Push tokens.
    pub tokens: TokenCounts,
    /// Pushes.
    pub push: PushCounts,
    /// The connection to the MQTT broker; absent: none is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mqtt: Option<MqttStatus>,
    /// Events.
    pub events: EventCounts,
    /// ZoneMinder's database.
    pub database: DatabaseState,
    /// Why the database is down; absent while it is up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database_error: Option<String>,
    /// ZoneMinder's version, if the database has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zoneminder: Option<String>,
    /// Addresses on which apps are served: `wss://[::]:9000`.
    #[serde(default)]
    pub listening: Vec<String>,
    /// The sockets that systemd opened (socket activation): `control`, and one `app` for each address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handed_over: Vec<String>,
    /// Whether the daemon is shutting down.
    #[serde(default)]
    pub stopping: bool,
    /// Why the state file cannot be written; absent if it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_error: Option<String>,
    /// Set if a damaged state file was replaced within the last seven days: when, where the old file is, and what was
    /// recovered. Absent once the old file was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_damage: Option<String>,
    /// The same in pieces: a reader can show the time in its own time zone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub state_damage_parts: Vec<SentencePart>,
    /// The most severe finding of `doctor`, by the latest result of each part; absent if there is no problem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst: Option<Finding>,
    /// The number of problems that `doctor` finds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub findings: Option<FindingCounts>,
    /// The open troubles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub troubles: Option<TroubleSummary>,
    /// The number of snoozes that are set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snoozes: Option<u64>,
}

/// The number of problems that `doctor` finds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FindingCounts {
    /// Errors.
    pub errors: u64,
    /// Warnings.
    pub warnings: u64,
}

/// How many monitors there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MonitorCounts {
    /// In ZoneMinder's database, on this server.
    pub total: u64,
    /// Watched, with a known state.
    pub watched: u64,
    /// Watched, but unreadable; `monitors list` shows why.
    pub stale: u64,
    /// Watched monitors that other servers capture: their alarms come from the Events table. Absent if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<u64>,
}

/// How many apps are connected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClientCounts {
    /// All.
    pub total: u64,
    /// Logged in: they receive alarms.
    pub authenticated: u64,
    /// Disconnected since the start because they did not read.
    #[serde(default)]
    pub dropped_slow: u64,
    /// Refused since the start, by a limit or for a wrong password.
    #[serde(default)]
    pub rejected: u64,
}

/// How many push tokens there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokenCounts {
    /// All except revoked ones.
    pub total: u64,
    /// Those that receive pushes.
    pub enabled: u64,
}

/// Results of pushes since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PushCounts {
    /// Waiting to be sent.
    pub queued: u64,
    /// Accepted by their provider.
    pub delivered: u64,
    /// Given up.
    pub failed: u64,
    /// Whether pushes are sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<PushModeState>,
}

/// Whether pushes are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum PushModeState {
    /// Pushes are sent.
    Live,
    /// Pushes are decided and logged, but not sent, while another server sends them.
    Shadow,
    /// Push is switched off, or no transport is configured.
    Off,
    /// A mode of a newer daemon.
    #[serde(other)]
    Unknown,
}

/// Alarms since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventCounts {
    /// Alarms announced.
    pub seen: u64,
    /// Of these, alarms found late, in the Events table.
    pub reconciled: u64,
}

/// Whether ZoneMinder's database answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum DatabaseState {
    /// The last statement succeeded.
    Ok,
    /// The last statement failed, or none was sent yet.
    #[serde(other)]
    Down,
}
