//! Updates: a push that left without labels is replaced once they are known, silently and once.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use zmes_tests::standin::{Fcm, TargetPeer};
use zmes_tests::{AppClient, UserRow, World, includes, wait_until};

const OF_ADMIN: &str = "update-admin:APA91bHPRgkF-one";
const OF_AMY: &str = "update-amy:APA91bHPRgkF-two";

const SECRET: &str = "whsec_cGxhbnRlZC1zaWduaW5nLXNlY3JldC1vZi10aGUtaG9vaw==";

/// A garage with two cameras: an admin with a phone, and amy with another.
struct Garage {
    fcm: Fcm,
    world: World,
    app: AppClient,
    admin: String,
    amy: String,
}

impl Garage {
    async fn with_labels(labels: &[(&str, &str)], blocks: &str) -> Result<Self> {
        let fcm = Fcm::start().await?;
        let mut world = World::new().monitor(1, "Garage").monitor(2, "Yard");
        world = world.user(UserRow::new("amy", "secret"));
        for (key, value) in labels {
            world = world.setting("labels", key, value);
        }
        let mut world = world.with_fcm(&fcm).prepare().await?;
        world.write_settings_with(blocks)?;
        world.start_daemon().await?;
        let app = world.phone("android", OF_ADMIN).await?;
        world.phone_of("amy", "secret", OF_AMY).await?;
        let (admin, amy) = (world.handle(OF_ADMIN).await?, world.handle(OF_AMY).await?);
        Ok(Self { fcm, world, app, admin, amy })
    }

    /// Starts an alarm, and waits until the admin's phone was sent it.
    async fn alarm(&mut self, monitor: u32, event: u64) -> Result<()> {
        self.world.alarm(monitor, event).await?;
        self.app.expect_alarm(event, monitor).await?;
        self.wait_push(&self.admin, event, &Value::Null, "sent").await.map(drop)
    }

    async fn notes(&self, event: u64, notes: &str) -> Result<()> {
        let set = format!("UPDATE Events SET Notes='{notes}' WHERE Id={event}");
        self.world.database.sql(&set).await.map(drop)
    }

    /// Returns what `tokens log` has of an event.
    async fn logged(&self, handle: &str, event: u64, phase: &Value) -> Result<Vec<Value>> {
        let log = self.world.ctl().json(&["tokens", "log", handle]).await?;
        let all = log["deliveries"].as_array().cloned().with_context(|| log.to_string())?;
        Ok(all.into_iter().filter(|one| one["event_id"] == event && one["phase"] == *phase).collect())
    }

    async fn wait_push(&self, handle: &str, event: u64, phase: &Value, decision: &str) -> Result<Value> {
        wait_until(&format!("the push {phase} of event {event} to {handle} is {decision}"), async || {
            let found = self.logged(handle, event, phase).await?;
            ensure!(found.len() <= 1, "more than one: {found:?}");
            Ok(found.into_iter().find(|one| one["decision"] == decision))
        })
        .await
    }

    async fn wait_update(&self, handle: &str, event: u64) -> Result<Value> {
        self.wait_push(handle, event, &json!("update"), "sent").await
    }

    /// Returns the messages that reached a phone.
    fn messages(&self, token: &str) -> Vec<Value> {
        self.fcm.messages.pushes_to(token).iter().map(|push| push.json()["message"].clone()).collect()
    }
}

