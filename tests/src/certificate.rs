//! Self-signed certificates as admins create them, and clients that trust only these.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use rcgen::{CertificateParams, IsCa, KeyPair, date_time_ymd};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::CertificateDer;

/// How long a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// From 1975 to 4096, like the self-signed certificates of cameras.
    Long,
    /// Expired in 2001.
    Expired,
}

/// A certificate and its key, as files and as a root for clients.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// PEM file of the certificate.
    pub certificate: PathBuf,
    /// PEM file of the key.
    pub key: PathBuf,
    /// The certificate itself.
    pub der: CertificateDer<'static>,
}

impl Certificate {
    /// Writes `NAME.pem` and `NAME.key` for localhost into `directory`.
    pub fn write(directory: &Path, name: &str, validity: Validity) -> Result<Self> {
        Self::write_for(directory, name, validity, &["localhost", "127.0.0.1", "::1"])
    }

    /// Writes `NAME.pem` and `NAME.key` for the given names and addresses into `directory`.
    pub fn write_for(directory: &Path, name: &str, validity: Validity, subjects: &[&str]) -> Result<Self> {
        let mut params =
            CertificateParams::new(subjects.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        params.is_ca = IsCa::ExplicitNoCa;
        if validity == Validity::Expired {
            params.not_before = date_time_ymd(2000, 1, 1);
            params.not_after = date_time_ymd(2001, 1, 1);
        }
        let key_pair = KeyPair::generate()?;
        let signed = params.self_signed(&key_pair)?;
        let written = Self {
            certificate: directory.join(format!("{name}.pem")),
            key: directory.join(format!("{name}.key")),
            der: signed.der().clone(),
        };
        fs::write(&written.certificate, signed.pem())?;
        fs::write(&written.key, key_pair.serialize_pem())?;
        Ok(written)
    }

    /// Returns a client that trusts only this certificate, with these versions of TLS.
    pub fn client(&self, versions: &[&'static SupportedProtocolVersion]) -> Result<Arc<ClientConfig>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone())?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Arc::new(config))
    }
}
