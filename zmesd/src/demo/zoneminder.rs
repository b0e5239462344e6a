//! The simulated ZoneMinder: cameras that detect motion now and then.
//!
//! Owns: the shared memory of every monitor. Receives: time, and triggers that others write to that memory. Sends:
//! nothing; it writes memory and events in the order of ZoneMinder 1.39. Ends: on its token.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use zmes_shared::{EventId, MonitorId};

use super::database::Database;
use super::memory::{Memory, State};
use crate::ports::Clock;

/// Time between two analysed pictures; triggers are checked once per picture.
const FRAME: Duration = Duration::from_millis(100);
/// Pictures a second, for the header.
const FPS: f64 = 10.0;
const MOTION: Duration = Duration::from_secs(1);
/// Time from the last alarm frame to the end of the event (`PostEventCount`).
const ALERT: Duration = Duration::from_millis(1500);
/// How long inserting an event takes. ZoneMinder 1.37 and later sets ALARM before, and the event id afterwards.
const INSERT: Duration = Duration::from_millis(3);
/// When the first camera detects motion: a new user should not have to wait for `every`.
const FIRST: Duration = Duration::from_secs(2);
/// Cause of a motion alarm, with the zone, as written by 1.37 and later.
const MOTION_CAUSE: &str = "Motion:All";

#[derive(Debug)]
pub struct Simulation {
    cameras: Vec<Camera>,
    database: Arc<Database>,
    clock: Arc<dyn Clock>,
    every: Duration,
    images: u32,
    /// The camera that detects motion next.
    next: usize,
}

#[derive(Debug)]
struct Camera {
    monitor: MonitorId,
    memory: Memory,
    phase: Phase,
    /// Motion lasts until then.
    motion_until: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    Alarm(EventId),
    Alert(EventId, Instant),
}

impl Simulation {
    /// Writes the shared memory of every monitor of `database` into `directory`.
    pub(super) fn start(
        directory: &Path,
        database: Arc<Database>,
        every: Duration,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        let now = clock.now();
        let camera = |monitor: MonitorId| {
            let memory = Memory::create(directory, monitor, FPS, now)?;
            Ok(Camera { monitor, memory, phase: Phase::Idle, motion_until: None })
        };
        let cameras =
            database.monitors().iter().map(|monitor| camera(monitor.id)).collect::<io::Result<_>>()?;
        Ok(Self { cameras, database, clock, every, images: 0, next: 0 })
    }

    /// Runs the cameras until `stop`. Fails if their memory can no longer be written.
    pub async fn run(mut self, stop: CancellationToken) -> io::Result<()> {
        let mut frames = tokio::time::interval(FRAME);
        frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut motions = tokio::time::interval_at(Instant::now() + FIRST.min(self.every), self.every);
        motions.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                _ = motions.tick() => self.move_something(),
                _ = frames.tick() => self.frame().await?,
            }
        }
    }

    fn move_something(&mut self) {
        let count = self.cameras.len();
        let turns = (self.next..self.next + count).map(|turn| turn % count.max(1));
        let idle = |&turn: &usize| self.cameras.get(turn).is_some_and(|camera| camera.phase == Phase::Idle);
        let Some(turn) = turns.into_iter().find(idle) else { return };
        self.next = turn + 1;
        if let Some(camera) = self.cameras.get_mut(turn) {
            camera.motion_until = Some(Instant::now() + MOTION);
        }
    }

    async fn frame(&mut self) -> io::Result<()> {
        self.images = self.images.wrapping_add(1);
        for camera in &mut self.cameras {
            camera.memory.beat(self.images, self.clock.now())?;
            camera.step(&self.database).await?;
        }
        Ok(())
    }
}

impl Camera {
    async fn step(&mut self, database: &Database) -> io::Result<()> {
        let now = Instant::now();
        let cause = match self.memory.forced()? {
            Some(cause) => Some(cause),
            None => self.motion_until.filter(|until| now < *until).map(|_| MOTION_CAUSE.to_owned()),
        };
        self.phase = match (self.phase, cause) {
            (Phase::Idle, None) => Phase::Idle,
            (Phase::Idle, Some(cause)) => Phase::Alarm(self.open_event(&cause, database).await?),
            (Phase::Alarm(event), Some(_)) => {
                database.count_alarm_frame(event);
                Phase::Alarm(event)
            }
            (Phase::Alarm(event), None) => {
                self.memory.enter(State::Alert)?;
                Phase::Alert(event, now + ALERT)
            }
            // Motion again before the event has ended: the same event continues.
            (Phase::Alert(event, _), Some(_)) => {
                self.memory.enter(State::Alarm)?;
                database.count_alarm_frame(event);
                Phase::Alarm(event)
            }
            (Phase::Alert(event, until), None) if now < until => Phase::Alert(event, until),
            (Phase::Alert(event, _), None) => {
                self.memory.enter(State::Idle)?;
                database.close(event);
                Phase::Idle
            }
        };
        Ok(())
    }

