//! Ends of alarms: who is notified, exactly once each, even if the daemon is killed.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use zmes_tests::standin::{Arrival, Fcm, PushProxy};
use zmes_tests::{State, World, WorldBuilder, includes, wait_until};

const PHONE: &str = "ends-android:APA91bHPRgkF-one";
const OTHER: &str = "ends-android:APA91bHPRgkF-two";
/// What a push says of an end.
const QUIET: &str = "Garage: quiet again";

fn house() -> WorldBuilder {
    let world = World::new().monitor(1, "Garage").monitor(2, "Yard");
    world.setting("end", "push", "true").setting("end", "websocket", "true")
}

/// Returns what `tokens log` has of the starts or the ends of an event, newest first.
async fn logged(world: &World, handle: &str, event: u64, phase: &Value) -> Result<Vec<Value>> {
    let log = world.ctl().json(&["tokens", "log", handle]).await?;
    let all = log["deliveries"].as_array().cloned().with_context(|| log.to_string())?;
    Ok(all.into_iter().filter(|one| one["event_id"] == event && one["phase"] == *phase).collect())
}

/// Waits until the push of a start or an end has that decision; there is one.
async fn wait_push(world: &World, handle: &str, event: u64, phase: Value, decision: &str) -> Result<Value> {
    wait_until(&format!("the push {phase} of event {event} is {decision}"), async || {
        let found = logged(world, handle, event, &phase).await?;
        ensure!(found.len() <= 1, "more than one: {found:?}");
        Ok(found.into_iter().find(|one| one["decision"] == decision))
    })
    .await
}

async fn started(world: &World, handle: &str, event: u64) -> Result<Value> {
    wait_push(world, handle, event, Value::Null, "sent").await
}

async fn ended(world: &World, handle: &str, event: u64) -> Result<Value> {
    wait_push(world, handle, event, json!("end"), "sent").await
}

/// Waits until `events` knows when an alarm has ended.
async fn recorded(world: &World, event: u64) -> Result<Value> {
    wait_until(&format!("the end of event {event} is recorded"), async || {
        let list = world.ctl().json(&["events"]).await?;
        let events = list["events"].as_array().cloned().unwrap_or_default();
        Ok(events.into_iter().find(|one| one["event_id"] == event && one["ended_at"].is_string()))
    })
    .await
}

fn quiet(proxy: &PushProxy, token: &str) -> Vec<Arrival> {
    proxy
        .pushes_to(token)
        .into_iter()
        .filter(|push| push.json().to_string().contains("quiet again"))
        .collect()
}

