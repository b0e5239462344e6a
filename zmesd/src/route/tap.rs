//! The internal stream behind `watch`: compact values, which the watcher turns into lines.

use std::sync::{Arc, Weak};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::broadcast;
use zmes_shared::views::ClientView;
use zmes_shared::words::DeliveryOutcome;

use super::decided::AlarmDecisions;
use super::handle::FailedLogin;
use crate::domain::{Alarm, Token};
use crate::troubles::{Trouble, TroubleChange};

/// How many events a slow watcher may fall behind before it misses some.
const TAP_BOUND: usize = 1024;

/// Receives events; `RecvError::Lagged(n)` means that `n` events were missed.
pub type TapReceiver = broadcast::Receiver<TapEvent>;

/// Small and shared: a watcher that stops reading holds only as many as the tap has room for.
#[derive(Debug, Clone)]
pub enum TapEvent {
    Alarm(AnnouncedAlarm),
    /// Decisions for tokens about an alarm that was announced earlier: they waited for labels.
    Decided(AnnouncedAlarm),
    Session(Arc<SessionChange>),
    Token(TokenChange),
    /// A push has ended, or an attempt has failed.
    Delivery(Arc<PushOutcome>),
    /// A trouble was raised or is over, and the state has recorded it.
    Trouble(Arc<TroubleTold>),
}

#[derive(Debug, Clone)]
pub struct AnnouncedAlarm {
    pub number: u64,
    pub alarm: Arc<Alarm>,
    /// The decision for each target. The router keeps a bounded number of them: a watcher that is too slow finds none.
    pub decided: Weak<AlarmDecisions>,
}

#[derive(Debug)]
pub struct SessionChange {
    pub at: Timestamp,
    /// `connected`, `authenticated`, `filter`, `token`, `closed`.
    pub change: &'static str,
    pub reason: Option<&'static str>,
    pub tried: Option<FailedLogin>,
    pub client: ClientView,
}

#[derive(Debug, Clone)]
pub struct TokenChange {
    pub at: Timestamp,
    /// `registered`, `changed`, `imported`, `revoked`, `blocked`, `unblocked`, `restored`, `muted`, `unmuted`, `badge`.
    pub change: &'static str,
    pub token: Arc<Token>,
}

#[derive(Debug)]
pub struct PushOutcome {
    pub at: Timestamp,
    /// For a digest: its last alarm.
    pub alarm: Arc<Alarm>,
    pub token: Arc<Token>,
    pub outcome: DeliveryOutcome,
    /// Why it failed, or the provider's answer; bounded, without secrets.
    pub detail: Option<String>,
    /// From the alarm's detection to now.
    pub latency: Duration,
}

#[derive(Debug)]
pub struct TroubleTold {
    /// As stored on disk.
    pub at: Timestamp,
    pub change: TroubleChange,
    pub trouble: Trouble,
}

/// The sending side: cheap to clone, never waits, does no work without watchers.
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
    pub fn subscribe(&self) -> TapReceiver {
        self.events.subscribe()
    }

    pub fn watched(&self) -> bool {
        self.events.receiver_count() > 0
    }

    pub fn delivery(&self, outcome: impl FnOnce() -> PushOutcome) {
        self.send_with(|| TapEvent::Delivery(Arc::new(outcome())));
    }

    /// Sends what `event` returns; it is only called if there are watchers.
    pub(super) fn send_with(&self, event: impl FnOnce() -> TapEvent) {
        if self.watched() {
            // An error only means that the last watcher has just left.
            self.events.send(event()).ok();
        }
    }
}
