//! What polling cannot see is found in the Events table: late, marked, once.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use zmes_tests::{AppClient, EventRow, State, World, wait_until};

/// Takes a late alarm.
async fn expect_late(app: &mut AppClient, event: u64, monitor: u32) -> Result<Value> {
    let frame = app.expect_alarm(event, monitor).await?;
    ensure!(frame["late"] == "true", "not marked: {frame}");
    Ok(frame)
}

/// Waits until the record has `count` alarms after `since`: alarms on disk are not announced again after a crash.
async fn recorded(app: &mut AppClient, since: &str, count: &str) -> Result<()> {
    wait_until(&format!("{count} alarms after {since} are on disk"), async || {
        app.send(&json!({"event": "control", "data": {"type": "replay", "since": since}})).await?;
        loop {
            let frame = app.next_json().await?;
            if frame["type"] == "replay" {
                return Ok((frame["count"] == count).then_some(()));
            }
        }
    })
    .await
}

/// Waits until the daemon has run for this long: alarms that began before its start are not in its record.
async fn aged(world: &World, milliseconds: u64) -> Result<()> {
    let old = |status: &Value| status["uptime_ms"].as_u64() >= Some(milliseconds);
    world.wait_status("old enough", old).await.map(drop)
}

#[tokio::test]
async fn an_alarm_shorter_than_a_poll_is_found_in_the_table() -> Result<()> {
    let world = World::new().monitor(1, "Front").start().await?;
    world.wait_comparing().await?;
    let mut app = world.admin().await?;
    // It was over before a poll: only the row and the last event show it.
    world.insert_event(EventRow::new(60, 1).closed()).await?;
    world.shm(1)?.set_last_event(60)?;
    expect_late(&mut app, 60, 1).await?;
    let status = world.status().await?;
    assert_eq!(status["events"], json!({"seen": 1, "reconciled": 1}));
    Ok(())
}

#[tokio::test]
async fn two_events_between_two_polls_are_both_told() -> Result<()> {
    let world = World::new().monitor(1, "Front").start().await?;
    world.wait_comparing().await?;
    let mut app = world.admin().await?;
    // 61 is over when 62 is seen by polling; the reconciler knows the rest.
    world.insert_event(EventRow::new(61, 1).closed()).await?;
    world.alarm(1, 62).await?;
    let mut told = Vec::new();
    for _ in 0..2 {
        let frame = app.next_json().await?;
        told.push((frame["events"][0]["EventId"].clone(), frame.get("late").cloned()));
    }
    ensure!(told.iter().any(|(event, late)| event == "61" && late.is_some()), "{told:?}");
    ensure!(told.iter().any(|(event, _)| event == "62"), "{told:?}");
    app.sync().await?;
    Ok(())
}

#[tokio::test]
async fn what_polling_saw_is_not_told_again_and_sections_are_nothing() -> Result<()> {
    let world = World::new().monitor(1, "Front").monitor(2, "Marker").start().await?;
    world.wait_comparing().await?;
    let mut app = world.admin().await?;
    for event in 70..75 {
        world.alarm(1, event).await?;
        app.expect_alarm(event, 1).await?;
        world.end_alarm(1, event).await?;
    }
    world.insert_event(EventRow::new(75, 1).continuous().closed()).await?;
    // The reconciler reads rows in order: when this one has come, those before were judged.
    world.insert_event(EventRow::new(76, 2).closed()).await?;
    expect_late(&mut app, 76, 2).await?;
    world.insert_event(EventRow::new(77, 2).closed()).await?;
    expect_late(&mut app, 77, 2).await?;
    app.sync().await?;
    assert_eq!(world.status().await?["events"], json!({"seen": 7, "reconciled": 2}));
    Ok(())
}

#[tokio::test]
async fn an_alarm_inside_an_old_section_that_was_not_seen_is_found() -> Result<()> {
    let world = World::new().monitor(1, "Front").start().await?;
    world.wait_comparing().await?;
    let mut app = world.admin().await?;
    world.insert_event(EventRow::new(80, 1).continuous()).await?;
    world.shm(1)?.set_last_event(80)?;
    world.shm(1)?.set_state(State::Tape)?;
    world.wait_monitor(1, "recording", |monitor| monitor["state"] == "tape").await?;
    // zmc counts alarm frames into the row while it is open.
    world.database.sql("UPDATE Events SET AlarmFrames=4, MaxScore=20 WHERE Id=80").await?;
    expect_late(&mut app, 80, 1).await?;
    Ok(())
}

#[tokio::test]
async fn an_alarm_in_a_section_older_than_the_daemon_is_found() -> Result<()> {
    let mut world = World::new().monitor(1, "Front").monitor(2, "Marker").prepare().await?;
    world.insert_event(EventRow::new(82, 1).aged(3600).continuous()).await?;
    world.shm(1)?.set_last_event(82)?;
    world.shm(1)?.set_state(State::Tape)?;
    world.start_daemon().await?;
    world.wait_comparing().await?;
    let mut app = world.admin().await?;
    world.database.sql("UPDATE Events SET AlarmFrames=4, MaxScore=20 WHERE Id=82").await?;
    expect_late(&mut app, 82, 1).await?;
    Ok(())
}

