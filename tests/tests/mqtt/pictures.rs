//! Pictures of the last alarms at a broker.

use std::fs;

use anyhow::{Result, ensure};
use zmes_tests::{jpeg, mosquitto_is_installed, skipped, wait_until};

use super::{connected, house, ids, wait_connected};

const ANYONE: &str = "allow_anonymous true\n";

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

#[tokio::test]
async fn a_picture_of_two_mebibytes_that_is_retained_is_cleared_too() -> Result<()> {
    if !mosquitto_is_installed() {
        return skipped("mosquitto is not installed");
    }
    let house = house().setting("mqtt", "max-picture", "\"4MiB\"");
    let (mut world, broker) = connected(house, "allow_anonymous true\n").await?;
    fs::create_dir_all(world.path("events"))?;
    let live = broker.listen().await?;
    live.wait("zmesd/status", "online").await?;
    world.alarm(1, 10).await?;
    fs::write(world.event_directory(1, 10).await?.join("alarm.jpg"), jpeg(2 << 20, b'a'))?;
    let picture = live.wait_count("zmesd/1/picture", 1).await?.remove(0);
    ensure!(picture.length == 2 << 20, "{} bytes", picture.length);

    // The limit of now says nothing about what is retained.
    world.settings.set_text("mqtt", "max-picture", "64KiB");
    world.write_settings()?;
    world.run(&["reload"]).await?.expect_code(0)?;
    wait_connected(&world).await?;
    world.run(&["mqtt", "clear", "--yes"]).await?.expect_code(0)?;
    let left = broker.retained().await?;
    ensure!(left.is_empty(), "{:?}", left.keys());

    // A reload publishes again, and what comes over MQTT is heard.
    world.run(&["reload"]).await?.expect_code(0)?;
    live.wait("zmesd/status", "online").await?;
    let check = world.run(&["check", "mqtt"]).await?.expect_code(0)?;
    ensure!(!check.stdout.contains("too long"), "{check:?}");
    Ok(())
}

#[tokio::test]
async fn a_broker_that_refuses_pictures_gets_all_alarms_and_doctor_says_so_until_it_takes_them() -> Result<()>
{
    if !mosquitto_is_installed() {
        return skipped("mosquitto is not installed");
    }
    let limited = format!("{ANYONE}max_packet_size 20000\n");
    let (world, mut broker) = connected(house(), &limited).await?;
    fs::create_dir_all(world.path("events"))?;
    let live = broker.listen().await?;
    live.wait("zmesd/status", "online").await?;
    world.alarm(1, 10).await?;
    fs::write(world.event_directory(1, 10).await?.join("alarm.jpg"), jpeg(30_000, b'a'))?;
    live.wait("zmesd/status", "offline").await?;
    live.wait("zmesd/status", "online").await?;
    // The picture is wanted again after the reconnection, or that of the next alarm is the second one.
    world.alarm(2, 11).await?;
    fs::write(world.event_directory(2, 11).await?.join("alarm.jpg"), jpeg(30_000, b'a'))?;
    let check = wait_until("pictures rest", async || {
        let check = world.run(&["check", "mqtt", "--json"]).await?.json()?;
        let detail = check["detail"].as_str().unwrap_or_default();
        Ok(detail.contains("while a picture was sent").then_some(check.clone()))
    })
    .await?;
    ensure!(check["hint"].as_str().is_some_and(|hint| hint.contains("mqtt.max-picture")), "{check}");
    let status = world.run(&["mqtt", "status", "--json"]).await?.json()?;
    ensure!(status["hint"].as_str().is_some_and(|hint| hint.contains("mqtt.max-picture")), "{status}");
    world.end_alarm(1, 10).await?;
    world.alarm(1, 12).await?;
    fs::write(world.event_directory(1, 12).await?.join("alarm.jpg"), jpeg(30_000, b'a'))?;
    wait_until("all alarms are told", async || {
        let told = |monitor| ids(&live, monitor, "alarm_start");
        let has = |monitor, event| told(monitor).iter().any(|(known, _)| *known == event);
        Ok((has(1, 10) && has(2, 11) && has(1, 12)).then_some(()))
    })
    .await?;

    // The limit is lifted: a reload tries at once.
    broker.kill().await?;
    broker.configure(ANYONE)?;
    broker.launch().await?;
    wait_connected(&world).await?;
    world.run(&["reload"]).await?.expect_code(0)?;
    let live = broker.listen().await?;
    live.wait("zmesd/status", "online").await?;
    world.alarm(2, 13).await?;
    fs::write(world.event_directory(2, 13).await?.join("alarm.jpg"), jpeg(30_000, b'a'))?;
    let picture = live.wait_count("zmesd/2/picture", 1).await?.remove(0);
    ensure!(picture.length == 30_000, "{} bytes", picture.length);
    world.run(&["check", "mqtt"]).await?.expect_code(0).map(drop)
}
