//! The reconciler task: reads the Events table for what polling cannot see.
//!
//! That is: an event shorter than a poll, two events between two polls, everything while the daemon was down or a
//! monitor's memory could not be read, and every event of monitors that are not polled at all. For monitors of other
//! servers it reads more often ([`QUICK`]), and also reads what each `zmc` reports about itself.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use zmes_shared::{EventId, MonitorId};
use zmes_zoneminder::{CaptureReports, DbError, EventRow, EventStore};

use super::events::has_alarm;
use super::record::Record;
use super::window::{FoundRow, RowKind, TableEnd, Window};
use super::{DetectConfig, ticker};
use crate::config::Source;
use crate::monitors::Catalog;
use crate::telemetry::Counters;

const PAGE: u32 = 500;
/// Maximum number of pages per round; the rest is read in the next round.
const PAGES: u32 = 20;
/// Maximum number of bisection steps when searching where to start catching up; 64 is enough for any table.
const HALVINGS: u32 = 70;

/// If the reconciler makes no round for this long plus its interval, it counts as hanging: catching up queries the
/// database many times, and each answer may take a while.
const STANDSTILL: Duration = Duration::from_mins(2);

/// How often to read rows of other servers' monitors.
const QUICK: Duration = Duration::from_millis(250);
/// How often to read what each `zmc` reports about itself: they write every 10 s.
const CAPTURES: Duration = Duration::from_secs(5);
/// After this many failed readings nothing is known of them any more. A table that is locked costs the alarms of other
/// servers the deadline of a question each time, so that it is read less often then.
const CAPTURE_FAILURES: u32 = 3;
const CAPTURES_FAILED: Duration = Duration::from_mins(1);
/// What the clocks and zones of two servers differ by at most, where an event's age by its own server decides how far back
/// to read.
const CLOCKS: Duration = Duration::from_hours(26);

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReconcilerReport {
    /// Events with alarms, ordered by id.
    Rows(Vec<EventRow>),
    /// As `Rows`, but missed while the daemon or the database was away. Separate only if monitors of other servers are
    /// watched, because their rows are the only source.
    Missed(Vec<EventRow>),
    /// Announced events whose alarm frames have grown again after a pause.
    Again(Vec<EventRow>),
    /// What each `zmc` says of itself; `None`: this ZoneMinder has no such table, or it cannot be read.
    Captures(Option<CaptureReports>),
    /// Events that were open when they were announced, and have since ended or been deleted.
    Ended(Vec<(MonitorId, EventId)>),
    /// The table now ends at this id, lower than before: the database was restored.
    Restored(u64),
    /// The database answers again, or has stopped answering and why.
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
    others: Option<Others>,
}

/// State for the monitors of other servers.
#[derive(Debug)]
pub(super) struct Others {
    pub(super) catalog: watch::Receiver<Arc<Catalog>>,
    /// The newest event that a previous run announced, and when.
    pub(super) known: Option<TableEnd>,
    /// When the captures were last read.
    pub(super) captures_at: Option<Instant>,
    /// How often in a row they could not be read.
    pub(super) capture_failures: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    Whole,
    /// Reads only what other servers may have added since a moment ago.
    Quick,
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
    /// Returns a reconciler that catches up with events missing from the `record` of previous runs.
    pub fn new(
        store: Arc<dyn EventStore>,
        config: watch::Receiver<DetectConfig>,
        record: Record,
        reports: mpsc::Sender<ReconcilerReport>,
        counters: Arc<Counters>,
    ) -> Self {
        Self { store, config, record, reports, window: None, reachable: None, counters, others: None }
    }

    /// Makes it watch monitors of other servers, too.
    #[must_use]
    pub(super) fn with_others(self, others: Others) -> Self {
        Self { others: Some(others), ..self }
    }

    pub async fn run(mut self, stop: CancellationToken) {
        // An interrupted round has no effect except that the position did not advance.
        stop.run_until_cancelled(self.keep_comparing()).await;
    }

