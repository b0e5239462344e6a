//! One message for one phone, what a provider answers, and the trait of transports.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use zmes_shared::words::FaultKind;
use zmes_shared::{EventId, MonitorId};

use crate::fault::Fault;
use crate::token::{App, Platform, PushToken};

/// One message for one phone, ready to be put into a provider's words.
#[derive(Debug, Clone)]
pub struct Push {
    /// Which phone.
    pub token: PushToken,
    /// What kind.
    pub platform: Platform,
    /// Which app.
    pub app: App,
    /// Its version; empty where it is not known.
    pub app_version: String,
    /// The app's own name for this server; empty if it has none.
    pub profile: String,
    /// What it tells of, oldest first, never empty. All of it the token's user may see.
    pub alarms: Vec<PushedAlarm>,
    /// So many alarms are told of at once, because each of them alone would have been too much; the last ones are in
    /// `alarms`. `None`: one push for one alarm.
    pub digest: Option<u32>,
    /// The number for the app's icon.
    pub badge: u32,
    /// After that it is not worth showing any more.
    pub expires_at: Timestamp,
}

/// One alarm within a [`Push`].
#[derive(Debug, Clone)]
pub struct PushedAlarm {
    /// The event, where ZoneMinder made one.
    pub event: Option<EventId>,
    /// Which monitor.
    pub monitor: MonitorId,
    /// Its name.
    pub monitor_name: Arc<str>,
    /// Why, in ZoneMinder's words; may be empty.
    pub cause: Arc<str>,
    /// When it was found.
    pub at: Timestamp,
    /// It is a test, and must say so.
    pub test: bool,
}

/// The provider has taken a push.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delivered {
    /// The provider's own id of the message, where it tells one.
    pub provider_id: Option<String>,
}

/// Why a push was not taken. Details are the provider's words, bounded, without control characters and without any
/// secret (a provider may repeat the token).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// The provider knows the token no more: it is not tried again, and an admin can restore it.
    #[error("the token is dead: {0}")]
    Dead(String),
    /// The token belongs to another app (FCM's sender mismatch). The token itself is kept.
    #[error("the token belongs to another app: {0}")]
    WrongApp(String),
    /// This message is not to the provider's liking, and would not be the next time either.
    #[error("the message was refused: {0}")]
    Message(String),
    /// This phone cannot be told now; that says nothing of the transport.
    #[error("{detail}")]
    Phone {
        /// What the provider said.
        detail: String,
        /// Not before so long, says the provider.
        retry_after: Option<Duration>,
    },
    /// The transport fails: its provider cannot be reached, does not answer as it should, or does not accept us.
    /// Nothing is wrong with the token and the message, and it may work later.
    #[error("{0}")]
    Transport(Fault),
}

/// One step of a check, timed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckStep {
    /// `dns`, `tcp`, `tls`, `http`, `credentials`.
    pub name: &'static str,
    /// Whether it went well.
    pub ok: bool,
    /// How long it took.
    pub took: Duration,
    /// What was found: an address, the certificate's chain and days left, a status line.
    pub detail: String,
    /// Where it failed: what kind of fault that is.
    pub fault: Option<FaultKind>,
}

/// A way to phones.
#[async_trait]
pub trait PushTransport: Send + Sync + std::fmt::Debug {
    /// Returns its name, as logs, the delivery log and `push check` show it: `proxy`, `fcm`, `fcm:zmninja`, `apns`.
    fn name(&self) -> &str;

    /// Returns where it sends to: host and port.
    fn target(&self) -> String;

    /// Sends. Bounded in time by the implementation (10 s).
    async fn send(&self, push: &Push) -> Result<Delivered, PushError>;

    /// Tells the provider of a device that has just registered, where it wants to know (the PushProxy does).
    async fn register(&self, _token: &PushToken, _platform: Platform) -> Result<(), PushError> {
        Ok(())
    }

    /// Goes as far as possible without sending anything, and times each step. Ends at the first step that fails.
    async fn check(&self) -> Vec<CheckStep>;
}
