//! The daemon's unit of work.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;
use zmes_shared::words::Origin;
use zmes_shared::{EventId, MonitorId};

/// An alarm of a monitor, announced once to each client and token with the right to see it.
#[derive(Debug, Clone)]
pub struct Alarm {
    pub monitor: MonitorId,
    pub monitor_name: Arc<str>,
    /// ZoneMinder's event; `None` if ZoneMinder made none (recording off, INSERT refused).
    pub event: Option<EventId>,
    /// Why, in ZoneMinder's words; may be empty. Control characters are already replaced.
    pub cause: Arc<str>,
    /// When the daemon found it, by the wall clock.
    pub at: Timestamp,
    /// The same moment by the monotonic clock, for latencies.
    pub detected: Instant,
    pub origin: Origin,
}

impl Alarm {
    /// Says whether the alarm was found after the fact.
    pub fn late(&self) -> bool {
        self.origin == Origin::Reconciled
    }
}
