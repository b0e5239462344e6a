//! The labels of what is counted. Their words are a contract with dashboards and alert rules: none is renamed.

use zmes_providers::Platform;
use zmes_shared::MonitorState;
use zmes_shared::control::TokenState;
use zmes_shared::views::RefusalReason;
use zmes_shared::words::{
    DeliveryOutcome, GiveUp, MonitorCondition, Phase, StateSource, TargetKind, TroubleKind,
};

use super::tally::{LabelPairs, Labels, label, labels};
use crate::domain::{Decision, Origin, SkipReason};
use crate::rules::RuleAction;

label! {
    Login = "result" {
        Accepted = "accepted",
        /// Wrong, unknown, disabled, expired.
        Rejected = "rejected",
        /// Not checked, after too many failures.
        Throttled = "throttled",
        /// Not decided: the database is away, or there are too many logins at the same time.
        Unavailable = "unavailable",
        /// No credentials came in time.
        Timeout = "timeout",
    }
}

label! {
    /// The kind of a transport.
    Transport = "transport" {
        Proxy = "proxy",
        /// FCM, directly or through a function proxy.
        Fcm = "fcm",
        Apns = "apns",
        Ntfy = "ntfy",
        Pushover = "pushover",
        Telegram = "telegram",
        Gotify = "gotify",
        Webhook = "webhook",
        /// No transport was asked.
        None = "none",
    }
}

/// What became of a delivery, or of one attempt at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    Sent,
    Retry,
    Failed,
    /// Given up: older than `push.retry-for`.
    Expired,
    Skipped,
    Shadow,
}

impl Pushed {
    fn word(self) -> &'static str {
        match self {
            Self::Sent => DeliveryOutcome::Sent.word(),
            Self::Retry => DeliveryOutcome::Retry.word(),
            Self::Failed => DeliveryOutcome::Failed.word(),
            Self::Expired => GiveUp::Expired.word(),
            Self::Skipped => DeliveryOutcome::Skipped.word(),
            Self::Shadow => SkipReason::Shadow.label(),
        }
    }
}

label! {
    Reload = "result" {
        /// Applied, except for keys that need a restart.
        Ok = "ok",
        /// The file has errors: nothing has changed.
        Refused = "refused",
    }
}

label! {
    /// What became of a phone's request for a picture, or of the picture for a service that takes files.
    PictureRequest = "result" {
        Served = "served",
        /// No valid link, or no right to see it.
        Refused = "refused",
        /// The event has no picture that can be read.
        Missing = "missing",
        /// Too many at once, or the database does not answer.
        Busy = "busy",
        /// It was read for a service that takes files.
        Uploaded = "uploaded",
        /// It could not be read for such a service: the text went out alone.
        NotUploaded = "not_uploaded",
    }
}

label! {
    FindingSeverity = "severity" {
        /// Alarms do not arrive, or will not.
        Error = "error",
        /// Alarms arrive, but not for all users or not for long.
        Warning = "warning",
    }
}

label! {
    /// How far a connection is.
    Connection = "state" {
        /// No session yet.
        Handshake = "handshake",
        /// Has not authenticated.
        Pending = "pending",
        /// Gets alarms.
        Authenticated = "authenticated",
    }
}

label! {
    /// How a node of the cluster is.
    NodeState = "state" {
        /// At work.
        Alive = "alive",
        /// Nothing is heard of it.
        Silent = "silent",
        /// It was stopped, and said so.
        Stopped = "stopped",
    }
}

label! {
    /// What must be there for the daemon to do its work.
    Part = "part" {
        Database = "database",
        Sources = "sources",
        Listeners = "listeners",
    }
}

label! {
    /// A loop of the daemon that must keep moving.
    Loop = "loop" {
        Poller = "poller",
        /// Compares with the Events table.
        Reconciler = "reconciler",
        Router = "router",
        Dispatcher = "dispatcher",
        StateWriter = "state_writer",
    }
}

/// A WebSocket frame; the app's and ours are counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    MessageIn,
    PingIn,
    PongIn,
    CloseIn,
    /// An alarm, replayed ones among them.
    AlarmOut,
    ReplyOut,
    PingOut,
}

impl Labels for Frame {
    fn all() -> Vec<Self> {
        vec![
            Self::AlarmOut,
            Self::ReplyOut,
            Self::PingOut,
            Self::MessageIn,
            Self::PingIn,
            Self::PongIn,
            Self::CloseIn,
        ]
    }

