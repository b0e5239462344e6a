//! What previous runs of the daemon have announced, according to their record.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;
use zmes_shared::{EventId, MonitorId};

/// The record at the start of the daemon.
///
/// An event is caught up with because it is not in the record, not because its id is beyond the last one: a daemon that
/// was killed may have announced a later event of the same monitor while an earlier one was still to be found.
#[derive(Debug, Clone)]
pub struct Record {
    reaches_back: Duration,
    read_at: Instant,
    announced: BTreeSet<EventId>,
    /// The recorded events whose end was not announced.
    open: BTreeMap<EventId, MonitorId>,
}

impl Record {
    /// Returns a record that reaches back this far; zero: it has just been begun.
    pub fn new(reaches_back: Duration, announced: BTreeSet<EventId>) -> Self {
        Self { reaches_back, read_at: Instant::now(), announced, open: BTreeMap::new() }
    }

    /// Adds the events whose end is still to be announced.
    #[must_use]
    pub fn with_open(mut self, open: impl IntoIterator<Item = (EventId, MonitorId)>) -> Self {
        self.open = open.into_iter().collect();
        self
    }

    pub(super) fn open(&self) -> impl Iterator<Item = (EventId, MonitorId)> {
        self.open.iter().map(|(event, monitor)| (*event, *monitor))
    }

    /// Returns whether this is the very first run: then the table is followed from its end.
    pub(super) fn is_new(&self) -> bool {
        self.reaches_back.is_zero()
    }

    /// Returns the maximum age of events to catch up with: what happened before the record began was never meant to be
    /// announced. At the very first start, everything beyond the end of the table is new.
    pub(super) fn reach(&self, catch_up: Duration, now: Instant) -> Duration {
        if self.is_new() {
            return catch_up;
        }
        catch_up.min(self.reaches_back.saturating_add(now.saturating_duration_since(self.read_at)))
    }

    pub(super) fn contains(&self, event: EventId) -> bool {
        self.announced.contains(&event)
    }

    /// Forgets the events after `newest`: they belong to another database, or to this one before it was restored.
    pub(super) fn forget_after(&mut self, newest: EventId) {
        self.announced.retain(|event| *event <= newest);
        self.open.retain(|event, _| *event <= newest);
    }
}
