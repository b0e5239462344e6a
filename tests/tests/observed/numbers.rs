//! The numbers move when something happens, by just as much as happened.

use std::fs;

use anyhow::{Result, ensure};
use serde_json::json;
use zmes_tests::standin::{Behaviour, PushProxy};
use zmes_tests::{UserRow, World, within};

const ANDROID: &str = "observed-android:APA91bHPRgkF-one";
const IOS: &str = "observed-ios:APA91bHPRgkF-two";

#[tokio::test]
async fn alarms_decisions_and_pushes_are_counted() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let mut world = World::new().monitor(1, "Garage").with_push_proxy(&proxy).prepare().await?;
    let place = world.observe()?;
    world.start_daemon().await?;
    let before = place.metrics().await?;
    before.ensure(&[
        ("zmesd_alarms_total{phase=\"start\",origin=\"poll\"}", 0.0),
        ("zmesd_push_total{transport=\"proxy\",outcome=\"sent\"}", 0.0),
        ("zmesd_alarm_to_push_seconds_count", 0.0),
        ("zmesd_monitors{source=\"shm\",state=\"idle\"}", 1.0),
        ("zmesd_router_queue", 0.0),
        ("zmesd_outbox_deferred_total", 0.0),
        ("zmesd_state_writable", 1.0),
    ])?;
    let version = format!("zmesd_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    before.ensure(&[(&version, 1.0)])?;
    // Two phones with their sockets, one more app, and one whose filter excludes this monitor.
    let (mut android, _ios) = (world.phone("android", ANDROID).await?, world.phone("ios", IOS).await?);
    let mut plain = world.admin().await?;
    let mut elsewhere = world.admin().await?;
    elsewhere.filter("2", "0").await?;
    elsewhere.sync().await?;
    world.alarm(1, 500).await?;
    android.expect_alarm(500, 1).await?;
    plain.expect_alarm(500, 1).await?;
    proxy.wait_accepted(2).await?;
    place.wait("zmesd_push_total{transport=\"proxy\",outcome=\"sent\"}", 2.0).await?;
    let metrics = place.metrics().await?;
    metrics.ensure(&[
        ("zmesd_alarms_total{phase=\"start\",origin=\"poll\"}", 1.0),
        ("zmesd_alarms_total{phase=\"start\",origin=\"test\"}", 0.0),
        ("zmesd_decisions_total{target=\"session\",decision=\"sent\"}", 3.0),
        ("zmesd_decisions_total{target=\"session\",decision=\"filter\"}", 1.0),
        ("zmesd_decisions_total{target=\"token\",decision=\"sent\"}", 2.0),
        ("zmesd_push_seconds_count{transport=\"proxy\"}", 2.0),
        ("zmesd_push_seconds_count{transport=\"fcm\"}", 0.0),
        ("zmesd_alarm_to_push_seconds_count", 2.0),
        ("zmesd_alarm_to_push_seconds_bucket{le=\"+Inf\"}", 2.0),
        ("zmesd_push_queue", 0.0),
        ("zmesd_push_inflight{transport=\"proxy\"}", 0.0),
        ("zmesd_ws_connections{state=\"authenticated\"}", 4.0),
        ("zmesd_ws_connections{state=\"pending\"}", 0.0),
        ("zmesd_ws_messages_total{direction=\"out\",kind=\"alarm\"}", 3.0),
        ("zmesd_tokens{platform=\"android\",state=\"enabled\"}", 1.0),
        ("zmesd_tokens{platform=\"ios\",state=\"enabled\"}", 1.0),
        ("zmesd_monitors{source=\"shm\",state=\"alarm\"}", 1.0),
    ])?;
    ensure!(metrics.value("zmesd_poll_seconds_count")? >= 1.0);
    world.run(&["alarm", "test", "--wait", "--json"]).await?.expect_code(0)?;
    place.wait("zmesd_push_total{transport=\"proxy\",outcome=\"sent\"}", 4.0).await?;
    place.metrics().await?.ensure(&[
        ("zmesd_alarms_total{phase=\"start\",origin=\"poll\"}", 1.0),
        ("zmesd_alarms_total{phase=\"start\",origin=\"test\"}", 1.0),
    ])?;
    world.run(&["alarm", "test", "--dry-run", "--json"]).await?.expect_code(0)?;
    place.metrics().await?.ensure(&[("zmesd_alarms_total{phase=\"start\",origin=\"test\"}", 1.0)])?;
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn pushes_that_fail_and_phones_that_are_silenced_are_counted() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let mut world = World::new().monitor(1, "Garage").with_push_proxy(&proxy).prepare().await?;
    let place = world.observe()?;
    world.start_daemon().await?;
    let (_android, _ios) = (world.phone("android", ANDROID).await?, world.phone("ios", IOS).await?);
    let handle = world.handle(IOS).await?;
    world.run(&["tokens", "mute", &handle]).await?.expect_code(0)?;
    proxy.answer_token_next(ANDROID, 1, &PushProxy::wrong_app_key());
    world.alarm(1, 510).await?;
    place.wait("zmesd_push_total{transport=\"proxy\",outcome=\"sent\"}", 1.0).await?;
    place.metrics().await?.ensure(&[
        ("zmesd_push_total{transport=\"proxy\",outcome=\"retry\"}", 1.0),
        ("zmesd_push_total{transport=\"proxy\",outcome=\"failed\"}", 0.0),
        ("zmesd_decisions_total{target=\"token\",decision=\"sent\"}", 1.0),
        ("zmesd_decisions_total{target=\"token\",decision=\"muted\"}", 1.0),
        ("zmesd_push_seconds_count{transport=\"proxy\"}", 2.0),
        ("zmesd_tokens{platform=\"ios\",state=\"muted\"}", 1.0),
        ("zmesd_tokens{platform=\"ios\",state=\"enabled\"}", 0.0),
        ("zmesd_tokens_dead_total", 0.0),
    ])?;
    world.run(&["tokens", "revoke", &handle, "--yes"]).await?.expect_code(0)?;
    // What the router said a moment ago is good enough for a scrape: so this is waited for.
    place.wait("zmesd_tokens{platform=\"ios\",state=\"revoked\"}", 1.0).await?;
    // One that does not come out is on its way, and waits.
    proxy.always_token(ANDROID, Behaviour::Hang);
    world.end_alarm(1, 510).await?;
    world.alarm(1, 511).await?;
    place.wait("zmesd_push_inflight{transport=\"proxy\"}", 1.0).await?;
    place.metrics().await?.ensure(&[("zmesd_push_queue", 1.0)])?;
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn logins_reloads_and_connections_are_counted() -> Result<()> {
    let world = World::new().monitor(1, "Garage").setting("auth", "timeout", "\"1s\"");
    let mut world = world.user(UserRow::new("amy", "pw")).prepare().await?;
    let place = world.observe()?;
    world.start_daemon().await?;
    let member = world.admin().await?;
    let mut guesser = world.app().await?;
    guesser.send_auth("amy", "guess").await?;
    guesser.expect(&json!({"event": "auth", "reason": "BADAUTH"})).await?;
    guesser.expect_close(1008).await?;
    let mut silent = world.app().await?;
    silent.expect(&json!({"event": "auth", "reason": "NOAUTH"})).await?;
    silent.expect_close(1008).await?;
    place.wait("zmesd_ws_connections{state=\"pending\"}", 0.0).await?;
    let metrics = place.metrics().await?;
    metrics.ensure(&[
        ("zmesd_ws_auth_total{result=\"accepted\"}", 1.0),
        ("zmesd_ws_auth_total{result=\"rejected\"}", 1.0),
        ("zmesd_ws_auth_total{result=\"timeout\"}", 1.0),
        ("zmesd_ws_auth_total{result=\"unavailable\"}", 0.0),
        ("zmesd_ws_connections{state=\"authenticated\"}", 1.0),
        ("zmesd_ws_messages_total{direction=\"in\",kind=\"message\"}", 2.0),
        ("zmesd_ws_messages_total{direction=\"out\",kind=\"reply\"}", 3.0),
        ("zmesd_ws_rejected_total", 1.0),
        ("zmesd_config_reloads_total{result=\"ok\"}", 0.0),
    ])?;
    let (expiry, started) =
        (metrics.value("zmesd_tls_expiry_timestamp_seconds")?, metrics.value("zmesd_start_time_seconds")?);
    ensure!(expiry > started && started > 1_700_000_000.0, "{started} {expiry}");
    world.run(&["reload"]).await?.expect_code(0)?;
    fs::write(world.settings_file(), "nonsense = 1\n")?;
    world.run(&["reload"]).await?.expect_code(1)?;
    place.metrics().await?.ensure(&[
        ("zmesd_config_reloads_total{result=\"ok\"}", 1.0),
        ("zmesd_config_reloads_total{result=\"refused\"}", 1.0),
    ])?;
    drop(member);
    place.wait("zmesd_ws_connections{state=\"authenticated\"}", 0.0).await
}

#[tokio::test]
async fn there_are_no_more_series_with_many_apps_and_phones_than_without_any() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let mut world =
        World::new().monitor(1, "Garage").monitor(2, "Yard").with_push_proxy(&proxy).prepare().await?;
    let place = world.observe()?;
    world.start_daemon().await?;
    let names =
        async || Ok::<_, anyhow::Error>(place.metrics().await?.series.into_keys().collect::<Vec<_>>());
    let before = names().await?;
    let mut apps = Vec::new();
    for number in 0..10 {
        let platform = if number % 2 == 0 { "ios" } else { "android" };
        apps.push(world.phone(platform, &format!("observed-many:APA91bHPRgkF-{number}")).await?);
        let mut guesser = world.app().await?;
        guesser.send_auth(&format!("guessed-{number}"), "guess").await?;
        within("an answer", guesser.next()).await??;
    }
    world.alarm(1, 520).await?;
    world.alarm(2, 521).await?;
    proxy.wait_accepted(20).await?;
    place.wait("zmesd_push_total{transport=\"proxy\",outcome=\"sent\"}", 20.0).await?;
    let (after, text) = (names().await?, place.get("/metrics").await?.body);
    ensure!(before == after, "{:?}", after.iter().filter(|name| !before.contains(name)).collect::<Vec<_>>());
    for secret in
        ["observed-many", "admin", "guessed", "Garage", "127.0.0.1", PushProxy::APP_KEY, World::AUTH_SECRET]
    {
        ensure!(!text.contains(secret), "{secret} is in\n{text}");
    }
    proxy.ensure_no_violations()
}
