//! Starting: what can fail is opened and bound first, then the tasks run.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};
use zmes_providers::Transports;

use super::config_file::ConfigFile;
use super::inherited::Inherited;
use super::parts::Parts;
use super::reload::{Hot, InUse, Reloader};
use super::start_error::StartError;
use super::supervise::Tasks;
use super::wiring::Channels;
use super::{App, Conductor};
use crate::admin::AdminParts;
use crate::auth::Authenticator;
use crate::config::Config;
use crate::control::{self, ControlListener};
use crate::detect::{self, DetectParts, Detection, Gaps, Record};
use crate::lifecycle::{Lifecycle, Vitals};
use crate::metrics;
use crate::monitors::CatalogTask;
use crate::ports::{CertificateInfo, Clock, PushSide, wall_clock};
use crate::push::{Dispatcher, DispatcherParts, PushStatus, PushView, PushViewParts};
use crate::route::{Router, RouterParts, Tap};
use crate::state::{Remembered, State};
use crate::telemetry::log::LogHandle;
use crate::telemetry::{Counters, Latencies};
use crate::tls::{self, CertStore};
use crate::ws::{self, Listener, ServerSettings};

/// An event begins with the pictures of before its alarm: so much earlier than the record it may have begun and still
/// be of its time.
const BEGAN_BEFORE: Duration = Duration::from_mins(1);

/// What the daemon is started with.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) config: Config,
    /// Where the configuration came from; `None`: nowhere (the demo).
    pub(super) file: Option<ConfigFile>,
    pub(super) parts: Parts,
    pub(super) log: LogHandle,
    /// Sockets that were open before.
    pub(super) inherited: Inherited,
}

/// What can fail, opened and bound.
#[derive(Debug)]
struct Opened {
    certificates: Option<Arc<CertStore>>,
    control: ControlListener,
    /// Which sockets were handed over.
    handed: Vec<String>,
    listeners: Vec<Listener>,
    metrics: Option<metrics::Bound>,
    certificate: Arc<dyn CertificateInfo>,
    websocket: Arc<ws::Context>,
    transports: Arc<Transports>,
    state: State,
}

/// What every room shares.
#[derive(Debug)]
struct Common {
    counters: Arc<Counters>,
    latencies: Arc<Latencies>,
    tap: Tap,
    clock: Arc<dyn Clock>,
    started_at: Timestamp,
    started: Instant,
}

impl App {
    /// Opens the state, binds the sockets and starts the tasks.
    pub(super) async fn start(start: Start, lifecycle: &Lifecycle) -> Result<Self, StartError> {
        let Start { config, file, parts, log, inherited } = start;
        let clock = Arc::clone(&parts.clock);
        let common = Common {
            counters: Arc::default(),
            latencies: Arc::default(),
            tap: Tap::default(),
            started_at: clock.now(),
            started: Instant::now(),
            clock,
        };
        let channels = Channels::new(&config);
        let opened = Opened::open(&config, &parts, &channels, &common, inherited).await?;
        let vitals = Vitals {
            reload: channels.hangups.0.clone(),
            router: channels.router.clone(),
            catalog: channels.catalog.clone(),
            database: parts.database.clone(),
        };
        let mut conductor = Conductor::new(lifecycle.soft());
        conductor.run_tasks(config, file, parts, log, channels, opened, common);
        Ok(Self { conductor, vitals })
    }
}

