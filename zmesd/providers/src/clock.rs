//! Wall time as a parameter: for expirations, signatures and the age of answers.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

/// The wall clock. The monotonic one is [`tokio::time`].
#[derive(Clone)]
pub struct WallClock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl WallClock {
    /// A clock that asks `now` for the time.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// Returns the time now.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl Default for WallClock {
    /// The clock of the machine.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place of this crate that asks the machine for the wall time"
    )]
    fn default() -> Self {
        Self::new(Timestamp::now)
    }
}

impl fmt::Debug for WallClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WallClock").finish_non_exhaustive()
    }
}
