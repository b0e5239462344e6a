//! The traits that ZoneMinder is reached through, with their data and errors. Tests of their users have fakes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;
use tokio::time::Instant;
use zmes_shared::{EventId, Label, MonitorId};

use crate::pictures::EventPlace;
use crate::shm::ReadError;
use crate::shm::layout::Numbering;
use crate::{MonitorSet, Reading, User, ZmVersion};

/// Reads monitors, one at a time. Synchronous and quick: it is called for each monitor at each poll.
pub trait MonitorSource: Send + fmt::Debug {
    /// Reads one monitor.
    fn read(&mut self, monitor: MonitorId, now: Instant) -> Result<Reading, ReadError>;

    /// Sets ZoneMinder's version, if it is known; only used if the memory alone is ambiguous.
    fn assume_version(&mut self, _version: Option<ZmVersion>) {}

    /// Closes what is open for a monitor that is not read any more.
    fn forget(&mut self, _monitor: MonitorId) {}

    /// Returns how the states of a monitor are numbered, if the version suggests something else.
    fn other_numbering(&self, _monitor: MonitorId) -> Option<Numbering> {
        None
    }
}

/// Why a query of ZoneMinder's database failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DbError {
    /// The database cannot be reached, refuses the login, or does not answer in time.
    #[error("database not available: {0}")]
    Unavailable(DatabaseTrouble),
    /// The database answered, but its content is not that of a ZoneMinder database.
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
    /// Its version, if `Config` has it.
    pub version: Option<ZmVersion>,
    /// The monitors of this server.
    pub monitors: MonitorSet,
    /// Those of other servers that are left out of `monitors`, each with its server.
    pub others: MonitorSet,
    /// `Servers.Id` of this server, where the monitors of others are left out.
    pub own_server: Option<u32>,
    /// `ZM_WATCH_MAX_DELAY`: a heartbeat older than that means that `zmc` is dead or hangs.
    pub watch_max_delay: Duration,
}

/// Where monitors and settings come from.
#[async_trait]
pub trait MonitorStore: Send + Sync + fmt::Debug {
    /// Reads everything. The implementation has a deadline.
    async fn load(&self) -> Result<Zoneminder, DbError>;
}

/// How the database answered last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DbHealth {
    /// There was no query yet.
    Untried,
    /// The last query succeeded.
    Up,
    /// It failed, and why.
    Down(DatabaseTrouble),
}

/// ZoneMinder's users. The implementation has a deadline for each call.
#[async_trait]
pub trait AccountStore: Send + Sync + fmt::Debug {
    /// Returns the user of that name as it is now, or `None`.
    async fn find(&self, name: &str) -> Result<Option<User>, DbError>;

    /// Returns all users, to update the rights of connected clients.
    async fn all(&self) -> Result<Vec<User>, DbError>;

    /// Returns `ZM_AUTH_HASH_SECRET`, with which ZoneMinder signs access tokens; `None` if it is empty.
    async fn token_secret(&self) -> Result<Option<SecretString>, DbError>;
}

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

/// Where a monitor is that this server does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whereabouts {
    /// There is no such row: it was deleted.
    Gone,
    /// The row is marked as deleted (1.37+ keeps it).
    Deleted {
        /// Its name.
        name: String,
    },
    /// It exists, on this server or another one.
    There {
        /// Its name.
        name: String,
        /// `Monitors.ServerId`; 0: none.
        server: u32,
    },
}

/// Where labels are looked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LabelSources {
    /// `Events.Notes`, where `zm_detect` writes.
    pub notes: bool,
    /// The tags of an event (ZoneMinder 1.37.44 and later).
    pub tags: bool,
}

impl LabelSources {
    /// Says whether labels are looked for at all.
    pub fn any(self) -> bool {
        self.notes || self.tags
    }
}

/// What was detected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelsRead {
    /// The events that have labels.
    pub found: BTreeMap<EventId, Vec<Label>>,
    /// False: this ZoneMinder has none of the sources.
    pub possible: bool,
}

