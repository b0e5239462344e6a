use std::time::Duration;

use zmes_shared::{MonitorId, MonitorState};

use MonitorState::{Alarm, Alert, Idle, Prealarm, Tape};

use super::*;

const NONE: [u64; 0] = [];
const STATE_LAST: [u32; 2] = [760, 768];
const STATE_FIRST: [u32; 6] = [336, 608, 600, 864, 872, 888];

/// A detector, and a clock that advances 20 ms with each poll.
struct Bench {
    detector: Detector,
    monitor: Monitor,
    reading: Reading,
    config: DetectConfig,
    now: Instant,
    ask: Option<u64>,
}

impl Bench {
    fn new(layout: u32, recording: Recording) -> Self {
        Self::after(layout, recording, None)
    }

    /// Returns the state after a first poll that showed an idle monitor with this last event.
    fn idle(layout: u32, recording: Recording, last_event: u64) -> Self {
        let mut bench = Self::new(layout, recording);
        let calm = if recording == Recording::Always { Tape } else { Idle };
        assert_eq!(bench.look(calm, last_event), NONE);
        bench
    }

    fn after(layout: u32, recording: Recording, cursor: Option<u64>) -> Self {
        let now = Instant::now() + Duration::from_hours(1);
        Self {
            detector: Detector::new(cursor.map(|event| (EventId(event), Some(now))), Vec::new()),
            monitor: Monitor {
                id: MonitorId(1),
                name: Arc::from("Front"),
                recording,
                alarm_opens_event: false,
                watched: Ok(()),
                on_demand: false,
                elsewhere: None,
            },
            reading: Reading {
                state: Idle,
                last_event: 0,
                startup_time: 1,
                alarm_cause: Arc::default(),
                trigger: None,
                recording: None,
                signal: true,
                heartbeat: None,
                layout,
                state_written_last: STATE_LAST.contains(&layout),
                order_unknown: layout == 600,
                generation: 1,
            },
            config: DetectConfig { alarm_limit: 60, ..super::super::fakes::config() },
            now,
            ask: None,
        }
    }

    /// Polls with this state and last event. Returns the announced ids; 0 stands for an alarm without an id.
    fn look(&mut self, state: MonitorState, last_event: u64) -> Vec<u64> {
        self.now += Duration::from_millis(20);
        (self.reading.state, self.reading.last_event) = (state, last_event);
        let step = self.detector.observe(&self.monitor, &self.reading, self.now, &self.config);
        self.ask = step.ask.or(self.ask);
        ids(&step.found)
    }

    fn look_after(&mut self, pause: Duration, state: MonitorState, last_event: u64) -> Vec<u64> {
        self.now += pause;
        self.look(state, last_event)
    }

    fn new_zmc(&mut self) {
        self.reading.generation += 1;
        self.reading.startup_time += 100;
    }

    /// Answers the last question with these open events and their age in seconds.
    fn answer(&mut self, open: Option<&[(u64, u64)]>) -> Vec<u64> {
        let number = self.ask.take().expect("a question");
        let rows: Option<Vec<EventRow>> =
            open.map(|open| open.iter().map(|(id, age)| row(*id, "Motion", 0, *age, true)).collect());
        ids(&self.detector.answer(number, rows.as_deref(), self.now, &self.config).found)
    }

    fn rows(&mut self, rows: &[EventRow]) -> Vec<u64> {
        for row in rows {
            self.detector.reconcile(row, self.now);
        }
        self.missed(Duration::ZERO)
    }

    fn missed(&mut self, pause: Duration) -> Vec<u64> {
        self.now += pause;
        ids(&self.detector.missed(true, self.now, &self.config))
    }
}

fn ids(found: &[DetectedAlarm]) -> Vec<u64> {
    found.iter().map(|found| found.event.map_or(0, |event| event.0)).collect()
}

