//! One monitor as the poller follows it: its detector, its condition, and its report.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use tracing::{debug, info, warn};
use zmes_shared::words::MonitorCondition;
use zmes_shared::{EventId, MonitorState};
use zmes_zoneminder::shm::ReadError;
use zmes_zoneminder::{CaptureReports, DbError, EventRow, Monitor, MonitorSource, OtherServer, Reading};

use super::DetectConfig;
use super::alarm_limit::{AlarmLimit, Gaps};
use super::condition::{Condition, MonitorReport, RemoteSight};
use super::detector::{DetectedAlarm, Detector, DetectorStep};
use super::episode::Episode;
use super::events::{MOTION, cause_of_reading, event_id};
use super::pulse::Pulse;
use super::remote::RemoteCapture;
use super::uncaused::Uncaused;
use crate::config::Source;
use crate::domain::{Alarm, AlarmLabels, Origin, Phase};
use crate::ports::Clock;

#[derive(Debug)]
pub(super) struct PollRules {
    pub(super) config: DetectConfig,
    /// `ZM_WATCH_MAX_DELAY`
    pub(super) max_delay: Duration,
    /// The error, while the database does not answer.
    pub(super) database: Option<Arc<DbError>>,
    pub(super) gaps: Gaps,
}

impl PollRules {
    /// Returns whether a question to the database is worth the wait.
    fn may_ask(&self) -> bool {
        self.config.source != Source::Shm && self.database.is_none()
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Round<'a> {
    now: Instant,
    wall: Timestamp,
    rules: &'a PollRules,
}

impl<'a> Round<'a> {
    pub(super) fn new(rules: &'a PollRules, clock: &dyn Clock) -> Self {
        Self { now: Instant::now(), wall: clock.now(), rules }
    }
}

#[derive(Debug, Default)]
pub(super) struct PollResult {
    pub(super) alarms: Vec<Alarm>,
    /// The number of a question to the database.
    pub(super) ask: Option<u64>,
    /// An episode of a previous run was closed without an end.
    pub(super) given_up: bool,
    pub(super) changed: bool,
    /// Why the shared memory showed nothing.
    pub(super) error: Option<MonitorCondition>,
}

#[derive(Debug)]
pub(super) struct Track {
    monitor: Arc<Monitor>,
    detector: Detector,
    pulse: Pulse,
    cause: Arc<str>,
    uncaused: Uncaused,
    limit: AlarmLimit,
    episode: Episode,
    /// What its `zmc` says of itself, if that is on another server.
    remote: RemoteCapture,
    report: MonitorReport,
}

impl Track {
    /// Returns a monitor that is not polled yet. `cursor` and `unidentified` are those of [`Detector::new`].
    pub(super) fn new(
        monitor: Arc<Monitor>,
        cursor: Option<(EventId, Option<Instant>)>,
        unidentified: Vec<Instant>,
        episode: Episode,
    ) -> Self {
        let condition = Condition::NotLookedAt;
        let report = MonitorReport { condition, ..MonitorReport::unpolled(&monitor) };
        Self {
            monitor,
            detector: Detector::new(cursor, unidentified),
            pulse: Pulse::default(),
            cause: Arc::default(),
            uncaused: Uncaused::default(),
            limit: AlarmLimit::default(),
            episode,
            remote: RemoteCapture::default(),
            report,
        }
    }

    pub(super) fn describe(&mut self, monitor: &Arc<Monitor>) {
        if self.monitor.elsewhere != monitor.elsewhere {
            self.remote = RemoteCapture::default();
        }
        self.monitor = Arc::clone(monitor);
        self.report.name = Arc::clone(&monitor.name);
    }

    pub(super) fn look(&mut self, source: &mut dyn MonitorSource, round: &Round<'_>) -> PollResult {
        let (step, report) = if let Some(server) = self.monitor.elsewhere.clone() {
            // It may move (back) to this machine: an alarm that its zmc shows here has begun since then.
            let step = self.detector.miss(true, round.now, &round.rules.config);
            (step, self.elsewhere(server, round))
        } else if round.rules.config.source == Source::Db {
            (DetectorStep::default(), self.in_database(None, round))
        } else {
            match source.read(self.monitor.id, round.now) {
                Ok(reading) => self.on_reading(&reading, source, round),
                Err(error) => self.on_error(error, round),
            }
        };
        let error = report.condition.memory_error();
        let changed = self.show(report);
        PollResult { changed, error, ..self.alarms(step, false, round) }
    }

