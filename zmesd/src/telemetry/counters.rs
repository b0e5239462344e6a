//! Counters since the start, shared by reference; each is written by one room and read by `status` and the metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub fn increment(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the number now.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// All counters of the daemon.
#[derive(Debug, Default)]
pub struct Counters {
    /// Alarms announced, tests not counted.
    pub alarms: Counter,
    /// Of these: found by the reconciler.
    pub reconciled: Counter,
    /// Sessions dropped because they did not read.
    pub slow_sessions: Counter,
    /// Connections refused by a limit, handshakes that failed, logins that were rejected.
    pub rejected: Counter,
    /// Rounds of the poller: `check ping` looks whether it moves.
    pub polls: Counter,
    /// Notes that the state could not take.
    pub lost_notes: Counter,
    /// Orders that the push side had no room for: it finds them on the disk.
    pub deferred_pushes: Counter,
}
