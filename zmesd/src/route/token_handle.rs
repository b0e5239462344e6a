//! What others may ask of the router about push tokens.
//!
//! A command is answered once it holds in memory: the next alarm is decided by it. To wait until it is on the disk, too,
//! call `StateHandle::settle`.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::oneshot;
use zmes_shared::views::TokenCounts;
use zmes_shared::{EventId, MonitorId, SessionId};

use super::decided::AlarmDecisions;
use super::handle::{Busy, RouterCommand, RouterHandle};
use crate::domain::{Alarm, DecidedBy, Decision, Phase, Registration, Token, TokenId};
use crate::protocol::TokenFault;
use zmes_providers::PushToken;

/// Tokens that are changed in one turn of the router.
const TURN: usize = 250;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenImported {
    /// It was not known; with `dry_run` this is the id that it would get.
    New(TokenId),
    /// It was known from an earlier import, and is now as the file says.
    Changed(TokenId),
    Unchanged(TokenId),
    /// An app has registered it: that is newer than any file, and wins.
    Kept(TokenId),
    Refused(&'static str),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionDecision {
    pub alarm: u64,
    pub at: Timestamp,
    pub phase: Phase,
    pub session: SessionId,
    pub decision: Decision,
    /// The rule that decided.
    pub by: Option<DecidedBy>,
}

/// What is remembered of the decisions for sessions.
#[derive(Debug, Clone, Default)]
pub struct RecentDecisions {
    /// The last alarms, oldest first.
    pub alarms: Vec<Arc<AlarmDecisions>>,
    /// Alarms that were told to sessions after their login.
    pub missed: Vec<ToldLater>,
}

/// An alarm that was found while no session was there, and what was decided for those that came.
pub type ToldLater = (Arc<Alarm>, Vec<(SessionId, Decision)>);

impl SessionDecision {
    pub(super) fn each(
        number: u64,
        about: &Alarm,
        decisions: &[(SessionId, Decision)],
        by: &[(SessionId, DecidedBy)],
    ) -> impl Iterator<Item = Self> {
        let (at, phase) = (about.at, about.phase);
        decisions.iter().map(move |&(session, decision)| {
            let by = rule_of(by, session).cloned();
            Self { alarm: number, at, phase, session, decision, by }
        })
    }
}

/// Returns what decided for a session; `by` is in the order of their ids.
pub(super) fn rule_of(by: &[(SessionId, DecidedBy)], session: SessionId) -> Option<&DecidedBy> {
    let place = by.binary_search_by_key(&session, |(id, _)| *id).ok()?;
    by.get(place).map(|(_, by)| by)
}

/// What the router is asked about tokens, each by a method of [`RouterHandle`].
#[derive(Debug)]
pub enum TokenCommand {
    Register(SessionId, Registration, oneshot::Sender<Result<(), TokenFault>>),
    Badge(SessionId, u32, Option<PushToken>, oneshot::Sender<()>),
    Revoke(Vec<TokenId>, String, oneshot::Sender<Vec<TokenId>>),
    Block(Vec<TokenId>, oneshot::Sender<Vec<TokenId>>),
    Unblock(Vec<TokenId>, oneshot::Sender<Vec<TokenId>>),
    Restore(TokenId, oneshot::Sender<bool>),
    Mute(TokenId, Option<Timestamp>, oneshot::Sender<bool>),
    SetBadges(Option<Vec<TokenId>>, u32, oneshot::Sender<usize>),
    Import(Vec<Token>, bool, oneshot::Sender<Vec<TokenImported>>),
    Dead(TokenId, String),
    Untold(Vec<(TokenId, MonitorId, Timestamp)>),
    MaySee(TokenId, MonitorId, oneshot::Sender<bool>),
    UserMaySee(LinkUser, MonitorId, oneshot::Sender<bool>),
    FreshUsers(oneshot::Sender<Vec<String>>),
    Count(oneshot::Sender<TokenCounts>),
    Decisions(EventId, oneshot::Sender<Vec<SessionDecision>>),
    Recent(oneshot::Sender<RecentDecisions>),
}

/// The user of a session, as a link to a picture has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkUser {
    Named(String),
    /// Whoever came in while auth was off.
    Anyone,
}

impl RouterHandle {
    /// Says whether a token is live and its owner may see a monitor at this moment, whatever its filter and mute say.
    pub async fn may_see(&self, token: TokenId, monitor: MonitorId) -> Result<bool, Busy> {
        self.ask(|reply| TokenCommand::MaySee(token, monitor, reply)).await
    }

    /// The same for a user.
    pub async fn user_may_see(&self, user: LinkUser, monitor: MonitorId) -> Result<bool, Busy> {
        self.ask(|reply| TokenCommand::UserMaySee(user, monitor, reply)).await
    }

