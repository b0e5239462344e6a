//! A self-signed certificate for one run of the demo.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::DemoError;
use crate::config::TlsFiles;

const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// How long it is valid, in days; phones refuse certificates valid for more than 825.
const VALID_DAYS: i64 = 30;

/// The pair on disk, and the certificate for clients that must trust it.
pub(super) struct Certificate {
    pub(super) files: TlsFiles,
    der: CertificateDer<'static>,
    /// PKCS #8.
    key: Vec<u8>,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Certificate {
    /// Creates a pair for this machine's loopback names (and `address`) and writes it to `directory`.
    ///
    /// Not a CA: TLS libraries refuse a server whose own certificate says that it is a CA.
    pub(super) fn create(directory: &Path, address: IpAddr, now: Timestamp) -> Result<Self, DemoError> {
        let mut names: Vec<String> = NAMES.iter().map(ToString::to_string).collect();
        if !address.is_unspecified() && !address.is_loopback() {
            names.push(address.to_string());
        }
        let mut wanted = CertificateParams::new(names)?;
        wanted.distinguished_name.push(DnType::CommonName, "zmesd demo");
        wanted.is_ca = IsCa::ExplicitNoCa;
        wanted.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let (year, month, day) = date_in(-1, now);
        wanted.not_before = date_time_ymd(year, month, day);
        let (year, month, day) = date_in(VALID_DAYS, now);
        wanted.not_after = date_time_ymd(year, month, day);
        let key = KeyPair::generate()?;
        let certificate = wanted.self_signed(&key)?;

        let files = TlsFiles { certificate: directory.join("cert.pem"), key: directory.join("key.pem") };
        fs::write(&files.certificate, certificate.pem()).map_err(DemoError::writing(&files.certificate))?;
        write_private(&files.key, &key.serialize_pem()).map_err(DemoError::writing(&files.key))?;
        Ok(Self { files, der: certificate.der().clone(), key: key.serialize_der() })
    }

    pub(super) fn server(&self) -> Result<Arc<ServerConfig>, DemoError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.clone()));
        Ok(Arc::new(versions.with_no_client_auth().with_single_cert(vec![self.der.clone()], key)?))
    }

    pub(super) fn client(&self) -> Result<Arc<ClientConfig>, DemoError> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone())?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        Ok(Arc::new(versions.with_root_certificates(roots).with_no_client_auth()))
    }
}

fn date_in(days: i64, now: Timestamp) -> (i32, u8, u8) {
    let date = now.to_zoned(TimeZone::UTC).date().saturating_add(Span::new().days(days));
    (date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use x509_parser::parse_x509_certificate;
    use x509_parser::prelude::GeneralName;

    use super::*;

    #[test]
    fn it_is_a_server_certificate_for_the_loopback_names_and_no_ca() {
        let directory = tempfile::tempdir().unwrap();
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let made = Certificate::create(directory.path(), "192.0.2.7".parse().unwrap(), now).unwrap();
        let (_, certificate) = parse_x509_certificate(&made.der).unwrap();
        assert!(!certificate.is_ca());
        assert_eq!(certificate.validity().not_before.to_datetime().unix_timestamp(), 1_795_219_200);
        assert_eq!(certificate.validity().not_after.to_datetime().unix_timestamp(), 1_797_897_600);
        let names = certificate.subject_alternative_name().unwrap().expect("names");
        let names: Vec<_> = names.value.general_names.iter().map(ToString::to_string).collect();
        assert_eq!(names.len(), 4, "{names:?}");
        assert!(matches!(
            certificate.subject_alternative_name().unwrap().unwrap().value.general_names[0],
            GeneralName::DNSName("localhost")
        ));
    }

    #[test]
    fn the_key_is_for_the_owner_alone() {
        use std::os::unix::fs::MetadataExt;
        let directory = tempfile::tempdir().unwrap();
        let made = Certificate::create(directory.path(), "127.0.0.1".parse().unwrap(), Timestamp::UNIX_EPOCH)
            .unwrap();
        assert_eq!(fs::metadata(made.files.key).unwrap().mode() & 0o777, 0o600);
    }
}