    pub(super) fn answer(&mut self, number: u64, open: Option<&[EventRow]>, round: &Round<'_>) -> PollResult {
        if let Some(alarm) = self.uncaused.answer(number, open) {
            return self.admitted(vec![alarm], round);
        }
        let step = self.detector.answer(number, open, round.now, &round.rules.config);
        self.alarms(step, false, round)
    }

    /// Adds a row with an alarm. `missed`: the row existed for a while before it was read.
    pub(super) fn reconcile(&mut self, row: &EventRow, missed: bool, round: &Round<'_>) -> PollResult {
        self.detector.reconcile(row, round.now);
        let remote = self.monitor.elsewhere.is_some();
        if !missed {
            self.remote.alarmed(round.now);
        }
        let missed = missed && remote;
        if remote && !row.open {
            // It may have been announced while the monitor was polled here.
            self.episode.event_ended(row.id);
        }
        let mut looked = self.alarms(DetectorStep::default(), missed, round);
        if !self.polled() {
            looked.changed = self.show(MonitorReport { last_event: Some(row.id), ..self.report.clone() });
        }
        looked
    }

    /// An announced event has another alarm. If the monitor is polled, polling knows better.
    pub(super) fn again(&mut self, row: &EventRow, round: &Round<'_>) -> PollResult {
        if self.polled() {
            return PollResult::default();
        }
        self.remote.alarmed(round.now);
        let step = self.detector.again(row, round.now);
        self.alarms(step, false, round)
    }

    /// Takes what each `zmc` said of itself at that time; `None`: nothing is known.
    pub(super) fn captured(&mut self, captures: Option<(&CaptureReports, Instant)>, max_delay: Duration) {
        self.remote.read(captures, &self.monitor, max_delay);
    }

    pub(super) fn database_away(&mut self) {
        self.remote.database_away();
    }

    /// An event of the monitor has ended.
    pub(super) fn event_ended(&mut self, event: EventId, round: &Round<'_>) -> PollResult {
        self.episode.event_ended(event);
        self.alarms(DetectorStep::default(), false, round)
    }

    /// The monitor is no longer watched: returns the end of its alarm, if one was announced.
    pub(super) fn gone(&mut self, round: &Round<'_>) -> PollResult {
        let alarms = self.episode.end(round.now, round.wall).into_iter().collect();
        PollResult { alarms, given_up: self.episode.take_given_up(), ..PollResult::default() }
    }

    /// The monitor is another server's, and its alarm goes on.
    pub(super) fn goes_on_elsewhere(&self) -> bool {
        self.monitor.elsewhere.is_some() && self.episode.is_open()
    }

    pub(super) fn restored(&mut self, newest: u64) {
        self.detector.restored(newest);
    }

    fn polled(&self) -> bool {
        self.monitor.elsewhere.is_none() && !matches!(self.report.condition, Condition::Database { .. })
    }

    fn on_reading(
        &mut self,
        reading: &Reading,
        source: &mut dyn MonitorSource,
        round: &Round<'_>,
    ) -> (DetectorStep, MonitorReport) {
        if let Some(age) = self.pulse.too_old(reading.heartbeat, round.now, round.wall, round.rules.max_delay)
        {
            // A zmc that was killed in alarm leaves that state in its memory.
            let step = self.detector.miss(false, round.now, &round.rules.config);
            self.episode.missed();
            let condition = Condition::Frozen { age: self.frozen_age(age) };
            return (step, self.seen(reading, MonitorState::Down, condition));
        }
        let step = self.detector.observe(&self.monitor, reading, round.now, &round.rules.config);
        self.episode.seen(reading);
        self.cause = cause_of_reading(reading);
        let unfinished = !reading.state_written_last && step.found.iter().any(|found| found.cause_follows);
        if unfinished
            && let Ok(second) = source.read(self.monitor.id, round.now)
            && second.last_event == reading.last_event
        {
            self.cause = cause_of_reading(&second);
        }
        let condition = match source.other_numbering(self.monitor.id) {
            Some(numbering) => Condition::Numbering(numbering),
            None if self.limit.is_flapping() => Condition::Flapping { limit: round.rules.config.alarm_limit },
            None if reading.signal => Condition::Captured,
            None => Condition::NoPicture,
        };
        (step, self.seen(reading, reading.state, condition))
    }

