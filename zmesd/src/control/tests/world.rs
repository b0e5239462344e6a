//! A daemon as far as its control socket is concerned, and a peer that speaks literal JSON.

use std::any::Any;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use zmes_providers::{App as DeviceApp, PictureFile, Platform, PushToken};
use zmes_shared::control::{ControlError, ErrorCode};
use zmes_shared::views::{ConfigReloaded, ConfigShown, PushCounts, PushModeState, Reloaded};
use zmes_shared::{EventId, MonitorId, MonitorState, SessionId};
use zmes_zoneminder::pictures::NoPicture;
use zmes_zoneminder::shm::ReadError;
use zmes_zoneminder::{
    AlarmTrigger, DatabaseCheck, DatabaseReport, DbError, DbHealth, EventRow, EventStore, Monitor,
    MonitorRights, MonitorSet, NotWatched, Recording, TriggerCommand, TriggerError, TriggerVia, User,
    ZmVersion,
};

pub(super) use super::peer::Peer;
use crate::admin::AdminParts;
use crate::config::{AuthConfig, Config, Environment, LabelsConfig, Loaded, StateConfig};
use crate::control::{ControlListener, serve};
use crate::detect::{Condition, Gaps, MonitorReport, MonitorReports};
use crate::domain::{Alarm, MonitorFilter, Origin, Phase, PushState, Registration, TokenId};
use crate::links::LinkMaker;
use crate::monitors::{Catalog, CatalogHandle, Refresh};
use crate::ports::{
    CertificateInfo, CertificateSummary, Clock, ConfigExamined, ConfigReload, Held, KeyRotated, PictureCare,
    PictureExamined, PictureUploads, Retried, StageLatency, SystemClock, TransportCheck, TransportHealth,
};
use crate::route::PushOrder;
use crate::route::{
    CloseReason, LabelRequests, NewLogin, Outgoing, PushRules, Router, RouterHandle, RouterParts,
    SessionOpening, Tap, push_orders,
};
use crate::state::{State, StateHandle};
use crate::telemetry::Counters;
use crate::telemetry::log::LogHandle;

/// Apps are served without a certificate.
const PLAIN: &str = "[server]\nplaintext = true\nlisten = [\"127.0.0.1:9000\"]\n";

/// What the ports of this daemon answer; tests change it.
#[derive(Debug, Default)]
pub(super) struct Outside {
    pub(super) triggered: Mutex<Vec<(u32, String)>>,
    pub(super) trigger_refusal: Mutex<Option<TriggerError>>,
    pub(super) certificate: Mutex<Option<CertificateSummary>>,
    pub(super) refresh_error: Mutex<Option<DbError>>,
    pub(super) events: Mutex<Vec<EventRow>>,
    pub(super) events_error: Mutex<Option<DbError>>,
    /// Configuration in force, except for the database.
    pub(super) toml: Mutex<String>,
    pub(super) examined: Mutex<Option<ConfigExamined>>,
    pub(super) database: Mutex<Option<Result<DatabaseReport, DbError>>>,
    pub(super) ways: Mutex<Vec<String>>,
    pub(super) checks: Mutex<Vec<TransportCheck>>,
    pub(super) health: Mutex<Vec<TransportHealth>>,
    pub(super) held: Mutex<Option<Held>>,
    /// Answer to `push retry`; `None`: no answer.
    pub(super) retried: Mutex<Option<Vec<Retried>>>,
    /// How often fresh checks were asked for.
    pub(super) anew: Mutex<u32>,
    pub(super) latencies: Mutex<Vec<StageLatency>>,
    pub(super) pushes: Mutex<PushCounts>,
    pub(super) push_mode: Mutex<Option<PushModeState>>,
}

#[async_trait]
impl AlarmTrigger for Outside {
    async fn set(&self, monitor: MonitorId, command: TriggerCommand) -> Result<TriggerVia, TriggerError> {
        if let Some(error) = self.trigger_refusal.lock().unwrap().clone() {
            return Err(error);
        }
        let word = match command {
            TriggerCommand::On { cause, .. } => format!("on: {cause}"),
            TriggerCommand::Cancel => "cancel".to_owned(),
        };
        self.triggered.lock().unwrap().push((monitor.0, word));
        Ok(TriggerVia::SharedMemory)
    }
}

#[async_trait]
impl PictureUploads for Outside {
    async fn file(
        &self,
        _event: EventId,
        _at: Option<Timestamp>,
        _reader: Option<TokenId>,
        _wait: Duration,
    ) -> Option<PictureFile> {
        None
    }
}

#[async_trait]
impl PictureCare for Outside {
    fn base_url(&self) -> Option<String> {
        None
    }

