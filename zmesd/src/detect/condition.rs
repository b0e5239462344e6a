//! What the poller knows of a monitor, as facts; `admin` turns them into sentences.

use std::mem::discriminant;
use std::sync::Arc;
use std::time::Duration;

use zmes_shared::words::{MonitorCondition, StateSource};
use zmes_shared::{EventId, MonitorId, MonitorState};
use zmes_zoneminder::shm::ReadError;
use zmes_zoneminder::shm::layout::Numbering;
use zmes_zoneminder::{DbError, Monitor, NotWatched, OtherServer};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonitorReport {
    pub id: MonitorId,
    pub name: Arc<str>,
    pub state: MonitorState,
    pub last_event: Option<EventId>,
    /// `sizeof(SharedData)`, if known.
    pub layout: Option<u32>,
    pub condition: Condition,
}

/// What is known of a `zmc` on another server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RemoteSight {
    /// Nothing was read yet, or the table does not say.
    #[default]
    Unknown,
    Captured,
    /// It runs, but its camera delivers no picture.
    NoPicture,
    /// It has not reached its camera for this long. It renews nothing meanwhile, so it may have been killed, too.
    Unreached(Duration),
    /// It has ended.
    Stopped,
    /// It has renewed nothing for this long; `None`: there is no row of it.
    Silent(Option<Duration>),
}

/// Whether the alarms of a monitor are seen. If not, or if something is unusual: why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// ZoneMinder is configured so that the monitor never alarms.
    NotWatched(NotWatched),
    NotLookedAt,
    Captured,
    NoPicture,
    /// Its states are numbered this way, which does not match ZoneMinder's version.
    Numbering(Numbering),
    /// It had more than `limit` alarms in a minute.
    Flapping {
        limit: u32,
    },
    Unreadable(ReadError),
    /// `zmc` has stopped giving signs of life. `age` is the age of the last one when this was noticed.
    Frozen {
        age: Duration,
    },
    /// The Events table is its source, because the layout of its memory is unknown or the settings say so.
    Database {
        layout: Option<u32>,
        trouble: Option<Arc<DbError>>,
    },
    /// It is captured by another server, and the database is its source.
    Elsewhere {
        server: Arc<OtherServer>,
        sight: RemoteSight,
        trouble: Option<Arc<DbError>>,
    },
}

impl MonitorReport {
    /// Returns the report on a monitor that is not polled, or not polled yet.
    pub fn unpolled(monitor: &Monitor) -> Self {
        Self {
            id: monitor.id,
            name: Arc::clone(&monitor.name),
            state: MonitorState::Unknown,
            last_event: None,
            layout: None,
            condition: monitor.watched.err().map_or(Condition::NotLookedAt, Condition::NotWatched),
        }
    }

    pub fn healthy(&self) -> bool {
        self.condition.healthy()
    }

    pub fn source(&self) -> StateSource {
        match self.condition {
            Condition::NotWatched(_) | Condition::NotLookedAt => StateSource::Nowhere,
            Condition::Database { .. } | Condition::Elsewhere { .. } => StateSource::Database,
            Condition::Captured
            | Condition::NoPicture
            | Condition::Numbering(_)
            | Condition::Flapping { .. }
            | Condition::Unreadable(_)
            | Condition::Frozen { .. } => StateSource::SharedMemory,
        }
    }
}

impl Condition {
    pub fn word(&self) -> MonitorCondition {
        match self {
            Self::NotWatched(NotWatched::NotCapturing) => MonitorCondition::NotCapturing,
            Self::NotWatched(NotWatched::NoDetection) => MonitorCondition::NoDetection,
            Self::NotWatched(NotWatched::WebSite) => MonitorCondition::WebSite,
            Self::NotLookedAt => MonitorCondition::NotLookedAt,
            Self::Captured => MonitorCondition::Captured,
            Self::NoPicture => MonitorCondition::NoPicture,
            Self::Numbering(_) => MonitorCondition::Numbering,
            Self::Flapping { .. } => MonitorCondition::Flapping,
            Self::Frozen { .. } => MonitorCondition::Frozen,
            Self::Database { trouble: Some(_), .. } | Self::Elsewhere { trouble: Some(_), .. } => {
                MonitorCondition::DatabaseAway
            }
            Self::Database { layout: Some(_), trouble: None } => MonitorCondition::UnknownLayout,
            Self::Database { layout: None, trouble: None } => MonitorCondition::EventsTable,
            Self::Elsewhere { sight, trouble: None, .. } => match sight {
                RemoteSight::Unknown | RemoteSight::Captured => MonitorCondition::EventsTable,
                RemoteSight::NoPicture | RemoteSight::Unreached(_) => MonitorCondition::NoPicture,
                RemoteSight::Stopped => MonitorCondition::Stopped,
                RemoteSight::Silent(_) => MonitorCondition::Frozen,
            },
            Self::Unreadable(error) => unreadable(error),
        }
    }

    pub fn healthy(&self) -> bool {
        match self {
            Self::Captured | Self::NoPicture | Self::Numbering(_) | Self::Flapping { .. } => true,
            Self::Database { trouble, .. } => trouble.is_none(),
            Self::Elsewhere { sight, trouble, .. } => {
                trouble.is_none() && !matches!(sight, RemoteSight::Stopped | RemoteSight::Silent(_))
            }
            Self::NotWatched(_) | Self::NotLookedAt | Self::Unreadable(_) | Self::Frozen { .. } => false,
        }
    }

    /// Says whether another condition differs from this one at most in an age.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Frozen { .. }, Self::Frozen { .. }) => true,
            (
                Self::Elsewhere { server, sight, trouble },
                Self::Elsewhere { server: server2, sight: sight2, trouble: trouble2 },
            ) => server == server2 && discriminant(sight) == discriminant(sight2) && trouble == trouble2,
            _ => self == other,
        }
    }

    /// Returns what is counted: a poll of the shared memory that showed nothing.
    pub(super) fn memory_error(&self) -> Option<MonitorCondition> {
        match self {
            Self::Unreadable(_) | Self::Frozen { .. } => Some(self.word()),
            Self::Database { layout: Some(_), .. } => Some(MonitorCondition::UnknownLayout),
            Self::NotWatched(_)
            | Self::NotLookedAt
            | Self::Captured
            | Self::NoPicture
            | Self::Numbering(_)
            | Self::Flapping { .. }
            | Self::Database { layout: None, .. }
            | Self::Elsewhere { .. } => None,
        }
    }
}

fn unreadable(error: &ReadError) -> MonitorCondition {
    match error {
        ReadError::NotThere { .. } => MonitorCondition::NotThere,
        ReadError::Starting => MonitorCondition::Starting,
        ReadError::Stopped => MonitorCondition::Stopped,
        ReadError::UnknownLayout { .. } => MonitorCondition::UnknownLayout,
        ReadError::HalfInitialised { .. } => MonitorCondition::HalfInitialised,
        ReadError::Short { .. } => MonitorCondition::Short,
        ReadError::Implausible { .. } => MonitorCondition::Implausible,
        ReadError::Permission(_) => MonitorCondition::Permission,
        ReadError::Io { .. } => MonitorCondition::Io,
    }
}
