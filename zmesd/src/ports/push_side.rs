//! What the control socket asks of the push side: how its ways are, what waits, and how long things take.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use zmes_providers::CheckStep;
use zmes_shared::views::PushModeState;
use zmes_shared::words::HeldBy;

use super::TransportHealth;
use crate::domain::Token;

/// How far one transport comes without sending anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportCheck {
    /// Which: `proxy`, `fcm`, `fcm:zmninja`, `apns`.
    pub transport: String,
    /// Where it sends to.
    pub target: String,
    /// Whether every step went well.
    pub ok: bool,
    /// How old this is: checks are made once for all who ask within a few seconds.
    pub age: Duration,
    /// What was done, in order; ends at the first step that fails.
    pub steps: Vec<CheckStep>,
}

/// What became of pushes since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PushCounts {
    /// Waiting to be sent.
    pub queued: u64,
    /// Accepted by their provider.
    pub delivered: u64,
    /// Given up.
    pub failed: u64,
}

/// A transport and whether it is held back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerView {
    /// Which.
    pub transport: String,
    /// It has failed so often that nothing is sent for a while.
    pub open: bool,
    /// When it is tried again.
    pub retry_at: Option<Timestamp>,
    /// Why the last attempt failed; `None` once one has succeeded.
    pub last_error: Option<String>,
    /// Pushes that are on their way.
    pub in_flight: u64,
}

/// Why the next push to a phone waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// What holds it back.
    pub by: HeldBy,
    /// Until when, if that is known and still to come.
    pub until: Option<Timestamp>,
    /// The provider's last words, or the limit.
    pub reason: String,
}

/// A transport whose rest was to be ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retried {
    /// Which.
    pub transport: String,
    /// For how long it would have rested; `None`: it did not rest.
    pub rest: Option<Duration>,
    /// Pushes in memory that wait for it.
    pub waiting: u64,
}

/// The push side is busy, or about to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the push side does not answer")]
pub struct PushBusy;

/// How long one stage takes, since the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageLatency {
    /// Which.
    pub stage: String,
    /// How often it was measured.
    pub count: u64,
    /// Half of them took at most so long.
    pub p50: Duration,
    /// 9 of 10.
    pub p90: Duration,
    /// 99 of 100.
    pub p99: Duration,
    /// The longest.
    pub max: Duration,
}

/// The push side as admins see it.
#[async_trait]
pub trait PushSide: Send + Sync + std::fmt::Debug {
    /// Goes to the providers as far as possible without sending anything; only to transports of that kind (`proxy`,
    /// `fcm`, `apns`) where one is named. Empty: none is configured. Bounded in time by the implementation, and in
    /// requests to the providers: one check at a time for each transport, which serves all who ask within a few seconds.
    async fn check(&self, only: Option<&str>) -> Vec<TransportCheck>;

    /// Says whether pushes are sent.
    fn mode(&self) -> PushModeState;

    /// From now on only checks count that begin later: who has just mended something must not hear how it was before.
    fn check_anew(&self);

    /// Ends the rest of transports, of that kind where one is named, and lets what waits for them go.
    async fn retry(&self, only: Option<&str>) -> Result<Vec<Retried>, PushBusy>;

    /// Returns why the next push to a phone waits, if it does.
    fn held(&self, token: &Token) -> Option<Held>;

    /// Returns what became of pushes since the start.
    fn counts(&self) -> PushCounts;

    /// Returns how each transport does, by what came of pushes.
    fn health(&self) -> Vec<TransportHealth>;

    /// Returns the transports and how they are.
    fn breakers(&self) -> Vec<BreakerView>;

    /// Returns the names of the transports that a token takes, the first one first; empty: there is no way to it.
    fn ways(&self, token: &Token) -> Vec<String>;

    /// Returns how long each stage takes, in the order in which an alarm passes them.
    fn latencies(&self) -> Vec<StageLatency>;
}
