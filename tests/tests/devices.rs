//! What belongs to a device and what does not: the dialogues of the real apps, with their literal frames, over breaks,
//! restarts, changes of hands, `revoke` and `block`.

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use zmes_tests::standin::PushProxy;
use zmes_tests::{AppClient, EventRow, UserRow, World, wait_until};

/// zmNinjaNg 1.1.14, as its reconnect repeats it: nothing but this.
const NG_AUTH: &str = r#"{"event":"auth","data":{"user":"admin","password":"adminpass","appversion":"1.1.14"},"category":"normal"}"#;
const NG_FILTER: &str = r#"{"event":"control","data":{"type":"filter","monlist":"1","intlist":"0"}}"#;
const NG_BADGE: &str = r#"{"event":"push","data":{"type":"badge","badge":3}}"#;
const NG_TOKEN: &str = r#"{"event":"push","data":{"type":"token","token":"TOKEN","platform":"android","monlist":"LIST","intlist":"INT","state":"enabled","profile":"Home"}}"#;
/// zmNinja 1.8: the push token in every message, the lists empty until its settings are saved.
const ZM_AUTH: &str = r#"{"event":"auth","data":{"user":"USER","password":"PASS","monlist":"","intlist":"","appversion":"1.8.001"},"token":"TOKEN"}"#;
const ZM_TOKEN: &str = r#"{"event":"push","data":{"type":"token","platform":"android","token":"TOKEN","state":"enabled","appversion":"1.8.001"},"token":"TOKEN"}"#;
const ZM_FILTER: &str = r#"{"event":"control","data":{"type":"filter","monlist":"2,3","intlist":"0,0","token":"TOKEN","appversion":"1.8.001"},"token":"TOKEN"}"#;

async fn ng(world: &World) -> Result<AppClient> {
    let mut app = world.app().await?;
    app.send_text(NG_AUTH).await?;
    app.expect(&json!({"event": "auth", "status": "Success"})).await?;
    Ok(app)
}

async fn zmninja(world: &World, user: &str, token: &str) -> Result<AppClient> {
    let mut app = world.app().await?;
    let auth = ZM_AUTH.replace("USER", user).replace("PASS", &format!("{user}pass"));
    app.send_text(&auth.replace("TOKEN", token)).await?;
    app.expect(&json!({"event": "auth", "status": "Success"})).await?;
    Ok(app)
}

/// Waits until the daemon has `count` connected apps.
async fn connected(world: &World, count: u64) -> Result<Value> {
    let clients = |status: &Value| status["clients"]["total"] == count;
    world.wait_status("the clients that are connected", clients).await?;
    world.ctl().json(&["clients", "list"]).await
}

async fn filter_from(world: &World, count: u64, expected: &str, monitors: &Value) -> Result<()> {
    let clients = connected(world, count).await?;
    let newest = clients["clients"].as_array().and_then(|clients| clients.last()).context("none")?;
    ensure!(newest["filter_from"] == expected && newest["monitors"] == *monitors, "{clients}");
    Ok(())
}

/// Closes as apps do, with a close frame.
async fn close(mut app: AppClient) -> Result<()> {
    app.send_message(Message::Close(None)).await
}

#[tokio::test]
async fn zmninjang_desktop_that_chose_all_monitors_is_not_filtered_for_ever() -> Result<()> {
    let mut world = World::new().monitor(1, "Garage").monitor(2, "Yard").start().await?;
    let mut app = ng(&world).await?;
    app.send_text(NG_FILTER).await?;
    app.send_text(NG_BADGE).await?;
    app.expect(&json!({"event": "push", "reason": "PUSHDISABLED"})).await?;
    filter_from(&world, 1, "stated", &json!([1])).await?;
    // The network breaks: the app repeats its login alone.
    drop(app);
    connected(&world, 0).await?;
    let app = ng(&world).await?;
    filter_from(&world, 1, "reconnect", &json!([1])).await?;
    // So does a daemon that is restarted.
    ensure!(world.daemon()?.end(Signal::SIGTERM).await?.success());
    drop(app);
    world.start_daemon().await?;
    let mut app = ng(&world).await?;
    filter_from(&world, 1, "reconnect", &json!([1])).await?;
    world.alarm(2, 10).await?;
    world.alarm(1, 11).await?;
    app.expect_alarm(11, 1).await?;
    // "All monitors": the app closes, connects, and says nothing of monitors.
    close(app).await?;
    connected(&world, 0).await?;
    let mut app = ng(&world).await?;
    filter_from(&world, 1, "default", &Value::Null).await?;
    world.alarm(2, 12).await?;
    app.expect_alarm(12, 2).await?;
    // And nothing reappears after the next start.
    ensure!(world.daemon()?.end(Signal::SIGTERM).await?.success());
    drop(app);
    world.start_daemon().await?;
    let mut app = ng(&world).await?;
    filter_from(&world, 1, "default", &Value::Null).await?;
    world.alarm(2, 13).await?;
    app.expect_alarm(13, 2).await.map(drop)
}

