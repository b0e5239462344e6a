//! The items of a `watch` stream.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::tokens::{PlatformKind, TokenState};
use super::watch::WatchType;
use crate::views::{ClientView, MonitorView, SnoozedBy, TroubleView};
use crate::words::{DeliveryOutcome, DeliveryState, Origin, Phase, Reason, TargetKind};
use crate::{EventId, Label, MonitorId};

/// One line of `watch`: `{"at":…,"type":"alarm|decision|delivery|session|token|monitor|trouble|lagged",…}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WatchEvent {
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub kind: WatchKind,
}

/// The types of lines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum WatchKind {
    /// An alarm was announced, its labels became known, or it has ended.
    Alarm {
        /// Number of the alarm since the daemon started; decisions and deliveries repeat it. 0: from the record.
        alarm: u64,
        /// The event, if ZoneMinder recorded one.
        event_id: Option<EventId>,
        /// Which monitor.
        monitor_id: MonitorId,
        /// Its name.
        monitor: String,
        /// Why, in ZoneMinder's words.
        cause: String,
        /// How it was found: `poll`, `reconciled`, `test`.
        origin: Origin,
        /// It was found after the fact, in the Events table.
        late: bool,
        /// `end`: the alarm has ended; `update`: its labels are known now; absent: it has begun.
        #[serde(default, skip_serializing_if = "Phase::is_start")]
        phase: Phase,
        /// For an end: how long the alarm lasted, if known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lasted_ms: Option<u64>,
        /// For an update: the labels of the event.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        labels: Vec<Label>,
    },
    /// The decision for one target of an alarm.
    Decision {
        /// The alarm's number.
        alarm: u64,
        /// The event, if there is one.
        event_id: Option<EventId>,
        /// Which monitor.
        monitor_id: MonitorId,
        /// `session` or `token`.
        target: TargetKind,
        /// Client id or token handle.
        id: String,
        /// `end`: the alarm has ended; `update`: its labels are known now; absent: it has begun.
        #[serde(default, skip_serializing_if = "Phase::is_start")]
        phase: Phase,
        /// The decision.
        #[serde(flatten)]
        decided: Decided,
    },
    /// A push made progress.
    Delivery {
        /// The alarm's number; 0 if the alarm came before this stream.
        alarm: u64,
        /// The event, if there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        event_id: Option<EventId>,
        /// Which monitor.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        monitor_id: Option<MonitorId>,
        /// `session` or `token`.
        target: TargetKind,
        /// Client id or token handle.
        id: String,
        /// `sent` or `failed`; `retry`: it failed and will be retried; `skipped`: it is no longer sent; `queued` (state
        /// at the start of the stream): it waits to be sent.
        outcome: DeliveryOutcome,
        /// Why it failed, or the provider's answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
        /// From the alarm's detection to the outcome.
        latency_ms: u64,
        /// `end`: the alarm has ended; `update`: its labels are known now; absent: it has begun.
        #[serde(default, skip_serializing_if = "Phase::is_start")]
        phase: Phase,
        /// Labels of the event, as known when the push was decided.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        labels: Vec<Label>,
    },
    /// A client connected, logged in, changed its filter or disconnected.
    Session {
        /// `present` (state at the start of the stream), `connected`, `authenticated`, `filter`, `token`, `closed`.
        change: String,
        /// Why it was closed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// The client.
        client: ClientView,
        /// Closed for wrong credentials: the user name that it sent, cleaned and cut.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tried: Option<String>,
        /// Closed for wrong credentials: how many times this address has sent wrong ones for this user.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        count: Option<u64>,
    },
    /// A push token was registered, changed or revoked.
    Token {
        /// `present` (state at the start of the stream), `registered`, `changed`, `imported`, `revoked`, `blocked`,
        /// `unblocked`, `restored`, `muted`, `unmuted`, `badge`.
        change: String,
        /// Why it was revoked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// The token.
        token: WatchedToken,
    },
    /// A monitor's state or health changed.
    Monitor {
        /// `present` (state at the start of the stream) or `changed`.
        change: String,
        /// The monitor.
        monitor: MonitorView,
    },
    /// A trouble was raised or is over. Only in streams that ask for it.
    Trouble {
        /// `present` (state at the start of the stream), `raised` or `cleared`.
        change: String,
        /// The camera, if the trouble is about one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        monitor_id: Option<MonitorId>,
        /// The name of that camera.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        monitor: Option<String>,
        /// The trouble.
        trouble: TroubleView,
    },
    /// This watcher was too slow: lines are missing here.
    Lagged {
        /// How many lines or batches of lines were missed; 0 if unknown.
        missed: u64,
    },
    /// A line of a newer daemon.
    #[serde(other)]
    Unknown,
}

/// A decision about one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Decided {
    /// `sent`, `skipped` or `failed`.
    pub decision: DeliveryState,
    /// Why: `filter`, `rights`, `interval`, …; empty when sent.
    #[serde(default)]
    pub reason: Reason,
    /// The name of the rule that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The snooze that withheld it.
    #[serde(flatten)]
    pub snoozed: Option<SnoozedBy>,
}

/// A push token, as `watch` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WatchedToken {
    /// Its handle.
    pub handle: String,
    /// Which kind of phone.
    pub platform: PlatformKind,
    /// `enabled`, `disabled` or `muted`.
    pub state: TokenState,
    /// The ZoneMinder user who registered it; `null` if it was imported.
    pub user: Option<String>,
    /// App and version; empty if the app did not send them.
    pub app: String,
}

impl WatchKind {
    /// Returns the line's monitor, if it has one.
    pub fn monitor_id(&self) -> Option<MonitorId> {
        match self {
            Self::Alarm { monitor_id, .. } | Self::Decision { monitor_id, .. } => Some(*monitor_id),
            Self::Monitor { monitor, .. } => Some(monitor.id),
            Self::Delivery { monitor_id, .. } | Self::Trouble { monitor_id, .. } => *monitor_id,
            Self::Session { .. } | Self::Token { .. } | Self::Lagged { .. } | Self::Unknown => None,
        }
    }

    /// Returns the type by which streams are filtered; `None` for lines that are always sent.
    pub fn filtered_as(&self) -> Option<WatchType> {
        Some(match self {
            Self::Alarm { .. } => WatchType::Alarm,
            Self::Decision { .. } => WatchType::Decision,
            Self::Delivery { .. } => WatchType::Delivery,
            Self::Session { .. } => WatchType::Session,
            Self::Token { .. } => WatchType::Token,
            Self::Monitor { .. } => WatchType::Monitor,
            Self::Trouble { .. } => WatchType::Trouble,
            Self::Lagged { .. } | Self::Unknown => return None,
        })
    }
}
