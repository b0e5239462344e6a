//! A world whose cameras start alarms on request; the daemon has its defaults.

use std::fs;
use std::time::Duration;

use anyhow::Result;
use hdrhistogram::Histogram;
use serde_json::json;
use tokio::time::{Instant, sleep};
use zmes_tests::{AppClient, State, World, WorldBuilder, epoch_seconds};

use crate::usage::Usage;

/// How often heartbeats are renewed; a camera without a new heartbeat for 45 s counts as dead.
const BEAT: Duration = Duration::from_secs(5);
/// Shortest pause between two samples: the poller has seen the end of the last alarm.
const PAUSE: Duration = Duration::from_millis(30);
/// Pauses differ by up to a poll interval, so that alarms fall evenly into it.
const SPREAD_MS: u64 = 20;

/// The world, and which event comes next.
pub(crate) struct Scene {
    pub(crate) world: World,
    monitors: u32,
    next_event: u64,
    beaten: Instant,
}

/// An alarm that was written.
pub(crate) struct Strike {
    /// Just before the first byte of it was written.
    pub(crate) at: Instant,
    pub(crate) event: u64,
    pub(crate) monitor: u32,
}

impl Scene {
    /// Starts a daemon with `monitors` monitors; `settings` differ from the defaults.
    pub(crate) async fn start(monitors: u32, settings: &[(&str, &str, &str)]) -> Result<Self> {
        Self::start_with(monitors, settings, |builder| builder).await
    }

    /// The same, with something more in its world.
    pub(crate) async fn start_with(
        monitors: u32,
        settings: &[(&str, &str, &str)],
        more: impl FnOnce(WorldBuilder) -> WorldBuilder,
    ) -> Result<Self> {
        let world = more(Self::builder(monitors, settings)).start().await?;
        Ok(Self { world, monitors, next_event: 1, beaten: Instant::now() })
    }

    /// The same, with `blocks` at the end of the settings.
    pub(crate) async fn start_among(
        monitors: u32,
        settings: &[(&str, &str, &str)],
        more: impl FnOnce(WorldBuilder) -> WorldBuilder,
        blocks: &str,
    ) -> Result<Self> {
        let mut world = more(Self::builder(monitors, settings)).prepare().await?;
        world.write_settings_with(blocks)?;
        fs::create_dir_all(world.path("events"))?;
        world.start_daemon().await?;
        Ok(Self { world, monitors, next_event: 1, beaten: Instant::now() })
    }

    fn builder(monitors: u32, settings: &[(&str, &str, &str)]) -> WorldBuilder {
        let mut builder = World::new()
            .setting("zoneminder", "alarm-limit", "0")
            .setting("zoneminder", "reconcile-interval", "\"2s\"")
            .setting("log", "level", "\"info\"")
            .setting("server", "max-clients-per-address", "20000");
        for (table, key, value) in settings {
            builder = builder.setting(table, key, value);
        }
        for id in 1..=monitors {
            builder = builder.monitor(id, &format!("Camera {id}"));
        }
        builder
    }

    /// Returns what the daemon uses.
    pub(crate) fn usage(&mut self) -> Result<Usage> {
        Ok(Usage::of(self.world.daemon()?.pid()))
    }

    /// Keeps the cameras alive; to be called at least every 40 s.
    pub(crate) fn beat(&mut self) -> Result<()> {
        if self.beaten.elapsed() < BEAT {
            return Ok(());
        }
        self.beaten = Instant::now();
        for monitor in 1..=self.monitors {
            self.world.shm(monitor)?.set_heartbeat(epoch_seconds())?;
        }
        Ok(())
    }

    /// Waits while the cameras live on.
    pub(crate) async fn rest(&mut self, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.beat()?;
            sleep(BEAT.min(end - Instant::now())).await;
        }
        Ok(())
    }

    /// Returns the next monitor in turn and its next event.
    pub(crate) fn next(&mut self) -> Result<(u32, u64)> {
        self.beat()?;
        let event = self.next_event;
        self.next_event += 1;
        Ok((u32::try_from(event % u64::from(self.monitors))? + 1, event))
    }

    /// Sets the next monitor in turn to ALARM with a new event.
    pub(crate) async fn strike(&mut self) -> Result<Strike> {
        let (monitor, event) = self.next()?;
        let at = Instant::now();
        self.world.alarm_without_row(monitor, event).await?;
        Ok(Strike { at, event, monitor })
    }

    /// Ends the alarm.
    pub(crate) fn calm(&self, strike: &Strike) -> Result<()> {
        self.world.shm(strike.monitor)?.set_state(State::Idle)
    }

    /// Measures how long `app` waits for each of `count` alarms, in microseconds.
    pub(crate) async fn sample(&mut self, app: &mut AppClient, count: usize) -> Result<Histogram<u64>> {
        let mut waits = Histogram::new(3)?;
        for turn in 0..count as u64 {
            let strike = self.strike().await?;
            let frame = app.next_json().await?;
            waits.record(u64::try_from(strike.at.elapsed().as_micros())?)?;
            let expected = json!(strike.event.to_string());
            anyhow::ensure!(frame["events"][0]["EventId"] == expected, "expected event {expected}: {frame}");
            self.calm(&strike)?;
            // 7 and SPREAD_MS have no common divisor: every phase comes equally often.
            sleep(PAUSE + Duration::from_millis(turn * 7 % SPREAD_MS)).await;
        }
        Ok(waits)
    }
}

/// Returns a percentile of microseconds in milliseconds.
#[expect(clippy::cast_precision_loss, reason = "microseconds of minutes fit")]
pub(crate) fn milliseconds(waits: &Histogram<u64>, percentile: f64) -> f64 {
    waits.value_at_percentile(percentile) as f64 / 1000.0
}
