//! What each request answers, as literal JSON.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use zmes_shared::MonitorId;
use zmes_zoneminder::{DatabaseFault, DatabaseTrouble, DbError, DbHealth, TriggerError};

use super::world::{App, World, stopped};
use crate::monitors::Catalog;
use crate::ports::{CertificateProblem, CertificateSummary};
use crate::route::{CloseReason, Outgoing, WriteReport};

#[tokio::test]
async fn status_is_the_pinned_json() {
    let world = World::start().await;
    let _amy = world.app(1, "192.0.2.1:1000", Some("amy")).await;
    let _pending = world.app(2, "192.0.2.2:1000", None).await;
    world.database.send_replace(DbHealth::Down(DatabaseTrouble {
        fault: DatabaseFault::Other,
        message: "connection refused".to_owned(),
        hint: "mend it".to_owned(),
    }));
    let sick = stopped(2, "Porch");
    world.reports.send_modify(|reports| {
        Arc::make_mut(reports).insert(MonitorId(2), sick);
    });
    let status = world.ask(r#"{"type":"status"}"#).await["ok"].clone();
    let uptime = status["uptime_ms"].as_u64().unwrap();
    assert_eq!(
        status,
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "pid": std::process::id(),
            "started_at": "1970-01-01T00:00:00Z",
            "uptime_ms": uptime,
            "monitors": {"total": 3, "watched": 1, "stale": 1},
            "clients": {"total": 2, "authenticated": 1, "dropped_slow": 0, "rejected": 0},
            "tokens": {"total": 0, "enabled": 0},
            "push": {"queued": 0, "delivered": 0, "failed": 0, "mode": "live"},
            "events": {"seen": 0, "reconciled": 0},
            "database": "down",
            "database_error": "connection refused",
            "zoneminder": "1.36.33",
            "listening": ["wss://[::]:9000"],
            "stopping": false,
            "worst": {"step": "database", "ok": false, "severity": "error",
                "detail": "the database does not answer: connection refused",
                "hint": "mend it"},
            "findings": {"errors": 2, "warnings": 0},
            "troubles": {"standing": 0, "oldest": []},
            "snoozes": 0
        })
    );
}

