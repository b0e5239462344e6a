use proptest::prelude::*;
use zmes_shared::{MonitorId, MonitorState};

use MonitorState::{Alarm as Alarmed, Alert, Idle, Prealarm};

use super::*;
use crate::detect::fakes::reading;

const MOTION: &str = "Motion";
const NONE: [i64; 0] = [];

/// One monitor's episode, and a clock that advances one second with each poll.
struct Bench {
    episode: Episode,
    began: Instant,
    seconds: u64,
    /// How many seconds the wall clock was set back.
    clock_back: i64,
    generation: u64,
}

impl Bench {
    fn new() -> Self {
        Self::of(Episode::default())
    }

    fn of(episode: Episode) -> Self {
        Self { episode, began: Instant::now(), seconds: 0, clock_back: 0, generation: 1 }
    }

    fn now(&self) -> Instant {
        self.began + Duration::from_secs(self.seconds)
    }

    fn wall(&self) -> Timestamp {
        Timestamp::from_second(1_900_000_000 + self.seconds.cast_signed() - self.clock_back).unwrap()
    }

    fn alarm(&self, event: u64, origin: Origin) -> Alarm {
        Alarm {
            monitor: MonitorId(3),
            monitor_name: "Garage".into(),
            event: (event != 0).then_some(EventId(event)),
            cause: MOTION.into(),
            labels: AlarmLabels::default(),
            at: self.wall(),
            detected: self.now(),
            origin,
            phase: Phase::Start,
            span: None,
            elsewhere: None,
            stands_for_event: false,
        }
    }

    /// Polls with this state while these alarms are announced. Returns what is sent: `10` for a start, `-10` for an
    /// end.
    fn look(&mut self, state: MonitorState, alarms: &[u64]) -> Vec<i64> {
        let last = alarms.last().copied().unwrap_or(10);
        let generation = self.generation;
        self.episode.seen(&Reading { generation, ..reading(888, state, last, MOTION) });
        self.tell(alarms, Origin::Poll)
    }

    fn tell(&mut self, alarms: &[u64], origin: Origin) -> Vec<i64> {
        numbers(&self.told(alarms, origin))
    }

    fn told(&mut self, alarms: &[u64], origin: Origin) -> Vec<Alarm> {
        let alarms = alarms.iter().map(|event| self.alarm(*event, origin)).collect();
        let (now, wall) = (self.now(), self.wall());
        self.seconds += 1;
        self.episode.follow(alarms, now, wall)
    }
}

fn numbers(told: &[Alarm]) -> Vec<i64> {
    let event = |alarm: &Alarm| alarm.event.map_or(0, |event| event.0.cast_signed());
    told.iter().map(|alarm| if alarm.is_end() { -event(alarm) } else { event(alarm) }).collect()
}

fn open(event: u64, closed: bool) -> OpenAlarm {
    let at = Timestamp::from_second(1_899_999_000).unwrap();
    OpenAlarm {
        monitor: MonitorId(3),
        event: Some(EventId(event)),
        monitor_name: "Garage".into(),
        cause: MOTION.into(),
        began: at,
        at,
        closed,
    }
}

fn remembered(event: u64, closed: bool, age: u64) -> Bench {
    let (age, catch_up) = (Duration::from_secs(age), Duration::from_mins(10));
    Bench::of(Episode::remembered(open(event, closed), age, catch_up, Instant::now()))
}

#[test]
fn one_end_comes_when_the_monitor_leaves_the_alarm_and_names_the_last_one() {
    let mut bench = Bench::new();
    assert_eq!(bench.look(Prealarm, &[]), NONE);
    assert_eq!(bench.look(Alarmed, &[10]), [10]);
    assert_eq!(bench.look(Alert, &[]), NONE, "ALERT is an alarm still");
    assert_eq!(bench.look(Alarmed, &[11]), [11], "the next section of a recording: the light stays on");
    assert_eq!(bench.look(Alarmed, &[11]), [11], "realarm-interval");
    bench.episode.seen(&reading(888, Idle, 11, MOTION));
    let end = bench.told(&[], Origin::Poll).pop().unwrap();
    assert_eq!((end.event, end.origin, &*end.cause), (Some(EventId(11)), Origin::Poll, MOTION));
    let span = end.span.unwrap();
    assert_eq!(span.began, Timestamp::from_second(1_900_000_001).unwrap(), "the first of them");
    assert_eq!(span.lasted, Some(Duration::from_secs(4)));
    assert_eq!(bench.look(Idle, &[]), NONE, "once");
    assert_eq!(bench.look(Alarmed, &[]), NONE, "an alarm that was not announced");
    assert_eq!(bench.look(Idle, &[]), NONE, "has no end");
}

