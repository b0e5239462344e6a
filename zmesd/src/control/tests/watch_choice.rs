//! `watch`: filters, lines waiting to be sent, and the recorded lines before the live ones.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::Instant;
use zmes_providers::{Platform, PushToken};
use zmes_shared::views::Severity;
use zmes_shared::words::DeliveryOutcome;
use zmes_shared::{EventId, MonitorId};

use super::world::{Peer, World};
use crate::domain::{Alarm, DeliveryId, MonitorFilter, Origin, Phase, Token, TokenId};
use crate::ports::{Clock, SystemClock};
use crate::route::{PushOutcome, TroubleMessage};
use crate::state::{Attempt, Note, Outcome};
use crate::troubles::{Trouble, TroubleChange, TroubleId, TroubleNotice};

/// SHA-256: ba7816bf…
const ABC: &str = "abc";
/// SHA-256: cb8379ac…
const DEF: &str = "def";

/// Amy and Bob, each with an app and a phone.
async fn two_users() -> (World, Vec<super::world::App>) {
    let world = World::start().await;
    let mut apps = Vec::new();
    for (id, user, token) in [(4, "amy", ABC), (5, "bob", DEF)] {
        apps.push(world.app(id, &format!("192.0.2.{id}:1000"), Some(user)).await);
        world.token(id, token, Platform::Ios, MonitorFilter::All).await;
    }
    (world, apps)
}

