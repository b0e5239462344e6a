//! Labels: what detection writes into ZoneMinder's database while an event is open, and the pushes that wait for it.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use zmes_tests::standin::Fcm;
use zmes_tests::{AppClient, Schema, UserRow, World, includes, wait_until};

const OF_ADMIN: &str = "labels-admin:APA91bHPRgkF-one";
const OF_AMY: &str = "labels-amy:APA91bHPRgkF-two";
/// The tags of ZoneMinder 1.38, as far as they are read.
const TAGS: &str = "CREATE TABLE Tags (Id INT UNSIGNED PRIMARY KEY, Name VARCHAR(64) NOT NULL); \
    CREATE TABLE Events_Tags (TagId INT UNSIGNED NOT NULL, EventId BIGINT UNSIGNED NOT NULL, PRIMARY KEY (TagId, EventId));";

/// A street with two cameras: an admin with a phone, and amy with another, who may see the first camera only.
struct Street {
    fcm: Fcm,
    world: World,
    admin: AppClient,
    admin_handle: String,
    amy_handle: String,
}

impl Street {
    async fn with_labels(labels: &[(&str, &str)], rules: &str) -> Result<Self> {
        let fcm = Fcm::start().await?;
        let mut world = World::new().schema(Schema::V1_38).monitor(1, "Garage").monitor(2, "Yard");
        world = world.user(UserRow::new("amy", "secret"));
        for (key, value) in labels {
            world = world.setting("labels", key, value);
        }
        let mut world = world.with_fcm(&fcm).prepare().await?;
        world.database.sql(TAGS).await?;
        world.write_settings_with(rules)?;
        world.start_daemon().await?;
        let admin = world.phone("android", OF_ADMIN).await?;
        world.phone_of("amy", "secret", OF_AMY).await?;
        let (admin_handle, amy_handle) = (world.handle(OF_ADMIN).await?, world.handle(OF_AMY).await?);
        Ok(Self { fcm, world, admin, admin_handle, amy_handle })
    }

    /// Starts an alarm; the app hears of it over its socket.
    async fn alarm(&mut self, monitor: u32, event: u64) -> Result<()> {
        self.world.alarm(monitor, event).await?;
        self.admin.expect_alarm(event, monitor).await.map(drop)
    }

    async fn notes(&self, event: u64, notes: &str) -> Result<()> {
        self.world
            .database
            .sql(&format!("UPDATE Events SET Notes='{notes}' WHERE Id={event}"))
            .await
            .map(drop)
    }

    /// Returns what `why` says of the admin's phone, once it was decided.
    async fn why(&self, event: u64) -> Result<Value> {
        let (event, handle) = (event.to_string(), &self.admin_handle);
        wait_until(&format!("the push of {event} is decided"), async || {
            let why = self.world.ctl().json(&["why", &event]).await?;
            let targets = why["targets"].as_array().into_iter().flatten();
            let decided = |target: &&Value| target["id"] == handle.as_str() && target["decision"] != "queued";
            Ok(targets.clone().find(decided).cloned())
        })
        .await
    }

    async fn labels(&self, event: u64) -> Result<Value> {
        let events = self.world.ctl().json(&["events"]).await?;
        let found = events["events"].as_array().into_iter().flatten().find(|view| view["event_id"] == event);
        Ok(found.with_context(|| events.to_string())?["labels"].clone())
    }

    async fn wait_labels(&self, event: u64, labels: &Value) -> Result<()> {
        wait_until(&format!("labels of {event}"), async || {
            Ok((self.labels(event).await? == *labels).then_some(()))
        })
        .await
    }
}

