//! Home automation on Debian's mosquitto: states and events over restarts of both sides, commands, TLS, ACLs, the way out.

mod access;
mod faults;
mod large;
mod muted;
mod pictures;

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use zmes_tests::{
    Certificate, Heard, Listening, Mosquitto, Validity, World, WorldBuilder, includes,
    mosquitto_is_installed, skipped, wait_until,
};

/// Planted: no output may show it.
const PASSWORD: &str = "planted-mqtt-password";

fn house() -> WorldBuilder {
    World::new().monitor(1, "Garage").monitor(2, "Yard").setting("zoneminder", "alarm-limit", "0")
}

/// A house that is connected to a broker.
async fn connected(house: WorldBuilder, lines: &str) -> Result<(World, Mosquitto)> {
    let mut world = house.prepare().await?;
    let broker = Mosquitto::with(&world.path("broker"), lines, &[]).await?;
    enable(&mut world, &broker)?;
    world.start_daemon().await?;
    wait_connected(&world).await?;
    Ok((world, broker))
}

fn enable(world: &mut World, broker: &Mosquitto) -> Result<()> {
    world.settings.set("mqtt", "enabled", "true");
    world.settings.set_text("mqtt", "url", &format!("mqtt://127.0.0.1:{}", broker.port()));
    world.write_settings()
}

async fn wait_connected(world: &World) -> Result<Value> {
    wait_until("the broker is connected", async || {
        let status = world.run(&["mqtt", "status", "--json"]).await?.json()?;
        Ok((status["connected"] == true).then_some(status))
    })
    .await
}

/// Returns the ids of the events of one type at a monitor, in the order in which they came.
fn ids(listening: &Listening, monitor: u32, kind: &str) -> Vec<(u64, String)> {
    let of = |heard: Heard| {
        let event = heard.json();
        (event["event_type"] == kind).then(|| {
            (event["event"].as_u64().unwrap_or_default(), event["id"].as_str().unwrap_or_default().to_owned())
        })
    };
    listening.at(&format!("zmesd/{monitor}/event")).into_iter().filter_map(of).collect()
}

#[tokio::test]
async fn states_are_retained_and_an_alarm_is_told_from_on_to_off() -> Result<()> {
    if !mosquitto_is_installed() {
        return skipped("mosquitto is not installed");
    }
    let (mut world, broker) = connected(house(), "allow_anonymous true\n").await?;
    let live = broker.listen().await?;
    live.wait("zmesd/status", "online").await?;
    live.wait("zmesd/1/watching", "ON").await?;
    world.alarm(1, 10).await?;
    let start = live.wait_count("zmesd/1/event", 1).await?.remove(0);
    let expected = json!({"v": 1, "event_type": "alarm_start", "late": false, "event": 10, "cause": "Motion",
        "monitor": {"id": 1, "name": "Garage"}});
    ensure!(includes(&start.json(), &expected) && !start.retained, "{start:?}");
    live.wait("zmesd/1/alarm", "ON").await?;
    let order: Vec<_> = live.all().into_iter().map(|heard| (heard.topic, heard.payload)).collect();
    let at =
        |topic: &str, payload: &str| order.iter().position(|one| one.0 == topic && one.1.contains(payload));
    ensure!(
        at("zmesd/1/alarm", "ON") < at("zmesd/1/event", "alarm_start"),
        "the state comes first: {order:?}"
    );
    let attributes = live.at("zmesd/1/attributes").pop().context("no attributes")?.json();
    ensure!(includes(&attributes, &json!({"event": 10, "cause": "Motion"})), "{attributes}");

    world.end_alarm(1, 10).await?;
    live.wait("zmesd/1/alarm", "OFF").await?;
    let end = live.wait_count("zmesd/1/event", 2).await?.remove(1).json();
    ensure!(includes(&end, &json!({"event_type": "alarm_end", "event": 10})), "{end}");
    ensure!(end["duration"].is_number() && end["id"] != start.json()["id"], "{end}");

    // Who comes later has the states, and no event.
    let late = broker.listen().await?;
    for (topic, payload) in [
        ("zmesd/status", "online"),
        ("zmesd/1/alarm", "OFF"),
        ("zmesd/2/alarm", "OFF"),
        ("zmesd/1/notifications", "ON"),
        ("zmesd/1/snoozed-until", "None"),
        ("zmesd/push", "OFF"),
        ("zmesd/clients", "0"),
    ] {
        late.wait(topic, payload).await?;
        ensure!(late.at(topic).iter().all(|heard| heard.retained), "{topic}");
    }
    ensure!(late.at("zmesd/1/event").is_empty());
    // Home Assistant finds the server and both monitors.
    wait_until("three devices are announced", async || {
        let devices =
            late.states().into_keys().filter(|topic| topic.starts_with("homeassistant/device/zmesd_"));
        Ok((devices.count() == 3).then_some(()))
    })
    .await?;

    // A snooze is a state, and events say so.
    world.run(&["snooze", "Garage", "--for", "1h"]).await?.expect_code(0)?;
    live.wait("zmesd/1/notifications", "OFF").await?;
    world.alarm(1, 11).await?;
    let snoozed = live.wait_count("zmesd/1/event", 3).await?.remove(2).json();
    ensure!(snoozed["snoozed"] == true && snoozed["event"] == 11, "{snoozed}");
    ensure!(live.at("zmesd/2/notifications").is_empty() || live.states()["zmesd/2/notifications"] == "ON");

    // A dead zmc is not watched; a clean stop says so.
    world.shm(2)?.stop()?;
    live.wait("zmesd/2/watching", "OFF").await?;
    world.daemon()?.end(nix::sys::signal::Signal::SIGTERM).await?;
    live.wait("zmesd/status", "offline").await?;
    let log = broker.log();
    let goodbye = log.lines().any(|line| line.contains("Client zmesd-") && line.contains("disconnected"));
    ensure!(goodbye, "a goodbye, not a will: {log}");
    Ok(())
}

