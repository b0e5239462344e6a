//! The router's orders to the push side, what the push side reports back, and the signal that orders were dropped.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use zmes_providers::Urgency;

use crate::domain::{Alarm, DeliveryId, LedgerMark, SkipReason, Token, TokenId, ToldStart};

/// Sent without waiting: if the queue is full, the push side finds the orders on disk.
#[derive(Debug)]
pub enum PushOrder {
    Alarm(PushBatch),
    Register(Arc<Token>),
    /// A token is gone, disabled, muted, or belongs to another user: its deliveries up to this one are no longer sent.
    Withdraw(TokenId, DeliveryId),
}

#[derive(Debug)]
pub struct PushBatch {
    pub alarm: Arc<Alarm>,
    /// One for each delivery, by ascending id.
    pub deliveries: Vec<PushDelivery>,
    /// Whether they were queued for the disk. False if there was no room: they are only in memory.
    pub recorded: bool,
    /// Where to report the outcomes (`alarm test --wait`).
    pub receipts: Option<mpsc::Sender<PushReceipt>>,
    /// The alarm in the cluster's ledger, if it is pushed for all nodes.
    pub ledger: Option<LedgerMark>,
}

#[derive(Debug, Clone)]
pub struct PushDelivery {
    pub id: DeliveryId,
    /// The token as it was when this was decided.
    pub token: Arc<Token>,
    pub badge: u32,
    pub urgency: Urgency,
    /// Of an end or an update: what told of its start.
    pub start: Option<ToldStart>,
}

/// The outcome of a delivery, once no further attempt will be made.
#[derive(Debug, Clone)]
pub struct PushReceipt {
    pub token: TokenId,
    /// The transport that was used; empty if there was none.
    pub transport: Arc<str>,
    pub ending: PushEnding,
    /// From the alarm's detection to the provider's answer.
    pub latency: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushEnding {
    /// The provider accepted it and may have returned an id of its own.
    Sent(Option<String>),
    Skipped(SkipReason),
    Failed(String),
}

#[derive(Debug)]
pub struct OrderSender {
    orders: mpsc::Sender<PushOrder>,
    dropped: watch::Sender<u64>,
}

#[derive(Debug)]
pub struct OrderReceiver {
    pub orders: mpsc::Receiver<PushOrder>,
    /// How many alarms were dropped because the queue was full: their deliveries must be read from the disk.
    pub dropped: watch::Receiver<u64>,
}

pub fn push_orders(bound: usize) -> (OrderSender, OrderReceiver) {
    let (sender, orders) = mpsc::channel(bound);
    let (dropped_tx, dropped) = watch::channel(0);
    (OrderSender { orders: sender, dropped: dropped_tx }, OrderReceiver { orders, dropped })
}

impl OrderSender {
    /// Sends an order, or returns it if the queue is full. An alarm that is returned is reported as dropped.
    pub fn try_send(&self, order: PushOrder) -> Result<(), PushOrder> {
        self.orders.try_send(order).map_err(|(TrySendError::Full(order) | TrySendError::Closed(order))| {
            if let PushOrder::Alarm(_) = order {
                self.report_dropped();
            }
            order
        })
    }

    pub(crate) fn report_dropped(&self) {
        self.dropped.send_modify(|dropped| *dropped += 1);
    }

    #[cfg(test)]
    pub(crate) fn is_closed(&self) -> bool {
        self.orders.is_closed()
    }

    /// Returns whether the dispatcher has taken everything.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.orders.capacity() == self.orders.max_capacity()
    }
}

impl OrderReceiver {
    pub fn take_dropped(&mut self) -> bool {
        let dropped = self.dropped.has_changed().unwrap_or_default();
        self.dropped.mark_unchanged();
        dropped
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;
    use zmes_shared::MonitorId;

    use super::*;
    use crate::domain::{Alarm, AlarmLabels, DeliveryId, Origin, Phase, TokenId};

    fn alarm() -> PushOrder {
        let alarm = Arc::new(Alarm {
            monitor: MonitorId(1),
            monitor_name: "Garage".into(),
            event: None,
            cause: "Motion".into(),
            labels: AlarmLabels::default(),
            at: Timestamp::UNIX_EPOCH,
            detected: tokio::time::Instant::now(),
            origin: Origin::Poll,
            phase: Phase::Start,
            span: None,
            elsewhere: None,
            stands_for_event: false,
        });
        PushOrder::Alarm(PushBatch {
            alarm,
            deliveries: Vec::new(),
            recorded: true,
            receipts: None,
            ledger: None,
        })
    }

    #[tokio::test]
    async fn a_dropped_alarm_is_reported_once_and_a_dropped_withdrawal_is_not() {
        let (sender, mut receiver) = push_orders(1);
        assert!(sender.try_send(alarm()).is_ok());
        assert!(!receiver.take_dropped());
        let withdrawal = PushOrder::Withdraw(TokenId(1), DeliveryId(1));
        assert!(matches!(sender.try_send(withdrawal), Err(PushOrder::Withdraw(..))), "the router keeps it");
        assert!(!receiver.take_dropped());
        for _ in 0..2 {
            assert!(sender.try_send(alarm()).is_err());
        }
        assert!(receiver.take_dropped() && !receiver.take_dropped());
        assert!(receiver.orders.recv().await.is_some());
        assert!(sender.try_send(alarm()).is_ok() && !receiver.take_dropped());
    }
}
