//! What waits to be written to the log. Pure.

use std::collections::VecDeque;

use super::LedgerAlarm;
use crate::outcomes::DeviceOutcome;

/// An alarm that the database refused this often, while it took others, is given up.
const REFUSALS: u32 = 3;

/// Names an alarm that waits, until it is written or dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// One alarm that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BacklogEntry {
    /// Its name here.
    pub ticket: Ticket,
    /// The alarm.
    pub alarm: LedgerAlarm,
    /// What became of it for devices, where this node has pushed it itself.
    pub outcomes: Vec<DeviceOutcome>,
    /// Nothing is left to be pushed of it.
    pub settled: bool,
    /// Its number in the log, once it was tried with it: the number stays, unless the database refuses it.
    seq: Option<u64>,
    /// How often the database refused it by itself, and how many alarms it had taken the first time.
    refused: Option<(u32, u64)>,
}

impl BacklogEntry {
    /// Says whether a write was begun that had no answer: the alarm may be in the log, for all to see.
    pub fn is_in_doubt(&self) -> bool {
        self.seq.is_some()
    }

    /// Its number in the log; 0 before it was tried.
    pub(crate) fn seq(&self) -> u64 {
        self.seq.unwrap_or_default()
    }
}

/// Alarms that wait for the database, in order, each with its number in the log as soon as it was tried.
///
/// The rule that readers rest on: numbers are committed in order. So nothing is tried with a later number while it is not
/// known what came of an earlier one, and what is tried again keeps its number. When it is full, the oldest alarm that was
/// never tried is dropped: it is the one that apps have least use for, and the caller counts it.
#[derive(Debug)]
pub struct Backlog {
    entries: VecDeque<BacklogEntry>,
    capacity: usize,
    next_ticket: u64,
    /// Number of the newest alarm in the log.
    last_seq: u64,
    /// How many the database has taken.
    taken: u64,
}

impl Backlog {
    /// An empty backlog of a node whose newest alarm has this number.
    pub fn new(last_seq: u64, capacity: usize) -> Self {
        Self { entries: VecDeque::new(), capacity: capacity.max(1), next_ticket: 1, last_seq, taken: 0 }
    }

    /// Adds an alarm; returns its ticket, and what was dropped to make room for it.
    pub fn push(&mut self, alarm: LedgerAlarm) -> (Ticket, Option<BacklogEntry>) {
        let dropped = if self.entries.len() >= self.capacity { self.drop_oldest() } else { None };
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        let entry =
            BacklogEntry { ticket, alarm, outcomes: Vec::new(), settled: false, seq: None, refused: None };
        self.entries.push_back(entry);
        (ticket, dropped)
    }

    fn drop_oldest(&mut self) -> Option<BacklogEntry> {
        let untried = self.entries.iter().position(|entry| entry.seq.is_none())?;
        self.entries.remove(untried)
    }

    /// Notes what became of a waiting alarm for devices: it is written in the same transaction as the alarm, so that no
    /// other node finds the alarm without it. Returns them where the alarm does not wait any more.
    pub fn note(
        &mut self,
        ticket: Ticket,
        outcomes: Vec<DeviceOutcome>,
        settled: bool,
    ) -> Result<(), Vec<DeviceOutcome>> {
        // Tickets grow along the queue.
        let Ok(index) = self.entries.binary_search_by_key(&ticket, |entry| entry.ticket) else {
            return Err(outcomes);
        };
        if let Some(entry) = self.entries.get_mut(index) {
            entry.outcomes.extend(outcomes);
            entry.settled |= settled;
        }
        Ok(())
    }

    /// Returns what is to be written next, with numbers. What had no answer comes first, under its numbers, and alone.
    pub(crate) fn batch(&mut self, most: usize) -> Vec<BacklogEntry> {
        let in_doubt = self.entries.iter().take_while(|entry| entry.is_in_doubt()).count();
        if in_doubt == 0 {
            for entry in self.entries.iter_mut().take(most) {
                self.last_seq += 1;
                entry.seq = Some(self.last_seq);
            }
        }
        self.entries.iter().take_while(|entry| entry.is_in_doubt()).take(most).cloned().collect()
    }

    /// Takes what was written off the queue: the batch that was returned last, of this length.
    pub(crate) fn settle(&mut self, written: usize) {
        self.taken += self.entries.drain(..written.min(self.entries.len())).count() as u64;
    }

    /// The database has refused the first alarm by itself: it goes behind the others, under another number. Returns it
    /// instead where it was refused often, and others were not: it will never be taken.
    pub(crate) fn refuse(&mut self) -> Option<BacklogEntry> {
        let mut entry = self.entries.pop_front()?;
        let (times, taken) = entry.refused.map_or((1, self.taken), |(times, taken)| (times + 1, taken));
        (entry.seq, entry.refused) = (None, Some((times, taken)));
        if times >= REFUSALS && self.taken > taken {
            return Some(entry);
        }
        self.entries.push_back(entry);
        None
    }

    /// Goes on after this number at least. What is in doubt keeps its numbers.
    pub(crate) fn skip_to(&mut self, seq: u64) {
        self.last_seq = self.last_seq.max(seq);
    }

