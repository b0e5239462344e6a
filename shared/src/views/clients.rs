//! `zmesctl clients list`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::control::ClientState;
use crate::{MonitorId, SessionId};

/// The source of the filter of a connected app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FilterFrom {
    /// The app sent it on this connection.
    Stated,
    /// The app's push token has it.
    Token,
    /// From the app's previous connection, which broke less than 10 minutes earlier.
    Reconnect,
    /// The app sent none, and none is stored: all monitors.
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

/// Connected apps.
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
    /// Address and port of the app (behind a trusted proxy: as reported by the proxy).
    pub address: String,
    /// ZoneMinder user; `null` before authentication.
    pub user: Option<String>,
    /// Whether it has logged in.
    pub state: ClientState,
    /// The app's version; `null` if the app did not send it.
    pub app: Option<String>,
    /// When it connected.
    pub connected_at: Timestamp,
    /// The monitors whose alarms it receives (by its filter and its user's rights); `null`: all.
    pub monitors: Option<Vec<MonitorId>>,
    /// The source of its filter; absent before the login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter_from: Option<FilterFrom>,
    /// Handle of the push token that it registered.
    pub token: Option<String>,
    /// Frames waiting to be written.
    pub queued: u64,
    /// Alarms sent.
    pub sent: u64,
}
