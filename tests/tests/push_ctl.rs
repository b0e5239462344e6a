//! What admins do about phones: `zmesctl` and the daemon with a PushProxy, from test alarm to export.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use zmes_tests::standin::{Authority, Behaviour, PushProxy, Route};
use zmes_tests::{World, WorldBuilder, includes, registration, token_ending};

const ANDROID: &str = "ctl-android:APA91bHPRgkF-one";
const IOS: &str = "ctl-ios:APA91bHPRgkF-two";

fn garage(proxy: &PushProxy) -> WorldBuilder {
    World::new().monitor(1, "Garage").monitor(2, "Yard").with_push_proxy(proxy).setting(
        "control",
        "admin-group",
        "\"root\"",
    )
}

/// Runs a command that must end with that exit code; returns its JSON.
async fn run(world: &World, line: &str, code: i32) -> Result<Value> {
    let arguments: Vec<&str> = line.split(' ').chain(["--json"]).collect();
    world.run(&arguments).await?.expect_code(code)?.json()
}

/// Returns the kind of each target of a test, and the decision for it.
fn decisions(answer: &Value) -> Result<Vec<(&str, &str)>> {
    let targets = answer["targets"].as_array().with_context(|| format!("no targets: {answer}"))?;
    let pairs =
        targets.iter().filter_map(|target| Some((target["kind"].as_str()?, target["decision"].as_str()?)));
    let mut pairs: Vec<_> = pairs.collect();
    pairs.sort_unstable();
    Ok(pairs)
}

