//! The internal stream behind `watch`, `alarm test --wait` and the decision ring.

use std::sync::Arc;

use tokio::sync::broadcast;
use zmes_shared::control::WatchEvent;

/// Batches that a slow watcher may be behind before it is told that it missed some.
const TAP_BOUND: usize = 1024;

/// Receives batches; `RecvError::Lagged(n)` means that `n` batches were missed.
pub type TapReceiver = broadcast::Receiver<Arc<[WatchEvent]>>;

/// The sending side: cheap to clone, never waits, costs nothing while nobody watches.
#[derive(Debug, Clone)]
pub struct Tap {
    batches: broadcast::Sender<Arc<[WatchEvent]>>,
}

impl Default for Tap {
    fn default() -> Self {
        Self { batches: broadcast::Sender::new(TAP_BOUND) }
    }
}

impl Tap {
    /// Returns a new watcher.
    pub fn subscribe(&self) -> TapReceiver {
        self.batches.subscribe()
    }

    /// Sends what `events` returns, and does not even call it while nobody watches.
    pub fn send_with(&self, events: impl FnOnce() -> Vec<WatchEvent>) {
        if self.batches.receiver_count() == 0 {
            return;
        }
        let events = events();
        if !events.is_empty() {
            // An error only says that the last watcher has just left.
            self.batches.send(events.into()).ok();
        }
    }
}
