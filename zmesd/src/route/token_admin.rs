//! What admins and providers do to tokens.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use tracing::info;
use zmes_shared::{EventId, MonitorId};

use super::import::plan;
use super::router::Router;
use super::token_handle::{SessionDecision, TokenCommand, TokenImport, TokenImported};
use crate::domain::{Revoked, SkipReason, Token, TokenId};
use crate::ports::PushOrder;
use crate::state::Note;

/// Characters of a reason that are kept: it may be a provider's text.
const MAX_REASON: usize = 200;

impl Router {
    pub(super) fn on_token_command(&mut self, command: TokenCommand) {
        // A reply that nobody waits for any more is no error: the caller has given up.
        match command {
            TokenCommand::Register(registration, reply) => {
                reply.send(self.on_register(registration)).ok();
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
            TokenCommand::Count(reply) => drop(reply.send(self.tokens.counts(self.parts.clock.now()))),
            TokenCommand::Decisions(event, reply) => drop(reply.send(self.decisions_about(event))),
        }
    }

    fn decisions_about(&self, event: EventId) -> Vec<SessionDecision> {
        let mut decisions = self.ring.of_event(event);
        decisions.extend(self.missed.of_event(event));
        decisions
    }

    /// Revokes the live ones among these and returns them.
    fn revoke(&mut self, ids: Vec<TokenId>, reason: &str) -> Vec<TokenId> {
        let reason = zmes_shared::text::stripped(reason, MAX_REASON);
        let at = self.parts.clock.now();
        let mut revoked = Vec::new();
        for id in ids {
            let Some(entry) = self.tokens.live_mut(id) else { continue };
            let gone = Revoked { at, reason: reason.clone(), blocked: false };
            let gone = entry.change(|token| token.revoked = Some(gone));
            let Some(token) = gone else { continue };
            let session = entry.session.take();
            info!(handle = %token.handle, reason, "token revoked");
            if let Some(login) = session.and_then(|session| self.login_mut(session)) {
                login.token = None;
            }
            if let Some(session) = session {
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

    /// Revokes these so that their apps cannot register them again, and returns those that were not blocked before.
    fn block(&mut self, ids: &[TokenId]) -> Vec<TokenId> {
        let mut ids = ids.to_vec();
        ids.retain(|id| self.tokens.get(*id).is_some_and(|entry| !entry.token().blocked()));
        self.revoke(ids.clone(), Revoked::ADMIN);
        self.set_blocked(ids, true)
    }

    /// Lets apps register these again; they stay revoked until they do.
    fn unblock(&mut self, mut ids: Vec<TokenId>) -> Vec<TokenId> {
        ids.retain(|id| self.tokens.get(*id).is_some_and(|entry| entry.token().blocked()));
        self.set_blocked(ids, false)
    }

    fn set_blocked(&mut self, ids: Vec<TokenId>, blocked: bool) -> Vec<TokenId> {
        let mut changed = Vec::new();
        for id in &ids {
            let Some(entry) = self.tokens.get_mut(*id) else { continue };
            let now = entry.change(|token| {
                if let Some(revoked) = &mut token.revoked {
                    revoked.blocked = blocked;
                }
            });
            let Some(token) = now else { continue };
            let change = if blocked { "blocked" } else { "unblocked" };
            info!(handle = %token.handle, "token {change}");
            self.tell_token(change, &token);
            changed.push(token);
        }
        self.note_all(changed);
        ids
    }

    /// An interval counts from what was sent. An app that had its copy over the socket was told, whatever became of
    /// the push.
    fn on_untold(&mut self, mut untold: Vec<(TokenId, MonitorId, Timestamp)>) {
        untold.retain(|(id, monitor, at)| {
            let Some(entry) = self.tokens.get_mut(*id) else { return false };
            let copy = entry.session.and_then(|session| self.sessions.get(&session)?.login.as_ref());
            let copied = copy.is_some_and(|login| login.last_sent.get(monitor) == Some(at));
            let counts = entry.sent.get(monitor) == Some(at) && !copied;
            if counts {
                entry.sent.remove(monitor);
            }
            counts
        });
        if !untold.is_empty() {
            self.note(Note::TokenUntold(untold));
        }
    }

    fn restore(&mut self, id: TokenId) -> bool {
        let Some(entry) = self.tokens.get_mut(id).filter(|entry| !entry.is_live()) else { return false };
        if entry.token().blocked() {
            return false;
        }
        let Some(token) = entry.change(|token| token.revoked = None) else { return false };
        info!(handle = %token.handle, "token restored");
        self.tell_token("restored", &token);
        self.keep_token(&token);
        if self.push.enabled {
            self.order(PushOrder::Register(token));
        }
        true
    }

    fn mute(&mut self, id: TokenId, until: Option<Timestamp>) -> bool {
        let Some(entry) = self.tokens.live_mut(id) else { return false };
        if let Some(token) = entry.change(|token| token.mute_until = until) {
            let change = if until.is_some() { "muted" } else { "unmuted" };
            info!(handle = %token.handle, ?until, "token {change}");
            self.tell_token(change, &token);
            self.keep_token(&token);
            if until.is_some() {
                // Silence holds for what waits, too.
                self.note(Note::Withdrawn(id, SkipReason::Muted));
                self.withdraw(id);
            }
        }
        true
    }

    fn set_badges(&mut self, only: Option<Vec<TokenId>>, to: u32) -> usize {
        let ids: BTreeSet<TokenId> = match only {
            Some(only) => only.into_iter().collect(),
            None => self.tokens.live().map(|entry| entry.token().id).collect(),
        };
        let (mut count, mut changed) = (0, Vec::new());
        for id in ids {
            let Some(entry) = self.tokens.live_mut(id) else { continue };
            count += 1;
            if let Some(token) = entry.change(|token| token.badge = to) {
                self.tell_token("badge", &token);
                changed.push(token);
            }
        }
        self.note_all(changed);
        count
    }

    fn import(&mut self, tokens: Vec<TokenImport>, dry_run: bool) -> Vec<TokenImported> {
        let plan = plan(&self.tokens, tokens, self.parts.clock.now());
        if dry_run {
            return plan.outcomes;
        }
        let mut written = Vec::with_capacity(plan.tokens.len());
        for token in plan.tokens {
            let id = token.id;
            self.tokens.insert(token);
            let Some(token) = self.tokens.get_mut(id).map(super::tokens::Entry::snapshot) else { continue };
            self.tell_token("imported", &token);
            written.push(token);
        }
        info!(tokens = written.len(), "tokens imported");
        self.note_all(written);
        plan.outcomes
    }

    /// Writes tokens down with one note: the queue has room for alarms, not for every token there is.
    fn note_all(&mut self, tokens: Vec<Arc<Token>>) {
        let ids: Vec<TokenId> = tokens.iter().map(|token| token.id).collect();
        if !tokens.is_empty() && !self.try_note(Note::Tokens(tokens)) {
            self.unkept.extend(ids);
        }
    }

    /// Writes a token down. Where there is no room it is done later: what an app has registered must not live in memory
    /// alone.
    pub(super) fn keep_token(&mut self, token: &Arc<Token>) {
        if !self.try_note(Note::Token(Arc::clone(token))) {
            self.unkept.insert(token.id);
        }
    }

    /// Writes all tokens down: the state file that had them was damaged or lost, and a new one has what could be saved.
    pub(super) fn keep_all(&mut self) {
        self.unkept.extend(self.tokens.all().map(|entry| entry.token().id));
        self.keep_unkept();
    }

    /// Writes down, as they are now, the tokens for which there was no room.
    pub(super) fn keep_unkept(&mut self) {
        let mut now = Vec::with_capacity(self.unkept.len());
        for id in &self.unkept {
            now.extend(self.tokens.get_mut(*id).map(super::tokens::Entry::snapshot));
        }
        if now.is_empty() || self.parts.state.note(Note::Tokens(now)) {
            self.unkept.clear();
        }
    }
}
