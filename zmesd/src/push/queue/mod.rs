//! What waits to be sent, and what is done next.
//!
//! **A push is in the [`Queue`] from the moment the router has noted it until its outcome is on the disk**: left to the
//! disk (the memory was full), fresh (its alarm is not on the disk yet), waiting in its token's lane, under way, or
//! unsaved (its outcome is known, but not on the disk).
//!
//! Pure: no channels, no I/O, no clock. The dispatcher brings what happened and asks what to do; time comes as a
//! parameter, and so does the gate of a token, because which transports there are is not the queue's business.

mod backlog;
mod job;
mod lanes;
mod storm;
#[cfg(test)]
mod tests;
mod unsaved;
mod unstarted;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use zmes_providers::Urgency;

use self::backlog::Backlog;
pub(super) use self::job::{Job, StartOfEnd};
pub(super) use self::lanes::Delay;
use self::lanes::Lanes;
pub use self::storm::STORM_WINDOW;
use self::storm::Turn;
use self::unsaved::Unsaved;
use self::unstarted::Unstarted;
use crate::domain::{DeliveryId, SkipReason, StartState, Token, TokenId};
use crate::route::{PushBatch, PushDelivery};
use crate::state::{Attempt, Committed, Outcome, PushPage, QueuedPush};

/// Jobs in memory; what exceeds it stays on the disk until there is room.
pub(super) const MEMORY: usize = 20_000;
/// Notes about outcomes that may be on their way to the disk before nothing new is sent.
const UNWRITTEN: usize = 1_024;
/// How long a push waits for its alarm to be on the disk.
const PATIENCE: Duration = Duration::from_secs(3);
/// Pause after the disk could not be read.
const RELOAD_PAUSE: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy)]
pub(super) struct QueueLimits {
    /// Jobs in memory: [`MEMORY`], except in tests.
    pub(super) memory: usize,
    pub(super) storm_limit: u32,
    /// The time within which that limit counts: [`STORM_WINDOW`], except in tests.
    pub(super) storm_window: Duration,
    pub(super) retry_for: Duration,
}

#[derive(Debug)]
pub(super) struct LaneTurn {
    pub(super) token: TokenId,
    /// Jobs that are not sent, with why. They stay in the queue until [`Queue::conclude`].
    pub(super) refused: Vec<(Job, Outcome)>,
    pub(super) step: LaneStep,
}

#[derive(Debug)]
pub(super) enum LaneStep {
    /// Send these, in order, as one push; then [`Queue::came_out`]. Never empty.
    Send {
        jobs: Vec<Job>,
        digest: bool,
    },
    /// The storm limit is reached: the lane waits until then.
    Wait(Instant),
    Nothing,
}

#[derive(Debug)]
pub(super) struct Queue {
    limits: QueueLimits,
    backlog: Backlog,
    paged: DeliveryId,
    reload_at: Option<Instant>,
    /// Deliveries whose alarm is not on the disk yet, by ascending id.
    fresh: VecDeque<Job>,
    lanes: Lanes,
    /// Deliveries that are fresh, in a lane, or under way.
    in_memory: HashSet<DeliveryId>,
    /// Deliveries that were concluded while a page was being read, which may still have them.
    concluded: HashSet<DeliveryId>,
    /// Deliveries up to these numbers are withdrawn, with the moment of the withdrawal.
    withdrawn: HashMap<TokenId, (DeliveryId, Instant)>,
    unsaved: Unsaved,
    unstarted: Unstarted,
    committed: DeliveryId,
    writable: bool,
}

impl Queue {
    pub(super) fn new(limits: QueueLimits, last_delivery: DeliveryId, gates: usize) -> Self {
        Self {
            limits,
            backlog: Backlog::at_start(last_delivery),
            paged: DeliveryId::default(),
            reload_at: None,
            fresh: VecDeque::new(),
            lanes: Lanes::new(gates, limits.storm_window),
            in_memory: HashSet::new(),
            concluded: HashSet::new(),
            withdrawn: HashMap::new(),
            unsaved: Unsaved::default(),
            unstarted: Unstarted::default(),
            committed: DeliveryId::default(),
            writable: true,
        }
    }

    /// Deliveries of a former daemon, or dropped by the router, count from the moment when their page is read.
    pub(super) fn queued(&self) -> usize {
        self.in_memory.len() + self.backlog.left()
    }

    pub(super) fn storm_limit(&self) -> u32 {
        self.limits.storm_limit
    }

    // What comes in.

