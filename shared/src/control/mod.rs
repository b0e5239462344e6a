//! The control protocol: envelopes, requests, errors, and the codec that carries them.

#[cfg(feature = "codec")]
pub mod codec;
mod error;
mod event;
mod request;
mod rules;
mod snooze;
mod tokens;
pub mod version;
mod watch;

pub use error::{ControlError, ErrorCode};
pub use event::{Decided, WatchEvent, WatchKind, WatchedToken};
pub use request::{
    ALARM_FOR_DEFAULT_MS, Access, AlarmTest, CheckKind, ClientFilter, ClientState, EventFilter, Request,
};
pub use rules::{ChannelKind, RulesTest};
pub use snooze::{SNOOZE_MAX_MS, SnoozeEnd, SnoozeSet};
pub use tokens::{
    PlatformKind, TokenFilter, TokenImport, TokenRecord, TokenSelection, TokenState, TransportChoice,
    TransportKind,
};
pub use version::{Hello, PROTOCOL, Protocol, Role};
pub use watch::{Since, WatchFilter, WatchType};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Maximum length of a request line in bytes, without its newline.
pub const MAX_REQUEST: usize = 64 * 1024;
/// Maximum length of an answer line in bytes, without its newline.
pub const MAX_REPLY: usize = 16 * 1024 * 1024;

/// What the client sends: one request with an id that the answer repeats.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClientFrame {
    /// Chosen by the client, repeated by the daemon.
    pub id: u64,
    /// The request.
    pub request: Request,
}

/// What the daemon sends after its greeting, with exactly one of `ok`, `error`, `item` and `end`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServerFrame {
    /// The id of the request; `null` if the request could not be parsed.
    pub id: Option<u64>,
    /// The content.
    #[serde(flatten)]
    pub body: ServerBody,
}

/// The content of a [`ServerFrame`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ServerBody {
    /// The request succeeded; the value is one of [`crate::views`].
    Ok(Value),
    /// The request failed.
    Error(ControlError),
    /// One element of a stream.
    Item(Value),
    /// The stream has ended.
    End(StreamEnd),
}

/// Why a stream ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StreamEnd {
    /// For people: "the daemon is stopping".
    pub reason: String,
}

#[cfg(test)]
mod tests;
