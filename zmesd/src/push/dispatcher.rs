//! The dispatcher's task: what waits goes out, in order for each phone, and what came of it is written down.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use zmes_providers::Transports;
use zmes_shared::MonitorId;

use super::backlog::Backlog;
use super::choice::gate_of;
use super::gate::Gate;
use super::intake::Page;
use super::lanes::{Job, Lanes};
use super::registrations::Registrations;
use super::shipment::Shipped;
use super::status::PushStatus;
use super::storm::WINDOW;
use super::unsaved::Unsaved;
use super::ways::PushCommand;
use crate::config::{AuthConfig, PushConfig};
use crate::domain::{DeliveryId, TokenId};
use crate::monitors::Catalog;
use crate::ports::{Clock, PushOrder};
use crate::route::{PushRules, RouterHandle, Tap};
use crate::state::{Committed, StateHandle};
use crate::telemetry::{Counters, Latencies};

/// Jobs in memory; what exceeds it stays on the disk until there is room.
pub(super) const MEMORY: usize = 20_000;
/// Notes about outcomes that may be on their way to the disk before nothing new is concluded.
const UNWRITTEN: usize = 1_024;
/// How long a push waits for its alarm to be on the disk.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
/// How often what has expired is looked for.
const SWEEP: Duration = Duration::from_secs(5);
/// After so long without a turn, though each sweep is one, the dispatcher is taken to stand still.
const STANDSTILL: Duration = Duration::from_secs(30);
/// How often transports are looked at, though nobody asks.
const LOOK: Duration = Duration::from_hours(1);
/// Pause after the disk could not be read.
pub(super) const RELOAD_PAUSE: Duration = Duration::from_secs(2);
/// How long pushes under way may take when the daemon ends.
const DRAIN: Duration = Duration::from_millis(1_500);
/// Orders that are taken at a time.
const ORDERS: usize = 64;

/// What the dispatcher needs.
#[derive(Debug)]
pub struct DispatcherParts {
    /// What the router wants.
    pub orders: mpsc::Receiver<PushOrder>,
    /// The ways to phones; a reload replaces those that have changed.
    pub transports: watch::Receiver<Arc<Transports>>,
    /// What admins want.
    pub commands: mpsc::Receiver<PushCommand>,
    /// The delivery log.
    pub state: StateHandle,
    /// What is on the disk.
    pub committed: watch::Receiver<Committed>,
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
    /// Numbers since the start: among them orders that the router could not hand over.
    pub counters: Arc<Counters>,
    /// How things are, for others.
    pub status: Arc<PushStatus>,
    /// How long things take.
    pub latencies: Arc<Latencies>,
    /// `[push]`
    pub config: PushConfig,
    /// What of it may change: whether anything is sent.
    pub rules: watch::Receiver<PushRules>,
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
    /// The ways to phones as the gates know them.
    pub(super) transports: Arc<Transports>,
    pub(super) lanes: Lanes,
    pub(super) gates: Vec<Gate>,
    /// Counts the gates.
    pub(super) gate_ids: u64,
    /// Deliveries that are not on the disk yet.
    pub(super) fresh: VecDeque<Job>,
    pub(super) backlog: Backlog,
    /// The last delivery that a page had.
    pub(super) paged: DeliveryId,
    pub(super) pages: JoinSet<Page>,
    pub(super) reload_at: Option<Instant>,
    /// Deliveries in memory or under way.
    pub(super) outstanding: HashSet<DeliveryId>,
    /// Those that came out while a page was being read, which may still have them.
    pub(super) finished: HashSet<DeliveryId>,
    /// Orders that the router could not hand over, as far as it is known here.
    pub(super) deferred: u64,
    pub(super) sending: JoinSet<Shipped>,
    pub(super) registrations: Registrations,
    /// What was given up, of which the router has not heard yet.
    pub(super) untold: Vec<(TokenId, MonitorId, Timestamp)>,
    /// Looks at transports, burials of tokens, and what was given up.
    errands: JoinSet<()>,
    /// Deliveries up to these are not sent any more, with the moment when that was said.
    pub(super) withdrawn: HashMap<TokenId, (DeliveryId, Instant)>,
    /// Outcomes that are not on the disk.
    pub(super) unsaved: Unsaved,
    /// The disk could not be written when it was looked at last.
    pub(super) troubled: bool,
    /// Tokens that belong to another transport than the one that would come first.
    pub(super) remembered: HashMap<TokenId, Arc<str>>,
}