    async fn examine(&self, _event: EventId, _deadline: Instant) -> PictureExamined {
        PictureExamined { monitor: None, picture: Err(NoPicture::NoEvent) }
    }

    async fn rotate(&self) -> KeyRotated {
        KeyRotated::Written
    }
}

#[async_trait]
impl ConfigReload for Outside {
    async fn reload(&self) -> Result<ConfigReloaded, ControlError> {
        Err(ControlError::new(ErrorCode::ConfigInvalid, "line 3: push.intervall: unknown key"))
    }

    fn running(&self) -> Arc<Config> {
        let text = self.toml.lock().unwrap().clone();
        let text =
            format!("[zoneminder]\ndatabase-url = \"mysql://zmuser:secret@localhost/zm\"\n{PLAIN}{text}");
        let environment = Environment { system: true, ..Environment::default() };
        let loaded = Loaded::from_text(&text, Path::new("/etc/zmesd/zmesd.toml"), &environment);
        Arc::new(loaded.unwrap().config)
    }

    fn is_demo(&self) -> bool {
        false
    }

    async fn examine(&self) -> Option<ConfigExamined> {
        self.examined.lock().unwrap().clone()
    }

    fn show(&self) -> ConfigShown {
        ConfigShown { file: "/etc/zmesd/zmesd.toml".into(), toml: "[server]\n".into() }
    }
}

#[async_trait]
impl DatabaseCheck for Outside {
    async fn examine(&self) -> Result<DatabaseReport, DbError> {
        self.database.lock().unwrap().clone().unwrap_or_else(|| Ok(DatabaseReport::default()))
    }
}

#[async_trait]
impl EventStore for Outside {
    async fn newest(&self) -> Result<Option<EventId>, DbError> {
        Ok(self.events.lock().unwrap().last().map(|row| row.id))
    }

    async fn since(&self, after: EventId, _also: &[EventId], limit: u32) -> Result<Vec<EventRow>, DbError> {
        if let Some(error) = self.events_error.lock().unwrap().clone() {
            return Err(error);
        }
        let events = self.events.lock().unwrap();
        Ok(events.iter().filter(|row| row.id > after).take(limit as usize).cloned().collect())
    }

    async fn open_events(&self, _monitor: MonitorId) -> Result<Vec<EventRow>, DbError> {
        Ok(Vec::new())
    }
}

impl CertificateInfo for Outside {
    fn summary(&self) -> Option<CertificateSummary> {
        self.certificate.lock().unwrap().clone()
    }
}

/// The daemon.
pub(super) struct World {
    pub(super) socket: PathBuf,
    pub(super) outside: Arc<Outside>,
    pub(super) router: RouterHandle,
    pub(super) alarms: mpsc::Sender<Alarm>,
    pub(super) state: StateHandle,
    /// What the router orders of the push side.
    pub(super) orders: Mutex<Option<mpsc::Receiver<PushOrder>>>,
    pub(super) tap: Tap,
    pub(super) catalog: watch::Sender<Arc<Catalog>>,
    pub(super) reports: watch::Sender<MonitorReports>,
    pub(super) database: watch::Sender<DbHealth>,
    pub(super) admin_group: watch::Sender<String>,
    pub(super) counters: Arc<Counters>,
    pub(super) log: LogHandle,
    pub(super) draining: CancellationToken,
    pub(super) stop: CancellationToken,
    pub(super) tasks: TaskTracker,
    pub(super) directory: tempfile::TempDir,
    /// What must live as long as the daemon: the log's filter, the sending ends of watches.
    _kept: Vec<Box<dyn Any>>,
}

/// An app, as the router knows it.
pub(super) struct App {
    pub(super) id: SessionId,
    pub(super) outbox: mpsc::Receiver<Outgoing>,
    pub(super) kicked: oneshot::Receiver<CloseReason>,
}

pub(super) fn monitor(id: u32, name: &str, watched: Result<(), NotWatched>) -> Monitor {
    let recording = Recording::OnAlarm;
    Monitor {
        id: MonitorId(id),
        name: name.into(),
        recording,
        alarm_opens_event: false,
        watched,
        on_demand: false,
        elsewhere: None,
    }
}

pub(super) fn report(id: u32, name: &str, state: MonitorState) -> MonitorReport {
    MonitorReport {
        id: MonitorId(id),
        name: name.into(),
        state,
        last_event: None,
        layout: Some(872),
        condition: Condition::Captured,
    }
}

/// A monitor whose `zmc` has stopped.
pub(super) fn stopped(id: u32, name: &str) -> MonitorReport {
    let condition = Condition::Unreadable(ReadError::Stopped);
    MonitorReport { condition, ..report(id, name, MonitorState::Down) }
}

