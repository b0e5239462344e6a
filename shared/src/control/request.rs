//! Requests to the daemon.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::rules::RulesTest;
use super::snooze::{SnoozeEnd, SnoozeSet};
use super::tokens::{TokenFilter, TokenImport, TokenSelection, TransportChoice, strict_filter};
use super::watch::{Since, WatchFilter};
use crate::{EventId, MonitorId, SessionId};

/// How long `alarm force` lasts by default, in milliseconds.
pub const ALARM_FOR_DEFAULT_MS: u64 = 10_000;

/// One request, `{"type":"…",…}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Request {
    /// Returns [`crate::views::Status`].
    Status,
    /// Returns [`crate::views::Clients`].
    ClientsList(ClientFilter),
    /// Closes one app's connection. Returns [`crate::views::Done`].
    ClientsDisconnect {
        /// The connection's id, from `clients list`.
        client: SessionId,
    },
    /// Returns [`crate::views::Rejected`].
    ClientsRejected {
        /// Only refusals within this many milliseconds; absent: since the daemon started.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since_ms: Option<u64>,
    },
    /// Returns [`crate::views::Monitors`].
    MonitorsList,
    /// Reads monitors, users and rights from ZoneMinder's database again. Returns [`crate::views::Reloaded`].
    MonitorsReload,
    /// Announces a synthetic alarm, as if it came from ZoneMinder. Returns [`crate::views::AlarmTested`].
    AlarmTest(AlarmTest),
    /// Makes ZoneMinder itself start a recording. Returns [`crate::views::AlarmForced`].
    AlarmForce {
        /// Which monitor.
        monitor: MonitorId,
        /// The daemon cancels it after this many milliseconds (1 s to 1 h).
        for_ms: u64,
    },
    /// Cancels a forced alarm. Returns [`crate::views::AlarmForced`].
    AlarmCancel {
        /// Which monitor.
        monitor: MonitorId,
    },
    /// A stream of [`super::WatchEvent`]: the current state, then each change.
    Watch(WatchFilter),
    /// Returns [`crate::views::Check`].
    Check {
        /// What to check.
        check: CheckKind,
        /// For `tls` and `all`: the certificate must stay valid for at least this many milliseconds; absent: a third of its
        /// lifetime, at most 30 days.
        #[serde(default)]
        within_ms: Option<u64>,
    },
    /// Returns [`crate::views::Troubles`].
    Troubles {
        /// Also include troubles that are over.
        #[serde(default)]
        history: bool,
    },
    /// Changes or shows the log level. Returns [`crate::views::LogLevel`].
    LogLevel {
        /// `error`, `warn`, `info`, `debug`, `trace`, or directives such as `zmesd::ws=debug`; absent: the level does not change.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        level: String,
        /// The configured level returns after this many milliseconds; absent: the change is permanent.
        #[serde(default)]
        for_ms: Option<u64>,
    },
    /// Reads and applies the configuration again. Returns [`crate::views::ConfigReloaded`].
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
        /// Also return the token itself; for admins.
        #[serde(default)]
        reveal: bool,
    },
    /// Returns [`crate::views::Deliveries`], newest first.
    TokensLog {
        /// The token, in any form that names it.
        token: String,
        /// Maximum number of deliveries; absent: 100.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
    },
    /// Revokes tokens; they can be restored for `state.keep-tombstones`. Returns [`crate::views::TokensChanged`].
    TokensRevoke {
        /// Which tokens.
        tokens: TokenSelection,
        /// Report what would happen, change nothing.
        #[serde(default, skip_serializing_if = "is_false")]
        dry_run: bool,
    },
    /// Revokes tokens (including already revoked ones) and prevents their apps from registering them again. Returns
    /// [`crate::views::TokensChanged`].
    TokensBlock {
        /// Which tokens.
        tokens: TokenSelection,
        /// Report what would happen, change nothing.
        #[serde(default, skip_serializing_if = "is_false")]
        dry_run: bool,
    },
    /// Allows apps to register blocked tokens again. The tokens stay revoked until then, or until they are restored.
    /// Returns [`crate::views::TokensChanged`].
    TokensUnblock {
        /// Which tokens.
        tokens: TokenSelection,
        /// Report what would happen, change nothing.
        #[serde(default, skip_serializing_if = "is_false")]
        dry_run: bool,
    },
    /// Restores a revoked token. Returns [`crate::views::TokensChanged`].
    TokensRestore {
        /// The token, in any form that names it.
        token: String,
    },
    /// Mutes tokens: pushes to them are skipped. Returns [`crate::views::TokensChanged`].
    TokensMute {
        /// Which tokens.
        tokens: TokenSelection,
        /// Report what would happen, change nothing.
        #[serde(default, skip_serializing_if = "is_false")]
        dry_run: bool,
        /// For this many milliseconds; absent: until unmuted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_ms: Option<u64>,
    },
    /// Unmutes tokens. Returns [`crate::views::TokensChanged`].
    TokensUnmute {
        /// Which tokens.
        tokens: TokenSelection,
        /// Report what would happen, change nothing.
        #[serde(default, skip_serializing_if = "is_false")]
        dry_run: bool,
    },
    /// Revokes tokens whose app has not been seen for a while. Returns [`crate::views::TokensChanged`].
    TokensPrune {
        /// Not seen for at least this many milliseconds.
        stale_ms: u64,
        /// Of these, only tokens that match this filter.
        #[serde(default, deserialize_with = "strict_filter", skip_serializing_if = "Option::is_none")]
        select: Option<TokenFilter>,
        /// Report what would happen, change nothing.
        #[serde(default, skip_serializing_if = "is_false")]
        dry_run: bool,
    },
    /// Imports tokens from a file. Returns [`crate::views::TokensImported`].
    TokensImport(TokenImport),
    /// Returns [`crate::views::TokensExported`], in pages.
    TokensExport {
        /// Where the previous page ended; absent: from the beginning.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<u64>,
    },
    /// Sets the badges, the numbers on the apps' icons. Returns [`crate::views::TokensChanged`].
    BadgesReset {
        /// Which tokens.
        tokens: TokenSelection,
        /// The number.
        #[serde(default)]
        to: u32,
        /// Report what would happen, change nothing.
        #[serde(default, skip_serializing_if = "is_false")]
        dry_run: bool,
    },
    /// Checks the providers as far as possible without sending a push. Returns [`crate::views::PushCheck`].
    PushCheck {
        /// Only transports of this kind, or that of this target.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        transport: Option<TransportChoice>,
    },
    /// Returns [`crate::views::PushQueue`].
    PushQueue,
    /// Ends the pause of transports that have failed, and sends what waits for them. Returns
    /// [`crate::views::PushRetried`].
    ///
    PushRetry {
        /// Only transports of this kind, or that of this target.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        transport: Option<TransportChoice>,
    },
    /// Reads the picture of an event as for a phone. Returns [`crate::views::PictureTested`].
    PicturesTest {
        /// Which event.
        event: EventId,
    },
    /// Reads the picture of an alarm for a program. Returns [`crate::views::PictureRead`].
    PicturesRead {
        /// Which event. 0: reads nothing, and so tells whether this client may ask.
        event: EventId,
        /// When the alarm was found; absent: any alarm of the event.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Timestamp>,
        /// How long to wait for the picture, in milliseconds; at most 10 s.
        wait_ms: u64,
    },
    /// Makes a new key, which ends all existing links to pictures. Returns [`crate::views::Done`].
    PicturesRotate,
    /// Returns [`crate::views::MqttStatus`].
    MqttStatus,
    /// Opens a second connection to the MQTT broker, publishes a message and reads it back. Returns
    /// [`crate::views::PushCheck`].
    MqttCheck,
    /// Removes everything that zmesd has retained at the MQTT broker; nothing is published until a reload. Returns
    /// [`crate::views::MqttCleared`].
    MqttClear,
    /// Returns [`crate::views::ClusterStatus`]: the nodes as this one sees them.
    ClusterStatus,
    /// Has another node of the cluster send the pushes. Returns [`crate::views::Done`].
    ClusterHandover {
        /// Which node; absent: any other that is at work.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<String>,
    },
    /// Removes a node of the cluster that is not at work any more. Returns [`crate::views::Done`].
    ClusterLeave {
        /// Which node.
        node: String,
    },
    /// Announced alarms, the newest last. Returns [`crate::views::Events`], in pages.
    Events(EventFilter),
    /// Counts the announced alarms of the last 24 hours. Returns [`crate::views::EventsHourly`].
    EventsHourly,
    /// Returns [`crate::views::Why`].
    Why {
        /// Which event.
        event: EventId,
        /// Only for this token, in any form that names it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<String>,
    },
    /// Examines the installation, or follows one alarm to one phone or user. Returns [`crate::views::Doctor`].
    ///
    Doctor {
        /// A user of ZoneMinder, or a token in any form that names it; absent: the installation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target: Option<String>,
        /// The monitor whose alarm is followed; absent: any monitor.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        monitor: Option<MonitorId>,
    },
    /// Returns [`crate::views::Rules`].
    RulesList,
    /// Determines which rule would decide. Returns [`crate::views::RulesTested`].
    RulesTest(RulesTest),
    /// Returns [`crate::views::Latency`].
    Latency,
    /// Stops pushes of a monitor for a while. Changes the snooze for the same monitor and phones, if there is one.
    /// Returns [`crate::views::SnoozesChanged`].
    SnoozeSet(SnoozeSet),
    /// Returns [`crate::views::Snoozes`].
    SnoozeList,
    /// Ends snoozes early. Returns [`crate::views::SnoozesChanged`].
    SnoozeEnd(SnoozeEnd),
    /// A request of a newer client; answered with `unsupported`.
    #[serde(other)]
    Unknown,
}

