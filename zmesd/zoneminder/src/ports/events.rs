//! The Events table, as far as the daemon needs it.

use std::time::Duration;

use async_trait::async_trait;
use zmes_shared::{EventId, MonitorId};

use crate::DbError;

/// A row of `Events`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// `Events.Id`.
    pub id: EventId,
    /// `Events.MonitorId`.
    pub monitor: MonitorId,
    /// `Events.Cause`, control characters replaced.
    pub cause: String,
    /// The first line of `Events.Notes`, control characters replaced; empty where there is none (yet).
    pub notes: String,
    /// `Events.AlarmFrames`; grows in batches while the event is open.
    pub alarm_frames: u32,
    /// Time since it began, by the database's own clock; zero if that lies in the future.
    pub age: Duration,
    /// `EndTime`/`EndDateTime` is NULL.
    pub open: bool,
}

/// Where a monitor is that is not among those of this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whereabouts {
    /// There is no such row: it was deleted.
    Gone,
    /// The row is marked as deleted (1.37+ keeps it).
    Deleted {
        /// Its name.
        name: String,
    },
    /// It is there, on this server or another one.
    There {
        /// Its name.
        name: String,
        /// `Monitors.ServerId`; 0: none.
        server: u32,
    },
}

/// Reads events. Each call is bounded in time by the implementation.
#[async_trait]
pub trait EventStore: Send + Sync + std::fmt::Debug {
    /// Returns the highest id; `None` in an empty table.
    async fn newest(&self) -> Result<Option<EventId>, DbError>;

    /// Returns the events after `after`, and those of `also` that exist, ordered by id, at most `limit`.
    async fn since(&self, after: EventId, also: &[EventId], limit: u32) -> Result<Vec<EventRow>, DbError>;

    /// Returns the open events of one monitor, newest first (at most 8).
    async fn open_events(&self, monitor: MonitorId) -> Result<Vec<EventRow>, DbError>;

    /// Returns where the monitor of an event is; `None`: this store cannot tell.
    async fn whereabouts(&self, _monitor: MonitorId) -> Result<Option<Whereabouts>, DbError> {
        Ok(None)
    }
}
