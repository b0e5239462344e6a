//! Bodies as literal JSON: what providers and apps have always been sent.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::push::Urgency;
use crate::token::{Platform, PushToken};

fn alarm(event: Option<u64>, monitor: u32, name: &str, cause: &str) -> PushedAlarm {
    PushedAlarm {
        event: event.map(EventId),
        monitor: zmes_shared::MonitorId(monitor),
        monitor_name: name.into(),
        cause: cause.into(),
        labels: Arc::default(),
        at: "2026-11-25T15:12:00Z".parse().unwrap(),
        test: false,
        ended: None,
        updates: None,
        late: false,
        subject: crate::push::PushSubject::default(),
    }
}

fn push(platform: Platform, app: App) -> Push {
    Push {
        token: PushToken::parse("cXyz:APA91bHPRgkFLJu6sg").unwrap(),
        platform,
        app,
        app_version: "1.8.001".to_owned(),
        profile: String::new(),
        alarms: vec![alarm(Some(32910), 1, "Garage", "Motion: All")],
        digest: None,
        badge: 3,
        urgency: Urgency::Normal,
        picture: None,
        replaces: None,
        snooze: Vec::new(),
        expires_at: "2026-11-25T15:22:00Z".parse().unwrap(),
    }
}

/// As of one minute after the alarm, in New York.
fn message<'a>(push: &'a Push, picture: Option<&str>) -> Message<'a> {
    let zone = TimeZone::get("America/New_York").unwrap();
    Message::new(push, "2026-11-25T15:13:00Z".parse().unwrap(), &zone, picture).unwrap()
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

const PICTURE: &str = "https://zm/?eid=EVENTID";

#[test]
fn what_was_detected_stands_before_the_cause() {
    let labels = |names: &[&str]| -> Arc<[zmes_shared::Label]> {
        names.iter().filter_map(|name| zmes_shared::Label::new(name, Some(95))).collect()
    };
    for (cause, names, body) in [
        ("Motion: All", &["person", "car"][..], "person, car (Motion: All) at 10:12 AM, 25-Nov"),
        ("", &["person"], "person at 10:12 AM, 25-Nov"),
        ("[a] detected:person:95%", &["person"], "person at 10:12 AM, 25-Nov"),
        ("Motion", &["a", "b", "c", "d", "e", "f"], "a, b, c, d, e, … (Motion) at 10:12 AM, 25-Nov"),
        ("Motion", &[], "Motion at 10:12 AM, 25-Nov"),
    ] {
        let mut push = push(Platform::Android, App::ZmNinja);
        push.alarms = vec![PushedAlarm { labels: labels(names), ..alarm(Some(32910), 1, "Garage", cause) }];
        assert_eq!(message(&push, None).body, body);
    }
    let mut push = push(Platform::Ios, App::ZmNinja);
    push.alarms[0].labels = labels(&["person", "car"]);
    let alert = |push: &Push| parsed(&proxy::body(message(push, None), "blop.caf"))["alert"].clone();
    assert_eq!(alert(&push), "Alarms: Garage (32910): person, car");
    push.alarms.push(alarm(Some(32911), 5, "Front", ""));
    assert_eq!(
        alert(&push),
        "Alarms: Garage (32910),Front (32911)",
        "labels would be taken for the next camera"
    );
}

#[test]
fn a_push_proxy_gets_the_json_of_0_93() {
    let ios = push(Platform::Ios, App::ZmNinja);
    assert_eq!(
        parsed(&proxy::body(message(&ios, Some(PICTURE)), "blop.caf")),
        json!({"device":"ios","token":"cXyz:APA91bHPRgkFLJu6sg","alert":"Alarms: Garage (32910)",
            "sound":"blop.caf","custom":{"mid":"1"},"badge":3})
    );
    let mut android = push(Platform::Android, App::ZmNinja);
    android.alarms.push(alarm(Some(32911), 5, "Front", ""));
    android.alarms.push(alarm(Some(32912), 5, "Front", ""));
    assert_eq!(
        parsed(&proxy::body(message(&android, None), "blop.caf")),
        json!({"device":"android","token":"cXyz:APA91bHPRgkFLJu6sg",
            "alert":"Alarms: Garage (32910),Front (32911),Front (32912)","sound":"blop","extra":{"mid":"1,5"}})
    );
    assert_eq!(parsed(&proxy::body(message(&ios, None), ""))["sound"], "true");
    assert_eq!(parsed(&proxy::body(message(&android, None), ""))["sound"], Value::Null);
    assert_eq!(
        parsed(&proxy::registration(&ios.token, Platform::Ios)),
        json!({"device":"ios","token":"cXyz:APA91bHPRgkFLJu6sg","channel":"default"})
    );
}

