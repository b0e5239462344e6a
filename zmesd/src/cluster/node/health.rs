//! What keeps this node from sending pushes for all: another node then takes the lease.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{info, warn};

use super::NodeTask;
use super::probes::ReachedProviders;
use crate::config::AuthConfig;
use crate::monitors::Catalog;
use crate::ports::{PushSide, TransportHealth};
use crate::route::PushRules;

/// How long providers must fail, or ZoneMinder's users be unknown: a restart of a proxy is no reason to hand over.
const HOLD: Duration = Duration::from_secs(30);
/// Transports to phones; all others are services of `[[target]]`.
const TO_PHONES: [&str; 3] = ["apns", "fcm", "proxy"];

/// What a node knows of its way to phones. Pure.
#[derive(Debug)]
struct WaysToPhones<'w> {
    rules: &'w PushRules,
    transports: &'w [TransportHealth],
    /// Those that a check has reached since: this node sends nothing, and so does not hear that its provider is back.
    reached: &'w ReachedProviders,
    /// Some phone is known at all.
    has_phones: bool,
    /// Since when owners of tokens cannot be judged, because ZoneMinder's users were never read.
    blind_since: Option<Instant>,
}

impl WaysToPhones<'_> {
    /// Returns what keeps this node from sending; empty: nothing.
    fn trouble(&self, now: (Instant, Timestamp)) -> String {
        if self.rules.shadow {
            return "push.mode is \"shadow\": nothing is sent".to_owned();
        }
        if self.has_phones && !self.rules.phones {
            return "no push provider for phones is configured".to_owned();
        }
        if self.blind_since.is_some_and(|since| now.0.duration_since(since) >= HOLD) {
            return "ZoneMinder's users cannot be read".to_owned();
        }
        self.no_provider(now.1).unwrap_or_default()
    }

    /// Says why no provider can be reached, if none can.
    fn no_provider(&self, now: Timestamp) -> Option<String> {
        let mut phones = self.transports.iter().filter(|health| is_to_phones(health)).peekable();
        let first = *phones.peek()?;
        let hold = SignedDuration::try_from(HOLD).unwrap_or(SignedDuration::MAX);
        let fails = |health: &TransportHealth| {
            health.failure.as_ref().is_some_and(|failure| {
                health.held_back()
                    && now.duration_since(failure.since) >= hold
                    && !self.reached.has(health, now)
            })
        };
        if !phones.all(fails) {
            return None;
        }
        let fault = first.failure.as_ref().map(|failure| failure.fault.to_string()).unwrap_or_default();
        Some(format!("no push provider can be reached; {}: {fault}", first.transport))
    }
}

fn is_to_phones(health: &TransportHealth) -> bool {
    health.transport.split(':').next().is_some_and(|kind| TO_PHONES.contains(&kind))
}

/// Where the node learns whether it can send pushes.
#[derive(Debug)]
pub(in crate::cluster) struct Ways {
    pub(in crate::cluster) push: Arc<dyn PushSide>,
    pub(in crate::cluster) rules: watch::Receiver<PushRules>,
    pub(in crate::cluster) catalog: watch::Receiver<Arc<Catalog>>,
    pub(in crate::cluster) auth: watch::Receiver<AuthConfig>,
}

impl NodeTask {
    /// Returns what keeps this node from sending pushes; empty: nothing.
    pub(super) fn trouble(&mut self) -> String {
        let (now, at, Ways { push, rules, catalog, auth }) = (Instant::now(), self.clock.now(), &self.ways);
        let transports = push.health();
        self.probes.take(&transports, at);
        let is_blind = auth.borrow().enabled && catalog.borrow().read_at.is_none();
        self.reading.blind_since = is_blind.then(|| self.reading.blind_since.unwrap_or(now));
        let ways = WaysToPhones {
            rules: &rules.borrow(),
            transports: &transports,
            reached: &self.probes.reached,
            has_phones: self.reading.has_phones,
            blind_since: self.reading.blind_since,
        };
        let trouble = ways.trouble((now, at));
        if !trouble.is_empty() {
            let fail = transports.iter().filter(|health| is_to_phones(health) && health.held_back());
            self.probes.check(&self.ways, fail.map(|health| health.transport.clone()), now);
        }
        trouble
    }

