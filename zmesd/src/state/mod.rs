//! What survives a restart: one SQLite file with one writer.

mod handle;
mod record;

pub use handle::{Cursor, Device, Note, RecordedAlarm, Remembered, Replay, StateError, StateHandle};
