//! Where readings come from.

use tokio::time::Instant;
use zmes_shared::MonitorId;

use crate::shm::ReadError;
use crate::shm::layout::Numbering;
use crate::{Reading, ZmVersion};

/// Looks at monitors, one at a time. Synchronous and quick: it is asked for each monitor at each poll.
pub trait MonitorSource: Send + std::fmt::Debug {
    /// Takes one look.
    fn read(&mut self, monitor: MonitorId, now: Instant) -> Result<Reading, ReadError>;

    /// Says which ZoneMinder this is, where that is known; only used where the memory alone is ambiguous.
    fn assume_version(&mut self, _version: Option<ZmVersion>) {}

    /// Lets go of what is kept open for a monitor that is not asked for any more.
    fn forget(&mut self, _monitor: MonitorId) {}

    /// Returns how the states of a monitor are numbered, where that is not what the version suggests.
    fn other_numbering(&self, _monitor: MonitorId) -> Option<Numbering> {
        None
    }
}
