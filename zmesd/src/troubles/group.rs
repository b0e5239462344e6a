//! Cameras that are lost together: one trouble in place of many.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;
use zmes_shared::MonitorId;

/// Fewer cameras than this are told of one by one.
const LEAST: usize = 3;
/// This part of the cameras, in percent.
const PART: usize = 80;
/// They were lost within this time.
const TOGETHER: Duration = Duration::from_mins(1);

/// When the cameras were lost that have no trouble of their own.
#[derive(Debug, Clone, Default)]
pub(super) struct Losses(BTreeMap<MonitorId, Instant>);

impl Losses {
    /// Takes the cameras that are lost now; `known` are those whose state is known.
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

    /// Forgets cameras that the catalog has no more.
    pub(super) fn retain(&mut self, stays: impl Fn(MonitorId) -> bool) {
        self.0.retain(|id, _| stays(*id));
    }

    /// Has all count as lost from now on.
    pub(super) fn restart(&mut self, now: Instant) {
        self.0.values_mut().for_each(|at| *at = now);
    }

    /// Returns since when so many of `total` cameras have been lost together that it is one trouble.
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
