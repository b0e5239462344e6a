//! The temporary log level and its end.

use std::time::Duration;

use futures_util::future::OptionFuture;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::telemetry::log::{LevelChange, LogError, LogHandle};

type Expiry = (Instant, u64);

#[derive(Debug)]
pub(super) struct TemporaryLevel {
    log: LogHandle,
    expiry: watch::Sender<Option<Expiry>>,
}

/// The task that ends temporary levels.
///
/// Owns: nothing but the next expiry. Receives: the latest expiry (a later one replaces it). Sends: nothing.
/// Ends: on its token.
#[derive(Debug)]
pub(super) struct LevelKeeper {
    log: LogHandle,
    expiry: watch::Receiver<Option<Expiry>>,
    stop: CancellationToken,
}

impl TemporaryLevel {
    pub(super) fn new(log: LogHandle, stop: CancellationToken) -> (Self, LevelKeeper) {
        let (expiry_tx, expiry) = watch::channel(None);
        (Self { log: log.clone(), expiry: expiry_tx }, LevelKeeper { log, expiry, stop })
    }

    /// Changes the level; with `lasts`, the last permanent level returns after that time.
    pub(super) fn set(&self, level: &str, lasts: Option<Duration>) -> Result<LevelChange, LogError> {
        let Some(lasts) = lasts else { return self.log.set(level) };
        let change = self.log.set_for_now(level)?;
        self.expiry.send_replace(Some((Instant::now() + lasts, change.number)));
        Ok(change)
    }
}

impl LevelKeeper {
    pub(super) async fn run(mut self) {
        let mut next: Option<Expiry> = None;
        loop {
            let due = OptionFuture::from(next.map(|(at, _)| sleep_until(at)));
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                Ok(()) = self.expiry.changed() => next = *self.expiry.borrow_and_update(),
                Some(()) = due => next.take().into_iter().for_each(|(_, change)| self.expire(change)),
            }
        }
    }

    fn expire(&self, change: u64) {
        match self.log.expire(change) {
            Ok(Some(level)) => info!(level, "temporary log level ended"),
            Ok(None) => {}
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                warn!(error, "cannot restore the log level");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_temporary_level_ends_and_the_later_of_two_decides_when() {
        let (_filter, log) = LogHandle::new("warn").unwrap();
        let stop = CancellationToken::new();
        let (level, keeper) = TemporaryLevel::new(log.clone(), stop.clone());
        let tasks = tokio_util::task::TaskTracker::new();
        tasks.spawn(keeper.run());

        level.set("debug", Some(Duration::from_secs(10))).unwrap();
        tokio::time::sleep(Duration::from_secs(6)).await;
        level.set("trace", Some(Duration::from_secs(10))).unwrap();
        tokio::time::sleep(Duration::from_secs(9)).await;
        assert_eq!(log.level(), "trace", "the first expiry is void");
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(log.level(), "warn");

        level.set("debug", Some(Duration::from_secs(10))).unwrap();
        level.set("info", None).unwrap();
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert_eq!(log.level(), "info", "a lasting change is not taken back");

        stop.cancel();
        tasks.close();
        tasks.wait().await;
    }
}
