//! The router's task.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};
use zmes_shared::SessionId;
use zmes_shared::control::{ClientFilter, ClientState};
use zmes_shared::views::ClientCounts;
use zmes_zoneminder::{MonitorRights, User};

use super::decided::DecisionRing;
use super::devices::{Devices, Left};
use super::handle::{Attached, ClientPage, CloseReason, Command, SessionOpening, Tried, Visibility};
use super::missed::Missed;
use super::revalidate::renew;
use super::rules::PushRules;
use super::sessions::{LoggedIn, Session};
use super::tap::{SessionChange, Tap, TapEvent};
use super::tokens::Tokens;
use crate::config::AuthConfig;
use crate::domain::{Alarm, DeliveryId, MonitorFilter, TokenId};
use crate::monitors::Catalog;
use crate::ports::{Clock, PushOrder};
use crate::state::{Note, Remembered, StateHandle};
use crate::telemetry::{Counters, Latencies};

/// How often is done what is done by the clock.
const UPKEEP_EVERY: Duration = Duration::from_millis(500);
/// Clients that are looked at in one turn: some 250 µs.
const CLIENTS: usize = 500;

/// What the router needs.
#[derive(Debug)]
pub struct RouterParts {
    /// Alarms of poller and reconciler.
    pub alarms: mpsc::Receiver<Alarm>,
    /// Commands of [`super::RouterHandle`]s.
    pub commands: mpsc::Receiver<Command>,
    /// Monitors, and users whose rights may change.
    pub catalog: watch::Receiver<Arc<Catalog>>,
    /// `[auth]`: while it is off, nobody's rights come from the catalog.
    pub auth: watch::Receiver<AuthConfig>,
    /// Where alarms, filters and intervals are kept.
    pub state: StateHandle,
    /// What the daemon before had kept.
    pub remembered: Remembered,
    /// Grows when a new state file has taken the place of one that was damaged or lost.
    pub renewed: watch::Receiver<u64>,
    /// Where pushes are sent from. Full: the push side finds on the disk what it was not told.
    pub pushes: mpsc::Sender<PushOrder>,
    /// `[push]`, which may change between live and shadow.
    pub push: watch::Receiver<PushRules>,
    /// Who watches.
    pub tap: Tap,
    /// Counters of the daemon.
    pub counters: Arc<Counters>,
    /// How long things take.
    pub latencies: Arc<Latencies>,
    /// Wall time.
    pub clock: Arc<dyn Clock>,
}

/// The router.
///
/// Owns: the session table, the token table, the devices' filters and intervals, the last decisions. Receives: alarms,
/// commands, catalogs. Sends: frames to sessions, notes to the state, orders to the push side, events to the tap, all
/// without waiting. Ends: when it is told to, after poller and sessions have ended.
#[derive(Debug)]
pub struct Router {
    pub(super) parts: RouterParts,
    /// What holds of `[push]`.
    pub(super) push: PushRules,
    pub(super) sessions: BTreeMap<SessionId, Session>,
    pub(super) devices: Devices,
    pub(super) tokens: Tokens,
    /// What was decided about the last alarms.
    pub(super) ring: DecisionRing,
    /// Owners of tokens whose login was looked at after the catalog was read, with that moment.
    pub(super) fresh_users: BTreeMap<String, (Arc<User>, Instant)>,
    pub(super) last_delivery: DeliveryId,
    /// What could not be withdrawn yet, because the push side's queue was full: up to which delivery.
    pub(super) withdrawals: BTreeMap<TokenId, DeliveryId>,
    /// Tokens whose note found the state's queue full.
    pub(super) unkept: BTreeSet<TokenId>,
    /// Tokens of which the provider was told a moment ago, and is to be told again.
    pub(super) unregistered: BTreeSet<TokenId>,
    /// When the access tokens of sessions expire.
    pub(super) passes: BTreeSet<(Timestamp, SessionId)>,
    /// What is told to those who log in right after the start.
    pub(super) missed: Missed,
    pub(super) alarms: u64,
    pub(super) tests: u64,
    /// Somebody was refused one more token, and the log has it.
    pub(super) told_of_too_many: bool,
    /// Who logged in before may not have been asked for credentials.
    pub(super) enforced_since: Instant,
}