    fn seen(&self, reading: &Reading, state: MonitorState, condition: Condition) -> MonitorReport {
        let (last_event, layout) = (event_id(reading.last_event), Some(reading.layout));
        self.reported(state, last_event, layout, condition)
    }

    fn reported(
        &self,
        state: MonitorState,
        last_event: Option<EventId>,
        layout: Option<u32>,
        condition: Condition,
    ) -> MonitorReport {
        let (id, name) = (self.monitor.id, Arc::clone(&self.monitor.name));
        MonitorReport { id, name, state, last_event, layout, condition }
    }

    /// Returns the reported age of a frozen `zmc`, which changes once a minute.
    fn frozen_age(&self, age: Duration) -> Duration {
        if let Condition::Frozen { age: before } = self.report.condition
            && before.as_secs() / 60 == age.as_secs() / 60
        {
            return before;
        }
        age
    }

    fn on_error(&mut self, error: ReadError, round: &Round<'_>) -> (DetectorStep, MonitorReport) {
        let step = self.detector.miss(error.zmc_is_away(), round.now, &round.rules.config);
        self.episode.missed();
        if let ReadError::UnknownLayout(size) = error
            && round.rules.config.source == Source::Auto
        {
            return (step, self.in_database(Some(size), round));
        }
        let away = error.zmc_is_away();
        let state = if away { MonitorState::Down } else { MonitorState::Unknown };
        let last_event = self.report.last_event.filter(|_| !away);
        (step, self.reported(state, last_event, None, Condition::Unreadable(error)))
    }

    fn in_database(&mut self, layout: Option<u32>, round: &Round<'_>) -> MonitorReport {
        self.episode.unpolled();
        let condition = Condition::Database { layout, trouble: round.rules.database.clone() };
        self.reported(MonitorState::Unknown, self.report.last_event, layout, condition)
    }

    fn elsewhere(&mut self, server: Arc<OtherServer>, round: &Round<'_>) -> MonitorReport {
        self.episode.unpolled();
        let (sight, trouble) = (self.remote.sight(), round.rules.database.clone());
        let condition = Condition::Elsewhere { server, sight, trouble };
        self.reported(MonitorState::Unknown, self.report.last_event, None, condition)
    }

    /// Converts new detections and missed rows to alarms. `missed`: the rows are from the past.
    fn alarms(&mut self, step: DetectorStep, missed: bool, round: &Round<'_>) -> PollResult {
        let mut found = step.found;
        let rows = self.detector.missed(self.polled(), round.now, &round.rules.config);
        let late = |found: DetectedAlarm| DetectedAlarm { origin: Origin::Reconciled, ..found };
        found.extend(rows.into_iter().map(|found| if missed { late(found) } else { found }));
        let (mut alarms, mut ask) = (Vec::new(), step.ask);
        alarms.extend(self.uncaused.expired(round.now));
        for found in found {
            found
                .event
                .filter(|_| found.closed)
                .into_iter()
                .for_each(|event| self.episode.event_ended(event));
            let cause = self.cause_of(&found);
            let unknown = cause.is_none() && found.event.is_some();
            let alarm = Alarm {
                monitor: self.monitor.id,
                monitor_name: Arc::clone(&self.monitor.name),
                event: found.event,
                cause: cause.unwrap_or_else(|| Arc::from(MOTION)),
                labels: AlarmLabels::default(),
                at: round.wall,
                detected: round.now,
                origin: found.origin,
                phase: Phase::Start,
                span: None,
                elsewhere: None,
                stands_for_event: found.stands_for_event,
            };
            if unknown && ask.is_none() && self.uncaused.is_free() && round.rules.may_ask() {
                ask = Some(self.uncaused.hold(alarm));
            } else {
                alarms.push(alarm);
            }
        }
        PollResult { ask, ..self.admitted(alarms, round) }
    }

