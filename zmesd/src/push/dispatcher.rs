//! The dispatcher's task: it receives, asks the [`Queue`] what to do, hands pushes to transports, and reports.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};
use zmes_providers::PushError;
use zmes_shared::words::{GiveUp, HeldBy};

use super::checks;
use super::gates::Gates;
use super::outcome::OutcomeReporter;
use super::parts::DispatcherParts;
use super::queue::{Delay, Job, LaneStep, LaneTurn, MEMORY, Queue, QueueLimits};
use super::registrations::Registrations;
use super::shipment::{Leave, ProviderAnswer, Shipment, Shipped};
use super::side::PushCommand;
use crate::config::PushConfig;
use crate::domain::{SkipReason, Token, TokenId};
use crate::ports::Retried;
use crate::route::{PushOrder, PushRules};
use crate::state::{Attempt, Note, Outcome, PushPage, StateError};
use crate::telemetry::Transport;

/// Deliveries that are read from the disk at a time.
const PAGE: u32 = 1000;
/// Room in the state's queue that is left for the router.
const ROOM: usize = 2_048;
/// How often expired pushes are removed.
const SWEEP: Duration = Duration::from_secs(5);
/// Without a turn for this long, though each sweep is one, the dispatcher counts as hanging.
const STANDSTILL: Duration = Duration::from_secs(30);
/// How often transports are checked without being asked to.
const CHECK: Duration = Duration::from_hours(1);
/// How long pushes under way may take when the daemon ends.
const DRAIN: Duration = Duration::from_millis(1_500);
/// Orders that are taken at a time.
const ORDERS: usize = 64;
/// How often outcomes are offered again that the cluster had no room for.
const OFFER: Duration = Duration::from_millis(50);

/// The dispatcher.
///
/// Owns: the queue, the gates with their breakers, the pushes under way. Receives: orders of the router, what the disk
/// holds. Sends: pushes, notes to the state, deaths of tokens to the router. Ends: when told to; what is not sent then
/// is on the disk.
#[derive(Debug)]
pub struct Dispatcher {
    parts: DispatcherParts,
    queue: Queue,
    gates: Gates,
    reporter: OutcomeReporter,
    registrations: Registrations,
    sending: JoinSet<Shipped>,
    /// Pages of the disk, and whether everything that was noted before was there when they were read.
    pages: JoinSet<(bool, Result<PushPage, StateError>)>,
    /// Checks of transports, and messages to the router.
    errands: JoinSet<()>,
}

impl Dispatcher {
    pub fn new(parts: DispatcherParts) -> Self {
        let gates = Gates::new(Arc::clone(&*parts.transports.borrow()));
        let PushConfig { storm_limit, retry_for, .. } = parts.config;
        let limits = QueueLimits { memory: MEMORY, storm_limit, storm_window: parts.storm_window, retry_for };
        Self {
            queue: Queue::new(limits, parts.last_delivery, gates.places()),
            gates,
            reporter: OutcomeReporter::new(&parts),
            registrations: Registrations::default(),
            parts,
            sending: JoinSet::new(),
            pages: JoinSet::new(),
            errands: JoinSet::new(),
        }
    }

    pub async fn run(mut self, stop: CancellationToken) {
        let (mut sweep, mut check) = (interval(SWEEP), interval(CHECK));
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut orders = Vec::with_capacity(ORDERS);
        self.on_rules(false);
        while !stop.is_cancelled() {
            let due = self.proceed();
            self.reporter.counters.beats.dispatcher.back_within(STANDSTILL);
            tokio::select! {
                biased;
                Some(Ok(shipped)) = self.sending.join_next() => self.on_shipped(shipped),
                Some(Ok((settled, page))) = self.pages.join_next() => self.on_page(settled, page),
                () = self.registrations.one_ended() => {}
                Some(_) = self.errands.join_next() => {}
                taken = self.parts.orders.orders.recv_many(&mut orders, ORDERS) => {
                    if taken == 0 { break }
                    self.on_orders(&mut orders);
                }
                Ok(()) = self.parts.orders.dropped.changed() => self.queue.read_again(),
                Ok(()) = self.parts.committed.changed() => {}
                Ok(()) = self.parts.trouble.changed() => {}
                Ok(()) = self.parts.rules.changed() => self.on_rules(true),
                Ok(()) = self.parts.transports.changed() => self.on_transports(),
                Some(command) = self.parts.commands.recv() => self.on_command(command),
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
                _ = sweep.tick() => self.sweep(),
                _ = check.tick() => self.check_transports(),
                () = stop.cancelled() => break,
            }
        }
        self.drain().await;
    }

