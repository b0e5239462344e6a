//! What the apps send and expect, message by message: filters, order, replay, push while there is none.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use zmes_tests::{AppClient, EventRow, Incoming, World, epoch_seconds};

fn pushdisabled() -> Value {
    json!({"event": "push", "type": "", "status": "Fail", "reason": "PUSHDISABLED"})
}

fn badjson() -> Value {
    json!({"event": "malformed", "type": "", "status": "Fail", "reason": "BADJSON"})
}

async fn two_cameras() -> Result<World> {
    World::new().monitor(1, "Front").monitor(2, "Yard").start().await
}

#[tokio::test]
async fn a_filter_without_a_list_is_told_which_one() -> Result<()> {
    let world = two_cameras().await?;
    let mut app = world.admin().await?;
    let filter = |data: Value| json!({"event": "control", "data": data});
    let missing =
        |reason: &str| json!({"event": "control", "type": "filter", "status": "Fail", "reason": reason});
    app.send(&filter(json!({"type": "filter", "intlist": "0"}))).await?;
    app.expect(&missing("NOMONITORLIST")).await?;
    app.send(&filter(json!({"type": "filter", "monlist": "1"}))).await?;
    app.expect(&missing("NOINTERVALLIST")).await?;
    // "0" is a list, and so is "": only an absent key is missing. Success is silent.
    app.send(&filter(json!({"type": "filter", "monlist": "", "intlist": ""}))).await?;
    app.send(&filter(json!({"type": "filter", "monlist": "2", "intlist": "0"}))).await?;
    app.sync().await?;
    world.alarm(1, 5).await?;
    world.alarm(2, 6).await?;
    app.expect_alarm(6, 2).await?;
    Ok(())
}

