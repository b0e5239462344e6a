//! How a transport does, by what came of the pushes themselves: the one source for `push queue`, `check`, `doctor`,
//! `status` and the troubles.

use std::time::Duration;

use jiff::Timestamp;
use zmes_providers::Fault;

use super::push_cure::cure;

/// How one transport does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TransportHealth {
    /// Which: `proxy`, `fcm`, `fcm:zmninja`, `apns`.
    pub transport: String,
    /// Where it sends to: host and port.
    pub target: String,
    /// Pushes that are on their way.
    pub in_flight: u64,
    /// When the provider last took a push; `None`: not since the start.
    pub last_success: Option<Timestamp>,
    /// What fails now; `None` once the provider has answered as it should, or while nothing was sent.
    pub failure: Option<TransportFailure>,
    /// Nothing is sent before then. May be past: then the next push is the probe.
    pub rests_until: Option<Timestamp>,
    /// Messages that the provider refused in a row, with its last words: the transport works, and yet no phone rings.
    pub refusals: Option<Refusals>,
}

/// Failures of a transport in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportFailure {
    /// The last one.
    pub fault: Fault,
    /// When the first of them came.
    pub since: Timestamp,
    /// When the last of them came.
    pub last: Timestamp,
    /// How many.
    pub count: u64,
}

/// Refused messages in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusals {
    /// How many.
    pub count: u64,
    /// When the first of them came.
    pub since: Timestamp,
    /// The provider's last words.
    pub detail: String,
}

impl TransportHealth {
    /// Says whether the transport fails.
    pub fn fails(&self) -> bool {
        self.failure.is_some()
    }

    /// Says whether it rests or has not proved itself since it did.
    pub fn held_back(&self) -> bool {
        self.rests_until.is_some()
    }

    /// Returns for how long it rests from `now` on; `None`: it does not, or the next push is the probe.
    pub fn rest(&self, now: Timestamp) -> Option<Duration> {
        let left = Duration::try_from(self.rests_until?.duration_since(now)).ok()?;
        (!left.is_zero()).then_some(left)
    }

    /// Returns what to do about the failure, if there is one.
    pub fn cure(&self) -> Option<String> {
        self.failure.as_ref().map(|failure| cure(failure.fault.kind, &self.transport, &self.target))
    }
}
