//! `zmesctl alarm …`.

use serde::{Deserialize, Serialize};

use super::SnoozedBy;
use crate::words::{DeliveryState, Reason, TargetKind};
use crate::{EventId, MonitorId};

/// The answer to `alarm test`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AlarmTested {
    /// The synthetic event id that the alarm carried.
    pub event_id: EventId,
    /// The monitor that it seemed to come from.
    pub monitor_id: MonitorId,
    /// Whether nothing was sent.
    #[serde(default)]
    pub dry_run: bool,
    /// The decision for each target.
    pub targets: Vec<TargetDecision>,
}

/// The result of an alarm for one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TargetDecision {
    /// `session` or `token`.
    pub kind: TargetKind,
    /// Client id or token handle.
    pub id: String,
    /// `sent`, `skipped` or `failed`.
    pub decision: DeliveryState,
    /// Why: `filter`, `rights`, `slow`, …; empty when sent.
    pub reason: Reason,
    /// With `--wait`: from the alarm until the frame was written or the provider answered; else `null`.
    pub latency_ms: Option<u64>,
    /// For tokens, with `--wait`: the transport.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<String>,
    /// For tokens, with `--wait`: the provider's id of the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    /// The name of the rule that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// What that rule decided, as a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<String>,
    /// The snooze that withholds it.
    #[serde(flatten)]
    pub snoozed: Option<SnoozedBy>,
}

/// The answer to `alarm force` and `alarm cancel`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AlarmForced {
    /// Which monitor.
    pub monitor_id: MonitorId,
    /// `on` or `cancelled`.
    pub trigger: String,
    /// How ZoneMinder was triggered: `shm` or `zmtrigger`.
    pub via: String,
    /// The daemon cancels it after this many milliseconds; `null` after `cancel`.
    pub for_ms: Option<u64>,
}
