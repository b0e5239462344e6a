//! MQTT on a real mosquitto: from the alarm to a program that listens at the broker, what apps notice of a broker that
//! is flooded, slow, stands still or is dead, and how long the announcement of a large house takes.

use std::time::Duration;

use anyhow::{Result, ensure};
use hdrhistogram::Histogram;
use tokio::time::{Instant, sleep};
use zmes_tests::{Listening, Mosquitto, World, mosquitto_is_installed, wait_until};

use crate::Plan;
use crate::report::Report;
use crate::scene::{Scene, milliseconds};

const BENCH: &str = "mqtt";
const MONITORS: u32 = 40;
/// Monitors of a large house.
const MANY: u32 = 200;
/// How often shared memory is read, by default.
const POLL_MS: f64 = 20.0;
/// Where a flood comes from: whoever may publish there.
const FLOODED: &str = "homeassistant/status";
/// For so long at a time a slow broker works.
const SLOW: Duration = Duration::from_millis(10);

#[expect(clippy::print_stderr, reason = "what is skipped is said")]
pub(crate) async fn measure(plan: &Plan, report: &mut Report) -> Result<()> {
    if !mosquitto_is_installed() {
        eprintln!("mqtt: SKIPPED, mosquitto is not installed");
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    let mut broker = Mosquitto::start(&directory.path().join("broker")).await?;
    let url = format!("\"mqtt://127.0.0.1:{}\"", broker.port());
    let settings = [("mqtt", "enabled", "true"), ("mqtt", "url", &*url), ("log", "level", "\"error\"")];
    alarms(plan, report, &settings, &mut broker).await?;
    broker.launch().await?;
    announcement(report, &settings, &broker).await
}

async fn wait_connected(world: &World) -> Result<()> {
    wait_until("the broker is connected", async || {
        let status = world.run(&["mqtt", "status", "--json"]).await?.json()?;
        Ok((status["connected"] == true).then_some(()))
    })
    .await
}

/// ALARM written until the message is read at the broker, and what apps notice of the broker, which is dead in the end.
async fn alarms(
    plan: &Plan,
    report: &mut Report,
    settings: &[(&str, &str, &str)],
    broker: &mut Mosquitto,
) -> Result<()> {
    let mut scene = Scene::start(MONITORS, settings).await?;
    wait_connected(&scene.world).await?;
    let live = broker.listen().await?;
    let mut waits = Histogram::<u64>::new(3)?;
    for turn in 0..plan.samples as u64 {
        let strike = scene.strike().await?;
        let topic = format!("zmesd/{}/event", strike.monitor);
        let event = format!("\"event\":{},", strike.event);
        let heard = wait_until("the alarm is published", async || {
            Ok(live.at(&topic).into_iter().rfind(|heard| heard.payload.contains(&event)))
        })
        .await?;
        waits.record(u64::try_from(heard.when.saturating_duration_since(strike.at).as_micros())?)?;
        scene.calm(&strike)?;
        sleep(Duration::from_millis(30 + turn * 7 % 20)).await;
    }
    for (what, percentile, target) in [("p50", 50.0, None), ("p99", 99.0, Some(POLL_MS + 15.0))] {
        let value = milliseconds(&waits, percentile);
        report.add(
            BENCH,
            format!("ALARM written to message read, {what}, {MONITORS} monitors"),
            value,
            "ms",
            target,
        );
    }

    bystanders(plan, report, &mut scene, broker).await
}

/// What apps notice of a broker in trouble: nothing.
async fn bystanders(
    plan: &Plan,
    report: &mut Report,
    scene: &mut Scene,
    broker: &mut Mosquitto,
) -> Result<()> {
    let mut app = scene.world.admin().await?;
    let alone = milliseconds(&scene.sample(&mut app, plan.samples).await?, 99.0);
    report.add(BENCH, "ALARM written to frame read, p99, broker well", alone, "ms", None);
    let mut growth = |state: &str, waits: &Histogram<u64>| {
        let what = format!("growth of p99 while the broker {state}");
        report.add(BENCH, what, milliseconds(waits, 99.0) - alone, "ms", Some(1.0));
    };
    let flood = broker.flood(FLOODED, "online")?;
    growth("is flooded", &scene.sample(&mut app, plan.samples).await?);
    drop(flood);
    let slow = tokio::select! {
        waits = scene.sample(&mut app, plan.samples) => waits?,
        failed = stutter(broker) => return failed,
    };
    broker.thaw()?;
    growth("is slow", &slow);
    broker.freeze()?;
    growth("stands still", &scene.sample(&mut app, plan.samples).await?);
    broker.thaw()?;
    broker.kill().await?;
    growth("is dead", &scene.sample(&mut app, plan.samples).await?);
    Ok(())
}

/// Lets the broker work for a tenth of the time; ends only if that fails.
async fn stutter(broker: &Mosquitto) -> Result<()> {
    loop {
        broker.freeze()?;
        sleep(SLOW * 9).await;
        broker.thaw()?;
        sleep(SLOW).await;
    }
}

/// From the start of the daemon until all monitors of a large house are announced.
async fn announcement(
    report: &mut Report,
    settings: &[(&str, &str, &str)],
    broker: &Mosquitto,
) -> Result<()> {
    let live = broker.listen().await?;
    let devices = |live: &Listening| {
        let all = live.all().into_iter().filter(|heard| {
            !heard.retained
                && heard.topic.starts_with("homeassistant/device/zmesd_")
                && !heard.payload.is_empty()
        });
        all.collect::<Vec<_>>()
    };
    let start = Instant::now();
    let _scene = Scene::start(MANY, settings).await?;
    // The world of 200 cameras takes longer than the daemon: what counts begins with its first message.
    let all = wait_until("all are announced", async || {
        let all = devices(&live);
        Ok((all.len() > MANY as usize).then_some(all))
    })
    .await?;
    ensure!(all.iter().all(|heard| heard.when >= start));
    let first =
        live.all().into_iter().find(|heard| heard.topic.starts_with("zmesd/")).map(|heard| heard.when);
    let last = all.iter().map(|heard| heard.when).max();
    let took = last.zip(first).map(|(last, first)| last.saturating_duration_since(first)).unwrap_or_default();
    report.add(BENCH, format!("announcement of {MANY} monitors"), took.as_secs_f64(), "s", Some(15.0));
    let bytes = all.iter().map(|heard| heard.payload.len()).sum::<usize>();
    let kib = u32::try_from(bytes / 1024)?;
    report.add(BENCH, "size of it", f64::from(kib), "KiB", Some(2048.0));
    Ok(())
}
