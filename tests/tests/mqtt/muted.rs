//! Rules for the channel `mqtt`.

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;
use serde_json::json;
use zmes_tests::{Mosquitto, includes, mosquitto_is_installed, skipped};

use super::{enable, house, wait_connected};

const RULES: &str = "
[[rule]]
name = \"not-the-yard\"
monitors = [\"Yard\"]
channels = [\"mqtt\"]
action = \"mute\"

[[rule]]
name = \"no-phones\"
action = \"mute\"
";

#[tokio::test]
async fn a_rule_mutes_events_of_a_camera_and_no_state_and_no_end_that_was_begun() -> Result<()> {
    if !mosquitto_is_installed() {
        return skipped("mosquitto is not installed");
    }
    let mut world = house().prepare().await?;
    let broker = Mosquitto::start(&world.path("broker")).await?;
    world.settings.set_text("mqtt", "es-topic", "zoneminder");
    enable(&mut world, &broker)?;
    world.write_settings_with(RULES)?;
    world.start_daemon().await?;
    wait_connected(&world).await?;
    let live = broker.listen().await?;
    live.wait("zmesd/status", "online").await?;
    world.alarm(2, 10).await?;
    live.wait("zmesd/2/alarm", "ON").await?;
    world.alarm(1, 11).await?;
    live.wait_count("zmesd/1/event", 1).await?;
    live.wait_count("zoneminder/1", 1).await?;
    let tested = world.ctl().json(&["rules", "test", "--monitor", "2", "--channel", "mqtt"]).await?;
    ensure!(
        includes(&tested, &json!({"rule": "not-the-yard", "action": "mute", "channel": "mqtt"})),
        "{tested}"
    );

    // From here on the other one is muted, but its alarm was told: so is the end.
    world.write_settings_with(&RULES.replace("Yard", "Garage"))?;
    world.run(&["reload"]).await?.expect_code(0)?;
    world.end_alarm(2, 10).await?;
    world.end_alarm(1, 11).await?;
    live.wait("zmesd/2/alarm", "OFF").await?;
    let end = live.wait_count("zmesd/1/event", 2).await?.remove(1).json();
    ensure!(end["event_type"] == "alarm_end", "{end}");
    world.alarm(1, 12).await?;
    live.wait("zmesd/1/alarm", "ON").await?;
    world.alarm(2, 13).await?;
    let told = live.wait_count("zmesd/2/event", 1).await?.remove(0).json();
    ensure!(told["event"] == 13, "neither the muted alarm nor its end: {told}");
    ensure!(live.at("zmesd/1/event").len() == 2 && live.at("zoneminder/2").len() == 1);

    // What was muted is not published after a restart, whatever rules there are then.
    world.daemon()?.end(Signal::SIGTERM).await?;
    world.write_settings_with("")?;
    world.start_daemon().await?;
    live.wait("zmesd/status", "online").await?;
    world.alarm(2, 14).await?;
    live.wait_count("zmesd/2/event", 2).await?;
    ensure!(live.at("zmesd/1/event").iter().all(|heard| heard.json()["event"] == 11));

    // One end follows several starts: it is told if one of them was, here the first.
    world.write_settings_with(RULES)?;
    world.run(&["reload"]).await?.expect_code(0)?;
    world.alarm(2, 15).await?;
    world.wait_monitor(2, "the next event is seen", |monitor| monitor["last_event_id"] == 15).await?;
    world.end_alarm(2, 15).await?;
    let end = live.wait_count("zmesd/2/event", 3).await?.remove(2).json();
    ensure!(includes(&end, &json!({"event_type": "alarm_end", "event": 15})), "{end}");
    Ok(())
}

#[tokio::test]
async fn an_end_after_a_restart_obeys_its_start_whatever_rules_there_are_then() -> Result<()> {
    if !mosquitto_is_installed() {
        return skipped("mosquitto is not installed");
    }
    let mut world = house().prepare().await?;
    let broker = Mosquitto::start(&world.path("broker")).await?;
    enable(&mut world, &broker)?;
    world.write_settings_with(RULES)?;
    world.start_daemon().await?;
    wait_connected(&world).await?;
    let live = broker.listen().await?;
    live.wait("zmesd/status", "online").await?;
    // The yard is muted, the garage is told of.
    world.alarm(2, 10).await?;
    live.wait("zmesd/2/alarm", "ON").await?;
    world.alarm(1, 11).await?;
    live.wait_count("zmesd/1/event", 1).await?;
    world.daemon()?.end(Signal::SIGTERM).await?;

    world.write_settings_with(&RULES.replace("Yard", "Garage"))?;
    world.start_daemon().await?;
    live.wait("zmesd/status", "online").await?;
    world.end_alarm(2, 10).await?;
    live.wait("zmesd/2/alarm", "OFF").await?;
    world.end_alarm(1, 11).await?;
    let end = live.wait_count("zmesd/1/event", 2).await?.remove(1).json();
    ensure!(includes(&end, &json!({"event_type": "alarm_end", "event": 11})), "{end}");
    // The next alarm is judged by the rules of now.
    world.alarm(1, 12).await?;
    live.wait("zmesd/1/alarm", "ON").await?;
    world.alarm(2, 13).await?;
    let told = live.wait_count("zmesd/2/event", 1).await?.remove(0).json();
    ensure!(told["event"] == 13, "neither the muted alarm nor its end: {told}");
    ensure!(live.at("zmesd/1/event").len() == 2, "{:?}", live.at("zmesd/1/event"));
    Ok(())
}
