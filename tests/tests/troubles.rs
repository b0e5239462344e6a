//! Troubles end to end: one notice for what happens once, another way for a way that fails, nothing twice over a
//! restart, and a ping to a service outside.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use zmes_tests::standin::{Apns, Arrival, Behaviour, Fcm, PushProxy};
use zmes_tests::{UserRow, World, WorldBuilder, includes, token_ending, wait_long, wait_until};

const ANDROID: &str = "trouble-android:APA91bHPRgkF-one";
const SECOND: &str = "trouble-android:APA91bHPRgkF-two";
const THIRD: &str = "trouble-android:APA91bHPRgkF-three";
/// An iOS token that APNs takes.
const IOS: &str = "0f744707bebcf74f9b7c25d48e3358945f6aa01da5ddb387462c7eaf61bbad78";
/// Planted in the URL that is pinged: no output may show it.
const SECRET: &str = "planted-ping-uuid";

fn cameras(count: u32) -> WorldBuilder {
    let world = World::new().setting("watchdog", "camera-offline", "\"1s\"");
    (1..=count).fold(world, |world, id| world.monitor(id, &format!("Camera {id}")))
}

/// A camera whose heartbeat does not change, for tests that take longer than zmesd waits for one.
fn still() -> WorldBuilder {
    World::new().monitor(1, "Garage").setting("watchdog", "camera-offline", "\"0s\"")
}

fn told(mut world: WorldBuilder) -> WorldBuilder {
    world = world.setting("watchdog", "notify", "[\"user:admin\"]");
    world
}

fn texts(arrivals: &[Arrival]) -> Vec<String> {
    arrivals.iter().map(|arrival| arrival.json().to_string()).collect()
}

#[tokio::test]
async fn a_camera_that_delivers_nothing_is_one_trouble_and_one_recovery() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = told(cameras(2)).with_push_proxy(&proxy).start().await?;
    let _phone = world.phone("android", ANDROID).await?;
    ensure!(world.ctl().troubles().await?.is_empty());
    world.run(&["check", "troubles"]).await?.expect_code(0)?;
    world.shm(1)?.stop()?;
    let trouble = world.ctl().wait_trouble("camera:1").await?;
    let expected = json!({"kind": "camera", "severity": "error", "cleared_at": null});
    ensure!(includes(&trouble, &expected) && trouble["since"].is_string(), "{trouble}");
    ensure!(trouble["text"].as_str().is_some_and(|text| text.starts_with("Camera 1: ")), "{trouble}");
    ensure!(trouble["hint"].as_str().is_some_and(|hint| hint.starts_with("zmdc.pl restart zmc -m 1")));
    proxy.wait_accepted(1).await?;
    let check = world.run(&["check", "troubles", "--json"]).await?.expect_code(1)?.json()?;
    ensure!(check["severity"] == "error" && check["hint"] == trouble["hint"], "{check}");
    let status = world.status().await?;
    let summary = json!({"standing": 1, "oldest": [{"id": "camera:1"}]});
    ensure!(includes(&status["troubles"], &summary), "{status}");
    let quiet = world.run(&["troubles", "-q"]).await?.expect_code(0)?.stdout;
    ensure!(quiet.trim() == "camera:1", "{quiet}");
    ensure!(world.run(&["status"]).await?.stdout.contains("troubles"));

    world.shm(1)?.start()?;
    world.ctl().wait_trouble_over("camera:1").await?;
    let pushes = texts(&proxy.wait_accepted(2).await?);
    ensure!(pushes[0].contains("Camera 1") && pushes[1].contains("resolved"), "{pushes:?}");
    let history = world.ctl().json(&["troubles", "--history"]).await?;
    let past = json!([{"id": "camera:1", "severity": "error"}]);
    ensure!(includes(&history["troubles"], &past), "{history}");
    ensure!(history["troubles"][0]["cleared_at"].is_string(), "{history}");
    ensure!(proxy.push_count() == 2, "one notice, one recovery: {pushes:?}");
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn forty_cameras_lost_at_once_are_one_notice() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = told(cameras(40)).with_push_proxy(&proxy).start().await?;
    let _phone = world.phone("android", ANDROID).await?;
    for camera in 1..=40 {
        world.shm(camera)?.stop()?;
    }
    let trouble = world.ctl().wait_trouble("zoneminder").await?;
    ensure!(world.ctl().troubles().await?.len() == 1, "{trouble}");
    proxy.wait_accepted(1).await?;
    // A test alarm is sent after any other pending notice.
    for camera in 1..=40 {
        world.shm(camera)?.start()?;
    }
    world.ctl().wait_trouble_over("zoneminder").await?;
    let pushes = texts(&proxy.wait_accepted(2).await?);
    ensure!(pushes[0].contains("cameras deliver nothing") && pushes[1].contains("resolved"), "{pushes:?}");
    ensure!(proxy.push_count() == 2 && world.ctl().troubles().await?.is_empty(), "{pushes:?}");
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn a_provider_that_refuses_us_is_told_of_by_another() -> Result<()> {
    let (fcm, apns) = (Fcm::start().await?, Apns::with_key().await?);
    let world = told(cameras(1)).with_fcm(&fcm).with_apns(&apns).start().await?;
    let (_one, _other) = (world.phone("android", ANDROID).await?, world.phone("ios", IOS).await?);
    fcm.messages.always(Fcm::permission_denied());
    world.alarm(1, 7).await?;
    let trouble = world.ctl().wait_trouble("credentials:fcm").await?;
    ensure!(includes(&trouble, &json!({"kind": "credentials", "severity": "error"})), "{trouble}");
    let pushes = texts(&apns.wait_accepted(2).await?);
    let notices = pushes.iter().filter(|push| push.contains("pushes through fcm fail")).count();
    ensure!(notices == 1, "{pushes:?}");
    fcm.messages.always(Behaviour::Accept);
    world.run(&["push", "retry"]).await?;
    world.ctl().wait_trouble_over("credentials:fcm").await?;
    let pushes = texts(&apns.wait_accepted(3).await?);
    ensure!(pushes.iter().filter(|push| push.contains("resolved")).count() == 1, "{pushes:?}");
    let through_it = texts(&fcm.messages.pushes());
    ensure!(!through_it.iter().any(|push| push.contains("pushes through fcm")), "{through_it:?}");
    Ok(())
}

