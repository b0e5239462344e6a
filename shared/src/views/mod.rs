//! The data of each answer, which is also the output of `zmesctl --json`.
//!
//! Members are added, never renamed or removed. Times are RFC 3339, durations milliseconds, ids numbers.

mod alarms;
mod checks;
mod clients;
mod cluster;
mod config;
mod doctor;
mod events;
mod monitors;
mod mqtt;
mod pictures;
mod push;
mod rejected;
mod rules;
mod severity;
mod snoozes;
mod status;
mod tokens;
mod troubles;
mod why;

pub use alarms::{AlarmForced, AlarmTested, TargetDecision};
pub use checks::{Check, CheckPart, Perf};
pub use clients::{ClientView, Clients, FilterFrom};
pub use cluster::{
    CLUSTER_CLOCK_MS, CLUSTER_LAG_MS, CLUSTER_WAIT_MS, ClusterNode, ClusterOrphan, ClusterStatus,
};
pub use config::{ConfigReloaded, ConfigShown, LogLevel, ServedCertificate};
pub use doctor::{Doctor, Finding};
pub use events::{EventView, Events, EventsHourly, MonitorHours, ToldClients, ToldTokens};
pub use monitors::{MonitorElsewhere, MonitorView, Monitors, Reloaded, ServerView};
pub use mqtt::{MqttCleared, MqttStatus};
pub use pictures::{PictureRead, PictureTested};
pub use push::{
    CheckStep, Deliveries, DeliveryView, FailedAttempt, HeldView, Latency, PushCheck, PushQueue, PushRetried,
    RetriedTransport, StageLatency, TransportCheck, TransportView,
};
pub use rejected::{RefusalReason, Rejected, Rejection};
pub use rules::{RuleTested, RuleView, Rules, RulesTested};
pub use severity::Severity;
pub use snoozes::{SnoozeView, SnoozedBy, Snoozes, SnoozesChanged};
pub use status::{
    ClientCounts, DatabaseState, EventCounts, FindingCounts, MonitorCounts, PushCounts, PushModeState,
    Status, TokenCounts,
};
pub use tokens::{
    ImportOutcome, TokenFailure, TokenImported, TokenShown, TokenView, Tokens, TokensChanged, TokensExported,
    TokensImported,
};
pub use troubles::{TroubleSummary, TroubleView, Troubles};
pub use why::{LabelWaited, Why, WhyAlarm, WhyTarget, WhyTimes};

pub use crate::sentence::{Sentence, SentencePart};

use serde::{Deserialize, Serialize};

/// The answer to requests without data of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Done {
    /// One sentence for people: "client 4 disconnected".
    pub done: String,
}

/// Omits `false` from the JSON.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_false(flag: &bool) -> bool {
    !flag
}
