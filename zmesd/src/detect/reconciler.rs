//! The reconciler task: reads the Events table for what polling cannot see.
//!
//! An event shorter than a poll, two between two polls, all that happened while the daemon was down or a monitor's
//! memory could not be read; and every event of monitors that are not polled at all.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use zmes_shared::{EventId, MonitorId};
use zmes_zoneminder::{DbError, EventRow, EventStore};

use super::events::has_alarm;
use super::record::Record;
use super::window::{TableEnd, Window};
use super::{DetectConfig, ticker};
use crate::config::Source;
use crate::telemetry::Counters;

const PAGE: u32 = 500;
/// Pages read in one round; what is left then is read in the next.
const PAGES: u32 = 20;
/// Halvings of the range of ids when the start of catching up is looked for; 64 would do for any table.
const HALVINGS: u32 = 70;

/// Without a round for this long, and its interval, the reconciler counts as hanging: catching up asks the database many
/// times, and each answer may take its time.
const STANDSTILL: Duration = Duration::from_mins(2);

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReconcilerReport {
    /// Events with alarms, ordered by id.
    Rows(Vec<EventRow>),
    /// Events that were open when they were told of, and have ended or do not exist any more.
    Ended(Vec<(MonitorId, EventId)>),
    /// The table now ends at this id, lower than before: the database was restored.
    Restored(u64),
    /// The database answers again, or does not any more and why.
    Database(Result<(), DbError>),
}

/// Owns the position in the Events table. Receives settings; sends reports to the poller, awaited. Ends when stopped,
/// or when the poller is gone.
#[derive(Debug)]
pub struct Reconciler {
    store: Arc<dyn EventStore>,
    config: watch::Receiver<DetectConfig>,
    record: Record,
    reports: mpsc::Sender<ReconcilerReport>,
    /// `None` until the database has answered for the first time.
    window: Option<Window>,
    reachable: Option<bool>,
    counters: Arc<Counters>,
}

enum Interruption {
    Database(DbError),
    PollerGone,
}

impl From<DbError> for Interruption {
    fn from(error: DbError) -> Self {
        Self::Database(error)
    }
}

impl Reconciler {
    /// Returns a reconciler that catches up with what is not in the `record` of the daemons before.
    pub fn new(
        store: Arc<dyn EventStore>,
        config: watch::Receiver<DetectConfig>,
        record: Record,
        reports: mpsc::Sender<ReconcilerReport>,
        counters: Arc<Counters>,
    ) -> Self {
        Self { store, config, record, reports, window: None, reachable: None, counters }
    }

    pub async fn run(mut self, stop: CancellationToken) {
        // A round that is broken off has only not moved on.
        stop.run_until_cancelled(self.keep_comparing()).await;
    }

    async fn keep_comparing(&mut self) {
        let mut period = self.config.borrow().reconcile_interval;
        let mut ticks = ticker(period);
        let mut config = self.config.clone();
        loop {
            self.counters.beats.reconciler.back_within(period.saturating_add(STANDSTILL));
            tokio::select! {
                Ok(()) = config.changed() => {
                    let wanted = config.borrow_and_update().reconcile_interval;
                    if wanted != period {
                        period = wanted;
                        ticks = ticker(period);
                    }
                }
                _ = ticks.tick() => if self.round().await.is_err() { return },
            }
        }
    }

    /// Reads what is new; an error: the poller is gone.
    async fn round(&mut self) -> Result<(), ()> {
        let settings = *self.config.borrow();
        if settings.source == Source::Shm {
            return Ok(());
        }
        let reachable = match self.compare(&settings).await {
            Ok(()) => Ok(()),
            Err(Interruption::Database(error)) => Err(error),
            Err(Interruption::PollerGone) => return Err(()),
        };
        if self.reachable == Some(reachable.is_ok()) {
            return Ok(());
        }
        self.reachable = Some(reachable.is_ok());
        match &reachable {
            Ok(()) => info!("comparing with the Events table"),
            Err(error) => warn!(%error, "cannot compare with the Events table"),
        }
        self.reports.send(ReconcilerReport::Database(reachable)).await.map_err(drop)
    }

