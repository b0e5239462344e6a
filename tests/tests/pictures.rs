//! Pictures in pushes: links of the daemon's own, from the alarm to the phone that opens them.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use zmes_tests::standin::{Arrival, Fcm};
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
    let late = tokio::spawn({
        let (path, picture) = (path.clone(), picture.clone());
        async move {
            tokio::time::sleep(Duration::from_millis(300)).await;
            fs::write(path, picture)
        }
    });
    let (head, body) = open(&world, &url).await?;
    late.await??;
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
