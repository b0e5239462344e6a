//! Troubles in the stream, and for a hook that was away when they came.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tokio::time::{Instant, sleep};
use zmes_tests::{World, includes, wait_until};

use crate::stage::{Place, garage};

/// A condition must be gone for 30 s until its trouble is over.
const LONG: Duration = Duration::from_secs(90);

async fn wait_trouble(world: &World, stands: bool) -> Result<()> {
    let deadline = Instant::now() + LONG;
    loop {
        let list = world.ctl().json(&["troubles"]).await?;
        let found = list["troubles"].as_array().context("no list")?.iter().any(|one| one["id"] == "camera:1");
        if found == stands {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "camera:1 stands: {stands}; {list}");
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_trouble_and_its_end_run_the_command_also_when_it_was_away() -> Result<()> {
    let world = garage().setting("watchdog", "camera-offline", "\"1s\"").start().await?;
    let place = Place::of(&world)?;
    let script = place.records()?;
    let cursor = place.cursor();
    let arguments = ["--on", "trouble", "--cursor", cursor.as_str(), "--", script.as_str()];
    let mut hook = place.follow(&world, "log", &arguments).await?;
    let mut watch = world.ctl().stream(&["watch", "--jsonl", "--type", "trouble"])?;
    let mut old = world.ctl().stream(&["watch", "--jsonl", "--type", "alarm,monitor"])?;
    world.shm(1)?.stop()?;
    let raised = watch.next().await?.context("the stream has ended")?;
    let expected = json!({"type": "trouble", "change": "raised", "monitor_id": 1, "monitor": "Garage",
        "trouble": {"id": "camera:1", "kind": "camera", "severity": "error", "cleared_at": null}});
    ensure!(includes(&raised, &expected), "{raised}");
    let runs = place.wait_runs(1).await?;
    let message = &runs[0].message;
    let expected = json!({"v": 1, "event_type": "trouble", "late": false, "monitor": {"id": 1, "name": "Garage"},
        "cause": raised["trouble"]["text"], "trouble": {"id": "camera:1", "kind": "camera", "severity": "error",
        "since": raised["trouble"]["since"], "hint": raised["trouble"]["hint"]}});
    ensure!(includes(message, &expected) && message.get("event").is_none(), "{message}");
    ensure!(runs[0].environment["ZMES_PHASE"] == "trouble" && runs[0].environment["ZMES_MONITOR"] == "1");
    ensure!(!runs[0].environment.contains_key("ZMES_EVENT"), "there is none");

    // A client that connects later sees it as part of the state.
    let present =
        world.run(&["watch", "--json", "--type", "trouble", "--count", "1"]).await?.expect_code(0)?;
    ensure!(includes(&present.json()?, &json!({"change": "present", "trouble": {"id": "camera:1"}})));
    wait_until("the hook has ended", async || {
        hook.signal(nix::sys::signal::Signal::SIGTERM)?;
        hook.exited()
    })
    .await?;
    world.shm(1)?.start()?;
    wait_trouble(&world, false).await?;
    let cleared = watch.next().await?.context("the stream has ended")?;
    ensure!(includes(&cleared, &json!({"change": "cleared", "trouble": {"id": "camera:1"}})), "{cleared}");
    ensure!(cleared["trouble"]["cleared_at"].is_string(), "{cleared}");
    let _hook = place.follow(&world, "again", &arguments).await?;
    let runs = place.wait_runs(2).await?;
    assert_eq!(runs.len(), 2, "the first is not repeated");
    assert_eq!(runs[1].message["event_type"], "resolved");
    ensure!(runs[1].id() > runs[0].id());

    // A client of before sees no line that it does not know.
    world.alarm(2, 100).await?;
    loop {
        let line = old.next().await?.context("the stream has ended")?;
        ensure!(line["type"] != "trouble", "{line}");
        if line["type"] == "alarm" {
            return Ok(());
        }
    }
}
