//! Limits how often a token's changes reach its provider and the log: an app that keeps changing its registration, over
//! fifty connections, must not flood either. The last change is passed on later, so nothing is lost.

use std::time::Duration;

use tokio::time::Instant;

/// Minimum time between two registrations of one token with its provider.
const REGISTERED_EVERY: Duration = Duration::from_secs(30);
/// Minimum time between two log lines about one token.
const LOGGED_EVERY: Duration = Duration::from_mins(1);

#[derive(Debug, Default)]
pub(super) struct TokenPace {
    registered: Option<Instant>,
    logged: Option<Instant>,
    unlogged: u64,
}

impl TokenPace {
    /// Returns whether the provider may be informed now, and if so counts that as done.
    pub(super) fn may_register(&mut self, now: Instant) -> bool {
        take(&mut self.registered, REGISTERED_EVERY, now)
    }

    /// Returns how many lines were left out before this one; `None` if this one must be left out, too.
    pub(super) fn may_log(&mut self, now: Instant) -> Option<u64> {
        if take(&mut self.logged, LOGGED_EVERY, now) {
            return Some(std::mem::take(&mut self.unlogged));
        }
        self.unlogged += 1;
        None
    }
}

fn take(last: &mut Option<Instant>, every: Duration, now: Instant) -> bool {
    let may = last.is_none_or(|last| now.saturating_duration_since(last) >= every);
    if may {
        *last = Some(now);
    }
    may
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_left_out_is_counted() {
        let mut pace = TokenPace::default();
        let now = Instant::now();
        assert_eq!(pace.may_log(now), Some(0));
        assert_eq!((pace.may_log(now), pace.may_log(now + Duration::from_secs(59))), (None, None));
        assert_eq!(pace.may_log(now + LOGGED_EVERY), Some(2));
        assert!(pace.may_register(now) && !pace.may_register(now + Duration::from_secs(29)));
        assert!(pace.may_register(now + REGISTERED_EVERY));
    }
}
