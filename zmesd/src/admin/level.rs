//! The temporary log level and its end.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::telemetry::log::{LevelChange, LogError, LogHandle};

#[derive(Debug, Clone, Copy)]
struct Expiry {
    at: Instant,
    change: u64,
}

/// Changes the log level, for a while or for good.
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

    /// Changes the level; with `lasts`, the last lasting one comes back after that time.
    pub(super) fn set(&self, level: &str, lasts: Option<Duration>) -> Result<LevelChange, LogError> {
        let Some(lasts) = lasts else { return self.log.set(level) };
        let change = self.log.set_for_now(level)?;
        let expiry = Expiry { at: Instant::now() + lasts, change: change.number };
        self.expiry.send_replace(Some(expiry));
        Ok(change)
    }
}

impl LevelKeeper {
    pub(super) async fn run(mut self) {
        let mut next = None;
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                Ok(()) = self.expiry.changed() => next = *self.expiry.borrow_and_update(),
                change = expired(next) => {
                    next = None;
                    self.expire(change);
                }
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

async fn expired(expiry: Option<Expiry>) -> u64 {
    match expiry {
        Some(expiry) => {
            tokio::time::sleep_until(expiry.at).await;
            expiry.change
        }
        None => std::future::pending().await,
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
