//! The seams at the border of the process: traits, their plain data and their errors, nothing else.
//!
//! Actors depend on these; the adapters (edges and `demo`) implement them. What ZoneMinder offers has its traits in
//! `zmes-zoneminder`, what sends pushes has its own in `zmes-providers`.

use std::net::IpAddr;
mod broker;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::time::Instant;
use zmes_providers::{CheckStep, PictureFile, TransportFault, WallClock};
use zmes_shared::control::ControlError;
use zmes_shared::views::{ConfigReloaded, ConfigShown, PushCounts, PushModeState};
pub use zmes_shared::views::{HeldView as Held, StageLatency};
use zmes_shared::{EventId, MonitorId};
use zmes_zoneminder::pictures::{NoPicture, Picture};

pub use broker::{
    Broker, BrokerAck, BrokerConnection, BrokerEvent, BrokerLink, BrokerLoss, BrokerMessage, BrokerSettings,
    LinkFull, MqttChoice, MqttFailure, MqttHealth, MqttRefusal, MqttSide,
};

use crate::config::{CertificateFault, Config, ConfigDiff, Problem};
use crate::domain::{Login, LoginVerdict, Token, TokenId};
use crate::limits::Turn;

/// The wall clock. The monotonic one is [`tokio::time`].
pub trait Clock: Send + Sync + std::fmt::Debug {
    fn now(&self) -> Timestamp;
}

#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the wall time")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

pub fn wall_clock(clock: &Arc<dyn Clock>) -> WallClock {
    let clock = Arc::clone(clock);
    WallClock::new(move || clock.now())
}

/// Says whether this node may send what was decided in a turn of its.
pub trait SendPermit: Send + Sync + std::fmt::Debug {
    /// Begins a push of these alarms, by their numbers in [`LedgerMark`](crate::domain::LedgerMark); false: it must not be sent. Ask immediately before
    /// it, and say when it has come out.
    fn begin(&self, turn: u64, alarms: &[u64]) -> bool;

    /// A push of these alarms that was begun has come out, and the cluster was told what came of it.
    fn came_out(&self, alarms: &[u64]);

    /// Says whether a push could begin now.
    fn holds(&self, turn: u64) -> bool;
}

/// Checks credentials. The implementation bounds how many it checks in parallel.
#[async_trait]
pub trait LoginCheck: Send + Sync + std::fmt::Debug {
    /// Empty credentials are checked, too: `auth.enabled = false` accepts any.
    async fn verify(&self, login: Login) -> LoginVerdict;
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateSummary {
    /// Its subject as people write it: "CN=zm.example.org".
    pub subject: String,
    /// The names and addresses that it is good for.
    pub sans: Vec<String>,
    pub self_signed: bool,
    pub not_after: Timestamp,
    /// What apps may stumble over.
    pub problems: Vec<CertificateProblem>,
    /// What iOS has against it where an app has the system check certificates (zmNinja does not, unless told to).
    pub objections: Vec<CertificateProblem>,
}

/// Says whether a certificate with these names and addresses is for `name`.
pub fn covers(sans: &[String], name: &str) -> bool {
    let name = name.trim_end_matches('.');
    sans.iter().any(|san| {
        let san = san.trim_end_matches('.');
        // A star stands for one label (RFC 6125 6.4.3).
        let by_star = || {
            let rest = san.strip_prefix("*.")?;
            let (_, domain) = name.split_once('.')?;
            Some(domain.eq_ignore_ascii_case(rest))
        };
        san.eq_ignore_ascii_case(name) || by_star().unwrap_or(false)
    })
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateProblem {
    /// Apps that look at certificates at all do not connect.
    pub grave: bool,
    /// `None`: only iOS has something against it.
    pub fault: Option<CertificateFault>,
    pub message: String,
    pub hint: String,
}

impl CertificateProblem {
    /// Says whether it is only that the end of the validity is near.
    pub fn expires_soon(&self) -> bool {
        self.fault == Some(CertificateFault::ExpiresSoon)
    }
}

pub trait CertificateInfo: Send + Sync + std::fmt::Debug {
    /// Returns the certificate that the next handshake will show; `None` where apps are served in plain text.
    fn summary(&self) -> Option<CertificateSummary>;
}

/// Why a link is not answered with a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// It is no link, it has ended, or whoever it is for may not see that. To the outside always the same.
    None,
    /// There is no picture, or nobody can say where. To the outside as [`Self::None`].
    Missing,
    /// The picture may come in a moment.
    NotYet,
    /// Too many requests.
    Busy,
}

/// A picture that is being answered.
#[derive(Debug)]
pub struct PictureAnswer {
    pub picture: Arc<Picture>,
    /// One more header, for another node: its name, and its value.
    pub about: Option<(&'static str, String)>,
    /// Held until the picture is written.
    pub turn: Option<Turn>,
}

/// Answers links to pictures.
#[async_trait]
pub trait PictureDoor: Send + Sync + std::fmt::Debug {
    /// Says whether there are links at all.
    fn is_open(&self) -> bool;

