//! Numbers since the start, shared by reference; each is written by one room and read by `status` and `/metrics`.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use zmes_shared::views::RefusalReason;
use zmes_shared::words::MonitorCondition;

use super::beats::Beats;
use super::labels::{Frame, Login, PictureRequest, Pushed, Reload, Transport};
use super::refusals::{Refusal, Refusals};
use super::tally::{Levels, Tally};
use super::timings::Timings;
use crate::domain::{Decision, Origin};
use crate::rules::RuleAction;
use zmes_shared::words::{Phase, TargetKind, TroubleKind};

#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn increment(&self) {
        self.add(1);
    }

    pub fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
pub struct Level(AtomicU64);

impl Level {
    /// Counts one more until the returned guard is dropped.
    pub fn enter(&self) -> Inside<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Inside(self)
    }

    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub fn set(&self, number: u64) {
        self.0.store(number, Ordering::Relaxed);
    }
}

#[derive(Debug)]
#[must_use = "it counts as long as it lives"]
pub struct Inside<'a>(&'a Level);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Number of findings, by the last check of each kind.
#[derive(Debug, Default)]
pub struct Findings {
    pub errors: Level,
    pub warnings: Level,
}

/// Home automation.
#[derive(Debug, Default)]
pub struct MqttCounters {
    /// 1 while the broker is connected.
    pub connected: Level,
    /// Messages that the broker has acknowledged.
    pub published: Counter,
    /// Commands that were ignored.
    pub ignored: Counter,
}

/// All numbers of the daemon. Counting is an atomic addition, and never waits for a reader.
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
    /// Clients that were refused, with the numbers by reason.
    pub refusals: Refusals,
    /// Rounds of the poller: `check ping` compares them.
    pub polls: Counter,
    /// Notes that the state could not take.
    pub lost_notes: Counter,
    /// Orders that the push side had no room for.
    pub deferred_pushes: Counter,
    /// Tokens that a provider has called dead.
    pub dead_tokens: Counter,
    /// Events that watchers of the control socket were too slow for.
    pub lagged: Counter,
    /// Alarms and their ends by how they were found, tests among them.
    pub alarms_by: Tally<(Phase, Origin)>,
    /// Decisions, for each target of each alarm.
    pub decisions: Tally<(TargetKind, Decision)>,
    /// Alarms that a rule decided for at least one receiver.
    pub rules: Tally<RuleAction>,
    pub logins: Tally<Login>,
    pub frames: Tally<Frame>,
    /// Deliveries and attempts.
    pub pushes: Tally<(Transport, Pushed)>,
    /// Looks at monitors that showed nothing.
    pub shm_errors: Tally<MonitorCondition>,
    /// Requests of phones for pictures.
    pub pictures: Tally<PictureRequest>,
    pub reloads: Tally<Reload>,
    /// Connections that are not sessions yet.
    pub handshakes: Level,
    pub listeners: Level,
    pub findings: Findings,
    pub mqtt: MqttCounters,
    /// Open troubles.
    pub troubles: Levels<TroubleKind>,
    pub timings: Timings,
    /// Signs of life of the loops.
    pub beats: Beats,
}

impl Counters {
    /// Counts a refusal, keeps it for `clients rejected`, and logs it; returns the number of that kind.
    pub fn refuse(&self, refusal: Refusal, now: Timestamp) -> u64 {
        // `zmesd_ws_rejected_total` has never counted these: the first has a label of `zmesd_ws_auth_total`.
        let apart = [RefusalReason::AuthTimeout, RefusalReason::LoginUnavailable, RefusalReason::Protocol];
        if !apart.contains(&refusal.reason) {
            self.rejected.increment();
        }
        self.refusals.record(refusal, now)
    }
}
