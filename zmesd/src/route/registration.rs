//! Apps and their tokens: who registers what, which session is attached to it, which filter holds.
//!
//! A session that is attached to a live token has the token's filter: both are changed together. A token has one
//! session at most; a second one takes it over, and the first goes on by itself.

use std::sync::Arc;

use tracing::{debug, info, warn};
use zmes_shared::SessionId;

use super::handle::Attach;
use super::revalidate::renew;
use super::router::Router;
use super::sessions::LoggedIn;
use super::tap::{TapEvent, TokenChange};
use super::token_handle::{Registration, RegistrationFault};
use crate::domain::{App, MonitorFilter, MonitorRights, PushState, PushToken, Token, TokenId, User};
use crate::monitors::Catalog;
use crate::ports::PushOrder;
use crate::state::{Device, Note};

/// Characters of a list that the log shows.
const SHOWN_LIST: usize = 200;

/// What makes the owner of a token that was registered while `auth.enabled` was false nobody's namesake: nobody becomes
/// `admin` by saying so. Once credentials count again, nothing is pushed to it until its app has registered anew.
const UNPROVEN: &str = " (unproven)";

/// What a registration means for the token, whatever it was before.
struct Wanted {
    registration: Registration,
    /// The filter that is stated, by the message or by the session before.
    filter: Option<MonitorFilter>,
    user: String,
    badge: Option<u32>,
}

impl Router {
    /// `push/token`: the user of the session becomes the token's owner, and the session is attached to it.
    ///
    /// A token that was revoked comes back, with its id and settings, whoever revoked it: its app has just proved
    /// that it lives. Who wants to silence a living phone mutes it.
    pub(super) fn on_register(&mut self, registration: Registration) -> Result<(), RegistrationFault> {
        if !self.push.enabled {
            return Ok(());
        }
        let session = registration.session;
        let Some(login) = self.login(session) else { return Ok(()) };
        let (user, asked_at) = (Arc::clone(&login.user), login.asked_at);
        self.make_room(&registration.token, &self.owner(&user))?;
        if let Some(filter) = registration.filter.clone() {
            self.state_filter(session, filter);
        }
        let Some(wanted) = self.wanted(registration) else { return Ok(()) };
        let token = wanted.registration.token.clone();
        if self.parts.auth.borrow().enabled && !self.parts.catalog.borrow().users.contains_key(&user.name) {
            // The login has just read him from the database; the catalog will know him soon, too.
            self.fresh_users.insert(user.name.clone(), (user, asked_at));
        }
        let before = self.tokens.find(&token).map(|entry| Arc::clone(entry.token()));
        let id = match &before {
            Some(before) => before.id,
            None => self.create(&wanted),
        };
        self.store(id, &wanted, before.as_deref());
        self.attach_token(session, id);
        Ok(())
    }

    /// Refuses a token that would be one too many; one that is live and this user's already is none.
    fn make_room(&mut self, token: &PushToken, user: &str) -> Result<(), RegistrationFault> {
        let known = self.tokens.find(token);
        let is_his = known.is_some_and(|entry| entry.is_live() && entry.token().user == user);
        if is_his || self.tokens.has_room_for(user, token) {
            return Ok(());
        }
        if std::mem::replace(&mut self.told_of_too_many, true) {
            debug!(user, %token, "too many tokens");
        } else {
            warn!(user, %token, "not taking the token: too many are registered (zmesctl tokens prune)");
        }
        Err(RegistrationFault::TooMany)
    }

    /// Returns who owns what a user registers: nobody, while nobody is asked to prove who he is.
    fn owner(&self, user: &User) -> String {
        let proven = if self.parts.auth.borrow().enabled { "" } else { UNPROVEN };
        format!("{}{proven}", user.name)
    }

    fn wanted(&mut self, mut registration: Registration) -> Option<Wanted> {
        let user = self.owner(&self.login(registration.session)?.user);
        let login = self.sessions.get_mut(&registration.session)?.login.as_mut()?;
        if registration.kind == App::Unknown {
            registration.kind = login.kind;
        }
        registration.app_version = registration.app_version.or_else(|| login.app.clone());
        let filter = login.explicit.then(|| login.filter.clone());
        Some(Wanted { registration, filter, user, badge: login.badge.take() })
    }

    /// Adds a token with nothing but what makes it one; [`Self::store`] gives it the rest.
    fn create(&mut self, wanted: &Wanted) -> TokenId {
        let (id, now) = (self.tokens.next_id(), self.parts.clock.now());
        let Registration { token, platform, state, kind, .. } = &wanted.registration;
        self.tokens.insert(Token {
            state: *state,
            user: wanted.user.clone(),
            app: *kind,
            ..Token::new(id, token.clone(), *platform, now)
        });
        self.told_of_too_many = false;
        id
    }

