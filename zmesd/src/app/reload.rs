//! Reloads: one at a time, all or nothing. The answer lists what changed.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use zmes_providers::Transports;
use zmes_shared::control::{ControlError, ErrorCode};
use zmes_shared::views::{ConfigReloaded, ConfigShown, ServedCertificate};
use zmes_zoneminder::database::ZmDb;

use super::config_file::ConfigFile;
use super::descriptors;
use super::wiring::SettingSenders;
use crate::config::{self, Config, ConfigDiff, Loaded, SettingChange, SettingsArea, TlsFiles};
use crate::detect::DetectConfig;
use crate::metrics;
use crate::monitors::CatalogHandle;
use crate::ports::{
    CertificateInfo, CertificateProblem, CertificateSummary, Clock, ConfigExamined, ConfigReload, wall_clock,
};
use crate::route::PushRules;
use crate::sockets::BindError;
use crate::telemetry::log::LogHandle;
use crate::telemetry::{Counters, Reload};
use crate::tls::{CertStore, TlsWarning};
use crate::ws::{self, ServerSettings};

const WAITING: usize = 4;
const DEADLINE: Duration = Duration::from_secs(10);
/// How often to check the certificate's files, so that a renewal needs no signal.
const CERTIFICATE_EVERY: Duration = Duration::from_mins(1);

type Answer = oneshot::Sender<Result<ConfigReloaded, ControlError>>;

#[derive(Debug)]
pub(super) struct Hot {
    pub(super) log: LogHandle,
    pub(super) certificates: Option<Arc<CertStore>>,
    pub(super) websocket: Arc<ws::WsContext>,
    pub(super) permissions: Option<Arc<ZmDb>>,
    pub(super) senders: SettingSenders,
    pub(super) transports: watch::Sender<Arc<Transports>>,
    pub(super) catalog: CatalogHandle,
    pub(super) metrics: metrics::Switch,
    pub(super) counters: Arc<Counters>,
    pub(super) clock: Arc<dyn Clock>,
}

#[derive(Debug)]
pub(super) struct ReloadHandle {
    requests: mpsc::Sender<Answer>,
    current: Arc<ArcSwap<Config>>,
    file: Option<ConfigFile>,
    clock: Arc<dyn Clock>,
}

/// Reads the configuration again on request, and applies what needs no restart.
///
/// Owns: the current configuration. Receives: requests of the control socket, SIGHUPs. Sends: settings, through watch
/// channels. Ends: when told to.
#[derive(Debug)]
pub(super) struct Reloader {
    file: Option<ConfigFile>,
    hot: Hot,
    current: Arc<ArcSwap<Config>>,
    requests: mpsc::Receiver<Answer>,
    hangups: mpsc::Receiver<()>,
}