#[tokio::test]
async fn a_kill_between_raised_and_told_tells_once_and_a_restart_is_silent() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let mut world = told(cameras(2)).with_push_proxy(&proxy).start().await?;
    let phone = world.phone("android", ANDROID).await?;
    proxy.always(Behaviour::Hang);
    world.shm(2)?.stop()?;
    world.ctl().wait_trouble("camera:2").await?;
    proxy.wait_pushes_to(ANDROID, 1).await?;
    world.kill_daemon().await?;
    drop(phone);
    proxy.always(Behaviour::Accept);
    world.launch_daemon().await?;
    world.ctl().wait_trouble("camera:2").await?;
    // A push that was sent but not yet recorded would be repeated.
    world.wait_notice(&world.handle(ANDROID).await?, "trouble").await?;
    // Killed again after the notice was sent: no repetition. The alarm comes after anything that the start would have
    // sent.
    world.kill_daemon().await?;
    world.launch_daemon().await?;
    let trouble = world.ctl().wait_trouble("camera:2").await?;
    ensure!(trouble["since"].is_string());
    world.wait_monitor(1, "watched", |monitor| monitor["healthy"] == true).await?;
    world.alarm(1, 9).await?;
    let pushes = texts(&proxy.wait_accepted(2).await?);
    ensure!(pushes.iter().filter(|push| push.contains("Camera 2")).count() == 1, "{pushes:?}");
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn a_database_that_is_away_for_a_minute_is_a_trouble() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let mut world = told(still()).with_push_proxy(&proxy).start().await?;
    let _phone = world.phone("android", ANDROID).await?;
    world.database.stop().await?;
    let trouble = wait_long("the database is a trouble", async || {
        Ok(world.ctl().troubles().await?.into_iter().find(|trouble| trouble["id"] == "database"))
    })
    .await?;
    ensure!(trouble["text"].as_str().is_some_and(|text| text.starts_with("the database does not answer")));
    ensure!(world.ctl().troubles().await?.len() == 1, "single cameras are off");
    let pushes = texts(&proxy.wait_accepted(1).await?);
    ensure!(pushes[0].contains("the database does not answer"), "{pushes:?}");

    world.database.resume().await?;
    world.ctl().wait_trouble_over("database").await?;
    let pushes = texts(&proxy.wait_accepted(2).await?);
    ensure!(pushes[1].contains("resolved") && proxy.push_count() == 2, "once each: {pushes:?}");
    let history = world.ctl().json(&["troubles", "--history"]).await?;
    ensure!(includes(&history["troubles"], &json!([{"id": "database"}])), "{history}");
    ensure!(history["troubles"][0]["cleared_at"].is_string(), "{history}");
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached_is_known_without_a_push() -> Result<()> {
    let (fcm, apns) = (Fcm::start().await?, Apns::with_key().await?);
    let world = told(still()).setting("watchdog", "probe-interval", "\"2s\"");
    let mut world = world.with_fcm(&fcm).with_apns(&apns).start().await?;
    let _phones = (world.phone("android", ANDROID).await?, world.phone("ios", IOS).await?);
    fcm.messages.refuse().await?;
    let trouble = world.ctl().wait_trouble("probe:fcm").await?;
    ensure!(includes(&trouble, &json!({"kind": "probe", "severity": "error"})), "{trouble}");
    let text = trouble["text"].as_str().unwrap_or_default();
    ensure!(text.contains(" checks of fcm (") && text.contains("connection refused"), "{trouble}");
    ensure!(trouble["hint"].as_str().is_some_and(|hint| hint.starts_with("nc -vz 127.0.0.1 ")), "{trouble}");
    let notice = texts(&apns.wait_accepted(1).await?);
    ensure!(notice[0].contains("checks of fcm"), "{notice:?}");
    ensure!(fcm.messages.push_count() == 0, "no push was needed to find out");
    // Status, check and doctor say the same.
    let status = world.status().await?;
    let worst = json!({"step": "push fcm", "severity": "error", "hint": trouble["hint"]});
    ensure!(includes(&status["worst"], &worst), "{status}");
    let check = world.run(&["check", "push", "--json"]).await?.json()?;
    ensure!(check["severity"] == "error" && check["hint"] == trouble["hint"], "{check}");
    let doctor: Value = world.run(&["doctor", "--json"]).await?.json()?;
    let finding = json!([{"step": "push fcm", "severity": "error", "hint": trouble["hint"]}]);
    let findings = doctor["findings"].as_array().cloned().unwrap_or_default();
    let own: Vec<_> = findings.into_iter().filter(|finding| finding["step"] == "push fcm").collect();
    ensure!(includes(&json!(own), &finding), "{doctor}");

    world.kill_daemon().await?;
    world.launch_daemon().await?;
    // To the second: the state file has milliseconds.
    let second =
        |trouble: &Value| trouble["since"].as_str().and_then(|at| at.get(..19)).map(ToOwned::to_owned);
    let again = world.ctl().wait_trouble("probe:fcm").await?;
    ensure!(
        second(&again).is_some() && second(&again) == second(&trouble),
        "it has not ended: {again} {trouble}"
    );
    fcm.messages.resume().await?;
    world.ctl().wait_trouble_over("probe:fcm").await?;
    let notices = texts(&apns.wait_accepted(2).await?);
    ensure!(notices[1].contains("resolved") && apns.push_count() == 2, "once each: {notices:?}");
    Ok(())
}

