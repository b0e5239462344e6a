//! The internal stream behind `watch`: compact values, which the watcher turns into lines.

use std::sync::{Arc, Weak};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::broadcast;
use zmes_shared::views::ClientView;
use zmes_shared::words::DeliveryOutcome;

use super::decided::Decided;
use super::handle::Tried;
use crate::domain::{Alarm, Token};

/// Events that a slow watcher may be behind before it is told that it missed some.
const TAP_BOUND: usize = 1024;

/// Receives events; `RecvError::Lagged(n)` means that `n` events were missed.
pub type TapReceiver = broadcast::Receiver<TapEvent>;

/// Something that watchers may want to know. Small and shared, because a watcher that has stopped reading holds as
/// many of them as the tap has room for.
#[derive(Debug, Clone)]
pub enum TapEvent {
    /// An alarm was handed on.
    Alarm(AnnouncedAlarm),
    /// A session connected, authenticated, changed or left.
    Session(Arc<SessionChange>),
    /// A token was registered, changed or revoked.
    Token(TokenChange),
    /// A push has come to its end, or was tried in vain.
    Delivery(Arc<PushOutcome>),
}

/// An alarm that was handed on.
#[derive(Debug, Clone)]
pub struct AnnouncedAlarm {
    /// Its number since the daemon started.
    pub number: u64,
    /// The alarm.
    pub alarm: Arc<Alarm>,
    /// What was decided for each target. The router remembers that for a bounded number of them: a watcher that comes
    /// too late finds nothing.
    pub decided: Weak<Decided>,
}

/// A session that changed.
#[derive(Debug)]
pub struct SessionChange {
    /// When.
    pub at: Timestamp,
    /// `connected`, `authenticated`, `filter`, `token`, `closed`.
    pub change: &'static str,
    /// Why it was closed.
    pub reason: Option<&'static str>,
    /// The login that failed, if that is why.
    pub tried: Option<Tried>,
    /// The session now.
    pub client: ClientView,
}

/// A token that changed.
#[derive(Debug, Clone)]
pub struct TokenChange {
    /// When.
    pub at: Timestamp,
    /// `registered`, `changed`, `imported`, `revoked`, `blocked`, `unblocked`, `restored`, `muted`, `unmuted`, `badge`.
    pub change: &'static str,
    /// The token now.
    pub token: Arc<Token>,
}

/// What became of a push, as the dispatcher tells it.
#[derive(Debug)]
pub struct PushOutcome {
    /// When.
    pub at: Timestamp,
    /// Which alarm; of a digest the last one.
    pub alarm: Arc<Alarm>,
    /// For which token.
    pub token: Arc<Token>,
    pub outcome: DeliveryOutcome,
    /// Why it failed, or what the provider said; bounded, without any secret.
    pub detail: Option<String>,
    /// From the alarm's detection to now.
    pub latency: Duration,
}

/// The sending side: cheap to clone, never waits, costs nothing while nobody watches.
#[derive(Debug, Clone)]
pub struct Tap {
    events: broadcast::Sender<TapEvent>,
}

impl Default for Tap {
    fn default() -> Self {
        Self { events: broadcast::Sender::new(TAP_BOUND) }
    }
}

impl Tap {
    /// Returns a new watcher.
    pub fn subscribe(&self) -> TapReceiver {
        self.events.subscribe()
    }

    /// Says whether anybody watches.
    pub fn watched(&self) -> bool {
        self.events.receiver_count() > 0
    }

    /// Tells of a push; `outcome` is not even called while nobody watches.
    pub fn delivery(&self, outcome: impl FnOnce() -> PushOutcome) {
        self.send_with(|| TapEvent::Delivery(Arc::new(outcome())));
    }

    /// Sends what `event` returns, and does not even call it while nobody watches.
    pub(super) fn send_with(&self, event: impl FnOnce() -> TapEvent) {
        if self.watched() {
            // An error only says that the last watcher has just left.
            self.events.send(event()).ok();
        }
    }
}
