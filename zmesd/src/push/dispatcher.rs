//! The dispatcher's task: what waits goes out, in order for each phone, and what came of it is written down.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::backlog::{Backlog, PAGE};
use super::gate::Gate;
use super::lanes::{Job, Lanes};
use super::registrations::Registrations;
use super::shipment::{Shipment, Shipped};
use super::status::PushStatus;
use super::storm::{Turn, WINDOW};
use super::transport::Transports;
use crate::config::{AuthConfig, PushConfig, PushMode};
use crate::domain::{DeliveryId, Origin, SkipReason, Token, TokenId};
use crate::monitors::Catalog;
use crate::ports::{Clock, PushBatch, PushOrder, PushTransport};
use crate::route::{RouterHandle, Tap};
use crate::state::{Note, QueuedPush, StateError, StateHandle};
use crate::telemetry::{Counters, Latencies};

/// Jobs in memory; what exceeds it stays on the disk until there is room.
const MEMORY: usize = 20_000;
/// Notes that may wait for room in the state's queue; while there are any, nothing new is sent.
const UNSAVED: usize = 8_192;
/// How often what has expired is looked for.
const SWEEP: Duration = Duration::from_secs(5);
/// How often transports are looked at, though nobody asks.
const LOOK: Duration = Duration::from_hours(1);
/// Pause after the disk could not be read.
const RELOAD_PAUSE: Duration = Duration::from_secs(2);
/// How long pushes under way may take when the daemon ends.
const DRAIN: Duration = Duration::from_millis(1_500);
/// Orders that are taken at a time.
const ORDERS: usize = 64;

/// What the dispatcher needs.
#[derive(Debug)]
pub struct DispatcherParts {
    /// What the router wants.
    pub orders: mpsc::Receiver<PushOrder>,
    /// The ways to phones.
    pub transports: Arc<Transports>,
    /// The delivery log.
    pub state: StateHandle,
    /// The last delivery that is on the disk.
    pub committed: watch::Receiver<DeliveryId>,
    /// Why nothing can be written, if so.
    pub trouble: watch::Receiver<Option<String>>,
    /// The last delivery of the daemon before.
    pub last_delivery: DeliveryId,
    /// Rights hold at the moment of sending.
    pub catalog: watch::Receiver<Arc<Catalog>>,
    /// While authentication is off, everybody may see all.
    pub auth: watch::Receiver<AuthConfig>,
    /// Who hears that a token is dead.
    pub router: RouterHandle,
    /// Who watches.
    pub tap: Tap,
    /// What the router counts: among it orders that it could not hand over.
    pub counters: Arc<Counters>,
    /// How things are, for others.
    pub status: Arc<PushStatus>,
    /// How long things take.
    pub latencies: Arc<Latencies>,
    /// `[push]`
    pub config: PushConfig,
    /// The time within which a token may get `storm-limit` pushes: [`DispatcherParts::MINUTE`], but for tests.
    pub storm_window: Duration,
    /// Wall time.
    pub clock: Arc<dyn Clock>,
}

impl DispatcherParts {
    /// The time within which a token may get `storm-limit` pushes.
    pub const MINUTE: Duration = WINDOW;
}

/// The dispatcher.
///
/// Owns: the jobs in memory, the breakers, the pushes under way. Receives: orders of the router, what the disk holds.
/// Sends: pushes, notes to the state, deaths of tokens to the router. Ends: when told to; what is not sent then is on
/// the disk.
#[derive(Debug)]
pub struct Dispatcher {
    pub(super) parts: DispatcherParts,
    pub(super) lanes: Lanes,
    pub(super) gates: Vec<Gate>,
    /// Deliveries that are not on the disk yet.
    fresh: VecDeque<Job>,
    backlog: Backlog,
    pages: JoinSet<Result<Vec<QueuedPush>, StateError>>,
    reload_at: Option<Instant>,
    /// Deliveries in memory or under way.
    outstanding: HashSet<DeliveryId>,
    /// Those that came out while a page was being read, which may still have them.
    finished: HashSet<DeliveryId>,
    /// Orders that the router could not hand over, as far as it is known here.
    deferred: u64,
    sending: JoinSet<Shipped>,
    registrations: Registrations,
    /// Looks at transports, burials of tokens.
    errands: JoinSet<()>,
    /// Notes for which the state had no room.
    pub(super) unsaved: VecDeque<Note>,
    /// Tokens that belong to another transport than the one that would come first.
    pub(super) remembered: HashMap<TokenId, Arc<str>>,
}