#[test]
fn an_alarm_whose_id_came_when_it_was_over_ends_at_once() {
    let mut bench = Bench::new();
    assert_eq!(bench.look(Idle, &[10]), [10, -10]);
    assert_eq!(bench.look(Idle, &[0]), [0, 0], "without an event, too");
}

#[test]
fn each_alarm_that_was_found_after_its_end_has_its_own_and_one_found_meanwhile_ends_with_the_others() {
    let mut bench = Bench::new();
    assert_eq!(bench.look(Idle, &[]), NONE);
    let told = bench.told(&[10, 11], Origin::Reconciled);
    assert_eq!(numbers(&told), [10, -10, 11, -11]);
    assert!(told[1].late() && told[1].lasted().is_none());
    assert_eq!(bench.look(Alarmed, &[13]), [13]);
    assert_eq!(bench.tell(&[12], Origin::Reconciled), [12], "two between two polls: the monitor is in alarm");
    assert_eq!(bench.look(Idle, &[]), [-12]);
}

#[test]
fn a_zmc_that_vanishes_ends_nothing_until_it_is_back_without_the_alarm() {
    let mut bench = Bench::new();
    assert_eq!(bench.look(Alarmed, &[10]), [10]);
    bench.episode.missed();
    assert_eq!(bench.tell(&[], Origin::Poll), NONE, "the camera may be in alarm still");
    bench.episode.event_ended(EventId(10));
    assert_eq!(bench.tell(&[], Origin::Poll), NONE);
    bench.generation += 1;
    assert_eq!(bench.look(Idle, &[]), [-10]);

    assert_eq!(bench.look(Alarmed, &[11]), [11]);
    bench.generation += 1;
    assert_eq!(bench.look(Alarmed, &[]), NONE, "another zmc, in alarm at once");
    assert_eq!(bench.look(Alarmed, &[12]), [-11, 12], "which is another alarm");
    assert_eq!(bench.look(Idle, &[]), [-12]);
}

#[test]
fn where_the_events_table_is_the_source_the_row_tells() {
    let mut bench = Bench::new();
    bench.episode.unpolled();
    assert_eq!(bench.tell(&[10], Origin::Poll), [10]);
    assert_eq!(bench.tell(&[11], Origin::Poll), [11]);
    bench.episode.event_ended(EventId(10));
    assert_eq!(bench.tell(&[], Origin::Poll), NONE, "the other one is open");
    bench.episode.event_ended(EventId(11));
    assert_eq!(bench.tell(&[], Origin::Poll), [-11]);
    bench.episode.event_ended(EventId(12));
    assert_eq!(bench.tell(&[12], Origin::Poll), [12, -12], "its row had an end already");
}

#[test]
fn a_row_that_a_crashed_zmc_left_open_holds_up_no_end() {
    let mut bench = Bench::new();
    bench.episode.unpolled();
    assert_eq!(bench.tell(&[10], Origin::Poll), [10]);
    assert_eq!(bench.tell(&[11], Origin::Poll), [11], "another zmc; nothing closes the row of 10");
    bench.episode.event_ended(EventId(11));
    assert_eq!(bench.tell(&[], Origin::Poll), [-11]);
    assert_eq!(bench.tell(&[12], Origin::Poll), [12]);
    bench.episode.event_ended(EventId(10));
    assert_eq!(bench.tell(&[], Origin::Poll), NONE, "an older row that is closed late ends no newer alarm");
    bench.episode.event_ended(EventId(13));
    assert_eq!(bench.tell(&[13], Origin::Reconciled), [13, -13], "one whose row is closed when it is found");
}

#[test]
fn what_a_former_daemon_left_open_ends_when_the_monitor_is_seen_idle_or_its_row_is_closed() {
    let mut bench = remembered(10, false, 60);
    assert_eq!(bench.tell(&[], Origin::Poll), NONE, "it was not polled yet");
    bench.episode.seen(&reading(888, Idle, 10, MOTION));
    let end = bench.told(&[], Origin::Poll).pop().unwrap();
    assert_eq!((end.event, end.late(), end.lasted()), (Some(EventId(10)), true, None));
    assert_eq!(end.span.unwrap().began, open(10, false).began);

    let mut bench = remembered(10, false, 60);
    assert_eq!(bench.look(Alarmed, &[]), NONE, "it goes on");
    assert_eq!(bench.look(Idle, &[]), [-10]);

    let mut bench = remembered(10, false, 60);
    bench.episode.missed();
    assert_eq!(bench.tell(&[], Origin::Poll), NONE, "there is no zmc");
    bench.episode.event_ended(EventId(10));
    assert_eq!(bench.tell(&[], Origin::Poll), [-10]);

    let mut bench = remembered(10, true, 60);
    bench.episode.unpolled();
    assert_eq!(bench.tell(&[], Origin::Poll), [-10]);
}

