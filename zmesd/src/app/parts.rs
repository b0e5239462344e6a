//! The adapters behind the ports: no other code names them.

use std::sync::Arc;

use tokio::sync::watch;
use zmes_zoneminder::database::ZmDb;
use zmes_zoneminder::pictures::StorageRoots;
use zmes_zoneminder::shm::ShmSource;
use zmes_zoneminder::trigger::LocalTrigger;
use zmes_zoneminder::{
    AccountStore, AlarmTrigger, DatabaseCheck, DbHealth, EventStore, MonitorSource, MonitorStore,
    PictureStore,
};

use crate::config::Config;
use crate::demo::Demo;
use crate::ports::{Clock, SystemClock};

/// The adapters to the outside world.
#[derive(Debug)]
pub struct Parts {
    pub monitors: Arc<dyn MonitorStore>,
    pub accounts: Arc<dyn AccountStore>,
    pub events: Arc<dyn EventStore>,
    pub check: Arc<dyn DatabaseCheck>,
    pub source: Box<dyn MonitorSource>,
    pub trigger: Arc<dyn AlarmTrigger>,
    pub pictures: Arc<dyn PictureStore>,
    pub roots: StorageRoots,
    pub database: watch::Receiver<DbHealth>,
    /// Set if users are limited to their monitors; the database adapter follows the setting.
    pub permissions: Option<Arc<ZmDb>>,
    pub clock: Arc<dyn Clock>,
}

impl Parts {
    pub fn production(config: &Config) -> Self {
        let zoneminder = &config.zoneminder;
        let database = ZmDb::new(
            zoneminder.database.clone(),
            zoneminder.servers.clone(),
            config.auth.enforce_monitor_permissions,
        );
        // A node may have to watch the monitors of another server, and people know servers by name.
        let database = Arc::new(database.naming_servers(config.cluster.node.is_some()));
        Self {
            monitors: Arc::clone(&database) as _,
            accounts: Arc::clone(&database) as _,
            events: Arc::clone(&database) as _,
            check: Arc::clone(&database) as _,
            source: Box::new(ShmSource::new(zoneminder.path_map.clone())),
            trigger: Arc::new(LocalTrigger::new(zoneminder.path_map.clone(), zoneminder.path_socks.clone())),
            pictures: Arc::clone(&database) as _,
            roots: zoneminder.roots.clone(),
            database: database.health(),
            permissions: Some(database),
            clock: Arc::new(SystemClock),
        }
    }

    /// Returns the adapters of the demo: the shared memory is real, the database is not.
    pub fn demo(demo: &Demo, clock: Arc<dyn Clock>) -> Self {
        let map = &demo.config.zoneminder.path_map;
        Self {
            monitors: Arc::clone(&demo.database) as _,
            accounts: Arc::clone(&demo.database) as _,
            events: Arc::clone(&demo.database) as _,
            check: Arc::clone(&demo.database) as _,
            source: Box::new(ShmSource::new(map.clone())),
            trigger: Arc::new(LocalTrigger::new(map.clone(), None)),
            pictures: Arc::clone(&demo.database) as _,
            roots: StorageRoots::default(),
            database: watch::channel(DbHealth::Up).1,
            permissions: None,
            clock,
        }
    }
}
