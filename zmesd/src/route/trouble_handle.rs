//! Requests about troubles to the router: record what became of one, and send it.

use std::collections::BTreeSet;

use tokio::sync::oneshot;

use super::handle::{Busy, RouterCommand, RouterHandle};
use crate::domain::TokenId;
use crate::troubles::TroubleNotice;

/// A notice, and its recipients.
#[derive(Debug, Clone)]
pub struct TroubleMessage {
    /// Its number since the start: if a caller gives up and sends a message again, it is handled once.
    pub number: u64,
    pub notice: TroubleNotice,
    pub tokens: BTreeSet<TokenId>,
    /// Also send to all tokens whose owner may see the camera.
    pub viewers: bool,
    /// Tokens to leave out: a failing transport cannot report its own failure.
    pub avoid: BTreeSet<TokenId>,
}

#[derive(Debug)]
pub struct TroubleCommand {
    pub message: TroubleMessage,
    /// Answered with the tokens that get it; `None` if the state had no room, and no token does.
    pub reply: oneshot::Sender<Option<Vec<TokenId>>>,
}

impl RouterHandle {
    /// Records what became of a trouble, with its pushes, in one transaction. Returns the tokens that get them; `None`
    /// if there was no room, and nothing was done.
    pub async fn tell_trouble(&self, message: TroubleMessage) -> Result<Option<Vec<TokenId>>, Busy> {
        self.call(|reply| RouterCommand::Trouble(Box::new(TroubleCommand { message, reply }))).await
    }
}