    pub(super) fn on_disk(&mut self, committed: Committed, writable: bool) {
        self.committed = committed.last;
        self.unsaved.written(committed.attempts);
        if writable && !self.writable {
            // What was not waited for any more while the disk could not be written may be there now.
            self.backlog.read_again();
        }
        self.writable = writable;
    }

    /// Takes an alarm's deliveries. Returns how many were left to the disk.
    pub(super) fn accept(&mut self, batch: PushBatch, gate_of: impl Fn(&Token) -> usize) -> usize {
        let PushBatch { alarm, mut deliveries, recorded, receipts, ledger } = batch;
        // A page may have been faster.
        deliveries.retain(|delivery| !recorded || delivery.id > self.paged);
        let (Some(first), Some(last)) = (deliveries.first(), deliveries.last()) else { return 0 };
        let full = self.memory_used() >= self.limits.memory;
        if recorded && (full || (self.backlog.is_behind() && self.writable)) {
            self.backlog.leave(first.id, last.id, deliveries.len());
            return deliveries.len();
        }
        self.in_memory.extend(deliveries.iter().map(|delivery| delivery.id));
        for PushDelivery { id, token, badge, urgency, start } in deliveries {
            let (alarm, receipts) = (Arc::clone(&alarm), receipts.clone());
            let start = start.map(StartOfEnd::new);
            let job = Job { id, token, alarm, badge, urgency, attempts: 0, receipts, start, ledger };
            // Deliveries that are not recorded will never be on the disk.
            if recorded { self.fresh.push_back(job) } else { self.enqueue(job, &gate_of) }
        }
        0
    }

    pub(super) fn read_again(&mut self) {
        self.backlog.read_again();
    }

    /// Returns after which delivery a page is to be read now; [`Self::page`] or [`Self::page_failed`] must follow.
    pub(super) fn next_page(&mut self, now: Instant) -> Option<DeliveryId> {
        // What has come out, but is not noted yet, would be read as queued.
        if self.reload_at.is_some_and(|at| now < at) || !self.has_room() || !self.unsaved.is_empty() {
            return None;
        }
        self.reload_at = None;
        self.backlog.next_page(self.committed)
    }

    /// Takes a page of the disk. `settled`: whatever was noted before was on the disk when it was read.
    pub(super) fn page(
        &mut self,
        page: PushPage,
        settled: bool,
        now: Instant,
        gate_of: impl Fn(&Token) -> usize,
    ) {
        if !settled && self.writable {
            self.page_failed(now);
            return;
        }
        let concluded = std::mem::take(&mut self.concluded);
        let ids: Vec<_> = page.pushes.iter().map(|push| push.id).collect();
        for QueuedPush { id, token, alarm, badge, urgency, attempts, start, ledger } in page.pushes {
            if let Some(start) = start {
                self.unstarted.put(start.id, start.state);
            }
            if !concluded.contains(&id) && self.in_memory.insert(id) {
                let start = start.map(|start| StartOfEnd::new(start.id.into()));
                let job = Job { id, token, alarm, badge, urgency, attempts, receipts: None, start, ledger };
                self.enqueue(job, &gate_of);
            }
        }
        self.backlog.read(&ids, page.last, page.full);
        self.paged = self.paged.max(page.last.unwrap_or_default());
    }

    /// A page could not be read; it is asked for again after a pause.
    pub(super) fn page_failed(&mut self, now: Instant) {
        self.concluded.clear();
        self.backlog.unread();
        self.reload_at = Some(now + RELOAD_PAUSE);
    }

    /// What was decided for a token until `last` is not sent any more: what waits now, what a page brings later, and
    /// what is under way and fails. The router has written it down.
    pub(super) fn withdraw(
        &mut self,
        token: TokenId,
        last: DeliveryId,
        now: Instant,
        gate_of: impl Fn(&Token) -> usize,
    ) {
        self.withdrawn.insert(token, (last, now));
        let (gone, fresh): (VecDeque<_>, _) = std::mem::take(&mut self.fresh)
            .into_iter()
            .partition(|job| job.token.id == token && job.id <= last);
        self.fresh = fresh;
        for job in self.lanes.withdraw(token).into_iter().chain(gone) {
            if job.id <= last { self.finish_unsent(job.id) } else { self.enqueue(job, &gate_of) }
        }
    }

    // What goes out.

