//! One delivery on its way through the queue.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;
use zmes_providers::Urgency;

use crate::domain::{Alarm, DeliveryId, LedgerMark, Origin, StartState, Token, ToldStart};
use crate::route::PushReceipt;

#[derive(Debug, Clone)]
pub(in crate::push) struct Job {
    pub(in crate::push) id: DeliveryId,
    pub(in crate::push) token: Arc<Token>,
    pub(in crate::push) alarm: Arc<Alarm>,
    pub(in crate::push) badge: u32,
    pub(in crate::push) urgency: Urgency,
    pub(in crate::push) attempts: u32,
    /// The requester that waits for the outcome of the first attempt. The queue only carries it.
    pub(in crate::push) receipts: Option<mpsc::Sender<PushReceipt>>,
    /// The start to which it belongs, if it is an end or an update.
    pub(in crate::push) start: Option<StartOfEnd>,
    /// The alarm in the cluster's ledger, if it is pushed for all nodes.
    pub(in crate::push) ledger: Option<LedgerMark>,
}

/// The push that announced the start of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::push) struct StartOfEnd {
    start: ToldStart,
    /// Its outcome: known when the end's turn comes, because the start precedes it.
    pub(in crate::push) state: StartState,
}

impl StartOfEnd {
    pub(in crate::push) fn new(start: ToldStart) -> Self {
        Self { start, state: StartState::default() }
    }

    pub(in crate::push) fn told(&self) -> ToldStart {
        self.start
    }
}

impl Job {
    /// Says whether `push.retry-for` is over.
    pub(in crate::push) fn expired(&self, now: Timestamp, retry_for: Duration) -> bool {
        self.expires_at(now, retry_for) < now
    }

    /// Returns when `push.retry-for` is over. It counts from the alarm. For an alarm of the ledger it counts from the
    /// decision: who takes over after a long outage sends what nobody could send until then.
    pub(in crate::push) fn expires_at(&self, now: Timestamp, retry_for: Duration) -> Timestamp {
        let (since, left) = match self.ledger {
            Some(_) => (now, retry_for.checked_sub(self.alarm.detected.elapsed())),
            None => (self.alarm.at, Some(retry_for)),
        };
        let Some(left) = left else { return Timestamp::MIN };
        let left = SignedDuration::try_from(left).unwrap_or(SignedDuration::MAX);
        since.saturating_add(left).unwrap_or(Timestamp::MAX)
    }

    pub(super) fn judge_start(&mut self, state: impl Fn(DeliveryId) -> StartState) {
        if let Some(of) = &mut self.start {
            of.state = state(of.start.id);
            // The phone shows the first one.
            if of.state == StartState::NotSent
                && let Some(first) = of.start.first
            {
                of.state = state(first);
            }
        }
    }

    /// Says whether it is the end or the update of what this delivery announced, and of nothing else.
    pub(super) fn belongs_to(&self, start: DeliveryId) -> bool {
        self.start.is_some_and(|of| of.start.id == start && of.start.first.is_none())
    }

    /// Says whether the storm guard counts it. Ends and updates are no more than starts that were sent singly,
    /// and a test is asked for.
    pub(super) fn counts_for_storms(&self) -> bool {
        self.alarm.origin != Origin::Test && !self.alarm.follows_start()
    }
}
