//! Who sends, in turns: a turn begins when this node takes the lease, or cannot reach the ledger, and ends with it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use tokio::sync::watch;
use zmes_cluster::lease::{Lease, LeaseAction, LeaseEvent, LeaseTiming};
use zmes_cluster::node::{NodeId, NodeKey};

use crate::ports::SendPermit;

/// Stands for a node that is not registered: no row has it.
const NOBODY: NodeKey = NodeKey { id: NodeId(0), epoch: 0 };

/// The clock of the lease: it runs while the machine sleeps.
pub(super) fn steady() -> Duration {
    // It exists since Linux 2.6.39 and cannot fail.
    clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default()
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum TurnKind {
    /// Another node sends, or none.
    #[default]
    None,
    /// This node sends for all.
    Lead,
    /// This node cannot reach the ledger, and sends for its own cameras.
    Alone,
}

/// Each change has a number of its own, also over restarts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct SendTurn {
    pub(super) number: u64,
    pub(super) kind: TurnKind,
    /// The turn from which on this node led, if no other node is known to have done so since: what it had begun, nobody
    /// else has gone on with.
    pub(super) led_from: Option<u64>,
}

#[derive(Debug)]
struct Inner {
    lease: Lease,
    key: NodeKey,
    turn: SendTurn,
    /// The ledger refuses alarms of this node, which sends them though another one has the lease.
    is_stuck: bool,
}

/// The lease of this node, and what it permits.
#[derive(Debug)]
pub struct Turns {
    inner: Mutex<Inner>,
    changes: watch::Sender<SendTurn>,
    /// Alarms of pushes that have begun and whose outcome the desk was not told, with how many pushes.
    under_way: Mutex<BTreeMap<u64, u64>>,
    /// The turn of which everything is reported; 0: something is not.
    reported: AtomicU64,
    timing: LeaseTiming,
    prefer: i16,
    may_be_alone: bool,
}

