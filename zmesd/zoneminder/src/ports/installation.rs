//! What the daemon needs to know of a ZoneMinder installation.

use std::time::Duration;

use async_trait::async_trait;

use crate::DatabaseTrouble;
use crate::{MonitorSet, ZmVersion};

/// Why a question to ZoneMinder's database has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DbError {
    /// The database cannot be reached, refuses the login, or does not answer in time.
    #[error("database not available: {0}")]
    Unavailable(DatabaseTrouble),
    /// The database answered, but not with what a ZoneMinder database should hold.
    #[error("database answers unexpectedly: {0}")]
    Unexpected(DatabaseTrouble),
}

impl DbError {
    /// Returns what keeps the database from being used.
    pub fn trouble(&self) -> &DatabaseTrouble {
        match self {
            Self::Unavailable(trouble) | Self::Unexpected(trouble) => trouble,
        }
    }
}

/// A ZoneMinder installation at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zoneminder {
    /// Its version, where `Config` tells it.
    pub version: Option<ZmVersion>,
    /// The monitors of this server.
    pub monitors: MonitorSet,
    /// `ZM_WATCH_MAX_DELAY`: a heartbeat older than that means that `zmc` is dead or hangs.
    pub watch_max_delay: Duration,
}

/// Where monitors and settings come from.
#[async_trait]
pub trait MonitorStore: Send + Sync + std::fmt::Debug {
    /// Reads all. Bounded in time by the implementation.
    async fn load(&self) -> Result<Zoneminder, DbError>;
}

/// How the database answered last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DbHealth {
    /// Nothing was asked yet.
    Untried,
    /// The last statement was answered.
    Up,
    /// It was not, and why.
    Down(DatabaseTrouble),
}
