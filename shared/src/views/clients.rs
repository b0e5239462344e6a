//! `zmesctl clients list`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::control::ClientState;
use crate::{MonitorId, SessionId};

/// Where the filter of a connected app comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FilterFrom {
    /// The app stated it on this connection.
    Stated,
    /// It is the filter of the app's push token.
    Token,
    /// The app's last connection had it; that broke less than 10 minutes before this one.
    Reconnect,
    /// Nothing was stated and nothing is remembered: all monitors.
    Default,
    /// A source of a newer daemon.
    #[serde(other)]
    Unknown,
}

impl FilterFrom {
    /// Returns the word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stated => "stated",
            Self::Token => "token",
            Self::Reconnect => "reconnect",
            Self::Default => "default",
            Self::Unknown => "unknown",
        }
    }
}

/// The apps that are connected.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Clients {
    /// Ordered by id.
    pub clients: Vec<ClientView>,
}

/// One connected app.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClientView {
    /// Its number, for `clients disconnect`.
    pub id: SessionId,
    /// Address and port of the app (behind a trusted proxy: what the proxy says).
    pub address: String,
    /// ZoneMinder user; `null` before authentication.
    pub user: Option<String>,
    /// How far it has come.
    pub state: ClientState,
    /// The app's own version, as it told; `null` if it did not.
    pub app: Option<String>,
    /// When it connected.
    pub connected_at: Timestamp,
    /// The monitors that it gets (its filter and its user's rights); `null`: all.
    pub monitors: Option<Vec<MonitorId>>,
    /// Where its filter comes from; absent: it has not authenticated, or an older daemon answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter_from: Option<FilterFrom>,
    /// Handle of the push token that it registered.
    pub token: Option<String>,
    /// Frames that wait to be written.
    pub queued: u64,
    /// Alarms sent.
    pub sent: u64,
}
