//! Better pictures on the router's side: which alarms to watch, and what was found.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use zmes_shared::EventId;

use super::handle::{Busy, RouterCommand, RouterHandle};
use crate::domain::TokenId;

/// Asks to look for a better picture of an alarm that pushes tell of, for the next minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureRequest {
    pub event: EventId,
    /// When the alarm was found.
    pub at: Timestamp,
    /// A receiver also gets an update once labels are known: the picture then comes with them.
    pub labels_expected: bool,
}

/// A better picture of an alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BetterPicture {
    pub event: EventId,
    /// Which alarm of the event.
    pub alarm_at: Timestamp,
    /// Those of whom it is known what they were shown: whether it was worse, or nothing.
    pub receivers: BTreeMap<TokenId, bool>,
    /// Whether all others are taken to have been shown a worse one.
    pub others: bool,
}

impl BetterPicture {
    /// Says whether this token was shown a worse picture, or none.
    pub fn is_for(&self, token: TokenId) -> bool {
        self.receivers.get(&token).copied().unwrap_or(self.others)
    }

    /// Says whether there may be such a token.
    pub fn is_for_anyone(&self) -> bool {
        self.others || self.receivers.values().any(|better| *better)
    }
}

/// Sends requests to the watcher of young events.
#[derive(Debug, Clone)]
pub struct PictureRequests(mpsc::Sender<PictureRequest>);

impl PictureRequests {
    pub fn new(requests: mpsc::Sender<PictureRequest>) -> Self {
        Self(requests)
    }

    /// Sends a request without waiting. If the queue is full, the alarm gets no better picture.
    pub(super) fn ask(&self, request: PictureRequest) {
        self.0.try_send(request).ok();
    }
}

#[derive(Debug)]
pub struct PictureCommand {
    pub better: BetterPicture,
    pub reply: oneshot::Sender<()>,
}

impl RouterHandle {
    /// Reports a better picture. When this returns, its updates have been decided.
    pub async fn better_picture(&self, better: BetterPicture) -> Result<(), Busy> {
        self.call(|reply| RouterCommand::Picture(Box::new(PictureCommand { better, reply }))).await
    }
}
