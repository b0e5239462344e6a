//! `watch`

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio::time::Instant;
use zmes_providers::{App, Platform, PushToken};
use zmes_shared::control::Since;
use zmes_shared::{EventId, MonitorId, MonitorState, SessionId};

use super::world::{World, report};
use crate::domain::{Alarm, Origin, Phase, PushState, Registration, Token, TokenId};
use crate::route::PushOutcome;

/// An alarm found at that time (ms).
fn alarm(monitor: u32, event: u64, at: i64) -> Alarm {
    Alarm {
        monitor: MonitorId(monitor),
        monitor_name: "Garage".into(),
        event: Some(EventId(event)),
        cause: "Motion".into(),
        labels: crate::domain::AlarmLabels::default(),
        at: Timestamp::from_millisecond(at).unwrap(),
        detected: Instant::now(),
        origin: Origin::Poll,
        phase: Phase::Start,
        span: None,
        elsewhere: None,
        stands_for_event: false,
    }
}

/// A push that was taken.
fn delivery(alarm: Alarm, detail: Option<String>) -> PushOutcome {
    let secret = PushToken::parse("abc").unwrap();
    let token = Token::new(TokenId(1), secret, Platform::Ios, Timestamp::UNIX_EPOCH);
    PushOutcome {
        at: Timestamp::UNIX_EPOCH,
        alarm: Arc::new(alarm),
        token: Arc::new(token),
        outcome: zmes_shared::words::DeliveryOutcome::Sent,
        detail,
        latency: Duration::from_millis(3),
    }
}

