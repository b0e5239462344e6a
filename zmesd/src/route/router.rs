//! The router's task.

mod alarms;
mod app_snoozes;
mod apps;
mod cluster;
mod ends;
mod link_snoozes;
mod snoozes;
mod targets;
mod token_admin;
mod troubles;
mod updates;
mod upkeep;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};
use zmes_shared::SessionId;
use zmes_shared::control::ClientFilter;
use zmes_shared::views::ClientCounts;

use super::attachments::Attachments;
use super::better::PictureRequests;
use super::decided::DecisionRing;
use super::devices::{Devices, SessionEnd};
use super::ends::OpenStarts;
use super::handle::{
    Census, ClientPage, CloseReason, FailedLogin, RouterCommand, SessionLinks, SessionOpening, Visibility,
};
use super::labels::{HeldDecisions, KnownLabels, LabelRequests};
use super::ledger::LedgerSide;
use super::missed::Missed;
use super::orders::OrderSender;
use super::owners::Owners;
use super::rule_hits::{HitCounts, RulesInUse};
use super::rules::PushRules;
use super::sessions::{Session, Sessions};
use super::snoozes::Snoozes;
use super::tap::{SessionChange, Tap, TapEvent, TokenChange};
use super::tokens::TokenTable;
use super::unlabelled::UnlabelledAlarms;
use crate::config::{AuthConfig, EndConfig, LabelsConfig, PictureConfig, TargetReceiver};
use crate::domain::{Alarm, DeliveryId, MonitorFilter, SnoozeId, Token, TokenId};
use crate::links::LinkMaker;
use crate::monitors::Catalog;
use crate::ports::Clock;
use crate::route::PushOrder;
use crate::rules::RuleSet;
use crate::state::{Note, Remembered, StateHandle};
use crate::telemetry::Counters;
use zmes_providers::TokenHandle;
use zmes_zoneminder::MonitorRights;

const UPKEEP_EVERY: Duration = Duration::from_millis(500);
/// Clients per page of the list: takes about 250 µs.
const CLIENTS: usize = 500;

#[derive(Debug)]
pub struct RouterParts {
    pub alarms: mpsc::Receiver<Alarm>,
    pub commands: mpsc::Receiver<RouterCommand>,
    pub catalog: watch::Receiver<Arc<Catalog>>,
    /// `[auth]`: while it is off, rights do not come from the catalog.
    pub auth: watch::Receiver<AuthConfig>,
    pub state: StateHandle,
    pub remembered: Remembered,
    /// Increases when a new state file has replaced a damaged or lost one.
    pub renewed: watch::Receiver<u64>,
    /// If full, the push side reads the dropped orders from the disk.
    pub pushes: OrderSender,
    pub push: watch::Receiver<PushRules>,
    /// `[[rule]]`
    pub rules: watch::Receiver<Arc<RuleSet>>,
    /// `[end]`
    pub ends: watch::Receiver<EndConfig>,
    /// `[labels]`
    pub labels: watch::Receiver<LabelsConfig>,
    /// If full, alarms are decided at once, without labels.
    pub label_requests: LabelRequests,
    /// `[picture]`
    pub pictures: watch::Receiver<PictureConfig>,
    /// If full, alarms get no better picture.
    pub picture_requests: PictureRequests,
    /// `[[target]]`
    pub targets: watch::Receiver<Arc<[TargetReceiver]>>,
    /// For pictures in the alarms that sessions get.
    pub links: LinkMaker,
    /// The machine's time zone, for rules without one of their own.
    pub zone: TimeZone,
    /// `[cluster]`; `None`: this is the only node.
    pub ledger: Option<LedgerSide>,
    pub tap: Tap,
    pub counters: Arc<Counters>,
    pub clock: Arc<dyn Clock>,
}

