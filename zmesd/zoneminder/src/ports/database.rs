//! A look at ZoneMinder's database itself, for `doctor`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use zmes_shared::{EventId, MonitorId};

use crate::DbError;
use crate::ZmVersion;

/// What the database says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DatabaseReport {
    /// The server's version, in its own words.
    pub server: String,
    /// ZoneMinder's version, where `Config` tells it.
    pub zoneminder: Option<ZmVersion>,
    /// The server's clock, in whole seconds.
    pub clock: Option<Timestamp>,
    /// The newest event of each monitor that has any.
    pub newest: BTreeMap<MonitorId, EventId>,
    /// The monitors that `zmc` itself reports as connected.
    pub connected: BTreeSet<MonitorId>,
    /// Whose monitors there are, where this server is one of several.
    pub servers: Option<ServerShares>,
}

/// The monitors of an installation with several servers, by server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerShares {
    /// The id of this server.
    pub own: u32,
    /// Its name, where table `Servers` has one.
    pub name: Option<String>,
    /// What belongs to others, the largest share first.
    pub others: Vec<ServerShare>,
}

/// The monitors of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerShare {
    /// Its id; 0: monitors that belong to none.
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
    /// TLS is demanded and not possible: mostly the server's certificate.
    Tls,
    /// A file of a certificate or key cannot be read, or holds something else.
    File,
    /// The server refuses the name or the password.
    Login,
    /// The account logs in by a method that zmesd does not speak.
    Plugin,
    /// There is no such database, or it is not ZoneMinder's.
    Schema,
    /// The account may not read what it must.
    Privileges,
    /// The server has too many connections, or takes none from here.
    Busy,
    /// The server answers with something unexpected.
    Other,
}

/// Why ZoneMinder's database cannot be used, as doctor, checks, status and log say it.
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

/// Looks at the database.
#[async_trait]
pub trait DatabaseCheck: Send + Sync + fmt::Debug {
    /// Connects anew or uses a connection, and reads what [`DatabaseReport`] holds. Bounded in time by the
    /// implementation.
    async fn examine(&self) -> Result<DatabaseReport, DbError>;
}