fn body_of(push: &Value) -> &str {
    push["message"]["notification"]["body"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_push_waits_for_labels_says_them_and_rules_see_them() -> Result<()> {
    let rules = "[[rule]]\nname = \"persons-only\"\nlabels-lack = [\"person\"]\naction = \"mute\"\n";
    let mut street = Street::with_labels(&[("wait", "\"20s\"")], rules).await?;
    let ctl = street.world.ctl();
    let mut watch = ctl.stream(&["watch", "--type", "alarm,decision,delivery", "--jsonl"])?;
    // The socket already has it, the phone does not.
    street.alarm(1, 32_910).await?;
    let waits = ctl.json(&["why", "32910"]).await?;
    ensure!(waits["notes"].to_string().contains("pushes wait for labels"), "{waits}");
    ensure!(street.fcm.messages.pushes_to(OF_ADMIN).is_empty());
    street.notes(32_910, "[a] detected:person:95% car:87% Motion: Front").await?;
    let told = street.why(32_910).await?;
    let expected = json!({"decision": "sent", "labels": [{"name": "person", "confidence": 95}, {"name": "car", "confidence": 87}],
        "label_wait": {"outcome": "found"}});
    ensure!(includes(&told, &expected), "{told}");
    let explanation = told["explanation"].as_str().unwrap_or_default();
    ensure!(explanation.contains(" s for labels: person 95 %, car 87 %"), "{explanation}");
    let pushes = street.fcm.messages.wait_pushes_to(OF_ADMIN, 1).await?;
    let body = pushes[0].json();
    ensure!(body_of(&body).starts_with("person, car (Motion) at "), "{body}");
    let line = watch.find("the push", |line| line["type"] == "delivery" && line["outcome"] == "sent").await?;
    ensure!(line["labels"][0] == json!({"name": "person", "confidence": 95}), "{line}");
    street.fcm.messages.wait_pushes_to(OF_AMY, 1).await?;

    // ZoneMinder overwrites its notes: labels seen before are kept.
    street.notes(32_910, "Motion: Front").await?;
    let both = json!([{"name": "person", "confidence": 95}, {"name": "car", "confidence": 87}]);
    ensure!(street.labels(32_910).await? == both);
    let why = ctl.json(&["why", "32910"]).await?;
    ensure!(why["labels"] == both, "{why}");
    let shown = ctl.run(&["why", "32910"]).await?.expect_code(0)?;
    ensure!(shown.stdout.contains("  labels: person 95 %, car 87 %\n"), "{}", shown.stdout);

    // A tag names a cat, which the rule does not let through.
    street.alarm(2, 32_911).await?;
    street
        .world
        .database
        .sql("INSERT INTO Tags VALUES (4, 'Cat'); INSERT INTO Events_Tags VALUES (4, 32911)")
        .await?;
    let told = street.why(32_911).await?;
    let expected = json!({"decision": "skipped", "reason": "muted by rule", "rule": "persons-only", "labels": [{"name": "Cat"}]});
    ensure!(includes(&told, &expected), "{told}");
    let list = ctl.json(&["rules", "list"]).await?;
    ensure!(includes(&list["rules"][0], &json!({"labels_lack": ["person"], "hits_24h": 1})), "{list}");
    for (arguments, action) in [
        (&["rules", "test", "--monitor", "1"][..], "notify"),
        (&["rules", "test", "--monitor", "1", "--label", "cat:80"], "mute"),
        (&["rules", "test", "--monitor", "1", "--label", "cat:80", "--label", "Person:30"], "notify"),
    ] {
        let tested = ctl.json(arguments).await?;
        ensure!(tested["action"] == action, "{arguments:?}: {tested}");
    }
    ctl.run(&["rules", "test", "--monitor", "1", "--label", "per\u{1b}son"]).await?.expect_code(2)?;
    ctl.run(&["rules", "test", "--monitor", "1", "--label", "person:101"]).await?.expect_code(2)?;
    Ok(())
}

#[tokio::test]
async fn without_labels_a_push_is_sent_or_dropped_as_the_file_says() -> Result<()> {
    let mut street = Street::with_labels(&[("wait", "\"1s\""), ("without", "\"send\"")], "").await?;
    street.alarm(1, 32_920).await?;
    let told = street.why(32_920).await?;
    ensure!(includes(&told, &json!({"decision": "sent", "label_wait": {"outcome": "none"}})), "{told}");
    let explanation = told["explanation"].as_str().unwrap_or_default();
    ensure!(
        explanation.contains("; no labels within 1") && explanation.ends_with(" s, sent without"),
        "{told}"
    );

    street.world.settings.set_text("labels", "without", "drop");
    street.world.write_settings()?;
    let reloaded = street.world.ctl().json(&["reload"]).await?;
    ensure!(reloaded["applied"] == json!(["labels.without"]), "{reloaded}");
    street.alarm(1, 32_921).await?;
    let told = street.why(32_921).await?;
    ensure!(includes(&told, &json!({"decision": "skipped", "reason": "no labels"})), "{told}");
    let explanation = "nothing was detected within labels.wait, and labels.without drops such pushes";
    ensure!(told["explanation"] == explanation, "{told}");
    let log = street.world.ctl().json(&["tokens", "log", &street.amy_handle]).await?;
    ensure!(log["deliveries"][0]["reason"] == "no labels", "{log}");
    // What can lose an alarm is yellow.
    let doctor = street.world.ctl().run(&["doctor", "--json"]).await?.json()?;
    let mut findings = doctor["findings"].as_array().into_iter().flatten();
    let warned = findings.any(|finding| {
        finding["severity"] == "warning"
            && finding["detail"].as_str().is_some_and(|detail| detail.contains("labels.without"))
    });
    ensure!(warned, "{doctor}");
    Ok(())
}

#[tokio::test]
async fn a_kill_while_a_push_waits_loses_nothing_and_sends_nothing_twice() -> Result<()> {
    let mut street = Street::with_labels(&[("wait", "\"20s\"")], "").await?;
    street.alarm(1, 32_930).await?;
    let waits = street.world.ctl().json(&["why", "32930"]).await?;
    ensure!(waits["notes"].to_string().contains("pushes wait for labels"), "{waits}");
    street.world.kill_daemon().await?;
    street.notes(32_930, "[s] detected:person:71%").await?;
    street.world.start_daemon().await?;
    let told = street.why(32_930).await?;
    let expected = json!({"decision": "sent", "labels": [{"name": "person", "confidence": 71}]});
    ensure!(includes(&told, &expected), "{told}");
    // Killed again: it was decided.
    street.world.kill_daemon().await?;
    street.world.start_daemon().await?;
    street.admin = street.world.admin().await?;
    street.alarm(2, 32_931).await?;
    street.notes(32_931, "detected:car").await?;
    street.why(32_931).await?;
    for token in [OF_ADMIN, OF_AMY] {
        let pushes = street.fcm.messages.wait_pushes_to(token, 2).await?;
        let bodies: Vec<_> = pushes.iter().map(|push| body_of(&push.json()).to_owned()).collect();
        let once = bodies.len() == 2 && bodies[0].starts_with("person") && bodies[1].starts_with("car");
        ensure!(once, "{token}: {bodies:?}");
    }
    let events = street.world.ctl().json(&["events"]).await?;
    ensure!(events["events"].as_array().is_some_and(|events| events.len() == 2), "announced once: {events}");
    Ok(())
}

#[tokio::test]
async fn a_database_that_is_away_drops_nothing_and_labels_are_found_once_it_is_back() -> Result<()> {
    let mut street = Street::with_labels(&[("wait", "\"25s\""), ("without", "\"drop\"")], "").await?;
    street.alarm(1, 32_940).await?;
    street.notes(32_940, "[a] detected:person:95%").await?;
    street.why(32_940).await?;
    street.world.database.stop().await?;
    street.world.wait_status("down", |status| status["database"] == "down").await?;
    street.world.alarm_without_row(2, 32_941).await?;
    street.admin.expect_alarm(32_941, 2).await?;
    street.world.database.resume().await?;
    street.world.insert_event(zmes_tests::EventRow::new(32_941, 2)).await?;
    street.notes(32_941, "[a] detected:dog:66%").await?;
    let told = street.why(32_941).await?;
    let expected = json!({"decision": "sent", "labels": [{"name": "dog", "confidence": 66}]});
    ensure!(includes(&told, &expected), "{told}");

    // The database is away until the wait ends: nothing has said that there are no labels.
    street.world.settings.set_text("labels", "wait", "2s");
    street.world.write_settings()?;
    street.world.ctl().json(&["reload"]).await?;
    street.world.database.stop().await?;
    street.world.wait_status("down", |status| status["database"] == "down").await?;
    street.world.alarm_without_row(1, 32_942).await?;
    street.admin.expect_alarm(32_942, 1).await?;
    let told = street.why(32_942).await?;
    ensure!(includes(&told, &json!({"decision": "sent", "label_wait": {"outcome": "unread"}})), "{told}");
    Ok(())
}

#[tokio::test]
async fn without_a_wait_pushes_leave_at_once_and_labels_are_still_kept() -> Result<()> {
    let rules = "[[rule]]\nname = \"cats\"\nlabels = [\"cat\"]\naction = \"mute\"\n";
    let mut street = Street::with_labels(&[], rules).await?;
    let doctor = street.world.ctl().run(&["doctor", "--json"]).await?.json()?;
    let warned = doctor.to_string().contains("pushes leave before labels are known (labels.wait is 0s)");
    ensure!(warned, "{doctor}");
    street.alarm(1, 32_950).await?;
    let told = street.why(32_950).await?;
    ensure!(told["decision"] == "sent" && told["label_wait"].is_null(), "{told}");
    street.notes(32_950, "[a] detected:cat:80%").await?;
    street.wait_labels(32_950, &json!([{"name": "cat", "confidence": 80}])).await?;
    Ok(())
}

#[tokio::test]
async fn a_phone_whose_user_may_not_see_the_camera_stays_silent_whatever_is_detected() -> Result<()> {
    let mut street = Street::with_labels(&[("wait", "\"20s\"")], "").await?;
    street
        .world
        .database
        .sql(
            "INSERT INTO Monitors_Permissions (MonitorId, UserId, Permission) \
              SELECT 2, Id, 'None' FROM Users WHERE Username='amy'",
        )
        .await?;
    street.world.ctl().run(&["monitors", "reload"]).await?.expect_code(0)?;
    street.alarm(2, 32_960).await?;
    street.notes(32_960, "[a] detected:person:95%").await?;
    let told = street.why(32_960).await?;
    ensure!(told["decision"] == "sent", "{told}");
    let skipped = street.world.wait_delivery(&street.amy_handle, 32_960, "skipped").await?;
    ensure!(skipped["reason"] == "rights", "{skipped}");
    ensure!(street.fcm.messages.pushes_to(OF_AMY).is_empty());
    Ok(())
}
