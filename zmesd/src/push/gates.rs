//! The transports as the dispatcher sees them: which one each token takes, and whether it may be used now.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use zmes_providers::{Destination, PushTransport, Transports};

use super::breaker::Breaker;
use super::shipment::Way;
use crate::domain::{Token, TokenId};

/// Pushes under way through one transport. HTTP/2 servers allow 100 streams or more.
const IN_FLIGHT: usize = 100;

#[derive(Debug)]
pub(super) struct Gate {
    /// Distinguishes it from its predecessors: pushes may return from a transport after it was replaced.
    id: u64,
    transport: Arc<dyn PushTransport>,
    pub(super) breaker: Breaker,
    in_flight: usize,
}

impl Gate {
    fn new(id: u64, transport: Arc<dyn PushTransport>) -> Self {
        Self { id, transport, breaker: Breaker::new(), in_flight: 0 }
    }

    fn leads_to(&self, transport: &Arc<dyn PushTransport>) -> bool {
        std::ptr::addr_eq(Arc::as_ptr(&self.transport), Arc::as_ptr(transport))
    }

    pub(super) fn name(&self) -> &str {
        self.transport.name()
    }
}

/// Says whether a name means this transport, by its kind or by the handle of its target: `ntfy:guard` is `ntfy` and
/// `@guard`.
pub(super) fn is_meant(transport: &str, choice: &str) -> bool {
    let (kind, name) = transport.split_once(':').unwrap_or((transport, ""));
    let by_kind = || kind == choice || transport == choice;
    choice.strip_prefix('@').map_or_else(by_kind, |target| name == target && kind != "fcm")
}

/// All gates, in the order of [`Transports::all`].
#[derive(Debug)]
pub(super) struct Gates {
    transports: Arc<Transports>,
    by_place: Vec<Gate>,
    last_id: u64,
    /// Tokens that belong to another transport than the one that would come first.
    remembered: HashMap<TokenId, Arc<str>>,
}

impl Gates {
    pub(super) fn new(transports: Arc<Transports>) -> Self {
        let gates: Vec<_> =
            (1..).zip(transports.all()).map(|(id, transport)| Gate::new(id, Arc::clone(transport))).collect();
        Self { last_id: gates.len() as u64, by_place: gates, transports, remembered: HashMap::new() }
    }

    /// Returns how many places there are; the last one is for tokens that no transport takes.
    pub(super) fn places(&self) -> usize {
        self.by_place.len() + 1
    }

    pub(super) fn place_of(&self, token: &Token) -> usize {
        self.transports.index_for(&self.destination(token))
    }

    pub(super) fn candidates(&self, token: &Token) -> Vec<Arc<dyn PushTransport>> {
        self.transports.candidates(&self.destination(token))
    }

    pub(super) fn transports(&self) -> impl Iterator<Item = &Arc<dyn PushTransport>> {
        self.transports.all()
    }

    pub(super) fn remember(&mut self, token: TokenId, transport: Arc<str>) {
        self.remembered.insert(token, transport);
    }

    /// Returns where a token leads, by the transport that it has proved to belong to since it was handed over.
    fn destination<'a>(&'a self, token: &'a Token) -> Destination<'a> {
        let own = token.destination();
        Destination { proven: self.remembered.get(&token.id).map(AsRef::as_ref).or(own.proven), ..own }
    }

    /// The ways to a phone, the best first, with which of them rest; that at `place`, whose turn it is, does not.
    pub(super) fn ways(&self, token: &Token, place: usize, now: Instant) -> Vec<Way> {
        let own = self.id_at(place);
        let way = |transport: Arc<dyn PushTransport>| {
            let gate = self.by_place.iter().find(|gate| gate.leads_to(&transport));
            let rests = gate.is_some_and(|gate| Some(gate.id) != own && !gate.breaker.admits(now));
            Way { gate: gate.map(|gate| gate.id), rests, transport }
        };
        self.candidates(token).into_iter().map(way).collect()
    }

