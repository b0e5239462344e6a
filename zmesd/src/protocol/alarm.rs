//! The alarm frame.

use serde::Serialize;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use zmes_shared::{EventId, MonitorId};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlarmBody<'a> {
    /// ZoneMinder's event; `None` becomes an empty `EventId`: ZoneMinder recorded no event.
    pub event: Option<EventId>,
    pub monitor: MonitorId,
    /// Its name, sent as `Name` (the old event server) and `MonitorName` (zmNinjaNg).
    pub monitor_name: &'a str,
    pub cause: &'a str,
    /// The URL of its picture, sent as `Picture`, which zmNinjaNg shows.
    pub picture: Option<&'a str>,
    /// Found after the fact: `"late":"true"`.
    pub late: bool,
    /// Sent again on request: `"replayed":"true"`.
    pub replayed: bool,
    /// Also sent as a push: `"supplementary":"true"`, a string and not a boolean, because the apps compare strings.
    pub supplementary: bool,
}

#[derive(Serialize)]
struct AlarmFrame<'a> {
    event: &'static str,
    r#type: &'static str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    supplementary: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    late: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replayed: Option<&'static str>,
    events: [AlarmEntry<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AlarmEntry<'a> {
    event_id: String,
    monitor_id: String,
    name: &'a str,
    monitor_name: &'a str,
    cause: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    picture: Option<&'a str>,
}

/// Returns the frame of one alarm. Ids are strings, as in the old event server; `events` is always an array.
pub fn alarm(body: &AlarmBody<'_>) -> Utf8Bytes {
    let mark = |set: bool| set.then_some("true");
    let frame = AlarmFrame {
        event: "alarm",
        r#type: "",
        status: "Success",
        supplementary: mark(body.supplementary),
        late: mark(body.late),
        replayed: mark(body.replayed),
        events: [AlarmEntry {
            event_id: body.event.map_or_else(String::new, |event| event.to_string()),
            monitor_id: body.monitor.to_string(),
            name: body.monitor_name,
            monitor_name: body.monitor_name,
            cause: body.cause,
            picture: body.picture,
        }],
    };
    serde_json::to_string(&frame).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn an_alarm_is_the_seeds_json_with_two_names_and_a_cause() {
        let mut body = AlarmBody {
            event: Some(EventId(32910)),
            monitor: MonitorId(1),
            monitor_name: "Garage",
            cause: "Motion",
            picture: None,
            late: false,
            replayed: false,
            supplementary: false,
        };
        let read = |body: &AlarmBody<'_>| serde_json::from_str::<Value>(&alarm(body)).unwrap();
        let event = json!({"EventId": "32910", "MonitorId": "1", "Name": "Garage", "MonitorName": "Garage", "Cause": "Motion"});
        assert_eq!(
            read(&body),
            json!({"event": "alarm", "type": "", "status": "Success", "events": [event]})
        );
        (body.late, body.replayed, body.supplementary) = (true, true, true);
        let marked = read(&body);
        for mark in ["late", "replayed", "supplementary"] {
            assert_eq!(marked[mark], "true", "{mark}");
        }
        body.picture = Some("https://zm.example.org:9000/p/A.jpg");
        assert_eq!(read(&body)["events"][0]["Picture"], "https://zm.example.org:9000/p/A.jpg");
        body.event = None;
        assert_eq!(read(&body)["events"][0]["EventId"], "");
    }
}