#[tokio::test]
async fn a_user_whose_last_token_died_is_deaf_until_another_is_registered() -> Result<()> {
    let (fcm, apns) = (Fcm::start().await?, Apns::with_key().await?);
    let world = told(still()).user(UserRow::new("bob", "bobpass"));
    let world = world.with_fcm(&fcm).with_apns(&apns).start().await?;
    let _admin = world.phone("ios", IOS).await?;
    let mut bob = world.login("bob", "bobpass").await?;
    let register = |token: &str| {
        let data = json!({"type": "token", "platform": "android", "token": token, "state": "enabled"});
        json!({"event": "push", "data": data})
    };
    for token in [ANDROID, SECOND] {
        bob.send(&register(token)).await?;
        bob.sync().await?;
        world.wait_token(token, "registered", |_| true).await?;
    }
    fcm.messages.always_token(ANDROID, Fcm::unregistered());
    // What an admin revokes on purpose is not what makes a user deaf: it is the one that died later.
    world.run(&["tokens", "revoke", token_ending(SECOND), "--yes"]).await?.expect_code(0)?;
    world.alarm(1, 7).await?;
    let dead = world.wait_token(ANDROID, "revoked", |token| token["state"] == "revoked").await?;
    let trouble = wait_long("bob is deaf", async || {
        Ok(world.ctl().troubles().await?.into_iter().find(|trouble| trouble["id"] == "deaf:bob"))
    })
    .await?;
    ensure!(includes(&trouble, &json!({"kind": "deaf", "severity": "warning"})), "{trouble}");
    let handle = dead["handle"].as_str().context("no handle")?;
    let hint = trouble["hint"].as_str().unwrap_or_default();
    ensure!(hint.contains(&format!("zmesctl tokens restore {handle}")), "{trouble}");
    let pushes = texts(&apns.wait_accepted(2).await?);
    ensure!(pushes[1].contains("user bob") && pushes[1].contains("no phone gets pushes"), "{pushes:?}");
    // An app that answers no ping was disconnected long ago.
    let mut bob = world.login("bob", "bobpass").await?;
    bob.send(&register(THIRD)).await?;
    bob.sync().await?;
    world.ctl().wait_trouble_over("deaf:bob").await?;
    let pushes = texts(&apns.wait_accepted(3).await?);
    ensure!(pushes[2].contains("resolved") && apns.push_count() == 3, "{pushes:?}");
    Ok(())
}

