//! Alarms that were announced without an id: if their events appear later, those are not announced again.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::detector::ID_DEADLINE;

/// A row belongs to such an alarm if its event began at most this long before the alarm (pictures from before the alarm
/// are part of the event) …
const BEGAN_BEFORE: Duration = Duration::from_mins(1);
/// … and at most this long after it.
const BEGAN_AFTER: Duration = Duration::from_secs(3);
/// Number of such alarms remembered per monitor; without a database there may be many.
const REMEMBERED: usize = 64;

/// An alarm began at some time between these two.
#[derive(Debug, Clone, Copy)]
struct Span(Instant, Instant);

#[derive(Debug, Default)]
pub(super) struct Unidentified {
    /// The alarm that may still be running, or whose id may still appear in shared memory.
    last: Option<Span>,
    /// Earlier alarms, including those of previous runs: only a row can show their events.
    before: VecDeque<Span>,
}

impl Unidentified {
    /// Restores the alarms that previous runs announced at these times, oldest first.
    pub(super) fn recorded(announced_at: Vec<Instant>) -> Self {
        let mut alarms = Self::default();
        for at in announced_at {
            // They had waited for their ids, but at most this long.
            alarms.remember(Span(at.checked_sub(ID_DEADLINE).unwrap_or(at), at));
        }
        alarms
    }

    /// Records that an alarm which began at this time was announced.
    pub(super) fn announced(&mut self, began: Instant) {
        self.another();
        self.last = Some(Span(began, began));
    }

    /// Another alarm has begun: an id that appears from now on does not belong to the last one.
    pub(super) fn another(&mut self) {
        if let Some(last) = self.last.take() {
            self.remember(last);
        }
    }

    /// Returns whether an id that appears now belongs to the last alarm, which is then no longer waiting.
    pub(super) fn take_last(&mut self) -> bool {
        self.last.take().is_some()
    }

    /// Returns whether an event that began at this time (`None`: earlier than the monotonic clock can express) belongs
    /// to one of these alarms, which is then no longer waiting.
    pub(super) fn take(&mut self, began: Option<Instant>) -> bool {
        let Some(began) = began else { return false };
        let fits = |span: &Span| began + BEGAN_BEFORE >= span.0 && began <= span.1 + BEGAN_AFTER;
        if self.last.as_ref().is_some_and(fits) {
            return self.take_last();
        }
        match self.before.iter().position(fits) {
            Some(index) => self.before.remove(index).is_some(),
            None => false,
        }
    }

    fn remember(&mut self, span: Span) {
        if self.before.len() == REMEMBERED {
            self.before.pop_front();
        }
        self.before.push_back(span);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn each_alarm_has_one_event_and_a_foreign_one_is_none() {
        let now = Instant::now() + Duration::from_hours(1);
        let mut alarms = Unidentified::recorded(vec![now - secs(300), now - secs(100)]);
        assert!(!alarms.take(Some(now - secs(200))), "between the two, and of neither");
        assert!(!alarms.take(None));
        assert!(alarms.take(Some(now - secs(110))));
        assert!(!alarms.take(Some(now - secs(110))), "its event has been found");
        assert!(alarms.take(Some(now - secs(304))));
    }

    #[test]
    fn an_alarm_keeps_waiting_for_its_row_when_another_begins() {
        let now = Instant::now() + Duration::from_hours(1);
        let mut alarms = Unidentified::default();
        alarms.announced(now);
        alarms.another();
        assert!(!alarms.take_last(), "what is shown now is the other's");
        assert!(alarms.take(Some(now - secs(2))));
    }

    #[test]
    fn a_row_is_the_last_ones_first() {
        let now = Instant::now() + Duration::from_hours(1);
        let mut alarms = Unidentified::recorded(vec![now]);
        alarms.announced(now + secs(20));
        assert!(alarms.take(Some(now - secs(1))));
        assert!(!alarms.take_last());
    }
}
