//! The poller task: polls every monitor at every tick and sends the alarms.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, trace};
use zmes_shared::{EventId, MonitorId};
use zmes_zoneminder::{CaptureReports, EventRow};

use super::condition::MonitorReport;
use super::episode::Episode;
use super::lookup::{LookupAnswer, LookupQuestion};
use super::reconciler::ReconcilerReport;
use super::track::{PollResult, PollRules, Round, Track};
use super::unclaimed::{Unclaimed, covers};
use super::{DetectParts, ticker};
use crate::config::Source;
use crate::domain::Alarm;
use crate::state::Note;

/// ZoneMinder's own default of `ZM_WATCH_MAX_DELAY`, until the catalog has been read.
const WATCH_MAX_DELAY: Duration = Duration::from_secs(45);

/// If the poller makes no round for this long plus some of its intervals, it counts as hanging.
const STANDSTILL: Duration = Duration::from_secs(5);

/// The last report on each monitor, by id.
pub type MonitorReports = Arc<BTreeMap<MonitorId, MonitorReport>>;

/// Owns the source, and the detectors with their memory of announced events. Receives ticks, the catalog, the settings,
/// reports of the reconciler and answers of the lookup. Sends alarms to the router, awaited: while it is busy, polling
/// waits, and the reconciler finds what is missed meanwhile. Ends when stopped, or when the router is gone.
#[derive(Debug)]
pub struct Poller {
    parts: DetectParts,
    reports: mpsc::Receiver<ReconcilerReport>,
    /// To the lookup; sent without waiting.
    questions: mpsc::Sender<LookupQuestion>,
    answers: mpsc::Receiver<LookupAnswer>,
    rules: PollRules,
    tracks: BTreeMap<MonitorId, Track>,
    /// Orphans that were given back to their node while an alarm went on that this one has told: it ends with its event.
    leaving: BTreeMap<MonitorId, Track>,
    unclaimed: Unclaimed,
    /// What the `zmc` of other servers said of themselves last, and when.
    captures: Option<(CaptureReports, Instant)>,
    /// The reports are not those that were published last.
    changed: bool,
}

/// The router accepts no more alarms, or the poller must stop.
struct Ended;

impl Poller {
    pub fn new(
        parts: DetectParts,
        reports: mpsc::Receiver<ReconcilerReport>,
        questions: mpsc::Sender<LookupQuestion>,
        answers: mpsc::Receiver<LookupAnswer>,
    ) -> Self {
        let (config, gaps) = (*parts.config.borrow(), parts.gaps.clone());
        let rules = PollRules { config, max_delay: WATCH_MAX_DELAY, database: None, gaps };
        Self {
            parts,
            reports,
            questions,
            answers,
            rules,
            tracks: BTreeMap::new(),
            leaving: BTreeMap::new(),
            unclaimed: Unclaimed::default(),
            captures: None,
            changed: false,
        }
    }

    pub async fn run(mut self, stop: CancellationToken) {
        // An alarm that is lost here is found by the next run: its cursor has not moved.
        stop.run_until_cancelled(self.keep_polling()).await;
    }

    async fn keep_polling(&mut self) -> Result<(), Ended> {
        self.parts.catalog.mark_changed();
        let mut ticks = ticker(self.rules.config.poll_interval);
        loop {
            tokio::select! {
                // Rare events first; the tick is always due again.
                biased;
                Ok(()) = self.parts.config.changed() => {
                    let before = self.rules.config.poll_interval;
                    self.on_config();
                    if self.rules.config.poll_interval != before {
                        ticks = ticker(self.rules.config.poll_interval);
                    }
                }
                Ok(()) = self.parts.catalog.changed() => self.on_catalog().await?,
                Some(answer) = self.answers.recv() => self.on_answer(&answer).await?,
                Some(report) = self.reports.recv() => self.on_report(report).await?,
                _ = ticks.tick() => self.on_tick().await?,
            }
        }
    }

    fn on_config(&mut self) {
        self.rules.config = *self.parts.config.borrow_and_update();
        self.assume_version();
    }

