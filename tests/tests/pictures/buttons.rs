//! Snooze buttons of notifications: `snooze-buttons` of a target, and the pages behind its links.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use zmes_tests::standin::{Answer, Behaviour, TargetPeer, form};
use zmes_tests::{HalfOpen, World, includes, wait_until};

use crate::{BASE, cameras, jpeg, open, start, target};

async fn post(world: &World, url: &str) -> Result<(String, String)> {
    let path = url.strip_prefix(BASE).with_context(|| url.to_owned())?;
    let (head, body) = HalfOpen::post(&world.endpoint().await?, path).await?;
    Ok((head, String::from_utf8(body)?))
}

async fn snoozes(world: &World) -> Result<Vec<Value>> {
    let list = world.run(&["snooze", "list", "--json"]).await?.expect_code(0)?.json()?;
    Ok(list["snoozes"].as_array().context("no list")?.clone())
}

fn with_buttons() -> zmes_tests::WorldBuilder {
    cameras().setting("picture", "base-url", &format!("\"{BASE}\""))
}

const BUTTONS: &str = "snooze-buttons = [\"1h\", \"8h\"]";

#[tokio::test]
async fn a_button_silences_one_camera_for_one_target_and_undo_ends_it() -> Result<()> {
    let (ntfy, gotify) = (TargetPeer::ntfy().await?, TargetPeer::gotify().await?);
    let targets = [target("ntfy", &ntfy, BUTTONS), target("gotify", &gotify, "")];
    let mut world = start(with_buttons(), &targets).await?;
    world.alarm(1, 10).await?;
    let message = ntfy.wait_accepted(1).await?[0].json();
    let actions = message["actions"].as_array().with_context(|| message.to_string())?.clone();
    ensure!(actions.len() == 2, "{message}");
    let wanted = json!({"action": "http", "label": "Snooze 1h", "method": "POST", "clear": true});
    ensure!(includes(&actions[0], &wanted) && actions[1]["label"] == "Snooze 8h", "{message}");
    let urls: Vec<_> = actions.iter().filter_map(|action| action["url"].as_str()).collect();
    for url in &urls {
        ensure!(url.len() == BASE.len() + "/s/".len() + 54 && !world.daemon()?.log().contains(*url), "{url}");
    }

    // Previews of mails and chats open links: nothing changes.
    let (head, page) = open(&world, urls[0]).await?;
    let page = String::from_utf8(page)?;
    ensure!(head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/html"), "{head}");
    ensure!(page.contains("<h1>Garage</h1>") && page.contains("Snooze for 1 hour</button>"), "{page}");
    ensure!(snoozes(&world).await?.is_empty());

    // Twice is once.
    let (head, page) = post(&world, urls[0]).await?;
    ensure!(head.starts_with("HTTP/1.1 200 OK\r\n") && page.contains(">Undo</button>"), "{head}{page}");
    ensure!(
        head.contains("\r\nAccess-Control-Allow-Origin: *\r\n"),
        "ntfy's web app reads the answer: {head}"
    );
    post(&world, urls[0]).await?;
    let set = snoozes(&world).await?;
    ensure!(set.len() == 1, "{set:?}");
    let wanted =
        json!({"monitor_id": 1, "scope": "token", "token": "@ntfy", "by": "admin", "origin": "link"});
    ensure!(includes(&set[0], &wanted), "{set:?}");
    // A shorter one never shortens a longer one.
    post(&world, urls[1]).await?;
    let longer = snoozes(&world).await?[0]["until"].clone();
    post(&world, urls[0]).await?;
    ensure!(longer != set[0]["until"] && snoozes(&world).await?[0]["until"] == longer);

    // That camera is silent there, and nothing else is.
    world.end_alarm(1, 10).await?;
    world.alarm(1, 11).await?;
    let skipped = world.wait_delivery("@ntfy", 11, "skipped").await?;
    ensure!(skipped["reason"].as_str().is_some_and(|reason| reason.contains("snoozed")), "{skipped}");
    world.wait_delivery("@gotify", 11, "sent").await?;
    world.alarm(2, 12).await?;
    world.wait_delivery("@ntfy", 12, "sent").await?;

    let undo = page.split("action=\"").nth(1).and_then(|rest| rest.split('"').next()).context("no undo")?;
    let undo = format!("{BASE}/s/{undo}");
    let (head, page) = post(&world, &undo).await?;
    ensure!(head.starts_with("HTTP/1.1 200 OK\r\n") && !page.contains("<form"), "{head}{page}");
    ensure!(snoozes(&world).await?.is_empty());
    // What an admin sets no button ends.
    world.run(&["snooze", "Garage", "--for", "2h", "--token", "@ntfy"]).await?.expect_code(0)?;
    post(&world, &undo).await?;
    ensure!(snoozes(&world).await?.len() == 1);
    ntfy.ensure_no_violations()
}

#[tokio::test]
async fn buttons_hold_while_their_target_may_see_the_camera_and_travel_with_a_picture() -> Result<()> {
    let (ntfy, bot) = (TargetPeer::ntfy().await?, TargetPeer::telegram().await?);
    let wait = format!("{BUTTONS}\npicture-wait = \"10s\"");
    let amys = |block: String| block.replace("user = \"admin\"", "user = \"amy\"");
    let targets = [target("ntfy", &ntfy, &wait), target("telegram", &bot, &wait)].map(amys);
    let mut world = start(with_buttons(), &targets).await?;
    world.alarm(1, 10).await?;
    std::fs::write(world.event_directory(1, 10).await?.join("alarm.jpg"), jpeg(7))?;
    let sent = &ntfy.wait_accepted(1).await?[0].request;
    ensure!(sent.body == jpeg(7));
    let actions: Value = serde_json::from_str(sent.header("x-actions").context("no actions")?)?;
    let url = actions[0]["url"].as_str().context("no URL")?.to_owned();
    let parts = form(&bot.wait_accepted(1).await?[0].request);
    let keyboard = parts.iter().find(|(name, _)| name == "reply_markup").context("no keyboard")?;
    let keyboard: Value = serde_json::from_slice(&keyboard.1)?;
    ensure!(keyboard["inline_keyboard"][0][1]["text"] == "Snooze 8h", "{keyboard}");
    let other = keyboard["inline_keyboard"][0][0]["url"].as_str().context("no URL")?.to_owned();

    // Rights of the moment, links of others, and links that nobody made: one answer.
    let forged = url.replace("/s/A", "/s/B");
    let (head, refusal) = post(&world, &forged).await?;
    ensure!(head.starts_with("HTTP/1.1 404 "), "{head}");
    let may = async |monitors: &str| {
        world.database.sql(&format!("UPDATE Users SET MonitorIds='{monitors}' WHERE Username='amy'")).await?;
        world.run(&["monitors", "reload"]).await?.expect_code(0).map(drop)
    };
    may("2").await?;
    let refused = async || {
        let told = post(&world, &url).await?;
        Ok((told == (head.clone(), refusal.clone())).then_some(()))
    };
    wait_until("the button is refused", refused).await?;
    let (opened, page) = open(&world, &other).await?;
    ensure!(opened == head && page == refusal.as_bytes(), "{opened}");
    ensure!(snoozes(&world).await?.is_empty());
    may("1,2").await?;
    wait_until("the button works", async || Ok(post(&world, &url).await?.0.contains(" 200 ").then_some(())))
        .await?;
    // Without links there are no buttons, and the port is what it was.
    world.run(&["pictures", "rotate", "--yes"]).await?.expect_code(0)?;
    ensure!(post(&world, &other).await?.0.starts_with("HTTP/1.1 404 "), "the key was changed");

    // Telegram refuses buttons to an address that is not public: the alarm comes without them.
    world.end_alarm(1, 10).await?;
    let said = format!("Bad Request: inline keyboard button URL '{url}' is invalid: Wrong HTTP URL");
    bot.answer_next(1, &Behaviour::Answer(Answer::json(400, &json!({"ok": false, "description": said}))));
    world.alarm(1, 11).await?;
    std::fs::write(world.event_directory(1, 11).await?.join("alarm.jpg"), jpeg(8))?;
    let parts = form(&bot.wait_accepted(2).await?[1].request);
    let has = |name: &str| parts.iter().any(|(part, _)| part == name);
    ensure!(has("photo") && has("caption") && !has("reply_markup"), "{parts:?}");
    let log = world.daemon()?.log();
    ensure!(log.contains("without its snooze buttons") && log.contains("Wrong HTTP URL"), "{log}");
    ensure!(!log.contains(&url), "whoever reads the log could silence the camera");
    Ok(())
}

#[tokio::test]
async fn a_photo_that_fails_is_not_blamed_on_the_buttons() -> Result<()> {
    let bot = TargetPeer::telegram().await?;
    let wait = format!("{BUTTONS}\npicture-wait = \"10s\"");
    let mut world = start(with_buttons(), &[target("telegram", &bot, &wait)]).await?;
    bot.answer_next(1, &Behaviour::status(500, "Internal Server Error"));
    world.alarm(1, 10).await?;
    std::fs::write(world.event_directory(1, 10).await?.join("alarm.jpg"), jpeg(7))?;
    let sent = bot.wait_accepted(1).await?.remove(0);
    ensure!(sent.request.path.ends_with("/sendMessage"), "{}", sent.request.path);
    ensure!(sent.json()["reply_markup"]["inline_keyboard"].is_array(), "{}", sent.json());
    let sent = world.wait_delivery("@telegram", 10, "sent").await?;
    ensure!(sent["attempts"] == 1 && bot.push_count() == 2, "one upload, then the text: {sent}");
    let log = world.daemon()?.log();
    ensure!(log.contains("went out without its picture") && log.contains("Internal Server Error"), "{log}");
    ensure!(!log.contains("without its snooze buttons"), "{log}");
    bot.ensure_no_violations()
}
