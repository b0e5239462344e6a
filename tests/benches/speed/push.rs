//! Pushes: how many per second with all writes to disk, how soon after the alarm, the memory for tokens, and what
//! apps notice of a provider that is dead.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};
use zmes_tests::World;
use zmes_tests::standin::{Arrival, Behaviour, Fcm};

use crate::Plan;
use crate::report::Report;
use crate::scene::{Scene, milliseconds};

const BENCH: &str = "push";
const MONITORS: u32 = 8;
/// Number of tokens for the memory measurement.
const MANY: usize = 10_000;
/// Tokens for the throughput.
const CROWD: usize = 3_000;
/// Tokens for the runs with a dead provider.
const SOME: usize = 100;
/// Time for buffers to be freed and for pending writes to finish.
const SETTLE: Duration = Duration::from_secs(3);
/// How long a wait for pushes may take.
const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) async fn measure(plan: &Plan, report: &mut Report) -> Result<()> {
    let fcm = Fcm::start().await?;
    one_token(plan, report, &fcm).await?;
    throughput(plan, report, &fcm).await?;
    memory(report, &fcm).await?;
    dead_providers(plan, report, &fcm).await
}

async fn scene(fcm: &Fcm, tokens: usize) -> Result<Scene> {
    let settings = [("push", "storm-limit", "100000"), ("log", "level", "\"warn\"")];
    let scene = Scene::start_with(MONITORS, &settings, |builder| builder.with_fcm(fcm)).await?;
    if tokens > 0 {
        import(&scene.world, tokens).await?;
    }
    Ok(scene)
}

/// Registers `count` phones, as `tokens.txt` of an old event server has them.
pub(crate) async fn import(world: &World, count: usize) -> Result<()> {
    let record = json!({"platform": "android", "pushstate": "enabled", "monlist": "", "intlist": "",
        "appversion": "1.8.001"});
    let tokens: Map<String, Value> = (0..count).map(|number| (token(number), record.clone())).collect();
    let file = world.path("tokens.txt");
    fs::write(&file, json!({ "tokens": tokens }).to_string())?;
    let file = file.to_string_lossy().into_owned();
    world.run(&["--timeout", "60s", "tokens", "import", &file]).await?.expect_code(0).map(drop)
}

/// Returns a token as long as real ones are.
fn token(number: usize) -> String {
    format!("{number:022}:APA91b{}", "HPRgkFLJu6sgQ8kQz0ytrewq".repeat(5))
}

/// Waits until `count` pushes have arrived since `before`, and returns them.
async fn pushes(fcm: &Fcm, before: usize, count: usize) -> Result<Vec<Arrival>> {
    let start = Instant::now();
    loop {
        // Looking costs the peer's lock, so not too often.
        sleep(Duration::from_millis(20)).await;
        if fcm.messages.push_count() >= before + count {
            return Ok(fcm.messages.pushes().split_off(before));
        }
        let got = fcm.messages.push_count() - before;
        ensure!(start.elapsed() < PATIENCE, "only {got} of {count} pushes arrived");
    }
}

/// ALARM written to shared memory until the provider has the whole request.
async fn one_token(plan: &Plan, report: &mut Report, fcm: &Fcm) -> Result<()> {
    let mut scene = scene(fcm, 1).await?;
    let mut waits = Histogram::<u64>::new(3)?;
    for turn in 0..plan.samples as u64 {
        let before = fcm.messages.push_count();
        let strike = scene.strike().await?;
        let arrived = pushes(fcm, before, 1).await?.pop().context("no push")?;
        waits.record(u64::try_from(arrived.at.saturating_duration_since(strike.at).as_micros())?)?;
        scene.calm(&strike)?;
        sleep(Duration::from_millis(30 + turn * 7 % 20)).await;
    }
    report.add(
        BENCH,
        "ALARM written to provider request, p50, one token",
        milliseconds(&waits, 50.0),
        "ms",
        Some(25.0),
    );
    report.add(
        BENCH,
        "ALARM written to provider request, p99, one token",
        milliseconds(&waits, 99.0),
        "ms",
        Some(80.0),
    );
    Ok(())
}

/// A burst of alarms for many phones: from the first request to the last.
async fn throughput(plan: &Plan, report: &mut Report, fcm: &Fcm) -> Result<()> {
    let mut scene = scene(fcm, CROWD).await?;
    scene.rest(SETTLE).await?;
    let alarms = plan.rounds.min(10);
    let before = fcm.messages.push_count();
    for _ in 0..alarms {
        let strike = scene.strike().await?;
        sleep(Duration::from_millis(40)).await;
        scene.calm(&strike)?;
        sleep(Duration::from_millis(40)).await;
    }
    let arrived = pushes(fcm, before, CROWD * alarms).await?;
    let (first, last) = (arrived.first().context("none")?.at, arrived.last().context("none")?.at);
    let rate = as_f64(arrived.len()) / last.duration_since(first).as_secs_f64();
    // "At most" is how targets read here: the time for one push.
    report.add(BENCH, format!("pushes a second, {CROWD} phones, durable"), rate, "1/s", None);
    report.add(BENCH, "time for one push at that rate", 1e6 / rate, "us", Some(1e6 / 3000.0));
    Ok(())
}

async fn memory(report: &mut Report, fcm: &Fcm) -> Result<()> {
    let mut empty = scene(fcm, 0).await?;
    empty.rest(SETTLE).await?;
    let without = empty.usage()?.resident_kib()?;
    import(&empty.world, MANY).await?;
    // What the import itself needed does not count: a new daemon reads what there is.
    empty.world.daemon()?.end(nix::sys::signal::Signal::SIGTERM).await?;
    empty.world.start_daemon().await?;
    empty.rest(SETTLE).await?;
    let with = empty.usage()?.resident_kib()?;
    report.add(BENCH, "memory for 10,000 tokens", (with - without) / 1024.0, "MiB", Some(20.0));
    Ok(())
}

/// What an app notices while its provider refuses, hangs, or answers 500.
async fn dead_providers(plan: &Plan, report: &mut Report, fcm: &Fcm) -> Result<()> {
    let mut scene = scene(fcm, SOME).await?;
    let mut app = scene.world.admin().await?;
    let alone = scene.sample(&mut app, plan.samples).await?;
    let alone = milliseconds(&alone, 99.0);
    report.add(BENCH, "ALARM written to frame read, p99, provider well", alone, "ms", None);
    for how in ["refuses", "hangs", "answers 500"] {
        match how {
            "refuses" => fcm.messages.refuse().await?,
            "hangs" => fcm.messages.always(Behaviour::Hang),
            _ => fcm.messages.always(Behaviour::status(500, "")),
        }
        let waits = scene.sample(&mut app, plan.samples).await?;
        let growth = milliseconds(&waits, 99.0) - alone;
        report.add(BENCH, format!("growth of p99 while the provider {how}"), growth, "ms", Some(5.0));
        if how == "refuses" {
            fcm.messages.resume().await?;
        }
    }
    fcm.messages.always(Behaviour::Accept);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "numbers of pushes are small")]
fn as_f64(count: usize) -> f64 {
    count as f64
}