#[tokio::test]
async fn a_test_to_one_token_says_what_its_provider_answers() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = garage(&proxy).start().await?;
    let (_android, _ios) = (world.phone("android", ANDROID).await?, world.phone("ios", IOS).await?);
    let handle = world.handle(ANDROID).await?;
    let dry = run(&world, &format!("alarm test --token {handle} --dry-run"), 0).await?;
    ensure!(dry["dry_run"] == true && decisions(&dry)? == [("token", "sent")], "{dry}");
    ensure!(dry["targets"][0]["latency_ms"].is_null(), "{dry}");

    let sent = run(&world, &format!("alarm test --token {} --wait", token_ending(ANDROID)), 0).await?;
    let expected =
        json!([{"kind": "token", "id": handle, "decision": "sent", "reason": "", "transport": "proxy"}]);
    ensure!(includes(&sent, &json!({"monitor_id": 1, "targets": expected})), "{sent}");
    ensure!(sent["targets"][0]["latency_ms"].is_u64(), "{sent}");
    // The dry one went nowhere, and so did every other phone's.
    ensure!(proxy.pushes_to(ANDROID).len() == 1 && proxy.push_count() == 1);

    proxy.always_token(ANDROID, PushProxy::wrong_app_key());
    let refused = run(&world, &format!("alarm test --token {handle} --wait"), 1).await?;
    ensure!(decisions(&refused)? == [("token", "failed")], "{refused}");
    let reason = refused["targets"][0]["reason"].as_str().unwrap_or_default();
    ensure!(reason.contains("401") && reason.contains("Invalid application"), "{refused}");
    // It is retried until it succeeds; only then does the next one get its first attempt.
    proxy.always_token(ANDROID, Behaviour::Accept);
    world.wait_token(ANDROID, "delivered to", |shown| shown["failures"] == 0).await?;
    proxy.always_token(ANDROID, PushProxy::wrong_app_key());
    // To all: one token fails, the other token and the sockets get it.
    let part = run(&world, "alarm test --wait --monitor 2", 7).await?;
    let expected = [("session", "sent"), ("session", "sent"), ("token", "failed"), ("token", "sent")];
    ensure!(decisions(&part)? == expected, "{part}");
    let reason =
        part["targets"].as_array().into_iter().flatten().find(|target| target["decision"] == "failed");
    let reason = reason.and_then(|target| target["reason"].as_str()).unwrap_or_default();
    ensure!(reason.contains("401") && reason.contains("Invalid application"), "{part}");
    let table = world.run(&["alarm", "test", "--dry-run", "--token", &handle]).await?.expect_code(0)?;
    ensure!(table.stdout.contains("nothing was sent") && table.stdout.contains(&handle), "{table:#?}");
    let unknown = run(&world, "alarm test --token 00000000 --wait", 4).await?;
    ensure!(unknown["error"]["code"] == "not_found", "{unknown}");
    // 401 is about our configuration: the token stays.
    let shown = world.token(ANDROID).await?.context("the token is gone")?;
    let error = shown["last_error"].as_str().unwrap_or_default();
    ensure!(shown["state"] == "enabled" && error.contains("401"), "{shown}");
    ensure!(run(&world, "tokens list --failing", 0).await?["tokens"].as_array().map(Vec::len) == Some(1));
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn tokens_are_taken_out_silenced_and_brought_back() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let mut world = garage(&proxy).start().await?;
    let (_android, _ios) = (world.phone("android", ANDROID).await?, world.phone("ios", IOS).await?);
    let (android, ios) = (world.handle(ANDROID).await?, world.handle(IOS).await?);
    world.run(&["tokens", "revoke", &android]).await?.expect_code(2)?;
    let dry = run(&world, &format!("tokens revoke {android} --dry-run"), 0).await?;
    ensure!(dry["dry_run"] == true && dry["count"] == 1 && world.lists(&android).await?, "{dry}");
    let part = run(&world, &format!("tokens revoke {android} 00000000 --yes"), 7).await?;
    ensure!(includes(&part, &json!({"change": "revoked", "count": 1})), "{part}");
    ensure!(part["failed"][0]["token"] == "00000000" && part["failed"][0]["code"] == "not_found", "{part}");
    run(&world, "tokens revoke 00000000 --yes", 4).await?;
    run(&world, &format!("tokens mute {ios} --for 1h"), 0).await?;
    // Decisions survive a restart of the daemon.
    world.kill_daemon().await?;
    world.start_daemon().await?;
    let revoked = run(&world, "tokens list --state revoked", 0).await?;
    ensure!(includes(&revoked["tokens"][0], &json!({"handle": android, "state": "revoked"})), "{revoked}");
    let muted = run(&world, &format!("tokens show {ios}"), 0).await?;
    ensure!(muted["state"] == "muted" && muted["mute_until"].is_string(), "{muted}");
    world.alarm(1, 5).await?;
    let skipped = world.wait_delivery(&ios, 5, "skipped").await?;
    ensure!(skipped["reason"] == "muted", "{skipped}");
    ensure!(world.delivery(&android, 5).await?.is_none());

    run(&world, &format!("tokens mute {android}"), 1).await?;
    run(&world, &format!("tokens restore {android}"), 0).await?;
    run(&world, &format!("tokens restore {android}"), 1).await?;
    let unmuted = run(&world, &format!("tokens unmute {ios}"), 0).await?;
    ensure!(unmuted["tokens"][0]["state"] == "enabled", "{unmuted}");
    world.alarm(1, 6).await?;
    for (handle, token) in [(&android, ANDROID), (&ios, IOS)] {
        let sent = world.wait_delivery(handle, 6, "sent").await?;
        ensure!(sent["transport"] == "proxy" && sent["attempts"] == 1, "{sent}");
        ensure!(proxy.pushes_to(token).len() == 1, "{token}");
        let shown = run(&world, &format!("tokens show {handle}"), 0).await?;
        ensure!(shown["recent"][0]["event_id"] == 6 && shown["last_delivered_at"].is_string(), "{shown}");
        ensure!(shown["token"].is_null() && !shown.to_string().contains(token), "{shown}");
        let shown = run(&world, &format!("tokens show {handle} --reveal"), 0).await?;
        ensure!(shown["token"] == token, "{shown}");
    }
    let log = run(&world, &format!("tokens log {ios} --limit 1"), 0).await?;
    ensure!(log["deliveries"].as_array().map(Vec::len) == Some(1) && log["deliveries"][0]["event_id"] == 6);

    let none = run(&world, "tokens prune --stale 60d --yes", 0).await?;
    ensure!(none["count"] == 0 && world.tokens().await?.len() == 2, "{none}");
    world.run(&["tokens", "prune", "--stale", "1ms"]).await?.expect_code(2)?;
    let pruned = run(&world, "tokens prune --stale 1ms --yes", 0).await?;
    ensure!(pruned["count"] == 2 && world.tokens().await?.is_empty(), "{pruned}");
    let reason = run(&world, &format!("tokens show {ios}"), 0).await?["revoked_reason"].clone();
    ensure!(reason == "prune", "{reason}");
    proxy.ensure_no_violations()
}

