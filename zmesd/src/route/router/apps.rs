//! Requests from apps: logins, token registrations, which session is attached to which token, filters.
//!
//! A session that is attached to a live token has the token's filter: both change together. If a second session takes a
//! token over, the first goes on without one.

use std::sync::Arc;

use tokio::time::Instant;
use tracing::{debug, info, warn};
use zmes_shared::SessionId;

use super::Router;
use crate::domain::{MonitorFilter, Registration, Token, TokenId};
use crate::protocol::TokenFault;
use crate::route::PushOrder;
use crate::route::devices::SessionEnd;
use crate::route::handle::NewLogin;
use crate::route::owners::Owners;
use crate::route::registration::{RegistrationOutcome, known};
use crate::route::sessions::{FilterOrigin, SessionLogin};
use crate::state::{Device, Note};
use zmes_providers::PushToken;

const SHOWN_LIST: usize = 200;

impl Router {
    /// `push/token`: the user of the session becomes the token's owner, and the session is attached to it.
    ///
    /// A revoked token comes back with its id: its app has just proved that it is in use. A token that an admin has
    /// blocked does not. Changes that come too often reach provider and log less often ([`crate::route::pace`]).
    pub(super) fn on_register(
        &mut self,
        session: SessionId,
        registration: Registration,
    ) -> Result<(), TokenFault> {
        if !self.push.phones {
            return Ok(());
        }
        let Some(login) = self.sessions.login(session) else { return Ok(()) };
        let (user, asked_at, origin) = (Arc::clone(&login.user), login.asked_at, login.filter_origin);
        let owner = Owners::name(&user, self.auth_enabled());
        self.refuse_blocked(&registration.token)?;
        self.make_room(&registration.token, &owner)?;
        // zmNinjaNg sends empty lists for "all monitors", even if it has just set a filter.
        let stated =
            |filter: &&MonitorFilter| **filter != MonitorFilter::All || origin != FilterOrigin::Statement;
        if let Some(filter) = registration.filter.as_ref().filter(stated).cloned() {
            self.state_filter(session, filter, FilterOrigin::Registration);
        }
        let Some(login) = self.sessions.login(session) else { return Ok(()) };
        let registration = registration.completed(login);
        let badge = self.sessions.take_badge(session);
        if self.auth_enabled() {
            self.owners.remember(user, asked_at, &self.parts.catalog.borrow());
        }
        let (now, wall) = (Instant::now(), self.parts.clock.now());
        let outcome = self.tokens.register(&registration, &owner, badge, now, wall);
        let id = outcome.token.id;
        if badge.is_some() {
            self.share(&Arc::clone(&outcome.token), true);
        }
        self.carry_out(outcome);
        self.on_new_owner(id, &owner);
        self.attach_token(session, id);
        Ok(())
    }

    fn refuse_blocked(&mut self, token: &PushToken) -> Result<(), TokenFault> {
        let Some(entry) = self.tokens.find(token).filter(|entry| entry.token().blocked()) else {
            return Ok(());
        };
        let token = Arc::clone(entry.token());
        if let Some(left_out) = self.tokens.may_log(token.id, Instant::now()) {
            info!(handle = %token.handle, user = token.user, left_out, "not registered: an admin has blocked this token");
        }
        Err(TokenFault::Blocked)
    }

    /// Refuses a token beyond the limits. A live token of this owner is already counted.
    fn make_room(&mut self, token: &PushToken, owner: &str) -> Result<(), TokenFault> {
        let entry = self.tokens.find(token);
        let is_theirs = entry.is_some_and(|entry| entry.is_live() && entry.token().user == owner);
        if is_theirs || self.tokens.has_room_for(owner, token) {
            return Ok(());
        }
        if std::mem::replace(&mut self.told_of_too_many, true) {
            debug!(user = owner, handle = %token, "too many tokens");
        } else {
            warn!(user = owner, handle = %token, "not taking the token: too many are registered (zmesctl tokens prune)");
        }
        Err(TokenFault::TooManyTokens)
    }

    fn carry_out(&mut self, outcome: RegistrationOutcome) {
        let RegistrationOutcome { token, created, change, write, log, register_now, forgotten, withdrawn } =
            outcome;
        let id = token.id;
        self.told_of_too_many &= !created;
        if let Some(left_out) = log {
            info!(user = token.user, left_out, "Storing token {}", stored(&token));
        }
        if let Some(change) = change {
            self.tell_token(change, &token);
        }
        if write {
            self.keep_token(&token);
        }
        if !forgotten.is_empty() {
            let forgotten = forgotten.into_iter().map(|(monitor, at)| (id, monitor, at));
            self.note(Note::TokenUntold(forgotten.collect()));
        }
        if let Some(reason) = withdrawn {
            self.open_starts.forget_token(id);
            self.unlabelled.forget_token(id);
            self.note(Note::Withdrawn(id, reason));
            self.withdraw(id);
        }
        if register_now {
            self.order(PushOrder::Register(token));
        }
    }

    fn attach_token(&mut self, session: SessionId, id: TokenId) {
        let Some(filter) = self.tokens.get(id).map(|entry| entry.token().filter.clone()) else { return };
        let Some(device) = self.sessions.take_filter(session, filter.clone()) else { return };
        self.devices.state(&device, session, filter, self.parts.clock.now());
        let had = self.attachments.attach(session, id);
        if let Some(had) = had {
            debug!(client = ?had, by = %session, "another session has taken the token over");
            self.sessions.lose_token(had);
        }
        had.into_iter().chain([session]).for_each(|changed| self.tell_session(changed, "token"));
    }

