//! A look at ZoneMinder's database itself, for `doctor`.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use jiff::Timestamp;
use zmes_shared::{EventId, MonitorId};

use super::DbError;
use crate::domain::ZmVersion;

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

/// How far the way to the database goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseFault {
    /// No server answers, or not in time.
    Unreachable,
    /// It refuses the name or the password.
    Login,
    /// There is no such database.
    NoDatabase,
    /// The account may not read what it must.
    Privileges,
    /// Anything else.
    Other,
}

/// Looks at the database.
#[async_trait]
pub trait DatabaseCheck: Send + Sync + std::fmt::Debug {
    /// Connects anew or uses a connection, and reads what [`DatabaseReport`] holds. Bounded in time by the
    /// implementation.
    async fn examine(&self) -> Result<DatabaseReport, (DatabaseFault, DbError)>;
}
