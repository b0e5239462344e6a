//! Turns at something that only a few may do at a time, round robin over networks: a peer that asks a thousand times
//! delays only itself.
//!
//! Owns the counts and the queues. A [`Turn`] releases what it holds when it is dropped.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::network::count_down;

#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub running: usize,
    pub running_per_network: usize,
    pub waiting: usize,
    pub waiting_per_network: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many are waiting")]
pub struct NoTurn;

#[derive(Debug)]
pub struct Turns {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    bounds: Bounds,
    state: Mutex<TurnState>,
    /// Changes whenever a waiter joins a queue.
    joined: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct TurnState {
    running: usize,
    running_of: HashMap<IpAddr, usize>,
    /// Waiters by network; no lane is empty.
    lanes: HashMap<IpAddr, VecDeque<Waiter>>,
    /// Networks with a lane, the next one first.
    order: VecDeque<IpAddr>,
    waiting: usize,
    last: u64,
}

#[derive(Debug)]
struct Waiter {
    number: u64,
    start: oneshot::Sender<Turn>,
}

impl Turns {
    pub fn new(bounds: Bounds) -> Self {
        Self { shared: Arc::new(Shared { bounds, state: Mutex::default(), joined: watch::Sender::new(0) }) }
    }

    /// Waits for a turn; the caller sets the deadline. Cancel-safe: a waiter that is dropped leaves the queue.
    pub async fn turn(&self, network: IpAddr) -> Result<Turn, NoTurn> {
        let (number, started) = {
            let mut state = self.shared.state();
            let bounds = &self.shared.bounds;
            // A lane that waits although there is room waits for its own network's limit.
            if state.may_run(network, bounds) && !state.lanes.contains_key(&network) {
                state.run(network);
                return Ok(Turn { shared: Arc::clone(&self.shared), network, counts: true });
            }
            let own = state.lanes.get(&network).map_or(0, VecDeque::len);
            if state.waiting >= bounds.waiting || own >= bounds.waiting_per_network {
                return Err(NoTurn);
            }
            state.wait(network)
        };
        self.shared.joined.send_modify(|changes| *changes = changes.wrapping_add(1));
        let _queued = QueuedTurn { shared: &self.shared, network, number };
        // The sender stays in the lane until the turn comes.
        started.await.map_err(|_| NoTurn)
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, TurnState> {
        // Counts are never left half changed, so a poisoned lock still protects correct ones.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hand_on(self: &Arc<Self>, state: &mut TurnState) {
        while let Some((network, waiter)) = state.next(&self.bounds) {
            state.run(network);
            let turn = Turn { shared: Arc::clone(self), network, counts: true };
            if let Err(mut unclaimed) = waiter.start.send(turn) {
                // Dropping it unchanged would take the lock that is already held here.
                unclaimed.counts = false;
                state.stop(network);
            }
        }
    }
}

impl TurnState {
    fn may_run(&self, network: IpAddr, bounds: &Bounds) -> bool {
        let own = self.running_of.get(&network).copied().unwrap_or_default();
        self.running < bounds.running && own < bounds.running_per_network
    }

    fn run(&mut self, network: IpAddr) {
        self.running += 1;
        *self.running_of.entry(network).or_default() += 1;
    }

    fn stop(&mut self, network: IpAddr) {
        self.running = self.running.saturating_sub(1);
        count_down(&mut self.running_of, network);
    }

    fn wait(&mut self, network: IpAddr) -> (u64, oneshot::Receiver<Turn>) {
        let (start, started) = oneshot::channel();
        self.last += 1;
        self.waiting += 1;
        let lane = self.lanes.entry(network).or_default();
        if lane.is_empty() {
            self.order.push_back(network);
        }
        lane.push_back(Waiter { number: self.last, start });
        (self.last, started)
    }

    fn next(&mut self, bounds: &Bounds) -> Option<(IpAddr, Waiter)> {
        for _ in 0..self.order.len() {
            let network = self.order.pop_front()?;
            if !self.may_run(network, bounds) {
                self.order.push_back(network);
                continue;
            }
            let lane = self.lanes.get_mut(&network)?;
            let waiter = lane.pop_front()?;
            self.waiting = self.waiting.saturating_sub(1);
            if lane.is_empty() {
                self.lanes.remove(&network);
            } else {
                self.order.push_back(network);
            }
            return Some((network, waiter));
        }
        None
    }

    fn give_up(&mut self, network: IpAddr, number: u64) {
        let Some(lane) = self.lanes.get_mut(&network) else { return };
        let before = lane.len();
        lane.retain(|waiter| waiter.number != number);
        self.waiting = self.waiting.saturating_sub(before - lane.len());
        if lane.is_empty() {
            self.lanes.remove(&network);
            self.order.retain(|waiting| *waiting != network);
        }
    }

    fn wants(&self, network: IpAddr, bounds: &Bounds) -> bool {
        self.lanes.contains_key(&network) || (self.waiting > 0 && self.running >= bounds.running)
    }
}

/// A position in a queue, which is left when this is dropped.
struct QueuedTurn<'a> {
    shared: &'a Arc<Shared>,
    network: IpAddr,
    number: u64,
}

impl Drop for QueuedTurn<'_> {
    fn drop(&mut self) {
        self.shared.state().give_up(self.network, self.number);
    }
}