    /// Updates the monitors from the catalog; keeps what is known of those that stay.
    async fn on_catalog(&mut self) -> Result<(), Ended> {
        let catalog = Arc::clone(&self.parts.catalog.borrow_and_update());
        self.assume_version();
        self.rules.max_delay =
            if catalog.watch_max_delay.is_zero() { WATCH_MAX_DELAY } else { catalog.watch_max_delay };
        let mut before = std::mem::take(&mut self.tracks);
        let back = |monitor: &MonitorId| catalog.monitors.find(*monitor).is_some();
        before.extend(self.leaving.extract_if(.., |monitor, _| back(monitor)));
        for monitor in catalog.monitors.watched() {
            let new = || {
                let (cursor, unidentified) = (self.cursor(monitor.id), self.unidentified(monitor.id));
                Track::new(Arc::clone(monitor), cursor, unidentified, self.episode(monitor.id))
            };
            let mut track = before.remove(&monitor.id).unwrap_or_else(new);
            self.parts.open.remove(&monitor.id);
            track.describe(monitor);
            if monitor.elsewhere.is_some() {
                self.parts.source.forget(monitor.id);
                if let Some((captures, read_at)) = &self.captures {
                    track.captured(Some((captures, *read_at)), self.rules.max_delay);
                }
            }
            self.tracks.insert(monitor.id, track);
        }
        for (monitor, mut track) in before {
            self.parts.source.forget(monitor);
            if catalog.others.contains_key(&monitor) && track.goes_on_elsewhere() {
                self.leaving.insert(monitor, track);
                continue;
            }
            let looked = track.gone(&Round::new(&self.rules, &*self.parts.clock));
            self.conclude([(monitor, looked)]).await?;
        }
        self.changed = true;
        let rows = self.unclaimed.claim(&catalog, Instant::now(), self.rules.config.catch_up);
        // These rows have waited for the catalog.
        self.on_rows(rows, true).await?;
        Ok(())
    }

    fn assume_version(&mut self) {
        let version = self.rules.config.version.or(self.parts.catalog.borrow().version);
        self.parts.source.assume_version(version);
    }

    /// Returns the last event that the previous run announced, with its time by this machine's monotonic clock.
    fn cursor(&self, monitor: MonitorId) -> Option<(EventId, Option<Instant>)> {
        let cursor = self.parts.cursors.get(&monitor)?;
        Some((cursor.event, self.monotonic(cursor.at)))
    }

    fn unidentified(&self, monitor: MonitorId) -> Vec<Instant> {
        let times = self.parts.unidentified.get(&monitor);
        times.into_iter().flatten().filter_map(|at| self.monotonic(*at)).collect()
    }

    /// Returns the episode that the previous run left open.
    fn episode(&self, monitor: MonitorId) -> Episode {
        let Some(open) = self.parts.open.get(&monitor) else { return Episode::default() };
        let age = Duration::try_from(self.parts.clock.now().duration_since(open.at)).unwrap_or_default();
        Episode::remembered(open.clone(), age, self.rules.config.catch_up, Instant::now())
    }

    /// Converts a time to this machine's monotonic clock; `None` if it is earlier than that can express.
    fn monotonic(&self, at: Timestamp) -> Option<Instant> {
        let age = Duration::try_from(self.parts.clock.now().duration_since(at)).unwrap_or_default();
        Instant::now().checked_sub(age)
    }

    async fn on_tick(&mut self) -> Result<(), Ended> {
        let (round, counters) = (Round::new(&self.rules, &*self.parts.clock), &self.parts.counters);
        let (began, mut news) = (Instant::now(), Vec::new());
        for (monitor, track) in &mut self.tracks {
            let looked = track.look(&mut *self.parts.source, &round);
            looked.error.into_iter().for_each(|error| counters.shm_errors.count(error));
            if looked.changed || looked.given_up || looked.ask.is_some() || !looked.alarms.is_empty() {
                news.push((*monitor, looked));
            }
        }
        counters.polls.increment();
        counters.timings.poll.record(began.elapsed());
        counters.beats.poller.back_within(STANDSTILL.saturating_add(self.rules.config.poll_interval * 10));
        trace!(monitors = self.tracks.len(), "polled");
        self.conclude(news).await
    }

    async fn on_answer(&mut self, answer: &LookupAnswer) -> Result<(), Ended> {
        let LookupQuestion { monitor, number } = answer.question;
        let open = answer.open.as_deref().ok();
        let looked = self.one(monitor, |track, round| track.answer(number, open, round));
        self.conclude(looked).await
    }

    async fn on_report(&mut self, report: ReconcilerReport) -> Result<(), Ended> {
        match report {
            ReconcilerReport::Rows(rows) => self.on_rows(rows, false).await?,
            ReconcilerReport::Missed(rows) => {
                let (catalog, now) = (Arc::clone(&self.parts.catalog.borrow()), Instant::now());
                let is_ours = |row: &EventRow| covers(&catalog, row, now.checked_sub(row.age));
                self.on_rows(rows.into_iter().filter(is_ours).collect(), true).await?;
            }
            ReconcilerReport::Again(rows) => {
                for row in rows {
                    let looked = self.one(row.monitor, |track, round| track.again(&row, round));
                    self.conclude(looked).await?;
                }
            }
            ReconcilerReport::Captures(captures) => {
                self.captures = captures.map(|captures| (captures, Instant::now()));
                let captures = self.captures.as_ref().map(|(captures, at)| (captures, *at));
                for track in self.tracks.values_mut() {
                    track.captured(captures, self.rules.max_delay);
                }
            }
            ReconcilerReport::Ended(events) => self.on_ended(&events).await?,
            ReconcilerReport::Restored(newest) => {
                for track in self.tracks.values_mut() {
                    track.restored(newest);
                }
            }
            ReconcilerReport::Database(reachable) => {
                self.rules.database = reachable.err().map(Arc::new);
                if self.rules.database.is_some() {
                    self.captures = None;
                    self.tracks.values_mut().for_each(Track::database_away);
                }
            }
        }
        Ok(())
    }

