//! The state's data, and the handle by which others write and read it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::SqlitePool;
use tokio::sync::{mpsc, oneshot};
use zmes_shared::control::Since;
use zmes_shared::{EventId, MonitorId};

use crate::domain::{Alarm, MonitorFilter};

/// How long a reader waits for the notes before it.
const BARRIER_DEADLINE: Duration = Duration::from_secs(1);

/// One app of one user, as far as it can be told apart without a token.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Device {
    /// ZoneMinder user.
    pub user: String,
    /// The app's version, as it tells it in `auth`; empty if it does not.
    pub app: String,
}

/// How far the alarms of one monitor have been handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The last event that was announced.
    pub event: EventId,
    /// When.
    pub at: Timestamp,
}

/// What a new daemon finds of the one before.
#[derive(Debug, Clone, Default)]
pub struct Remembered {
    /// Per monitor.
    pub cursors: HashMap<MonitorId, Cursor>,
    /// When the record began: what ZoneMinder saw before is none of its business. `None`: with this start.
    pub since: Option<Timestamp>,
    /// The events announced lately, so that none is announced twice.
    pub announced: BTreeSet<EventId>,
    /// When alarms were announced lately without an id, oldest first.
    pub unidentified: HashMap<MonitorId, Vec<Timestamp>>,
    /// The last filter of each device.
    pub filters: HashMap<Device, MonitorFilter>,
    /// When a device got its last alarm of a monitor, where an interval is to be kept.
    pub sent: HashMap<(Device, MonitorId), Timestamp>,
}

/// Something to be kept.
#[derive(Debug)]
pub enum Note {
    /// An alarm was handed on: its record and the monitor's cursor, in one transaction.
    Announced(Arc<Alarm>),
    /// A device's filter.
    Filter(Device, MonitorFilter),
    /// Devices got an alarm of a monitor for which they want an interval. One note for all of them: the queue has
    /// room for alarms, not for every receiver of each.
    Sent(BTreeSet<Device>, MonitorId, Timestamp),
    /// Nothing to be kept: is answered once all notes before it are.
    Barrier(oneshot::Sender<()>),
}

/// An alarm in the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedAlarm {
    /// When it was found.
    pub at: Timestamp,
    /// The event, where there was one.
    pub event: Option<EventId>,
    /// Which monitor.
    pub monitor: MonitorId,
    /// Its name then.
    pub monitor_name: String,
    /// Why.
    pub cause: String,
    /// It was found after the fact.
    pub late: bool,
}

/// Recorded alarms, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Replay {
    /// The alarms.
    pub alarms: Vec<RecordedAlarm>,
    /// The record does not reach back to the wanted point: there may have been more.
    pub gap: bool,
}

/// Why the state cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("state file {path}")]
pub struct StateError {
    /// Which file.
    pub path: String,
    /// Why.
    #[source]
    pub source: sqlx::Error,
}

/// The way to the state: cheap to clone.
#[derive(Debug, Clone)]
pub struct StateHandle {
    pub(super) notes: mpsc::Sender<Note>,
    pub(super) reader: SqlitePool,
    pub(super) path: Arc<str>,
}

impl StateHandle {
    /// Queues a note without waiting; false: the queue is full and the note is not kept.
    ///
    /// A lost [`Note::Announced`] leaves the monitor's cursor behind, so the next start announces the event again.
    pub fn note(&self, note: Note) -> bool {
        self.notes.try_send(note).is_ok()
    }

    /// Returns the alarms after `since`, at most `limit`, those included that were announced a moment ago.
    pub async fn alarms_since(&self, since: Since, limit: u32) -> Result<Replay, StateError> {
        let (reply, written) = oneshot::channel();
        if self.note(Note::Barrier(reply)) {
            // A disk that stands still must not keep back what is on it already.
            tokio::time::timeout(BARRIER_DEADLINE, written).await.ok();
        }
        super::record::alarms_since(&self.reader, since, limit)
            .await
            .map_err(|source| StateError { path: self.path.to_string(), source })
    }
}
