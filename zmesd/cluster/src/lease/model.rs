//! Several nodes at one row, with everything that goes wrong between them: answers that are lost, statements that arrive
//! late, nodes that stand still, crash and start again, a database that is away, clocks that do not run equally fast. Each
//! run is made of a seed, and each millisecond of it is looked at: no two nodes may send.

use std::collections::VecDeque;
use std::time::Duration;

use fastrand::Rng;

use super::{Lease, LeaseAction, LeaseEvent, LeaseRow, LeaseSight, LeaseTiming};
use crate::node::{NodeId, NodeKey};

const TERM: u64 = 3_000;
const STEP: usize = 10;

/// The row, as the statements of `row.rs` change it.
pub(super) fn execute(
    row: &mut LeaseRow,
    own: NodeKey,
    action: LeaseAction,
    sent: Duration,
) -> Option<LeaseEvent> {
    let is_ours = |row: &LeaseRow, epoch| row.holder == Some(own) && row.epoch == epoch;
    match action {
        LeaseAction::Take(seen) => {
            let matches = (row.epoch, row.beat) == (seen.epoch, seen.beat);
            if matches {
                *row = LeaseRow { holder: Some(own), epoch: row.epoch + 1, beat: row.beat + 1, wanted: None };
            }
            Some(LeaseEvent::Taken { sent, epoch: matches.then_some(seen.epoch + 1) })
        }
        LeaseAction::Renew(epoch) => {
            let held = is_ours(row, epoch);
            row.beat += u64::from(held);
            Some(LeaseEvent::Renewed { sent, epoch, held })
        }
        LeaseAction::Release(epoch) => {
            if is_ours(row, epoch) {
                (row.holder, row.beat) = (None, row.beat + 1);
            }
            Some(LeaseEvent::Answered)
        }
        LeaseAction::Ask(seen) => {
            if (seen.epoch, seen.wanted) == (row.epoch, row.wanted) {
                row.wanted = Some(own.id);
            }
            Some(LeaseEvent::Answered)
        }
        LeaseAction::Lead(_)
        | LeaseAction::Fence
        | LeaseAction::Drain
        | LeaseAction::Alone
        | LeaseAction::Together => None,
    }
}

/// What a node has asked the database.
#[derive(Clone, Copy)]
enum Question {
    Look,
    Change(LeaseAction),
}

/// A question on its way.
struct Flight {
    question: Question,
    own: NodeKey,
    sent: Duration,
    /// When it is at the database.
    arrives: u64,
    /// When the answer is at the node; `None`: it is lost.
    returns: Option<u64>,
    /// When the node gives up.
    deadline: u64,
    answer: Option<LeaseEvent>,
    is_executed: bool,
}

struct SimulatedNode {
    key: NodeKey,
    lease: Lease,
    prefer: i16,
    /// Its clock: it was `offset` at the start, and runs `rate` thousandths as fast.
    offset: u64,
    rate: u64,
    stands_still_until: u64,
    todo: VecDeque<LeaseAction>,
    flight: Option<Flight>,
    look_at: u64,
    drained_at: Option<u64>,
}

impl SimulatedNode {
    fn now(&self, at: u64) -> Duration {
        Duration::from_micros((self.offset + at) * self.rate)
    }

    fn tell(&mut self, event: LeaseEvent, at: u64) {
        let now = self.now(at);
        self.todo.extend(self.lease.on(event, now));
    }

    fn start(index: u16, epoch: u64, at: u64, rng: &mut Rng) -> Self {
        let (offset, rate, prefer) = (rng.u64(0..100_000), rng.u64(970..=1_030), rng.i16(0..2));
        let key = NodeKey { id: NodeId(index), epoch };
        let now = Duration::from_micros((offset + at) * rate);
        let lease = Lease::new(key, prefer, LeaseTiming::new(Duration::from_millis(TERM)), now);
        let (todo, flight, drained_at) = (VecDeque::new(), None, None);
        Self {
            key,
            lease,
            prefer,
            offset,
            rate,
            stands_still_until: 0,
            todo,
            flight,
            look_at: at,
            drained_at,
        }
    }
}

