//! Tracks how far the Events table has been read. Pure.
//!
//! Ids are assigned when a row is inserted but become visible when it is committed, so a lower id may appear after a
//! higher one. Therefore the last seconds are read again each time. An alarm inside a continuous event shows only in
//! its growing number of alarm frames, so open events are read again, too.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tokio::time::Instant;
use zmes_shared::{EventId, MonitorId};
use zmes_zoneminder::EventRow;

use super::events::has_alarm;
use super::record::Record;

/// How long after a row with a higher id a row with a lower id may appear.
const OVERLAP: Duration = Duration::from_secs(10);
/// A row whose event is older than this was committed long ago: no earlier row can still appear.
const SETTLED: Duration = Duration::from_mins(1);
/// Maximum number of open events watched at the same time.
const WATCHED: usize = 1000;
/// Maximum number of open events watched per monitor. There is more than one only if a `zmc` has crashed.
const WATCHED_EACH: usize = 2;

/// A row does not count as missed if it became visible, or still had no alarm, at most this long before it was read.
const FRESH: Duration = Duration::from_secs(10);
/// How long an event must have had no new alarm frames before new ones count as another alarm. ZoneMinder writes the
/// number with the pictures, and the last ones of an alarm only with the next picture that it stores of a calm event:
/// every hundredth (`zm_event.cpp`, `AddFrame`; `ZM_BULK_FRAME_INTERVAL`).
const CALM: Duration = Duration::from_mins(2);

/// An event is inserted when it is opened, but begins with earlier pictures: at most this long before.
const BEGAN_BEFORE: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, Copy)]
pub(super) struct TableEnd {
    pub(super) end: EventId,
    pub(super) at: Instant,
}

#[expect(clippy::struct_excessive_bools, reason = "facts about a row that do not exclude each other")]
#[derive(Debug)]
struct WindowRow {
    monitor: MonitorId,
    first_seen: Instant,
    /// The event was already old when the row was first seen.
    settled: bool,
    open: bool,
    /// Its alarm was reported, or will not be.
    done: bool,
    /// Its end must be reported.
    ends: bool,
    /// Its number of alarm frames at the last count, and when that last grew.
    counted: Option<(u32, Instant)>,
    /// When it was last read without an alarm.
    calm_at: Option<Instant>,
}

/// A row with an alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FoundRow {
    pub(super) row: EventRow,
    pub(super) kind: RowKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowKind {
    /// It has just appeared, or had no alarm when it was read a moment before.
    Fresh,
    /// It had existed for a while: the daemon or the database was away.
    Missed,
    /// It was reported before, and has another alarm.
    Again,
}

/// The part of the Events table that must be read again.
#[derive(Debug)]
pub(super) struct Window {
    /// Everything up to here has been read.
    position: EventId,
    rows: BTreeMap<EventId, WindowRow>,
    first: TableEnd,
    /// What a previous run knew of the table's end.
    known: Option<TableEnd>,
    /// When the table was last read to its end.
    whole_at: Option<Instant>,
    /// Events beyond the position whose end must be reported: the table has not been read that far.
    expected: BTreeMap<EventId, MonitorId>,
    /// Ended events to report now.
    ended: Vec<(MonitorId, EventId)>,
}

impl WindowRow {
    /// Updates its number of alarm frames. Returns whether that grew after it had stayed the same for `calm`.
    fn grew(&mut self, frames: u32, now: Instant, calm: Duration) -> bool {
        let Some((before, at)) = self.counted else {
            self.counted = Some((frames, now));
            return false;
        };
        if frames <= before {
            return false;
        }
        self.counted = Some((frames, now));
        now.saturating_duration_since(at) >= calm
    }
}

impl Window {
    /// Returns a window that begins after `position`; `first` is the table's end before anything was read.
    pub(super) fn new(position: EventId, first: TableEnd) -> Self {
        Self {
            position,
            rows: BTreeMap::new(),
            first,
            known: None,
            whole_at: None,
            expected: BTreeMap::new(),
            ended: Vec::new(),
        }
    }

    /// Sets an event that existed at a known time by this machine's clock: any event with a higher id is younger.
    #[must_use]
    pub(super) fn knowing(mut self, known: Option<TableEnd>) -> Self {
        self.known = known;
        self
    }

    pub(super) fn position(&self) -> EventId {
        self.position
    }

    /// Forgets the rows after `newest`, where the table now ends.
    pub(super) fn truncate(&mut self, newest: EventId) {
        self.position = self.position.min(newest);
        let gone = self.rows.split_off(&EventId(newest.0.saturating_add(1)));
        self.ended.extend(gone.iter().filter(|(_, row)| row.ends).map(|(id, row)| (row.monitor, *id)));
    }

    /// Follows the events of the record whose end was not announced.
    pub(super) fn expect_ends(&mut self, record: &Record, now: Instant) {
        for (event, monitor) in record.open() {
            if event > self.position {
                self.expected.insert(event, monitor);
                continue;
            }
            let row = self.rows.entry(event).or_insert(WindowRow {
                monitor,
                first_seen: now,
                settled: true,
                open: true,
                done: true,
                ends: true,
                counted: None,
                calm_at: None,
            });
            row.ends = true;
        }
        self.thin_out();
    }

