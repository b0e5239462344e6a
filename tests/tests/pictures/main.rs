//! Pictures in pushes: links of the daemon's own, from the alarm to the phone that opens them.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use zmes_tests::standin::{Answer, Arrival, Behaviour, Fcm, TargetPeer, form};
use zmes_tests::{AppClient, HalfOpen, UserRow, World, WorldBuilder, includes, wait_until};

const PHONE: &str = "pictures-android:APA91bHPRgkF-one";
const BASE: &str = "https://zm.example.org:9000";

fn house(fcm: &Fcm) -> WorldBuilder {
    World::new()
        .monitor(1, "Garage")
        .monitor(2, "Yard")
        .user(UserRow::new("amy", "amypass"))
        .with_fcm(fcm)
        .setting("picture", "base-url", &format!("\"{BASE}\""))
}

fn jpeg(content: u8) -> Vec<u8> {
    [&[0xff, 0xd8, 0xff], &[content; 5000][..], &[0xff, 0xd9]].concat()
}

async fn phone(world: &World) -> Result<AppClient> {
    let mut app = world.login("amy", "amypass").await?;
    let data = json!({"type": "token", "platform": "android", "token": PHONE, "state": "enabled"});
    app.send(&json!({"event": "push", "data": data})).await?;
    app.sync().await?;
    world.wait_token(PHONE, "registered", |_| true).await?;
    Ok(app)
}

/// Returns the directory where ZoneMinder would put the pictures of an event, by its start in the database.
async fn directory(world: &World, monitor: u32, event: u64) -> Result<PathBuf> {
    let day = world.database.sql(&format!("SELECT DATE(StartDateTime) FROM Events WHERE Id={event}")).await?;
    let day = day.split_whitespace().last().context("no day")?.to_owned();
    let directory = world.path("events").join(monitor.to_string()).join(day).join(event.to_string());
    fs::create_dir_all(&directory)?;
    Ok(directory)
}

/// Returns the URL of the picture in an FCM message.
fn image(push: &Arrival) -> Result<String> {
    let image = push.json()["message"]["notification"]["image"].clone();
    Ok(image.as_str().with_context(|| push.json().to_string())?.to_owned())
}

/// Opens a link as the phone does, through whatever stands before the daemon.
async fn open(world: &World, url: &str) -> Result<(String, Vec<u8>)> {
    let path = url.strip_prefix(BASE).with_context(|| url.to_owned())?;
    HalfOpen::get(&world.endpoint().await?, path).await
}

async fn is_refused(world: &World, url: &str) -> Result<bool> {
    let (head, body) = open(world, url).await?;
    Ok(head.starts_with("HTTP/1.1 404 ") && body == b"no picture\n")
}

#[tokio::test]
async fn a_push_carries_a_link_that_opens_the_picture_of_its_event() -> Result<()> {
    let fcm = Fcm::start().await?;
    let mut world = house(&fcm).start().await?;
    let _app = phone(&world).await?;
    world.alarm(1, 10).await?;
    let push = fcm.messages.wait_pushes_to(PHONE, 1).await?.remove(0);
    let url = image(&push)?;
    ensure!(url.len() == BASE.len() + "/p/".len() + 54 + ".jpg".len(), "{url}");
    ensure!(!world.daemon()?.log().contains(&url), "the link is in the log");
    let (path, picture) = (directory(&world, 1, 10).await?.join("alarm.jpg"), jpeg(7));
    // ZoneMinder writes in place: the phone may ask while half of it is there.
    fs::write(&path, &picture[..2000])?;
    let late = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        Ok(fs::write(&path, &picture)?)
    };
    let ((head, body), ()) = tokio::try_join!(open(&world, &url), late)?;
    ensure!(head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n"), "{head}");
    ensure!(body == picture, "{} bytes", body.len());

    // Links outlive a restart, and what answers them is this server alone.
    world.kill_daemon().await?;
    world.start_daemon().await?;
    ensure!(open(&world, &url).await?.1 == picture);
    let forged = url.replace("/p/A", "/p/B");
    ensure!(forged != url && is_refused(&world, &forged).await?);
    fcm.ensure_no_violations()
}