fn row(id: u64, cause: &str, alarm_frames: u32, age_secs: u64, open: bool) -> EventRow {
    let (monitor, cause, age) = (MonitorId(1), cause.to_owned(), Duration::from_secs(age_secs));
    EventRow { id: EventId(id), monitor, cause, notes: String::new(), alarm_frames, age, open }
}

const DEADLINE: Duration = Duration::from_secs(5);

#[test]
fn an_alarm_with_its_new_id_is_announced_once_in_every_layout() {
    for layout in STATE_LAST.into_iter().chain(STATE_FIRST) {
        let mut bench = Bench::idle(layout, Recording::OnAlarm, 7);
        assert_eq!(bench.look(Prealarm, 7), NONE, "layout {layout}");
        assert_eq!(bench.look(Alarm, 8), [8], "layout {layout}");
        assert_eq!(bench.look(Alarm, 8), NONE);
        assert_eq!(bench.look(Alert, 8), NONE);
        assert_eq!(bench.look(Alarm, 8), NONE, "motion again before the event ended");
        assert_eq!(bench.look(Idle, 8), NONE);
        assert_eq!(bench.look(Alarm, 9), [9]);
        assert_eq!(bench.look_after(DEADLINE, Alarm, 9), NONE);
    }
}

#[test]
fn where_the_state_comes_first_the_previous_id_is_never_announced() {
    for layout in STATE_FIRST {
        let mut bench = Bench::idle(layout, Recording::OnAlarm, 7);
        assert_eq!(bench.look(Alarm, 7), NONE, "layout {layout}");
        assert_eq!(bench.look_after(Duration::from_secs(3), Alarm, 7), NONE, "a slow INSERT");
        assert_eq!(bench.look(Alarm, 8), [8]);
        assert_eq!(bench.look(Alert, 8), NONE);
        assert_eq!(bench.look_after(DEADLINE, Idle, 8), NONE);
    }
}

#[test]
fn where_the_state_comes_last_the_id_may_be_seen_a_look_before_it() {
    // 1.34.19 to 1.34.26 (layout 600) also write the state last.
    for layout in STATE_LAST.into_iter().chain([600]) {
        let mut bench = Bench::idle(layout, Recording::OnAlarm, 7);
        assert_eq!(bench.look(Idle, 8), NONE);
        assert_eq!(bench.look(Alarm, 8), [8], "layout {layout}");
    }
}

#[test]
fn an_alarm_that_ends_before_its_id_comes_still_gets_it() {
    let mut bench = Bench::idle(872, Recording::OnAlarm, 7);
    assert_eq!(bench.look(Alarm, 7), NONE);
    assert_eq!(bench.look(Idle, 7), NONE);
    assert_eq!(bench.look(Idle, 8), [8]);
}

#[test]
fn without_an_id_in_time_an_alarm_is_announced_without_and_the_late_id_is_only_noted() {
    for (layout, before) in [(768, 0), (872, 7), (336, 7)] {
        let mut bench = Bench::idle(layout, Recording::OnAlarm, 7);
        assert_eq!(bench.look(Alarm, before), NONE, "layout {layout}");
        assert_eq!(bench.look_after(DEADLINE, Alarm, before), [0]);
        assert_eq!(bench.look_after(DEADLINE, Alarm, before), NONE);
        assert_eq!(bench.look(Alarm, 8), NONE, "adopted");
        assert_eq!(bench.rows(&[row(8, "Motion", 3, 12, false)]), NONE);
        assert_eq!(bench.look(Idle, 8), NONE);
        assert_eq!(bench.look(Alarm, 9), [9]);
    }
}

#[test]
fn a_late_row_of_an_alarm_without_an_id_is_adopted_and_another_is_not() {
    let mut bench = Bench::idle(768, Recording::OnAlarm, 7);
    bench.look(Alarm, 0);
    assert_eq!(bench.look_after(DEADLINE, Alarm, 0), [0]);
    bench.look(Idle, 0);
    // The alarm began five seconds ago, its event two seconds earlier.
    assert_eq!(bench.rows(&[row(8, "Motion", 3, 7, false)]), NONE);
    assert_eq!(bench.rows(&[row(9, "Motion", 3, 1, false)]), [9]);
}