#[tokio::test]
async fn a_broker_that_comes_late_or_is_killed_misses_nothing() -> Result<()> {
    if !mosquitto_is_installed() {
        return skipped("mosquitto is not installed");
    }
    let mut world = house().prepare().await?;
    let mut broker = Mosquitto::start(&world.path("broker")).await?;
    broker.kill().await?;
    enable(&mut world, &broker)?;
    world.start_daemon().await?;
    let away = world.run(&["mqtt", "status", "--json"]).await?.expect_code(1)?.json()?;
    ensure!(away["connected"] == false && away["acknowledged"] == 0, "{away}");
    world.alarm(1, 20).await?;
    world.wait_monitor(1, "the alarm is seen", |monitor| monitor["last_event_id"] == 20).await?;
    world.end_alarm(1, 20).await?;
    wait_until("the failure is told with what to do", async || {
        let status = world.run(&["mqtt", "status", "--json"]).await?.json()?;
        let told = status["last_error"].as_str().is_some_and(|error| error.contains("connection refused"));
        Ok((told && status["hint"].is_string()).then_some(()))
    })
    .await?;
    let check = world.run(&["check", "mqtt", "--json"]).await?.expect_code(1)?.json()?;
    ensure!(check["hint"].as_str().is_some_and(|hint| hint.contains("mqtt.url")), "{check}");

    broker.launch().await?;
    let live = broker.listen().await?;
    let missed = live.wait_count("zmesd/1/event", 2).await?;
    ensure!(missed[0].json()["event_type"] == "alarm_start" && missed[1].json()["event_type"] == "alarm_end");
    world.run(&["check", "mqtt"]).await?.expect_code(0)?;
    live.wait("zmesd/1/alarm", "OFF").await?;
    let heard = live.all().iter().filter(|heard| !heard.topic.starts_with("listener/")).count();
    wait_until("what was heard is acknowledged", async || {
        let status = world.run(&["mqtt", "status", "--json"]).await?.json()?;
        Ok((status["acknowledged"].as_u64() >= Some(heard as u64)).then_some(()))
    })
    .await?;

    // Killed while connected: it forgets everything, and has it again.
    broker.kill().await?;
    world.alarm(2, 21).await?;
    broker.launch().await?;
    let again = broker.listen().await?;
    again.wait("zmesd/status", "online").await?;
    again.wait("zmesd/2/alarm", "ON").await?;
    let events = again.wait_count("zmesd/2/event", 1).await?;
    ensure!(events[0].json()["event"] == 21, "{events:?}");
    ensure!(again.at("zmesd/1/event").is_empty(), "what was acknowledged is not repeated");
    let text = world.run(&["mqtt", "status"]).await?.expect_code(0)?.stdout;
    ensure!(text.contains("Connected to mqtt://127.0.0.1:"), "{text}");
    ensure!(world.run(&["status"]).await?.stdout.contains("mqtt"));
    Ok(())
}