impl Reloader {
    /// Creates the task and its handle. Without a file (the demo) there is nothing to reload.
    pub(super) fn new(
        config: Config,
        file: Option<ConfigFile>,
        hot: Hot,
        hangups: mpsc::Receiver<()>,
    ) -> (Self, ReloadHandle) {
        let current = Arc::new(ArcSwap::from_pointee(config));
        let (requests_tx, requests) = mpsc::channel(WAITING);
        let handle = ReloadHandle {
            requests: requests_tx,
            current: Arc::clone(&current),
            file: file.clone(),
            clock: Arc::clone(&hot.clock),
        };
        (Self { file, hot, current, requests, hangups }, handle)
    }

    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut certificate = tokio::time::interval(CERTIFICATE_EVERY);
        certificate.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(answer) = self.requests.recv() => {
                    // The caller may have timed out; the reload still counts.
                    answer.send(self.reload()).ok();
                }
                Some(()) = self.hangups.recv() => {
                    if let Err(problem) = self.reload() {
                        error!("reload failed, configuration unchanged: {}", problem.message);
                    }
                }
                _ = certificate.tick() => self.renew_certificate(),
            }
        }
    }

    fn reload(&self) -> Result<ConfigReloaded, ControlError> {
        let reloaded = self.read_again();
        let result = if reloaded.is_ok() { Reload::Ok } else { Reload::Refused };
        self.hot.counters.reloads.count(result);
        reloaded
    }

    fn read_again(&self) -> Result<ConfigReloaded, ControlError> {
        let Some(file) = &self.file else {
            return Err(ControlError::new(ErrorCode::Conflict, "the demo has no configuration file"));
        };
        let load = || file.load().map_err(|problems| invalid(problems.to_string()));
        let new = tokio::task::block_in_place(load)?;
        let old = self.current.load_full();
        // Steps that can fail come first: up to here nothing has changed.
        let metrics = self.hot.metrics.prepare(&old.metrics, &new.metrics);
        let metrics = metrics.map_err(|problem| unavailable(&problem))?;
        let transports = self.transports(&old, &new)?;
        let certificate = match (&self.hot.certificates, &new.server.tls) {
            (Some(store), Some(files)) => replace_pair(store, files, &*self.hot.clock)?,
            (_, _) => None,
        };
        let (diff, now) = (old.diff(&new), old.following(&new));
        for area in diff.hot_areas() {
            self.hot.apply(area, &old, &now);
        }
        metrics.make();
        let mut applied = diff.hot();
        for key in self.hot.transports.borrow().changes(&transports) {
            // The content of a file has changed, not its name.
            if !names(&applied, key) {
                applied.push(key.to_owned());
            }
        }
        self.hot.transports.send_replace(Arc::new(transports));
        // The router learns of a target only after its transport exists.
        set(&self.hot.senders.targets, Arc::clone(&now.targets));
        // Sent even if unchanged: certificates may differ, and after `mqtt clear` a reload publishes again.
        self.hot.senders.mqtt.send_replace(now.mqtt.clone());
        self.current.store(Arc::new(now));
        // A reload always reads monitors, users and rights, too.
        self.hot.catalog.nudge();
        tell(&diff, &applied, certificate.as_ref());
        Ok(ConfigReloaded { applied, needs_restart: diff.needs_restart(), certificate })
    }

    /// Builds the transports of the new configuration; unchanged ones are kept.
    fn transports(&self, old: &Config, new: &Config) -> Result<Transports, ControlError> {
        // `push.enabled` needs a restart.
        if !old.push.enabled {
            return Ok(Transports::default());
        }
        let (running, clock) = (Arc::clone(&*self.hot.transports.borrow()), wall_clock(&self.hot.clock));
        let built = tokio::task::block_in_place(|| running.rebuild(&new.push.providers(), clock));
        built.map_err(|problem| {
            let cause =
                std::error::Error::source(&problem).map(|cause| format!(": {cause}")).unwrap_or_default();
            invalid(format!("{problem}{cause}")).with_hint(problem.hint())
        })
    }

    fn renew_certificate(&self) {
        let Some(store) = &self.hot.certificates else { return };
        let current = self.current.load();
        let Some(files) = &current.server.tls else { return };
        if !store.changed_on_disk() {
            return;
        }
        match tokio::task::block_in_place(|| store.reload(files, self.hot.clock.now())) {
            Ok(pair) => {
                let (subject, not_after) = (pair.summary.title(), pair.summary.not_after);
                info!(subject, %not_after, "certificate renewed; new connections get it");
            }
            Err(problem) => {
                warn!(error = %problem, hint = problem.hint(), "certificate files changed, but cannot be used; the old certificate is still served");
            }
        }
    }
}

impl Hot {
    fn apply(&self, area: SettingsArea, old: &Config, now: &Config) {
        let apps = || self.websocket.reconfigure(ServerSettings::new(now));
        match area {
            SettingsArea::Rule => set(&self.senders.rules, Arc::clone(&now.rules)),
            SettingsArea::End => set(&self.senders.ends, now.end),
            SettingsArea::Labels => set(&self.senders.labels, now.labels.clone()),
            SettingsArea::Zoneminder => {
                set(&self.senders.detect, DetectConfig::from(&now.zoneminder));
                set(&self.senders.catalog_interval, now.zoneminder.monitor_reload_interval);
            }
            SettingsArea::Server => {
                if old.server.max_clients != now.server.max_clients {
                    descriptors::warn_if_short(now.server.max_clients);
                }
                apps();
            }
            SettingsArea::Auth => {
                set(&self.senders.auth, now.auth);
                apps();
                if let Some(database) = &self.permissions {
                    database.enforce_permissions(now.auth.enforce_monitor_permissions);
                }
            }
            // The reload itself replaces the transports, because building them can fail.
            SettingsArea::Push | SettingsArea::Target => {
                set(&self.senders.push_rules, PushRules::new(&now.push));
                apps();
            }
            SettingsArea::Control => set(&self.senders.admin_group, now.control.admin_group.clone()),
            SettingsArea::Log => {
                if self.log.level() != now.log.level
                    && let Err(problem) = self.log.set(&now.log.level)
                {
                    warn!(error = %problem, "cannot change the log level");
                }
            }
            // The reload itself moves the socket of the metrics, which can fail; nothing of [state] and [cluster] is hot.
            SettingsArea::Picture => set(&self.senders.pictures, now.picture.clone()),
            // Who uses it reads it each time; [mqtt] is sent in any case.
            SettingsArea::Metrics
            | SettingsArea::State
            | SettingsArea::Watchdog
            | SettingsArea::Mqtt
            | SettingsArea::Cluster => {}
        }
    }
}

