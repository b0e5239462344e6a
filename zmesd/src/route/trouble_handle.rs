//! What the router is asked to do about troubles: write down what has become of one, and tell of it.

use std::collections::BTreeSet;

use tokio::sync::oneshot;

use super::handle::{Busy, RouterCommand, RouterHandle};
use crate::domain::TokenId;
use crate::troubles::TroubleNotice;

/// A notice, and whom it is for.
#[derive(Debug, Clone)]
pub struct TroubleMessage {
    /// Its number since the start: a message that comes twice, because the caller gave up, is handled once.
    pub number: u64,
    pub notice: TroubleNotice,
    pub tokens: BTreeSet<TokenId>,
    /// Also all tokens whose owner may see that camera.
    pub viewers: bool,
    /// Not these: a transport that fails would have to tell them that it fails.
    pub avoid: BTreeSet<TokenId>,
}

#[derive(Debug)]
pub struct TroubleCommand {
    pub message: TroubleMessage,
    /// Answered with the tokens that are told; `None`: the state had no room, and none is.
    pub reply: oneshot::Sender<Option<Vec<TokenId>>>,
}

impl RouterHandle {
    /// Writes down what has become of a trouble, with the pushes that tell of it, in one transaction. Returns the tokens
    /// that are told; `None`: there was no room, and nothing was done.
    pub async fn tell_trouble(&self, message: TroubleMessage) -> Result<Option<Vec<TokenId>>, Busy> {
        self.call(|reply| RouterCommand::Trouble(Box::new(TroubleCommand { message, reply }))).await
    }
}
