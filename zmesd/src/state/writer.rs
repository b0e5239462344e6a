//! The one writer of the state file.

use std::sync::Arc;
use std::time::Duration;

use sqlx::SqlitePool;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info};

use super::note::Note;
use super::{commit, deliveries, tokens};
use crate::domain::DeliveryId;
use crate::ports::Clock;
use crate::telemetry::Counters;

/// Notes that one transaction takes at most: one flush of the disk serves all of them.
const GROUP: usize = 256;
/// How long to wait before a failed group is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How often old alarms are dropped from the record.
const PRUNE: Duration = Duration::from_hours(1);

/// How often it says that it moves, though there is nothing to write.
const TURN: Duration = Duration::from_secs(5);
/// After so long it is taken to stand still: a slow card may take seconds for one group.
const STANDSTILL: Duration = Duration::from_mins(1);
/// The same while it drops what is old.
const PRUNING: Duration = Duration::from_mins(10);

/// The writer's task.
///
/// Owns: the writing connection. Receives: notes. Sends: its trouble, as a watch. Ends: when told to, after the
/// queued notes are on the disk (or have failed once more).
#[derive(Debug)]
pub struct StateWriter {
    pool: SqlitePool,
    notes: mpsc::Receiver<Note>,
    trouble: watch::Sender<Option<String>>,
    committed: watch::Sender<Committed>,
    keep: Keep,
    clock: Arc<dyn Clock>,
    counters: Arc<Counters>,
}

/// What is on the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Committed {
    /// The last delivery.
    pub last: DeliveryId,
    /// So many [`Note::Attempt`]s since the start.
    pub attempts: u64,
}

/// Says whether a failure is the note's own fault, and not the disk's: then trying again does not help.
fn is_of_one_note(problem: &sqlx::Error) -> bool {
    problem.as_database_error().is_some_and(|error| {
        error.is_unique_violation() || error.is_check_violation() || error.is_foreign_key_violation()
    })
}

/// How long what is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keep {
    pub(super) events: Duration,
    pub(super) deliveries: Duration,
    pub(super) tombstones: Duration,
}

impl StateWriter {
    pub(super) fn new(
        pool: SqlitePool,
        notes: mpsc::Receiver<Note>,
        trouble: watch::Sender<Option<String>>,
        committed: watch::Sender<Committed>,
        keep: Keep,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { pool, notes, trouble, committed, keep, clock, counters: Arc::default() }
    }

    /// Has it say in these counters that it moves.
    #[must_use]
    pub fn counting(mut self, counters: Arc<Counters>) -> Self {
        self.counters = counters;
        self
    }

    /// Runs until `stop`, then writes what is queued already.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut group = Vec::with_capacity(GROUP);
        let mut prune = tokio::time::interval(PRUNE);
        prune.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut turn = tokio::time::interval(TURN);
        turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.moves(STANDSTILL);
            let room = GROUP - group.len();
            tokio::select! {
                biased;
                // Seldom, and so it keeps nothing back; after the notes it might never have its turn.
                _ = prune.tick() => {
                    self.moves(PRUNING);
                    self.prune().await;
                }
                _ = turn.tick() => {}
                taken = self.notes.recv_many(&mut group, room), if room > 0 => if taken == 0 { break },
                () = stop.cancelled() => break,
            }
            while !group.is_empty() && !self.write(&mut group).await {
                // It moves, if in vain: what is wrong is the disk, which `trouble` tells.
                self.moves(STANDSTILL);
                tokio::select! {
                    () = tokio::time::sleep(RETRY) => {}
                    () = stop.cancelled() => break,
                }
            }
        }
        while let Ok(note) = self.notes.try_recv() {
            group.push(note);
        }
        if !group.is_empty() && !self.write(&mut group).await {
            error!(notes = group.len(), "the state file could not be completed: these are lost");
        }
        self.pool.close().await;
    }

    /// Says that it will be back within that time.
    fn moves(&self, within: Duration) {
        self.counters.beats.state_writer.back_within(within);
    }

    /// Writes a group in one transaction and empties it; on failure says so and keeps it.
    async fn write(&self, group: &mut Vec<Note>) -> bool {
        let began = Instant::now();
        match commit::group(&self.pool, group).await {
            Ok(()) => {
                debug!(notes = group.len(), took = ?began.elapsed(), "state written");
                self.settle(group);
                if self.trouble.send_replace(None).is_some() {
                    info!("the state file can be written again");
                }
                true
            }
            Err(problem) if is_of_one_note(&problem) => self.write_singly(group).await,
            Err(problem) => {
                let problem = problem.to_string();
                if self.trouble.send_replace(Some(problem.clone())).is_none() {
                    error!(error = problem, "cannot write the state file: alarms are sent, but not recorded");
                }
                false
            }
        }
    }

    /// Writes note by note, and drops what cannot be written: one of them must not keep back all others for ever.
    async fn write_singly(&self, group: &mut Vec<Note>) -> bool {
        while let Some(note) = group.first() {
            match commit::group(&self.pool, std::slice::from_ref(note)).await {
                Ok(()) => {}
                Err(problem) if is_of_one_note(&problem) => {
                    error!(error = problem.to_string(), "the state file does not take this: it is not kept");
                }
                Err(_) => return false,
            }
            self.settle(&mut vec![group.remove(0)]);
        }
        true
    }

    /// Says that these notes are on the disk, to whoever waits for that.
    fn settle(&self, group: &mut Vec<Note>) {
        let attempts = group.iter().filter(|note| matches!(note, Note::Attempt(_))).count() as u64;
        let last = group.drain(..).filter_map(settled).max();
        if last.is_none() && attempts == 0 {
            return;
        }
        self.committed.send_modify(|committed| {
            committed.attempts += attempts;
            committed.last = committed.last.max(last.unwrap_or_default());
        });
    }

    async fn prune(&self) {
        let now = self.clock.now().as_millisecond();
        let before = |keep: Duration| now.saturating_sub(i64::try_from(keep.as_millis()).unwrap_or(i64::MAX));
        let alarms = sqlx::query("DELETE FROM alarms WHERE at < ?")
            .bind(before(self.keep.events))
            .execute(&self.pool)
            .await
            .map(|done| done.rows_affected());
        for (what, gone) in [
            ("alarms", alarms),
            ("deliveries", deliveries::forget(&self.pool, before(self.keep.deliveries)).await),
            ("revoked tokens", tokens::forget_revoked(&self.pool, before(self.keep.tombstones)).await),
        ] {
            match gone {
                Ok(gone) => debug!(what, gone, "dropped what is old from the state file"),
                Err(problem) => {
                    error!(what, error = problem.to_string(), "cannot drop what is old from the state file");
                }
            }
        }
    }
}

/// Answers a barrier; returns the last delivery of an alarm.
fn settled(note: Note) -> Option<DeliveryId> {
    match note {
        Note::Announced(_, decisions) | Note::Tested(_, decisions) => {
            decisions.last().map(|decided| decided.id)
        }
        Note::Barrier(reply) => {
            // Whoever waits may have given up.
            reply.send(()).ok();
            None
        }
        Note::Devices(_)
        | Note::Sent(..)
        | Note::Token(_)
        | Note::Tokens(_)
        | Note::TokenSent(..)
        | Note::TokenUntold(_)
        | Note::Attempt(_)
        | Note::Withdrawn(..) => None,
    }
}
