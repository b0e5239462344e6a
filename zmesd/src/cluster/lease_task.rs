//! The lease's task: a line of its own, so that nothing else delays a renewal.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use zmes_cluster::LedgerLine;
use zmes_cluster::lease::{LeaseAction, LeaseEvent, LeaseSight, perform};
use zmes_cluster::node::Membership;

use super::board::Board;
use super::turns::{Turns, steady};

/// How often time is told to the lease.
const TICK: Duration = Duration::from_millis(100);

/// Owns: the statements of the lease. Receives: what was seen of its row. Ends: when told to and the lease is given back.
#[derive(Debug)]
pub(super) struct LeaseTask {
    pub(super) turns: Arc<Turns>,
    pub(super) board: Arc<Board>,
    pub(super) line: LedgerLine,
    pub(super) member: watch::Receiver<Option<Membership>>,
    /// `None`: the ledger did not answer.
    pub(super) sights: watch::Receiver<Option<LeaseSight>>,
    /// Signs of life that were answered: whether they said that nothing keeps this node from sending.
    pub(super) beats: watch::Receiver<bool>,
}

impl LeaseTask {
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.enter();
        let mut stops = false;
        loop {
            let event = tokio::select! {
                biased;
                Ok(()) = self.member.changed() => {
                    self.enter();
                    LeaseEvent::Tick
                }
                Ok(()) = self.sights.changed() => {
                    let sight = *self.sights.borrow_and_update();
                    sight.map_or(LeaseEvent::Unanswered, LeaseEvent::Seen)
                }
                Ok(()) = self.beats.changed() => LeaseEvent::Beat { is_well: *self.beats.borrow_and_update() },
                () = stop.cancelled(), if !stops => {
                    stops = true;
                    LeaseEvent::Stop
                }
                _ = tick.tick() => {
                    if self.turns.is_drained() { LeaseEvent::Drained } else { LeaseEvent::Tick }
                }
            };
            self.tell(event).await;
            if stops && !self.turns.is_holder() {
                return;
            }
        }
    }

    fn enter(&mut self) {
        self.turns.enter(self.member.borrow_and_update().map(|member| member.key));
    }

    async fn tell(&mut self, event: LeaseEvent) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for action in self.turns.on(event) {
                self.log(action);
                let Some(own) = *self.member.borrow() else { continue };
                let (event, error) = perform(&mut self.line, own.key, action, steady).await;
                if let Some(error) = error {
                    self.board.failed(&error);
                }
                events.extend(event);
            }
        }
    }

    fn log(&self, action: LeaseAction) {
        match action {
            LeaseAction::Lead(epoch) => {
                self.board.took_over();
                info!(epoch, "this node sends the pushes of all nodes now");
            }
            LeaseAction::Fence => warn!("this node does not send pushes any more: its lease has ended"),
            LeaseAction::Drain => info!("another node is to send the pushes: finishing what is on its way"),
            LeaseAction::Alone => {
                warn!(
                    "the ledger takes no writes: this node is alone, and other nodes cannot hear of its cameras"
                );
            }
            LeaseAction::Together => info!("the ledger takes writes again"),
            LeaseAction::Take(_) | LeaseAction::Renew(_) | LeaseAction::Release(_) | LeaseAction::Ask(_) => {}
        }
    }
}