    async fn on_rows(&mut self, rows: Vec<EventRow>, missed: bool) -> Result<(), Ended> {
        for row in rows {
            if self.tracks.contains_key(&row.monitor) {
                let looked = self.one(row.monitor, |track, round| track.reconcile(&row, missed, round));
                self.conclude(looked).await?;
            } else {
                self.unclaimed.put(row, Instant::now(), missed);
            }
        }
        Ok(())
    }

    async fn on_ended(&mut self, events: &[(MonitorId, EventId)]) -> Result<(), Ended> {
        for (monitor, event) in events {
            let looked = self.one(*monitor, |track, round| track.event_ended(*event, round));
            self.conclude(looked).await?;
            // The catalog does not know the monitor yet.
            if let Some(open) = self.parts.open.get_mut(monitor).filter(|open| open.event == Some(*event)) {
                open.closed = true;
            }
            self.unclaimed.event_ended(*event);
            self.on_left(*monitor, *event).await?;
        }
        Ok(())
    }

    /// An event of an orphan that was given back has ended.
    async fn on_left(&mut self, monitor: MonitorId, event: EventId) -> Result<(), Ended> {
        let Some(track) = self.leaving.get_mut(&monitor) else { return Ok(()) };
        let looked = track.event_ended(event, &Round::new(&self.rules, &*self.parts.clock));
        if !track.goes_on_elsewhere() {
            self.leaving.remove(&monitor);
        }
        self.conclude([(monitor, looked)]).await
    }

    fn one(
        &mut self,
        monitor: MonitorId,
        look: impl FnOnce(&mut Track, &Round<'_>) -> PollResult,
    ) -> Option<(MonitorId, PollResult)> {
        let round = Round::new(&self.rules, &*self.parts.clock);
        self.tracks.get_mut(&monitor).map(|track| (monitor, look(track, &round)))
    }

    /// Sends the alarms, then the questions, then publishes changed reports: alarms must not wait.
    async fn conclude(
        &mut self,
        news: impl IntoIterator<Item = (MonitorId, PollResult)>,
    ) -> Result<(), Ended> {
        for (monitor, looked) in news {
            self.changed |= looked.changed;
            // Before the alarms, whose episodes are still open. If the note is lost, the next run sends an end that
            // begins too early.
            if looked.given_up {
                self.parts.state.note(Note::GivenUp(monitor));
            }
            for alarm in looked.alarms {
                self.send(alarm).await?;
            }
            if let Some(number) = looked.ask {
                self.ask(LookupQuestion { monitor, number }).await?;
            }
        }
        if std::mem::take(&mut self.changed) {
            self.publish();
        }
        Ok(())
    }

    async fn send(&mut self, alarm: Alarm) -> Result<(), Ended> {
        let (name, origin) = (&alarm.monitor_name, alarm.origin.word());
        if alarm.is_end() {
            let event = alarm.event.map(|event| event.0);
            let lasted_s = alarm.lasted().map(|lasted| (lasted.as_secs_f64() * 10.0).round() / 10.0);
            info!(monitor = %alarm.monitor, origin, event, lasted_s, "alarm of {name} has ended");
        } else if let Some(event) = alarm.event {
            info!(monitor = %alarm.monitor, origin, "New event {event} reported for {name}");
        } else {
            info!(monitor = %alarm.monitor, origin, "New alarm without an event reported for {name}");
        }
        self.parts.alarms.send(alarm).await.map_err(|_| Ended)
    }

    /// Sends a question to the lookup. If that is impossible, the detector continues without an answer.
    async fn ask(&mut self, question: LookupQuestion) -> Result<(), Ended> {
        if self.rules.config.source != Source::Shm && self.questions.try_send(question).is_ok() {
            return Ok(());
        }
        let looked = self.one(question.monitor, |track, round| track.answer(question.number, None, round));
        for alarm in looked.into_iter().flat_map(|(_, looked)| looked.alarms) {
            self.send(alarm).await?;
        }
        Ok(())
    }

    fn publish(&self) {
        let catalog = self.parts.catalog.borrow();
        let reports = catalog.monitors.iter().map(|monitor| {
            let polled = self.tracks.get(&monitor.id).map(Track::report);
            (monitor.id, polled.unwrap_or_else(|| MonitorReport::unpolled(monitor)))
        });
        let reports = Arc::new(reports.collect());
        drop(catalog);
        self.parts.monitor_reports.send_replace(reports);
    }
}