#[test]
fn android_through_fcm() {
    let mut push = push(Platform::Android, App::ZmNinjaNg);
    push.profile = "Home".to_owned();
    assert_eq!(
        parsed(&fcm::body(message(&push, Some(PICTURE)))),
        json!({"message":{
            "token":"cXyz:APA91bHPRgkFLJu6sg",
            "notification":{"title":"Garage Alarm","body":"Motion: All at 10:12 AM, 25-Nov — Home",
                "image":"https://zm/?eid=32910"},
            "data":{"mid":"1","eid":"32910","monitorName":"Garage","cause":"Motion: All",
                "notification_foreground":"true","profile":"Home"},
            "android":{"priority":"high","ttl":"540s","notification":{"icon":"ic_stat_notification",
                "sound":"default","channel_id":"zmninja-ng","tag":"zmes-1-32910"}}}})
    );
}

#[test]
fn ios_through_fcm() {
    let push = push(Platform::Ios, App::ZmNinja);
    assert_eq!(
        parsed(&fcm::body(message(&push, Some(PICTURE)))),
        json!({"message":{
            "token":"cXyz:APA91bHPRgkFLJu6sg",
            "notification":{"title":"Garage Alarm","body":"Motion: All at 10:12 AM, 25-Nov"},
            "data":{"mid":"1","eid":"32910","monitorName":"Garage","cause":"Motion: All",
                "notification_foreground":"true"},
            "apns":{"payload":{"aps":{"alert":{"title":"Garage Alarm","body":"Motion: All at 10:12 AM, 25-Nov"},
                    "badge":3,"sound":"default","thread-id":"zmninja_alarm","mutable-content":1}},
                "headers":{"apns-priority":"10","apns-push-type":"alert","apns-expiration":"1795620120",
                    "apns-collapse-id":"zmes-1-32910"},
                "fcm_options":{"image":"https://zm/?eid=32910"}}}})
    );
    let without = parsed(&fcm::body(message(&push, None)));
    assert_eq!(without["message"]["apns"]["fcm_options"], Value::Null);
    assert_eq!(without["message"]["apns"]["payload"]["aps"]["mutable-content"], Value::Null);
}

#[test]
fn a_function_gets_the_json_of_es_7() {
    let android = push(Platform::Android, App::ZmNinja);
    assert_eq!(
        parsed(&fcm_proxy::body(message(&android, Some(PICTURE)))),
        json!({"token":"cXyz:APA91bHPRgkFLJu6sg","title":"Garage Alarm","body":"Motion: All at 10:12 AM, 25-Nov",
            "sound":"default","badge":3,"log_message_id":"NONE",
            "data":{"mid":"1","eid":"32910","notification_foreground":"true","monitorName":"Garage",
                "cause":"Motion: All"},
            "android":{"icon":"ic_stat_notification","priority":"high","ttl":540,"tag":"zmes-1-32910",
                "channel":"zmninja"},
            "image_url":"https://zm/?eid=32910"})
    );
    let mut ios = push(Platform::Ios, App::ZmNinjaNg);
    ios.profile = "Home".to_owned();
    let body = parsed(&fcm_proxy::body(message(&ios, None)));
    assert_eq!(
        body["ios"],
        json!({"thread_id":"zmninja_alarm","subtitle":"Home","headers":{"apns-priority":"10",
            "apns-push-type":"alert","apns-collapse-id":"zmes-1-32910"}})
    );
    assert_eq!((&body["android"], &body["image_url"]), (&Value::Null, &Value::Null));
    let unknown = push(Platform::Android, App::Unknown);
    assert_eq!(parsed(&fcm_proxy::body(message(&unknown, None)))["android"]["channel"], Value::Null);
}

