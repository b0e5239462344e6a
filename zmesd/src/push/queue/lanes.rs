//! What waits to be sent, in memory: one lane for each token, so that each phone gets its alarms in order.
//!
//! Pure: time is passed in. A lane has exactly one position: at a gate (its head may go as soon as the transport has
//! room), delayed (its head may go at a certain time), or out (its head is being sent).

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use zmes_providers::Urgency;

use super::job::Job;
use super::storm::StormGuard;
use crate::domain::{Token, TokenId};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LanePosition {
    Gate(usize),
    Delayed(Delay),
    Out,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::push) struct Delay {
    pub(in crate::push) until: Instant,
    /// It waits only because the transport failed, and is sent as soon as that works again.
    pub(in crate::push) for_the_transport: bool,
}

#[derive(Debug)]
struct Lane {
    queue: VecDeque<Job>,
    position: LanePosition,
}

#[derive(Debug)]
pub(super) struct Lanes {
    by_token: HashMap<TokenId, Lane>,
    /// Lanes that may go, by gate, in the order in which they came.
    gates: Vec<VecDeque<TokenId>>,
    delayed: BTreeSet<(Instant, TokenId)>,
    guards: HashMap<TokenId, StormGuard>,
    window: Duration,
}

impl Lanes {
    pub(super) fn new(gates: usize, window: Duration) -> Self {
        Self {
            by_token: HashMap::new(),
            gates: vec![VecDeque::new(); gates],
            delayed: BTreeSet::new(),
            guards: HashMap::new(),
            window,
        }
    }

    pub(super) fn waits_at(&self, gate: usize) -> bool {
        self.gates.get(gate).is_some_and(|queue| !queue.is_empty())
    }

    pub(super) fn push(&mut self, job: Job, gate: usize) {
        let id = job.token.id;
        if job.urgency == Urgency::Urgent {
            self.end_storm_wait(id, gate);
        }
        let lane = self.by_token.entry(id).or_insert_with(|| {
            self.gates.get_mut(gate).into_iter().for_each(|queue| queue.push_back(id));
            Lane { queue: VecDeque::new(), position: LanePosition::Gate(gate) }
        });
        lane.queue.push_back(job);
    }

    /// Makes a lane due that waits for the end of the storm guard's minute: only then does a head wait that was never
    /// tried, and no transport is the reason.
    fn end_storm_wait(&mut self, id: TokenId, gate: usize) {
        let Some(lane) = self.by_token.get_mut(&id) else { return };
        let LanePosition::Delayed(delay) = lane.position else { return };
        if delay.for_the_transport || lane.queue.front().is_none_or(|job| job.attempts > 0) {
            return;
        }
        self.delayed.remove(&(delay.until, id));
        lane.position = LanePosition::Gate(gate);
        self.gates.get_mut(gate).into_iter().for_each(|queue| queue.push_back(id));
    }

    /// Says whether an urgent alarm waits for the token.
    pub(super) fn has_urgent(&self, token: TokenId) -> bool {
        let lane = self.by_token.get(&token);
        lane.is_some_and(|lane| lane.queue.iter().any(|job| job.urgency == Urgency::Urgent))
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.delayed.first().map(|(due, _)| *due)
    }

    pub(super) fn advance(&mut self, now: Instant, gate_of: impl Fn(&Token) -> usize) {
        while let Some(&(due, id)) = self.delayed.first().filter(|(due, _)| *due <= now) {
            self.delayed.remove(&(due, id));
            self.line_up(id, &gate_of);
        }
    }

    pub(super) fn hurry(&mut self, now: Instant, gate: usize, gate_of: impl Fn(&Token) -> usize) {
        let theirs = |id: &TokenId| {
            let lane = self.by_token.get(id)?;
            let LanePosition::Delayed(delay) = lane.position else { return None };
            let own = delay.for_the_transport && gate_of(&lane.queue.front()?.token) == gate;
            own.then_some((delay, *id))
        };
        let hurried: Vec<_> = self.delayed.iter().filter_map(|(_, id)| theirs(id)).collect();
        for (delay, id) in hurried {
            let sooner = Delay { until: delay.until.min(now), ..delay };
            self.delayed.remove(&(delay.until, id));
            self.delayed.insert((sooner.until, id));
            self.by_token.entry(id).and_modify(|lane| lane.position = LanePosition::Delayed(sooner));
        }
    }

