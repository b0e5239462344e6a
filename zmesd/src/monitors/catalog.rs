//! The catalog's data, and the handle for reading and refreshing it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use zmes_shared::MonitorId;
use zmes_shared::views::Reloaded;
use zmes_zoneminder::{DatabaseTrouble, DbError, Monitor, MonitorSet, OtherServer, User, ZmVersion};

use super::Orphans;
use crate::domain::SkipReason;

const REFRESH_DEADLINE: Duration = Duration::from_secs(10);

/// The last successful answers of ZoneMinder's database.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    /// When they were read; `None` if never.
    pub loaded_at: Option<Timestamp>,
    /// The same moment by the monotonic clock.
    pub read_at: Option<Instant>,
    pub version: Option<ZmVersion>,
    pub monitors: MonitorSet,
    /// The names of the monitors of other servers, which are watched by other nodes; empty without `[cluster]`.
    pub others: BTreeMap<MonitorId, Arc<str>>,
    /// The servers of these and of the orphans, with how many of their monitors can have alarms; empty without `[cluster]`.
    pub servers: BTreeMap<Arc<OtherServer>, u64>,
    /// The servers without a node at work whose monitors this node watches; these are among `monitors`.
    pub orphans: Arc<Orphans>,
    /// `Servers.Id` of this machine, where it is one of several.
    pub own_server: Option<u32>,
    /// All users by `Username`.
    pub users: BTreeMap<String, Arc<User>>,
    /// `ZM_WATCH_MAX_DELAY`; zero before the first load.
    pub watch_max_delay: Duration,
}

impl Catalog {
    /// Says whether a monitor is one of another node, which this node watches for now.
    pub fn is_orphan(&self, monitor: &Monitor) -> bool {
        monitor.elsewhere.as_ref().is_some_and(|server| self.orphans.contains(server.id))
    }

    /// Returns the name of a monitor of this server, or of another node.
    pub fn name_of(&self, monitor: MonitorId) -> Option<&Arc<str>> {
        self.monitors.find(monitor).map(|found| &found.name).or_else(|| self.others.get(&monitor))
    }

    /// Iterates over the monitors of this server and of other nodes.
    pub fn names(&self) -> impl Iterator<Item = (MonitorId, &str)> {
        let own = self.monitors.iter().map(|monitor| (monitor.id, &*monitor.name));
        own.chain(self.others.iter().map(|(id, name)| (*id, &**name)))
    }

    /// Returns whether a user may get messages that concern no monitor.
    pub fn may_be_told(&self, user: &str) -> Result<(), SkipReason> {
        let found = self.users.get(user).filter(|user| user.barred().is_none());
        found.map(drop).ok_or(SkipReason::User)
    }

    /// Returns whether a user, connected or not, may currently get alarms of a monitor.
    pub fn may_hear(&self, user: &str, monitor: MonitorId) -> Result<(), SkipReason> {
        let user = self.users.get(user).filter(|user| user.barred().is_none()).ok_or(SkipReason::User)?;
        if user.rights.allow(monitor) { Ok(()) } else { Err(SkipReason::Rights) }
    }
}

/// A request to read the catalog again; the answer comes when the new one is published.
pub type Refresh = oneshot::Sender<Result<Reloaded, DbError>>;

#[derive(Debug, Clone)]
pub struct CatalogHandle {
    refresh: mpsc::Sender<Refresh>,
    catalog: watch::Receiver<Arc<Catalog>>,
}

impl CatalogHandle {
    pub fn new(refresh: mpsc::Sender<Refresh>, catalog: watch::Receiver<Arc<Catalog>>) -> Self {
        Self { refresh, catalog }
    }

    pub fn now(&self) -> Arc<Catalog> {
        Arc::clone(&self.catalog.borrow())
    }

    pub fn watch(&self) -> watch::Receiver<Arc<Catalog>> {
        self.catalog.clone()
    }

    /// Requests a reload without waiting for it.
    pub fn nudge(&self) {
        let (reply, _) = oneshot::channel();
        // If full, it is about to be read again anyway.
        self.refresh.try_send(reply).ok();
    }

    pub async fn refresh(&self) -> Result<Reloaded, DbError> {
        let late = || DbError::Unavailable(DatabaseTrouble::late("no answer in time"));
        let (reply, answer) = oneshot::channel();
        self.refresh.send_timeout(reply, REFRESH_DEADLINE).await.map_err(|_| late())?;
        match tokio::time::timeout(REFRESH_DEADLINE, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) | Err(_) => Err(late()),
        }
    }
}
