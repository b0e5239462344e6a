//! `zmesctl mqtt`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The connection to the MQTT broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MqttStatus {
    /// Whether the broker is connected.
    pub connected: bool,
    /// Since when it has been connected, or disconnected.
    pub since: Option<Timestamp>,
    /// Its URL.
    pub broker: String,
    /// Messages that the broker has acknowledged since the start.
    pub acknowledged: u64,
    /// Alarms and ends that wait for it.
    pub backlog: u64,
    /// Why the last connection or attempt failed; `null` if that has not happened since the start.
    pub last_error: Option<String>,
    /// When that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error_at: Option<Timestamp>,
    /// What to do about it, while it is away, or while nothing can be heard from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Commands that were ignored since the start: retained, not understood, or too many.
    #[serde(default)]
    pub ignored_commands: u64,
    /// `mqtt clear` was run: nothing is published until a reload.
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub cleared: bool,
}

/// The answer to `mqtt clear`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MqttCleared {
    /// Topics that were emptied.
    pub topics: u64,
}