/// Requests at the external service: method, path and body.
type Pings = Arc<Mutex<Vec<(String, String, String)>>>;

fn locked(pings: &Pings) -> MutexGuard<'_, Vec<(String, String, String)>> {
    pings.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A service outside as healthchecks.io: answers 200 to everything.
async fn service(tasks: &mut JoinSet<()>) -> Result<(String, Pings)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/{SECRET}", listener.local_addr()?);
    let pings = Pings::default();
    let kept = Arc::clone(&pings);
    tasks.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // One request after the other, as zmesd sends them; a truncated request does not count.
            answer(stream, &kept).await.ok();
        }
    });
    Ok((url, pings))
}

async fn answer(mut stream: TcpStream, pings: &Pings) -> Result<()> {
    let mut bytes = Vec::new();
    let (head, body) = loop {
        let mut chunk = [0; 4096];
        let count = stream.read(&mut chunk).await?;
        ensure!(count > 0, "the request ended early");
        bytes.extend_from_slice(&chunk[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().ok())?
        });
        if body.len() >= length.unwrap_or(0) {
            break (head.to_owned(), body.to_owned());
        }
    };
    let mut words = head.split(' ').map(ToOwned::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    locked(pings).push((method, path, body));
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nOK").await?;
    Ok(())
}

#[tokio::test]
async fn somebody_outside_hears_that_all_is_well_and_that_it_is_not() -> Result<()> {
    let mut tasks = JoinSet::new();
    let (url, pings) = service(&mut tasks).await?;
    let mut world = cameras(3)
        .setting("watchdog", "ping-url", &format!("\"{url}\""))
        .setting("watchdog", "ping-interval", "\"1s\"")
        .start()
        .await?;
    let last = || locked(&pings).last().cloned();
    let well = ("GET".to_owned(), format!("/{SECRET}"), String::new());
    wait_until("all is well", async || Ok((last() == Some(well.clone())).then_some(()))).await?;
    for camera in 1..=3 {
        world.shm(camera)?.stop()?;
    }
    let (method, path, body) =
        wait_until("it is not", async || Ok(last().filter(|(_, path, _)| path.ends_with("/fail")))).await?;
    ensure!(method == "POST" && path == format!("/{SECRET}/fail"), "{method} {path}");
    ensure!(body.starts_with("zoneminder since ") && body.len() <= 10_000, "{body}");
    for camera in 1..=3 {
        world.shm(camera)?.start()?;
    }
    wait_long("all is well again", async || Ok((last() == Some(well.clone())).then_some(()))).await?;
    let shown = world.run(&["config", "show"]).await?.stdout;
    ensure!(shown.contains("ping-url = \"[hidden]\"") && !shown.contains(SECRET), "{shown}");
    ensure!(!world.daemon()?.log().contains(SECRET), "the log has the URL");
    Ok(())
}
