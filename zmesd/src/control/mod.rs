//! The control socket: where `zmesctl` asks and the daemon answers, in lines of JSON.
//!
//! This room knows roles, requests and streams; what it answers it takes from the handles in [`ControlParts`]. It
//! must not know how alarms are found or delivered, and nothing that it waits for may wait for it.

mod crowd;
mod forced;
pub(crate) mod fuzzing;
mod level;
mod listener;
mod peer;
mod places;
mod requests;
mod session;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};
use zmes_shared::MonitorId;
use zmes_shared::views::MonitorView;

pub use listener::{BindError, ControlListener};
pub use requests::{Outside, Seen, look_from_outside};

use crate::detect::Gaps;
use crate::monitors::CatalogHandle;
use crate::ports::{
    AlarmTrigger, CertificateInfo, Clock, ConfigReload, DatabaseCheck, DbHealth, EventStore, PushSide,
};
use crate::route::{RouterHandle, Tap};
use crate::state::StateHandle;
use crate::telemetry::Counters;
use crate::telemetry::log::LogHandle;
use crowd::Crowd;
use forced::ForcedAlarms;
use level::TemporaryLevel;
use places::Places;
use requests::Board;

/// Pause after a failed accept: out of file descriptors, it would fail again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// After the stop, how long a peer may take to read its last answer.
const LAST_ANSWER: Duration = Duration::from_secs(1);

/// What the poller last saw, per monitor that it looks at.
pub type MonitorReports = Arc<BTreeMap<MonitorId, MonitorView>>;

/// What the requests are answered from.
#[derive(Debug)]
pub struct ControlParts {
    /// Sessions and alarms.
    pub router: RouterHandle,
    /// Monitors and users.
    pub catalog: CatalogHandle,
    /// The record of alarms.
    pub state: StateHandle,
    /// Why the state cannot be written, if so.
    pub state_trouble: watch::Receiver<Option<String>>,
    /// What happens now.
    pub tap: Tap,
    /// What the poller sees.
    pub reports: watch::Receiver<MonitorReports>,
    /// Alarms that were not announced, because there were too many.
    pub gaps: Gaps,
    /// How the database answered last.
    pub database: watch::Receiver<DbHealth>,
    /// ZoneMinder's Events table: what `why` asks about events that were not announced.
    pub events: Arc<dyn EventStore>,
    /// ZoneMinder's database itself.
    pub zoneminder: Arc<dyn DatabaseCheck>,
    /// The ways to phones.
    pub push: Arc<dyn PushSide>,
    /// Makes ZoneMinder itself record.
    pub trigger: Arc<dyn AlarmTrigger>,
    /// The log's level.
    pub log: LogHandle,
    /// Counters of the daemon.
    pub counters: Arc<Counters>,
    /// Wall time.
    pub clock: Arc<dyn Clock>,
    /// The configuration in force.
    pub configuration: Arc<dyn ConfigReload>,
    /// The certificate in use.
    pub certificate: Arc<dyn CertificateInfo>,
    /// Where apps are served: `wss://[::]:9000`.
    pub listening: watch::Receiver<Vec<String>>,
    /// Which sockets were open before the daemon started: `control`, `app`.
    pub handed: Vec<String>,
    /// When the daemon started, by the wall clock.
    pub started_at: Timestamp,
    /// The same moment by the monotonic clock.
    pub started: Instant,
    /// How often the poller looks: `check ping` waits for some of its rounds.
    pub poll_interval: Duration,
    /// Members of this Unix group are admins.
    pub admin_group: watch::Receiver<String>,
    /// The daemon is about to end: streams end, forced alarms are taken back, questions are still answered.
    pub draining: CancellationToken,
    /// The control socket ends, too.
    pub stop: CancellationToken,
}

/// What every session shares.
#[derive(Debug)]
struct Context {
    parts: ControlParts,
    forced: ForcedAlarms,
    level: TemporaryLevel,
    places: Places,
    board: Arc<Board>,
}

/// Serves the control socket until `parts.stop`.
///
/// Owns: the listener, the count of those accepted and the places of those served. Receives: connections. Sends: one session task per
/// connection, and two keepers (forced alarms, the temporary log level). Ends: on `parts.stop`, after sessions and
/// keepers have ended; the keeper of forced alarms does so already on `parts.draining`.
pub async fn serve(listener: ControlListener, parts: ControlParts) {
    let tracker = TaskTracker::new();
    let (forced, keeper) = ForcedAlarms::new(Arc::clone(&parts.trigger), parts.draining.clone());
    tracker.spawn(keeper.run());
    let (level, keeper) = TemporaryLevel::new(parts.log.clone(), parts.stop.clone());
    tracker.spawn(keeper.run());
    let stop = parts.stop.clone();
    let board = Arc::new(Board::new(Arc::clone(&parts.counters)));
    let context = Arc::new(Context { parts, forced, level, places: Places::new(), board });
    tracker.spawn(watch_over(Arc::clone(&context)));
    let crowd = Crowd::new(nix::unistd::Uid::effective().as_raw());
    let mut failing = false;
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(stream) => {
                failing = false;
                let visitor = stream.peer_cred().ok().and_then(|peer| crowd.enter(peer.uid()));
                let Some(visitor) = visitor else {
                    // Whoever has too many already is not even told: that would take a task for each.
                    debug!("refused a connection at the control socket: its user has too many");
                    continue;
                };
                let (context, stop) = (Arc::clone(&context), stop.clone());
                tracker.spawn(async move {
                    tokio::select! {
                        () = session::run(&context, stream) => {}
                        () = long_after(&stop) => debug!("a control session was cut off"),
                    }
                    drop(visitor);
                });
            }
            Err(error) => {
                // Once per row of failures: whoever can connect can also bring them about.
                if !std::mem::replace(&mut failing, true) {
                    warn!(error = &error as &dyn std::error::Error, "cannot accept on the control socket");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    // The name is free before the last answers are written: a new daemon need not wait for them.
    drop(listener);
    tracker.close();
    tracker.wait().await;
}

/// Looks at the installation again and again, until the daemon drains.
async fn watch_over(context: Arc<Context>) {
    let draining = context.parts.draining.clone();
    draining.run_until_cancelled(requests::keep(&context.parts, &context.board)).await;
}

/// Returns when sessions have had the time to end by themselves.
async fn long_after(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(LAST_ANSWER).await;
}
