//! Restarts of the daemon, of the hook, of both; and `watch --reconnect`.

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use zmes_tests::{Streaming, World};

use crate::stage::{Place, Run, garage, quiet, wait_log};

fn events(runs: &[Run]) -> Vec<u64> {
    let mut events: Vec<u64> = runs.iter().map(Run::event).collect();
    events.sort_unstable();
    events
}

/// Lets an event happen from beginning to end.
async fn event(world: &World, monitor: u32, event: u64) -> Result<()> {
    world.alarm(monitor, event).await?;
    wait_announced(world, event).await?;
    quiet(world, monitor, event).await
}

async fn wait_announced(world: &World, event: u64) -> Result<()> {
    zmes_tests::wait_until(&format!("event {event} is announced"), async || {
        let list = world.ctl().json(&["events", "--limit", "100"]).await?;
        let known = list["events"].as_array().context("no list")?;
        Ok(known.iter().any(|known| known["event_id"] == event).then_some(()))
    })
    .await
}

#[tokio::test]
async fn a_daemon_that_restarts_loses_no_run_and_repeats_none() -> Result<()> {
    let mut world = garage().start().await?;
    let place = Place::of(&world)?;
    let script = place.records()?;
    let hook = place.follow(&world, "log", &["--", &script]).await?;
    event(&world, 1, 100).await?;
    place.wait_runs(1).await?;
    for (round, signal) in [Signal::SIGTERM, Signal::SIGKILL].into_iter().enumerate() {
        let next = 101 + 2 * round as u64;
        world.daemon()?.end(signal).await?;
        // It happens while no daemon runs, and is announced late.
        world.alarm(1, next).await?;
        world.end_alarm(1, next).await?;
        world.start_daemon().await?;
        wait_announced(&world, next).await?;
        event(&world, 2, next + 1).await?;
        place.wait_runs(3 + 2 * round).await?;
    }
    let runs = place.runs()?;
    assert_eq!(events(&runs), [100, 101, 102, 103, 104]);
    let late = runs.iter().find(|run| run.event() == 101).context("no run")?;
    ensure!(late.message["late"] == true, "{late:?}");
    let log = hook.log();
    assert_eq!(log.matches("zmesd is away").count(), 2, "{log}");
    assert_eq!(log.matches("zmesd is back").count(), 2, "{log}");
    Ok(())
}

#[tokio::test]
async fn a_hook_that_is_killed_repeats_what_was_running_under_the_same_id() -> Result<()> {
    let world = garage().start().await?;
    let place = Place::of(&world)?;
    let cursor = place.cursor();
    let script = place.waits("[ \"$ZMES_EVENT\" != 102 ] || [ -e \"$OUT/go\" ] || exec sleep 60")?;
    let arguments = ["--cursor", cursor.as_str(), "--", script.as_str()];
    let mut hook = place.follow(&world, "log", &arguments).await?;
    event(&world, 1, 100).await?;
    event(&world, 2, 101).await?;
    place.wait_runs(2).await?;
    wait_log(&hook, "event 101: done").await?;
    event(&world, 1, 102).await?;
    place.wait_lines("begun", 3).await?;
    // Nobody else may use its cursor meanwhile.
    let second = [["hook"].as_slice(), &arguments].concat();
    let refused = world.run(&second).await?.expect_code(2)?;
    ensure!(refused.stderr.contains("another zmesctl hook uses the cursor"), "{refused:#?}");
    // What is done is on the disk before long: the kill comes after it.
    zmes_tests::wait_until("the cursor has both runs", async || {
        let text = std::fs::read_to_string(place.path("cursor"))?;
        let kept: serde_json::Value = serde_json::from_str(&text)?;
        Ok((kept["done"].as_array().map(Vec::len) == Some(2)).then_some(()))
    })
    .await?;
    hook.end(Signal::SIGKILL).await?;
    // What happens while no hook runs.
    event(&world, 2, 103).await?;
    std::fs::write(place.path("out/go"), "")?;
    let mut hook = place.follow(&world, "again", &arguments).await?;
    let runs = place.wait_runs(4).await?;
    assert_eq!(events(&runs), [100, 101, 102, 103], "none of the finished ones again");
    let begun = place.wait_lines("begun", 5).await?;
    let of = |event: &str| begun.iter().filter(|line| line.ends_with(event)).collect::<Vec<_>>();
    ensure!(of(" 102").len() == 2 && of(" 102")[0] == of(" 102")[1], "the same id: {begun:?}");
    ensure!(begun.len() == 5, "{begun:?}");
    wait_log(&hook, "event 103: done").await?;
    ensure!(hook.end(Signal::SIGTERM).await?.success());
    Ok(())
}

