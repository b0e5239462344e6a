//! The state's data, and the handle by which others write and read it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::SqlitePool;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use zmes_providers::App;
use zmes_shared::control::Since;
use zmes_shared::{EventId, Label, MonitorId};

use super::labels::HeldAlarm;
use super::note::Note;
use super::open_error::is_damage;
use super::rule_hits::RuleHitRow;
use super::tokens::{self, TokenRow};
use super::troubles::{self, TroubleRow};
use super::updates::UnlabelledStart;
use super::{SqlResult, file, remembered, snoozes};
use crate::domain::{Alarm, DeliveryId, MonitorFilter, Snooze, SnoozeId, Token, TokenId};
use crate::links::LinkKeys;

const BARRIER_DEADLINE: Duration = Duration::from_secs(1);

/// One app of one user, as far as it can be identified without a token.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Device {
    pub user: String,
    /// Which app, by the shape of its messages.
    pub kind: App,
    /// The app's version from `auth`; empty if it sends none.
    pub app: String,
}

impl Device {
    /// Says whether it can be identified: scripts that send no version all look alike.
    pub fn is_told_apart(&self) -> bool {
        !self.app.is_empty()
    }
}

/// The filter of an app's last session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastFilter {
    pub filter: MonitorFilter,
    /// When the session broke; `None`: it is connected.
    pub broken_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceNote {
    pub device: Device,
    /// Its last filter; `None`: forget it.
    pub last: Option<LastFilter>,
    pub forget_intervals: bool,
}

/// The last announced event of one monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    pub event: EventId,
    pub at: Timestamp,
}

/// The last alarm of a monitor whose end was not told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenAlarm {
    pub monitor: MonitorId,
    pub event: Option<EventId>,
    pub monitor_name: Arc<str>,
    pub cause: Arc<str>,
    /// When the first of them was.
    pub began: Timestamp,
    pub at: Timestamp,
    /// Its event has ended meanwhile.
    pub closed: bool,
}

/// A push that told of the start of an alarm whose end was not told.
#[derive(Debug, Clone)]
pub struct StartedPush {
    pub token: TokenId,
    pub delivery: DeliveryId,
    pub alarm: Alarm,
}

/// State that a new daemon reads from the previous one.
#[derive(Debug, Clone, Default)]
pub struct Remembered {
    pub cursors: HashMap<MonitorId, Cursor>,
    /// Beginning of the record: older events are not announced. `None`: with this start.
    pub since: Option<Timestamp>,
    /// Recently announced events, so that none is announced twice.
    pub announced: BTreeSet<EventId>,
    /// Those of them that another node has told of, with the monitor.
    pub told_elsewhere: BTreeMap<EventId, MonitorId>,
    /// When alarms without an id were recently announced, oldest first.
    pub unidentified: HashMap<MonitorId, Vec<Timestamp>>,
    /// The last alarm of each monitor whose end is still to be told.
    pub open: Vec<OpenAlarm>,
    /// Who was told of alarms whose end is still to be told, oldest alarm first.
    pub started: Vec<StartedPush>,
    /// The last filter of each device; those that were connected when the daemon ended have no time.
    pub filters: HashMap<Device, LastFilter>,
    /// When a device got its last alarm of a monitor, where an interval is to be kept.
    pub sent: HashMap<(Device, MonitorId), Timestamp>,
    /// The tokens, including revoked ones.
    pub tokens: Vec<Token>,
    /// When a token was last told of a monitor, where an interval is to be kept.
    pub token_sent: HashMap<(TokenId, MonitorId), Timestamp>,
    /// The number of the last delivery; new ones count on from there.
    pub last_delivery: DeliveryId,
    /// The snoozes that have not ended.
    pub snoozes: Vec<Snooze>,
    /// How many pushes each of them has withheld from each token.
    pub withheld: BTreeMap<SnoozeId, BTreeMap<TokenId, u32>>,
    pub last_snooze: SnoozeId,
    /// The troubles that have not ended.
    pub troubles: Vec<TroubleRow>,
    /// The key of links to pictures.
    pub link_keys: Option<LinkKeys>,
    /// Alarms whose decisions for tokens wait for labels, oldest first.
    pub held: Vec<HeldAlarm>,
    /// Labels of events that may have another alarm, the oldest event first.
    pub labels: Vec<(EventId, Vec<Label>)>,
    /// Alarms of the last minute that were told without labels, oldest first.
    pub unlabelled: Vec<UnlabelledStart>,
    /// How often rules decided, by the hour, oldest first.
    pub rule_hits: Vec<RuleHitRow>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedAlarm {
    pub at: Timestamp,
    pub event: Option<EventId>,
    pub monitor: MonitorId,
    pub monitor_name: String,
    pub cause: String,
    /// It was found after the fact.
    pub late: bool,
    /// When the monitor had left the alarm; `None`: it has not, or it is not known.
    pub ended_at: Option<Timestamp>,
    /// Another node of the cluster found it.
    pub elsewhere: bool,
}

/// Recorded alarms, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Replay {
    pub alarms: Vec<RecordedAlarm>,
    /// The record begins later than the requested point: alarms may be missing.
    pub gap: bool,
}