    /// Returns the names of users who have logged in since the catalog was read, and whom it does not have.
    pub async fn fresh_users(&self) -> Result<Vec<String>, Busy> {
        self.ask(TokenCommand::FreshUsers).await
    }

    /// Registers a token for the user of a session, and attaches the session to it.
    pub async fn register(
        &self,
        session: SessionId,
        registration: Registration,
    ) -> Result<Result<(), TokenFault>, Busy> {
        self.ask(|reply| TokenCommand::Register(session, registration, reply)).await
    }

    /// Sets the number on the icon of a session's app; where it has no token yet, its next one gets it.
    pub async fn set_badge(
        &self,
        session: SessionId,
        badge: u32,
        hint: Option<PushToken>,
    ) -> Result<(), Busy> {
        self.ask(|reply| TokenCommand::Badge(session, badge, hint, reply)).await
    }

    /// Revokes tokens and returns those that were live. What still waits for them is not sent.
    pub async fn revoke(&self, tokens: Vec<TokenId>, reason: String) -> Result<Vec<TokenId>, Busy> {
        self.in_turns(tokens, |some, reply| TokenCommand::Revoke(some, reason.clone(), reply)).await
    }

    /// Revokes tokens so that their apps cannot register them again, and returns those that were not blocked before.
    pub async fn block(&self, tokens: Vec<TokenId>) -> Result<Vec<TokenId>, Busy> {
        self.in_turns(tokens, TokenCommand::Block).await
    }

    /// Lets apps register blocked tokens again, and returns those that were blocked.
    pub async fn unblock(&self, tokens: Vec<TokenId>) -> Result<Vec<TokenId>, Busy> {
        self.in_turns(tokens, TokenCommand::Unblock).await
    }

    /// Takes a revocation back; false: no revoked token has that id.
    pub async fn restore(&self, token: TokenId) -> Result<bool, Busy> {
        self.ask(|reply| TokenCommand::Restore(token, reply)).await
    }

    /// Until `until` ([`Timestamp::MAX`]: until unmuted; `None`: no more); false: no live token has that id.
    pub async fn mute(&self, token: TokenId, until: Option<Timestamp>) -> Result<bool, Busy> {
        self.ask(|reply| TokenCommand::Mute(token, until, reply)).await
    }

    /// Sets the badges of these live tokens, or of all, and returns how many they are.
    pub async fn set_badges(&self, only: Option<Vec<TokenId>>, to: u32) -> Result<usize, Busy> {
        let Some(only) = only else {
            return self.ask(|reply| TokenCommand::SetBadges(None, to, reply)).await;
        };
        let mut count = 0;
        for some in only.chunks(TURN) {
            count += self.ask(|reply| TokenCommand::SetBadges(Some(some.to_vec()), to, reply)).await?;
        }
        Ok(count)
    }

    /// Takes tokens from a file, whose ids and times are not known yet, and says of each what became of it; with `dry_run`
    /// what would.
    pub async fn import(&self, tokens: Vec<Token>, dry_run: bool) -> Result<Vec<TokenImported>, Busy> {
        self.ask(|reply| TokenCommand::Import(tokens, dry_run, reply)).await
    }

    pub async fn token_dead(&self, token: TokenId, reason: String) -> Result<(), Busy> {
        self.send(RouterCommand::Token(TokenCommand::Dead(token, reason))).await
    }

    /// Takes back that tokens were told of alarms: an interval counts from what was sent.
    pub async fn untold(&self, untold: Vec<(TokenId, MonitorId, Timestamp)>) -> Result<(), Busy> {
        self.send(RouterCommand::Token(TokenCommand::Untold(untold))).await
    }

    pub async fn token_counts(&self) -> Result<TokenCounts, Busy> {
        self.ask(TokenCommand::Count).await
    }

    /// Returns what was decided for sessions about an event, oldest alarm first; empty: nothing is remembered of it.
    pub async fn session_decisions(&self, event: EventId) -> Result<Vec<SessionDecision>, Busy> {
        self.ask(|reply| TokenCommand::Decisions(event, reply)).await
    }

    /// Returns what is remembered of the decisions for sessions.
    pub async fn recent_decisions(&self) -> Result<RecentDecisions, Busy> {
        self.ask(TokenCommand::Recent).await
    }

    /// Has many tokens changed, a few in each turn of the router: alarms come between.
    async fn in_turns(
        &self,
        tokens: Vec<TokenId>,
        command: impl Fn(Vec<TokenId>, oneshot::Sender<Vec<TokenId>>) -> TokenCommand,
    ) -> Result<Vec<TokenId>, Busy> {
        let mut changed = Vec::with_capacity(tokens.len());
        for some in tokens.chunks(TURN) {
            changed.extend(self.ask(|reply| command(some.to_vec(), reply)).await?);
        }
        Ok(changed)
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> TokenCommand) -> Result<T, Busy> {
        self.call(|reply| RouterCommand::Token(command(reply))).await
    }
}
