//! Answers the requests of admins: one file for each subject.
//!
//! Answers come from the handles in [`AdminParts`]. This room knows no sockets: [`crate::control`] reads the requests,
//! checks the role and writes the answers.

mod alarms;
mod answers;
mod check;
mod clients;
mod cluster;
pub(crate) mod conditions;
mod doctor;
mod events;
mod forced;
mod labels;
mod level;
mod lines;
mod log;
mod monitors;
mod mqtt;
mod pictures;
mod push;
mod push_cure;
mod rules;
mod snoozes;
mod status;
mod token_names;
mod tokens;
mod troubles;
mod watch;
mod why;
mod words;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch::Receiver;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use zmes_shared::control::{ControlError, Request, Role, WatchEvent, WatchFilter};
use zmes_zoneminder::{AlarmTrigger, DatabaseCheck, DbHealth, EventStore};

pub(crate) use self::answers::off_loop;
pub use self::doctor::{OutsideFindings, OutsideParts, look_from_outside};
pub(crate) use self::token_names::repeated;
pub use self::watch::Watcher;

use self::doctor::Board;
use self::forced::ForcedAlarms;
use self::level::TemporaryLevel;
use self::troubles::{Keeper, TroubleBoard};
use crate::cluster::ClusterHandle;
use crate::detect::{Gaps, MonitorReports};
use crate::monitors::CatalogHandle;
use crate::ports::{CertificateInfo, Clock, ConfigReload, MqttSide, PictureCare, PushSide};
use crate::route::{RouterHandle, Tap};
use crate::state::{StateHandle, TroubleRow};
use crate::telemetry::Counters;
use crate::telemetry::log::LogHandle;

/// Error of a request that comes too late, and the reason with which streams end.
pub const STOPPING: &str = "the daemon is stopping";

/// The requester.
#[derive(Debug, Clone)]
pub struct Asker {
    pub role: Role,
    /// The Unix user: the name, or the uid if there is no name. Looked up only for requests that record it.
    pub user: String,
}

/// What the requests are answered from.
#[derive(Debug)]
pub struct AdminParts {
    pub router: RouterHandle,
    pub catalog: CatalogHandle,
    pub state: StateHandle,
    pub state_trouble: Receiver<Option<String>>,
    pub tap: Tap,
    pub reports: Receiver<MonitorReports>,
    /// The troubles that were open when the previous daemon ended.
    pub troubles: Vec<TroubleRow>,
    /// Alarms that were not announced, because there were too many.
    pub gaps: Gaps,
    pub database: Receiver<DbHealth>,
    /// ZoneMinder's Events table, used by `why` for events that were not announced.
    pub events: Arc<dyn EventStore>,
    pub zoneminder: Arc<dyn DatabaseCheck>,
    pub push: Arc<dyn PushSide>,
    pub pictures: Arc<dyn PictureCare>,
    pub mqtt: Arc<dyn MqttSide>,
    /// `None`: `[cluster]` is not enabled.
    pub cluster: Option<ClusterHandle>,
    /// Makes ZoneMinder itself record.
    pub trigger: Arc<dyn AlarmTrigger>,
    pub log: LogHandle,
    pub counters: Arc<Counters>,
    pub clock: Arc<dyn Clock>,
    pub configuration: Arc<dyn ConfigReload>,
    pub certificate: Arc<dyn CertificateInfo>,
    /// Where apps are served: `wss://[::]:9000`.
    pub listening: Receiver<Vec<String>>,
    /// Which sockets were open before the daemon started: `control`, `app`.
    pub handed: Vec<String>,
    pub started_at: Timestamp,
    /// The same moment by the monotonic clock.
    pub started: Instant,
    /// How often the poller looks: `check ping` waits for some of its rounds.
    pub poll_interval: Duration,
    /// The daemon shuts down: streams end and forced alarms are cancelled; requests are still answered.
    pub draining: CancellationToken,
    pub stop: CancellationToken,
}

/// Answers requests. Owns the forced alarms, the temporary log level, the findings and troubles that `status` shows.
#[derive(Debug)]
pub struct Admin {
    parts: AdminParts,
    forced: ForcedAlarms,
    level: TemporaryLevel,
    board: Arc<Board>,
    troubles: Arc<TroubleBoard>,
}

impl Admin {
    /// Starts its tasks on `tasks`: forced alarms and findings end on `parts.draining`, the log level on `parts.stop`.
    pub fn start(mut parts: AdminParts, tasks: &TaskTracker) -> Arc<Self> {
        let (forced, keeper) = ForcedAlarms::new(Arc::clone(&parts.trigger), parts.draining.clone());
        tasks.spawn(keeper.run());
        let (level, keeper) = TemporaryLevel::new(parts.log.clone(), parts.stop.clone());
        tasks.spawn(keeper.run());
        let board = Arc::new(Board::new(Arc::clone(&parts.counters)));
        let troubles = Arc::new(TroubleBoard::new(Arc::clone(&parts.counters)));
        let remembered = std::mem::take(&mut parts.troubles);
        let admin = Arc::new(Self { parts, forced, level, board, troubles });
        tasks.spawn(Arc::clone(&admin).survey());
        tasks.spawn(Arc::clone(&admin).keep_troubles(remembered));
        tasks.spawn(Arc::clone(&admin).ping());
        tasks.spawn(Arc::clone(&admin).probe());
        admin
    }

    /// Handles a request and returns the view that answers it, as JSON. The caller has checked the role.
    pub async fn answer(&self, asker: &Asker, request: Request) -> Result<Value, ControlError> {
        if asker.role == Role::Admin && request.asks_providers() {
            // An admin may just have fixed something; observers get an answer that is up to 10 s old.
            self.parts.push.check_anew();
        }
        answers::answer(self, asker, request).await
    }

    pub async fn watch(
        &self,
        asker: Role,
        filter: WatchFilter,
    ) -> Result<(Watcher, Vec<WatchEvent>), ControlError> {
        Watcher::open(&self.parts, &self.troubles.now(), asker, filter).await
    }

    pub fn draining(&self) -> &CancellationToken {
        &self.parts.draining
    }

    pub fn stop(&self) -> &CancellationToken {
        &self.parts.stop
    }

    async fn survey(self: Arc<Self>) {
        let survey = Box::pin(doctor::keep(&self.parts, &self.board));
        self.parts.draining.run_until_cancelled(survey).await;
    }

    async fn keep_troubles(self: Arc<Self>, remembered: Vec<TroubleRow>) {
        let keeper = Keeper::new(remembered, &self.parts);
        let keeping = keeper.run(&self.parts, &self.troubles);
        self.parts.draining.run_until_cancelled(keeping).await;
    }

    async fn ping(self: Arc<Self>) {
        let pinging = troubles::ping(&self.parts, &self.troubles);
        self.parts.draining.run_until_cancelled(pinging).await;
    }

    async fn probe(self: Arc<Self>) {
        self.parts.draining.run_until_cancelled(troubles::probe(&self.parts)).await;
    }
}