#[test]
fn apns_gets_aps_and_what_the_app_reads() {
    let push = push(Platform::Ios, App::ZmNinja);
    let sent = apns::message(message(&push, Some(PICTURE)));
    assert_eq!(
        parsed(&sent.body),
        json!({"aps":{"alert":{"title":"Garage Alarm","body":"Motion: All at 10:12 AM, 25-Nov"},"badge":3,
                "sound":"default","thread-id":"zmninja_alarm","mutable-content":1},
            "mid":"1","eid":"32910","monitorName":"Garage","cause":"Motion: All","notification_foreground":"true",
            "image_url":"https://zm/?eid=32910"})
    );
    assert_eq!((sent.collapse_id.as_deref(), sent.expiration), (Some("zmes-1-32910"), 1_795_620_120));
    let plain = parsed(&apns::message(message(&push, None)).body);
    assert_eq!((&plain["aps"]["mutable-content"], &plain["image_url"]), (&Value::Null, &Value::Null));
}

#[test]
fn urgent_and_silent_in_the_words_of_each_provider() {
    let with = |platform, urgency| Push { urgency, ..push(platform, App::ZmNinja) };
    let (urgent, silent) =
        (with(Platform::Android, Urgency::Urgent), with(Platform::Android, Urgency::Silent));
    let android = |push: &Push| parsed(&fcm::body(message(push, None)))["message"]["android"].clone();
    assert_eq!(
        android(&urgent),
        json!({"priority":"high","ttl":"540s","notification":{"icon":"ic_stat_notification","sound":"default",
            "notification_priority":"PRIORITY_MAX","channel_id":"zmninja","tag":"zmes-1-32910"}})
    );
    assert_eq!(
        android(&silent),
        json!({"priority":"normal","ttl":"540s","notification":{"icon":"ic_stat_notification",
            "notification_priority":"PRIORITY_LOW","channel_id":"zmninja","tag":"zmes-1-32910"}})
    );
    let function = parsed(&fcm_proxy::body(message(&silent, None)));
    assert_eq!(function["android"]["priority"], "normal");
    assert_eq!(parsed(&proxy::body(message(&silent, None), "blop.caf"))["sound"], Value::Null);

    let (urgent, silent) = (with(Platform::Ios, Urgency::Urgent), with(Platform::Ios, Urgency::Silent));
    let alert = json!({"title":"Garage Alarm","body":"Motion: All at 10:12 AM, 25-Nov"});
    let loud = json!({"alert":alert,"badge":3,"sound":"default","thread-id":"zmninja_alarm",
        "interruption-level":"time-sensitive"});
    let quiet = json!({"alert":alert,"badge":3,"thread-id":"zmninja_alarm","interruption-level":"passive"});
    for (push, aps, priority) in [(&urgent, loud, "10"), (&silent, quiet, "5")] {
        let through_fcm = parsed(&fcm::body(message(push, None)))["message"]["apns"].clone();
        assert_eq!(through_fcm["payload"]["aps"], aps);
        assert_eq!(through_fcm["headers"]["apns-priority"], priority);
        let direct = apns::message(message(push, None));
        assert_eq!((&parsed(&direct.body)["aps"], direct.priority), (&aps, priority));
        let function = parsed(&fcm_proxy::body(message(push, None)));
        assert_eq!(function["ios"]["headers"]["apns-priority"], priority);
    }
    for push in [&urgent, &silent] {
        assert_eq!(parsed(&proxy::body(message(push, None), ""))["sound"], "true");
    }
}

#[test]
fn a_test_says_so_in_every_language() {
    let mut push = push(Platform::Android, App::ZmNinja);
    push.alarms = vec![PushedAlarm { test: true, ..alarm(None, 1, "Garage", "Forced") }];
    let body = parsed(&fcm::body(message(&push, Some(PICTURE))));
    assert_eq!(body["message"]["notification"]["title"], "Garage Alarm (test)");
    assert_eq!(body["message"]["notification"]["body"], "Test: Forced at 10:12 AM, 25-Nov");
    assert_eq!(body["message"]["data"]["cause"], "Test: Forced");
    assert_eq!(body["message"]["data"]["eid"], Value::Null, "no event, and no null where strings are wanted");
    assert!(body["message"]["data"].as_object().is_some_and(|data| !data.contains_key("eid")));
    assert_eq!(body["message"]["notification"]["image"], Value::Null);
    assert_eq!(parsed(&proxy::body(message(&push, None), ""))["alert"], "Alarms: Garage (test)");
}

