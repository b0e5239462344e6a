//! Requests about push tokens that others may send to the router.
//!
//! A command is answered once it is effective in memory: the next alarm is decided by it. To wait until it is also on
//! disk, call `StateHandle::settle`.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::oneshot;
use zmes_shared::views::TokenCounts;
use zmes_shared::{EventId, MonitorId, SessionId};

use super::decided::AlarmDecisions;
use super::handle::{Busy, RouterCommand, RouterHandle};
use crate::domain::{Alarm, DecidedBy, Decision, Phase, Registration, Token, TokenId};
use crate::links::TokenMark;
use crate::protocol::TokenFault;
use zmes_providers::PushToken;

/// Number of tokens changed in one turn of the router.
const TURN: usize = 250;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenImported {
    /// The token was not known. With `dry_run` this is the id that it would get.
    New(TokenId),
    /// The token was known from an earlier import, and now matches the file.
    Changed(TokenId),
    Unchanged(TokenId),
    /// An app has registered the token: that is newer than any file, and wins.
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

/// The remembered decisions for sessions.
#[derive(Debug, Clone, Default)]
pub struct RecentDecisions {
    /// The last alarms, oldest first.
    pub alarms: Vec<Arc<AlarmDecisions>>,
    /// Alarms that sessions got after their login.
    pub missed: Vec<ToldLater>,
}

/// An alarm that was found while no session was connected, and the decisions for sessions that logged in later.
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

/// Returns the rule or snooze that decided for a session; `by` is ordered by session id.
pub(super) fn rule_of(by: &[(SessionId, DecidedBy)], session: SessionId) -> Option<&DecidedBy> {
    let place = by.binary_search_by_key(&session, |(id, _)| *id).ok()?;
    by.get(place).map(|(_, by)| by)
}

/// A request about tokens, each sent by a method of [`RouterHandle`].
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
    WhoMaySee(TokenMark, MonitorId, oneshot::Sender<Option<TokenId>>),
    UserMaySee(LinkUser, MonitorId, oneshot::Sender<bool>),
    FreshUsers(oneshot::Sender<Vec<String>>),
    Count(oneshot::Sender<TokenCounts>),
    Decisions(EventId, oneshot::Sender<Vec<SessionDecision>>),
    Recent(oneshot::Sender<RecentDecisions>),
}

/// The user of a session, as named in a link to a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkUser {
    Named(String),
    /// Anyone who connected while auth was off.
    Anyone,
}

impl RouterHandle {
    /// Returns the token of a link, if it is live and its owner may currently see a monitor, whatever its filter and mute
    /// say.
    pub async fn who_may_see(&self, token: TokenMark, monitor: MonitorId) -> Result<Option<TokenId>, Busy> {
        self.ask(|reply| TokenCommand::WhoMaySee(token, monitor, reply)).await
    }

    /// As [`Self::who_may_see`], for a user.
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

    /// Sets the badge of a session's app. If it has no token yet, its next token gets the badge.
    pub async fn set_badge(
        &self,
        session: SessionId,
        badge: u32,
        hint: Option<PushToken>,
    ) -> Result<(), Busy> {
        self.ask(|reply| TokenCommand::Badge(session, badge, hint, reply)).await
    }

    /// Revokes tokens and returns those that were live. Pushes that wait for them are not sent.
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

    /// Undoes a revocation. Returns false if no revoked token has that id.
    pub async fn restore(&self, token: TokenId) -> Result<bool, Busy> {
        self.ask(|reply| TokenCommand::Restore(token, reply)).await
    }

    /// Mutes until `until` ([`Timestamp::MAX`]: until unmuted; `None`: unmutes). Returns false if no live token has
    /// that id.
    pub async fn mute(&self, token: TokenId, until: Option<Timestamp>) -> Result<bool, Busy> {
        self.ask(|reply| TokenCommand::Mute(token, until, reply)).await
    }

    /// Sets the badge of these live tokens, or of all, and returns their number.
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

    /// Imports tokens from a file and returns the outcome for each; their ids and times are not known yet. With
    /// `dry_run`, returns what would happen.
    pub async fn import(&self, tokens: Vec<Token>, dry_run: bool) -> Result<Vec<TokenImported>, Busy> {
        self.ask(|reply| TokenCommand::Import(tokens, dry_run, reply)).await
    }

    pub async fn token_dead(&self, token: TokenId, reason: String) -> Result<(), Busy> {
        self.send(RouterCommand::Token(TokenCommand::Dead(token, reason))).await
    }

    /// Undoes that tokens were sent alarms: an interval counts from what was sent.
    pub async fn untold(&self, untold: Vec<(TokenId, MonitorId, Timestamp)>) -> Result<(), Busy> {
        self.send(RouterCommand::Token(TokenCommand::Untold(untold))).await
    }

    pub async fn token_counts(&self) -> Result<TokenCounts, Busy> {
        self.ask(TokenCommand::Count).await
    }

    /// Returns the decisions for sessions about an event, oldest alarm first; empty if none are remembered.
    pub async fn session_decisions(&self, event: EventId) -> Result<Vec<SessionDecision>, Busy> {
        self.ask(|reply| TokenCommand::Decisions(event, reply)).await
    }

    /// Returns the remembered decisions for sessions.
    pub async fn recent_decisions(&self) -> Result<RecentDecisions, Busy> {
        self.ask(TokenCommand::Recent).await
    }

    /// Changes many tokens, a few in each turn of the router, so that alarms are handled in between.
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
