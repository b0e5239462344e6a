//! The vocabulary of decisions and their reasons, shared by the state file, the metrics, `why`, `watch`, `doctor` and
//! `zmesctl`.
//!
//! Each word is defined once, here. Code matches on the variants; [`word`](SkipReason::word) and
//! [`parse`](SkipReason::parse) are for what leaves and enters the process: JSON, SQL columns and metric labels.

use serde::{Deserialize, Serialize};

/// Declares a closed set of words. A word of a newer version is read as `Unknown`.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
        )]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)+
            /// A word that this version does not know.
            #[serde(other, rename = "unknown")]
            Unknown,
        }

        impl $name {
            /// All words of this version, without `Unknown`.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Returns the word for JSON, the state file and labels.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Unknown => "unknown",
                }
            }

            /// Parses a word; one that this version does not know becomes `Unknown`.
            pub fn parse(text: &str) -> Self {
                match text {
                    $($word => Self::$variant,)+
                    _ => Self::Unknown,
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.word())
            }
        }
    };
}

mod conditions;
mod labels;
mod machine;
mod troubles;

pub use labels::LabelWait;

pub use conditions::{MonitorCondition, MonitorTrouble, StateSource};
pub use machine::MachineKind;
pub use troubles::TroubleKind;

// ---- what is decided about an alarm, for one client or one token

words! {
    /// Target of a decision.
    TargetKind {
        /// A connected app; people call it a client.
        Session = "session",
        /// A registered phone, or a target.
        Token = "token",
    }
}

words! {
    /// The decision about an alarm for a client or a token, and its progress: the member `decision`.
    DeliveryState {
        /// It has yet to be sent, or retried.
        Queued = "queued",
        /// It was sent to the app, or the provider accepted it.
        Sent = "sent",
        /// It was not sent, for a [`SkipReason`].
        Skipped = "skipped",
        /// It was given up: the provider refused it, or for a [`GiveUp`] of the daemon.
        Failed = "failed",
    }
}

words! {
    /// What happens to a push, as `watch` reports it: the member `outcome`.
    DeliveryOutcome {
        /// It waits to be sent.
        Queued = "queued",
        /// The provider accepted it.
        Sent = "sent",
        /// An attempt failed; it will be retried.
        Retry = "retry",
        /// It was given up.
        Failed = "failed",
        /// It is no longer sent.
        Skipped = "skipped",
    }
}

words! {
    /// Why an alarm was not sent to a client or a token.
    SkipReason {
        /// ZoneMinder does not let the user see the monitor.
        Rights = "rights",
        /// The monitor is not in the app's list.
        Filter = "filter",
        /// The app's interval for the monitor had not passed.
        Interval = "interval",
        /// The test alarm was for another client, token or user.
        OtherTarget = "other target",
        /// The app has not logged in.
        Pending = "not authenticated",
        /// The app did not read earlier messages and was disconnected.
        Slow = "slow",
        /// The connection was closing.
        Ending = "ending",
        /// The owner is not a user of ZoneMinder, is disabled, or may not view events.
        User = "user",
        /// The app asked for no pushes.
        Disabled = "disabled",
        /// An admin muted the token.
        Muted = "muted",
        /// The monitor is snoozed for the token.
        Snoozed = "snoozed",
        /// A `[[rule]]` mutes the alarm for this client or token.
        Rule = "muted by rule",
        /// No labels were found within `labels.wait`, and `labels.without` is `drop`.
        NoLabels = "no labels",
        /// `push.enabled` is false.
        PushOff = "push is off",
        /// `push.mode` is `shadow`.
        Shadow = "shadow",
        /// The token was revoked before the push was sent.
        Revoked = "revoked",
        /// The token was registered by another user before the push was sent.
        AnotherUser = "another user",
        /// The end of an alarm whose start was not sent, or was part of a digest.
        NotStarted = "not started",
        /// A better picture came, and the transport can replace no message or takes no picture.
        NotReplaceable = "cannot be replaced",
        /// The `[[target]]` is no longer in `zmesd.toml`.
        NotConfigured = "not configured",
        /// Another node of the cluster sends it.
        Elsewhere = "another node",
        /// Not recorded for the token; only `why` reports it.
        NotDecided = "not decided",
        /// The event was never announced; only `why` reports it.
        NotAnnounced = "not announced",
    }
}

words! {
    /// Why the daemon gave up a push that no provider refused.
    GiveUp {
        /// The push was older than `push.retry-for`.
        Expired = "expired",
        /// No configured transport accepts the token.
        NoTransport = "no transport takes this token",
    }
}