impl Turns {
    /// `first`: greater than every number of an earlier start.
    pub(super) fn new(timing: LeaseTiming, prefer: i16, may_be_alone: bool, first: u64) -> Self {
        let lease = Lease::new(NOBODY, prefer, timing, steady());
        let turn = SendTurn { number: first, ..SendTurn::default() };
        Self {
            inner: Mutex::new(Inner { lease, key: NOBODY, turn, is_stuck: false }),
            changes: watch::channel(turn).0,
            under_way: Mutex::default(),
            reported: AtomicU64::new(0),
            timing,
            prefer,
            may_be_alone,
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn watch(&self) -> watch::Receiver<SendTurn> {
        self.changes.subscribe()
    }

    pub(super) fn now(&self) -> SendTurn {
        self.inner().turn
    }

    /// Begins with another registration; `None`: this node takes no part for now.
    pub(super) fn enter(&self, key: Option<NodeKey>) {
        let mut inner = self.inner();
        inner.key = key.unwrap_or(NOBODY);
        inner.lease = Lease::new(inner.key, self.prefer, self.timing, steady());
        self.change(&mut inner, TurnKind::None);
    }

    /// Tells the lease what happened; returns the statements that are to be made.
    pub(super) fn on(&self, event: LeaseEvent) -> Vec<LeaseAction> {
        let mut inner = self.inner();
        if let LeaseEvent::Seen(sight) = event
            && sight.row.holder.is_some_and(|holder| holder != inner.key)
        {
            inner.turn.led_from = None;
        }
        let actions = inner.lease.on(event, steady());
        for action in &actions {
            match action {
                LeaseAction::Lead(_) => self.change(&mut inner, TurnKind::Lead),
                LeaseAction::Fence | LeaseAction::Drain | LeaseAction::Together => {
                    self.change(&mut inner, TurnKind::None);
                }
                LeaseAction::Alone if self.may_be_alone => self.change(&mut inner, TurnKind::Alone),
                LeaseAction::Alone
                | LeaseAction::Take(_)
                | LeaseAction::Renew(_)
                | LeaseAction::Release(_)
                | LeaseAction::Ask(_) => {}
            }
        }
        actions
    }

    /// Has this node send what the ledger refuses, though it is not alone; or ends that.
    pub(super) fn stuck(&self, is_stuck: bool) {
        let mut inner = self.inner();
        if inner.is_stuck == is_stuck {
            return;
        }
        inner.is_stuck = is_stuck;
        let kind = match inner.turn.kind {
            TurnKind::Alone if !inner.lease.is_alone() => TurnKind::None,
            kind @ (TurnKind::None | TurnKind::Lead | TurnKind::Alone) => kind,
        };
        self.change(&mut inner, kind);
    }

    /// The term of the lease.
    pub(super) fn term(&self) -> Duration {
        self.timing.term()
    }

    fn change(&self, inner: &mut Inner, kind: TurnKind) {
        let is_alone = kind == TurnKind::None && inner.is_stuck && self.may_be_alone;
        let kind = if is_alone { TurnKind::Alone } else { kind };
        if inner.turn.kind == kind {
            return;
        }
        let number = inner.turn.number + 1;
        let led_from = if kind == TurnKind::Lead { Some(number) } else { inner.turn.led_from };
        inner.turn = SendTurn { number, kind, led_from };
        self.changes.send_replace(inner.turn);
    }

    /// Says whether the lease is ours, also while it is handed over.
    pub(super) fn is_holder(&self) -> bool {
        self.inner().lease.is_holder(steady())
    }

    pub(super) fn may_send(&self) -> bool {
        self.inner().lease.may_send(steady())
    }

    pub(super) fn is_alone(&self) -> bool {
        self.inner().lease.is_alone()
    }

    fn under_way(&self) -> MutexGuard<'_, BTreeMap<u64, u64>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says whether the outcome of each push that has begun was told.
    pub(super) fn is_still(&self) -> bool {
        self.under_way().is_empty()
    }

    /// Says whether a push of this alarm has begun, and its outcome was not told.
    pub(super) fn is_under_way(&self, alarm: u64) -> bool {
        self.under_way().contains_key(&alarm)
    }

    /// Everything up to this turn is reported; 0: something is not.
    pub(super) fn reported(&self, turn: u64) {
        self.reported.store(turn, Ordering::SeqCst);
    }

    /// Says whether nothing is on its way and the ledger has what came of it.
    pub(super) fn is_drained(&self) -> bool {
        let turn = self.now();
        // Alarms that the ledger refuses are nothing that the next node could go on with.
        turn.kind != TurnKind::Lead && self.is_still() && self.reported.load(Ordering::SeqCst) >= turn.number
    }
}

impl SendPermit for Turns {
    fn begin(&self, turn: u64, alarms: &[u64]) -> bool {
        // Counted first: who hands over, or begins another turn, must not overlook it.
        for alarm in alarms {
            *self.under_way().entry(*alarm).or_default() += 1;
        }
        let holds = self.holds(turn);
        if !holds {
            self.came_out(alarms);
        }
        holds
    }

    fn came_out(&self, alarms: &[u64]) {
        let mut under_way = self.under_way();
        for alarm in alarms {
            if let Entry::Occupied(mut pushes) = under_way.entry(*alarm) {
                *pushes.get_mut() -= 1;
                if *pushes.get() == 0 {
                    pushes.remove();
                }
            }
        }
    }

    fn holds(&self, turn: u64) -> bool {
        let inner = self.inner();
        inner.turn.number == turn
            && match inner.turn.kind {
                TurnKind::None => false,
                TurnKind::Lead => inner.lease.may_send(steady()),
                TurnKind::Alone => inner.is_stuck || inner.lease.is_alone(),
            }
    }
}

#[cfg(test)]
mod tests {
    use zmes_cluster::lease::{LeaseRow, LeaseSight};

    use super::*;

    fn turns() -> Turns {
        let turns = Turns::new(LeaseTiming::new(Duration::from_secs(3)), 0, true, 7 << 20);
        turns.enter(Some(NodeKey { id: NodeId(1), epoch: 1 }));
        turns
    }

    #[test]
    fn a_node_whose_alarms_are_refused_sends_them_though_another_one_leads() {
        let turns = turns();
        turns.stuck(true);
        let alone = turns.now();
        assert!(alone.kind == TurnKind::Alone && turns.holds(alone.number) && !turns.is_alone());
        turns.stuck(true);
        assert_eq!(turns.now(), alone);
        turns.stuck(false);
        assert!(turns.now().kind == TurnKind::None && !turns.holds(alone.number));
        // With `alone = "wait"` it never does.
        let waits = Turns::new(LeaseTiming::new(Duration::from_secs(3)), 0, false, 0);
        waits.stuck(true);
        assert_eq!(waits.now().kind, TurnKind::None);
    }

    #[test]
    fn what_was_decided_in_a_turn_is_sent_in_that_turn_alone() {
        let turns = turns();
        assert!(!turns.holds(turns.now().number));
        let free = LeaseRow::default();
        let sight =
            LeaseSight { row: free, is_wanted_alive: false, holder_prefer: None, is_other_well: true };
        assert_eq!(turns.on(LeaseEvent::Seen(sight)), [LeaseAction::Take(free)]);
        turns.on(LeaseEvent::Taken { sent: steady(), epoch: Some(1) });
        let lead = turns.now();
        assert_eq!(lead.kind, TurnKind::Lead);
        assert!(turns.begin(lead.number, &[4, 5]) && turns.begin(lead.number, &[4]) && !turns.is_drained());
        turns.came_out(&[4, 5]);
        assert!(turns.is_under_way(4) && !turns.is_under_way(5));
        turns.came_out(&[4]);
        turns.on(LeaseEvent::Stop);
        assert!(!turns.holds(lead.number) && !turns.begin(lead.number, &[4]) && turns.is_still());
        assert!(turns.is_holder() && !turns.is_drained(), "what came of it is not reported");
        turns.reported(turns.now().number);
        assert!(turns.is_drained());
    }
}
