//! The WebSocket server over real sockets and real TLS, with a minimal router and a scripted login check.

mod app;
mod dialogue;
mod hostile;
mod limits;
mod pictures;
mod requests;
mod snooze;
mod time;
mod tls;
mod world;

use std::sync::Arc;
use std::time::Duration;

use super::ServerSettings;
use crate::protocol::ServerIdentity;

/// Returns the default settings, for tests to change.
pub(super) fn settings() -> ServerSettings {
    ServerSettings {
        identity: Arc::new(ServerIdentity { version: "7.0.0".to_owned(), server: "zmesd/0.2.0".to_owned() }),
        max_clients: 20_000,
        max_clients_per_address: 500,
        trusted_proxies: Vec::new(),
        allowed_origins: Vec::new(),
        push: false,
        auth_timeout: Duration::from_secs(20),
    }
}
