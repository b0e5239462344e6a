//! The root: puts the rooms together, starts their tasks and ends them in order. It owns nothing else.

mod command;
mod config_file;
mod exit;
mod parts;
mod reload;
mod start_error;
mod supervise;
mod wiring;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

pub use command::main;
pub use exit::Exit;
pub use parts::Parts;
pub use start_error::StartError;

use config_file::ConfigFile;
use reload::{Hot, InUse, Reloader};
use supervise::Tasks;
use wiring::Channels;

use crate::auth::Authenticator;
use crate::config::Config;
use crate::control::{self, ControlListener, ControlParts};
use crate::detect::{self, DetectParts};
use crate::lifecycle::{Lifecycle, Vitals};
use crate::monitors::CatalogTask;
use crate::route::{Router, RouterParts, Tap};
use crate::state::State;
use crate::telemetry::Counters;
use crate::telemetry::log::LogHandle;
use crate::tls::CertStore;
use crate::ws::{self, ServerSettings};

/// How long sessions get to say goodbye; the whole stop must stay under the 10 s that ZoneMinder's zmdc grants.
const SESSIONS_DEADLINE: Duration = Duration::from_secs(5);

/// What the daemon is started with.
#[derive(Debug)]
struct Start {
    config: Config,
    /// Where it came from; `None`: nowhere (the demo).
    file: Option<ConfigFile>,
    parts: Parts,
    log: LogHandle,
}

/// The daemon, with everything bound and opened that can fail, but nothing running.
#[derive(Debug)]
struct App {
    /// What finds alarms and lets clients in: ends first.
    front: Tasks,
    /// The router.
    core: Tasks,
    /// The state's writer.
    store: Tasks,
    /// The control socket: answers until the end.
    control: Tasks,
    sessions: TaskTracker,
    tokens: Tokens,
    vitals: Vitals,
}

/// One token for each step of the end.
#[derive(Debug)]
struct Tokens {
    soft: CancellationToken,
    router: CancellationToken,
    store: CancellationToken,
    control: CancellationToken,
}

