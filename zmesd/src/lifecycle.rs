//! The life of the process: signals, the two stages of a shutdown, notifications to systemd.
//!
//! It does not depend on what the tasks do: it only tells them when to end and waits until they have.

use std::io;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};
use zmes_zoneminder::DbHealth;

use crate::monitors::CatalogHandle;
use crate::route::RouterHandle;

/// How long a graceful shutdown may take. Together with `HARD_DEADLINE` it must be less than the 10 s after which
/// ZoneMinder's zmdc sends SIGKILL.
const SOFT_DEADLINE: Duration = Duration::from_secs(8);
/// How long tasks have to notice that they must end at once.
const HARD_DEADLINE: Duration = Duration::from_secs(1);
const STATUS_EVERY: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub struct Vitals {
    /// Gets one message per SIGHUP, coalesced: its capacity should be 1.
    pub reload: mpsc::Sender<()>,
    /// The watchdog is fed only while the router responds.
    pub router: RouterHandle,
    pub catalog: CatalogHandle,
    pub database: watch::Receiver<DbHealth>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopCause {
    /// SIGTERM or SIGINT.
    Signal(&'static str),
    /// A task cancelled the soft token.
    Asked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    pub cause: StopCause,
    /// Whether every task ended by itself; false if a second signal or the deadline cut them short.
    pub in_time: bool,
}

/// Signals, tokens and tracker of the process.
///
/// Owns: the signal streams and the connection to systemd. Receives: signals. Sends: the soft token (end in order), the
/// hard token (end now), reload requests. Ends: when every task on the tracker has ended.
#[derive(Debug)]
pub struct Lifecycle {
    soft: CancellationToken,
    hard: CancellationToken,
    tracker: TaskTracker,
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    /// Kept so that these signals do not end the process: ZoneMinder's scripts send them to every daemon they started.
    _ignored: [Signal; 3],
}

impl Lifecycle {
    /// Installs handlers for the signals. Needs a runtime.
    pub fn install() -> io::Result<Self> {
        Ok(Self {
            soft: CancellationToken::new(),
            hard: CancellationToken::new(),
            tracker: TaskTracker::new(),
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            _ignored: [
                signal(SignalKind::window_change())?,
                signal(SignalKind::user_defined1())?,
                signal(SignalKind::user_defined2())?,
            ],
        })
    }

    /// Returns the token for an orderly shutdown.
    pub fn soft(&self) -> CancellationToken {
        self.soft.clone()
    }

    /// Returns the token for an immediate shutdown.
    pub fn hard(&self) -> CancellationToken {
        self.hard.clone()
    }

    /// Returns the tracker of the tasks that must end before the process may.
    pub fn tracker(&self) -> TaskTracker {
        self.tracker.clone()
    }

    /// Notifies systemd that the daemon is ready, and returns when it has ended.
    pub async fn run(mut self, vitals: Vitals) -> Ended {
        tell(&[NotifyState::Ready, NotifyState::Status("serving")]);
        let cause = tokio::select! {
            cause = self.until_stop(&vitals.reload) => cause,
            never = pulse(&vitals) => match never {},
        };
        match cause {
            StopCause::Signal(signal) => info!(signal, "stopping"),
            StopCause::Asked => info!("stopping"),
        }
        tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
        self.soft.cancel();
        self.tracker.close();
        let in_time = self.until_ended().await;
        if !in_time {
            self.hard.cancel();
            if tokio::time::timeout(HARD_DEADLINE, self.tracker.wait()).await.is_err() {
                warn!(tasks = self.tracker.len(), "tasks are still running at exit");
            }
        }
        Ended { cause, in_time }
    }

    /// Forwards SIGHUPs until a stop is requested.
    async fn until_stop(&mut self, reload: &mpsc::Sender<()>) -> StopCause {
        loop {
            tokio::select! {
                biased;
                Some(()) = self.terminate.recv() => return StopCause::Signal("SIGTERM"),
                Some(()) = self.interrupt.recv() => return StopCause::Signal("SIGINT"),
                () = self.soft.cancelled() => return StopCause::Asked,
                Some(()) = self.hangup.recv() => {
                    info!("SIGHUP received; reloading the configuration");
                    // If full, the reload that has not begun yet will read the same file.
                    reload.try_send(()).ok();
                }
            }
        }
    }

    /// Waits for the tasks. Returns false after the deadline or a second signal.
    async fn until_ended(&mut self) -> bool {
        tokio::select! {
            () = self.tracker.wait() => true,
            Some(()) = self.terminate.recv() => false,
            Some(()) = self.interrupt.recv() => false,
            () = self.hard.cancelled() => false,
            () = tokio::time::sleep(SOFT_DEADLINE) => {
                warn!(tasks = self.tracker.len(), "shutdown timed out; aborting tasks");
                false
            }
        }
    }
}

/// Feeds the watchdog while the router responds, and reports the status.
async fn pulse(vitals: &Vitals) -> std::convert::Infallible {
    let beat = sd_notify::watchdog_enabled().map(|every| every / 2);
    let mut watchdog = ticker(beat.unwrap_or(STATUS_EVERY));
    let mut status = ticker(STATUS_EVERY);
    loop {
        tokio::select! {
            _ = watchdog.tick(), if beat.is_some() => {
                match vitals.router.ping().await {
                    Ok(()) => tell(&[NotifyState::Watchdog]),
                    Err(error) => warn!(%error, "router does not answer; systemd watchdog not notified"),
                }
            }
            _ = status.tick() => {
                if let Some(line) = status_line(vitals).await {
                    tell(&[NotifyState::Status(&line)]);
                }
            }
        }
    }
}

fn ticker(every: Duration) -> tokio::time::Interval {
    // A watchdog of a few microseconds would be a mistake, but a timer of zero would panic.
    let every = every.max(Duration::from_millis(10));
    let mut ticker = interval_at(Instant::now(), every);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticker
}

/// The line of `systemctl status`: "12 monitors, 3 clients, database ok".
async fn status_line(vitals: &Vitals) -> Option<String> {
    let clients = vitals.router.count().await.ok()?.total;
    let monitors = vitals.catalog.now().monitors.watched().count();
    let database = match &*vitals.database.borrow() {
        DbHealth::Up => "ok",
        DbHealth::Down(_) | DbHealth::Untried => "down",
    };
    Some(format!("{monitors} monitors, {clients} clients, database {database}"))
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        debug!(%error, "cannot notify systemd");
    }
}

#[cfg(test)]
mod tests;
