//! The ways to phones as admins see them: checks, queue, latencies, test alarms, and the reasons of decisions.

use std::time::Duration;

use serde_json::{Value, json};
use zmes_providers::{CheckStep, Platform, TransportFault};
use zmes_shared::views::PushCounts;
use zmes_shared::words::FaultKind;
use zmes_shared::{EventId, MonitorId};
use zmes_zoneminder::{DatabaseTrouble, DbError, EventRow};

use super::world::World;
use crate::domain::MonitorFilter;
use crate::ports::{Held, Retried, StageLatency, TransportCheck, TransportFailure, TransportHealth};
use crate::route::{PushEnding, PushOrder, PushReceipt};
use zmes_shared::words::HeldBy;

async fn ok(world: &World, request: &str) -> Value {
    let answer = world.ask(request).await;
    assert!(answer.get("ok").is_some(), "{request}: {answer}");
    answer["ok"].clone()
}

fn check(transport: &str, ok: bool) -> TransportCheck {
    let step = |name, ok: bool, detail: &str| CheckStep {
        name,
        took: Duration::from_micros(3_900),
        detail: detail.to_owned(),
        fault: (!ok).then_some(FaultKind::Timeout),
    };
    let steps = vec![step("dns", true, "192.0.2.1"), step("tcp", ok, "no answer")];
    TransportCheck {
        transport: transport.to_owned(),
        target: "push.example.org:443".to_owned(),
        ok,
        age: Duration::ZERO,
        steps,
    }
}

