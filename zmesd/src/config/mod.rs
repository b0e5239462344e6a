//! The configuration: typed, complete, immutable. Read once, checked as a whole, shared as an `Arc`.
//!
//! `file` mirrors `zmesd.toml` and knows about positions; `validate` turns it into [`Config`] and collects every
//! [`Problem`]. No other room reads configuration files or the environment.

mod access;
mod cluster;
mod diff;
mod end;
mod environment;
mod file;
mod forms;
pub(crate) mod fuzzing;
mod labels;
mod mqtt;
mod picture;
mod problem;
mod push;
mod reader;
mod section;
mod settings;
mod shown;
pub mod size;
mod target;
mod target_keys;
mod template;
mod validate;
mod watchdog;

pub use cluster::{Alone, ClusterConfig, NodeConfig};
pub use diff::{ConfigDiff, SettingChange};
pub use end::EndConfig;
pub use environment::Environment;
pub use file::{
    AuthConfig, ControlConfig, LabelsConfig, LogConfig, MetricsConfig, PictureConfig, PushConfig, SECTIONS,
    ServerConfig, StateConfig, WatchdogConfig, ZoneminderConfig,
};
pub use labels::{LabelSource, WithoutLabels};
pub use mqtt::{BrokerConfig, BrokerIdentity, BrokerUrl, HomeAssistantConfig, MAX_PICTURE, MqttConfig};
pub use problem::{Problem, Problems};
pub use push::PushMode;
pub use section::{AnyForm, Complaint, Form, Key, Literal, Reload, Section, SettingsArea};
pub use shown::Shown;
pub(crate) use shown::toml_string;
pub use template::default_file;
pub use validate::{
    CertificateFault, Loaded, Looks, PairCheck, PairFinding, PairPart, PairWeight, PushCheck,
};

pub use target::{TargetPhase, TargetReceiver};
pub use watchdog::{CameraReceivers, WatchdogReceiver};

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use settings::Settings;

use crate::rules::RuleSet;

/// The settings of `zmesd.toml`, with defaults filled in.
#[derive(Debug, Clone)]
pub struct Config {
    pub zoneminder: ZoneminderConfig,
    pub server: ServerConfig,
    pub auth: AuthConfig,
    pub push: PushConfig,
    pub picture: PictureConfig,
    pub rules: Arc<RuleSet>,
    pub end: EndConfig,
    pub labels: LabelsConfig,
    /// Who hears of what through the targets; where they send is in `push`.
    pub targets: Arc<[TargetReceiver]>,
    pub watchdog: WatchdogConfig,
    pub mqtt: MqttConfig,
    pub cluster: ClusterConfig,
    pub state: StateConfig,
    pub control: ControlConfig,
    pub metrics: MetricsConfig,
    pub log: LogConfig,
    pub origin: Origin,
    /// The same values as text, key by key.
    settings: Settings,
}

impl Config {
    /// Reads and checks the file at `path` and what it refers to. Gives all problems at once.
    pub fn load(path: &Path, environment: &Environment) -> Result<Self, Problems> {
        Loaded::read(path, environment, None).map(|loaded| loaded.config)
    }

    /// Returns the values in use as TOML, secrets hidden.
    pub fn show(&self) -> String {
        self.settings.toml()
    }

    /// Returns the keys that differ in `new`, and how they can be applied.
    pub fn diff(&self, new: &Self) -> ConfigDiff {
        self.settings.diff(&new.settings)
    }

    /// Returns the settings in use once `new` was loaded. Keys that need a restart stay, and are listed again next
    /// time.
    #[must_use]
    pub fn following(&self, new: &Self) -> Self {
        let mut now = self.clone();
        now.zoneminder.take_hot(&new.zoneminder);
        now.server.take_hot(&new.server);
        // Sockets with and without TLS are not the same: that needs a restart.
        if now.server.tls.is_some() && new.server.tls.is_some() {
            now.server.tls.clone_from(&new.server.tls);
        }
        now.auth.take_hot(&new.auth);
        now.push.take_hot(&new.push);
        now.push.take_transports(&new.push);
        now.picture.take_hot(&new.picture);
        now.rules = Arc::clone(&new.rules);
        now.end.take_hot(&new.end);
        now.labels.take_hot(&new.labels);
        now.targets = Arc::clone(&new.targets);
        now.watchdog.take_hot(&new.watchdog);
        now.watchdog.ping_url.clone_from(&new.watchdog.ping_url);
        now.mqtt.take(&new.mqtt);
        now.cluster.take_hot(&new.cluster);
        now.state.take_hot(&new.state);
        now.control.take_hot(&new.control);
        now.metrics.take_hot(&new.metrics);
        now.log.take_hot(&new.log);
        now.settings = self.settings.following(&new.settings);
        now
    }
}

/// Checks a value of `log.level`, `--log-level` and `zmesctl log level`; returns the problem.
pub fn check_log_level(text: &str) -> Result<(), String> {
    forms::check_log_level(text).map_err(|complaint| complaint.message)
}

/// The files that a configuration came from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    pub file: PathBuf,
    /// ZoneMinder's `zm.conf`, where it was read.
    pub zm_conf: Option<PathBuf>,
    /// The database is the one of `database-url`, not that of `zm.conf`.
    pub database_by_url: bool,
}

/// `source`: how alarms are detected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Shared memory, and the database for monitors whose memory is of an unknown layout.
    Auto,
    Shm,
    /// The Events table alone (a ZoneMinder on another machine).
    Db,
}

/// `[server.tls]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM: the server's certificate first, then its chain.
    pub certificate: PathBuf,
    /// PEM: PKCS#8, PKCS#1 or SEC1.
    pub key: PathBuf,
}

/// Where metrics are served: only on this machine, because they need no login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetricsListen {
    /// A port of the loopback.
    Port(SocketAddr),
    Socket(PathBuf),
}

impl fmt::Display for MetricsListen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(address) => address.fmt(f),
            Self::Socket(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// `format` of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// The journal where standard error is one, else text.
    Auto,
    /// Lines for people on standard error.
    Text,
    /// One JSON object a line on standard error.
    Json,
    /// The journal's own protocol.
    Journald,
}

#[cfg(test)]
mod tests;
