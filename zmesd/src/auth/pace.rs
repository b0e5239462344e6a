//! Measures how long login checks take, so that unchecked logins are not answered faster.
//!
//! Behind a locked address, only users who have logged in from there are still checked. Answering others at once would
//! reveal which users these are. And a repeated wrong login is answered from memory, as often as a client likes: with
//! many samples, the timing would reveal whether the database had a row to send. So both wait for as long as a check
//! takes.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

const REMEMBERED: usize = 16;
/// Assumed duration of a check before the first one was measured.
const USUAL: Duration = Duration::from_millis(60);
const LONGEST: Duration = Duration::from_secs(4);

#[derive(Debug)]
pub(super) struct LoginPace(Mutex<(usize, [Duration; REMEMBERED])>);

impl LoginPace {
    pub(super) fn new() -> Self {
        Self(Mutex::new((0, [USUAL; REMEMBERED])))
    }

    pub(super) fn took(&self, duration: Duration) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (next, durations) = &mut *last;
        if let Some(oldest) = durations.get_mut(*next) {
            *oldest = duration.min(LONGEST);
        }
        *next = (*next + 1) % REMEMBERED;
    }

    /// Waits until as much time has passed since `begun` as one of the recent checks took.
    pub(super) async fn keep(&self, begun: Instant) {
        let some = {
            let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            last.1.get(fastrand::usize(..REMEMBERED)).copied().unwrap_or(USUAL)
        };
        tokio::time::sleep_until(begun + some).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_unchecked_login_waits_as_long_as_a_check_takes() {
        let pace = LoginPace::new();
        (0..REMEMBERED).for_each(|_| pace.took(Duration::from_millis(250)));
        let begun = Instant::now();
        tokio::time::advance(Duration::from_millis(7)).await;
        pace.keep(begun).await;
        assert_eq!(begun.elapsed(), Duration::from_millis(250), "whatever was done meanwhile");
        (0..REMEMBERED).for_each(|_| pace.took(Duration::from_hours(1)));
        pace.keep(begun).await;
        assert!(begun.elapsed() < Duration::from_secs(5), "whatever it was");
    }
}
