//! Better pictures: a push that left without one, or with a poor one, is replaced once the better one is there.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use zmes_tests::standin::{Answer, Arrival, Behaviour, Fcm, PushProxy, TargetPeer, form};
use zmes_tests::{World, includes, wait_until};

use crate::{BASE, PHONE, cameras, house, image, jpeg, open, phone, start, target};

/// What ZoneMinder has without detection: then `alarm.jpg` is the best.
const WITHOUT_DETECTION: &str = "[\"alarm\", \"snapshot\"]";

/// Returns the updates in the log of a token, by their outcome.
async fn updates(world: &World, handle: &str, event: u64) -> Result<Vec<Value>> {
    let log = world.ctl().json(&["tokens", "log", handle]).await?;
    let all = log["deliveries"].as_array().cloned().with_context(|| log.to_string())?;
    Ok(all.into_iter().filter(|one| one["event_id"] == event && one["phase"] == "update").collect())
}

async fn wait_update(world: &World, handle: &str, event: u64, decision: &str) -> Result<Value> {
    wait_until(&format!("the update of {event} to {handle} is {decision}"), async || {
        let found = updates(world, handle, event).await?;
        ensure!(found.len() <= 1, "more than one: {found:?}");
        Ok(found.into_iter().find(|one| one["decision"] == decision))
    })
    .await
}

fn message(push: &Arrival) -> Value {
    push.json()["message"].clone()
}

#[tokio::test]
async fn a_phone_that_loaded_a_poor_picture_is_shown_that_of_detection_silently_and_once() -> Result<()> {
    let fcm = Fcm::start().await?;
    let world = house(&fcm).setting("picture", "update", "true").start().await?;
    let mut app = phone(&world).await?;
    world.alarm(1, 10).await?;
    app.expect_alarm(10, 1).await?;
    let start = fcm.messages.wait_pushes_to(PHONE, 1).await?.remove(0);
    let (url, directory) = (image(&start)?, world.event_directory(1, 10).await?);
    fs::write(directory.join("alarm.jpg"), jpeg(1))?;
    ensure!(open(&world, &url).await?.1 == jpeg(1));

    fs::write(directory.join("objdetect.jpg"), jpeg(2))?;
    let handle = world.handle(PHONE).await?;
    wait_update(&world, &handle, 10, "sent").await?;
    let update = fcm.messages.wait_pushes_to(PHONE, 2).await?.remove(1);
    let tag = json!({"android": {"notification": {"tag": "zmes-1-10"}}});
    ensure!(includes(&message(&start), &tag) && includes(&message(&update), &tag), "it takes its place");
    ensure!(includes(&message(&update), &json!({"android": {"priority": "normal"}})), "{}", message(&update));
    ensure!(message(&update)["android"]["notification"]["sound"].is_null(), "{}", message(&update));
    let words = |push: &Arrival| {
        let notification = &message(push)["notification"];
        (notification["title"].clone(), notification["body"].clone())
    };
    ensure!(words(&update) == words(&start), "{:?}", words(&update));
    let better = image(&update)?;
    ensure!(better != url, "a phone does not load the same link twice");
    ensure!(open(&world, &better).await?.1 == jpeg(2));
    let badge = world.token(PHONE).await?.context("no token")?["badge"].clone();
    ensure!(badge == 1, "an update does not count: {badge}");

    // Labels that come later are no second update, and who has loaded the best gets none.
    world.database.sql("UPDATE Events SET Notes='detected:person:95%' WHERE Id=10").await?;
    world.end_alarm(1, 10).await?;
    world.alarm(2, 11).await?;
    app.expect_alarm(11, 2).await?;
    let second = fcm.messages.wait_pushes_to(PHONE, 3).await?.remove(2);
    let directory = world.event_directory(2, 11).await?;
    fs::write(directory.join("objdetect.jpg"), jpeg(3))?;
    ensure!(open(&world, &image(&second)?).await?.1 == jpeg(3));
    world.end_alarm(2, 11).await?;
    world.alarm(1, 12).await?;
    app.expect_alarm(12, 1).await?;
    let third = fcm.messages.wait_pushes_to(PHONE, 4).await?.remove(3);
    let directory = world.event_directory(1, 12).await?;
    fs::write(directory.join("snapshot.jpg"), jpeg(4))?;
    ensure!(open(&world, &image(&third)?).await?.1 == jpeg(4));
    fs::write(directory.join("objdetect.jpg"), jpeg(5))?;
    wait_update(&world, &handle, 12, "sent").await?;
    ensure!(updates(&world, &handle, 11).await?.is_empty(), "its phone has loaded the best");
    ensure!(updates(&world, &handle, 10).await?.len() == 1);
    let text = world.run(&["why", "12"]).await?.expect_code(0)?.stdout;
    ensure!(text.contains("its update: "), "{text}");
    fcm.ensure_no_violations()
}

