//! TLS of the WebSocket server: the certificate and its key, checked before use, replaced while serving.
//!
//! Owns the current pair. Problems that make TLS impossible are a [`TlsError`] (the daemon does not start, a reload
//! changes nothing). Problems that only make apps complain are a [`TlsWarning`]; the pair is served anyway: zmNinja
//! accepts any certificate unless configured otherwise, and an expired one is better than no alarms.

mod apple;
mod error;
mod findings;
mod judge;
mod order;
mod pair;
mod summary;

pub use error::{TlsError, TlsWarning};
pub use findings::findings;
pub use pair::{LoadedPair, load};
pub use summary::CertificateSummary;

use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::config::TlsFiles;

/// The current certificate. New connections use a new one at once, open ones keep theirs.
#[derive(Debug)]
pub struct CertStore {
    pair: ArcSwap<LoadedPair>,
}

impl CertStore {
    pub fn new(pair: LoadedPair) -> Arc<Self> {
        Arc::new(Self { pair: ArcSwap::from_pointee(pair) })
    }

    pub fn current(&self) -> Arc<LoadedPair> {
        self.pair.load_full()
    }

    /// Loads a pair and serves it; on an error nothing changes. Reads files: not for the event loop.
    pub fn reload(&self, files: &TlsFiles, now: Timestamp) -> Result<Arc<LoadedPair>, TlsError> {
        let pair = Arc::new(load(files, now)?);
        self.pair.store(Arc::clone(&pair));
        Ok(pair)
    }

    /// Returns whether the files of the current pair have changed since they were loaded (or cannot be read).
    pub fn changed_on_disk(&self) -> bool {
        self.pair.load().changed_on_disk()
    }
}

impl ResolvesServerCert for CertStore {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.pair.load().key))
    }
}

/// Returns the server's TLS configuration: 1.2 and 1.3, with the store's current certificate at each handshake.
pub fn server_config(store: Arc<CertStore>) -> Result<Arc<ServerConfig>, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(TlsError::Provider)?;
    let mut config = builder.with_no_client_auth().with_cert_resolver(store);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Apps open one connection and keep it: one ticket for the next time is enough.
    config.send_tls13_tickets = 1;
    Ok(Arc::new(config))
}

/// Returns the only cryptography provider of the daemon, without setting a process-wide default.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

#[cfg(test)]
mod tests;