    /// Returns the events that have ended since, each once.
    pub(super) fn take_ended(&mut self) -> Vec<(MonitorId, EventId)> {
        std::mem::take(&mut self.ended)
    }

    pub(super) fn follow(&mut self, row: &EventRow, now: Instant) {
        let row_of = WindowRow {
            monitor: row.monitor,
            first_seen: now,
            settled: true,
            open: true,
            done: false,
            ends: false,
            counted: None,
            calm_at: None,
        };
        self.rows.insert(row.id, row_of);
        self.thin_out();
    }

    /// Records that all rows that existed at this time have been read.
    pub(super) fn read_whole(&mut self, at: Instant) {
        self.whole_at = Some(at);
        // They were deleted while the daemon was not running.
        self.ended
            .extend(std::mem::take(&mut self.expected).into_iter().map(|(event, monitor)| (monitor, event)));
    }

    /// Returns a time at which this row did not exist yet, if one is known. The event cannot be older, whatever the
    /// database says: the database does not always know the time zone in which ZoneMinder writes an event's start.
    fn appeared_after(&self, event: EventId) -> Option<Instant> {
        if self.rows.contains_key(&event) {
            return None;
        }
        self.whole_at.or_else(|| (event > self.first.end).then_some(self.first.at))
    }

    /// Returns the events of these monitors, up to the position, that must be read again.
    pub(super) fn watched(&self, of: impl Fn(MonitorId) -> bool) -> Vec<EventId> {
        let rows = self.rows.range(..=self.position);
        rows.filter(|(_, row)| of(row.monitor)).map(|(id, _)| *id).collect()
    }

    /// Adds rows that were read. Returns those for the detectors: each once it has an alarm, and again when its number
    /// of alarm frames grows after `calm`.
    pub(super) fn take(
        &mut self,
        rows: Vec<EventRow>,
        now: Instant,
        catch_up: Duration,
        record: &Record,
        realarm: Duration,
    ) -> Vec<FoundRow> {
        let calm = CALM.max(realarm);
        let mut news = Vec::new();
        for mut row in rows {
            let appeared_after = self.appeared_after(row.id);
            let known = self.known.filter(|known| row.id > known.end).map(|known| known.at);
            if let Some(then) = appeared_after.or(known) {
                row.age = row.age.min(now.saturating_duration_since(then).saturating_add(BEGAN_BEFORE));
            }
            let (alarm, expected) = (has_alarm(&row), self.expected.remove(&row.id).is_some());
            let known = self.rows.entry(row.id).or_insert_with(|| WindowRow {
                monitor: row.monitor,
                first_seen: now,
                settled: row.age >= SETTLED && appeared_after.is_none(),
                open: row.open,
                // Rows that a previous run announced, or that were missed too long ago. (An old event that is open and
                // had no alarm yet may still get one.)
                done: record.contains(row.id) || (row.age > catch_up && (alarm || !row.open)),
                ends: expected,
                counted: None,
                calm_at: None,
            });
            known.open = row.open;
            let again = known.done && known.ends && known.grew(row.alarm_frames, now, calm);
            if known.ends && !row.open {
                known.ends = false;
                self.ended.push((row.monitor, row.id));
            }
            if alarm && !known.done {
                known.done = true;
                known.ends = row.open;
                known.counted = Some((row.alarm_frames, now));
                let before = appeared_after.or(known.calm_at);
                let fresh = before.is_some_and(|then| now.saturating_duration_since(then) <= FRESH);
                news.push(FoundRow { row, kind: if fresh { RowKind::Fresh } else { RowKind::Missed } });
            } else if again && row.open {
                news.push(FoundRow { row, kind: RowKind::Again });
            } else if !alarm {
                known.calm_at = Some(now);
            }
        }
        news
    }

    /// Advances past rows before which no others can appear, and forgets those that need not be read again.
    pub(super) fn advance(&mut self, now: Instant) {
        for (id, row) in self.rows.range(EventId(self.position.0.saturating_add(1))..) {
            if !row.settled && now.saturating_duration_since(row.first_seen) < OVERLAP {
                break;
            }
            self.position = *id;
        }
        let position = self.position;
        self.rows.retain(|id, row| *id > position || (row.open && (!row.done || row.ends)));
        self.thin_out();
    }

    /// Drops the watched events that no longer exist.
    pub(super) fn keep_existing(&mut self, asked: &[EventId], rows: &[EventRow]) {
        for id in asked {
            if !rows.iter().any(|row| row.id == *id) {
                self.drop_row(*id);
            }
        }
    }

    fn thin_out(&mut self) {
        let mut each: HashMap<MonitorId, usize> = HashMap::new();
        let mut all = 0;
        let mut surplus = Vec::new();
        for (id, row) in self.rows.range(..=self.position).rev() {
            let count = each.entry(row.monitor).or_default();
            *count += 1;
            all += 1;
            if *count > WATCHED_EACH || all > WATCHED {
                surplus.push(*id);
            }
        }
        for id in surplus {
            self.drop_row(id);
        }
    }

    /// Forgets a row and counts it as ended, because its end will not be seen.
    fn drop_row(&mut self, id: EventId) {
        if let Some(row) = self.rows.remove(&id).filter(|row| row.ends) {
            self.ended.push((row.monitor, id));
        }
    }
}
