//! The disk of the state file: full and then not, damaged, removed; and how much a crash in a storm repeats.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use zmes_tests::standin::{Arrival, PushProxy};
use zmes_tests::{SmallDisk, World, wait_until};

/// Pushes that may be under way through one transport.
const UNDER_WAY: usize = 100;

/// Registers a token without asking the state file for it.
async fn register(world: &World, token: &str) -> Result<()> {
    let mut app = world.admin().await?;
    let data = json!({"type": "token", "platform": "android", "token": token, "state": "enabled"});
    app.send(&json!({"event": "push", "data": data})).await?;
    app.sync().await
}

/// Returns the event that a push is about.
fn event_of(arrival: &Arrival) -> Result<u64> {
    let body = arrival.json();
    let alert = body["alert"].as_str().context("no alert")?;
    let number = alert.rsplit_once('(').and_then(|(_, rest)| rest.split(')').next());
    number.and_then(|number| number.parse().ok()).with_context(|| body.to_string())
}

/// Returns how often the provider got each event for each phone.
fn told(proxy: &PushProxy) -> Result<BTreeMap<(String, u64), usize>> {
    let mut told = BTreeMap::new();
    for arrival in proxy.pushes() {
        let token = arrival.token.clone().context("no token")?;
        *told.entry((token, event_of(&arrival)?)).or_default() += 1;
    }
    Ok(told)
}

async fn state_error(world: &World) -> Result<Value> {
    Ok(world.status().await?["state_error"].clone())
}

/// Returns the set-aside damaged files beside the state file.
fn set_aside(world: &World) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(world.path("state"))? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if name.contains(".damaged-") && name.ends_with('Z') {
            found.push(path);
        }
    }
    Ok(found)
}

#[tokio::test]
async fn a_disk_that_was_full_is_written_again_and_nothing_told_is_forgotten() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let mut world = World::new()
        .with_push_proxy(&proxy)
        .setting("push", "storm-limit", "100000")
        .setting("zoneminder", "alarm-limit", "0")
        .monitor(1, "Garage")
        .monitor(2, "Yard")
        .prepare()
        .await?;
    let Some(disk) = SmallDisk::mount(&world.path("state"), "8m")? else { return Ok(()) };
    world.start_daemon().await?;
    world.phone("android", "full-disk-phone-1").await?;
    world.alarm(1, 1000).await?;
    proxy.wait_accepted(1).await?;
    // Twice: the first time must not use up what helps the second time.
    let (mut event, mut expected) = (1000, 1);
    for round in 1..=2_usize {
        let filler = disk.fill()?;
        for _ in 0..15 {
            event += 1;
            world.alarm(u32::try_from(event % 2)? + 1, event).await?;
        }
        expected += 15 * round;
        proxy.wait_accepted(expected).await?;
        wait_until("the trouble is told", async || {
            Ok(state_error(&world).await?.as_str().is_some_and(|error| error.contains("full")).then_some(()))
        })
        .await?;
        let trouble = world.ctl().wait_trouble("store").await?;
        ensure!(trouble["severity"] == "error" && trouble["hint"].is_string(), "{trouble}");
        register(&world, &format!("full-disk-phone-{}", round + 1)).await?;
        event += 1;
        world.alarm(1, event).await?;
        expected += round + 1;
        proxy.wait_accepted(expected).await?;
        // There is room again: writing continues by itself.
        fs::remove_file(filler)?;
        wait_until("the state is written again", async || {
            Ok(state_error(&world).await?.is_null().then_some(()))
        })
        .await?;
        world.run(&["check", "store"]).await?.expect_code(0)?;
    }
    world.ctl().wait_trouble_over("store").await?;
    let badge = world.token("full-disk-phone-1").await?.context("no phone")?["badge"].clone();
    world.kill_daemon().await?;
    world.start_daemon().await?;
    world.wait_comparing().await?;
    ensure!(world.tokens().await?.len() == 3, "{:?}", world.tokens().await?);
    let phone = world.token("full-disk-phone-1").await?.context("no phone")?;
    ensure!(phone["badge"] == badge && badge == json!(33), "{badge} {phone}");
    event += 1;
    world.alarm(2, event).await?;
    proxy.wait_accepted(expected + 3).await?;
    let twice: Vec<_> = told(&proxy)?.into_iter().filter(|(_, count)| *count > 1).collect();
    ensure!(twice.is_empty(), "told twice: {twice:?}");
    let queue = world.ctl().json(&["push", "queue"]).await?;
    ensure!(queue["queued"] == 0, "{queue}");
    world.kill_daemon().await
}