    fn proceed(&mut self) -> Option<Instant> {
        let now = Instant::now();
        self.save();
        self.read_disk_state();
        self.tell_given_up();
        if self.queue.release(now, |token| self.gates.place_of(token)) {
            error!("state file cannot be written: pushes that are only there are sent once it can be");
        }
        self.read_backlog(now);
        for place in 0..self.gates.places() {
            self.ship_all(place, now);
        }
        // Jobs that ended without being sent (shadow, expired, rights) are noted in this turn, too.
        self.save();
        self.reporter.tell_cluster();
        self.reporter.status.set_queued(self.queue.queued());
        let rest = self.gates.next_rest_ends(now, |place| self.queue.waits_at(place));
        let told = self.reporter.waits_for_cluster().then(|| now + OFFER);
        rest.into_iter().chain(self.queue.next_due(now)).chain(told).min()
    }

    fn save(&mut self) {
        let state = &self.parts.state;
        self.queue.hand_over(|attempts| {
            if state.room() <= ROOM {
                return Err(attempts);
            }
            match state.try_note(Note::Attempts(attempts)) {
                Err(Note::Attempts(attempts)) => Err(attempts),
                Ok(()) | Err(_) => Ok(()),
            }
        });
    }

    fn read_disk_state(&mut self) {
        let writable = self.parts.trouble.borrow_and_update().is_none();
        self.queue.on_disk(*self.parts.committed.borrow_and_update(), writable);
    }

    /// Reports abandoned pushes to the router: its intervals count from pushes that were sent.
    fn tell_given_up(&mut self) {
        let given_up = self.reporter.take_given_up();
        if given_up.is_empty() {
            return;
        }
        let router = self.parts.router.clone();
        self.errands.spawn(async move {
            if router.untold(given_up).await.is_err() {
                debug!("router busy: intervals count from pushes that were given up");
            }
        });
    }

    // What comes in.

    fn on_orders(&mut self, orders: &mut Vec<PushOrder>) {
        // Dropped deliveries are older than those after them: they must be read before newer ones are sent.
        if self.parts.orders.take_dropped() {
            self.queue.read_again();
        }
        self.read_disk_state();
        // A reload makes the way to a target before the router decides for it.
        if self.parts.transports.has_changed().unwrap_or(false) {
            self.on_transports();
        }
        for order in orders.drain(..) {
            let place_of = |token: &Token| self.gates.place_of(token);
            match order {
                PushOrder::Alarm(batch) => {
                    let left = self.queue.accept(batch, place_of);
                    if left > 0 {
                        debug!(deliveries = left, "deliveries left to the state file until there is room");
                    }
                }
                PushOrder::Register(token) => self.on_register(&token),
                PushOrder::Withdraw(token, last) => {
                    self.queue.withdraw(token, last, Instant::now(), place_of);
                }
            }
        }
    }

    fn on_register(&mut self, token: &Arc<Token>) {
        if self.parts.in_shadow() {
            return;
        }
        if let Some(transport) = self.gates.candidates(token).into_iter().next() {
            self.registrations.add(transport, token);
        }
    }

    fn read_backlog(&mut self, now: Instant) {
        let Some(after) = self.queue.next_page(now) else { return };
        let state = self.parts.state.clone();
        self.pages.spawn(async move {
            // What was noted before this moment must be in the page, or not be queued in it any more.
            let settled = state.settle().await;
            (settled, state.pushes_after(after, PAGE).await)
        });
    }

    fn on_page(&mut self, settled: bool, page: Result<PushPage, StateError>) {
        self.read_disk_state();
        match page {
            Ok(page) => {
                self.queue.page(page, settled, Instant::now(), |token| self.gates.place_of(token));
            }
            Err(problem) => {
                warn!(error = &problem as &dyn std::error::Error, "cannot read waiting pushes");
                self.queue.page_failed(Instant::now());
            }
        }
    }

    fn on_rules(&mut self, changed: bool) {
        let PushRules { enabled, shadow, .. } = *self.parts.rules.borrow_and_update();
        match (enabled, shadow) {
            (true, true) => warn!("push.mode is shadow: pushes are decided and logged, but not sent"),
            (true, false) if changed => info!("push.mode is live: pushes are sent"),
            (_, _) => {}
        }
    }

