//! One monitor as the poller follows it: its detector, its condition, and how both are shown.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use tracing::{debug, info, warn};
use zmes_shared::views::{MonitorTrouble, MonitorView};
use zmes_shared::{EventId, MonitorState};
use zmes_zoneminder::shm::ReadError;
use zmes_zoneminder::{EventRow, Monitor, MonitorSource, Reading};

use super::DetectConfig;
use super::alarm_limit::{AlarmLimit, Gaps};
use super::detector::{Detector, Found, Step};
use super::events::{MOTION, cause_of_reading, event_id};
use super::pulse::Pulse;
use super::uncaused::Uncaused;
use crate::config::Source;
use crate::domain::Alarm;
use crate::ports::Clock;
use crate::telemetry::ShmError;

/// By what all looks are judged.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) config: DetectConfig,
    /// `ZM_WATCH_MAX_DELAY`
    pub(super) max_delay: Duration,
    /// Why the database does not answer, if so.
    pub(super) database: Option<Arc<str>>,
    /// Where alarms are told that were too many.
    pub(super) gaps: Gaps,
}

impl Rules {
    /// Says whether a question to the database is worth the wait.
    fn may_ask(&self) -> bool {
        self.config.source != Source::Shm && self.database.is_none()
    }
}

/// What all looks of one round have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Round<'a> {
    now: Instant,
    wall: Timestamp,
    rules: &'a Rules,
}

impl<'a> Round<'a> {
    pub(super) fn new(rules: &'a Rules, clock: &dyn Clock) -> Self {
        Self { now: Instant::now(), wall: clock.now(), rules }
    }
}

/// Whether a monitor's alarms would be seen, and if not, why.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Condition {
    NotLookedAt,
    Fine,
    NoSignal,
    Remarkable(&'static str),
    /// More alarms than that a minute.
    Flapping(u32),
    Unreadable(ReadError),
    /// With the age of the last sign of life when that was found.
    Frozen(Duration),
    /// The Events table is its source, because of a layout of that size or because the settings say so.
    Database {
        layout: Option<u32>,
        trouble: Option<Arc<str>>,
    },
}

/// What is shown of a monitor besides its name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shown {
    state: MonitorState,
    last_event: Option<EventId>,
    layout: Option<u32>,
    condition: Condition,
}

/// What a look brought.
#[derive(Debug, Default)]
pub(super) struct Looked {
    pub(super) alarms: Vec<Alarm>,
    /// The number of a question to the database.
    pub(super) ask: Option<u64>,
    /// What is shown has changed.
    pub(super) changed: bool,
    /// Why the shared memory showed nothing.
    pub(super) error: Option<ShmError>,
}

#[derive(Debug)]
pub(super) struct Track {
    monitor: Arc<Monitor>,
    detector: Detector,
    pulse: Pulse,
    cause: Arc<str>,
    uncaused: Uncaused,
    limit: AlarmLimit,
    shown: Shown,
}

impl Track {
    /// Returns a monitor that nobody has looked at; the rest is what [`Detector::new`] wants to know.
    pub(super) fn new(
        monitor: Arc<Monitor>,
        cursor: Option<(EventId, Option<Instant>)>,
        unidentified: Vec<Instant>,
    ) -> Self {
        let shown = Shown {
            state: MonitorState::Unknown,
            last_event: None,
            layout: None,
            condition: Condition::NotLookedAt,
        };
        Self {
            monitor,
            detector: Detector::new(cursor, unidentified),
            pulse: Pulse::default(),
            cause: Arc::default(),
            uncaused: Uncaused::default(),
            limit: AlarmLimit::default(),
            shown,
        }
    }

    pub(super) fn describe(&mut self, monitor: &Arc<Monitor>) {
        self.monitor = Arc::clone(monitor);
    }

    /// Looks at the monitor once.
    pub(super) fn look(&mut self, source: &mut dyn MonitorSource, round: &Round<'_>) -> Looked {
        let (step, shown) = if round.rules.config.source == Source::Db {
            (Step::default(), self.in_database(None, round))
        } else {
            match source.read(self.monitor.id, round.now) {
                Ok(reading) => self.on_reading(&reading, source, round),
                Err(error) => self.on_error(error, round),
            }
        };
        let error = shown.condition.error();
        let changed = self.show(shown);
        Looked { changed, error, ..self.alarms(step, round) }
    }