#[tokio::test]
async fn no_event_is_lost_when_broker_and_daemon_are_killed_at_random() -> Result<()> {
    if !mosquitto_is_installed() {
        return skipped("mosquitto is not installed");
    }
    let kills = std::env::var_os("ZMES_MQTT_KILLS")
        .and_then(|text| text.to_str().and_then(|text| text.parse().ok()))
        .unwrap_or(10_u64);
    let (mut world, mut broker) = connected(house(), "allow_anonymous true\n").await?;
    world.wait_comparing().await?;
    let (mut told, mut dice) = (Vec::new(), 0x5eed_u64);
    // All of them, to the end: what the broker had passed on when it was killed may still be in a pipe.
    let mut listeners = vec![broker.listen().await?];
    let mut event = 100;
    for round in 0..kills {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        for _ in 0..3 {
            event += 1;
            world.alarm(1, event).await?;
            told.push(event);
            tokio::time::sleep(Duration::from_millis((dice >> 33) % 60)).await;
        }
        if round % 2 == 0 {
            world.kill_daemon().await?;
            world.start_daemon().await?;
        } else {
            broker.kill().await?;
            broker.launch().await?;
            listeners.push(broker.listen().await?);
        }
    }
    wait_until("every event was published", async || {
        let heard = listeners.iter().flat_map(|live| ids(live, 1, "alarm_start"));
        let all: BTreeSet<_> = heard.map(|(event, _)| event).collect();
        Ok(told.iter().all(|event| all.contains(event)).then_some(()))
    })
    .await?;
    // What is repeated is repeated under its id. They come in the order in which they were found, which ids have: what a
    // daemon missed that was killed is found late, after an alarm that goes on at the start of the next one.
    let last = ids(listeners.last().context("no listener")?, 1, "alarm_start");
    let mut first_seen = Vec::new();
    for (event, id) in &last {
        match first_seen.iter().find(|(known, _)| known == event) {
            Some((_, known)) => ensure!(known == id, "{event} has two ids"),
            None => first_seen.push((*event, id.clone())),
        }
    }
    ensure!(first_seen.is_sorted_by(|(_, one), (_, next)| one < next), "{first_seen:?}");
    Ok(())
}