#[test]
fn a_refused_insert_is_waited_for_and_never_announced_as_event_0() {
    let mut bench = Bench::idle(760, Recording::OnAlarm, 7);
    assert_eq!(bench.look(Alarm, 0), NONE);
    assert_eq!(bench.look(Alarm, 8), [8]);
}

#[test]
fn a_monitor_that_never_records_alarms_without_an_id_at_once() {
    for by_shared_memory in [false, true] {
        let mut bench = Bench::idle(888, Recording::OnAlarm, 7);
        if by_shared_memory {
            bench.reading.recording = Some(Recording::Never);
        } else {
            bench.monitor.recording = Recording::Never;
        }
        assert_eq!(bench.look(Alarm, 7), [0]);
        assert_eq!(bench.look_after(DEADLINE, Alert, 7), NONE);
        assert_eq!(bench.look(Idle, 7), NONE);
        assert_eq!(bench.look(Alarm, 7), [0]);
    }
}

#[test]
fn another_event_while_alarmed_is_an_alarm_and_while_calm_is_a_section() {
    for layout in [600, 760, 768, 872] {
        let mut bench = Bench::idle(layout, Recording::Always, 7);
        assert_eq!(bench.look(Tape, 8), NONE, "a section");
        let mut bench = Bench::idle(layout, Recording::OnAlarm, 7);
        assert_eq!(bench.look(Alarm, 8), [8]);
        assert_eq!(bench.look(Alarm, 9), [9], "longer than a section");
        assert_eq!(bench.look(Alarm, 0), NONE);
    }
}

#[test]
fn ids_may_go_down() {
    let mut bench = Bench::idle(768, Recording::OnAlarm, 900);
    assert_eq!(bench.look(Alarm, 901), [901]);
    bench.look(Idle, 901);
    assert_eq!(bench.look(Alarm, 12), [12], "restored from a backup");
    bench.look(Idle, 12);
    for id in 13..=900 {
        bench.look(Idle, id);
    }
    assert_eq!(bench.look(Alarm, 901), [901], "another event than the 901 of before");
}

#[test]
fn inside_one_event_a_later_alarm_is_announced_at_most_every_interval() {
    let mut bench = Bench::idle(768, Recording::Always, 7);
    assert_eq!(bench.look(Alarm, 7), [7], "inside the open event");
    assert_eq!(bench.look(Tape, 7), NONE);
    assert_eq!(bench.look_after(Duration::from_secs(59), Alarm, 7), NONE);
    assert_eq!(bench.look(Tape, 7), NONE);
    assert_eq!(bench.look_after(Duration::from_secs(1), Alarm, 7), [7]);
    assert_eq!(bench.look(Tape, 7), NONE);
    bench.config.realarm_interval = Duration::ZERO;
    assert_eq!(bench.look(Alarm, 7), [7]);
    assert_eq!(bench.look(Alert, 7), NONE);
    assert_eq!(bench.look(Alarm, 7), NONE, "not an entry");
    assert_eq!(bench.look(Tape, 8), NONE);
    assert_eq!(bench.look(Alarm, 8), [8]);
}

#[test]
fn the_database_says_that_an_alarm_lies_inside_the_open_event() {
    for layout in STATE_FIRST {
        let mut bench = Bench::idle(layout, Recording::Always, 7);
        assert_eq!(bench.look(Alarm, 7), NONE, "layout {layout}");
        assert_eq!(bench.answer(Some(&[(7, 300)])), [7]);
        assert_eq!(bench.look_after(DEADLINE, Alarm, 7), NONE);
        bench.look(Idle, 7);
        // A later alarm is inside it, too, by the database's answer, but the interval applies.
        assert_eq!(bench.look(Alarm, 7), NONE);
        assert_eq!(bench.answer(Some(&[(7, 310)])), NONE);
        assert_eq!(bench.look_after(DEADLINE, Alarm, 7), NONE);
    }
}

