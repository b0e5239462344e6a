//! The canonical JSON for machines, which a webhook sends where no `body` is set.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use zmes_shared::MonitorId;
use zmes_shared::machine::{MachineAlarm, MachineMessage};

use super::message::TargetMessage;
use crate::picture::PictureFile;
use crate::push::Urgency;

/// Returns the body, with a picture if there is one.
pub(super) fn body(message: &TargetMessage<'_>, file: Option<&PictureFile>) -> String {
    let newest = message.newest;
    let alarm = MachineMessage::of_alarm(MachineAlarm {
        kind: message.kind(),
        at: newest.at,
        late: newest.late,
        monitor: newest.monitor,
        name: &newest.monitor_name,
        event: newest.event,
        cause: message.cause(),
        // Zero: that is not known.
        lasted: newest.ended.filter(|lasted| !lasted.is_zero()),
    });
    let alarm = MachineMessage {
        id: message.id(),
        // Troubles of the daemon, and snoozes of all monitors, concern none.
        monitor: alarm.monitor.filter(|monitor| monitor.id != MonitorId(0)),
        labels: (!newest.labels.is_empty()).then(|| newest.labels.to_vec()),
        url: Some(message.link().to_owned()).filter(|link| !link.is_empty()),
        picture: message.picture_link().map(ToOwned::to_owned),
        urgent: Some(message.push.urgency == Urgency::Urgent),
        digest: message.digest().map(u64::from),
        ..alarm
    };
    // Serialising plain values cannot fail.
    match file {
        None => serde_json::to_string(&alarm).unwrap_or_default(),
        Some(file) => {
            let with_file = WithFile { alarm: &alarm, picture_base64: STANDARD.encode(file.bytes()) };
            serde_json::to_string(&with_file).unwrap_or_default()
        }
    }
}

/// `picture = "base64"`
#[derive(Serialize)]
struct WithFile<'a> {
    #[serde(flatten)]
    alarm: &'a MachineMessage,
    picture_base64: String,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::tz::TimeZone;

    use super::*;
    use crate::targets::fixtures::{message_texts, push};

    #[test]
    fn the_fields_stand_in_a_fixed_order_and_absent_is_unknown() {
        let mut push = push(32_910);
        let (utc, texts) = (TimeZone::UTC, message_texts());
        let of = |push: &crate::push::Push| {
            let message = TargetMessage::new(push, &texts, &utc).unwrap();
            body(&message, None).replace(&message.id(), "ID")
        };
        assert_eq!(
            of(&push),
            "{\"v\":1,\"event_type\":\"alarm_start\",\"id\":\"ID\",\"at\":\"2026-11-25T16:02:00.000Z\",\"late\":false,\
             \"monitor\":{\"id\":1,\"name\":\"Garage\"},\"event\":32910,\"cause\":\"Motion: All\",\"urgent\":false}"
        );
        push.digest = Some(3);
        push.alarms[0].event = None;
        push.urgency = Urgency::Urgent;
        assert!(
            of(&push).ends_with("\"cause\":\"Motion: All\",\"urgent\":true,\"digest\":3}"),
            "{}",
            of(&push)
        );
    }

    #[test]
    fn an_update_says_the_labels_and_is_a_message_of_its_own() {
        let (utc, texts) = (TimeZone::UTC, message_texts());
        let mut push = push(32_910);
        let start = TargetMessage::new(&push, &texts, &utc).unwrap().id();
        push.alarms[0].updates = Some(push.alarms[0].at);
        push.alarms[0].labels = [zmes_shared::Label::new("person", Some(95)).unwrap()].into();
        let message = TargetMessage::new(&push, &texts, &utc).unwrap();
        assert_ne!(message.id(), start);
        let body = body(&message, None);
        assert!(body.contains("\"event_type\":\"alarm_update\""), "{body}");
        assert!(body.contains("\"labels\":[{\"name\":\"person\",\"confidence\":95}]"), "{body}");
    }

    #[test]
    fn an_end_has_the_same_duration_as_in_a_hook() {
        let lasted = |lasted| {
            let mut push = push(32_910);
            push.alarms[0].ended = Some(lasted);
            let (utc, texts) = (TimeZone::UTC, message_texts());
            let body = body(&TargetMessage::new(&push, &texts, &utc).unwrap(), None);
            serde_json::from_str::<MachineMessage>(&body).unwrap().duration
        };
        assert_eq!(lasted(Duration::from_millis(41_600)), Some(42));
        assert_eq!(lasted(Duration::ZERO), None, "not known");
    }
}
