//! The bodies for a PushProxy in the style of AirNotifier, as the event server 0.93 wrote them.

use std::path::Path;

use serde_json::{Value, json};

use super::{MAX_BODY, Message, labels, more_alarms, quiet};
use crate::push::{Push, PushedAlarm, Urgency};
use crate::token::{Platform, PushToken};

/// Returns the body of `POST /api/v2/tokens`.
pub(crate) fn registration(token: &PushToken, platform: Platform) -> String {
    json!({ "device": platform.as_str(), "token": token.expose(), "channel": "default" }).to_string()
}

/// Returns the body of `POST /api/v2/push`. An empty `sound` means the phone's own for iOS, none for Android.
pub(crate) fn body(mut message: Message<'_>, sound: &str) -> String {
    let limit = MAX_BODY + message.push.token.expose().len();
    message.body = alert(message.push);
    message.fit(limit, |message| json(message, sound))
}

fn json(message: &Message<'_>, sound: &str) -> Value {
    let push = message.push;
    let mut body = json!({
        "device": push.platform.as_str(),
        "token": push.token.expose(),
        "alert": message.body,
    });
    let monitors = json!({ "mid": monitors(&push.alarms) });
    match push.platform {
        Platform::Ios => {
            // The contract has nothing for urgency, and always a sound.
            body["sound"] = if sound.is_empty() { "true" } else { sound }.into();
            body["custom"] = monitors;
            body["badge"] = push.badge.into();
        }
        // A target has a transport of its own.
        Platform::Android | Platform::Target => {
            // A resource of the app, which has no extension on Android.
            let name = Path::new(sound).file_stem().and_then(|stem| stem.to_str());
            if let Some(name) = name.filter(|_| !message.is_silent()) {
                body["sound"] = name.into();
            }
            body["extra"] = monitors;
        }
    }
    body
}

/// `Alarms: Garage (32910),Front (32911)`; with labels `Alarms: Garage (32910): person, car`; of a digest, `12 more alarms, the last: …`; without an event, what is to be
/// told: `Garage: 7 alarms while snoozed`.
fn alert(push: &Push) -> String {
    if let Some(ended) = push.alarms.last().filter(|alarm| alarm.ended.is_some()) {
        return quiet(ended);
    }
    if let ([only], None) = (push.alarms.as_slice(), push.digest)
        && only.event.is_none()
        && !only.test
        && !only.cause.is_empty()
    {
        return format!("{}: {}", only.monitor_name, only.cause);
    }
    let alarms: Vec<_> = push.alarms.iter().map(alarm).collect();
    let alarms = alarms.join(",");
    // What a snooze withheld has no event, and its number is all that there is to say.
    if let (Urgency::Silent, [told]) = (push.urgency, push.alarms.as_slice())
        && told.event.is_none()
    {
        return format!("{}: {}", told.monitor_name, told.cause);
    }
    let labels = match push.alarms.as_slice() {
        [only] => labels(only).map_or_else(String::new, |labels| format!(": {labels}")),
        _ => String::new(),
    };
    match push.digest {
        None => format!("Alarms: {alarms}{labels}"),
        Some(count) => format!("{}, the last: {alarms}", more_alarms(count)),
    }
}

fn alarm(alarm: &PushedAlarm) -> String {
    let name = &alarm.monitor_name;
    match (alarm.event, alarm.test) {
        (Some(event), false) => format!("{name} ({event})"),
        (Some(event), true) => format!("{name} ({event}, test)"),
        (None, true) => format!("{name} (test)"),
        (None, false) => name.to_string(),
    }
}

/// Returns the monitors, each once: `1,5`.
fn monitors(alarms: &[PushedAlarm]) -> String {
    let mut ids = Vec::new();
    for alarm in alarms {
        if !ids.contains(&alarm.monitor) {
            ids.push(alarm.monitor);
        }
    }
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