impl Conductor {
    #[expect(
        clippy::too_many_arguments,
        clippy::too_many_lines,
        reason = "one list of rooms, each with what is moved into it: cut in two, it would be harder to follow"
    )]
    fn run_tasks(
        &mut self,
        config: Config,
        file: Option<ConfigFile>,
        parts: Parts,
        log: LogHandle,
        channels: Channels,
        opened: Opened,
        common: Common,
    ) {
        let Opened {
            certificates,
            control,
            handed,
            listeners,
            metrics,
            certificate,
            websocket,
            transports,
            state,
        } = opened;
        let (push_status, wanted) = (Arc::<PushStatus>::default(), listeners.len());
        let (ways, transports) = watch::channel(transports);
        let listening = self.listen(listeners, certificates.is_some());
        let soft = &self.tokens.soft;
        let clock = || Arc::clone(&common.clock);
        let keep_events = config.state.keep_events;
        let (interval, refreshes) = (channels.catalog_interval.1, channels.refreshes);
        let catalog = CatalogTask::new(
            parts.monitors,
            parts.accounts,
            interval,
            clock(),
            refreshes,
            channels.catalog_tx,
        );
        self.front.spawn("catalog", catalog.run(soft.clone()));
        let (alarms, gaps) = (channels.alarms.0.downgrade(), Gaps::default());
        let detection = detect::build(DetectParts {
            source: parts.source,
            store: Arc::clone(&parts.events),
            catalog: channels.catalog.watch(),
            config: channels.detect.1,
            cursors: state.remembered.cursors.clone(),
            unidentified: state.remembered.unidentified.clone(),
            record: record(&state.remembered, keep_events, common.started_at),
            clock: clock(),
            counters: Arc::clone(&common.counters),
            alarms: channels.alarms.0,
            monitor_reports: channels.reports.0,
            gaps: gaps.clone(),
        });
        spawn_detection(&mut self.front, detection, soft);
        let last_delivery = state.remembered.last_delivery;
        let router = Router::new(RouterParts {
            alarms: channels.alarms.1,
            commands: channels.commands,
            catalog: channels.catalog.watch(),
            auth: channels.auth.1.clone(),
            state: state.handle.clone(),
            remembered: state.remembered,
            renewed: state.renewed,
            pushes: channels.pushes.0,
            push: channels.push_rules.1.clone(),
            tap: common.tap.clone(),
            counters: Arc::clone(&common.counters),
            latencies: Arc::clone(&common.latencies),
            clock: clock(),
        });
        let dispatcher = Dispatcher::new(DispatcherParts {
            orders: channels.pushes.1,
            transports: transports.clone(),
            commands: channels.push_commands.1,
            state: state.handle.clone(),
            committed: state.committed,
            trouble: state.trouble.clone(),
            last_delivery,
            catalog: channels.catalog.watch(),
            auth: channels.auth.1,
            router: channels.router.clone(),
            tap: common.tap.clone(),
            counters: Arc::clone(&common.counters),
            status: Arc::clone(&push_status),
            latencies: Arc::clone(&common.latencies),
            config: config.push.clone(),
            rules: channels.push_rules.1.clone(),
            storm_window: DispatcherParts::MINUTE,
            clock: clock(),
        });
        self.push.spawn("dispatcher", dispatcher.run(self.tokens.push.clone()));
        self.core.spawn("router", router.run(self.tokens.router.clone()));
        let writer = state.writer.counting(Arc::clone(&common.counters));
        self.store.spawn("state", writer.run(self.tokens.store.clone()));
        let (switch, moves) = metrics::switch();
        let poll_interval = config.zoneminder.poll_interval;
        let hot = Hot {
            log: log.clone(),
            certificates: certificates.clone(),
            websocket,
            auth: channels.auth.0,
            permissions: parts.permissions,
            detect: channels.detect.0,
            catalog_interval: channels.catalog_interval.0,
            admin_group: channels.admin_group.0,
            push_rules: channels.push_rules.0,
            transports: ways,
            catalog: channels.catalog.clone(),
            metrics: switch,
            counters: Arc::clone(&common.counters),
            clock: clock(),
        };
        let (reloader, configuration) = Reloader::new(config, file, hot, channels.hangups.1);
        self.front.spawn("reloader", reloader.run(soft.clone()));
        let push: Arc<dyn PushSide> = Arc::new(PushView::new(PushViewParts {
            transports,
            commands: channels.push_commands.0,
            status: push_status,
            latencies: common.latencies,
            rules: channels.push_rules.1.clone(),
            clock: clock(),
        }));
        let observed = metrics::Parts {
            counters: Arc::clone(&common.counters),
            router: channels.router.clone(),
            alarms,
            catalog: channels.catalog.clone(),
            reports: channels.reports.1.clone(),
            database: parts.database.clone(),
            state_trouble: state.trouble.clone(),
            push: Arc::clone(&push),
            certificate: Arc::clone(&certificate),
            listeners: wanted,
            started_at: common.started_at,
        };
        self.front.spawn("metrics", metrics::serve(metrics, moves, observed, soft.clone()));
        let admin = AdminParts {
            router: channels.router,
            catalog: channels.catalog,
            state: state.handle,
            state_trouble: state.trouble,
            tap: common.tap,
            reports: channels.reports.1,
            gaps,
            database: parts.database,
            events: parts.events,
            push,
            zoneminder: parts.check,
            trigger: parts.trigger,
            log,
            counters: common.counters,
            clock: common.clock,
            configuration: Arc::new(configuration),
            certificate,
            listening: watch::channel(listening).1,
            handed,
            started_at: common.started_at,
            started: common.started,
            poll_interval,
            draining: soft.clone(),
            stop: self.tokens.control.clone(),
        };
        self.control.spawn("control", control::serve(control, admin, channels.admin_group.1));
    }

    /// Starts the listeners and returns their addresses as apps write them.
    fn listen(&mut self, listeners: Vec<Listener>, tls: bool) -> Vec<String> {
        let scheme = if tls { "wss" } else { "ws" };
        let mut listening = Vec::with_capacity(listeners.len());
        for listener in listeners {
            listening.push(format!("{scheme}://{}", listener.local_addr()));
            let (stop, sessions) = (self.tokens.soft.clone(), self.sessions.clone());
            self.front.spawn("listener", async move {
                if let Err(problem) = listener.run(stop, sessions).await {
                    error!(error = &problem as &dyn std::error::Error, "a listening socket is broken");
                }
            });
        }
        listening
    }
}

