//! Shared memory in every layout and at every point of its life.

use anyhow::{Result, ensure};
use serde_json::Value;
use zmes_tests::{EventRow, Layout, MonitorRow, Numbering, State, World, epoch_seconds};

fn healthy(monitor: &Value) -> bool {
    monitor["healthy"] == true
}

fn unhealthy(monitor: &Value) -> bool {
    monitor["healthy"] == false && monitor["reason"].is_string()
}

#[tokio::test]
async fn every_layout_is_read_side_by_side() -> Result<()> {
    let mut world = World::new();
    for layout in Layout::all() {
        world = world.camera(MonitorRow::new(layout.size, layout.releases).layout(layout));
    }
    let world = world.start().await?;
    let mut app = world.admin().await?;
    for layout in Layout::all() {
        let event = u64::from(layout.size) * 10;
        world.alarm(layout.size, event).await?;
        app.expect_alarm(event, layout.size).await?;
        let monitor = world.monitor(layout.size).await?;
        ensure!(monitor["layout"] == layout.size && monitor["source"] == "shm", "{monitor}");
        ensure!(monitor["state"] == "alarm" && monitor["last_event_id"] == event, "{monitor}");
    }
    Ok(())
}

#[tokio::test]
async fn early_1_36_counts_from_idle_and_its_prealarm_is_none() -> Result<()> {
    let mut world = World::new()
        .camera(MonitorRow::new(1, "Front").numbered(Numbering::IdleIsZero))
        .camera(MonitorRow::new(2, "Yard").numbered(Numbering::IdleIsZero))
        .prepare()
        .await?;
    world.database.sql("UPDATE Config SET Value='1.36.10' WHERE Name LIKE 'ZM_DYN%VERSION'").await?;
    world.start_daemon().await?;
    let mut app = world.admin().await?;
    world.shm(1)?.set_state(State::Prealarm)?;
    world.wait_monitor(1, "in prealarm", |monitor| monitor["state"] == "prealarm").await?;
    world.alarm(2, 9).await?;
    app.expect_alarm(9, 2).await?;
    Ok(())
}

#[tokio::test]
async fn where_the_state_is_written_first_the_event_is_awaited() -> Result<()> {
    for size in [600, 872, 888] {
        let world = World::new().camera(MonitorRow::new(1, "Front").layout(Layout::of(size))).start().await?;
        let mut app = world.admin().await?;
        let shm = world.shm(1)?;
        // An earlier event, which must not be announced again.
        world.alarm(1, 40).await?;
        app.expect_alarm(40, 1).await?;
        world.end_alarm(1, 40).await?;
        world.wait_monitor(1, "idle again", |monitor| monitor["state"] == "idle").await?;
        shm.set_state(State::Alarm)?;
        world.wait_monitor(1, "alarmed", |monitor| monitor["state"] == "alarm").await?;
        app.sync().await?;
        world.insert_event(EventRow::new(41, 1)).await?;
        shm.set_last_event(41)?;
        app.expect_alarm(41, 1).await?;
        app.sync().await?;
    }
    Ok(())
}

#[tokio::test]
async fn another_event_while_alarmed_is_another_alarm() -> Result<()> {
    let world = World::new().monitor(1, "Front").start().await?;
    let mut app = world.admin().await?;
    world.alarm(1, 10).await?;
    app.expect_alarm(10, 1).await?;
    world.insert_event(EventRow::new(11, 1)).await?;
    world.shm(1)?.set_last_event(11)?;
    app.expect_alarm(11, 1).await?;
    // Ids may go down: a database was restored.
    world.insert_event(EventRow::new(3, 1)).await?;
    world.shm(1)?.set_last_event(3)?;
    app.expect_alarm(3, 1).await?;
    Ok(())
}

#[tokio::test]
async fn an_alarm_whose_event_could_not_be_made_has_an_empty_id() -> Result<()> {
    let world = World::new().monitor(1, "Front").start().await?;
    let mut app = world.admin().await?;
    let shm = world.shm(1)?;
    shm.set_last_event(0)?;
    shm.set_cause(b"Motion")?;
    shm.set_state(State::Alarm)?;
    let frame = app.next_json().await?;
    ensure!(frame["events"][0]["EventId"] == "" && frame["events"][0]["MonitorId"] == "1", "{frame}");
    Ok(())
}

