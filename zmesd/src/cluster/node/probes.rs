//! Checks of the push providers that fail, while another node sends: without them this node would not hear that its
//! provider is back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::health::Ways;
use crate::ports::{TransportCheck, TransportHealth};

/// How often a provider that fails is checked.
const EVERY: Duration = Duration::from_secs(30);
/// A provider that is reached and takes no pushes nevertheless: after the last of them a check counts only this much later.
/// Else the lease would go to and fro.
const DISTRUST: SignedDuration = SignedDuration::from_mins(10);

/// When a provider was reached by a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reached {
    /// `None`: it was, and is not any more.
    at: Option<Timestamp>,
    /// It had been reached before, and pushes failed all the same.
    is_doubtful: bool,
}

/// What checks of failing providers have found. Pure.
#[derive(Debug, Default)]
pub(super) struct ReachedProviders(BTreeMap<String, Reached>);

impl ReachedProviders {
    /// Says whether a provider has been reached since its last push failed.
    pub(super) fn has(&self, health: &TransportHealth, now: Timestamp) -> bool {
        let (Some(reached), Some(failure)) = (self.0.get(&health.transport), &health.failure) else {
            return false;
        };
        let pause = if reached.is_doubtful { DISTRUST } else { SignedDuration::ZERO };
        reached.at.is_some_and(|at| at > failure.last) && now.duration_since(failure.last) >= pause
    }

    /// A check has succeeded at that time. One from before the last push says nothing.
    pub(super) fn reached(&mut self, health: &TransportHealth, at: Timestamp) {
        let Some(failure) = health.failure.as_ref().filter(|failure| failure.last < at) else { return };
        let known = self.0.get(&health.transport);
        let is_doubtful = known
            .is_some_and(|known| known.is_doubtful || known.at.is_some_and(|reached| reached < failure.last));
        self.0.insert(health.transport.clone(), Reached { at: Some(at), is_doubtful });
    }

    /// A check has failed.
    fn not_reached(&mut self, transport: &str) {
        if let Some(known) = self.0.get_mut(transport) {
            known.at = None;
        }
    }

    /// Forgets those that have taken a push since.
    fn keep_failing(&mut self, transports: &[TransportHealth]) {
        let fails = |name: &String| {
            transports.iter().any(|health| health.transport == *name && health.failure.is_some())
        };
        self.0.retain(|name, _| fails(name));
    }
}

/// The checks. Owns: those that run, at most one for each provider.
#[derive(Debug, Default)]
pub(in crate::cluster) struct ProviderProbes {
    pub(super) reached: ReachedProviders,
    /// Each returns when it had ended.
    running: JoinSet<(Instant, Vec<TransportCheck>)>,
    due: Option<Instant>,
}

impl ProviderProbes {
    /// Takes what has been found. Never waits.
    pub(super) fn take(&mut self, transports: &[TransportHealth], now: Timestamp) {
        while let Some(ended) = self.running.try_join_next() {
            let Ok((ended, checks)) = ended else { continue };
            for check in checks {
                let health = transports.iter().find(|health| health.transport == check.transport);
                // It may have been made for somebody else, a few seconds ago.
                let at = now.checked_sub(ended.elapsed() + check.age).unwrap_or(Timestamp::MIN);
                match health.filter(|_| check.ok) {
                    Some(health) => self.reached.reached(health, at),
                    None => self.reached.not_reached(&check.transport),
                }
            }
        }
        self.reached.keep_failing(transports);
    }

    /// Checks these providers, if that is due.
    pub(super) fn check(&mut self, ways: &Ways, transports: impl Iterator<Item = String>, now: Instant) {
        if !self.running.is_empty() || self.due.is_some_and(|due| now < due) {
            return;
        }
        self.due = Some(now + EVERY);
        for transport in transports {
            let push = Arc::clone(&ways.push);
            self.running.spawn(async move {
                let checks = push.check(Some(&transport)).await;
                (Instant::now(), checks)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use zmes_providers::TransportFault;
    use zmes_shared::words::FaultKind;

    use super::*;
    use crate::ports::TransportFailure;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn failed(last: i64) -> TransportHealth {
        let fault = TransportFault::unanswered(FaultKind::Refused, "connection refused");
        TransportHealth {
            transport: "proxy".to_owned(),
            failure: Some(TransportFailure { fault, since: at(0), last: at(last), count: 9 }),
            ..TransportHealth::default()
        }
    }

    #[test]
    fn a_provider_that_is_reached_again_is_believed_once_and_then_for_ten_minutes_not() {
        let mut providers = ReachedProviders::default();
        assert!(!providers.has(&failed(60), at(100)));
        providers.reached(&failed(60), at(100));
        assert!(providers.has(&failed(60), at(100)));
        providers.reached(&failed(60), at(59));
        assert!(providers.has(&failed(60), at(100)), "that one was made before the push");
        providers.not_reached("proxy");
        assert!(!providers.has(&failed(60), at(130)), "away again");
        providers.reached(&failed(60), at(160));
        // This node sends, and pushes fail nevertheless.
        assert!(!providers.has(&failed(200), at(230)));
        providers.reached(&failed(200), at(260));
        assert!(!providers.has(&failed(200), at(799)) && providers.has(&failed(200), at(800)));
        providers.keep_failing(&[failed(200)]);
        assert!(providers.has(&failed(200), at(800)));
        // A push was taken.
        providers.keep_failing(&[TransportHealth { failure: None, ..failed(200) }]);
        providers.reached(&failed(900), at(960));
        assert!(providers.has(&failed(900), at(960)));
    }
}
