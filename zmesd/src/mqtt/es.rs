//! What the old event server published for an alarm and its end, for programs that were written for it. Pure.
//!
//! The form is that of `sendOverMQTTBroker` in its versions 4 to 7 (`zmeventnotification.pl`, later
//! `ZmEventNotification/MQTT.pm`): one JSON object to `<topic>/<monitor id>`, with all ids as texts, and with
//! `state` = `alarm` for ends, too.

use std::borrow::Cow;

use serde::Serialize;
use zmes_shared::Label;
use zmes_shared::machine::MachineMessage;
use zmes_shared::words::MachineKind;

/// What the old server said of an alarm without a hook, and of one whose hook let it pass.
const PASSED: u8 = 0;
/// Put before the name of an end.
const ENDED: &str = "Ended:";
/// Put before labels.
const DETECTED: &str = "detected:";

/// Returns where the old server published what it told of a monitor; `None`: the message is about no monitor.
pub fn topic(es_topic: &str, message: &MachineMessage) -> Option<String> {
    message.monitor.as_ref().map(|monitor| format!("{es_topic}/{}", monitor.id))
}

/// Returns what the old server published; `None` for ends without `ends` (`mqtt.es-ends`), and for what it never told of:
/// updates, troubles, snoozes, and tests, which its readers could not tell from alarms.
pub fn payload(message: &MachineMessage, ends: bool) -> Option<String> {
    let (event_type, prefix) = match message.event_type {
        MachineKind::AlarmStart => ("event_start", ""),
        MachineKind::AlarmEnd if ends => ("event_end", ENDED),
        MachineKind::AlarmEnd
        | MachineKind::AlarmUpdate
        | MachineKind::Trouble
        | MachineKind::Resolved
        | MachineKind::Test
        | MachineKind::SnoozeEnd
        | MachineKind::Unknown => return None,
    };
    let monitor = message.monitor.as_ref()?;
    // It told of nothing without an event; programs read the id as a number.
    let event = message.event.map_or_else(|| "0".to_owned(), |event| event.to_string());
    let told = EsAlarm {
        monitor: monitor.id.to_string(),
        name: format!("{prefix}{}:({event}) {}", monitor.name, cause(message)),
        state: "alarm",
        eventid: event,
        hookvalue: PASSED,
        eventtype: event_type,
        detection: Detection::of(message.labels.as_deref().unwrap_or_default()),
    };
    serde_json::to_string(&told).ok()
}

/// Returns the cause, behind what was detected, as `zm_detect` wrote it into the event: `[a] detected:person:95% Motion`.
/// The letter says in which picture; programs cut the text at it, and fetch that picture.
fn cause(message: &MachineMessage) -> Cow<'_, str> {
    let (labels, cause) = (message.labels.as_deref().unwrap_or_default(), &message.cause);
    if labels.is_empty() || cause.contains(DETECTED) {
        return Cow::Borrowed(cause);
    }
    let shares: Option<Vec<_>> =
        labels.iter().map(|label| Some(format!("{}:{}%", label.name, label.confidence?))).collect();
    let names = || labels.iter().map(|label| &*label.name).collect::<Vec<_>>().join(",");
    Cow::Owned(format!("[a] {DETECTED}{} {cause}", shares.map_or_else(names, |shares| shares.join(" "))))
}

#[derive(Serialize)]
struct EsAlarm {
    monitor: String,
    name: String,
    state: &'static str,
    eventid: String,
    hookvalue: u8,
    eventtype: &'static str,
    detection: Detection,
}

/// What a detection hook had printed: an object, or an empty array where there was nothing.
#[derive(Serialize)]
#[serde(untagged)]
enum Detection {
    Nothing([u8; 0]),
    Found {
        labels: Vec<String>,
        /// From 0 to 1; left out where one of them is not known.
        #[serde(skip_serializing_if = "Option::is_none")]
        confidences: Option<Vec<f64>>,
    },
}