words! {
    /// What delays a push that waits to be sent.
    HeldBy {
        /// The transport pauses after failures, or because its provider asked for it.
        Transport = "transport",
        /// The provider asked for a pause for this phone.
        Phone = "phone",
        /// The pause before the next attempt.
        Retry = "retry",
        /// `push.storm-limit` is reached.
        Storm = "storm",
    }
}

words! {
    /// How an alarm was found.
    Origin {
        /// In shared memory, or as a new row if the database is the monitor's source.
        Poll = "poll",
        /// In the Events table, after the fact: announced as late.
        Reconciled = "reconciled",
        /// `zmesctl alarm test`.
        Test = "test",
        /// Not an alarm, but the number of alarms that a snooze withheld, at its end.
        Snooze = "snooze",
        /// Not an alarm, but a trouble or its end.
        Trouble = "trouble",
    }
}

words! {
    /// The phase of an alarm: the member `phase`.
    Phase {
        /// It has begun.
        Start = "start",
        /// It was sent without labels, and they are known now; or there is a better picture of it.
        Update = "update",
        /// The monitor has left the alarm.
        End = "end",
    }
}

#[expect(clippy::derivable_impls, reason = "the macro cannot mark a variant")]
impl Default for Phase {
    fn default() -> Self {
        Self::Start
    }
}

impl Phase {
    /// Returns whether it is the start, which lines and answers omit.
    pub fn is_start(&self) -> bool {
        *self == Self::Start
    }
}

words! {
    /// Whose phones a snooze silences.
    SnoozeScopeKind {
        /// Everyone's phones.
        Everybody = "everybody",
        /// The phones of one ZoneMinder user.
        User = "user",
        /// One phone.
        Token = "token",
    }
}

words! {
    /// How a snooze was set.
    SnoozeOrigin {
        /// `zmesctl snooze`.
        Cli = "cli",
        /// The app, by a `control` message.
        App = "app",
        /// A command over MQTT.
        Mqtt = "mqtt",
        /// A button of a notification.
        Link = "link",
    }
}

words! {
    /// The condition of a `[[rule]]` that an alarm or its receiver does not meet.
    RuleMismatch {
        /// It is for other monitors.
        Monitor = "monitor",
        /// It is for other days or times.
        Schedule = "schedule",
        /// None of `cause-has` is in the cause.
        CauseHas = "cause_has",
        /// One of `cause-lacks` is in the cause.
        CauseLacks = "cause_lacks",
        /// It requires labels, and none are known.
        LabelsUnknown = "labels_unknown",
        /// None of `labels` was detected, or not with `min-confidence`.
        Labels = "labels",
        /// One of `labels-lack` was detected.
        LabelsLack = "labels_lack",
        /// It is for the other channel.
        Channel = "channel",
        /// It is for other receivers.
        Receiver = "receiver",
    }
}

impl SkipReason {
    /// Returns the word for the metric label `decision`, on which dashboards rely. JSON uses [`Self::word`].
    pub fn label(self) -> &'static str {
        match self {
            Self::OtherTarget => "other_target",
            Self::Pending => "pending",
            Self::PushOff => "push_off",
            Self::Rule => "rule",
            Self::NoLabels => "no_labels",
            Self::AnotherUser => "another_user",
            Self::NotStarted => "not_started",
            Self::NotReplaceable => "cannot_be_replaced",
            Self::NotConfigured => "not_configured",
            Self::Elsewhere => "another_node",
            Self::NotDecided => "not_decided",
            Self::NotAnnounced => "not_announced",
            Self::Rights
            | Self::Filter
            | Self::Interval
            | Self::Slow
            | Self::Ending
            | Self::User
            | Self::Disabled
            | Self::Muted
            | Self::Snoozed
            | Self::Shadow
            | Self::Revoked
            | Self::Unknown => self.word(),
        }
    }
}

/// The reason for a decision: the member `reason`, one string in JSON and in the state file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(from = "String", into = "String")]
pub enum Reason {
    /// It was sent, or nothing prevents it so far.
    #[default]
    None,
    /// It was sent in one message with others (`push.storm-limit`).
    Digest,
    /// It was skipped.
    Skip(SkipReason),
    /// The daemon gave it up.
    GaveUp(GiveUp),
    /// The provider's answer, or another text for people.
    Text(String),
}

impl Reason {
    const DIGEST: &'static str = "digest";

    /// Parses the output of [`Self::as_str`].
    pub fn parse(text: &str) -> Self {
        match (text, SkipReason::parse(text), GiveUp::parse(text)) {
            ("", _, _) => Self::None,
            (Self::DIGEST, _, _) => Self::Digest,
            (_, SkipReason::Unknown, GiveUp::Unknown) => Self::Text(text.to_owned()),
            (_, SkipReason::Unknown, reason) => Self::GaveUp(reason),
            (_, reason, _) => Self::Skip(reason),
        }
    }

