//! Loading a certificate with its key.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::{Error as PemError, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::apple;
use super::error::{TlsError, TlsWarning};
use super::judge::{chain_warning, time_warning};
use super::provider;
use super::summary::CertificateSummary;
use crate::config::TlsFiles;
use crate::ports::CertificateProblem;

/// Longest file that is read, in bytes: a chain is some 10 KiB.
const MAX_FILE: u64 = 1024 * 1024;

/// A certificate with its key, ready to be served.
#[derive(Debug)]
pub struct LoadedPair {
    /// What people want to know of it.
    pub summary: CertificateSummary,
    /// What apps may complain about.
    pub warnings: Vec<TlsWarning>,
    /// What iOS has against it.
    pub objections: Vec<CertificateProblem>,
    pub(super) key: Arc<CertifiedKey>,
    files: TlsFiles,
    stamps: [Option<Stamp>; 2],
}

/// What a look into a certificate shows.
#[derive(Debug)]
pub(super) struct Inspected {
    pub(super) summary: CertificateSummary,
    pub(super) warnings: Vec<TlsWarning>,
    pub(super) objections: Vec<CertificateProblem>,
}

/// What tells one version of a file from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

impl LoadedPair {
    /// Returns what apps may complain about at that time: the pair may have been loaded long before.
    pub fn warnings_at(&self, now: Timestamp) -> Vec<TlsWarning> {
        let lasting = self.warnings.iter().filter(|warning| !warning.is_about_time()).cloned();
        time_warning(&self.summary, now).into_iter().chain(lasting).collect()
    }

    /// Says whether both show the same certificates.
    pub fn is_same(&self, other: &Self) -> bool {
        self.key.cert == other.key.cert
    }

    /// Says whether the files have changed since.
    pub(super) fn changed_on_disk(&self) -> bool {
        self.stamps.contains(&None) || self.stamps != stamps(&self.files)
    }
}

/// Loads and checks a pair. Reads files: not for the event loop.
pub fn load(files: &TlsFiles, now: Timestamp) -> Result<LoadedPair, TlsError> {
    // Before the files are read: what is written meanwhile is then seen as a change.
    let stamps = stamps(files);
    let chain = certificates(&files.certificate)?;
    let key = private_key(&files.key)?;
    let Inspected { summary, warnings, objections } = inspect(&chain, &files.certificate, now)?;
    let key = certify(files, chain, key)?;
    Ok(LoadedPair { summary, warnings, objections, key: Arc::new(key), files: files.clone(), stamps })
}

/// Joins a chain and a key that belong together.
pub(super) fn certify(
    files: &TlsFiles,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<CertifiedKey, TlsError> {
    CertifiedKey::from_der(chain, key, &provider()).map_err(|error| key_error(files, &error))
}

pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let chain = chain.map_err(|error| bad_pem(path, &error))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate { path: path.to_owned() });
    }
    Ok(chain)
}

pub(super) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read(path)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
        if !matches!(error, PemError::NoItemsFound) {
            return bad_pem(path, &error);
        }
        let path = path.to_owned();
        if contains(&text, b"ENCRYPTED PRIVATE KEY") {
            TlsError::EncryptedKey { path }
        } else {
            TlsError::NoKey { path }
        }
    })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let mut text = Vec::new();
    let outcome = File::open(path).and_then(|file| file.take(MAX_FILE).read_to_end(&mut text));
    outcome.map(|_| text).map_err(|source| TlsError::Unreadable {
        path: path.to_owned(),
        user: current_user(),
        source,
    })
}

/// The PEM parser's own words may quote a line of the file, which may be a key.
fn bad_pem(path: &Path, error: &PemError) -> TlsError {
    #[expect(clippy::wildcard_enum_match_arm, reason = "a foreign, non-exhaustive enum")]
    let detail = match error {
        PemError::MissingSectionEnd { .. } => "an END line is missing",
        PemError::IllegalSectionStart { .. } => "a BEGIN line is damaged",
        PemError::Base64Decode(_) => "what is between BEGIN and END is damaged",
        _ => "it cannot be read",
    };
    TlsError::BadPem { path: path.to_owned(), detail: detail.to_owned() }
}

fn key_error(files: &TlsFiles, error: &rustls::Error) -> TlsError {
    if matches!(error, rustls::Error::InconsistentKeys(_)) {
        return TlsError::KeyMismatch { certificate: files.certificate.clone(), key: files.key.clone() };
    }
    TlsError::BadKey { path: files.key.clone(), detail: error.to_string() }
}

pub(super) fn inspect(
    chain: &[CertificateDer<'static>],
    path: &Path,
    now: Timestamp,
) -> Result<Inspected, TlsError> {
    let mut parsed = Vec::with_capacity(chain.len());
    for (index, der) in chain.iter().enumerate() {
        let (_, certificate) = X509Certificate::from_der(der).map_err(|error| TlsError::BadCertificate {
            path: path.to_owned(),
            position: index + 1,
            detail: error.to_string(),
        })?;
        parsed.push(certificate);
    }
    let Some(own) = parsed.first() else { return Err(TlsError::NoCertificate { path: path.to_owned() }) };
    let summary = CertificateSummary::of(own);
    let mut warnings = Vec::new();
    warnings.extend(time_warning(&summary, now));
    if summary.names.is_empty() {
        warnings.push(TlsWarning::NoNames(summary.subject.clone()));
    }
    if own.is_ca() {
        warnings.push(TlsWarning::IsCa);
    }
    warnings.extend(chain_warning(&parsed, &summary));
    Ok(Inspected { objections: apple::objections(own), summary, warnings })
}

fn stamps(files: &TlsFiles) -> [Option<Stamp>; 2] {
    [&files.certificate, &files.key].map(|path| stamp(path).ok())
}

fn stamp(path: &Path) -> io::Result<Stamp> {
    let meta = fs::metadata(path)?;
    Ok(Stamp { inode: meta.ino(), length: meta.len(), modified: (meta.mtime(), meta.mtime_nsec()) })
}

fn current_user() -> String {
    let uid = nix::unistd::geteuid();
    match nix::unistd::User::from_uid(uid) {
        Ok(Some(user)) => user.name,
        Ok(None) | Err(_) => uid.to_string(),
    }
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}