impl Dispatcher {
    /// Puts the dispatcher together.
    pub fn new(parts: DispatcherParts) -> Self {
        let gates: Vec<_> = parts.transports.all().map(|transport| Gate::new(transport.name())).collect();
        Self {
            // One lane more: for tokens that no transport takes.
            lanes: Lanes::new(gates.len() + 1, parts.storm_window),
            gates,
            fresh: VecDeque::new(),
            backlog: Backlog::at_start(parts.last_delivery),
            pages: JoinSet::new(),
            reload_at: None,
            outstanding: HashSet::new(),
            finished: HashSet::new(),
            deferred: 0,
            sending: JoinSet::new(),
            registrations: Registrations::default(),
            errands: JoinSet::new(),
            unsaved: VecDeque::new(),
            remembered: HashMap::new(),
            parts,
        }
    }

    /// Runs until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let (mut sweep, mut look) = (interval(SWEEP), interval(LOOK));
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut orders = Vec::with_capacity(ORDERS);
        loop {
            let due = self.proceed();
            tokio::select! {
                biased;
                Some(Ok(shipped)) = self.sending.join_next() => self.on_shipped(shipped),
                Some(Ok(page)) = self.pages.join_next() => self.on_page(page),
                () = self.registrations.one_ended() => {}
                Some(_) = self.errands.join_next() => {}
                taken = self.parts.orders.recv_many(&mut orders, ORDERS) => {
                    if taken == 0 { break }
                    orders.drain(..).for_each(|order| self.on_order(order));
                }
                Ok(()) = self.parts.committed.changed() => {}
                Ok(()) = self.parts.trouble.changed() => {}
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
                _ = sweep.tick() => self.sweep(),
                _ = look.tick() => self.look(),
                () = stop.cancelled() => break,
            }
        }
        self.drain().await;
    }

    /// Does what can be done now, and returns when there will be more.
    fn proceed(&mut self) -> Option<Instant> {
        let now = Instant::now();
        self.save();
        self.release();
        self.read_backlog(now);
        let (transports, remembered) = (&self.parts.transports, &self.remembered);
        self.lanes.advance(now, |token| gate_of(transports, remembered, token));
        let mut due = [self.lanes.next_due(), self.reload_at].into_iter().flatten().min();
        for gate in 0..=self.gates.len() {
            self.ship_all(gate, now);
            if let Some(rest) = self.gates.get(gate).and_then(|gate| gate.breaker.rests_until())
                && self.lanes.waits_at(gate)
            {
                due = Some(due.map_or(rest, |due| due.min(rest)));
            }
        }
        due
    }

    /// Hands over notes that had no room before.
    fn save(&mut self) {
        while let Some(note) = self.unsaved.pop_front() {
            if let Err(note) = self.parts.state.try_note(note) {
                self.unsaved.push_front(note);
                break;
            }
        }
    }

    /// Lets go what is on the disk; everything, while nothing gets there: a full disk must not silence phones.
    fn release(&mut self) {
        let committed = *self.parts.committed.borrow_and_update();
        let troubled = self.parts.trouble.borrow_and_update().is_some();
        while let Some(job) = self.fresh.pop_front_if(|job| troubled || job.id <= committed) {
            self.enqueue(job);
        }
        if troubled && self.lanes.len() < MEMORY / 2 && self.backlog.give_up() {
            error!("pushes that were left to the disk are lost, because it cannot be written");
        }
    }

    fn enqueue(&mut self, job: Job) {
        let gate = gate_of(&self.parts.transports, &self.remembered, &job.token);
        self.lanes.push(job, gate);
    }

    fn read_backlog(&mut self, now: Instant) {
        if self.reload_at.is_some_and(|at| now < at) || self.lanes.len() + self.fresh.len() > MEMORY / 2 {
            return;
        }
        self.reload_at = None;
        let deferred = self.parts.counters.deferred_pushes.value();
        if std::mem::replace(&mut self.deferred, deferred) != deferred {
            self.backlog.read_again();
        }
        let committed = *self.parts.committed.borrow();
        if let Some(after) = self.backlog.next_page(committed) {
            let state = self.parts.state.clone();
            self.pages.spawn(async move {
                // What was noted before this moment must be in the page, or not be queued in it any more.
                state.settle().await;
                state.pushes_after(after, PAGE).await
            });
        }
    }

    fn on_page(&mut self, page: Result<Vec<QueuedPush>, StateError>) {
        let pushes = match page {
            Ok(pushes) => pushes,
            Err(problem) => {
                warn!(error = &problem as &dyn std::error::Error, "cannot read waiting pushes");
                self.backlog.unread();
                self.reload_at = Some(Instant::now() + RELOAD_PAUSE);
                return;
            }
        };
        self.backlog.read(pushes.last().map(|push| push.id), pushes.len() == PAGE as usize);
        let finished = std::mem::take(&mut self.finished);
        for push in pushes {
            if finished.contains(&push.id) || !self.outstanding.insert(push.id) {
                continue;
            }
            if push.id <= self.parts.last_delivery {
                self.parts.status.came(1);
            }
            let QueuedPush { id, token, alarm, badge, attempts } = push;
            self.enqueue(Job { id, token, alarm, badge, attempts, receipts: None });
        }
    }

    fn on_order(&mut self, order: PushOrder) {
        match order {
            PushOrder::Alarm(batch) => self.on_alarm(batch),
            PushOrder::Register(token) => self.on_register(&token),
            PushOrder::Withdraw(token) => {
                // The router has written it down.
                let mut gone = Vec::new();
                for job in std::mem::take(&mut self.fresh) {
                    if job.token.id == token { gone.push(job) } else { self.fresh.push_back(job) }
                }
                gone.extend(self.lanes.withdraw(token));
                for job in gone {
                    self.parts.status.went();
                    self.finish(job.id);
                }
            }
        }
    }

    fn on_alarm(&mut self, batch: PushBatch) {
        let PushBatch { alarm, deliveries, receipts } = batch;
        let (Some(first), Some(last)) = (deliveries.first(), deliveries.last()) else { return };
        self.parts.status.came(deliveries.len());
        let full = self.lanes.len() + self.fresh.len() >= MEMORY;
        if full || self.backlog.is_behind() {
            debug!(deliveries = deliveries.len(), "left to the disk");
            self.backlog.leave(first.id, last.id);
            return;
        }
        self.outstanding.extend(deliveries.iter().map(|delivery| delivery.id));
        self.fresh.extend(deliveries.into_iter().map(|delivery| Job {
            id: delivery.id,
            token: delivery.token,
            alarm: Arc::clone(&alarm),
            badge: delivery.badge,
            attempts: 0,
            receipts: receipts.clone(),
        }));
    }

    /// A delivery is not this task's business any more.
    pub(super) fn finish(&mut self, id: DeliveryId) {
        self.outstanding.remove(&id);
        if !self.pages.is_empty() {
            self.finished.insert(id);
        }
    }

    fn on_register(&mut self, token: &Arc<Token>) {
        if self.parts.config.mode == PushMode::Shadow {
            return;
        }
        if let Some(transport) = self.candidates(token).into_iter().next() {
            self.registrations.add(transport, token);
        }
    }

    /// Sends what may go through a gate.
    fn ship_all(&mut self, gate: usize, now: Instant) {
        while self.unsaved.len() < UNSAVED && self.gates.get(gate).is_none_or(|gate| gate.has_room(now)) {
            let Some(id) = self.lanes.next(gate) else { return };
            match self.shipment(id, gate, now) {
                Ok(shipment) => {
                    if let Some(gate) = self.gates.get_mut(gate) {
                        gate.sending();
                        self.parts.status.update(gate.name(), |status| status.in_flight += 1);
                    }
                    let (retry_for, wall) = (self.parts.config.retry_for, self.parts.clock.now());
                    self.sending.spawn(shipment.send(retry_for, wall));
                }
                Err(due) => self.back(id, due),
            }
        }
    }

    /// Takes what is to be sent next from a lane; else when to look again.
    fn shipment(&mut self, id: TokenId, gate: usize, now: Instant) -> Result<Shipment, Option<Instant>> {
        let mut jobs = Vec::new();
        let mut digest = false;
        while let Some(job) = self.lanes.take(id) {
            if let Some(outcome) = self.refusal(&job) {
                self.conclude(&job, outcome);
                continue;
            }
            if jobs.is_empty() && job.alarm.origin != Origin::Test {
                match self.lanes.guard(id, now).turn(now, self.parts.config.storm_limit) {
                    Turn::Single => {}
                    Turn::Digest => digest = true,
                    Turn::Wait(until) => {
                        self.lanes.put_back(vec![job]);
                        return Err(Some(until));
                    }
                }
            }
            jobs.push(job);
            if !digest {
                break;
            }
        }
        let Some(first) = jobs.first() else { return Err(None) };
        let candidates = self.candidates(&first.token);
        if jobs.iter().all(|job| job.attempts == 0) && first.alarm.origin != Origin::Test {
            self.lanes.guard(id, now).count();
        }
        Ok(Shipment { token: id, jobs, digest, gate, candidates })
    }

    /// Returns a lane to its place.
    pub(super) fn back(&mut self, id: TokenId, due: Option<Instant>) {
        let (transports, remembered) = (&self.parts.transports, &self.remembered);
        self.lanes.back(id, due, |token| gate_of(transports, remembered, token));
    }

    /// Returns the ways to a phone, the best first.
    pub(super) fn candidates(&self, token: &Token) -> Vec<Arc<dyn PushTransport>> {
        self.parts.transports.candidates(&remembering(&self.remembered, token))
    }

    /// Has the router lay a dead token to rest; it then withdraws what still waits.
    pub(super) fn bury(&mut self, token: TokenId, reason: String) {
        let router = self.parts.router.clone();
        self.errands.spawn(async move {
            if router.token_dead(token, reason).await.is_err() {
                // The next push to it will find it dead again.
                warn!("the router is busy: a dead token stays");
            }
        });
    }

    /// Returns why a user may not hear of a monitor any more, if so.
    pub(super) fn forbidden(&self, job: &Job) -> Option<SkipReason> {
        if !self.parts.auth.borrow().enabled || job.token.user.is_empty() {
            return None;
        }
        let catalog = self.parts.catalog.borrow();
        // Before the database was read once nobody can be judged anew: what was decided holds.
        catalog.loaded_at?;
        catalog.may_hear(&job.token.user, job.alarm.monitor).err()
    }

    fn sweep(&mut self) {
        let now = self.parts.clock.now();
        for job in self.lanes.expire(now, self.parts.config.retry_for) {
            self.conclude_expired(&job);
        }
        self.lanes.forget_idle(Instant::now());
    }

    /// Looks whether the providers can be reached, and says so.
    fn look(&mut self) {
        if self.parts.config.mode == PushMode::Shadow {
            return;
        }
        for transport in self.parts.transports.all() {
            let transport = Arc::clone(transport);
            self.errands.spawn(async move {
                let steps = transport.check().await;
                let (name, target) = (transport.name(), transport.target());
                let kind = if name == "proxy" { "PushProxy" } else { "Push transport" };
                match steps.iter().find(|step| !step.ok) {
                    None => info!(transport = name, "{kind} {target} is reachable."),
                    Some(step) => {
                        warn!(
                            transport = name,
                            step = step.name,
                            "{kind} {target} is NOT reachable: {}",
                            step.detail
                        );
                    }
                }
            });
        }
    }

    /// Ends: pushes under way may come out, the rest waits on the disk for the next start.
    async fn drain(&mut self) {
        self.registrations.clear();
        self.errands.abort_all();
        let deadline = Instant::now() + DRAIN;
        while let Ok(Some(shipped)) =
            timeout(deadline.saturating_duration_since(Instant::now()), self.sending.join_next()).await
        {
            if let Ok(shipped) = shipped {
                self.on_shipped(shipped);
            }
            self.save();
        }
        if !self.sending.is_empty() {
            warn!(
                pushes = self.sending.len(),
                "some pushes were under way: they are repeated after the next start"
            );
        }
        self.save();
    }
}

fn gate_of(transports: &Transports, remembered: &HashMap<TokenId, Arc<str>>, token: &Token) -> usize {
    transports.gate_of(&remembering(remembered, token))
}

/// Returns a token with the transport that has proved to be its own since it was handed over.
fn remembering<'a>(remembered: &HashMap<TokenId, Arc<str>>, token: &'a Token) -> Cow<'a, Token> {
    match remembered.get(&token.id) {
        None => Cow::Borrowed(token),
        Some(transport) => Cow::Owned(Token { transport: Some(Arc::clone(transport)), ..token.clone() }),
    }
}