/// The router.
///
/// Owns: the session table, the token table, the devices' filters and intervals, the last decisions. Receives: alarms,
/// commands, catalogs. Sends, without waiting: frames to sessions, notes to the state, orders to the push side, events
/// to the tap. Ends: when told to, after the poller and the sessions have ended.
#[derive(Debug)]
pub struct Router {
    parts: RouterParts,
    push: PushRules,
    sessions: Sessions,
    tokens: TokenTable,
    targets: targets::Targets,
    snoozes: Snoozes,
    /// Receivers that got the start of an alarm which has not ended.
    open_starts: OpenStarts,
    rule_hits: HitCounts,
    /// Snoozes that could not be saved because the queue was full.
    unkept: Vec<SnoozeId>,
    /// Ends of snoozes that could not be saved.
    unended: Vec<(SnoozeId, Timestamp)>,
    /// Recently handled messages about troubles.
    told_troubles: troubles::ToldTroubles,
    labels: KnownLabels,
    /// Alarms recently sent without labels, which may get an update.
    unlabelled: UnlabelledAlarms,
    /// Alarms whose decisions for tokens wait for labels.
    held: HeldDecisions,
    /// False if this ZoneMinder has no source of labels.
    labels_possible: bool,
    attachments: Attachments,
    devices: Devices,
    owners: Owners,
    ring: DecisionRing,
    /// Late alarms for sessions that log in right after the start.
    missed: Missed,
    last_delivery: DeliveryId,
    /// Withdrawals that found the push side's queue full, each with its last delivery.
    withdrawals: BTreeMap<TokenId, DeliveryId>,
    alarms: u64,
    tests: u64,
    /// The log already says that a user reached the token limit.
    told_of_too_many: bool,
    /// Logins from before this moment may not have required credentials.
    enforced_since: Instant,
}

impl Router {
    pub fn new(mut parts: RouterParts) -> Self {
        let mut remembered = std::mem::take(&mut parts.remembered);
        let (tokens, sent) =
            (std::mem::take(&mut remembered.tokens), std::mem::take(&mut remembered.token_sent));
        let push = *parts.push.borrow_and_update();
        let snoozes = Snoozes::remembered(
            std::mem::take(&mut remembered.snoozes),
            std::mem::take(&mut remembered.withheld),
            remembered.last_snooze,
        );
        parts.remembered.held = std::mem::take(&mut remembered.held);
        parts.remembered.unlabelled = std::mem::take(&mut remembered.unlabelled);
        let labels = KnownLabels::remembered(std::mem::take(&mut remembered.labels));
        let rule_hits = HitCounts::remembered(std::mem::take(&mut remembered.rule_hits));
        let open_starts = OpenStarts::remembered(std::mem::take(&mut remembered.started));
        let now = Instant::now();
        Self {
            push,
            tokens: TokenTable::remembered(tokens, sent),
            targets: targets::Targets::default(),
            last_delivery: remembered.last_delivery,
            devices: Devices::restore(remembered, parts.clock.now()),
            parts,
            snoozes,
            open_starts,
            rule_hits,
            unkept: Vec::new(),
            unended: Vec::new(),
            told_troubles: troubles::ToldTroubles::default(),
            sessions: Sessions::default(),
            labels,
            unlabelled: UnlabelledAlarms::default(),
            held: HeldDecisions::default(),
            labels_possible: true,
            attachments: Attachments::default(),
            owners: Owners::default(),
            ring: DecisionRing::default(),
            missed: Missed::new(now),
            withdrawals: BTreeMap::new(),
            alarms: 0,
            tests: 0,
            told_of_too_many: false,
            enforced_since: now,
        }
    }

    /// Runs until `stop`, then handles what is already queued.
    pub async fn run(mut self, stop: CancellationToken) {
        // One interval for all rounds: a new sleep in each round would never finish while events keep coming.
        let mut upkeep = tokio::time::interval(UPKEEP_EVERY);
        upkeep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.hold_again();
        self.configure_targets();
        self.release_known();
        self.tell_updates();
        loop {
            let wait_ends = self.wait_ends();
            tokio::select! {
                biased;
                Some(alarm) = self.parts.alarms.recv() => self.on_alarm(alarm),
                Some(command) = self.parts.commands.recv() => self.on_command(command),
                Ok(()) = self.parts.targets.changed() => self.configure_targets(),
                Ok(()) = self.parts.catalog.changed() => self.on_catalog(),
                // Logins made while auth was off are checked once it is on again.
                Ok(()) = self.parts.auth.changed() => {
                    self.enforced_since = Instant::now();
                    self.on_catalog();
                }
                () = sleep_until(wait_ends.unwrap_or_else(Instant::now)), if wait_ends.is_some() => self.on_wait_over(),
                Ok(()) = self.parts.labels.changed() => self.on_label_settings(),
                Ok(()) = self.parts.push.changed() => self.push = *self.parts.push.borrow_and_update(),
                Ok(()) = self.parts.renewed.changed() => self.keep_all(),
                _ = upkeep.tick(), if self.has_upkeep() => self.upkeep(),
                () = stop.cancelled() => break,
            }
        }
        self.keep_unwritten();
        self.keep_devices();
    }

