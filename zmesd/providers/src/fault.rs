//! Faults of a transport: their kind and the provider's words.

use std::fmt;
use std::time::Duration;

use zmes_shared::words::FaultKind;

/// A fault of a transport, not of the token or the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What kind of fault.
    pub kind: FaultKind,
    /// HTTP status, if the provider answered.
    pub status: Option<u16>,
    /// What happened: one line, bounded, without secrets; the provider's words, if there are any.
    pub detail: String,
    /// How long the provider asks to wait.
    pub retry_after: Option<Duration>,
}

impl Fault {
    /// A fault without an answer of the provider.
    pub fn unanswered(kind: FaultKind, detail: impl Into<String>) -> Self {
        Self { kind, status: None, detail: detail.into(), retry_after: None }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if matches!(self.kind, FaultKind::Credentials | FaultKind::NotFound) {
            return write!(f, "the provider refused us: {}", self.detail);
        }
        f.write_str(&self.detail)
    }
}
