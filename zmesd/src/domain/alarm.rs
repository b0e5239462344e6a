//! The daemon's unit of work.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;
use zmes_shared::words::Origin;
use zmes_shared::{EventId, MonitorId};

/// A monitor saw something, and this is announced once to everybody who may know.
#[derive(Debug, Clone)]
pub struct Alarm {
    /// Which monitor.
    pub monitor: MonitorId,
    /// Its name when the alarm was found.
    pub monitor_name: Arc<str>,
    /// ZoneMinder's event; `None` where ZoneMinder made none (recording off, INSERT refused).
    pub event: Option<EventId>,
    /// Why, in ZoneMinder's words; may be empty. Control characters are already replaced.
    pub cause: Arc<str>,
    /// When the daemon found it, by the wall clock.
    pub at: Timestamp,
    /// The same moment by the monotonic clock, for latencies.
    pub detected: Instant,
    /// How it was found.
    pub origin: Origin,
}

impl Alarm {
    /// Says whether the alarm was found after the fact.
    pub fn late(&self) -> bool {
        self.origin == Origin::Reconciled
    }
}