    pub(super) fn regate(&mut self, gates: usize, gate_of: impl Fn(&Token) -> usize) {
        let waiting: Vec<_> = std::mem::take(&mut self.gates).into_iter().flatten().collect();
        self.gates = vec![VecDeque::new(); gates];
        for id in waiting {
            self.line_up(id, &gate_of);
        }
    }

    fn line_up(&mut self, id: TokenId, gate_of: &impl Fn(&Token) -> usize) {
        let Some(lane) = self.by_token.get_mut(&id) else { return };
        let Some(gate) = lane.queue.front().map(|job| gate_of(&job.token)) else { return };
        lane.position = LanePosition::Gate(gate);
        self.gates.get_mut(gate).into_iter().for_each(|queue| queue.push_back(id));
    }

    pub(super) fn waiting_for(&self, gate: usize, gate_of: impl Fn(&Token) -> usize) -> usize {
        let lanes = self.by_token.values();
        let theirs = lanes.filter(|lane| lane.queue.front().is_some_and(|job| gate_of(&job.token) == gate));
        theirs.map(|lane| lane.queue.len()).sum()
    }

    /// Returns the next lane at a gate, which is out until [`Self::back`].
    pub(super) fn next(&mut self, gate: usize) -> Option<TokenId> {
        let id = self.gates.get_mut(gate)?.pop_front()?;
        let lane = self.by_token.get_mut(&id)?;
        lane.position = LanePosition::Out;
        Some(id)
    }

    pub(super) fn take(&mut self, id: TokenId) -> Option<Job> {
        self.by_token.get_mut(&id)?.queue.pop_front()
    }

    pub(super) fn put_back(&mut self, jobs: Vec<Job>) {
        for job in jobs.into_iter().rev() {
            let lane = self
                .by_token
                .entry(job.token.id)
                .or_insert_with(|| Lane { queue: VecDeque::new(), position: LanePosition::Out });
            lane.queue.push_front(job);
        }
    }

    /// Returns a lane that was out: to its gate, or delayed. An empty one is removed.
    pub(super) fn back(&mut self, id: TokenId, delay: Option<Delay>, gate_of: impl Fn(&Token) -> usize) {
        let Some(lane) = self.by_token.get_mut(&id) else { return };
        if lane.queue.is_empty() {
            self.by_token.remove(&id);
        } else if let Some(delay) = delay {
            lane.position = LanePosition::Delayed(delay);
            self.delayed.insert((delay.until, id));
        } else {
            self.line_up(id, &gate_of);
        }
    }

    pub(super) fn withdraw(&mut self, id: TokenId) -> Vec<Job> {
        let Some(lane) = self.by_token.get_mut(&id) else { return Vec::new() };
        let jobs: Vec<_> = lane.queue.drain(..).collect();
        // One that is out is removed when it is back.
        if lane.position != LanePosition::Out {
            self.remove(id);
        }
        jobs
    }

    pub(super) fn expire(&mut self, now: Timestamp, retry_for: Duration) -> Vec<Job> {
        let (mut gone, mut emptied) = (Vec::new(), Vec::new());
        for (id, lane) in &mut self.by_token {
            let before = gone.len();
            while lane.queue.front().is_some_and(|job| job.expired(now, retry_for)) {
                gone.extend(lane.queue.pop_front());
            }
            if lane.queue.is_empty() && gone.len() > before && lane.position != LanePosition::Out {
                emptied.push(*id);
            }
        }
        for id in emptied {
            self.remove(id);
        }
        gone
    }

    fn remove(&mut self, id: TokenId) {
        match self.by_token.remove(&id).map(|lane| lane.position) {
            Some(LanePosition::Gate(gate)) => {
                self.gates.get_mut(gate).into_iter().for_each(|queue| queue.retain(|other| *other != id));
            }
            Some(LanePosition::Delayed(delay)) => {
                self.delayed.remove(&(delay.until, id));
            }
            Some(LanePosition::Out) | None => {}
        }
    }

    pub(super) fn guard(&mut self, id: TokenId, now: Instant) -> &mut StormGuard {
        let window = self.window;
        self.guards.entry(id).or_insert_with(|| StormGuard::new(now, window))
    }

    pub(super) fn cleared(&mut self, id: TokenId) {
        if let Some(guard) = self.guards.get_mut(&id) {
            guard.cleared();
        }
    }

    pub(super) fn forget_idle(&mut self, now: Instant) {
        self.guards.retain(|_, guard| !guard.idle(now));
    }
}

#[cfg(test)]
mod tests;
