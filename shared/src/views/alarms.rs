//! `zmesctl alarm …`.

use serde::{Deserialize, Serialize};

use crate::words::{DeliveryState, Reason, TargetKind};
use crate::{EventId, MonitorId};

/// The answer to `alarm test`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmTested {
    /// The synthetic event id that the alarm carried.
    pub event_id: EventId,
    /// The monitor that it pretended to come from.
    pub monitor_id: MonitorId,
    /// Nothing was sent.
    #[serde(default)]
    pub dry_run: bool,
    /// What was decided for each target.
    pub targets: Vec<TargetDecision>,
}

/// What became of an alarm for one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetDecision {
    /// `session` or `token`.
    pub kind: TargetKind,
    /// Client id or token handle.
    pub id: String,
    /// `sent`, `skipped` or `failed`.
    pub decision: DeliveryState,
    /// Why: `filter`, `rights`, `slow`, …; empty when sent.
    pub reason: Reason,
    /// With `--wait`: from the start of the alarm until the frame was written, or the provider had answered; else
    /// `null`.
    pub latency_ms: Option<u64>,
    /// For tokens, with `--wait`: by which transport.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<String>,
    /// For tokens, with `--wait`: the provider's id of the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
}

/// The answer to `alarm force` and `alarm cancel`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmForced {
    /// Which monitor.
    pub monitor_id: MonitorId,
    /// `on` or `cancelled`.
    pub trigger: String,
    /// How ZoneMinder was told: `shm` or `zmtrigger`.
    pub via: String,
    /// When the daemon takes it back by itself; `null` after `cancel`.
    pub for_ms: Option<u64>,
}