async fn watch(world: &World, request: &str) -> Peer {
    let mut peer = world.peer().await;
    peer.send(&format!(r#"{{"id":1,"request":{request}}}"#)).await;
    peer
}

/// Reads this many items.
async fn items(peer: &mut Peer, count: usize) -> Vec<Value> {
    let mut items = Vec::new();
    while items.len() < count {
        items.push(peer.read().await["item"].clone());
    }
    items
}

/// Returns the distinguishing part of lines: type, and the monitor, client or token.
fn outline(item: &Value) -> String {
    let word = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
    let about = match item["type"].as_str().unwrap() {
        "monitor" => item["monitor"]["id"].to_string(),
        "session" => item["client"]["id"].to_string(),
        "token" => format!("{} {}", item["token"]["handle"].as_str().unwrap(), word("change")),
        "decision" => format!("{} {}{}", word("id"), word("decision"), word("reason")),
        "delivery" => format!("{} {} {}", item["event_id"], word("id"), word("outcome")),
        _ => item["event_id"].to_string(),
    };
    format!("{} {about}", item["type"].as_str().unwrap())
}

#[tokio::test]
async fn one_user_alone_can_be_watched() {
    let (world, _apps) = two_users().await;
    let mut peer = watch(&world, r#"{"type":"watch","user":"a*"}"#).await;
    let present = items(&mut peer, 2).await;
    assert_eq!(present.iter().map(outline).collect::<Vec<_>>(), ["token ba7816bf present", "session 4"]);
    world.alarm(1, 100).await;
    let happened = items(&mut peer, 3).await;
    let expected = ["alarm 100", "decision 4 sent", "decision ba7816bf sent"];
    assert_eq!(happened.iter().map(outline).collect::<Vec<_>>(), expected);
    // Later clients are known, too.
    let _tablet = world.app(9, "192.0.2.9:1000", Some("amy")).await;
    world.alarm(1, 101).await;
    let happened = items(&mut peer, 5).await;
    assert!(happened.iter().any(|item| outline(item) == "decision 9 sent"), "{happened:?}");
    assert!(happened.iter().all(|item| item["id"] != "5" && item["id"] != "cb8379ac"), "{happened:?}");
}

#[tokio::test]
async fn types_can_be_chosen() {
    let (world, _apps) = two_users().await;
    let mut peer = watch(&world, r#"{"type":"watch","types":["session","decision"]}"#).await;
    let present = items(&mut peer, 2).await;
    assert_eq!(present.iter().map(outline).collect::<Vec<_>>(), ["session 4", "session 5"]);
    world.alarm(1, 100).await;
    let happened = items(&mut peer, 4).await;
    assert!(happened.iter().all(|item| item["type"] == "decision"), "{happened:?}");
    let refused = world.ask(r#"{"type":"watch","types":["weather"]}"#).await;
    assert_eq!(refused["error"]["code"], "unsupported");
}

#[tokio::test]
async fn what_waits_to_be_sent_is_part_of_the_state() {
    let (world, _apps) = two_users().await;
    world.alarm(1, 100).await;
    world.router.ping().await.unwrap();
    let mut peer = watch(&world, r#"{"type":"watch","types":["delivery"]}"#).await;
    let queued = items(&mut peer, 2).await;
    let expected = ["delivery 100 ba7816bf queued", "delivery 100 cb8379ac queued"];
    assert_eq!(queued.iter().map(outline).collect::<Vec<_>>(), expected);
    assert_eq!((&queued[0]["monitor_id"], &queued[0]["alarm"]), (&json!(1), &json!(0)));
}

/// An alarm of that moment.
fn alarm(event: u64, at: Timestamp) -> Arc<Alarm> {
    Arc::new(Alarm {
        monitor: MonitorId(1),
        monitor_name: "Garage".into(),
        event: Some(EventId(event)),
        cause: "Motion".into(),
        labels: crate::domain::AlarmLabels::default(),
        at,
        detected: Instant::now(),
        origin: Origin::Poll,
        phase: Phase::Start,
        span: None,
        elsewhere: None,
        stands_for_event: false,
    })
}

fn attempt(at: Timestamp, attempts: u32, outcome: Outcome) -> Note {
    Note::Attempts(vec![Attempt {
        delivery: DeliveryId(1),
        token: TokenId(1),
        at,
        transport: "proxy".into(),
        attempts,
        took: Duration::from_millis(3),
        outcome,
    }])
}

fn told(alarm: &Arc<Alarm>, at: Timestamp, outcome: DeliveryOutcome) -> PushOutcome {
    let secret = PushToken::parse(ABC).unwrap();
    let token = Token::new(TokenId(1), secret, Platform::Ios, Timestamp::UNIX_EPOCH);
    let latency = Duration::from_millis(3);
    PushOutcome { at, alarm: Arc::clone(alarm), token: Arc::new(token), outcome, detail: None, latency }
}

#[tokio::test]
async fn the_record_tells_of_tokens_too_and_nothing_comes_twice() {
    let world = World::start().await;
    let _app = world.app(4, "192.0.2.4:1000", Some("amy")).await;
    world.token(4, ABC, Platform::Ios, MonitorFilter::All).await;
    let now = SystemClock.now();
    let at = Timestamp::from_millisecond(now.as_millisecond()).unwrap();
    let first = alarm(100, at);
    world.alarms.send((*first).clone()).await.unwrap();
    world.router.ping().await.unwrap();
    let after = |ms| at + SignedDuration::from_millis(ms);
    let latency = Duration::from_millis(70);
    world.state.note(attempt(after(20), 1, Outcome::Retry("503: busy".to_owned())));
    let sent = Outcome::Sent { provider_id: Some("m-1".to_owned()), latency, digest: false, remember: false };
    world.state.note(attempt(after(70), 2, sent));
    let request = r#"{"type":"watch","since":99,"types":["alarm","decision","delivery"]}"#;
    let mut peer = watch(&world, request).await;
    // Alarms before the first recorded event are unknown.
    assert_eq!(peer.item("lagged").await["missed"], 0);
    let replayed = items(&mut peer, 4).await;
    let expected =
        ["alarm 100", "decision ba7816bf sent", "delivery 100 ba7816bf retry", "delivery 100 ba7816bf sent"];
    assert_eq!(replayed.iter().map(outline).collect::<Vec<_>>(), expected);
    assert_eq!((&replayed[2]["detail"], &replayed[2]["latency_ms"]), (&json!("503: busy"), &json!(20)));
    assert_eq!((&replayed[3]["detail"], &replayed[3]["latency_ms"]), (&json!("m-1"), &json!(70)));
    assert!(replayed.iter().all(|item| item["alarm"] == 0), "{replayed:?}");

    // All of it comes again, as it does where it is both in the record and in the tap; then something new.
    world.tap.delivery(|| told(&first, after(20), DeliveryOutcome::Retry));
    world.tap.delivery(|| told(&first, after(70), DeliveryOutcome::Sent));
    world.alarms.send((*first).clone()).await.unwrap();
    world.router.ping().await.unwrap();
    world.tap.delivery(|| told(&first, after(90), DeliveryOutcome::Retry));
    let live = items(&mut peer, 2).await;
    // Decisions for clients are not recorded.
    assert_eq!(
        live.iter().map(outline).collect::<Vec<_>>(),
        ["decision 4 sent", "delivery 100 ba7816bf retry"]
    );
}

#[tokio::test]
async fn the_record_is_filtered_as_the_rest() {
    let (world, _apps) = two_users().await;
    world.alarm(1, 100).await;
    world.alarm(2, 101).await;
    world.router.ping().await.unwrap();
    let request =
        r#"{"type":"watch","since":99,"monitor":2,"token":"cb8379ac","types":["alarm","decision"]}"#;
    let mut peer = watch(&world, request).await;
    assert_eq!(peer.item("lagged").await["missed"], 0);
    let replayed = items(&mut peer, 2).await;
    assert_eq!(replayed.iter().map(outline).collect::<Vec<_>>(), ["alarm 101", "decision cb8379ac sent"]);
}

async fn tell_trouble(world: &World, number: u64, change: TroubleChange, id: &str) {
    let trouble = Trouble {
        id: TroubleId::parse(id).unwrap(),
        severity: Severity::Error,
        name: "Garage".to_owned(),
        text: "zmc is not running".into(),
        hint: "zmdc.pl restart zmc -m 1".to_owned(),
        since: Timestamp::UNIX_EPOCH,
    };
    let notice = TroubleNotice { change, trouble };
    let (tokens, avoid) = Default::default();
    let message = TroubleMessage { number, notice, tokens, viewers: false, avoid };
    world.router.tell_trouble(message).await.unwrap().unwrap();
}

#[tokio::test]
async fn troubles_come_to_those_who_ask_for_them_and_once() {
    let (world, _apps) = two_users().await;
    tell_trouble(&world, 1, TroubleChange::Raised, "camera:1").await;
    let request = r#"{"type":"watch","types":["trouble"],"since":"1970-01-01T00:00:00Z"}"#;
    let mut peer = watch(&world, request).await;
    let mut raised = peer.item("trouble").await;
    let at = raised["at"].take();
    assert_eq!(
        raised,
        json!({"at": null, "type": "trouble", "change": "raised", "monitor_id": 1, "monitor": "Garage",
            "trouble": {"id": "camera:1", "kind": "camera", "severity": "error", "since": "1970-01-01T00:00:00Z",
            "cleared_at": null, "text": "Garage: zmc is not running", "hint": "zmdc.pl restart zmc -m 1"}})
    );
    // A reminder is not reported; the end is.
    tell_trouble(&world, 2, TroubleChange::Reminder, "camera:1").await;
    tell_trouble(&world, 3, TroubleChange::Cleared, "camera:1").await;
    let cleared = peer.item("trouble").await;
    assert_eq!((&cleared["change"], &cleared["trouble"]["cleared_at"]), (&json!("cleared"), &cleared["at"]));
    // Of both, those after a time.
    let request = format!(r#"{{"type":"watch","types":["trouble"],"since":{at}}}"#);
    let mut later = watch(&world, &request).await;
    let first = later.item("trouble").await;
    assert!(["raised", "cleared"].contains(&first["change"].as_str().unwrap()), "{first}");

    let mut old = watch(&world, r#"{"type":"watch"}"#).await;
    let mut all = watch(&world, r#"{"type":"watch","troubles":true}"#).await;
    // The state at the start shows both as watching.
    items(&mut old, 1).await;
    items(&mut all, 1).await;
    tell_trouble(&world, 4, TroubleChange::Raised, "database").await;
    world.alarm(1, 100).await;
    let before = |items: Vec<Value>| items.iter().any(|item| item["type"] == "trouble");
    let mut seen = Vec::new();
    while seen.last().is_none_or(|item: &Value| item["type"] != "alarm") {
        seen.extend(items(&mut old, 1).await);
    }
    assert!(!before(seen), "an older client does not know them");
    let raised = all.item("trouble").await;
    assert_eq!((&raised["trouble"]["id"], &raised["monitor_id"]), (&json!("database"), &Value::Null));
}

#[tokio::test]
async fn a_viewer_hears_of_monitors_by_the_rights_of_the_moment() {
    let (world, _apps) = two_users().await;
    let refused = world.ask(r#"{"type":"watch","viewer":"mallory"}"#).await;
    assert_eq!(refused["error"]["code"], "not_found", "{refused}");
    assert_eq!(refused["error"]["message"], "no user of ZoneMinder is called mallory");
}
