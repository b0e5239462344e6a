//! Detects one monitor's alarms from readings and rows. Pure: no I/O, no clock; the time is passed in.
//!
//! ZoneMinder's versions publish an alarm in different orders. 1.36 opens the event, publishes its id and sets the
//! state last, so state and id belong together. In older versions, and again from 1.37 on, the state comes first, and
//! the id follows once the database has accepted the row; until then the id is that of the previous event. And with
//! continuous recording, an alarm may be inside the open event and not change the id at all.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use zmes_shared::EventId;
use zmes_zoneminder::{EventRow, Monitor, Reading, Recording};

use super::DetectConfig;
use super::announced::{Announced, AnnouncedBy};
use super::events::{cause_of_row, event_id, has_alarm};
use super::settling::{Patience, Settling};
use super::unidentified::Unidentified;
use crate::domain::Origin;

/// How long an alarm waits for its event id before it is announced without one.
pub(super) const ID_DEADLINE: Duration = Duration::from_secs(5);
/// How long the database may take to say whether the alarm is inside the open event; after that, this is assumed.
const DATABASE_DEADLINE: Duration = Duration::from_millis(500);
/// How long to wait before asking the database whether an alarm is inside the previous event. If asked sooner, the row
/// of an event that is just being closed might still look open.
const RECHECK: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetectedAlarm {
    pub event: Option<EventId>,
    pub origin: Origin,
    /// The cause from the Events table; `None`: use the cause in shared memory.
    pub cause: Option<Arc<str>>,
    /// The cause of the row, used if shared memory has none.
    pub row_cause: Option<Arc<str>>,
    /// Shared memory gets the cause only after the id, so it must be read again.
    pub cause_follows: bool,
    /// The event had already ended when its row was read.
    pub closed: bool,
    /// See [`Alarm::stands_for_event`](crate::domain::Alarm::stands_for_event).
    pub stands_for_event: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct DetectorStep {
    /// Alarms to announce, in this order.
    pub found: Vec<DetectedAlarm>,
    /// If set, ask the database for the monitor's open events and pass the answer on under this number.
    pub ask: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
struct LastReading {
    generation: u64,
    startup_time: i64,
    alarmed: bool,
    last_event: u64,
    /// `last_event` was different in the previous observation.
    moved: bool,
}

#[derive(Debug, Clone, Copy)]
struct PendingAlarm {
    since: Instant,
    why: PendingFor,
    /// `last_event` when the alarm was seen.
    last_event: u64,
    question: u64,
    /// The alarm may be inside the event `last_event`, which was announced: ask the database after [`RECHECK`].
    recheck: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PendingFor {
    /// The id has not appeared yet. Any id other than `last_event` is the alarm's.
    NewId,
    /// As `NewId`, unless the alarm is inside the event `last_event`: the database knows.
    NewIdOrOpenEvent,
    /// The alarm was running when the daemon started; only the database knows whether it is young enough.
    AtStart,
}

#[derive(Debug, Default)]
pub struct Detector {
    seen: Option<LastReading>,
    /// The monitor was seen without a `zmc`: an alarm that the next `zmc` shows first has begun since then.
    was_away: bool,
    pending: Option<PendingAlarm>,
    unidentified: Unidentified,
    announced: Announced,
    settling: Settling,
    cursor: Option<EventId>,
    questions: u64,
}

#[derive(Clone, Copy)]
struct Observation<'a> {
    monitor: &'a Monitor,
    reading: &'a Reading,
    now: Instant,
    config: &'a DetectConfig,
}

impl Observation<'_> {
    /// Shared memory reflects changes at once, the catalog only when it is read again.
    fn recording(&self) -> Recording {
        self.reading.recording.unwrap_or(self.monitor.recording)
    }

    fn event(&self) -> Option<EventId> {
        event_id(self.reading.last_event)
    }
}

impl Detector {
    /// Returns a detector for a monitor. Known so far are the last announced event and its time (`None`: earlier than
    /// the monotonic clock can express), and when alarms were announced without an id.
    pub fn new(cursor: Option<(EventId, Option<Instant>)>, unidentified: Vec<Instant>) -> Self {
        let mut detector = Self {
            cursor: cursor.map(|(event, _)| event),
            unidentified: Unidentified::recorded(unidentified),
            ..Self::default()
        };
        if let Some((event, at)) = cursor {
            detector.announced.note(event, at, AnnouncedBy::Poll);
        }
        detector
    }

    pub fn observe(
        &mut self,
        monitor: &Monitor,
        reading: &Reading,
        now: Instant,
        config: &DetectConfig,
    ) -> DetectorStep {
        let mut step = DetectorStep::default();
        let look = Observation { monitor, reading, now, config };
        let before = self.seen.filter(|seen| {
            seen.generation == reading.generation && seen.startup_time == reading.startup_time
        });
        if let Some(event) = look.event() {
            self.announced.polled(event);
        }
        let running = self.was_away || self.seen.is_some();
        match before {
            Some(before) => self.follow(before, look, &mut step),
            None if running => self.rebase(look, &mut step),
            None => self.start(look, &mut step),
        }
        self.seen = Some(LastReading {
            generation: reading.generation,
            startup_time: reading.startup_time,
            alarmed: reading.state.alarmed(),
            last_event: reading.last_event,
            moved: before.is_some_and(|before| before.last_event != reading.last_event),
        });
        self.expire(now, config, &mut step);
        step
    }

    /// Records a poll without a reading; `zmc_is_away` if that is because no `zmc` runs.
    pub fn miss(&mut self, zmc_is_away: bool, now: Instant, config: &DetectConfig) -> DetectorStep {
        let mut step = DetectorStep::default();
        self.was_away |= zmc_is_away;
        self.expire(now, config, &mut step);
        step
    }

    /// Handles the answer to a question: the monitor's open events, or `None` if the database cannot tell.
    pub fn answer(
        &mut self,
        question: u64,
        open: Option<&[EventRow]>,
        now: Instant,
        config: &DetectConfig,
    ) -> DetectorStep {
        let mut step = DetectorStep::default();
        let Some(pending) = self.pending.filter(|pending| pending.question == question) else { return step };
        let row = open.and_then(|rows| rows.iter().find(|row| row.id.0 == pending.last_event));
        match (pending.why, row) {
            (PendingFor::NewIdOrOpenEvent | PendingFor::NewId, Some(row)) => {
                self.pending = None;
                self.announce(row.id, false, now, config, &mut step);
                step.tell_cause(row);
            }
            // The alarm is not in that event, so it is in one that is still to come.
            (PendingFor::NewIdOrOpenEvent, None) if open.is_some() => {
                self.pending = Some(PendingAlarm { why: PendingFor::NewId, ..pending });
            }
            (PendingFor::AtStart, row) => {
                self.pending = None;
                match row.filter(|row| row.age < config.startup_grace) {
                    Some(row) if self.identifies(row, now) => {
                        self.announced.note(row.id, Some(now), AnnouncedBy::Poll);
                    }
                    Some(row) => {
                        self.announce(row.id, false, now, config, &mut step);
                        step.tell_cause(row);
                        step.found.iter_mut().for_each(|found| found.stands_for_event = true);
                    }
                    None => {}
                }
            }
            (PendingFor::NewIdOrOpenEvent | PendingFor::NewId, None) => {}
        }
        step
    }

    /// Adds a row of the Events table that polling may have missed.
    pub fn reconcile(&mut self, row: &EventRow, now: Instant) {
        if has_alarm(row) && !self.announced.contains(row.id) {
            self.settling.put(row.clone(), now);
        }
    }

    /// Returns the alarms of rows that polling has certainly missed. `polled` is whether the monitor is polled at all.
    pub fn missed(&mut self, polled: bool, now: Instant, config: &DetectConfig) -> Vec<DetectedAlarm> {
        if self.settling.is_empty() {
            return Vec::new();
        }
        let (patience, origin) = match (polled, self.pending) {
            (false, _) => (Patience::None, Origin::Poll),
            (true, Some(_)) => (Patience::Hold, Origin::Reconciled),
            (true, None) => (Patience::Settle, Origin::Reconciled),
        };
        let mut found = Vec::new();
        for (row, first_seen) in self.settling.take(now, config.poll_interval, patience) {
            if self.announced.contains(row.id) {
                continue;
            }
            self.announced.note(row.id, Some(now), AnnouncedBy::Reconciler);
            if !self.identifies(&row, first_seen) {
                let (cause, closed) = (Some(cause_of_row(&row)), !row.open);
                let polled = DetectedAlarm::polled(Some(row.id));
                found.push(DetectedAlarm { origin, cause, closed, stands_for_event: true, ..polled });
            }
        }
        found
    }

    /// Returns another alarm inside an announced event: the row's number of alarm frames grew again after a pause.
    pub fn again(&mut self, row: &EventRow, now: Instant) -> DetectorStep {
        self.announced.note(row.id, Some(now), AnnouncedBy::Reconciler);
        let cause = Some(cause_of_row(row));
        DetectorStep {
            found: vec![DetectedAlarm { cause, ..DetectedAlarm::polled(Some(row.id)) }],
            ask: None,
        }
    }

    /// Forgets announced events after `newest`: the database was restored, and their ids will be assigned again.
    pub fn restored(&mut self, newest: u64) {
        self.announced.restored(newest);
        self.cursor = self.cursor.filter(|cursor| cursor.0 <= newest);
    }

    fn follow(&mut self, before: LastReading, look: Observation<'_>, step: &mut DetectorStep) {
        let alarmed = look.reading.state.alarmed();
        let entered = alarmed && !before.alarmed;
        // A new alarm is not the one that was running at the start.
        self.pending = self.pending.filter(|pending| pending.why != PendingFor::AtStart || !entered);
        if let Some(pending) = self.pending {
            let changed = look.event().filter(|event| event.0 != pending.last_event);
            if let Some(event) = changed.filter(|_| alarmed || pending.why != PendingFor::AtStart) {
                self.pending = None;
                self.announce(event, true, look.now, look.config, step);
            }
            return;
        }
        if !alarmed {
            return;
        }
        if entered {
            self.unidentified.another();
            self.enter(before, look, step);
            return;
        }
        let changed = look.event().filter(|event| event.0 != before.last_event);
        let Some(event) = changed.filter(|event| !self.announced.contains(*event)) else { return };
        if self.unidentified.take_last() {
            self.announced.note(event, Some(look.now), AnnouncedBy::Poll);
        } else {
            self.announce(event, true, look.now, look.config, step);
        }
    }

    /// The state has become ALARM or ALERT.
    fn enter(&mut self, before: LastReading, look: Observation<'_>, step: &mut DetectorStep) {
        let reading = look.reading;
        if look.recording() == Recording::Never {
            step.found.push(DetectedAlarm::polled(None));
            return;
        }
        // An id that has just changed belongs to this alarm. In a layout whose releases differ in their order, this
        // also holds for an id that changed one poll before the state.
        let just_before = before.moved && reading.order_unknown;
        let together = reading.state_written_last || reading.last_event != before.last_event || just_before;
        if let Some(event) = look.event().filter(|_| together) {
            self.announce(event, true, look.now, look.config, step);
            return;
        }
        let inside = look.recording() == Recording::Always
            && !look.monitor.alarm_opens_event
            && !reading.state_written_last
            && look.event().is_some();
        self.wait(if inside { PendingFor::NewIdOrOpenEvent } else { PendingFor::NewId }, look, step);
    }

    /// Handles the first reading of a new `zmc` for a known monitor: a running alarm has begun since the last poll.
    fn rebase(&mut self, look: Observation<'_>, step: &mut DetectorStep) {
        // An alarm that still waited for its id belongs to a zmc that is gone.
        if let Some(pending) = self.pending.take().filter(|pending| pending.why != PendingFor::AtStart) {
            self.give_up(pending, step);
        }
        // Ids of the new zmc do not belong to an earlier alarm.
        self.unidentified.another();
        if !look.reading.state.alarmed() {
            return;
        }
        if look.recording() == Recording::Never {
            step.found.push(DetectedAlarm::polled(None));
            return;
        }
        match look.event() {
            Some(event) if self.announced.contains(event) => {}
            Some(event) if look.reading.state_written_last => {
                self.announce(event, false, look.now, look.config, step);
            }
            Some(_) => self.wait(PendingFor::NewIdOrOpenEvent, look, step),
            None => self.wait(PendingFor::NewId, look, step),
        }
    }

    /// Handles the first observation: a running alarm may be old, and the previous run may have announced it.
    fn start(&mut self, look: Observation<'_>, step: &mut DetectorStep) {
        let known = |event: EventId| self.cursor.is_some_and(|cursor| event <= cursor);
        if look.reading.state.alarmed() && look.event().is_some_and(|event| !known(event)) {
            self.wait(PendingFor::AtStart, look, step);
        }
    }

    fn wait(&mut self, why: PendingFor, look: Observation<'_>, step: &mut DetectorStep) {
        self.questions += 1;
        let question = self.questions;
        // From 1.37 on, an event stays open for its minimum length (10 s) even when the state is IDLE again, and motion
        // during that time does not open another event.
        let recheck = why == PendingFor::NewId
            && look.reading.recording.is_some()
            && look.event().is_some_and(|event| self.announced.contains(event));
        let last_event = look.reading.last_event;
        self.pending = Some(PendingAlarm { since: look.now, why, last_event, question, recheck });
        step.ask = (why != PendingFor::NewId).then_some(question);
    }

    fn expire(&mut self, now: Instant, config: &DetectConfig, step: &mut DetectorStep) {
        let Some(pending) = self.pending else { return };
        let waited = now.saturating_duration_since(pending.since);
        if pending.recheck && waited >= RECHECK {
            self.questions += 1;
            self.pending = Some(PendingAlarm { recheck: false, question: self.questions, ..pending });
            step.ask = Some(self.questions);
            return;
        }
        if pending.why == PendingFor::NewIdOrOpenEvent && waited >= DATABASE_DEADLINE {
            self.pending = None;
            if let Some(event) = event_id(pending.last_event) {
                self.announce(event, false, now, config, step);
            }
        } else if waited >= ID_DEADLINE {
            self.pending = None;
            if pending.why != PendingFor::AtStart {
                self.give_up(pending, step);
            }
        }
    }

    /// Announces an alarm without its id. If the id still appears, it counts as announced.
    fn give_up(&mut self, pending: PendingAlarm, step: &mut DetectorStep) {
        self.unidentified.announced(pending.since);
        step.found.push(DetectedAlarm::polled(None));
    }

    fn announce(
        &mut self,
        event: EventId,
        cause_follows: bool,
        now: Instant,
        config: &DetectConfig,
        step: &mut DetectorStep,
    ) {
        if self.announced.wants(event, now, config.realarm_interval) {
            self.announced.note(event, Some(now), AnnouncedBy::Poll);
            step.found.push(DetectedAlarm { cause_follows, ..DetectedAlarm::polled(Some(event)) });
        }
    }

    /// Returns whether a row is the event of an alarm that was announced without an id.
    fn identifies(&mut self, row: &EventRow, first_seen: Instant) -> bool {
        self.unidentified.take(first_seen.checked_sub(row.age))
    }
}

impl DetectorStep {
    /// Adds the cause of the row that contains the alarm.
    fn tell_cause(&mut self, row: &EventRow) {
        if let Some(found) = self.found.last_mut().filter(|found| found.event == Some(row.id)) {
            found.row_cause = Some(cause_of_row(row));
        }
    }
}

impl DetectedAlarm {
    fn polled(event: Option<EventId>) -> Self {
        Self {
            event,
            origin: Origin::Poll,
            cause: None,
            row_cause: None,
            cause_follows: false,
            closed: false,
            stands_for_event: false,
        }
    }
}

#[cfg(test)]
mod tests;
