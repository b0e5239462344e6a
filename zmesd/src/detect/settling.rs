//! Holds rows that polling may have missed until that is certain.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use zmes_shared::EventId;
use zmes_zoneminder::EventRow;

/// How long polling has priority for an event that is still open: a row becomes visible before (or while) ZoneMinder
/// publishes it in shared memory.
const SETTLE: Duration = Duration::from_millis(1500);

/// Maximum number of rows kept for one monitor while one of its alarms is pending: more than any ZoneMinder creates in
/// that time. Beyond it, the oldest rows are taken as missed.
const BOUND: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Settling {
    rows: BTreeMap<EventId, (EventRow, Instant)>,
}

impl Settling {
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn put(&mut self, row: EventRow, now: Instant) {
        let first_seen = self.rows.get(&row.id).map_or(now, |(_, first_seen)| *first_seen);
        self.rows.insert(row.id, (row, first_seen));
    }

    /// Removes and returns the rows that were certainly missed, ordered by id, each with the time at which it was first
    /// seen.
    pub(super) fn take(
        &mut self,
        now: Instant,
        poll_interval: Duration,
        patience: Patience,
    ) -> Vec<(EventRow, Instant)> {
        // A slow poll needs its time, too.
        let settle = SETTLE.max(poll_interval * 2);
        let mut surplus = self.rows.len().saturating_sub(BOUND);
        let certain = |row: &EventRow, first_seen: Instant| match patience {
            Patience::None => true,
            Patience::Settle => !row.open || now.saturating_duration_since(first_seen) >= settle,
            Patience::Hold => false,
        };
        let taken = self.rows.extract_if(.., |_, (row, first_seen)| {
            let forced = surplus > 0;
            surplus = surplus.saturating_sub(1);
            forced || certain(row, *first_seen)
        });
        taken.map(|(_, row)| row).collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// The database is the monitor's source: there is no polling.
    None,
    Settle,
    /// An alarm is pending, and this row may be its event.
    Hold,
}