#[tokio::test]
async fn an_end_is_told_once_to_who_was_told_of_the_start_and_everything_shows_it() -> Result<()> {
    let fcm = Fcm::start().await?;
    let mut world = house().with_fcm(&fcm).start().await?;
    let mut app = world.phone("android", PHONE).await?;
    let handle = world.handle(PHONE).await?;
    let mut watch = world.ctl().stream(&["watch", "--type", "alarm,decision,delivery", "--jsonl"])?;
    world.alarm(1, 10).await?;
    app.expect_alarm(10, 1).await?;
    started(&world, &handle, 10).await?;
    world.shm(1)?.set_state(State::Alert)?;
    // Settings changed between start and end do not suppress the end.
    world.run(&["snooze", "Garage", "--for", "1h"]).await?.expect_code(0)?;
    app.filter("2", "0").await?;
    app.sync().await?;
    world.end_alarm(1, 10).await?;
    let end = json!({"event": "alarm", "supplementary": "true", "events": [{"EventId": "10", "MonitorId": "1",
        "Name": "Garage", "Cause": "End:Motion"}]});
    app.expect(&end).await?;
    let pushed = ended(&world, &handle, 10).await?;
    ensure!(pushed["transport"] == "fcm" && pushed["origin"] == "poll", "{pushed}");

    let messages: Vec<Value> =
        fcm.messages.pushes_to(PHONE).iter().map(|push| push.json()["message"].clone()).collect();
    let [start, end] = messages.as_slice() else { anyhow::bail!("{messages:?}") };
    let tag = json!({"android": {"notification": {"tag": "zmes-1-10"}}});
    ensure!(includes(start, &tag) && includes(end, &tag), "the end takes its place: {messages:?}");
    let expected = json!({"notification": {"title": QUIET}, "data": {"mid": "1", "eid": "10",
        "monitorName": "Garage", "cause": "End:Motion"}, "android": {"priority": "normal"}});
    ensure!(includes(end, &expected), "{end}");
    ensure!(end["android"]["notification"]["sound"].is_null(), "{end}");
    let badge = world.token(PHONE).await?.context("no token")?["badge"].clone();
    ensure!(badge == 1, "an end does not count: {badge}");

    let line = watch.find("the end", |line| line["type"] == "alarm" && line["phase"] == "end").await?;
    ensure!(includes(&line, &json!({"event_id": 10, "monitor": "Garage", "late": false})), "{line}");
    ensure!(line["lasted_ms"].as_u64().is_some_and(|lasted| lasted > 0), "{line}");
    let line = watch.find("its push", |line| line["type"] == "delivery" && line["phase"] == "end").await?;
    ensure!(line["outcome"] == "sent", "{line}");
    recorded(&world, 10).await?;
    let why = world.ctl().json(&["why", "10"]).await?;
    ensure!(why["alarms"][0]["ended_at"].is_string(), "{why}");
    let targets = why["targets"].as_array().context("no targets")?;
    let of_end: Vec<_> = targets.iter().filter(|target| target["phase"] == "end").collect();
    ensure!(of_end.len() == 2 && of_end.iter().all(|target| target["decision"] == "sent"), "{why}");
    let text = world.run(&["why", "10"]).await?.expect_code(0)?.stdout;
    ensure!(text.contains("ended at ") && text.contains("its end: "), "{text}");
    let text = world.run(&["watch", "--since", "10m", "--type", "alarm", "--count", "3"]).await?;
    ensure!(text.stdout.contains("END") && text.stdout.contains("ended after "), "{}", text.stdout);
    let text = world.run(&["tokens", "log", &handle]).await?.expect_code(0)?.stdout;
    ensure!(text.contains("Garage (end)"), "{text}");

    // Switched off by a reload, the end is recorded but not sent.
    world.settings.set("end", "push", "false");
    world.settings.set("end", "websocket", "false");
    world.write_settings()?;
    world.run(&["reload"]).await?.expect_code(0)?;
    world.alarm(2, 11).await?;
    app.expect_alarm(11, 2).await?;
    started(&world, &handle, 11).await?;
    world.end_alarm(2, 11).await?;
    recorded(&world, 11).await?;
    ensure!(logged(&world, &handle, 11, &json!("end")).await?.is_empty());
    app.sync().await?;
    fcm.ensure_no_violations()
}