struct World {
    rng: Rng,
    row: LeaseRow,
    nodes: Vec<SimulatedNode>,
    /// Questions of nodes that have given up or crashed: they arrive nevertheless.
    late: Vec<Flight>,
    away_until: u64,
    /// Until then it can be read and not written.
    read_only_until: u64,
    /// Until when things go wrong.
    trouble_until: u64,
    /// How often the lease was taken.
    leaders: usize,
}

impl World {
    fn new(seed: u64, trouble_until: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let nodes = (1..=3).map(|index| SimulatedNode::start(index, 1, 0, &mut rng)).collect();
        let (row, late) = (LeaseRow::default(), Vec::new());
        Self { rng, row, nodes, late, away_until: 0, read_only_until: 0, trouble_until, leaders: 0 }
    }

    fn step(&mut self, at: u64) {
        self.go_wrong(at);
        for index in 0..self.nodes.len() {
            self.database(index, at);
            if self.nodes[index].stands_still_until <= at {
                // The first thing that happens after a pause may be a send: nothing is told to it before.
                self.look_for_two_senders(at);
                self.turn(index, at);
            }
        }
        let row = &mut self.row;
        self.late.retain_mut(|flight| {
            if let (true, Question::Change(action)) = (flight.arrives <= at, flight.question) {
                execute(row, flight.own, action, flight.sent);
            }
            flight.arrives > at
        });
        self.look_for_two_senders(at);
    }

    fn go_wrong(&mut self, at: u64) {
        if at >= self.trouble_until {
            return;
        }
        if self.rng.u64(0..1_500) == 0 {
            self.away_until = at + self.rng.u64(100..9_000);
        }
        let index = self.rng.usize(0..self.nodes.len());
        match self.rng.u64(0..1_200) {
            0 => self.nodes[index].stands_still_until = at + self.rng.u64(100..12_000),
            1 => {
                let id = self.nodes[index].key.id;
                let starts = self.nodes.iter().filter(|node| node.key.id == id).map(|node| node.key.epoch);
                let epoch = starts.max().unwrap_or_default() + 1;
                let started = SimulatedNode::start(id.0, epoch, at, &mut self.rng);
                if self.nodes.len() < 6 && self.rng.bool() {
                    // The one before is still there: a twin.
                    self.nodes.push(started);
                } else {
                    let crashed = std::mem::replace(&mut self.nodes[index], started);
                    self.late.extend(crashed.flight.filter(|flight| !flight.is_executed));
                }
            }
            2 => self.nodes[index].tell(LeaseEvent::Stop, at),
            3 => self.read_only_until = at + self.rng.u64(100..9_000),
            4 => {
                let is_well = self.rng.bool();
                self.nodes[index].tell(LeaseEvent::Beat { is_well }, at);
            }
            _ => {}
        }
    }

    /// Executes the question of a node when it arrives.
    fn database(&mut self, index: usize, at: u64) {
        let sight = |row: LeaseRow, nodes: &[SimulatedNode]| LeaseSight {
            row,
            is_wanted_alive: row.wanted.is_some(),
            holder_prefer: row
                .holder
                .and_then(|holder| nodes.iter().find(|node| node.key.id == holder.id))
                .map(|node| node.prefer),
            is_other_well: true,
        };
        let seen = sight(self.row, &self.nodes);
        let Some(flight) = self.nodes[index].flight.as_mut() else { return };
        if flight.is_executed || flight.arrives > at {
            return;
        }
        flight.is_executed = true;
        flight.answer = match flight.question {
            Question::Look => Some(LeaseEvent::Seen(seen)),
            Question::Change(_) if at < self.read_only_until => None,
            Question::Change(action) => execute(&mut self.row, flight.own, action, flight.sent),
        };
    }

