//! Reads the files of transports: PEM, .p12, JSON. Bounded; every error names the key of `zmesd.toml`.

use std::path::Path;

use p12_keystore::KeyStore;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use zmes_files::pemfile::{self, FileContent, PemError};

use super::problem::TransportProblem;

const CERTIFICATE: &str = "push.apns.certificate";
pub(super) const KEY: &str = "push.apns.key";

/// A certificate chain and its key.
pub(super) type ClientIdentity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

pub(super) fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, TransportProblem> {
    pemfile::read(path).map_err(|problem| TransportProblem::File { key, problem })
}

pub(super) fn certificates(
    key: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, TransportProblem> {
    pemfile::certificates(path).map_err(|problem| TransportProblem::File { key, problem })
}

pub(super) fn private_key(
    key: &'static str,
    path: &Path,
) -> Result<PrivateKeyDer<'static>, TransportProblem> {
    pemfile::private_key(path).map_err(|problem| TransportProblem::File { key, problem })
}

/// Reads the client certificate for APNs: PEM with the key in it or in another file, or .p12.
pub(super) fn identity(
    certificate: &Path,
    key: Option<&Path>,
    password: &str,
) -> Result<ClientIdentity, TransportProblem> {
    let bytes = read(CERTIFICATE, certificate)?;
    let problem = |problem| TransportProblem::File { key: CERTIFICATE, problem };
    let chain = match pemfile::certificates_in(certificate, &bytes) {
        Err(PemError::Holds { found: FileContent::Pkcs12, .. }) => {
            return keystore(certificate, &bytes, password);
        }
        chain => chain.map_err(problem)?,
    };
    let key = match key {
        Some(path) => private_key(KEY, path)?,
        None => pemfile::private_key_in(certificate, &bytes).map_err(problem)?,
    };
    Ok((chain, key))
}

fn keystore(path: &Path, bytes: &[u8], password: &str) -> Result<ClientIdentity, TransportProblem> {
    let problem = |detail: String| TransportProblem::Keystore { path: path.to_owned(), detail };
    let store = KeyStore::from_pkcs12(bytes, password).map_err(|error| problem(error.to_string()))?;
    let Some((_, found)) = store.private_key_chain() else {
        return Err(problem("it contains no private key with its certificate".to_owned()));
    };
    let chain: Vec<_> =
        found.chain().iter().map(|certificate| CertificateDer::from(certificate.as_der().to_vec())).collect();
    if chain.is_empty() {
        return Err(problem("it contains no certificate for its private key".to_owned()));
    }
    Ok((chain, PrivatePkcs8KeyDer::from(found.key().to_vec()).into()))
}
