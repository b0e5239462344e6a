//! The router's orders to the push side, and the word that some of them were dropped.

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};

use crate::ports::PushOrder;

/// The router's end. It never waits.
#[derive(Debug)]
pub struct OrderSender {
    orders: mpsc::Sender<PushOrder>,
    dropped: watch::Sender<u64>,
}

/// The dispatcher's end.
#[derive(Debug)]
pub struct OrderReceiver {
    /// The orders, oldest first.
    pub orders: mpsc::Receiver<PushOrder>,
    /// Changes when alarms were dropped for which there was no room: their deliveries are to be read from the disk.
    /// What it holds is how many were dropped.
    pub dropped: watch::Receiver<u64>,
}

/// Returns both ends of a queue with room for so many orders.
pub fn push_orders(bound: usize) -> (OrderSender, OrderReceiver) {
    let (sender, orders) = mpsc::channel(bound);
    let (dropped_tx, dropped) = watch::channel(0);
    (OrderSender { orders: sender, dropped: dropped_tx }, OrderReceiver { orders, dropped })
}

impl OrderSender {
    /// Hands an order over, or returns it when there is no room. An alarm that is returned is reported as dropped.
    pub fn try_send(&self, order: PushOrder) -> Result<(), PushOrder> {
        self.orders.try_send(order).map_err(|(TrySendError::Full(order) | TrySendError::Closed(order))| {
            if let PushOrder::Alarm(_) = order {
                self.report_dropped();
            }
            order
        })
    }

    /// Tells the dispatcher that an alarm was dropped.
    pub(crate) fn report_dropped(&self) {
        self.dropped.send_modify(|dropped| *dropped += 1);
    }

    /// Says whether the dispatcher has ended.
    #[cfg(test)]
    pub(crate) fn is_closed(&self) -> bool {
        self.orders.is_closed()
    }

    /// Says whether the dispatcher has taken everything.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.orders.capacity() == self.orders.max_capacity()
    }
}

impl OrderReceiver {
    /// Says whether alarms were dropped since this was asked last.
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
    use crate::domain::{Alarm, DeliveryId, Origin, TokenId};
    use crate::ports::PushBatch;

    fn alarm() -> PushOrder {
        let alarm = Arc::new(Alarm {
            monitor: MonitorId(1),
            monitor_name: "Garage".into(),
            event: None,
            cause: "Motion".into(),
            at: Timestamp::UNIX_EPOCH,
            detected: tokio::time::Instant::now(),
            origin: Origin::Poll,
        });
        PushOrder::Alarm(PushBatch { alarm, deliveries: Vec::new(), recorded: true, receipts: None })
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
