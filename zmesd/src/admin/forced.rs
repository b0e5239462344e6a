//! Alarms that an admin forces, and their end: without an end a camera would record forever.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{OptionFuture, join_all};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use zmes_shared::MonitorId;
use zmes_zoneminder::{AlarmTrigger, TriggerCommand, TriggerError, TriggerVia};

/// Requests that may wait for the keeper: as many as there are control sessions.
const COMMANDS: usize = 16;
const TRIGGER_DEADLINE: Duration = Duration::from_secs(5);
/// How long a request waits for its turn and its trigger.
const COMMAND_DEADLINE: Duration = Duration::from_secs(10);
/// Pause before a cancel that failed is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// Maximum number of attempts to cancel (one minute); then it is given up and logged.
const TRIES: u32 = 12;
/// Score of a forced alarm; `zmtrigger` scripts use the same, and any above zero makes ZoneMinder record.
const SCORE: u32 = 255;
/// Becomes the cause of the event.
const CAUSE: &str = "Forced by zmesctl";
/// Becomes part of the event's notes.
const TEXT: &str = "zmesctl alarm force";

#[derive(Debug, thiserror::Error)]
pub(super) enum ForcedError {
    #[error(transparent)]
    Trigger(#[from] TriggerError),
    #[error("the trigger did not get through in time")]
    Late,
    #[error("the daemon is stopping")]
    Stopping,
}

#[derive(Debug)]
struct ForceCommand {
    monitor: MonitorId,
    /// Duration of the forced alarm; `None`: it is cancelled.
    lasts: Option<Duration>,
    reply: oneshot::Sender<Result<TriggerVia, ForcedError>>,
}

#[derive(Debug)]
pub(super) struct ForcedAlarms {
    commands: mpsc::Sender<ForceCommand>,
}

/// The task that ends forced alarms.
///
/// Owns: when which forced alarm ends. Receives: requests of admins. Sends: triggers to ZoneMinder. Ends: on its
/// token, after it has taken back whatever is still forced.
#[derive(Debug)]
pub(super) struct ForcedKeeper {
    trigger: Arc<dyn AlarmTrigger>,
    commands: mpsc::Receiver<ForceCommand>,
    draining: CancellationToken,
    forced: BTreeMap<MonitorId, ForceExpiry>,
}

#[derive(Debug, Clone, Copy)]
struct ForceExpiry {
    at: Instant,
    tries: u32,
}

impl ForcedAlarms {
    pub(super) fn new(trigger: Arc<dyn AlarmTrigger>, draining: CancellationToken) -> (Self, ForcedKeeper) {
        let (commands_tx, commands) = mpsc::channel(COMMANDS);
        let keeper = ForcedKeeper { trigger, commands, draining, forced: BTreeMap::new() };
        (Self { commands: commands_tx }, keeper)
    }

    /// Forces an alarm that ends after `lasts`, or makes one that is forced already end then.
    pub(super) async fn force(&self, monitor: MonitorId, lasts: Duration) -> Result<TriggerVia, ForcedError> {
        self.call(monitor, Some(lasts)).await
    }

    /// Cancels an alarm, also one that zmesd has not forced.
    pub(super) async fn cancel(&self, monitor: MonitorId) -> Result<TriggerVia, ForcedError> {
        self.call(monitor, None).await
    }

    async fn call(&self, monitor: MonitorId, lasts: Option<Duration>) -> Result<TriggerVia, ForcedError> {
        let (reply, answer) = oneshot::channel();
        let asked = async {
            self.commands
                .send(ForceCommand { monitor, lasts, reply })
                .await
                .map_err(|_| ForcedError::Stopping)?;
            answer.await.map_err(|_| ForcedError::Stopping)?
        };
        timeout(COMMAND_DEADLINE, asked).await.map_err(|_| ForcedError::Late)?
    }
}

impl ForcedKeeper {
    pub(super) async fn run(mut self) {
        loop {
            let due = OptionFuture::from(self.next_due().map(sleep_until));
            tokio::select! {
                biased;
                () = self.draining.cancelled() => break,
                Some(command) = self.commands.recv() => self.on_command(command).await,
                Some(()) = due => self.cancel_due(Instant::now()).await,
            }
        }
        self.cancel_all().await;
    }

    async fn on_command(&mut self, command: ForceCommand) {
        let ForceCommand { monitor, lasts, reply } = command;
        let trigger = match lasts {
            Some(_) => TriggerCommand::On { score: SCORE, cause: CAUSE.to_owned(), text: TEXT.to_owned() },
            None => TriggerCommand::Cancel,
        };
        let told = self.tell(monitor, trigger).await;
        match lasts {
            // A trigger that came late may still have come: it is taken back like one that did.
            Some(lasts) if matches!(told, Ok(_) | Err(ForcedError::Late)) => {
                self.forced.insert(monitor, ForceExpiry { at: Instant::now() + lasts, tries: 0 });
            }
            None if told.is_ok() => drop(self.forced.remove(&monitor)),
            Some(_) | None => {}
        }
        // The requester may have timed out; the change remains.
        reply.send(told).ok();
    }

    async fn cancel_due(&mut self, now: Instant) {
        let due: Vec<_> =
            self.forced.iter().filter(|(_, due)| due.at <= now).map(|(monitor, _)| *monitor).collect();
        for monitor in due {
            self.cancel(monitor).await;
        }
    }

