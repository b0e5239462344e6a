//! Wall time as a parameter.

use std::sync::Arc;

use jiff::Timestamp;
use zmes_providers::WallClock;

/// The wall clock. The monotonic one is [`tokio::time`].
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Returns the time now.
    fn now(&self) -> Timestamp;
}

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the wall time")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Returns the clock in the form that transports take.
pub fn wall_clock(clock: &Arc<dyn Clock>) -> WallClock {
    let clock = Arc::clone(clock);
    WallClock::new(move || clock.now())
}
