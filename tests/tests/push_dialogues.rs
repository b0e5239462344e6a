//! The three apps' real dialogues about push tokens, in every order in which they come, end in the same stored state.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use zmes_tests::standin::{Arrival, Behaviour, PushProxy, Route};
use zmes_tests::{AppClient, World, WorldBuilder, registration, wait_until};

fn two_cameras(proxy: &PushProxy) -> WorldBuilder {
    World::new().monitor(1, "Garage").monitor(2, "Yard").with_push_proxy(proxy)
}

/// `tokens show` of a token whose app asked for monitor 1 always and monitor 2 once a minute.
fn both(platform: &str, state: &str, badge: u64) -> Value {
    json!({"platform": platform, "state": state, "user": "admin", "badge": badge, "filter": [[1, 0], [2, 60_000]]})
}

/// Waits until a token is stored as `expected`.
async fn ensure_stored(world: &World, token: &str, expected: &Value) -> Result<()> {
    let mut last = Value::Null;
    let stored = wait_until("the token is stored", async || {
        let Some(shown) = world.token(token).await? else { return Ok(None) };
        last = registration(&shown)?;
        Ok((last == *expected).then_some(()))
    })
    .await;
    stored.with_context(|| format!("{token}\nstored   {last}\nexpected {expected}"))
}

/// Sends what `TOKEN` in the texts is replaced with, without waiting for anything.
async fn say(app: &mut AppClient, token: &str, texts: &[&str]) -> Result<()> {
    for text in texts {
        app.send_text(&text.replace("TOKEN", token)).await?;
    }
    Ok(())
}

/// Returns the event of each push, as the alert text names it in brackets.
fn events(pushes: &[Arrival]) -> Vec<String> {
    let alert = |push: &Arrival| push.json()["alert"].as_str().unwrap_or_default().to_owned();
    let event = |alert: String| alert.rsplit_once('(').map(|(_, end)| end.trim_end_matches(')').to_owned());
    pushes.iter().filter_map(|push| event(alert(push))).collect()
}

const AUTH: &str = r#"{"event":"auth","data":{"user":"admin","password":"adminpass","monlist":"1,2","intlist":"0,60","appversion":"1.8.001"},"token":"TOKEN"}"#;
const AUTH_BARE: &str = r#"{"event":"auth","data":{"user":"admin","password":"adminpass","monlist":"","intlist":"","appversion":"1.8.001"},"token":"TOKEN"}"#;
const A: &str = r#"{"event":"push","data":{"type":"token","platform":"android","token":"TOKEN","state":"enabled","appversion":"1.8.001"},"token":"TOKEN"}"#;
const C: &str = r#"{"event":"control","data":{"type":"filter","monlist":"1,2","intlist":"0,60","token":"TOKEN","appversion":"1.8.001"},"token":"TOKEN"}"#;
const SEEN: &str =
    r#"{"event":"push","data":{"type":"badge","badge":0,"appversion":"1.8.001"},"token":"TOKEN"}"#;

#[tokio::test]
async fn zmninja_1_8_ends_in_the_same_state_in_every_order() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = two_cameras(&proxy).start().await?;
    // B, sent at a login, is A once more.
    let orders: [(&str, &str, &[&str]); 6] = [
        ("plain start", AUTH, &[A]),
        ("server switch", AUTH, &[C, A]),
        ("login save", AUTH, &[C, A, A]),
        ("settings save", AUTH, &[A, C, A]),
        ("first settings save", AUTH_BARE, &[A, C, A]),
        ("filter alone at last", AUTH_BARE, &[A, A, C]),
    ];
    for (number, (name, auth, rest)) in orders.into_iter().enumerate() {
        let token = format!("fcm-order-{number}:APA91bH{number}");
        let mut app = world.app().await?;
        say(&mut app, &token, &[auth]).await?;
        app.expect(&json!({"event": "auth", "status": "Success"})).await?;
        say(&mut app, &token, rest).await?;
        say(&mut app, &token, &[SEEN]).await?;
        app.sync().await?;
        ensure_stored(&world, &token, &both("android", "enabled", 0)).await.context(name)?;
        // The settings page once more: close, connect, and lists that say nothing.
        app.send_message(Message::Close(None)).await?;
        let mut app = world.app().await?;
        say(&mut app, &token, &[AUTH_BARE, A]).await?;
        app.expect(&json!({"event": "auth", "status": "Success"})).await?;
        app.sync().await?;
        ensure_stored(&world, &token, &both("android", "enabled", 0)).await.context(name)?;
    }
    ensure!(world.tokens().await?.len() == orders.len());
    proxy.wait_on(Route::Register, orders.len()).await?;
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn zmninja_1_2_pipelines_everything_in_any_order() -> Result<()> {
    let auth = r#"{"event":"auth","data":{"user":"admin","password":"adminpass"}}"#;
    let lists = r#"{"event":"push","data":{"type":"token","platform":"ios","token":"TOKEN","monlist":"1,2","intlist":"0,60","state":"enabled"}}"#;
    let bare =
        r#"{"event":"push","data":{"type":"token","platform":"ios","token":"TOKEN","state":"enabled"}}"#;
    let filter = r#"{"event":"control","data":{"type":"filter","monlist":"1,2","intlist":"0,60"}}"#;
    let badge = r#"{"event":"push","data":{"type":"badge","badge":0}}"#;
    let proxy = PushProxy::start().await?;
    let world = two_cameras(&proxy).start().await?;
    let orders: [&[&str]; 6] = [
        &[auth, lists],
        &[auth, lists, filter, bare, badge],
        &[auth, filter, bare, badge],
        &[auth, bare, filter],
        &[auth, bare, lists],
        &[auth, badge, filter, lists, bare, bare],
    ];
    for (number, order) in orders.into_iter().enumerate() {
        let token = format!("planted-apns-token-{number}");
        let mut app = world.app().await?;
        say(&mut app, &token, order).await?;
        // All of it was said before the verdict came.
        app.expect(&json!({"event": "auth", "status": "Success"})).await?;
        app.sync().await?;
        ensure_stored(&world, &token, &both("ios", "enabled", 0))
            .await
            .with_context(|| format!("{order:?}"))?;
    }
    proxy.ensure_no_violations()
}

