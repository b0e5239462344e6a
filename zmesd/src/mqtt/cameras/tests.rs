use zmes_shared::machine::MachineAlarm;
use zmes_shared::words::SnoozeOrigin;

use super::*;
use crate::detect::Condition;
use crate::domain::SnoozeId;

const GARAGE: MonitorId = MonitorId(3);

#[derive(Default)]
struct Stage {
    cameras: Cameras,
    slots: Slots,
}

impl Stage {
    fn new() -> Self {
        let mut stage = Self::default();
        stage.monitors(&[(3, "Garage")]);
        stage
    }

    fn topics() -> Topics {
        Topics::new("zmesd")
    }

    fn monitors(&mut self, named: &[(u32, &str)]) -> bool {
        let now = named.iter().map(|(id, name)| (MonitorId(*id), Arc::from(*name))).collect();
        self.cameras.set(now, &Self::topics(), &mut self.slots)
    }

    fn report(&mut self, state: MonitorState, condition: Condition) {
        let report = MonitorReport {
            id: GARAGE,
            name: "Garage".into(),
            state,
            last_event: None,
            layout: None,
            condition,
        };
        self.cameras.report(&report, &Self::topics(), &mut self.slots);
    }

    fn alarm(&mut self, kind: MachineKind, event: u64, late: bool) -> bool {
        self.cameras.alarm(&message(kind, event, late), &Self::topics(), &mut self.slots)
    }

    /// What is published now, without the topic before the monitor's id.
    fn published(&mut self) -> BTreeMap<String, String> {
        let messages = std::iter::from_fn(|| self.slots.next());
        let plain = |payload: Bytes| String::from_utf8_lossy(&payload).into_owned();
        messages.map(|message| (message.topic.replace("zmesd/3/", ""), plain(message.payload))).collect()
    }
}

fn message(kind: MachineKind, event: u64, late: bool) -> MachineMessage {
    MachineMessage::of_alarm(MachineAlarm {
        kind,
        at: "2026-11-02T10:00:07.512Z".parse().unwrap(),
        late,
        monitor: GARAGE,
        name: "Garage",
        event: Some(EventId(event)),
        cause: "Motion: door",
        lasted: None,
    })
}