/// Access that a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It reads only.
    Read,
    /// It changes something, or reveals a secret.
    Admin,
}

impl Request {
    /// Returns whether the answer requires requests to push providers.
    pub fn asks_providers(&self) -> bool {
        matches!(
            self,
            Self::PushCheck { .. }
                | Self::Doctor { .. }
                | Self::Check { check: CheckKind::Push | CheckKind::All, .. }
        )
    }

    /// Returns which role may send this request.
    pub fn access(&self) -> Access {
        match self {
            Self::Status
            | Self::ClientsList(_)
            | Self::ClientsRejected { .. }
            | Self::MonitorsList
            | Self::Watch(_)
            | Self::Check { .. }
            | Self::Troubles { .. }
            | Self::TokensLog { .. }
            | Self::PushCheck { .. }
            | Self::PushQueue
            | Self::PicturesTest { .. }
            | Self::MqttStatus
            | Self::MqttCheck
            | Self::ClusterStatus
            | Self::Events(_)
            | Self::EventsHourly
            | Self::Why { .. }
            | Self::Doctor { .. }
            | Self::RulesList
            | Self::RulesTest(_)
            | Self::Latency
            | Self::SnoozeList
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
            | Self::PicturesRead { .. }
            | Self::PicturesRotate
            | Self::MqttClear
            | Self::ClusterHandover { .. }
            | Self::ClusterLeave { .. }
            | Self::SnoozeSet(_)
            | Self::SnoozeEnd(_)
            | Self::ConfigShow => Access::Admin,
        }
    }
}

