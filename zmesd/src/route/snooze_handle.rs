//! Requests about snoozes that others may send to the router.

use jiff::Timestamp;
use tokio::sync::oneshot;
use zmes_providers::PushToken;
use zmes_shared::SessionId;
use zmes_shared::words::SnoozeOrigin;

use super::handle::{Busy, RouterCommand, RouterHandle};
use super::snoozes::{SnoozeSummary, TooManySnoozes};
use crate::domain::{Snooze, SnoozeId};
use crate::protocol::{SnoozeRefusal, SnoozeStatement};

/// Who sets or ends a snooze, and how: for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnoozeAuthor {
    /// A user of the machine or of ZoneMinder.
    pub by: String,
    pub origin: SnoozeOrigin,
}

/// A command about snoozes. It is answered once it is effective in memory: the next alarm is decided by it.
#[derive(Debug)]
pub enum SnoozeCommand {
    /// Sets a snooze; the router assigns its number.
    Set(Snooze, oneshot::Sender<Result<SnoozeSummary, TooManySnoozes>>),
    List(oneshot::Sender<Vec<SnoozeSummary>>),
    /// Ends the listed snoozes that are set, and returns them.
    End(Vec<SnoozeId>, SnoozeAuthor, oneshot::Sender<Vec<SnoozeSummary>>),
    /// Sets or ends snoozes for the token of a session, else for its user. Also carries the token that the app names.
    App(
        SessionId,
        SnoozeStatement,
        Option<PushToken>,
        oneshot::Sender<Result<Option<Timestamp>, SnoozeRefusal>>,
    ),
}

impl RouterHandle {
    /// Sets a snooze, in place of one for the same monitor and scope.
    pub async fn set_snooze(&self, snooze: Snooze) -> Result<Result<SnoozeSummary, TooManySnoozes>, Busy> {
        self.call(|reply| RouterCommand::Snooze(SnoozeCommand::Set(snooze, reply))).await
    }

    /// Returns the snoozes that are set, by number.
    pub async fn snoozes(&self) -> Result<Vec<SnoozeSummary>, Busy> {
        self.call(|reply| RouterCommand::Snooze(SnoozeCommand::List(reply))).await
    }

    /// Ends snoozes. Those that are not set are left out of the answer.
    pub async fn end_snoozes(
        &self,
        ids: Vec<SnoozeId>,
        author: SnoozeAuthor,
    ) -> Result<Vec<SnoozeSummary>, Busy> {
        self.call(|reply| RouterCommand::Snooze(SnoozeCommand::End(ids, author, reply))).await
    }

    /// Sets or ends snoozes for the phone of a session. If set, returns until when.
    pub async fn app_snooze(
        &self,
        session: SessionId,
        snooze: SnoozeStatement,
        hint: Option<PushToken>,
    ) -> Result<Result<Option<Timestamp>, SnoozeRefusal>, Busy> {
        self.call(|reply| RouterCommand::Snooze(SnoozeCommand::App(session, snooze, hint, reply))).await
    }
}
