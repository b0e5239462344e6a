//! What the desk does about a ledger that takes the lease and signs of life, and not this node's alarms: a table that is
//! full or damaged, a right that is missing, an alarm that does not fit.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{error, warn};
use zmes_cluster::LedgerError;
use zmes_cluster::alarms::BacklogEntry;

use super::{Desk, TurnKind};
use crate::state::ClusterNote;

/// Statements that failed.
#[derive(Debug, Default)]
pub(super) struct RefusedWrites {
    /// Since when writes of alarms fail; `None`: the last one succeeded.
    pub(super) since: Option<Instant>,
    /// For so long that alarms are pushed without it.
    is_long: bool,
    /// A statement, whatever its kind, has failed in this turn.
    pub(super) of_turn: bool,
}

impl Desk {
    /// While the ledger takes no alarms for two terms, though it takes the lease, this node sends as if it were alone.
    pub(super) fn look_for_refusals(&mut self) {
        let is_refused = self.refused_for() >= self.patience();
        let was_refused = std::mem::replace(&mut self.refusals.is_long, is_refused);
        let is_stuck = self.refusals.is_long || self.entries.has_given_up();
        self.parts.turns.stuck(is_stuck);
        if !self.refusals.is_long || was_refused {
            return;
        }
        if !self.parts.turns.is_alone() {
            warn!(
                "the ledger takes no alarms of this node, which sends for its own cameras as if it were alone"
            );
        }
        // Where another node leads, the turn has changed, and begins with them.
        if self.turn.kind != TurnKind::None {
            for number in self.entries.of_nobody(false) {
                self.take_on(number);
            }
        }
    }

    fn refused_for(&self) -> Duration {
        self.refusals.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// How long the ledger may refuse alarms, or what a new turn needs, before this node does without it.
    pub(super) fn patience(&self) -> Duration {
        self.parts.turns.term() * 2
    }

    /// Returns alarms that this node is to push though the ledger does not have them.
    pub(super) fn unlogged_to_push(&self) -> Vec<u64> {
        self.entries.of_nobody(!self.pushes_unlogged())
    }

    pub(super) fn pushes_unlogged(&self) -> bool {
        self.refusals.is_long || self.parts.turns.is_alone()
    }

    /// The ledger takes other alarms and not this one: no other node hears of it, so this one pushes it.
    pub(super) fn give_up(&mut self, entry: &BacklogEntry, error: &LedgerError) {
        let monitor = entry.alarm.monitor;
        error!(%monitor, %error, hint = error.hint, "the ledger does not take an alarm; other nodes will not get it");
        self.note(ClusterNote::Logged(vec![entry.alarm.dedup]));
        if let Some(number) = self.entries.given_up(entry.ticket) {
            self.take_on(number);
        }
    }
}
