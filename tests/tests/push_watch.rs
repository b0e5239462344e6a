//! What admins see of pushes on their way: the queue of a provider that hangs, the stream, why, latencies,
//! and how much of it an observer may see.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use zmes_tests::standin::{Behaviour, PushProxy};
use zmes_tests::{World, WorldBuilder, includes, skipped, token_ending, wait_until};

const ANDROID: &str = "watch-android:APA91bHPRgkF-one";
const IOS: &str = "watch-ios:APA91bHPRgkF-two";
/// A user other than the daemon's, whose group may open the socket.
const OBSERVER: (u32, u32) = (65534, 0);

fn garage(proxy: &PushProxy) -> WorldBuilder {
    World::new().monitor(1, "Garage").monitor(2, "Yard").with_push_proxy(proxy)
}

/// Runs a command that must end with that exit code; returns its JSON.
async fn run(world: &World, line: &str, code: i32) -> Result<Value> {
    let arguments: Vec<&str> = line.split(' ').chain(["--json"]).collect();
    world.run(&arguments).await?.expect_code(code)?.json()
}

#[tokio::test]
async fn a_push_that_hangs_is_seen_in_the_queue_and_outlives_the_daemon() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let mut world = garage(&proxy).start().await?;
    let phone = world.phone("android", ANDROID).await?;
    let handle = world.handle(ANDROID).await?;
    let idle = run(&world, "push queue", 0).await?;
    ensure!(includes(&idle, &json!({"queued": 0, "deliveries": []})), "{idle}");
    let expected = json!([{"transport": "proxy", "open": false, "retry_at": null, "in_flight": 0}]);
    ensure!(includes(&idle["transports"], &expected), "{idle}");
    ensure!(run(&world, "latency", 0).await?["stages"][1]["count"] == 0);

    proxy.always(Behaviour::Hang);
    world.alarm(1, 32_910).await?;
    proxy.wait_pushes_to(ANDROID, 1).await?;
    let queue = wait_until("the push is in the queue", async || {
        let queue = run(&world, "push queue", 0).await?;
        Ok((queue["queued"] == 1 && queue["deliveries"][0].is_object()).then_some(queue))
    })
    .await?;
    let waits = json!({"token": handle, "event_id": 32_910, "monitor_id": 1, "decision": "queued"});
    ensure!(includes(&queue["deliveries"][0], &waits), "{queue}");
    ensure!(queue["transports"][0]["in_flight"] == 1, "{queue}");
    let why = run(&world, "why 32910", 0).await?;
    let token = |why: &Value| {
        let targets = why["targets"].as_array().cloned().unwrap_or_default();
        targets.into_iter().find(|target| target["kind"] == "token").unwrap_or_default()
    };
    ensure!(includes(&token(&why), &json!({"id": handle, "decision": "queued", "user": "admin"})), "{why}");
    let status = world.status().await?;
    ensure!(status["push"]["queued"] == 1 && status["tokens"]["enabled"] == 1, "{status}");

    // Stopped in the middle of it, and back: it is sent, though its app is not there any more.
    world.daemon()?.end(nix::sys::signal::Signal::SIGTERM).await?;
    drop(phone);
    proxy.always(Behaviour::Accept);
    world.start_daemon().await?;
    let sent = world.wait_delivery(&handle, 32_910, "sent").await?;
    ensure!(sent["transport"] == "proxy" && sent["monitor"] == "Garage", "{sent}");
    let why = run(&world, "why 32910", 0).await?;
    ensure!(why["announced"] == true && includes(&token(&why), &json!({"decision": "sent"})), "{why}");
    let explained = token(&why)["explanation"].to_string();
    ensure!(explained.contains("proxy took it"), "{why}");
    let latency = run(&world, "latency", 0).await?;
    let stages: Vec<_> = latency["stages"].as_array().context("no stages")?.iter().collect();
    ensure!(stages.iter().map(|stage| &stage["stage"]).eq(["decided", "provider", "pushed"]), "{latency}");
    for member in ["p50_ms", "p90_ms", "p99_ms", "max_ms"] {
        ensure!(stages[1]["count"] == 1 && stages[1][member].is_number(), "{member}: {latency}");
    }
    ensure!(run(&world, "push queue", 0).await?["queued"] == 0);
    ensure!(world.run(&["latency"]).await?.expect_code(0)?.stdout.contains("provider"));
    run(&world, "why 99999", 4).await?;
    run(&world, "why 32910 --token 00000000", 4).await?;
    let only = run(&world, &format!("why 32910 --token {}", token_ending(ANDROID)), 0).await?;
    ensure!(only["targets"].as_array().map(Vec::len) == Some(1), "{only}");
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn a_provider_that_refuses_connections_is_held_back_and_tried_again() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = garage(&proxy).start().await?;
    let _phone = world.phone("android", ANDROID).await?;
    let handle = world.handle(ANDROID).await?;
    proxy.refuse().await?;
    world.alarm(1, 5).await?;
    let queued = wait_until("an attempt has failed", async || {
        let delivery = world.delivery(&handle, 5).await?;
        Ok(delivery.filter(|delivery| delivery["attempts"].as_u64() >= Some(1)))
    })
    .await?;
    ensure!(queued["decision"] == "queued" && queued["failures"][0]["transport"] == "proxy", "{queued}");
    let queue = run(&world, "push queue", 0).await?;
    ensure!(queue["transports"][0]["last_error"].is_string(), "{queue}");
    let why = run(&world, &format!("why 5 --token {handle}"), 0).await?;
    let explained = why["targets"][0]["explanation"].to_string();
    ensure!(explained.contains("it is tried again"), "{why}");
    proxy.resume().await?;
    let sent = world.wait_delivery(&handle, 5, "sent").await?;
    ensure!(sent["attempts"].as_u64() >= Some(2) && sent["failures"].as_array().is_some(), "{sent}");
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn watching_one_token_shows_its_decisions_and_deliveries() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = garage(&proxy).start().await?;
    let (_android, _ios) = (world.phone("android", ANDROID).await?, world.phone("ios", IOS).await?);
    let handle = world.handle(ANDROID).await?;
    let mut watch = world.ctl().stream(&["watch", "--token", token_ending(ANDROID), "--jsonl"])?;
    let present = watch.find("the token", |line| line["type"] == "token").await?;
    let expected = json!({"change": "present", "token": {"handle": handle, "platform": "android"}});
    ensure!(includes(&present, &expected) && !present.to_string().contains(ANDROID), "{present}");
    proxy.answer_token_next(ANDROID, 1, &Behaviour::status(503, "busy"));
    world.alarm(2, 5).await?;
    let (mut seen, mut alarm) = (Vec::new(), Value::Null);
    while seen.last().is_none_or(|(_, outcome)| outcome != "sent") {
        let line = watch.next().await?.context("the stream has ended")?;
        match line["type"].as_str().unwrap_or_default() {
            "alarm" => alarm = line["alarm"].clone(),
            kind @ ("decision" | "delivery") => {
                ensure!(line["target"] == "token" && line["id"] == handle, "not of this token: {line}");
                ensure!(line["alarm"] == alarm, "{line}");
                let outcome = line["outcome"].as_str().unwrap_or_default().to_owned();
                // A decision to send is not the end of it.
                let decision = || format!("to be {}", line["decision"].as_str().unwrap_or_default());
                seen.push((kind.to_owned(), if kind == "decision" { decision() } else { outcome }));
            }
            _ => {}
        }
    }
    let pair = |kind: &str, outcome: &str| (kind.to_owned(), outcome.to_owned());
    let story = [pair("decision", "to be sent"), pair("delivery", "retry"), pair("delivery", "sent")];
    ensure!(seen == story, "{seen:?}");
    run(&world, &format!("tokens mute {handle} --for 1h"), 0).await?;
    let muted = watch.find("the silence", |line| line["type"] == "token").await?;
    ensure!(muted["change"] == "muted" && muted["token"]["state"] == "muted", "{muted}");
    run(&world, "watch --token 00000000", 4).await?;
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn an_observer_sees_tokens_and_changes_nothing() -> Result<()> {
    if !nix::unistd::Uid::effective().is_root() {
        return skipped("becoming another user needs root");
    }
    let proxy = PushProxy::start().await?;
    let world = garage(&proxy).start().await?;
    let _phone = world.phone("android", ANDROID).await?;
    let handle = world.handle(ANDROID).await?;
    world.alarm(1, 5).await?;
    world.wait_delivery(&handle, 5, "sent").await?;
    let file = world.path("tokens.txt");
    fs::write(&file, "other:APA91bHPRgkF:1:0:ios:enabled\n")?;
    let import = format!("tokens import {}", file.display());
    let (ctl, (user, group)) = (world.ctl(), OBSERVER);
    let as_observer = async |line: &str, code: i32| -> Result<()> {
        let arguments: Vec<&str> = line.split(' ').chain(["--json"]).collect();
        let output = ctl.run_as(user, group, &arguments).await?.expect_code(code)?;
        let said = format!("{}{}", output.stdout, output.stderr);
        ensure!(!said.contains(ANDROID), "{line} shows the token: {said}");
        ensure!(code != 5 || output.json()?["error"]["code"] == "forbidden", "{line}: {said}");
        Ok(())
    };
    for line in [
        "tokens list",
        "tokens show HANDLE",
        "tokens log HANDLE",
        "tokens revoke HANDLE --dry-run",
        "tokens prune --stale 1ms --dry-run",
        &format!("{import} --dry-run"),
        "badges reset HANDLE --dry-run",
        "alarm test --token HANDLE --dry-run",
        "push check",
        "push queue",
        "why 5",
        "latency",
        "check push",
        "check store",
    ] {
        as_observer(&line.replace("HANDLE", &handle), 0).await?;
    }
    for line in [
        "tokens list --reveal",
        "tokens show HANDLE --reveal",
        "tokens revoke HANDLE --yes",
        "tokens restore HANDLE",
        "tokens mute HANDLE",
        "tokens unmute HANDLE",
        "tokens prune --stale 1ms --yes",
        "tokens export",
        &import,
        "badges reset HANDLE",
        "badges reset --all --yes",
        "alarm test --token HANDLE --wait",
        "config show",
    ] {
        as_observer(&line.replace("HANDLE", &handle), 5).await?;
    }
    let shown = world.token(ANDROID).await?.context("the token is gone")?;
    ensure!(
        shown["state"] == "enabled" && shown["badge"] == 1 && world.tokens().await?.len() == 1,
        "{shown}"
    );
    ensure!(proxy.push_count() == 1);
    proxy.ensure_no_violations()
}
