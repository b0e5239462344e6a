//! Troubles: from the moment at which a camera delivers nothing to the notice at the provider, beyond the time for which
//! that must hold.

use std::time::Duration;

use anyhow::{Result, ensure};
use hdrhistogram::Histogram;
use tokio::time::{Instant, sleep};
use zmes_tests::epoch_seconds;
use zmes_tests::standin::Fcm;

use crate::Plan;
use crate::report::Report;
use crate::scene::{Scene, milliseconds};

const BENCH: &str = "troubles";
/// Cameras that are lost, one after the other.
const LOST: u32 = 20;
/// Cameras that stay: if most were lost, that would be one notice.
const STAY: u32 = 5;
/// `watchdog.camera-offline`
const HOLD: Duration = Duration::from_secs(1);
const PHONE: &str = "watchman:APA91bHPRgkFLJu6sgQ8kQz0ytrewq";
/// How long a wait for a notice may take.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn measure(plan: &Plan, report: &mut Report) -> Result<()> {
    let fcm = Fcm::start().await?;
    let settings = [
        ("watchdog", "camera-offline", "\"1s\""),
        ("watchdog", "notify", "[\"user:admin\"]"),
        ("log", "level", "\"warn\""),
        ("push", "storm-limit", "100000"),
    ];
    let scene = Scene::start_with(LOST + STAY, &settings, |builder| builder.with_fcm(&fcm)).await?;
    let _phone = scene.world.phone("android", PHONE).await?;
    let lost = u32::try_from(plan.samples)?.min(LOST);
    let mut beyond = Histogram::<u64>::new(3)?;
    for camera in 1..=lost {
        // Those that are lost already have no shared memory.
        for living in camera..=LOST + STAY {
            scene.world.shm(living)?.set_heartbeat(epoch_seconds())?;
        }
        let (start, before) = (Instant::now(), fcm.messages.push_count());
        scene.world.shm(camera)?.stop()?;
        while fcm.messages.push_count() == before {
            ensure!(start.elapsed() < PATIENCE, "no notice of camera {camera}");
            sleep(Duration::from_millis(5)).await;
        }
        let waited = start.elapsed().saturating_sub(HOLD);
        beyond.record(u64::try_from(waited.as_micros())?)?;
        // The keeper checks once a second; samples must cover every phase of that second equally.
        sleep(Duration::from_millis(u64::from(camera) * 370 % 1000)).await;
    }
    ensure!(fcm.messages.push_count() == usize::try_from(lost)?, "one notice for each camera");
    let p50 = milliseconds(&beyond, 50.0);
    report.add(BENCH, "camera lost to provider request, less the hold time, p50", p50, "ms", Some(2000.0));
    let worst = milliseconds(&beyond, 100.0);
    report.add(
        BENCH,
        "camera lost to provider request, less the hold time, worst",
        worst,
        "ms",
        Some(2000.0),
    );
    Ok(())
}
