//! What the dispatcher sends next, and by which way.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::dispatcher::Dispatcher;
use super::gate::Gate;
use super::lanes::Job;
use super::shipment::{Shipment, Way};
use super::storm::Turn;
use super::transport::Transports;
use crate::domain::{Origin, SkipReason, Token, TokenId};
use crate::ports::PushTransport;

impl Dispatcher {
    /// Sends what may go through a gate.
    pub(super) fn ship_all(&mut self, gate: usize, now: Instant) {
        while self.may_ship(gate, now) {
            let Some(id) = self.lanes.next(gate) else { return };
            match self.shipment(id, gate, now) {
                Ok(shipment) => {
                    if let Some(gate) = self.gates.get_mut(gate) {
                        gate.sending(now);
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
            if self.is_withdrawn(&job) {
                self.drop_withdrawn(&job);
                continue;
            }
            if jobs.is_empty() && gate_of(&self.parts.transports, &self.remembered, &job.token) != gate {
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
        Ok(Shipment { token: id, jobs, digest, gate, ways })
    }

    /// Returns a lane to its place.
    pub(super) fn back(&mut self, id: TokenId, due: Option<Instant>) {
        let (transports, remembered) = (&self.parts.transports, &self.remembered);
        self.lanes.back(id, due, |token| gate_of(transports, remembered, token));
    }

    /// Returns the ways to a phone with which of them rest; the one whose turn it is does not.
    fn ways(&self, token: &Token, turn: usize, now: Instant) -> Vec<Way> {
        let own = self.gates.get(turn).map(Gate::name);
        let rests = |name: &str| {
            let gate = self.gates.iter().find(|gate| gate.name() == name);
            Some(name) != own && gate.is_some_and(|gate| !gate.breaker.admits(now))
        };
        let way = |transport: Arc<dyn PushTransport>| Way { rests: rests(transport.name()), transport };
        self.candidates(token).into_iter().map(way).collect()
    }

    /// Returns the transports for a phone, the best first.
    pub(super) fn candidates(&self, token: &Token) -> Vec<Arc<dyn PushTransport>> {
        self.parts.transports.candidates(&remembering(&self.remembered, token))
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
    transports.gate_of(&remembering(remembered, token))
}

/// Returns a token with the transport that has proved to be its own since it was handed over.
fn remembering<'a>(remembered: &HashMap<TokenId, Arc<str>>, token: &'a Token) -> Cow<'a, Token> {
    match remembered.get(&token.id) {
        None => Cow::Borrowed(token),
        Some(transport) => Cow::Owned(Token { transport: Some(Arc::clone(transport)), ..token.clone() }),
    }
}