/// The alarms of a replay: those of the record with a number above `after`, up to `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplaySpan {
    /// The number of the last alarm before it.
    pub after: i64,
    /// The number of its last alarm; later ones are not part of the replay.
    pub until: i64,
    /// The record begins later than the requested point, or there are more alarms than the limit.
    pub gap: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("state file {path}")]
pub struct StateError {
    pub path: String,
    #[source]
    pub source: sqlx::Error,
}

/// What the state answers.
pub(super) type StateResult<T> = Result<T, StateError>;

#[derive(Debug, Clone)]
pub struct StateHandle {
    pub(super) notes: mpsc::Sender<Note>,
    pub(super) reader: watch::Receiver<SqlitePool>,
    /// The damage that a reader found, for the writer.
    pub(super) damage: watch::Sender<Option<String>>,
    pub(super) path: Arc<str>,
}

impl StateHandle {
    /// Returns a handle without a file, and what is noted by it.
    #[cfg(test)]
    pub(crate) fn detached() -> (Self, mpsc::Receiver<Note>) {
        let (notes, queue) = mpsc::channel(64);
        let options = sqlx::sqlite::SqliteConnectOptions::new().in_memory(true);
        let reader = watch::channel(SqlitePool::connect_lazy_with(options)).1;
        (Self { notes, reader, damage: watch::channel(None).0, path: "".into() }, queue)
    }

    /// Queues a note without waiting; false: the queue is full and the note is dropped.
    ///
    /// A lost [`Note::Announced`] leaves the monitor's cursor behind, so the next start announces the event again.
    pub fn note(&self, note: Note) -> bool {
        self.try_note(note).is_ok()
    }

    pub fn try_note(&self, note: Note) -> Result<(), Note> {
        self.notes.try_send(note).map_err(TrySendError::into_inner)
    }

    /// Returns when the record of alarms began: when a daemon with this state ran for the first time.
    pub async fn record_began(&self) -> StateResult<Timestamp> {
        self.answer(remembered::began(&self.reader()).await)
    }

    /// Returns how many notes the queue can still take.
    pub fn room(&self) -> usize {
        self.notes.capacity()
    }

    /// Queues a note, waiting for room until `deadline`; false: there was none.
    pub async fn keep(&self, note: Note, deadline: Instant) -> bool {
        tokio::time::timeout_at(deadline, self.notes.send(note)).await.is_ok_and(|sent| sent.is_ok())
    }

    /// Returns all tokens with their health, including revoked ones, ordered by id.
    pub async fn tokens(&self) -> StateResult<Vec<TokenRow>> {
        self.answer(tokens::rows(&self.settled().await).await)
    }

    /// Returns the snoozes of these numbers, each with whether it has ended.
    pub async fn snoozes(&self, ids: &[SnoozeId]) -> StateResult<Vec<(Snooze, bool)>> {
        self.answer(snoozes::some(&self.settled().await, ids).await)
    }

    /// Returns the newest troubles that are over, newest first, at most `limit`.
    pub async fn past_troubles(&self, limit: u32) -> StateResult<Vec<TroubleRow>> {
        self.answer(troubles::past(&self.settled().await, limit).await)
    }

    /// Returns the troubles that were raised or over after `since`, oldest first, at most `limit` (the newest win).
    pub async fn troubles_since(&self, since: Since, limit: u32) -> StateResult<Vec<TroubleRow>> {
        self.answer(troubles::since(&self.settled().await, since, limit).await)
    }

    /// Checks the file for `check store`: reads it completely, and writes to it.
    pub async fn examine(&self) -> StateResult<StoreReport> {
        let writable = self.settle().await;
        let report = self.answer(file::examine(&self.reader(), &self.path, writable).await)?;
        if let Some(first) = report.damage.first() {
            self.damage.send_replace(Some(first.clone()));
        }
        Ok(report)
    }

    /// Waits until all earlier notes are on the disk; false: not within a second.
    pub async fn settle(&self) -> bool {
        let (reply, written) = oneshot::channel();
        // Data already on the disk can be read while it does not accept writes.
        self.note(Note::Barrier(reply))
            && tokio::time::timeout(BARRIER_DEADLINE, written).await.is_ok_and(|written| written.is_ok())
    }

    pub(super) fn reader(&self) -> SqlitePool {
        self.reader.borrow().clone()
    }

    /// Returns the reader once the notes so far are on the disk.
    pub(super) async fn settled(&self) -> SqlitePool {
        self.settle().await;
        self.reader()
    }

    /// Names the file in an error, and reports damage to the writer.
    pub(super) fn answer<T>(&self, read: SqlResult<T>) -> StateResult<T> {
        read.map_err(|source| {
            if is_damage(&source) {
                self.damage.send_replace(Some(source.to_string()));
            }
            StateError { path: self.path.to_string(), source }
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreReport {
    pub path: String,
    pub bytes: u64,
    /// What SQLite's own check found; empty: nothing is wrong.
    pub damage: Vec<String>,
    pub writable: bool,
}

impl StoreReport {
    /// What to do about damage: the writer repairs it.
    pub const DAMAGED: &'static str =
        "within a minute zmesd replaces the file, with what can be read of it; then ask again";
}