    async fn compare(&mut self, settings: &DetectConfig) -> Result<(), Interruption> {
        let now = Instant::now();
        let newest = self.store.newest().await?.unwrap_or(EventId(0));
        let mut window = match self.window.take() {
            Some(mut window) if newest < window.position() => {
                info!(%newest, "the Events table ends earlier than before: restored, or its last event deleted");
                self.record.forget_after(newest);
                self.tell(ReconcilerReport::Restored(newest.0)).await?;
                window.truncate(newest);
                window
            }
            Some(window) => window,
            None => {
                let position = self.start(newest, settings.catch_up).await?;
                let mut window = Window::new(position, TableEnd { end: newest, at: now });
                self.follow_open(&mut window).await?;
                window.expect_ends(&self.record, now);
                window
            }
        };
        let read = self.read(&mut window, settings.catch_up).await;
        self.window = Some(window);
        read
    }

    async fn read(&mut self, window: &mut Window, catch_up: Duration) -> Result<(), Interruption> {
        let began = Instant::now();
        let mut after = window.position();
        for page in 0..PAGES {
            let watched = if page == 0 { window.watched() } else { Vec::new() };
            let limit = PAGE + u32::try_from(watched.len()).unwrap_or(PAGE);
            let rows = self.store.since(after, &watched, limit).await?;
            let full = rows.len() >= limit as usize;
            if !full {
                window.keep_existing(&watched, &rows);
            }
            after = rows.last().map_or(after, |row| row.id.max(after));
            let now = Instant::now();
            let reach = self.record.reach(catch_up, now);
            let news = window.take(rows, now, reach, &self.record);
            if !news.is_empty() {
                debug!(rows = news.len(), "events with alarms in the Events table");
                self.tell(ReconcilerReport::Rows(news)).await?;
            }
            window.advance(now);
            if !full {
                window.read_whole(began);
                break;
            }
        }
        let ended = window.take_ended();
        if !ended.is_empty() {
            self.tell(ReconcilerReport::Ended(ended)).await?;
        }
        Ok(())
    }

    async fn tell(&self, report: ReconcilerReport) -> Result<(), Interruption> {
        self.reports.send(report).await.map_err(|_| Interruption::PollerGone)
    }

    /// Has the window follow the continuous events that are open where it begins: they may be older than what is caught
    /// up with, or than the very first daemon, but an alarm in them is still to come.
    async fn follow_open(&self, window: &mut Window) -> Result<(), DbError> {
        let position = window.position();
        let before = EventId(position.0.saturating_sub(u64::from(PAGE)));
        let rows = self.store.since(before, &[], PAGE).await?;
        let now = Instant::now();
        for row in rows.iter().filter(|row| row.id <= position && row.open) {
            // What has an alarm already was announced, or missed too long ago.
            if !has_alarm(row) && !self.record.contains(row.id) {
                window.follow(row, now);
            }
        }
        Ok(())
    }

    /// Returns the id after which to begin: the newest on the very first start, else where what is still worth
    /// announcing begins.
    async fn start(&mut self, newest: EventId, catch_up: Duration) -> Result<EventId, DbError> {
        self.record.forget_after(newest);
        if self.record.is_new() {
            return Ok(newest);
        }
        let reach = self.record.reach(catch_up, Instant::now());
        // The table may hold years: find the first young event by halving.
        let (mut old, mut young) = (EventId(0), newest);
        for _ in 0..HALVINGS {
            if old >= young {
                break;
            }
            let middle = EventId(old.0 + (young.0 - old.0) / 2);
            match self.store.since(middle, &[], 1).await?.first() {
                Some(row) if row.age > reach => old = row.id,
                Some(_) | None => young = middle,
            }
        }
        Ok(young)
    }
}

#[cfg(test)]
mod tests;
