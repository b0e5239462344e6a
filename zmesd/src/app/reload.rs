//! Reloading: one at a time, all or nothing, with an answer that says what changed.

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
use crate::config::{AuthConfig, Config, Loaded, TlsFiles};
use crate::detect::DetectConfig;
use crate::metrics;
use crate::monitors::CatalogHandle;
use crate::ports::{
    CertificateInfo, CertificateProblem, CertificateSummary, Clock, ConfigExamined, ConfigReload, wall_clock,
};
use crate::route::PushRules;
use crate::telemetry::log::LogHandle;
use crate::telemetry::{Counters, Reload};
use crate::tls::{CertStore, TlsWarning};
use crate::ws::{self, ServerSettings};

/// Reloads that may wait; more are told to come again.
const WAITING: usize = 4;
/// How long a caller waits for a reload.
const DEADLINE: Duration = Duration::from_secs(10);
/// How often the certificate's files are looked at, so that a renewal counts without a signal.
const CERTIFICATE_EVERY: Duration = Duration::from_mins(1);

type Answer = oneshot::Sender<Result<ConfigReloaded, ControlError>>;

/// The settings that others follow while they run.
#[derive(Debug)]
pub(super) struct Hot {
    pub(super) log: LogHandle,
    pub(super) certificates: Option<Arc<CertStore>>,
    pub(super) websocket: Arc<ws::Context>,
    pub(super) auth: watch::Sender<AuthConfig>,
    pub(super) permissions: Option<Arc<ZmDb>>,
    pub(super) detect: watch::Sender<DetectConfig>,
    pub(super) catalog_interval: watch::Sender<Duration>,
    pub(super) admin_group: watch::Sender<String>,
    pub(super) push_rules: watch::Sender<PushRules>,
    pub(super) transports: watch::Sender<Arc<Transports>>,
    pub(super) catalog: CatalogHandle,
    pub(super) metrics: metrics::Switch,
    pub(super) counters: Arc<Counters>,
    pub(super) clock: Arc<dyn Clock>,
}

/// The way to the reloader, and the configuration in force.
#[derive(Debug)]
pub(super) struct ReloadHandle {
    requests: mpsc::Sender<Answer>,
    current: Arc<ArcSwap<Config>>,
    file: Option<ConfigFile>,
    clock: Arc<dyn Clock>,
}

/// Reads the configuration again when asked, and puts in force what can be.
///
/// Owns: the configuration in force. Receives: requests of the control socket, SIGHUPs. Sends: settings, through
/// watches. Ends: when told to.
#[derive(Debug)]
pub(super) struct Reloader {
    file: Option<ConfigFile>,
    hot: Hot,
    current: Arc<ArcSwap<Config>>,
    requests: mpsc::Receiver<Answer>,
    hangups: mpsc::Receiver<()>,
}

impl Reloader {
    /// Joins the task and its handle. Without a file (the demo) there is nothing to reload.
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

