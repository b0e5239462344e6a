//! What others may ask of the router about snoozes.

use tokio::sync::oneshot;

use super::handle::{Busy, RouterCommand, RouterHandle};
use super::snoozes::{SnoozeEntry, TooManySnoozes};
use crate::domain::{Snooze, SnoozeId};

/// A command about snoozes, answered once it holds in memory: the next alarm is decided by it.
#[derive(Debug)]
pub enum SnoozeCommand {
    /// Sets one; its number is given by the router.
    Set(Snooze, oneshot::Sender<Result<SnoozeEntry, TooManySnoozes>>),
    List(oneshot::Sender<Vec<SnoozeEntry>>),
    /// Ends those that are set, and returns them.
    End(Vec<SnoozeId>, oneshot::Sender<Vec<SnoozeEntry>>),
}

impl RouterHandle {
    /// Sets a snooze, in place of one for the same monitor and scope.
    pub async fn set_snooze(&self, snooze: Snooze) -> Result<Result<SnoozeEntry, TooManySnoozes>, Busy> {
        self.call(|reply| RouterCommand::Snooze(SnoozeCommand::Set(snooze, reply))).await
    }

    /// Returns the snoozes that are set, by number.
    pub async fn snoozes(&self) -> Result<Vec<SnoozeEntry>, Busy> {
        self.call(|reply| RouterCommand::Snooze(SnoozeCommand::List(reply))).await
    }

    /// Ends snoozes; those that are not set are left out of the answer.
    pub async fn end_snoozes(&self, ids: Vec<SnoozeId>) -> Result<Vec<SnoozeEntry>, Busy> {
        self.call(|reply| RouterCommand::Snooze(SnoozeCommand::End(ids, reply))).await
    }
}