    /// Takes the monitor's open events as the answer to a question.
    pub(super) fn answer(&mut self, number: u64, open: Option<&[EventRow]>, round: &Round<'_>) -> Looked {
        if let Some(alarm) = self.uncaused.answer(number, open) {
            return Looked { alarms: self.admitted(vec![alarm], round), ..Looked::default() };
        }
        let step = self.detector.answer(number, open, round.now, &round.rules.config);
        self.alarms(step, round)
    }

    /// Takes a row of the Events table.
    pub(super) fn reconcile(&mut self, row: &EventRow, round: &Round<'_>) -> Looked {
        self.detector.reconcile(row, round.now);
        let mut looked = self.alarms(Step::default(), round);
        if !self.polled() {
            looked.changed = self.show(Shown { last_event: Some(row.id), ..self.shown.clone() });
        }
        looked
    }

    pub(super) fn restored(&mut self, newest: u64) {
        self.detector.restored(newest);
    }

    fn polled(&self) -> bool {
        !matches!(self.shown.condition, Condition::Database { .. })
    }

    fn on_reading(
        &mut self,
        reading: &Reading,
        source: &mut dyn MonitorSource,
        round: &Round<'_>,
    ) -> (Step, Shown) {
        let shown = |state, condition| Shown {
            state,
            last_event: event_id(reading.last_event),
            layout: Some(reading.layout),
            condition,
        };
        if let Some(age) = self.pulse.too_old(reading.heartbeat, round.now, round.wall, round.rules.max_delay)
        {
            // A zmc that was killed in alarm leaves it standing for ever.
            let step = self.detector.miss(false, round.now, &round.rules.config);
            return (step, shown(MonitorState::Down, self.frozen(age)));
        }
        let step = self.detector.observe(&self.monitor, reading, round.now, &round.rules.config);
        self.cause = cause_of_reading(reading);
        let unfinished = !reading.state_written_last && step.found.iter().any(|found| found.cause_follows);
        if unfinished
            && let Ok(second) = source.read(self.monitor.id, round.now)
            && second.last_event == reading.last_event
        {
            self.cause = cause_of_reading(&second);
        }
        let condition = match source.remark(self.monitor.id) {
            Some(remark) => Condition::Remarkable(remark),
            None if self.limit.is_flapping() => Condition::Flapping(round.rules.config.alarm_limit),
            None if reading.signal => Condition::Fine,
            None => Condition::NoSignal,
        };
        (step, shown(reading.state, condition))
    }

    /// Returns the condition of a frozen `zmc`; its age is only told anew each minute.
    fn frozen(&self, age: Duration) -> Condition {
        if let Condition::Frozen(before) = self.shown.condition
            && before.as_secs() / 60 == age.as_secs() / 60
        {
            return Condition::Frozen(before);
        }
        Condition::Frozen(age)
    }

    fn on_error(&mut self, error: ReadError, round: &Round<'_>) -> (Step, Shown) {
        let step = self.detector.miss(error.zmc_is_away(), round.now, &round.rules.config);
        if let ReadError::UnknownLayout { size } = error
            && round.rules.config.source == Source::Auto
        {
            return (step, self.in_database(Some(size), round));
        }
        let away = error.zmc_is_away();
        let state = if away { MonitorState::Down } else { MonitorState::Unknown };
        let last_event = self.shown.last_event.filter(|_| !away);
        (step, Shown { state, last_event, layout: None, condition: Condition::Unreadable(error) })
    }

    fn in_database(&self, layout: Option<u32>, round: &Round<'_>) -> Shown {
        Shown {
            state: MonitorState::Unknown,
            last_event: self.shown.last_event,
            layout,
            condition: Condition::Database { layout, trouble: round.rules.database.clone() },
        }
    }