    /// Takes the transports of a new configuration. Pushes that waited because an old one failed are sent now.
    fn on_transports(&mut self) {
        let (replaced, removed) = self.gates.replace(Arc::clone(&*self.parts.transports.borrow_and_update()));
        for name in &removed {
            self.reporter.status.forget(name);
        }
        for transport in replaced.iter().filter_map(|place| self.gates.transport_at(*place)) {
            self.reporter.status.forget(transport.name());
            info!(
                transport = transport.name(),
                target = transport.target(),
                "transport replaced by the reload"
            );
        }
        let place_of = |token: &Token| self.gates.place_of(token);
        self.queue.regate(self.gates.places(), place_of);
        let now = Instant::now();
        for place in replaced {
            self.queue.hurry(now, place, place_of);
        }
    }

    fn on_command(&mut self, command: PushCommand) {
        let PushCommand::Retry { only, reply } = command;
        let now = Instant::now();
        let mut retried = Vec::new();
        for (place, transport, rest) in self.gates.end_rests(only.as_deref(), now) {
            if rest.is_some() {
                info!(transport, rest = ?rest, "rest ended by an admin");
                self.reporter.status.rest_ended(&transport, self.reporter.clock.now());
            }
            let place_of = |token: &Token| self.gates.place_of(token);
            self.queue.hurry(now, place, place_of);
            let waiting = self.queue.waiting_for(place, place_of) as u64;
            retried.push(Retried { transport, rest, waiting });
        }
        // The requester may have disconnected.
        reply.send(retried).ok();
    }

    // What goes out.

    fn ship_all(&mut self, place: usize, now: Instant) {
        while !self.queue.held_up() && self.gates.has_room(place, now, |gate| self.queue.unwritten(gate)) {
            let (gates, parts) = (&self.gates, &self.parts);
            let refusal = |job: &_| parts.refusal(job, gates);
            let Some(turn) = self.queue.next(place, now, |token| gates.place_of(token), refusal) else {
                return;
            };
            let LaneTurn { token, refused, step } = turn;
            self.reporter.status.release(token);
            for (job, outcome) in refused {
                self.conclude(&job, outcome);
            }
            match step {
                LaneStep::Send { jobs, digest } => {
                    let Some(first) = jobs.first() else { continue };
                    let ways = self.gates.ways(&first.token, place, now);
                    let shipment = Shipment { token, digest, gate: self.gates.id_at(place), ways, jobs };
                    if let Some(transport) = self.gates.went_out(place, now) {
                        self.reporter.status.went_out(transport);
                    }
                    let wall = self.reporter.clock.now();
                    let permit = self.parts.cluster.as_ref().map(|cluster| Arc::clone(&cluster.permit));
                    self.sending.spawn(shipment.send(
                        self.parts.config.retry_for,
                        self.parts.pictures.clone(),
                        self.parts.state.clone(),
                        permit,
                        wall,
                    ));
                }
                LaneStep::Wait(until) => {
                    let reason = format!("push.storm-limit is {}", self.queue.storm_limit());
                    let wait = until.saturating_duration_since(now);
                    self.reporter.hold(token, HeldBy::Storm, wait, reason);
                }
                LaneStep::Nothing => {}
            }
        }
    }

    fn conclude(&mut self, job: &Job, outcome: Outcome) {
        let attempt = self.reporter.not_sent(job, outcome, &self.gates);
        self.queue.conclude(attempt);
    }

    fn on_shipped(&mut self, shipped: Shipped) {
        let Shipped { shipment, answers, leave } = shipped;
        let alarms = shipment.ledger_alarms();
        let Shipment { token, mut jobs, digest, gate, .. } = shipment;
        let (now, refused) = (Instant::now(), leave == Leave::Refused);
        if let Some(transport) = self.gates.came_out(gate) {
            self.reporter.status.came_out(transport);
        }
        for answer in answers.iter().filter(|answer| answer.asked) {
            self.judge(answer, now);
        }
        let mut attempts: Vec<Attempt> = Vec::with_capacity(jobs.len());
        let mut delay = None;
        for (number, answer) in answers.iter().enumerate() {
            let (last, elsewhere) = (number + 1 == answers.len() && !refused, number > 0);
            for job in &mut jobs {
                job.attempts += 1;
            }
            attempts.append(&mut self.reporter.answered(&jobs, answer, last, elsewhere));
            match &answer.result {
                Ok(_) if elsewhere => self.gates.remember(token, Arc::clone(&answer.transport)),
                Err(PushError::Dead(reason)) if last => self.token_dead(token, reason.clone()),
                Err(_) if last && !answer.is_final() => delay = Some(self.delay(token, &jobs, answer, now)),
                Ok(_) | Err(_) => {}
            }
            if digest && answer.result.is_ok() {
                self.queue.digest_taken(token);
            }
        }
        if refused {
            delay = self.refused(&mut jobs, &mut attempts, gate.filter(|_| answers.is_empty()), now);
        }
        let retry = delay.map(|delay| {
            for job in &mut jobs {
                job.receipts = None;
            }
            (jobs, delay)
        });
        self.queue.came_out(token, gate, attempts, retry, |token| self.gates.place_of(token));
        if leave == Leave::Granted {
            self.reporter.came_out(&alarms);
        }
    }

