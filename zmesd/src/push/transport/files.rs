//! Reading what transports are given as files: PEM, .p12, JSON. Bounded, and every failure names the key.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use p12_keystore::KeyStore;
use rustls_pki_types::pem::{Error as PemError, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::problem::TransportProblem;

/// Longest file that is read, in bytes: a chain is some 10 KiB.
const MAX_FILE: u64 = 1024 * 1024;
/// What DER begins with, and no PEM.
const DER_SEQUENCE: u8 = 0x30;

const CERTIFICATE: &str = "push.apns.certificate";
/// Of a certificate in PEM form.
pub(super) const KEY: &str = "push.apns.key";

/// A certificate with those between it and its root, and its key.
pub(super) type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// Reads a file that a key of the configuration names.
pub(super) fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, TransportProblem> {
    let mut bytes = Vec::new();
    let outcome = File::open(path).and_then(|file| file.take(MAX_FILE).read_to_end(&mut bytes));
    outcome.map(|_| bytes).map_err(|source| TransportProblem::Unreadable {
        key,
        path: path.to_owned(),
        source,
    })
}

/// Reads the certificates of a PEM file; at least one.
pub(super) fn certificates(
    key: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, TransportProblem> {
    certificates_of(key, path, &read(key, path)?)
}

fn certificates_of(
    key: &'static str,
    path: &Path,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, TransportProblem> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let chain = chain.map_err(|error| bad_pem(key, path, &error))?;
    if chain.is_empty() {
        return Err(TransportProblem::NoCertificate { key, path: path.to_owned() });
    }
    Ok(chain)
}

/// Reads the private key of a PEM file.
pub(super) fn private_key(
    key: &'static str,
    path: &Path,
) -> Result<PrivateKeyDer<'static>, TransportProblem> {
    key_of(key, path, &read(key, path)?)
}

fn key_of(key: &'static str, path: &Path, pem: &[u8]) -> Result<PrivateKeyDer<'static>, TransportProblem> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| {
        if matches!(error, PemError::NoItemsFound) {
            return TransportProblem::NoKey { key, path: path.to_owned() };
        }
        bad_pem(key, path, &error)
    })
}

/// Reads the certificate that proves to APNs who we are: PEM with the key beside it or in it, or .p12.
pub(super) fn identity(
    certificate: &Path,
    key: Option<&Path>,
    password: &str,
) -> Result<Identity, TransportProblem> {
    let bytes = read(CERTIFICATE, certificate)?;
    if bytes.first() == Some(&DER_SEQUENCE) {
        return keystore(certificate, &bytes, password);
    }
    let chain = certificates_of(CERTIFICATE, certificate, &bytes)?;
    let key = match key {
        Some(path) => private_key(KEY, path)?,
        None => key_of(CERTIFICATE, certificate, &bytes)?,
    };
    Ok((chain, key))
}

fn keystore(path: &Path, bytes: &[u8], password: &str) -> Result<Identity, TransportProblem> {
    let problem = |detail: String| TransportProblem::Keystore { path: path.to_owned(), detail };
    let store = KeyStore::from_pkcs12(bytes, password).map_err(|error| problem(error.to_string()))?;
    let Some((_, found)) = store.private_key_chain() else {
        return Err(problem("it holds no private key with its certificate".to_owned()));
    };
    let chain: Vec<_> =
        found.chain().iter().map(|certificate| CertificateDer::from(certificate.as_der().to_vec())).collect();
    if chain.is_empty() {
        return Err(problem("it holds no certificate for its private key".to_owned()));
    }
    Ok((chain, PrivatePkcs8KeyDer::from(found.key().to_vec()).into()))
}

/// The PEM parser's own words may quote a line of the file, which may be a key.
fn bad_pem(key: &'static str, path: &Path, error: &PemError) -> TransportProblem {
    #[expect(clippy::wildcard_enum_match_arm, reason = "a foreign, non-exhaustive enum")]
    let detail = match error {
        PemError::MissingSectionEnd { .. } => "an END line is missing",
        PemError::IllegalSectionStart { .. } => "a BEGIN line is damaged",
        PemError::Base64Decode(_) => "what is between BEGIN and END is damaged",
        _ => "it is not valid PEM",
    };
    TransportProblem::Unusable { key, path: path.to_owned(), detail: detail.to_owned() }
}
