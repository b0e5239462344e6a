//! The one writer of the state file.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};

use super::note::{Note, TokenDecision};
use super::store::{Outlets, Store};
use super::trouble::Trouble;
use super::waiting::{Dropped, GROUP, Waiting};
use crate::domain::{Alarm, DeliveryId};
use crate::ports::Clock;
use crate::telemetry::Counters;

/// How long to wait before a failed group is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How often old alarms are dropped from the record.
const PRUNE: Duration = Duration::from_hours(1);
/// A disk that does not answer for this long counts as unwritable.
const STUCK: Duration = Duration::from_secs(10);

/// How often an idle writer reports its sign of life and checks that the file still exists.
const TURN: Duration = Duration::from_secs(5);
/// A writer without a sign of life for this long counts as stuck: a slow card may take seconds for one group.
const STANDSTILL: Duration = Duration::from_mins(1);
/// The same while it drops old entries.
const PRUNING: Duration = Duration::from_mins(10);

/// The writer's task.
///
/// Owns: the writing connection, and the notes that wait for it. Receives: notes. Sends: its trouble, as a watch. Ends:
/// when told to, after the queued notes are on the disk (or have failed once more).
#[derive(Debug)]
pub struct StateWriter {
    store: Store,
    intake: Intake,
    outlets: Outlets,
    /// When a group that has failed is tried again.
    retry_at: Option<Instant>,
    clock: Arc<dyn Clock>,
    counters: Arc<Counters>,
}

/// The queue, and the notes taken from it.
#[derive(Debug)]
struct Intake {
    notes: mpsc::Receiver<Note>,
    waiting: Waiting,
    /// Number of notes dropped since the disk could not be written.
    dropped: Dropped,
    closed: bool,
}

/// State on the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Committed {
    pub last: DeliveryId,
    /// Number of [`Note::Attempts`] since the start.
    pub attempts: u64,
}

impl Intake {
    /// Takes some notes; false: all senders are closed.
    async fn receive(&mut self) -> bool {
        let mut taken = Vec::with_capacity(GROUP);
        self.closed = self.notes.recv_many(&mut taken, GROUP).await == 0;
        for note in taken {
            self.waiting.push(note);
        }
        !self.closed
    }

    fn has_room(&self) -> bool {
        !self.closed && !self.waiting.is_full()
    }

    /// Limits what waits while the disk cannot be written.
    fn make_room(&mut self, outlets: &Outlets) {
        if !self.waiting.is_full() || !outlets.is_troubled() {
            return;
        }
        let Dropped { deliveries, notes, outcomes } = self.waiting.shrink();
        if self.dropped == Dropped::default() && deliveries + notes > 0 {
            error!("too much waits for the state file: dropping the oldest deliveries from the log");
        }
        self.dropped.deliveries += deliveries;
        self.dropped.notes += notes;
        outlets.settled(outcomes);
    }
}

/// Says whether the note caused the failure, not the disk: then it is not retried.
fn is_of_one_note(trouble: &Trouble) -> bool {
    let Trouble::Refused(problem) = trouble else { return false };
    problem.as_database_error().is_some_and(|error| {
        error.is_unique_violation() || error.is_check_violation() || error.is_foreign_key_violation()
    })
}

impl StateWriter {
    pub(super) fn new(
        store: Store,
        notes: mpsc::Receiver<Note>,
        outlets: Outlets,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let intake =
            Intake { notes, waiting: Waiting::default(), dropped: Dropped::default(), closed: false };
        Self { store, intake, outlets, retry_at: None, clock, counters: Arc::default() }
    }

    /// Has it say in these counters that it moves.
    #[must_use]
    pub fn counting(mut self, counters: Arc<Counters>) -> Self {
        self.counters = counters;
        self
    }

    /// Runs until `stop`, then writes the rest of the queue.
    pub async fn run(mut self, stop: CancellationToken) {
        let (mut prune, mut turn) = (ticker(PRUNE), ticker(TURN));
        loop {
            self.moves(STANDSTILL);
            let due = self.retry_at.unwrap_or_else(Instant::now);
            let waits = !self.intake.waiting.is_empty();
            tokio::select! {
                biased;
                // It is rare; below the notes it might never run.
                _ = prune.tick() => {
                    self.moves(PRUNING);
                    let now = self.clock.now();
                    meanwhile(self.store.prune(now), &mut self.intake, &self.outlets).await;
                }
                _ = turn.tick() => self.look().await,
                more = self.intake.receive(), if self.intake.has_room() => if !more { break },
                () = sleep_until(due), if waits => {}
                () = stop.cancelled() => break,
            }
            self.intake.make_room(&self.outlets);
            // The writer works; the disk does not, which `trouble` reports.
            if self.retry_at.is_none_or(|at| at <= Instant::now()) {
                self.write().await;
            }
        }
        self.end().await;
    }

    /// Writes the queue, each group once.
    async fn end(mut self) {
        while let Ok(note) = self.intake.notes.try_recv() {
            self.intake.waiting.push(note);
        }
        while !self.intake.waiting.is_empty() && self.write().await {}
        let lost = self.intake.waiting.len();
        if lost > 0 {
            error!(notes = lost, "the state file could not be completed: notes lost");
        }
        self.store.close().await;
    }

