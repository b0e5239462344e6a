//! The wire fixtures: literal lines of the control protocol, as sent by some released version.
//!
//! The files are append-only: every line ever sent must stay readable. Files are named `hello-…`,
//! `request-TYPE[-variant]`, `reply-TYPE[-variant]`, `item-TYPE[-variant]`, `error-CODE` or `end`.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops where it fails")]

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use zmes_shared::control::{
    ClientFrame, ErrorCode, Hello, PROTOCOL, Protocol, Request, Role, ServerBody, ServerFrame, WatchEvent,
    WatchKind,
};
use zmes_shared::views;

/// The types of the requests with one answer each; `watch` has items instead.
const REQUESTS: [&str; 49] = [
    "cluster_status",
    "cluster_handover",
    "cluster_leave",
    "mqtt_status",
    "mqtt_check",
    "mqtt_clear",
    "pictures_test",
    "pictures_read",
    "pictures_rotate",
    "status",
    "clients_list",
    "clients_rejected",
    "clients_disconnect",
    "monitors_list",
    "monitors_reload",
    "alarm_test",
    "alarm_force",
    "alarm_cancel",
    "check",
    "log_level",
    "reload",
    "config_show",
    "tokens_list",
    "tokens_show",
    "tokens_log",
    "tokens_revoke",
    "tokens_block",
    "tokens_unblock",
    "tokens_restore",
    "tokens_mute",
    "tokens_unmute",
    "tokens_prune",
    "tokens_import",
    "tokens_export",
    "badges_reset",
    "push_check",
    "push_queue",
    "push_retry",
    "events",
    "events_hourly",
    "why",
    "doctor",
    "rules_list",
    "rules_test",
    "latency",
    "troubles",
    "snooze_set",
    "snooze_list",
    "snooze_end",
];
const ITEMS: [&str; 8] =
    ["alarm", "decision", "delivery", "session", "token", "monitor", "trouble", "lagged"];

/// Returns the fixtures as (name without `.json`, line).
fn fixtures() -> Vec<(String, Value)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/wire/v1");
    let mut fixtures = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.ends_with('\n') && text.lines().count() == 1, "{}: one line", path.display());
        let value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        fixtures.push((path.file_stem().unwrap().to_str().unwrap().to_owned(), value));
    }
    assert!(fixtures.len() > 50, "the fixtures are not where they should be");
    fixtures.sort_by(|left, right| left.0.cmp(&right.0));
    fixtures
}

