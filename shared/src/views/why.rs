//! `zmesctl why`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{HeldView, SnoozedBy};
use crate::words::{DeliveryState, LabelWait, Phase, Reason, TargetKind};
use crate::{EventId, Label, MonitorId};

/// The decisions about one event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Why {
    /// Which event.
    pub event_id: EventId,
    /// Its monitor, if known.
    pub monitor_id: Option<MonitorId>,
    /// The monitor's name.
    pub monitor: Option<String>,
    /// Whether it was announced.
    pub announced: bool,
    /// One sentence: that the event was announced, or why it was not.
    pub explanation: String,
    /// The times that belong to the explanation.
    #[serde(default, skip_serializing_if = "WhyTimes::is_empty")]
    pub times: WhyTimes,
    /// Labels of the event.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<Label>,
    /// The alarms of the event; a long one may have several.
    pub alarms: Vec<WhyAlarm>,
    /// The decision for each client and each token.
    pub targets: Vec<WhyTarget>,
    /// Facts that are no longer known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Times that explain an event; each is absent if it explains nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WhyTimes {
    /// When the event was first announced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced_at: Option<Timestamp>,
    /// When the event began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_at: Option<Timestamp>,
    /// When zmesd first ran here: it announces nothing that is older.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_run_at: Option<Timestamp>,
    /// When the daemon started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When the monitor began to have more alarms than `zoneminder.alarm-limit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limited_from: Option<Timestamp>,
    /// When the last alarm beyond `zoneminder.alarm-limit` was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limited_to: Option<Timestamp>,
}

impl WhyTimes {
    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One alarm of the event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WhyAlarm {
    /// When it was detected.
    pub at: Timestamp,
    /// Why, in ZoneMinder's words.
    pub cause: String,
    /// Whether it was found after the fact, in the Events table.
    pub late: bool,
    /// When the monitor left the alarm; absent if it has not yet, or if that is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

/// The decision for one client or token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WhyTarget {
    /// `session` or `token`.
    pub kind: TargetKind,
    /// Client id or token handle.
    pub id: String,
    /// Its ZoneMinder user, if known.
    pub user: Option<String>,
    /// When.
    pub at: Timestamp,
    /// `end`: the alarm has ended; `update`: its labels are known now; absent: it has begun.
    #[serde(default, skip_serializing_if = "Phase::is_start")]
    pub phase: Phase,
    /// `sent`, `skipped`, `failed`, or `queued`.
    pub decision: DeliveryState,
    /// Why: `filter`, `rights`, …, or the provider's words; empty when sent.
    pub reason: Reason,
    /// The decision and its reason as a sentence, with what to do about it.
    pub explanation: String,
    /// When the token was registered or revoked, if the explanation is about that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The name of the rule that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// For tokens: the transport.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<String>,
    /// For tokens: the number of attempts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// From the alarm's detection to the provider's answer; from the decision if that waited for labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u64>,
    /// The provider's id of the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    /// While it is queued: what delays it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<HeldView>,
    /// The snooze that withheld it.
    #[serde(flatten)]
    pub snoozed: Option<SnoozedBy>,
    /// For tokens: the labels that were known when it was decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<Label>,
    /// For tokens: how the decision waited for labels; absent if it did not wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_wait: Option<LabelWaited>,
}

/// How long a decision waited for labels, and how the wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LabelWaited {
    /// From the alarm to the decision, in milliseconds.
    pub waited_ms: u64,
    /// How it ended.
    pub outcome: LabelWait,
}