#[tokio::test]
async fn services_that_can_replace_a_message_get_the_picture_and_others_are_left_alone() -> Result<()> {
    let (ntfy, pager, bot, hook) = (
        TargetPeer::ntfy().await?,
        TargetPeer::pushover().await?,
        TargetPeer::telegram().await?,
        TargetPeer::webhook().await?,
    );
    let more = "picture-wait = \"0s\"\nphases = [\"start\", \"update\"]";
    let targets = [
        target("ntfy", &ntfy, &format!("{more}\nsnooze-buttons = [\"1h\"]")),
        target("pushover", &pager, more),
        target("telegram", &bot, &format!("{more}\nsnooze-buttons = [\"1h\"]")),
        target("webhook", &hook, "phases = [\"start\", \"update\"]\npicture = \"base64\""),
    ];
    let builder = cameras()
        .setting("picture", "base-url", &format!("\"{BASE}\""))
        .setting("picture", "update", "true")
        .setting("picture", "order", WITHOUT_DETECTION)
        .setting("labels", "source", "[]");
    let world = start(builder, &targets).await?;
    world.alarm(1, 10).await?;
    for handle in ["@ntfy", "@pushover", "@telegram", "@webhook"] {
        world.wait_delivery(handle, 10, "sent").await?;
    }
    let picture = jpeg(7);
    fs::write(world.event_directory(1, 10).await?.join("alarm.jpg"), &picture)?;

    let told = ntfy.wait_accepted(2).await?;
    let (first, second) = (told[0].json(), &told[1].request);
    ensure!(second.body == picture, "{} bytes", second.body.len());
    ensure!(
        second.header("x-sequence-id").is_some()
            && second.header("x-sequence-id") == first["sequence_id"].as_str()
    );
    ensure!(second.header("x-priority") == Some("2"), "silent: {:?}", second.header("x-priority"));

    let told = bot.wait_accepted(2).await?;
    ensure!(told[1].request.path.ends_with("/editMessageMedia"), "{}", told[1].request.path);
    let parts = form(&told[1].request);
    let part = |name: &str| parts.iter().find(|(own, _)| own == name).map(|(_, value)| &value[..]);
    ensure!(part("message_id") == Some(b"4711") && part("photo") == Some(&picture[..]), "{parts:?}");
    let keyboard: Value = serde_json::from_slice(part("reply_markup").context("the buttons vanish")?)?;
    ensure!(keyboard["inline_keyboard"][0][0]["text"] == "Snooze 1h", "{keyboard}");

    let told = hook.wait_accepted(2).await?;
    let update = told[1].json();
    ensure!(update["event_type"] == "alarm_update" && update["event"] == 10, "{update}");
    ensure!(update["picture_base64"].is_string() && told[0].json()["picture_base64"].is_null(), "{update}");

    let skipped = wait_update(&world, "@pushover", 10, "skipped").await?;
    ensure!(skipped["reason"] == "cannot be replaced", "{skipped}");
    ensure!(pager.push_count() == 1);
    for service in [&ntfy, &pager, &bot, &hook] {
        service.ensure_no_violations()?;
    }
    Ok(())
}

