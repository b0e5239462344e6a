//! `zmesctl clients list`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::control::ClientState;
use crate::{MonitorId, SessionId};

/// The apps that are connected.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Clients {
    /// Ordered by id.
    pub clients: Vec<ClientView>,
}

/// One connected app.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// Handle of the push token that it registered.
    pub token: Option<String>,
    /// Frames that wait to be written.
    pub queued: u64,
    /// Alarms sent.
    pub sent: u64,
}
