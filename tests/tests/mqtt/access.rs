//! Who zmesd is at the broker, whose rights it publishes by, and the numbers about it.

use anyhow::{Context, Result, ensure};
use zmes_tests::{
    Certificate, Listening, Mosquitto, UserRow, Validity, World, mosquitto_is_installed, skipped, wait_until,
};

use crate::{connected, enable, house, wait_connected};

/// Waits until `mqtt check` fails, and returns what its last step says.
async fn wait_failing(world: &World) -> Result<String> {
    wait_until("mqtt check fails", async || {
        let check = world.run(&["mqtt", "check", "--json"]).await?;
        if check.code == 0 {
            return Ok(None);
        }
        let check = check.json()?;
        let last = check["checks"][0]["steps"].as_array().and_then(|steps| steps.last()).cloned();
        let last = last.with_context(|| check.to_string())?;
        ensure!(last["ok"] == false, "{check}");
        Ok(last["detail"].as_str().map(ToOwned::to_owned))
    })
    .await
}

#[tokio::test]
async fn a_broker_that_wants_a_certificate_gets_the_one_that_is_set_and_a_reload_swaps_it() -> Result<()> {
    if !mosquitto_is_installed() {
        return skipped("mosquitto is not installed");
    }
    let mut world = house().prepare().await?;
    let [server, ours, strange] = ["broker", "zmesd-client", "strange"]
        .map(|name| Certificate::write(&world.path(""), name, Validity::Long));
    let (server, ours, strange) = (server?, ours?, strange?);
    let lines = format!(
        "certfile {}\nkeyfile {}\ncafile {}\nrequire_certificate true\nallow_anonymous true\n",
        server.certificate.display(),
        server.key.display(),
        ours.certificate.display()
    );
    let text = |path: &std::path::Path| path.to_string_lossy().into_owned();
    let access = [text(&server.certificate), text(&ours.certificate), text(&ours.key)];
    let access = ["--cafile", &access[0], "--cert", &access[1], "--key", &access[2]];
    let broker = Mosquitto::with(&world.path("broker"), &lines, &access).await?;
    world.settings.set("mqtt", "enabled", "true");
    world.settings.set_text("mqtt", "url", &format!("mqtts://localhost:{}", broker.port()));
    world.settings.set_path("mqtt", "ca-certificate", &server.certificate);
    world.write_settings()?;
    world.start_daemon().await?;
    let said = wait_failing(&world).await?;
    ensure!(said.contains("requires a client certificate"), "{said}");

    let show = async |world: &mut World, shown: &Certificate| -> Result<()> {
        world.settings.set_path("mqtt", "certificate", &shown.certificate);
        world.settings.set_path("mqtt", "key", &shown.key);
        world.write_settings()?;
        world.run(&["reload"]).await?.expect_code(0).map(drop)
    };
    show(&mut world, &strange).await?;
    wait_failing(&world).await?;
    show(&mut world, &ours).await?;
    wait_connected(&world).await?;
    world.run(&["mqtt", "check"]).await?.expect_code(0)?;
    let live = broker.listen().await?;
    world.alarm(1, 40).await?;
    live.wait_count("zmesd/1/event", 1).await?;
    let key = std::fs::read_to_string(&ours.key)?;
    let secret = key.lines().nth(1).context("no key")?;
    let shown = world.run(&["config", "show"]).await?.stdout;
    ensure!(!shown.contains(secret) && !world.daemon()?.log().contains(secret), "the key is shown");

    // A key that does not belong to it shows when the broker is reached, and is mended by the right one.
    world.settings.set_path("mqtt", "key", &strange.key);
    world.write_settings()?;
    world.run(&["reload"]).await?.expect_code(0)?;
    let said = wait_failing(&world).await?;
    ensure!(said.contains("key"), "{said}");
    show(&mut world, &ours).await?;
    wait_connected(&world).await?;
    Ok(())
}

/// Says whether anything about a monitor is retained. Events are not.
fn is_retained(live: &Listening, monitor: u32) -> bool {
    let (states, device) = (format!("zmesd/{monitor}/"), format!("_{monitor}/config"));
    let of_it = |topic: &&String| topic.starts_with(&states) || topic.ends_with(&device);
    live.states().keys().filter(of_it).any(|topic| *topic != format!("{states}event"))
}