    fn on_command(&mut self, command: RouterCommand) {
        // A reply that cannot be sent is not an error: the caller has given up.
        match command {
            RouterCommand::Open(opening) => self.on_open(opening),
            RouterCommand::Attach(session, asked_at, login, reply) => {
                if self.on_login(session, asked_at, login) {
                    reply.send(()).ok();
                }
            }
            RouterCommand::SetFilter(session, filter, hint, reply) => {
                self.on_filter(session, filter, hint.as_ref());
                reply.send(()).ok();
            }
            RouterCommand::Close(session, reason, left, tried) => self.on_close(session, reason, left, tried),
            RouterCommand::Visibility(session, reply) => drop(reply.send(self.visibility(session))),
            RouterCommand::Replays(session, reply) => {
                self.missed.replays(session);
                reply.send(self.visibility(session)).ok();
            }
            RouterCommand::List(filter, after, reply) => drop(reply.send(self.list(&filter, after))),
            RouterCommand::Count(reply) => drop(reply.send(self.count())),
            RouterCommand::Census(reply) => drop(reply.send(self.census())),
            RouterCommand::Disconnect(session, reply) => {
                reply.send(self.sessions.end(session, CloseReason::Disconnected)).ok();
            }
            RouterCommand::Test(request, reply) => drop(reply.send(self.on_test(request))),
            RouterCommand::Snooze(command) => self.on_snooze_command(command),
            RouterCommand::Rules(reply) => drop(reply.send(self.rules_in_use())),
            RouterCommand::Labels(command) => self.on_labels(command),
            RouterCommand::Picture(command) => self.on_better_picture(*command),
            RouterCommand::Ledger(command) => self.on_ledger_command(*command),
            RouterCommand::Trouble(command) => self.on_trouble_command(*command),
            RouterCommand::Token(command) => self.on_token_command(command),
            RouterCommand::Ping(reply) => drop(reply.send(())),
        }
    }

    fn on_open(&mut self, opening: SessionOpening) {
        let session = self.sessions.open(opening);
        self.tell_session(session, "connected");
    }

    fn on_close(
        &mut self,
        id: SessionId,
        reason: &'static str,
        left: SessionEnd,
        tried: Option<FailedLogin>,
    ) {
        let token = self.token_handle(id);
        self.open_starts.forget_session(id);
        self.forget(id, left);
        if let Some(session) = self.sessions.close(id) {
            self.tell(&session, token, "closed", Some(reason), tried);
        }
    }

    fn on_catalog(&mut self) {
        self.renew_targets();
        if self.parts.auth.borrow_and_update().enabled {
            let catalog = self.parts.catalog.borrow_and_update();
            self.owners.on_catalog(&catalog);
            self.sessions.renew_all(&catalog, self.enforced_since);
        }
        self.release_known();
        self.tell_updates();
    }

    fn auth_enabled(&self) -> bool {
        self.parts.auth.borrow().enabled
    }

    fn visibility(&self, id: SessionId) -> Visibility {
        match self.sessions.login(id) {
            Some(login) => Visibility {
                rights: login.user.rights.clone(),
                filter: login.filter.clone(),
                links: self.parts.links.is_on().then(|| SessionLinks {
                    maker: self.parts.links.clone(),
                    user: Some(login.user.name.clone()).filter(|_| self.auth_enabled()),
                    now: self.parts.clock.now(),
                }),
            },
            None => Visibility { rights: MonitorRights::none(), filter: MonitorFilter::All, links: None },
        }
    }