#[tokio::test]
async fn after_a_kill_the_will_says_offline_and_a_changed_topic_leaves_nothing_behind() -> Result<()> {
    if !mosquitto_is_installed() {
        return skipped("mosquitto is not installed");
    }
    let (mut world, mut broker) = connected(house(), "allow_anonymous true\n").await?;
    let live = broker.listen().await?;
    live.wait("zmesd/status", "online").await?;
    world.alarm(1, 29).await?;
    live.wait_count("zmesd/1/attributes", 1).await?;
    world.end_alarm(1, 29).await?;
    live.wait("zmesd/1/alarm", "OFF").await?;
    world.kill_daemon().await?;
    live.wait("zmesd/status", "offline").await?;
    world.start_daemon().await?;
    live.wait("zmesd/status", "online").await?;

    // Also what a daemon before has published.
    world.settings.set_text("mqtt", "topic", "home/cameras");
    world.settings.set_text("mqtt", "es-topic", "zoneminder");
    world.settings.set("mqtt", "es-retain", "true");
    world.write_settings()?;
    world.run(&["reload"]).await?.expect_code(0)?;
    live.wait("home/cameras/status", "online").await?;
    live.wait("zmesd/status", "").await?;
    wait_until("nothing is left at the old topic", async || {
        let states = live.states().into_keys().filter(|topic| !topic.ends_with("/event"));
        let left = states.filter(|topic| topic.starts_with("zmesd/"));
        Ok((left.count() == 0).then_some(()))
    })
    .await?;
    // The old topic may be another server's now: a broker that forgets everything is told nothing there.
    broker.kill().await?;
    broker.launch().await?;
    let live = broker.listen().await?;
    live.wait("home/cameras/status", "online").await?;
    live.wait("home/cameras/2/watching", "ON").await?;
    let old: Vec<_> = live.all().into_iter().filter(|heard| heard.topic.starts_with("zmesd/")).collect();
    ensure!(old.is_empty(), "{old:?}");
    world.alarm(1, 30).await?;
    let old = live.wait_count("zoneminder/1", 1).await?.remove(0).json();
    let expected = json!({"monitor": "1", "name": "Garage:(30) Motion", "state": "alarm", "eventid": "30",
        "eventtype": "event_start"});
    ensure!(includes(&old, &expected), "{old}");
    live.wait_count("home/cameras/1/event", 1).await?;
    // A topic that changes while the daemon is down, too.
    world.kill_daemon().await?;
    world.settings.set_text("mqtt", "topic", "zmesd");
    world.settings.set("mqtt", "es-retain", "false");
    world.write_settings()?;
    world.start_daemon().await?;
    live.wait("zmesd/status", "online").await?;
    live.wait("home/cameras/1/alarm", "").await?;
    live.wait("home/cameras/status", "").await?;
    live.wait("home/cameras/1/attributes", "").await?;
    let emptied = async || Ok((!broker.retained().await?.contains_key("zoneminder/1")).then_some(()));
    wait_until("no old message is retained", emptied).await?;
    // A monitor that goes takes its states and its device along.
    world.database.sql("DELETE FROM Monitors WHERE Id=2").await?;
    world.run(&["monitors", "reload"]).await?.expect_code(0)?;
    live.wait("zmesd/2/alarm", "").await?;
    wait_until("its device is removed", async || {
        let devices: Vec<_> =
            live.states().into_keys().filter(|topic| topic.starts_with("homeassistant/")).collect();
        Ok((devices.len() == 2).then_some(()))
    })
    .await?;
    way_out(&mut world, &live).await
}

/// `mqtt clear`, a reload, and a configuration without MQTT.
async fn way_out(world: &mut World, live: &Listening) -> Result<()> {
    let refused = world.run(&["mqtt", "clear"]).await?;
    ensure!(refused.code == 2 && refused.stderr.contains("--yes"), "{refused:?}");
    let cleared = world.run(&["mqtt", "clear", "--yes", "--json"]).await?.expect_code(0)?.json()?;
    ensure!(cleared["topics"].as_u64() > Some(8), "{cleared}");
    wait_until("nothing of zmesd is retained", async || {
        let left: Vec<_> =
            live.states().into_keys().filter(|topic| !topic.starts_with("listener/")).collect();
        let events = |topic: &String| topic.ends_with("/event") || topic.starts_with("zoneminder/");
        Ok(left.iter().all(events).then_some(()))
    })
    .await?;
    let status = world.run(&["mqtt", "status", "--json"]).await?.expect_code(1)?.json()?;
    ensure!(status["cleared"] == true, "{status}");
    world.run(&["reload"]).await?.expect_code(0)?;
    live.wait("zmesd/status", "online").await?;
    world.settings.set("mqtt", "enabled", "false");
    world.write_settings()?;
    world.run(&["reload"]).await?.expect_code(0)?;
    live.wait("zmesd/status", "").await?;
    let none = wait_until("mqtt is not enabled", async || {
        let status = world.run(&["mqtt", "status"]).await?;
        Ok((status.code == 1).then_some(status))
    })
    .await?;
    ensure!(none.stderr.contains("mqtt is not enabled"), "{none:?}");
    world.run(&["check", "mqtt"]).await?.expect_code(0).map(drop)
}