#[test]
fn an_alarm_that_is_not_inside_the_last_event_waits_for_its_own() {
    let mut bench = Bench::idle(872, Recording::Always, 7);
    assert_eq!(bench.look(Alarm, 7), NONE);
    assert_eq!(bench.answer(Some(&[(8, 0), (2, 9000)])), NONE, "8 is on its way");
    assert_eq!(bench.look_after(Duration::from_secs(1), Alarm, 7), NONE);
    assert_eq!(bench.look(Alarm, 8), [8]);
}

#[test]
fn without_a_database_the_open_event_is_taken_after_a_moment() {
    for answered in [true, false] {
        let mut bench = Bench::idle(888, Recording::Always, 7);
        assert_eq!(bench.look(Alarm, 7), NONE);
        if answered {
            assert_eq!(bench.answer(None), NONE);
        }
        assert_eq!(bench.look_after(Duration::from_millis(440), Alarm, 7), NONE);
        assert_eq!(bench.look_after(Duration::from_millis(40), Alarm, 7), [7]);
    }
}

#[test]
fn where_an_alarm_opens_its_own_event_the_continuous_one_is_not_taken() {
    let mut bench = Bench::idle(888, Recording::Always, 7);
    bench.monitor.alarm_opens_event = true;
    assert_eq!(bench.look(Alarm, 7), NONE);
    assert_eq!(bench.ask, None);
    assert_eq!(bench.look_after(Duration::from_secs(2), Alarm, 7), NONE);
    assert_eq!(bench.look(Alarm, 8), [8]);
}

#[test]
fn motion_again_while_the_event_is_kept_open_lies_inside_it() {
    let mut bench = Bench::idle(872, Recording::OnAlarm, 7);
    bench.reading.recording = Some(Recording::OnAlarm);
    assert_eq!(bench.look(Alarm, 8), [8]);
    bench.look(Idle, 8);
    assert_eq!(bench.look_after(Duration::from_secs(3), Alarm, 8), NONE);
    assert_eq!(bench.look_after(Duration::from_secs(1), Alarm, 8), NONE);
    assert_eq!(bench.answer(Some(&[(8, 5)])), NONE, "announced less than the realarm interval ago");
    assert_eq!(bench.look_after(DEADLINE, Alarm, 8), NONE, "and not without an id either");
    assert_eq!(bench.look(Alarm, 9), [9], "the next event is another alarm");
}

#[test]
fn an_answer_to_an_older_question_is_not_taken() {
    let mut bench = Bench::idle(888, Recording::Always, 7);
    bench.look(Alarm, 7);
    let first = bench.ask.take().unwrap();
    assert_eq!(bench.look(Idle, 8), [8]);
    bench.look(Idle, 9);
    bench.look(Idle, 9);
    bench.look(Alarm, 9);
    let late = bench.detector.answer(first, Some(&[row(9, "", 0, 1, true)]), bench.now, &bench.config);
    assert_eq!(late, DetectorStep::default());
    assert_eq!(bench.answer(Some(&[(9, 1)])), [9]);
}

#[test]
fn an_alarm_that_runs_at_the_start_is_announced_once_if_it_is_young() {
    for layout in [760, 872] {
        let mut bench = Bench::new(layout, Recording::OnAlarm);
        assert_eq!(bench.look(Alarm, 7), NONE);
        assert_eq!(bench.answer(Some(&[(7, 9)])), [7], "layout {layout}");
        assert_eq!(bench.look_after(DEADLINE, Alarm, 7), NONE);
        assert_eq!(bench.rows(&[row(7, "Motion", 9, 14, true)]), NONE);

        for answer in [Some(&[(7, 10)][..]), Some(&[(6, 1)]), Some(&[]), None] {
            let mut bench = Bench::new(layout, Recording::OnAlarm);
            assert_eq!(bench.look(Alarm, 7), NONE);
            assert_eq!(bench.answer(answer), NONE, "layout {layout} {answer:?}");
            assert_eq!(bench.look_after(DEADLINE, Alarm, 7), NONE);
            assert_eq!(bench.look(Alarm, 8), [8], "but what comes then is");
        }
    }
}

