//! Certificates and private keys as files hold them: the one reader for those of the server, of push transports and of
//! the database.
//!
//! What is harmless is taken: a byte order mark, CRLF, text around the blocks, `TRUSTED CERTIFICATE`, DER. What is not is
//! told by what the file holds instead and by the command that converts it ([`PemError`]). No message quotes a file.

mod content;
mod error;

pub use content::FileContent;
pub use error::PemError;

use std::path::Path;

use pem::Pem;
use rustls_pki_types::pem::{Error as ParseError, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer, X509Certificate};

use self::content::{is_der, recognize};
use crate::{read_bounded, without_bom};

/// Longest file that is read, in bytes: a chain is some 10 KiB.
const MAX_FILE: u64 = 1024 * 1024;
/// Other names of a block that holds a certificate: OpenSSL's with trust settings behind it, and an old one.
const ALIASES: [(&str, &str); 4] = [
    ("-----BEGIN TRUSTED CERTIFICATE-----", "-----BEGIN CERTIFICATE-----"),
    ("-----END TRUSTED CERTIFICATE-----", "-----END CERTIFICATE-----"),
    ("-----BEGIN X509 CERTIFICATE-----", "-----BEGIN CERTIFICATE-----"),
    ("-----END X509 CERTIFICATE-----", "-----END CERTIFICATE-----"),
];

/// What a file is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PemPart {
    /// A certificate, with its chain behind it.
    Certificate,
    /// A private key without a passphrase.
    Key,
}

/// Reads a file of at most a mebibyte. Not for the event loop.
pub fn read(path: &Path) -> Result<Vec<u8>, PemError> {
    read_bounded(path, MAX_FILE).map_err(|source| PemError::unreadable(path, source))
}

/// Reads the certificates of a file in their order; at least one. Not for the event loop.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, PemError> {
    certificates_in(path, &read(path)?)
}

/// Returns the certificates that the content of a file holds; at least one, each of which can be parsed.
pub fn certificates_in(path: &Path, content: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let content = without_bom(content);
    if let Some(certificate) = whole(content) {
        return Ok(vec![certificate]);
    }
    let text = normal(content);
    let mut chain = Vec::new();
    for (index, der) in CertificateDer::pem_slice_iter(text.as_bytes()).enumerate() {
        let der = der.map_err(|error| PemError::damaged(path, &error))?;
        chain.push(parsed(&der).map_err(|detail| PemError::BadCertificate {
            path: path.to_owned(),
            position: index + 1,
            detail,
        })?);
    }
    if chain.is_empty() {
        return Err(PemError::other(path, PemPart::Certificate, content));
    }
    Ok(chain)
}

/// Reads the private key of a file. Not for the event loop.
pub fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, PemError> {
    private_key_in(path, &read(path)?)
}

/// Returns the first private key that the content of a file holds.
pub fn private_key_in(path: &Path, content: &[u8]) -> Result<PrivateKeyDer<'static>, PemError> {
    let content = without_bom(content);
    if is_der(content)
        && recognize(content) == FileContent::Key
        && let Ok(key) = PrivateKeyDer::try_from(content.to_vec())
    {
        return Ok(key);
    }
    if recognize(content) == FileContent::EncryptedKey {
        return Err(PemError::Encrypted { path: path.to_owned() });
    }
    PrivateKeyDer::from_pem_slice(normal(content).as_bytes()).map_err(|error| {
        if matches!(error, ParseError::NoItemsFound) {
            return PemError::other(path, PemPart::Key, content);
        }
        PemError::damaged(path, &error)
    })
}

/// Writes certificates as PEM, for libraries that take nothing else.
pub fn certificates_text(chain: &[CertificateDer<'_>]) -> String {
    chain.iter().map(|der| pem::encode(&Pem::new("CERTIFICATE", der.as_ref()))).collect()
}

/// Writes a key as PEM, for libraries that take nothing else.
pub fn key_text(key: &PrivateKeyDer<'_>) -> String {
    #[expect(clippy::wildcard_enum_match_arm, reason = "a foreign, non-exhaustive enum")]
    let label = match key {
        PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
        PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
        _ => "PRIVATE KEY",
    };
    pem::encode(&Pem::new(label, key.secret_der()))
}

/// Returns the certificate that a DER file consists of.
fn whole(content: &[u8]) -> Option<CertificateDer<'static>> {
    (is_der(content) && recognize(content) == FileContent::Certificate).then_some(())?;
    parsed(content).ok()
}

/// Returns the certificate at the start of DER; `TRUSTED CERTIFICATE` has settings of OpenSSL's behind it.
fn parsed(der: &[u8]) -> Result<CertificateDer<'static>, String> {
    let (rest, _) = X509Certificate::from_der(der).map_err(|error| error.to_string())?;
    let length = der.len().saturating_sub(rest.len());
    Ok(CertificateDer::from(der.get(..length).unwrap_or(der).to_vec()))
}

/// Returns PEM text with one kind of line end, no blanks around lines, and one name for certificates.
fn normal(content: &[u8]) -> String {
    let text = String::from_utf8_lossy(content);
    let line = |line: &str| {
        let line = line.trim();
        let alias = ALIASES.iter().find(|(alias, _)| *alias == line);
        format!("{}\n", alias.map_or(line, |(_, name)| name))
    };
    text.lines().map(line).collect()
}

#[cfg(test)]
mod tests;
