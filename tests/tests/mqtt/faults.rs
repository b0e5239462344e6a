//! What brokers, other clients and clocks do wrong, and what must hold nevertheless.

use anyhow::{Context, Result, ensure};
use zmes_tests::{EventRow, mosquitto_is_installed, skipped, wait_until};

use super::{connected, house, wait_connected};

/// More than zmesd reads of a message.
const TOO_LONG: usize = 9_000_000;

#[tokio::test]
async fn a_camera_that_is_read_from_rows_stays_on_over_a_restart_in_the_middle_of_its_alarm() -> Result<()> {
    if !mosquitto_is_installed() {
        return skipped("mosquitto is not installed");
    }
    let house = house().setting("zoneminder", "source", "\"db\"");
    let (mut world, broker) = connected(house, "allow_anonymous true\n").await?;
    let live = broker.listen().await?;
    live.wait("zmesd/1/alarm", "OFF").await?;
    world.insert_event(EventRow::new(70, 1)).await?;
    live.wait("zmesd/1/alarm", "ON").await?;
    world.kill_daemon().await?;
    live.wait("zmesd/status", "offline").await?;
    let before = live.at("zmesd/1/alarm").len();
    world.start_daemon().await?;
    live.wait("zmesd/status", "online").await?;
    world.settings.set("mqtt", "keep", "\"5m\"");
    world.write_settings()?;
    world.run(&["reload"]).await?.expect_code(0)?;
    wait_until("it is connected again", async || {
        let said = live.at("zmesd/status").iter().filter(|heard| heard.payload == "online").count();
        Ok((said >= 2).then_some(()))
    })
    .await?;
    let since = live.at("zmesd/1/alarm").split_off(before);
    ensure!(!since.is_empty() && since.iter().all(|heard| heard.payload == "ON"), "{since:?}");
    world.database.sql("UPDATE Events SET EndDateTime=NOW() WHERE Id=70").await?;
    live.wait("zmesd/1/alarm", "OFF").await?;
    Ok(())
}

#[tokio::test]
async fn a_long_message_at_a_topic_that_is_heard_cuts_nobody_off() -> Result<()> {
    if !mosquitto_is_installed() {
        return skipped("mosquitto is not installed");
    }
    let (world, broker) = connected(house(), "allow_anonymous true\n").await?;
    let live = broker.listen().await?;
    live.wait("zmesd/status", "online").await?;
    let long = world.path("long");
    std::fs::write(&long, vec![b'x'; 200_000])?;
    broker.publish_file("homeassistant/status", &long).await?;
    world.alarm(1, 80).await?;
    live.wait_count("zmesd/1/event", 1).await?;
    let online = live.at("zmesd/status").len();
    ensure!(online == 1, "200 kB are read: {:?}", live.at("zmesd/status"));

    std::fs::write(&long, vec![b'x'; TOO_LONG])?;
    broker.publish_file("homeassistant/status", &long).await?;
    live.wait("zmesd/status", "offline").await?;
    live.wait("zmesd/status", "online").await?;
    world.alarm(2, 81).await?;
    live.wait_count("zmesd/2/event", 1).await?;
    let status = world.run(&["mqtt", "status", "--json"]).await?.expect_code(0)?.json()?;
    ensure!(status["hint"].as_str().is_some_and(|hint| hint.contains("status-topic")), "{status}");
    ensure!(status["last_error"].as_str().is_some_and(|error| error.contains("bytes")), "{status}");
    let check = world.run(&["check", "mqtt", "--json"]).await?.json()?;
    ensure!(check["detail"].as_str().is_some_and(|detail| detail.contains("too long")), "{check}");

    broker.publish("homeassistant/status", "", true).await?;
    world.run(&["reload"]).await?.expect_code(0)?;
    wait_until("everything is subscribed to again", async || {
        let check = world.run(&["check", "mqtt"]).await?;
        Ok((check.code == 0 && !check.stdout.contains("too long")).then_some(()))
    })
    .await?;
    wait_connected(&world).await?;
    Ok(())
}

