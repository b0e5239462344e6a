//! Changes to tokens by admins and providers.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use tracing::info;
use zmes_shared::{EventId, MonitorId};

use super::Router;
use crate::domain::{Revoked, SkipReason, Token, TokenBlock, TokenId};
use crate::links::TokenMark;
use crate::route::PushOrder;
use crate::route::import::plan;
use crate::route::token_handle::{LinkUser, RecentDecisions, SessionDecision, TokenCommand, TokenImported};
use crate::route::tokens::TokenEntry;
use crate::state::Note;

/// Maximum length of a reason in characters: it may be a provider's text.
const MAX_REASON: usize = 200;

impl Router {
    pub(super) fn on_token_command(&mut self, command: TokenCommand) {
        // A reply that cannot be sent is not an error: the caller has given up.
        match command {
            TokenCommand::Register(session, registration, reply) => {
                reply.send(self.on_register(session, registration)).ok();
            }
            TokenCommand::Badge(session, badge, hint, reply) => {
                self.on_badge(session, badge, hint.as_ref());
                reply.send(()).ok();
            }
            TokenCommand::Revoke(tokens, reason, reply) => drop(reply.send(self.revoke(tokens, &reason))),
            TokenCommand::Block(tokens, reply) => drop(reply.send(self.block(&tokens))),
            TokenCommand::Unblock(tokens, reply) => drop(reply.send(self.unblock(tokens))),
            TokenCommand::Restore(token, reply) => drop(reply.send(self.restore(token))),
            TokenCommand::Mute(token, until, reply) => drop(reply.send(self.mute(token, until))),
            TokenCommand::SetBadges(only, to, reply) => drop(reply.send(self.set_badges(only, to))),
            TokenCommand::Import(tokens, dry_run, reply) => drop(reply.send(self.import(tokens, dry_run))),
            TokenCommand::Dead(token, reason) => drop(self.revoke(vec![token], &reason)),
            TokenCommand::Untold(untold) => self.on_untold(untold),
            TokenCommand::WhoMaySee(token, monitor, reply) => {
                reply.send(self.who_may_see(token, monitor)).ok();
            }
            TokenCommand::UserMaySee(user, monitor, reply) => {
                reply.send(self.user_may_see(&user, monitor)).ok();
            }
            TokenCommand::FreshUsers(reply) => drop(reply.send(self.owners.fresh_names())),
            TokenCommand::Count(reply) => drop(reply.send(self.tokens.counts(self.parts.clock.now()))),
            TokenCommand::Decisions(event, reply) => drop(reply.send(self.decisions_about(event))),
            TokenCommand::Recent(reply) => drop(reply.send(self.recent_decisions())),
        }
    }

    pub(super) fn who_may_see(&self, token: TokenMark, monitor: MonitorId) -> Option<TokenId> {
        self.tokens.marked(token).filter(|token| self.may_see(*token, monitor))
    }

    fn may_see(&self, id: TokenId, monitor: MonitorId) -> bool {
        let Some(entry) = self.tokens.get(id).filter(|entry| entry.is_live()) else { return false };
        let catalog = self.parts.catalog.borrow();
        let rights = self.owners.rights(&entry.token().user, self.auth_enabled(), &catalog);
        rights.is_some_and(|rights| rights.allow(monitor))
    }

    fn user_may_see(&self, user: &LinkUser, monitor: MonitorId) -> bool {
        let auth = self.auth_enabled();
        match user {
            LinkUser::Anyone => !auth,
            // An empty name would mean a token without an owner.
            LinkUser::Named(name) => {
                let catalog = self.parts.catalog.borrow();
                let rights = self.owners.rights(name, auth, &catalog).filter(|_| !name.is_empty());
                rights.is_some_and(|rights| rights.allow(monitor))
            }
        }
    }

    fn decisions_about(&self, event: EventId) -> Vec<SessionDecision> {
        self.ring.of_event(event).chain(self.missed.of_event(event)).collect()
    }

    fn recent_decisions(&self) -> RecentDecisions {
        let missed = self.missed.all().map(|(alarm, told)| (Arc::clone(alarm), told.to_vec()));
        RecentDecisions { alarms: self.ring.all().map(Arc::clone).collect(), missed: missed.collect() }
    }