    fn list(&self, filter: &ClientFilter, after: Option<SessionId>) -> ClientPage {
        let catalog = self.parts.catalog.borrow();
        let page: Vec<_> = self.sessions.after(after).take(CLIENTS).collect();
        let next = page.last().filter(|_| page.len() == CLIENTS).map(|session| session.id());
        let matching =
            page.into_iter().filter(|session| filter.state.is_none_or(|state| state == session.state()));
        let view = |session: &Session| session.view(&catalog.monitors, self.token_handle(session.id()));
        ClientPage { clients: matching.map(view).collect(), next }
    }

    fn count(&self) -> ClientCounts {
        ClientCounts {
            total: self.sessions.len() as u64,
            authenticated: self.sessions.authenticated() as u64,
            dropped_slow: self.parts.counters.slow_sessions.value(),
            rejected: self.parts.counters.rejected.value(),
        }
    }

    fn rules_in_use(&self) -> RulesInUse {
        RulesInUse {
            rules: Arc::clone(&self.parts.rules.borrow()),
            zone: self.parts.zone.clone(),
            hits: self.rule_hits.at(self.parts.clock.now()),
        }
    }

    fn census(&self) -> Census {
        let authenticated = self.sessions.authenticated();
        Census {
            pending: (self.sessions.len() - authenticated) as u64,
            authenticated: authenticated as u64,
            tokens: self.tokens.census(self.parts.clock.now()),
            snoozes: self.snoozes.len() as u64,
        }
    }

    fn token_handle(&self, session: SessionId) -> Option<TokenHandle> {
        self.tokens.get(self.attachments.token_of(session)?).map(|entry| entry.token().handle)
    }

    fn tell_session(&self, id: SessionId, change: &'static str) {
        if let Some(session) = self.sessions.get(id) {
            self.tell(session, self.token_handle(id), change, None, None);
        }
    }

    fn tell(
        &self,
        session: &Session,
        token: Option<TokenHandle>,
        change: &'static str,
        reason: Option<&'static str>,
        tried: Option<FailedLogin>,
    ) {
        let at = self.parts.clock.now();
        self.parts.tap.send_with(|| {
            let client = session.view(&self.parts.catalog.borrow().monitors, token);
            TapEvent::Session(Arc::new(SessionChange { at, change, reason, tried, client }))
        });
    }

    fn tell_token(&self, change: &'static str, token: &Arc<Token>) {
        let at = self.parts.clock.now();
        self.parts.tap.send_with(|| TapEvent::Token(TokenChange { at, change, token: Arc::clone(token) }));
    }

    fn order(&mut self, order: PushOrder) {
        if !self.push.enabled {
            return;
        }
        // A full queue must not cause a withdrawn push to be sent.
        while let Some((&token, &last)) = self.withdrawals.first_key_value() {
            if self.parts.pushes.try_send(PushOrder::Withdraw(token, last)).is_err() {
                break;
            }
            self.withdrawals.remove(&token);
        }
        if let Err(order) = self.parts.pushes.try_send(order) {
            if let PushOrder::Withdraw(token, last) = order {
                self.withdrawals.insert(token, last);
            }
            self.parts.counters.deferred_pushes.increment();
            debug!("push queue full: the push side reads the rest from the disk");
        }
    }

    fn withdraw(&mut self, token: TokenId) {
        self.order(PushOrder::Withdraw(token, self.last_delivery));
    }

    fn note(&self, note: Note) {
        self.try_note(note);
    }

    /// Sends a note to the state without waiting. Returns false if the queue is full.
    fn try_note(&self, note: Note) -> bool {
        if self.parts.state.note(note) {
            return true;
        }
        // Once per thousand: the queue is full because the disk is stuck, and the log may be on the same disk.
        if self.parts.counters.lost_notes.value().is_multiple_of(1000) {
            error!("state queue full: alarms are sent, but not recorded");
        }
        self.parts.counters.lost_notes.increment();
        false
    }
}
