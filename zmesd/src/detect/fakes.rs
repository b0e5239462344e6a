//! The outside world of detection, controlled by a test: an Events table, monitors, a wall clock.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::time::Instant;
use zmes_shared::{EventId, MonitorId, MonitorState};
use zmes_zoneminder::shm::ReadError;
use zmes_zoneminder::{
    CaptureReports, DatabaseTrouble, DbError, EventRow, EventStore, Monitor, MonitorSource, Reading,
    Recording,
};

use super::DetectConfig;
use crate::config::Source;
use crate::ports::Clock;

pub(super) const ONE: MonitorId = MonitorId(1);
pub(super) const TWO: MonitorId = MonitorId(2);

pub(super) fn config() -> DetectConfig {
    DetectConfig {
        poll_interval: Duration::from_millis(20),
        realarm_interval: Duration::from_mins(1),
        alarm_limit: 0,
        startup_grace: Duration::from_secs(10),
        catch_up: Duration::from_mins(10),
        reconcile_interval: Duration::from_secs(2),
        source: Source::Auto,
        version: None,
        all_servers: false,
    }
}

pub(super) fn monitor(id: MonitorId, name: &str, recording: Recording) -> Monitor {
    Monitor {
        id,
        name: Arc::from(name),
        recording,
        alarm_opens_event: false,
        watched: Ok(()),
        on_demand: false,
        elsewhere: None,
    }
}

/// A wall clock that keeps step with tokio's.
#[derive(Debug)]
pub(super) struct SteadyClock(Instant);

impl SteadyClock {
    pub(super) fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_795_000_000).unwrap() + self.0.elapsed()
    }
}

#[derive(Debug, Clone)]
struct Stored {
    id: u64,
    monitor: MonitorId,
    cause: &'static str,
    notes: &'static str,
    alarm_frames: u32,
    began: Instant,
    open: bool,
}

#[derive(Debug, Default)]
struct ScriptedTable {
    rows: Vec<Stored>,
    down: bool,
    /// Makes rows look this much older than they are.
    shift: Duration,
    statements: usize,
    captures: Option<CaptureReports>,
    captures_fail: bool,
}

/// An Events table.
#[derive(Debug, Clone, Default)]
pub(super) struct ScriptedStore(Arc<Mutex<ScriptedTable>>);

impl ScriptedStore {
    fn table(&self) -> MutexGuard<'_, ScriptedTable> {
        self.0.lock().unwrap()
    }

    /// Inserts an open event that begins now.
    pub(super) fn open(&self, id: u64, monitor: MonitorId, cause: &'static str) {
        self.insert(id, monitor, cause, Duration::ZERO, true);
    }

    /// Inserts a closed event with an alarm that began this long ago.
    pub(super) fn past(&self, id: u64, monitor: MonitorId, age: Duration) {
        self.insert(id, monitor, "Motion", age, false);
    }

    fn insert(&self, id: u64, monitor: MonitorId, cause: &'static str, age: Duration, open: bool) {
        let began = Instant::now().checked_sub(age).unwrap();
        let mut table = self.table();
        table.rows.push(Stored { id, monitor, cause, notes: "", alarm_frames: 0, began, open });
        table.rows.sort_by_key(|row| row.id);
    }

    pub(super) fn notes(&self, id: u64, notes: &'static str) {
        self.table().rows.iter_mut().filter(|row| row.id == id).for_each(|row| row.notes = notes);
    }

    pub(super) fn alarm_frames(&self, id: u64, frames: u32) {
        self.table().rows.iter_mut().filter(|row| row.id == id).for_each(|row| row.alarm_frames = frames);
    }

    pub(super) fn close(&self, id: u64) {
        self.table().rows.iter_mut().filter(|row| row.id == id).for_each(|row| row.open = false);
    }

    pub(super) fn delete(&self, id: u64) {
        self.table().rows.retain(|row| row.id != id);
    }

    pub(super) fn delete_after(&self, id: u64) {
        self.table().rows.retain(|row| row.id <= id);
    }

    pub(super) fn set_down(&self, down: bool) {
        self.table().down = down;
    }

    pub(super) fn set_shift(&self, shift: Duration) {
        self.table().shift = shift;
    }

    /// Sets what each `zmc` reports about itself.
    pub(super) fn set_captures(&self, captures: Option<CaptureReports>) {
        self.table().captures = captures;
    }

    pub(super) fn fail_captures(&self, fail: bool) {
        self.table().captures_fail = fail;
    }

    pub(super) fn statements(&self) -> usize {
        self.table().statements
    }

    fn select<T>(&self, query: impl FnOnce(&mut dyn Iterator<Item = EventRow>) -> T) -> Result<T, DbError> {
        let mut table = self.table();
        table.statements += 1;
        if table.down {
            return Err(DbError::Unavailable(DatabaseTrouble::late("down")));
        }
        let shift = table.shift;
        let mut rows = table.rows.iter().map(|row| EventRow {
            id: EventId(row.id),
            monitor: row.monitor,
            cause: row.cause.to_owned(),
            notes: row.notes.to_owned(),
            alarm_frames: row.alarm_frames,
            age: row.began.elapsed() + shift,
            open: row.open,
        });
        Ok(query(&mut rows))
    }
}

