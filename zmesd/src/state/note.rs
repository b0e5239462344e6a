//! What is to be kept: the notes of the router and of the push side.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;
use zmes_shared::MonitorId;
use zmes_shared::words::{DeliveryOutcome, DeliveryState, GiveUp, Reason, SkipReason};

use super::handle::{Device, DeviceNote};
use crate::domain::{Alarm, Decision, DeliveryId, Token, TokenId};

/// Something to be kept.
#[derive(Debug)]
pub enum Note {
    /// An alarm was handed on: its record, the monitor's cursor, and what was decided for each token, in one
    /// transaction.
    Announced(Arc<Alarm>, Arc<[TokenDecision]>),
    /// A test: only what was decided for each token.
    Tested(Arc<Alarm>, Arc<[TokenDecision]>),
    /// What is remembered of devices; one note for many, because many connections may break at once.
    Devices(Vec<DeviceNote>),
    /// Devices got an alarm of a monitor for which they want an interval. One note for all of them: the queue has
    /// room for alarms, not for every receiver of each.
    Sent(BTreeSet<Device>, MonitorId, Timestamp),
    /// A token as it is now.
    Token(Arc<Token>),
    /// Tokens as they are now, many at once; what still waits for those of them that are revoked is not sent.
    Tokens(Vec<Arc<Token>>),
    /// Tokens were told of a monitor for which they want an interval.
    TokenSent(Vec<TokenId>, MonitorId, Timestamp),
    /// Tokens were not told after all of what they had been said to be told of: a monitor, at that time.
    TokenUntold(Vec<(TokenId, MonitorId, Timestamp)>),
    /// What became of attempts to send: those of one push, which are written together.
    Attempts(Vec<Attempt>),
    /// What still waits for a token is not sent, for that reason.
    Withdrawn(TokenId, SkipReason),
    /// Nothing to be kept: is answered once all notes before it are.
    Barrier(oneshot::Sender<()>),
}

/// What was decided for one token.
#[derive(Debug, Clone, Copy)]
pub struct TokenDecision {
    /// The delivery.
    pub id: DeliveryId,
    /// Which token.
    pub token: TokenId,
    /// What was decided.
    pub decision: Decision,
    /// The number for the app's icon, where it is to be sent.
    pub badge: u32,
}

/// What became of an attempt to send.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Which delivery.
    pub delivery: DeliveryId,
    /// For which token.
    pub token: TokenId,
    /// When.
    pub at: Timestamp,
    /// By which transport; empty where none was asked.
    pub transport: Arc<str>,
    /// So many attempts so far, this one counted.
    pub attempts: u32,
    /// How long the provider took.
    pub took: Duration,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The provider took it.
    Sent {
        /// The provider's id of the message.
        provider_id: Option<String>,
        /// From the alarm's detection to the provider's answer.
        latency: Duration,
        /// It went out in one message with others.
        digest: bool,
        /// The token belongs to this transport, not to the one that would come first.
        remember: bool,
    },
    /// It did not, and it is tried again.
    Retry(String),
    /// It did not, and nothing more is tried.
    Failed(String),
    /// Nothing more is tried, though no provider refused it.
    GaveUp(GiveUp),
    /// It is not sent (any more).
    Skipped(SkipReason),
    /// Nothing is sent in shadow mode; it would have been now.
    Shadow {
        /// From the alarm's detection until it would have been sent.
        latency: Duration,
    },
}

impl Outcome {
    /// Returns the decision that the delivery log has afterwards.
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

    /// Returns the reason that the delivery log has afterwards.
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
