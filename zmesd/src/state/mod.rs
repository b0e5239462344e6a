//! What survives a restart: one SQLite file with one writer.
//!
//! The file holds the record of alarms, the monitors' cursors, what apps that come back expect to find (their filter
//! and their intervals), the push tokens, and the decision and delivery of each alarm for each of them. Nothing waits for
//! it: notes are queued and committed in groups. While the disk cannot be written they wait in memory. A damaged file is
//! moved away and replaced by a new one with what can be read of it.

mod bounds;
mod cluster;
mod commit;
mod connection;
mod deliveries;
mod ends;
mod file;
mod handle;
mod keys;
mod labels;
mod link_keeper;
mod mqtt;
mod note;
mod open_error;
mod record;
mod remembered;
mod room;
mod rule_hits;
mod salvage;
mod set_aside;
mod snoozes;
mod store;
mod tally;
#[cfg(test)]
mod tests;
mod tokens;
mod trouble;
mod troubles;
mod updates;
mod upgrade;
mod waiting;
mod writer;

pub use cluster::{ClusterMemory, ClusterNote, SentBefore, SharedToken};
pub use deliveries::{DeliveryRow, FailedAttempt, PushPage, QueuedPush, StartOnDisk};
pub use ends::RecordedEnd;
pub use file::State;
pub use handle::{
    Cursor, Device, DeviceNote, LastFilter, OpenAlarm, RecordedAlarm, Remembered, Replay, ReplaySpan,
    StartedPush, StateError, StateHandle, StoreReport,
};
pub use labels::HeldAlarm;
pub use link_keeper::LinkKeeper;
pub use mqtt::{MqttDevice, MqttMemory, MqttMissed, MqttNote};
pub use note::{Attempt, EndNote, Note, Outcome, TokenDecision, TroubleNote};
pub use open_error::{OpenError, StoreFault};
pub use room::{Room, room, room_hint, try_write, write_hint};
pub use rule_hits::RuleHitRow;
pub use set_aside::{SetAside, set_aside_lately};
pub use tally::{AlarmCount, AlarmQuery, TalliedAlarm};
pub use tokens::TokenRow;
pub use troubles::TroubleRow;
pub use updates::{RecordedUpdate, UnlabelledStart};
pub use writer::{Committed, StateWriter};

use zmes_shared::EventId;

/// Result of a statement.
type SqlResult<T = ()> = Result<T, sqlx::Error>;

/// `Events.Id` is unsigned, SQLite's integers are not; no ZoneMinder comes near 2^63 events.
fn signed(event: EventId) -> i64 {
    i64::try_from(event.0).unwrap_or(i64::MAX)
}
