//! Services that take pictures: as files, in a member of the JSON, as links.

use std::fs;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use zmes_tests::includes;
use zmes_tests::standin::{Answer, Behaviour, TargetPeer, form};

use crate::{BASE, cameras, jpeg, open, start, target};

#[tokio::test]
async fn services_that_take_files_get_the_picture_with_the_text() -> Result<()> {
    let (ntfy, pager, bot) =
        (TargetPeer::ntfy().await?, TargetPeer::pushover().await?, TargetPeer::telegram().await?);
    let wait = "picture-wait = \"10s\"";
    let targets =
        [target("ntfy", &ntfy, wait), target("pushover", &pager, wait), target("telegram", &bot, wait)];
    let world = start(cameras(), &targets).await?;
    world.alarm(2, 10).await?;
    // ZoneMinder writes the picture a moment after the alarm, and in place.
    let (path, picture) = (world.event_directory(2, 10).await?.join("alarm.jpg"), jpeg(7));
    fs::write(&path, &picture[..2000])?;
    ensure!(ntfy.push_count() + pager.push_count() + bot.push_count() == 0, "the text waits for the picture");
    fs::write(&path, &picture)?;

    let sent = &ntfy.wait_accepted(1).await?[0].request;
    ensure!(sent.body == picture, "{} bytes", sent.body.len());
    ensure!(sent.path == format!("/{}", TargetPeer::TOPIC), "{}", sent.path);
    let title = format!("=?UTF-8?B?{}?=", STANDARD.encode("Höf"));
    for (name, value) in [
        ("x-title", title.as_str()),
        ("x-message", "Motion"),
        ("x-priority", "3"),
        ("x-tags", "camera"),
        ("x-filename", "alarm.jpg"),
    ] {
        ensure!(sent.header(name) == Some(value), "{name}: {:?}", sent.header(name));
    }
    let message = pager.wait_accepted(1).await?[0].json();
    ensure!(message["attachment_base64"] == STANDARD.encode(&picture), "{message}");
    ensure!(message["message"] == "Motion", "{message}");
    let parts = form(&bot.wait_accepted(1).await?[0].request);
    let expected: [(&str, &[u8]); 4] = [
        ("chat_id", b"-100123"),
        ("caption", "Höf\nMotion".as_bytes()),
        ("disable_notification", b"false"),
        ("photo", &picture),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_vec()));
    ensure!(parts == expected, "{parts:?}");
    for handle in ["@ntfy", "@pushover", "@telegram"] {
        world.wait_delivery(handle, 10, "sent").await?;
    }
    ntfy.ensure_no_violations()?;
    pager.ensure_no_violations()?;
    bot.ensure_no_violations()
}

#[tokio::test]
async fn a_text_goes_out_alone_where_there_is_no_picture_or_it_is_refused() -> Result<()> {
    let (ntfy, pager, bot) =
        (TargetPeer::ntfy().await?, TargetPeer::pushover().await?, TargetPeer::telegram().await?);
    let targets = [target("ntfy", &ntfy, ""), target("pushover", &pager, ""), target("telegram", &bot, "")];
    let mut world = start(cameras(), &targets).await?;
    world.alarm(1, 10).await?;
    let sent = ntfy.wait_accepted(1).await?[0].json();
    ensure!(sent["message"] == "Motion" && sent["attach"].is_null(), "{sent}");
    ensure!(pager.wait_accepted(1).await?[0].json()["attachment_base64"].is_null());
    ensure!(bot.wait_accepted(1).await?[0].json()["text"] == "Garage\nMotion");
    let log = world.daemon()?.log();
    ensure!(log.contains("no picture of the event was found in time"), "{log}");

    // There is a picture, and each service refuses it in its own way.
    world.end_alarm(1, 10).await?;
    let refusals = [
        (&ntfy, Answer::json(400, &json!({"code": 40014, "http": 400, "error": "attachments not allowed"}))),
        (&pager, Answer::new(413, "too large")),
        (
            &bot,
            Answer::json(400, &json!({"ok": false, "description": "Bad Request: PHOTO_INVALID_DIMENSIONS"})),
        ),
    ];
    for (service, refusal) in refusals {
        service.answer_next(1, &Behaviour::Answer(refusal));
    }
    world.alarm(1, 11).await?;
    fs::write(world.event_directory(1, 11).await?.join("alarm.jpg"), jpeg(1))?;
    for (service, handle) in [(&ntfy, "@ntfy"), (&pager, "@pushover"), (&bot, "@telegram")] {
        let sent = world.wait_delivery(handle, 11, "sent").await?;
        ensure!(sent["attempts"] == 1, "{sent}");
        ensure!(service.wait_accepted(2).await?.len() == 2 && service.push_count() == 3, "{handle}");
    }
    ensure!(ntfy.accepted()[1].json()["message"] == "Motion");

    // The next one is taken again.
    world.end_alarm(1, 11).await?;
    world.alarm(1, 12).await?;
    fs::write(world.event_directory(1, 12).await?.join("alarm.jpg"), jpeg(2))?;
    ensure!(ntfy.wait_accepted(3).await?[2].request.body == jpeg(2));
    Ok(())
}