const NG_AUTH: &str = r#"{"event":"auth","data":{"user":"admin","password":"adminpass","appversion":"1.1.14"},"category":"normal"}"#;
const NG_FILTER: &str = r#"{"event":"control","data":{"type":"filter","monlist":"1,2","intlist":"0,60"}}"#;
const NG_BADGE: &str = r#"{"event":"push","data":{"type":"badge","badge":3}}"#;
const NG_TOKEN: &str = r#"{"event":"push","data":{"type":"token","token":"TOKEN","platform":"android","monlist":"1,2","intlist":"0,60","state":"enabled","profile":"Home"}}"#;
const NG_TOKEN_ALL: &str = r#"{"event":"push","data":{"type":"token","token":"TOKEN","platform":"android","monlist":"","intlist":"","state":"enabled","profile":"Home"}}"#;
const NG_OFF: &str = r#"{"event":"push","data":{"type":"token","token":"TOKEN","platform":"android","state":"disabled","profile":"Home"}}"#;

#[tokio::test]
async fn zmninja_ng_ends_in_the_same_state_whether_badge_or_token_comes_first() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = two_cameras(&proxy).start().await?;
    let orders: [&[&str]; 5] = [
        &[NG_FILTER, NG_BADGE, NG_TOKEN],
        &[NG_FILTER, NG_TOKEN, NG_BADGE],
        &[NG_BADGE, NG_TOKEN],
        &[NG_FILTER, NG_BADGE, NG_TOKEN_ALL],
        &[NG_TOKEN_ALL, NG_FILTER, NG_BADGE],
    ];
    for (number, order) in orders.into_iter().enumerate() {
        let token = format!("ng:APA91bHPRgkF-{number}");
        let mut app = world.app().await?;
        app.send_text(NG_AUTH).await?;
        app.expect(&json!({"event": "auth", "status": "Success"})).await?;
        say(&mut app, &token, order).await?;
        app.sync().await?;
        ensure_stored(&world, &token, &both("android", "enabled", 3))
            .await
            .with_context(|| format!("{order:?}"))?;
        // Switched off by a connection that lasts 200 ms: its message counts, however the connection ends.
        let mut brief = world.app().await?;
        say(&mut brief, &token, &[NG_AUTH, NG_OFF]).await?;
        brief.send_message(Message::Close(None)).await?;
        ensure_stored(&world, &token, &both("android", "disabled", 3))
            .await
            .with_context(|| format!("{order:?}"))?;
    }
    let token = "ng-all:APA91bHPRgkF";
    let mut app = world.app().await?;
    say(&mut app, token, &[NG_AUTH, NG_TOKEN_ALL]).await?;
    app.expect(&json!({"event": "auth", "status": "Success"})).await?;
    let all =
        json!({"platform": "android", "state": "enabled", "user": "admin", "badge": 0, "filter": "all"});
    ensure_stored(&world, token, &all).await?;
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn lists_that_say_nothing_leave_what_is_stored() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = two_cameras(&proxy).start().await?;
    let token = "listless:APA91bHPRgkF";
    let register = async |lists: Value| -> Result<()> {
        let mut app = world.admin().await?;
        let mut data = json!({"type": "token", "platform": "android", "token": token, "state": "enabled"});
        for (name, list) in lists.as_object().into_iter().flatten() {
            data[name] = list.clone();
        }
        app.send(&json!({"event": "push", "data": data})).await?;
        app.sync().await
    };
    register(json!({"monlist": "1,2", "intlist": "0,60"})).await?;
    for lists in [
        json!({}),
        json!({"monlist": "-1", "intlist": "-1"}),
        json!({"monlist": "-1"}),
        json!({"monlist": null, "intlist": null}),
    ] {
        register(lists.clone()).await?;
        ensure_stored(&world, token, &both("android", "enabled", 0)).await.context(lists)?;
    }
    // Numbers and arrays are accepted as lists, too, and spaces are ignored.
    register(json!({"monlist": [2, 1], "intlist": [60, 0]})).await?;
    ensure_stored(&world, token, &both("android", "enabled", 0)).await?;
    register(json!({"monlist": " 1 , 2 ", "intlist": " 0, 60"})).await?;
    ensure_stored(&world, token, &both("android", "enabled", 0)).await?;
    // Empty lists are a statement, in a token message and in a filter: all monitors.
    let all =
        json!({"platform": "android", "state": "enabled", "user": "admin", "badge": 0, "filter": "all"});
    register(json!({"monlist": "", "intlist": ""})).await?;
    ensure_stored(&world, token, &all).await?;
    register(json!({"monlist": "1,2", "intlist": "0,60"})).await?;
    let mut app = world.phone("android", token).await?;
    app.filter("", "").await?;
    app.sync().await?;
    ensure_stored(&world, token, &all).await
}

