//! Signs of life of the daemon's loops: at every turn, each promises when its next turn begins at the latest.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// How long a loop may take until its first turn: at the start, it may have to read the state file.
const FIRST: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub struct Beat {
    began: Instant,
    /// When the next turn begins at the latest, in milliseconds after `began`.
    due: AtomicU64,
}

impl Default for Beat {
    fn default() -> Self {
        Self { began: Instant::now(), due: AtomicU64::new(millis(FIRST)) }
    }
}

impl Beat {
    /// Reports a turn; the next one begins within that time.
    pub fn back_within(&self, time: Duration) {
        self.due.store(millis(self.began.elapsed().saturating_add(time)), Ordering::Relaxed);
    }

    /// Returns how long the loop has been overdue; `None`: it is on time.
    pub fn overdue(&self) -> Option<Duration> {
        let due = Duration::from_millis(self.due.load(Ordering::Relaxed));
        self.began.elapsed().checked_sub(due).filter(|late| !late.is_zero())
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The signs of life. The router has none: it is asked for an answer instead.
#[derive(Debug, Default)]
pub struct Beats {
    pub poller: Beat,
    pub reconciler: Beat,
    pub dispatcher: Beat,
    pub state_writer: Beat,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_does_not_come_back_is_overdue() {
        let beat = Beat::default();
        assert_eq!(beat.overdue(), None, "it may not have begun");
        beat.back_within(Duration::from_secs(5));
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(beat.overdue(), None);
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(beat.overdue(), Some(Duration::from_secs(3)));
        beat.back_within(Duration::from_secs(5));
        assert_eq!(beat.overdue(), None, "it moves again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_never_begins_is_overdue_too() {
        let beat = Beat::default();
        tokio::time::advance(FIRST + Duration::from_secs(1)).await;
        assert_eq!(beat.overdue(), Some(Duration::from_secs(1)));
    }
}
