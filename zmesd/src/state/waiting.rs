//! Notes that wait for the disk, in order.
//!
//! While the disk cannot be written they stay, up to a limit; beyond it the delivery log is dropped first and the record
//! of alarms next, oldest first. Tokens and filters stay: of each only the newest state counts, so they cannot grow
//! beyond what the router itself holds.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::mem::discriminant;
use std::sync::Arc;

use super::cluster::ClusterNote;
use super::handle::Device;
use super::mqtt::MqttNote;
use super::note::{Note, TokenDecision};
use crate::domain::{Alarm, DeliveryId, TokenId};

/// Maximum number of rows that all notes write. At 200 bytes each this is 20 MB.
const BOUND: usize = 100_000;
/// Rows that remain after notes were dropped, so that not every further note drops another one.
const LEFT: usize = BOUND / 4 * 3;
/// Maximum number of notes in one transaction: they share one flush of the disk.
pub(super) const GROUP: usize = 256;
/// Rows after which a transaction takes no further note.
const ROWS: usize = 4096;

#[derive(Debug)]
pub(super) struct Waiting {
    notes: VecDeque<Note>,
    rows: usize,
    bound: usize,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Dropped {
    /// Deliveries that will not be in the log.
    pub(super) deliveries: u64,
    /// Alarms that will not be in the record, and other notes.
    pub(super) notes: u64,
    /// Notes about outcomes among them.
    pub(super) outcomes: u64,
}

impl Default for Waiting {
    fn default() -> Self {
        Self { notes: VecDeque::new(), rows: 0, bound: BOUND }
    }
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.notes.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.notes.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.rows >= self.bound
    }

    pub(super) fn push(&mut self, note: Note) {
        self.rows += rows(&note);
        self.notes.push_back(note);
    }

    /// Takes what one transaction writes.
    pub(super) fn take(&mut self) -> Vec<Note> {
        let (mut group, mut taken) = (Vec::new(), 0);
        while group.len() < GROUP && taken < ROWS {
            let Some(note) = self.notes.pop_front() else { break };
            taken += rows(&note);
            group.push(note);
        }
        self.rows -= taken;
        group
    }

    /// Returns notes that could not be written.
    pub(super) fn put_back(&mut self, group: Vec<Note>) {
        for note in group.into_iter().rev() {
            self.rows += rows(&note);
            self.notes.push_front(note);
        }
    }

    /// Drops notes: those that newer ones replace, then the delivery log, then the oldest.
    pub(super) fn shrink(&mut self) -> Dropped {
        let (mut dropped, left) = (Dropped::default(), self.bound.min(LEFT));
        self.keep_newest();
        if self.rows > left {
            self.drop_log(left, &mut dropped);
        }
        if self.rows > left {
            self.drop_oldest(left, &mut dropped);
        }
        dropped
    }

    /// Keeps only the newest state of each token and filter, and drops barriers without a receiver.
    fn keep_newest(&mut self) {
        let (mut tokens, mut devices) = (HashSet::<TokenId>::new(), HashSet::<Device>::new());
        let mut mqtt = HashSet::new();
        let mut kept = VecDeque::with_capacity(self.notes.len());
        // The newer one keeps its position: a badge that was counted between the two must not replace it.
        while let Some(mut note) = self.notes.pop_back() {
            let stays = match &mut note {
                Note::Token(token) => tokens.insert(token.id),
                Note::Tokens(many) => {
                    many.retain(|token| tokens.insert(token.id));
                    !many.is_empty()
                }
                Note::Devices(many) => {
                    many.retain(|note| devices.insert(note.device.clone()));
                    !many.is_empty()
                }
                Note::Mqtt(note) => mqtt.insert(discriminant(note)),
                Note::Barrier(reply) => !reply.is_closed(),
                Note::Announced(..)
                | Note::Ended(_)
                | Note::GivenUp(_)
                | Note::Held(..)
                | Note::Released(..)
                | Note::Updated(_)
                | Note::Cluster(_)
                | Note::Decided(..)
                | Note::Labels(..)
                | Note::Snooze(_)
                | Note::SnoozeEnded(..)
                | Note::Trouble(_)
                | Note::LinkKeys(..)
                | Note::RuleHits(..)
                | Note::Sent(..)
                | Note::TokenSent(..)
                | Note::TokenUntold(_)
                | Note::Attempts(_)
                | Note::Withdrawn(..) => true,
            };
            if stays {
                kept.push_front(note);
            }
        }
        self.notes = kept;
        self.count();
    }