/// Omits `false` from the JSON.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
pub(super) fn is_false(flag: &bool) -> bool {
    !flag
}

/// Returns the access for a request that needs an admin only if it changes or reveals something.
fn changing(does: bool) -> Access {
    if does { Access::Admin } else { Access::Read }
}

/// Which clients to list; an absent member does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClientFilter {
    /// ZoneMinder user name; `*` matches any run of characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Whether the client has logged in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<ClientState>,
    /// An address or a network in CIDR notation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// Whether a client has logged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum ClientState {
    /// Connected, but not logged in.
    Pending,
    /// Logged in: it receives alarms.
    #[serde(other)]
    Authenticated,
}

/// A synthetic alarm.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AlarmTest {
    /// The monitor that it seems to come from; absent: the first watched one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor: Option<MonitorId>,
    /// Only to this token (handle); absent: to all clients and tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Report who would receive it, but send nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// Answer when every target has received it or failed, not when it is queued.
    #[serde(default)]
    pub wait: bool,
}

/// Which announced alarms to list; an absent member does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventFilter {
    /// Only this monitor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor: Option<MonitorId>,
    /// Only alarms after this point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
    /// Only alarms up to this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Maximum number of alarms in this page (at most 1000), the newest; absent: 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Where this page ends: `next` of the previous page; absent: with the newest alarm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
}

/// What `check` examines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum CheckKind {
    /// The daemon answers, and its poller and router work.
    Ping,
    /// The shared memory of every watched monitor is alive.
    Shm,
    /// ZoneMinder's database answers.
    Db,
    /// The certificate is valid for long enough.
    Tls,
    /// Every push provider can be reached and accepts the credentials.
    Push,
    /// The MQTT broker is connected, if one is configured.
    Mqtt,
    /// The ledger answers, all nodes are at work, and one of them sends pushes, if `[cluster]` is enabled.
    Cluster,
    /// The state file can be read and written.
    Store,
    /// No trouble is open. `all` checks the underlying findings itself, and so does not include this one.
    Troubles,
    /// All of these checks.
    All,
    /// A check of a newer client.
    #[serde(other)]
    #[cfg_attr(feature = "clap", value(skip))]
    Unknown,
}