/// Three monitors: Garage and Porch are watched, Attic is only viewed.
fn catalog() -> Catalog {
    let monitors: MonitorSet = [
        monitor(1, "Garage", Ok(())),
        monitor(2, "Porch", Ok(())),
        monitor(3, "Attic", Err(NotWatched::NoDetection)),
    ]
    .into_iter()
    .collect();
    let version = Some(ZmVersion(1, 36, 33));
    Catalog { loaded_at: Some(Timestamp::UNIX_EPOCH), version, monitors, ..Catalog::default() }
}

fn reports() -> MonitorReports {
    let views = [report(1, "Garage", MonitorState::Idle), report(2, "Porch", MonitorState::Idle)];
    Arc::new(views.into_iter().map(|view| (view.id, view)).collect::<BTreeMap<_, _>>())
}

/// The real router on the real state.
struct Core {
    router: RouterHandle,
    alarms: mpsc::Sender<Alarm>,
    state: StateHandle,
    orders: mpsc::Receiver<PushOrder>,
    trouble: watch::Receiver<Option<String>>,
    tap: Tap,
    counters: Arc<Counters>,
}

impl Core {
    async fn start(
        directory: PathBuf,
        catalog: watch::Receiver<Arc<Catalog>>,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let config = StateConfig {
            directory,
            keep_events: Duration::from_hours(1),
            keep_deliveries: Duration::from_hours(1),
            keep_tombstones: Duration::from_hours(1),
            max_size: 1 << 28,
        };
        let state = State::open(&config, Arc::clone(&clock)).await.unwrap();
        let (commands, commands_rx) = mpsc::channel(64);
        let (alarms, alarms_rx) = mpsc::channel(64);
        let (tap, counters) = (Tap::default(), Arc::<Counters>::default());
        let (pushes, orders) = push_orders(1024);
        let push = PushRules { enabled: true, phones: true, interval_default: Duration::ZERO, shadow: false };
        let router = Router::new(RouterParts {
            ledger: None,
            alarms: alarms_rx,
            commands: commands_rx,
            catalog,
            auth: watch::channel(AuthConfig {
                enabled: true,
                timeout: Duration::from_secs(20),
                enforce_monitor_permissions: true,
            })
            .1,
            state: state.handle.clone(),
            remembered: state.remembered,
            renewed: state.renewed,
            rules: watch::channel(Arc::default()).1,
            ends: watch::channel(crate::config::EndConfig::default()).1,
            labels: watch::channel(LabelsConfig::default()).1,
            label_requests: LabelRequests::new(mpsc::channel(1).0),
            pictures: watch::channel(crate::config::PictureConfig::default()).1,
            picture_requests: crate::route::PictureRequests::new(mpsc::channel(1).0),
            targets: watch::channel(Arc::from([])).1,
            links: LinkMaker::off(),
            zone: TimeZone::UTC,
            pushes,
            push: watch::channel(push).1,
            tap: tap.clone(),
            counters: Arc::clone(&counters),
            clock,
        });
        tasks.spawn(router.run(stop.clone()));
        tasks.spawn(state.writer.run(stop.clone()));
        let (router, state, trouble) = (RouterHandle::new(commands), state.handle, state.trouble);
        Self { router, alarms, state, orders: orders.orders, trouble, tap, counters }
    }
}