/// Returns what apps decide about each token that is listed, by its handle.
async fn registered(world: &World) -> Result<Vec<(String, Value)>> {
    let mut tokens = Vec::new();
    for token in world.tokens().await? {
        let mut decided = registration(&token)?;
        // Files know neither owners nor badges.
        decided["user"].take();
        decided["badge"].take();
        tokens.push((token["handle"].to_string(), decided));
    }
    tokens.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(tokens)
}

#[tokio::test]
async fn tokens_go_from_a_file_through_two_daemons_and_stay_the_same() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = garage(&proxy).start().await?;
    let file = world.path("tokens.txt");
    let text = "fileA:APA91bHPRgkF:1,2:0,60:ios:enabled\r\nfileB:APA91bHPRgkF:::android:disabled\r\n\
                broken:1:0:windows:enabled\r\nfileC:APA91bHPRgkF:2:5:android:enab";
    fs::write(&file, text)?;
    let import = format!("tokens import {}", file.display());
    let dry = run(&world, &format!("{import} --dry-run"), 7).await?;
    ensure!(includes(&dry, &json!({"dry_run": true, "format": "colon"})), "{dry}");
    ensure!(world.tokens().await?.is_empty(), "a dry run has taken tokens");
    let taken = run(&world, &import, 7).await?;
    ensure!(taken["added"] == dry["added"] && taken["refused"] == dry["refused"], "{dry}\n{taken}");
    ensure!(taken["added"].as_u64() >= Some(2), "{taken}");
    let broken: Vec<_> = taken["tokens"].as_array().context("no list")?.iter().collect();
    ensure!(broken.iter().any(|row| row["place"] == "line 3" && row["outcome"] == "refused"), "{taken}");
    let before = registered(&world).await?;
    let again = run(&world, &import, 7).await?;
    ensure!(again["added"] == 0 && again["changed"] == 0 && again["unchanged"] == taken["added"], "{again}");
    ensure!(registered(&world).await? == before && fs::read_to_string(&file)? == text);

    // A token registered by an app is kept as well.
    let _phone = world.phone("android", ANDROID).await?;
    let before = registered(&world).await?;
    for format in ["json", "colon"] {
        let exported = world.run(&["tokens", "export", "--format", format]).await?.expect_code(0)?.stdout;
        ensure!(exported.contains(ANDROID) && exported.contains("fileA:APA91bHPRgkF"), "{exported}");
        let other = garage(&proxy).start().await?;
        let file = other.path("exported.txt");
        fs::write(&file, &exported)?;
        let taken = run(&other, &format!("tokens import {}", file.display()), 0).await?;
        ensure!(taken["format"] == format && taken["added"] == before.len(), "{taken}");
        ensure!(registered(&other).await? == before, "{format}: {exported}");
        // They can be sent to at once: the one that is switched on, and whose list has the monitor.
        other.alarm(2, 7).await?;
        proxy.wait_pushes_to("fileA:APA91bHPRgkF", 1).await?;
        // Cut off in the middle of it, nothing is taken that is not whole.
        fs::write(&file, exported.get(..exported.len() / 2).unwrap_or_default())?;
        let cut = other.run(&["tokens", "import", &file.to_string_lossy(), "--json", "--dry-run"]).await?;
        ensure!([0, 1, 7].contains(&cut.code), "{cut:#?}");
        ensure!(registered(&other).await? == before);
    }
    fs::write(&file, "{\"tokens\": {\"x\" 7}}")?;
    let refused = run(&world, &import, 1).await?;
    ensure!(refused["error"]["message"].as_str().is_some_and(|text| text.contains("tokens.txt, line 1")));
    ensure!(fs::read_to_string(&file)? == "{\"tokens\": {\"x\" 7}}" && registered(&world).await? == before);
    fs::write(&file, text)?;
    run(&world, &format!("{import} --user no-such-user"), 4).await?;
    ensure!(registered(&world).await? == before);
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn badges_are_reset_and_the_next_push_counts_on() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = garage(&proxy).start().await?;
    let (_one, _two) = (world.phone("ios", IOS).await?, world.phone("android", ANDROID).await?);
    let (ios, android) = (world.handle(IOS).await?, world.handle(ANDROID).await?);
    for event in [5, 6] {
        world.alarm(1, event).await?;
        world.wait_delivery(&ios, event, "sent").await?;
    }
    ensure!(proxy.pushes_to(IOS)[1].json()["badge"] == 2);
    let dry = run(&world, &format!("badges reset {ios} --dry-run"), 0).await?;
    ensure!(dry["dry_run"] == true && run(&world, &format!("tokens show {ios}"), 0).await?["badge"] == 2);
    let reset = run(&world, &format!("badges reset {ios} --to 7"), 0).await?;
    ensure!(reset["change"] == "badge_reset" && reset["tokens"][0]["badge"] == 7, "{reset}");
    world.alarm(1, 7).await?;
    world.wait_delivery(&ios, 7, "sent").await?;
    ensure!(proxy.pushes_to(IOS)[2].json()["badge"] == 8);
    world.run(&["badges", "reset", "--all"]).await?.expect_code(2)?;
    let all = run(&world, "badges reset --all --yes", 0).await?;
    ensure!(all["count"] == 2, "{all}");
    for handle in [&ios, &android] {
        ensure!(run(&world, &format!("tokens show {handle}"), 0).await?["badge"] == 0);
    }
    run(&world, "badges reset 00000000", 4).await?;
    run(&world, &format!("badges reset {ios} 00000000"), 7).await?;
    proxy.ensure_no_violations()
}

