//! Settings that apply to new connections at once after a reload.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::config::Config;
use crate::protocol::ServerIdentity;
use crate::route::PushRules;

/// The settings of the WebSocket server. Connections keep the settings that they began with.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    pub identity: Arc<ServerIdentity>,
    pub max_clients: usize,
    /// Maximum number of connections per address (IPv6: per /64, which is what one home has).
    pub max_clients_per_address: usize,
    /// Proxies that are trusted to name a client's address.
    pub trusted_proxies: Vec<IpNet>,
    /// Browser origins that may connect, in lower case.
    pub allowed_origins: Vec<String>,
    /// Push is on: tokens and badges are accepted.
    pub push: bool,
    pub auth_timeout: Duration,
}

impl ServerSettings {
    pub fn new(config: &Config) -> Self {
        let server = &config.server;
        Self {
            identity: Arc::new(ServerIdentity {
                version: server.advertised_version.clone(),
                server: concat!("zmesd/", env!("CARGO_PKG_VERSION")).to_owned(),
            }),
            max_clients: server.max_clients,
            max_clients_per_address: server.max_clients_per_address,
            trusted_proxies: server.trusted_proxies.clone(),
            allowed_origins: server.allowed_origins.clone(),
            push: PushRules::new(&config.push).phones,
            auth_timeout: config.auth.timeout,
        }
    }

    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(&address))
    }
}