#[test]
fn one_older_than_catch_up_has_an_end_only_if_it_still_runs() {
    let mut bench = remembered(10, false, 3600);
    assert_eq!(bench.look(Idle, &[]), NONE);
    assert!(bench.episode.take_given_up() && !bench.episode.take_given_up(), "the disk is told once");
    assert_eq!(bench.look(Alarmed, &[11]), [11]);
    assert_eq!(bench.look(Idle, &[]), [-11]);
    let mut bench = remembered(10, false, 3600);
    assert_eq!(bench.look(Alarmed, &[]), NONE, "in the same event");
    assert_eq!(bench.look(Idle, &[]), [-10]);
    assert!(!bench.episode.take_given_up());
    let mut bench = remembered(10, true, 3600);
    bench.episode.unpolled();
    assert_eq!(bench.tell(&[], Origin::Poll), NONE);
    assert!(bench.episode.take_given_up());
}

#[test]
fn one_older_than_catch_up_is_not_prolonged_by_an_alarm_that_is_found_before_the_first_poll() {
    let mut bench = remembered(10, false, 3600);
    assert_eq!(bench.tell(&[11], Origin::Reconciled), [11]);
    assert!(bench.episode.take_given_up());
    bench.episode.seen(&reading(888, Idle, 11, MOTION));
    let end = bench.told(&[], Origin::Poll).pop().unwrap();
    assert_eq!(end.event, Some(EventId(11)));
    assert!(end.span.unwrap().began > open(10, false).began);

    let mut bench = remembered(10, false, 3600);
    let (now, wall) = (bench.now(), bench.wall());
    assert!(bench.episode.end(now, wall).is_none(), "nor does it end with its monitor");
    assert!(bench.episode.take_given_up());
}

#[test]
fn a_monitor_that_is_not_watched_any_more_ends_its_alarm() {
    let mut bench = Bench::new();
    bench.look(Alarmed, &[10]);
    let (now, wall) = (bench.now(), bench.wall());
    assert!(bench.episode.end(now, wall).is_some_and(|end| end.event == Some(EventId(10))));
    assert!(bench.episode.end(now, wall).is_none());
}

#[test]
fn a_clock_that_is_stepped_back_leaves_no_alarm_before_the_episode() {
    let mut bench = Bench::new();
    bench.look(Alarmed, &[10]);
    let before = bench.wall();
    bench.clock_back = 3600;
    bench.look(Alarmed, &[11]);
    bench.episode.seen(&reading(888, Idle, 11, MOTION));
    let span = bench.told(&[], Origin::Poll).pop().unwrap().span.unwrap();
    assert_eq!(span.began, before - Duration::from_hours(1));
    assert_eq!(span.lasted, Some(Duration::from_secs(2)), "by the monotonic clock");
}

#[derive(Debug, Clone)]
enum Happens {
    Look(MonitorState, bool),
    Late,
    Missed,
    Unpolled,
    Ended(u64),
    NewZmc,
}

fn happens() -> impl Strategy<Value = Happens> {
    let state = prop::sample::select(vec![Idle, Prealarm, Alarmed, Alert]);
    prop_oneof![
        6 => (state, any::<bool>()).prop_map(|(state, announces)| Happens::Look(state, announces)),
        1 => Just(Happens::Late),
        1 => Just(Happens::Missed),
        1 => Just(Happens::Unpolled),
        2 => (0_u64..40).prop_map(Happens::Ended),
        1 => Just(Happens::NewZmc),
    ]
}

proptest! {
    /// In any sequence, an end follows only starts that have no end yet and names the last of them, and once the
    /// monitor is seen calm, no episode is open.
    #[test]
    fn every_start_has_one_end_and_every_end_a_start(steps in prop::collection::vec(happens(), 1..80)) {
        let (mut bench, mut open, mut next) = (Bench::new(), Vec::<i64>::new(), 1_u64);
        for step in steps.into_iter().chain([Happens::Look(Idle, false)]) {
            let told = match step {
                Happens::Look(state, announces) => {
                    let alarms = if announces { vec![next] } else { Vec::new() };
                    next += u64::from(announces);
                    bench.look(state, &alarms)
                }
                Happens::Late => {
                    next += 1;
                    bench.tell(&[next - 1], Origin::Reconciled)
                }
                Happens::Missed => { bench.episode.missed(); bench.tell(&[], Origin::Poll) }
                Happens::Unpolled => { bench.episode.unpolled(); bench.tell(&[], Origin::Poll) }
                Happens::Ended(event) => { bench.episode.event_ended(EventId(event)); bench.tell(&[], Origin::Poll) }
                Happens::NewZmc => { bench.generation += 1; Vec::new() }
            };
            for number in told {
                if number > 0 {
                    open.push(number);
                } else {
                    prop_assert_eq!(open.last(), Some(&-number));
                    open.clear();
                }
            }
        }
        prop_assert!(open.is_empty(), "{:?} have no end", open);
    }
}