#[tokio::test]
async fn commands_snooze_a_camera_only_where_they_are_allowed_and_never_from_what_is_retained() -> Result<()>
{
    if !mosquitto_is_installed() {
        return skipped("mosquitto is not installed");
    }
    let (mut world, broker) = connected(house(), "allow_anonymous true\n").await?;
    let live = broker.listen().await?;
    live.wait("zmesd/status", "online").await?;
    broker.publish("zmesd/1/notifications/set", "OFF", false).await?;
    broker.publish("zmesd/2/snooze/set", "5", true).await?;
    world.settings.set("mqtt", "commands", "true");
    world.write_settings()?;
    world.run(&["reload"]).await?.expect_code(0)?;
    wait_until("the retained command is ignored and counted", async || {
        let status = world.run(&["mqtt", "status", "--json"]).await?.json()?;
        Ok((status["ignored_commands"] == 1).then_some(()))
    })
    .await?;
    let none = world.ctl().json(&["snooze", "list"]).await?;
    ensure!(none == json!({"snoozes": []}), "{none}");

    broker.publish("zmesd/1/notifications/set", "OFF", false).await?;
    live.wait("zmesd/1/notifications", "OFF").await?;
    let set = world.ctl().json(&["snooze", "list"]).await?;
    let expected =
        json!({"snoozes": [{"monitor_id": 1, "origin": "mqtt", "by": "mqtt", "scope": "everybody"}]});
    ensure!(includes(&set, &expected), "{set}");
    broker.publish("zmesd/1/notifications/set", "ON", false).await?;
    live.wait("zmesd/1/snoozed-until", "None").await?;
    broker.publish("zmesd/2/snooze/set", "60", false).await?;
    live.wait("zmesd/2/notifications", "OFF").await?;
    broker.publish("zmesd/2/snooze/set", "-1", false).await?;
    broker.publish("zmesd/9/snooze/set", "60", false).await?;
    wait_until("what is not understood is counted", async || {
        let status = world.run(&["mqtt", "status", "--json"]).await?.json()?;
        Ok((status["ignored_commands"] == 3).then_some(()))
    })
    .await?;
    // Home Assistant's birth: everything is announced again.
    let device = live.states().into_keys().find(|topic| topic.ends_with("_1/config")).context("no device")?;
    let before = live.at(&device).len();
    broker.publish("homeassistant/status", "online", false).await?;
    live.wait_count(&device, before + 1).await?;
    Ok(())
}

/// Starts a broker with TLS that knows one user, who may do everything below `zmesd` but use the topic of the probe.
async fn guarded(world: &World, certificate: &Certificate) -> Result<Mosquitto> {
    let passwords = world.path("passwords");
    let made = tokio::process::Command::new("mosquitto_passwd")
        .args(["-b", "-c"])
        .args([passwords.as_os_str(), "zmesd".as_ref(), PASSWORD.as_ref()])
        .output()
        .await?;
    ensure!(made.status.success(), "{made:?}");
    std::fs::write(world.path("acl"), "user zmesd\ntopic readwrite zmesd/#\ntopic deny zmesd/probe\n")?;
    let lines = format!(
        "certfile {}\nkeyfile {}\nallow_anonymous false\npassword_file {}\nacl_file {}\n",
        certificate.certificate.display(),
        certificate.key.display(),
        passwords.display(),
        world.path("acl").display()
    );
    let root = certificate.certificate.to_string_lossy().into_owned();
    let access = ["--cafile", &root, "-u", "zmesd", "-P", PASSWORD];
    Mosquitto::with(&world.path("broker"), &lines, &access).await
}

