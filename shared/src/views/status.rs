//! `zmesctl status`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::doctor::Finding;
use crate::sentence::SentencePart;

/// How the daemon is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The daemon's version.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// When it started.
    pub started_at: Timestamp,
    /// Since how long it runs.
    pub uptime_ms: u64,
    /// Monitors.
    pub monitors: MonitorCounts,
    /// Apps connected by WebSocket.
    pub clients: ClientCounts,
    /// Push tokens.
    pub tokens: TokenCounts,
    /// Pushes.
    pub push: PushCounts,
    /// Events.
    pub events: EventCounts,
    /// ZoneMinder's database.
    pub database: DatabaseState,
    /// Why the database is down; absent while it is up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database_error: Option<String>,
    /// ZoneMinder's version, where the database told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zoneminder: Option<String>,
    /// Addresses on which apps are served: `wss://[::]:9000`.
    #[serde(default)]
    pub listening: Vec<String>,
    /// Which sockets systemd has opened and handed over: `control`, and an `app` for each address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handed_over: Vec<String>,
    /// The daemon is draining and will end.
    #[serde(default)]
    pub stopping: bool,
    /// Whether the daemon's own state can be written; else why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_error: Option<String>,
    /// The daemon's own state was damaged within the last seven days and set aside: when, where it is, and what was
    /// saved of it. Absent once that file was moved away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_damage: Option<String>,
    /// The same in pieces: a reader can show the time in its own zone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub state_damage_parts: Vec<SentencePart>,
    /// The worst of what `doctor` finds, by the last look at each part; absent where all is as it should be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst: Option<Finding>,
    /// How many findings there are that are not as they should be; absent from daemons that do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub findings: Option<FindingCounts>,
}

/// How many findings of `doctor` are not as they should be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingCounts {
    /// Red.
    pub errors: u64,
    /// Warnings.
    pub warnings: u64,
}

/// How many monitors there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonitorCounts {
    /// In ZoneMinder's database, on this server.
    pub total: u64,
    /// Read by the daemon: their state is known.
    pub watched: u64,
    /// Should be read but cannot be; `monitors list` says why.
    pub stale: u64,
}

/// How many apps are connected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientCounts {
    /// All.
    pub total: u64,
    /// Those that get alarms.
    pub authenticated: u64,
    /// Dropped since the start because they did not read.
    #[serde(default)]
    pub dropped_slow: u64,
    /// Refused since the start, by a limit or for a wrong password.
    #[serde(default)]
    pub rejected: u64,
}

/// How many push tokens there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenCounts {
    /// All that are not revoked.
    pub total: u64,
    /// Those that get pushes.
    pub enabled: u64,
}

/// What became of pushes since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushCounts {
    /// Waiting to be sent.
    pub queued: u64,
    /// Accepted by their provider.
    pub delivered: u64,
    /// Given up.
    pub failed: u64,
    /// Whether pushes are sent at all; absent: the daemon does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<PushModeState>,
}

/// Whether pushes are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PushModeState {
    /// They are.
    Live,
    /// They are decided and logged, but not sent: another server rings the phones.
    Shadow,
    /// Push is off, or there is no way to phones.
    Off,
    /// A mode of a newer daemon.
    #[serde(other)]
    Unknown,
}

/// What was seen since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventCounts {
    /// Alarms announced.
    pub seen: u64,
    /// Of these: found in the Events table because polling could not see them.
    pub reconciled: u64,
}

/// Whether ZoneMinder's database answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DatabaseState {
    /// The last statement was answered.
    Ok,
    /// It was not, or there was none yet.
    #[serde(other)]
    Down,
}
