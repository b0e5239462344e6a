//! Alarms that come all the time, at the cameras of both hosts.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use zmes_tests::Site;

/// The first event.
const FIRST: u64 = 1_000;
/// Between two alarms: an alarm of the same camera comes after two of these, which is more than two looks of the daemon.
const PACE: Duration = Duration::from_millis(40);

/// What the cameras do, whatever the daemons do.
#[derive(Debug, Default)]
pub(crate) struct Load {
    told: AtomicU64,
    stop: AtomicBool,
}

impl Load {
    /// Lets alarms come until `what` is done.
    pub(crate) async fn during<T>(&self, site: &Site, what: impl Future<Output = Result<T>>) -> Result<T> {
        self.stop.store(false, Ordering::Relaxed);
        let until = async {
            let done = what.await;
            self.stop.store(true, Ordering::Relaxed);
            done
        };
        let (done, ()) = tokio::try_join!(until, self.run(site))?;
        site.beat()?;
        Ok(done)
    }

    async fn run(&self, site: &Site) -> Result<()> {
        while !self.stop.load(Ordering::Relaxed) {
            self.strike(site).await?;
            tokio::time::sleep(PACE).await;
        }
        Ok(())
    }

    /// Starts the next alarm.
    pub(crate) async fn strike(&self, site: &Site) -> Result<()> {
        let number = self.told.fetch_add(1, Ordering::Relaxed);
        site.alarm(if number.is_multiple_of(2) { 1 } else { 2 }, FIRST + number).await
    }

    /// Returns all events so far.
    pub(crate) fn events(&self) -> Range<u64> {
        FIRST..FIRST + self.told.load(Ordering::Relaxed)
    }
}
