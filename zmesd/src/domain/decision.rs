//! What the router decides for one target of an alarm.

use zmes_shared::words::{DeliveryState, Reason, SkipReason};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Send,
    Skip(SkipReason),
}

impl Decision {
    /// Returns what `watch`, `why` and `alarm test` call it: the frame is queued, or the push is about to be.
    pub fn state(self) -> DeliveryState {
        match self {
            Self::Send => DeliveryState::Sent,
            Self::Skip(_) => DeliveryState::Skipped,
        }
    }

    pub fn reason(self) -> Reason {
        match self {
            Self::Send => Reason::None,
            Self::Skip(reason) => Reason::Skip(reason),
        }
    }
}
