//! Making ZoneMinder itself record.

use async_trait::async_trait;
use zmes_shared::MonitorId;

/// What to tell ZoneMinder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TriggerCommand {
    /// Force an alarm.
    On {
        /// Score of the frames, at least 1.
        score: u32,
        /// Becomes the event's cause; at most 31 bytes, no `'` (ZoneMinder does not escape it).
        cause: String,
        /// Becomes part of the event's notes; at most 255 bytes, no `'`.
        text: String,
    },
    /// Take it back.
    Cancel,
}

/// How ZoneMinder was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TriggerVia {
    /// Written into the monitor's shared memory.
    SharedMemory,
    /// Through `zmtrigger.pl`'s Unix socket.
    Zmtrigger,
}

impl TriggerVia {
    /// Returns the word for JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SharedMemory => "shm",
            Self::Zmtrigger => "zmtrigger",
        }
    }
}

/// Why ZoneMinder could not be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TriggerError {
    /// No capture daemon serves the monitor.
    #[error("monitor {0} is not captured: its shared memory is not there or not valid")]
    NotCaptured(MonitorId),
    /// Neither way is permitted to the daemon.
    #[error("not permitted: {0}")]
    NotPermitted(String),
    /// Something else failed.
    #[error("cannot trigger monitor {monitor}: {detail}")]
    Failed {
        /// Which monitor.
        monitor: MonitorId,
        /// What failed.
        detail: String,
    },
}

/// Forces and cancels alarms.
#[async_trait]
pub trait AlarmTrigger: Send + Sync + std::fmt::Debug {
    /// Tells ZoneMinder. Bounded in time by the implementation.
    async fn set(&self, monitor: MonitorId, command: TriggerCommand) -> Result<TriggerVia, TriggerError>;
}
