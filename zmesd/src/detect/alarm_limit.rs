//! Limits how many alarms of one monitor are announced: flapping shared memory must not ring phones all night, and each
//! alarm costs a row in the state file for every phone.
//!
//! Real alarms come a few per minute: events have a minimum length, and within an event `realarm-interval` applies. Of
//! the alarms beyond the limit, the last one is announced at the end of the minute, to show that alarms continue.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use zmes_shared::{EventId, MonitorId};

use crate::domain::{Alarm, Origin};

/// The period for which alarms are counted; it begins with the first alarm.
const WINDOW: Duration = Duration::from_mins(1);
const REMEMBERED: usize = 256;

/// Alarms that were not announced because they exceeded the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    pub monitor: MonitorId,
    pub from: Timestamp,
    pub to: Timestamp,
    /// The lowest and highest event ids among them, if any had an id.
    pub events: Option<(EventId, EventId)>,
    pub alarms: u64,
}

/// The most recent gaps since the start. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Gaps(Arc<Mutex<VecDeque<Gap>>>);

impl Gaps {
    /// Returns the gap that contains this event of a monitor, if any.
    pub fn find(&self, monitor: MonitorId, event: EventId) -> Option<Gap> {
        let gaps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let within = |gap: &&Gap| {
            gap.monitor == monitor && gap.events.is_some_and(|(first, last)| (first..=last).contains(&event))
        };
        gaps.iter().rev().find(within).copied()
    }

    /// Adds an alarm to the current gap of its monitor, or begins a new gap.
    fn add(&self, alarm: &Alarm, begins: bool) {
        let mut gaps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let open = gaps.iter_mut().rev().find(|gap| gap.monitor == alarm.monitor).filter(|_| !begins);
        if let Some(gap) = open {
            gap.to = alarm.at;
            gap.alarms += 1;
            gap.events = match (gap.events, alarm.event) {
                (Some((first, last)), Some(event)) => Some((first.min(event), last.max(event))),
                (None, Some(event)) => Some((event, event)),
                (events, None) => events,
            };
            return;
        }
        if gaps.len() == REMEMBERED {
            gaps.pop_front();
        }
        let events = alarm.event.map(|event| (event, event));
        gaps.push_back(Gap { monitor: alarm.monitor, from: alarm.at, to: alarm.at, events, alarms: 1 });
    }
}

#[derive(Debug, Default)]
pub(super) struct AlarmLimit {
    began: Option<Instant>,
    announced: u32,
    /// The last alarm beyond the limit, which is announced at the end of the minute.
    held: Option<Alarm>,
    /// Number of alarms held back since the monitor began to flap; `None` if it does not flap.
    flapping: Option<u64>,
    /// Alarms were held back in this minute.
    exceeded: bool,
}

impl AlarmLimit {
    pub(super) fn is_flapping(&self) -> bool {
        self.flapping.is_some()
    }

    /// Returns the alarms to announce, at most `limit` per minute (0: all). Late alarms are always announced: each is
    /// an event that ZoneMinder has recorded.
    pub(super) fn admit(&mut self, alarms: Vec<Alarm>, limit: u32, now: Instant, gaps: &Gaps) -> Vec<Alarm> {
        let mut admitted = Vec::with_capacity(alarms.len());
        for alarm in alarms {
            if limit == 0 || alarm.origin != Origin::Poll {
                admitted.push(alarm);
                continue;
            }
            self.began.get_or_insert(now);
            if self.announced < limit {
                self.announced += 1;
                admitted.push(alarm);
                continue;
            }
            gaps.add(&alarm, self.flapping.is_none());
            *self.flapping.get_or_insert(0) += 1;
            self.exceeded = true;
            self.held = Some(alarm);
        }
        admitted
    }

    /// Ends the minute if it is over, and returns the alarm that was held back last.
    pub(super) fn due(&mut self, now: Instant) -> Option<Alarm> {
        self.began.filter(|began| now.saturating_duration_since(*began) >= WINDOW)?;
        let held = self.held.take();
        self.began = held.is_some().then_some(now);
        self.announced = u32::from(held.is_some());
        held
    }