#[tokio::test]
async fn rights_of_the_moment_decide_who_sees_a_picture() -> Result<()> {
    let fcm = Fcm::start().await?;
    let world = house(&fcm).start().await?;
    let _app = phone(&world).await?;
    world.alarm(1, 10).await?;
    let url = image(&fcm.messages.wait_pushes_to(PHONE, 1).await?[0])?;
    fs::write(directory(&world, 1, 10).await?.join("snapshot.jpg"), jpeg(1))?;
    ensure!(!is_refused(&world, &url).await?);

    let may = async |monitors: &str| {
        world.database.sql(&format!("UPDATE Users SET MonitorIds='{monitors}' WHERE Username='amy'")).await?;
        world.run(&["monitors", "reload"]).await?.expect_code(0).map(drop)
    };
    may("2").await?;
    wait_until("the link is refused", async || Ok(is_refused(&world, &url).await?.then_some(()))).await?;
    may("1,2").await?;
    wait_until("the link is answered", async || Ok((!is_refused(&world, &url).await?).then_some(()))).await?;

    let handle = world.handle(PHONE).await?;
    world.run(&["tokens", "revoke", &handle, "--yes"]).await?.expect_code(0)?;
    ensure!(is_refused(&world, &url).await?, "the token was revoked");
    Ok(())
}

#[tokio::test]
async fn a_link_stops_working_with_the_settings_and_works_again() -> Result<()> {
    let fcm = Fcm::start().await?;
    let mut world = house(&fcm).start().await?;
    let _app = phone(&world).await?;
    world.alarm(1, 10).await?;
    let url = image(&fcm.messages.wait_pushes_to(PHONE, 1).await?[0])?;
    fs::write(directory(&world, 1, 10).await?.join("alarm.jpg"), jpeg(1))?;
    world.settings.set_text("picture", "base-url", "");
    world.write_settings()?;
    world.run(&["reload"]).await?.expect_code(0)?;
    let (head, _) = open(&world, &url).await?;
    ensure!(head.starts_with("HTTP/1.1 426 Upgrade Required\r\n"), "{head}");
    world.alarm(2, 11).await?;
    let push = fcm.messages.wait_pushes_to(PHONE, 2).await?.remove(1);
    ensure!(push.json()["message"]["notification"]["image"] == Value::Null, "{}", push.json());
    world.settings.set_text("picture", "base-url", BASE);
    world.write_settings()?;
    world.run(&["reload"]).await?.expect_code(0)?;
    ensure!(open(&world, &url).await?.1 == jpeg(1));
    Ok(())
}

#[tokio::test]
async fn pictures_that_are_not_there_are_said_in_the_log_with_what_to_do() -> Result<()> {
    let fcm = Fcm::start().await?;
    let mut world = house(&fcm).setting("picture", "max-size", "\"64KiB\"").start().await?;
    let _app = phone(&world).await?;
    world.alarm(1, 10).await?;
    let url = image(&fcm.messages.wait_pushes_to(PHONE, 1).await?[0])?;
    let large = [&[0xff, 0xd8, 0xff], &vec![1; 70_000][..], &[0xff, 0xd9]].concat();
    fs::write(directory(&world, 1, 10).await?.join("alarm.jpg"), large)?;
    ensure!(is_refused(&world, &url).await?);
    let log = world.daemon()?.log();
    ensure!(log.contains("alarm.jpg has 70005 bytes; at most 65536 are read"), "{log}");
    ensure!(log.contains("ZM_JPEG_FILE_QUALITY"), "{log}");
    // A test alarm has no event, so there is no picture to link to.
    let handle = world.handle(PHONE).await?;
    world.run(&["alarm", "test", "--monitor", "1", "--token", &handle]).await?.expect_code(0)?;
    let test = fcm.messages.wait_pushes_to(PHONE, 2).await?.remove(1);
    ensure!(test.json()["message"]["notification"]["image"] == Value::Null, "{}", test.json());
    Ok(())
}