#[tokio::test]
async fn zmninjang_phone_with_every_row_off_rings_for_all_monitors() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = World::new().monitor(1, "Garage").monitor(2, "Yard").with_push_proxy(&proxy).start().await?;
    let token = "ng-rows:APA91bHPRgkF";
    let registration = |list: &str, interval: &str| {
        NG_TOKEN.replace("TOKEN", token).replace("LIST", list).replace("INT", interval)
    };
    let mut app = ng(&world).await?;
    app.send_text(&registration("2", "0")).await?;
    app.sync().await?;
    world.alarm(1, 10).await?;
    world.alarm(2, 11).await?;
    app.expect_alarm(11, 2).await?;
    close(app).await?;
    connected(&world, 0).await?;
    let mut app = ng(&world).await?;
    app.send_text(NG_BADGE).await?;
    app.send_text(&registration("", "")).await?;
    app.sync().await?;
    let shown = world.token(token).await?.context("no token")?;
    ensure!(shown["monitors"].is_null(), "{shown}");
    world.alarm(1, 12).await?;
    app.expect_alarm(12, 1).await?;
    world.wait_delivery(&world.handle(token).await?, 12, "sent").await?;
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn one_phone_with_two_profiles_takes_no_lists_along() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let amy = UserRow::new("amy", "amypass");
    let guest = UserRow::new("guest", "guestpass").monitor_ids("1");
    let mut world =
        World::new().monitor(1, "Door").monitor(2, "Yard").monitor(3, "Shed").with_push_proxy(&proxy);
    world = world.user(amy).user(guest);
    let world = world.start().await?;
    let token = "two-profiles:APA91bHPRgkF";
    let mut app = zmninja(&world, "amy", token).await?;
    app.send_text(&ZM_FILTER.replace("TOKEN", token)).await?;
    app.send_text(&ZM_TOKEN.replace("TOKEN", token)).await?;
    app.sync().await?;
    let handle = world.handle(token).await?;
    close(app).await?;
    let mut app = zmninja(&world, "guest", token).await?;
    app.send_text(&ZM_TOKEN.replace("TOKEN", token)).await?;
    app.sync().await?;
    world.alarm(1, 10).await?;
    app.expect_alarm(10, 1).await?;
    world.wait_delivery(&handle, 10, "sent").await?;
    let shown = world.token(token).await?.context("no token")?;
    ensure!(shown["user"] == "guest" && shown["monitors"].is_null(), "{shown}");
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn scripts_without_a_version_share_nothing() -> Result<()> {
    let world = World::new().monitor(1, "Garage").monitor(2, "Yard").start().await?;
    // pyzm's examples set a filter.
    let mut pyzm = world.admin().await?;
    pyzm.send_text(r#"{"event":"control","data":{"type":"filter","monlist":"2","intlist":"0"}}"#).await?;
    pyzm.sync().await?;
    drop(pyzm);
    connected(&world, 0).await?;
    // Node, aiohttp, a browser: a login and nothing else.
    let mut other = world.admin().await?;
    filter_from(&world, 1, "default", &Value::Null).await?;
    world.alarm(1, 10).await?;
    other.expect_alarm(10, 1).await.map(drop)
}

/// Takes late alarms until each of these has come once, and fails where another comes.
async fn expect_late(app: &mut AppClient, events: &[u64]) -> Result<()> {
    for event in events {
        let frame = app.next_json().await?;
        let expected = json!({"event": "alarm", "late": "true"});
        ensure!(zmes_tests::includes(&frame, &expected), "{frame}");
        ensure!(frame["events"][0]["EventId"] == json!(event.to_string()), "{event}: {frame}");
    }
    Ok(())
}

#[tokio::test]
async fn apps_that_come_back_after_a_restart_hear_what_was_missed() -> Result<()> {
    let viewer = UserRow::new("viewer", "viewerpass").monitor_ids("2");
    let mut world = World::new().monitor(1, "Front").monitor(2, "Yard").user(viewer).start().await?;
    world.wait_comparing().await?;
    let mut app = world.admin().await?;
    world.alarm(1, 90).await?;
    app.expect_alarm(90, 1).await?;
    world.end_alarm(1, 90).await?;
    world.wait_status("old enough", |status| status["uptime_ms"].as_u64() >= Some(3000)).await?;
    ensure!(world.daemon()?.end(Signal::SIGTERM).await?.success());
    drop(app);
    for (event, monitor) in [(91, 1), (92, 2)] {
        world.insert_event(EventRow::new(event, monitor).closed()).await?;
    }
    world.start_daemon().await?;
    world.wait_status("caught up", |status| status["events"]["reconciled"] == 2).await?;
    let mut all = world.admin().await?;
    let mut some = world.login("viewer", "viewerpass").await?;
    expect_late(&mut all, &[91, 92]).await?;
    expect_late(&mut some, &[92]).await?;
    let why = world.ctl().json(&["why", "91"]).await?;
    let told = |decision: &str| {
        why["targets"].as_array().is_some_and(|targets| targets.iter().any(|one| one["decision"] == decision))
    };
    ensure!(told("sent") && told("skipped"), "{why}");
    world.alarm(2, 93).await?;
    all.expect_alarm(93, 2).await?;
    some.expect_alarm(93, 2).await.map(drop)
}

#[tokio::test]
async fn a_stolen_phone_is_blocked_and_cannot_come_back() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let mut world = World::new().monitor(1, "Garage").with_push_proxy(&proxy).start().await?;
    let token = "stolen:APA91bHPRgkF-phone";
    let mut app = zmninja(&world, "admin", token).await?;
    app.send_text(&ZM_TOKEN.replace("TOKEN", token)).await?;
    app.sync().await?;
    let handle = world.handle(token).await?;
    // Revoked alone, it registers again as soon as its app is opened.
    let revoked = world.run(&["tokens", "revoke", &handle, "--yes"]).await?.expect_code(0)?.stdout;
    ensure!(revoked.contains("opening the app undoes it; zmesctl tokens block is permanent"), "{revoked}");
    let doctor = world.run(&["doctor", &handle]).await?.stdout;
    ensure!(doctor.contains("revoked by an admin at"), "{doctor}");
    ensure!(doctor.contains(&format!("zmesctl tokens restore {handle}")), "{doctor}");
    app.send_text(&ZM_TOKEN.replace("TOKEN", token)).await?;
    app.sync().await?;
    ensure!(world.token(token).await?.context("no token")?["state"] == "enabled");
    let blocked = world.run(&["tokens", "block", &handle, "--yes"]).await?.expect_code(0)?.stdout;
    ensure!(blocked.contains("cannot register it again"), "{blocked}");
    let refused = json!({"event": "push", "type": "token", "status": "Fail", "reason": "TOKENBLOCKED"});
    app.send_text(&ZM_TOKEN.replace("TOKEN", token)).await?;
    app.expect(&refused).await?;
    drop(app);
    world.kill_daemon().await?;
    world.start_daemon().await?;
    let mut app = zmninja(&world, "admin", token).await?;
    app.send_text(&ZM_TOKEN.replace("TOKEN", token)).await?;
    app.expect(&refused).await?;
    let listed = world.ctl().json(&["tokens", "list", "--state", "blocked"]).await?;
    ensure!(listed["tokens"][0]["handle"] == *handle, "{listed}");
    ensure!(world.tokens().await?.is_empty(), "a list without a state shows it no more");
    let doctor = world.run(&["doctor", &handle]).await?.stdout;
    ensure!(doctor.contains("blocked by an admin at") && doctor.contains("tokens unblock"), "{doctor}");
    world.alarm(1, 10).await?;
    app.expect_alarm(10, 1).await?;
    // A mistake can be undone.
    world.run(&["tokens", "restore", &handle]).await?.expect_code(1)?;
    world.run(&["tokens", "unblock", &handle]).await?.expect_code(0)?;
    app.send_text(&ZM_TOKEN.replace("TOKEN", token)).await?;
    app.sync().await?;
    world.end_alarm(1, 10).await?;
    world.alarm(1, 11).await?;
    world.wait_delivery(&handle, 11, "sent").await?;
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn no_character_of_a_token_is_in_the_log() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let mut world = World::new().monitor(1, "Garage").with_push_proxy(&proxy).start().await?;
    let token = "log-tail:APA91bHPRg-kFLJu6sgQz";
    let mut app = zmninja(&world, "admin", token).await?;
    app.send_text(&ZM_TOKEN.replace("TOKEN", token)).await?;
    app.sync().await?;
    let handle = world.handle(token).await?;
    world.alarm(1, 10).await?;
    world.wait_delivery(&handle, 10, "sent").await?;
    for arguments in
        [["tokens", "mute", "kFLJu6sgQz"], ["tokens", "unmute", "kFLJu6sgQz"], ["tokens", "show", token]]
    {
        world.run(&arguments).await?.expect_code(0)?;
    }
    let daemon = world.daemon()?;
    wait_until("the log has the handle", async || Ok(daemon.log().contains(&handle).then_some(()))).await?;
    let log = daemon.log();
    for part in [token, "kFLJu6sgQz", "u6sgQz"] {
        ensure!(!log.contains(part), "{part} is in the log");
    }
    proxy.ensure_no_violations()
}
