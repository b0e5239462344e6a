//! Outcomes on their way to the disk.
//!
//! A provider that has taken a push would be given it again after a crash, until its outcome is on the disk. So a push
//! keeps its place at its transport until then, and nothing is dropped here: what is not handed over counts as memory.

use std::collections::{HashMap, VecDeque};

use crate::state::{Attempt, Note, StateHandle};

/// Room in the state's queue that is left for the router.
const ROOM: usize = 2_048;
/// Outcomes that one note holds at most, unless they are those of one push.
const TOGETHER: usize = 500;

/// The outcomes that are not on the disk.
#[derive(Debug, Default)]
pub(in crate::push) struct Unsaved {
    /// Those that are being collected.
    collected: Vec<Attempt>,
    /// Those that wait for room in the state's queue, with the gate that they keep a place of.
    waiting: VecDeque<(Vec<Attempt>, Option<u64>)>,
    /// Of those that were handed over, in order: the gate.
    handed_over: VecDeque<Option<u64>>,
    /// Notes that were on the disk when it was looked at last.
    written: u64,
    /// Pushes that have come out and are not on the disk, by the id of their gate. One that a reload has replaced is
    /// forgotten with its last push.
    by_gate: HashMap<u64, usize>,
    /// Outcomes in `collected` and `waiting`.
    outcomes: usize,
}

impl Unsaved {
    /// Says whether everything was handed over.
    pub(in crate::push) fn is_empty(&self) -> bool {
        self.outcomes == 0
    }

    /// Returns how many outcomes were not handed over.
    pub(in crate::push) fn outcomes(&self) -> usize {
        self.outcomes
    }

    /// Returns how many notes are not on the disk.
    pub(in crate::push) fn notes(&self) -> usize {
        self.waiting.len() + self.handed_over.len()
    }

    /// Returns how many pushes through a gate are not on the disk.
    pub(in crate::push) fn of_gate(&self, gate: u64) -> usize {
        self.by_gate.get(&gate).copied().unwrap_or_default()
    }

    /// Adds an outcome.
    pub(in crate::push) fn add(&mut self, attempt: Attempt) {
        self.outcomes += 1;
        self.collected.push(attempt);
    }

    /// Ends what was collected: outcomes that belong to no push that is under way.
    pub(in crate::push) fn close(&mut self) {
        while self.collected.len() > TOGETHER {
            let rest = self.collected.split_off(TOGETHER);
            self.enqueue(None);
            self.collected = rest;
        }
        self.enqueue(None);
    }

    /// Ends what was collected: the outcomes of one push through that gate. They are written together, because a
    /// digest is told once or not at all.
    pub(in crate::push) fn close_push(&mut self, gate: Option<u64>) {
        self.enqueue(gate);
    }

    fn enqueue(&mut self, gate: Option<u64>) {
        if self.collected.is_empty() {
            return;
        }
        if let Some(gate) = gate {
            *self.by_gate.entry(gate).or_default() += 1;
        }
        self.waiting.push_back((std::mem::take(&mut self.collected), gate));
    }

    /// Hands over what there is room for, and leaves the state room for what the router has to say.
    pub(in crate::push) fn hand_over(&mut self, state: &StateHandle) {
        while state.room() > ROOM
            && let Some((attempts, gate)) = self.waiting.pop_front()
        {
            let count = attempts.len();
            if let Err(Note::Attempts(attempts)) = state.try_note(Note::Attempts(attempts)) {
                self.waiting.push_front((attempts, gate));
                break;
            }
            self.outcomes -= count;
            self.handed_over.push_back(gate);
        }
    }

    /// Takes out the next note, for who may wait until it is taken.
    pub(in crate::push) fn next(&mut self) -> Option<Note> {
        let (attempts, _) = self.waiting.pop_front()?;
        self.outcomes -= attempts.len();
        Some(Note::Attempts(attempts))
    }

    /// So many notes are on the disk: their pushes need no place any more.
    pub(in crate::push) fn written(&mut self, notes: u64) {
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