#[tokio::test]
async fn a_damaged_state_is_set_aside_and_phones_still_ring() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let mut world = World::new().with_push_proxy(&proxy).monitor(1, "Garage").start().await?;
    world.phone("android", "damaged-state-phone").await?;
    ensure!(world.daemon()?.end(Signal::SIGTERM).await?.success());
    let state = world.path("state/zmesd.db");
    let scrambled = |length: usize| -> Result<Vec<u8>> {
        fs::OpenOptions::new().write(true).open(&state)?.write_all_at(&vec![0xA5; length], 0)?;
        Ok(fs::read(&state)?)
    };
    // The header alone can be replaced; without the list of tables nothing can be read.
    let content = scrambled(100)?;
    world.start_daemon().await?;
    let aside = set_aside(&world)?;
    ensure!(aside.len() == 1 && fs::read(&aside[0])? == content, "{aside:?}");
    world.alarm(1, 2000).await?;
    proxy.wait_accepted(1).await?;
    let status = world.status().await?;
    let damage = status["state_damage"].as_str().unwrap_or_default();
    ensure!(damage.contains("saved 1 phones") || damage.contains("saved 1 phone"), "{status}");
    let doctor: Value = world.run(&["doctor", "--json"]).await?.json()?;
    let warned = |doctor: &Value| {
        let findings = doctor["findings"].as_array().cloned().unwrap_or_default();
        findings.into_iter().find(|finding| finding["step"] == "state" && finding["severity"] == "warning")
    };
    let finding = warned(&doctor).with_context(|| doctor.to_string())?;
    let hint = finding["hint"].as_str().unwrap_or_default();
    ensure!(hint.contains(&aside[0].display().to_string()), "{finding}");
    // Acknowledged by moving it away, as the hint says.
    fs::remove_file(&aside[0])?;
    let doctor: Value = world.run(&["doctor", "--json"]).await?.json()?;
    ensure!(warned(&doctor).is_none(), "{doctor}");
    ensure!(world.daemon()?.end(Signal::SIGTERM).await?.success());

    scrambled(4096)?;
    world.start_daemon().await?;
    ensure!(world.tokens().await?.is_empty());
    // The app is opened, and the phone rings again.
    world.phone("android", "damaged-state-phone").await?;
    world.alarm(1, 2001).await?;
    proxy.wait_accepted(2).await?;
    Ok(())
}

#[tokio::test]
async fn a_state_directory_that_is_removed_is_made_again_with_everything_in_it() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let mut world = World::new().with_push_proxy(&proxy).monitor(1, "Garage").start().await?;
    world.phone("android", "removed-state-phone").await?;
    fs::remove_dir_all(world.path("state"))?;
    world.alarm(1, 3000).await?;
    proxy.wait_accepted(1).await?;
    wait_until("the file is there again", async || {
        let stored = world.run(&["check", "store"]).await?.code == 0;
        Ok((stored && world.path("state/zmesd.db").exists()).then_some(()))
    })
    .await?;
    world.kill_daemon().await?;
    world.start_daemon().await?;
    ensure!(world.tokens().await?.len() == 1);
    world.wait_comparing().await?;
    world.alarm(1, 3001).await?;
    proxy.wait_accepted(2).await?;
    let twice: Vec<_> = told(&proxy)?.into_iter().filter(|(_, count)| *count > 1).collect();
    ensure!(twice.is_empty(), "told twice: {twice:?}");
    Ok(())
}