    fn moves(&self, within: Duration) {
        self.counters.beats.state_writer.back_within(within);
    }

    async fn look(&mut self) {
        let now = self.clock.now();
        match meanwhile(self.store.look(now), &mut self.intake, &self.outlets).await {
            Ok(()) if self.intake.waiting.is_empty() => self.outlets.works(&mut self.intake.dropped),
            Ok(()) => {}
            Err(trouble) => self.fails(&trouble),
        }
    }

    fn fails(&mut self, trouble: &Trouble) {
        self.outlets.fails(&trouble.sentence(self.store.path()));
        self.retry_at = Some(Instant::now() + RETRY);
    }

    /// Writes a group in one transaction and returns whether it was written; a failed group is logged and kept.
    async fn write(&mut self) -> bool {
        let group = self.intake.waiting.take();
        if group.is_empty() {
            return true;
        }
        let (began, now) = (Instant::now(), self.clock.now());
        let written = meanwhile(self.store.write(&group, now), &mut self.intake, &self.outlets).await;
        match written {
            Ok(()) => {
                debug!(notes = group.len(), took = ?began.elapsed(), "state written");
                self.written(group);
                true
            }
            Err(trouble) if is_of_one_note(&trouble) => self.write_singly(group).await,
            Err(trouble) => {
                self.intake.waiting.put_back(group);
                self.fails(&trouble);
                false
            }
        }
    }

    /// Writes note by note and drops those that cannot be written, so that they do not stop all others.
    async fn write_singly(&mut self, group: Vec<Note>) -> bool {
        let mut group = group.into_iter();
        while let Some(note) = group.next() {
            let (one, now) = ([note], self.clock.now());
            match meanwhile(self.store.write(&one, now), &mut self.intake, &self.outlets).await {
                Ok(()) => {}
                Err(trouble) if is_of_one_note(&trouble) => {
                    let error = trouble.sentence(self.store.path());
                    error!(error, "cannot store a note in the state file: dropping it");
                }
                Err(trouble) => {
                    self.intake.waiting.put_back(one.into_iter().chain(group).collect());
                    self.fails(&trouble);
                    return false;
                }
            }
            self.written(one.into());
        }
        true
    }

    fn written(&mut self, group: Vec<Note>) {
        self.retry_at = None;
        let something = group.iter().any(|note| !matches!(note, Note::Barrier(_)));
        self.settle(group);
        // Barriers do not write.
        if something {
            self.outlets.works(&mut self.intake.dropped);
        }
    }

    /// Reports that these notes are on the disk.
    fn settle(&self, group: Vec<Note>) {
        let attempts = group.iter().filter(|note| matches!(note, Note::Attempts(_))).count() as u64;
        let last = group.into_iter().filter_map(settled).max();
        if last.is_none() && attempts == 0 {
            return;
        }
        self.outlets.committed.send_modify(|committed| {
            committed.attempts += attempts;
            committed.last = committed.last.max(last.unwrap_or_default());
        });
    }
}

/// Takes notes while the disk works, so that a stuck disk does not fill the queue; reports a disk that takes too long.
async fn meanwhile<T>(work: impl Future<Output = T>, intake: &mut Intake, outlets: &Outlets) -> T {
    let (mut work, began) = (pin!(work), Instant::now());
    let mut turn = ticker(TURN);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            _ = intake.receive(), if intake.has_room() => {}
            _ = turn.tick() => {
                let waited = began.elapsed();
                if waited >= STUCK {
                    outlets.fails(&format!("the disk has not answered for {} s", waited.as_secs()));
                }
                intake.make_room(outlets);
            }
        }
    }
}

fn ticker(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Returns the last delivery of some messages.
fn last_of(messages: &[(Arc<Alarm>, Arc<[TokenDecision]>)]) -> Option<DeliveryId> {
    messages.iter().rev().find_map(|(_, decisions)| decisions.last()).map(|decided| decided.id)
}

/// Answers a barrier; returns the last delivery of an alarm.
fn settled(note: Note) -> Option<DeliveryId> {
    match note {
        Note::Ended(note) => last_of(&note.pushes),
        Note::Announced(_, decisions) => decisions.last().map(|decided| decided.id),
        Note::Released(_, messages) | Note::Updated(messages) | Note::Decided(_, messages) => {
            last_of(&messages)
        }
        Note::SnoozeEnded(_, _, digests) => last_of(&digests),
        Note::Trouble(note) => {
            let (_, decisions) = note.push?;
            decisions.last().map(|decided| decided.id)
        }
        Note::Barrier(reply) => {
            // The receiver may have timed out.
            reply.send(()).ok();
            None
        }
        Note::Devices(_)
        | Note::GivenUp(_)
        | Note::Cluster(_)
        | Note::Held(..)
        | Note::Labels(..)
        | Note::Sent(..)
        | Note::Token(_)
        | Note::Snooze(_)
        | Note::LinkKeys(..)
        | Note::RuleHits(..)
        | Note::Tokens(_)
        | Note::TokenSent(..)
        | Note::TokenUntold(_)
        | Note::Attempts(_)
        | Note::Mqtt(_)
        | Note::Withdrawn(..) => None,
    }
}