#[tokio::test]
async fn first_comes_how_things_are_then_what_happens() {
    let world = World::start().await;
    let _app = world.app(4, "192.0.2.1:1000", Some("amy")).await;
    let mut peer = world.peer().await;
    peer.send(r#"{"id":3,"request":{"type":"watch"}}"#).await;
    for id in 1..=3 {
        let frame = peer.read().await;
        assert_eq!((&frame["id"], &frame["item"]["type"]), (&json!(3), &json!("monitor")), "{frame}");
        assert_eq!(
            (&frame["item"]["change"], &frame["item"]["monitor"]["id"]),
            (&json!("present"), &json!(id))
        );
    }
    let session = peer.item("session").await;
    assert_eq!((&session["change"], &session["client"]["user"]), (&json!("present"), &json!("amy")));

    world.alarm(1, 32910).await;
    let alarm = peer.item("alarm").await;
    let at: Timestamp = alarm["at"].as_str().unwrap().parse().unwrap();
    assert_eq!(
        alarm,
        json!({"at": at.to_string(), "type": "alarm", "alarm": 1, "event_id": 32910, "monitor_id": 1,
            "monitor": "Garage", "cause": "Motion", "origin": "poll", "late": false})
    );
    let decision = peer.item("decision").await;
    assert_eq!((&decision["id"], &decision["decision"]), (&json!("4"), &json!("sent")));

    let changed = [report(1, "Garage", MonitorState::Alarm), report(2, "Porch", MonitorState::Idle)];
    world.reports.send_replace(Arc::new(changed.into_iter().map(|view| (view.id, view)).collect()));
    let monitor = peer.item("monitor").await;
    assert_eq!((&monitor["change"], &monitor["monitor"]["state"]), (&json!("changed"), &json!("alarm")));
    world.reports.send_replace(Arc::default());
    let gone = peer.item("monitor").await;
    assert_eq!(
        (&gone["monitor"]["id"], &gone["monitor"]["reason"]),
        (&json!(1), &json!("no longer watched"))
    );
}

#[tokio::test]
async fn one_monitor_alone_can_be_watched() {
    let world = World::start().await;
    let _app = world.app(4, "192.0.2.1:1000", Some("amy")).await;
    let mut peer = world.peer().await;
    peer.send(r#"{"id":1,"request":{"type":"watch","monitor":2}}"#).await;
    let present = peer.read().await;
    assert_eq!(present["item"]["monitor"]["id"], 2);
    world.alarm(1, 100).await;
    world.alarm(2, 101).await;
    let told = peer.read().await;
    assert_eq!((&told["item"]["type"], &told["item"]["event_id"]), (&json!("alarm"), &json!(101)));
    assert_eq!(peer.read().await["item"]["type"], "decision");
    let at: Timestamp = told["item"]["at"].as_str().unwrap().parse().unwrap();
    for (monitor, event) in [(1, 100), (2, 101)] {
        world.tap.delivery(|| delivery(alarm(monitor, event, at.as_millisecond()), None));
    }
    let delivery = peer.read().await;
    assert_eq!((&delivery["item"]["type"], &delivery["item"]["alarm"]), (&json!("delivery"), &json!(2)));
}

#[tokio::test]
async fn one_token_alone_can_be_watched() {
    let world = World::start().await;
    let _app = world.app(4, "192.0.2.1:1000", Some("amy")).await;
    let registration = |token: &str| Registration {
        token: PushToken::parse(token).unwrap(),
        platform: Platform::Ios,
        state: PushState::Enabled,
        filter: None,
        kind: App::ZmNinja,
        app_version: Some("1.8.001".to_owned()),
        profile: None,
    };
    world.router.register(SessionId(4), registration("abc")).await.unwrap().unwrap();
    world.router.register(SessionId(4), registration("def")).await.unwrap().unwrap();
    let mut peer = world.peer().await;
    peer.send(r#"{"id":1,"request":{"type":"watch","token":"ba7816bf"}}"#).await;
    let present = peer.read().await["item"].clone();
    assert_eq!(
        (&present["type"], &present["change"], &present["token"]),
        (
            &json!("token"),
            &json!("present"),
            &json!({"handle": "ba7816bf", "platform": "ios", "state": "enabled", "user": "amy", "app": "zmninja 1.8.001"})
        )
    );
    world.alarm(1, 100).await;
    assert_eq!(peer.read().await["item"]["type"], "alarm");
    let decision = peer.read().await["item"].clone();
    assert_eq!(
        [&decision["type"], &decision["target"], &decision["id"], &decision["decision"]],
        [&json!("decision"), &json!("token"), &json!("ba7816bf"), &json!("sent")]
    );
    for token in [TokenId(2), TokenId(1)] {
        world.router.revoke(vec![token], "admin".to_owned()).await.unwrap();
    }
    let revoked = peer.read().await["item"].clone();
    assert_eq!(
        [&revoked["change"], &revoked["reason"], &revoked["token"]["handle"]],
        [&json!("revoked"), &json!("admin"), &json!("ba7816bf")]
    );
}

#[tokio::test]
async fn what_is_not_there_cannot_be_watched() {
    let world = World::start().await;
    let answer = world.ask(r#"{"type":"watch","monitor":9}"#).await;
    assert_eq!(
        (&answer["error"]["code"], &answer["error"]["hint"]),
        (&json!("not_found"), &json!("there are: 1, 2, 3"))
    );
    let answer = world.ask(r#"{"type":"watch","token":"abcd1234"}"#).await;
    assert_eq!(answer["error"]["code"], "not_found");
}

#[tokio::test]
async fn the_record_comes_before_the_present_and_no_alarm_twice() {
    let world = World::start().await;
    for event in [100, 101, 102] {
        world.alarm(1, event).await;
    }
    // Committed: the record has them.
    while world.state.alarms_since(Since::Event(EventId(100)), 10).await.unwrap().alarms.len() < 2 {
        tokio::task::yield_now().await;
    }
    let mut peer = world.peer().await;
    peer.send(r#"{"id":1,"request":{"type":"watch","since":100}}"#).await;
    let recorded = peer.item("alarm").await;
    assert_eq!((&recorded["event_id"], &recorded["alarm"]), (&json!(101), &json!(0)));
    assert_eq!(peer.item("alarm").await["event_id"], 102);

    // The alarm comes again, as it does where it is both in the record and in the tap.
    let at: Timestamp = recorded["at"].as_str().unwrap().parse().unwrap();
    for _ in 0..2 {
        world.alarms.send(alarm(1, 101, at.as_millisecond())).await.unwrap();
    }
    assert_eq!(peer.item("alarm").await["alarm"], 5, "the first is known from the record");
}

#[tokio::test]
async fn a_record_that_does_not_reach_back_says_so() {
    let world = World::start().await;
    world.alarm(1, 100).await;
    while world.state.alarms_since(Since::Event(EventId(99)), 10).await.unwrap().alarms.is_empty() {
        tokio::task::yield_now().await;
    }
    let mut peer = world.peer().await;
    peer.send(r#"{"id":1,"request":{"type":"watch","since":50}}"#).await;
    assert_eq!(peer.item("lagged").await["missed"], 0);
    assert_eq!(peer.item("alarm").await["event_id"], 100);
}

#[tokio::test]
async fn a_slow_watcher_is_told_how_much_it_missed_and_goes_on() {
    const BATCHES: u64 = 5000;
    let world = World::start().await;
    let mut peer = world.peer().await;
    peer.send(r#"{"id":1,"request":{"type":"watch"}}"#).await;
    assert_eq!(peer.item("monitor").await["monitor"]["id"], 1);
    for alarm in 1..=BATCHES {
        world.tap.delivery(|| delivery(self::alarm(1, alarm, 0), Some(alarm.to_string())));
    }
    let (mut received, mut missed, last) = (0, 0, BATCHES.to_string());
    loop {
        let item = peer.read().await["item"].clone();
        if item["type"] == "lagged" {
            missed += item["missed"].as_u64().unwrap();
        }
        if item["type"] == "delivery" {
            received += 1;
            if item["detail"] == json!(last) {
                break;
            }
        }
    }
    assert!(missed > 0);
    assert_eq!(received + missed, BATCHES, "every one is either there or counted");
}

#[tokio::test]
async fn peers_that_do_not_read_hold_up_no_stop() {
    let world = World::start().await;
    let (mut watcher, mut asker) = (world.peer().await, world.peer().await);
    watcher.send(r#"{"id":1,"request":{"type":"watch"}}"#).await;
    assert_eq!(watcher.item("monitor").await["monitor"]["id"], 1);
    // Far more than a socket's buffers hold, in both ways of answering.
    asker.send_raw("{\"id\":1,\"request\":{\"type\":\"status\"}}\n".repeat(2000).as_bytes()).await;
    for _ in 0..100 {
        world.tap.delivery(|| delivery(alarm(1, 1, 0), Some("x".repeat(65536))));
        tokio::task::yield_now().await;
    }
    world.draining.cancel();
    world.stop.cancel();
    // Shorter than the deadline of a write.
    tokio::time::timeout(Duration::from_secs(8), world.tasks.wait()).await.unwrap();
}

#[tokio::test]
async fn a_stream_ends_with_the_daemon_and_says_so() {
    let world = World::start().await;
    let mut peer = world.peer().await;
    peer.send(r#"{"id":1,"request":{"type":"watch","monitor":1}}"#).await;
    peer.item("monitor").await;
    world.draining.cancel();
    assert_eq!(peer.read().await, json!({"id": 1, "end": {"reason": "the daemon is stopping"}}));
}

#[tokio::test]
async fn another_request_ends_the_stream_and_is_answered() {
    let world = World::start().await;
    let mut peer = world.peer().await;
    peer.send(r#"{"id":1,"request":{"type":"watch","monitor":1}}"#).await;
    peer.item("monitor").await;
    peer.send(r#"{"id":2,"request":{"type":"status"}}"#).await;
    assert_eq!(peer.read().await, json!({"id": 1, "end": {"reason": "another request was sent"}}));
    assert_eq!(peer.read().await["id"], 2);
}

#[tokio::test]
async fn a_watcher_that_leaves_frees_its_place() {
    let world = World::start().await;
    for _ in 0..40 {
        let mut peer = world.peer().await;
        peer.send(r#"{"id":1,"request":{"type":"watch"}}"#).await;
        peer.item("monitor").await;
    }
    world.ask(r#"{"type":"status"}"#).await;
}
