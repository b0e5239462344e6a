//! One alarm to many apps: time until the last one has it, CPU cost, and the memory of an idle app.
//!
//! The crowd runs on the same cores as the daemon. The poll interval is 1 ms here, so that "written" is at most
//! that much before "decided".

use std::time::Duration;

use anyhow::Result;
use hdrhistogram::Histogram;
use tokio::time::{Instant, sleep};

use crate::Plan;
use crate::crowd::Crowd;
use crate::report::Report;
use crate::scene::{Scene, milliseconds};

const BENCH: &str = "fanout";
/// Time for buffers of the logins to be given back.
const SETTLE: Duration = Duration::from_secs(3);
const WSS: &[(&str, &str, &str)] = &[("zoneminder", "poll-interval", "\"1ms\"")];
const PLAIN: &[(&str, &str, &str)] =
    &[("zoneminder", "poll-interval", "\"1ms\""), ("server", "plaintext", "true")];

pub(crate) async fn measure(plan: &Plan, report: &mut Report) -> Result<()> {
    for count in &plan.crowds {
        let deadline = if *count <= 1000 { 25.0 } else { 180.0 };
        one(plan, report, "WSS", WSS, *count, Some((deadline, 22.0, 17.0))).await?;
    }
    // Only memory has a target without TLS.
    let most = plan.crowds.iter().max().copied().unwrap_or(1000);
    one(plan, report, "plain", PLAIN, most, None).await
}

/// Measures one crowd; `targets` are the last frame in ms, CPU in µs a frame and KiB an app.
async fn one(
    plan: &Plan,
    report: &mut Report,
    kind: &str,
    settings: &[(&str, &str, &str)],
    count: usize,
    targets: Option<(f64, f64, f64)>,
) -> Result<()> {
    let mut scene = Scene::start(2, settings).await?;
    let usage = scene.usage()?;
    scene.rest(SETTLE).await?;
    let empty = usage.resident_kib()?;
    let endpoint = scene.world.endpoint().await?;
    let mut crowd = Crowd::gather(&endpoint, count).await?;
    scene.rest(SETTLE).await?;
    let each = (usage.resident_kib()? - empty) / as_f64(crowd.count());
    let memory_target = targets.map_or(8.0, |(_, _, memory)| memory);
    report.add(BENCH, format!("memory per waiting app, {count} {kind}"), each, "KiB", Some(memory_target));

    let (start, before) = (Instant::now(), usage.cpu_seconds()?);
    scene.rest(SETTLE).await?;
    let idle_share = (usage.cpu_seconds()? - before) / start.elapsed().as_secs_f64();

    let mut lasts = Histogram::<u64>::new(3)?;
    let (start, before) = (Instant::now(), usage.cpu_seconds()?);
    for _ in 0..plan.rounds {
        let strike = scene.strike().await?;
        let last = crowd.last_arrival().await?;
        lasts.record(u64::try_from(last.saturating_duration_since(strike.at).as_micros())?)?;
        scene.calm(&strike)?;
        sleep(Duration::from_millis(50)).await;
    }
    let idle = start.elapsed().as_secs_f64() * idle_share;
    let cpu = usage.cpu_seconds()? - before - idle;
    let frames = as_f64(count * plan.rounds);
    let (last, cost) = (targets.map(|(last, _, _)| last), targets.map(|(_, cost, _)| cost));
    report.add(
        BENCH,
        format!("alarm to last frame, median, {count} {kind}"),
        milliseconds(&lasts, 50.0),
        "ms",
        last,
    );
    report.add(
        BENCH,
        format!("alarm to last frame, worst, {count} {kind}"),
        milliseconds(&lasts, 100.0),
        "ms",
        None,
    );
    report.add(BENCH, format!("CPU per frame, {count} {kind}"), cpu / frames * 1e6, "us", cost);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "numbers of apps and frames are small")]
fn as_f64(count: usize) -> f64 {
    count as f64
}
