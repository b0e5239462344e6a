//! Cameras that are lost together: one trouble instead of many.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;
use zmes_shared::MonitorId;

/// Fewer cameras than this are reported one by one.
const LEAST: usize = 3;
/// Minimum share of the cameras, in percent.
const PART: usize = 80;
/// Cameras lost within this time count as lost together.
const TOGETHER: Duration = Duration::from_mins(1);

/// When each camera without a trouble of its own was lost.
#[derive(Debug, Clone, Default)]
pub(super) struct Losses(BTreeMap<MonitorId, Instant>);

impl Losses {
    /// Updates the lost cameras; `known` contains the cameras whose state is known.
    pub(super) fn update(&mut self, lost: &BTreeSet<MonitorId>, known: &BTreeSet<MonitorId>, now: Instant) {
        self.0.retain(|id, _| lost.contains(id) || !known.contains(id));
        for id in lost {
            self.0.entry(*id).or_insert(now);
        }
    }

    pub(super) fn since(&self, id: MonitorId) -> Option<Instant> {
        self.0.get(&id).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Forgets cameras that are no longer in the catalog.
    pub(super) fn retain(&mut self, stays: impl Fn(MonitorId) -> bool) {
        self.0.retain(|id, _| stays(*id));
    }

    /// Makes all count as lost from now on.
    pub(super) fn restart(&mut self, now: Instant) {
        self.0.values_mut().for_each(|at| *at = now);
    }

    /// If enough of `total` cameras have been lost together to be one trouble, returns since when.
    pub(super) fn together(&self, total: usize) -> Option<Instant> {
        let mut times: Vec<_> = self.0.values().copied().collect();
        times.sort_unstable();
        let enough = |count: usize| count >= LEAST && count * 100 >= total * PART;
        let together = |first: &&Instant| {
            let within = |at: &&Instant| **at >= **first && at.saturating_duration_since(**first) <= TOGETHER;
            enough(times.iter().filter(within).count())
        };
        times.iter().find(together).copied()
    }
}