#[tokio::test]
async fn a_hook_that_is_stopped_waits_for_its_runs_and_leaves_the_rest_for_later() -> Result<()> {
    let world = garage().start().await?;
    let place = Place::of(&world)?;
    let cursor = place.cursor();
    let script = place.waits("while [ -d \"$OUT\" ] && [ ! -e \"$OUT/go\" ]; do sleep 0.05; done")?;
    let arguments = ["--cursor", cursor.as_str(), "--jobs", "1", "--", script.as_str()];
    let mut hook = place.follow(&world, "log", &arguments).await?;
    event(&world, 1, 100).await?;
    place.wait_lines("begun", 1).await?;
    event(&world, 2, 101).await?;
    hook.signal(Signal::SIGTERM)?;
    wait_log(&hook, "stopping: 1 still running").await?;
    std::fs::write(place.path("out/go"), "")?;
    ensure!(hook.exit().await?.success());
    assert_eq!(events(&place.runs()?), [100], "what had not begun does not begin");
    let _hook = place.follow(&world, "again", &arguments).await?;
    assert_eq!(events(&place.wait_runs(2).await?), [100, 101]);

    // One that does not end is ended by a second signal.
    std::fs::remove_file(place.path("out/go"))?;
    let mut stuck = place.follow(&world, "stuck", &["--", script.as_str()]).await?;
    event(&world, 1, 102).await?;
    place.wait_lines("begun", 4).await?;
    stuck.signal(Signal::SIGTERM)?;
    wait_log(&stuck, "stopping: 1 still running").await?;
    stuck.signal(Signal::SIGTERM)?;
    ensure!(stuck.exit().await?.success());
    ensure!(stuck.log().contains("the hook was told twice to stop"), "{}", stuck.log());
    Ok(())
}

/// Reads until an event has begun; adds each line as event and phase.
async fn read_until(watch: &mut Streaming, event: u64, told: &mut Vec<(u64, String)>) -> Result<()> {
    loop {
        let line = watch.next().await?.context("the stream has ended")?;
        let phase = line["phase"].as_str().unwrap_or_default();
        told.push((line["event_id"].as_u64().context("no event")?, phase.to_owned()));
        if line["event_id"] == event && phase.is_empty() {
            return Ok(());
        }
    }
}

#[tokio::test]
async fn watch_reconnects_and_shows_each_alarm_once() -> Result<()> {
    let mut world = garage().start().await?;
    let arguments = ["watch", "--jsonl", "--reconnect", "--type", "alarm"];
    let mut watch = world.ctl().stream(&arguments)?;
    let mut plain = world.ctl().stream(&["watch", "--jsonl", "--type", "alarm"])?;
    // Both must have begun: the first has its past from the record, the second has not.
    world.alarm(1, 100).await?;
    let mut told = Vec::new();
    read_until(&mut watch, 100, &mut told).await?;
    wait_announced(&world, 100).await?;
    quiet(&world, 1, 100).await?;
    for (signal, next) in [(Signal::SIGTERM, 101), (Signal::SIGKILL, 103)] {
        world.daemon()?.end(signal).await?;
        world.alarm(1, next).await?;
        world.start_daemon().await?;
        wait_announced(&world, next).await?;
        quiet(&world, 1, next).await?;
        event(&world, 2, next + 1).await?;
        read_until(&mut watch, next + 1, &mut told).await?;
    }
    let starts: Vec<_> = told.iter().filter(|(_, phase)| phase.is_empty()).map(|(event, _)| *event).collect();
    assert_eq!(starts, (100..105).collect::<Vec<_>>());
    ensure!(watch.running()?);
    while plain.next().await?.is_some_and(|line| line.get("error").is_none()) {}
    assert_eq!(plain.exit().await?, 3, "without --reconnect it ends with the daemon");
    Ok(())
}