/// Decodes as `T` and encodes again; then repeats that with an additional, unknown member.
fn round_trip<T: DeserializeOwned + Serialize>(name: &str, value: &Value) -> T {
    let decode = |value: &Value| -> T {
        serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let decoded = decode(value);
    assert_eq!(&serde_json::to_value(&decoded).unwrap(), value, "{name} encodes to something else");
    let mut newer = value.clone();
    let members = newer.as_object_mut().expect("every line and every view is an object");
    members.insert("of_a_newer_version".to_owned(), json!({"any": ["thing"]}));
    assert_eq!(&serde_json::to_value(decode(&newer)).unwrap(), value, "{name} minds an unknown member");
    decoded
}

fn check_view(name: &str, kind: &str, value: &Value) {
    match kind {
        "status" => drop(round_trip::<views::Status>(name, value)),
        "clients_list" => drop(round_trip::<views::Clients>(name, value)),
        "clients_rejected" => drop(round_trip::<views::Rejected>(name, value)),
        "clients_disconnect" | "pictures_rotate" | "cluster_handover" | "cluster_leave" => {
            drop(round_trip::<views::Done>(name, value));
        }
        "monitors_list" => drop(round_trip::<views::Monitors>(name, value)),
        "monitors_reload" => assert!(round_trip::<views::Reloaded>(name, value).monitors > 0),
        "alarm_test" => drop(round_trip::<views::AlarmTested>(name, value)),
        "alarm_force" | "alarm_cancel" => drop(round_trip::<views::AlarmForced>(name, value)),
        "check" => drop(round_trip::<views::Check>(name, value)),
        "log_level" => drop(round_trip::<views::LogLevel>(name, value)),
        "reload" => drop(round_trip::<views::ConfigReloaded>(name, value)),
        "config_show" => drop(round_trip::<views::ConfigShown>(name, value)),
        "tokens_list" => drop(round_trip::<views::Tokens>(name, value)),
        "tokens_show" => drop(round_trip::<views::TokenShown>(name, value)),
        "tokens_log" => drop(round_trip::<views::Deliveries>(name, value)),
        "tokens_revoke" | "tokens_block" | "tokens_unblock" | "tokens_restore" | "tokens_mute"
        | "tokens_unmute" | "tokens_prune" | "badges_reset" => {
            drop(round_trip::<views::TokensChanged>(name, value));
        }
        "tokens_import" => drop(round_trip::<views::TokensImported>(name, value)),
        "tokens_export" => drop(round_trip::<views::TokensExported>(name, value)),
        "cluster_status" => drop(round_trip::<views::ClusterStatus>(name, value)),
        "mqtt_status" => drop(round_trip::<views::MqttStatus>(name, value)),
        "mqtt_clear" => assert!(round_trip::<views::MqttCleared>(name, value).topics > 0),
        "mqtt_check" | "push_check" => drop(round_trip::<views::PushCheck>(name, value)),
        "push_queue" => drop(round_trip::<views::PushQueue>(name, value)),
        "push_retry" => drop(round_trip::<views::PushRetried>(name, value)),
        "pictures_read" => drop(round_trip::<views::PictureRead>(name, value)),
        "pictures_test" => drop(round_trip::<views::PictureTested>(name, value)),
        "events" => drop(round_trip::<views::Events>(name, value)),
        "events_hourly" => drop(round_trip::<views::EventsHourly>(name, value)),
        "why" => drop(round_trip::<views::Why>(name, value)),
        "doctor" => drop(round_trip::<views::Doctor>(name, value)),
        "rules_list" => drop(round_trip::<views::Rules>(name, value)),
        "rules_test" => drop(round_trip::<views::RulesTested>(name, value)),
        "latency" => drop(round_trip::<views::Latency>(name, value)),
        "troubles" => drop(round_trip::<views::Troubles>(name, value)),
        "snooze_set" | "snooze_end" => drop(round_trip::<views::SnoozesChanged>(name, value)),
        "snooze_list" => drop(round_trip::<views::Snoozes>(name, value)),
        other => panic!("{name}: no view is known for {other}"),
    }
}

/// Returns the type of a request. Exhaustive on purpose: a new request does not compile without its line here.
fn type_of(request: &Request) -> &'static str {
    match request {
        Request::Status => "status",
        Request::ClientsList(_) => "clients_list",
        Request::ClientsRejected { .. } => "clients_rejected",
        Request::ClientsDisconnect { .. } => "clients_disconnect",
        Request::MonitorsList => "monitors_list",
        Request::MonitorsReload => "monitors_reload",
        Request::AlarmTest(_) => "alarm_test",
        Request::AlarmForce { .. } => "alarm_force",
        Request::AlarmCancel { .. } => "alarm_cancel",
        Request::Watch(_) => "watch",
        Request::Check { .. } => "check",
        Request::LogLevel { .. } => "log_level",
        Request::Reload => "reload",
        Request::ConfigShow => "config_show",
        Request::TokensList(_) => "tokens_list",
        Request::TokensShow { .. } => "tokens_show",
        Request::TokensLog { .. } => "tokens_log",
        Request::TokensRevoke { .. } => "tokens_revoke",
        Request::TokensBlock { .. } => "tokens_block",
        Request::TokensUnblock { .. } => "tokens_unblock",
        Request::TokensRestore { .. } => "tokens_restore",
        Request::TokensMute { .. } => "tokens_mute",
        Request::TokensUnmute { .. } => "tokens_unmute",
        Request::TokensPrune { .. } => "tokens_prune",
        Request::TokensImport(_) => "tokens_import",
        Request::TokensExport { .. } => "tokens_export",
        Request::BadgesReset { .. } => "badges_reset",
        Request::PushCheck { .. } => "push_check",
        Request::PushQueue => "push_queue",
        Request::PushRetry { .. } => "push_retry",
        Request::PicturesTest { .. } => "pictures_test",
        Request::PicturesRead { .. } => "pictures_read",
        Request::PicturesRotate => "pictures_rotate",
        Request::MqttStatus => "mqtt_status",
        Request::MqttCheck => "mqtt_check",
        Request::MqttClear => "mqtt_clear",
        Request::ClusterStatus => "cluster_status",
        Request::ClusterHandover { .. } => "cluster_handover",
        Request::ClusterLeave { .. } => "cluster_leave",
        Request::Why { .. } => "why",
        Request::Doctor { .. } => "doctor",
        Request::RulesList => "rules_list",
        Request::RulesTest(_) => "rules_test",
        Request::Latency => "latency",
        Request::Events(_) => "events",
        Request::EventsHourly => "events_hourly",
        Request::Troubles { .. } => "troubles",
        Request::SnoozeSet(_) => "snooze_set",
        Request::SnoozeList => "snooze_list",
        Request::SnoozeEnd(_) => "snooze_end",
        Request::Unknown => "unknown",
    }
}