    /// Starts an alarm in the order of ZoneMinder 1.37 and later: state, row, event id, cause.
    async fn open_event(&self, cause: &str, database: &Database) -> io::Result<EventId> {
        let alarmed = Instant::now();
        self.memory.enter(State::Alarm)?;
        tokio::time::sleep(INSERT).await;
        let event = database.open(self.monitor, cause, alarmed);
        self.memory.set_last_event(event)?;
        self.memory.set_alarm_cause(cause)?;
        database.take_picture(self.monitor, event)?;
        Ok(event)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use tempfile::TempDir;

    use super::*;
    use crate::ports::SystemClock;
    use zmes_zoneminder::EventStore;

    struct Scene {
        directory: TempDir,
        database: Arc<Database>,
        simulation: Simulation,
    }

    fn scene(monitors: u32) -> Scene {
        let directory = tempfile::tempdir().unwrap();
        let events = directory.path().join("events");
        let database = Arc::new(Database::new(monitors, events).unwrap());
        let simulation = Simulation::start(
            directory.path(),
            Arc::clone(&database),
            Duration::from_secs(5),
            Arc::new(SystemClock),
        )
        .unwrap();
        Scene { directory, database, simulation }
    }

    impl Scene {
        fn memory(&self, monitor: u32) -> std::fs::File {
            let path = self.directory.path().join(format!("zm.mmap.{monitor}"));
            std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap()
        }

        /// State and last event as a reader sees them.
        fn read(&self, monitor: u32) -> (u8, u8) {
            let mut header = [0; 64];
            self.memory(monitor).read_exact_at(&mut header, 0).unwrap();
            (header[16], header[56])
        }

        async fn frames(&mut self, count: u32) {
            for _ in 0..count {
                tokio::time::advance(FRAME).await;
                self.simulation.frame().await.unwrap();
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn motion_is_one_event_from_alarm_through_alert_to_idle() {
        let mut scene = scene(1);
        scene.simulation.move_something();
        scene.frames(1).await;
        assert_eq!(scene.read(1), (3, 1), "ALARM with event 1");
        scene.frames(10).await;
        assert_eq!(scene.read(1), (4, 1), "ALERT");
        assert!(scene.database.open_events(MonitorId(1)).await.unwrap()[0].alarm_frames > 5);
        scene.frames(15).await;
        assert_eq!(scene.read(1), (1, 1), "IDLE; the last event stays");
        assert!(scene.database.open_events(MonitorId(1)).await.unwrap().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn the_state_comes_before_the_event_id() {
        let mut scene = scene(1);
        scene.simulation.move_something();
        tokio::time::advance(FRAME).await;
        let before = {
            let Scene { simulation, directory, .. } = &mut scene;
            let mut frame = std::pin::pin!(simulation.frame());
            assert!(futures_util::poll!(frame.as_mut()).is_pending(), "the row is being inserted");
            let file = std::fs::read(directory.path().join("zm.mmap.1")).unwrap();
            frame.await.unwrap();
            (file[16], file[56])
        };
        assert_eq!(before, (3, 0), "ALARM, and still the previous event");
        assert_eq!(scene.read(1), (3, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_trigger_holds_the_alarm_until_it_is_cancelled() {
        let mut scene = scene(1);
        let memory = scene.memory(1);
        memory.write_all_at(b"zmesctl\0", 888 + 16).unwrap();
        memory.write_all_at(&100_u32.to_ne_bytes(), 888 + 8).unwrap();
        memory.write_all_at(&1_u32.to_ne_bytes(), 888 + 4).unwrap();
        scene.frames(100).await;
        assert_eq!(scene.read(1), (3, 1), "still in ALARM after 10 s");
        assert_eq!(scene.database.open_events(MonitorId(1)).await.unwrap()[0].cause, "zmesctl");
        memory.write_all_at(&0_u32.to_ne_bytes(), 888 + 4).unwrap();
        scene.frames(1).await;
        assert_eq!(scene.read(1), (4, 1), "ALERT");
    }

    #[tokio::test(start_paused = true)]
    async fn motion_during_alert_continues_the_same_event() {
        let mut scene = scene(1);
        scene.simulation.move_something();
        scene.frames(12).await;
        assert_eq!(scene.read(1), (4, 1));
        scene.simulation.cameras[0].motion_until = Some(Instant::now() + MOTION);
        scene.frames(1).await;
        assert_eq!(scene.read(1), (3, 1));
        assert_eq!(scene.database.newest().await.unwrap(), Some(EventId(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn cameras_take_turns_and_a_busy_one_is_passed_over() {
        let mut scene = scene(2);
        for _ in 0..3 {
            scene.simulation.move_something();
            scene.frames(1).await;
        }
        assert_eq!((scene.read(1), scene.read(2)), ((3, 1), (3, 2)));
        assert_eq!(scene.database.newest().await.unwrap(), Some(EventId(2)), "both were busy the third time");
    }
}