fn body_of(message: &Value) -> &str {
    message["notification"]["body"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn labels_that_come_late_replace_the_push_silently_once_and_everything_shows_it() -> Result<()> {
    let mut garage = Garage::with_labels(&[("update", "true")], "").await?;
    let ctl = garage.world.ctl();
    let mut watch = ctl.stream(&["watch", "--type", "alarm,decision,delivery", "--jsonl"])?;
    garage.alarm(1, 32_910).await?;
    garage.wait_push(&garage.amy, 32_910, &Value::Null, "sent").await?;
    // What is set between the alarm and its update does not withhold it.
    garage.world.run(&["snooze", "Garage", "--for", "1h"]).await?.expect_code(0)?;
    garage.world.run(&["tokens", "mute", &garage.amy]).await?.expect_code(0)?;
    garage.notes(32_910, "[a] detected:person:95% car:87% Motion: Front").await?;
    let logged = garage.wait_update(&garage.admin, 32_910).await?;
    ensure!(logged["transport"] == "fcm", "{logged}");
    let skipped = garage.wait_push(&garage.amy, 32_910, &json!("update"), "skipped").await?;
    ensure!(skipped["reason"] == "muted", "{skipped}");

    let messages = garage.messages(OF_ADMIN);
    let [start, update] = messages.as_slice() else { anyhow::bail!("{messages:?}") };
    let tag = json!({"android": {"notification": {"tag": "zmes-1-32910"}}});
    ensure!(includes(start, &tag) && includes(update, &tag), "the update takes its place: {messages:?}");
    ensure!(body_of(start).starts_with("Motion at "), "{start}");
    let at = body_of(start).trim_start_matches("Motion at ");
    ensure!(body_of(update) == format!("person, car (Motion) at {at}"), "{update}");
    let expected = json!({"notification": {"title": start["notification"]["title"]}, "data": {"eid": "32910"},
        "android": {"priority": "normal"}});
    ensure!(includes(update, &expected), "{update}");
    ensure!(update["android"]["notification"]["sound"].is_null(), "{update}");
    let badge = garage.world.token(OF_ADMIN).await?.context("no token")?["badge"].clone();
    ensure!(badge == 1, "an update does not count: {badge}");
    ensure!(garage.messages(OF_AMY).len() == 1);

    let labels = json!([{"name": "person", "confidence": 95}, {"name": "car", "confidence": 87}]);
    let line = watch.find("the update", |line| line["type"] == "alarm" && line["phase"] == "update").await?;
    ensure!(includes(&line, &json!({"event_id": 32_910, "labels": labels})), "{line}");
    let line = watch.find("its push", |line| line["type"] == "delivery" && line["phase"] == "update").await?;
    ensure!(line["outcome"] == "sent" && line["labels"] == labels, "{line}");
    let past = ctl.run(&["watch", "--since", "10m", "--type", "alarm", "--count", "3", "--jsonl"]).await?;
    let past: Vec<Value> = past.stdout.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    // The record begins after that point: the first line says so.
    ensure!(past.len() == 3 && past[0]["type"] == "lagged" && past[1]["phase"].is_null(), "{past:?}");
    ensure!(past[2]["phase"] == "update" && past[2]["labels"] == labels, "{past:?}");
    let why = ctl.json(&["why", "32910"]).await?;
    let targets = why["targets"].as_array().context("no targets")?;
    let updates: Vec<_> = targets.iter().filter(|target| target["phase"] == "update").collect();
    ensure!(updates.len() == 2, "{why}");
    let text = garage.world.run(&["why", "32910"]).await?.expect_code(0)?.stdout;
    ensure!(text.contains("its update: "), "{text}");
    let text = garage.world.run(&["tokens", "log", &garage.admin]).await?.expect_code(0)?.stdout;
    ensure!(text.contains("Garage (update)"), "{text}");
    let text = garage.world.run(&["watch", "--since", "10m", "--type", "alarm", "--count", "3"]).await?;
    ensure!(
        text.stdout.contains("LABELS") && text.stdout.contains("person 95 %, car 87 %"),
        "{}",
        text.stdout
    );

    // What is detected later is no second update.
    garage.world.run(&["snooze", "end", "all"]).await?.expect_code(0)?;
    garage.notes(32_910, "[a] detected:dog:66%").await?;
    garage.alarm(2, 32_911).await?;
    garage.notes(32_911, "detected:cat").await?;
    garage.wait_update(&garage.admin, 32_911).await?;
    ensure!(garage.messages(OF_ADMIN).len() == 4, "{:?}", garage.messages(OF_ADMIN));
    garage.fcm.ensure_no_violations()
}

#[tokio::test]
async fn by_default_labels_are_told_to_scripts_and_replace_no_push() -> Result<()> {
    let mut garage = Garage::with_labels(&[], "").await?;
    let (script, out) = (garage.world.path("on-update"), garage.world.path("updates"));
    fs::write(
        &script,
        format!("#!/bin/sh\nread -r line\necho \"$ZMES_PHASE $line\" >>'{}'\n", out.display()),
    )?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    let command = script.display().to_string();
    let _hook = garage.world.ctl().stream(&["hook", "--on", "update", "--", &command])?;
    let mut watch = garage.world.ctl().stream(&["watch", "--type", "alarm", "--jsonl"])?;
    garage.alarm(1, 32_920).await?;
    garage.notes(32_920, "[s] detected:person:71%").await?;
    watch.find("the update", |line| line["phase"] == "update").await?;
    let told = wait_until("the hook was run", async || {
        Ok(fs::read_to_string(&out).ok().filter(|told| told.ends_with('\n')))
    })
    .await?;
    let message = told.strip_prefix("update ").with_context(|| told.clone())?;
    let message: Value = serde_json::from_str(message)?;
    let expected = json!({"v": 1, "event_type": "alarm_update", "event": 32_920, "cause": "Motion",
        "labels": [{"name": "person", "confidence": 71}]});
    ensure!(includes(&message, &expected), "{message}");
    ensure!(garage.logged(&garage.admin, 32_920, &json!("update")).await?.is_empty());

    // A reload switches it on for the next alarm.
    garage.world.settings.set("labels", "update", "true");
    garage.world.write_settings()?;
    let reloaded = garage.world.ctl().json(&["reload"]).await?;
    ensure!(reloaded["applied"] == json!(["labels.update"]), "{reloaded}");
    garage.alarm(1, 32_921).await?;
    garage.notes(32_921, "detected:cat").await?;
    garage.wait_update(&garage.admin, 32_921).await?;
    ensure!(garage.messages(OF_ADMIN).len() == 3, "{:?}", garage.messages(OF_ADMIN));
    Ok(())
}

#[tokio::test]
async fn a_kill_between_push_and_update_loses_no_update_and_repeats_none() -> Result<()> {
    let mut garage = Garage::with_labels(&[("update", "true")], "").await?;
    garage.alarm(1, 32_930).await?;
    garage.world.kill_daemon().await?;
    garage.notes(32_930, "[a] detected:person:95%").await?;
    garage.world.start_daemon().await?;
    garage.wait_update(&garage.admin, 32_930).await?;
    garage.wait_update(&garage.amy, 32_930).await?;
    // Killed again: it was decided.
    garage.world.kill_daemon().await?;
    garage.world.start_daemon().await?;
    garage.app = garage.world.admin().await?;
    garage.alarm(2, 32_931).await?;
    garage.notes(32_931, "detected:car").await?;
    garage.wait_update(&garage.admin, 32_931).await?;
    garage.wait_update(&garage.amy, 32_931).await?;
    for token in [OF_ADMIN, OF_AMY] {
        let messages = garage.messages(token);
        let bodies: Vec<_> = messages.iter().map(body_of).collect();
        let begins = |(body, begin): (&&str, &str)| body.starts_with(begin);
        let story = ["Motion at", "person (Motion)", "Motion at", "car (Motion)"];
        ensure!(bodies.len() == 4 && bodies.iter().zip(story).all(begins), "{token}: {bodies:?}");
    }
    Ok(())
}

#[tokio::test]
async fn who_was_not_told_of_the_alarm_gets_no_update_and_targets_choose_by_their_phases() -> Result<()> {
    let (hook, quiet) = (TargetPeer::webhook().await?, TargetPeer::webhook().await?);
    let target = |name: &str, service: &TargetPeer, phases: &str| {
        format!(
            "[[target]]\nname = \"{name}\"\nkind = \"webhook\"\nuser = \"admin\"\nurl = \"{}{}/${{monitor.id}}\"\n\
             token = \"{}\"\nsecret = \"{SECRET}\"\nca-certificate = \"{}\"\nphases = [{phases}]\n",
            service.url(),
            TargetPeer::HOOK_PATH,
            TargetPeer::HOOK_TOKEN,
            service.ca().display()
        )
    };
    let rule = "[[rule]]\nname = \"amy-sleeps\"\nreceivers = [\"amy\"]\naction = \"mute\"\n";
    let blocks = format!(
        "{rule}{}{}",
        target("node-red", &hook, "\"start\", \"update\""),
        target("quiet", &quiet, "\"start\"")
    );
    let mut garage = Garage::with_labels(&[("update", "true")], &blocks).await?;
    garage.alarm(1, 32_940).await?;
    garage.wait_push("@node-red", 32_940, &Value::Null, "sent").await?;
    garage.wait_push("@quiet", 32_940, &Value::Null, "sent").await?;
    garage.notes(32_940, "[a] detected:person:95%").await?;
    garage.wait_update(&garage.admin, 32_940).await?;
    garage.wait_update("@node-red", 32_940).await?;
    let told = hook.wait_accepted(2).await?;
    let expected = json!({"event_type": "alarm_update", "event": 32_940, "monitor": {"id": 1, "name": "Garage"},
        "cause": "Motion", "labels": [{"name": "person", "confidence": 95}], "urgent": false});
    ensure!(includes(&told[1].json(), &expected), "{}", told[1].json());
    ensure!(told[0].json()["id"] != told[1].json()["id"], "an id of its own");
    // One transaction decided for all.
    ensure!(quiet.wait_accepted(1).await?.len() == 1);
    for handle in [garage.amy.as_str(), "@quiet"] {
        ensure!(garage.logged(handle, 32_940, &json!("update")).await?.is_empty(), "{handle}");
    }
    let skipped = garage.logged(&garage.amy, 32_940, &Value::Null).await?;
    ensure!(skipped[0]["reason"] == "muted by rule", "{skipped:?}");
    ensure!(garage.messages(OF_AMY).is_empty());
    Ok(())
}