    /// Makes a token what is wanted; what is the same already is not written again.
    fn store(&mut self, id: TokenId, wanted: &Wanted, before: Option<&Token>) {
        let now = self.parts.clock.now();
        let Some(entry) = self.tokens.get_mut(id) else { return };
        let changed = entry.change(|token| apply(wanted, token));
        let seen = entry.see(now);
        let token = entry.snapshot();
        let is_new = before.is_none_or(|before| before.revoked.is_some());
        if is_new || changed.is_some() {
            info!(user = token.user, "Storing token {}", stored(&token));
            self.tell_token(if is_new { "registered" } else { "changed" }, &token);
        }
        if is_new || changed.is_some() || seen.is_some() {
            self.keep_token(&token);
        }
        if let Some(reason) = before.and_then(|before| withdrawn(before, &token)) {
            self.note(Note::Withdrawn(id, reason));
            self.withdraw(id);
        }
        // An app that says the same again and again must not make us say it to a provider as often.
        let worth_telling = is_new || changed.is_some() || seen.is_some();
        if token.state == PushState::Enabled && worth_telling {
            self.order(PushOrder::Register(token));
        }
    }

    /// Attaches a session to a token, takes it from the session that had it, and gives the session its filter.
    fn attach_token(&mut self, session: SessionId, id: TokenId) {
        let Some(entry) = self.tokens.get_mut(id) else { return };
        let filter = entry.token().filter.clone();
        let had = entry.session.replace(session).filter(|had| *had != session);
        let Some(login) = self.login_mut(session) else { return };
        login.filter.clone_from(&filter);
        let device = login.device.clone();
        let left = login.token.replace(id).filter(|left| *left != id);
        // An app that was updated calls itself something else: what it comes back to without its token is the same.
        if filter != MonitorFilter::All && self.devices.filter(&device).is_none() {
            self.keep_filter(device, filter);
        }
        if let Some(entry) = left.and_then(|left| self.tokens.get_mut(left)) {
            entry.session = None;
        }
        if let Some(login) = had.and_then(|had| self.login_mut(had)) {
            debug!(client = ?had, by = %session, "another session has taken the token over");
            login.token = None;
            // What it once stated must not come back over what the token's app states now.
            login.explicit = false;
        }
        had.into_iter().chain([session]).for_each(|changed| self.tell_session(changed, "token"));
    }

    /// Lets go of a session's token: the token stays, and the session goes on by itself.
    pub(super) fn detach(&mut self, login: &LoggedIn) {
        if let Some(entry) = login.token.and_then(|token| self.tokens.get_mut(token)) {
            entry.session = None;
        }
    }

    /// Attaches a session to the token that its app names, if its user has registered that.
    pub(super) fn on_hint(&mut self, session: SessionId, hint: Option<&PushToken>) {
        let Some(id) = hint.and_then(|hint| self.tokens.find(hint)).map(|entry| entry.token().id) else {
            return;
        };
        let now = self.parts.clock.now();
        let Some(login) = self.login(session) else { return };
        let user = Arc::clone(&login.user);
        let owner = self.owner(&user);
        let (attached, explicit) = (login.token == Some(id), login.explicit.then(|| login.filter.clone()));
        let Some(entry) = self.tokens.live_mut(id).filter(|entry| entry.token().user == owner) else {
            return;
        };
        let seen = entry.see(now);
        if let Some(token) = seen {
            self.keep_token(&token);
        }
        if attached {
            return;
        }
        if let Some(filter) = explicit {
            self.change_token(id, |token| token.filter = filter);
        }
        self.attach_token(session, id);
        if let Some(badge) = self.login_mut(session).and_then(|login| login.badge.take()) {
            self.change_token(id, |token| token.badge = badge);
        }
    }

    /// `control/filter`: it holds for the session, and for its token.
    pub(super) fn on_filter(&mut self, session: SessionId, filter: MonitorFilter, hint: Option<&PushToken>) {
        self.on_hint(session, hint);
        self.state_filter(session, filter.clone());
        if let Some(token) = self.login(session).and_then(|login| login.token)
            && let Some(token) = self.change_token(token, |token| token.filter = filter)
        {
            // The seed's spelling.
            info!(user = token.user, "Contrl: Storing token {}", stored(&token));
        }
        self.tell_session(session, "filter");
    }

    /// `push/badge`: for the session's token, else for the one that it registers next.
    pub(super) fn on_badge(&mut self, session: SessionId, badge: u32, hint: Option<&PushToken>) {
        self.on_hint(session, hint);
        let Some(login) = self.login_mut(session) else { return };
        match login.token {
            Some(token) => drop(self.change_token(token, |token| token.badge = badge)),
            None => login.badge = Some(badge),
        }
    }

