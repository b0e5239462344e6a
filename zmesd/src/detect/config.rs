//! The settings of detection, a part of `[zoneminder]` that can change while the daemon runs.

use std::time::Duration;

use zmes_zoneminder::ZmVersion;

use crate::config::{Source, ZoneminderConfig};

/// How often to poll, and what to announce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DetectConfig {
    /// Time between two polls, at least 1 ms.
    pub poll_interval: Duration,
    /// Minimum time between two announced alarms inside one event; zero announces every alarm.
    pub realarm_interval: Duration,
    /// Maximum number of announced alarms per monitor and minute; 0: no limit.
    pub alarm_limit: u32,
    /// An alarm that is already running when the daemon starts is announced if its event is younger than this.
    pub startup_grace: Duration,
    /// A missed alarm is announced late if it is younger than this.
    pub catch_up: Duration,
    pub reconcile_interval: Duration,
    pub source: Source,
    /// ZoneMinder's version as configured; `None`: use the version from the catalog.
    pub version: Option<ZmVersion>,
    /// Whether monitors of other servers are watched, too.
    pub all_servers: bool,
}

impl From<&ZoneminderConfig> for DetectConfig {
    fn from(config: &ZoneminderConfig) -> Self {
        Self {
            poll_interval: config.poll_interval,
            realarm_interval: config.realarm_interval,
            alarm_limit: config.alarm_limit,
            startup_grace: config.startup_grace,
            catch_up: config.catch_up,
            reconcile_interval: config.reconcile_interval,
            source: config.source,
            version: config.version,
            all_servers: config.servers.is_all(),
        }
    }
}
