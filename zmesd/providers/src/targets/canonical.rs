//! The canonical JSON for machines, which a webhook sends where no `body` is set. The one place that knows its fields.

use serde::Serialize;
use zmes_shared::{EventId, MonitorId};

use super::message::TargetMessage;
use crate::push::Urgency;

/// The version of the format: it changes only when a field changes its meaning.
const VERSION: u32 = 1;

#[derive(Debug, Serialize)]
struct CanonicalAlarm<'a> {
    v: u32,
    event_type: &'static str,
    id: String,
    at: String,
    late: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    monitor: Option<CanonicalMonitor<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<EventId>,
    cause: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    urgent: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<u32>,
}

#[derive(Debug, Serialize)]
struct CanonicalMonitor<'a> {
    id: MonitorId,
    name: &'a str,
}

/// Returns the body.
pub(super) fn body(message: &TargetMessage<'_>) -> String {
    let newest = message.newest;
    let alarm = CanonicalAlarm {
        v: VERSION,
        event_type: message.event_type(),
        id: message.id(),
        at: message.at(),
        late: newest.late,
        // Troubles of the daemon, and snoozes of all monitors, concern none.
        monitor: (newest.monitor != MonitorId(0))
            .then(|| CanonicalMonitor { id: newest.monitor, name: &newest.monitor_name }),
        event: newest.event,
        cause: message.cause(),
        url: Some(message.link()).filter(|link| !link.is_empty()),
        urgent: message.push.urgency == Urgency::Urgent,
        digest: message.digest(),
    };
    // Serialising plain values cannot fail.
    serde_json::to_string(&alarm).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::targets::fixtures::{message_texts, push};

    #[test]
    fn the_fields_stand_in_a_fixed_order_and_absent_is_unknown() {
        let mut push = push(32_910);
        let (utc, texts) = (TimeZone::UTC, message_texts());
        let of = |push: &crate::push::Push| {
            let message = TargetMessage::new(push, &texts, &utc).unwrap();
            body(&message).replace(&message.id(), "ID")
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
}