#[tokio::test]
async fn filters_may_be_numbers_and_arrays() -> Result<()> {
    let world = two_cameras().await?;
    let mut app = world.admin().await?;
    let mut witness = world.admin().await?;
    for (round, (monitors, intervals)) in
        [(json!(2), json!(0)), (json!([2]), json!([0])), (json!(["2", 9]), json!(["0", 0]))]
            .into_iter()
            .enumerate()
    {
        app.filter("", "").await?;
        app.send(&json!({"event": "control", "data": {"type": "filter", "monlist": monitors, "intlist": intervals}}))
            .await?;
        app.sync().await?;
        let event = 10 + 2 * round as u64;
        world.alarm(1, event).await?;
        witness.expect_alarm(event, 1).await?;
        world.alarm(2, event + 1).await?;
        witness.expect_alarm(event + 1, 2).await?;
        app.expect_alarm(event + 1, 2).await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_is_not_understood_is_answered_and_harms_nothing() -> Result<()> {
    let world = two_cameras().await?;
    let mut app = world.admin().await?;
    for text in [
        "hello",
        "",
        "[1,2]",
        "\"x\"",
        "null",
        "5",
        "{",
        "{}",
        r#"{"data":{}}"#,
        r#"{"event":5}"#,
        r#"{"event":null,"data":{}}"#,
        r#"{"event":"control","data":"x"}"#,
        r#"{"event":"control","data":[1]}"#,
        r#"{"event":"auth","data":{"user":["a"],"password":{}}}"#,
        r#"{"event":"control"}"#,
    ] {
        app.send_text(text).await?;
        let answer = app.next_json().await?;
        ensure!(answer["status"] == "Fail" && answer == badjson(), "{text} was answered {answer}");
    }
    app.send(&json!({"event": "nosuch", "data": {}})).await?;
    app.expect(&json!({"event": "nosuch", "type": "", "status": "Fail", "reason": "NOTSUPPORTED"})).await?;
    app.sync().await?;
    world.alarm(1, 5).await?;
    app.expect_alarm(5, 1).await?;
    Ok(())
}

#[tokio::test]
async fn a_message_over_64_kib_is_closed_with_1009() -> Result<()> {
    let world = two_cameras().await?;
    let padded = |length: usize| {
        let frame = r#"{"event":"control","data":{"type":"version"},"x":""}"#;
        frame.replace("\"\"}", &format!("\"{}\"}}", "x".repeat(length - frame.len())))
    };
    let mut app = world.admin().await?;
    app.send_text(&padded(64 * 1024)).await?;
    app.expect(&json!({"event": "control", "type": "version"})).await?;
    app.send_text(&padded(64 * 1024 + 1)).await?;
    app.expect_close(1009).await
}

#[tokio::test]
async fn zmninja_1_2_pipelines_auth_token_and_filter() -> Result<()> {
    let world = two_cameras().await?;
    let mut app = world.app().await?;
    for text in [
        r#"{"event":"auth","data":{"user":"admin","password":"adminpass"}}"#,
        r#"{"event":"push","data":{"type":"token","platform":"ios","token":"T","monlist":"1,2","intlist":"0,0","state":"enabled"}}"#,
        r#"{"event":"control","data":{"type":"filter","monlist":"2","intlist":"0"}}"#,
        r#"{"event":"push","data":{"type":"token","platform":"ios","token":"T","state":"enabled"}}"#,
        r#"{"event":"push","data":{"type":"badge","badge":0}}"#,
        r#"{"event":"control","data":{"type":"version"}}"#,
    ] {
        app.send_text(text).await?;
    }
    // What follows auth waits for its verdict; everything is answered in order.
    app.expect(&json!({"event": "auth", "status": "Success"})).await?;
    for _ in 0..3 {
        app.expect(&pushdisabled()).await?;
    }
    app.expect(&json!({"event": "control", "type": "version"})).await?;
    world.alarm(1, 5).await?;
    world.alarm(2, 6).await?;
    app.expect_alarm(6, 2).await?;
    Ok(())
}

#[tokio::test]
async fn zmninja_1_8_sends_its_lists_with_auth_and_a_token_with_everything() -> Result<()> {
    let world = two_cameras().await?;
    let mut app = world.app().await?;
    app.send_text(
        r#"{"event":"auth","data":{"user":"admin","password":"adminpass","monlist":"2","intlist":"0","appversion":"1.8.001"},"token":"fcm:a"}"#,
    )
    .await?;
    let answer = app.expect(&json!({"event": "auth", "status": "Success"})).await?;
    ensure!(answer["version"].is_string(), "zmNinja compares texts: {answer}");
    app.send_text(
        r#"{"event":"push","data":{"type":"token","platform":"android","token":"fcm:a","state":"enabled","appversion":"1.8.001"},"token":"fcm:a"}"#,
    )
    .await?;
    app.expect(&pushdisabled()).await?;
    let mut witness = world.admin().await?;
    world.alarm(1, 5).await?;
    witness.expect_alarm(5, 1).await?;
    world.alarm(2, 6).await?;
    app.expect_alarm(6, 2).await?;
    app.send_text(
        r#"{"event":"control","data":{"type":"filter","monlist":"1,2","intlist":"0,0","token":"fcm:a","appversion":"1.8.001"},"token":"fcm:a"}"#,
    )
    .await?;
    app.sync().await?;
    world.alarm(1, 7).await?;
    app.expect_alarm(7, 1).await?;
    // After saving its settings the app reconnects and repeats everything with empty lists, which mean nothing.
    app.send_message(Message::Close(None)).await?;
    let clients = world.ctl().json(&["clients", "list"]).await?;
    ensure!(clients["clients"].is_array(), "{clients}");
    let mut app = world.app().await?;
    app.send_text(
        r#"{"event":"auth","data":{"user":"admin","password":"adminpass","monlist":"","intlist":"","appversion":"1.8.001"},"token":"fcm:a"}"#,
    )
    .await?;
    app.expect(&json!({"event": "auth", "status": "Success"})).await?;
    world.alarm(1, 8).await?;
    app.expect_alarm(8, 1).await?;
    Ok(())
}

const NG_AUTH: &str = r#"{"event":"auth","data":{"user":"admin","password":"adminpass","appversion":"1.1.14"},"category":"normal"}"#;

#[tokio::test]
async fn zmninja_ng_asks_for_the_version_to_see_that_we_live() -> Result<()> {
    let world = two_cameras().await?;
    let mut app = world.app().await?;
    app.send_text(NG_AUTH).await?;
    app.expect(&json!({"event": "auth", "type": "", "status": "Success", "reason": ""})).await?;
    app.send_text(r#"{"event":"control","data":{"type":"filter","monlist":"1,2","intlist":"60,60"}}"#)
        .await?;
    app.send_text(r#"{"event":"push","data":{"type":"badge","badge":3}}"#).await?;
    app.expect(&pushdisabled()).await?;
    app.send_text(
        r#"{"event":"push","data":{"type":"token","token":"T","platform":"android","monlist":"","intlist":"","state":"enabled","profile":"Home"}}"#,
    )
    .await?;
    app.expect(&pushdisabled()).await?;
    app.send_text(r#"{"event":"control","data":{"type":"version"}}"#).await?;
    let version = app.expect(&json!({"event": "control", "type": "version", "status": "Success"})).await?;
    ensure!(version["version"].is_string(), "{version}");
    world.alarm(2, 6).await?;
    let alarm = app.expect_alarm(6, 2).await?;
    assert_eq!(alarm["events"][0]["MonitorName"], "Yard");
    let clients = world.ctl().json(&["clients", "list"]).await?;
    assert_eq!(clients["clients"][0]["app"], "1.1.14", "{clients}");
    Ok(())
}

#[tokio::test]
async fn zmninja_ng_reconnects_with_auth_alone_and_keeps_its_filter() -> Result<()> {
    let mut world = two_cameras().await?;
    let mut app = world.app().await?;
    app.send_text(NG_AUTH).await?;
    app.expect(&json!({"event": "auth", "status": "Success"})).await?;
    app.filter("2", "0").await?;
    app.sync().await?;
    drop(app);
    let mut app = world.app().await?;
    app.send_text(NG_AUTH).await?;
    app.expect(&json!({"event": "auth", "status": "Success"})).await?;
    let mut other = world.app().await?;
    other.send_text(&NG_AUTH.replace("1.1.14", "2.0")).await?;
    other.expect(&json!({"event": "auth", "status": "Success"})).await?;
    world.alarm(1, 5).await?;
    other.expect_alarm(5, 1).await?;
    world.alarm(2, 6).await?;
    app.expect_alarm(6, 2).await?;

    // Also when the daemon was restarted in between.
    let ended = world.daemon()?.end(nix::sys::signal::Signal::SIGTERM).await?;
    ensure!(ended.success(), "{ended}");
    world.start_daemon().await?;
    let mut app = world.app().await?;
    app.send_text(NG_AUTH).await?;
    app.expect(&json!({"event": "auth", "status": "Success"})).await?;
    world.alarm(1, 7).await?;
    world.alarm(2, 8).await?;
    app.expect_alarm(8, 2).await?;
    Ok(())
}

#[tokio::test]
async fn a_temporary_connection_is_heard_out_before_it_closes() -> Result<()> {
    let world = two_cameras().await?;
    let mut app = world.app().await?;
    app.send_text(NG_AUTH).await?;
    app.send_text(r#"{"event":"control","data":{"type":"version"}}"#).await?;
    app.filter("2", "0").await?;
    app.send_message(Message::Close(None)).await?;
    app.expect(&json!({"event": "auth", "status": "Success"})).await?;
    app.expect(&json!({"event": "control", "type": "version", "status": "Success"})).await?;
    // What the app closed itself is over: its next connection begins with all monitors.
    world.wait_status("the app has left", |status| status["clients"]["total"] == 0).await?;
    let mut app = world.app().await?;
    app.send_text(NG_AUTH).await?;
    app.expect(&json!({"event": "auth", "status": "Success"})).await?;
    world.alarm(1, 5).await?;
    app.expect_alarm(5, 1).await?;
    Ok(())
}

#[tokio::test]
async fn pings_are_answered() -> Result<()> {
    let world = two_cameras().await?;
    let mut app = world.admin().await?;
    app.send_message(Message::Ping("x".into())).await?;
    app.sync().await?;
    app.send_message(Message::Close(None)).await?;
    ensure!(matches!(app.next().await?, Incoming::Closed(_)));
    Ok(())
}

async fn replay(app: &mut AppClient, since: &str) -> Result<()> {
    app.send(&json!({"event": "control", "data": {"type": "replay", "since": since}})).await
}

async fn expect_replayed(app: &mut AppClient, events: &[(u64, u32)], gap: &str) -> Result<()> {
    for &(event, monitor) in events {
        let frame = app.expect_alarm(event, monitor).await?;
        ensure!(frame["replayed"] == "true", "not marked: {frame}");
    }
    let count = events.len().to_string();
    let end = json!({"event": "control", "type": "replay", "status": "Success", "count": count, "gap": gap});
    app.expect(&end).await.map(drop)
}

#[tokio::test]
async fn missed_alarms_come_again_on_request() -> Result<()> {
    let world = two_cameras().await?;
    let mut first = world.admin().await?;
    for (event, monitor) in [(10, 1), (11, 2), (12, 1)] {
        world.alarm(monitor, event).await?;
        first.expect_alarm(event, monitor).await?;
    }
    let mut app = world.admin().await?;
    replay(&mut app, "10").await?;
    expect_replayed(&mut app, &[(11, 2), (12, 1)], "false").await?;
    replay(&mut app, "12").await?;
    expect_replayed(&mut app, &[], "false").await?;
    // A filter holds for what comes again, too.
    app.filter("2", "0").await?;
    replay(&mut app, "10").await?;
    expect_replayed(&mut app, &[(11, 2)], "false").await?;
    // Since a time; before the record began, nothing can rule out a gap.
    app.filter("", "").await?;
    replay(&mut app, "2001-01-01T00:00:00Z").await?;
    expect_replayed(&mut app, &[(10, 1), (11, 2), (12, 1)], "true").await?;
    let future = jiff::Timestamp::from_second(epoch_seconds() + 3600)?.to_string();
    replay(&mut app, &future).await?;
    expect_replayed(&mut app, &[], "false").await?;
    // Also within auth.
    let mut app = world.app().await?;
    app.send(&json!({"event": "auth", "data": {"user": "admin", "password": "adminpass", "since": "11"}}))
        .await?;
    app.expect(&json!({"event": "auth", "status": "Success"})).await?;
    expect_replayed(&mut app, &[(12, 1)], "false").await?;
    Ok(())
}

#[tokio::test]
async fn what_comes_again_has_the_same_rights_and_marks() -> Result<()> {
    let world = World::new()
        .monitor(1, "Front")
        .monitor(2, "Yard")
        .user(zmes_tests::UserRow::new("viewer", "pw").monitor_ids("1"))
        .start()
        .await?;
    world.wait_comparing().await?;
    let mut admin = world.admin().await?;
    world.alarm(1, 10).await?;
    admin.expect_alarm(10, 1).await?;
    world.alarm(2, 11).await?;
    admin.expect_alarm(11, 2).await?;
    world.insert_event(EventRow::new(12, 1).closed()).await?;
    let late = admin.expect_alarm(12, 1).await?;
    assert_eq!(late["late"], "true");
    let mut viewer = world.login("viewer", "pw").await?;
    replay(&mut viewer, "9").await?;
    viewer.expect_alarm(10, 1).await?;
    let late = viewer.expect_alarm(12, 1).await?;
    assert_eq!((&late["late"], &late["replayed"]), (&json!("true"), &json!("true")));
    viewer.expect(&json!({"event": "control", "type": "replay", "count": "2"})).await?;
    Ok(())
}

#[tokio::test]
async fn what_is_no_longer_kept_is_said_to_be_missing() -> Result<()> {
    let mut world =
        World::new().monitor(1, "Front").setting("state", "keep-events", "\"1s\"").start().await?;
    world.wait_comparing().await?;
    let mut first = world.admin().await?;
    world.alarm(1, 10).await?;
    first.expect_alarm(10, 1).await?;
    // Old alarms are dropped now and then, and at each start.
    zmes_tests::wait_until("the first alarm is forgotten", async || {
        world.kill_daemon().await?;
        world.start_daemon().await?;
        let mut app = world.admin().await?;
        world.insert_event(EventRow::new(11, 1).closed()).await.ok();
        replay(&mut app, "5").await?;
        loop {
            let frame = app.next_json().await?;
            if frame["type"] == "replay" {
                return Ok((frame["gap"] == "true").then_some(()));
            }
        }
    })
    .await
}