    /// Attaches a session to the token that its app names, if the session's user has registered that token.
    pub(super) fn on_hint(&mut self, session: SessionId, hint: Option<&PushToken>) {
        let Some(login) = self.sessions.login(session) else { return };
        let owner = Owners::name(&login.user, self.auth_enabled());
        let stated = login.stated_filter().cloned();
        let entry = hint.and_then(|hint| self.tokens.find(hint));
        let Some(entry) = entry.filter(|entry| entry.is_live() && entry.token().user == owner) else {
            return;
        };
        let id = entry.token().id;
        if let Some(token) = self.tokens.see(id, self.parts.clock.now()) {
            self.keep_token(&token);
        }
        if self.attachments.token_of(session) == Some(id) {
            return;
        }
        if let Some(filter) = stated {
            self.change_token(id, |token| token.filter = filter);
        }
        self.attach_token(session, id);
        if let Some(badge) = self.sessions.take_badge(session)
            && let Some(token) = self.change_token(id, |token| token.badge = badge)
        {
            self.share(&token, true);
        }
    }

    /// `control/filter`: sets the filter of the session and of its token.
    pub(super) fn on_filter(&mut self, session: SessionId, filter: MonitorFilter, hint: Option<&PushToken>) {
        self.on_hint(session, hint);
        self.state_filter(session, filter.clone(), FilterOrigin::Statement);
        if let Some(id) = self.attachments.token_of(session)
            && let Some(token) = self.change_token(id, |token| token.filter = filter)
            && let Some(left_out) = self.tokens.may_log(id, Instant::now())
        {
            // The spelling in the old event server's log.
            info!(user = token.user, left_out, "Contrl: Storing token {}", stored(&token));
        }
        self.tell_session(session, "filter");
    }

    /// `push/badge`: sets the badge of the session's token, or of the one that it registers next.
    pub(super) fn on_badge(&mut self, session: SessionId, badge: u32, hint: Option<&PushToken>) {
        self.on_hint(session, hint);
        match self.attachments.token_of(session) {
            Some(token) => {
                if let Some(token) = self.change_token(token, |token| token.badge = badge) {
                    self.share(&token, true);
                }
            }
            None => self.sessions.set_badge(session, badge),
        }
    }

    /// An app has authenticated. Returns false if its session is gone.
    pub(super) fn on_login(&mut self, id: SessionId, asked_at: Instant, login: NewLogin) -> bool {
        let NewLogin { user, pass, app, filter, kind, hint } = login;
        let Some(session) = self.sessions.get(id) else { return false };
        let before = session.login();
        let is_first = before.is_none();
        let kind = before.map_or(kind, |before| known(kind, before.device.kind));
        let device = Device { user: user.name.clone(), kind, app: app.unwrap_or_default() };
        if self.auth_enabled() {
            self.owners.remember(Arc::clone(&user), asked_at, &self.parts.catalog.borrow());
        }
        if before.is_some_and(|before| before.device == device) {
            self.sessions.log_in_again(id, user, pass, asked_at);
        } else {
            self.forget(id, SessionEnd::ByApp);
            let login = self.newcomer(id, SessionLogin::new(user, pass, asked_at, device));
            self.sessions.log_in(id, login);
        }
        if self.auth_enabled() {
            self.sessions.renew(id, &self.parts.catalog.borrow(), self.enforced_since);
        }
        if let Some(filter) = filter {
            self.state_filter(id, filter.clone(), FilterOrigin::Statement);
            if let Some(token) = self.attachments.token_of(id) {
                self.change_token(token, |token| token.filter = filter);
            }
        }
        self.tell_session(id, "authenticated");
        self.on_hint(id, hint.as_ref());
        if is_first {
            self.missed.welcome(id, self.alarms + 1, Instant::now());
        }
        true
    }

    /// Gives an app that has just logged in what is remembered of its last session, if that is unambiguous.
    fn newcomer(&mut self, id: SessionId, login: SessionLogin) -> SessionLogin {
        let (filter, sent) = self.devices.join(&login.device, id, self.parts.clock.now());
        match filter {
            Some(filter) => SessionLogin { filter, filter_origin: FilterOrigin::Reconnect, sent, ..login },
            None => SessionLogin { sent, ..login },
        }
    }

    /// Forgets the login of a session; the session itself may go on as another user or app.
    pub(super) fn forget(&mut self, id: SessionId, left: SessionEnd) {
        self.attachments.detach_session(id);
        if let Some(login) = self.sessions.login(id) {
            self.devices.leave(&login.device, id, left, self.parts.clock.now());
        }
    }

    fn state_filter(&mut self, session: SessionId, filter: MonitorFilter, origin: FilterOrigin) {
        if let Some(device) = self.sessions.set_filter(session, filter.clone(), origin) {
            self.devices.state(&device, session, filter, self.parts.clock.now());
        }
    }

    /// Changes an attached token. If that changes anything, writes it down and returns it.
    fn change_token(&mut self, id: TokenId, change: impl FnOnce(&mut Token)) -> Option<Arc<Token>> {
        let token = self.tokens.change(id, change)?;
        self.tell_token("changed", &token);
        self.keep_token(&token);
        Some(token)
    }
}

/// Describes a token in the words of the old event server's log.
fn stored(token: &Token) -> String {
    let (monlist, intlist) = token.filter.lists();
    let (monlist, intlist, state) = (brief(&monlist), brief(&intlist), token.state.as_str());
    format!("{},monlist:{monlist},intlist:{intlist},pushstate:{state}", token.token)
}

fn brief(list: &str) -> &str {
    list.get(..list.floor_char_boundary(SHOWN_LIST)).unwrap_or_default()
}