    async fn keep_comparing(&mut self) {
        let mut period = self.config.borrow().reconcile_interval;
        let mut ticks = ticker(period);
        let mut quick = ticker(QUICK);
        let mut config = self.config.clone();
        let mut catalog = self.others.as_ref().map(|others| others.catalog.clone());
        loop {
            let hurried = period > QUICK && self.watches_others();
            self.counters.beats.reconciler.back_within(period.saturating_add(STANDSTILL));
            tokio::select! {
                Ok(()) = config.changed() => {
                    let wanted = config.borrow_and_update().reconcile_interval;
                    if wanted != period {
                        period = wanted;
                        ticks = ticker(period);
                    }
                }
                // There may be monitors of other servers now.
                () = changed(&mut catalog) => {}
                _ = ticks.tick() => if self.round().await.is_err() { return },
                _ = quick.tick(), if hurried => if self.quick_round().await.is_err() { return },
            }
        }
    }

    /// Reads what is new. Fails if the poller is gone.
    async fn round(&mut self) -> Result<(), ()> {
        self.read_and_tell(Round::Whole).await
    }

    /// As [`Self::round`], without the statements that only a restored database needs. While the database is away,
    /// whole rounds are enough.
    async fn quick_round(&mut self) -> Result<(), ()> {
        if self.reachable == Some(true) { self.read_and_tell(Round::Quick).await } else { Ok(()) }
    }