    /// Returns the picture of a link, for a client of that address. Bounded in time by the implementation.
    async fn picture(&self, link: &str, client: IpAddr) -> Result<PictureAnswer, NoAnswer>;
}

/// Where the other nodes of a cluster are.
pub trait NodeAddresses: Send + Sync + std::fmt::Debug {
    /// Returns the URL of the node that is at work on a server of ZoneMinder (`Servers.Id`), without a slash at its end;
    /// `None`: there is none, or it has not said where it is reached.
    fn of_server(&self, server: u32) -> Option<String>;
}

/// What the link of a snooze button would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnoozeOffer {
    /// The monitor's name.
    pub monitor: String,
    /// For how long; 0: it ends what another link has set.
    pub minutes: u32,
}

/// What it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SnoozePressed {
    Set {
        monitor: String,
        until: Timestamp,
        /// The link that ends it.
        undo: Option<String>,
    },
    Ended {
        monitor: String,
    },
    /// What buttons had set has ended; another snooze still holds.
    Silent {
        monitor: String,
        until: Timestamp,
    },
    /// Too many snoozes are set.
    TooMany,
}

/// Answers links of snooze buttons.
#[async_trait]
pub trait SnoozeDoor: Send + Sync + std::fmt::Debug {
    /// Says what a link would do, and does nothing: whoever previews links opens them, too.
    async fn offer(&self, link: &str, client: IpAddr) -> Result<SnoozeOffer, NoAnswer>;

    /// Does it.
    async fn press(&self, link: &str, client: IpAddr) -> Result<SnoozePressed, NoAnswer>;
}

/// Reads pictures for services that take files.
#[async_trait]
pub trait PictureUploads: Send + Sync + std::fmt::Debug {
    /// Returns the picture of an alarm that was found at `at`, and waits `wait` for it. `None`: there is none, and the log
    /// says why. An alarm that was found after the fact has no `at`: its pictures were written before. `reader`: the token
    /// whose service gets it, which may get a better one later.
    async fn file(
        &self,
        event: EventId,
        at: Option<Timestamp>,
        reader: Option<TokenId>,
        wait: Duration,
    ) -> Option<PictureFile>;
}

/// What became of a new key for links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRotated {
    /// It counts, and is on the disk.
    Written,
    /// It counts, and the disk has not taken it yet.
    Unwritten,
    /// The system has no random numbers, or the state no room: nothing has changed.
    No,
}

/// What is there of an event for an admin.
#[derive(Debug)]
pub struct PictureExamined {
    /// The monitor of the event; `None`: there is no such event, or the database does not answer.
    pub monitor: Option<MonitorId>,
    pub picture: Result<Arc<Picture>, NoPicture>,
}

/// What admins do about pictures.
#[async_trait]
pub trait PictureCare: PictureUploads {
    /// Returns where links lead; `None`: pushes hold none.
    fn base_url(&self) -> Option<String>;

    /// Reads the picture of an event as for a phone.
    async fn examine(&self, event: EventId, deadline: Instant) -> PictureExamined;

    /// Makes a new key, with which all links that were made before end.
    async fn rotate(&self) -> KeyRotated;
}

/// The file on the disk, compared with the current configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigExamined {
    /// A start would fail for these.
    pub problems: Vec<Problem>,
    /// It would start with these.
    pub warnings: Vec<Problem>,
    /// What has changed since it was loaded; empty if there are problems.
    pub diff: ConfigDiff,
}

#[async_trait]
pub trait ConfigReload: Send + Sync + std::fmt::Debug {
    /// Reads the file again and applies it, or changes nothing and says why. Returns when it is applied.
    async fn reload(&self) -> Result<ConfigReloaded, ControlError>;

