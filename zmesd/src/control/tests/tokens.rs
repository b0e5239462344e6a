//! Tokens and badges: listing, changing, restoring from files.

use jiff::Timestamp;
use serde_json::{Value, json};
use zmes_providers::Platform;

use super::world::World;
use crate::domain::{DeliveryId, MonitorFilter, TokenId};
use crate::ports::{Clock, SystemClock};
use crate::state::{Attempt, Note, Outcome};

/// SHA-256: ba7816bf…
const ABC: &str = "abc";
/// SHA-256: 9b…; its end is known.
const LONG: &str = "cXyz:APA91bHPRgkFLJu6sg";

/// Amy has an iPhone (`abc`), Bob an Android with a filter.
async fn two_phones() -> World {
    let world = World::start().await;
    for (id, user) in [(1, "amy"), (2, "bob")] {
        let app = world.app(id, "192.0.2.1:1000", Some(user)).await;
        // Its session may go: tokens stay.
        drop(app);
    }
    world.token(1, ABC, Platform::Ios, MonitorFilter::All).await;
    world.token(2, LONG, Platform::Android, MonitorFilter::parse("1,2", "0,60").unwrap()).await;
    world
}

async fn ok(world: &World, request: &str) -> Value {
    let answer = world.ask(request).await;
    assert!(answer.get("ok").is_some(), "{request}: {answer}");
    answer["ok"].clone()
}

async fn error(world: &World, request: &str) -> Value {
    world.ask(request).await["error"].clone()
}

async fn handles(world: &World, request: &str) -> Vec<String> {
    let tokens = ok(world, request).await["tokens"].as_array().unwrap().clone();
    tokens.iter().map(|token| token["handle"].as_str().unwrap().to_owned()).collect()
}

fn handle(secret: &str) -> String {
    zmes_providers::PushToken::parse(secret).unwrap().handle().to_string()
}