    /// Makes alarms of what was found and of what polling has missed.
    fn alarms(&mut self, step: Step, round: &Round<'_>) -> Looked {
        let mut found = step.found;
        found.extend(self.detector.missed(self.polled(), round.now, &round.rules.config));
        let (mut alarms, mut ask) = (Vec::new(), step.ask);
        alarms.extend(self.uncaused.expired(round.now));
        for found in found {
            let cause = self.cause_of(&found);
            let unknown = cause.is_none() && found.event.is_some();
            let alarm = Alarm {
                monitor: self.monitor.id,
                monitor_name: Arc::clone(&self.monitor.name),
                event: found.event,
                cause: cause.unwrap_or_else(|| Arc::from(MOTION)),
                at: round.wall,
                detected: round.now,
                origin: found.origin,
            };
            if unknown && ask.is_none() && self.uncaused.is_free() && round.rules.may_ask() {
                ask = Some(self.uncaused.hold(alarm));
            } else {
                alarms.push(alarm);
            }
        }
        Looked { alarms: self.admitted(alarms, round), ask, ..Looked::default() }
    }

    /// Returns why it alarms, from where most is known: a row that polling has missed, shared memory, the row that
    /// answered a question.
    fn cause_of(&self, found: &Found) -> Option<Arc<str>> {
        let in_memory = Some(&self.cause).filter(|cause| !cause.trim().is_empty());
        found.cause.as_ref().or(in_memory).or(found.row_cause.as_ref()).map(Arc::clone)
    }

    /// Keeps alarms within `alarm-limit`, and adds the one that was held back when its minute is over.
    fn admitted(&mut self, alarms: Vec<Alarm>, round: &Round<'_>) -> Vec<Alarm> {
        let held = self.limit.due(round.now);
        if let Some(withheld) = self.limit.ended(round.now) {
            warn!(monitor = %self.monitor.id, name = &*self.monitor.name, withheld, "alarms were too many: only the last of each minute was announced beyond zoneminder.alarm-limit");
        }
        let limit = round.rules.config.alarm_limit;
        let held = held.map(|alarm| Alarm { detected: round.now, ..alarm });
        let admitted = self.limit.admit(alarms, limit, round.now, &round.rules.gaps);
        held.into_iter().chain(admitted).collect()
    }

    fn show(&mut self, shown: Shown) -> bool {
        if self.shown == shown {
            return false;
        }
        if self.shown.condition != shown.condition {
            self.log(&shown.condition);
        }
        self.shown = shown;
        true
    }

    fn log(&self, condition: &Condition) {
        let (monitor, name) = (self.monitor.id, &*self.monitor.name);
        match (condition, condition.reason()) {
            // Each restart of a zmc passes through these.
            (Condition::Unreadable(error), Some(reason)) if error.zmc_is_away() => {
                info!(%monitor, name, reason, "monitor is not captured");
            }
            (Condition::Fine, _) => info!(%monitor, name, "monitor is captured"),
            (Condition::Database { layout: None, .. } | Condition::NotLookedAt, _) => {
                debug!(%monitor, name, "monitor is followed in the Events table");
            }
            (_, reason) => warn!(%monitor, name, reason, "monitor needs a look"),
        }
    }

    pub(super) fn view(&self) -> MonitorView {
        MonitorView {
            id: self.monitor.id,
            name: self.monitor.name.to_string(),
            source: if self.polled() { "shm" } else { "db" }.to_owned(),
            state: self.shown.state,
            last_event_id: self.shown.last_event,
            layout: self.shown.layout,
            healthy: self.shown.condition.healthy(),
            reason: self.shown.condition.reason(),
            trouble: self.shown.condition.trouble(),
            hint: self.shown.condition.hint(),
        }
    }
}

fn kind(error: &ReadError) -> ShmError {
    match error {
        ReadError::NotThere { .. } => ShmError::NotThere,
        ReadError::Starting => ShmError::Starting,
        ReadError::Stopped => ShmError::Stopped,
        ReadError::UnknownLayout { .. } => ShmError::UnknownLayout,
        ReadError::HalfInitialised { .. } => ShmError::HalfInitialised,
        ReadError::Short { .. } => ShmError::Short,
        ReadError::Implausible { .. } => ShmError::Implausible,
        ReadError::Permission(_) => ShmError::Permission,
        ReadError::Io { .. } => ShmError::Io,
    }
}