    /// An app has authenticated: the filter in force afterwards, unless the session is gone.
    pub(super) fn on_attach(&mut self, attach: Attach) -> Option<MonitorFilter> {
        let Attach { id, user, asked_at, app, filter, kind, hint } = attach;
        let device = Device { user: user.name.clone(), app: app.clone().unwrap_or_default() };
        let alone = !self
            .sessions
            .values()
            .any(|other| other.id != id && other.login.as_ref().is_some_and(|login| login.device == device));
        let before = self.sessions.get_mut(&id)?.login.take();
        if let Some(before) = before.as_ref().filter(|before| before.device != device) {
            self.detach(before);
        }
        let mut login = if let Some(before) = before.filter(|before| before.device == device) {
            LoggedIn { user, asked_at, kind: known(kind, before.kind), ..before }
        } else {
            let stored = self.devices.filter(&device).cloned().unwrap_or_default();
            LoggedIn::new(user, asked_at, app, kind, device, stored)
        };
        // Of two phones of one user and app, the second must not be silenced by what the first got.
        if login.last_sent.is_empty() && alone {
            login.last_sent = self.devices.sent(&login.device);
        }
        let token = login.token;
        let session = self.sessions.get_mut(&id)?;
        session.login = Some(login);
        if self.parts.auth.borrow().enabled {
            renew(session, &self.parts.catalog.borrow(), self.enforced_since);
        }
        if let Some(filter) = filter {
            self.state_filter(id, filter.clone());
            if let Some(token) = token {
                self.change_token(token, |token| token.filter = filter);
            }
        }
        self.tell_session(id, "authenticated");
        self.on_hint(id, hint.as_ref());
        self.login(id).map(|login| login.filter.clone())
    }

    /// Remembers what a session has stated, for itself and for its device.
    fn state_filter(&mut self, session: SessionId, filter: MonitorFilter) {
        let Some(login) = self.login_mut(session) else { return };
        login.explicit = true;
        login.filter = filter.clone();
        let device = login.device.clone();
        self.keep_filter(device, filter);
    }

    fn keep_filter(&mut self, device: Device, filter: MonitorFilter) {
        if self.devices.set_filter(&device, filter.clone()) {
            self.note(Note::Filter(device, filter));
        }
    }

    /// Changes a token that is attached; writes it down and returns it if that changes anything.
    fn change_token(&mut self, id: TokenId, change: impl FnOnce(&mut Token)) -> Option<Arc<Token>> {
        let token = self.tokens.get_mut(id)?.change(change)?;
        self.tell_token("changed", &token);
        self.keep_token(&token);
        Some(token)
    }

    /// Returns the rights of a token's owner at this moment; `None`: there is nobody to vouch for it.
    ///
    /// Nobody (an imported token) and everybody (while `auth.enabled` is false) may see all. Before the catalog has
    /// been read for the first time no owner can be judged, and then the answer is no: an alarm that somebody must
    /// not see is worse than one that comes late. (Without a catalog no monitor is watched, so there is no alarm but
    /// a test.)
    pub(super) fn rights_of<'a>(&'a self, user: &str, catalog: &'a Catalog) -> Option<&'a MonitorRights> {
        if user.is_empty() || !self.parts.auth.borrow().enabled {
            return Some(&MonitorRights::All);
        }
        let fresh = || self.fresh_users.get(user).map(|(user, _)| user);
        let user = catalog.users.get(user).or_else(fresh)?;
        user.barred().is_none().then_some(&user.rights)
    }

    /// Tells those who watch of a token.
    pub(super) fn tell_token(&self, change: &'static str, token: &Arc<Token>) {
        let at = self.parts.clock.now();
        self.parts.tap.send_with(|| TapEvent::Token(TokenChange { at, change, token: Arc::clone(token) }));
    }
}

fn apply(wanted: &Wanted, token: &mut Token) {
    let Registration { platform, state, kind, app_version, profile, .. } = &wanted.registration;
    token.platform = *platform;
    token.state = *state;
    token.user.clone_from(&wanted.user);
    token.app = known(*kind, token.app);
    token.revoked = None;
    for (told, kept) in [(app_version, &mut token.app_version), (profile, &mut token.profile)] {
        if let Some(told) = told {
            kept.clone_from(told);
        }
    }
    if let Some(filter) = &wanted.filter {
        token.filter.clone_from(filter);
    }
    token.badge = wanted.badge.unwrap_or(token.badge);
}

/// Returns what is told, unless that is nothing.
fn known(told: App, before: App) -> App {
    if told == App::Unknown { before } else { told }
}

/// Says why what still waits for a token is not to be sent any more after a registration, if so.
fn withdrawn(before: &Token, now: &Token) -> Option<&'static str> {
    if before.state == PushState::Enabled && now.state == PushState::Disabled {
        return Some("disabled");
    }
    // What was decided by the rights of one must not come to the other; one without an owner had none.
    (!before.user.is_empty() && before.user != now.user).then_some("another user")
}

/// Returns a token in the words of the seed's log.
fn stored(token: &Token) -> String {
    let (monlist, intlist) = token.filter.lists();
    let (monlist, intlist, state) = (brief(&monlist), brief(&intlist), token.state.as_str());
    format!("{},monlist:{monlist},intlist:{intlist},pushstate:{state}", token.token)
}

fn brief(list: &str) -> &str {
    list.get(..list.floor_char_boundary(SHOWN_LIST)).unwrap_or_default()
}