#[tokio::test]
async fn tokens_are_listed_as_the_pinned_json() {
    let world = two_phones().await;
    let list = ok(&world, r#"{"type":"tokens_list"}"#).await;
    let [first, second] = list["tokens"].as_array().unwrap().as_slice() else { panic!("{list}") };
    let seen = first["last_seen_at"].as_str().unwrap();
    assert!(seen.parse::<Timestamp>().is_ok());
    let expected = json!({"handle": "ba7816bf", "platform": "ios", "state": "enabled", "user": "amy",
        "app": "zmninja", "app_version": "1.8.001", "monitors": null, "intervals": null, "badge": 0,
        "created_at": first["created_at"], "last_seen_at": seen, "last_delivered_at": null,
        "last_error": null, "failures": 0});
    assert_eq!(first, &expected);
    assert_eq!((&second["monitors"], &second["intervals"]), (&json!([1, 2]), &json!([0, 60_000])));
    assert!(list.get("next").is_none(), "{list}");
}

#[tokio::test]
async fn a_token_is_shown_whole_only_where_it_is_to_be_revealed() {
    let world = two_phones().await;
    for request in [
        r#"{"type":"tokens_list"}"#.to_owned(),
        r#"{"type":"tokens_show","token":"RgkFLJu6sg"}"#.to_owned(),
        format!(r#"{{"type":"tokens_log","token":"{LONG}"}}"#),
        format!(r#"{{"type":"tokens_show","token":"{LONG}x"}}"#),
    ] {
        let answer = world.ask(&request).await.to_string();
        assert!(!answer.contains(LONG), "{answer}");
    }
    let list = ok(&world, r#"{"type":"tokens_list","reveal":true}"#).await;
    assert_eq!((&list["tokens"][0]["token"], &list["tokens"][1]["token"]), (&json!(ABC), &json!(LONG)));
    let shown = ok(&world, r#"{"type":"tokens_show","token":"RgkFLJu6sg","reveal":true}"#).await;
    assert_eq!(
        (&shown["token"], &shown["user"], &shown["recent"]),
        (&json!(LONG), &json!("bob"), &json!([]))
    );
}

#[tokio::test]
async fn lists_can_be_narrowed() {
    let world = two_phones().await;
    let (amys, bobs) = (handle(ABC), handle(LONG));
    ok(&world, &format!(r#"{{"type":"tokens_mute","tokens":["{bobs}"]}}"#)).await;
    for (request, expected) in [
        (r#"{"type":"tokens_list","platform":"ios"}"#, vec![&amys]),
        (r#"{"type":"tokens_list","user":"b*"}"#, vec![&bobs]),
        (r#"{"type":"tokens_list","user":"b"}"#, vec![]),
        (r#"{"type":"tokens_list","state":"enabled"}"#, vec![&amys]),
        (r#"{"type":"tokens_list","state":"muted"}"#, vec![&bobs]),
        (r#"{"type":"tokens_list","state":"revoked"}"#, vec![]),
        (r#"{"type":"tokens_list","failing":true}"#, vec![]),
        (r#"{"type":"tokens_list","stale_ms":0}"#, vec![&amys, &bobs]),
        (r#"{"type":"tokens_list","stale_ms":60000}"#, vec![]),
        (r#"{"type":"tokens_list","after":1}"#, vec![&bobs]),
    ] {
        assert_eq!(handles(&world, request).await.iter().collect::<Vec<_>>(), expected, "{request}");
    }
    let error = error(&world, r#"{"type":"tokens_list","state":"asleep"}"#).await;
    assert_eq!(error["code"], "unsupported");
}

#[tokio::test]
async fn revoking_tells_each_failure_and_can_be_undone() {
    let world = two_phones().await;
    let request = r#"{"type":"tokens_revoke","tokens":["ba7816bf","ffff"],"dry_run":true}"#;
    let dry = ok(&world, request).await;
    assert_eq!(
        (&dry["count"], &dry["dry_run"], &dry["change"]),
        (&json!(1), &json!(true), &json!("revoked"))
    );
    assert_eq!(handles(&world, r#"{"type":"tokens_list"}"#).await.len(), 2, "nothing was changed");

    let done = ok(&world, r#"{"type":"tokens_revoke","tokens":["ba7816bf","ffff"]}"#).await;
    assert_eq!((&done["count"], &done["tokens"][0]["state"]), (&json!(1), &json!("revoked")));
    assert_eq!(done["tokens"][0]["revoked_reason"], "admin");
    let failure = &done["failed"][0];
    assert_eq!((&failure["token"], &failure["code"]), (&json!("ffff"), &json!("not_found")));
    assert_eq!(failure["hint"], format!("there are: ba7816bf, {}", handle(LONG)));
    assert_eq!(handles(&world, r#"{"type":"tokens_list"}"#).await, [handle(LONG)]);
    assert_eq!(handles(&world, r#"{"type":"tokens_list","state":"revoked"}"#).await, ["ba7816bf"]);

    let again = ok(&world, r#"{"type":"tokens_revoke","tokens":["ba7816bf"]}"#).await;
    assert_eq!((&again["count"], &again["failed"][0]["code"]), (&json!(0), &json!("conflict")));
    let muted = ok(&world, r#"{"type":"tokens_mute","tokens":["ba7816bf"]}"#).await;
    assert_eq!(muted["failed"][0]["hint"], "zmesctl tokens restore ba7816bf brings it back");

    let restored = ok(&world, r#"{"type":"tokens_restore","token":"ba7816bf"}"#).await;
    assert_eq!(
        (&restored["change"], &restored["tokens"][0]["state"]),
        (&json!("restored"), &json!("enabled"))
    );
    let error = error(&world, r#"{"type":"tokens_restore","token":"ba7816bf"}"#).await;
    assert_eq!(
        (&error["code"], &error["message"]),
        (&json!("conflict"), &json!("token ba7816bf is not revoked"))
    );
}

#[tokio::test]
async fn a_token_that_is_not_there_is_not_found() {
    let world = World::start().await;
    for request in [
        r#"{"type":"tokens_show","token":"ffff"}"#,
        r#"{"type":"tokens_log","token":"ffff"}"#,
        r#"{"type":"tokens_restore","token":"ffff"}"#,
        r#"{"type":"alarm_test","token":"ffff"}"#,
        r#"{"type":"why","event":1,"token":"ffff"}"#,
    ] {
        let error = error(&world, request).await;
        assert_eq!(
            (&error["code"], &error["message"]),
            (&json!("not_found"), &json!("no token is called ffff"))
        );
        assert!(error["hint"].is_string(), "{request}: {error}");
    }
    for request in [
        r#"{"type":"tokens_mute","tokens":["ffff"]}"#,
        r#"{"type":"tokens_unmute","tokens":["ffff"]}"#,
        r#"{"type":"badges_reset","tokens":["ffff"]}"#,
    ] {
        let failure = ok(&world, request).await["failed"][0].clone();
        assert_eq!(
            (&failure["code"], &failure["message"]),
            (&json!("not_found"), &json!("no token is called ffff"))
        );
    }
    let error = error(&world, r#"{"type":"tokens_revoke","tokens":[]}"#).await;
    assert_eq!(error["code"], "bad_request");
}

#[tokio::test]
async fn a_token_is_muted_for_a_while_or_until_it_is_unmuted() {
    let world = two_phones().await;
    let before = SystemClock.now();
    let muted =
        ok(&world, r#"{"type":"tokens_mute","tokens":["ba78"],"for_ms":3600000}"#).await["tokens"][0].clone();
    let until: Timestamp = muted["mute_until"].as_str().unwrap().parse().unwrap();
    assert_eq!(muted["state"], "muted");
    assert!((3590..3700).contains(&until.duration_since(before).as_secs()), "{muted}");
    let forever = ok(&world, r#"{"type":"tokens_mute","tokens":["ba78"]}"#).await["tokens"][0].clone();
    assert_eq!((&forever["state"], forever.get("mute_until")), (&json!("muted"), None));
    let unmuted = ok(&world, r#"{"type":"tokens_unmute","tokens":["ba78"]}"#).await;
    assert_eq!((&unmuted["change"], &unmuted["tokens"][0]["state"]), (&json!("unmuted"), &json!("enabled")));
}

#[tokio::test]
async fn tokens_that_were_not_heard_of_are_pruned() {
    let world = two_phones().await;
    let none = ok(&world, r#"{"type":"tokens_prune","stale_ms":60000}"#).await;
    assert_eq!((&none["count"], &none["tokens"]), (&json!(0), &json!([])));
    let dry = ok(&world, r#"{"type":"tokens_prune","stale_ms":0,"dry_run":true}"#).await;
    assert_eq!((&dry["count"], &dry["tokens"][0]["state"]), (&json!(2), &json!("enabled")));
    let done = ok(&world, r#"{"type":"tokens_prune","stale_ms":0}"#).await;
    assert_eq!((&done["count"], &done["tokens"][1]["revoked_reason"]), (&json!(2), &json!("prune")));
    let status = ok(&world, r#"{"type":"status"}"#).await;
    assert_eq!(status["tokens"], json!({"total": 0, "enabled": 0}));
}

#[tokio::test]
async fn badges_are_set_for_some_or_for_all() {
    let world = two_phones().await;
    let one = ok(&world, r#"{"type":"badges_reset","tokens":["ba78"],"to":5}"#).await;
    assert_eq!((&one["change"], &one["tokens"][0]["badge"]), (&json!("badge_reset"), &json!(5)));
    let dry = ok(&world, r#"{"type":"badges_reset","tokens":{},"dry_run":true}"#).await;
    assert_eq!((&dry["count"], &dry["tokens"][0]["badge"]), (&json!(2), &json!(5)));
    let all = ok(&world, r#"{"type":"badges_reset","tokens":{}}"#).await;
    assert_eq!((&all["count"], &all["tokens"][0]["badge"]), (&json!(2), &json!(0)));
    for wrong in [r#"{"type":"badges_reset"}"#, r#"{"type":"badges_reset","tokens":[]}"#] {
        assert_eq!(error(&world, wrong).await["code"], "bad_request");
    }
}

#[tokio::test]
async fn a_file_is_taken_once_and_what_apps_registered_stays() {
    let world = two_phones().await;
    let tokens = r#"[{"token":"new","monlist":"1","intlist":"60","platform":"ios","pushstate":"disabled"},
        {"token":"abc","platform":"android"},
        {"token":"bad","monlist":"x","platform":"ios"},
        {"token":"worse","platform":"windows"},
        {"token":"a b","platform":"ios"}]"#;
    let tokens = tokens.replace('\n', "");
    let outcomes = |answer: &Value| -> Vec<String> {
        let rows = answer["tokens"].as_array().unwrap();
        rows.iter().map(|row| row["outcome"].as_str().unwrap().to_owned()).collect()
    };
    let dry = ok(&world, &format!(r#"{{"type":"tokens_import","tokens":{tokens},"dry_run":true}}"#)).await;
    assert_eq!(outcomes(&dry), ["added", "unchanged", "refused", "refused", "refused"]);
    assert_eq!(handles(&world, r#"{"type":"tokens_list"}"#).await.len(), 2, "nothing was changed");
    let first = ok(&world, &format!(r#"{{"type":"tokens_import","tokens":{tokens}}}"#)).await;
    assert_eq!(outcomes(&first), outcomes(&dry));
    assert_eq!(first["tokens"][0], json!({"handle": handle("new"), "outcome": "added"}));
    assert_eq!(first["tokens"][2]["reason"], "monlist: `x` is not a monitor id");
    let again = ok(&world, &format!(r#"{{"type":"tokens_import","tokens":{tokens}}}"#)).await;
    assert_eq!(outcomes(&again), ["unchanged", "unchanged", "refused", "refused", "refused"]);

    let shown = ok(&world, &format!(r#"{{"type":"tokens_show","token":"{}"}}"#, handle("new"))).await;
    assert_eq!(
        (&shown["user"], &shown["state"], &shown["platform"]),
        (&json!(""), &json!("disabled"), &json!("ios"))
    );
    assert_eq!((&shown["monitors"], &shown["intervals"]), (&json!([1]), &json!([60_000])));
    let shown = ok(&world, r#"{"type":"tokens_show","token":"ba78"}"#).await;
    assert_eq!(
        (&shown["user"], &shown["platform"]),
        (&json!("amy"), &json!("ios")),
        "its app has registered it"
    );
}

#[tokio::test]
async fn the_owner_of_imported_tokens_must_be_a_user() {
    let world = World::start().await;
    let request = r#"{"type":"tokens_import","user":"nobody","tokens":[{"token":"new","platform":"ios"}]}"#;
    let error = error(&world, request).await;
    assert_eq!(
        (&error["code"], &error["message"]),
        (&json!("not_found"), &json!("ZoneMinder has no user nobody"))
    );
}

#[tokio::test]
async fn an_export_is_what_an_import_takes() {
    let world = two_phones().await;
    let exported = ok(&world, r#"{"type":"tokens_export"}"#).await;
    let expected = json!({"token": LONG, "monlist": "1,2", "intlist": "0,60", "platform": "android",
        "pushstate": "enabled", "appversion": "1.8.001", "profile": ""});
    assert_eq!(exported["tokens"][1], expected);
    assert!(exported.get("next").is_none());
    ok(&world, r#"{"type":"tokens_revoke","tokens":["ba78"]}"#).await;
    let exported = ok(&world, r#"{"type":"tokens_export"}"#).await;
    assert_eq!(exported["tokens"], json!([expected]), "what is revoked is not exported");
    let other = World::start().await;
    let request = format!(r#"{{"type":"tokens_import","tokens":{}}}"#, exported["tokens"]);
    assert_eq!(ok(&other, &request).await["tokens"][0]["outcome"], "added");
    assert_eq!(ok(&other, r#"{"type":"tokens_export"}"#).await, exported);
}

#[tokio::test]
async fn the_log_of_a_token_tells_the_story() {
    let world = two_phones().await;
    world.alarm(1, 100).await;
    world.router.ping().await.unwrap();
    let log = ok(&world, r#"{"type":"tokens_log","token":"ba78"}"#).await;
    let delivery = &log["deliveries"][0];
    assert_eq!((&delivery["decision"], &delivery["event_id"]), (&json!("queued"), &json!(100)));
    let attempt = |attempts, outcome| {
        let (delivery, token, took) = (DeliveryId(1), TokenId(1), std::time::Duration::from_millis(7));
        let at = Timestamp::from_second(1_900_000_000 + i64::from(attempts)).unwrap();
        Note::Attempts(vec![Attempt {
            delivery,
            token,
            at,
            transport: "proxy".into(),
            attempts,
            took,
            outcome,
        }])
    };
    assert!(world.state.note(attempt(1, Outcome::Retry("503: later".to_owned()))));
    let failing = ok(&world, r#"{"type":"tokens_list","failing":true}"#).await["tokens"][0].clone();
    assert_eq!((&failing["failures"], &failing["last_error"]), (&json!(1), &json!("503: later")));
    let latency = std::time::Duration::from_millis(112);
    let sent = Outcome::Sent { provider_id: Some("m-1".to_owned()), latency, digest: false, remember: false };
    assert!(world.state.note(attempt(2, sent)));
    let shown = ok(&world, r#"{"type":"tokens_show","token":"ba78"}"#).await;
    assert_eq!(
        (&shown["failures"], &shown["last_delivered_at"]),
        (&json!(0), &json!("2030-03-17T17:46:42Z"))
    );
    let expected = json!({"at": delivery["at"], "event_id": 100, "monitor_id": 1, "monitor": "Garage",
        "origin": "poll", "decision": "sent", "reason": "", "transport": "proxy", "attempts": 2,
        "latency_ms": 112, "provider_id": "m-1",
        "failures": [{"at": "2030-03-17T17:46:41Z", "transport": "proxy", "answer": "503: later", "took_ms": 7}]});
    assert_eq!(shown["recent"], json!([expected]));
}

#[tokio::test]
async fn blocking_is_told_apart_from_revoking() {
    let world = two_phones().await;
    let dry = ok(&world, r#"{"type":"tokens_block","tokens":["ba7816bf"],"dry_run":true}"#).await;
    assert_eq!(
        (&dry["change"], &dry["count"], &dry["tokens"][0]["state"]),
        (&json!("blocked"), &json!(1), &json!("enabled"))
    );
    ok(&world, r#"{"type":"tokens_revoke","tokens":["ba7816bf"]}"#).await;
    let done = ok(&world, r#"{"type":"tokens_block","tokens":["ba7816bf","ffff"]}"#).await;
    assert_eq!(
        (&done["count"], &done["tokens"][0]["state"]),
        (&json!(1), &json!("blocked")),
        "revoked ones, too"
    );
    assert_eq!(done["failed"][0]["code"], "not_found");
    let again = ok(&world, r#"{"type":"tokens_block","tokens":["ba7816bf"]}"#).await;
    assert_eq!(again["failed"][0]["message"], "token ba7816bf is blocked");
    let restored = error(&world, r#"{"type":"tokens_restore","token":"ba7816bf"}"#).await;
    assert_eq!(restored["hint"], "zmesctl tokens unblock ba7816bf lets its app register it again");
    assert_eq!(handles(&world, r#"{"type":"tokens_list"}"#).await, [handle(LONG)]);
    assert_eq!(handles(&world, r#"{"type":"tokens_list","state":"blocked"}"#).await, ["ba7816bf"]);
    assert!(handles(&world, r#"{"type":"tokens_list","state":"revoked"}"#).await.is_empty());
    let record = r#"{"token":"abc","platform":"ios"}"#;
    let import = ok(&world, &format!(r#"{{"type":"tokens_import","tokens":[{record}]}}"#)).await;
    assert_eq!(import["tokens"][0]["reason"], "it is blocked: tokens unblock lets it be used again");
    let selected = ok(&world, r#"{"type":"tokens_unblock","tokens":{"user":"a*"}}"#).await;
    assert_eq!((&selected["count"], &selected["tokens"][0]["state"]), (&json!(1), &json!("revoked")));
    let none = ok(&world, r#"{"type":"tokens_unblock","tokens":["ba7816bf"]}"#).await;
    assert_eq!(none["failed"][0]["message"], "token ba7816bf is not blocked");
    ok(&world, r#"{"type":"tokens_restore","token":"ba7816bf"}"#).await;
    assert_eq!(handles(&world, r#"{"type":"tokens_list"}"#).await.len(), 2);
}

/// Prints how long the runtime's only thread was blocked by the largest request that an admin may send.
#[tokio::test]
async fn a_thousand_names_among_twenty_thousand_tokens_are_answered_and_more_are_refused() {
    let world = two_phones().await;
    let now = SystemClock.now();
    let token = |id: i64| {
        let secret = zmes_providers::PushToken::parse(&format!("token-number-{id:08}-tail")).unwrap();
        std::sync::Arc::new(crate::domain::Token::new(TokenId(id), secret, Platform::Android, now))
    };
    assert!(world.state.note(Note::Tokens((100..20_100).map(token).collect())));
    while !world.state.settle().await {}
    let names = |count: usize| {
        let names: Vec<_> = (0..count).map(|number| format!("no-such-{number:02}")).collect();
        json!({"type": "tokens_revoke", "tokens": names, "dry_run": true}).to_string()
    };
    let mut longest = std::time::Duration::ZERO;
    let beat = async {
        let mut last = tokio::time::Instant::now();
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            longest = longest.max(last.elapsed());
            last = tokio::time::Instant::now();
        }
    };
    let asked = async {
        let unknown = ok(&world, &names(1000)).await;
        assert_eq!((&unknown["count"], unknown["failed"].as_array().unwrap().len()), (&json!(0), 1000));
        let refused = error(&world, &names(1001)).await;
        assert_eq!(refused["code"], "too_large", "{refused}");
        let tail = ok(&world, r#"{"type":"tokens_show","token":"20099-tail"}"#).await;
        assert_eq!(tail["handle"], token(20_099).handle.to_string());
        let all = ok(&world, r#"{"type":"tokens_revoke","tokens":{},"dry_run":true}"#).await;
        assert_eq!(all["count"], 20_002);
    };
    tokio::select! {
        () = beat => {}
        () = asked => {}
    }
    println!("the thread was held for at most {longest:?}");
}