fn states(states: &[(&str, &str)]) -> BTreeMap<String, String> {
    states.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn labels_that_come_later_are_attributes_of_the_same_alarm_and_change_no_state() {
    let mut stage = Stage::new();
    stage.report(MonitorState::Idle, Condition::Captured);
    stage.alarm(MachineKind::AlarmStart, 7, false);
    stage.published();
    let update = |event| MachineMessage {
        labels: Some(vec![Label::new("person", Some(95)).unwrap()]),
        at: "2026-11-02T10:00:11.1Z".parse().unwrap(),
        ..message(MachineKind::AlarmUpdate, event, false)
    };
    stage.cameras.alarm(&update(6), &Stage::topics(), &mut stage.slots);
    assert_eq!(stage.published(), states(&[]), "of an earlier event");
    stage.cameras.alarm(&update(7), &Stage::topics(), &mut stage.slots);
    let attributes = concat!(
        r#"{"event":7,"cause":"Motion: door","labels":[{"name":"person","confidence":95}],"#,
        r#""at":"2026-11-02T10:00:07.512Z"}"#
    );
    assert_eq!(stage.published(), states(&[("attributes", attributes)]));
}

#[test]
fn a_camera_that_is_read_from_the_events_table_stays_in_alarm_when_its_condition_changes() {
    let mut stage = Stage::new();
    stage.report(MonitorState::Unknown, Condition::Captured);
    stage.alarm(MachineKind::AlarmStart, 7, false);
    assert_eq!(stage.published()["alarm"], "ON");
    stage.report(MonitorState::Unknown, Condition::NoPicture);
    let published = stage.published();
    assert!(
        published.contains_key("watching/attributes") && !published.contains_key("alarm"),
        "{published:?}"
    );
    stage.alarm(MachineKind::AlarmEnd, 7, false);
    assert_eq!(stage.published()["alarm"], "OFF");
}

#[test]
fn an_alarm_of_the_record_goes_on_after_a_restart_until_a_report_or_its_end() {
    let open = |event: u64| OpenAlarm {
        monitor: GARAGE,
        event: Some(EventId(event)),
        monitor_name: "Garage".into(),
        cause: "Motion".into(),
        began: "2026-11-02T10:00:07.512Z".parse().unwrap(),
        at: "2026-11-02T10:00:07.512Z".parse().unwrap(),
        closed: false,
    };
    let again = || {
        let mut stage = Stage { cameras: Cameras::starting(vec![open(7)]), slots: Slots::default() };
        stage.monitors(&[(3, "Garage")]);
        assert_eq!(stage.published()["alarm"], "ON");
        stage
    };
    let mut stage = again();
    stage.report(MonitorState::Unknown, Condition::Captured);
    assert!(!stage.published().contains_key("alarm"));
    assert!(stage.alarm(MachineKind::AlarmEnd, 7, false));
    assert_eq!(stage.published()["alarm"], "OFF");
    let mut stage = again();
    stage.report(MonitorState::Idle, Condition::Captured);
    assert_eq!(stage.published()["alarm"], "OFF", "it is over");
    // Its end was seen by nobody, and the record has given it up.
    let mut stage = again();
    stage.cameras.compare(vec![open(7)], false, &Stage::topics(), &mut stage.slots);
    assert!(!stage.published().contains_key("alarm") && stage.cameras.remembers_an_alarm());
    stage.cameras.compare(Vec::new(), false, &Stage::topics(), &mut stage.slots);
    assert_eq!(stage.published()["alarm"], "OFF");
    // A start that was missed.
    stage.cameras.compare(vec![open(8)], true, &Stage::topics(), &mut stage.slots);
    assert_eq!(stage.published()["alarm"], "ON");
}

#[test]
fn an_end_that_was_missed_switches_off_its_own_alarm_and_no_later_one() {
    let mut stage = Stage::new();
    stage.report(MonitorState::Idle, Condition::Captured);
    stage.alarm(MachineKind::AlarmStart, 7, false);
    stage.published();
    let missed = |stage: &mut Stage, kind, event, at: &str| {
        let message = MachineMessage { at: at.parse().unwrap(), ..message(kind, event, true) };
        stage.cameras.missed(&message, &Stage::topics(), &mut stage.slots);
        stage.published().get("alarm").cloned()
    };
    let earlier = "2026-11-02T10:00:05Z";
    assert_eq!(missed(&mut stage, MachineKind::AlarmStart, 6, "2026-11-02T10:00:04Z"), None);
    assert_eq!(missed(&mut stage, MachineKind::AlarmEnd, 6, earlier), None, "an earlier alarm");
    assert!(stage.cameras.is_last(GARAGE, EventId(7)));
    let end = "2026-11-02T10:00:09Z";
    assert_eq!(missed(&mut stage, MachineKind::AlarmEnd, 7, end).as_deref(), Some("OFF"));
    // While the monitor is reported to be in alarm, a later one goes on.
    stage.alarm(MachineKind::AlarmStart, 8, false);
    stage.report(MonitorState::Alarm, Condition::Captured);
    stage.published();
    assert_eq!(missed(&mut stage, MachineKind::AlarmEnd, 8, end), None);
}

#[test]
fn a_monitor_has_all_its_states_from_the_beginning_and_none_when_it_is_gone() {
    let mut stage = Stage::new();
    stage.report(MonitorState::Idle, Condition::Captured);
    assert_eq!(
        stage.published(),
        states(&[
            ("alarm", "OFF"),
            ("watching", "ON"),
            ("watching/attributes", r#"{"reason":"captured"}"#),
            ("notifications", "ON"),
            ("snoozed-until", "None"),
        ])
    );
    assert!(!stage.monitors(&[(3, "Garage")]) && stage.monitors(&[(3, "Gate")]));
    assert!(stage.monitors(&[]));
    let gone = stage.published();
    assert!(gone.len() == OF_MONITOR.len() && gone.values().all(String::is_empty), "{gone:?}");
}

#[test]
fn an_alarm_that_is_told_before_the_report_stays_on() {
    let mut stage = Stage::new();
    stage.report(MonitorState::Idle, Condition::Captured);
    stage.published();
    assert!(stage.alarm(MachineKind::AlarmStart, 7, false));
    let attributes = r#"{"event":7,"cause":"Motion: door","at":"2026-11-02T10:00:07.512Z"}"#;
    assert_eq!(stage.published(), states(&[("alarm", "ON"), ("attributes", attributes)]));
    stage.report(MonitorState::Idle, Condition::Captured);
    assert_eq!(stage.published(), states(&[]), "the report of before says nothing new");
    stage.report(MonitorState::Alarm, Condition::Captured);
    assert_eq!(stage.published(), states(&[]));
    assert!(stage.alarm(MachineKind::AlarmEnd, 7, false));
    assert_eq!(stage.published(), states(&[("alarm", "OFF")]));
}

#[test]
fn what_was_found_late_switches_nothing_on_and_an_end_is_told_once() {
    let mut stage = Stage::new();
    stage.report(MonitorState::Idle, Condition::Captured);
    stage.published();
    stage.alarm(MachineKind::AlarmStart, 6, true);
    assert!(!stage.published().contains_key("alarm"));
    stage.alarm(MachineKind::AlarmStart, 7, false);
    assert!(!stage.alarm(MachineKind::AlarmEnd, 6, false), "the same stay in alarm has a later event");
    assert!(stage.alarm(MachineKind::AlarmEnd, 7, false));
}

#[test]
fn a_dead_zmc_is_said_with_its_reason() {
    let mut stage = Stage::new();
    stage.report(MonitorState::Alarm, Condition::Captured);
    stage.published();
    stage.report(MonitorState::Down, Condition::Frozen { age: std::time::Duration::from_secs(9) });
    let reason = r#"{"reason":"frozen"}"#;
    assert_eq!(
        stage.published(),
        states(&[("alarm", "OFF"), ("watching", "OFF"), ("watching/attributes", reason)])
    );
}

#[test]
fn only_snoozes_for_all_phones_count() {
    let until: Timestamp = "2026-11-02T12:00:00Z".parse().unwrap();
    let snooze = |monitor: Option<u32>, scope| Snooze {
        id: SnoozeId(1),
        monitor: monitor.map(MonitorId),
        scope,
        since: until,
        until,
        hard: false,
        tell: false,
        by: "amy".to_owned(),
        origin: SnoozeOrigin::Cli,
    };
    let mut stage = Stage::new();
    let mut take = |snoozes: &[Snooze]| {
        stage.cameras.snoozes(&snoozes.iter().collect::<Vec<_>>(), &Stage::topics(), &mut stage.slots);
        stage.published().get("snoozed-until").cloned()
    };
    assert_eq!(take(&[snooze(Some(3), SnoozeScope::User("amy".into()))]).as_deref(), Some("None"));
    assert_eq!(take(&[snooze(Some(3), SnoozeScope::Everybody)]).as_deref(), Some("2026-11-02T12:00:00Z"));
    assert_eq!(take(&[snooze(None, SnoozeScope::Everybody)]), None, "the same");
    assert_eq!(take(&[snooze(Some(4), SnoozeScope::Everybody)]).as_deref(), Some("None"));
}