    /// Number of alarms that wait.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Says whether none waits.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Iterates over what waits, the oldest first.
    pub fn entries(&self) -> impl Iterator<Item = &BacklogEntry> {
        self.entries.iter()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;
    use zmes_shared::words::Phase;
    use zmes_shared::{EventId, MonitorId};

    use super::*;
    use crate::alarms::DedupKey;

    fn alarm(event: u64) -> LedgerAlarm {
        LedgerAlarm {
            dedup: DedupKey::start(EventId(event)),
            phase: Phase::Start,
            monitor: MonitorId(1),
            event: Some(EventId(event)),
            at: Timestamp::UNIX_EPOCH,
            body: b"{}".to_vec(),
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Push,
        /// A batch that is written.
        Write(usize),
        /// A batch that has no answer.
        Lose(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => Just(Step::Push),
            2 => (1_usize..5).prop_map(Step::Write),
            1 => (1_usize..5).prop_map(Step::Lose),
        ]
    }

    proptest! {
        /// Whatever fails: numbers are committed in order and without a later one before an earlier one, alarms keep
        /// their order, none is lost but those that were said to be dropped, and what is tried again is the same.
        #[test]
        fn numbers_are_committed_in_order(steps in prop::collection::vec(step(), 1..200)) {
            let (first, capacity) = (7, 8);
            let mut backlog = Backlog::new(first, capacity);
            let (mut pushed, mut dropped, mut written) = (Vec::new(), Vec::new(), Vec::new());
            let mut lost: Vec<BacklogEntry> = Vec::new();
            for step in steps {
                match step {
                    Step::Push => {
                        let (ticket, gone) = backlog.push(alarm(1));
                        pushed.push(ticket);
                        dropped.extend(gone.map(|entry| { assert!(!entry.is_in_doubt()); entry.ticket }));
                    }
                    Step::Lose(most) => {
                        let batch = backlog.batch(most);
                        prop_assert!(batch.iter().zip(&lost).all(|(again, lost)| again == lost));
                        if lost.is_empty() {
                            lost = batch;
                        }
                    }
                    Step::Write(most) => {
                        let batch = backlog.batch(most);
                        prop_assert!(batch.iter().zip(&lost).all(|(again, lost)| again == lost));
                        lost.drain(..batch.len().min(lost.len()));
                        written.extend(batch.iter().map(|entry| (entry.seq(), entry.ticket)));
                        backlog.settle(batch.len());
                    }
                }
                prop_assert!(backlog.len() <= capacity);
            }
            let numbers: Vec<u64> = written.iter().map(|(seq, _)| *seq).collect();
            let expected: Vec<u64> = (first + 1..).take(numbers.len()).collect();
            prop_assert_eq!(numbers, expected);
            let mut all: Vec<Ticket> = written.iter().map(|(_, ticket)| *ticket).collect();
            prop_assert!(all.is_sorted());
            all.extend(&dropped);
            all.extend(backlog.entries().map(|entry| entry.ticket));
            all.sort_unstable();
            prop_assert_eq!(all, pushed);
        }
    }

    #[test]
    fn the_oldest_that_was_never_tried_is_dropped() {
        let mut backlog = Backlog::new(0, 3);
        let tickets: Vec<Ticket> = (1..=3).map(|event| backlog.push(alarm(event)).0).collect();
        assert_eq!(backlog.batch(1).len(), 1);
        let (newest, dropped) = backlog.push(alarm(4));
        assert_eq!(dropped.map(|entry| entry.ticket), Some(tickets[1]));
        let left: Vec<Ticket> = backlog.entries().map(|entry| entry.ticket).collect();
        assert_eq!(left, [tickets[0], tickets[2], newest]);
    }

    #[test]
    fn what_the_database_refuses_waits_behind_the_others_and_is_given_up_if_it_takes_those() {
        let mut backlog = Backlog::new(0, 9);
        let tickets: Vec<Ticket> = (1..=3).map(|event| backlog.push(alarm(event)).0).collect();
        assert_eq!(backlog.batch(64).len(), 3);
        let first = |backlog: &mut Backlog| backlog.batch(1).into_iter().map(|e| (e.ticket, e.seq())).next();
        assert_eq!(first(&mut backlog), Some((tickets[0], 1)));
        assert_eq!(backlog.refuse(), None);
        for (ticket, seq) in [(tickets[1], 2), (tickets[2], 3)] {
            assert_eq!(first(&mut backlog), Some((ticket, seq)), "under their numbers");
            backlog.settle(1);
        }
        assert_eq!(first(&mut backlog), Some((tickets[0], 4)), "under another one");
        assert_eq!(backlog.refuse(), None);
        assert_eq!(first(&mut backlog), Some((tickets[0], 5)));
        assert_eq!(backlog.refuse().map(|entry| entry.ticket), Some(tickets[0]));
        assert!(backlog.is_empty());
        // While it takes nothing at all, nothing is given up.
        let ticket = backlog.push(alarm(9)).0;
        for _ in 0..9 {
            assert_eq!(first(&mut backlog).map(|(ticket, _)| ticket), Some(ticket));
            assert_eq!(backlog.refuse(), None);
        }
    }

    #[test]
    fn what_became_of_an_alarm_goes_with_it_while_it_waits() {
        let mut backlog = Backlog::new(0, 3);
        let ticket = backlog.push(alarm(1)).0;
        assert_eq!(backlog.note(ticket, Vec::new(), true), Ok(()));
        assert!(backlog.batch(9)[0].settled);
        backlog.settle(1);
        assert_eq!(backlog.note(ticket, Vec::new(), true), Err(Vec::new()));
    }
}