    fn labels(self) -> LabelPairs {
        let (direction, kind) = match self {
            Self::MessageIn => ("in", "message"),
            Self::PingIn => ("in", "ping"),
            Self::PongIn => ("in", "pong"),
            Self::CloseIn => ("in", "close"),
            Self::AlarmOut => ("out", "alarm"),
            Self::ReplyOut => ("out", "reply"),
            Self::PingOut => ("out", "ping"),
        };
        vec![("direction", direction), ("kind", kind)]
    }
}

impl Transport {
    /// Returns the kind of a transport by its name: `fcm:zmninja` is `fcm`. Names come from the configuration, and
    /// are therefore no labels.
    pub fn of(name: &str) -> Self {
        match name.split(':').next() {
            Some("proxy") => Self::Proxy,
            Some("fcm") => Self::Fcm,
            Some("apns") => Self::Apns,
            Some("ntfy") => Self::Ntfy,
            Some("pushover") => Self::Pushover,
            Some("telegram") => Self::Telegram,
            Some("gotify") => Self::Gotify,
            Some("webhook") => Self::Webhook,
            Some(_) | None => Self::None,
        }
    }
}

labels! {
    MonitorState: "state" = [
        Self::Idle, Self::Prealarm, Self::Alarm, Self::Alert, Self::Tape, Self::Down, Self::Unknown,
    ], as_str;
    MonitorCondition: "kind" = [
        Self::NotThere, Self::Starting, Self::Stopped, Self::UnknownLayout, Self::HalfInitialised,
        Self::Short, Self::Implausible, Self::Permission, Self::Io, Self::Frozen,
    ], word;
    StateSource: "source" = Self::ALL, word;
    Origin: "origin" = Self::ALL, word;
    Phase: "phase" = Self::ALL, word;
    TargetKind: "target" = Self::ALL, word;
    TroubleKind: "kind" = Self::ALL, word;
    Platform: "platform" = [Self::Ios, Self::Android, Self::Target], as_str;
    // Blocked tokens count as revoked.
    TokenState: "state" = [Self::Enabled, Self::Disabled, Self::Muted, Self::Revoked], as_str;
    RefusalReason: "reason" = Self::ALL, as_str;
    RuleAction: "action" = Self::ALL, word;
    Pushed: "outcome" = [
        Self::Sent, Self::Retry, Self::Failed, Self::Expired, Self::Skipped, Self::Shadow,
    ], word;
}

/// Sent, or why not: the reasons that the router has.
impl Labels for Decision {
    fn all() -> Vec<Self> {
        let reasons = [
            SkipReason::Rights,
            SkipReason::Filter,
            SkipReason::Interval,
            SkipReason::OtherTarget,
            SkipReason::Pending,
            SkipReason::Slow,
            SkipReason::Ending,
            SkipReason::User,
            SkipReason::Disabled,
            SkipReason::Muted,
            SkipReason::Snoozed,
            SkipReason::Rule,
            SkipReason::PushOff,
        ];
        std::iter::once(Self::Send).chain(reasons.map(Self::Skip)).collect()
    }

    fn labels(self) -> LabelPairs {
        let word = match self {
            Self::Send => self.state().word(),
            Self::Skip(reason) => reason.label(),
        };
        vec![("decision", word)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_the_configuration_is_no_label() {
        assert_eq!(Transport::of("fcm:zmninja"), Transport::Fcm);
        assert_eq!(Transport::of("proxy"), Transport::Proxy);
        assert_eq!(Transport::of("ntfy:night-guard"), Transport::Ntfy);
        assert_eq!(Transport::of(""), Transport::None);
    }

    #[test]
    fn every_value_has_labels_of_its_own() {
        fn distinct<L: Labels>(number: usize) {
            let mut labels: Vec<_> = L::all().into_iter().map(Labels::labels).collect();
            labels.sort_unstable();
            labels.dedup();
            assert_eq!(labels.len(), number, "{labels:?}");
        }
        distinct::<Decision>(14);
        distinct::<Frame>(7);
        distinct::<(Transport, Pushed)>(54);
        distinct::<MonitorCondition>(10);
        distinct::<(TargetKind, Decision)>(28);
        distinct::<Loop>(5);
    }
}
