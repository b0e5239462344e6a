//! A real Home Assistant makes devices of what zmesd announces, shows what happens, and snoozes: over renames, removals
//! and restarts of each of the three, without a warning in its log. Runs with `tests/run --home-assistant`.

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use zmes_tests::{HomeAssistant, World, WorldBuilder, epoch_seconds, includes, jpeg, repository, wait_until};

/// The entities of a camera called Garage.
const MOTION: &str = "binary_sensor.garage_motion";
const WATCHING: &str = "binary_sensor.garage_watching";
const ALARM: &str = "event.garage_alarm";
const PICTURE: &str = "image.garage_last_alarm";
const NOTIFICATIONS: &str = "switch.garage_notifications";
const SNOOZE: &str = "number.garage_snooze";
const UNTIL: &str = "sensor.garage_snoozed_until";
const SERVER: &str = "ZoneMinder notifications";

fn house(home: &HomeAssistant) -> WorldBuilder {
    World::new()
        .monitor(3, "Garage")
        .monitor(4, "Yard \"<b>\" \u{202e}")
        .setting("watchdog", "camera-offline", "\"0s\"")
        .setting("mqtt", "enabled", "true")
        .setting("mqtt", "url", &json!(home.broker()).to_string())
        .setting("mqtt", "commands", "true")
        .setting("mqtt", "es-topic", "\"zoneminder\"")
        .setting("mqtt", "es-ends", "true")
}

/// Waits until Home Assistant shows a healthy, quiet camera. Restarts take longer than a camera may deliver nothing.
async fn settled(home: &HomeAssistant, world: &World) -> Result<()> {
    world.shm(3)?.set_heartbeat(epoch_seconds())?;
    home.wait(MOTION, "off").await?;
    home.wait(WATCHING, "on").await?;
    home.wait(NOTIFICATIONS, "on").await?;
    home.wait(UNTIL, "unknown").await
}

async fn wait_devices(home: &HomeAssistant, wanted: &[&str]) -> Result<()> {
    wait_until(&format!("the devices are {wanted:?}"), async || {
        Ok((home.devices().await? == wanted).then_some(()))
    })
    .await
}

/// An alarm and its end, as the event entity and the sensor show them.
async fn alarm_and_end(home: &HomeAssistant, world: &World, event: u64) -> Result<()> {
    world.alarm(3, event).await?;
    home.wait(MOTION, "on").await?;
    home.wait_attribute(ALARM, "event", &json!(event)).await?;
    home.wait_attribute(ALARM, "event_type", &json!("alarm_start")).await?;
    home.wait_attribute(MOTION, "event", &json!(event)).await?;
    world.end_alarm(3, event).await?;
    home.wait(MOTION, "off").await?;
    home.wait_attribute(ALARM, "event_type", &json!("alarm_end")).await
}

/// The picture of an alarm, as its entity shows it.
async fn picture(home: &HomeAssistant, world: &World, event: u64) -> Result<()> {
    home.wait(PICTURE, "unknown").await?;
    std::fs::create_dir_all(world.path("events"))?;
    world.alarm(3, event).await?;
    home.wait(MOTION, "on").await?;
    std::fs::write(world.event_directory(3, event).await?.join("alarm.jpg"), jpeg(5005, b'a'))?;
    home.wait(PICTURE, "20.*").await?;
    world.end_alarm(3, event).await?;
    home.wait(MOTION, "off").await
}

/// Snoozes by the switch and by the number, and ends it by each.
async fn snoozes(home: &HomeAssistant, world: &World) -> Result<()> {
    let snoozed = async || -> Result<usize> {
        let list = world.ctl().json(&["snooze", "list"]).await?;
        Ok(list["snoozes"].as_array().map_or(0, Vec::len))
    };
    ensure!(snoozed().await? == 0, "snoozed at first");
    home.call("switch", "turn_off", &json!({"entity_id": NOTIFICATIONS})).await?;
    home.wait(NOTIFICATIONS, "off").await?;
    home.wait(UNTIL, "20.*").await?;
    ensure!(snoozed().await? == 1, "the switch snoozed nothing");
    home.call("switch", "turn_on", &json!({"entity_id": NOTIFICATIONS})).await?;
    settled(home, world).await?;
    ensure!(snoozed().await? == 0, "the switch ended nothing");
    home.call("number", "set_value", &json!({"entity_id": SNOOZE, "value": 30})).await?;
    home.wait(NOTIFICATIONS, "off").await?;
    ensure!(snoozed().await? == 1, "the number snoozed nothing");
    home.call("number", "set_value", &json!({"entity_id": SNOOZE, "value": 0})).await?;
    settled(home, world).await
}

/// The automation of docs/home-assistant.md, which tells of an alarm through the broker here, in place of a phone.
async fn documented_automation(home: &HomeAssistant, world: &World, event: u64) -> Result<()> {
    let page = std::fs::read_to_string(repository()?.join("docs/home-assistant.md"))?;
    let block =
        page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).context("no YAML")?;
    let told = block
        .replace("action: notify.mobile_app_YOUR_PHONE", "event: zmesd_told")
        .replace("    data:\n      title", "    event_data:\n      title");
    ensure!(told.contains("event_data"), "the page has another automation: {block}");
    let relay = "- alias: relay\n  triggers: [{trigger: event, event_type: zmesd_told}]\n  actions:\n    - action: \
                 mqtt.publish\n      data: {topic: test/told, retain: true, payload: '{{ trigger.event.data | to_json }}'}\n";
    let told: Vec<_> = told.lines().map(|line| format!("  {line}\n")).collect();
    let told = told.concat();
    home.automations(&format!("-{}{relay}", told.strip_prefix(' ').context("empty")?)).await?;
    world.alarm(3, event).await?;
    let message: Value = serde_json::from_str(&home.message("test/told").await?)?;
    let expected = json!({"title": "Garage", "message": "Motion"});
    ensure!(includes(&message, &expected), "{message}");
    ensure!(message["data"]["tag"].as_str().is_some_and(|tag| tag.len() == 26), "{message}");
    world.end_alarm(3, event).await?;
    home.wait(MOTION, "off").await
}

