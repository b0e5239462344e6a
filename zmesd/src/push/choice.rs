//! What the dispatcher sends next, and by which way.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use zmes_providers::{Destination, PushTransport, Transports};

use super::dispatcher::Dispatcher;
use super::lanes::{Delay, Job};
use super::shipment::{Shipment, Way};
use super::storm::Turn;
use crate::domain::{Origin, SkipReason, Token, TokenId};
use crate::ports::{Held, HeldBy};

impl Dispatcher {
    /// Sends what may go through a gate.
    pub(super) fn ship_all(&mut self, gate: usize, now: Instant) {
        while self.may_ship(gate, now) {
            let Some(id) = self.lanes.next(gate) else { return };
            self.parts.status.release(id);
            match self.shipment(id, gate, now) {
                Ok(shipment) => {
                    if let Some(gate) = self.gates.get_mut(gate) {
                        gate.sending(now);
                        self.parts.status.went_out(gate.name());
                    }
                    let (retry_for, wall) = (self.parts.config.retry_for, self.parts.clock.now());
                    self.sending.spawn(shipment.send(retry_for, wall));
                }
                Err(None) => self.back(id, None),
                Err(Some(until)) => {
                    let reason = format!("push.storm-limit is {}", self.parts.config.storm_limit);
                    self.hold(id, HeldBy::Storm, until.saturating_duration_since(now), reason);
                    self.back(id, Some(Delay { until, for_the_transport: false }));
                }
            }
        }
    }

    /// Takes what is to be sent next from a lane; else when to look again.
    fn shipment(&mut self, id: TokenId, gate: usize, now: Instant) -> Result<Shipment, Option<Instant>> {
        let mut jobs = Vec::new();
        let mut digest = false;
        while let Some(job) = self.lanes.take(id) {
            if self.is_withdrawn(&job) {
                self.drop_withdrawn(&job);
                continue;
            }
            if jobs.is_empty() && gate_of(&self.transports, &self.remembered, &job.token) != gate {
                // The head before it has gone, and this one goes another way.
                self.lanes.put_back(vec![job]);
                return Err(None);
            }
            if let Some(outcome) = self.refusal(&job) {
                self.conclude(&job, outcome);
                continue;
            }
            if jobs.is_empty() && job.alarm.origin != Origin::Test {
                let guard = self.lanes.guard(id, now);
                let turn = if job.attempts > 0 {
                    guard.again()
                } else {
                    guard.turn(now, self.parts.config.storm_limit)
                };
                match turn {
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
        let ways = self.ways(&first.token, gate, now);
        if jobs.iter().all(|job| job.attempts == 0) && first.alarm.origin != Origin::Test {
            self.lanes.guard(id, now).count();
        }
        let gate = self.gates.get(gate).map(|gate| gate.id);
        Ok(Shipment { token: id, jobs, digest, gate, ways })
    }

    /// Returns a lane to its place.
    pub(super) fn back(&mut self, id: TokenId, delay: Option<Delay>) {
        let (transports, remembered) = (&self.transports, &self.remembered);
        self.lanes.back(id, delay, |token| gate_of(transports, remembered, token));
    }

    /// Tells others why a phone has to wait.
    pub(super) fn hold(&self, id: TokenId, by: HeldBy, wait: Duration, reason: String) {
        let until = self.parts.clock.now().checked_add(wait).ok();
        self.parts.status.hold(id, Held { by, until, reason });
    }

    /// Returns the ways to a phone with which of them rest; the one whose turn it is does not.
    fn ways(&self, token: &Token, turn: usize, now: Instant) -> Vec<Way> {
        let own = self.gates.get(turn).map(|gate| gate.id);
        let way = |transport: Arc<dyn PushTransport>| {
            let gate = self.gates.iter().find(|gate| gate.leads_to(&transport));
            let rests = gate.is_some_and(|gate| Some(gate.id) != own && !gate.breaker.admits(now));
            Way { gate: gate.map(|gate| gate.id), rests, transport }
        };
        self.candidates(token).into_iter().map(way).collect()
    }

    /// Returns the transports for a phone, the best first.
    pub(super) fn candidates(&self, token: &Token) -> Vec<Arc<dyn PushTransport>> {
        self.transports.candidates(&destination(&self.remembered, token))
    }

    /// Returns why a user may not hear of a monitor any more, if so.
    pub(super) fn forbidden(&self, job: &Job) -> Option<SkipReason> {
        if !self.parts.auth.borrow().enabled || job.token.user.is_empty() {
            return None;
        }
        let catalog = self.parts.catalog.borrow();
        // What was decided holds until the database has been read again: the router knew at least as much.
        let ours = job.id > self.parts.last_delivery;
        let read_since = catalog.read_at.is_some_and(|read_at| read_at > job.alarm.detected);
        if catalog.loaded_at.is_none() || (ours && !read_since) {
            return None;
        }
        catalog.may_hear(&job.token.user, job.alarm.monitor).err()
    }
}

pub(super) fn gate_of(
    transports: &Transports,
    remembered: &HashMap<TokenId, Arc<str>>,
    token: &Token,
) -> usize {
    transports.index_for(&destination(remembered, token))
}

/// Returns where a token leads, by the transport that has proved to be its own since it was handed over.
fn destination<'a>(remembered: &'a HashMap<TokenId, Arc<str>>, token: &'a Token) -> Destination<'a> {
    let own = token.destination();
    Destination { proven: remembered.get(&token.id).map(AsRef::as_ref).or(own.proven), ..own }
}
