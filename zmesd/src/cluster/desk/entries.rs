//! Alarms that are on their way: into the ledger, to phones, or both. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use zmes_cluster::alarms::{LedgerAlarm, LogKey, Ticket};
use zmes_cluster::outcomes::DeviceHandle;

use crate::cluster::turns::{SendTurn, TurnKind};
use crate::domain::Alarm;

/// How long an alarm that this node pushes alone waits for what comes of that before it is written. A provider may be away.
const PUSHED_WITHIN: Duration = Duration::from_secs(2);
/// Settled alarms that are remembered: far more than one list has while it is read.
const MAX_SETTLED: usize = 20_000;

#[derive(Debug)]
pub(super) struct DeskAlarm {
    pub(super) alarm: Arc<Alarm>,
    /// Of an alarm of this node: what is written.
    pub(super) own: Option<LedgerAlarm>,
    /// Where it stands in the ledger; `None`: it does not.
    pub(super) key: Option<LogKey>,
    pub(super) ticket: Option<Ticket>,
    /// The turn in which it became this node's to send; `None`: it is not.
    pub(super) taken_on: Option<u64>,
    /// The turn in which the router was asked about it.
    pub(super) turn: Option<u64>,
    /// Its pushes of that turn; `None`: it is not decided.
    pub(super) sends: Option<usize>,
    /// Those of them that have an outcome. It may come before what was decided.
    pub(super) ended: usize,
    /// Pushes of it were left to another node.
    pub(super) is_left: bool,
    /// Nothing is left to be pushed.
    pub(super) is_settled: bool,
    /// Devices of which it is known what became of it.
    pub(super) done: HashSet<DeviceHandle>,
    since: Instant,
}

impl DeskAlarm {
    pub(super) fn own(alarm: Arc<Alarm>, own: LedgerAlarm) -> Self {
        Self { own: Some(own), ..Self::new(alarm, None) }
    }

    pub(super) fn logged(alarm: Arc<Alarm>, key: LogKey) -> Self {
        Self::new(alarm, Some(key))
    }

    fn new(alarm: Arc<Alarm>, key: Option<LogKey>) -> Self {
        Self {
            alarm,
            own: None,
            key,
            ticket: None,
            taken_on: None,
            turn: None,
            sends: None,
            ended: 0,
            is_left: false,
            is_settled: false,
            done: HashSet::new(),
            since: Instant::now(),
        }
    }

    /// It is this node's to send from now on.
    pub(super) fn take_on(&mut self, turn: u64) {
        (self.taken_on, self.since) = (Some(turn), Instant::now());
    }

    /// The router is asked about it.
    pub(super) fn asked(&mut self, turn: u64) {
        (self.turn, self.sends, self.ended, self.is_left) = (Some(turn), None, 0, false);
    }

    /// Each of its pushes has an outcome.
    pub(super) fn is_over(&self) -> bool {
        self.sends.is_some_and(|sends| self.ended >= sends)
    }

    /// It was asked about, and not all of it has an outcome.
    pub(super) fn is_under_way(&self) -> bool {
        self.turn.is_some() && !self.is_over()
    }
}

#[derive(Debug)]
pub(super) struct DeskAlarms {
    by_number: BTreeMap<u64, DeskAlarm>,
    by_key: HashMap<LogKey, u64>,
    by_ticket: HashMap<Ticket, u64>,
    /// Alarms of which nothing was left to be pushed in this turn: a list that was read meanwhile may have them still.
    settled: HashSet<LogKey>,
    settled_order: VecDeque<LogKey>,
    /// Alarms that the ledger does not have.
    unlogged: BTreeSet<u64>,
    last: u64,
}

impl DeskAlarms {
    /// Begins to count after this number.
    pub(super) fn after(last: u64) -> Self {
        Self {
            by_number: BTreeMap::new(),
            by_key: HashMap::new(),
            by_ticket: HashMap::new(),
            settled: HashSet::new(),
            settled_order: VecDeque::new(),
            unlogged: BTreeSet::new(),
            last,
        }
    }