/// A sensor that people have written for the old server's messages goes on as it did.
async fn sensor_of_old(home: &HomeAssistant, world: &World, event: u64) -> Result<()> {
    let sensor = json!({
        "name": "ZM camera", "unique_id": "of_old", "state_topic": "zoneminder/3", "device_class": "motion",
        "value_template":
            "{% if value_json.state == 'alarm' and value_json.eventtype == 'event_start' %}ON{% else %}OFF{% endif %}",
        "json_attributes_topic": "zoneminder/3"
    });
    let (entity, topic) = ("binary_sensor.zm_camera", "homeassistant/binary_sensor/of_old/config");
    home.run(&["pub", "-r", "-t", topic, "-m", &sensor.to_string()]).await?;
    home.wait(entity, "unknown").await?;
    // It subscribes a moment after it is there, and nothing is retained for it.
    wait_until("Home Assistant reads the topic", async || {
        home.run(&["pub", "-t", "zoneminder/3", "-m", r#"{"state":"alarm","eventtype":"event_end"}"#])
            .await?;
        Ok((home.entity(entity).await?["state"] == "off").then_some(()))
    })
    .await?;
    world.alarm(3, event).await?;
    home.wait(entity, "on").await?;
    home.wait_attribute(entity, "eventid", &json!(event.to_string())).await?;
    home.wait_attribute(entity, "name", &json!(format!("Garage:({event}) Motion"))).await?;
    world.end_alarm(3, event).await?;
    home.wait(entity, "off").await?;
    home.run(&["pub", "-r", "-t", topic, "-n"]).await?;
    home.wait(entity, "gone").await
}

#[tokio::test]
async fn home_assistant_shows_what_happens_over_renames_removals_and_restarts() -> Result<()> {
    let Some(home) = HomeAssistant::up().await? else { return Ok(()) };
    let mut world = house(&home).start().await?;
    settled(&home, &world).await?;
    let yard = "Yard \"<b>\" \u{fffd}";
    wait_devices(&home, &["Garage", yard, SERVER]).await?;
    home.wait("sensor.zoneminder_notifications_clients", "0").await?;
    alarm_and_end(&home, &world, 7).await?;
    picture(&home, &world, 60).await?;
    snoozes(&home, &world).await?;
    documented_automation(&home, &world, 70).await?;
    sensor_of_old(&home, &world, 75).await?;
    home.ensure_quiet("discovery, alarms, snoozes and an automation").await?;

    world.database.sql("UPDATE Monitors SET Name='Carport' WHERE Id=3").await?;
    world.run(&["monitors", "reload"]).await?.expect_code(0)?;
    wait_devices(&home, &["Carport", yard, SERVER]).await?;
    world.database.sql("DELETE FROM Monitors WHERE Id=4").await?;
    world.run(&["monitors", "reload"]).await?.expect_code(0)?;
    wait_devices(&home, &["Carport", SERVER]).await?;
    home.ensure_quiet("a rename and a removal").await?;

    world.kill_daemon().await?;
    home.wait(WATCHING, "unavailable").await?;
    world.launch_daemon().await?;
    settled(&home, &world).await?;
    alarm_and_end(&home, &world, 80).await?;
    world.daemon()?.end(Signal::SIGTERM).await?;
    home.wait(MOTION, "unavailable").await?;
    world.launch_daemon().await?;
    settled(&home, &world).await?;
    home.ensure_quiet("restarts of zmesd").await?;

    home.run(&["restart-ha"]).await?;
    settled(&home, &world).await?;
    alarm_and_end(&home, &world, 90).await?;
    home.run(&["restart-ha", "--kill"]).await?;
    settled(&home, &world).await?;
    home.ensure_quiet("restarts of Home Assistant").await?;

    home.run(&["restart-broker", "--forget"]).await?;
    settled(&home, &world).await?;
    alarm_and_end(&home, &world, 100).await?;
    home.ensure_quiet("a restart of the broker").await?;

    world.settings.set("mqtt", "commands", "false");
    world.write_settings()?;
    world.run(&["reload"]).await?.expect_code(0)?;
    home.wait(NOTIFICATIONS, "gone").await?;
    home.wait(SNOOZE, "gone").await?;
    alarm_and_end(&home, &world, 110).await?;
    home.ensure_quiet("commands switched off").await
}

#[tokio::test]
async fn a_camera_that_vanishes_while_zmesd_is_down_leaves_nothing_behind() -> Result<()> {
    let Some(home) = HomeAssistant::up().await? else { return Ok(()) };
    let mut world = house(&home).start().await?;
    settled(&home, &world).await?;
    world.daemon()?.end(Signal::SIGTERM).await?;
    world.database.sql("DELETE FROM Monitors WHERE Id=3").await?;
    world.launch_daemon().await?;
    home.wait(MOTION, "gone").await?;
    wait_devices(&home, &["Yard \"<b>\" \u{fffd}", SERVER]).await?;
    home.ensure_quiet("a camera that vanished").await
}
