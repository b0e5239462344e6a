//! What the old event server published for an alarm and its end, for programs that were written for it. Pure.
//!
//! The form is that of `sendOverMQTTBroker` in its versions 4 to 7 (`zmeventnotification.pl`, later
//! `ZmEventNotification/MQTT.pm`): one JSON object to `<topic>/<monitor id>`, with all ids as texts, and with
//! `state` = `alarm` for ends, too.

use serde::Serialize;
use zmes_shared::Label;
use zmes_shared::machine::MachineMessage;
use zmes_shared::words::MachineKind;

/// What the old server said of an alarm without a hook, and of one whose hook let it pass.
const PASSED: u8 = 0;
/// Put before the name of an end.
const ENDED: &str = "Ended:";

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
        name: format!("{prefix}{}:({event}) {}", monitor.name, message.cause),
        state: "alarm",
        eventid: event,
        hookvalue: PASSED,
        eventtype: event_type,
        detection: Detection::of(message.labels.as_deref().unwrap_or_default()),
    };
    serde_json::to_string(&told).ok()
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
