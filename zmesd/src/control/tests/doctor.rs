//! `doctor`, as literal JSON: the walk with all its steps, and one alarm for one phone.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use zmes_providers::{CheckStep, Platform};
use zmes_shared::words::FaultKind;
use zmes_shared::{MonitorId, MonitorState};
use zmes_zoneminder::{DatabaseFault, DatabaseTrouble, DbError, MonitorRights, User};

use super::world::{World, report, stopped};
use crate::config::{ConfigDiff, Problem};
use crate::domain::MonitorFilter;
use crate::ports::{ConfigExamined, TransportCheck};

const TOKEN: &str = "cXyz:APA91bHPRgkFLJu6sg";

fn findings(answer: &Value) -> Vec<Value> {
    answer["ok"]["findings"].as_array().unwrap_or_else(|| panic!("no findings: {answer}")).clone()
}

fn step(answer: &Value, step: &str) -> Value {
    findings(answer).into_iter().find(|finding| finding["step"] == step).unwrap_or_default()
}

fn amy(enabled: bool) -> User {
    User {
        name: "amy".to_owned(),
        password: "$2y$10$hash".to_owned().into(),
        enabled,
        api_enabled: true,
        may_see_events: true,
        token_min_expiry: 0,
        rights: MonitorRights::All,
    }
}

/// Amy's phone is registered, and a transport can reach it.
async fn world_with_a_phone(filter: MonitorFilter) -> World {
    let world = World::start().await;
    let users = BTreeMap::from([("amy".to_owned(), Arc::new(amy(true)))]);
    world.catalog.send_modify(|catalog| Arc::make_mut(catalog).users = users);
    let _app = world.app(1, "192.0.2.1:1000", Some("amy")).await;
    world.token(1, TOKEN, Platform::Android, filter).await;
    *world.outside.ways.lock().unwrap() = vec!["proxy".to_owned()];
    *world.outside.checks.lock().unwrap() = vec![way(true)];
    world
}

fn way(ok: bool) -> TransportCheck {
    let (transport, target) = ("proxy".to_owned(), "push.example.org:8801".to_owned());
    let detail = if ok { "push.example.org" } else { "connection refused" }.to_owned();
    let fault = (!ok).then_some(FaultKind::Refused);
    TransportCheck {
        transport,
        target,
        ok,
        age: std::time::Duration::ZERO,
        steps: vec![CheckStep { name: "tcp", took: std::time::Duration::ZERO, detail, fault }],
    }
}