#[tokio::test]
async fn what_happened_while_the_daemon_was_down_is_told_late_and_once() -> Result<()> {
    let mut world = World::new().monitor(1, "Front").monitor(2, "Yard").start().await?;
    world.wait_comparing().await?;
    let mut app = world.admin().await?;
    world.alarm(1, 90).await?;
    app.expect_alarm(90, 1).await?;
    world.end_alarm(1, 90).await?;
    world.insert_event(EventRow::new(91, 2).closed()).await?;
    expect_late(&mut app, 91, 2).await?;
    recorded(&mut app, "90", "1").await?;
    aged(&world, 3000).await?;

    world.kill_daemon().await?;
    world.insert_event(EventRow::new(92, 1).closed()).await?;
    world.insert_event(EventRow::new(93, 2).closed()).await?;
    world.insert_event(EventRow::new(94, 2).continuous().closed()).await?;
    world.start_daemon().await?;
    let status = world.wait_status("caught up", |status| status["events"]["reconciled"] == 2).await?;
    assert_eq!(status["events"]["seen"], 2, "{status}");

    // Apps that reconnect may ask for what they missed, each alarm once.
    let mut app = world.admin().await?;
    app.send(&json!({"event": "control", "data": {"type": "replay", "since": "91"}})).await?;
    for (event, monitor) in [(92, 1), (93, 2)] {
        let frame = app.expect_alarm(event, monitor).await?;
        ensure!(frame["replayed"] == "true" && frame["late"] == "true", "{frame}");
    }
    app.expect(&json!({"event": "control", "type": "replay", "status": "Success", "count": "2"})).await?;
    world.alarm(1, 95).await?;
    app.expect_alarm(95, 1).await?;
    Ok(())
}

#[tokio::test]
async fn an_alarm_told_without_an_id_is_not_told_again_after_a_restart() -> Result<()> {
    let mut world = World::new().monitor(1, "Front").monitor(2, "Marker").start().await?;
    world.wait_comparing().await?;
    let mut app = world.admin().await?;
    world.alarm(1, 30).await?;
    app.expect_alarm(30, 1).await?;
    world.end_alarm(1, 30).await?;
    aged(&world, 3000).await?;
    // The database refuses the row: zmc goes into ALARM with event 0.
    world.shm(1)?.set_last_event(0)?;
    world.shm(1)?.set_state(State::Alarm)?;
    let frame = app.next_json().await?;
    ensure!(frame["events"][0]["EventId"] == "" && frame["events"][0]["MonitorId"] == "1", "{frame}");
    world.shm(1)?.set_state(State::Idle)?;
    recorded(&mut app, "30", "1").await?;
    world.kill_daemon().await?;

    // The row comes after all, as it does where zmc tries again.
    world.insert_event(EventRow::new(31, 1).aged(6).closed()).await?;
    world.insert_event(EventRow::new(32, 2).closed()).await?;
    world.start_daemon().await?;
    let mut app = world.admin().await?;
    world.wait_status("caught up", |status| status["events"]["reconciled"] == 1).await?;
    // Alarms missed while the daemon was down are sent to apps that reconnect, too.
    expect_late(&mut app, 32, 2).await?;
    world.insert_event(EventRow::new(33, 2).closed()).await?;
    expect_late(&mut app, 33, 2).await?;
    assert_eq!(world.status().await?["events"], json!({"seen": 2, "reconciled": 2}));
    Ok(())
}

#[tokio::test]
async fn events_older_than_the_catch_up_are_left_alone() -> Result<()> {
    let mut world =
        World::new().monitor(1, "Front").setting("zoneminder", "catch-up", "\"5s\"").start().await?;
    world.wait_comparing().await?;
    let mut app = world.admin().await?;
    world.alarm(1, 20).await?;
    app.expect_alarm(20, 1).await?;
    world.end_alarm(1, 20).await?;
    recorded(&mut app, "19", "1").await?;
    aged(&world, 10_000).await?;
    world.kill_daemon().await?;
    world.insert_event(EventRow::new(21, 1).aged(3600).closed()).await?;
    world.insert_event(EventRow::new(22, 1).aged(9).closed()).await?;
    world.insert_event(EventRow::new(23, 1).closed()).await?;
    world.start_daemon().await?;
    let status = world.wait_status("caught up", |status| status["events"]["reconciled"] == 1).await?;
    assert_eq!(status["events"]["seen"], 1, "{status}");
    let mut app = world.admin().await?;
    app.send(&json!({"event": "control", "data": {"type": "replay", "since": "20"}})).await?;
    app.expect_alarm(23, 1).await?;
    Ok(())
}

#[tokio::test]
async fn a_first_start_on_an_old_zoneminder_tells_nothing_old() -> Result<()> {
    let mut world = World::new().monitor(1, "Front").prepare().await?;
    for event in 1..20 {
        world.insert_event(EventRow::new(event, 1).aged(7200).closed()).await?;
    }
    world.start_daemon().await?;
    world.wait_comparing().await?;
    let mut app = world.admin().await?;
    world.insert_event(EventRow::new(20, 1).closed()).await?;
    expect_late(&mut app, 20, 1).await?;
    assert_eq!(world.status().await?["events"], json!({"seen": 1, "reconciled": 1}));
    Ok(())
}