/// Sends a value to its followers if it has changed.
fn set<T: PartialEq>(sender: &watch::Sender<T>, value: T) {
    sender.send_if_modified(|now| {
        let changed = *now != value;
        *now = value;
        changed
    });
}

fn tell(diff: &ConfigDiff, applied: &[String], certificate: Option<&ServedCertificate>) {
    let hot = diff.changes.iter().filter(|change| change.reload == config::Reload::Hot);
    for SettingChange { key, old, new, .. } in hot {
        let (old, new) = (old.as_deref().unwrap_or("none"), new.as_deref().unwrap_or("none"));
        info!(key, old, new, "setting changed");
    }
    info!(?applied, needs_restart = ?diff.needs_restart(), "configuration reloaded");
    if let Some(served) = certificate {
        info!(subject = served.subject, not_after = %served.not_after, "new certificate is served");
    }
}

/// Returns whether a list of dotted keys contains `key`; an index in the list is ignored.
fn names(keys: &[String], key: &str) -> bool {
    let bare = |listed: &str| {
        let (head, rest) = listed.split_once('[')?;
        let (_, tail) = rest.split_once(']')?;
        Some(format!("{head}{tail}"))
    };
    keys.iter().any(|listed| listed == key || bare(listed).is_some_and(|bare| bare == key))
}

/// Serves the pair on disk. Returns the certificate if it is a new one.
fn replace_pair(
    store: &CertStore,
    files: &TlsFiles,
    clock: &dyn Clock,
) -> Result<Option<ServedCertificate>, ControlError> {
    let before = store.current();
    let replaced = tokio::task::block_in_place(|| store.reload(files, clock.now()));
    let pair = replaced.map_err(|problem| invalid(problem.to_string()).with_hint(problem.hint()))?;
    let served = || ServedCertificate {
        subject: pair.summary.title(),
        names: pair.summary.names.clone(),
        not_after: pair.summary.not_after,
    };
    Ok((!pair.is_same(&before)).then(served))
}

fn invalid(message: String) -> ControlError {
    ControlError::new(ErrorCode::ConfigInvalid, message)
}

fn unavailable(problem: &BindError) -> ControlError {
    ControlError::new(ErrorCode::Unavailable, problem.to_string()).with_hint(problem.hint())
}

#[async_trait]
impl ConfigReload for ReloadHandle {
    async fn reload(&self) -> Result<ConfigReloaded, ControlError> {
        let busy = || ControlError::new(ErrorCode::Busy, "too many reloads are waiting");
        let (reply, answer) = oneshot::channel();
        self.requests.try_send(reply).map_err(|_| busy())?;
        match tokio::time::timeout(DEADLINE, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(ControlError::new(ErrorCode::Unavailable, "the daemon is stopping")),
            Err(_) => Err(ControlError::new(ErrorCode::Timeout, "reload timed out")),
        }
    }

    fn running(&self) -> Arc<Config> {
        self.current.load_full()
    }

    fn is_demo(&self) -> bool {
        self.file.is_none()
    }

    async fn examine(&self) -> Option<ConfigExamined> {
        let file = self.file.clone()?;
        let (current, clock) = (self.running(), Arc::clone(&self.clock));
        // A disk that hangs blocks only this thread; the caller has a deadline.
        let examined = tokio::task::spawn_blocking(move || match file.examine(&clock) {
            Ok(Loaded { config, warnings }) => {
                ConfigExamined { problems: Vec::new(), warnings, diff: current.diff(&config) }
            }
            Err(problems) => {
                ConfigExamined { problems: problems.iter().cloned().collect(), ..ConfigExamined::default() }
            }
        });
        examined.await.ok()
    }

    fn show(&self) -> ConfigShown {
        let config = self.current.load();
        ConfigShown { file: config.origin.file.display().to_string(), toml: config.show() }
    }
}

#[derive(Debug)]
pub(super) struct InUse {
    pub(super) store: Option<Arc<CertStore>>,
    pub(super) clock: Arc<dyn Clock>,
}

impl CertificateInfo for InUse {
    fn summary(&self) -> Option<CertificateSummary> {
        let pair = self.store.as_ref()?.current();
        let problem = |warning: &TlsWarning| CertificateProblem {
            grave: warning.is_grave(),
            fault: Some(warning.fault()),
            message: warning.to_string(),
            hint: warning.hint().to_owned(),
        };
        Some(CertificateSummary {
            subject: pair.summary.title(),
            sans: pair.summary.names.clone(),
            self_signed: pair.summary.self_signed,
            not_after: pair.summary.not_after,
            problems: pair.warnings_at(self.clock.now()).iter().map(problem).collect(),
            objections: pair.objections.clone(),
        })
    }
}