    /// Moves jobs to their lanes whose alarm is on the disk, or that waited [`PATIENCE`] for that, or all while the disk
    /// cannot be written: a disk that is full or hangs must not stop pushes. Returns whether deliveries that were left to
    /// the disk cannot be read until it can be written again.
    pub(super) fn release(&mut self, now: Instant, gate_of: impl Fn(&Token) -> usize) -> bool {
        let (committed, writable) = (self.committed, self.writable);
        let goes = |job: &mut Job| !writable || job.id <= committed || job.alarm.detected + PATIENCE <= now;
        while let Some(job) = self.fresh.pop_front_if(goes) {
            self.enqueue(job, &gate_of);
        }
        self.lanes.advance(now, gate_of);
        !writable && self.has_room() && self.backlog.give_up()
    }

    /// Returns how many pushes through a gate count as under way although they have come out: after a crash they would be
    /// sent again. None while the disk cannot be written, which must not stop pushes.
    pub(super) fn unwritten(&self, gate: u64) -> usize {
        if self.writable { self.unsaved.of_gate(gate) } else { 0 }
    }

    /// Says whether nothing new may be sent until the disk has more of what came out.
    pub(super) fn held_up(&self) -> bool {
        self.writable && self.unsaved.notes() >= UNWRITTEN
    }

    /// Takes the next lane at a gate and says what to do for its token; `refusal`: why a job is not sent.
    pub(super) fn next(
        &mut self,
        gate: usize,
        now: Instant,
        gate_of: impl Fn(&Token) -> usize,
        refusal: impl Fn(&Job) -> Option<Outcome>,
    ) -> Option<LaneTurn> {
        let token = self.lanes.next(gate)?;
        let mut refused = Vec::new();
        let (step, told) = self.step(token, gate, now, &gate_of, |job| match refusal(&job) {
            Some(outcome) => {
                refused.push((job, outcome));
                None
            }
            None => Some(job),
        });
        refused.extend(told.into_iter().map(|job| (job, Outcome::Skipped(SkipReason::NotStarted))));
        match step {
            LaneStep::Send { .. } => {}
            LaneStep::Wait(until) => {
                self.lanes.back(token, Some(Delay { until, for_the_transport: false }), gate_of);
            }
            LaneStep::Nothing => self.lanes.back(token, None, gate_of),
        }
        Some(LaneTurn { token, refused, step })
    }

    fn step(
        &mut self,
        token: TokenId,
        gate: usize,
        now: Instant,
        gate_of: &impl Fn(&Token) -> usize,
        mut pass: impl FnMut(Job) -> Option<Job>,
    ) -> (LaneStep, Vec<Job>) {
        let (mut jobs, mut ends) = (Vec::<Job>::new(), Vec::new());
        let mut digest = false;
        while let Some(mut job) = self.lanes.take(token) {
            if self.is_withdrawn(&job) {
                self.finish_unsent(job.id);
                continue;
            }
            job.judge_start(|start| self.unstarted.state(start));
            if jobs.is_empty() && gate_of(&job.token) != gate {
                // The head before it has gone, and this one goes another way.
                self.lanes.put_back(vec![job]);
                return (LaneStep::Nothing, ends);
            }
            let Some(job) = pass(job) else { continue };
            if !jobs.is_empty() && job.alarm.follows_start() {
                if jobs.iter().any(|start| job.belongs_to(start.id)) {
                    ends.push(job);
                    continue;
                }
                // Its start was sent by itself: the end or update is, too, and later ones stay behind it.
                self.lanes.put_back(vec![job]);
                break;
            }
            if jobs.is_empty() && job.counts_for_storms() {
                let urgent = job.urgency == Urgency::Urgent || self.lanes.has_urgent(token);
                let guard = self.lanes.guard(token, now);
                // An urgent alarm is sent at once, after those waiting before it; at most that many more in a window.
                let limit = self.limits.storm_limit.saturating_mul(if urgent { 2 } else { 1 });
                match if job.attempts > 0 { guard.again() } else { guard.turn(now, limit) } {
                    Turn::Single => {}
                    Turn::Digest => digest = true,
                    Turn::Wait(until) => {
                        self.lanes.put_back(vec![job]);
                        return (LaneStep::Wait(until), ends);
                    }
                }
            }
            jobs.push(job);
            if !digest {
                break;
            }
        }
        if jobs.len() == 1 {
            // It is not a digest after all.
            self.lanes.put_back(std::mem::take(&mut ends));
        }
        let Some(first) = jobs.first() else { return (LaneStep::Nothing, ends) };
        if jobs.iter().all(|job| job.attempts == 0) && first.counts_for_storms() {
            self.lanes.guard(token, now).count();
        }
        (LaneStep::Send { jobs, digest }, ends)
    }

    /// A job ended without a push under way.
    pub(super) fn conclude(&mut self, attempt: Attempt) {
        self.finish_unless_retried(&attempt);
        self.unsaved.add(attempt);
    }

