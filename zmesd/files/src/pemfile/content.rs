//! What a file holds, recognised by its first bytes and by the names of its blocks.

use std::fmt;

use rustls_pki_types::PrivateKeyDer;
use x509_parser::prelude::{FromDer, X509Certificate};

/// What every DER structure that matters here begins with: SEQUENCE.
const SEQUENCE: u8 = 0x30;
/// 1.2.840.113549.1.7.2, signedData (RFC 2315 section 14).
const PKCS7: [u8; 11] = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// 1.2.840.113549.1.5: the schemes that encrypt a PKCS#8 key (RFC 8018 appendix A).
const PKCS5: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d];

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileContent {
    /// Nothing.
    Empty,
    /// A certificate.
    Certificate,
    /// A private key.
    Key,
    /// A private key under a passphrase.
    EncryptedKey,
    /// A key of `ssh-keygen`.
    OpenSshKey,
    /// A key of `puttygen`.
    PuttyKey,
    /// A public key.
    PublicKey,
    /// A request for a certificate.
    Request,
    /// Parameters of a curve or of Diffie-Hellman alone.
    Parameters,
    /// A list of revoked certificates.
    RevocationList,
    /// A keystore of PKCS#12.
    Pkcs12,
    /// Certificates in PKCS#7, as PEM.
    Pkcs7Pem,
    /// Certificates in PKCS#7, as DER.
    Pkcs7Der,
    /// A keystore of Java.
    JavaKeystore,
    /// Text in UTF-16.
    Utf16,
    /// A web page.
    WebPage,
    /// JSON.
    Json,
    /// Some other text.
    Text,
    /// Some other bytes.
    Binary,
}

impl fmt::Display for FileContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it is empty",
            Self::Certificate => "it holds a certificate",
            Self::Key => "it holds a private key",
            Self::EncryptedKey => "it holds a private key under a passphrase",
            Self::OpenSshKey => "it holds an OpenSSH key",
            Self::PuttyKey => "it holds a PuTTY key",
            Self::PublicKey => "it holds a public key",
            Self::Request => "it holds a certificate request (CSR)",
            Self::Parameters => "it holds parameters alone (BEGIN … PARAMETERS)",
            Self::RevocationList => "it holds a revocation list (CRL)",
            Self::Pkcs12 => "it is a PKCS#12 keystore (.p12, .pfx)",
            Self::Pkcs7Pem | Self::Pkcs7Der => "it is PKCS#7 (.p7b)",
            Self::JavaKeystore => "it is a Java keystore",
            Self::Utf16 => "it is UTF-16 text",
            Self::WebPage => "it is a web page",
            Self::Json => "it is JSON",
            Self::Text => "it is text without a BEGIN line",
            Self::Binary => "it is neither PEM nor DER",
        })
    }
}

pub(super) fn is_der(content: &[u8]) -> bool {
    content.first() == Some(&SEQUENCE)
}

/// Recognises the content of a file, byte order mark removed.
pub(super) fn recognize(content: &[u8]) -> FileContent {
    if content.trim_ascii().is_empty() {
        return FileContent::Empty;
    }
    match content {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return FileContent::Utf16,
        [0xfe, 0xed, 0xfe, 0xed, ..] => return FileContent::JavaKeystore,
        _ => {}
    }
    let text = str::from_utf8(content);
    if let Some(block) = block(&String::from_utf8_lossy(content)) {
        return block;
    }
    match text {
        // `0` begins DER, and may begin a text.
        _ if is_der(content) => der(content).unwrap_or_else(|| text.map_or(FileContent::Binary, other)),
        Ok(text) => other(text),
        Err(_) => FileContent::Binary,
    }
}

/// Recognises PEM by the names of its blocks: what is worth most counts.
fn block(text: &str) -> Option<FileContent> {
    let names: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("-----BEGIN ")?.strip_suffix("-----"))
        .collect();
    let has = |wanted: &[&str]| names.iter().any(|name| wanted.contains(name));
    if text.starts_with("PuTTY-User-Key-File") {
        return Some(FileContent::PuttyKey);
    }
    if has(&["ENCRYPTED PRIVATE KEY"]) || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Some(FileContent::EncryptedKey);
    }
    let known: [(&[&str], FileContent); 8] = [
        (&["CERTIFICATE", "TRUSTED CERTIFICATE", "X509 CERTIFICATE"], FileContent::Certificate),
        (&["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"], FileContent::Key),
        (&["OPENSSH PRIVATE KEY"], FileContent::OpenSshKey),
        (&["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"], FileContent::Request),
        (&["PKCS7", "CMS"], FileContent::Pkcs7Pem),
        (&["PUBLIC KEY", "RSA PUBLIC KEY"], FileContent::PublicKey),
        (&["X509 CRL"], FileContent::RevocationList),
        (&["EC PARAMETERS", "DH PARAMETERS"], FileContent::Parameters),
    ];
    known.iter().find(|(names, _)| has(names)).map(|(_, found)| *found)
}

/// Recognises DER by its first members.
fn der(content: &[u8]) -> Option<FileContent> {
    if X509Certificate::from_der(content).is_ok() {
        return Some(FileContent::Certificate);
    }
    let inner = inside(content)?;
    if inner.starts_with(&PKCS7) {
        return Some(FileContent::Pkcs7Der);
    }
    // PFX has version 3 (RFC 7292 section 4), and then a sequence; no key has that version.
    if inner.starts_with(&[0x02, 0x01, 0x03, SEQUENCE]) {
        return Some(FileContent::Pkcs12);
    }
    if PrivateKeyDer::try_from(content).is_ok() {
        return Some(FileContent::Key);
    }
    let first = inside(inner)?;
    if first.get(2..).is_some_and(|oid| oid.starts_with(&PKCS5)) {
        return Some(FileContent::EncryptedKey);
    }
    // A request's first member begins with version 0 (RFC 2986 section 4.1).
    first.starts_with(&[0x02, 0x01, 0x00]).then_some(FileContent::Request)
}

/// Returns what is inside of a SEQUENCE.
fn inside(der: &[u8]) -> Option<&[u8]> {
    let rest = der.strip_prefix(&[SEQUENCE])?;
    let (&length, rest) = rest.split_first()?;
    let long = if length & 0x80 == 0 { 0 } else { usize::from(length & 0x7f) };
    rest.get(long..)
}

fn other(text: &str) -> FileContent {
    let start = text.trim_start().get(..15).unwrap_or_default().to_ascii_lowercase();
    if start.starts_with("<!doctype html") || start.starts_with("<html") {
        FileContent::WebPage
    } else if text.trim_start().starts_with('{') {
        FileContent::Json
    } else if text.chars().any(|char| char.is_control() && !char.is_ascii_whitespace()) {
        FileContent::Binary
    } else {
        FileContent::Text
    }
}
