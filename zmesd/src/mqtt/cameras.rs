//! What is known of each monitor, as the states that are published. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use zmes_shared::machine::MachineMessage;
use zmes_shared::words::{MachineKind, MonitorCondition};
use zmes_shared::{EventId, Label, MonitorId, MonitorState};

use super::slots::Slots;
use super::topics::{OF_MONITOR, Topics};
use crate::detect::MonitorReport;
use crate::domain::{Snooze, SnoozeScope};
use crate::state::OpenAlarm;

const ON: &str = "ON";
const OFF: &str = "OFF";
/// What Home Assistant reads as "unknown" of a sensor with a time.
const NO_TIME: &str = "None";

/// One monitor that is told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Camera {
    pub(super) name: Arc<str>,
    /// An alarm goes on.
    alarmed: bool,
    /// The alarm is known from the record alone: nothing was seen of it by this daemon.
    remembered: bool,
    /// As it was reported last: only a change counts, because an alarm may be told before the report.
    reported: Option<(bool, bool, MonitorCondition)>,
    /// Reports say whether it is in alarm. Of a monitor that is read from the Events table they do not.
    polled: bool,
    /// The last start that was published.
    started: Option<LastStart>,
    snoozed_until: Option<Timestamp>,
}

/// The start of an alarm as it was published; ZoneMinder may have opened no event for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct LastStart {
    event: Option<EventId>,
    at: Timestamp,
}

impl Camera {
    fn new(name: Arc<str>) -> Self {
        Self {
            name,
            alarmed: false,
            remembered: false,
            reported: None,
            polled: false,
            started: None,
            snoozed_until: None,
        }
    }

    /// Takes an alarm that goes on as the record has it.
    fn remember(&mut self, open: &OpenAlarm) {
        (self.alarmed, self.remembered) = (true, true);
        self.started = Some(LastStart { event: open.event, at: open.at });
    }
}

/// The last alarm of a monitor, beside the state `alarm`.
#[derive(Serialize)]
struct LastAlarm<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<EventId>,
    cause: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<&'a [Label]>,
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
}

#[derive(Serialize)]
struct WatchingReason {
    reason: &'static str,
}

/// The monitors that are told of.
#[derive(Debug, Default)]
pub(super) struct Cameras {
    known: BTreeMap<MonitorId, Camera>,
    /// Alarms that went on when this began, for monitors that are not known yet.
    open: BTreeMap<MonitorId, OpenAlarm>,
}

impl Cameras {
    /// Begins with the alarms that go on as the record has them: until a monitor is looked at, nothing else tells of them.
    pub(super) fn starting(open: Vec<OpenAlarm>) -> Self {
        Self { known: BTreeMap::new(), open: by_monitor(open) }
    }

