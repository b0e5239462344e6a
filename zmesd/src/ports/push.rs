//! What the router hands over to the push side, and what it hears of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::domain::{Alarm, DeliveryId, SkipReason, Token, TokenId};

/// What the router orders of the push side. Never waited for: when the queue is full, what was ordered is found on
/// the disk.
#[derive(Debug)]
pub enum PushOrder {
    /// Tell these tokens of an alarm.
    Alarm(PushBatch),
    /// A device has registered.
    Register(Arc<Token>),
    /// A token is gone, silenced, or somebody else's: its deliveries up to that one are not sent any more.
    Withdraw(TokenId, DeliveryId),
}

/// An alarm and the tokens that are to hear of it.
#[derive(Debug)]
pub struct PushBatch {
    /// The alarm.
    pub alarm: Arc<Alarm>,
    /// One delivery each, by ascending id.
    pub deliveries: Vec<PushDelivery>,
    /// They are noted for the disk. False: there was no room, and memory alone has them.
    pub recorded: bool,
    /// Who wants to hear what became of them (`alarm test --wait`).
    pub receipts: Option<mpsc::Sender<PushReceipt>>,
}

/// One alarm for one token.
#[derive(Debug, Clone)]
pub struct PushDelivery {
    /// Its number in the delivery log.
    pub id: DeliveryId,
    /// The token as it was when this was decided.
    pub token: Arc<Token>,
    /// The number for the app's icon.
    pub badge: u32,
}

/// What became of a delivery, once nothing more will be tried.
#[derive(Debug, Clone)]
pub struct PushReceipt {
    /// Which token.
    pub token: TokenId,
    /// By which transport; empty if there was none.
    pub transport: Arc<str>,
    /// How it ended.
    pub ending: PushEnding,
    /// From the alarm's detection to the provider's answer.
    pub latency: Duration,
}

/// How a delivery ended for whoever waits for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushEnding {
    /// The provider took it, perhaps under an id of its own.
    Sent(Option<String>),
    /// No provider was asked, for this reason.
    Skipped(SkipReason),
    /// It was not taken, for this reason.
    Failed(String),
}
