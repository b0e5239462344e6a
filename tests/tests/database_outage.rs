//! ZoneMinder's database goes away and comes back: alarms are still announced, and no user gets "wrong password".

use anyhow::{Result, ensure};
use zmes_tests::{EventRow, World};

#[tokio::test]
async fn alarms_flow_while_the_database_is_down() -> Result<()> {
    let mut world = World::new().monitor(1, "Front").start().await?;
    world.wait_comparing().await?;
    let mut app = world.admin().await?;
    world.database.stop().await?;
    let status = world.wait_status("down", |status| status["database"] == "down").await?;
    ensure!(status["database_error"].is_string(), "{status}");
    world.alarm_without_row(1, 30).await?;
    app.expect_alarm(30, 1).await?;

    // A login during the outage is asked to retry, not refused.
    let mut newcomer = world.app().await?;
    newcomer.send_auth("admin", "adminpass").await?;
    newcomer.expect_close(1013).await?;
    let mut newcomer = world.app().await?;
    newcomer.send_auth("admin", "wrong").await?;
    newcomer.expect_close(1013).await?;

    world.database.resume().await?;
    world.wait_status("up", |status| status["database"] == "ok").await?;
    world.admin().await?;
    world.alarm(1, 31).await?;
    app.expect_alarm(31, 1).await?;
    // Events that appear late in the table are not announced twice.
    world.insert_event(EventRow::new(30, 1).closed()).await?;
    world.insert_event(EventRow::new(32, 1).closed()).await?;
    app.expect_alarm(32, 1).await?;
    app.sync().await?;
    Ok(())
}

#[tokio::test]
async fn a_frozen_database_delays_no_client() -> Result<()> {
    let world = World::new().monitor(1, "Front").start().await?;
    let mut app = world.admin().await?;
    world.database.freeze().await?;
    world.alarm_without_row(1, 40).await?;
    app.expect_alarm(40, 1).await?;
    let mut newcomer = world.app().await?;
    newcomer.send_auth("admin", "adminpass").await?;
    newcomer.expect_close(1013).await?;
    world.wait_status("down", |status| status["database"] == "down").await?;
    world.database.thaw()?;
    world.wait_status("up", |status| status["database"] == "ok").await?;
    world.admin().await?;
    Ok(())
}

#[tokio::test]
async fn the_daemon_starts_before_the_database() -> Result<()> {
    let mut world = World::new().monitor(1, "Front").prepare().await?;
    world.database.stop().await?;
    world.launch_daemon().await?;
    world.wait_status("down", |status| status["database"] == "down").await?;
    let mut early = world.app().await?;
    early.send_auth("admin", "adminpass").await?;
    early.expect_close(1013).await?;
    world.database.resume().await?;
    world.wait_watching().await?;
    let mut app = world.admin().await?;
    world.alarm(1, 50).await?;
    app.expect_alarm(50, 1).await?;
    Ok(())
}