/// Returns what is shown of a monitor that is not followed, or not yet.
pub fn unseen(monitor: &Monitor) -> MonitorView {
    let reason = monitor.watched.err().map_or("not looked at yet", |reason| reason.as_str());
    let off = monitor.watched.is_err();
    MonitorView {
        id: monitor.id,
        name: monitor.name.to_string(),
        source: "none".to_owned(),
        state: MonitorState::Unknown,
        last_event_id: None,
        layout: None,
        healthy: false,
        reason: Some(reason.to_owned()),
        trouble: Some(if off { MonitorTrouble::SwitchedOff } else { MonitorTrouble::NotLookedAt }),
        hint: None,
    }
}

impl Condition {
    /// Returns what is counted: a look at the shared memory that showed nothing.
    fn error(&self) -> Option<ShmError> {
        match self {
            Self::Unreadable(error) => Some(kind(error)),
            Self::Frozen(_) => Some(ShmError::Frozen),
            Self::Database { layout: Some(_), .. } => Some(ShmError::UnknownLayout),
            Self::NotLookedAt
            | Self::Fine
            | Self::NoSignal
            | Self::Remarkable(_)
            | Self::Flapping(_)
            | Self::Database { layout: None, .. } => None,
        }
    }

    fn healthy(&self) -> bool {
        match self {
            Self::Fine
            | Self::NoSignal
            | Self::Remarkable(_)
            | Self::Flapping(_)
            | Self::Database { trouble: None, .. } => true,
            Self::NotLookedAt
            | Self::Unreadable(_)
            | Self::Frozen(_)
            | Self::Database { trouble: Some(_), .. } => false,
        }
    }

    fn trouble(&self) -> Option<MonitorTrouble> {
        match self {
            Self::Fine | Self::Database { layout: None, trouble: None } => None,
            Self::NotLookedAt => Some(MonitorTrouble::NotLookedAt),
            Self::NoSignal => Some(MonitorTrouble::NoPicture),
            Self::Remarkable(_) => Some(MonitorTrouble::Remark),
            Self::Flapping(_) => Some(MonitorTrouble::Flapping),
            Self::Frozen(_) => Some(MonitorTrouble::Frozen),
            Self::Database { trouble: Some(_), .. } => Some(MonitorTrouble::Database),
            Self::Database { layout: Some(_), .. } => Some(MonitorTrouble::UnknownLayout),
            Self::Unreadable(error) => Some(match error {
                ReadError::NotThere { .. } => MonitorTrouble::NoMemory,
                ReadError::Starting | ReadError::Stopped => MonitorTrouble::NotCaptured,
                ReadError::UnknownLayout { .. } => MonitorTrouble::UnknownLayout,
                ReadError::HalfInitialised { .. }
                | ReadError::Short { .. }
                | ReadError::Implausible { .. } => MonitorTrouble::Damaged,
                ReadError::Permission(_) => MonitorTrouble::Permission,
                ReadError::Io { .. } => MonitorTrouble::Io,
            }),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unreadable(error) => error.cure(),
            Self::Fine
            | Self::NotLookedAt
            | Self::NoSignal
            | Self::Remarkable(_)
            | Self::Flapping(_)
            | Self::Frozen(_)
            | Self::Database { .. } => None,
        }
    }

    fn reason(&self) -> Option<String> {
        match self {
            Self::NotLookedAt => Some("not looked at yet".to_owned()),
            Self::Fine => None,
            Self::NoSignal => Some("zmc runs, but the camera delivers no picture".to_owned()),
            Self::Remarkable(remark) => Some((*remark).to_owned()),
            Self::Flapping(limit) => Some(format!(
                "its alarms flap: more than {limit} a minute; only the last of the others is announced"
            )),
            Self::Unreadable(error) => Some(error.to_string()),
            Self::Frozen(age) => {
                Some(format!("zmc's last sign of life is {} s old: it was killed or hangs", age.as_secs()))
            }
            Self::Database { layout, trouble } => {
                let why = layout.map(|size| {
                    format!("unknown shared-memory layout (size {size}); falling back to the database")
                });
                let trouble = trouble.as_deref().map(str::to_owned);
                let parts: Vec<String> = why.into_iter().chain(trouble).collect();
                (!parts.is_empty()).then(|| parts.join("; "))
            }
        }
    }
}
