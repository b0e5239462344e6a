//! One delivery on its way through the queue.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use zmes_providers::Urgency;

use crate::domain::{Alarm, DeliveryId, Token};
use crate::route::PushReceipt;

#[derive(Debug, Clone)]
pub(in crate::push) struct Job {
    pub(in crate::push) id: DeliveryId,
    pub(in crate::push) token: Arc<Token>,
    pub(in crate::push) alarm: Arc<Alarm>,
    pub(in crate::push) badge: u32,
    pub(in crate::push) urgency: Urgency,
    pub(in crate::push) attempts: u32,
    /// Who waits for the outcome of the first attempt. The queue only carries it.
    pub(in crate::push) receipts: Option<mpsc::Sender<PushReceipt>>,
}

impl Job {
    /// Says whether the alarm is older than `push.retry-for`.
    pub(in crate::push) fn expired(&self, now: Timestamp, retry_for: Duration) -> bool {
        Duration::try_from(now.duration_since(self.alarm.at)).is_ok_and(|age| age > retry_for)
    }
}