#[tokio::test]
async fn zmc_stops_and_starts_and_the_next_alarm_arrives() -> Result<()> {
    let world = World::new().monitor(1, "Front").start().await?;
    let mut app = world.admin().await?;
    let shm = world.shm(1)?;
    world.alarm(1, 10).await?;
    app.expect_alarm(10, 1).await?;

    // Stopped while alarmed: the old inode stays in ALARM.
    shm.stop()?;
    world.wait_monitor(1, "down", |monitor| unhealthy(monitor) && monitor["state"] == "down").await?;
    shm.appear_empty()?;
    world.wait_monitor(1, "starting", unhealthy).await?;
    shm.start()?;
    world.wait_monitor(1, "back", healthy).await?;
    app.sync().await?;
    world.alarm(1, 11).await?;
    app.expect_alarm(11, 1).await?;

    // HUP: a new inode at once, in the middle of an alarm.
    shm.start()?;
    world.wait_monitor(1, "idle again", |monitor| healthy(monitor) && monitor["state"] == "idle").await?;
    world.alarm(1, 12).await?;
    app.expect_alarm(12, 1).await?;

    // Killed and started: the same inode, zeroed and filled again.
    shm.start_in_place()?;
    world.wait_monitor(1, "idle in place", |monitor| healthy(monitor) && monitor["state"] == "idle").await?;
    world.alarm(1, 13).await?;
    app.expect_alarm(13, 1).await?;
    app.sync().await?;
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_read_is_said_and_comes_back() -> Result<()> {
    let world = World::new().monitor(1, "Front").start().await?;
    let mut app = world.admin().await?;
    let shm = world.shm(1)?;
    shm.set_valid(false)?;
    world.wait_monitor(1, "not valid", unhealthy).await?;
    shm.set_valid(true)?;
    world.wait_monitor(1, "valid", healthy).await?;

    shm.set_heartbeat(epoch_seconds() - 3600)?;
    world.wait_monitor(1, "frozen", unhealthy).await?;
    let status = world.wait_status("stale", |status| status["monitors"]["stale"] == 1).await?;
    assert_eq!(status["monitors"]["total"], 1);
    shm.set_heartbeat(epoch_seconds())?;
    world.wait_monitor(1, "beating", healthy).await?;

    // Hostile: a state that no version knows, garbage for a size, a file of nothing.
    shm.poke(&0xDEAD_BEEF_u32.to_le_bytes(), 12)?;
    shm.poke(&u32::MAX.to_le_bytes(), 0)?;
    world.wait_monitor(1, "of no layout", |monitor| monitor["layout"] != 760 || unhealthy(monitor)).await?;
    std::fs::write(shm.path(), b"")?;
    world.wait_monitor(1, "empty", unhealthy).await?;
    shm.start()?;
    world.wait_monitor(1, "back", healthy).await?;
    world.alarm(1, 5).await?;
    app.expect_alarm(5, 1).await?;
    Ok(())
}

#[tokio::test]
async fn names_and_causes_of_any_bytes_arrive_as_json() -> Result<()> {
    let name = "Tür \"1\"\t\u{1b}[31m\u{7}<b>\\ \u{1F697}";
    let world = World::new().monitor(1, name).monitor(2, "Yard").start().await?;
    let mut app = world.admin().await?;
    world.alarm(1, 5).await?;
    let frame = app.expect_alarm(5, 1).await?;
    let told = frame["events"][0]["Name"].as_str().unwrap_or_default();
    ensure!(told.contains("Tür") && told.contains('\u{1F697}'), "{frame}");

    // Half-written, not UTF-8, without an end: 256 bytes of it.
    let shm = world.shm(2)?;
    world.insert_event(EventRow::new(6, 2)).await?;
    shm.poke(&[0xFF; 256], 376)?;
    shm.set_last_event(6)?;
    shm.set_state(State::Alarm)?;
    app.expect_alarm(6, 2).await?;
    Ok(())
}

#[tokio::test]
async fn an_unknown_layout_falls_back_to_the_events_table() -> Result<()> {
    let world = World::new().monitor(1, "Front").start().await?;
    world.wait_comparing().await?;
    let mut app = world.admin().await?;
    world.shm(1)?.poke(&904_u32.to_le_bytes(), 0)?;
    world.wait_monitor(1, "read from the database", |monitor| monitor["source"] == "db").await?;
    world.insert_event(EventRow::new(77, 1)).await?;
    app.expect_alarm(77, 1).await?;
    let reason = world.monitor(1).await?["reason"].to_string();
    ensure!(reason.contains("904"), "the size is not named: {reason}");
    Ok(())
}

#[tokio::test]
async fn a_zoneminder_elsewhere_is_read_from_its_database() -> Result<()> {
    let far = MonitorRow::new(1, "Front").without_shared_memory();
    let mut world = World::new().camera(far).setting("zoneminder", "source", "\"db\"").prepare().await?;
    world.launch_daemon().await?;
    world.wait_comparing().await?;
    world.wait_monitor(1, "read from the database", |monitor| monitor["source"] == "db").await?;
    let mut app = world.admin().await?;
    world.insert_event(EventRow::new(500, 1)).await?;
    app.expect_alarm(500, 1).await?;
    world.insert_event(EventRow::new(501, 1)).await?;
    app.expect_alarm(501, 1).await?;
    app.sync().await?;
    Ok(())
}

#[tokio::test]
async fn what_already_runs_at_the_start_is_told_once_if_it_is_young() -> Result<()> {
    let mut world = World::new().monitor(1, "Young").monitor(2, "Old").monitor(3, "Marker").prepare().await?;
    world.alarm(1, 10).await?;
    world.insert_event(EventRow::new(11, 2).aged(3 * 3600)).await?;
    world.alarm_without_row(2, 11).await?;
    world.start_daemon().await?;
    let status = world.wait_status("at one alarm", |status| status["events"]["seen"] == 1).await?;
    assert_eq!(status["events"]["seen"], 1);
    let mut app = world.admin().await?;
    world.alarm(3, 12).await?;
    app.expect_alarm(12, 3).await?;
    assert_eq!(world.status().await?["events"]["seen"], 2);
    Ok(())
}