    pub(super) fn get(&self, id: MonitorId) -> Option<&Camera> {
        self.known.get(&id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (MonitorId, &Camera)> {
        self.known.iter().map(|(id, camera)| (*id, camera))
    }

    /// Takes the monitors that there are now; returns whether a monitor or a name has changed.
    pub(super) fn set(
        &mut self,
        now: BTreeMap<MonitorId, Arc<str>>,
        topics: &Topics,
        slots: &mut Slots,
    ) -> bool {
        let gone: Vec<_> = self.known.keys().filter(|id| !now.contains_key(id)).copied().collect();
        let mut changed = !gone.is_empty();
        for id in gone {
            self.known.remove(&id);
            remove(id, topics, slots);
        }
        for (id, name) in now {
            let open = self.open.remove(&id);
            let camera = self.known.entry(id).or_insert_with(|| {
                changed = true;
                let mut camera = Camera::new(Arc::clone(&name));
                open.iter().for_each(|open| camera.remember(open));
                camera
            });
            if camera.name != name {
                camera.name = name;
                changed = true;
            }
            show(id, camera, topics, slots);
        }
        changed
    }

    /// Takes what the poller reports of a monitor.
    pub(super) fn report(&mut self, report: &MonitorReport, topics: &Topics, slots: &mut Slots) {
        let Some(camera) = self.known.get_mut(&report.id) else { return };
        let now = (report.state.alarmed(), report.healthy(), report.condition.word());
        // Of a monitor that is read from the Events table only its alarms and their ends say whether it is in alarm.
        let polled = report.state != MonitorState::Unknown;
        let first = polled && !std::mem::replace(&mut camera.polled, polled);
        if camera.reported.replace(now) != Some(now) || first {
            if polled {
                (camera.alarmed, camera.remembered) = (now.0, false);
            }
            show(report.id, camera, topics, slots);
        }
    }

    /// Takes an alarm, its update or its end; `false`: it is the end of an earlier alarm of the same stay, and not told.
    pub(super) fn alarm(&mut self, message: &MachineMessage, topics: &Topics, slots: &mut Slots) -> bool {
        let Some(id) = message.monitor.as_ref().map(|monitor| monitor.id) else { return true };
        self.open.remove(&id);
        let Some(camera) = self.known.get_mut(&id) else { return true };
        if message.event_type == MachineKind::AlarmEnd {
            (camera.alarmed, camera.remembered) = (false, false);
            slots.set(&topics.monitor(id, "alarm"), OFF);
            return camera.started.is_none_or(|started| started.event == message.event);
        }
        if message.event_type == MachineKind::AlarmStart {
            camera.started = Some(LastStart { event: message.event, at: message.at });
            // What was found after the fact may be over.
            if !message.late {
                (camera.alarmed, camera.remembered) = (true, false);
                slots.set(&topics.monitor(id, "alarm"), ON);
            }
        } else if message.event_type != MachineKind::AlarmUpdate {
            return true;
        }
        // An update of an earlier event says nothing about the last alarm.
        if let Some(start) = camera.started.filter(|started| started.event == message.event) {
            let last = LastAlarm {
                event: message.event,
                cause: &message.cause,
                labels: message.labels.as_deref(),
                at: format!("{:.3}", start.at),
                url: message.url.as_deref(),
            };
            slots.set(&topics.monitor(id, "attributes"), json(&last));
        }
        true
    }

    /// Takes an alarm or an end that was missed when it happened, and is read from the record.
    pub(super) fn missed(&mut self, message: &MachineMessage, topics: &Topics, slots: &mut Slots) {
        let Some(camera) = message.monitor.as_ref().and_then(|monitor| self.known.get(&monitor.id)) else {
            return;
        };
        let reported = camera.polled && camera.reported.is_some_and(|(alarmed, ..)| alarmed);
        // What came later is known already.
        let newest = camera.started.is_none_or(|started| started.at <= message.at);
        let its_end = camera.started.is_some_and(|started| started.event == message.event) && !reported;
        let tells = match message.event_type {
            MachineKind::AlarmStart => newest,
            MachineKind::AlarmEnd => newest && its_end && camera.alarmed,
            MachineKind::AlarmUpdate
            | MachineKind::Trouble
            | MachineKind::Resolved
            | MachineKind::Test
            | MachineKind::SnoozeEnd
            | MachineKind::Unknown => false,
        };
        if tells {
            // Whether it goes on, reports or `compare` say.
            self.alarm(&MachineMessage { late: true, ..message.clone() }, topics, slots);
        }
    }

    /// Compares monitors whose state no report tells with the alarms that go on as the record has them. `missed`: starts
    /// may have been missed.
    pub(super) fn compare(&mut self, open: Vec<OpenAlarm>, missed: bool, topics: &Topics, slots: &mut Slots) {
        let open = by_monitor(open);
        for (id, camera) in self.known.iter_mut().filter(|(_, camera)| !camera.polled) {
            match open.get(id) {
                Some(alarm) if missed && !camera.alarmed => camera.remember(alarm),
                // Its end was seen by nobody: it was given up.
                None if camera.remembered => (camera.alarmed, camera.remembered) = (false, false),
                Some(_) | None => continue,
            }
            show(*id, camera, topics, slots);
        }
    }

    /// Says whether an alarm is shown that is known from the record alone.
    pub(super) fn remembers_an_alarm(&self) -> bool {
        self.known.values().any(|camera| camera.remembered && !camera.polled)
    }

    /// Says whether the last alarm of a monitor is of that event.
    pub(super) fn is_last(&self, id: MonitorId, event: EventId) -> bool {
        let last = self.get(id).and_then(|camera| camera.started);
        last.is_some_and(|started| started.event == Some(event))
    }

    /// Takes the snoozes that hold for all phones.
    pub(super) fn snoozes(&mut self, snoozes: &[&Snooze], topics: &Topics, slots: &mut Slots) {
        for (id, camera) in &mut self.known {
            let ours = snoozes.iter().filter(|snooze| {
                snooze.scope == SnoozeScope::Everybody && snooze.monitor.is_none_or(|monitor| monitor == *id)
            });
            camera.snoozed_until = ours.map(|snooze| snooze.until).max();
            show(*id, camera, topics, slots);
        }
    }

    /// Says whether pushes of a monitor are snoozed for all phones.
    pub(super) fn snoozed(&self, id: MonitorId, now: Timestamp) -> bool {
        self.get(id).and_then(|camera| camera.snoozed_until).is_some_and(|until| now < until)
    }
}

fn by_monitor(open: Vec<OpenAlarm>) -> BTreeMap<MonitorId, OpenAlarm> {
    open.into_iter().map(|alarm| (alarm.monitor, alarm)).collect()
}

/// Removes the states of a monitor.
pub(super) fn remove(id: MonitorId, topics: &Topics, slots: &mut Slots) {
    for name in OF_MONITOR {
        slots.remove(&topics.monitor(id, name));
    }
}

fn show(id: MonitorId, camera: &Camera, topics: &Topics, slots: &mut Slots) {
    let word = |on: bool| if on { ON } else { OFF };
    let (_, watching, condition) = camera.reported.unwrap_or((false, false, MonitorCondition::NotLookedAt));
    slots.set(&topics.monitor(id, "alarm"), word(camera.alarmed));
    slots.set(&topics.monitor(id, "watching"), word(watching));
    let reason = WatchingReason { reason: condition.word() };
    slots.set(&topics.monitor(id, "watching/attributes"), json(&reason));
    slots.set(&topics.monitor(id, "notifications"), word(camera.snoozed_until.is_none()));
    let until = camera.snoozed_until.map_or_else(|| NO_TIME.to_owned(), |until| format!("{until:.0}"));
    slots.set(&topics.monitor(id, "snoozed-until"), until);
}

pub(super) fn json(value: &impl Serialize) -> Bytes {
    // Structs with text keys can always be written.
    serde_json::to_vec(value).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
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
}
