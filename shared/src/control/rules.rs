//! Requests about rules.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Label, MonitorId};

/// A hypothetical alarm for the rules to decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RulesTest {
    /// Its monitor.
    pub monitor: MonitorId,
    /// When; absent: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Its cause; absent: an empty one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cause: String,
    /// Its labels; absent: none are known, as when an alarm begins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<Label>,
    /// A user of ZoneMinder, or a token in any form that names it; absent: rules with receivers do not decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// `push` or `websocket`; absent: `push`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<ChannelKind>,
}

/// The channel by which an alarm reaches its receiver.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum ChannelKind {
    /// Pushes, to phones and targets.
    #[default]
    Push,
    /// To connected apps.
    #[cfg_attr(feature = "clap", value(name = "websocket"))]
    WebSocket,
    /// To the MQTT broker, as an event.
    Mqtt,
}