/// Checks one line that the daemon sends after its greeting.
fn check_answer(name: &str, direction: &str, kind: &str, body: ServerBody) {
    match (direction, body) {
        ("reply", ServerBody::Ok(value)) => check_view(name, kind, &value),
        ("item", ServerBody::Item(value)) => {
            let event: WatchEvent = round_trip(name, &value);
            assert_ne!(event.kind, WatchKind::Unknown, "{name}");
            assert_eq!(value["type"], kind, "{name}");
        }
        ("error", ServerBody::Error(error)) => assert_ne!(error.code, ErrorCode::Unknown, "{name}"),
        ("end", ServerBody::End(_)) => {}
        (_, body) => panic!("{name} is {body:?}"),
    }
}

#[test]
fn every_line_that_was_ever_sent_is_read_and_written_the_same() {
    for (name, line) in fixtures() {
        let mut parts = name.split('-');
        let (direction, kind) = (parts.next().unwrap(), parts.next().unwrap_or_default());
        match direction {
            "hello" => drop(round_trip::<Hello>(&name, &line)),
            "request" => {
                let frame: ClientFrame = round_trip(&name, &line);
                assert_eq!(type_of(&frame.request), kind, "{name}");
            }
            _ => {
                let frame: ServerFrame = round_trip(&name, &line);
                check_answer(&name, direction, kind, frame.body);
            }
        }
    }
}

#[test]
fn every_request_answer_and_event_has_its_line() {
    let names = fixtures().into_iter().map(|(name, _)| name).collect::<BTreeSet<_>>();
    let pairs = REQUESTS.iter().flat_map(|kind| [format!("request-{kind}"), format!("reply-{kind}")]);
    let items = ITEMS.iter().map(|kind| format!("item-{kind}"));
    let others = ["request-watch", "end", "hello-admin", "hello-observer"].map(str::to_owned);
    let missing: Vec<_> = pairs.chain(items).chain(others).filter(|name| !names.contains(name)).collect();
    assert_eq!(missing, Vec::<String>::new());
}

/// Returns the types of all requests from the source itself: a list written by hand might miss one.
fn variants() -> BTreeSet<String> {
    let source = include_str!("../src/control/request.rs");
    let (_, body) = source.split_once("pub enum Request {").expect("the enum of requests");
    let body = body.lines().take_while(|line| *line != "}");
    let name = |line: &str| {
        let name = line.strip_prefix("    ")?.split(['(', '{', ',', ' ']).next()?;
        name.starts_with(|first: char| first.is_ascii_uppercase()).then(|| name.to_owned())
    };
    let snake = |name: String| {
        let mut snake = String::new();
        for letter in name.chars() {
            if letter.is_ascii_uppercase() && !snake.is_empty() {
                snake.push('_');
            }
            snake.push(letter.to_ascii_lowercase());
        }
        snake
    };
    body.filter_map(name).map(snake).filter(|kind| kind != "unknown").collect()
}

/// A new request needs `request-TYPE.json` and `reply-TYPE.json`, exactly as sent, and its line in `REQUESTS`.
/// `UPDATE=1 cargo nextest run -p zmes-tests --test wire` then adds them to the files that never change.
#[test]
fn every_request_of_the_source_is_in_the_list() {
    let listed = REQUESTS.iter().chain(&["watch"]).map(|kind| (*kind).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(variants(), listed);
}

#[test]
fn a_newer_minor_version_is_understood_and_a_newer_major_one_is_not() {
    let newest = fixtures().into_iter().filter(|(name, _)| name.starts_with("hello-"));
    let newest = newest.filter_map(|(_, line)| line["hello"]["protocol"]["minor"].as_u64()).max();
    assert_eq!(newest, Some(PROTOCOL.minor.into()), "the recorded greetings are of this version");
    let hello = json!({"hello": {"protocol": {"major": PROTOCOL.major, "minor": PROTOCOL.minor + 98, "patch": 3},
        "daemon": "9.4.2", "role": "operator", "features": ["x"]}, "motd": "hi"});
    let hello: Hello = serde_json::from_value(hello).unwrap();
    assert!(PROTOCOL.understands(hello.hello.protocol));
    assert_eq!(hello.hello.role, Role::Observer, "an unknown role may do no more than look");
    assert!(!PROTOCOL.understands(Protocol { major: PROTOCOL.major + 1, minor: 0 }));
}

#[test]
fn what_a_newer_peer_says_is_unknown_not_broken() {
    let request = json!({"id": 9, "request": {"type": "make_coffee", "cups": 2}});
    let frame: ClientFrame = serde_json::from_value(request).unwrap();
    assert_eq!(type_of(&frame.request), "unknown");
    let event = json!({"at": "2026-11-02T10:00:00Z", "type": "weather", "rain": true});
    assert_eq!(serde_json::from_value::<WatchEvent>(event).unwrap().kind, WatchKind::Unknown);
    let monitor = json!({"id": 1, "name": "Front", "source": "rtsp", "state": "dreaming", "last_event_id": null,
        "layout": 1024, "healthy": true, "reason": null});
    assert!(serde_json::from_value::<views::MonitorView>(monitor).is_ok());
}
