//! Remembers the shown lines, so that a stream that continues after a restart shows nothing twice. Pure.

use std::collections::{HashMap, VecDeque};

use jiff::Timestamp;
use zmes_shared::control::{Since, WatchEvent, WatchKind};
use zmes_shared::views::MonitorView;
use zmes_shared::words::{DeliveryOutcome, TargetKind};
use zmes_shared::{EventId, MonitorId};

/// How far to ask back: a push may be retried for a while, and its outcome belongs to an older alarm.
const WINDOW_MS: i64 = 3_600_000;
/// Maximum number of remembered lines; if it is reached, the window is shorter.
const MOST: usize = 50_000;
/// Times of pushes are computed from their alarm's time and a rounded latency in milliseconds.
const ROUNDED_MS: i64 = 50;

/// Identifies a recorded line. The number of an alarm is not included: numbering restarts with the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum SeenLine {
    Alarm(i64, MonitorId, Option<EventId>),
    Decision(i64, MonitorId, Option<EventId>, String),
    Outcome(Option<MonitorId>, Option<EventId>, String, DeliveryOutcome),
    Trouble(i64, String, String),
}

#[derive(Debug)]
pub(super) struct Seen {
    /// Recorded lines that were shown, with the times of their alarms in milliseconds.
    shown: VecDeque<(i64, SeenLine)>,
    /// The lines among them that are expected again, with their counts.
    again: HashMap<SeenLine, u32>,
    monitors: HashMap<MonitorId, MonitorView>,
    /// This is not the first stream.
    resumed: bool,
    /// Where the first stream began. If that is an event, its time is unknown here until the first recorded line.
    start: Since,
    /// The time of the newest recorded line that was shown.
    latest: i64,
}

impl Seen {
    /// `start` is where the first stream began.
    pub(super) fn new(start: Since) -> Self {
        Self {
            shown: VecDeque::new(),
            again: HashMap::new(),
            monitors: HashMap::new(),
            resumed: false,
            start,
            latest: i64::MIN,
        }
    }

    /// Returns the time from which to request the record; all lines shown since then are expected again.
    pub(super) fn resume(&mut self) -> Since {
        self.resumed = true;
        self.again.clear();
        let Since::Time(start) = self.start else { return self.start };
        let oldest = if self.shown.len() >= MOST { self.shown.front().map(|(at, _)| *at) } else { None };
        let window = self.latest.saturating_sub(WINDOW_MS).max(oldest.unwrap_or(i64::MIN));
        let since = start.as_millisecond().max(window);
        for (_, line) in self.shown.iter().filter(|(at, _)| *at > since - ROUNDED_MS) {
            *self.again.entry(line.clone()).or_default() += 1;
        }
        since_time(since)
    }

    /// Returns whether a line is new, and remembers it.
    pub(super) fn is_new(&mut self, event: &WatchEvent) -> bool {
        if let WatchKind::Monitor { change, monitor } = &event.kind {
            let before = self.monitors.insert(monitor.id, monitor.clone());
            return !self.resumed || change != super::PRESENT || before.as_ref() != Some(monitor);
        }
        if self.resumed && is_state(&event.kind) {
            return false;
        }
        let Some((at, line)) = line(event) else { return true };
        if let Some(count) = self.again.get_mut(&line) {
            *count -= 1;
            if *count == 0 {
                self.again.remove(&line);
            }
            return false;
        }
        if matches!(self.start, Since::Event(_)) {
            // Requests return what comes after this time: this line again, and nothing older.
            self.start = since_time(at - 1);
        }
        self.latest = self.latest.max(at);
        self.shown.push_back((at, line));
        while self.shown.len() > MOST
            || self.shown.front().is_some_and(|(at, _)| *at < self.latest - WINDOW_MS)
        {
            self.shown.pop_front();
        }
        true
    }
}

fn since_time(millisecond: i64) -> Since {
    Since::Time(Timestamp::from_millisecond(millisecond).unwrap_or(Timestamp::UNIX_EPOCH))
}

/// Returns whether a line describes the state at the start of a stream and was already shown at the start of the first.
/// Clients are always shown: after a restart they are different ones.
fn is_state(kind: &WatchKind) -> bool {
    match kind {
        WatchKind::Token { change, .. } | WatchKind::Trouble { change, .. } => change == super::PRESENT,
        WatchKind::Delivery { outcome, .. } => *outcome == DeliveryOutcome::Queued,
        WatchKind::Alarm { .. }
        | WatchKind::Decision { .. }
        | WatchKind::Session { .. }
        | WatchKind::Monitor { .. }
        | WatchKind::Lagged { .. }
        | WatchKind::Unknown => false,
    }
}