    /// Runs until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut certificate = tokio::time::interval(CERTIFICATE_EVERY);
        certificate.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(answer) = self.requests.recv() => {
                    // Whoever asked may have given up; the reload counts all the same.
                    answer.send(self.reload()).ok();
                }
                Some(()) = self.hangups.recv() => {
                    if let Err(problem) = self.reload() {
                        error!("the configuration stays as it was: {}", problem.message);
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
        // What can still fail comes first, and then nothing must have changed.
        let metrics = self.hot.metrics.prepare(&self.current.load().metrics, &new.metrics);
        let metrics = metrics.map_err(|problem| unavailable(&problem))?;
        let transports = self.transports(&new)?;
        let certificate = match (&self.hot.certificates, &new.server.tls) {
            (Some(store), Some(files)) => replace_pair(store, files, &*self.hot.clock)?,
            (_, _) => None,
        };
        let mut diff = self.current.load().diff(&new);
        let now = in_force(&self.current.load(), new);
        self.apply(&now);
        metrics.make();
        for key in self.hot.transports.borrow().changes(&transports) {
            // A file with other contents under the same name.
            if !names(&diff.hot, key) {
                diff.hot.push(key.to_owned());
            }
        }
        self.hot.transports.send_replace(Arc::new(transports));
        self.current.store(Arc::new(now));
        // Rights are read anew, whether or not the file has changed anything about them.
        self.hot.catalog.nudge();
        info!(applied = ?diff.hot, needs_restart = ?diff.needs_restart, "configuration reloaded");
        if let Some(served) = &certificate {
            info!(subject = served.subject, not_after = %served.not_after, "another certificate is now served");
        }
        Ok(ConfigReloaded { applied: diff.hot, needs_restart: diff.needs_restart, certificate })
    }

    /// Builds the ways to phones that the new configuration asks for; those that have not changed are kept.
    fn transports(&self, new: &Config) -> Result<Transports, ControlError> {
        let old = Arc::clone(&*self.hot.transports.borrow());
        // Whether there is a push side at all is settled at the start.
        if !self.current.load().push.enabled {
            return Ok(Transports::default());
        }
        let clock = wall_clock(&self.hot.clock);
        let built = tokio::task::block_in_place(|| old.rebuild(&new.push.providers(), clock));
        built.map_err(|problem| {
            let cause =
                std::error::Error::source(&problem).map(|cause| format!(": {cause}")).unwrap_or_default();
            invalid(format!("{problem}{cause}")).with_hint(problem.hint())
        })
    }

    /// Puts in force what can be; setting a value that is in force already changes nothing.
    fn apply(&self, new: &Config) {
        let hot = &self.hot;
        if hot.log.level() != new.log.level
            && self.current.load().log.level != new.log.level
            && let Err(problem) = hot.log.set(&new.log.level)
        {
            warn!(error = %problem, "the log level stays as it was");
        }
        if self.current.load().server.max_clients != new.server.max_clients {
            descriptors::warn_if_short(new.server.max_clients);
        }
        hot.websocket.reconfigure(ServerSettings::new(new));
        hot.auth.send_if_modified(|now| std::mem::replace(now, new.auth) != new.auth);
        if let Some(database) = &hot.permissions {
            database.enforce_permissions(new.auth.enforce_monitor_permissions);
        }
        let detect = DetectConfig {
            // What a running poller cannot change: see `needs_restart`.
            source: hot.detect.borrow().source,
            version: hot.detect.borrow().version,
            ..DetectConfig::from(&new.zoneminder)
        };
        hot.detect.send_if_modified(|now| std::mem::replace(now, detect) != detect);
        let interval = new.zoneminder.monitor_reload_interval;
        hot.catalog_interval.send_if_modified(|now| std::mem::replace(now, interval) != interval);
        hot.admin_group.send_replace(new.control.admin_group.clone());
        let rules = PushRules::new(&new.push);
        hot.push_rules.send_if_modified(|now| std::mem::replace(now, rules) != rules);
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
                info!(subject, %not_after, "the certificate on the disk has changed: new connections get it");
            }
            Err(problem) => {
                warn!(error = %problem, hint = problem.hint(), "the certificate on the disk has changed, but cannot be used");
            }
        }
    }
}

/// Returns the configuration that holds now: what needs a restart stays as it was, and is listed again next time.
fn in_force(old: &Config, new: Config) -> Config {
    let mut now = old.clone();
    now.zoneminder.poll_interval = new.zoneminder.poll_interval;
    now.zoneminder.monitor_reload_interval = new.zoneminder.monitor_reload_interval;
    now.zoneminder.reconcile_interval = new.zoneminder.reconcile_interval;
    now.zoneminder.realarm_interval = new.zoneminder.realarm_interval;
    now.server.advertised_version = new.server.advertised_version;
    now.server.max_clients = new.server.max_clients;
    now.server.max_clients_per_address = new.server.max_clients_per_address;
    now.server.trusted_proxies = new.server.trusted_proxies;
    now.server.allowed_origins = new.server.allowed_origins;
    if now.server.tls.is_some() && new.server.tls.is_some() {
        now.server.tls = new.server.tls;
    }
    now.auth = new.auth;
    now.push.mode = new.push.mode;
    now.push.picture_url = new.push.picture_url;
    now.push.proxy = new.push.proxy;
    now.push.fcm = new.push.fcm;
    now.push.apns = new.push.apns;
    now.control.admin_group = new.control.admin_group;
    now.metrics = new.metrics;
    now.log.level = new.log.level;
    now
}

