//! What survives a restart: one SQLite file with one writer.
//!
//! The file holds the record of alarms, the monitors' cursors, and what apps that come back expect to find: their
//! filter and their intervals. Nothing waits for it: notes are queued, committed in groups, and what is lost when
//! the disk stands still is found again in ZoneMinder's Events table at the next start.

mod file;
mod handle;
mod record;
mod remembered;
#[cfg(test)]
mod tests;
mod writer;

pub use file::{OpenError, State};
pub use handle::{Cursor, Device, Note, RecordedAlarm, Remembered, Replay, StateError, StateHandle};
pub use writer::StateWriter;
