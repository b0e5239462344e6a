//! Notes: changes that the router and the push side want stored.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;
use zmes_providers::Urgency;
use zmes_shared::words::{DeliveryOutcome, DeliveryState, GiveUp, Reason, SkipReason};
use zmes_shared::{EventId, Label, MonitorId};

use super::cluster::ClusterNote;
use super::handle::{Device, DeviceNote};
use super::mqtt::MqttNote;
use crate::domain::{Alarm, DecidedBy, Decision, DeliveryId, LedgerMark, Snooze, SnoozeId, Token, TokenId};
use crate::links::LinkKeys;
use crate::troubles::{Trouble, TroubleChange};

#[derive(Debug)]
pub enum Note {
    /// An announced alarm: its record, the monitor's cursor, and the decision for each token, in one transaction. Of a
    /// test alarm only the decisions are stored.
    Announced(Arc<Alarm>, Arc<[TokenDecision]>),
    /// The end of a monitor's alarms, with what was decided about it for tokens: one transaction.
    Ended(Box<EndNote>),
    /// The open alarms of a monitor are closed without an end: no daemon saw it.
    GivenUp(MonitorId),
    /// An announced alarm whose decisions for tokens wait for labels: its record, the monitor's cursor, and until when
    /// it waits, in one transaction.
    Held(Arc<Alarm>, Timestamp),
    /// Such an alarm was decided for each token, and its end with it if it has ended meanwhile: one transaction.
    Released(Arc<Alarm>, Vec<(Arc<Alarm>, Arc<[TokenDecision]>)>),
    /// Updates of alarms, whose labels are known now, with what was decided about them for tokens: one transaction.
    Updated(Vec<(Arc<Alarm>, Arc<[TokenDecision]>)>),
    /// What was detected in events, and when that was seen.
    Labels(Vec<(EventId, Arc<[Label]>)>, Timestamp),
    /// Filters and intervals of devices; one note for many, because many connections may break at the same time.
    Devices(Vec<DeviceNote>),
    /// Devices got an alarm of a monitor for which they want an interval. One note for all of them: the queue has
    /// room for alarms, not for every receiver of each.
    Sent(BTreeSet<Device>, MonitorId, Timestamp),
    Token(Arc<Token>),
    /// Many tokens as they are now; queued pushes to the revoked ones are skipped.
    Tokens(Vec<Arc<Token>>),
    /// An alarm of a monitor was sent to these tokens, for which they want an interval.
    TokenSent(Vec<TokenId>, MonitorId, Timestamp),
    /// Undoes [`Self::TokenSent`]: these pushes were given up, and do not count for the interval.
    TokenUntold(Vec<(TokenId, MonitorId, Timestamp)>),
    /// The attempts of one push, which are written together.
    Attempts(Vec<Attempt>),
    /// A snooze as it is now.
    Snooze(Snooze),
    /// A snooze has ended, and these pushes tell how many alarms it withheld: one transaction.
    SnoozeEnded(SnoozeId, Timestamp, Vec<(Arc<Alarm>, Arc<[TokenDecision]>)>),
    /// What has become of a trouble, with the push that tells of it: one transaction.
    Trouble(Box<TroubleNote>),
    /// These rules decided about an alarm of that time.
    RuleHits(Vec<Arc<str>>, Timestamp),
    /// The key of links to pictures, which counts since then.
    LinkKeys(LinkKeys, Timestamp),
    /// What home automation is to remember.
    Mqtt(MqttNote),
    /// What a node of a cluster is to remember.
    Cluster(Box<ClusterNote>),
    /// Alarms of the ledger, and the end of such a one, with what was decided about them for tokens: one transaction.
    Decided(LedgerMark, Vec<(Arc<Alarm>, Arc<[TokenDecision]>)>),
    /// Queued pushes to this token are skipped, for this reason.
    Withdrawn(TokenId, SkipReason),
    /// Stores nothing; it is answered once all notes before it are stored.
    Barrier(oneshot::Sender<()>),
}

#[derive(Debug, Clone)]
pub struct EndNote {
    pub end: Arc<Alarm>,
    /// The end of each alarm that a receiver was told of last, and what was decided for the tokens among them.
    pub pushes: Vec<(Arc<Alarm>, Arc<[TokenDecision]>)>,
}

#[derive(Debug, Clone)]
pub struct TroubleNote {
    pub change: TroubleChange,
    pub trouble: Trouble,
    pub at: Timestamp,
    /// The tokens that are told of it.
    pub told: Vec<TokenId>,
    /// The message that stands for an alarm, and what was decided for each token.
    pub push: Option<(Arc<Alarm>, Arc<[TokenDecision]>)>,
}

#[derive(Debug, Clone)]
pub struct TokenDecision {
    pub id: DeliveryId,
    pub token: TokenId,
    pub decision: Decision,
    /// The number for the app's icon, if it is sent.
    pub badge: u32,
    /// The rule or snooze that decided.
    pub by: Option<DecidedBy>,
    pub urgency: Urgency,
    /// Of an end: the delivery of its start.
    pub start: Option<DeliveryId>,
}

#[derive(Debug, Clone)]
pub struct Attempt {
    pub delivery: DeliveryId,
    pub token: TokenId,
    pub at: Timestamp,
    /// Empty if no transport was used.
    pub transport: Arc<str>,
    /// Attempts so far, including this one.
    pub attempts: u32,
    /// How long the provider took.
    pub took: Duration,
    pub outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The provider accepted it.
    Sent {
        provider_id: Option<String>,
        /// From the alarm's detection to the provider's answer.
        latency: Duration,
        /// It went out in one message with others.
        digest: bool,
        /// The token belongs to this transport, not to the first of its transports.
        remember: bool,
    },
    /// It failed, and is tried again.
    Retry(String),
    /// The provider refused it for good.
    Failed(String),
    GaveUp(GiveUp),
    /// It is not sent (any more).
    Skipped(SkipReason),
    /// In shadow mode it would have been sent now.
    Shadow {
        /// From the alarm's detection until it would have been sent.
        latency: Duration,
    },
}

impl Outcome {
    pub fn state(&self) -> DeliveryState {
        match self {
            Self::Sent { .. } => DeliveryState::Sent,
            Self::Retry(_) => DeliveryState::Queued,
            Self::Failed(_) | Self::GaveUp(_) => DeliveryState::Failed,
            Self::Skipped(_) | Self::Shadow { .. } => DeliveryState::Skipped,
        }
    }

    /// Returns what `watch` calls it.
    pub fn step(&self) -> DeliveryOutcome {
        match self {
            Self::Sent { .. } => DeliveryOutcome::Sent,
            Self::Retry(_) => DeliveryOutcome::Retry,
            Self::Failed(_) | Self::GaveUp(_) => DeliveryOutcome::Failed,
            Self::Skipped(_) | Self::Shadow { .. } => DeliveryOutcome::Skipped,
        }
    }

    pub fn reason(&self) -> Reason {
        match self {
            Self::Sent { digest: true, .. } => Reason::Digest,
            Self::Sent { .. } => Reason::None,
            Self::Retry(answer) | Self::Failed(answer) => Reason::Text(answer.clone()),
            Self::GaveUp(reason) => Reason::GaveUp(*reason),
            Self::Skipped(reason) => Reason::Skip(*reason),
            Self::Shadow { .. } => Reason::Skip(SkipReason::Shadow),
        }
    }
}