/// Returns a target with what each kind needs.
fn target(kind: &str, service: &TargetPeer, more: &str) -> String {
    let keys = match kind {
        "ntfy" => format!("topic = \"{}\"\ntoken = \"{}\"", TargetPeer::TOPIC, TargetPeer::NTFY_TOKEN),
        "pushover" => {
            format!("token = \"{}\"\nuser-key = \"{}\"", TargetPeer::APP_TOKEN, TargetPeer::USER_KEY)
        }
        "telegram" => format!("token = \"{}\"\nchat = \"-100123\"", TargetPeer::BOT_TOKEN),
        "webhook" => {
            let secret = "whsec_cGxhbnRlZC1zaWduaW5nLXNlY3JldC1vZi10aGUtaG9vaw==";
            format!("token = \"{}\"\nsecret = \"{secret}\"", TargetPeer::HOOK_TOKEN)
        }
        _ => format!("token = \"{}\"", TargetPeer::APP_TOKEN),
    };
    let path = if kind == "webhook" { TargetPeer::HOOK_PATH } else { "" };
    format!(
        "\n[[target]]\nname = \"{kind}\"\nkind = \"{kind}\"\nuser = \"admin\"\nurl = \"{}{path}\"\n{keys}\n\
         ca-certificate = \"{}\"\n{more}\n",
        service.url(),
        service.ca().display()
    )
}

async fn start(builder: WorldBuilder, targets: &[String]) -> Result<World> {
    let mut world = builder.prepare().await?;
    world.write_settings_with(&targets.concat())?;
    fs::create_dir_all(world.path("events"))?;
    world.start_daemon().await?;
    Ok(world)
}

fn cameras() -> WorldBuilder {
    World::new().monitor(1, "Garage").monitor(2, "Höf").user(UserRow::new("amy", "amypass"))
}

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
    let (path, picture) = (directory(&world, 2, 10).await?.join("alarm.jpg"), jpeg(7));
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
    ensure!(log.contains("a message goes out without its picture"), "{log}");

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
    fs::write(directory(&world, 1, 11).await?.join("alarm.jpg"), jpeg(1))?;
    for (service, handle) in [(&ntfy, "@ntfy"), (&pager, "@pushover"), (&bot, "@telegram")] {
        let sent = world.wait_delivery(handle, 11, "sent").await?;
        ensure!(sent["attempts"] == 1, "{sent}");
        ensure!(service.wait_accepted(2).await?.len() == 2 && service.push_count() == 3, "{handle}");
    }
    ensure!(ntfy.accepted()[1].json()["message"] == "Motion");

    // The next one is taken again.
    world.end_alarm(1, 11).await?;
    world.alarm(1, 12).await?;
    fs::write(directory(&world, 1, 12).await?.join("alarm.jpg"), jpeg(2))?;
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
    fs::write(directory(&world, 1, 10).await?.join("alarm.jpg"), jpeg(1))?;
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
    fs::write(directory(&world, 1, 11).await?.join("alarm.jpg"), jpeg(2))?;
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
    fs::write(directory(&world, 1, 10).await?.join("alarm.jpg"), jpeg(3))?;
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
    fs::write(directory(&world, 1, 10).await?.join("alarm.jpg"), jpeg(3))?;
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
    fs::write(directory(&world, 1, 11).await?.join("alarm.jpg"), jpeg(4))?;
    let request = hook.wait_accepted(2).await?.remove(1).request;
    let parts = form(&request);
    let payload: Value = serde_json::from_slice(&parts[0].1)?;
    ensure!(parts[0].0 == "payload" && payload["event"] == 11, "{payload}");
    ensure!(parts[1] == ("picture".to_owned(), jpeg(4)), "{}", parts.len());
    ensure!(request.header("webhook-id") == payload["id"].as_str(), "{payload}");
    hook.ensure_no_violations()
}

