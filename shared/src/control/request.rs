//! What can be asked of the daemon.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::tokens::{TokenFilter, TokenImport, TokenSelection, TransportKind, strict_filter};
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
    /// Returns [`crate::views::Rejected`].
    ClientsRejected {
        /// Only what was refused in this many milliseconds before now; absent: since the daemon started.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since_ms: Option<u64>,
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
        /// For `tls` and `all`: the certificate must be valid for at least this many milliseconds more; absent: a third of its
        /// own life, 30 days at most.
        #[serde(default)]
        within_ms: Option<u64>,
    },
    /// Changes the log level, or says which one is in force. Returns [`crate::views::LogLevel`].
    LogLevel {
        /// `error`, `warn`, `info`, `debug`, `trace`, or directives such as `zmesd::ws=debug`; absent: nothing is changed.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        level: String,
        /// After how many milliseconds the configured level comes back.
        #[serde(default)]
        for_ms: Option<u64>,
    },
    /// Reads the configuration again and applies it. Returns [`crate::views::ConfigReloaded`].
    Reload,
    /// Returns [`crate::views::ConfigShown`].
    ConfigShow,
    /// Returns [`crate::views::Tokens`], in pages.
    TokensList(TokenFilter),
    /// Returns [`crate::views::TokenShown`].
    TokensShow {
        /// The token, in any form that names it: its handle, a unique prefix of all 64 digits; for admins also its last
        /// 10 characters.
        token: String,
        /// The token itself, too.
        #[serde(default)]
        reveal: bool,
    },
    /// Returns [`crate::views::Deliveries`], newest first.
    TokensLog {
        /// The token, in any form that names it.
        token: String,
        /// At most so many; absent: 100.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
    },
    /// Takes tokens out; they can be restored for a while. Returns [`crate::views::TokensChanged`].
    TokensRevoke {
        /// Which tokens.
        tokens: TokenSelection,
        /// Only say what would happen.
        #[serde(default, skip_serializing_if = "is_false")]
        dry_run: bool,
    },
    /// Revokes tokens, revoked ones among them, so that their apps cannot register them again.
    /// Returns [`crate::views::TokensChanged`].
    TokensBlock {
        /// Which tokens.
        tokens: TokenSelection,
        /// Only say what would happen.
        #[serde(default, skip_serializing_if = "is_false")]
        dry_run: bool,
    },
    /// Lets apps register blocked tokens again; these stay revoked until they do, or are restored.
    /// Returns [`crate::views::TokensChanged`].
    TokensUnblock {
        /// Which tokens.
        tokens: TokenSelection,
        /// Only say what would happen.
        #[serde(default, skip_serializing_if = "is_false")]
        dry_run: bool,
    },
    /// Takes a revocation back. Returns [`crate::views::TokensChanged`].
    TokensRestore {
        /// The token, in any form that names it.
        token: String,
    },
    /// Silences tokens. Returns [`crate::views::TokensChanged`].
    TokensMute {
        /// Which tokens.
        tokens: TokenSelection,
        /// Only say what would happen.
        #[serde(default, skip_serializing_if = "is_false")]
        dry_run: bool,
        /// For so many milliseconds; absent: until it is unmuted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_ms: Option<u64>,
    },
    /// Takes silences back. Returns [`crate::views::TokensChanged`].
    TokensUnmute {
        /// Which tokens.
        tokens: TokenSelection,
        /// Only say what would happen.
        #[serde(default, skip_serializing_if = "is_false")]
        dry_run: bool,
    },
    /// Revokes the tokens of which nothing was heard for a while. Returns [`crate::views::TokensChanged`].
    TokensPrune {
        /// Nothing heard for so many milliseconds.
        stale_ms: u64,
        /// Of these only the ones that match.
        #[serde(default, deserialize_with = "strict_filter", skip_serializing_if = "Option::is_none")]
        select: Option<TokenFilter>,
        /// Only say what would happen.
        #[serde(default, skip_serializing_if = "is_false")]
        dry_run: bool,
    },
    /// Takes tokens from a file. Returns [`crate::views::TokensImported`].
    TokensImport(TokenImport),
    /// Returns [`crate::views::TokensExported`], in pages.
    TokensExport {
        /// Where the last page ended; absent: from the beginning.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<u64>,
    },
    /// Sets the numbers on the apps' icons. Returns [`crate::views::TokensChanged`].
    BadgesReset {
        /// Which tokens.
        tokens: TokenSelection,
        /// The number.
        #[serde(default)]
        to: u32,
        /// Only say what would happen.
        #[serde(default, skip_serializing_if = "is_false")]
        dry_run: bool,
    },
    /// Goes to the providers as far as possible without sending anything. Returns [`crate::views::PushCheck`].
    PushCheck {
        /// Only this kind of transport.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        transport: Option<TransportKind>,
    },
    /// Returns [`crate::views::PushQueue`].
    PushQueue,
    /// Ends the rest of transports that have failed, and sends what waits for them. Returns [`crate::views::PushRetried`].
    ///
    PushRetry {
        /// Only this kind of transport.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        transport: Option<TransportKind>,
    },
    /// Returns [`crate::views::Why`].
    Why {
        /// Which event.
        event: EventId,
        /// Only for this token, in any form that names it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<String>,
    },
    /// Walks over the installation, or follows one alarm for one phone or user. Returns [`crate::views::Doctor`].
    ///
    Doctor {
        /// A user of ZoneMinder, or a token in any form that names it; absent: the installation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target: Option<String>,
        /// Whose alarm to follow; absent: of any monitor.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        monitor: Option<MonitorId>,
    },
    /// Returns [`crate::views::Latency`].
    Latency,
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
    /// Says whether the answer needs requests to the providers of pushes.
    pub fn asks_providers(&self) -> bool {
        matches!(
            self,
            Self::PushCheck { .. }
                | Self::Doctor { .. }
                | Self::Check { check: CheckKind::Push | CheckKind::All, .. }
        )
    }

    /// Says which role may ask this.
    pub fn access(&self) -> Access {
        match self {
            Self::Status
            | Self::ClientsList(_)
            | Self::ClientsRejected { .. }
            | Self::MonitorsList
            | Self::Watch(_)
            | Self::Check { .. }
            | Self::TokensLog { .. }
            | Self::PushCheck { .. }
            | Self::PushQueue
            | Self::Why { .. }
            | Self::Doctor { .. }
            | Self::Latency
            | Self::Unknown => Access::Read,
            Self::AlarmTest(AlarmTest { dry_run, .. })
            | Self::TokensRevoke { dry_run, .. }
            | Self::TokensBlock { dry_run, .. }
            | Self::TokensUnblock { dry_run, .. }
            | Self::TokensPrune { dry_run, .. }
            | Self::TokensMute { dry_run, .. }
            | Self::TokensUnmute { dry_run, .. }
            | Self::TokensImport(TokenImport { dry_run, .. })
            | Self::BadgesReset { dry_run, .. } => changing(!dry_run),
            Self::LogLevel { level, .. } => changing(!level.is_empty()),
            Self::TokensList(TokenFilter { reveal, .. }) | Self::TokensShow { reveal, .. } => {
                changing(*reveal)
            }
            Self::ClientsDisconnect { .. }
            | Self::MonitorsReload
            | Self::AlarmForce { .. }
            | Self::AlarmCancel { .. }
            | Self::Reload
            | Self::TokensRestore { .. }
            | Self::TokensExport { .. }
            | Self::PushRetry { .. }
            | Self::ConfigShow => Access::Admin,
        }
    }
}