/// What a `zmc` says of itself in `Monitor_Status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaptureStatus {
    /// It captures.
    Connected,
    /// It runs, but has not reached its camera yet.
    Connecting,
    /// It has ended.
    NotRunning,
    /// The table does not say.
    Unknown,
}

/// A row of `Monitor_Status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaptureReport {
    /// `Status`.
    pub status: CaptureStatus,
    /// `CaptureFPS` is above zero; `None`: there is no such column.
    pub pictures: Option<bool>,
    /// Time since `UpdatedOn`, by the database's own clock: a `zmc` that was killed is known by it. `None`: there is no such
    /// column (up to 1.36.33).
    pub age: Option<Duration>,
}

/// The rows of `Monitor_Status`. `zmstats.pl` deletes those that are older than a minute.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CaptureReports {
    /// A capturing `zmc` inserts its row again after it was deleted (1.37.74 and later); before, a row that was deleted
    /// stays away until `zmc` connects to its camera the next time.
    pub returning: bool,
    /// By monitor.
    pub reports: BTreeMap<MonitorId, CaptureReport>,
}

/// Reads events. The implementation has a deadline for each call.
#[async_trait]
pub trait EventStore: Send + Sync + fmt::Debug {
    /// Returns the highest id; `None` in an empty table.
    async fn newest(&self) -> Result<Option<EventId>, DbError>;

    /// Returns the events after `after`, and those of `also` that exist, ordered by id, at most `limit`.
    async fn since(&self, after: EventId, also: &[EventId], limit: u32) -> Result<Vec<EventRow>, DbError>;

    /// Returns the open events of one monitor, newest first (at most 8).
    async fn open_events(&self, monitor: MonitorId) -> Result<Vec<EventRow>, DbError>;

    /// Returns what was detected in these events, at most 64 of them, and whether one of the sources is there at all.
    async fn labels(&self, _events: &[EventId], _sources: LabelSources) -> Result<LabelsRead, DbError> {
        Ok(LabelsRead::default())
    }

    /// Returns what each `zmc` says of itself; `None`: this ZoneMinder has no such table.
    async fn capture_reports(&self) -> Result<Option<CaptureReports>, DbError> {
        Ok(None)
    }

    /// Returns where the monitor of an event is; `None`: this store cannot tell.
    async fn whereabouts(&self, _monitor: MonitorId) -> Result<Option<Whereabouts>, DbError> {
        Ok(None)
    }
}

/// Says where pictures are stored. The implementation has a deadline for each call.
#[async_trait]
pub trait PictureStore: Send + Sync + fmt::Debug {
    /// Returns where an event lies now: its storage can change. `None`: there is no such event.
    async fn place(&self, event: EventId) -> Result<Option<EventPlace>, DbError>;

    /// Returns the numbers of the event's frames with an alarm, the newest first, at most `limit`.
    async fn alarm_frames(&self, event: EventId, limit: u32) -> Result<Vec<u64>, DbError>;
}

#[async_trait]
impl<S: PictureStore + ?Sized> PictureStore for Arc<S> {
    async fn place(&self, event: EventId) -> Result<Option<EventPlace>, DbError> {
        (**self).place(event).await
    }

    async fn alarm_frames(&self, event: EventId, limit: u32) -> Result<Vec<u64>, DbError> {
        (**self).alarm_frames(event, limit).await
    }
}

/// What `doctor` reads from the database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DatabaseReport {
    /// The server's version, as it reports it.
    pub server: String,
    /// ZoneMinder's version, where `Config` tells it.
    pub zoneminder: Option<ZmVersion>,
    /// The server's clock, in whole seconds.
    pub clock: Option<Timestamp>,
    /// The newest event of each monitor that has any.
    pub newest: BTreeMap<MonitorId, EventId>,
    /// The monitors that `zmc` itself reports as connected.
    pub connected: BTreeSet<MonitorId>,
    /// The servers' shares of the monitors, if there are several servers.
    pub servers: Option<ServerShares>,
}

