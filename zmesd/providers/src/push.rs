//! One message for one phone, what a provider answers, and the trait of transports.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;
use zmes_shared::words::FaultKind;
use zmes_shared::{EventId, Label, MonitorId};

use crate::picture::{PictureWay, PushedPicture};
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
    /// The alarms, oldest first, never empty. The token's user may see all of them.
    pub alarms: Vec<PushedAlarm>,
    /// A digest of this many alarms, which would have been too many single pushes; the last ones are in
    /// `alarms`. `None`: one push for one alarm.
    pub digest: Option<u32>,
    /// The number for the app's icon.
    pub badge: u32,
    /// How loudly the phone shows it.
    pub urgency: Urgency,
    /// The picture of the last alarm, as the transport takes it ([`PushTransport::picture_way`]).
    pub picture: Option<PushedPicture>,
    /// Of an update: the provider's id of the message that it follows, for a transport that edits messages
    /// ([`PushTransport::edits`]).
    pub replaces: Option<String>,
    /// Buttons that silence the monitor of the last alarm, for a transport that shows them
    /// ([`PushTransport::snooze_buttons`]).
    pub snooze: Vec<SnoozeButton>,
    /// It is not worth showing after this time.
    pub expires_at: Timestamp,
}

/// For how long a snooze button silences, in minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnoozeTime(pub u32);

impl SnoozeTime {
    fn duration(self) -> Duration {
        Duration::from_mins(self.0.into())
    }
}

impl fmt::Display for SnoozeTime {
    /// Writes it as the configuration has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&zmes_shared::duration::format(self.duration()))
    }
}

/// A button of a message.
#[derive(Debug, Clone)]
pub struct SnoozeButton {
    /// For how long it silences.
    pub time: SnoozeTime,
    /// A POST silences, a GET shows a page with a button. Who has it may do it.
    pub url: SecretString,
}

impl SnoozeButton {
    /// Returns the words on it.
    pub fn label(&self) -> String {
        format!("Snooze {}", self.time)
    }
}

/// How loudly a phone shows a push.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Urgency {
    /// Without a sound.
    Silent,
    /// As the app shows its notifications.
    #[default]
    Normal,
    /// Also while the phone is in a focus that lets time-sensitive notifications through.
    Urgent,
}

impl Urgency {
    /// Returns the word for logs and files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Normal => "normal",
            Self::Urgent => "urgent",
        }
    }

    /// Reads the word; another one is [`Self::Normal`].
    pub fn parse(text: &str) -> Self {
        [Self::Silent, Self::Urgent].into_iter().find(|urgency| urgency.word() == text).unwrap_or_default()
    }
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
    /// ZoneMinder's cause; may be empty.
    pub cause: Arc<str>,
    /// What was detected, where that is known.
    pub labels: Arc<[Label]>,
    /// When it was detected.
    pub at: Timestamp,
    /// It is a test, and the push says so.
    pub test: bool,
    /// It has ended, and lasted this long; zero: that is not known.
    pub ended: Option<Duration>,
    /// It was told before without its labels, and began then.
    pub updates: Option<Timestamp>,
    /// It was found after the fact.
    pub late: bool,
    /// What it tells of.
    pub subject: PushSubject,
}

/// What a push tells of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PushSubject {
    /// An alarm, or a test of one.
    #[default]
    Alarm,
    /// A trouble of the daemon, or its end.
    Trouble,
    /// How many alarms a snooze has withheld, at its end.
    SnoozeEnd,
}

/// The provider accepted a push.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delivered {
    /// The provider's message id, if it gives one.
    pub provider_id: Option<String>,
    /// Why it did not take the picture, and got the text alone.
    pub without_picture: Option<String>,
    /// Why it did not take the snooze buttons, and got the message without them.
    pub without_buttons: Option<String>,
}

impl Delivered {
    pub(crate) fn with_id(provider_id: Option<String>) -> Self {
        Self { provider_id, ..Self::default() }
    }
}

/// Why a push was not accepted. Details are the provider's words, bounded, without control characters and without
/// secrets (a provider may repeat the token).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// The provider no longer knows the token.
    #[error("the token is dead: {0}")]
    Dead(String),
    /// The token belongs to another app (FCM's sender mismatch): another transport may accept it.
    #[error("the token belongs to another app: {0}")]
    WrongApp(String),
    /// The provider refused this message and would refuse it again.
    #[error("the message was refused: {0}")]
    Message(String),
    /// This phone cannot be reached now; the transport works.
    #[error("{detail}")]
    Phone {
        /// What the provider said.
        detail: String,
        /// How long the provider asks to wait.
        retry_after: Option<Duration>,
    },
    /// The transport fails: its provider cannot be reached, answers something else, or refuses us.
    /// The token and the message may be fine, and it may work later.
    #[error("{0}")]
    Transport(TransportFault),
}

/// A fault of a transport, not of the token or the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportFault {
    /// What kind of fault.
    pub kind: FaultKind,
    /// HTTP status, if the provider answered.
    pub status: Option<u16>,
    /// What happened: one line, bounded, without secrets; the provider's words, if there are any.
    pub detail: String,
    /// How long the provider asks to wait.
    pub retry_after: Option<Duration>,
}

impl TransportFault {
    /// A fault without an answer of the provider.
    pub fn unanswered(kind: FaultKind, detail: impl Into<String>) -> Self {
        Self { kind, status: None, detail: detail.into(), retry_after: None }
    }
}

impl fmt::Display for TransportFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if matches!(self.kind, FaultKind::Credentials | FaultKind::NotFound) {
            return write!(f, "the provider refused us: {}", self.detail);
        }
        f.write_str(&self.detail)
    }
}

/// One step of a check, timed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckStep {
    /// `dns`, `tcp`, `tls`, `http`, `credentials`, `chat`.
    pub name: &'static str,
    /// How long it took.
    pub took: Duration,
    /// What was found: an address, the certificate's chain and days left, a status line.
    pub detail: String,
    /// The kind of fault; `None`: it succeeded.
    pub fault: Option<FaultKind>,
}

impl CheckStep {
    /// Says whether it succeeded.
    pub fn ok(&self) -> bool {
        self.fault.is_none()
    }
}

/// A way to phones through one provider.
#[async_trait]
pub trait PushTransport: Send + Sync + fmt::Debug {
    /// Returns its name: `proxy`, `fcm`, `fcm:zmninja`, `apns`, `ntfy:night-guard`.
    fn name(&self) -> &str;

    /// Returns the host and port that it sends to.
    fn target(&self) -> String;

    /// Returns how it takes the picture of an alarm.
    fn picture_way(&self) -> PictureWay {
        PictureWay::Link
    }

    /// Says whether an update takes the place of the message that it follows, without a sound. If not, a better picture is
    /// no reason to send one.
    fn replaces(&self) -> bool {
        true
    }

    /// Says whether it edits the message that an update follows, and needs its id.
    fn edits(&self) -> bool {
        false
    }

    /// Returns which snooze buttons it shows.
    fn snooze_buttons(&self) -> &[SnoozeTime] {
        &[]
    }

    /// Sends within a deadline of its own (10 s).
    async fn send(&self, push: &Push) -> Result<Delivered, PushError>;

    /// Announces a new device to the provider, if the provider needs that (the PushProxy does).
    async fn register(&self, _token: &PushToken, _platform: Platform) -> Result<(), PushError> {
        Ok(())
    }

    /// Goes as far as possible without sending a push, and times each step. Ends at the first step that fails.
    async fn check(&self) -> Vec<CheckStep>;
}