#[tokio::test]
async fn two_sockets_with_one_token_get_one_push() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = two_cameras(&proxy).start().await?;
    let token = "shared:APA91bHPRgkF";
    let _first = world.phone("ios", token).await?;
    let mut second = world.phone("ios", token).await?;
    for event in 5..8 {
        world.alarm(1, event).await?;
        let alarm = second.expect_alarm(event, 1).await?;
        ensure!(alarm["supplementary"] == "true", "{alarm}");
    }
    let pushes = proxy.wait_accepted(3).await?;
    ensure!(events(&pushes) == ["5", "6", "7"], "{pushes:?}");
    ensure!(pushes.iter().map(|push| push.json()["badge"].clone()).eq([1, 2, 3]), "{pushes:?}");
    ensure!(world.tokens().await?.len() == 1);
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn a_reconnect_with_auth_alone_keeps_filter_and_token() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = two_cameras(&proxy).start().await?;
    let token = "reconnects:APA91bHPRgkF";
    let mut app = world.app().await?;
    app.send_text(NG_AUTH).await?;
    app.expect(&json!({"event": "auth", "status": "Success"})).await?;
    app.filter("2", "0").await?;
    say(&mut app, token, &[&NG_TOKEN.replace(r#""monlist":"1,2","intlist":"0,60","#, "")]).await?;
    app.sync().await?;
    drop(app);
    let mut app = world.app().await?;
    app.send_text(NG_AUTH).await?;
    app.expect(&json!({"event": "auth", "status": "Success"})).await?;
    world.alarm(1, 5).await?;
    world.alarm(2, 6).await?;
    app.expect_alarm(6, 2).await?;
    let pushes = proxy.wait_accepted(1).await?;
    ensure!(events(&pushes) == ["6"], "{pushes:?}");
    let stored = json!({"platform": "android", "state": "enabled", "user": "admin", "filter": [[2, 0]]});
    let shown = registration(&world.token(token).await?.context("no token")?)?;
    ensure!(zmes_tests::includes(&shown, &stored), "{shown}");
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn a_disabled_token_gets_plain_alarms_over_its_socket() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = two_cameras(&proxy).start().await?;
    let token = "disabled:APA91bHPRgkF";
    let mut app = world.phone("android", token).await?;
    let state = |state: &str| json!({"event": "push", "data": {"type": "token", "platform": "android", "token": token, "state": state}});
    app.send(&state("disabled")).await?;
    app.sync().await?;
    world.alarm(1, 5).await?;
    let alarm = app.expect_alarm(5, 1).await?;
    ensure!(alarm.get("supplementary").is_none(), "{alarm}");
    ensure!(world.token(token).await?.context("no token")?["state"] == "disabled");
    app.send(&state("enabled")).await?;
    app.sync().await?;
    world.alarm(1, 6).await?;
    let alarm = app.expect_alarm(6, 1).await?;
    ensure!(alarm["supplementary"] == "true", "{alarm}");
    ensure!(events(&proxy.wait_accepted(1).await?) == ["6"]);
    let skipped = world.wait_delivery(&world.handle(token).await?, 5, "skipped").await?;
    ensure!(skipped["reason"] == "disabled", "{skipped}");
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn what_is_refused_stores_nothing() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = two_cameras(&proxy).start().await?;
    let token = json!({"event": "push", "data": {"type": "token", "platform": "ios", "token": "T-early-bird", "state": "enabled"}});
    let refused =
        |reason: &str| json!({"event": "push", "type": "token", "status": "Fail", "reason": reason});
    let mut app = world.app().await?;
    app.send(&token).await?;
    app.expect(&refused("NOTAUTHORIZED")).await?;
    app.send(&json!({"event": "push", "data": {"type": "badge", "badge": 4}})).await?;
    app.expect(&json!({"event": "push", "type": "badge", "status": "Fail", "reason": "NOTAUTHORIZED"}))
        .await?;
    app.authenticate("admin", "adminpass").await?;
    for platform in [json!({}), json!({"platform": ""}), json!({"platform": null})] {
        let mut data = json!({"type": "token", "token": "T-early-bird", "state": "enabled"});
        for (name, value) in platform.as_object().into_iter().flatten() {
            data[name] = value.clone();
        }
        app.send(&json!({"event": "push", "data": data})).await?;
        app.expect(&refused("MISSINGPLATFORM")).await?;
    }
    app.sync().await?;
    ensure!(world.tokens().await?.is_empty());
    // The barrier: the next registration reaches the proxy, and nothing did before.
    let _phone = world.phone("ios", "T-second-bird").await?;
    let registered = proxy.wait_on(Route::Register, 1).await?;
    ensure!(registered.iter().all(|one| one.token.as_deref() == Some("T-second-bird")), "{registered:?}");
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn push_that_is_off_says_so_and_asks_no_provider() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = two_cameras(&proxy).setting("push", "enabled", "false").start().await?;
    let off = json!({"event": "push", "type": "", "status": "Fail", "reason": "PUSHDISABLED"});
    let mut app = world.admin().await?;
    for data in [
        json!({"type": "token", "platform": "ios", "token": "T-off", "state": "enabled"}),
        json!({"type": "token", "token": "T-off"}),
        json!({"type": "badge", "badge": 1}),
    ] {
        app.send(&json!({"event": "push", "data": data})).await?;
        app.expect(&off).await?;
    }
    world.alarm(1, 5).await?;
    let alarm = app.expect_alarm(5, 1).await?;
    ensure!(alarm.get("supplementary").is_none(), "{alarm}");
    ensure!(world.tokens().await?.is_empty() && proxy.arrivals().is_empty());
    Ok(())
}

#[tokio::test]
async fn the_socket_gets_its_copy_while_the_proxy_hangs() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = two_cameras(&proxy).start().await?;
    let mut app = world.phone("android", "hanging:APA91bHPRgkF").await?;
    proxy.always(Behaviour::Hang);
    for event in 5..9 {
        world.alarm(2, event).await?;
        let alarm = app.expect_alarm(event, 2).await?;
        ensure!(alarm["supplementary"] == "true", "a string, not a boolean: {alarm}");
    }
    app.sync().await?;
    let hung = proxy.wait_pushes(1).await?;
    ensure!(hung.iter().all(|push| push.status.is_none()), "{hung:?}");
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn filters_intervals_and_badges_survive_a_restart() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let mut world = two_cameras(&proxy).start().await?;
    let token = "survives:APA91bHPRgkF";
    let mut app = world.admin().await?;
    let data =
        json!({"type": "token", "platform": "ios", "token": token, "monlist": "1,2", "intlist": "3600,0"});
    // The badge comes before the token, and as a text.
    app.send(&json!({"event": "push", "data": {"type": "badge", "badge": "7"}})).await?;
    app.send(&json!({"event": "push", "data": data})).await?;
    app.sync().await?;
    world.alarm(1, 5).await?;
    app.expect_alarm(5, 1).await?;
    let pushes = proxy.wait_accepted(1).await?;
    ensure!(pushes[0].json()["badge"] == 8, "{pushes:?}");
    world.end_alarm(1, 5).await?;
    let stored = json!({"platform": "ios", "state": "enabled", "user": "admin", "badge": 8,
                        "filter": [[1, 3_600_000], [2, 0]]});
    ensure_stored(&world, token, &stored).await?;
    let handle = world.handle(token).await?;
    world.wait_delivery(&handle, 5, "sent").await?;
    drop(app);
    world.kill_daemon().await?;
    world.start_daemon().await?;
    ensure_stored(&world, token, &stored).await?;
    world.alarm(1, 6).await?;
    let skipped = world.wait_delivery(&handle, 6, "skipped").await?;
    ensure!(skipped["reason"] == "interval", "{skipped}");
    world.alarm(2, 7).await?;
    let pushes = proxy.wait_accepted(2).await?;
    ensure!(events(&pushes) == ["5", "7"] && pushes[1].json()["badge"] == 9, "{pushes:?}");
    proxy.ensure_no_violations()
}