impl World {
    pub(super) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("run/control.sock");
        let (tasks, draining, stop) =
            (TaskTracker::new(), CancellationToken::new(), CancellationToken::new());
        let (catalog, catalog_rx) = watch::channel(Arc::new(catalog()));
        let core = Core::start(directory.path().join("state"), catalog_rx.clone(), &tasks, &stop).await;
        let outside = Arc::<Outside>::default();
        let (refresh, refreshes) = mpsc::channel(1);
        tasks.spawn(refresh_catalog(refreshes, Arc::clone(&outside), stop.clone()));
        let (reports, reports_rx) = watch::channel(reports());
        let (database, database_rx) = watch::channel(DbHealth::Up);
        let (admin_group, admin_group_rx) = watch::channel("no-such-group".to_owned());
        let (listening, listening_rx) = watch::channel(vec!["wss://[::]:9000".to_owned()]);
        let (filter, log) = LogHandle::new("info").unwrap();
        let Core { router, alarms, state, orders, trouble, tap, counters } = core;
        let parts = AdminParts {
            troubles: Vec::new(),
            router: router.clone(),
            catalog: CatalogHandle::new(refresh, catalog_rx),
            state: state.clone(),
            state_trouble: trouble,
            tap: tap.clone(),
            reports: reports_rx,
            gaps: Gaps::default(),
            database: database_rx,
            events: Arc::<Outside>::clone(&outside),
            zoneminder: Arc::<Outside>::clone(&outside),
            push: Arc::<Outside>::clone(&outside),
            pictures: Arc::<Outside>::clone(&outside),
            mqtt: Arc::<Outside>::clone(&outside),
            cluster: None,
            trigger: Arc::<Outside>::clone(&outside),
            log: log.clone(),
            counters: Arc::clone(&counters),
            clock: Arc::new(SystemClock),
            configuration: Arc::<Outside>::clone(&outside),
            certificate: Arc::<Outside>::clone(&outside),
            listening: listening_rx,
            handed: Vec::new(),
            started_at: Timestamp::UNIX_EPOCH,
            started: Instant::now(),
            poll_interval: Duration::from_millis(20),
            draining: draining.clone(),
            stop: stop.clone(),
        };
        let listener = ControlListener::bind(&socket, "").unwrap();
        tasks.spawn(serve(listener, parts, admin_group_rx));
        tasks.close();
        Self {
            socket,
            outside,
            router,
            alarms,
            state,
            orders: Mutex::new(Some(orders)),
            tap,
            catalog,
            reports,
            database,
            admin_group,
            counters,
            log,
            draining,
            stop,
            tasks,
            directory,
            _kept: vec![Box::new(filter), Box::new(listening)],
        }
    }

    /// Connects and reads the greeting.
    pub(super) async fn peer(&self) -> Peer {
        let mut peer = Peer::connect(&self.socket).await;
        let hello = peer.read().await;
        assert_eq!(hello["hello"]["protocol"]["major"], 1, "{hello}");
        peer
    }

    /// Sends one request on its own connection.
    pub(super) async fn ask(&self, request: &str) -> Value {
        let mut peer = self.peer().await;
        peer.send(&format!(r#"{{"id":7,"request":{request}}}"#)).await;
        let answer = peer.read().await;
        assert_eq!(answer["id"], 7, "{answer}");
        answer
    }

    /// Connects an app at `address`, authenticated where `user` is given.
    pub(super) async fn app(&self, id: u64, address: &str, user: Option<&str>) -> App {
        let (outbox_tx, outbox) = mpsc::channel(64);
        let (kick, kicked) = oneshot::channel();
        let id = SessionId(id);
        let (address, connected_at) = (address.parse().unwrap(), Timestamp::UNIX_EPOCH);
        let opening = SessionOpening { id, address, connected_at, outbox: outbox_tx, kick };
        self.router.open(opening).await.unwrap();
        if let Some(name) = user {
            let login = NewLogin {
                user: user_named(name),
                pass: None,
                app: None,
                filter: Some(MonitorFilter::All),
                kind: DeviceApp::Unknown,
                hint: None,
            };
            self.router.attach(id, Instant::now(), login).await.unwrap();
        }
        App { id, outbox, kicked }
    }

    /// Registers a token for the user of a session.
    pub(super) async fn token(&self, session: u64, token: &str, platform: Platform, filter: MonitorFilter) {
        let registration = Registration {
            token: PushToken::parse(token).unwrap(),
            platform,
            state: PushState::Enabled,
            filter: Some(filter),
            kind: DeviceApp::ZmNinja,
            app_version: Some("1.8.001".to_owned()),
            profile: None,
        };
        self.router.register(SessionId(session), registration).await.unwrap().unwrap();
    }

    pub(super) async fn alarm(&self, monitor: u32, event: u64) {
        let alarm = Alarm {
            monitor: MonitorId(monitor),
            monitor_name: "Garage".into(),
            event: Some(EventId(event)),
            cause: "Motion".into(),
            labels: crate::domain::AlarmLabels::default(),
            at: SystemClock.now(),
            detected: Instant::now(),
            origin: Origin::Poll,
            phase: Phase::Start,
            span: None,
            elsewhere: None,
            stands_for_event: false,
        };
        self.alarms.send(alarm).await.unwrap();
    }
}

fn user_named(name: &str) -> Arc<User> {
    Arc::new(User {
        name: name.to_owned(),
        password: "$2y$10$hash".to_owned().into(),
        enabled: true,
        api_enabled: true,
        may_see_events: true,
        token_min_expiry: 0,
        rights: MonitorRights::All,
    })
}

async fn refresh_catalog(
    mut refreshes: mpsc::Receiver<Refresh>,
    outside: Arc<Outside>,
    stop: CancellationToken,
) {
    while let Some(Some(reply)) = stop.run_until_cancelled(refreshes.recv()).await {
        let error = outside.refresh_error.lock().unwrap().clone();
        let reloaded = Reloaded { monitors: 3, added: 1, removed: 0, users: 2 };
        reply.send(error.map_or(Ok(reloaded), Err)).ok();
    }
}