    /// Returns how many alarms were not announced, once a minute has passed within the limit.
    pub(super) fn ended(&mut self, now: Instant) -> Option<u64> {
        let over = self.began.is_none_or(|began| now.saturating_duration_since(began) >= WINDOW);
        if over && !std::mem::take(&mut self.exceeded) {
            return self.flapping.take();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AlarmLabels, Phase};

    const CAMERA: MonitorId = MonitorId(3);

    fn alarm(event: u64, origin: Origin) -> Alarm {
        Alarm {
            monitor: CAMERA,
            monitor_name: "Garage".into(),
            event: Some(EventId(event)),
            cause: "Motion".into(),
            labels: AlarmLabels::default(),
            at: Timestamp::from_second(1_900_000_000 + i64::try_from(event).unwrap()).unwrap(),
            detected: Instant::now(),
            origin,
            phase: Phase::Start,
            span: None,
            elsewhere: None,
            stands_for_event: false,
        }
    }

    /// Makes a monitor alarm every `pace` for this long. Returns the announced events.
    fn flap(
        limit: &mut AlarmLimit,
        gaps: &Gaps,
        from: Instant,
        first: u64,
        count: u64,
        pace: Duration,
    ) -> Vec<u64> {
        let mut announced = Vec::new();
        for number in 0..count {
            let now = from + pace * u32::try_from(number).unwrap();
            announced.extend(limit.due(now));
            limit.ended(now);
            announced.extend(limit.admit(vec![alarm(first + number, Origin::Poll)], 60, now, gaps));
        }
        announced.iter().filter_map(|alarm| alarm.event).map(|event| event.0).collect()
    }

    #[test]
    fn memory_that_flaps_for_ten_minutes_is_told_sixty_times_a_minute() {
        let (mut limit, gaps, began) = (AlarmLimit::default(), Gaps::default(), Instant::now());
        // 24 alarms a second, as three cameras did: 431,100 rows a minute with 100 phones.
        let announced = flap(&mut limit, &gaps, began, 1, 14_400, Duration::from_micros(41_667));
        assert!((590..=610).contains(&announced.len()), "{}", announced.len());
        assert_eq!(announced[..61], [(1..=60).collect::<Vec<_>>(), vec![announced[60]]].concat());
        assert!(limit.is_flapping());
        let gap = gaps.find(CAMERA, EventId(5_000)).unwrap();
        assert_eq!((gap.events.unwrap().0, gap.alarms > 13_000), (EventId(61), true));
        assert!(
            gaps.find(MonitorId(4), EventId(5_000)).is_none() && gaps.find(CAMERA, EventId(60)).is_none()
        );
    }

    #[test]
    fn when_it_ends_the_last_one_is_announced_and_the_next_alarm_at_once() {
        let (mut limit, gaps, began) = (AlarmLimit::default(), Gaps::default(), Instant::now());
        let announced = flap(&mut limit, &gaps, began, 1, 100, Duration::from_millis(100));
        assert_eq!(announced, (1..=60).collect::<Vec<_>>());
        let minute = began + WINDOW;
        assert_eq!(limit.due(minute).and_then(|alarm| alarm.event), Some(EventId(100)), "the last one");
        assert_eq!((limit.ended(minute), limit.is_flapping()), (None, true), "not before a quiet minute");
        let quiet = minute + WINDOW;
        assert!(limit.due(quiet).is_none());
        assert_eq!((limit.ended(quiet), limit.ended(quiet)), (None, Some(40)));
        assert!(!limit.is_flapping());
        let next = limit.admit(vec![alarm(200, Origin::Poll)], 60, quiet, &gaps);
        assert_eq!(next.len(), 1);
    }

    #[test]
    fn without_a_limit_and_for_late_alarms_nothing_is_held_back() {
        let (mut limit, gaps, now) = (AlarmLimit::default(), Gaps::default(), Instant::now());
        let many = |origin| (1..=500).map(|event| alarm(event, origin)).collect::<Vec<_>>();
        assert_eq!(limit.admit(many(Origin::Reconciled), 60, now, &gaps).len(), 500);
        assert_eq!(limit.admit(many(Origin::Poll), 0, now, &gaps).len(), 500);
        assert!(!limit.is_flapping());
    }
}