#[async_trait]
impl EventStore for ScriptedStore {
    async fn newest(&self) -> Result<Option<EventId>, DbError> {
        self.select(|rows| rows.map(|row| row.id).max())
    }

    async fn since(&self, after: EventId, also: &[EventId], limit: u32) -> Result<Vec<EventRow>, DbError> {
        self.select(|rows| {
            rows.filter(|row| row.id > after || also.contains(&row.id)).take(limit as usize).collect()
        })
    }

    async fn capture_reports(&self) -> Result<Option<CaptureReports>, DbError> {
        self.select(|_| ())?;
        if self.table().captures_fail {
            return Err(DbError::Unexpected(DatabaseTrouble::late("the table is crashed")));
        }
        Ok(self.table().captures.clone())
    }

    async fn open_events(&self, monitor: MonitorId) -> Result<Vec<EventRow>, DbError> {
        let mut open: Vec<EventRow> =
            self.select(|rows| rows.filter(|row| row.open && row.monitor == monitor).collect())?;
        open.reverse();
        Ok(open)
    }
}

/// What each monitor shows; a monitor that was never set has no file.
#[derive(Debug, Clone, Default)]
pub(super) struct ScriptedSource(Arc<Mutex<HashMap<MonitorId, Script>>>);

#[derive(Debug)]
struct Script {
    next: Result<Reading, ReadError>,
    /// Shown from the second read at the same moment on.
    again: Option<Reading>,
}

impl ScriptedSource {
    pub(super) fn show(&self, monitor: MonitorId, shown: Result<Reading, ReadError>) {
        self.0.lock().unwrap().insert(monitor, Script { next: shown, again: None });
    }

    /// Shows one reading, then another from the next read on.
    pub(super) fn show_then(&self, monitor: MonitorId, first: Reading, then: Reading) {
        self.0.lock().unwrap().insert(monitor, Script { next: Ok(first), again: Some(then) });
    }
}

impl MonitorSource for ScriptedSource {
    fn read(&mut self, monitor: MonitorId, _now: Instant) -> Result<Reading, ReadError> {
        let mut scripts = self.0.lock().unwrap();
        let Some(script) = scripts.get_mut(&monitor) else {
            return Err(ReadError::NotThere {
                name: format!("zm.mmap.{monitor}").into(),
                directory: "/dev/shm".into(),
            });
        };
        match script.again.take() {
            Some(again) => std::mem::replace(&mut script.next, Ok(again)),
            None => script.next.clone(),
        }
    }
}

/// Returns a reading with this layout and state. The state is written last in 768, first in all other layouts.
pub(super) fn reading(layout: u32, state: MonitorState, last_event: u64, cause: &str) -> Reading {
    Reading {
        state,
        last_event,
        startup_time: 1_795_000_000,
        alarm_cause: Arc::from(cause),
        trigger: None,
        recording: None,
        signal: true,
        heartbeat: None,
        layout,
        state_written_last: layout == 768,
        order_unknown: layout == 600,
        generation: 1,
    }
}