#[tokio::test]
async fn a_service_that_fails_at_the_picture_alone_gets_the_text_at_once() -> Result<()> {
    let (ntfy, pager, hook) =
        (TargetPeer::ntfy().await?, TargetPeer::pushover().await?, TargetPeer::webhook().await?);
    let targets = [
        target("ntfy", &ntfy, ""),
        target("pushover", &pager, ""),
        target("webhook", &hook, "picture = \"base64\""),
    ];
    let mut world = start(cameras(), &targets).await?;
    // ntfy's answer where its directory of attachments cannot be written.
    ntfy.answer_next(
        1,
        &Behaviour::status(500, r#"{"code":50001,"http":500,"error":"internal server error"}"#),
    );
    pager.answer_next(1, &Behaviour::CloseConnection);
    hook.answer_next(1, &Behaviour::status(400, "no such member"));
    world.alarm(1, 10).await?;
    fs::write(world.event_directory(1, 10).await?.join("alarm.jpg"), jpeg(1))?;
    for (service, handle) in [(&ntfy, "@ntfy"), (&pager, "@pushover"), (&hook, "@webhook")] {
        let sent = world.wait_delivery(handle, 10, "sent").await?;
        ensure!(sent["attempts"] == 1, "{handle}: {sent}");
        ensure!(service.wait_accepted(1).await?.len() == 1 && service.push_count() == 2, "{handle}");
    }
    ensure!(ntfy.accepted()[0].json()["message"] == "Motion");
    ensure!(hook.accepted()[0].json()["picture_base64"].is_null());

    // The next picture is taken.
    world.end_alarm(1, 10).await?;
    world.alarm(1, 11).await?;
    fs::write(world.event_directory(1, 11).await?.join("alarm.jpg"), jpeg(2))?;
    ensure!(ntfy.wait_accepted(2).await?[1].request.body == jpeg(2));
    ensure!(world.daemon()?.log().contains("internal server error"));
    Ok(())
}

#[tokio::test]
async fn targets_with_links_get_links_that_open() -> Result<()> {
    let (ntfy, gotify, hook) =
        (TargetPeer::ntfy().await?, TargetPeer::gotify().await?, TargetPeer::webhook().await?);
    let link = "picture = \"link\"";
    let targets =
        [target("ntfy", &ntfy, link), target("gotify", &gotify, ""), target("webhook", &hook, link)];
    let builder = cameras().setting("picture", "base-url", &format!("\"{BASE}\"")).setting(
        "picture",
        "link-url",
        "\"https://zm.example.org/?eid=${event}\"",
    );
    let mut world = start(builder, &targets).await?;
    world.alarm(1, 10).await?;
    fs::write(world.event_directory(1, 10).await?.join("alarm.jpg"), jpeg(3))?;
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned).with_context(|| value.to_string());
    let message = ntfy.wait_accepted(1).await?[0].json();
    ensure!(
        message["filename"] == "alarm.jpg" && message["click"] == "https://zm.example.org/?eid=10",
        "{message}"
    );
    let shown = gotify.wait_accepted(1).await?[0].json()["extras"]["client::notification"].clone();
    let posted = hook.wait_accepted(1).await?[0].json();
    let urls = [text(&message["attach"])?, text(&shown["bigImageUrl"])?, text(&posted["picture"])?];
    for url in &urls {
        ensure!(open(&world, url).await?.1 == jpeg(3), "{url}");
        ensure!(!world.daemon()?.log().contains(url), "a link is in the log");
    }
    ensure!(urls[0] != urls[1] && urls[1] != urls[2], "each has a link of its own");
    ntfy.ensure_no_violations()?;
    gotify.ensure_no_violations()
}

#[tokio::test]
async fn a_webhook_gets_the_picture_in_its_json_or_as_a_form() -> Result<()> {
    let hook = TargetPeer::webhook().await?;
    let world = start(cameras(), &[target("webhook", &hook, "picture = \"base64\"")]).await?;
    world.alarm(1, 10).await?;
    fs::write(world.event_directory(1, 10).await?.join("alarm.jpg"), jpeg(3))?;
    let posted = hook.wait_accepted(1).await?[0].json();
    ensure!(
        includes(&posted, &json!({"v": 1, "event": 10, "picture_base64": STANDARD.encode(jpeg(3))})),
        "{posted}"
    );
    world.end_alarm(1, 10).await?;

    let text = fs::read_to_string(world.settings_file())?.replace("\"base64\"", "\"multipart\"");
    fs::write(world.settings_file(), text)?;
    world.run(&["reload"]).await?.expect_code(0)?;
    world.alarm(1, 11).await?;
    fs::write(world.event_directory(1, 11).await?.join("alarm.jpg"), jpeg(4))?;
    let request = hook.wait_accepted(2).await?.remove(1).request;
    let parts = form(&request);
    let payload: Value = serde_json::from_slice(&parts[0].1)?;
    ensure!(parts[0].0 == "payload" && payload["event"] == 11, "{payload}");
    ensure!(parts[1] == ("picture".to_owned(), jpeg(4)), "{}", parts.len());
    ensure!(request.header("webhook-id") == payload["id"].as_str(), "{payload}");
    // What has no picture is a form as well: its receiver reads one.
    world.run(&["alarm", "test", "--monitor", "1", "--token", "@webhook"]).await?.expect_code(0)?;
    let parts = form(&hook.wait_accepted(3).await?.remove(2).request);
    ensure!(parts.len() == 1 && parts[0].0 == "payload", "{parts:?}");
    hook.ensure_no_violations()
}
