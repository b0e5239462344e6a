//! The storm guard: at most `push.storm-limit` pushes a minute for one token; what exceeds that becomes one digest.

use std::time::Duration;

use tokio::time::Instant;

/// The time within which pushes are counted; it begins with its first push.
pub const STORM_WINDOW: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, Copy)]
pub(super) struct StormGuard {
    began: Instant,
    window: Duration,
    sent: u32,
    /// The limit was reached: all waiting pushes become one digest.
    piled_up: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Single,
    /// Send everything that waits for the token as one digest.
    Digest,
    Wait(Instant),
}

impl StormGuard {
    pub(super) fn new(now: Instant, window: Duration) -> Self {
        Self { began: now, window, sent: 0, piled_up: false }
    }

    pub(super) fn turn(&mut self, now: Instant, limit: u32) -> Turn {
        if now.duration_since(self.began) >= self.window {
            *self = Self { piled_up: self.piled_up, ..Self::new(now, self.window) };
        }
        if self.sent >= limit {
            self.piled_up = true;
            return Turn::Wait(self.began + self.window);
        }
        self.again()
    }

    /// Says what to do with a push that has failed before: it was counted then.
    pub(super) fn again(&self) -> Turn {
        if self.piled_up { Turn::Digest } else { Turn::Single }
    }

    pub(super) fn count(&mut self) {
        self.sent = self.sent.saturating_add(1);
    }

    pub(super) fn cleared(&mut self) {
        self.piled_up = false;
    }

    pub(super) fn idle(&self, now: Instant) -> bool {
        !self.piled_up && now.duration_since(self.began) >= self.window
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_exceeds_the_limit_waits_for_the_end_of_the_minute_and_goes_out_as_one() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut guard = StormGuard::new(start, STORM_WINDOW);
        for second in 0..3 {
            assert_eq!(guard.turn(at(second), 3), Turn::Single);
            guard.count();
        }
        assert_eq!(guard.turn(at(3), 3), Turn::Wait(at(60)));
        assert_eq!(guard.turn(at(59), 3), Turn::Wait(at(60)));
        assert_eq!(guard.turn(at(60), 3), Turn::Digest);
        guard.count();
        assert_eq!(guard.turn(at(61), 3), Turn::Digest, "until the provider has taken it");
        guard.cleared();
        assert_eq!(guard.turn(at(62), 3), Turn::Single);
        assert!(!guard.idle(at(119)) && guard.idle(at(120)));
    }
}