/// Says whether a list of dotted keys has that one; those of blocks stand there with their index.
fn names(keys: &[String], key: &str) -> bool {
    let bare = |listed: &str| match (listed.find('['), listed.find(']')) {
        (Some(open), Some(close)) => format!(
            "{}{}",
            listed.get(..open).unwrap_or_default(),
            listed.get(close + 1..).unwrap_or_default()
        ),
        _ => listed.to_owned(),
    };
    keys.iter().any(|listed| bare(listed) == key)
}

/// Puts the pair on the disk in force; returns the certificate where it is another than before.
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

fn unavailable(problem: &metrics::BindError) -> ControlError {
    let message = format!("{problem}: {}", problem.source);
    ControlError::new(ErrorCode::Unavailable, message).with_hint(problem.hint())
}

#[async_trait]
impl ConfigReload for ReloadHandle {
    async fn reload(&self) -> Result<ConfigReloaded, ControlError> {
        let busy = || ControlError::new(ErrorCode::Busy, "other reloads are waiting");
        let (reply, answer) = oneshot::channel();
        self.requests.try_send(reply).map_err(|_| busy())?;
        match tokio::time::timeout(DEADLINE, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(ControlError::new(ErrorCode::Unavailable, "the daemon is stopping")),
            Err(_) => Err(ControlError::new(ErrorCode::Timeout, "the reload takes too long")),
        }
    }

    fn running(&self) -> Arc<Config> {
        self.current.load_full()
    }

    async fn examine(&self) -> Option<ConfigExamined> {
        let file = self.file.clone()?;
        let (current, clock) = (self.running(), Arc::clone(&self.clock));
        // Whoever asks has a deadline; a disk that stands still keeps this thread, and nothing else.
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

/// The certificate in use, for `check tls`.
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
            expires_soon: matches!(warning, TlsWarning::ExpiresSoon { .. }),
            message: warning.to_string(),
            hint: warning.hint().to_owned(),
        };
        Some(CertificateSummary {
            subject: pair.summary.title(),
            sans: pair.summary.names.clone(),
            not_after: pair.summary.not_after,
            problems: pair.warnings_at(self.clock.now()).iter().map(problem).collect(),
            objections: pair.objections.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Environment;

    fn config(keys: &str) -> Config {
        let text = keys.replace("DATABASE", "database-url = \"mysql://zm:zm@localhost/zm\"");
        match Loaded::from_text(&text, Path::new("zmesd.toml"), &Environment::default()) {
            Ok(loaded) => loaded.config,
            Err(problems) => panic!("{problems}"),
        }
    }

    /// The keys that the table calls hot, and what is carried over here, must be the same.
    #[test]
    fn what_holds_after_a_reload_differs_only_in_what_needs_a_restart() {
        let old = config("[zoneminder]\nDATABASE\n[server]\nplaintext = true\n");
        let new = config(
            "[zoneminder]\nDATABASE\npoll-interval = \"30ms\"\nmonitor-reload-interval = \"61s\"\n\
             reconcile-interval = \"3s\"\nrealarm-interval = \"61s\"\ncatch-up = \"11m\"\n\
             [server]\nplaintext = true\nlisten = [\"127.0.0.1:9001\"]\nadvertised-version = \"7.0.1\"\n\
             max-clients = 19\nmax-clients-per-address = 9\ntrusted-proxies = [\"10.0.0.0/8\"]\n\
             allowed-origins = [\"https://zm.example.org\"]\n\
             [auth]\nenabled = false\ntimeout = \"21s\"\nenforce-monitor-permissions = false\n\
             [control]\nadmin-group = \"adm\"\n[metrics]\nlisten = \"127.0.0.1:9090\"\n[log]\nlevel = \"debug\"\n",
        );
        let wanted = old.diff(&new);
        assert_eq!(wanted.needs_restart, ["server.listen", "zoneminder.catch-up"]);
        assert_eq!(wanted.hot.len(), 15, "{:?}", wanted.hot);
        let left = in_force(&old, new.clone()).diff(&new);
        assert_eq!((left.hot, left.needs_restart), (Vec::new(), wanted.needs_restart));
    }
}