#[tokio::test]
async fn labels_edit_the_message_of_telegram_and_bring_the_better_picture_with_them() -> Result<()> {
    let (bot, hook) = (TargetPeer::telegram().await?, TargetPeer::webhook().await?);
    let more = "picture-wait = \"0s\"\nphases = [\"start\", \"update\"]";
    let targets = [target("telegram", &bot, more), target("webhook", &hook, "")];
    let world = start(cameras().setting("picture", "update", "true"), &targets).await?;
    world.alarm(1, 10).await?;
    world.wait_delivery("@telegram", 10, "sent").await?;
    // As zm_detect: the picture first.
    fs::write(world.event_directory(1, 10).await?.join("objdetect.jpg"), jpeg(2))?;
    world.database.sql("UPDATE Events SET Notes='detected:person:95%' WHERE Id=10").await?;
    wait_update(&world, "@telegram", 10, "sent").await?;
    let told = bot.wait_accepted(2).await?;
    ensure!(told[1].request.path.ends_with("/editMessageMedia"), "{}", told[1].request.path);
    let parts = form(&told[1].request);
    let media = parts.iter().find(|(name, _)| name == "media").context("no media")?;
    let media: Value = serde_json::from_slice(&media.1)?;
    ensure!(media["caption"] == "Garage\nperson (Motion)", "{media}");

    // Without a picture the text is edited.
    world.end_alarm(1, 10).await?;
    world.alarm(2, 11).await?;
    world.wait_delivery("@telegram", 11, "sent").await?;
    let refused =
        json!({"ok": false, "description": "Bad Request: there is no caption in the message to edit"});
    bot.answer_next(1, &Behaviour::Answer(Answer::json(400, &refused)));
    world.database.sql("UPDATE Events SET Notes='detected:car:71%' WHERE Id=11").await?;
    wait_update(&world, "@telegram", 11, "sent").await?;
    let told = bot.wait_accepted(4).await?;
    ensure!(told[3].request.path.ends_with("/editMessageText"), "{}", told[3].request.path);
    ensure!(told[3].json()["text"] == "Höf\ncar (Motion)", "{}", told[3].json());
    ensure!(hook.push_count() == 2, "its phases have no update");
    bot.ensure_no_violations()
}

#[tokio::test]
async fn a_kill_before_the_better_picture_loses_no_update_and_repeats_none() -> Result<()> {
    let bot = TargetPeer::telegram().await?;
    let more = "picture-wait = \"0s\"\nphases = [\"start\", \"update\"]";
    let builder = cameras().setting("picture", "update", "true").setting("labels", "source", "[]");
    let mut world = start(builder, &[target("telegram", &bot, more)]).await?;
    world.alarm(1, 10).await?;
    world.wait_delivery("@telegram", 10, "sent").await?;
    world.kill_daemon().await?;
    // What was shown is not kept over a restart.
    write_later(&world.event_directory(1, 10).await?.join("objdetect.jpg"), 2)?;
    world.start_daemon().await?;
    wait_update(&world, "@telegram", 10, "sent").await?;
    world.kill_daemon().await?;
    world.start_daemon().await?;
    world.end_alarm(1, 10).await?;
    world.alarm(2, 11).await?;
    world.wait_delivery("@telegram", 11, "sent").await?;
    fs::write(world.event_directory(2, 11).await?.join("objdetect.jpg"), jpeg(3))?;
    wait_update(&world, "@telegram", 11, "sent").await?;
    ensure!(updates(&world, "@telegram", 10).await?.len() == 1 && bot.push_count() == 4);
    bot.ensure_no_violations()
}

/// Makes a picture that was written when each phone had loaded what it shows: of those phones nothing is known.
fn write_later(path: &Path, content: u8) -> Result<()> {
    fs::write(path, jpeg(content))?;
    let file = fs::File::options().write(true).open(path)?;
    let now = file.metadata()?.modified()?;
    Ok(file.set_modified(now + Duration::from_secs(4))?)
}

async fn switch(world: &mut World, on: &str) -> Result<()> {
    world.settings.set("picture", "update", on);
    world.write_settings()?;
    let reloaded = world.ctl().json(&["reload"]).await?;
    ensure!(reloaded["applied"] == json!(["picture.update"]), "{reloaded}");
    Ok(())
}

#[tokio::test]
async fn by_default_no_better_picture_is_sent_and_to_a_push_proxy_never() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let mut world = cameras()
        .with_push_proxy(&proxy)
        .setting("picture", "base-url", &format!("\"{BASE}\""))
        .setting("picture", "order", WITHOUT_DETECTION)
        .start()
        .await?;
    let mut app = phone(&world).await?;
    let handle = world.handle(PHONE).await?;
    for (monitor, event) in [(1, 10), (2, 11)] {
        world.alarm(monitor, event).await?;
        app.expect_alarm(event, monitor).await?;
        world.wait_delivery(&handle, event, "sent").await?;
        write_later(&world.event_directory(monitor, event).await?.join("alarm.jpg"), 1)?;
        world.end_alarm(monitor, event).await?;
        if event == 10 {
            switch(&mut world, "true").await?;
        }
    }
    let skipped = wait_update(&world, &handle, 11, "skipped").await?;
    ensure!(skipped["reason"] == "cannot be replaced", "{skipped}");
    ensure!(updates(&world, &handle, 10).await?.is_empty());
    ensure!(proxy.pushes_to(PHONE).len() == 2);
    Ok(())
}