/// The monitors of an installation with several servers, by server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerShares {
    /// The id of this server.
    pub own: u32,
    /// Its name, where table `Servers` has one.
    pub name: Option<String>,
    /// The shares of the other servers, the largest first.
    pub others: Vec<ServerShare>,
}

/// The monitors of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerShare {
    /// Its id; 0: monitors without a server.
    pub id: u32,
    /// Its name, where table `Servers` has one.
    pub name: Option<String>,
    /// How many, deleted ones not counted.
    pub monitors: u64,
}

/// What keeps ZoneMinder's database from being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseFault {
    /// No server answers, or not in time.
    Unreachable,
    /// The server's host name cannot be resolved.
    Name,
    /// TLS is required and fails, usually because of the server's certificate.
    Tls,
    /// A certificate or key file cannot be read, or contains something else.
    File,
    /// The server refuses the user name or the password.
    Login,
    /// The account uses a login method that zmesd does not support.
    Plugin,
    /// There is no such database, or it is not ZoneMinder's.
    Schema,
    /// The account lacks a privilege that zmesd needs.
    Privileges,
    /// The server has too many connections, or does not accept this host.
    Busy,
    /// The server's answer is unexpected.
    Other,
}

/// Why ZoneMinder's database cannot be used, as shown by doctor, checks, status and log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseTrouble {
    /// What it is.
    pub fault: DatabaseFault,
    /// A sentence for an admin. Never holds a password.
    pub message: String,
    /// What to do about it: a command, or what to change in which line of which file.
    pub hint: String,
}

impl DatabaseTrouble {
    /// Returns the trouble of a server that did not answer in time.
    pub fn late(message: impl Into<String>) -> Self {
        let hint =
            "mysqladmin processlist shows what blocks it; is the machine out of memory or disk?".to_owned();
        Self { fault: DatabaseFault::Unreachable, message: message.into(), hint }
    }
}

impl fmt::Display for DatabaseTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Examines the database.
#[async_trait]
pub trait DatabaseCheck: Send + Sync + fmt::Debug {
    /// Connects, or uses an open connection, and reads what [`DatabaseReport`] has. The implementation has a
    /// deadline.
    async fn examine(&self) -> Result<DatabaseReport, DbError>;
}

/// A command for ZoneMinder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TriggerCommand {
    /// Force an alarm.
    On {
        /// Score of the frames, at least 1.
        score: u32,
        /// Becomes the event's cause; at most 31 bytes, no `'` (ZoneMinder does not escape it).
        cause: String,
        /// Becomes part of the event's notes; at most 255 bytes, no `'`.
        text: String,
    },
    /// Cancel it.
    Cancel,
}

/// How the command reached ZoneMinder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TriggerVia {
    /// Written into the monitor's shared memory.
    SharedMemory,
    /// Through `zmtrigger.pl`'s Unix socket.
    Zmtrigger,
}

impl TriggerVia {
    /// Returns the word for JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SharedMemory => "shm",
            Self::Zmtrigger => "zmtrigger",
        }
    }
}

/// Why the command did not reach ZoneMinder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TriggerError {
    /// No `zmc` runs for the monitor.
    #[error("monitor {0} is not captured: its shared memory is not there or not valid")]
    NotCaptured(MonitorId),
    /// The daemon is not permitted to use either way.
    #[error("not permitted: {0}")]
    NotPermitted(String),
    /// Something else failed.
    #[error("cannot trigger monitor {monitor}: {detail}")]
    Failed {
        /// Which monitor.
        monitor: MonitorId,
        /// What failed.
        detail: String,
    },
}

/// Forces and cancels alarms.
#[async_trait]
pub trait AlarmTrigger: Send + Sync + fmt::Debug {
    /// Sends the command. The implementation has a deadline.
    async fn set(&self, monitor: MonitorId, command: TriggerCommand) -> Result<TriggerVia, TriggerError>;
}
