//! A certificate authority for tests: its certificates are trusted only where its `ca.pem` is trusted.

use std::fmt;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;

use crate::epoch_seconds;

/// Validity of a server's certificate in seconds.
const LIFE: i64 = 61 * 24 * 3600;

/// A private authority, and the directory for its files and those of its stand-ins.
#[derive(Clone)]
pub struct Authority {
    inner: Arc<Inner>,
}

struct Inner {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: TempDir,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("directory", &self.inner.directory).finish_non_exhaustive()
    }
}

/// The certificate that a stand-in presents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// A valid one.
    Good,
    /// One that has expired.
    Expired,
    /// One for another name.
    OtherName,
    /// One signed by another authority.
    Strangers,
}

/// A certificate signed by the authority, with its key.
#[derive(Debug)]
pub(crate) struct Signed {
    pub(crate) certificate: rcgen::Certificate,
    pub(crate) key: KeyPair,
}

impl Authority {
    /// Creates an authority and writes its `ca.pem`.
    pub fn new() -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("zmes-standin-").tempdir()?;
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, "Authority of the stand-ins");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        fs::write(directory.path().join("ca.pem"), issuer.pem())?;
        Ok(Self { inner: Arc::new(Inner { issuer, directory }) })
    }

    /// Returns the PEM file to trust.
    pub fn ca(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// Returns a path in the authority's directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory().join(name)
    }

    /// Writes a secret file, readable only by its owner.
    pub(crate) fn write_secret(&self, name: &str, content: &[u8]) -> Result<PathBuf> {
        let path = self.path(name);
        let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        file.write_all(content)?;
        Ok(path)
    }

    pub(crate) fn directory(&self) -> &Path {
        self.inner.directory.path()
    }

    /// Signs a server's certificate for this machine.
    fn sign_server(&self, shown: Shown) -> Result<Signed> {
        let names: &[&str] =
            if shown == Shown::OtherName { &["other.example.org"] } else { &["localhost", "127.0.0.1"] };
        let mut params =
            CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        if shown == Shown::Expired {
            params.not_before = rcgen::date_time_ymd(2020, 1, 1);
            params.not_after = rcgen::date_time_ymd(2020, 4, 1);
        } else {
            let ends = Timestamp::from_second(epoch_seconds() + LIFE)?.to_zoned(TimeZone::UTC);
            let (month, day) = (ends.month().unsigned_abs(), ends.day().unsigned_abs());
            params.not_after = rcgen::date_time_ymd(ends.year().into(), month, day);
        }
        if shown == Shown::Strangers {
            return Self::new()?.sign(params, "localhost");
        }
        self.sign(params, "localhost")
    }

    /// Signs a certificate for a client.
    pub(crate) fn sign_client(&self, common_name: &str) -> Result<Signed> {
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params, common_name)
    }

    fn sign(&self, mut params: CertificateParams, common_name: &str) -> Result<Signed> {
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.inner.issuer)?;
        Ok(Signed { certificate, key })
    }

    /// Returns a server's TLS configuration with these ALPN names. With `client_certificates` it requires one of this
    /// authority.
    pub(crate) fn server(
        &self,
        alpn: &[&[u8]],
        client_certificates: bool,
        shown: Shown,
    ) -> Result<Arc<ServerConfig>> {
        let provider = provider();
        let signed = self.sign_server(shown)?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(rustls::ALL_VERSIONS)?;
        let builder = if client_certificates {
            let mut roots = RootCertStore::empty();
            roots.add(self.certificate())?;
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signed.key.serialize_der()));
        let chain = vec![signed.certificate.der().clone()];
        let mut config = builder.with_single_cert(chain, key).context("certificate of the stand-in")?;
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        Ok(Arc::new(config))
    }

    fn certificate(&self) -> CertificateDer<'static> {
        self.inner.issuer.der().clone()
    }
}

/// Returns the only TLS provider of this project.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