#[tokio::test]
async fn the_walk_goes_in_the_order_in_which_things_break() {
    let world = World::start().await;
    let answer = world.ask(r#"{"type":"doctor"}"#).await;
    let mut steps: Vec<_> = findings(&answer).iter().map(|finding| finding["step"].clone()).collect();
    steps.dedup();
    assert_eq!(
        json!(steps),
        json!([
            "daemon",
            "configuration",
            "database",
            "monitors",
            "port",
            "certificate",
            "clock",
            "state",
            "push",
            "tokens"
        ])
    );
    for finding in findings(&answer) {
        let severity = finding["severity"].as_str().unwrap();
        assert_eq!(finding["ok"], severity != "error", "{finding}");
        assert!(finding["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{finding}");
        assert_eq!(finding["hint"].is_null(), severity == "ok", "{finding}");
    }
    assert_eq!(answer["ok"]["ok"], false, "its poller does not move");
    assert_eq!(step(&answer, "configuration")["detail"], "no file: the demo has built-in settings");
}

#[tokio::test]
async fn a_part_that_is_sick_hides_no_other() {
    let world = World::start().await;
    let problem = Problem {
        file: "/etc/zmesd/zmesd.toml".into(),
        line: Some(14),
        key: "push.intervall".into(),
        message: "unknown key, did you mean `interval-default`?".into(),
        hint: "remove it".into(),
        grave: true,
        certificate: None,
    };
    let examined =
        ConfigExamined { problems: vec![problem], warnings: Vec::new(), diff: ConfigDiff::default() };
    *world.outside.examined.lock().unwrap() = Some(examined);
    let refused = DbError::Unavailable(DatabaseTrouble {
        fault: DatabaseFault::Login,
        message: "access denied for `zmuser`".to_owned(),
        hint: "correct ZM_DB_PASS in /etc/zm/zm.conf:7".to_owned(),
    });
    *world.outside.database.lock().unwrap() = Some(Err(refused));
    *world.outside.checks.lock().unwrap() = vec![way(false)];
    let sick = stopped(2, "Porch");
    world.reports.send_modify(|reports| {
        Arc::make_mut(reports).insert(MonitorId(2), sick);
    });
    let answer = world.ask(r#"{"type":"doctor"}"#).await;
    let configuration = step(&answer, "configuration");
    assert_eq!(
        configuration["detail"],
        "/etc/zmesd/zmesd.toml:14: push.intervall: unknown key, did you mean `interval-default`?; zmesd cannot \
         reload or start again with it"
    );
    assert_eq!(configuration["hint"], "remove it");
    assert_eq!(step(&answer, "database")["hint"], "correct ZM_DB_PASS in /etc/zm/zm.conf:7");
    assert_eq!(step(&answer, "monitor 2")["detail"], "Porch: zmc has stopped");
    assert_eq!(
        step(&answer, "monitors")["detail"],
        "1 of 2 watched monitors are alive; 1 is not watched, as set in ZoneMinder"
    );
    assert_eq!(
        step(&answer, "push proxy")["detail"],
        "push.example.org:8801: tcp failed: connection refused"
    );
}

#[tokio::test]
async fn one_alarm_is_followed_to_one_phone() {
    let world = world_with_a_phone(MonitorFilter::All).await;
    let handle = world.state.tokens().await.unwrap()[0].token.handle.to_string();
    let ask = async || world.ask(&format!(r#"{{"type":"doctor","target":"{handle}"}}"#)).await;
    let good = ask().await;
    let about: Vec<_> =
        findings(&good).iter().filter(|finding| finding["about"].is_string()).cloned().collect();
    let steps: Vec<_> = about.iter().map(|finding| finding["step"].as_str().unwrap()).collect();
    assert_eq!(
        steps,
        [
            "token",
            "state",
            "mute",
            "owner",
            "rights",
            "filter",
            "interval",
            "monitors",
            "push proxy",
            "last answer"
        ]
    );
    assert!(about.iter().all(|finding| finding["ok"] == true), "{good}");
    assert_eq!(about[0]["about"], format!("token {handle}"));

    world.ask(&format!(r#"{{"type":"tokens_mute","tokens":["{handle}"]}}"#)).await;
    let mute = step(&ask().await, "mute");
    assert_eq!(
        (&mute["ok"], &mute["hint"]),
        (&json!(false), &json!(format!("zmesctl tokens unmute {handle}")))
    );
    world.ask(&format!(r#"{{"type":"tokens_revoke","tokens":["{handle}"]}}"#)).await;
    let gone = step(&ask().await, "token");
    assert_eq!(
        (&gone["ok"], &gone["hint"]),
        (&json!(false), &json!(format!("zmesctl tokens restore {handle}")))
    );
}

#[tokio::test]
async fn an_owner_who_is_disabled_is_named_with_the_command_that_lets_him_in() {
    let world = world_with_a_phone(MonitorFilter::All).await;
    let users = BTreeMap::from([("amy".to_owned(), Arc::new(amy(false)))]);
    world.catalog.send_modify(|catalog| Arc::make_mut(catalog).users = users);
    let mend = "mysql zm -e \"UPDATE Users SET Enabled=1 WHERE Username='amy'\" && zmesctl monitors reload";
    let walk = step(&world.ask(r#"{"type":"doctor"}"#).await, "owner");
    assert_eq!((&walk["ok"], &walk["hint"]), (&json!(false), &json!(mend)));
    let user = step(&world.ask(r#"{"type":"doctor","target":"amy"}"#).await, "user");
    assert_eq!(user["detail"], "ZoneMinder does not let amy in: the user is disabled");
    assert_eq!(user["hint"], mend);
}

#[tokio::test]
async fn a_list_without_a_monitor_is_red_where_that_one_is_asked_for() {
    let filter = MonitorFilter::parse("2", "0").unwrap();
    let world = world_with_a_phone(filter).await;
    let ask =
        async |monitor: &str| world.ask(&format!(r#"{{"type":"doctor","target":"amy"{monitor}}}"#)).await;
    let told = async |monitor: &str| {
        let about = |finding: &Value| finding["step"] == "filter";
        findings(&ask(monitor).await).into_iter().find(about).unwrap()["severity"].clone()
    };
    assert_eq!(told(r#","monitor":1"#).await, "error");
    assert_eq!(told(r#","monitor":2"#).await, "ok");
    assert_eq!(told("").await, "ok", "its app may have meant it so");
    let unknown = world.ask(r#"{"type":"doctor","target":"amy","monitor":99}"#).await;
    assert_eq!(unknown["error"]["code"], "not_found");
}

#[tokio::test]
async fn whom_nobody_knows_is_not_found() {
    let world = world_with_a_phone(MonitorFilter::All).await;
    let answer = world.ask(r#"{"type":"doctor","target":"bob-the-builder"}"#).await;
    assert_eq!(answer["error"]["code"], "not_found");
    assert_eq!(answer["error"]["message"], "no token and no user is called bob-the-builder");
    let meant = world.ask(r#"{"type":"doctor","target":"Amy"}"#).await;
    assert_eq!(meant["error"]["message"], "no token and no user is called Amy");
    assert_eq!(meant["error"]["hint"], "did you mean amy? zmesctl doctor amy");
    // A user deleted from ZoneMinder whose phone is still registered counts as a user.
    world.catalog.send_modify(|catalog| Arc::make_mut(catalog).users.clear());
    let answer = world.ask(r#"{"type":"doctor","target":"amy"}"#).await;
    assert_eq!(step(&answer, "user")["detail"], "amy is not a user of ZoneMinder");
}

/// The findings, as (step, detail, hint).
fn troubles(answer: &Value) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let worried = findings(answer).into_iter().filter(|finding| finding["severity"] != "ok");
    worried
        .map(|finding| (text(&finding["step"]), text(&finding["detail"]), text(&finding["hint"])))
        .collect()
}

/// Limits amy's rights to these monitors.
fn restrict(world: &World, monitors: &[u32]) {
    let rights = MonitorRights::Only(Arc::new(monitors.iter().map(|&id| MonitorId(id)).collect()));
    let users = BTreeMap::from([("amy".to_owned(), Arc::new(User { rights, ..amy(true) }))]);
    world.catalog.send_modify(|catalog| Arc::make_mut(catalog).users = users);
}

#[tokio::test]
async fn rights_come_before_lists() {
    let world = world_with_a_phone(MonitorFilter::parse("2", "0").unwrap()).await;
    restrict(&world, &[2]);
    let answer = world.ask(r#"{"type":"doctor","target":"amy","monitor":1}"#).await;
    let told = troubles(&answer);
    assert_eq!(told[0].1, "the poller does not respond");
    assert_eq!(told[1].0, "user");
    assert_eq!(told[1].1, "ZoneMinder does not let amy see monitor 1 (Garage)");
    assert!(told[1].2.starts_with("ZoneMinder > Options > Users > amy:"), "{told:?}");
    assert!(told.iter().all(|(_, _, hint)| !hint.starts_with("tick")), "{told:?}");
}

#[tokio::test]
async fn a_camera_that_zoneminder_has_switched_off_is_told_as_that() {
    let world = world_with_a_phone(MonitorFilter::All).await;
    restrict(&world, &[3]);
    let expected = "none of the monitors that amy may see can alarm: 3 (Attic): only viewed (Function is Monitor): it \
                    never alarms";
    let told = troubles(&world.ask(r#"{"type":"doctor","target":"amy"}"#).await);
    assert_eq!((told[1].0.as_str(), told[1].1.as_str()), ("user", expected));
    assert!(told[1].2.starts_with("switch detection on in ZoneMinder"), "{told:?}");
    let asked = troubles(&world.ask(r#"{"type":"doctor","target":"amy","monitor":3}"#).await);
    assert_eq!(
        asked[1].1,
        "3 (Attic) cannot alarm, as set in ZoneMinder: only viewed (Function is Monitor): it never alarms"
    );
}

#[tokio::test]
async fn a_list_outside_of_the_rights_can_never_ring() {
    let world = world_with_a_phone(MonitorFilter::parse("2", "0").unwrap()).await;
    restrict(&world, &[1]);
    let walk = step(&world.ask(r#"{"type":"doctor"}"#).await, "filter");
    assert_eq!(walk["severity"], "error", "{walk}");
    let detail = walk["detail"].as_str().unwrap();
    assert!(
        detail.ends_with("its app has chosen 2, but ZoneMinder lets amy see none of them: it can never ring"),
        "{detail}"
    );
    let user = troubles(&world.ask(r#"{"type":"doctor","target":"amy"}"#).await);
    assert!(user.iter().any(|(step, _, _)| step == "filter"), "{user:?}");
    restrict(&world, &[1, 2]);
    let walk = findings(&world.ask(r#"{"type":"doctor"}"#).await);
    assert!(walk.iter().all(|finding| finding["step"] != "filter" || finding["ok"] == true), "{walk:?}");
}

#[tokio::test]
async fn who_wants_one_camera_alone_is_not_told_of_the_others() {
    let world = world_with_a_phone(MonitorFilter::parse("1", "0").unwrap()).await;
    let _app = world.app(2, "192.0.2.2:1000", Some("amy")).await;
    for line in [r#"{"type":"doctor"}"#, r#"{"type":"doctor","target":"amy"}"#] {
        let told = troubles(&world.ask(line).await);
        assert!(told.iter().all(|(step, ..)| step != "filter"), "{told:?}");
    }
}

#[tokio::test]
async fn status_and_check_name_what_doctor_names() {
    let world = World::start().await;
    let sick = stopped(2, "Porch");
    world.reports.send_modify(|reports| {
        Arc::make_mut(reports).insert(MonitorId(2), sick);
    });
    // No doctor has run yet.
    let status = world.ask(r#"{"type":"status"}"#).await["ok"].clone();
    assert_eq!(
        (&status["worst"]["step"], &status["worst"]["severity"]),
        (&json!("monitor 2"), &json!("error"))
    );
    assert_eq!(status["findings"], json!({"errors": 1, "warnings": 0}));
    let doctor = troubles(&world.ask(r#"{"type":"doctor"}"#).await);
    let all = world.ask(r#"{"type":"check","check":"all"}"#).await["ok"].clone();
    let status = world.ask(r#"{"type":"status"}"#).await["ok"].clone();
    assert_eq!(all["severity"], "error");
    assert_eq!((&all["hint"], &status["worst"]["hint"]), (&json!(doctor[0].2), &json!(doctor[0].2)));
    assert_eq!(status["worst"]["detail"], json!(doctor[0].1));
    let errors = world.counters.findings.errors.value() + world.counters.findings.warnings.value();
    assert_eq!(errors, doctor.len() as u64);
    let fine = report(2, "Porch", MonitorState::Idle);
    world.reports.send_modify(|reports| {
        Arc::make_mut(reports).insert(MonitorId(2), fine);
    });
    let status = world.ask(r#"{"type":"status"}"#).await["ok"].clone();
    assert_eq!(status["worst"]["step"], "daemon", "the monitor is well again: {status}");
}
