//! Changes of the ways to phones while the dispatcher runs: others after a reload, and rests that an admin ends.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::info;

use super::clearance::gate_of;
use super::dispatcher::Dispatcher;
use super::gates::Gate;
use crate::ports::Retried;

/// What an admin wants of the dispatcher.
#[derive(Debug)]
pub enum PushCommand {
    /// End the rest of transports, and let what waits for them go.
    Retry {
        /// Only those of that kind: `proxy`, `fcm`, `apns`.
        only: Option<String>,
        /// Which there are, and how long they would have rested.
        reply: oneshot::Sender<Vec<Retried>>,
    },
}

impl Dispatcher {
    /// Takes the ways of a new configuration. What has not changed keeps its breaker; what has begins anew, and what
    /// waited because the old one failed is sent now. Pushes under way finish with the transport that they have.
    pub(super) fn on_transports(&mut self) {
        self.transports = Arc::clone(&*self.parts.transports.borrow_and_update());
        let mut before = std::mem::take(&mut self.gates);
        let mut fresh = Vec::new();
        for (place, transport) in self.transports.all().enumerate() {
            if let Some(kept) = before.iter().position(|gate| gate.leads_to(transport)) {
                self.gates.push(before.swap_remove(kept));
                continue;
            }
            self.gate_ids += 1;
            self.parts.status.forget(transport.name());
            info!(
                transport = transport.name(),
                target = transport.target(),
                "transport replaced by the reload"
            );
            self.gates.push(Gate::new(self.gate_ids, Arc::clone(transport)));
            fresh.push(place);
        }
        for gone in before.iter().filter(|gone| !self.gates.iter().any(|gate| gate.name() == gone.name())) {
            self.parts.status.forget(gone.name());
        }
        let (transports, remembered) = (&self.transports, &self.remembered);
        let gate_of = |token: &_| gate_of(transports, remembered, token);
        self.lanes.regate(self.gates.len() + 1, gate_of);
        let now = Instant::now();
        for place in fresh {
            self.lanes.hurry(now, place, gate_of);
        }
    }

    pub(super) fn on_command(&mut self, command: PushCommand) {
        let PushCommand::Retry { only, reply } = command;
        let now = Instant::now();
        let mut retried = Vec::new();
        let (transports, remembered) = (&self.transports, &self.remembered);
        let gate_of = |token: &_| gate_of(transports, remembered, token);
        for (place, gate) in self.gates.iter_mut().enumerate() {
            let kind = gate.name().split(':').next();
            if only.as_deref().is_some_and(|only| kind != Some(only)) {
                continue;
            }
            let rest = gate.breaker.end_rest(now);
            if rest.is_some() {
                info!(transport = gate.name(), rest = ?rest, "rest ended by an admin");
                self.parts.status.rest_ended(gate.name(), self.parts.clock.now());
            }
            self.lanes.hurry(now, place, gate_of);
            let waiting = self.lanes.waiting_for(place, gate_of) as u64;
            retried.push(Retried { transport: gate.name().to_owned(), rest, waiting });
        }
        // Whoever asked may have given up.
        reply.send(retried).ok();
    }
}
