//! `zmesctl tokens log`, `push …` and `latency`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::words::{DeliveryState, HeldBy, Origin, Reason};
use crate::{EventId, MonitorId};

/// Deliveries.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Deliveries {
    /// Newest first.
    pub deliveries: Vec<DeliveryView>,
}

/// One alarm for one token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeliveryView {
    /// When the alarm was found.
    pub at: Timestamp,
    /// Handle of the token, where several are listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The event, where there was one.
    pub event_id: Option<EventId>,
    /// Which monitor.
    pub monitor_id: MonitorId,
    /// Its name then.
    #[serde(default)]
    pub monitor: String,
    /// How the alarm was found: `poll`, `reconciled`, `test`.
    pub origin: Origin,
    /// `queued`, `sent`, `skipped` or `failed`.
    pub decision: DeliveryState,
    /// Why: `filter`, `rights`, …, or the provider's words; empty when sent.
    pub reason: Reason,
    /// By which transport; `null` while none was asked.
    pub transport: Option<String>,
    /// How often it was tried.
    pub attempts: u32,
    /// From the alarm's detection to the provider's answer.
    pub latency_ms: Option<u64>,
    /// The provider's id of the message.
    pub provider_id: Option<String>,
    /// The attempts that failed, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<FailedAttempt>,
    /// While it is queued: what holds it back, if anything does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<HeldView>,
}

/// What holds a push back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldView {
    /// `transport`: it rests after failures, or because its provider asked for it; `phone`: the provider asked for a
    /// pause for this phone; `retry`: the pause before the next attempt; `storm`: `push.storm-limit` is reached.
    pub by: HeldBy,
    /// Until when; absent: until the next push shows whether the transport works again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The provider's last words, or the limit.
    pub reason: String,
}

/// An attempt that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedAttempt {
    /// When.
    pub at: Timestamp,
    /// By which transport.
    pub transport: String,
    /// What the provider answered, or why it did not.
    pub answer: String,
    /// How long it took.
    pub took_ms: u64,
}

/// The answer to `push check`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushCheck {
    /// One for each transport.
    pub checks: Vec<TransportCheck>,
}

/// How far one transport comes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransportCheck {
    /// Which: `proxy`, `fcm`, `fcm:zmninja`, `apns`.
    pub transport: String,
    /// Where it sends to.
    pub target: String,
    /// Whether every step went well.
    pub ok: bool,
    /// What was done, in order; ends at the first step that fails.
    pub steps: Vec<CheckStep>,
    /// How old the result is, in milliseconds; absent: it was made for this request. Providers are asked at most once
    /// in ten seconds for those who are no admins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<u64>,
}

/// One step of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckStep {
    /// `dns`, `tcp`, `tls`, `http`, `credentials`.
    pub name: String,
    /// Whether it went well.
    pub ok: bool,
    /// How long it took.
    pub ms: u64,
    /// What was found.
    pub detail: String,
    /// Where it failed: the kind of fault, as [`TransportView::fault`] has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// The answer to `push queue`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PushQueue {
    /// How many pushes wait.
    pub queued: u64,
    /// The transports and how they are.
    pub transports: Vec<TransportView>,
    /// What waits, oldest first; at most 100 of them.
    pub deliveries: Vec<DeliveryView>,
}

/// A transport and how it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransportView {
    /// Which.
    pub transport: String,
    /// It has failed so often that nothing is sent for a while.
    pub open: bool,
    /// When it is tried again.
    pub retry_at: Option<Timestamp>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// Pushes that are on their way.
    pub in_flight: u64,
    /// Where it fails: what kind of fault. `dns`, `refused`, `no_route`, `timeout`, `closed`, `certificate_expired`,
    /// `certificate_name`, `unknown_authority`, `bad_certificate`, `own_certificate`, `tls`, `web_page`, `redirect`,
    /// `bad_answer`, `credentials`, `not_found`, `clock`, `limited`, `provider` or `resting`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// Where it fails: the provider's last HTTP status, if it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Where it fails: since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// How many pushes have failed in a row.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failures: u64,
    /// When the provider last took a push; absent: not since the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_success_at: Option<Timestamp>,
    /// Where it fails: what to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// What is not said where nothing is to be counted.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The answer to `push retry`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushRetried {
    /// The transports that were asked for.
    pub transports: Vec<RetriedTransport>,
}

/// A transport whose rest was ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetriedTransport {
    /// Which.
    pub transport: String,
    /// Whether it rested.
    pub rested: bool,
    /// How much longer it would have rested, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest_ms: Option<u64>,
    /// Pushes that wait for it.
    pub waiting: u64,
    /// Why the last push failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// The answer to `latency`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// In the order in which an alarm passes them.
    pub stages: Vec<StageLatency>,
}

/// How long one stage takes; milliseconds with fractions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageLatency {
    /// Which.
    pub stage: String,
    /// How often it was measured since the start.
    pub count: u64,
    /// Half of them took at most so long.
    pub p50_ms: f64,
    /// 9 of 10.
    pub p90_ms: f64,
    /// 99 of 100.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}
