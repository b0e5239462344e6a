//! `watch --since`: the past from the record, then the present, without a gap and without a repetition; and what can be
//! chosen of both.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use zmes_tests::standin::{Behaviour, PushProxy};
use zmes_tests::{Streaming, UserRow, World, WorldBuilder, includes, token_ending, wait_until};

const PHONE: &str = "since:APA91bHPRgkF-phone";

fn garage(proxy: &PushProxy) -> WorldBuilder {
    World::new()
        .monitor(1, "Garage")
        .monitor(2, "Yard")
        .user(UserRow::new("bob", "pw"))
        .with_push_proxy(proxy)
}

/// Reads until a delivery has this outcome; returns "type event outcome" of each line about the phone.
async fn story(watch: &mut Streaming, handle: &str, event: u64, outcome: &str) -> Result<Vec<String>> {
    let mut story = Vec::new();
    loop {
        let line = watch.next().await?.context("the stream has ended")?;
        let word = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        match word("type").as_str() {
            "alarm" if line["phase"].is_null() => story.push(format!("alarm {}", line["event_id"])),
            "decision" if line["id"] == handle => {
                story.push(format!("decision {} {}{}", line["event_id"], word("decision"), word("reason")));
            }
            "delivery" if line["id"] == handle => {
                story.push(format!("delivery {} {}", line["event_id"], word("outcome")));
                if line["event_id"] == event && line["outcome"] == outcome {
                    return Ok(story);
                }
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn the_past_is_told_whole_and_the_present_goes_on_from_there() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let mut world = garage(&proxy).start().await?;
    let _phone = world.phone("android", PHONE).await?;
    let handle = world.handle(PHONE).await?;
    world.alarm(1, 100).await?;
    world.wait_delivery(&handle, 100, "sent").await?;
    proxy.answer_token_next(PHONE, 1, &Behaviour::status(503, "busy"));
    world.alarm(2, 101).await?;
    world.wait_delivery(&handle, 101, "sent").await?;
    world.run(&["tokens", "mute", &handle]).await?.expect_code(0)?;
    world.end_alarm(1, 100).await?;
    world.wait_monitor(1, "idle", |monitor| monitor["state"] == "idle").await?;
    world.alarm(1, 102).await?;
    world.wait_delivery(&handle, 102, "skipped").await?;
    world.run(&["tokens", "unmute", &handle]).await?.expect_code(0)?;

    let expected = [
        "alarm 100",
        "decision 100 sent",
        "delivery 100 sent",
        "alarm 101",
        "decision 101 sent",
        "delivery 101 retry",
        "delivery 101 sent",
        "alarm 102",
        "decision 102 skippedmuted",
    ];
    // By event, by time, by age; the daemon's end in between loses nothing of it.
    world.daemon()?.end(nix::sys::signal::Signal::SIGTERM).await?;
    world.start_daemon().await?;
    for (number, since) in ["99", "2000-01-01T00:00:00Z", "1h"].into_iter().enumerate() {
        let mut watch = world.ctl().stream(&[
            "watch",
            "--jsonl",
            "--since",
            since,
            "--type",
            "alarm,decision,delivery",
        ])?;
        let event = 200 + number as u64;
        watch
            .find("the last of the past", |line| line["event_id"] == 102 && line["type"] == "decision")
            .await?;
        let again = world.ctl().stream(&["watch", "--jsonl", "--since", since]);
        let mut again = again?;
        world.end_alarm(2, 101).await?;
        world.wait_monitor(2, "idle", |monitor| monitor["state"] == "idle").await?;
        world.alarm(2, event).await?;
        let mut live = story(&mut watch, &handle, event, "sent").await?;
        // What the rounds before have added to the past comes first.
        live.drain(..live.len().saturating_sub(3));
        let now =
            [format!("alarm {event}"), format!("decision {event} sent"), format!("delivery {event} sent")];
        assert_eq!(live, now, "{since}");
        // The other one saw past and present in one go.
        let whole = story(&mut again, &handle, event, "sent").await?;
        assert_eq!(whole.get(..expected.len()).unwrap_or_default(), expected, "{since}: {whole:?}");
        for line in &now {
            assert_eq!(whole.iter().filter(|told| *told == line).count(), 1, "{line}: {whole:?}");
        }
        assert_eq!(whole.last(), Some(&now[2]), "{whole:?}");
        world.end_alarm(2, event).await?;
        world.wait_monitor(2, "idle", |monitor| monitor["state"] == "idle").await?;
    }
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn while_pushes_come_thick_and_fast_nothing_is_told_twice_or_not_at_all() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = garage(&proxy).setting("push", "storm-limit", "1000").start().await?;
    let _phone = world.phone("android", PHONE).await?;
    let handle = world.handle(PHONE).await?;
    let sent = async || -> Result<usize> {
        let log = world.ctl().json(&["tokens", "log", &handle]).await?;
        let deliveries = log["deliveries"].as_array().context("no log")?;
        Ok(deliveries.iter().filter(|delivery| delivery["decision"] == "sent").count())
    };
    let alarms = async {
        for event in 200..240 {
            world.alarm(1, event).await?;
        }
        wait_until("all are sent", async || Ok((sent().await? == 40).then_some(()))).await
    };
    let watchers = async {
        let mut watchers = Vec::new();
        for _ in 0..6 {
            // Each begins while alarms come.
            let arguments = ["watch", "--jsonl", "--since", "199", "--token", token_ending(PHONE)];
            let mut watch = world.ctl().stream(&arguments)?;
            watch.find("the token", |line| line["type"] == "token").await?;
            watchers.push(watch);
        }
        anyhow::Ok(watchers)
    };
    let (alarms, watchers) = tokio::join!(alarms, watchers);
    alarms?;
    world.alarm(2, 300).await?;
    for mut watch in watchers? {
        let mut story = story(&mut watch, &handle, 300, "sent").await?;
        // What waits at the moment when the watcher comes belongs to the state, not to the story.
        story.retain(|line| !line.ends_with(" queued"));
        story.sort();
        let told = story.len();
        story.dedup();
        // For each alarm: the alarm, the decision, the outcome.
        assert_eq!((told, story.len()), (3 * 41, 3 * 41), "{story:?}");
    }
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn what_waits_is_part_of_the_state_and_one_user_can_be_chosen() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = garage(&proxy).start().await?;
    let _phone = world.phone("android", PHONE).await?;
    let handle = world.handle(PHONE).await?;
    proxy.always(Behaviour::Hang);
    world.alarm(1, 100).await?;
    proxy.wait_pushes_to(PHONE, 1).await?;
    let mut watch = world.ctl().stream(&["watch", "--jsonl"])?;
    let queued = watch.find("what waits", |line| line["type"] == "delivery").await?;
    let expected = json!({"outcome": "queued", "id": handle, "event_id": 100, "monitor_id": 1});
    ensure!(includes(&queued, &expected), "{queued}");
    let people = world.run(&["watch", "--type", "delivery", "--count", "1"]).await?.expect_code(0)?;
    ensure!(people.stdout.contains(&format!("event 100 token {handle}: queued")), "{people:#?}");

    let mut bobs = world.ctl().stream(&["watch", "--jsonl", "--user", "b*", "--type", "session,decision"])?;
    let mut bob = world.login("bob", "pw").await?;
    let came = bobs.next().await?.context("the stream has ended")?;
    ensure!(includes(&came, &json!({"type": "session", "client": {"user": "bob"}})), "{came}");
    world.alarm(2, 101).await?;
    bob.expect_alarm(101, 2).await?;
    let decision = bobs.find("the decision", |line| line["type"] == "decision").await?;
    ensure!(
        decision["target"] == "session"
            && decision["id"].as_str() == Some(&*came["client"]["id"].to_string()),
        "{decision}"
    );
    // One unknown monitor name, and one that exists.
    let wrong = world.run(&["watch", "--monitor", "Garag"]).await?.expect_code(4)?;
    ensure!(wrong.stderr.contains("did you mean Garage (1)?"), "{wrong:#?}");
    let one = world.run(&["watch", "--monitor", "Garage", "--count", "1", "--json"]).await?.expect_code(0)?;
    let one: Value = serde_json::from_str(&one.stdout)?;
    ensure!(one["monitor"]["name"] == "Garage", "{one}");
    Ok(())
}
