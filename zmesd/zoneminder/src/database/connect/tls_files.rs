//! The files of `ZM_DB_SSL_*`, read by the reader of all certificates and handed to sqlx as PEM text.

use std::path::Path;

use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use tokio::task::spawn_blocking;
use zmes_files::pemfile::{self, PemError};

use crate::conf::{DatabaseConfig, DatabaseTls};
use crate::database::explain::{Answer, Fault};
use zmes_shared::database::ServerAddress;

/// What the files hold, as PEM.
pub(super) struct TlsTexts {
    ca: String,
    client: Option<(String, String)>,
    verify_server: bool,
}

/// The client's key must not be printed.
impl std::fmt::Debug for TlsTexts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsTexts").finish_non_exhaustive()
    }
}

impl TlsTexts {
    /// Reads the files if a CA certificate is set. Each connection reads them again: they may have been renewed.
    pub(super) async fn read(database: &DatabaseConfig) -> Answer<Option<Self>> {
        let Some(tls) = database.tls.clone() else { return Ok(None) };
        let read = spawn_blocking(move || Self::read_blocking(&tls)).await;
        let read = read.map_err(|error| sqlx::Error::Io(std::io::Error::other(error)))?;
        read.map(Some).map_err(|(name, problem)| Fault::File { name, problem })
    }

    fn read_blocking(tls: &DatabaseTls) -> Result<Self, (&'static str, PemError)> {
        let ca = certificates("ZM_DB_SSL_CA_CERT", &tls.ca)?;
        let client = match &tls.client {
            None => None,
            Some((certificate, key)) => {
                let certificate = certificates("ZM_DB_SSL_CLIENT_CERT", certificate)?;
                let key = pemfile::private_key(key).map_err(|problem| ("ZM_DB_SSL_CLIENT_KEY", problem))?;
                Some((certificate, pemfile::key_text(&key)))
            }
        };
        Ok(Self { ca, client, verify_server: tls.verify_server })
    }

    /// Requires TLS. Over a local socket the server is not verified: it has no name there, and nothing can be between.
    pub(super) fn apply(&self, options: MySqlConnectOptions, place: &ServerAddress) -> MySqlConnectOptions {
        let mode = match place {
            ServerAddress::Socket(_) => MySqlSslMode::Preferred,
            ServerAddress::Tcp(..) if self.verify_server => MySqlSslMode::VerifyIdentity,
            ServerAddress::Tcp(..) => MySqlSslMode::VerifyCa,
        };
        let options = options.ssl_mode(mode).ssl_ca_from_pem(self.ca.clone().into_bytes());
        match &self.client {
            Some((certificate, key)) => {
                options.ssl_client_cert_from_pem(certificate).ssl_client_key_from_pem(key)
            }
            None => options,
        }
    }
}

fn certificates(name: &'static str, path: &Path) -> Result<String, (&'static str, PemError)> {
    let chain = pemfile::certificates(path).map_err(|problem| (name, problem))?;
    Ok(pemfile::certificates_text(&chain))
}