#[tokio::test]
async fn of_a_camera_that_flaps_each_alarm_is_accounted_for() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let mut world = World::new()
        .with_push_proxy(&proxy)
        .setting("zoneminder", "alarm-limit", "5")
        .monitor(1, "Garage")
        .monitor(2, "Yard")
        .start()
        .await?;
    world.phone("android", "flapping-phone-1").await?;
    for event in 4001..=4008 {
        world.alarm(1, event).await?;
        world.wait_monitor(1, "seen", |view| view["last_event_id"] == event).await?;
    }
    // The other camera is not held back.
    world.alarm(2, 4100).await?;
    wait_until("the other camera rings", async || {
        Ok(told(&proxy)?.contains_key(&("flapping-phone-1".to_owned(), 4100)).then_some(()))
    })
    .await?;
    ensure!(proxy.push_count() == 6, "{:?}", told(&proxy)?);
    let flaps = |view: &Value| {
        view["reason"].as_str().is_some_and(|reason| reason.contains("more than 5 alarms a minute"))
    };
    world.wait_monitor(1, "flapping", flaps).await?;
    let why: Value = world.ctl().json(&["why", "4007"]).await?;
    let explanation = why["explanation"].as_str().unwrap_or_default();
    ensure!(explanation.contains("flapped") && explanation.contains("zoneminder.alarm-limit"), "{why}");
    ensure!(why["announced"] == false, "{why}");
    world.daemon()?.end(Signal::SIGTERM).await?;
    Ok(())
}

/// Raises alarms, kills the daemon when the provider has taken `kill_at` pushes, and returns how many were repeated
/// after the next start.
async fn repeats_after_a_kill(phones: usize, alarms: u64, kill_at: usize) -> Result<usize> {
    let proxy = PushProxy::start().await?;
    let mut world = World::new()
        .with_push_proxy(&proxy)
        .setting("push", "storm-limit", "100000")
        .setting("zoneminder", "alarm-limit", "0")
        .setting("log", "level", "\"info\"")
        .monitor(1, "Garage")
        .start()
        .await?;
    for number in 0..phones {
        register(&world, &format!("storm-phone-{number:04}")).await?;
    }
    world.wait_comparing().await?;
    for event in 1..=alarms {
        world.alarm(1, 5000 + event).await?;
        // The poller reads every 20 ms; an event that it does not see is announced late, which is not the subject here.
        wait_until("it was seen", async || {
            Ok((world.monitor(1).await?["last_event_id"] == 5000 + event).then_some(()))
        })
        .await?;
        if proxy.push_count() >= kill_at {
            break;
        }
    }
    wait_until("enough was sent", async || Ok((proxy.push_count() >= kill_at).then_some(()))).await?;
    world.kill_daemon().await?;
    world.start_daemon().await?;
    wait_until("nothing is queued", async || {
        let queue = world.ctl().json(&["push", "queue"]).await?;
        Ok((queue["queued"] == 0).then_some(()))
    })
    .await?;
    world.alarm(1, 9000).await?;
    wait_until("the next alarm reaches every phone", async || {
        Ok((told(&proxy)?.keys().filter(|(_, event)| *event == 9000).count() == phones).then_some(()))
    })
    .await?;
    Ok(told(&proxy)?.values().map(|count| count - 1).sum())
}

#[tokio::test]
async fn a_kill_in_a_storm_repeats_only_what_was_on_its_way() -> Result<()> {
    let repeats = repeats_after_a_kill(60, 30, 900).await?;
    println!("{repeats} repeats");
    ensure!(repeats <= UNDER_WAY, "{repeats}");
    Ok(())
}

/// The full figures of the report: 100 phones, 150 alarms.
#[tokio::test]
#[ignore = "takes minutes on a small machine: cargo nextest run -p zmes-tests --test disk --run-ignored only"]
async fn a_kill_in_a_great_storm_repeats_only_what_was_on_its_way() -> Result<()> {
    let repeats = repeats_after_a_kill(100, 150, 12_000).await?;
    println!("{repeats} repeats");
    ensure!(repeats <= UNDER_WAY, "{repeats}");
    Ok(())
}