/// Returns the names of the steps, and whether the last one went well.
fn steps(check: &Value) -> (Vec<String>, bool) {
    let steps = check["checks"][0]["steps"].as_array().cloned().unwrap_or_default();
    let names = steps.iter().filter_map(|step| step["name"].as_str().map(str::to_owned));
    (names.collect(), steps.last().is_some_and(|step| step["ok"] == true))
}

#[tokio::test]
async fn a_check_names_the_step_that_fails() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let mut world = garage(&proxy).start().await?;
    let good = run(&world, "push check", 0).await?;
    let target = proxy.address().to_string();
    ensure!(
        includes(&good, &json!({"checks": [{"transport": "proxy", "target": target, "ok": true}]})),
        "{good}"
    );
    let every = ["dns", "tcp", "tls", "http", "credentials"].map(str::to_owned).to_vec();
    ensure!(steps(&good) == (every, true), "{good}");
    for step in good["checks"][0]["steps"].as_array().context("no steps")? {
        ensure!(step["ms"].is_u64() && step["detail"].is_string(), "{step}");
    }
    ensure!(good["checks"][0]["steps"][2]["detail"].as_str().is_some_and(|text| text.contains("days left")));
    for check in ["push", "store", "all"] {
        let holds = run(&world, &format!("check {check}"), 0).await?;
        ensure!(holds["ok"] == true && holds["check"] == check, "{holds}");
    }
    run(&world, "push check proxy", 0).await?;
    let none = run(&world, "push check apns", 1).await?;
    ensure!(none["error"]["message"] == "apns is not configured", "{none}");

    proxy.always_on(Route::Probe, Behaviour::status(503, "down for a while"));
    let http = run(&world, "push check", 1).await?;
    ensure!(steps(&http).0.last().is_some_and(|name| name == "http") && !steps(&http).1, "{http}");
    proxy.refuse().await?;
    let tcp = run(&world, "push check", 1).await?;
    ensure!(steps(&tcp) == (["dns", "tcp"].map(str::to_owned).to_vec(), false), "{tcp}");
    let fails = run(&world, "check push", 1).await?;
    ensure!(fails["detail"].as_str().is_some_and(|text| text.contains("tcp")), "{fails}");
    let all = run(&world, "check all", 1).await?;
    ensure!(all["checks"].as_array().is_some_and(|parts| parts.iter().any(|part| part["check"] == "push")));
    proxy.resume().await?;

    // A root that has not signed it: TLS is what fails, and people read it.
    let stranger = Authority::new()?;
    world.settings.set_path("push.proxy", "ca-certificate", &stranger.ca());
    world.write_settings()?;
    world.kill_daemon().await?;
    world.start_daemon().await?;
    let tls = run(&world, "push check", 1).await?;
    ensure!(steps(&tls) == (["dns", "tcp", "tls"].map(str::to_owned).to_vec(), false), "{tls}");
    let people = world.run(&["push", "check"]).await?.expect_code(1)?.stdout;
    let line = people.lines().find(|line| line.trim_start().starts_with("tls"));
    ensure!(line.is_some_and(|line| line.contains("failed: ")), "{people}");
    Ok(())
}
