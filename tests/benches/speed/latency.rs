//! From ALARM in shared memory to the frame in an authenticated app's hands, 50 monitors, default poll: with the settings
//! of a new installation, and with everything on that decides about pushes.

use std::fmt::Write;
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::Instant;
use zmes_tests::standin::Fcm;

use crate::Plan;
use crate::push;
use crate::report::Report;
use crate::scene::{Scene, milliseconds};

const BENCH: &str = "latency";
const MONITORS: u32 = 50;
/// Time for the daemon to come to rest, and time over which rest is measured.
const REST: Duration = Duration::from_secs(10);
/// Rules, as many as there may be, and phones that each of them is compared with.
const RULES: usize = 256;
const PHONES: usize = 200;

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
    laden(plan, report, milliseconds(&waits, 50.0)).await
}

/// The same with rules, labels, ends, updates and the watchdog, and 200 phones; `without` is the median without, in ms.
async fn laden(plan: &Plan, report: &mut Report, without: f64) -> Result<()> {
    let fcm = Fcm::start().await?;
    let settings = [
        ("push", "storm-limit", "100000"),
        ("end", "push", "true"),
        ("labels", "wait", "\"1s\""),
        ("labels", "update", "true"),
        ("watchdog", "notify", "[\"user:admin\"]"),
    ];
    let mut rules = String::new();
    for number in 0..RULES {
        writeln!(
            rules,
            "\n[[rule]]\nname = \"rule-{number}\"\nreceivers = [\"other-{number}\"]\nbetween = [\"00:00-23:59\"]\n\
             cause-has = [\"motion\"]\nlabels-lack = [\"person\"]\naction = \"mute\""
        )?;
    }
    let mut scene = Scene::start_among(MONITORS, &settings, |builder| builder.with_fcm(&fcm), &rules).await?;
    push::import(&scene.world, PHONES).await?;
    scene.world.run(&["snooze", "Camera 50", "--for", "1h"]).await?.expect_code(0)?;
    let mut app = scene.world.admin().await?;
    let waits = scene.sample(&mut app, plan.samples).await?;
    ensure!(fcm.messages.push_count() > PHONES, "phones were told");
    let p50 = milliseconds(&waits, 50.0);
    report.add(BENCH, "the same with all of it on, p50", p50, "ms", Some(12.0));
    report.add(BENCH, "the same with all of it on, p99", milliseconds(&waits, 99.0), "ms", Some(30.0));
    report.add(BENCH, "growth of p50 by all of it", p50 - without, "ms", Some(0.5));
    Ok(())
}