    async fn cancel(&mut self, monitor: MonitorId) {
        let failed = match self.tell(monitor, TriggerCommand::Cancel).await {
            Ok(_) => {
                info!(%monitor, "the forced alarm has ended");
                None
            }
            // The trigger is in the shared memory: without the memory it is gone, too.
            Err(ForcedError::Trigger(TriggerError::NotCaptured(_))) => None,
            Err(error) => Some(error),
        };
        let tries = self.forced.get(&monitor).map_or(1, |due| due.tries + 1);
        match failed {
            None => drop(self.forced.remove(&monitor)),
            Some(error) if tries >= TRIES => {
                let error = &error as &dyn std::error::Error;
                error!(%monitor, error, "cannot end a forced alarm: cancel it with zmu or in the console");
                self.forced.remove(&monitor);
            }
            Some(error) => {
                let error = &error as &dyn std::error::Error;
                warn!(%monitor, error, "cannot end a forced alarm yet");
                self.forced.insert(monitor, ForceExpiry { at: Instant::now() + RETRY, tries });
            }
        }
    }

    async fn cancel_all(&mut self) {
        // All at once: the daemon must stop soon, however many there are and however slow ZoneMinder is.
        let forced = std::mem::take(&mut self.forced);
        let told = forced
            .into_keys()
            .map(async |monitor| (monitor, self.tell(monitor, TriggerCommand::Cancel).await));
        for (monitor, told) in join_all(told).await {
            if let Err(error) = told {
                let error = &error as &dyn std::error::Error;
                error!(%monitor, error, "a forced alarm stays on: cancel it with zmu or in the console");
            }
        }
    }

    async fn tell(&self, monitor: MonitorId, command: TriggerCommand) -> Result<TriggerVia, ForcedError> {
        let told = timeout(TRIGGER_DEADLINE, self.trigger.set(monitor, command)).await;
        Ok(told.map_err(|_| ForcedError::Late)??)
    }

    fn next_due(&self) -> Option<Instant> {
        self.forced.values().map(|due| due.at).min()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use tokio_util::task::TaskTracker;

    use super::*;

    /// Records the commands given to ZoneMinder, with their times (seconds since the start); fails as often as told.
    #[derive(Debug)]
    struct Recorder {
        start: Instant,
        told: Mutex<Vec<(u64, u32, &'static str)>>,
        failures: Mutex<u32>,
    }

    #[async_trait]
    impl AlarmTrigger for Recorder {
        async fn set(&self, monitor: MonitorId, command: TriggerCommand) -> Result<TriggerVia, TriggerError> {
            let word = if command == TriggerCommand::Cancel { "cancel" } else { "on" };
            self.told.lock().unwrap().push((self.start.elapsed().as_secs(), monitor.0, word));
            let mut failures = self.failures.lock().unwrap();
            if word == "cancel" && *failures > 0 {
                *failures -= 1;
                return Err(TriggerError::Failed { monitor, detail: "busy".into() });
            }
            Ok(TriggerVia::SharedMemory)
        }
    }

    struct World {
        alarms: ForcedAlarms,
        trigger: Arc<Recorder>,
        draining: CancellationToken,
        tasks: TaskTracker,
    }

    fn world(failures: u32) -> World {
        let (told, failures) = (Mutex::default(), Mutex::new(failures));
        let trigger = Arc::new(Recorder { start: Instant::now(), told, failures });
        let draining = CancellationToken::new();
        let port: Arc<dyn AlarmTrigger> = Arc::<Recorder>::clone(&trigger);
        let (alarms, keeper) = ForcedAlarms::new(port, draining.clone());
        let tasks = TaskTracker::new();
        tasks.spawn(keeper.run());
        tasks.close();
        World { alarms, trigger, draining, tasks }
    }

    async fn after(seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    const TEN: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn a_forced_alarm_ends_by_itself_and_forcing_again_extends_it() {
        let world = world(0);
        world.alarms.force(MonitorId(1), TEN).await.unwrap();
        after(6).await;
        world.alarms.force(MonitorId(1), TEN).await.unwrap();
        after(30).await;
        let told = world.trigger.told.lock().unwrap().clone();
        assert_eq!(told, [(0, 1, "on"), (6, 1, "on"), (16, 1, "cancel")]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_alarm_is_not_cancelled_again() {
        let world = world(0);
        world.alarms.force(MonitorId(1), TEN).await.unwrap();
        after(3).await;
        world.alarms.cancel(MonitorId(1)).await.unwrap();
        after(30).await;
        assert_eq!(*world.trigger.told.lock().unwrap(), [(0, 1, "on"), (3, 1, "cancel")]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancel_that_fails_is_tried_again() {
        let world = world(2);
        world.alarms.force(MonitorId(1), TEN).await.unwrap();
        after(60).await;
        let told = world.trigger.told.lock().unwrap().clone();
        assert_eq!(told, [(0, 1, "on"), (10, 1, "cancel"), (15, 1, "cancel"), (20, 1, "cancel")]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_daemon_that_ends_takes_back_what_it_forced() {
        let world = world(0);
        world.alarms.force(MonitorId(1), TEN).await.unwrap();
        world.alarms.force(MonitorId(2), TEN).await.unwrap();
        world.draining.cancel();
        world.tasks.wait().await;
        let told = world.trigger.told.lock().unwrap().clone();
        assert_eq!(told, [(0, 1, "on"), (0, 2, "on"), (0, 1, "cancel"), (0, 2, "cancel")]);
        let late = world.alarms.force(MonitorId(1), TEN).await;
        assert!(matches!(late, Err(ForcedError::Stopping)), "{late:?}");
    }
}
