//! Side by side with an older event server: `push.mode = "shadow"` decides and reports what it would have sent, sends
//! nothing, and starts sending after a reload.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use zmes_tests::standin::{PushProxy, Route};
use zmes_tests::{World, WorldBuilder, includes};

const PHONE: &str = "shadow-android:APA91bHPRgkF-one";
const TIMED: &str = "shadow-timed:APA91bHPRgkF-two";

fn garage(proxy: &PushProxy) -> WorldBuilder {
    let world = World::new().monitor(1, "Garage").monitor(2, "Yard").with_push_proxy(proxy);
    world.setting("push", "mode", "\"shadow\"")
}

/// Applies a mode by a reload, as when switching over.
async fn switch(world: &mut World, mode: &str) -> Result<Value> {
    world.settings.set_text("push", "mode", mode);
    world.write_settings()?;
    world.ctl().json(&["reload"]).await
}

fn sent_nothing(proxy: &PushProxy) -> Result<()> {
    ensure!(proxy.arrivals().iter().all(|arrival| arrival.route == Route::Probe), "{:?}", proxy.arrivals());
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn what_would_have_been_sent_is_told_everywhere_and_nothing_is() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = garage(&proxy).start().await?;
    let mut phone = world.phone("android", PHONE).await?;
    let handle = world.handle(PHONE).await?;
    let mut watch = world.ctl().stream(&["watch", "--token", &handle, "--jsonl"])?;
    watch.find("the token", |line| line["type"] == "token").await?;
    let status = world.status().await?;
    ensure!(status["push"]["mode"] == "shadow", "{status}");
    let people = world.run(&["status"]).await?.expect_code(0)?;
    ensure!(people.stdout.contains("shadow: pushes are decided and logged, but not sent"), "{people:?}");

    world.alarm(1, 32_910).await?;
    phone.expect_alarm(32_910, 1).await?;
    let told = watch.find("the delivery", |line| line["type"] == "delivery").await?;
    ensure!(told["outcome"] == "skipped" && told.to_string().contains("shadow"), "{told}");
    let logged = world.wait_delivery(&handle, 32_910, "skipped").await?;
    let expected = json!({"reason": "shadow", "transport": "proxy", "attempts": 0});
    ensure!(includes(&logged, &expected) && logged["latency_ms"].is_number(), "{logged}");
    let why = world.ctl().json(&["why", "32910", "--token", &handle]).await?;
    let explained = why["targets"][0]["explanation"].as_str().context("no explanation")?;
    ensure!(
        explained.contains("push.mode is shadow") && explained.contains("proxy would have got it"),
        "{why}"
    );
    let latency = world.ctl().json(&["latency"]).await?;
    let shadow = json!({"stages": [{"stage": "decided"}, {"stage": "provider", "count": 0}, {"stage": "pushed", "count": 0}, {"stage": "shadow", "count": 1}]});
    ensure!(includes(&latency, &shadow), "{latency}");

    // A test says so, whether or not it waits; checks still go to the provider.
    for wait in [&[][..], &["--wait"]] {
        let arguments = [&["alarm", "test", "--token", &handle], wait].concat();
        let tested = world.ctl().json(&arguments).await?;
        let expected = json!([{"kind": "token", "decision": "skipped", "reason": "shadow"}]);
        ensure!(includes(&tested["targets"], &expected), "{tested}");
    }
    let checked = world.ctl().json(&["push", "check"]).await?;
    ensure!(checked["checks"][0]["ok"] == true, "{checked}");
    let check = world.run(&["check", "push", "--json"]).await?.expect_code(1)?.json()?;
    ensure!(
        check["severity"] == "warning" && check["detail"].to_string().contains("push.mode is shadow"),
        "{check}"
    );
    let counts = world.status().await?;
    ensure!(includes(&counts["push"], &json!({"queued": 0, "delivered": 0, "failed": 0})), "{counts}");
    sent_nothing(&proxy)
}

#[tokio::test]
async fn intervals_hold_and_badges_do_not_grow_while_another_server_rings() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let mut world = garage(&proxy).start().await?;
    let mut timed = world.device("1.8.001").await?;
    let data = json!({"type": "token", "platform": "ios", "token": TIMED, "state": "enabled", "monlist": "1,2", "intlist": "3600,0"});
    timed.send(&json!({"event": "push", "data": data})).await?;
    timed.sync().await?;
    let handle = world.handle(TIMED).await?;
    for (monitor, event, reason) in
        [(1, 11, "shadow"), (2, 12, "shadow"), (1, 13, "interval"), (2, 14, "shadow")]
    {
        world.alarm(monitor, event).await?;
        let logged = world.wait_delivery(&handle, event, "skipped").await?;
        ensure!(logged["reason"] == reason, "{event}: {logged}");
        world.end_alarm(monitor, event).await?;
    }
    ensure!(world.token(TIMED).await?.context("no token")?["badge"] == 0);
    sent_nothing(&proxy)?;

    // The cut-over: the first push counts from one, and the interval of what the other server has sent still holds.
    let reloaded = switch(&mut world, "live").await?;
    ensure!(reloaded == json!({"applied": ["push.mode"], "needs_restart": []}), "{reloaded}");
    ensure!(world.status().await?["push"]["mode"] == "live");
    world.alarm(1, 15).await?;
    let logged = world.wait_delivery(&handle, 15, "skipped").await?;
    ensure!(logged["reason"] == "interval", "{logged}");
    world.alarm(2, 16).await?;
    world.wait_delivery(&handle, 16, "sent").await?;
    proxy.wait_pushes_to(TIMED, 1).await?;
    let pushes = proxy.pushes_to(TIMED);
    ensure!(pushes.len() == 1 && pushes[0].json()["badge"] == 1, "what was held back is not sent later");

    // And back.
    let reloaded = switch(&mut world, "shadow").await?;
    ensure!(reloaded["applied"] == json!(["push.mode"]), "{reloaded}");
    world.end_alarm(2, 16).await?;
    world.alarm(2, 17).await?;
    let logged = world.wait_delivery(&handle, 17, "skipped").await?;
    ensure!(logged["reason"] == "shadow" && proxy.pushes_to(TIMED).len() == 1, "{logged}");
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn without_a_way_to_phones_it_decides_too_and_the_mode_is_hot() -> Result<()> {
    let mut world = World::new().monitor(1, "Garage").setting("push", "mode", "\"shadow\"").start().await?;
    let _phone = world.phone("android", PHONE).await?;
    let handle = world.handle(PHONE).await?;
    world.alarm(1, 5).await?;
    let logged = world.wait_delivery(&handle, 5, "skipped").await?;
    ensure!(logged["reason"] == "shadow" && logged["transport"].is_null(), "{logged}");
    let why = world.ctl().json(&["why", "5"]).await?;
    ensure!(why.to_string().contains("no transport takes this token"), "{why}");
    let reloaded = switch(&mut world, "live").await?;
    ensure!(reloaded == json!({"applied": ["push.mode"], "needs_restart": []}), "{reloaded}");
    let now = world.status().await?;
    ensure!(now["push"]["mode"] == "off", "there is no way to phones: {now}");
    Ok(())
}