    /// Drops the decisions about the oldest alarms, with what became of them: the alarms themselves stay, so that a
    /// restart does not announce them again.
    fn drop_log(&mut self, left: usize, dropped: &mut Dropped) {
        let mut gone = BTreeSet::<DeliveryId>::new();
        for note in &mut self.notes {
            if self.rows <= left {
                break;
            }
            let dropped: Vec<Arc<[TokenDecision]>> = if let Note::Announced(_, decisions) = note {
                vec![std::mem::replace(decisions, [].into())]
            } else if let Note::Released(_, messages) | Note::Updated(messages) | Note::Decided(_, messages) =
                note
            {
                messages.drain(..).map(|(_, decisions)| decisions).collect()
            } else if let Note::Ended(note) = note {
                note.pushes.drain(..).map(|(_, decisions)| decisions).collect()
            } else {
                continue;
            };
            for decisions in dropped {
                self.rows -= decisions.len();
                gone.extend(decisions.iter().map(|decided| decided.id));
            }
        }
        dropped.deliveries += gone.len() as u64;
        self.notes.retain_mut(|note| {
            if let Note::Attempts(attempts) = note {
                attempts.retain(|attempt| !gone.contains(&attempt.delivery));
                dropped.outcomes += u64::from(attempts.is_empty());
                return !attempts.is_empty();
            }
            true
        });
        self.count();
    }

    fn drop_oldest(&mut self, left: usize, dropped: &mut Dropped) {
        let mut rows_left = self.rows;
        self.notes.retain(|note| {
            // A filter without its token lives ten minutes; apps can make up any number of them.
            let lasting = matches!(
                note,
                Note::Token(_)
                    | Note::Tokens(_)
                    | Note::Snooze(_)
                    | Note::SnoozeEnded(..)
                    | Note::Trouble(_)
                    | Note::LinkKeys(..)
                    | Note::Cluster(_)
            );
            if lasting || rows_left <= left {
                return true;
            }
            rows_left -= rows(note);
            dropped.notes += 1;
            dropped.outcomes += u64::from(matches!(note, Note::Attempts(_)));
            false
        });
        self.count();
    }

    fn count(&mut self) {
        self.rows = self.notes.iter().map(rows).sum();
    }
}

fn rows_of(messages: &[(Arc<Alarm>, Arc<[TokenDecision]>)]) -> usize {
    messages.iter().map(|(_, decisions)| 1 + decisions.len()).sum()
}

/// Returns how many rows a note writes, at least one.
fn rows(note: &Note) -> usize {
    match note {
        Note::Ended(note) => 1 + rows_of(&note.pushes),
        Note::Announced(_, decisions) => 1 + decisions.len(),
        Note::Released(_, messages) | Note::Updated(messages) | Note::Decided(_, messages) => {
            1 + rows_of(messages)
        }
        Note::Held(..) => 2,
        Note::Labels(seen, _) => seen.iter().map(|(_, labels)| labels.len().max(1)).sum(),
        Note::Tokens(many) => many.len().max(1),
        Note::RuleHits(rules, _) => rules.len().max(1),
        Note::Sent(devices, ..) => devices.len().max(1),
        Note::TokenSent(told, ..) => told.len().max(1),
        Note::TokenUntold(untold) => untold.len().max(1),
        Note::Attempts(attempts) => attempts.len().max(1),
        Note::Devices(many) => many.len().max(1),
        Note::Mqtt(MqttNote::Devices(devices)) => 1 + devices.len(),
        Note::SnoozeEnded(_, _, digests) => 1 + rows_of(digests),
        Note::Trouble(note) => 1 + rows_of(note.push.as_slice()),
        Note::Cluster(note) => match &**note {
            ClusterNote::Logged(keys) => keys.len().max(1),
            ClusterNote::TokensShared(tokens) => tokens.len().max(1),
            ClusterNote::Node { .. }
            | ClusterNote::Unlogged(_)
            | ClusterNote::TokenChanged { .. }
            | ClusterNote::Read(_)
            | ClusterNote::LeavePushes => 1,
        },
        Note::GivenUp(_)
        | Note::Token(_)
        | Note::Snooze(_)
        | Note::LinkKeys(..)
        | Note::Withdrawn(..)
        | Note::Barrier(_)
        | Note::Mqtt(_) => 1,
    }
}

#[cfg(test)]
mod tests;