    fn running(&self) -> Arc<Config>;

    /// Says whether these are the built-in settings of the demo.
    fn is_demo(&self) -> bool;

    /// Checks the file and what it names as a start would. `None`: there is no file (the demo).
    async fn examine(&self) -> Option<ConfigExamined>;

    /// Returns the values in use, secrets hidden.
    fn show(&self) -> ConfigShown;
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TransportHealth {
    /// Which: `proxy`, `fcm`, `fcm:zmninja`, `apns`.
    pub transport: String,
    /// Where it sends to: host and port.
    pub target: String,
    pub in_flight: u64,
    /// When the provider last took a push; `None`: not since the start.
    pub last_success: Option<Timestamp>,
    /// What fails now; `None` once the provider has answered as it should, or while nothing was sent.
    pub failure: Option<TransportFailure>,
    /// Nothing is sent before then. May be past: then the next push is the probe.
    pub rests_until: Option<Timestamp>,
    /// Messages that the provider refused in a row, with its last words: the transport works, and yet no phone rings.
    pub refusals: Option<Refusals>,
    /// The last check without a message; `None`: none since the start.
    pub probe: Option<ProbeResult>,
}

/// What the last check of a transport found, for whomever it was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProbeResult {
    /// `None`: every step succeeded, or a push was accepted since.
    pub failure: Option<ProbeFailure>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeFailure {
    /// Checks that failed in a row.
    pub count: u64,
    /// When the first of them failed.
    pub since: Timestamp,
    pub last: Timestamp,
    /// The last step that failed.
    pub step: CheckStep,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportFailure {
    /// The last one.
    pub fault: TransportFault,
    /// When the first of them came.
    pub since: Timestamp,
    pub last: Timestamp,
    pub count: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusals {
    pub count: u64,
    pub since: Timestamp,
    /// The provider's last words.
    pub detail: String,
}

impl TransportHealth {
    pub fn fails(&self) -> bool {
        self.failure.is_some()
    }

    /// Says whether it rests or has not proved itself since it did.
    pub fn held_back(&self) -> bool {
        self.rests_until.is_some()
    }

    /// Returns for how long it rests from `now` on; `None`: it does not, or the next push is the probe.
    pub fn rest(&self, now: Timestamp) -> Option<Duration> {
        let left = Duration::try_from(self.rests_until?.duration_since(now)).ok()?;
        (!left.is_zero()).then_some(left)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportCheck {
    pub transport: String,
    pub target: String,
    pub ok: bool,
    /// How old this is: checks are made once for all who ask within a few seconds.
    pub age: Duration,
    /// What was done, in order; ends at the first step that fails.
    pub steps: Vec<CheckStep>,
}

impl TransportCheck {
    /// Returns the step that failed.
    pub fn failed(&self) -> Option<&CheckStep> {
        self.steps.iter().find(|step| !step.ok())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retried {
    pub transport: String,
    /// For how long it would have rested; `None`: it did not rest.
    pub rest: Option<Duration>,
    pub waiting: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the push side does not answer")]
pub struct PushBusy;

#[async_trait]
pub trait PushSide: Send + Sync + std::fmt::Debug {
    /// Goes to the providers as far as possible without sending anything; only to transports of that kind (`proxy`,
    /// `fcm`, `apns`), or to the one of that name (`fcm:zmninja`), where one is named. Empty: none is configured. Bounded in time by the implementation, and in
    /// requests to the providers: one check at a time for each transport, which serves all who ask within a few seconds.
    async fn check(&self, only: Option<&str>) -> Vec<TransportCheck>;

    fn mode(&self) -> PushModeState;

    /// From now on only checks count that begin later: who has just mended something must not hear how it was before.
    fn check_anew(&self);

    async fn retry(&self, only: Option<&str>) -> Result<Vec<Retried>, PushBusy>;

    fn held(&self, token: &Token) -> Option<Held>;

    fn counts(&self) -> PushCounts;

    fn health(&self) -> Vec<TransportHealth>;

    /// Returns the names of the transports that a token takes, the first one first; empty: there is no way to it.
    fn ways(&self, token: &Token) -> Vec<String>;

    /// Returns how long each stage takes, in the order in which an alarm passes them.
    fn latencies(&self) -> Vec<StageLatency>;
}