impl Router {
    /// Puts the router together.
    pub fn new(mut parts: RouterParts) -> Self {
        let mut remembered = std::mem::take(&mut parts.remembered);
        let (tokens, sent) =
            (std::mem::take(&mut remembered.tokens), std::mem::take(&mut remembered.token_sent));
        let push = *parts.push.borrow_and_update();
        let now = Instant::now();
        Self {
            push,
            tokens: Tokens::restore(tokens, sent),
            last_delivery: remembered.last_delivery,
            devices: Devices::restore(remembered, parts.clock.now()),
            parts,
            sessions: BTreeMap::new(),
            ring: DecisionRing::default(),
            fresh_users: BTreeMap::new(),
            withdrawals: BTreeMap::new(),
            unkept: BTreeSet::new(),
            unregistered: BTreeSet::new(),
            passes: BTreeSet::new(),
            missed: Missed::new(now),
            alarms: 0,
            tests: 0,
            told_of_too_many: false,
            enforced_since: now,
        }
    }

    /// Runs until `stop`, then handles what is queued already.
    pub async fn run(mut self, stop: CancellationToken) {
        // One clock for all rounds: a sleep of each round would never end where something happens all the time.
        let mut upkeep = tokio::time::interval(UPKEEP_EVERY);
        upkeep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                Some(alarm) = self.parts.alarms.recv() => self.on_alarm(alarm),
                Some(command) = self.parts.commands.recv() => self.on_command(command),
                Ok(()) = self.parts.catalog.changed() => self.on_catalog(),
                // Who came in while nobody was asked for credentials is looked at once they count again.
                Ok(()) = self.parts.auth.changed() => {
                    self.enforced_since = Instant::now();
                    self.on_catalog();
                }
                Ok(()) = self.parts.push.changed() => self.push = *self.parts.push.borrow_and_update(),
                Ok(()) = self.parts.renewed.changed() => self.keep_all(),
                _ = upkeep.tick(), if self.has_upkeep() => self.upkeep(),
                () = stop.cancelled() => break,
            }
        }
        self.keep_unkept();
        self.keep_devices();
    }

    fn on_command(&mut self, command: Command) {
        // A reply that nobody waits for any more is no error: the caller has given up.
        match command {
            Command::Open(opening) => self.on_open(opening),
            Command::Attach(attach, reply) => {
                if let Some(filter) = self.on_attach(attach) {
                    reply.send(Attached { filter }).ok();
                }
            }
            Command::SetFilter(session, filter, hint, reply) => {
                self.on_filter(session, filter, hint.as_ref());
                reply.send(()).ok();
            }
            Command::Close(session, reason, left, tried) => self.on_close(session, reason, left, tried),
            Command::Visibility(session, reply) => drop(reply.send(self.visibility(session))),
            Command::Replays(session, reply) => {
                self.missed.replays(session);
                reply.send(self.visibility(session)).ok();
            }
            Command::List(filter, after, reply) => drop(reply.send(self.list(&filter, after))),
            Command::Count(reply) => drop(reply.send(self.count())),
            Command::Census(reply) => drop(reply.send(self.census())),
            Command::Disconnect(session, reply) => {
                let known = self.sessions.get_mut(&session);
                reply.send(known.map(|session| session.end(CloseReason::Disconnected)).is_some()).ok();
            }
            Command::Test(request, reply) => drop(reply.send(self.on_test(request))),
            Command::Token(command) => self.on_token_command(command),
            Command::Ping(reply) => drop(reply.send(())),
        }
    }

    fn on_open(&mut self, opening: SessionOpening) {
        let session = Session::open(opening);
        self.tell(&session, "connected", None, None);
        self.sessions.insert(session.id, session);
    }

    fn on_close(&mut self, id: SessionId, reason: &'static str, left: Left, tried: Option<Tried>) {
        self.forget_pass(id);
        if let Some(session) = self.sessions.remove(&id) {
            self.forget(id, session.login.as_ref(), left);
            self.tell(&session, "closed", Some(reason), tried);
        }
    }

    fn on_catalog(&mut self) {
        if !self.parts.auth.borrow_and_update().enabled {
            return;
        }
        let catalog = Arc::clone(&self.parts.catalog.borrow_and_update());
        // Whose login was looked at after the catalog was read is not in it yet, perhaps.
        self.fresh_users.retain(|_, (_, asked_at)| catalog.read_at.is_none_or(|read_at| read_at < *asked_at));
        self.sessions.values_mut().for_each(|session| renew(session, &catalog, self.enforced_since));
    }

    fn visibility(&self, id: SessionId) -> Visibility {
        match self.sessions.get(&id).and_then(|session| session.login.as_ref()) {
            Some(login) => Visibility { rights: login.user.rights.clone(), filter: login.filter.clone() },
            None => Visibility { rights: MonitorRights::none(), filter: MonitorFilter::All },
        }
    }

    fn list(&self, filter: &ClientFilter, after: Option<SessionId>) -> ClientPage {
        let catalog = self.parts.catalog.borrow();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let wanted = |session: &&Session| filter.state.is_none_or(|state| state == state_of(session));
        let page: Vec<_> =
            self.sessions.range((from, Bound::Unbounded)).take(CLIENTS).map(|(_, session)| session).collect();
        let next = page.last().filter(|_| page.len() == CLIENTS).map(|session| session.id);
        let wanted = page.into_iter().filter(wanted);
        ClientPage {
            clients: wanted.map(|session| session.view(&catalog.monitors, &self.tokens)).collect(),
            next,
        }
    }

    fn count(&self) -> ClientCounts {
        let authenticated = self.sessions.values().filter(|session| session.login.is_some()).count();
        ClientCounts {
            total: self.sessions.len() as u64,
            authenticated: authenticated as u64,
            dropped_slow: self.parts.counters.slow_sessions.value(),
            rejected: self.parts.counters.rejected.value(),
        }
    }

    fn tell(
        &self,
        session: &Session,
        change: &'static str,
        reason: Option<&'static str>,
        tried: Option<Tried>,
    ) {
        let at = self.parts.clock.now();
        self.parts.tap.send_with(|| {
            let client = session.view(&self.parts.catalog.borrow().monitors, &self.tokens);
            TapEvent::Session(Arc::new(SessionChange { at, change, reason, tried, client }))
        });
    }

    /// Tells those who watch of a session that has changed.
    pub(super) fn tell_session(&self, id: SessionId, change: &'static str) {
        if let Some(session) = self.sessions.get(&id) {
            self.tell(session, change, None, None);
        }
    }

    /// Returns a session that has authenticated.
    pub(super) fn login(&self, id: SessionId) -> Option<&LoggedIn> {
        self.sessions.get(&id)?.login.as_ref()
    }

    /// Returns a session that has authenticated, to change it.
    pub(super) fn login_mut(&mut self, id: SessionId) -> Option<&mut LoggedIn> {
        self.sessions.get_mut(&id)?.login.as_mut()
    }

    /// Hands something over to the push side, without waiting.
    pub(super) fn order(&mut self, order: PushOrder) {
        if !self.push.enabled {
            return;
        }
        // What is withdrawn must not be sent because the queue was full at that moment.
        while let Some((&token, &last)) = self.withdrawals.first_key_value() {
            if self.parts.pushes.try_send(PushOrder::Withdraw(token, last)).is_err() {
                break;
            }
            self.withdrawals.remove(&token);
        }
        if let Err(TrySendError::Full(order) | TrySendError::Closed(order)) =
            self.parts.pushes.try_send(order)
        {
            if let PushOrder::Withdraw(token, last) = order {
                self.withdrawals.insert(token, last);
            }
            self.parts.counters.deferred_pushes.increment();
            debug!("the push side does not keep up: it finds the rest on the disk");
        }
    }

    /// Has nothing more sent to a token of what was decided until now.
    pub(super) fn withdraw(&mut self, token: TokenId) {
        self.order(PushOrder::Withdraw(token, self.last_delivery));
    }

    /// Has something kept, without waiting.
    pub(super) fn note(&self, note: Note) {
        self.try_note(note);
    }

    /// Has something kept, without waiting; false: there is no room.
    pub(super) fn try_note(&self, note: Note) -> bool {
        if self.parts.state.note(note) {
            return true;
        }
        // Once per thousand: the queue is full because the disk is stuck, and the log may lie on the same disk.
        if self.parts.counters.lost_notes.value().is_multiple_of(1000) {
            error!("the state file does not keep up: alarms are sent, but not recorded");
        }
        self.parts.counters.lost_notes.increment();
        false
    }
}

fn state_of(session: &Session) -> ClientState {
    if session.login.is_some() { ClientState::Authenticated } else { ClientState::Pending }
}
