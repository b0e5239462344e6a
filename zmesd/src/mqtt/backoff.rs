//! The pauses between two attempts to reach the broker. Pure.

use std::time::Duration;

use zmes_shared::words::FaultKind;

const FIRST: Duration = Duration::from_secs(1);
/// The longest pause; also the one after a refused password: a broker may count wrong ones.
const LONGEST: Duration = Duration::from_mins(1);
/// A connection that lived this long was a good one. Two clients with one id throw each other out again and again.
const GOOD: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Returns the pause after a failed attempt; `chance` from 0 to 1 spreads several clients.
    pub(super) fn failed(&mut self, fault: FaultKind, chance: f64) -> Duration {
        let pause = if fault == FaultKind::Credentials {
            LONGEST
        } else {
            FIRST.saturating_mul(1 << self.failures.min(6)).min(LONGEST)
        };
        self.failures = self.failures.saturating_add(1);
        pause.mul_f64(0.8 + 0.2 * chance.clamp(0.0, 1.0))
    }

    /// Returns the pause after a connection that has lived this long.
    pub(super) fn lost(&mut self, lived: Duration, fault: FaultKind, chance: f64) -> Duration {
        if lived >= GOOD {
            self.failures = 0;
        }
        self.failed(fault, chance)
    }

    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_minute_and_a_wrong_password_waits_it_at_once() {
        let mut backoff = Backoff::default();
        let mut seconds = |fault| backoff.failed(fault, 1.0).as_secs();
        let refused = FaultKind::Refused;
        let pauses: Vec<_> = (0..8).map(|_| seconds(refused)).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(seconds(FaultKind::Credentials), 60);
        assert_eq!(backoff.lost(Duration::from_secs(1), refused, 1.0).as_secs(), 60, "it was no good one");
        assert_eq!(backoff.lost(GOOD, refused, 1.0).as_secs(), 1);
        assert_eq!(backoff.lost(GOOD, refused, 0.0).as_millis(), 800);
    }
}