#[tokio::test]
async fn a_clear_that_fails_leaves_everything_as_it_was() -> Result<()> {
    if !mosquitto_is_installed() {
        return skipped("mosquitto is not installed");
    }
    let (world, mut broker) = connected(house(), "allow_anonymous true\n").await?;
    let live = broker.listen().await?;
    live.wait("zmesd/status", "online").await?;
    live.wait("zmesd/2/watching", "ON").await?;
    drop(live);
    let killed = async {
        wait_until("zmesd listens to what is retained", async || {
            Ok(broker.log().contains("zmesd/# (QoS 1)").then_some(()))
        })
        .await?;
        broker.kill().await
    };
    let (failed, killed) = tokio::join!(world.run(&["mqtt", "clear", "--yes"]), killed);
    killed?;
    let failed = failed?;
    ensure!(failed.code == 6 && failed.stderr.contains("did not take everything"), "{failed:?}");
    broker.launch().await?;
    let again = broker.listen().await?;
    again.wait("zmesd/status", "online").await?;
    again.wait("zmesd/1/alarm", "OFF").await?;
    world.alarm(1, 90).await?;
    again.wait_count("zmesd/1/event", 1).await?;
    let odd: Vec<_> = again.all().into_iter().filter(|heard| heard.payload == "-").collect();
    ensure!(odd.is_empty(), "{odd:?}");
    let status = world.run(&["mqtt", "status", "--json"]).await?.expect_code(0)?.json()?;
    ensure!(status["cleared"].is_null() && status["ignored_commands"] == 0, "{status}");
    world.run(&["mqtt", "clear", "--yes"]).await?.expect_code(0)?;
    Ok(())
}

#[tokio::test]
async fn who_is_published_for_nobody_is_red_and_no_device_goes() -> Result<()> {
    if !mosquitto_is_installed() {
        return skipped("mosquitto is not installed");
    }
    let (mut world, broker) = connected(house(), "allow_anonymous true\n").await?;
    let live = broker.listen().await?;
    live.wait("zmesd/2/watching", "ON").await?;
    let devices = |states: &std::collections::BTreeMap<String, String>| {
        states.keys().filter(|topic| topic.starts_with("homeassistant/device/")).count()
    };
    wait_until("all are announced", async || Ok((devices(&live.states()) == 3).then_some(()))).await?;
    world.settings.set("mqtt", "monitors", "[\"Garage\", \"Gatre\"]");
    world.write_settings()?;
    world.run(&["reload"]).await?.expect_code(0)?;
    live.wait("zmesd/2/watching", "").await?;
    let check = world.run(&["check", "mqtt", "--json"]).await?.json()?;
    ensure!(check["detail"].as_str().is_some_and(|detail| detail.contains("no monitor Gatre")), "{check}");
    world.settings.set_text("mqtt", "user", "nobody-of-this-name");
    world.write_settings()?;
    world.run(&["reload"]).await?.expect_code(0)?;
    wait_connected(&world).await?;
    let check = world.run(&["check", "mqtt", "--json"]).await?.expect_code(1)?.json()?;
    ensure!(check["detail"].as_str().is_some_and(|detail| detail.contains("has no such user")), "{check}");
    let kept = devices(&live.states());
    ensure!(kept == 2, "{kept} devices: a mistake removes none");
    let states = live.states();
    let alarm = states.get("zmesd/1/alarm").context("no state")?;
    ensure!(alarm == "OFF", "{alarm}");

    // Both mistakes mended, everything is published again.
    world.settings.set_text("mqtt", "user", "");
    world.settings.set("mqtt", "monitors", "[]");
    world.write_settings()?;
    world.run(&["reload"]).await?.expect_code(0)?;
    wait_until("check mqtt is green", async || {
        Ok((world.run(&["check", "mqtt"]).await?.code == 0).then_some(()))
    })
    .await?;
    wait_until("all are announced again", async || Ok((devices(&live.states()) == 3).then_some(()))).await?;
    live.wait("zmesd/2/watching", "ON").await
}
