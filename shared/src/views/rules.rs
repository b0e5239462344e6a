//! `zmesctl rules`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::words::RuleMismatch;
use crate::{Label, MonitorId};

/// The rules of `zmesd.toml`, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Rules {
    /// The rules; the first one whose conditions hold decides.
    pub rules: Vec<RuleView>,
}

/// One rule. An empty list is not a condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RuleView {
    /// Its name.
    pub name: String,
    /// Its place in the file, from 1.
    pub order: u32,
    /// Names or ids of monitors.
    pub monitors: Vec<String>,
    /// Users, handles of tokens, names of targets (`@night-guard`), `ios`, `android` or `target`.
    pub receivers: Vec<String>,
    /// `push`, `websocket` or both.
    #[serde(default)]
    pub channels: Vec<String>,
    /// Days and times: `22:00-06:00, mon-fri`, or `always`.
    pub when: String,
    /// Any of these texts must be in the cause.
    #[serde(default)]
    pub cause_has: Vec<String>,
    /// Texts that must not be in the cause.
    #[serde(default)]
    pub cause_lacks: Vec<String>,
    /// One of these labels must be known for the event.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Labels that the event must not have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels_lack: Vec<String>,
    /// Labels with less confidence (percent) do not count; absent: all count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_confidence: Option<u8>,
    /// `mute`, `notify` or `urgent`.
    pub action: String,
    /// The admin's own note.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// Whether days and times match now.
    pub active: bool,
    /// When that changes next; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes_at: Option<Timestamp>,
    /// How many alarms of the last 24 hours it decided for at least one receiver.
    pub hits_24h: u64,
    /// The last alarm that it decided.
    pub last_hit: Option<Timestamp>,
}

/// What the rules decide about a hypothetical alarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RulesTested {
    /// The time of the alarm.
    pub at: Timestamp,
    /// Its monitor.
    pub monitor_id: MonitorId,
    /// The monitor's name.
    pub monitor: String,
    /// Its cause.
    pub cause: String,
    /// Its labels; absent: none are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<Label>,
    /// `push` or `websocket`.
    pub channel: String,
    /// The user; absent for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The token's handle; absent if no token was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The rule that decides; absent if none does.
    pub rule: Option<String>,
    /// Its action: `mute`, `notify` or `urgent`. If no rule decides: `notify`.
    pub action: String,
    /// One sentence for people.
    pub explanation: String,
    /// The rules up to the one that decides.
    pub rules: Vec<RuleTested>,
}

/// The result of one rule for a hypothetical alarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RuleTested {
    /// Its name.
    pub name: String,
    /// Its place in the file, from 1.
    pub order: u32,
    /// `mute`, `notify` or `urgent`.
    pub action: String,
    /// Days and times.
    pub when: String,
    /// Whether all conditions hold: then it decides.
    pub decides: bool,
    /// The first condition that does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mismatch: Option<RuleMismatch>,
    /// One sentence for people, without times.
    pub explanation: String,
    /// When its days and times match next; absent: they match now, never will, or are not the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_from: Option<Timestamp>,
    /// When they no longer match; absent if they always do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_until: Option<Timestamp>,
}