impl Dispatcher {
    /// Puts the dispatcher together.
    pub fn new(parts: DispatcherParts) -> Self {
        let transports = Arc::clone(&*parts.transports.borrow());
        let gates: Vec<_> =
            (1..).zip(transports.all()).map(|(id, way)| Gate::new(id, Arc::clone(way))).collect();
        Self {
            // One lane more: for tokens that no transport takes.
            lanes: Lanes::new(gates.len() + 1, parts.storm_window),
            gate_ids: gates.len() as u64,
            gates,
            transports,
            fresh: VecDeque::new(),
            backlog: Backlog::at_start(parts.last_delivery),
            paged: DeliveryId::default(),
            pages: JoinSet::new(),
            reload_at: None,
            outstanding: HashSet::new(),
            finished: HashSet::new(),
            deferred: 0,
            sending: JoinSet::new(),
            registrations: Registrations::default(),
            untold: Vec::new(),
            errands: JoinSet::new(),
            withdrawn: HashMap::new(),
            unsaved: Unsaved::default(),
            troubled: false,
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
        self.on_rules(false);
        while !stop.is_cancelled() {
            let due = self.proceed();
            self.parts.counters.beats.dispatcher.back_within(STANDSTILL);
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
                Ok(()) = self.parts.rules.changed() => self.on_rules(true),
                Ok(()) = self.parts.transports.changed() => self.on_transports(),
                Some(command) = self.parts.commands.recv() => self.on_command(command),
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
        self.unsaved.written(self.parts.committed.borrow().attempts);
        self.tell_untold();
        self.release(now);
        self.read_backlog(now);
        let (transports, remembered) = (&self.transports, &self.remembered);
        self.lanes.advance(now, |token| gate_of(transports, remembered, token));
        for gate in 0..=self.gates.len() {
            self.ship_all(gate, now);
        }
        // What was concluded without being sent (shadow, expired, rights) would wait for whatever happens next.
        self.save();
        let rests = self.gates.iter().enumerate().filter(|(gate, _)| self.lanes.waits_at(*gate));
        // A rest that is over has been used, or something else is in the way, whose end is heard of.
        let rests = rests.filter_map(|(_, gate)| gate.breaker.rests_until()).filter(|until| *until > now);
        // One that is due and was not used waits for room, or for outcomes to be written: both are heard of.
        let reload = self.reload_at.filter(|at| *at > now);
        let release = self.fresh.front().map(|job| job.alarm.detected + PATIENCE);
        rests.chain(self.lanes.next_due()).chain(reload).chain(release).min()
    }

    /// Hands outcomes over to the state.
    pub(super) fn save(&mut self) {
        self.unsaved.close();
        self.unsaved.hand_over(&self.parts.state);
    }

    /// Tells the router of what was given up: an interval counts from what was sent.
    fn tell_untold(&mut self) {
        if self.untold.is_empty() {
            return;
        }
        let (router, untold) = (self.parts.router.clone(), std::mem::take(&mut self.untold));
        self.errands.spawn(async move {
            if router.untold(untold).await.is_err() {
                debug!("the router is busy: intervals count from pushes that were given up");
            }
        });
    }

    /// Says whether one more push may go through a gate. What has come out keeps its place until its outcome is on the
    /// disk: after a crash only so much is repeated. While the disk cannot be written at all, phones ring nevertheless.
    pub(super) fn may_ship(&self, gate: usize, now: Instant) -> bool {
        let writable = self.parts.trouble.borrow().is_none();
        let held_up = writable && self.unsaved.notes() >= UNWRITTEN;
        let has_room = |gate: &Gate| {
            let unwritten = if writable { self.unsaved.of_gate(gate.id) } else { 0 };
            gate.has_room(now, unwritten)
        };
        !held_up && self.gates.get(gate).is_none_or(has_room)
    }

    /// Returns how much is in memory: deliveries, and outcomes for which the state has no room.
    pub(super) fn in_memory(&self) -> usize {
        self.outstanding.len() + self.unsaved.outcomes()
    }

    pub(super) fn has_room(&self) -> bool {
        self.in_memory() < MEMORY / 2
    }

    /// Has the router lay a dead token to rest; it then withdraws what still waits.
    pub(super) fn bury(&mut self, token: TokenId, reason: String) {
        self.parts.counters.dead_tokens.increment();
        let router = self.parts.router.clone();
        self.errands.spawn(async move {
            if router.token_dead(token, reason).await.is_err() {
                // The next push to it will find it dead again.
                warn!("the router is busy: a dead token stays");
            }
        });
    }

    /// Says whether pushes are decided and logged, but not sent.
    pub(super) fn in_shadow(&self) -> bool {
        self.parts.rules.borrow().shadow
    }

    fn on_rules(&mut self, changed: bool) {
        let PushRules { enabled, shadow, .. } = *self.parts.rules.borrow_and_update();
        match (enabled, shadow) {
            (true, true) => warn!("push.mode is shadow: pushes are decided and logged, none is sent"),
            (true, false) if changed => info!("push.mode is live: pushes are sent"),
            (_, _) => {}
        }
    }

    fn sweep(&mut self) {
        let now = self.parts.clock.now();
        for job in self.lanes.expire(now, self.parts.config.retry_for) {
            self.conclude_expired(&job);
        }
        let instant = Instant::now();
        self.lanes.forget_idle(instant);
        self.parts.status.forget_held(now);
        let retry_for = self.parts.config.retry_for;
        self.withdrawn.retain(|_, (_, at)| instant.duration_since(*at) <= retry_for);
    }

    /// Looks whether the providers can be reached, and says so.
    fn look(&mut self) {
        if self.in_shadow() {
            return;
        }
        for transport in self.transports.all() {
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
        self.unsaved.close();
        while let Some(note) = self.unsaved.next() {
            if !self.parts.state.keep(note, deadline).await {
                break;
            }
        }
        if !self.sending.is_empty() {
            warn!(
                pushes = self.sending.len(),
                "some pushes were under way: they are repeated after the next start"
            );
        }
    }
}
