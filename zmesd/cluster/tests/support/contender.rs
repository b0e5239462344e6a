//! A node that contends for the lease, as a daemon does.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;
use zmes_cluster::lease::{Lease, LeaseAction, LeaseEvent, LeaseSight, LeaseTiming, perform};
use zmes_cluster::node::NodeKey;
use zmes_cluster::{LedgerLine, glance};

/// A node that contends: what a daemon does with its lease, without the rest.
pub(crate) struct Contender {
    pub(crate) key: NodeKey,
    pub(crate) line: LedgerLine,
    pub(crate) lease: Arc<Mutex<Lease>>,
    started: Instant,
}

impl Contender {
    pub(crate) fn new(key: NodeKey, line: LedgerLine, term: Duration, started: Instant) -> Self {
        let lease = Lease::new(key, 0, LeaseTiming::new(term), started.elapsed());
        Self { key, line, lease: Arc::new(Mutex::new(lease)), started }
    }

    pub(crate) async fn tell(&mut self, event: LeaseEvent) {
        let mut todo = self.lease.lock().await.on(event, self.started.elapsed());
        while !todo.is_empty() {
            let mut next = Vec::new();
            for action in todo {
                if action == LeaseAction::Drain {
                    next.extend(self.lease.lock().await.on(LeaseEvent::Drained, self.started.elapsed()));
                }
                let started = self.started;
                let (event, _why) = perform(&mut self.line, self.key, action, || started.elapsed()).await;
                if let Some(event) = event {
                    next.extend(self.lease.lock().await.on(event, self.started.elapsed()));
                }
            }
            todo = next;
        }
    }

    pub(crate) async fn turn(&mut self) {
        let event = match glance(&mut self.line).await {
            Ok(glance) => LeaseEvent::Seen(LeaseSight::of(&glance, self.key.id)),
            Err(_) => LeaseEvent::Unanswered,
        };
        self.tell(event).await;
        self.tell(LeaseEvent::Tick).await;
    }
}

/// Says who sends; more than one is a failure.
pub(crate) async fn sender(leases: &[(NodeKey, Arc<Mutex<Lease>>)], started: Instant) -> Option<NodeKey> {
    let mut senders = Vec::new();
    // All locks are held, so that what is compared is one moment.
    let mut held = Vec::new();
    for (key, lease) in leases {
        held.push((key, lease.lock().await));
    }
    let now = started.elapsed();
    senders.extend(held.iter().filter(|(_, lease)| lease.may_send(now)).map(|(key, _)| **key));
    assert!(senders.len() < 2, "two send: {senders:?}");
    senders.pop()
}
