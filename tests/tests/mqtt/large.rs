//! Many cameras at one broker.

use anyhow::{Result, ensure};
use zmes_tests::{World, mosquitto_is_installed, skipped, wait_until};

use super::connected;

#[tokio::test]
async fn two_hundred_monitors_are_announced_and_an_alarm_does_not_wait_for_that() -> Result<()> {
    if !mosquitto_is_installed() {
        return skipped("mosquitto is not installed");
    }
    let house = (1..=200).fold(World::new(), |world, id| world.monitor(id, &format!("Camera {id}")));
    let (world, broker) = connected(house, "allow_anonymous true\n").await?;
    let live = broker.listen().await?;
    live.wait("zmesd/200/watching", "ON").await?;
    world.alarm(200, 50).await?;
    live.wait_count("zmesd/200/event", 1).await?;
    let announced = live.states().into_keys().filter(|topic| topic.starts_with("homeassistant/")).count();
    ensure!(announced < 201, "the alarm has waited for all devices");
    wait_until("all devices are announced", async || {
        let devices = live.states().into_keys().filter(|topic| topic.starts_with("homeassistant/device/"));
        Ok((devices.count() == 201).then_some(()))
    })
    .await?;
    let size: usize = live
        .all()
        .iter()
        .filter(|one| one.topic.starts_with("homeassistant/"))
        .map(|one| one.payload.len())
        .sum();
    ensure!(size < 2 << 20, "{size} bytes");

    // Also what was left behind by another installation, among more than a queue holds.
    let left: Vec<_> = (900..960).map(|id| format!("zmesd/{id}/attributes")).collect();
    for topic in &left {
        broker.publish(topic, "{}", true).await?;
    }
    broker.publish("zmesd/kitchen/lamp", "ON", true).await?;
    world.run(&["mqtt", "clear", "--yes"]).await?.expect_code(0)?;
    let kept: Vec<_> = broker.retained().await?.into_keys().collect();
    ensure!(kept == ["zmesd/kitchen/lamp"], "{kept:?}");
    Ok(())
}
