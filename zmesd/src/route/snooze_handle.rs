//! Requests about snoozes that others may send to the router.

use std::net::IpAddr;

use jiff::Timestamp;
use tokio::sync::oneshot;
use zmes_providers::PushToken;
use zmes_shared::words::SnoozeOrigin;
use zmes_shared::{MonitorId, SessionId};

use super::handle::{Busy, RouterCommand, RouterHandle};
use super::snoozes::{SnoozeSummary, TooManySnoozes};
use crate::domain::{Snooze, SnoozeId};
use crate::links::TokenMark;
use crate::protocol::{SnoozeRefusal, SnoozeStatement};

/// Who sets or ends a snooze, and how: for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnoozeAuthor {
    /// A user of the machine or of ZoneMinder.
    pub by: String,
    pub origin: SnoozeOrigin,
}

/// What the link of a snooze button asks for.
#[derive(Debug, Clone, Copy)]
pub struct LinkSnooze {
    pub token: TokenMark,
    pub monitor: MonitorId,
    /// For how long; 0: what a button has set is to end.
    pub minutes: u32,
    /// Who asks: for the log.
    pub address: IpAddr,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkSnoozed {
    /// It lasts until then.
    Set(Timestamp),
    /// No button has silenced the monitor any more.
    Ended,
    /// The same, but another snooze silences it until then.
    Silent(Timestamp),
    /// The token was revoked, or its owner may not see the monitor.
    Refused,
    TooMany,
}

/// A command about snoozes, answered once it holds in memory: the next alarm is decided by it.
#[derive(Debug)]
pub enum SnoozeCommand {
    /// Sets a snooze; the router assigns its number.
    Set(Snooze, oneshot::Sender<Result<SnoozeSummary, TooManySnoozes>>),
    List(oneshot::Sender<Vec<SnoozeSummary>>),
    /// Ends the listed snoozes that are set, and returns them.
    End(Vec<SnoozeId>, SnoozeAuthor, oneshot::Sender<Vec<SnoozeSummary>>),
    /// For the token of a link.
    Link(LinkSnooze, oneshot::Sender<LinkSnoozed>),
    /// For the token of a session, else for its user; also tells which token the app names.
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

    /// Sets or ends the snooze of a button.
    pub async fn link_snooze(&self, wish: LinkSnooze) -> Result<LinkSnoozed, Busy> {
        self.call(|reply| RouterCommand::Snooze(SnoozeCommand::Link(wish, reply))).await
    }

    /// Sets or ends snoozes for the phone of a session; returns until when, if it was set.
    pub async fn app_snooze(
        &self,
        session: SessionId,
        snooze: SnoozeStatement,
        hint: Option<PushToken>,
    ) -> Result<Result<Option<Timestamp>, SnoozeRefusal>, Busy> {
        self.call(|reply| RouterCommand::Snooze(SnoozeCommand::App(session, snooze, hint, reply))).await
    }
}
