//! `zmesctl tokens log`, `push …` and `latency`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::SnoozedBy;
use crate::words::{DeliveryState, HeldBy, Origin, Phase, Reason};
use crate::{EventId, MonitorId};

/// Deliveries.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Deliveries {
    /// Newest first.
    pub deliveries: Vec<DeliveryView>,
}

/// One alarm for one token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeliveryView {
    /// When the alarm was found.
    pub at: Timestamp,
    /// Handle of the token, if several tokens are listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The event, if there was one.
    pub event_id: Option<EventId>,
    /// Which monitor.
    pub monitor_id: MonitorId,
    /// Its name at the time.
    #[serde(default)]
    pub monitor: String,
    /// How the alarm was found: `poll`, `reconciled`, `test`.
    pub origin: Origin,
    /// `end`: the alarm has ended; `update`: its labels are known now; absent: it has begun.
    #[serde(default, skip_serializing_if = "Phase::is_start")]
    pub phase: Phase,
    /// `queued`, `sent`, `skipped` or `failed`.
    pub decision: DeliveryState,
    /// Why: `filter`, `rights`, …, or the provider's words; empty when sent.
    pub reason: Reason,
    /// The name of the rule that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The transport; `null` if none was used yet.
    pub transport: Option<String>,
    /// The number of attempts.
    pub attempts: u32,
    /// From the alarm's detection to the provider's answer.
    pub latency_ms: Option<u64>,
    /// The provider's id of the message.
    pub provider_id: Option<String>,
    /// The attempts that failed, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<FailedAttempt>,
    /// While it is queued: what delays it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<HeldView>,
    /// The snooze that withheld it.
    #[serde(flatten)]
    pub snoozed: Option<SnoozedBy>,
}

/// What delays a push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HeldView {
    /// `transport`: it pauses after failures, or because its provider asked for it; `phone`: the provider asked for a
    /// pause for this phone; `retry`: the pause before the next attempt; `storm`: `push.storm-limit` is reached.
    pub by: HeldBy,
    /// Until when; absent if only the next push will show whether the transport works again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The provider's last answer, or the limit.
    pub reason: String,
}

/// An attempt that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FailedAttempt {
    /// When.
    pub at: Timestamp,
    /// The transport.
    pub transport: String,
    /// The provider's answer, or why there was none.
    pub answer: String,
    /// How long it took.
    pub took_ms: u64,
}

/// The answer to `push check`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PushCheck {
    /// One entry per transport.
    pub checks: Vec<TransportCheck>,
}

/// The check of one transport.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TransportCheck {
    /// Which: `proxy`, `fcm`, `fcm:zmninja`, `apns`.
    pub transport: String,
    /// Host and port that it sends to.
    pub target: String,
    /// Whether every step succeeded.
    pub ok: bool,
    /// The steps, in order, up to the first that fails.
    pub steps: Vec<CheckStep>,
    /// The age of the result in milliseconds; absent if it is new. Observers cause at most one check in ten seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<u64>,
}

/// One step of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CheckStep {
    /// `dns`, `tcp`, `tls`, `http`, `credentials`.
    pub name: String,
    /// Whether it succeeded.
    pub ok: bool,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// The result.
    pub detail: String,
    /// If it failed: the kind of fault, as in [`TransportView::fault`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// The answer to `push queue`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PushQueue {
    /// The number of pushes that wait.
    pub queued: u64,
    /// The transports.
    pub transports: Vec<TransportView>,
    /// Pushes that wait, oldest first; at most 100.
    pub deliveries: Vec<DeliveryView>,
}

/// The state of a transport.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TransportView {
    /// Which.
    pub transport: String,
    /// Whether it pauses after repeated failures.
    pub open: bool,
    /// When the pause ends.
    pub retry_at: Option<Timestamp>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// Pushes that are being sent.
    pub in_flight: u64,
    /// While it fails: the kind of fault. `dns`, `refused`, `no_route`, `timeout`, `closed`, `certificate_expired`,
    /// `certificate_name`, `unknown_authority`, `bad_certificate`, `own_certificate`, `tls`, `web_page`, `redirect`,
    /// `bad_answer`, `credentials`, `not_found`, `clock`, `limited`, `provider` or `resting`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// While it fails: the provider's last HTTP status, if it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// While it fails: since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// Consecutive failures.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failures: u64,
    /// When the provider last accepted a push; absent: not since the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_success_at: Option<Timestamp>,
    /// While it fails: what to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Omits 0 from the JSON.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The answer to `push retry`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PushRetried {
    /// The selected transports.
    pub transports: Vec<RetriedTransport>,
}

/// A transport whose pause was ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RetriedTransport {
    /// Which.
    pub transport: String,
    /// Whether it paused.
    pub rested: bool,
    /// The rest of its pause, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest_ms: Option<u64>,
    /// Pushes waiting for it.
    pub waiting: u64,
    /// Why the last push failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// The answer to `latency`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Latency {
    /// In the order in which an alarm passes through them.
    pub stages: Vec<StageLatency>,
}

/// The latency of one stage, in milliseconds with fractions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StageLatency {
    /// The stage.
    pub stage: String,
    /// Measurements since the start.
    pub count: u64,
    /// 50 % took at most this long.
    pub p50_ms: f64,
    /// 90 % took at most this long.
    pub p90_ms: f64,
    /// 99 % took at most this long.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}
