//! Counters of the push side, and the health of each transport by the outcomes of its pushes.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use zmes_providers::TransportFault;
use zmes_shared::views::PushCounts;

use crate::domain::TokenId;
use crate::ports::{
    Held, ProbeFailure, ProbeResult, Refusals, TransportCheck, TransportFailure, TransportHealth,
};

#[derive(Debug, Default)]
pub struct PushStatus {
    counts: Mutex<PushCounts>,
    transports: Mutex<BTreeMap<String, TransportHealth>>,
    /// Why phones wait, where the transport is not the reason: at most as many as lanes.
    held: Mutex<HashMap<TokenId, Held>>,
}

impl PushStatus {
    /// Returns what became of pushes; `queued` are the deliveries without an outcome.
    pub fn counts(&self) -> PushCounts {
        *lock(&self.counts)
    }

    /// Returns the health of the transports, by name. Their targets are not known here.
    pub fn health(&self) -> BTreeMap<String, TransportHealth> {
        lock(&self.transports).clone()
    }

    pub(super) fn set_queued(&self, deliveries: usize) {
        lock(&self.counts).queued = deliveries as u64;
    }

    pub(super) fn sent(&self) {
        lock(&self.counts).delivered += 1;
    }

    pub(super) fn gave_up(&self) {
        lock(&self.counts).failed += 1;
    }

    pub(super) fn went_out(&self, transport: &str) {
        self.update(transport, |health| health.in_flight += 1);
    }

    pub(super) fn came_out(&self, transport: &str) {
        self.update(transport, |health| health.in_flight = health.in_flight.saturating_sub(1));
    }

    pub(super) fn accepted(&self, transport: &str, at: Timestamp) {
        self.update(transport, |health| {
            (health.failure, health.rests_until, health.refusals) = (None, None, None);
            health.last_success = Some(at);
            health.probe = Some(ProbeResult::default());
        });
    }

    /// The provider has answered properly, but did not accept the push.
    pub(super) fn answered(&self, transport: &str) {
        self.update(transport, |health| {
            (health.failure, health.rests_until) = (None, None);
            // It was reached.
            health.probe = Some(ProbeResult::default());
        });
    }

    /// A transport was checked without a message.
    pub(super) fn checked(&self, check: &TransportCheck, at: Timestamp) {
        self.update(&check.transport, |health| {
            let before = health.probe.take().and_then(|probe| probe.failure);
            let failure = check.failed().map(|step| ProbeFailure {
                count: before.as_ref().map_or(0, |before| before.count) + 1,
                since: before.map_or(at, |before| before.since),
                last: at,
                step: step.clone(),
            });
            health.probe = Some(ProbeResult { failure });
        });
    }

    pub(super) fn refused(&self, transport: &str, at: Timestamp, detail: &str) {
        self.answered(transport);
        self.update(transport, |health| {
            let before = health.refusals.take();
            health.refusals = Some(Refusals {
                count: before.as_ref().map_or(0, |before| before.count) + 1,
                since: before.map_or(at, |before| before.since),
                detail: detail.to_owned(),
            });
        });
    }

    /// The transport has failed. `rests_until`: a rest began.
    pub(super) fn broke(
        &self,
        transport: &str,
        at: Timestamp,
        fault: &TransportFault,
        rests_until: Option<Timestamp>,
    ) {
        self.update(transport, |health| {
            let before = health.failure.take();
            health.failure = Some(TransportFailure {
                fault: fault.clone(),
                since: before.as_ref().map_or(at, |before| before.since),
                last: at,
                count: before.map_or(0, |before| before.count) + 1,
            });
            health.rests_until = rests_until.or(health.rests_until);
        });
    }

    pub(super) fn rest_ended(&self, transport: &str, at: Timestamp) {
        self.update(transport, |health| health.rests_until = Some(at));
    }

    pub(super) fn forget(&self, transport: &str) {
        lock(&self.transports).remove(transport);
    }

    pub(super) fn held(&self, token: TokenId, now: Timestamp) -> Option<Held> {
        let held = lock(&self.held);
        held.get(&token).filter(|held| held.until.is_some_and(|until| until > now)).cloned()
    }

    pub(super) fn hold(&self, token: TokenId, held: Held) {
        lock(&self.held).insert(token, held);
    }

    pub(super) fn release(&self, token: TokenId) {
        lock(&self.held).remove(&token);
    }

    /// Removes waits that are over: jobs that were withdrawn or expired never release theirs.
    pub(super) fn forget_held(&self, now: Timestamp) {
        let mut held = lock(&self.held);
        held.retain(|_, held| held.until.is_some_and(|until| until > now));
    }

    fn update(&self, transport: &str, change: impl FnOnce(&mut TransportHealth)) {
        let mut transports = lock(&self.transports);
        let health = transports.entry(transport.to_owned()).or_insert_with(|| TransportHealth {
            transport: transport.to_owned(),
            ..TransportHealth::default()
        });
        change(health);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use zmes_providers::CheckStep;
    use zmes_shared::words::FaultKind;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn failures_count_from_the_first_until_the_provider_answers() {
        let status = PushStatus::default();
        let health = || status.health().remove("proxy").unwrap();
        let fault = |kind| TransportFault::unanswered(kind, "connection refused");
        status.broke("proxy", at(10), &fault(FaultKind::Refused), None);
        status.broke("proxy", at(70), &fault(FaultKind::Timeout), Some(at(100)));
        let failure = health().failure.unwrap();
        assert_eq!((failure.since, failure.last, failure.count), (at(10), at(70), 2));
        assert_eq!(failure.fault.kind, FaultKind::Timeout, "the last one counts");
        assert_eq!(health().rest(at(90)), Some(Duration::from_secs(10)));
        assert_eq!(
            (health().rest(at(100)), health().rest(at(101))),
            (None, None),
            "never a time in the past"
        );
        status.refused("proxy", at(110), "400: too large");
        assert!(!health().fails() && health().rests_until.is_none());
        status.refused("proxy", at(120), "400: too large");
        assert_eq!(health().refusals.map(|refusals| (refusals.count, refusals.since)), Some((2, at(110))));
        status.accepted("proxy", at(130));
        assert_eq!((health().refusals, health().last_success), (None, Some(at(130))));
    }

    #[test]
    fn failed_checks_count_until_one_succeeds_or_a_push_is_accepted() {
        let status = PushStatus::default();
        let check = |fault| TransportCheck {
            transport: "fcm".to_owned(),
            target: "fcm.googleapis.com:443".to_owned(),
            ok: false,
            age: Duration::ZERO,
            steps: vec![CheckStep { name: "tcp", took: Duration::ZERO, detail: String::new(), fault }],
        };
        let failed = || status.health()["fcm"].probe.clone().and_then(|probe| probe.failure);
        assert!(status.health().is_empty());
        for second in [10, 20] {
            status.checked(&check(Some(FaultKind::Refused)), at(second));
        }
        let failure = failed().unwrap();
        assert_eq!((failure.count, failure.since, failure.last), (2, at(10), at(20)));
        status.checked(&check(None), at(30));
        assert!(failed().is_none() && status.health()["fcm"].probe.is_some());
        status.checked(&check(Some(FaultKind::Refused)), at(40));
        assert_eq!(failed().unwrap().since, at(40));
        status.accepted("fcm", at(50));
        assert_eq!(failed(), None, "it is known to work");
    }
}
