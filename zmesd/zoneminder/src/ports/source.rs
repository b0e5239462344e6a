//! Where readings come from: ZoneMinder's shared memory, and the ways to force an alarm.
//!
//! Knows layouts, files and sockets; must not know what an alarm is (that is `detect`).

mod read_error;
pub mod shm;
mod trigger;
mod zmtrigger;

pub use read_error::ReadError;
pub use shm::ShmSource;
pub use trigger::LocalTrigger;

use tokio::time::Instant;
use zmes_shared::MonitorId;

use crate::domain::{Reading, ZmVersion};

/// Looks at monitors, one at a time. Synchronous and quick: it is asked for each monitor at each poll.
pub trait MonitorSource: Send + std::fmt::Debug {
    /// Takes one look.
    fn read(&mut self, monitor: MonitorId, now: Instant) -> Result<Reading, ReadError>;

    /// Says which ZoneMinder this is, where that is known; only used where the memory alone is ambiguous.
    fn assume_version(&mut self, _version: Option<ZmVersion>) {}

    /// Lets go of what is kept open for a monitor that is not asked for any more.
    fn forget(&mut self, _monitor: MonitorId) {}

    /// Returns what an admin should know of a monitor that can be read, if there is such a thing.
    fn remark(&self, _monitor: MonitorId) -> Option<&'static str> {
        None
    }
}
