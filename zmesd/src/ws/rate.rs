//! Limits how many frames an app may send.

use std::time::Duration;

use tokio::time::Instant;

use crate::limits::{Bucket, Quota};

/// An app that connects sends about ten frames at once. The long-term limit is five a second.
const FRAMES: Quota = Quota { burst: 60.0, every: Duration::from_millis(200) };
/// Extra cost of an `auth` frame: it may cost the daemon 50 ms of bcrypt.
pub(super) const LOGIN_COST: f64 = 9.0;
pub(super) const FRAME_COST: f64 = 1.0;

#[derive(Debug)]
pub(super) struct FrameRate(Bucket);

impl FrameRate {
    pub(super) fn new(now: Instant) -> Self {
        Self(Bucket::full(FRAMES, now))
    }

    /// Credits one frame: the app was sent a frame, and some apps answer each alarm with a badge.
    pub(super) fn credit(&mut self) {
        self.0.credit(FRAME_COST, FRAMES);
    }

    pub(super) fn take(&mut self, cost: f64, now: Instant) -> bool {
        self.0.charge(cost, FRAMES, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_that_answers_each_alarm_is_no_flood() {
        let start = Instant::now();
        let mut rate = FrameRate::new(start);
        for _ in 0..1000 {
            rate.credit();
            assert!(rate.take(FRAME_COST, start));
        }
    }

    #[test]
    fn a_burst_passes_and_a_flood_does_not() {
        let start = Instant::now();
        let mut rate = FrameRate::new(start);
        assert!((0..60).all(|_| rate.take(FRAME_COST, start)));
        assert!(!rate.take(FRAME_COST, start));
        assert!(rate.take(FRAME_COST, start + Duration::from_secs(2)));
        let mut logins = FrameRate::new(start);
        let passed = (0..60).take_while(|_| logins.take(FRAME_COST + LOGIN_COST, start)).count();
        assert_eq!(passed, 6);
    }

    #[test]
    fn five_frames_a_second_pass_for_ever() {
        let start = Instant::now();
        let mut rate = FrameRate::new(start);
        assert!((0..1000).all(|n| rate.take(FRAME_COST, start + Duration::from_millis(200 * n))));
    }
}
