//! What can be asked of the daemon.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{EventId, MonitorId, SessionId};

/// How long `alarm force` keeps an alarm when nobody says how long, in milliseconds.
pub const ALARM_FOR_DEFAULT_MS: u64 = 10_000;

/// One request, `{"type":"…",…}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Request {
    /// Returns [`crate::views::Status`].
    Status,
    /// Returns [`crate::views::Clients`].
    ClientsList(ClientFilter),
    /// Closes one app's connection. Returns [`crate::views::Done`].
    ClientsDisconnect {
        /// The connection, as `clients list` names it.
        client: SessionId,
    },
    /// Returns [`crate::views::Monitors`].
    MonitorsList,
    /// Reads monitors, users and rights from ZoneMinder's database again. Returns [`crate::views::Reloaded`].
    MonitorsReload,
    /// Announces a synthetic alarm through the whole pipeline. Returns [`crate::views::AlarmTested`].
    AlarmTest(AlarmTest),
    /// Makes ZoneMinder itself record. Returns [`crate::views::AlarmForced`].
    AlarmForce {
        /// Which monitor.
        monitor: MonitorId,
        /// After how many milliseconds the daemon cancels it by itself (1 s to 1 h).
        for_ms: u64,
    },
    /// Takes a forced alarm back. Returns [`crate::views::AlarmForced`].
    AlarmCancel {
        /// Which monitor.
        monitor: MonitorId,
    },
    /// A stream of [`super::WatchEvent`]: the state of things first, then what changes.
    Watch(WatchFilter),
    /// Returns [`crate::views::Check`].
    Check {
        /// What to look at.
        check: CheckKind,
        /// For `tls`: the certificate must be valid for so many milliseconds more.
        #[serde(default)]
        within_ms: Option<u64>,
    },
    /// Changes the log level. Returns [`crate::views::LogLevel`].
    LogLevel {
        /// `error`, `warn`, `info`, `debug`, `trace`, or directives such as `zmesd::ws=debug`.
        level: String,
        /// After how many milliseconds the configured level comes back.
        #[serde(default)]
        for_ms: Option<u64>,
    },
    /// Reads the configuration again and applies it. Returns [`crate::views::ConfigReloaded`].
    Reload,
    /// Returns [`crate::views::ConfigShown`].
    ConfigShow,
    /// A request of a newer client: answered with `unsupported`.
    #[serde(other)]
    Unknown,
}

/// What a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Looks only.
    Read,
    /// Changes something, or reveals what only an admin should see.
    Admin,
}

impl Request {
    /// Says which role may ask this.
    pub fn access(&self) -> Access {
        match self {
            Self::Status
            | Self::ClientsList(_)
            | Self::MonitorsList
            | Self::Watch(_)
            | Self::Check { .. }
            | Self::Unknown => Access::Read,
            Self::AlarmTest(test) if test.dry_run => Access::Read,
            Self::ClientsDisconnect { .. }
            | Self::MonitorsReload
            | Self::AlarmTest(_)
            | Self::AlarmForce { .. }
            | Self::AlarmCancel { .. }
            | Self::LogLevel { .. }
            | Self::Reload
            | Self::ConfigShow => Access::Admin,
        }
    }
}

/// Which clients to list. What is absent does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientFilter {
    /// ZoneMinder user name; `*` stands for any run of characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// How far the client has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<ClientState>,
    /// An address or a network in CIDR notation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// How far a client has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum ClientState {
    /// Connected, not (yet) authenticated.
    Pending,
    /// Authenticated: it gets alarms.
    #[serde(other)]
    Authenticated,
}

/// A synthetic alarm.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmTest {
    /// Which monitor it pretends to come from; absent: the first that is watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor: Option<MonitorId>,
    /// Only to this token (handle); absent: to everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Say who would get it, send nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// Answer when every target has it (or has failed), not when it is queued.
    #[serde(default)]
    pub wait: bool,
}

/// What to watch. What is absent does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchFilter {
    /// Only this monitor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor: Option<MonitorId>,
    /// Only this token (handle).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Alarms since then come first, from the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
}

/// A point in the record of alarms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Since {
    /// After this event.
    Event(EventId),
    /// After this time.
    Time(Timestamp),
}

/// What `check` looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum CheckKind {
    /// The daemon answers, and its poller and router move.
    Ping,
    /// Every watched monitor's shared memory is alive.
    Shm,
    /// ZoneMinder's database answers.
    Db,
    /// The certificate is valid, and for long enough.
    Tls,
    /// All of them.
    All,
    /// A check of a newer client.
    #[serde(other)]
    #[cfg_attr(feature = "clap", value(skip))]
    Unknown,
}