#[test]
fn a_digest_says_how_many() {
    let mut push = push(Platform::Android, App::ZmNinja);
    push.alarms.push(alarm(Some(32911), 5, "Front", ""));
    push.digest = Some(12);
    let body = parsed(&fcm::body(message(&push, None)));
    assert_eq!(body["message"]["notification"]["title"], "Front, Garage Alarm");
    assert_eq!(
        body["message"]["notification"]["body"],
        "12 more alarms, the last: Alarm at 10:12 AM, 25-Nov"
    );
    assert_eq!(
        (&body["message"]["data"]["mid"], &body["message"]["data"]["eid"]),
        (&"5".into(), &"32911".into())
    );
    assert_eq!(
        parsed(&proxy::body(message(&push, None), ""))["alert"],
        "12 more alarms, the last: Garage (32910),Front (32911)"
    );
}

#[test]
fn what_is_too_long_loses_words_and_no_ids() {
    for character in ["x", "\"", "ü", "\u{1}"] {
        let mut push = push(Platform::Ios, App::ZmNinja);
        push.profile = "Home".to_owned();
        let long: Arc<str> = character.repeat(5000).into();
        push.alarms = vec![alarm(Some(u64::MAX), u32::MAX, "Garage", &long); 300];
        let token = push.token.expose().len();
        let sent = apns::message(message(&push, Some(PICTURE))).body;
        let bodies =
            [fcm::body(message(&push, Some(PICTURE))), fcm_proxy::body(message(&push, Some(PICTURE))), sent];
        for body in bodies {
            assert!(body.len() <= 4096 + token, "{}", body.len());
            assert!(body.contains("\"eid\":\"18446744073709551615\""), "{body}");
            assert!(body.contains("\"mid\":\"4294967295\"") && body.contains('…'), "{body}");
        }
        let body = proxy::body(message(&push, None), "blop.caf");
        assert!(body.len() <= 4096 + token && parsed(&body)["custom"]["mid"] == "4294967295", "{body}");
    }
}

#[test]
fn an_end_takes_the_place_of_its_alarm_without_a_sound() {
    let ended = |seconds| PushedAlarm {
        ended: Some(Duration::from_secs(seconds)),
        ..alarm(Some(32910), 1, "Garage", "Motion: All")
    };
    let push = |platform, seconds| Push {
        alarms: vec![ended(seconds)],
        urgency: Urgency::Silent,
        ..push(platform, App::ZmNinjaNg)
    };
    let (android, ios) = (push(Platform::Android, 42), push(Platform::Ios, 300));
    let text = "Motion: All ended at 10:12 AM, 25-Nov after 42 s";
    let data = json!({"mid":"1","eid":"32910","monitorName":"Garage","cause":"End:Motion: All",
        "notification_foreground":"true"});
    assert_eq!(
        parsed(&fcm::body(message(&android, Some(PICTURE)))),
        json!({"message":{
            "token":"cXyz:APA91bHPRgkFLJu6sg",
            "notification":{"title":"Garage: quiet again","body":text},
            "data":data,
            "android":{"priority":"normal","ttl":"540s","notification":{"icon":"ic_stat_notification",
                "notification_priority":"PRIORITY_LOW","channel_id":"zmninja-ng","tag":"zmes-1-32910"}}}})
    );
    let sent = apns::message(message(&ios, Some(PICTURE)));
    let mut expected = data;
    expected["aps"] = json!({"alert":{"title":"Garage: quiet again",
        "body":"Motion: All ended at 10:12 AM, 25-Nov after 5 min"},"badge":3,"thread-id":"zmninja_alarm",
        "interruption-level":"passive"});
    assert_eq!(parsed(&sent.body), expected);
    assert_eq!((sent.collapse_id.as_deref(), sent.priority), (Some("zmes-1-32910"), "5"));
    assert!(sent.collapse_id.is_some_and(|id| id.len() <= 64), "Apple: at most 64 bytes");
    assert_eq!(
        parsed(&proxy::body(message(&ios, None), "blop.caf")),
        json!({"device":"ios","token":"cXyz:APA91bHPRgkFLJu6sg","alert":"Garage: quiet again","sound":"blop.caf",
            "custom":{"mid":"1"},"badge":3})
    );
    let function = parsed(&fcm_proxy::body(message(&push(Platform::Android, 0), Some(PICTURE))));
    assert_eq!(function["title"], "Garage: quiet again");
    assert_eq!(function["body"], "Motion: All ended at 10:12 AM, 25-Nov");
    assert_eq!((&function["android"]["tag"], &function["image_url"]), (&"zmes-1-32910".into(), &Value::Null));
}
