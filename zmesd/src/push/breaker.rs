//! The circuit breaker of one transport: a provider that fails gets one push now and then, not every push.

use std::time::Duration;

use tokio::time::Instant;

use super::retry;

/// Failures in a row after which a transport rests.
const FAILURES: u32 = 5;
/// Its first rest; each further one is twice as long.
const FIRST_REST: Duration = Duration::from_secs(2);
/// Its longest rest: a provider that is back is noticed within a minute.
const LONGEST_REST: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub(super) struct Breaker {
    state: BreakerState,
    rests: u32,
}

#[derive(Debug)]
enum BreakerState {
    /// All pushes pass; this many have failed in a row.
    Closed(u32),
    Open(Instant),
    /// One push was sent as a probe, at that time.
    Probing(Instant),
}

impl Breaker {
    pub(super) fn new() -> Self {
        Self { state: BreakerState::Closed(0), rests: 0 }
    }

    pub(super) fn admits(&self, now: Instant) -> bool {
        match self.state {
            BreakerState::Closed(_) => true,
            BreakerState::Open(until) => until <= now,
            // A probe that never comes back must not block the transport for ever.
            BreakerState::Probing(since) => since + LONGEST_REST <= now,
        }
    }

    pub(super) fn sending(&mut self, now: Instant) {
        if !matches!(self.state, BreakerState::Closed(_)) {
            self.state = BreakerState::Probing(now);
        }
    }

    pub(super) fn rests_until(&self) -> Option<Instant> {
        match self.state {
            BreakerState::Open(until) => Some(until),
            BreakerState::Closed(_) | BreakerState::Probing(_) => None,
        }
    }

    /// Ends a rest: the next push is the probe. Returns how long it would still have lasted; `None`: there was none.
    pub(super) fn end_rest(&mut self, now: Instant) -> Option<Duration> {
        let BreakerState::Open(until) = self.state else { return None };
        self.state = BreakerState::Open(now);
        // If it fails again, the first rest is a short one.
        self.rests = 0;
        Some(until.saturating_duration_since(now))
    }

    /// What went out last was not sent, so it proved nothing: another one is the probe.
    pub(super) fn unsent(&mut self, now: Instant) {
        if let BreakerState::Probing(_) = self.state {
            self.state = BreakerState::Open(now);
        }
    }

    /// The provider has answered, even if it refused that push. Returns whether the transport had rested.
    pub(super) fn answered(&mut self) -> bool {
        let was_away = !matches!(self.state, BreakerState::Closed(_));
        *self = Self::new();
        was_away
    }

    /// The provider did not answer, or not properly. Returns how long the transport rests, if a rest begins now.
    pub(super) fn failed(
        &mut self,
        now: Instant,
        retry_after: Option<Duration>,
        luck: f64,
    ) -> Option<Duration> {
        let failures = match self.state {
            // `Retry-After` is meant for all pushes, not only for this one.
            BreakerState::Closed(failures) if failures + 1 < FAILURES && retry_after.is_none() => {
                self.state = BreakerState::Closed(failures + 1);
                return None;
            }
            BreakerState::Closed(_) | BreakerState::Probing(_) => self.rests,
            // Pushes that were under way when the rest began do not prolong it.
            BreakerState::Open(_) => return None,
        };
        let rest = retry::backoff(failures, FIRST_REST, LONGEST_REST, luck);
        let rest = retry_after.map_or(rest, |asked| rest.max(asked.min(LONGEST_REST)));
        self.state = BreakerState::Open(now + rest);
        self.rests += 1;
        Some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_provider_is_asked_by_one_probe_at_a_time() {
        let mut breaker = Breaker::new();
        let start = Instant::now();
        for _ in 1..FAILURES {
            assert_eq!(breaker.failed(start, None, 0.5), None);
        }
        assert!(breaker.admits(start));
        assert_eq!(breaker.failed(start, None, 0.5), Some(after(2)));
        assert!(!breaker.admits(start + after(1)));
        assert!(breaker.admits(start + after(2)), "the probe");
        breaker.sending(start + after(2));
        assert!(!breaker.admits(start + after(2)), "only one");
        assert!(breaker.admits(start + after(62)), "unless it is lost");
        assert_eq!(breaker.failed(start + after(3), None, 0.5), Some(after(4)), "the next rest is longer");
        assert!(!breaker.admits(start + after(6)));
        assert!(breaker.admits(start + after(7)));
        breaker.sending(start + after(7));
        assert!(breaker.answered());
        assert!(breaker.admits(start + after(7)) && breaker.admits(start + after(7)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_that_is_ended_lets_one_probe_through_and_begins_anew_if_that_fails() {
        let mut breaker = Breaker::new();
        let start = Instant::now();
        assert_eq!(breaker.end_rest(start), None, "it did not rest");
        for _ in 0..4 {
            breaker.failed(start, Some(after(3600)), 0.5);
            breaker.sending(start);
        }
        breaker.failed(start, Some(after(3600)), 0.5);
        assert!(!breaker.admits(start + after(59)), "an hour is asked for, a minute is granted");
        assert_eq!(breaker.end_rest(start + after(20)), Some(after(40)));
        assert!(breaker.admits(start + after(20)));
        breaker.sending(start + after(20));
        assert!(!breaker.admits(start + after(20)), "one probe");
        assert_eq!(breaker.failed(start + after(21), None, 0.5), Some(after(2)));
        breaker.sending(start + after(23));
        assert!(breaker.answered() && breaker.admits(start + after(23)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_was_not_sent_lets_another_one_through() {
        let mut breaker = Breaker::new();
        let now = Instant::now();
        breaker.unsent(now);
        assert!(breaker.admits(now));
        breaker.failed(now, Some(after(30)), 0.5);
        breaker.unsent(now);
        assert!(!breaker.admits(now + after(29)), "a rest goes on");
        breaker.sending(now + after(30));
        assert!(!breaker.admits(now + after(31)));
        breaker.unsent(now + after(31));
        assert!(breaker.admits(now + after(31)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_between_failures_forgives() {
        let mut breaker = Breaker::new();
        for _ in 0..20 {
            assert_eq!(breaker.failed(Instant::now(), None, 0.5), None);
            assert!(!breaker.answered());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_provider_that_names_a_time_is_left_alone_until_then_by_everybody() {
        let mut breaker = Breaker::new();
        let now = Instant::now();
        let rests = (0..FAILURES).filter_map(|_| breaker.failed(now, Some(after(30)), 0.5));
        assert_eq!(
            rests.collect::<Vec<_>>(),
            [after(30)],
            "the first answer says it, the others nothing new"
        );
        assert!(!breaker.admits(now + after(29)) && breaker.admits(now + after(30)));
    }
}