#[tokio::test]
async fn an_app_on_its_websocket_gets_a_link_by_the_rights_of_its_user() -> Result<()> {
    let mut world = cameras()
        .user(UserRow::new("bob", "bobpass"))
        .setting("picture", "base-url", &format!("\"{BASE}\""))
        .start()
        .await?;
    let (mut amy, mut bob) = (world.login("amy", "amypass").await?, world.login("bob", "bobpass").await?);
    world.alarm(1, 10).await?;
    fs::write(directory(&world, 1, 10).await?.join("alarm.jpg"), jpeg(5))?;
    let mut urls = Vec::new();
    for app in [&mut amy, &mut bob] {
        let frame = app.expect_alarm(10, 1).await?;
        urls.push(frame["events"][0]["Picture"].as_str().with_context(|| frame.to_string())?.to_owned());
    }
    ensure!(urls[0] != urls[1]);
    for url in &urls {
        ensure!(open(&world, url).await?.1 == jpeg(5));
        ensure!(!world.daemon()?.log().contains(url), "a link is in the log");
    }
    world.database.sql("UPDATE Users SET MonitorIds='2' WHERE Username='amy'").await?;
    world.run(&["monitors", "reload"]).await?.expect_code(0)?;
    wait_until("amy's is refused", async || Ok(is_refused(&world, &urls[0]).await?.then_some(()))).await?;
    ensure!(!is_refused(&world, &urls[1]).await?, "bob's is not");
    world.run(&["alarm", "test", "--monitor", "2"]).await?.expect_code(0)?;
    for app in [&mut amy, &mut bob] {
        let frame = app.next_json().await?;
        ensure!(frame["events"][0]["Picture"].is_null(), "{frame}");
    }

    // What an app has missed it hears again, with a link.
    bob.send(&json!({"event": "control", "data": {"type": "replay", "since": "9"}})).await?;
    let again = bob.expect(&json!({"event": "alarm", "replayed": "true"})).await?;
    let link = again["events"][0]["Picture"].as_str().with_context(|| again.to_string())?.to_owned();
    ensure!(!is_refused(&world, &link).await?);

    world.run(&["pictures", "rotate", "--yes"]).await?.expect_code(0)?;
    ensure!(is_refused(&world, &urls[1]).await?, "all links have ended");
    Ok(())
}

#[tokio::test]
async fn each_link_and_each_address_has_its_bound_and_no_socket_waits() -> Result<()> {
    let fcm = Fcm::start().await?;
    let mut world = house(&fcm).prepare().await?;
    let metrics = world.observe()?;
    world.start_daemon().await?;
    let mut app = phone(&world).await?;
    world.alarm(1, 10).await?;
    app.expect_alarm(10, 1).await?;
    let url = image(&fcm.messages.wait_pushes_to(PHONE, 1).await?[0])?;
    fs::write(directory(&world, 1, 10).await?.join("alarm.jpg"), jpeg(1))?;
    // A refusal takes as long whatever was wrong.
    let forged = format!("{BASE}/p/{}.jpg", "A".repeat(54));
    let began = tokio::time::Instant::now();
    ensure!(is_refused(&world, &forged).await? && began.elapsed() >= Duration::from_millis(250));

    let status = async |url: &str| {
        let (head, _) = open(&world, url).await?;
        anyhow::Ok(head.split_whitespace().nth(1).unwrap_or_default().to_owned())
    };
    for _ in 0..20 {
        ensure!(status(&url).await? == "200");
    }
    ensure!(status(&url).await? == "503", "a link is loaded twenty times an hour");
    // The rest of what one address may ask at once; meanwhile alarms reach sockets.
    let asked: Vec<_> = (0..60).map(|_| status(&forged)).collect();
    let all = async {
        let told = futures_util::future::join_all(asked).await.into_iter().collect::<Result<Vec<_>>>()?;
        anyhow::Ok((
            told.iter().filter(|one| *one == "404").count(),
            told.iter().filter(|one| *one == "503").count(),
        ))
    };
    let alarm = async {
        world.end_alarm(1, 10).await?;
        world.alarm(2, 11).await?;
        app.expect_alarm(11, 2).await
    };
    let ((none, busy), _) = tokio::try_join!(all, alarm)?;
    ensure!(none + busy == 60 && (30..60).contains(&none), "{none} refused, {busy} too many");
    wait_until("the address may ask again", async || Ok((status(&forged).await? == "404").then_some(())))
        .await?;
    metrics.metrics().await?.ensure(&[("zmesd_pictures_total{result=\"served\"}", 20.0)])
}