#[test]
fn what_the_daemon_before_has_announced_is_not_announced_again() {
    for cursor in [7, 8] {
        let mut bench = Bench::after(768, Recording::OnAlarm, Some(cursor));
        assert_eq!(bench.look(Alarm, 7), NONE);
        assert_eq!(bench.ask, None);
        bench.look(Idle, 7);
        assert_eq!(bench.look(Alarm, 9), [9]);
    }
}

#[test]
fn an_alarm_after_the_start_is_not_taken_for_the_one_that_ran_then() {
    let mut bench = Bench::new(768, Recording::Always);
    assert_eq!(bench.look(Alarm, 7), NONE);
    bench.look(Tape, 7);
    assert_eq!(bench.look(Alarm, 7), [7]);
    assert_eq!(bench.answer(Some(&[(7, 1)])), NONE);
}

#[test]
fn a_zmc_that_starts_in_alarm_is_announced_unless_its_event_was() {
    let mut bench = Bench::idle(768, Recording::OnAlarm, 7);
    bench.look(Alarm, 8);
    bench.new_zmc();
    assert_eq!(bench.look(Alarm, 8), NONE, "read again, the same event");
    bench.new_zmc();
    assert_eq!(bench.look(Alarm, 9), [9]);
    bench.new_zmc();
    assert_eq!(bench.look(Idle, 0), NONE);
    assert_eq!(bench.look(Alarm, 10), [10]);

    let mut bench = Bench::idle(872, Recording::OnAlarm, 7);
    bench.new_zmc();
    assert_eq!(bench.look(Alarm, 0), NONE);
    assert_eq!(bench.look(Alarm, 8), [8]);
    bench.new_zmc();
    assert_eq!(bench.look(Alarm, 9), NONE);
    assert_eq!(bench.answer(Some(&[(9, 0)])), [9]);
}

#[test]
fn a_monitor_that_was_away_at_the_start_alarms_anew() {
    let mut bench = Bench::new(768, Recording::OnAlarm);
    bench.detector.miss(true, bench.now, &bench.config);
    assert_eq!(bench.look(Alarm, 7), [7]);
}

#[test]
fn an_alarm_whose_zmc_dies_before_the_id_comes_is_not_lost_and_takes_no_foreign_id() {
    let mut bench = Bench::idle(872, Recording::Always, 7);
    bench.monitor.alarm_opens_event = true;
    assert_eq!(bench.look(Alarm, 7), NONE);
    bench.new_zmc();
    assert_eq!(bench.look(Idle, 0), [0]);
    assert_eq!(bench.look(Idle, 9), NONE, "a continuous section of the new zmc");

    let mut bench = Bench::idle(872, Recording::OnAlarm, 7);
    assert_eq!(bench.look(Alarm, 7), NONE);
    let step = bench.detector.miss(true, bench.now + DEADLINE, &bench.config);
    assert_eq!(ids(&step.found), [0], "also where no zmc follows");
}

#[test]
fn the_second_event_of_a_new_zmc_is_not_taken_for_the_alarm_of_the_one_that_died() {
    let mut bench = Bench::idle(768, Recording::OnAlarm, 7);
    assert_eq!(bench.look(Alarm, 0), NONE);
    bench.new_zmc();
    assert_eq!(bench.look(Alarm, 8), [0, 8]);
    assert_eq!(bench.look(Alarm, 9), [9]);
}

