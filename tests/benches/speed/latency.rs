//! From ALARM in shared memory to the frame in an authenticated app's hands, 50 monitors, default poll.

use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;

use crate::Plan;
use crate::report::Report;
use crate::scene::{Scene, milliseconds};

const BENCH: &str = "latency";
const MONITORS: u32 = 50;
/// Time for the daemon to come to rest, and time over which rest is measured.
const REST: Duration = Duration::from_secs(10);

pub(crate) async fn measure(plan: &Plan, report: &mut Report) -> Result<()> {
    let mut scene = Scene::start(MONITORS, &[]).await?;
    let usage = scene.usage()?;
    scene.rest(REST).await?;
    let (start, before) = (Instant::now(), usage.cpu_seconds()?);
    scene.rest(REST).await?;
    let share = (usage.cpu_seconds()? - before) / start.elapsed().as_secs_f64() * 100.0;
    report.add(BENCH, "CPU of one core at rest, 50 monitors", share, "%", Some(1.5));
    report.add(BENCH, "resident memory at rest", usage.resident_kib()? / 1024.0, "MiB", Some(15.0));

    let mut app = scene.world.admin().await?;
    let (start, before) = (Instant::now(), usage.cpu_seconds()?);
    let waits = scene.sample(&mut app, plan.samples).await?;
    let share = (usage.cpu_seconds()? - before) / start.elapsed().as_secs_f64() * 100.0;
    report.add(BENCH, "ALARM written to frame read, p50", milliseconds(&waits, 50.0), "ms", Some(12.0));
    report.add(BENCH, "ALARM written to frame read, p99", milliseconds(&waits, 99.0), "ms", Some(30.0));
    report.add(BENCH, "ALARM written to frame read, worst", milliseconds(&waits, 100.0), "ms", None);
    report.add(BENCH, "CPU of one core with about 25 alarms a second", share, "%", None);
    Ok(())
}
