//! How long to wait before something is tried again.

use std::time::Duration;

/// Wait after the first failed attempt to send to a token.
const FIRST: Duration = Duration::from_secs(1);
/// Longest wait between two attempts.
const LONGEST: Duration = Duration::from_mins(1);
/// Longest pause for one phone, whatever its provider asks for: newer alarms wait behind the refused one.
const LONGEST_PAUSE: Duration = Duration::from_mins(2);
/// Random part of a wait, so that pushes that failed together are not repeated together.
const JITTER: f64 = 0.25;

/// Returns how long to wait after `attempts` failed ones; `luck` is a random number from 0 to 1.
pub(super) fn wait(attempts: u32, retry_after: Option<Duration>, luck: f64) -> Duration {
    let wait = backoff(attempts.saturating_sub(1), FIRST, LONGEST, luck);
    // A provider's `Retry-After` is capped: a wrong number must not stop a phone's pushes.
    retry_after.map_or(wait, |asked| wait.max(asked.min(LONGEST_PAUSE)))
}

/// Returns `first`, doubled `doublings` times, at most `longest`, plus or minus up to a quarter at random.
pub(super) fn backoff(doublings: u32, first: Duration, longest: Duration, luck: f64) -> Duration {
    let wait = first.saturating_mul(1 << doublings.min(16)).min(longest);
    wait.mul_f64(1.0 - JITTER + 2.0 * JITTER * luck.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute() {
        let waits = [1, 2, 3, 6, 7, 100].map(|attempts| wait(attempts, None, 0.5).as_secs());
        assert_eq!(waits, [1, 2, 4, 32, 60, 60]);
    }

    #[test]
    fn chance_moves_a_wait_by_a_quarter() {
        assert_eq!(wait(3, None, 0.0), Duration::from_secs(3));
        assert_eq!(wait(3, None, 1.0), Duration::from_secs(5));
    }

    #[test]
    fn what_the_provider_asks_for_holds_within_reason() {
        assert_eq!(wait(1, Some(Duration::from_mins(2)), 0.5), Duration::from_mins(2));
        assert_eq!(wait(7, Some(Duration::from_secs(1)), 0.5), Duration::from_mins(1));
    }

    #[test]
    fn a_day_is_not_granted() {
        assert_eq!(wait(1, Some(Duration::from_hours(24)), 0.5), Duration::from_mins(2));
        assert_eq!(wait(1, Some(Duration::MAX), 1.0), Duration::from_mins(2));
    }
}
