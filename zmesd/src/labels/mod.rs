//! Labels: reads from ZoneMinder's database what was detected in recently announced events.
//!
//! Detection takes 1 to 15 seconds, and ZoneMinder overwrites its notes while an event is open. So young events are
//! read repeatedly, and labels seen once are kept. Without such an event no statement is sent.

mod watched;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use zmes_zoneminder::EventStore;

use self::watched::WatchedEvents;
use crate::config::LabelsConfig;
use crate::route::{LabelReport, LabelRequest, RouterHandle};

/// Time between two reads while a decision or an update waits.
const WAITING: Duration = Duration::from_millis(500);
/// Time between two reads otherwise.
const IDLE: Duration = Duration::from_secs(2);
/// Maximum pause while the database cannot be read: while a decision waits, and otherwise.
const BACK_OFF: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(15)];

/// The label reader.
///
/// Owns: the events that are read. Receives: announced events, settings. Sends: new labels to the router, awaited.
/// Ends: when told to, or when the router is gone.
#[derive(Debug)]
pub struct LabelReader {
    store: Arc<dyn EventStore>,
    requests: mpsc::Receiver<LabelRequest>,
    config: watch::Receiver<LabelsConfig>,
    router: RouterHandle,
    events: WatchedEvents,
    next: Instant,
    failures: u32,
    /// The log already says that labels cannot be read.
    warned: bool,
    /// Whether there are sources, as last reported to the router.
    possible: bool,
}

impl LabelReader {
    pub fn new(
        store: Arc<dyn EventStore>,
        requests: mpsc::Receiver<LabelRequest>,
        config: watch::Receiver<LabelsConfig>,
        router: RouterHandle,
    ) -> Self {
        let events = WatchedEvents::default();
        let next = Instant::now();
        Self { store, requests, config, router, events, next, failures: 0, warned: false, possible: true }
    }

    pub async fn run(mut self, stop: CancellationToken) {
        stop.run_until_cancelled(self.keep_reading()).await;
    }

    async fn keep_reading(&mut self) {
        loop {
            let reads = !self.events.is_empty();
            tokio::select! {
                biased;
                request = self.requests.recv() => match request {
                    Some(request) => self.take(request),
                    None => return,
                },
                Ok(()) = self.config.changed() => self.possible = true,
                () = sleep_until(self.next), if reads => self.read().await,
            }
        }
    }

    fn take(&mut self, request: LabelRequest) {
        let now = Instant::now();
        if !self.config.borrow().sources().any() {
            return;
        }
        self.events.add(request, now);
        if self.failures == 0 {
            self.next = self.next.min(now + self.pace(now));
        }
    }

    fn pace(&self, now: Instant) -> Duration {
        // A push that is to be replaced is as urgent as a held one.
        let updates = self.config.borrow().update && self.events.any_without();
        let waits = updates || self.events.any_waits(now);
        let usual = if waits { WAITING } else { IDLE };
        let longest = BACK_OFF[usize::from(!waits)];
        if self.failures == 0 {
            usual
        } else {
            (usual * 2_u32.saturating_pow(self.failures.min(8))).min(longest)
        }
    }

    async fn read(&mut self) {
        let now = Instant::now();
        self.events.forget_old(now);
        // Does not mark it as seen: `keep_reading` must still notice a reload that has just happened.
        let sources = self.config.borrow().sources();
        let batch = self.events.batch(now);
        if batch.is_empty() || !sources.any() {
            self.next = now + IDLE;
            return;
        }
        match self.store.labels(&batch, sources).await {
            Ok(read) => {
                self.failures = 0;
                if std::mem::take(&mut self.warned) {
                    info!("labels can be read again");
                }
                let batch: BTreeSet<_> = batch.into_iter().collect();
                let found = self.events.news(read.found);
                self.report(LabelReport { read: batch, found, possible: read.possible }).await;
            }
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                if self.warned || !self.events.any_waits(now) {
                    debug!(%error, "cannot read labels");
                } else {
                    self.warned = true;
                    warn!(%error, hint = error.trouble().hint, "cannot read labels; pushes that wait for them go out without");
                }
            }
        }
        let now = Instant::now();
        self.next = now + self.pace(now);
    }

    /// Reports to the router. What it could not accept is reported again after the next read.
    async fn report(&mut self, report: LabelReport) {
        let waits = self.events.any_waits(Instant::now());
        if report.found.is_empty() && !waits && report.possible == self.possible {
            return;
        }
        let (found, possible) = (report.found.clone(), report.possible);
        if self.router.labels(report).await == Ok(true) {
            self.possible = possible;
            self.events.told(found);
        }
    }
}

#[cfg(test)]
mod tests;
