//! The cameras: alarms at a steady pace, each with its time.

use std::ops::Range;
use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, sleep};
use zmes_tests::{EventRow, ShmFile, State, World, epoch_seconds};

use crate::trouble::Trouble;

/// How long an alarm lasts: several polls.
const LASTING: Duration = Duration::from_millis(150);
/// From its end to the next one.
const PAUSE: Duration = Duration::from_millis(350);
/// An alarm that begins later before the end of a round may not be seen in it.
const LAST: Duration = Duration::from_secs(1);
/// The camera that goes away and comes back; it raises no alarm meanwhile.
pub(crate) const FICKLE: u32 = 1;

/// An alarm.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Strike {
    pub(crate) event: u64,
    pub(crate) monitor: u32,
    /// Just before the first byte of it was written.
    pub(crate) at: Instant,
}

/// All cameras, and which event comes next.
#[derive(Debug)]
pub(crate) struct Cameras {
    files: Vec<(u32, ShmFile)>,
    next_event: u64,
}

impl Cameras {
    pub(crate) fn of(world: &World, count: u32) -> Result<Self> {
        let files = (1..=count).map(|id| Ok((id, world.shm(id)?.clone()))).collect::<Result<_>>()?;
        Ok(Self { files, next_event: 1 })
    }

    /// Returns all event ids used so far.
    pub(crate) fn events(&self) -> Range<u64> {
        1..self.next_event
    }

    /// Keeps the cameras alive.
    pub(crate) fn beat(&self) -> Result<()> {
        // A camera that is away has no file.
        let mut here = self.files.iter().filter(|(_, file)| file.path().exists());
        here.try_for_each(|(_, file)| file.set_heartbeat(epoch_seconds()))
    }

    /// Strikes alarms until shortly before `end`, so that all are seen in their round.
    pub(crate) async fn strike_until(&mut self, end: Instant, trouble: Trouble) -> Result<Vec<Strike>> {
        let mut struck = Vec::new();
        while Instant::now() + LAST < end {
            self.beat()?;
            let event = self.next_event;
            let skipped = usize::from(trouble == Trouble::CameraGone);
            let place = skipped + usize::try_from(event)? % (self.files.len() - skipped);
            let (monitor, file) = &self.files[place];
            let at = Instant::now();
            file.alarm(event, "Motion", async || Ok(())).await?;
            self.next_event += 1;
            struck.push(Strike { event, monitor: *monitor, at });
            sleep(LASTING).await;
            file.set_state(State::Idle)?;
            sleep(PAUSE).await;
        }
        Ok(struck)
    }

    /// Writes the rows of a round's events, late as after an outage: they were announced before and must not be
    /// announced again.
    pub(crate) async fn write_rows(&self, world: &World, struck: &[Strike]) -> Result<()> {
        for strike in struck {
            world.insert_event(EventRow::new(strike.event, strike.monitor).closed()).await?;
        }
        Ok(())
    }
}
