//! How many frames one app may send.

use std::time::Duration;

use tokio::time::Instant;

/// Frames that may come at once: an app that connects, reads its settings and clears its badges sends about ten.
const BURST: f32 = 60.0;
/// Frames a second in the long run.
const REFILL: f32 = 5.0;
/// What an `auth` costs beside its frame: it may cost the daemon 50 ms of bcrypt.
pub(super) const LOGIN_COST: f32 = 9.0;
/// What a frame costs.
pub(super) const FRAME_COST: f32 = 1.0;

/// A token bucket.
#[derive(Debug)]
pub(super) struct TokenBucket {
    tokens: f32,
    filled_at: Instant,
}

impl TokenBucket {
    /// Returns a full bucket.
    pub(super) fn new(now: Instant) -> Self {
        Self { tokens: BURST, filled_at: now }
    }

    /// Puts back the cost of one frame: the app was sent one, and some apps answer each alarm with a badge.
    pub(super) fn credit(&mut self) {
        self.tokens = (self.tokens + FRAME_COST).min(BURST);
    }

    /// Takes out `cost`; false: there is not enough.
    pub(super) fn take(&mut self, cost: f32, now: Instant) -> bool {
        let elapsed: Duration = now.saturating_duration_since(self.filled_at);
        self.tokens = (self.tokens + elapsed.as_secs_f32() * REFILL).min(BURST);
        self.filled_at = now;
        self.tokens -= cost;
        self.tokens >= 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_that_answers_each_alarm_is_no_flood() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(start);
        for _ in 0..1000 {
            bucket.credit();
            assert!(bucket.take(FRAME_COST, start));
        }
    }

    #[test]
    fn a_burst_passes_and_a_flood_does_not() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(start);
        assert!((0..60).all(|_| bucket.take(FRAME_COST, start)));
        assert!(!bucket.take(FRAME_COST, start));
        assert!(bucket.take(FRAME_COST, start + Duration::from_secs(2)));
        let mut logins = TokenBucket::new(start);
        let passed = (0..60).take_while(|_| logins.take(FRAME_COST + LOGIN_COST, start)).count();
        assert_eq!(passed, 6);
    }

    #[test]
    fn five_frames_a_second_pass_for_ever() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(start);
        assert!((0..1000).all(|n| bucket.take(FRAME_COST, start + Duration::from_millis(200 * n))));
    }
}