    fn turn(&mut self, index: usize, at: u64) {
        let node = &mut self.nodes[index];
        node.tell(LeaseEvent::Tick, at);
        if let Some(flight) = node.flight.take_if(|flight| {
            flight.deadline <= at || flight.is_executed && flight.returns.is_some_and(|returns| returns <= at)
        }) {
            match flight.answer {
                Some(answer) if flight.returns.is_some_and(|returns| returns <= at.min(flight.deadline)) => {
                    node.tell(answer, at);
                }
                Some(_) | None => {
                    node.tell(LeaseEvent::Unanswered, at);
                    if !flight.is_executed {
                        self.late.push(flight);
                    }
                }
            }
        }
        if node.drained_at.take_if(|drained| *drained <= at).is_some() {
            node.tell(LeaseEvent::Drained, at);
        }
        while node.flight.is_none() {
            let question = match node.todo.pop_front() {
                Some(LeaseAction::Drain) => {
                    node.drained_at = Some(at + self.rng.u64(0..3_000));
                    continue;
                }
                Some(LeaseAction::Lead(_)) => {
                    self.leaders += 1;
                    continue;
                }
                Some(LeaseAction::Fence | LeaseAction::Alone | LeaseAction::Together) => continue,
                Some(action) => Question::Change(action),
                None if node.look_at <= at => {
                    node.look_at = at + 100;
                    Question::Look
                }
                None => break,
            };
            node.flight =
                Some(flight(&mut self.rng, question, node, at, self.away_until, self.trouble_until));
        }
    }

    fn look_for_two_senders(&self, at: u64) {
        let senders: Vec<NodeId> = self
            .nodes
            .iter()
            .filter(|node| node.stands_still_until <= at && node.lease.may_send(node.now(at)))
            .map(|node| node.key.id)
            .collect();
        assert!(senders.len() < 2, "two send at {at} ms: {senders:?}, {:?}", self.row);
    }
}

fn flight(
    rng: &mut Rng,
    question: Question,
    node: &SimulatedNode,
    at: u64,
    away: u64,
    trouble: u64,
) -> Flight {
    let is_bad = at < trouble && rng.u64(0..10) == 0;
    let there = if is_bad { rng.u64(0..8_000) } else { rng.u64(0..30) };
    // What is sent to a database that is away is lost, or arrives when it is back.
    let arrives = (at + there).max(away);
    let is_lost = at < trouble && rng.u64(0..15) == 0;
    let returns = (!is_lost).then(|| arrives + rng.u64(0..30));
    let (own, sent) = (node.key, node.now(at));
    Flight { question, own, sent, arrives, returns, deadline: at + 800, answer: None, is_executed: false }
}

#[test]
fn no_two_nodes_send_whatever_goes_wrong() {
    let mut leaders = 0;
    for seed in 0..300 {
        let mut world = World::new(seed, 60_000);
        for at in (0..60_000).step_by(STEP) {
            world.step(at);
        }
        leaders += world.leaders;
    }
    // Otherwise this shows nothing.
    assert!(leaders > 1_000, "the lease was taken {leaders} times");
}

#[test]
fn when_all_is_well_again_one_node_sends() {
    for seed in 1_000..1_100 {
        let mut world = World::new(seed, 20_000);
        // Nodes that were told to stop do not take it again: each is started anew.
        for at in (0..60_000).step_by(STEP) {
            if at == 25_000 {
                let start = |id| SimulatedNode::start(id, 1_000, at, &mut world.rng);
                world.nodes = (1..=3).map(start).collect();
            }
            world.step(at);
        }
        let at = 60_000;
        let senders = world.nodes.iter().filter(|node| node.lease.may_send(node.now(at))).count();
        assert_eq!(senders, 1, "seed {seed}: {:?}", world.row);
    }
}