#[tokio::test]
async fn a_kill_between_start_and_end_loses_no_end_and_repeats_none() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let mut world = house().with_push_proxy(&proxy).start().await?;
    world.wait_comparing().await?;
    drop(world.phone("android", PHONE).await?);
    let handle = world.handle(PHONE).await?;
    world.alarm(1, 10).await?;
    started(&world, &handle, 10).await?;
    world.kill_daemon().await?;
    world.end_alarm(1, 10).await?;
    world.start_daemon().await?;
    let end = ended(&world, &handle, 10).await?;
    ensure!(end["origin"] == "reconciled", "it is late: {end}");
    recorded(&world, 10).await?;
    world.kill_daemon().await?;
    world.start_daemon().await?;

    // The alarm continues over a kill, and ends afterwards.
    world.alarm(1, 11).await?;
    started(&world, &handle, 11).await?;
    world.kill_daemon().await?;
    world.start_daemon().await?;
    world.alarm(2, 12).await?;
    started(&world, &handle, 12).await?;
    ensure!(logged(&world, &handle, 11, &json!("end")).await?.is_empty(), "the monitor is in alarm still");
    world.end_alarm(1, 11).await?;
    ended(&world, &handle, 11).await?;

    // While it was down an alarm came and went: the end follows directly after the start.
    world.kill_daemon().await?;
    world.alarm(1, 13).await?;
    world.end_alarm(1, 13).await?;
    world.end_alarm(2, 12).await?;
    world.start_daemon().await?;
    started(&world, &handle, 13).await?;
    ended(&world, &handle, 13).await?;
    ended(&world, &handle, 12).await?;
    ensure!(quiet(&proxy, PHONE).len() == 4, "{:?}", quiet(&proxy, PHONE));
    ensure!(proxy.pushes_to(PHONE).len() == 8, "{}", proxy.pushes_to(PHONE).len());
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn without_its_start_no_end_is_sent_and_a_digest_swallows_the_ends_of_its_alarms() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let mut world = house().with_push_proxy(&proxy).setting("push", "storm-limit", "1").prepare().await?;
    world.write_settings_with("[[rule]]\nname = \"gate\"\nmonitors = [2]\naction = \"urgent\"\n")?;
    world.start_daemon().await?;
    let mut app = world.phone("android", PHONE).await?;
    let handle = world.handle(PHONE).await?;
    world.alarm(1, 10).await?;
    started(&world, &handle, 10).await?;
    end_recorded(&world, 1, 10).await?;
    ended(&world, &handle, 10).await?;
    // The second one waits, until an urgent one takes it along in a digest.
    world.alarm(1, 11).await?;
    wait_push(&world, &handle, 11, Value::Null, "queued").await?;
    world.end_alarm(1, 11).await?;
    wait_push(&world, &handle, 11, json!("end"), "queued").await?;
    world.alarm(2, 12).await?;
    let sent = started(&world, &handle, 12).await?;
    ensure!(sent["reason"] == "digest", "{sent}");
    let skipped = wait_push(&world, &handle, 11, json!("end"), "skipped").await?;
    ensure!(skipped["reason"] == "not started", "{skipped}");
    world.end_alarm(2, 12).await?;
    let skipped = wait_push(&world, &handle, 12, json!("end"), "skipped").await?;
    ensure!(skipped["reason"] == "not started", "{skipped}");
    let why = world.run(&["why", "12"]).await?.expect_code(0)?.stdout;
    let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
    ensure!(why.contains("the start of the alarm was not sent to it, or only as part of a digest"), "{why}");
    ensure!(quiet(&proxy, PHONE).len() == 1, "{:?}", quiet(&proxy, PHONE));

    // The socket waits for nothing.
    for (monitor, event) in [(1, 10), (1, 11), (2, 12)] {
        for phase in ["alarm", "End:"] {
            let frame = app.next_json().await?;
            let cause = frame["events"][0]["Cause"].as_str().unwrap_or_default().to_owned();
            ensure!(cause.starts_with("End:") == (phase == "End:"), "{monitor} {event} {phase}: {frame}");
            ensure!(frame["events"][0]["EventId"].as_str() == Some(event.to_string().as_str()), "{frame}");
        }
    }
    // A phone that came after the start hears of no end, and one that is muted neither.
    world.alarm(1, 13).await?;
    wait_push(&world, &handle, 13, Value::Null, "queued").await?;
    let mut later = world.phone("android", OTHER).await?;
    world.run(&["tokens", "mute", &handle]).await?.expect_code(0)?;
    end_recorded(&world, 1, 13).await?;
    let skipped = wait_push(&world, &handle, 13, json!("end"), "skipped").await?;
    ensure!(skipped["reason"] == "muted", "{skipped}");
    ensure!(logged(&world, &world.handle(OTHER).await?, 13, &json!("end")).await?.is_empty());
    later.sync().await?;
    proxy.ensure_no_violations()
}

/// Ends an alarm, and waits until that is on record.
async fn end_recorded(world: &World, monitor: u32, event: u64) -> Result<()> {
    world.end_alarm(monitor, event).await?;
    recorded(world, event).await.map(drop)
}

#[tokio::test]
async fn where_the_events_table_is_the_source_an_end_is_that_of_the_event() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = house().with_push_proxy(&proxy).setting("zoneminder", "source", "\"db\"").start().await?;
    world.wait_comparing().await?;
    let mut app = world.phone("android", PHONE).await?;
    let handle = world.handle(PHONE).await?;
    world.alarm(1, 10).await?;
    app.expect_alarm(10, 1).await?;
    started(&world, &handle, 10).await?;
    world.end_alarm(1, 10).await?;
    app.expect(&json!({"event": "alarm", "events": [{"EventId": "10", "Cause": "End:Motion"}]})).await?;
    ended(&world, &handle, 10).await?;
    proxy.ensure_no_violations()
}