impl Detection {
    fn of(labels: &[Label]) -> Self {
        if labels.is_empty() {
            return Self::Nothing([]);
        }
        let share = |label: &Label| label.confidence.map(|percent| f64::from(percent) / 100.0);
        Self::Found {
            labels: labels.iter().map(|label| label.name.clone()).collect(),
            confidences: labels.iter().map(share).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use zmes_shared::machine::MachineAlarm;
    use zmes_shared::{EventId, MonitorId};

    use super::*;

    fn message(kind: MachineKind, cause: &str) -> MachineMessage {
        MachineMessage::of_alarm(MachineAlarm {
            kind,
            at: "2026-11-02T10:00:07.512Z".parse::<Timestamp>().unwrap(),
            late: false,
            monitor: MonitorId(2),
            name: "Front \"Door\"",
            event: Some(EventId(32910)),
            cause,
            lasted: None,
        })
    }

    #[test]
    fn an_alarm_and_its_end_are_told_as_the_old_server_did() {
        let start = message(MachineKind::AlarmStart, "Motion: All");
        assert_eq!(topic("zoneminder", &start).as_deref(), Some("zoneminder/2"));
        assert_eq!(
            payload(&start, true).unwrap(),
            r#"{"monitor":"2","name":"Front \"Door\":(32910) Motion: All","state":"alarm","eventid":"32910","hookvalue":0,"eventtype":"event_start","detection":[]}"#
        );
        assert_eq!(
            payload(&message(MachineKind::AlarmEnd, "Motion: All"), true).unwrap(),
            r#"{"monitor":"2","name":"Ended:Front \"Door\":(32910) Motion: All","state":"alarm","eventid":"32910","hookvalue":0,"eventtype":"event_end","detection":[]}"#
        );
    }

    #[test]
    fn what_was_detected_is_told_as_a_hook_told_it() {
        let mut start = message(MachineKind::AlarmStart, "[a] detected:person:95% Motion: All");
        start.labels =
            Some(vec![Label::new("person", Some(95)).unwrap(), Label::new("car", Some(8)).unwrap()]);
        assert_eq!(
            payload(&start, true).unwrap(),
            r#"{"monitor":"2","name":"Front \"Door\":(32910) [a] detected:person:95% Motion: All","state":"alarm","eventid":"32910","hookvalue":0,"eventtype":"event_start","detection":{"labels":["person","car"],"confidences":[0.95,0.08]}}"#
        );
        start.labels = Some(vec![Label::new("person", None).unwrap()]);
        assert!(payload(&start, true).unwrap().ends_with(r#""detection":{"labels":["person"]}}"#));
    }

    /// So zmnotify takes the name apart, which runs in Home Assistant and fetches the picture with pyzm.
    fn as_zmnotify_reads(name: &str) -> Option<(&str, u64, &str, &str)> {
        let (camera, detail) = name.split_once(":(")?;
        let (event, rest) = detail.split_once(") ")?;
        let (frame, text) = rest.split_once("] ")?;
        Some((camera, event.parse().ok()?, frame.strip_prefix('[')?, text))
    }

    #[test]
    fn programs_for_the_old_server_find_what_they_parse() {
        let read = |message: &MachineMessage| -> serde_json::Value {
            serde_json::from_str(&payload(message, true).unwrap()).unwrap()
        };
        // Home Assistant's sensors of the old server's users: {{ value_json.state == "alarm" and … "event_start" }}.
        let motion =
            |message| read(&message)["state"] == "alarm" && read(&message)["eventtype"] == "event_start";
        assert!(motion(message(MachineKind::AlarmStart, "Motion: All")));
        assert!(!motion(message(MachineKind::AlarmEnd, "Motion: All")));

        let mut start = message(MachineKind::AlarmStart, "Motion: All");
        start.labels = Some(vec![
            Label::new("person", Some(95)).unwrap(),
            Label::new("traffic light", Some(8)).unwrap(),
        ]);
        let told = read(&start);
        assert_eq!(
            as_zmnotify_reads(told["name"].as_str().unwrap()),
            Some(("Front \"Door\"", 32910, "a", "detected:person:95% traffic light:8% Motion: All"))
        );
        // Flows of Node-RED: detection.labels is a list of names, or there is none.
        assert_eq!(told["detection"]["labels"][0], "person");
        assert!(read(&message(MachineKind::AlarmStart, "Motion"))["detection"].get("labels").is_none());
        start.labels = Some(vec![Label::new("person", None).unwrap(), Label::new("car", Some(8)).unwrap()]);
        assert_eq!(read(&start)["name"], "Front \"Door\":(32910) [a] detected:person,car Motion: All");
    }

    #[test]
    fn an_alarm_without_an_event_has_a_number_nevertheless() {
        let alarm = MachineMessage { event: None, ..message(MachineKind::AlarmStart, "Motion") };
        assert_eq!(
            payload(&alarm, true).unwrap(),
            r#"{"monitor":"2","name":"Front \"Door\":(0) Motion","state":"alarm","eventid":"0","hookvalue":0,"eventtype":"event_start","detection":[]}"#
        );
    }

    #[test]
    fn what_the_old_server_did_not_know_is_not_told() {
        for kind in [
            MachineKind::AlarmUpdate,
            MachineKind::Trouble,
            MachineKind::Resolved,
            MachineKind::Test,
            MachineKind::SnoozeEnd,
            MachineKind::Unknown,
        ] {
            assert_eq!(payload(&message(kind, "Motion"), true), None, "{kind:?}");
        }
        assert_eq!(payload(&message(MachineKind::AlarmEnd, "Motion"), false), None);
        let nowhere = MachineMessage { monitor: None, ..message(MachineKind::AlarmStart, "Motion") };
        assert_eq!((payload(&nowhere, true), topic("zoneminder", &nowhere)), (None, None));
    }
}
