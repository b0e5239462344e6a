//! Loads a certificate with its key.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer, X509Certificate, X509Version};
use zmes_files::pemfile::{self, FileContent, PemError, PemPart};

use super::apple;
use super::error::{TlsError, TlsWarning};
use super::judge::{chain_warning, time_warning};
use super::order::Order;
use super::provider;
use super::summary::CertificateSummary;
use crate::config::TlsFiles;
use crate::ports::CertificateProblem;

/// A certificate with its key, ready to be served.
#[derive(Debug)]
pub struct LoadedPair {
    pub summary: CertificateSummary,
    pub warnings: Vec<TlsWarning>,
    pub objections: Vec<CertificateProblem>,
    pub(super) key: Arc<CertifiedKey>,
    files: TlsFiles,
    stamps: [Option<Stamp>; 2],
}

#[derive(Debug)]
pub(super) struct Inspected {
    pub(super) summary: CertificateSummary,
    pub(super) warnings: Vec<TlsWarning>,
    pub(super) objections: Vec<CertificateProblem>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

impl LoadedPair {
    /// Returns the certificate itself, without those of its issuers.
    pub fn end_entity(&self) -> Option<&[u8]> {
        self.key.cert.first().map(AsRef::as_ref)
    }

    /// Returns what apps may complain about at this time: the pair may have been loaded long before.
    pub fn warnings_at(&self, now: Timestamp) -> Vec<TlsWarning> {
        let lasting = self.warnings.iter().filter(|warning| !warning.is_about_time()).cloned();
        time_warning(&self.summary, now).into_iter().chain(lasting).collect()
    }

    pub fn is_same(&self, other: &Self) -> bool {
        self.key.cert == other.key.cert
    }

    pub(super) fn changed_on_disk(&self) -> bool {
        self.stamps.contains(&None) || self.stamps != stamps(&self.files)
    }
}

/// Loads and checks a pair. Reads files: not for the event loop.
pub fn load(files: &TlsFiles, now: Timestamp) -> Result<LoadedPair, TlsError> {
    // Before the files are read: anything written meanwhile then counts as a change.
    let stamps = stamps(files);
    let chain = pemfile::certificates(&files.certificate)?;
    let key = pemfile::private_key(&files.key)?;
    let key = certify(files, &chain, key)?;
    let public = key.key.public_key();
    let Inspected { summary, warnings, objections } =
        inspect(&chain, public.as_deref(), &files.certificate, now)?;
    Ok(LoadedPair { summary, warnings, objections, key: Arc::new(key), files: files.clone(), stamps })
}

/// Joins a chain and its key. The certificates are put in the order in which a server sends them.
///
/// This compares the key with the certificate's own: rustls would first parse the certificate, and refuses version 1.
pub(super) fn certify(
    files: &TlsFiles,
    chain: &[CertificateDer<'static>],
    key: PrivateKeyDer<'static>,
) -> Result<CertifiedKey, TlsError> {
    let bad = |error: &rustls::Error| TlsError::BadKey { path: files.key.clone(), detail: error.to_string() };
    let key = provider().key_provider.load_private_key(key).map_err(|error| bad(&error))?;
    let public = key.public_key();
    let parsed = parse(chain, &files.certificate)?;
    let order = Order::of(&parsed, public.as_deref());
    let own = order.own(&parsed);
    if let (Some(public), Some(own)) = (public.as_deref(), own)
        && own.public_key().raw != public
    {
        return Err(stranger(files, own));
    }
    Ok(CertifiedKey::new(order.apply(chain), key))
}

/// Returns the error for a file without a certificate that belongs to the key.
fn stranger(files: &TlsFiles, first: &X509Certificate<'_>) -> TlsError {
    let certificate = files.certificate.clone();
    if first.is_ca() && first.subject().as_raw() != first.issuer().as_raw() {
        return TlsError::OnlyIssuers { certificate, subject: first.subject().to_string() };
    }
    TlsError::KeyMismatch { certificate, key: files.key.clone() }
}

fn parse<'c>(
    chain: &'c [CertificateDer<'static>],
    path: &Path,
) -> Result<Vec<X509Certificate<'c>>, TlsError> {
    let parse = |(index, der): (usize, &'c CertificateDer<'static>)| {
        let parsed = X509Certificate::from_der(der).map(|(_, certificate)| certificate);
        parsed.map_err(|error| {
            let (path, detail) = (path.to_owned(), error.to_string());
            TlsError::File(PemError::BadCertificate { path, position: index + 1, detail })
        })
    };
    chain.iter().enumerate().map(parse).collect()
}

pub(super) fn inspect(
    chain: &[CertificateDer<'static>],
    public_key: Option<&[u8]>,
    path: &Path,
    now: Timestamp,
) -> Result<Inspected, TlsError> {
    let parsed = parse(chain, path)?;
    let order = Order::of(&parsed, public_key);
    let Some(own) = order.own(&parsed) else {
        let (path, wanted, found) = (path.to_owned(), PemPart::Certificate, FileContent::Empty);
        return Err(TlsError::File(PemError::Holds { path, wanted, found }));
    };
    let summary = CertificateSummary::of(own);
    let mut warnings = Vec::new();
    warnings.extend(time_warning(&summary, now));
    if own.version() == X509Version::V1 {
        warnings.push(TlsWarning::Version1);
    } else if summary.names.is_empty() {
        warnings.push(TlsWarning::NoNames(summary.subject.clone()));
    }
    if own.is_ca() {
        warnings.push(TlsWarning::IsCa);
    }
    warnings.extend(chain_warning(&parsed, &order, &summary));
    Ok(Inspected { objections: apple::objections(own), summary, warnings })
}

fn stamps(files: &TlsFiles) -> [Option<Stamp>; 2] {
    [&files.certificate, &files.key].map(|path| stamp(path).ok())
}

fn stamp(path: &Path) -> io::Result<Stamp> {
    let meta = fs::metadata(path)?;
    Ok(Stamp { inode: meta.ino(), length: meta.len(), modified: (meta.mtime(), meta.mtime_nsec()) })
}