    /// A sign of life was answered: the ledger takes writes.
    pub(super) fn alive(&mut self, trouble: String) {
        self.beats.send_replace(trouble.is_empty());
        let failed = std::mem::take(&mut self.reading.failed);
        if !failed {
            self.board.answered();
            if std::mem::take(&mut self.reading.told_away) {
                info!("the cluster's ledger can be used again");
            }
        }
        if self.reading.trouble == trouble {
            return;
        }
        if trouble.is_empty() {
            info!("this node can send pushes again");
        } else {
            warn!(trouble, "this node cannot send pushes: a node that can takes over");
        }
        self.reading.trouble = trouble;
    }
}

#[cfg(test)]
mod tests {
    use zmes_providers::TransportFault;
    use zmes_shared::words::FaultKind;

    use super::*;
    use crate::ports::TransportFailure;

    fn rules() -> PushRules {
        PushRules { enabled: true, phones: true, interval_default: Duration::ZERO, shadow: false }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn failing(transport: &str) -> TransportHealth {
        let fault = TransportFault::unanswered(FaultKind::Refused, "connection refused");
        TransportHealth {
            transport: transport.to_owned(),
            failure: Some(TransportFailure { fault, since: at(0), last: at(60), count: 9 }),
            rests_until: Some(at(90)),
            ..TransportHealth::default()
        }
    }

    fn trouble(rules: &PushRules, transports: &[TransportHealth], second: i64) -> String {
        trouble_of(rules, transports, &ReachedProviders::default(), second)
    }

    fn trouble_of(
        rules: &PushRules,
        transports: &[TransportHealth],
        reached: &ReachedProviders,
        second: i64,
    ) -> String {
        let ways = WaysToPhones { rules, transports, reached, has_phones: true, blind_since: None };
        ways.trouble((Instant::now(), at(second)))
    }

    #[test]
    fn providers_that_fail_for_half_a_minute_are_a_reason_to_hand_over_until_one_is_reached() {
        let well = TransportHealth { transport: "fcm:zmninja".to_owned(), ..TransportHealth::default() };
        let service = TransportHealth { transport: "ntfy:guard".to_owned(), ..TransportHealth::default() };
        assert_eq!(trouble(&rules(), &[], 100), "");
        assert_eq!(trouble(&rules(), &[failing("proxy"), well], 100), "", "one way is left");
        let all = [failing("proxy"), service];
        assert_eq!(trouble(&rules(), &all, 29), "");
        let text = trouble(&rules(), &all, 30);
        assert!(text.starts_with("no push provider can be reached; proxy: "), "{text}");
        assert_ne!(trouble(&rules(), &all, 60 + 600), "", "time mends nothing");
        let mut reached = ReachedProviders::default();
        reached.reached(&all[0], at(660));
        assert_eq!(trouble_of(&rules(), &all, &reached, 660), "");
    }

    #[test]
    fn a_node_that_only_tries_out_or_knows_no_way_to_phones_says_so() {
        assert!(trouble(&PushRules { shadow: true, ..rules() }, &[], 0).contains("shadow"));
        let targets = PushRules { phones: false, ..rules() };
        assert!(trouble(&targets, &[], 0).contains("no push provider for phones"));
        let reached = &ReachedProviders::default();
        let ways =
            WaysToPhones { rules: &targets, transports: &[], reached, has_phones: false, blind_since: None };
        assert_eq!(ways.trouble((Instant::now(), at(0))), "", "there are no phones");
        let blind = WaysToPhones { rules: &rules(), blind_since: Some(Instant::now()), ..ways };
        assert_eq!(blind.trouble((Instant::now(), at(0))), "");
        assert!(blind.trouble((Instant::now() + HOLD, at(0))).contains("users"));
    }
}
