//! The error in an answer of the daemon.

use serde::{Deserialize, Serialize};

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[error("{message}")]
pub struct ControlError {
    /// For programs; `zmesctl` derives its exit code from it.
    pub code: ErrorCode,
    /// For people: lower case, no full stop.
    pub message: String,
    /// What to do about it, often a command.
    #[serde(default)]
    pub hint: Option<String>,
}

impl ControlError {
    /// Returns an error without a hint.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None }
    }

    /// Returns the refusal of a request that the daemon, of version `daemon`, does not know.
    pub fn unsupported(daemon: &str) -> Self {
        Self::new(ErrorCode::Unsupported, format!("zmesd {daemon} does not know this request"))
            .with_hint("update zmesd, or use the zmesctl that came with it")
    }

    /// Sets the hint: what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Classes of errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The request is malformed.
    BadRequest,
    /// The line was longer than [`super::MAX_REQUEST`].
    TooLarge,
    /// This daemon does not know the request.
    Unsupported,
    /// The peer's role or the operating system does not allow it.
    Forbidden,
    /// No such client, monitor, event or token.
    NotFound,
    /// The current state does not allow it.
    Conflict,
    /// The daemon is busy; try again.
    Busy,
    /// It took longer than allowed.
    Timeout,
    /// The configuration file has problems; the message lists them.
    ConfigInvalid,
    /// Something that the request needs (the database, a monitor's memory) is unavailable.
    Unavailable,
    /// A bug in the daemon.
    Internal,
    /// A code of a newer daemon.
    #[serde(other)]
    Unknown,
}