    async fn read_and_tell(&mut self, round: Round) -> Result<(), ()> {
        let settings = *self.config.borrow();
        if settings.source == Source::Shm {
            return Ok(());
        }
        let compared = match round {
            Round::Whole => self.compare(&settings).await,
            Round::Quick => self.follow(&settings).await,
        };
        let compared = match compared {
            Ok(()) => self.captures().await,
            failed @ Err(_) => failed,
        };
        let reachable = match compared {
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
                let position = self.start(newest, settings).await?;
                let known = self.others.as_ref().and_then(|others| others.known);
                let known = known.filter(|known| known.end <= newest);
                let mut window = Window::new(position, TableEnd { end: newest, at: now }).knowing(known);
                self.follow_open(&mut window).await?;
                window.expect_ends(&self.record, now);
                window
            }
        };
        let read = self.read(&mut window, settings, Round::Whole).await;
        self.window = Some(window);
        read
    }

    /// Continues reading from the last position.
    async fn follow(&mut self, settings: &DetectConfig) -> Result<(), Interruption> {
        let Some(mut window) = self.window.take() else { return Ok(()) };
        let read = self.read(&mut window, settings, Round::Quick).await;
        self.window = Some(window);
        read
    }

    async fn read(
        &mut self,
        window: &mut Window,
        settings: &DetectConfig,
        round: Round,
    ) -> Result<(), Interruption> {
        let catalog = self.others.as_ref().map(|others| Arc::clone(&others.catalog.borrow()));
        let is_other = |monitor| catalog.as_ref().is_some_and(|catalog| is_elsewhere(catalog, monitor));

        let began = Instant::now();
        let mut after = window.position();
        for page in 0..PAGES {
            let watched = match (page, round) {
                (0, Round::Whole) => window.watched(|_| true),
                (0, Round::Quick) => window.watched(is_other),
                (_, _) => Vec::new(),
            };
            let limit = PAGE + u32::try_from(watched.len()).unwrap_or(PAGE);
            let rows = self.store.since(after, &watched, limit).await?;
            let full = rows.len() >= limit as usize;
            if !full {
                window.keep_existing(&watched, &rows);
            }
            after = rows.last().map_or(after, |row| row.id.max(after));
            let now = Instant::now();
            let reach = self.record.reach(settings.catch_up, now);
            let news = window.take(rows, now, reach, &self.record, settings.realarm_interval);
            self.tell_rows(news, &is_other).await?;
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

    async fn tell_rows(
        &self,
        news: Vec<FoundRow>,
        is_other: impl Fn(MonitorId) -> bool,
    ) -> Result<(), Interruption> {
        let (mut missed, mut rows, mut again) = (Vec::new(), Vec::new(), Vec::new());
        for FoundRow { row, kind } in news {
            match kind {
                RowKind::Missed if self.others.is_some() => missed.push(row),
                RowKind::Missed | RowKind::Fresh => rows.push(row),
                // If the monitor is polled, polling knows better.
                RowKind::Again if is_other(row.monitor) => again.push(row),
                RowKind::Again => {}
            }
        }
        let reports = [
            (missed, ReconcilerReport::Missed as fn(_) -> _),
            (rows, ReconcilerReport::Rows),
            (again, ReconcilerReport::Again),
        ];
        for (rows, report) in reports.into_iter().filter(|(rows, _)| !rows.is_empty()) {
            debug!(rows = rows.len(), "events with alarms in the Events table");
            self.tell(report(rows)).await?;
        }
        Ok(())
    }

    fn watches_others(&self) -> bool {
        let Some(others) = &self.others else { return false };
        others.catalog.borrow().monitors.watched().any(|monitor| monitor.elsewhere.is_some())
    }

    /// Reads what each `zmc` of other servers reports about itself, if it is time.
    async fn captures(&mut self) -> Result<(), Interruption> {
        if !self.watches_others() {
            return Ok(());
        }
        let Some(others) = &mut self.others else { return Ok(()) };
        let pause = if others.capture_failures < CAPTURE_FAILURES { CAPTURES } else { CAPTURES_FAILED };
        if others.captures_at.is_some_and(|at| at.elapsed() < pause) {
            return Ok(());
        }
        others.captures_at = Some(Instant::now());
        let reports = match self.store.capture_reports().await {
            Ok(reports) => {
                others.capture_failures = 0;
                reports
            }
            // Whether the database is away is for the Events table to say.
            Err(error) => {
                others.capture_failures = others.capture_failures.saturating_add(1);
                if others.capture_failures != CAPTURE_FAILURES {
                    debug!(%error, "cannot read Monitor_Status");
                    return Ok(());
                }
                warn!(%error, "cannot read Monitor_Status: not known which cameras of other servers are lost");
                None
            }
        };
        self.tell(ReconcilerReport::Captures(reports)).await
    }

    async fn tell(&self, report: ReconcilerReport) -> Result<(), Interruption> {
        self.reports.send(report).await.map_err(|_| Interruption::PollerGone)
    }

    /// Adds to the window the continuous events that are open where it begins. They may be older than `catch_up`, or
    /// than the very first run, but they can still get an alarm.
    async fn follow_open(&self, window: &mut Window) -> Result<(), DbError> {
        let position = window.position();
        let before = EventId(position.0.saturating_sub(u64::from(PAGE)));
        let rows = self.store.since(before, &[], PAGE).await?;
        let now = Instant::now();
        for row in rows.iter().filter(|row| row.id <= position && row.open) {
            // A row that already has an alarm was announced, or missed too long ago.
            if !has_alarm(row) && !self.record.contains(row.id) {
                window.follow(row, now);
            }
        }
        Ok(())
    }

    /// Returns the id after which to start reading: the newest on the very first start, otherwise the id from which
    /// events are still worth announcing.
    async fn start(&mut self, newest: EventId, settings: &DetectConfig) -> Result<EventId, DbError> {
        self.record.forget_after(newest);
        if self.record.is_new() {
            return Ok(newest);
        }
        let reach = self.record.reach(settings.catch_up, Instant::now());
        // Bisection needs ages in the order of the ids. Different clocks on servers break that order, so more is read.
        let reach = if self.others.is_some() { reach.saturating_add(CLOCKS) } else { reach };
        // The table may hold years: find the first young event by bisection.
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

/// Waits until the catalog has changed; forever if it is not followed.
async fn changed(catalog: &mut Option<watch::Receiver<Arc<Catalog>>>) {
    let followed = match catalog {
        Some(catalog) => catalog.changed().await.is_ok(),
        None => false,
    };
    if !followed {
        pending::<()>().await;
    }
}

/// Returns whether a monitor is captured by another server.
pub(super) fn is_elsewhere(catalog: &Catalog, monitor: MonitorId) -> bool {
    catalog.monitors.find(monitor).is_some_and(|monitor| monitor.elsewhere.is_some())
}

#[cfg(test)]
mod tests;