    pub(super) fn add(&mut self, entry: DeskAlarm) -> u64 {
        self.last += 1;
        match entry.key {
            Some(key) => drop(self.by_key.insert(key, self.last)),
            None => drop(self.unlogged.insert(self.last)),
        }
        self.by_number.insert(self.last, entry);
        self.last
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut DeskAlarm> {
        self.by_number.get_mut(&number)
    }

    pub(super) fn of_key(&self, key: LogKey) -> Option<u64> {
        self.by_key.get(&key).copied()
    }

    /// Says whether an alarm of the ledger is known, or was settled in this turn.
    pub(super) fn knows(&self, key: LogKey) -> bool {
        self.by_key.contains_key(&key) || self.settled.contains(&key)
    }

    /// Another turn begins.
    pub(super) fn begin(&mut self) {
        self.settled.clear();
        self.settled_order.clear();
    }

    /// Nothing is left to be pushed of it.
    pub(super) fn settle(&mut self, number: u64, key: LogKey) {
        self.remove(number);
        if self.settled.insert(key) {
            self.settled_order.push_back(key);
        }
        if self.settled_order.len() > MAX_SETTLED
            && let Some(oldest) = self.settled_order.pop_front()
        {
            self.settled.remove(&oldest);
        }
    }

    /// The writer has it.
    pub(super) fn queued(&mut self, number: u64, ticket: Ticket) {
        if let Some(entry) = self.by_number.get_mut(&number) {
            entry.ticket = Some(ticket);
            self.by_ticket.insert(ticket, number);
        }
    }

    /// The ledger has it: returns its number.
    pub(super) fn written(&mut self, ticket: Ticket, key: LogKey) -> Option<u64> {
        let number = self.by_ticket.remove(&ticket)?;
        let entry = self.by_number.get_mut(&number)?;
        (entry.ticket, entry.key) = (None, Some(key));
        self.unlogged.remove(&number);
        self.by_key.insert(key, number);
        Some(number)
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<DeskAlarm> {
        let entry = self.by_number.remove(&number)?;
        match entry.key {
            // Another entry may have it: an alarm that stood in the ledger before.
            Some(key) if self.by_key.get(&key) == Some(&number) => drop(self.by_key.remove(&key)),
            Some(_) => {}
            None => drop(self.unlogged.remove(&number)),
        }
        if let Some(ticket) = entry.ticket {
            self.by_ticket.remove(&ticket);
        }
        Some(entry)
    }

    /// Number of alarms that the ledger does not have.
    pub(super) fn unlogged(&self) -> usize {
        self.unlogged.len()
    }

    /// How long the oldest of them has waited.
    pub(super) fn waited(&self, now: Instant) -> Duration {
        let oldest = self.unlogged.first().and_then(|number| self.by_number.get(number));
        oldest.map_or(Duration::ZERO, |entry| now.duration_since(entry.since))
    }

    /// Says whether this node, which is alone, pushes an alarm at the moment. It is written with what came of that: else the
    /// node that sends for all, which reads it meanwhile, would push it as well if the ledger has just come back.
    pub(super) fn is_pushed_now(&self, number: u64, turn: SendTurn) -> bool {
        let Some(entry) = self.by_number.get(&number) else { return false };
        let is_pushed = turn.kind == TurnKind::Alone && entry.taken_on == Some(turn.number);
        is_pushed && !entry.is_over() && entry.since.elapsed() < PUSHED_WITHIN
    }

    /// The ledger will never have it: returns its number.
    pub(super) fn given_up(&mut self, ticket: Ticket) -> Option<u64> {
        let number = self.by_ticket.remove(&ticket)?;
        let entry = self.by_number.get_mut(&number)?;
        (entry.ticket, entry.own) = (None, None);
        Some(number)
    }

    /// Says whether there are alarms that the ledger will never have.
    pub(super) fn has_given_up(&self) -> bool {
        self.unlogged.iter().filter_map(|number| self.by_number.get(number)).any(|entry| entry.own.is_none())
    }

    /// Returns alarms that no other node can know of; or only those that none will ever know of.
    pub(super) fn of_nobody(&self, only_given_up: bool) -> Vec<u64> {
        let nobody = |entry: &DeskAlarm| {
            !entry.is_settled && entry.alarm.phase.is_start() && !(only_given_up && entry.own.is_some())
        };
        let unlogged = self.unlogged.iter().filter_map(|number| Some((*number, self.by_number.get(number)?)));
        unlogged.filter(|(_, entry)| nobody(entry)).map(|(number, _)| number).collect()
    }

    /// Returns alarms of the ledger that this node has taken on since that turn, and that are not settled.
    pub(super) fn unfinished(&self, since: u64) -> Vec<u64> {
        let unfinished = |entry: &DeskAlarm| {
            entry.key.is_some() && !entry.is_settled && entry.taken_on.is_some_and(|turn| turn >= since)
        };
        self.by_number.iter().filter(|(_, entry)| unfinished(entry)).map(|(number, _)| *number).collect()
    }

    /// Returns alarms that are older than `age` and do not wait for the ledger.
    pub(super) fn over(&self, now: Instant, age: Duration) -> Vec<(u64, Option<LogKey>)> {
        let over = |entry: &DeskAlarm| {
            (entry.key.is_some() || entry.own.is_none()) && now.duration_since(entry.since) > age
        };
        let entries = self.by_number.iter().filter(|(_, entry)| over(entry));
        entries.map(|(number, entry)| (*number, entry.key)).collect()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use zmes_cluster::alarms::DedupKey;
    use zmes_cluster::node::NodeId;
    use zmes_shared::words::Phase;
    use zmes_shared::{EventId, MonitorId};

    use super::*;
    use crate::cluster::body;

    fn own(event: u64) -> DeskAlarm {
        let logged = LedgerAlarm {
            dedup: DedupKey::start(EventId(event)),
            phase: Phase::Start,
            monitor: MonitorId(1),
            event: Some(EventId(event)),
            at: Timestamp::UNIX_EPOCH,
            body: b"{}".to_vec(),
        };
        DeskAlarm::own(Arc::new(body::alarm(&logged, None, false)), logged)
    }

    #[test]
    fn what_was_settled_in_a_turn_is_known_until_the_next_one() {
        let mut alarms = DeskAlarms::after(0);
        let key = LogKey::new(NodeId(1), 5);
        let alarm = Arc::clone(&own(1).alarm);
        let number = alarms.add(DeskAlarm::logged(alarm, key));
        assert!(alarms.knows(key) && alarms.of_key(key) == Some(number));
        alarms.settle(number, key);
        assert!(alarms.knows(key) && alarms.of_key(key).is_none());
        alarms.begin();
        assert!(!alarms.knows(key));
    }

    #[test]
    fn alarms_that_the_ledger_does_not_have_are_this_nodes_alone() {
        let mut alarms = DeskAlarms::after(0);
        let numbers = [alarms.add(own(1)), alarms.add(own(2))];
        assert_eq!((alarms.of_nobody(false), alarms.unlogged()), (numbers.to_vec(), 2));
        assert!(alarms.remove(numbers[0]).is_some());
        assert_eq!((alarms.of_nobody(false), alarms.unlogged()), (vec![numbers[1]], 1));
        assert!(alarms.of_nobody(true).is_empty() && !alarms.has_given_up());
    }

    #[test]
    fn an_outcome_may_come_before_what_was_decided() {
        let mut entry = own(1);
        entry.asked(3);
        entry.ended += 1;
        assert!(entry.is_under_way(), "nobody knows of how many");
        entry.sends = Some(2);
        assert!(!entry.is_over());
        entry.ended += 1;
        assert!(entry.is_over() && !entry.is_under_way());
    }
}