    pub(super) fn id_at(&self, place: usize) -> Option<u64> {
        self.by_place.get(place).map(|gate| gate.id)
    }

    /// `unwritten`: how many have come out of a gate and are not on the disk.
    pub(super) fn has_room(&self, place: usize, now: Instant, unwritten: impl Fn(u64) -> usize) -> bool {
        self.by_place
            .get(place)
            .is_none_or(|gate| gate.in_flight + unwritten(gate.id) < IN_FLIGHT && gate.breaker.admits(now))
    }

    pub(super) fn went_out(&mut self, place: usize, now: Instant) -> Option<&str> {
        let gate = self.by_place.get_mut(place)?;
        gate.in_flight += 1;
        gate.breaker.sending(now);
        Some(gate.name())
    }

    /// A push has come out of a gate. Returns the transport's name, unless a reload has replaced it.
    pub(super) fn came_out(&mut self, id: Option<u64>) -> Option<&str> {
        let (_, gate) = self.find(id)?;
        gate.in_flight = gate.in_flight.saturating_sub(1);
        Some(gate.name())
    }

    /// A push that came out was not sent: it was no probe.
    pub(super) fn unsent(&mut self, id: Option<u64>, now: Instant) {
        if let Some((_, gate)) = self.find(id) {
            gate.breaker.unsent(now);
        }
    }

    /// Returns a gate and its place, unless a reload has replaced it.
    pub(super) fn find(&mut self, id: Option<u64>) -> Option<(usize, &mut Gate)> {
        self.by_place.iter_mut().enumerate().find(|(_, gate)| Some(gate.id) == id)
    }

    /// Ends the rests of transports, of that kind where one is named. Returns how long each would still have rested.
    pub(super) fn end_rests(
        &mut self,
        only: Option<&str>,
        now: Instant,
    ) -> Vec<(usize, String, Option<Duration>)> {
        let wanted = |gate: &Gate| only.is_none_or(|only| is_meant(gate.name(), only));
        let gates = self.by_place.iter_mut().enumerate().filter(|(_, gate)| wanted(gate));
        gates.map(|(place, gate)| (place, gate.name().to_owned(), gate.breaker.end_rest(now))).collect()
    }

    /// Returns when the first rest ends that keeps something waiting.
    pub(super) fn next_rest_ends(&self, now: Instant, waits_at: impl Fn(usize) -> bool) -> Option<Instant> {
        let waited_for = self.by_place.iter().enumerate().filter(|(place, _)| waits_at(*place));
        // A rest that is over has been used, or something else is in the way, whose end is heard of.
        waited_for.filter_map(|(_, gate)| gate.breaker.rests_until()).filter(|until| *until > now).min()
    }

    /// What has not changed keeps its gate with its breaker; pushes under way finish with the transport that they have.
    /// Returns the places of other transports than before, and the names of transports that are gone.
    pub(super) fn replace(&mut self, transports: Arc<Transports>) -> (Vec<usize>, Vec<String>) {
        let mut before = std::mem::take(&mut self.by_place);
        let mut replaced = Vec::new();
        for (place, transport) in transports.all().enumerate() {
            if let Some(kept) = before.iter().position(|gate| gate.leads_to(transport)) {
                self.by_place.push(before.swap_remove(kept));
                continue;
            }
            self.last_id += 1;
            self.by_place.push(Gate::new(self.last_id, Arc::clone(transport)));
            replaced.push(place);
        }
        self.transports = transports;
        let removed = before.iter().filter(|old| !self.by_place.iter().any(|gate| gate.name() == old.name()));
        (replaced, removed.map(|gate| gate.name().to_owned()).collect())
    }

    pub(super) fn transport_at(&self, place: usize) -> Option<&Arc<dyn PushTransport>> {
        self.by_place.get(place).map(|gate| &gate.transport)
    }
}