fn ids(answer: &Value) -> Vec<u64> {
    answer["ok"]["clients"].as_array().unwrap().iter().map(|client| client["id"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn clients_can_be_picked_by_user_state_and_address() {
    let world = World::start().await;
    let _apps = [
        world.app(1, "10.1.2.3:1000", Some("amy")).await,
        world.app(2, "[::ffff:10.9.9.9]:1000", Some("amanda")).await,
        world.app(3, "[fd00::1]:1000", Some("bob")).await,
        world.app(4, "192.0.2.1:1000", None).await,
    ];
    for (request, expected) in [
        (r#"{"type":"clients_list"}"#, vec![1, 2, 3, 4]),
        (r#"{"type":"clients_list","user":"am*"}"#, vec![1, 2]),
        (r#"{"type":"clients_list","user":"amy"}"#, vec![1]),
        (r#"{"type":"clients_list","state":"pending"}"#, vec![4]),
        (r#"{"type":"clients_list","address":"10.0.0.0/8"}"#, vec![1, 2]),
        (r#"{"type":"clients_list","address":"fd00::1"}"#, vec![3]),
        (r#"{"type":"clients_list","address":"10.0.0.0/8","user":"*a"}"#, vec![2]),
    ] {
        assert_eq!(ids(&world.ask(request).await), expected, "{request}");
    }
    let answer = world.ask(r#"{"type":"clients_list","address":"garage"}"#).await;
    assert_eq!(answer["error"]["code"], "bad_request");
    assert_eq!(answer["error"]["message"], "`garage` is neither an address nor a network");
}

#[tokio::test]
async fn a_client_can_be_disconnected_once() {
    let world = World::start().await;
    let app = world.app(4, "192.0.2.1:1000", Some("amy")).await;
    let answer = world.ask(r#"{"type":"clients_disconnect","client":4}"#).await;
    assert_eq!(answer["ok"], json!({"done": "client 4 disconnected"}));
    assert_eq!(app.kicked.await, Ok(CloseReason::Disconnected));
    let answer = world.ask(r#"{"type":"clients_disconnect","client":9}"#).await;
    assert_eq!(
        (&answer["error"]["code"], &answer["error"]["message"]),
        (&json!("not_found"), &json!("no client 9"))
    );
}

#[tokio::test]
async fn monitors_join_the_database_and_what_is_seen() {
    let world = World::start().await;
    let answer = world.ask(r#"{"type":"monitors_list"}"#).await;
    let monitors = answer["ok"]["monitors"].as_array().unwrap();
    assert_eq!(
        monitors[0],
        json!({"id": 1, "name": "Garage", "source": "shm", "state": "idle", "last_event_id": null,
            "layout": 872, "healthy": true, "reason": null})
    );
    assert_eq!(
        monitors[2],
        json!({"id": 3, "name": "Attic", "source": "none", "state": "unknown", "last_event_id": null,
            "layout": null, "healthy": false, "reason": "only viewed (Function is Monitor): it never alarms", "trouble": "switched_off"})
    );
}

#[tokio::test]
async fn monitors_are_read_again_or_the_cause_is_told() {
    let world = World::start().await;
    let answer = world.ask(r#"{"type":"monitors_reload"}"#).await;
    assert_eq!(answer["ok"], json!({"monitors": 3, "added": 1, "removed": 0, "users": 2}));
    *world.outside.refresh_error.lock().unwrap() =
        Some(DbError::Unavailable(DatabaseTrouble::late("connection refused")));
    let answer = world.ask(r#"{"type":"monitors_reload"}"#).await;
    assert_eq!(answer["error"]["code"], "unavailable");
    assert_eq!(answer["error"]["message"], "database not available: connection refused");
}

/// Writes the next frame of an app, or hangs up instead, as its session would.
async fn write(app: &mut App, written: bool) {
    let Some(Outgoing::Tracked(tracked)) = app.outbox.recv().await else { panic!("no tracked frame") };
    tracked.1.send(WriteReport { session: app.id, written }).await.unwrap();
}

#[tokio::test]
async fn a_test_alarm_waits_until_every_frame_is_written_or_has_failed() {
    let world = World::start().await;
    let mut reads = world.app(1, "192.0.2.1:1000", Some("amy")).await;
    let mut leaves = world.app(2, "192.0.2.2:1000", Some("bob")).await;
    let mut sleeps = world.app(3, "192.0.2.3:1000", Some("eve")).await;
    let mut peer = world.peer().await;
    tokio::time::pause();
    peer.send(r#"{"id":1,"request":{"type":"alarm_test","wait":true}}"#).await;
    write(&mut reads, true).await;
    write(&mut leaves, false).await;
    let kept = sleeps.outbox.recv().await;
    let answer = peer.read().await["ok"].clone();
    drop(kept);
    assert_eq!((&answer["monitor_id"], &answer["dry_run"]), (&json!(1), &json!(false)));
    assert!(answer["event_id"].as_u64().unwrap() > 0);
    let targets = answer["targets"].as_array().unwrap();
    assert_eq!((&targets[0]["kind"], &targets[0]["id"]), (&json!("session"), &json!("1")));
    assert_eq!((&targets[0]["decision"], &targets[0]["reason"]), (&json!("sent"), &json!("")));
    assert!(targets[0]["latency_ms"].is_u64());
    let failures: Vec<_> =
        targets[1..].iter().map(|target| (&target["decision"], &target["reason"])).collect();
    let failed = json!("failed");
    assert_eq!(
        failures,
        [(&failed, &json!("the client disconnected first")), (&failed, &json!("not written in time"))]
    );
    assert!(targets[1]["latency_ms"].is_null());
}

#[tokio::test]
async fn a_test_alarm_comes_from_the_monitor_that_is_asked_for() {
    let world = World::start().await;
    let mut app = world.app(1, "192.0.2.1:1000", Some("amy")).await;
    let dry = world.ask(r#"{"type":"alarm_test","dry_run":true,"wait":true}"#).await;
    assert_eq!(dry["ok"]["targets"][0]["decision"], "sent");
    assert!(app.outbox.try_recv().is_err(), "nothing is sent");
    let answer = world.ask(r#"{"type":"alarm_test","monitor":2}"#).await;
    assert_eq!(
        answer["ok"]["targets"],
        json!([{"kind": "session", "id": "1", "decision": "sent", "reason": "", "latency_ms": null}])
    );
    let Some(Outgoing::Frame(frame)) = app.outbox.recv().await else { panic!("no frame") };
    assert_eq!(serde_json::from_str::<Value>(&frame).unwrap()["events"][0]["MonitorId"], "2");
    for (request, code) in [
        (r#"{"type":"alarm_test","monitor":9}"#, "not_found"),
        (r#"{"type":"alarm_test","token":"abcd1234"}"#, "not_found"),
    ] {
        assert_eq!(world.ask(request).await["error"]["code"], code, "{request}");
    }
}

#[tokio::test]
async fn a_test_alarm_needs_a_monitor() {
    let world = World::start().await;
    world.catalog.send_replace(Arc::new(Catalog::default()));
    assert_eq!(world.ask(r#"{"type":"alarm_test"}"#).await["error"]["code"], "unavailable");
    world.catalog.send_modify(|catalog| {
        Arc::make_mut(catalog).loaded_at = Some(jiff::Timestamp::UNIX_EPOCH);
    });
    assert_eq!(world.ask(r#"{"type":"alarm_test"}"#).await["error"]["code"], "not_found");
}

#[tokio::test]
async fn an_alarm_is_forced_and_taken_back() {
    let world = World::start().await;
    let answer = world.ask(r#"{"type":"alarm_force","monitor":1,"for_ms":3600000}"#).await;
    assert_eq!(answer["ok"], json!({"monitor_id": 1, "trigger": "on", "via": "shm", "for_ms": 3_600_000}));
    let answer = world.ask(r#"{"type":"alarm_cancel","monitor":1}"#).await;
    assert_eq!(answer["ok"], json!({"monitor_id": 1, "trigger": "cancelled", "via": "shm", "for_ms": null}));
    let triggered = world.outside.triggered.lock().unwrap().clone();
    assert_eq!(triggered, [(1, "on: Forced by zmesctl".into()), (1, "cancel".into())]);
}

#[tokio::test]
async fn what_is_forced_ends_with_the_daemon() {
    let world = World::start().await;
    world.ask(r#"{"type":"alarm_force","monitor":1,"for_ms":3600000}"#).await;
    world.draining.cancel();
    let answer = world.ask(r#"{"type":"alarm_force","monitor":2,"for_ms":10000}"#).await;
    assert_eq!(answer["error"]["code"], "conflict", "{answer}");
    world.stop.cancel();
    world.tasks.wait().await;
    let triggered = world.outside.triggered.lock().unwrap().clone();
    assert_eq!(triggered, [(1, "on: Forced by zmesctl".into()), (1, "cancel".into())]);
}

#[tokio::test]
async fn an_alarm_that_cannot_be_forced_is_refused_with_its_cause() {
    let world = World::start().await;
    for (request, code) in [
        (r#"{"type":"alarm_force","monitor":1,"for_ms":999}"#, "bad_request"),
        (r#"{"type":"alarm_force","monitor":1,"for_ms":3600001}"#, "bad_request"),
        (r#"{"type":"alarm_force","monitor":9,"for_ms":10000}"#, "not_found"),
        (r#"{"type":"alarm_force","monitor":3,"for_ms":10000}"#, "not_found"),
        (r#"{"type":"alarm_cancel","monitor":9}"#, "not_found"),
    ] {
        assert_eq!(world.ask(request).await["error"]["code"], code, "{request}");
    }
    assert!(world.outside.triggered.lock().unwrap().is_empty());
    for (refusal, code) in [
        (TriggerError::NotPermitted("read-only".into()), "forbidden"),
        (TriggerError::NotCaptured(MonitorId(1)), "unavailable"),
    ] {
        *world.outside.trigger_refusal.lock().unwrap() = Some(refusal);
        let answer = world.ask(r#"{"type":"alarm_force","monitor":1,"for_ms":10000}"#).await;
        assert_eq!(answer["error"]["code"], code);
        assert!(answer["error"]["hint"].is_string(), "{answer}");
    }
}

#[tokio::test]
async fn checks_hold_while_everything_moves() {
    let world = World::start().await;
    let (counters, stop) = (Arc::clone(&world.counters), world.stop.clone());
    let poller = async move {
        while !stop.is_cancelled() {
            counters.polls.increment();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let asked = async {
        for (check, detail) in [
            ("ping", "router and poller respond"),
            ("shm", "2 of 2 watched monitors are alive; 1 is not watched, as set in ZoneMinder"),
            ("tls", "apps are served without TLS, as configured"),
        ] {
            let answer = world.ask(&format!(r#"{{"type":"check","check":"{check}"}}"#)).await;
            let mut told = answer["ok"].clone();
            let measured = told.as_object_mut().unwrap().remove("perf");
            assert_eq!(measured.is_some(), check != "tls", "{answer}");
            assert_eq!(told, json!({"ok": true, "check": check, "detail": detail, "severity": "ok"}));
        }
        let all = world.ask(r#"{"type":"check","check":"all"}"#).await["ok"].clone();
        let names: Vec<_> = all["checks"].as_array().unwrap().iter().map(|part| &part["check"]).collect();
        let expected = [
            "ping",
            "shm",
            "db",
            "tls",
            "push",
            "store",
            "configuration",
            "port",
            "clients",
            "clock",
            "mqtt",
            "cluster",
        ];
        assert_eq!(json!(names), json!(expected));
        world.stop.cancel();
    };
    tokio::join!(poller, asked);
}

#[tokio::test]
async fn checks_name_what_is_wrong() {
    let world = World::start().await;
    let sick = stopped(1, "Garage");
    world.reports.send_replace(Arc::new([(MonitorId(1), sick)].into_iter().collect()));
    world.database.send_replace(DbHealth::Down(DatabaseTrouble::late("access denied")));
    let problems = vec![CertificateProblem {
        grave: false,
        fault: Some(crate::config::CertificateFault::IsCa),
        message: "the certificate is a CA".to_owned(),
        hint: "issue it anew".to_owned(),
    }];
    let objections = Vec::new();
    let not_after = "2999-01-01T00:00:00Z".parse().unwrap();
    *world.outside.certificate.lock().unwrap() = Some(CertificateSummary {
        subject: "CN=zm".into(),
        sans: Vec::new(),
        self_signed: false,
        not_after,
        problems,
        objections,
    });
    let all = world.ask(r#"{"type":"check","check":"all","within_ms":1209600000}"#).await["ok"].clone();
    assert_eq!(all["ok"], false);
    let details = all["checks"].as_array().unwrap().iter().filter(|part| part["ok"] == false);
    assert_eq!(
        details.take(4).map(|part| &part["detail"]).collect::<Vec<_>>(),
        [
            "daemon: the poller does not respond",
            "monitor 1: Garage: zmc has stopped; and 1 other",
            "database: some queries fail: access denied",
            "certificate: CN=zm: the certificate is a CA",
        ]
    );
    let unknown = world.ask(r#"{"type":"check","check":"weather"}"#).await;
    assert_eq!(unknown["error"]["code"], "unsupported");
}

#[tokio::test]
async fn the_log_level_changes_and_comes_back() {
    let world = World::start().await;
    let mut peer = world.peer().await;
    tokio::time::pause();
    peer.send(r#"{"id":1,"request":{"type":"log_level","level":"debug","for_ms":60000}}"#).await;
    assert_eq!(peer.read().await["ok"], json!({"level": "debug", "before": "info", "for_ms": 60000}));
    assert_eq!(world.log.level(), "debug");
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(world.log.level(), "info");
    peer.send(r#"{"id":2,"request":{"type":"log_level","level":"loud"}}"#).await;
    let answer = peer.read().await;
    assert_eq!(
        (&answer["error"]["code"], &answer["error"]["message"]),
        (&json!("bad_request"), &json!("`loud` is not a log level"))
    );
    peer.send(r#"{"id":3,"request":{"type":"log_level","level":"debug","for_ms":1}}"#).await;
    assert_eq!(peer.read().await["error"]["code"], "bad_request");
    assert_eq!(world.log.level(), "info");
}

#[tokio::test]
async fn the_configuration_is_reloaded_and_shown_through_its_port() {
    let world = World::start().await;
    let answer = world.ask(r#"{"type":"reload"}"#).await;
    assert_eq!(answer["error"]["code"], "config_invalid");
    let answer = world.ask(r#"{"type":"config_show"}"#).await;
    assert_eq!(answer["ok"], json!({"file": "/etc/zmesd/zmesd.toml", "toml": "[server]\n"}));
    world.draining.cancel();
    assert_eq!(world.ask(r#"{"type":"reload"}"#).await["error"]["code"], "conflict");
}