    /// Another node sends now: leaves it what is of all nodes. The rest, of a digest of both, is sent in the next turn.
    fn refused(
        &mut self,
        jobs: &mut Vec<Job>,
        attempts: &mut Vec<Attempt>,
        unasked: Option<u64>,
        now: Instant,
    ) -> Option<Delay> {
        self.gates.unsent(unasked, now);
        for job in jobs.extract_if(.., |job| job.ledger.is_some()) {
            attempts.push(self.reporter.not_sent(&job, Outcome::Skipped(SkipReason::Elsewhere), &self.gates));
        }
        (!jobs.is_empty()).then_some(Delay { until: now, for_the_transport: false })
    }

    fn delay(&self, token: TokenId, jobs: &[Job], answer: &ProviderAnswer, now: Instant) -> Delay {
        let attempts = jobs.iter().map(|job| job.attempts).max().unwrap_or(1);
        let wait = answer.wait(attempts);
        let phone = matches!(answer.result, Err(PushError::Phone { .. }));
        let reason = answer.result.as_ref().err().map(ToString::to_string).unwrap_or_default();
        self.reporter.hold(token, if phone { HeldBy::Phone } else { HeldBy::Retry }, wait, reason);
        Delay { until: now + wait, for_the_transport: !phone }
    }

    fn judge(&mut self, answer: &ProviderAnswer, now: Instant) {
        let counters = &self.reporter.counters;
        counters.timings.record_answer(Transport::of(&answer.transport), answer.took);
        // A replaced transport's outcome says nothing about its successor.
        let Some((place, gate)) = self.gates.find(answer.gate) else { return };
        let (status, at) = (&self.reporter.status, self.reporter.clock.now());
        let transport = &*answer.transport;
        if let Err(PushError::Transport(fault)) = &answer.result {
            let rest = gate.breaker.failed(now, fault.retry_after, fastrand::f64());
            if let Some(rest) = rest {
                let (error, kind) = (fault.to_string(), fault.kind.word());
                warn!(transport, error, kind, rest = ?rest, "transport failed; pushes wait");
            }
            status.broke(transport, at, fault, rest.and_then(|rest| at.checked_add(rest).ok()));
            return;
        }
        let works_again = gate.breaker.answered();
        match &answer.result {
            Ok(_) => status.accepted(transport, at),
            Err(PushError::Message(detail)) => status.refused(transport, at, detail),
            Err(_) => status.answered(transport),
        }
        if works_again {
            info!(transport, "transport works again");
            self.queue.hurry(now, place, |token| self.gates.place_of(token));
        }
    }

    /// Has the router revoke a token that its provider calls dead; the router then withdraws what still waits.
    fn token_dead(&mut self, token: TokenId, reason: String) {
        self.reporter.counters.dead_tokens.increment();
        let router = self.parts.router.clone();
        self.errands.spawn(async move {
            if router.token_dead(token, reason).await.is_err() {
                warn!("router busy: could not revoke a token that its provider calls dead; the next push retries");
            }
        });
    }

    // From time to time.

    fn sweep(&mut self) {
        let now = self.reporter.clock.now();
        for job in self.queue.expire(now) {
            self.conclude(&job, Outcome::GaveUp(GiveUp::Expired));
        }
        self.queue.sweep(Instant::now());
        self.reporter.status.forget_held(now);
    }

    fn check_transports(&mut self) {
        if self.parts.in_shadow() {
            return;
        }
        for transport in self.gates.transports() {
            self.errands.spawn(checks::log_check(Arc::clone(transport)));
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
            self.reporter.tell_cluster();
            self.save();
        }
        while let Some(attempts) = self.queue.next_unsaved() {
            if !self.parts.state.keep(Note::Attempts(attempts), deadline).await {
                break;
            }
        }
        if !self.sending.is_empty() {
            warn!(
                pushes = self.sending.len(),
                "shutdown timed out: these pushes may be sent again after the next start"
            );
        }
    }
}
