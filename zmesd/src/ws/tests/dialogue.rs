//! Dialogues of real apps over real TLS.

use std::time::Duration;

use serde_json::json;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::{Bytes, Message, Utf8Bytes};
use zmes_shared::SessionId;

use super::app::{AUTH, App, VERSION};
use super::settings;
use super::world::{Heard, PATIENCE, WsWorld};
use crate::domain::MonitorFilter;
use crate::route::{CloseReason, Outgoing, WriteReport};
use crate::ws::ServerSettings;

fn amy(filter: Option<MonitorFilter>) -> Heard {
    Heard::Attached { user: "amy".to_owned(), app: None, filter }
}

#[tokio::test]
async fn pipelined_auth_and_filter_are_handled_in_order() {
    let mut world = WsWorld::secure(settings());
    let mut app = App::connect(&world).await;
    app.say(AUTH).await;
    app.say(r#"{"event":"push","data":{"type":"token","platform":"ios","token":"T","state":"enabled"}}"#)
        .await;
    app.say(r#"{"event":"control","data":{"type":"filter","monlist":"1,2","intlist":"0,30"}}"#).await;
    app.say(VERSION).await;
    assert_eq!(
        app.json().await,
        json!({"event": "auth", "type": "", "version": "7.0.0", "status": "Success", "reason": "", "server": "zmesd/0.2.0"})
    );
    assert_eq!(
        app.json().await,
        json!({"event": "push", "type": "", "status": "Fail", "reason": "PUSHDISABLED"})
    );
    assert_eq!(app.json().await["type:"], "version");
    assert_eq!(world.heard().await, Heard::Opened("127.0.0.1".to_owned()));
    assert_eq!(world.heard().await, amy(None));
    assert_eq!(world.heard().await, Heard::Filter(MonitorFilter::parse("1,2", "0,30").unwrap()));
}

#[tokio::test]
async fn pipelined_auth_and_token_register_without_a_word() {
    let mut world = WsWorld::secure(ServerSettings { push: true, ..settings() });
    let mut app = App::connect(&world).await;
    let token = |token: &str| {
        format!(
            r#"{{"event":"push","data":{{"type":"token","platform":"ios","token":"{token}","state":"enabled"}},"token":"{token}"}}"#
        )
    };
    app.say(AUTH).await;
    app.say(r#"{"event":"push","data":{"type":"badge","badge":3}}"#).await;
    app.say(&token("T")).await;
    app.say(&token("one-too-many")).await;
    app.say(r#"{"event":"push","data":{"type":"badge","badge":"0"},"token":"T"}"#).await;
    app.say(VERSION).await;
    assert_eq!(app.json().await["status"], "Success");
    assert_eq!(
        app.json().await,
        json!({"event": "push", "type": "token", "status": "Fail", "reason": "TOOMANYTOKENS"})
    );
    assert_eq!(app.json().await["type:"], "version");
    assert_eq!(world.heard().await, Heard::Opened("127.0.0.1".to_owned()));
    assert_eq!(world.heard().await, amy(None));
    assert_eq!(world.heard().await, Heard::Badge(3, None));
    assert_eq!(world.heard().await, Heard::Registered("T".to_owned()));
    assert_eq!(world.heard().await, Heard::Registered("one-too-many".to_owned()));
    assert_eq!(world.heard().await, Heard::Badge(0, Some("T".to_owned())));
}

#[tokio::test]
async fn what_follows_auth_waits_for_its_verdict() {
    let world = WsWorld::secure(settings());
    let mut app = App::connect(&world).await;
    app.say(r#"{"event":"auth","data":{"user":"slow","password":"secret"}}"#).await;
    app.say(r#"{"event":"control","data":{"type":"filter","intlist":"0"}}"#).await;
    world.login.release.notify_one();
    assert_eq!(app.json().await["status"], "Success");
    assert_eq!(app.reason().await, "NOMONITORLIST", "and not NOTAUTHORIZED");
}

#[tokio::test]
async fn wrong_credentials_are_badauth_and_close_1008() {
    let mut world = WsWorld::secure(settings());
    for auth in [
        r#"{"event":"auth","data":{"user":"amy","password":"wrong"}}"#,
        r#"{"event":"auth","data":{"user":"","password":""}}"#,
        r#"{"event":"auth","data":{}}"#,
    ] {
        let mut app = App::connect(&world).await;
        app.say(auth).await;
        let badauth = json!({"event": "auth", "type": "", "status": "Fail", "reason": "BADAUTH"});
        assert_eq!(app.json().await, badauth, "{auth}");
        assert_eq!(app.closed().await.0, 1008, "{auth}");
        assert_eq!(world.end_of_session().await, "bad authentication");
    }
}

#[tokio::test]
async fn no_credentials_in_time_are_noauth_and_close_1008() {
    let world = WsWorld::secure(ServerSettings { auth_timeout: Duration::from_millis(50), ..settings() });
    let mut app = App::connect(&world).await;
    assert_eq!(app.json().await, json!({"event": "auth", "type": "", "status": "Fail", "reason": "NOAUTH"}));
    assert_eq!(app.closed().await.0, 1008);
}

#[tokio::test]
async fn a_database_that_is_away_is_close_1013_without_badauth() {
    let world = WsWorld::secure(settings());
    let mut app = App::connect(&world).await;
    app.say(r#"{"event":"auth","data":{"user":"down","password":"secret"}}"#).await;
    assert_eq!(app.closed().await, (1013, "login not possible now".to_owned()));
}

#[tokio::test]
async fn auth_again_is_attached_and_answered_again() {
    let mut world = WsWorld::secure(settings());
    let mut app = App::logged_in(&world).await;
    app.say(r#"{"event":"auth","data":{"user":"amy","password":"secret","monlist":"3","intlist":"0"}}"#)
        .await;
    assert_eq!(app.json().await["status"], "Success");
    world.heard().await;
    assert_eq!(world.heard().await, amy(None));
    assert_eq!(world.heard().await, amy(Some(MonitorFilter::parse("3", "0").unwrap())));
}

#[tokio::test]
async fn a_replay_comes_oldest_first_and_ends_with_its_count() {
    let world = WsWorld::secure(settings());
    let mut app = App::connect(&world).await;
    app.say(r#"{"event":"auth","data":{"user":"amy","password":"secret","since":"6","monlist":"2"}}"#).await;
    assert_eq!(app.json().await["event"], "auth");
    let alarm = app.json().await;
    assert_eq!((&alarm["replayed"], &alarm["events"][0]["EventId"]), (&json!("true"), &json!("8")));
    let done =
        json!({"event": "control", "type": "replay", "status": "Success", "count": "1", "gap": "false"});
    assert_eq!(app.json().await, done);
    app.say(r#"{"event":"control","data":{"type":"filter","monlist":"","intlist":""}}"#).await;
    app.say(r#"{"event":"control","data":{"type":"replay","since":"2026-11-01T12:00:00Z"}}"#).await;
    assert_eq!(app.json().await["events"][0]["EventId"], "7");
    assert_eq!(app.json().await["events"][0]["EventId"], "8");
    assert_eq!(app.json().await["count"], "2");
}

#[tokio::test]
async fn intervals_are_kept_by_minus_one() {
    let mut world = WsWorld::secure(settings());
    let mut app = App::logged_in(&world).await;
    app.say(r#"{"event":"control","data":{"type":"filter","monlist":"1,2","intlist":"60,30"}}"#).await;
    app.say(r#"{"event":"control","data":{"type":"filter","monlist":"2,3","intlist":"-1"}}"#).await;
    app.say(r#"{"event":"control","data":{"type":"filter","monlist":"-1","intlist":"-1"}}"#).await;
    app.say(r#"{"event":"control","data":{"type":"filter","monlist":"4","intlist":"0"}}"#).await;
    for _ in 0..3 {
        world.heard().await;
    }
    assert_eq!(world.heard().await, Heard::Filter(MonitorFilter::parse("2,3", "30,0").unwrap()));
    assert_eq!(world.heard().await, Heard::Filter(MonitorFilter::parse("4", "0").unwrap()));
}

#[tokio::test]
async fn frames_of_the_router_reach_the_app_and_are_reported() {
    let mut world = WsWorld::secure(settings());
    let mut app = App::logged_in(&world).await;
    let (reports, mut reported) = mpsc::channel(4);
    assert!(world.send(1, Outgoing::Frame(Utf8Bytes::from_static(r#"{"n":1}"#))));
    let tracked = |text: &'static str| Outgoing::Tracked(Box::new((text.into(), reports.clone())));
    assert!(world.send(1, tracked(r#"{"n":2}"#)));
    assert_eq!((app.json().await, app.json().await), (json!({"n": 1}), json!({"n": 2})));
    assert_eq!(reported.recv().await, Some(WriteReport { session: SessionId(1), written: true }));

    let kicked = world.take(1);
    kicked.kick.send(CloseReason::Disconnected).unwrap();
    assert_eq!(app.closed().await.0, 1008);
    assert_eq!(world.end_of_session().await, "disconnected by an admin");
    kicked.outbox.try_send(tracked("late")).unwrap_err();
}

#[tokio::test]
async fn a_reader_that_does_not_read_is_kicked_in_the_middle_of_a_write() {
    let mut world = WsWorld::secure(settings());
    let mut app = App::logged_in(&world).await;
    let (reports, mut reported) = mpsc::channel(1024);
    let big: Utf8Bytes = "x".repeat(200_000).into();
    while world.send(1, Outgoing::Tracked(Box::new((big.clone(), reports.clone())))) {
        tokio::task::yield_now().await;
    }
    let session = world.take(1);
    session.kick.send(CloseReason::Slow).unwrap();
    assert_eq!(world.end_of_session().await, "does not read");
    assert_eq!(world.counters.slow_sessions.value(), 1);
    drop(reports);
    let mut unwritten = 0;
    while let Some(report) = reported.recv().await {
        unwritten += usize::from(!report.written);
    }
    assert!(unwritten >= 64, "{unwritten} of the frames that never left are reported");
    while let Some(Ok(_)) = app.next().await {}
}

#[tokio::test]
async fn the_other_reasons_have_their_codes() {
    let mut world = WsWorld::secure(settings());
    let mut revoked = App::logged_in(&world).await;
    world.take(1).kick.send(CloseReason::UserRevoked).unwrap();
    assert_eq!(revoked.closed().await.0, 1008);
    let mut bystander = App::logged_in(&world).await;
    let mut anonymous = App::connect(&world).await;
    assert_eq!(world.end_of_session().await, "the user's access has changed");
    world.stop.cancel();
    world.tracker.close();
    assert_eq!(bystander.closed().await, (1001, "server is stopping".to_owned()));
    assert_eq!(anonymous.closed().await.0, 1001);
    assert!(bystander.next().await.is_none() && anonymous.next().await.is_none());
    tokio::time::timeout(PATIENCE, world.tracker.wait()).await.expect("all tasks end");
    assert_eq!(world.context.limits.taken(), 0);
}

#[tokio::test]
async fn frames_before_a_close_are_looked_at() {
    let mut world = WsWorld::secure(settings());
    let mut app = App::connect(&world).await;
    app.say(r#"{"event":"auth","data":{"user":"slow","password":"secret"}}"#).await;
    app.say(r#"{"event":"control","data":{"type":"filter","monlist":"5","intlist":"0"}}"#).await;
    app.websocket.close(None).await.unwrap();
    world.login.release.notify_one();
    world.heard().await;
    assert!(matches!(world.heard().await, Heard::Attached { .. }));
    assert_eq!(world.heard().await, Heard::Filter(MonitorFilter::parse("5", "0").unwrap()));
    assert_eq!(world.heard().await, Heard::Closed("closed by the app"));
}

#[tokio::test]
async fn pings_are_answered() {
    use futures_util::SinkExt;
    let world = WsWorld::secure(settings());
    let mut app = App::connect(&world).await;
    app.websocket.send(Message::Ping(Bytes::from_static(b"hello"))).await.unwrap();
    assert_eq!(app.next().await.unwrap().unwrap(), Message::Pong(Bytes::from_static(b"hello")));
}

#[tokio::test]
async fn settings_that_change_hold_for_new_connections() {
    let world = WsWorld::secure(settings());
    let mut old = App::connect(&world).await;
    let mut changed = settings();
    changed.identity = std::sync::Arc::new(crate::protocol::ServerIdentity {
        version: "8.0".to_owned(),
        server: "zmesd/0.2.0".to_owned(),
    });
    world.context.reconfigure(changed);
    let mut new = App::connect(&world).await;
    for (app, version) in [(&mut old, "7.0.0"), (&mut new, "8.0")] {
        app.say(VERSION).await;
        assert_eq!(app.json().await["version"], version);
    }
}
