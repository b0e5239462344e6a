//! Pictures of the last alarms at a broker.

use std::fs;

use anyhow::{Result, ensure};
use zmes_tests::{jpeg, mosquitto_is_installed, skipped, wait_until};

use super::{connected, house};

#[tokio::test]
async fn the_picture_of_the_last_alarm_is_retained_and_no_event_waits_for_it() -> Result<()> {
    if !mosquitto_is_installed() {
        return skipped("mosquitto is not installed");
    }
    let link = "\"https://zm.example.org/zm/index.php?view=event&eid=${event}\"";
    let house = house().setting("mqtt", "max-picture", "\"64KiB\"").setting("picture", "link-url", link);
    let (mut world, mut broker) = connected(house, "allow_anonymous true\n").await?;
    fs::create_dir_all(world.path("events"))?;
    let live = broker.listen().await?;
    live.wait("zmesd/status", "online").await?;
    world.alarm(1, 10).await?;
    let event = live.wait_count("zmesd/1/event", 1).await?.remove(0).json();
    ensure!(event["url"] == "https://zm.example.org/zm/index.php?view=event&eid=10", "{event}");
    ensure!(live.at("zmesd/1/picture").is_empty());
    fs::write(world.event_directory(1, 10).await?.join("alarm.jpg"), jpeg(5000, b'a'))?;
    let picture = live.wait_count("zmesd/1/picture", 1).await?.remove(0);
    ensure!(picture.length == 5000, "{} bytes", picture.length);
    let announced = wait_until("the camera is announced with its picture", async || {
        let device = live.states().into_iter().find(|(topic, _)| topic.ends_with("_1/config"));
        Ok(device.map(|(_, payload)| payload))
    })
    .await?;
    for part in ["zmesd/1/picture", "https://zm.example.org/zm/?view=watch&mid=1"] {
        ensure!(announced.contains(part), "{announced}");
    }

    // Too large: the last one stays. A broker that was away has it afterwards.
    world.end_alarm(1, 10).await?;
    live.wait("zmesd/1/alarm", "OFF").await?;
    world.alarm(1, 11).await?;
    live.wait_count("zmesd/1/event", 3).await?;
    fs::write(world.event_directory(1, 11).await?.join("alarm.jpg"), jpeg(70_000, b'a'))?;
    wait_until("it is left out", async || {
        Ok(world.daemon()?.log().contains("picture larger than mqtt.max-picture").then_some(()))
    })
    .await?;
    broker.kill().await?;
    world.alarm(2, 12).await?;
    fs::write(world.event_directory(2, 12).await?.join("alarm.jpg"), jpeg(6000, b'a'))?;
    broker.launch().await?;
    let live = broker.listen().await?;
    let picture = live.wait_count("zmesd/2/picture", 1).await?.remove(0);
    ensure!(picture.length == 6000 && live.at("zmesd/1/picture").is_empty());

    // Without pictures none is left behind.
    world.settings.set("mqtt", "picture", "false");
    world.write_settings()?;
    world.run(&["reload"]).await?.expect_code(0)?;
    live.wait("zmesd/2/picture", "").await?;
    let left = broker.retained().await?;
    ensure!(!left.keys().any(|topic| topic.ends_with("/picture")), "{left:?}");
    world.alarm(2, 13).await?;
    live.wait_count("zmesd/2/event", 2).await?;
    Ok(())
}
