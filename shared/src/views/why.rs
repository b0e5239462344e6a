//! `zmesctl why`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::HeldView;
use crate::{EventId, MonitorId};

/// What was decided about one event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Why {
    /// Which event.
    pub event_id: EventId,
    /// Its monitor, where it is known.
    pub monitor_id: Option<MonitorId>,
    /// The monitor's name.
    pub monitor: Option<String>,
    /// Whether apps were told of it at all.
    pub announced: bool,
    /// The whole in one sentence: when it was announced, or why it was not.
    pub explanation: String,
    /// The alarms of the event; a long one may have several.
    pub alarms: Vec<WhyAlarm>,
    /// What was decided for each client and each token.
    pub targets: Vec<WhyTarget>,
    /// What to know beside it: what is not remembered any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// One alarm of the event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhyAlarm {
    /// When it was found.
    pub at: Timestamp,
    /// Why, in ZoneMinder's words.
    pub cause: String,
    /// It was found after the fact.
    pub late: bool,
}

/// What was decided for one client or token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhyTarget {
    /// `session` or `token`.
    pub kind: String,
    /// Client id or token handle.
    pub id: String,
    /// Whose it is, where that is known.
    pub user: Option<String>,
    /// When.
    pub at: Timestamp,
    /// `sent`, `skipped`, `failed`, or `queued`.
    pub decision: String,
    /// Why: `filter`, `rights`, …, or the provider's words; empty when sent.
    pub reason: String,
    /// The same as a sentence, with what to do about it.
    pub explanation: String,
    /// For tokens: by which transport.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<String>,
    /// For tokens: how often it was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// From the alarm's detection to the provider's answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u64>,
    /// The provider's id of the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    /// While it is queued: what holds it back, if anything does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<HeldView>,
}