/// Returns the identity of a recorded line, and the time of its alarm; `None` if the line is not recorded.
fn line(event: &WatchEvent) -> Option<(i64, SeenLine)> {
    let at = event.at.as_millisecond();
    Some(match &event.kind {
        WatchKind::Alarm { monitor_id, event_id, .. } => (at, SeenLine::Alarm(at, *monitor_id, *event_id)),
        WatchKind::Decision { target: TargetKind::Token, monitor_id, event_id, id, .. } => {
            (at, SeenLine::Decision(at, *monitor_id, *event_id, id.clone()))
        }
        WatchKind::Delivery { outcome, monitor_id, event_id, id, latency_ms, .. }
            if *outcome != DeliveryOutcome::Queued =>
        {
            let alarm_at = at.saturating_sub(i64::try_from(*latency_ms).unwrap_or(i64::MAX));
            (alarm_at, SeenLine::Outcome(*monitor_id, *event_id, id.clone(), *outcome))
        }
        WatchKind::Trouble { change, trouble, .. } if change != super::PRESENT => {
            (at, SeenLine::Trouble(at, trouble.id.clone(), change.clone()))
        }
        WatchKind::Delivery { .. }
        | WatchKind::Trouble { .. }
        | WatchKind::Decision { .. }
        | WatchKind::Session { .. }
        | WatchKind::Token { .. }
        | WatchKind::Monitor { .. }
        | WatchKind::Lagged { .. }
        | WatchKind::Unknown => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event(value: Value) -> WatchEvent {
        serde_json::from_value(value).unwrap()
    }

    fn at(seconds: i64) -> String {
        Timestamp::from_second(1_793_613_600 + seconds).unwrap().to_string()
    }

    fn alarm(number: u64, id: u64, seconds: i64) -> WatchEvent {
        event(json!({"at": at(seconds), "type": "alarm", "alarm": number, "event_id": id, "monitor_id": 1,
            "monitor": "Garage", "cause": "Motion", "origin": "poll", "late": false}))
    }

    fn outcome(id: u64, seconds: i64, outcome: &str) -> WatchEvent {
        event(json!({"at": at(seconds), "type": "delivery", "alarm": 0, "event_id": id, "monitor_id": 1,
            "target": "token", "id": "1a2b3c4d", "outcome": outcome, "latency_ms": 100}))
    }

    fn seen() -> Seen {
        Seen::new(Since::Time(Timestamp::from_second(1_793_613_600).unwrap()))
    }

    #[test]
    fn what_comes_again_from_the_record_is_not_new() {
        let mut seen = seen();
        assert!(seen.is_new(&alarm(7, 100, 10)));
        assert!(seen.is_new(&outcome(100, 11, "retry")));
        assert!(seen.is_new(&outcome(100, 12, "retry")));
        seen.resume();
        assert!(!seen.is_new(&alarm(0, 100, 10)));
        assert!(!seen.is_new(&outcome(100, 11, "retry")));
        assert!(!seen.is_new(&outcome(100, 12, "retry")));
        assert!(seen.is_new(&outcome(100, 13, "retry")), "a third one, while the daemon was away");
        assert!(seen.is_new(&outcome(100, 14, "sent")));
        assert!(seen.is_new(&alarm(1, 101, 20)), "the daemon counts anew");
        seen.resume();
        assert!(!seen.is_new(&alarm(0, 101, 20)));
    }

    #[test]
    fn a_restart_shows_nothing_from_before_the_event_that_was_asked_for() {
        let mut seen = Seen::new(Since::Event(EventId(99)));
        assert_eq!(seen.resume(), Since::Event(EventId(99)), "nothing was shown yet");
        assert!(seen.is_new(&alarm(0, 100, 10)));
        assert!(seen.is_new(&alarm(0, 101, 20)));
        let first = Timestamp::from_second(1_793_613_610).unwrap();
        let before = Timestamp::from_millisecond(first.as_millisecond() - 1).unwrap();
        assert_eq!(seen.resume(), Since::Time(before));
        assert!(!seen.is_new(&alarm(0, 100, 10)) && !seen.is_new(&alarm(0, 101, 20)));
    }

    #[test]
    fn a_state_that_was_shown_is_shown_again_only_where_it_differs() {
        let monitor = |healthy: bool| {
            event(
                json!({"at": at(0), "type": "monitor", "change": "present", "monitor": {"id": 1, "name": "Garage",
                "source": "shm", "state": "idle", "last_event_id": null, "layout": null, "healthy": healthy,
                "reason": null}}),
            )
        };
        let mut seen = seen();
        assert!(seen.is_new(&monitor(true)));
        assert!(seen.is_new(&outcome(100, 1, "queued")));
        seen.resume();
        assert!(!seen.is_new(&monitor(true)));
        assert!(!seen.is_new(&outcome(100, 1, "queued")));
        assert!(seen.is_new(&monitor(false)));
    }

    #[test]
    fn the_window_moves_on() {
        let mut seen = seen();
        for hour in 0..5 {
            seen.is_new(&alarm(1, 100, hour * 3600));
        }
        assert_eq!(seen.shown.len(), 2);
        assert_eq!(seen.resume(), Since::Time(Timestamp::from_second(1_793_613_600 + 3 * 3600).unwrap()));
    }
}