/// What is not said where it is not so.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// What needs an admin only where it changes or reveals something.
fn changing(does: bool) -> Access {
    if does { Access::Admin } else { Access::Read }
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
    /// Only clients, tokens and decisions of this ZoneMinder user; `*` stands for any run of characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Only lines of these types; empty: of all. `lagged` always comes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<WatchType>,
    /// What happened since then comes first, from the record: alarms, what was decided for tokens, what became of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
}

/// A type of line of `watch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum WatchType {
    /// Alarms that were announced.
    Alarm,
    /// What was decided for each client and token.
    Decision,
    /// What became of pushes.
    Delivery,
    /// Clients that come, change and leave.
    #[cfg_attr(feature = "clap", value(alias = "client"))]
    Session,
    /// Tokens that come, change and go.
    Token,
    /// Monitors whose state or health changes.
    Monitor,
    /// A type of a newer client.
    #[serde(other)]
    #[cfg_attr(feature = "clap", value(skip))]
    Unknown,
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
    /// Every provider of pushes can be reached and accepts us.
    Push,
    /// The daemon's own state can be read and written.
    Store,
    /// All of them.
    All,
    /// A check of a newer client.
    #[serde(other)]
    #[cfg_attr(feature = "clap", value(skip))]
    Unknown,
}