#[tokio::test]
async fn only_what_the_user_of_mqtt_may_see_is_published_by_the_rights_of_the_moment() -> Result<()> {
    if !mosquitto_is_installed() {
        return skipped("mosquitto is not installed");
    }
    let house = house().user(UserRow::new("amy", "amypass").monitor_ids("2"));
    let mut world = house.setting("mqtt", "user", "\"amy\"").prepare().await?;
    let broker = Mosquitto::with(&world.path("broker"), "allow_anonymous true\n", &[]).await?;
    let live = broker.listen().await?;
    enable(&mut world, &broker)?;
    world.start_daemon().await?;
    live.wait("zmesd/2/watching", "ON").await?;
    world.alarm(1, 40).await?;
    world.alarm(2, 41).await?;
    live.wait_count("zmesd/2/event", 1).await?;
    world.end_alarm(1, 40).await?;
    world.end_alarm(2, 41).await?;
    live.wait_count("zmesd/2/event", 2).await?;
    let heard_of_1 = || live.at("zmesd/1/event").len();
    ensure!(!is_retained(&live, 1) && heard_of_1() == 0, "{:?}", live.states());

    let may = async |monitors: &str| {
        let rights = format!("UPDATE Users SET MonitorIds='{monitors}' WHERE Username='amy'");
        world.database.sql(&rights).await?;
        world.run(&["monitors", "reload"]).await?.expect_code(0).map(drop)
    };
    may("1,2").await?;
    live.wait("zmesd/1/watching", "ON").await?;
    world.alarm(1, 42).await?;
    live.wait_count("zmesd/1/event", 1).await?;
    let first = live.at("zmesd/1/event").remove(0).json();
    ensure!(first["event"] == 42, "what was withheld is not told later: {first}");

    // Of a camera that the user may no longer see nothing stays.
    may("2").await?;
    wait_until("camera 1 is gone", async || Ok((!is_retained(&live, 1)).then_some(()))).await?;
    world.end_alarm(1, 42).await?;
    world.alarm(1, 43).await?;
    world.alarm(2, 44).await?;
    wait_until("camera 2 goes on", async || {
        Ok(live.at("zmesd/2/event").iter().any(|heard| heard.json()["event"] == 44).then_some(()))
    })
    .await?;
    ensure!(!is_retained(&live, 1) && heard_of_1() == 1, "{:?}", live.states());

    // `monitors` takes away what the rights allow.
    may("1,2").await?;
    live.wait("zmesd/1/watching", "ON").await?;
    world.settings.set("mqtt", "monitors", "[\"Garage\"]");
    world.write_settings()?;
    world.run(&["reload"]).await?.expect_code(0)?;
    wait_until("camera 2 is gone", async || Ok((!is_retained(&live, 2)).then_some(()))).await?;
    ensure!(is_retained(&live, 1));
    world.run(&["check", "mqtt"]).await?.expect_code(0).map(drop)
}

#[tokio::test]
async fn the_numbers_about_mqtt_are_what_the_broker_got() -> Result<()> {
    if !mosquitto_is_installed() {
        return skipped("mosquitto is not installed");
    }
    let mut world = house().setting("mqtt", "commands", "true").prepare().await?;
    let metrics = world.observe()?;
    world.start_daemon().await?;
    metrics.wait("zmesd_mqtt_connected", 0.0).await?;
    metrics.metrics().await?.ensure(&[("zmesd_mqtt_published_total", 0.0)])?;

    let mut broker = Mosquitto::with(&world.path("broker"), "allow_anonymous true\n", &[]).await?;
    let live = broker.listen().await?;
    enable(&mut world, &broker)?;
    world.run(&["reload"]).await?.expect_code(0)?;
    metrics.wait("zmesd_mqtt_connected", 1.0).await?;
    world.alarm(1, 40).await?;
    live.wait_count("zmesd/1/event", 1).await?;
    wait_until("the number is that of the messages", async || {
        let ours = |topic: &str| topic.starts_with("zmesd/") || topic.starts_with("homeassistant/");
        let heard = live.all().iter().filter(|heard| ours(&heard.topic)).count();
        let told = metrics.metrics().await?.value("zmesd_mqtt_published_total")?;
        #[expect(clippy::cast_precision_loss, reason = "some dozens")]
        Ok((told.to_bits() == (heard as f64).to_bits()).then_some(()))
    })
    .await?;
    for payload in ["-1", "soon"] {
        broker.publish("zmesd/1/snooze/set", payload, false).await?;
    }
    metrics.wait("zmesd_mqtt_commands_ignored_total", 2.0).await?;
    broker.publish("zmesd/1/notifications/set", "OFF", false).await?;
    live.wait("zmesd/1/notifications", "OFF").await?;
    metrics.metrics().await?.ensure(&[("zmesd_mqtt_commands_ignored_total", 2.0)])?;
    broker.kill().await?;
    metrics.wait("zmesd_mqtt_connected", 0.0).await?;
    broker.launch().await?;
    metrics.wait("zmesd_mqtt_connected", 1.0).await
}

#[tokio::test]
async fn a_monitor_that_is_not_published_for_costs_nobody_else_an_event() -> Result<()> {
    if !mosquitto_is_installed() {
        return skipped("mosquitto is not installed");
    }
    let house = house().setting("mqtt", "monitors", "[\"Yard\"]");
    let (mut world, broker) = connected(house, "allow_anonymous true\n").await?;
    let live = broker.listen().await?;
    live.wait("zmesd/2/watching", "ON").await?;
    for event in 50..56 {
        let monitor = 1 + u32::from(event % 2 == 1);
        world.alarm(monitor, event).await?;
        if monitor == 2 {
            let count = usize::try_from((event - 49) / 2)?;
            live.wait_count("zmesd/2/event", count).await?;
        }
    }
    ensure!(!is_retained(&live, 1), "{:?}", live.states());
    // Nor over a restart, where missed alarms are read from the record.
    world.kill_daemon().await?;
    world.start_daemon().await?;
    wait_connected(&world).await?;
    world.end_alarm(2, 55).await?;
    world.alarm(2, 56).await?;
    wait_until("the next event is told", async || {
        Ok(live.at("zmesd/2/event").iter().any(|heard| heard.json()["event"] == 56).then_some(()))
    })
    .await?;
    ensure!(!is_retained(&live, 1) && live.at("zmesd/1/event").is_empty());
    Ok(())
}
