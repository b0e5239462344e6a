//! How long a condition must hold, or be gone, before people are told: longer for one that flaps.

use std::time::Duration;

use tokio::time::Instant;

/// How long a condition must be gone before its trouble is over.
const GONE_FOR: Duration = Duration::from_secs(30);
/// Raises within this time count as flapping.
const WINDOW: Duration = Duration::from_hours(1);
/// From this many raises in the window on, each one doubles the time.
const FLAPS: usize = 3;
/// The longest time that a condition must hold, unless its own hold time is longer.
const LONGEST: Duration = Duration::from_mins(30);
/// Maximum number of times that one trouble is raised within an hour: the times double from the third raise on.
pub const MOST_RAISES: usize = 7;

/// When a trouble was raised recently.
#[derive(Debug, Clone, Default)]
pub(super) struct Damping(Vec<Instant>);

impl Damping {
    pub(super) fn raised(&mut self, now: Instant) {
        self.0.retain(|at| now.saturating_duration_since(*at) < WINDOW);
        self.0.push(now);
    }

    /// Returns how long a condition must hold whose undamped time is `hold`.
    pub(super) fn rise(&self, hold: Duration, now: Instant) -> Duration {
        match self.factor(now) {
            1 => hold,
            factor => damped(hold.max(GONE_FOR), factor).max(hold),
        }
    }

    /// Returns how long a condition must be gone.
    pub(super) fn fall(&self, now: Instant) -> Duration {
        damped(GONE_FOR, self.factor(now))
    }

    /// Returns whether no recent raise still counts.
    pub(super) fn is_calm(&self, now: Instant) -> bool {
        self.lately(now) == 0
    }

    fn lately(&self, now: Instant) -> usize {
        self.0.iter().filter(|at| now.saturating_duration_since(**at) < WINDOW).count()
    }

    fn factor(&self, now: Instant) -> u32 {
        let doublings = (self.lately(now) + 1).saturating_sub(FLAPS);
        1 << u32::try_from(doublings).unwrap_or(u32::MAX).min(10)
    }
}

fn damped(hold: Duration, factor: u32) -> Duration {
    hold.saturating_mul(factor).min(LONGEST)
}
