//! Which events of a monitor have been announced. Shared by polling and reconciliation.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;
use zmes_shared::EventId;

/// Number of events remembered. The poller only ever needs the last few; the reconciler those of the last seconds.
const REMEMBERED: usize = 64;

/// If the reconciler announced an alarm first, the poller does not repeat it within this time.
const SAME_ALARM: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AnnouncedBy {
    Poll,
    Reconciler,
}

#[derive(Debug, Clone, Copy)]
struct AnnouncedEvent {
    event: EventId,
    /// `None`: earlier than this machine's monotonic clock can express.
    at: Option<Instant>,
    by: AnnouncedBy,
}

#[derive(Debug, Default)]
pub(super) struct Announced {
    entries: VecDeque<AnnouncedEvent>,
    /// The last id seen while polling.
    polled: u64,
}

impl Announced {
    pub(super) fn contains(&self, event: EventId) -> bool {
        self.entries.iter().any(|entry| entry.event == event)
    }

    /// Returns whether an alarm inside this event should be announced at `now`.
    pub(super) fn wants(&self, event: EventId, now: Instant, interval: Duration) -> bool {
        let Some(entry) = self.entries.iter().find(|entry| entry.event == event) else { return true };
        let quiet = match entry.by {
            AnnouncedBy::Poll => interval,
            AnnouncedBy::Reconciler => interval.max(SAME_ALARM),
        };
        entry.at.is_none_or(|at| now.saturating_duration_since(at) >= quiet)
    }

    pub(super) fn note(&mut self, event: EventId, at: Option<Instant>, by: AnnouncedBy) {
        self.entries.retain(|entry| entry.event != event);
        if self.entries.len() == REMEMBERED {
            self.entries.pop_front();
        }
        self.entries.push_back(AnnouncedEvent { event, at, by });
    }

    /// Records an id seen while polling. An id lower than the last means that the database was restored: from that id
    /// on, ids refer to other events than before.
    pub(super) fn polled(&mut self, event: EventId) {
        if event.0 < self.polled {
            self.entries.retain(|entry| entry.event < event);
        }
        self.polled = event.0;
    }

    /// Forgets the events after `newest`, which do not exist (any more).
    pub(super) fn restored(&mut self, newest: u64) {
        self.entries.retain(|entry| entry.event.0 <= newest);
        self.polled = self.polled.min(newest);
    }
}
