//! Two nodes at one row, in every order: at each moment a node runs or stands still, a statement arrives or does not yet,
//! an answer arrives or does not, a node crashes. All of it is followed over two terms and more; no two nodes may send.
//!
//! What takes longer, and what needs more nodes or clocks that do not run equally fast, is in `model`.

use std::collections::HashSet;
use std::time::Duration;

use super::model::execute;
use super::{Lease, LeaseAction, LeaseEvent, LeaseRow, LeaseSight, LeaseTiming};
use crate::node::{NodeId, NodeKey};

/// A term, in moments. A node stops sending before the third, and renews after one.
const TERM: u64 = 3;
/// A node waits this long for an answer.
const DEADLINE: u64 = 1;
/// How many moments are followed.
const MOMENTS: u64 = 6;

/// A statement under way; `None`: the row is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Flight {
    question: Option<LeaseAction>,
    sent: u64,
    answer: Option<LeaseEvent>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Peer {
    key: NodeKey,
    lease: Lease,
    todo: Vec<LeaseAction>,
    flight: Option<Flight>,
    /// A statement that the node has given up, and that may arrive nevertheless.
    late: Option<Flight>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Table {
    row: LeaseRow,
    peers: [Peer; 2],
    /// One crash is enough: what comes after it is as in the beginning.
    crashed: bool,
}

fn seen(row: LeaseRow) -> LeaseEvent {
    LeaseEvent::Seen(LeaseSight { row, is_wanted_alive: false, holder_prefer: None, is_other_well: true })
}

fn time(moment: u64) -> Duration {
    Duration::from_secs(moment)
}

impl Peer {
    fn start(id: u16, epoch: u64, now: u64) -> Self {
        let key = NodeKey { id: NodeId(id), epoch };
        let lease = Lease::new(key, 0, LeaseTiming::new(time(TERM)), time(now));
        Self { key, lease, todo: Vec::new(), flight: None, late: None }
    }

    fn tell(&mut self, event: LeaseEvent, now: u64) {
        self.todo.extend(self.lease.on(event, time(now)));
    }

    /// What a node does in a moment in which it runs, where it only matters who may send.
    fn run(&mut self, is_answered: bool, now: u64) {
        self.hear(is_answered, now);
        self.lease.forget_what_does_not_matter_for_sending(time(now));
        self.ask(now);
    }

    fn hear(&mut self, is_answered: bool, now: u64) {
        if let Some(flight) = self.flight.take() {
            match flight.answer {
                Some(answer) if is_answered => self.tell(answer, now),
                Some(_) if now >= flight.sent + DEADLINE => self.tell(LeaseEvent::Unanswered, now),
                None if now >= flight.sent + DEADLINE => {
                    self.tell(LeaseEvent::Unanswered, now);
                    // Looking late is of no consequence.
                    self.late = if flight.question.is_some() { Some(flight) } else { self.late.take() };
                }
                Some(_) | None => self.flight = Some(flight),
            }
        }
        self.tell(LeaseEvent::Tick, now);
    }

    fn ask(&mut self, now: u64) {
        while self.flight.is_none() {
            let question = if self.todo.is_empty() { None } else { Some(self.todo.remove(0)) };
            match question {
                Some(
                    LeaseAction::Lead(_)
                    | LeaseAction::Fence
                    | LeaseAction::Drain
                    | LeaseAction::Alone
                    | LeaseAction::Together,
                ) => {}
                question => self.flight = Some(Flight { question, sent: now, answer: None }),
            }
        }
    }
}

impl Table {
    /// The first node has just taken the lease, and the second has seen it.
    fn begin() -> Self {
        let mut peers = [Peer::start(1, 1, 0), Peer::start(2, 1, 0)];
        let row = LeaseRow { holder: Some(peers[0].key), epoch: 1, beat: 1, wanted: None };
        peers[0].tell(LeaseEvent::Taken { sent: time(0), epoch: Some(1) }, 0);
        for peer in &mut peers {
            peer.tell(seen(row), 0);
        }
        Self { row, peers, crashed: false }
    }

    fn no_two_send(&self, runs: [bool; 2], now: u64) {
        let sends = |index: usize| runs[index] && self.peers[index].lease.may_send(time(now));
        assert!(!(sends(0) && sends(1)), "two send at {now}: {self:#?}");
    }

    /// Statements of this node arrive at the database.
    fn arrive(&mut self, index: usize) {
        let (row, peer) = (&mut self.row, &mut self.peers[index]);
        if let Some(late) = peer.late.take()
            && let Some(action) = late.question
        {
            execute(row, peer.key, action, time(late.sent));
        }
        if let Some(flight) = peer.flight.as_mut().filter(|flight| flight.answer.is_none()) {
            flight.answer = match flight.question {
                Some(action) => execute(row, peer.key, action, time(flight.sent)),
                None => Some(seen(*row)),
            };
        }
    }

    /// Every way in which statements arrive in a moment.
    fn arrivals(&self) -> Vec<Self> {
        let mut all = vec![self.clone()];
        for order in [&[0_usize][..], &[1], &[0, 1], &[1, 0]] {
            let mut next = self.clone();
            for index in order {
                next.arrive(*index);
            }
            if !all.contains(&next) {
                all.push(next);
            }
        }
        all
    }

    /// Every way in which the next moment can be.
    fn following(&self, now: u64) -> Vec<Self> {
        let mut all = Vec::new();
        for arrived in self.arrivals() {
            for choice in 0..16_u8 {
                let bit = |number: u8| choice & (1 << number) != 0;
                let runs = [bit(0), bit(1)];
                // An answer to a node that stands still is the same as none yet.
                let has_answer = |index: usize| {
                    arrived.peers[index].flight.as_ref().is_some_and(|flight| flight.answer.is_some())
                };
                if bit(2) && !(runs[0] && has_answer(0)) || bit(3) && !(runs[1] && has_answer(1)) {
                    continue;
                }
                // The first thing that a node does after it stood still may be a send.
                arrived.no_two_send(runs, now);
                let mut next = arrived.clone();
                for (index, is_answered) in [(0, bit(2)), (1, bit(3))] {
                    if runs[index] {
                        next.peers[index].run(is_answered, now);
                        next.no_two_send(runs, now);
                    }
                }
                all.push(next);
            }
            if !arrived.crashed {
                for index in 0..2 {
                    let mut next = arrived.clone();
                    let late = next.peers[index].flight.take().filter(|flight| flight.answer.is_none());
                    let key = next.peers[index].key;
                    next.peers[index] = Peer::start(key.id.0, key.epoch + 1, now);
                    next.crashed = true;
                    // What the crashed one has sent may arrive now; later it would be as if another one had sent it.
                    if let Some(action) = late.and_then(|flight| flight.question) {
                        let mut executed = next.clone();
                        execute(&mut executed.row, key, action, time(now));
                        all.push(executed);
                    }
                    all.push(next);
                }
            }
        }
        all
    }
}

#[test]
fn no_two_nodes_send_in_any_order_of_what_can_happen() {
    let mut tables = HashSet::from([Table::begin()]);
    let (mut seen, mut led) = (0, 0);
    for now in 1..=MOMENTS {
        let mut next = HashSet::new();
        for table in &tables {
            next.extend(table.following(now));
        }
        led +=
            next.iter().filter(|table| table.peers.iter().any(|peer| peer.lease.may_send(time(now)))).count();
        seen += next.len();
        println!("moment {now}: {} states", next.len());
        tables = next;
    }
    assert!(led > 1_000, "nobody sends in {seen} states");
}

/// Two nodes at a ledger that can be read and takes no writes: of these statements each is refused.
impl Table {
    fn read_only(&self, runs: [bool; 2], is_answered: [bool; 2], now: u64) -> Self {
        let mut next = self.clone();
        for (index, peer) in next.peers.iter_mut().enumerate() {
            if let Some(flight) = peer.flight.as_mut() {
                let refusal = flight.question.map(|_| LeaseEvent::Unanswered);
                flight.answer = Some(refusal.unwrap_or_else(|| seen(next.row)));
            }
            if runs[index] {
                peer.hear(is_answered[index], now);
                peer.ask(now);
            }
        }
        next.no_two_send(runs, now);
        next
    }

    /// It takes writes again: everything is answered at once, the signs of life as well.
    fn mended(&self, now: u64) -> Self {
        let mut next = self.clone();
        for index in 0..2 {
            next.arrive(index);
            next.peers[index].hear(true, now);
            next.peers[index].tell(LeaseEvent::Beat { is_well: true }, now);
            next.peers[index].ask(now);
        }
        next.no_two_send([true, true], now);
        next
    }
}

#[test]
fn a_ledger_that_can_be_read_and_not_written_leaves_each_node_alone_until_it_is_mended() {
    const MENDED: u64 = 2 * TERM + 1;
    let mut tables = HashSet::from([Table::begin()]);
    for now in 1..MENDED {
        let mut next = HashSet::new();
        for table in &tables {
            for choice in 0..16_u8 {
                let bit = |number: u8| choice & (1 << number) != 0;
                // The last moment is one in which both run.
                let runs = [bit(0), bit(1)].map(|runs| runs || now + 1 == MENDED);
                next.insert(table.read_only(runs, [bit(2), bit(3)], now));
            }
        }
        println!("moment {now}: {} states", next.len());
        tables = next;
    }
    for table in &tables {
        for peer in &table.peers {
            let sends = peer.lease.may_send(time(MENDED - 1));
            assert!(
                peer.lease.is_alone() && !sends,
                "a node waits for a ledger that takes nothing: {table:#?}"
            );
        }
        let mut table = table.clone();
        for now in MENDED..MENDED + 2 * TERM {
            table = table.mended(now);
        }
        let (last, peers) = (time(MENDED + 2 * TERM - 1), &table.peers);
        assert_eq!(peers.iter().filter(|peer| peer.lease.may_send(last)).count(), 1, "{table:#?}");
        assert!(peers.iter().all(|peer| !peer.lease.is_alone()), "{table:#?}");
    }
}