    /// Returns the cause from the best source: a row that polling has missed, then shared memory, then the row that
    /// answered a question.
    fn cause_of(&self, found: &DetectedAlarm) -> Option<Arc<str>> {
        let in_memory = Some(&self.cause).filter(|cause| !cause.trim().is_empty());
        found.cause.as_ref().or(in_memory).or(found.row_cause.as_ref()).map(Arc::clone)
    }

    /// Applies `alarm-limit`, adds the alarm that was held back once its minute is over, and inserts the ends. Every
    /// announced alarm gets its end, whatever the limit.
    fn admitted(&mut self, alarms: Vec<Alarm>, round: &Round<'_>) -> PollResult {
        let held = self.limit.due(round.now);
        if let Some(withheld) = self.limit.ended(round.now) {
            warn!(monitor = %self.monitor.id, name = &*self.monitor.name, withheld, "alarm limit exceeded: beyond zoneminder.alarm-limit only the last alarm of each minute was announced");
        }
        let limit = round.rules.config.alarm_limit;
        let held = held.map(|alarm| Alarm { detected: round.now, ..alarm });
        let admitted = self.limit.admit(alarms, limit, round.now, &round.rules.gaps);
        let alarms = self.episode.follow(held.into_iter().chain(admitted).collect(), round.now, round.wall);
        PollResult { alarms, given_up: self.episode.take_given_up(), ..PollResult::default() }
    }

    fn show(&mut self, report: MonitorReport) -> bool {
        if self.report == report {
            return false;
        }
        if !self.report.condition.is_like(&report.condition) {
            self.log(&report.condition);
        }
        self.report = report;
        true
    }

    fn log(&self, condition: &Condition) {
        let (monitor, name, word) = (self.monitor.id, &*self.monitor.name, condition.word());
        match condition {
            Condition::NotWatched(_)
            | Condition::NotLookedAt
            | Condition::Elsewhere { sight: RemoteSight::Unknown, trouble: None, .. } => {}
            // Each restart of a zmc passes through these.
            Condition::Unreadable(error) if error.zmc_is_away() => {
                info!(%monitor, name, condition = %word, %error, "monitor is not captured");
            }
            Condition::Unreadable(error) => {
                warn!(%monitor, name, condition = %word, %error, "monitor unhealthy");
            }
            Condition::Frozen { age } => {
                warn!(%monitor, name, condition = %word, age_s = age.as_secs(), "monitor unhealthy");
            }
            Condition::Elsewhere { trouble: Some(error), .. } => {
                warn!(%monitor, name, condition = %word, %error, "monitor unhealthy");
            }
            Condition::Elsewhere { server, sight: RemoteSight::Captured, trouble: None } => {
                debug!(%monitor, name, %server, "captured by another server: using the Events table");
            }
            Condition::Elsewhere { server, .. } => {
                warn!(%monitor, name, condition = %word, %server, "monitor of another server unhealthy");
            }
            Condition::Database { layout, trouble: Some(error) } => {
                warn!(%monitor, name, condition = %word, layout, %error, "monitor unhealthy");
            }
            Condition::Database { layout: Some(layout), trouble: None } => {
                warn!(%monitor, name, condition = %word, layout, "unknown shared-memory layout: using the Events table");
            }
            Condition::Captured => info!(%monitor, name, "monitor is captured"),
            Condition::Database { layout: None, trouble: None } => {
                debug!(%monitor, name, "using the Events table");
            }
            Condition::NoPicture | Condition::Numbering(_) | Condition::Flapping { .. } => {
                warn!(%monitor, name, condition = %word, "monitor is captured, with a remark");
            }
        }
    }

    pub(super) fn report(&self) -> MonitorReport {
        self.report.clone()
    }
}