#[test]
fn a_row_with_an_alarm_that_polling_did_not_see_is_announced_late() {
    let mut bench = Bench::idle(768, Recording::OnAlarm, 7);
    // The alarm was shorter than a poll: only the id has changed.
    assert_eq!(bench.look(Idle, 8), NONE);
    assert_eq!(bench.rows(&[row(8, "Motion", 2, 3, false)]), [8]);
    assert_eq!(bench.rows(&[row(8, "Motion", 2, 5, false)]), NONE);
    // Two alarms between two polls.
    assert_eq!(bench.look(Alarm, 10), [10]);
    let found = {
        bench.detector.reconcile(&row(9, " Forced Web ", 1, 3, false), bench.now);
        bench.detector.missed(true, bench.now, &bench.config)
    };
    assert_eq!(ids(&found), [9]);
    assert_eq!((found[0].origin, found[0].cause.as_deref()), (Origin::Reconciled, Some("Forced Web")));
    assert_eq!(bench.rows(&[row(10, "Motion", 1, 3, false)]), NONE);
}

#[test]
fn polling_has_the_first_word_on_an_open_event() {
    let mut bench = Bench::idle(768, Recording::OnAlarm, 7);
    let open = [row(8, "Motion", 0, 1, true)];
    assert_eq!(bench.rows(&open), NONE);
    assert_eq!(bench.look(Alarm, 8), [8]);
    assert_eq!(bench.missed(DEADLINE), NONE);

    let mut bench = Bench::idle(768, Recording::OnAlarm, 7);
    assert_eq!(bench.rows(&open), NONE);
    assert_eq!(bench.missed(Duration::from_millis(1499)), NONE);
    assert_eq!(bench.missed(Duration::from_millis(1)), [8]);
    assert_eq!(bench.look(Alarm, 8), NONE, "the state came after all, held up by the database");
}

#[test]
fn a_row_waits_while_an_alarm_is_being_worked_out() {
    let mut bench = Bench::idle(872, Recording::OnAlarm, 7);
    assert_eq!(bench.look(Alarm, 7), NONE);
    assert_eq!(bench.rows(&[row(8, "Motion", 1, 1, false)]), NONE);
    assert_eq!(bench.look(Alarm, 8), [8]);
    assert_eq!(bench.missed(DEADLINE), NONE);
}

#[test]
fn a_continuous_event_only_counts_with_alarm_frames() {
    let mut bench = Bench::idle(768, Recording::Always, 7);
    assert_eq!(bench.rows(&[row(7, "Continuous", 0, 60, false)]), NONE);
    assert_eq!(bench.missed(DEADLINE), NONE);
    assert_eq!(bench.rows(&[row(7, "Continuous", 4, 66, false)]), [7]);
}

#[test]
fn a_monitor_that_is_not_polled_alarms_by_its_rows_at_once() {
    let mut bench = Bench::new(768, Recording::OnAlarm);
    bench.detector.reconcile(&row(8, "Motion", 0, 0, true), bench.now);
    let found = bench.detector.missed(false, bench.now, &bench.config);
    assert_eq!((ids(&found), found[0].origin), (vec![8], Origin::Poll));
}

#[test]
fn after_a_restore_ids_that_are_given_again_are_new_events() {
    let mut bench = Bench::new(768, Recording::OnAlarm);
    assert_eq!(bench.rows(&[row(8, "Motion", 1, 0, false), row(9, "Motion", 1, 0, false)]), [8, 9]);
    bench.detector.restored(8);
    assert_eq!(bench.rows(&[row(8, "Motion", 1, 0, false), row(9, "Motion", 1, 0, false)]), [9]);
}

#[test]
fn more_rows_than_are_kept_are_announced_rather_than_dropped() {
    let mut bench = Bench::idle(872, Recording::OnAlarm, 7);
    bench.look(Alarm, 7);
    let rows: Vec<EventRow> = (100..1200).map(|id| row(id, "Motion", 1, 1, false)).collect();
    assert_eq!(bench.rows(&rows), (100..176).collect::<Vec<u64>>());
}