    pub(super) fn revoke(&mut self, ids: Vec<TokenId>, reason: &str) -> Vec<TokenId> {
        let reason = zmes_shared::text::stripped(reason, MAX_REASON);
        let at = self.parts.clock.now();
        let mut revoked = Vec::new();
        for id in ids {
            let Some(token) = self.tokens.revoke(id, at, &reason) else { continue };
            info!(handle = %token.handle, reason, "token revoked");
            if let Some(session) = self.attachments.detach_token(id) {
                self.tell_session(session, "token");
            }
            self.tell_token("revoked", &token);
            revoked.push(token);
        }
        let ids: Vec<TokenId> = revoked.iter().map(|token| token.id).collect();
        self.note_all(revoked);
        for id in &ids {
            self.withdraw(*id);
        }
        ids
    }

    fn block(&mut self, ids: &[TokenId]) -> Vec<TokenId> {
        let mut ids = ids.to_vec();
        ids.retain(|id| self.tokens.get(*id).is_some_and(|entry| !entry.token().blocked()));
        self.revoke(ids.clone(), Revoked::ADMIN);
        self.set_blocked(ids, true)
    }

    fn unblock(&mut self, mut ids: Vec<TokenId>) -> Vec<TokenId> {
        ids.retain(|id| self.tokens.get(*id).is_some_and(|entry| entry.token().blocked()));
        self.set_blocked(ids, false)
    }

    fn set_blocked(&mut self, ids: Vec<TokenId>, blocked: bool) -> Vec<TokenId> {
        let mut changed = Vec::new();
        let block = TokenBlock { at: self.parts.clock.now(), is_on: blocked };
        for id in &ids {
            let Some(token) = self.tokens.set_blocked(*id, block) else { continue };
            let change = if blocked { "blocked" } else { "unblocked" };
            info!(handle = %token.handle, "token {change}");
            self.tell_token(change, &token);
            changed.push(token);
        }
        self.note_all(changed);
        ids
    }

    /// An interval counts from what was sent. If the app got its copy over the socket, it counts as sent whatever
    /// became of the push.
    fn on_untold(&mut self, mut untold: Vec<(TokenId, MonitorId, Timestamp)>) {
        untold.retain(|(id, monitor, at)| {
            let session = self.attachments.session_of(*id);
            let login = session.and_then(|session| self.sessions.login(session));
            let copied = login.is_some_and(|login| login.sent.get(monitor) == Some(at));
            !copied && self.tokens.undo_sent(*id, *monitor, *at)
        });
        if !untold.is_empty() {
            self.note(Note::TokenUntold(untold));
        }
    }

    fn restore(&mut self, id: TokenId) -> bool {
        let Some(token) = self.tokens.restore(id) else { return false };
        info!(handle = %token.handle, "token restored");
        self.tell_token("restored", &token);
        self.keep_token(&token);
        if self.push.enabled {
            self.order(PushOrder::Register(token));
        }
        true
    }

    fn mute(&mut self, id: TokenId, until: Option<Timestamp>) -> bool {
        if !self.tokens.get(id).is_some_and(TokenEntry::is_live) {
            return false;
        }
        if let Some(token) = self.tokens.change(id, |token| token.mute_until = until) {
            let change = if until.is_some() { "muted" } else { "unmuted" };
            info!(handle = %token.handle, ?until, "token {change}");
            self.tell_token(change, &token);
            self.keep_token(&token);
            if until.is_some() {
                // The mute also applies to pushes that already wait.
                self.note(Note::Withdrawn(id, SkipReason::Muted));
                self.withdraw(id);
            }
        }
        true
    }

    fn set_badges(&mut self, only: Option<Vec<TokenId>>, to: u32) -> usize {
        let only: Option<BTreeSet<TokenId>> = only.map(|only| only.into_iter().collect());
        let live = self.tokens.live().map(|entry| entry.token().id);
        let ids: Vec<_> = live.filter(|id| only.as_ref().is_none_or(|only| only.contains(id))).collect();
        let mut changed = Vec::new();
        for id in &ids {
            if let Some(token) = self.tokens.change(*id, |token| token.badge = to) {
                self.tell_token("badge", &token);
                self.share(&token, true);
                changed.push(token);
            }
        }
        self.note_all(changed);
        ids.len()
    }

    fn import(&mut self, tokens: Vec<Token>, dry_run: bool) -> Vec<TokenImported> {
        let plan = plan(&self.tokens, tokens, self.parts.clock.now());
        if dry_run {
            return plan.outcomes;
        }
        let mut written = Vec::with_capacity(plan.tokens.len());
        for token in plan.tokens {
            let id = token.id;
            self.tokens.insert(token);
            let Some(token) = self.tokens.get(id).map(|entry| Arc::clone(entry.token())) else { continue };
            self.tell_token("imported", &token);
            written.push(token);
        }
        info!(tokens = written.len(), "tokens imported");
        self.note_all(written);
        plan.outcomes
    }
}
