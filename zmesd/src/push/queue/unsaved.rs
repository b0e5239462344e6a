//! Outcomes on their way to the disk.
//!
//! After a crash, a push is sent again unless its outcome is on the disk. So a push counts among those that its
//! transport has under way until then, and nothing is dropped here: what is not handed over counts as memory.

use std::collections::{HashMap, VecDeque};

use crate::state::Attempt;

/// Outcomes that one note holds at most, unless they are those of one push.
const TOGETHER: usize = 500;

#[derive(Debug, Default)]
pub(super) struct Unsaved {
    /// Those that belong to no push under way.
    collected: Vec<Attempt>,
    /// Notes for which the state has no room yet, with the gate whose push they end.
    waiting: VecDeque<(Vec<Attempt>, Option<u64>)>,
    /// Of those that were handed over, in order: the gate.
    handed_over: VecDeque<Option<u64>>,
    /// Notes that were on the disk when it was asked last.
    written: u64,
    /// Pushes that have come out and are not on the disk, by the id of their gate. One that a reload has replaced is
    /// forgotten with its last push.
    by_gate: HashMap<u64, usize>,
    /// Outcomes in `collected` and `waiting`.
    outcomes: usize,
}

impl Unsaved {
    /// Says whether everything was handed over.
    pub(super) fn is_empty(&self) -> bool {
        self.outcomes == 0
    }

    /// Returns how many outcomes were not handed over.
    pub(super) fn outcomes(&self) -> usize {
        self.outcomes
    }

    /// Returns how many notes are not on the disk.
    pub(super) fn notes(&self) -> usize {
        self.waiting.len() + self.handed_over.len()
    }

    pub(super) fn of_gate(&self, gate: u64) -> usize {
        self.by_gate.get(&gate).copied().unwrap_or_default()
    }

    pub(super) fn add(&mut self, attempt: Attempt) {
        self.outcomes += 1;
        self.collected.push(attempt);
    }

    /// Adds the outcomes of one push, which are written together: a digest is written whole or not at all.
    pub(super) fn add_push(&mut self, attempts: Vec<Attempt>, gate: Option<u64>) {
        self.close();
        self.outcomes += attempts.len();
        self.enqueue(attempts, gate);
    }

    fn close(&mut self) {
        while self.collected.len() > TOGETHER {
            let rest = self.collected.split_off(TOGETHER);
            let full = std::mem::replace(&mut self.collected, rest);
            self.enqueue(full, None);
        }
        let rest = std::mem::take(&mut self.collected);
        self.enqueue(rest, None);
    }

    fn enqueue(&mut self, attempts: Vec<Attempt>, gate: Option<u64>) {
        if attempts.is_empty() {
            return;
        }
        if let Some(gate) = gate {
            *self.by_gate.entry(gate).or_default() += 1;
        }
        self.waiting.push_back((attempts, gate));
    }

    pub(super) fn hand_over(&mut self, mut to: impl FnMut(Vec<Attempt>) -> Result<(), Vec<Attempt>>) {
        self.close();
        while let Some((attempts, gate)) = self.waiting.pop_front() {
            let count = attempts.len();
            if let Err(attempts) = to(attempts) {
                self.waiting.push_front((attempts, gate));
                break;
            }
            self.outcomes -= count;
            self.handed_over.push_back(gate);
        }
    }

    pub(super) fn next(&mut self) -> Option<Vec<Attempt>> {
        self.close();
        let (attempts, _) = self.waiting.pop_front()?;
        self.outcomes -= attempts.len();
        Some(attempts)
    }

    /// This many notes are on the disk since the start.
    pub(super) fn written(&mut self, notes: u64) {
        while self.written < notes {
            self.written += 1;
            let Some(gate) = self.handed_over.pop_front() else { break };
            let Some(gate) = gate else { continue };
            match self.by_gate.get_mut(&gate) {
                Some(unwritten) if *unwritten > 1 => *unwritten -= 1,
                Some(_) => drop(self.by_gate.remove(&gate)),
                None => {}
            }
        }
        self.written = notes;
    }
}
