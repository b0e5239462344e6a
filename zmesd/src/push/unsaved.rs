//! Outcomes on their way to the disk.
//!
//! A provider that has taken a push would be given it again after a crash, until its outcome is on the disk. So a push
//! keeps its place at its transport until then, and nothing is dropped here: what is not handed over counts as memory.

use std::collections::VecDeque;

use crate::state::{Attempt, Note, StateHandle};

/// Room in the state's queue that is left for the router.
const ROOM: usize = 2_048;
/// Outcomes that one note holds at most, unless they are those of one push.
const TOGETHER: usize = 500;

/// The outcomes that are not on the disk.
#[derive(Debug)]
pub(super) struct Unsaved {
    /// Those that are being collected.
    collected: Vec<Attempt>,
    /// Those that wait for room in the state's queue, with the transport that they keep a place of.
    waiting: VecDeque<(Vec<Attempt>, Option<usize>)>,
    /// Of those that were handed over, in order: the transport.
    handed_over: VecDeque<Option<usize>>,
    /// Notes that were on the disk when it was looked at last.
    written: u64,
    /// Pushes that have come out and are not on the disk, by transport.
    by_gate: Vec<usize>,
    /// Outcomes in `collected` and `waiting`.
    outcomes: usize,
}

impl Unsaved {
    /// Returns none, for so many transports.
    pub(super) fn new(gates: usize) -> Self {
        Self {
            collected: Vec::new(),
            waiting: VecDeque::new(),
            handed_over: VecDeque::new(),
            written: 0,
            by_gate: vec![0; gates],
            outcomes: 0,
        }
    }

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

    /// Returns how many pushes of a transport are not on the disk.
    pub(super) fn of_gate(&self, gate: usize) -> usize {
        self.by_gate.get(gate).copied().unwrap_or_default()
    }

    /// Adds an outcome.
    pub(super) fn add(&mut self, attempt: Attempt) {
        self.outcomes += 1;
        self.collected.push(attempt);
    }

    /// Ends what was collected: outcomes that belong to no push that is under way.
    pub(super) fn close(&mut self) {
        while self.collected.len() > TOGETHER {
            let rest = self.collected.split_off(TOGETHER);
            self.enqueue(None);
            self.collected = rest;
        }
        self.enqueue(None);
    }

    /// Ends what was collected: the outcomes of one push through that transport. They are written together, because a
    /// digest is told once or not at all.
    pub(super) fn close_push(&mut self, gate: usize) {
        self.enqueue(Some(gate));
    }

    fn enqueue(&mut self, gate: Option<usize>) {
        if self.collected.is_empty() {
            return;
        }
        if let Some(unwritten) = gate.and_then(|gate| self.by_gate.get_mut(gate)) {
            *unwritten += 1;
        }
        self.waiting.push_back((std::mem::take(&mut self.collected), gate));
    }

    /// Hands over what there is room for, and leaves the state room for what the router has to say.
    pub(super) fn hand_over(&mut self, state: &StateHandle) {
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
    pub(super) fn next(&mut self) -> Option<Note> {
        let (attempts, _) = self.waiting.pop_front()?;
        self.outcomes -= attempts.len();
        Some(Note::Attempts(attempts))
    }

    /// So many notes are on the disk: their pushes need no place any more.
    pub(super) fn written(&mut self, notes: u64) {
        while self.written < notes {
            self.written += 1;
            let Some(gate) = self.handed_over.pop_front() else { break };
            if let Some(unwritten) = gate.and_then(|gate| self.by_gate.get_mut(gate)) {
                *unwritten = unwritten.saturating_sub(1);
            }
        }
        self.written = notes;
    }
}
