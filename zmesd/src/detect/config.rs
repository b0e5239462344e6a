//! The settings of detection, a part of `[zoneminder]` that can change while the daemon runs.

use std::time::Duration;

use zmes_zoneminder::ZmVersion;

use crate::config::{Source, ZoneminderConfig};

/// How closely to look, and what to announce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DetectConfig {
    /// Time between two looks, at least 1 ms.
    pub poll_interval: Duration,
    /// Inside one event a later alarm is announced at most so often; zero: each.
    pub realarm_interval: Duration,
    /// Alarms of one monitor that are announced within a minute; 0: all.
    pub alarm_limit: u32,
    /// An alarm that already runs when the daemon starts is announced if its event is younger.
    pub startup_grace: Duration,
    /// What was missed is announced late if it is younger.
    pub catch_up: Duration,
    pub reconcile_interval: Duration,
    pub source: Source,
    /// ZoneMinder's version as configured; `None`: as the catalog has it.
    pub version: Option<ZmVersion>,
    /// Monitors of other servers are watched, too.
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
