//! What stands before one transport: its breaker, and how many pushes are under way.

use std::sync::Arc;

use tokio::time::Instant;
use zmes_providers::PushTransport;

use super::breaker::Breaker;

/// Pushes under way at the same time through one transport. HTTP/2 servers allow 100 streams or more; beyond that a
/// push would only wait elsewhere.
const IN_FLIGHT: usize = 100;

/// The way to one transport.
#[derive(Debug)]
pub(super) struct Gate {
    /// Tells it from its predecessors: pushes that go out through a transport come out after it was replaced.
    pub(super) id: u64,
    transport: Arc<dyn PushTransport>,
    pub(super) breaker: Breaker,
    in_flight: usize,
}

impl Gate {
    pub(super) fn new(id: u64, transport: Arc<dyn PushTransport>) -> Self {
        Self { id, transport, breaker: Breaker::new(), in_flight: 0 }
    }

    /// Says whether it is the way to that very transport.
    pub(super) fn leads_to(&self, transport: &Arc<dyn PushTransport>) -> bool {
        std::ptr::addr_eq(Arc::as_ptr(&self.transport), Arc::as_ptr(transport))
    }

    /// Returns the transport's name.
    pub(super) fn name(&self) -> &str {
        self.transport.name()
    }

    /// Says whether one more may be sent now, while so many have come out and are not on the disk.
    pub(super) fn has_room(&self, now: Instant, unwritten: usize) -> bool {
        self.in_flight + unwritten < IN_FLIGHT && self.breaker.admits(now)
    }

    /// One is on its way.
    pub(super) fn sending(&mut self, now: Instant) {
        self.in_flight += 1;
        self.breaker.sending(now);
    }

    /// One has come out.
    pub(super) fn came_out(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }
}