#[tokio::test]
async fn a_check_names_each_step() {
    let world = World::start().await;
    assert_eq!(ok(&world, r#"{"type":"push_check"}"#).await, json!({"checks": []}));
    *world.outside.checks.lock().unwrap() = vec![check("proxy", true), check("fcm:zmninja", false)];
    let steps = json!([{"name": "dns", "ok": true, "ms": 3, "detail": "192.0.2.1"},
        {"name": "tcp", "ok": false, "ms": 3, "detail": "no answer", "fault": "timeout"}]);
    let expected =
        json!({"transport": "fcm:zmninja", "target": "push.example.org:443", "ok": false, "steps": steps});
    let both = ok(&world, r#"{"type":"push_check"}"#).await;
    assert_eq!((both["checks"].as_array().unwrap().len(), &both["checks"][1]), (2, &expected));
    let fcm = ok(&world, r#"{"type":"push_check","transport":"fcm"}"#).await;
    assert_eq!(fcm, json!({"checks": [expected]}));
    let apns = world.ask(r#"{"type":"push_check","transport":"apns"}"#).await["error"].clone();
    assert_eq!((&apns["code"], &apns["message"]), (&json!("conflict"), &json!("apns is not configured")));
    let pigeon = world.ask(r#"{"type":"push_check","transport":"pigeon"}"#).await["error"].clone();
    assert_eq!(pigeon["code"], "unsupported");
}

#[tokio::test]
async fn check_push_is_one_line() {
    let world = World::start().await;
    let push = || async { ok(&world, r#"{"type":"check","check":"push"}"#).await };
    let detail = async || push().await["detail"].as_str().unwrap().to_owned();
    assert_eq!(push().await["ok"], true);
    assert!(
        detail()
            .await
            .starts_with("no push transport is configured, and no phone is registered for pushes; ")
    );
    *world.outside.checks.lock().unwrap() = vec![check("proxy", true)];
    assert!(detail().await.starts_with("push.example.org:443 answers (dns, tcp); "), "{}", detail().await);
    *world.outside.checks.lock().unwrap() = vec![check("proxy", true), check("apns", false)];
    let failed = push().await;
    assert_eq!(failed["ok"], false);
    assert_eq!(failed["detail"], "push apns: push.example.org:443: tcp failed: no answer");
    assert_eq!(failed["severity"], "error", "it is red in doctor, too");
    let all = ok(&world, r#"{"type":"check","check":"all"}"#).await;
    let names: Vec<_> = all["checks"].as_array().unwrap().iter().map(|part| part["check"].clone()).collect();
    assert_eq!(names[..6], ["ping", "shm", "db", "tls", "push", "store"]);
}

#[tokio::test]
async fn check_store_reads_and_writes_the_state() {
    let world = World::start().await;
    let directory = world.directory.path().join("state");
    *world.outside.toml.lock().unwrap() = format!("[state]\ndirectory = \"{}\"\n", directory.display());
    let store = ok(&world, r#"{"type":"check","check":"store"}"#).await;
    assert_eq!(store["ok"], true, "{store}");
    assert!(store["detail"].as_str().unwrap().contains("zmesd.db is intact and writable ("), "{store}");
}

#[tokio::test]
async fn the_queue_and_the_counts_are_the_push_sides() {
    let world = World::start().await;
    let _amy = world.app(1, "192.0.2.1:1000", Some("amy")).await;
    world.token(1, "abc", Platform::Ios, MonitorFilter::All).await;
    world.alarm(1, 100).await;
    world.router.ping().await.unwrap();
    *world.outside.pushes.lock().unwrap() = PushCounts { queued: 7, delivered: 12, failed: 3, mode: None };
    let until: jiff::Timestamp = "2130-01-01T00:00:00Z".parse().unwrap();
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    let fault = TransportFault {
        status: Some(404),
        ..TransportFault::unanswered(FaultKind::NotFound, "404 Not Found")
    };
    let health = TransportHealth {
        transport: "proxy".to_owned(),
        target: "push.example.org:443".to_owned(),
        in_flight: 2,
        last_success: Some(at("2026-01-01T00:00:00Z")),
        failure: Some(TransportFailure {
            fault,
            since: at("2026-01-02T00:00:00Z"),
            last: at("2026-01-02T01:00:00Z"),
            count: 61,
        }),
        rests_until: Some(until),
        refusals: None,
        probe: None,
    };
    // Its rest is over, and nothing has been sent since.
    let rested = TransportHealth { rests_until: Some(at("2026-01-02T01:01:00Z")), ..health.clone() };
    *world.outside.health.lock().unwrap() = vec![health, rested];
    let (by, reason) = (HeldBy::Transport, "404 Not Found".to_owned());
    *world.outside.held.lock().unwrap() = Some(Held { by, until: Some(until), reason });
    let queue = ok(&world, r#"{"type":"push_queue"}"#).await;
    assert_eq!(queue["queued"], 7);
    let transport = json!({"transport": "proxy", "open": true, "retry_at": "2130-01-01T00:00:00Z",
        "last_error": "the provider refused us: 404 Not Found", "in_flight": 2, "fault": "not_found", "status": 404,
        "failing_since": "2026-01-02T00:00:00Z", "failures": 61, "last_success_at": "2026-01-01T00:00:00Z",
        "hint": "correct push.proxy.url, then: zmesctl reload"});
    assert_eq!(queue["transports"][0], transport);
    let rested = &queue["transports"][1];
    assert_eq!(
        (&rested["open"], &rested["retry_at"]),
        (&json!(true), &Value::Null),
        "never a time in the past"
    );
    let held = json!({"by": "transport", "until": "2130-01-01T00:00:00Z", "reason": "404 Not Found"});
    assert_eq!(queue["deliveries"][0]["held"], held);
    let why = ok(&world, r#"{"type":"why","event":100}"#).await;
    let token = why["targets"].as_array().unwrap().iter().find(|target| target["kind"] == "token").unwrap();
    assert_eq!(token["held"], held, "{why}");
    let delivery = &queue["deliveries"][0];
    assert_eq!((&delivery["token"], &delivery["decision"]), (&json!("ba7816bf"), &json!("queued")));
    let status = ok(&world, r#"{"type":"status"}"#).await;
    assert_eq!(status["push"], json!({"queued": 7, "delivered": 12, "failed": 3, "mode": "live"}));
    assert_eq!(status["tokens"], json!({"total": 1, "enabled": 1}));
}

#[tokio::test]
async fn latencies_are_told_by_stage() {
    let world = World::start().await;
    let (stage, count) = ("answered".to_owned(), 9);
    let latency = StageLatency { stage, count, p50_ms: 0.12, p90_ms: 1.25, p99_ms: 99.999, max_ms: 4100.0 };
    *world.outside.latencies.lock().unwrap() = vec![latency];
    let expected = json!({"stage": "answered", "count": 9, "p50_ms": 0.12, "p90_ms": 1.25, "p99_ms": 99.999, "max_ms": 4100.0});
    assert_eq!(ok(&world, r#"{"type":"latency"}"#).await, json!({"stages": [expected]}));
}

#[tokio::test]
async fn a_test_for_a_token_reports_what_its_provider_answered() {
    let world = World::start().await;
    let _amy = world.app(1, "192.0.2.1:1000", Some("amy")).await;
    world.token(1, "abc", Platform::Ios, MonitorFilter::All).await;
    world.token(1, "cXyz:APA91bHPRgkFLJu6sg", Platform::Android, MonitorFilter::All).await;
    let mut orders = world.orders.lock().unwrap().take().unwrap();
    // The first push is taken, the second refused.
    world.tasks.spawn(async move {
        let (sent, refused) =
            (PushEnding::Sent(Some("m-1".to_owned())), PushEnding::Failed("403: not ours".to_owned()));
        let mut endings = [sent, refused].into_iter();
        while let Some(order) = orders.recv().await {
            let PushOrder::Alarm(batch) = order else { continue };
            let Some(receipts) = batch.receipts else { continue };
            for delivery in batch.deliveries {
                let receipt = PushReceipt {
                    token: delivery.token.id,
                    transport: "proxy".into(),
                    ending: endings.next().unwrap(),
                    latency: Duration::from_millis(112),
                };
                receipts.send(receipt).await.unwrap();
            }
        }
    });
    let tested = ok(&world, r#"{"type":"alarm_test","token":"ba78","wait":true}"#).await;
    let expected = json!({"kind": "token", "id": "ba7816bf", "decision": "sent", "reason": "", "latency_ms": 112,
        "transport": "proxy", "provider_id": "m-1"});
    assert_eq!(tested["targets"], json!([expected]));
    let tested = ok(&world, r#"{"type":"alarm_test","token":"RgkFLJu6sg","wait":true}"#).await;
    let target = &tested["targets"][0];
    assert_eq!((&target["decision"], &target["reason"]), (&json!("failed"), &json!("403: not ours")));
    let dry = ok(&world, r#"{"type":"alarm_test","token":"ba78","dry_run":true,"wait":true}"#).await;
    let expected =
        json!({"kind": "token", "id": "ba7816bf", "decision": "sent", "reason": "", "latency_ms": null});
    assert_eq!(dry["targets"], json!([expected]));
}

#[tokio::test]
async fn why_tells_of_every_client_and_token() {
    let world = World::start().await;
    let _amy = world.app(1, "192.0.2.1:1000", Some("amy")).await;
    let _pending = world.app(2, "192.0.2.2:1000", None).await;
    world.token(1, "abc", Platform::Ios, MonitorFilter::All).await;
    world.token(1, "def", Platform::Ios, MonitorFilter::parse("2", "0").unwrap()).await;
    world.router.mute(crate::domain::TokenId(1), Some(jiff::Timestamp::MAX)).await.unwrap();
    world.alarm(1, 100).await;
    world.router.ping().await.unwrap();
    let why = ok(&world, r#"{"type":"why","event":100}"#).await;
    assert_eq!(
        (&why["announced"], &why["monitor_id"], &why["monitor"]),
        (&json!(true), &json!(1), &json!("Garage"))
    );
    let at = &why["alarms"][0]["at"];
    assert_eq!((&why["explanation"], &why["times"]["announced_at"]), (&json!("announced once"), at));
    assert_eq!(why["alarms"], json!([{"at": at, "cause": "Motion", "late": false}]));
    let targets = why["targets"].as_array().unwrap();
    let find = |id: &str| targets.iter().find(|target| target["id"] == id).unwrap_or_else(|| panic!("{why}"));
    assert_eq!(find("1")["kind"], "session");
    assert_eq!(find("1")["user"], "amy");
    assert_eq!(
        (&find("2")["reason"], &find("2")["explanation"]),
        (&json!("not authenticated"), &json!("the app had not logged in"))
    );
    let muted = find("ba7816bf");
    assert_eq!((&muted["decision"], &muted["reason"]), (&json!("skipped"), &json!("muted")));
    assert_eq!(muted["explanation"], "an admin muted this token: zmesctl tokens unmute ba7816bf");
    let filtered = find("cb8379ac");
    assert_eq!(filtered["explanation"], "monitor 1 is not in the app's list");
    let one = ok(&world, r#"{"type":"why","event":100,"token":"cb83"}"#).await;
    assert_eq!(one["targets"], json!([filtered]));
}

#[tokio::test]
async fn why_says_so_when_a_token_came_later() {
    let world = World::start().await;
    let _amy = world.app(1, "192.0.2.1:1000", Some("amy")).await;
    world.alarm(1, 100).await;
    world.router.ping().await.unwrap();
    // Times differ by milliseconds at least.
    tokio::time::sleep(Duration::from_millis(5)).await;
    world.token(1, "abc", Platform::Ios, MonitorFilter::All).await;
    let why = ok(&world, r#"{"type":"why","event":100,"token":"ba78"}"#).await;
    let target = &why["targets"][0];
    assert_eq!((&target["decision"], &target["reason"]), (&json!("skipped"), &json!("not decided")));
    assert_eq!(target["explanation"], "it was registered only later");
    assert!(target["since"].is_string(), "{why}");
}

#[tokio::test]
async fn why_explains_what_was_never_announced() {
    let world = World::start().await;
    let row = |id, monitor, alarm_frames, age| EventRow {
        id: EventId(id),
        monitor: MonitorId(monitor),
        cause: "Motion".to_owned(),
        notes: String::new(),
        alarm_frames,
        age: Duration::from_secs(age),
        open: false,
    };
    *world.outside.events.lock().unwrap() = vec![
        row(50, 3, 9, 1),
        row(51, 9, 9, 1),
        row(52, 1, 0, 1),
        row(53, 1, 9, 1_000_000),
        row(54, 1, 9, 0),
    ];
    for (event, words) in [
        (50, "monitor 3 (Attic) is not watched: "),
        (51, "monitor 9 is not one of this server's"),
        (52, "ZoneMinder recorded it without an alarm"),
        (53, "it began before zmesd ran here for the first time"),
        (54, "zoneminder.realarm-interval"),
    ] {
        let why = ok(&world, &format!(r#"{{"type":"why","event":{event}}}"#)).await;
        assert_eq!((&why["announced"], &why["targets"]), (&json!(false), &json!([])));
        assert!(why["explanation"].as_str().unwrap().contains(words), "{event}: {why}");
        assert_eq!(why["times"]["first_run_at"].is_string(), event == 53, "{why}");
    }
    let _amy = world.app(1, "192.0.2.1:1000", Some("amy")).await;
    world.token(1, "abc", Platform::Ios, MonitorFilter::parse("2", "0").unwrap()).await;
    let why = ok(&world, r#"{"type":"why","event":52,"token":"ba78"}"#).await;
    let target = &why["targets"][0];
    assert_eq!((&target["decision"], &target["reason"]), (&json!("skipped"), &json!("not announced")));
    let words = "the event was not announced to any app; besides, ";
    assert!(target["explanation"].as_str().unwrap().starts_with(words), "{why}");
    let error = world.ask(r#"{"type":"why","event":99}"#).await["error"].clone();
    assert_eq!(error["code"], "not_found", "{error}");
    let broken = DbError::Unavailable(DatabaseTrouble::late("connection refused"));
    *world.outside.events_error.lock().unwrap() = Some(broken);
    let error = world.ask(r#"{"type":"why","event":99}"#).await["error"].clone();
    assert_eq!(error["code"], "unavailable", "{error}");
}

#[tokio::test]
async fn push_retry_says_what_rested_and_what_waits() {
    let world = World::start().await;
    let busy = world.ask(r#"{"type":"push_retry"}"#).await["error"].clone();
    assert_eq!((&busy["code"], &busy["message"]), (&json!("busy"), &json!("the push side does not answer")));
    let retried = |transport: &str, rest| Retried { transport: transport.to_owned(), rest, waiting: 2 };
    *world.outside.retried.lock().unwrap() =
        Some(vec![retried("proxy", Some(Duration::from_millis(27_400))), retried("apns", None)]);
    let both = ok(&world, r#"{"type":"push_retry"}"#).await;
    let rested = json!({"transport": "proxy", "rested": true, "rest_ms": 27_400, "waiting": 2});
    let apns = json!({"transport": "apns", "rested": false, "waiting": 2});
    assert_eq!(both["transports"], json!([rested, apns]));
    assert_eq!(ok(&world, r#"{"type":"push_retry","transport":"apns"}"#).await["transports"], json!([apns]));
    let none = world.ask(r#"{"type":"push_retry","transport":"fcm"}"#).await["error"].clone();
    assert_eq!((&none["code"], &none["message"]), (&json!("conflict"), &json!("fcm is not configured")));
    let pigeon = world.ask(r#"{"type":"push_retry","transport":"pigeon"}"#).await["error"].clone();
    assert_eq!(pigeon["code"], "unsupported");
}

#[tokio::test]
async fn an_admin_hears_how_the_providers_are_now() {
    let world = World::start().await;
    for request in [r#"{"type":"push_check"}"#, r#"{"type":"check","check":"push"}"#, r#"{"type":"doctor"}"#]
    {
        let before = *world.outside.anew.lock().unwrap();
        world.ask(request).await;
        assert_eq!(*world.outside.anew.lock().unwrap(), before + 1, "{request}");
    }
    for request in [r#"{"type":"check","check":"ping"}"#, r#"{"type":"status"}"#] {
        let before = *world.outside.anew.lock().unwrap();
        world.ask(request).await;
        assert_eq!(*world.outside.anew.lock().unwrap(), before, "{request}");
    }
}
