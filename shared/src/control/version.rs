//! Versions of the control protocol, and the greeting that carries them.

use serde::{Deserialize, Serialize};

/// Version of the control protocol that this crate speaks.
pub const PROTOCOL: Protocol = Protocol { major: 1, minor: 1 };

/// A version of the control protocol. Peers of the same major version understand each other.
///
/// The minor version grows with new requests (an older daemon answers `unsupported`), members (readers ignore unknown
/// ones), and enum values (read as `unknown`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Protocol {
    /// Different values are incompatible.
    pub major: u32,
    /// Grows with each addition.
    pub minor: u32,
}

impl Protocol {
    /// Returns whether a peer with this version is compatible.
    pub fn understands(self, peer: Self) -> bool {
        self.major == peer.major
    }
}

/// Role of a peer of the control socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// May change things: root, the daemon's own user, members of the admin group.
    Admin,
    /// May only read.
    #[serde(other)]
    Observer,
}

/// The first line that the daemon sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Hello {
    /// Its content; the wrapper makes the line recognisable.
    pub hello: Greeting,
}

/// Versions of the daemon, and the role of the peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Greeting {
    /// The daemon's version of the protocol.
    pub protocol: Protocol,
    /// The daemon's own version, "0.2.0".
    pub daemon: String,
    /// The peer's role, determined by its Unix credentials.
    pub role: Role,
}

impl Hello {
    /// Returns the greeting of a daemon of version `daemon` to a peer in `role`.
    pub fn new(daemon: String, role: Role) -> Self {
        Self { hello: Greeting { protocol: PROTOCOL, daemon, role } }
    }
}