    /// A push came out: what each transport made of it, and the jobs that are to be tried again, if so.
    pub(super) fn came_out(
        &mut self,
        token: TokenId,
        gate: Option<u64>,
        attempts: Vec<Attempt>,
        retry: Option<(Vec<Job>, Delay)>,
        gate_of: impl Fn(&Token) -> usize,
    ) {
        for attempt in &attempts {
            self.finish_unless_retried(attempt);
        }
        self.unsaved.add_push(attempts, gate);
        let delay = retry.map(|(jobs, delay)| {
            self.lanes.put_back(jobs);
            delay
        });
        self.lanes.back(token, delay, gate_of);
    }

    /// A provider has taken a token's digest: single pushes follow.
    pub(super) fn digest_taken(&mut self, token: TokenId) {
        self.lanes.cleared(token);
    }

    // Outcomes.

    /// Hands outcomes over in groups that are to be written together, in order, until one is returned.
    pub(super) fn hand_over(&mut self, to: impl FnMut(Vec<Attempt>) -> Result<(), Vec<Attempt>>) {
        self.unsaved.hand_over(to);
    }

    pub(super) fn next_unsaved(&mut self) -> Option<Vec<Attempt>> {
        self.unsaved.next()
    }

    // Time, and other gates.

    /// Removes the jobs at the heads of lanes whose alarm is too old; they are to be concluded.
    pub(super) fn expire(&mut self, now: Timestamp) -> Vec<Job> {
        self.lanes.expire(now, self.limits.retry_for)
    }

    pub(super) fn sweep(&mut self, now: Instant) {
        self.lanes.forget_idle(now);
        let retry_for = self.limits.retry_for;
        self.withdrawn.retain(|_, (_, at)| now.duration_since(*at) <= retry_for);
    }

    pub(super) fn next_due(&self, now: Instant) -> Option<Instant> {
        let reload = self.reload_at.filter(|at| *at > now);
        let release = self.fresh.front().map(|job| job.alarm.detected + PATIENCE);
        self.lanes.next_due().into_iter().chain(reload).chain(release).min()
    }

    pub(super) fn waits_at(&self, gate: usize) -> bool {
        self.lanes.waits_at(gate)
    }

    pub(super) fn waiting_for(&self, gate: usize, gate_of: impl Fn(&Token) -> usize) -> usize {
        self.lanes.waiting_for(gate, gate_of)
    }

    /// Ends the wait of lanes that only wait because the transport of their gate failed.
    pub(super) fn hurry(&mut self, now: Instant, gate: usize, gate_of: impl Fn(&Token) -> usize) {
        self.lanes.hurry(now, gate, gate_of);
    }

    /// There are `gates` other gates now.
    pub(super) fn regate(&mut self, gates: usize, gate_of: impl Fn(&Token) -> usize) {
        self.lanes.regate(gates, gate_of);
    }

    // Inside.

    /// Returns how much is in memory: deliveries, and outcomes for which the state has no room.
    fn memory_used(&self) -> usize {
        self.in_memory.len() + self.unsaved.outcomes()
    }

    fn has_room(&self) -> bool {
        self.memory_used() < self.limits.memory / 2
    }

    fn enqueue(&mut self, job: Job, gate_of: &impl Fn(&Token) -> usize) {
        let gate = gate_of(&job.token);
        self.lanes.push(job, gate);
    }

    fn is_withdrawn(&self, job: &Job) -> bool {
        self.withdrawn.get(&job.token.id).is_some_and(|(last, _)| job.id <= *last)
    }

    fn finish_unless_retried(&mut self, attempt: &Attempt) {
        let state = match &attempt.outcome {
            Outcome::Retry(_) => return,
            Outcome::Sent { digest: false, .. } => StartState::Sent,
            Outcome::Shadow { .. } => StartState::Shadow,
            Outcome::Sent { digest: true, .. }
            | Outcome::Failed(_)
            | Outcome::GaveUp(_)
            | Outcome::Skipped(_) => StartState::NotSent,
        };
        self.unstarted.put(attempt.delivery, state);
        self.finish(attempt.delivery);
    }

    /// A withdrawn push was not sent.
    fn finish_unsent(&mut self, id: DeliveryId) {
        self.unstarted.put(id, StartState::NotSent);
        self.finish(id);
    }

    fn finish(&mut self, id: DeliveryId) {
        self.in_memory.remove(&id);
        if self.backlog.is_reading() {
            self.concluded.insert(id);
        }
    }
}