#[tokio::test]
async fn tls_passwords_and_acls_are_checked_and_said_in_words() -> Result<()> {
    if !mosquitto_is_installed() {
        return skipped("mosquitto is not installed");
    }
    let mut world = house().prepare().await?;
    let certificate = Certificate::write(&world.path(""), "broker", Validity::Long)?;
    let broker = guarded(&world, &certificate).await?;
    world.settings.set("mqtt", "enabled", "true");
    world.settings.set_text("mqtt", "url", &format!("mqtts://localhost:{}", broker.port()));
    world.settings.set_text("mqtt", "username", "zmesd");
    world.settings.set_text("mqtt", "password", "wrong");
    world.write_settings()?;
    world.start_daemon().await?;

    let failed = async |world: &World, step: &str, words: &str| -> Result<()> {
        let check = world.run(&["mqtt", "check", "--json"]).await?.expect_code(1)?.json()?;
        let steps = check["checks"][0]["steps"].as_array().cloned().unwrap_or_default();
        let last = steps.last().cloned().unwrap_or_default();
        ensure!(last["name"] == step && last["ok"] == false, "{check}");
        ensure!(last["detail"].as_str().is_some_and(|detail| detail.contains(words)), "{check}");
        Ok(())
    };
    failed(&world, "tls", "unknown authority").await?;
    world.settings.set_path("mqtt", "ca-certificate", &certificate.certificate);
    world.write_settings()?;
    world.run(&["reload"]).await?.expect_code(0)?;
    failed(&world, "connack", "wrong user or password").await?;
    world.settings.set_text("mqtt", "password", PASSWORD);
    world.write_settings()?;
    world.run(&["reload"]).await?.expect_code(0)?;
    wait_connected(&world).await?;
    // mosquitto acknowledges what its ACL denies.
    let check = world.run(&["mqtt", "check", "--json"]).await?.expect_code(1)?.json()?;
    let last =
        check["checks"][0]["steps"].as_array().and_then(|steps| steps.last()).cloned().unwrap_or_default();
    ensure!(
        last["fault"] == "credentials"
            && ["subscribe", "publish"].contains(&last["name"].as_str().unwrap_or(""))
    );
    std::fs::write(
        world.path("acl"),
        "user zmesd\ntopic readwrite zmesd/#\ntopic readwrite homeassistant/#\ntopic readwrite listener/#\n",
    )?;
    broker.reload()?;
    wait_until("the check passes", async || {
        let check = world.run(&["mqtt", "check", "--json"]).await?;
        Ok((check.code == 0).then_some(()))
    })
    .await?;
    let live = broker.listen().await?;
    world.alarm(1, 40).await?;
    live.wait_count("zmesd/1/event", 1).await?;
    for output in [
        world.run(&["config", "show"]).await?.stdout,
        world.run(&["mqtt", "status"]).await?.stdout,
        world.run(&["doctor"]).await?.stdout,
        world.daemon()?.log(),
    ] {
        ensure!(!output.contains(PASSWORD), "{output}");
    }
    Ok(())
}

#[tokio::test]
async fn labels_that_come_late_are_an_update_of_the_event() -> Result<()> {
    if !mosquitto_is_installed() {
        return skipped("mosquitto is not installed");
    }
    // Without `labels.update`, which is for phones.
    let (world, broker) = connected(house(), "allow_anonymous true\n").await?;
    let live = broker.listen().await?;
    world.alarm(1, 60).await?;
    live.wait_count("zmesd/1/event", 1).await?;
    let notes = "UPDATE Events SET Notes='[a] detected:person:95% Motion: Front' WHERE Id=60";
    world.database.sql(notes).await?;
    let update = live.wait_count("zmesd/1/event", 2).await?.remove(1).json();
    let labels = json!([{"name": "person", "confidence": 95}]);
    ensure!(
        includes(&update, &json!({"event_type": "alarm_update", "event": 60, "labels": labels})),
        "{update}"
    );
    wait_until("the attributes have the label", async || {
        let attributes = live.at("zmesd/1/attributes").pop().context("no attributes")?.json();
        Ok(includes(&attributes, &json!({"event": 60, "labels": labels})).then_some(()))
    })
    .await?;
    ensure!(live.at("zmesd/1/alarm").last().is_some_and(|alarm| alarm.payload == "ON"));
    Ok(())
}