    /// Returns the text; empty if there is no reason.
    pub fn as_str(&self) -> &str {
        match self {
            Self::None => "",
            Self::Digest => Self::DIGEST,
            Self::Skip(reason) => reason.word(),
            Self::GaveUp(reason) => reason.word(),
            Self::Text(text) => text,
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl From<SkipReason> for Reason {
    fn from(reason: SkipReason) -> Self {
        Self::Skip(reason)
    }
}

impl From<String> for Reason {
    fn from(text: String) -> Self {
        Self::parse(&text)
    }
}

impl From<Reason> for String {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Text(text) => text,
            Reason::None | Reason::Digest | Reason::Skip(_) | Reason::GaveUp(_) => reason.as_str().to_owned(),
        }
    }
}

// ---- answers of push providers

words! {
    /// A fault between zmesd and a push provider, from the network up. It is not about the token or the message.
    FaultKind {
        /// The provider's name has no address.
        Dns = "dns",
        /// Nothing listens there.
        Refused = "refused",
        /// There is no route to that address.
        NoRoute = "no_route",
        /// No answer in time.
        Timeout = "timeout",
        /// The connection ended before the answer did.
        Closed = "closed",
        /// The provider's certificate has expired.
        CertificateExpired = "certificate_expired",
        /// The provider's certificate is for another name.
        CertificateName = "certificate_name",
        /// The provider's certificate is signed by an authority that this machine does not trust.
        UnknownAuthority = "unknown_authority",
        /// The provider's certificate cannot be used for another reason.
        BadCertificate = "bad_certificate",
        /// The provider does not accept zmesd's certificate (or requires one).
        OwnCertificate = "own_certificate",
        /// TLS failed for another reason.
        Tls = "tls",
        /// A web page arrived instead of the provider's answer: a wrong path, a parked domain, a captive portal.
        WebPage = "web_page",
        /// The answer is a redirect; zmesd follows none.
        Redirect = "redirect",
        /// The status means success, but the answer is not in this provider's format.
        BadAnswer = "bad_answer",
        /// The provider does not accept the key, the account or the name of the app.
        Credentials = "credentials",
        /// The provider does not know the requested path or method.
        NotFound = "not_found",
        /// This machine's clock and the provider's are too far apart for signed requests.
        Clock = "clock",
        /// Too many requests, or a quota is used up.
        Limited = "limited",
        /// The provider reports a problem of its own (5xx, or a message about an outage).
        Provider = "provider",
        /// Nothing was sent: the transport pauses after earlier failures.
        Resting = "resting",
    }
}

impl FaultKind {
    /// Returns whether the provider did not answer.
    pub fn unanswered(self) -> bool {
        match self {
            Self::Dns
            | Self::Refused
            | Self::NoRoute
            | Self::Timeout
            | Self::Closed
            | Self::CertificateExpired
            | Self::CertificateName
            | Self::UnknownAuthority
            | Self::BadCertificate
            | Self::OwnCertificate
            | Self::Tls => true,
            Self::WebPage
            | Self::Redirect
            | Self::BadAnswer
            | Self::Credentials
            | Self::NotFound
            | Self::Clock
            | Self::Limited
            | Self::Provider
            | Self::Resting
            | Self::Unknown => false,
        }
    }

    /// Returns who can fix it.
    pub fn mender(self) -> Mender {
        match self {
            Self::UnknownAuthority
            | Self::OwnCertificate
            | Self::Redirect
            | Self::BadAnswer
            | Self::Credentials
            | Self::NotFound
            | Self::WebPage => Mender::Configuration,
            Self::Dns | Self::NoRoute | Self::Clock => Mender::Machine,
            Self::Refused
            | Self::Timeout
            | Self::Closed
            | Self::CertificateExpired
            | Self::CertificateName
            | Self::BadCertificate
            | Self::Tls
            | Self::Provider => Mender::Provider,
            Self::Limited | Self::Resting => Mender::Time,
            Self::Unknown => Mender::Unknown,
        }
    }
}

words! {
    /// Who can fix a fault of a push provider.
    Mender {
        /// The admin, in `zmesd.toml` or at the provider's console.
        Configuration = "configuration",
        /// The admin, on this machine or its network.
        Machine = "machine",
        /// Only the operator of the provider.
        Provider = "provider",
        /// It passes by itself.
        Time = "time",
    }
}

#[cfg(test)]
mod tests;