fn spawn_detection(tasks: &mut Tasks, detection: Detection, stop: &CancellationToken) {
    tasks.spawn("poller", detection.poller.run(stop.clone()));
    tasks.spawn("reconciler", detection.reconciler.run(stop.clone()));
    tasks.spawn("lookup", detection.lookup.run(stop.clone()));
}

impl Opened {
    /// The control socket comes first: where a daemon answers already, nothing else must be touched.
    async fn open(
        config: &Config,
        parts: &Parts,
        channels: &Channels,
        common: &Common,
        inherited: Inherited,
    ) -> Result<Self, StartError> {
        inherited.announce(config);
        let handed = inherited.names();
        let control = match inherited.control {
            Some(socket) => ControlListener::from_fd(socket.into()).map_err(|source| StartError::System {
                what: "serve the control socket handed over",
                source,
            })?,
            None => ControlListener::bind(&config.control.socket, &config.control.admin_group).await?,
        };
        let certificates = certificates(config, common.started_at)?;
        let transports = transports(config, &common.clock)?;
        let sockets = match inherited.apps {
            none if none.is_empty() => ws::bind(&config.server.listen)?,
            apps => apps,
        };
        let metrics = config.metrics.listen.as_ref().map(metrics::Bound::open).transpose()?;
        let state = State::open(&config.state, Arc::clone(&common.clock)).await?;
        let login = Authenticator::new(
            Arc::clone(&parts.accounts),
            channels.auth.1.clone(),
            channels.catalog.watch(),
            Arc::clone(&common.clock),
            Arc::clone(&common.counters),
        );
        let certificate: Arc<dyn CertificateInfo> =
            Arc::new(InUse { store: certificates.clone(), clock: Arc::clone(&common.clock) });
        let websocket = ws::Context::new(
            ws::Parts {
                router: channels.router.clone(),
                login: Arc::new(login),
                record: Arc::new(state.handle.clone()),
                certificate: Arc::clone(&certificate),
                counters: Arc::clone(&common.counters),
                clock: Arc::clone(&common.clock),
            },
            ServerSettings::new(config),
        );
        let tls = certificates.clone().map(tls::server_config).transpose()?;
        let listener = |socket| Listener::new(socket, tls.clone(), Arc::clone(&websocket));
        let listeners = sockets
            .into_iter()
            .map(listener)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|source| StartError::System { what: "serve a listening socket", source })?;
        Ok(Self {
            certificates,
            control,
            handed,
            listeners,
            metrics,
            certificate,
            websocket,
            transports,
            state,
        })
    }
}

/// Loads the certificate; what apps may complain about is said, but served.
fn certificates(config: &Config, now: Timestamp) -> Result<Option<Arc<CertStore>>, StartError> {
    let Some(files) = &config.server.tls else { return Ok(None) };
    let pair = tls::load(files, now)?;
    for warning in &pair.warnings {
        warn!(certificate = %files.certificate.display(), hint = warning.hint(), "{warning}");
    }
    Ok(Some(CertStore::new(pair)))
}

/// Sets up the ways to phones, where pushes are wanted.
fn transports(config: &Config, clock: &Arc<dyn Clock>) -> Result<Arc<Transports>, StartError> {
    if !config.push.enabled {
        return Ok(Arc::default());
    }
    // It reads files, of which some may lie on a disk that sleeps.
    let built =
        tokio::task::block_in_place(|| Transports::build(&config.push.providers(), wall_clock(clock)));
    Ok(Arc::new(built?))
}

/// Returns what detection may rely on of the record: nothing older than what is kept of it.
fn record(remembered: &Remembered, keep_events: Duration, now: Timestamp) -> Record {
    let age = remembered.since.map(|since| Duration::try_from(now.duration_since(since)).unwrap_or_default());
    let reaches_back = age.map_or(Duration::ZERO, |age| age.saturating_add(BEGAN_BEFORE).min(keep_events));
    Record::new(reaches_back, remembered.announced.clone())
}
