//! Pictures in pushes: links of the daemon's own, from the alarm to the phone that opens them.

mod better;
mod buttons;
mod doctor;
mod uploads;

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use zmes_tests::standin::{Arrival, Fcm, TargetPeer};
use zmes_tests::{AppClient, HalfOpen, UserRow, World, WorldBuilder, wait_until};

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
    zmes_tests::jpeg(5005, content)
}

async fn phone(world: &World) -> Result<AppClient> {
    world.phone_of("amy", "amypass", PHONE).await
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
    let (path, picture) = (world.event_directory(1, 10).await?.join("alarm.jpg"), jpeg(7));
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
    fs::write(world.event_directory(1, 10).await?.join("snapshot.jpg"), jpeg(1))?;
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
    fs::write(world.event_directory(1, 10).await?.join("alarm.jpg"), jpeg(1))?;
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
    let large = zmes_tests::jpeg(70_005, 1);
    fs::write(world.event_directory(1, 10).await?.join("alarm.jpg"), large)?;
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
async fn an_app_on_its_websocket_gets_a_link_by_the_rights_of_its_user() -> Result<()> {
    let mut world = cameras()
        .user(UserRow::new("bob", "bobpass"))
        .setting("picture", "base-url", &format!("\"{BASE}\""))
        .start()
        .await?;
    let (mut amy, mut bob) = (world.login("amy", "amypass").await?, world.login("bob", "bobpass").await?);
    world.alarm(1, 10).await?;
    fs::write(world.event_directory(1, 10).await?.join("alarm.jpg"), jpeg(5))?;
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
async fn the_link_of_a_user_who_was_just_created_opens_for_all_apps_and_waits_for_the_database() -> Result<()>
{
    let mut world = cameras().setting("picture", "base-url", &format!("\"{BASE}\"")).start().await?;
    // The catalog is read once a minute; a login reads the database itself.
    world
        .database
        .sql(
            "INSERT INTO Users SET Username='carol', Password=PASSWORD('carolpass'), Enabled=1, APIEnabled=1, \
             Stream='View', Events='View', Monitors='View', TokenMinExpiry=0, MonitorIds=''",
        )
        .await?;
    let mut carol = world.login("carol", "carolpass").await?;
    world.alarm(1, 10).await?;
    fs::write(world.event_directory(1, 10).await?.join("alarm.jpg"), jpeg(5))?;
    let frame = carol.expect_alarm(10, 1).await?;
    let url = frame["events"][0]["Picture"].as_str().with_context(|| frame.to_string())?.to_owned();
    for app in 1..=25 {
        ensure!(open(&world, &url).await?.1 == jpeg(5), "app {app}");
    }

    // A phone asks again after 503, and never after 404.
    world.database.stop().await?;
    let (head, _) = open(&world, &url).await?;
    ensure!(head.starts_with("HTTP/1.1 503 ") && head.contains("\r\nRetry-After: "), "{head}");
    ensure!(world.daemon()?.log().contains("no picture for a phone"));
    world.database.resume().await?;
    let shown = async || Ok((open(&world, &url).await?.1 == jpeg(5)).then_some(()));
    wait_until("the picture is shown again", shown).await
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
    fs::write(world.event_directory(1, 10).await?.join("alarm.jpg"), jpeg(1))?;
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
    ensure!(status(&url).await? == "503", "the link of a phone is loaded twenty times an hour");
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