#[derive(Debug)]
pub struct Turn {
    shared: Arc<Shared>,
    network: IpAddr,
    /// Whether it is counted, and must be released when dropped.
    counts: bool,
}

impl Turn {
    /// Returns once the turn has lasted for `undisturbed` and a waiter could use it.
    pub async fn give_way(&self, undisturbed: Duration) {
        let mut joined = self.shared.joined.subscribe();
        tokio::time::sleep(undisturbed).await;
        while !self.shared.state().wants(self.network, &self.shared.bounds) {
            // The sender lives as long as this turn.
            if joined.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.counts {
            let mut state = self.shared.state();
            state.stop(self.network);
            self.shared.hand_on(&mut state);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::task::TaskTracker;

    use super::*;

    impl Turns {
        fn waiting(&self) -> usize {
            self.shared.state().waiting
        }
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn turns(running: usize) -> Arc<Turns> {
        let bounds = Bounds { running, running_per_network: 2, waiting: 100, waiting_per_network: 90 };
        Arc::new(Turns::new(bounds))
    }

    /// Lets tasks run until they wait.
    async fn until_waiting(turns: &Turns, number: usize) {
        while turns.waiting() != number {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn ninety_waiters_of_one_address_do_not_delay_the_one_of_another() {
        let turns = turns(1);
        let running = turns.turn(address("192.0.2.1")).await.unwrap();
        let (told, mut order) = tokio::sync::mpsc::channel(100);
        let queue = |from: &'static str| {
            let (turns, told) = (Arc::clone(&turns), told.clone());
            TaskTracker::new().spawn(async move {
                let turn = turns.turn(address(from)).await.unwrap();
                told.send(from).await.unwrap();
                drop(turn);
            })
        };
        for waiting in 1..=90 {
            queue("192.0.2.1");
            until_waiting(&turns, waiting).await;
        }
        assert_eq!(turns.turn(address("192.0.2.1")).await.unwrap_err(), NoTurn, "its lane is full");
        queue("192.0.2.2");
        until_waiting(&turns, 91).await;
        drop(running);
        let first = [order.recv().await.unwrap(), order.recv().await.unwrap()];
        assert!(first.contains(&"192.0.2.2"), "{first:?}");
        for _ in 2..91 {
            order.recv().await.unwrap();
        }
        assert_eq!(turns.waiting(), 0);
    }

    #[tokio::test]
    async fn one_address_has_only_its_share_of_the_turns() {
        let turns = turns(3);
        let first = turns.turn(address("192.0.2.1")).await.unwrap();
        let _second = turns.turn(address("192.0.2.1")).await.unwrap();
        let third = TaskTracker::new().spawn({
            let turns = Arc::clone(&turns);
            async move { turns.turn(address("192.0.2.1")).await.is_ok() }
        });
        until_waiting(&turns, 1).await;
        let other = turns.turn(address("192.0.2.2")).await.unwrap();
        drop(other);
        assert_eq!(turns.waiting(), 1, "it does not get another network's turn");
        drop(first);
        assert!(third.await.unwrap());
    }

    #[tokio::test]
    async fn a_waiter_that_gives_up_leaves_no_trace() {
        let turns = turns(1);
        let running = turns.turn(address("192.0.2.1")).await.unwrap();
        let waiting = tokio::time::timeout(Duration::from_millis(1), turns.turn(address("192.0.2.2"))).await;
        assert!(waiting.is_err());
        drop(running);
        let state = turns.shared.state();
        assert!(state.lanes.is_empty() && state.order.is_empty() && state.running_of.is_empty());
        assert_eq!((state.waiting, state.running), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_turn_gives_way_only_when_a_waiter_could_use_it() {
        let turns = turns(3);
        let old = turns.turn(address("192.0.2.1")).await.unwrap();
        let patience = Duration::from_secs(1);
        let alone = tokio::time::timeout(Duration::from_mins(1), old.give_way(patience)).await;
        assert!(alone.is_err(), "without waiters no turn gives way");
        let _own = turns.turn(address("192.0.2.1")).await.unwrap();
        let newcomer = turns.turn(address("192.0.2.1"));
        let give_way = async {
            old.give_way(patience).await;
            drop(old);
        };
        let both = async { tokio::join!(newcomer, give_way).0 };
        tokio::time::timeout(Duration::from_secs(2), both).await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn no_turn_gives_way_to_waiters_that_wait_for_their_own_network() {
        let turns = turns(4);
        let slow = turns.turn(address("192.0.2.9")).await.unwrap();
        let _a = turns.turn(address("192.0.2.1")).await.unwrap();
        let _b = turns.turn(address("192.0.2.1")).await.unwrap();
        TaskTracker::new().spawn({
            let turns = Arc::clone(&turns);
            async move { turns.turn(address("192.0.2.1")).await.is_ok() }
        });
        until_waiting(&turns, 1).await;
        let disturbed = tokio::time::timeout(Duration::from_mins(1), slow.give_way(Duration::ZERO)).await;
        assert!(disturbed.is_err());
    }
}