impl App {
    /// Opens the state, binds the sockets and starts the tasks.
    async fn start(start: Start, lifecycle: &Lifecycle) -> Result<Self, StartError> {
        let Start { config, file, parts, log } = start;
        let (started_at, started) = (parts.clock.now(), Instant::now());
        let tokens = Tokens {
            soft: lifecycle.soft(),
            router: CancellationToken::new(),
            store: CancellationToken::new(),
            control: CancellationToken::new(),
        };
        let certificates = match &config.server.tls {
            Some(files) => Some(Arc::new(CertStore::load(files, started_at)?)),
            None => None,
        };
        let control_socket = ControlListener::bind(&config.control.socket, &config.control.admin_group).await?;
        let sockets = ws::bind(&config.server.listen)?;
        let state = State::open(&config.state, Arc::clone(&parts.clock)).await?;

        let channels = Channels::new(&config);
        let counters: Arc<Counters> = Arc::default();
        let tap = Tap::default();
        let (auth, auth_rx) = watch::channel(config.auth);
        let (mut front, mut core, mut store, mut control) =
            (Tasks::default(), Tasks::default(), Tasks::default(), Tasks::default());

        let login = Authenticator::new(
            Arc::clone(&parts.accounts),
            auth_rx,
            Arc::clone(&parts.clock),
            Arc::clone(&counters),
        );
        let websocket = ws::Context::new(
            ws::Parts {
                router: channels.router.clone(),
                login: Arc::new(login),
                record: Arc::new(state.handle.clone()),
                counters: Arc::clone(&counters),
                clock: Arc::clone(&parts.clock),
            },
            ServerSettings::new(&config),
        );
        let sessions = TaskTracker::new();
        let tls = certificates.as_ref().map(|store| store.server_config()).transpose()?;
        let scheme = if tls.is_some() { "wss" } else { "ws" };
        let mut listening = Vec::new();
        for socket in sockets {
            let listener = ws::Listener::new(socket, tls.clone(), Arc::clone(&websocket))
                .map_err(|source| StartError::System { what: "serve a listening socket", source })?;
            listening.push(format!("{scheme}://{}", listener.local_addr()));
            let (stop, sessions) = (tokens.soft.clone(), sessions.clone());
            front.spawn("listener", async move {
                if let Err(problem) = listener.run(stop, sessions).await {
                    error!(error = &problem as &dyn std::error::Error, "a listening socket is broken");
                }
            });
        }

        let catalog = CatalogTask::new(
            parts.monitors,
            parts.accounts,
            channels.catalog_interval.1,
            Arc::clone(&parts.clock),
            channels.refreshes,
            channels.catalog_tx,
        );
        front.spawn("catalog", catalog.run(tokens.soft.clone()));
        let detection = detect::build(DetectParts {
            source: parts.source,
            store: parts.events,
            catalog: channels.catalog.watch(),
            config: channels.detect.1,
            cursors: state.remembered.cursors.clone(),
            clock: Arc::clone(&parts.clock),
            counters: Arc::clone(&counters),
            alarms: channels.alarms.0,
            views: channels.reports.0,
        });
        front.spawn("poller", detection.poller.run(tokens.soft.clone()));
        front.spawn("reconciler", detection.reconciler.run(tokens.soft.clone()));
        front.spawn("lookup", detection.lookup.run(tokens.soft.clone()));

        let router = Router::new(RouterParts {
            alarms: channels.alarms.1,
            commands: channels.commands,
            catalog: channels.catalog.watch(),
            authenticated_users: channels.auth_enabled.1,
            state: state.handle.clone(),
            remembered: state.remembered,
            tap: tap.clone(),
            counters: Arc::clone(&counters),
            clock: Arc::clone(&parts.clock),
        });
        core.spawn("router", router.run(tokens.router.clone()));
        store.spawn("state", state.writer.run(tokens.store.clone()));

        let poll_interval = config.zoneminder.poll_interval;
        let hot = Hot {
            log: log.clone(),
            certificates: certificates.clone(),
            websocket,
            auth,
            auth_enabled: channels.auth_enabled.0,
            permissions: parts.permissions,
            detect: channels.detect.0,
            catalog_interval: channels.catalog_interval.0,
            admin_group: channels.admin_group.0,
            clock: Arc::clone(&parts.clock),
        };
        let (reloader, configuration) = Reloader::new(config, file, hot, channels.hangups.1);
        front.spawn("reloader", reloader.run(tokens.soft.clone()));
        let control_parts = ControlParts {
            router: channels.router.clone(),
            catalog: channels.catalog.clone(),
            state: state.handle,
            state_trouble: state.trouble,
            tap,
            reports: channels.reports.1,
            database: parts.database.clone(),
            trigger: parts.trigger,
            log,
            counters,
            clock: parts.clock,
            configuration: Arc::new(configuration),
            certificate: Arc::new(InUse(certificates)),
            listening: watch::channel(listening).1,
            started_at,
            started,
            poll_interval,
            admin_group: channels.admin_group.1,
            draining: tokens.soft.clone(),
            stop: tokens.control.clone(),
        };
        control.spawn("control", control::serve(control_socket, control_parts));
        let vitals = Vitals {
            reload: channels.hangups.0,
            router: channels.router,
            catalog: channels.catalog,
            database: parts.database,
        };
        Ok(Self { front, core, store, control, sessions, tokens, vitals })
    }

    /// Serves until told to stop, then ends everything in order.
    async fn run(self, lifecycle: Lifecycle) -> Exit {
        let Self { front, core, store, control, sessions, tokens, vitals } = self;
        let conductor = Conductor { front, core, store, control, sessions, tokens };
        let conducted = lifecycle.tracker().spawn(conductor.run());
        let ended = lifecycle.run(vitals).await;
        if !ended.in_time {
            warn!("not everything ended in order");
            return Exit::Internal;
        }
        match conducted.await {
            Ok(None) => Exit::Ok,
            Ok(Some(_)) | Err(_) => Exit::Internal,
        }
    }
}

/// Ends the tasks in the order in which they depend on each other: who sends first, who receives last.
#[derive(Debug)]
struct Conductor {
    front: Tasks,
    core: Tasks,
    store: Tasks,
    control: Tasks,
    sessions: TaskTracker,
    tokens: Tokens,
}

impl Conductor {
    /// Returns the name of the task that ended without being told to, if that is why.
    async fn run(mut self) -> Option<&'static str> {
        let crashed = tokio::select! {
            () = self.tokens.soft.cancelled() => None,
            name = self.front.first_end() => Some(name),
            name = self.core.first_end() => Some(name),
            name = self.store.first_end() => Some(name),
            name = self.control.first_end() => Some(name),
        };
        if let Some(task) = crashed {
            error!(task, "a task ended that must not: stopping");
            self.tokens.soft.cancel();
        }
        self.front.drain().await;
        self.sessions.close();
        if tokio::time::timeout(SESSIONS_DEADLINE, self.sessions.wait()).await.is_err() {
            warn!(sessions = self.sessions.len(), "some clients did not end in time");
        }
        for (token, tasks) in [
            (&self.tokens.router, &mut self.core),
            (&self.tokens.store, &mut self.store),
            (&self.tokens.control, &mut self.control),
        ] {
            token.cancel();
            tasks.drain().await;
        }
        info!("stopped");
        crashed
    }
}
