//! The configuration: typed, complete, immutable. Read once, checked as a whole, shared as an `Arc`.
//!
//! `file` mirrors `zmesd.toml` and knows about positions; `validate` turns it into [`Config`] and collects every
//! [`Problem`]; nobody else reads configuration, and nobody else reads the environment.

mod access;
mod diff;
pub mod duration;
mod effective;
mod environment;
mod file;
mod forms;
pub(crate) mod fuzzing;
mod problem;
mod push;
mod reader;
mod section;
pub mod size;
mod template;
mod validate;

pub use diff::ConfigDiff;
pub use environment::Environment;
pub use file::SECTIONS;
pub use problem::{Problem, Problems};
pub use push::{PushConfig, PushMode};
pub use section::{AnyForm, Complaint, Form, Key, Literal, Reload, Section};
pub use template::default_file;
pub use validate::{Loaded, Looks, PairCheck, PairFinding, PairPart, PairWeight, PushCheck};

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use zmes_zoneminder::ZmVersion;
use zmes_zoneminder::conf::{DatabaseConfig, ServerIdentity};

/// Everything that `zmesd.toml` says, with defaults filled in.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[zoneminder]`
    pub zoneminder: ZoneminderConfig,
    /// `[server]`
    pub server: ServerConfig,
    /// `[auth]`
    pub auth: AuthConfig,
    /// `[push]`
    pub push: PushConfig,
    /// `[state]`
    pub state: StateConfig,
    /// `[control]`
    pub control: ControlConfig,
    /// `[metrics]`
    pub metrics: MetricsConfig,
    /// `[log]`
    pub log: LogConfig,
    /// Which files said so.
    pub origin: Origin,
}

impl Config {
    /// Reads and checks the file at `path` and what it refers to. Gives all problems at once.
    pub fn load(path: &Path, environment: &Environment) -> Result<Self, Problems> {
        Loaded::read(path, environment).map(|loaded| loaded.config)
    }

    /// Returns the values in force as TOML, secrets hidden.
    pub fn show(&self) -> String {
        effective::show(self)
    }

    /// Returns which keys differ in `new`, and what it takes to put them in force.
    pub fn diff(&self, new: &Self) -> ConfigDiff {
        ConfigDiff::between(self, new)
    }
}

/// Checks what `log.level`, `--log-level` and `zmesctl log level` take; says what is wrong with it.
pub fn check_log_level(text: &str) -> Result<(), String> {
    forms::check_log_level(text).map_err(|complaint| complaint.message)
}

/// The files that a configuration came from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// `zmesd.toml`
    pub file: PathBuf,
    /// ZoneMinder's `zm.conf`, where it was read.
    pub zm_conf: Option<PathBuf>,
    /// The database is the one of `database-url`, not that of `zm.conf`.
    pub database_by_url: bool,
}

/// `[zoneminder]`: where ZoneMinder is and how closely to look.
#[derive(Debug, Clone)]
pub struct ZoneminderConfig {
    /// How to reach the database, from `database-url` or `zm.conf`.
    pub database: DatabaseConfig,
    /// Directory of `zm.mmap.N`, from `path-map`, `ZM_PATH_MAP` or `/dev/shm`.
    pub path_map: PathBuf,
    /// Directory of ZoneMinder's sockets (`ZM_PATH_SOCKS`), for `zmtrigger.sock`.
    pub path_socks: Option<PathBuf>,
    /// The server whose monitors are ours; `None`: all monitors.
    pub server: Option<ServerIdentity>,
    /// Only needed where the layout of the shared memory is ambiguous; `None`: ask the database.
    pub version: Option<ZmVersion>,
    /// `source`
    pub source: Source,
    /// `poll-interval`, at least 1 ms.
    pub poll_interval: Duration,
    /// `monitor-reload-interval`
    pub monitor_reload_interval: Duration,
    /// `reconcile-interval`
    pub reconcile_interval: Duration,
    /// `realarm-interval`; zero: each alarm.
    pub realarm_interval: Duration,
    /// `alarm-limit`: alarms of one monitor within a minute; 0: all.
    pub alarm_limit: u32,
    /// `startup-grace`
    pub startup_grace: Duration,
    /// `catch-up`
    pub catch_up: Duration,
}

/// `source`: where alarms are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Shared memory, and the database for monitors whose memory is of an unknown layout.
    Auto,
    /// Shared memory alone.
    Shm,
    /// The Events table alone (a ZoneMinder on another machine).
    Db,
}

/// `[server]`: the WebSocket side.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// `listen`; never empty.
    pub listen: Vec<SocketAddr>,
    /// The certificate and key, or `None` where `plaintext = true`.
    pub tls: Option<TlsFiles>,
    /// `advertised-version`
    pub advertised_version: String,
    /// `max-clients`
    pub max_clients: usize,
    /// `max-clients-per-address`
    pub max_clients_per_address: usize,
    /// `trusted-proxies`
    pub trusted_proxies: Vec<IpNet>,
    /// `allowed-origins`, lower case.
    pub allowed_origins: Vec<String>,
}

/// `[server.tls]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM: the server's certificate first, then its chain.
    pub certificate: PathBuf,
    /// PEM: PKCS#8, PKCS#1 or SEC1.
    pub key: PathBuf,
}

/// `[auth]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthConfig {
    /// `enabled`; false: any credentials are taken, and everybody sees everything.
    pub enabled: bool,
    /// `timeout`: time for credentials after the connection is open.
    pub timeout: Duration,
    /// `enforce-monitor-permissions`
    pub enforce_monitor_permissions: bool,
}

/// `[state]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateConfig {
    /// Directory of `zmesd.db`.
    pub directory: PathBuf,
    /// `keep-deliveries`: how long the delivery log is kept.
    pub keep_deliveries: Duration,
    /// `keep-tombstones`: how long revoked tokens can be restored.
    pub keep_tombstones: Duration,
    /// `keep-events`: how long alarms can be replayed.
    pub keep_events: Duration,
    /// `max-size`: bytes of the file beyond which the oldest is dropped.
    pub max_size: u64,
}

/// `[control]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlConfig {
    /// Path of the socket.
    pub socket: PathBuf,
    /// Members of this Unix group are admins.
    pub admin_group: String,
}

/// `[metrics]`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetricsConfig {
    /// `listen`; `None`: no metrics.
    pub listen: Option<MetricsListen>,
}

/// Where metrics are served: never beyond this machine, because nobody is asked who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetricsListen {
    /// A port of the loopback.
    Port(SocketAddr),
    /// A Unix socket.
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

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// `level`: `error` … `trace`, or directives such as `zmesd::ws=debug`.
    pub level: String,
    /// `format`
    pub format: LogFormat,
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
