//! Apps and their tokens: who registers what, which session is attached to it, which filter holds.
//!
//! A session that is attached to a live token has the token's filter: both are changed together. A token has one
//! session at most; a second one takes it over, and the first goes on by itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;
use tracing::{debug, info, warn};
use zmes_shared::SessionId;
use zmes_zoneminder::{MonitorRights, User};

use super::devices::Left;
use super::handle::Attach;
use super::revalidate::renew;
use super::router::Router;
use super::sessions::{FilterFrom, LoggedIn};
use super::tap::{TapEvent, TokenChange};
use super::token_handle::{Registration, RegistrationFault};
use crate::domain::{App, MonitorFilter, PushState, PushToken, Revoked, Token, TokenId};
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
    /// A token that was revoked comes back with its id: its app has just proved that it lives. One that an admin has
    /// blocked does not. What an app says very often is told to provider and log less often ([`super::pace`]).
    pub(super) fn on_register(&mut self, registration: Registration) -> Result<(), RegistrationFault> {
        if !self.push.enabled {
            return Ok(());
        }
        let session = registration.session;
        let Some(login) = self.login(session) else { return Ok(()) };
        let (user, asked_at, from) = (Arc::clone(&login.user), login.asked_at, login.filter_from);
        self.refuse_blocked(&registration.token)?;
        self.make_room(&registration.token, &self.owner(&user))?;
        // Empty lists are how zmNinjaNg says "all monitors". It says so even where it has just stated a filter.
        let stated = |filter: &MonitorFilter| *filter != MonitorFilter::All || from != FilterFrom::Statement;
        if let Some(filter) = registration.filter.clone().filter(stated) {
            self.state_filter(session, filter, FilterFrom::Registration);
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

    /// Refuses a token that an admin has blocked: its app changes nothing by registering it.
    fn refuse_blocked(&mut self, token: &PushToken) -> Result<(), RegistrationFault> {
        let Some(id) =
            self.tokens.find(token).filter(|entry| entry.token().blocked()).map(|entry| entry.token().id)
        else {
            return Ok(());
        };
        if let Some(entry) = self.tokens.get_mut(id)
            && let Some(left_out) = entry.pace.may_log(Instant::now())
        {
            let token = entry.token();
            info!(handle = %token.handle, user = token.user, left_out, "not registered: an admin has blocked this token");
        }
        Err(RegistrationFault::Blocked)
    }

    /// Refuses a token that would be one too many; one that is live and this user's already is none.
    fn make_room(&mut self, token: &PushToken, user: &str) -> Result<(), RegistrationFault> {
        let known = self.tokens.find(token);
        let is_his = known.is_some_and(|entry| entry.is_live() && entry.token().user == user);
        if is_his || self.tokens.has_room_for(user, token) {
            return Ok(());
        }
        if std::mem::replace(&mut self.told_of_too_many, true) {
            debug!(user, handle = %token, "too many tokens");
        } else {
            warn!(user, handle = %token, "not taking the token: too many are registered (zmesctl tokens prune)");
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
        let filter = login.filter_from.is_stated().then(|| login.filter.clone());
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
        let (now, wall) = (Instant::now(), self.parts.clock.now());
        let forgets = before.is_some_and(|before| is_another_start(before, &wanted.user));
        let Some(entry) = self.tokens.get_mut(id) else { return };
        let changed = entry.change(|token| apply(wanted, forgets, token));
        let seen = entry.see(wall);
        let token = entry.snapshot();
        let is_new = before.is_none_or(|before| before.revoked.is_some());
        let worth_telling = is_new || changed.is_some() || seen.is_some();
        let logged = if is_new || changed.is_some() { entry.pace.may_log(now) } else { None };
        let registers = worth_telling && token.state == PushState::Enabled;
        let at_once = registers && (entry.pace.may_register(now) || is_new);
        let untold = if forgets { std::mem::take(&mut entry.sent) } else { BTreeMap::new() };
        if let Some(left_out) = logged {
            info!(user = token.user, left_out, "Storing token {}", stored(&token));
        }
        if is_new || changed.is_some() {
            self.tell_token(if is_new { "registered" } else { "changed" }, &token);
        }
        if worth_telling {
            self.keep_token(&token);
        }
        if !untold.is_empty() {
            self.note(Note::TokenUntold(untold.into_iter().map(|(monitor, at)| (id, monitor, at)).collect()));
        }
        if let Some(reason) = before.and_then(|before| withdrawn(before, &token)) {
            self.note(Note::Withdrawn(id, reason));
            self.withdraw(id);
        }
        if at_once {
            self.unregistered.remove(&id);
            self.order(PushOrder::Register(token));
        } else if registers {
            self.unregistered.insert(id);
        }
    }

    /// Attaches a session to a token, takes it from the session that had it, and gives the session its filter.
    fn attach_token(&mut self, session: SessionId, id: TokenId) {
        let Some(entry) = self.tokens.get_mut(id) else { return };
        let filter = entry.token().filter.clone();
        let had = entry.session.replace(session).filter(|had| *had != session);
        let now = self.parts.clock.now();
        let Some(login) = self.login_mut(session) else { return };
        if !login.filter_from.is_stated() {
            login.filter_from = FilterFrom::Token;
        }
        login.filter.clone_from(&filter);
        let device = login.device.clone();
        let left = login.token.replace(id).filter(|left| *left != id);
        self.devices.state(&device, session, filter, now);
        if let Some(entry) = left.and_then(|left| self.tokens.get_mut(left)) {
            entry.session = None;
        }
        if let Some(login) = had.and_then(|had| self.login_mut(had)) {
            debug!(client = ?had, by = %session, "another session has taken the token over");
            login.token = None;
            // What it once stated must not come back over what the token's app states now.
            login.filter_from = FilterFrom::Token;
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
        let (attached, stated) = (login.token == Some(id), login.filter_from.is_stated());
        let stated = stated.then(|| login.filter.clone());
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
        if let Some(filter) = stated {
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
        self.state_filter(session, filter.clone(), FilterFrom::Statement);
        if let Some(id) = self.login(session).and_then(|login| login.token)
            && let Some(token) = self.change_token(id, |token| token.filter = filter)
            && let Some(left_out) =
                self.tokens.get_mut(id).and_then(|entry| entry.pace.may_log(Instant::now()))
        {
            // The seed's spelling.
            info!(user = token.user, left_out, "Contrl: Storing token {}", stored(&token));
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
        let Attach { id, user, pass, asked_at, app, filter, kind, hint } = attach;
        self.forget_pass(id);
        let before = self.sessions.get_mut(&id)?.login.take();
        let is_first = before.is_none();
        let kind = before.as_ref().map_or(kind, |before| known(kind, before.kind));
        let device = Device { user: user.name.clone(), kind, app: app.clone().unwrap_or_default() };
        let login = match before {
            Some(before) if before.device == device => LoggedIn { user, asked_at, pass, ..before },
            before => {
                self.forget(id, before.as_ref(), Left::ByApp);
                self.newcomer(id, LoggedIn::new(user, pass, asked_at, app, device))
            }
        };
        let token = login.token;
        let session = self.sessions.get_mut(&id)?;
        session.login = Some(login);
        if self.parts.auth.borrow().enabled {
            renew(session, &self.parts.catalog.borrow(), self.enforced_since);
        }
        if let Some(pass) = pass {
            self.passes.insert((pass.expires_at, id));
        }
        if let Some(filter) = filter {
            self.state_filter(id, filter.clone(), FilterFrom::Statement);
            if let Some(token) = token {
                self.change_token(token, |token| token.filter = filter);
            }
        }
        self.tell_session(id, "authenticated");
        self.on_hint(id, hint.as_ref());
        if is_first {
            self.missed.welcome(id, self.alarms + 1, Instant::now());
        }
        self.login(id).map(|login| login.filter.clone())
    }

    /// Gives somebody who has just come in what is remembered of an earlier session, if nothing has to be guessed.
    fn newcomer(&mut self, id: SessionId, login: LoggedIn) -> LoggedIn {
        let (filter, last_sent) = self.devices.join(&login.device, id, self.parts.clock.now());
        match filter {
            Some(filter) => LoggedIn { filter, filter_from: FilterFrom::Reconnect, last_sent, ..login },
            None => LoggedIn { last_sent, ..login },
        }
    }

    /// Forgets who a session was; the session itself may go on as somebody else.
    pub(super) fn forget(&mut self, id: SessionId, login: Option<&LoggedIn>, left: Left) {
        if let Some(login) = login {
            self.detach(login);
            self.devices.leave(&login.device, id, left, self.parts.clock.now());
        }
    }

    /// Remembers what a session has stated, for itself and for its device.
    fn state_filter(&mut self, session: SessionId, filter: MonitorFilter, from: FilterFrom) {
        let now = self.parts.clock.now();
        let Some(login) = self.login_mut(session) else { return };
        login.filter_from = from;
        login.filter = filter.clone();
        let device = login.device.clone();
        self.devices.state(&device, session, filter, now);
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

/// Says whether a registration begins anew: somebody else owns the token now, or a person had revoked it. What was stated
/// before was stated by another, or was meant to be over. A token without an owner was imported with its lists.
fn is_another_start(before: &Token, user: &str) -> bool {
    let is_anothers = !before.user.is_empty() && before.user != user;
    is_anothers || before.revoked.as_ref().is_some_and(Revoked::by_person)
}

fn apply(wanted: &Wanted, forgets: bool, token: &mut Token) {
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
    match &wanted.filter {
        Some(filter) => token.filter.clone_from(filter),
        None if forgets => token.filter = MonitorFilter::All,
        None => {}
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
