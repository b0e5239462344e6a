//! Problems of a pair for `check-config`: all at once, each with the file to blame.

use std::error::Error;
use std::path::Path;

use jiff::Timestamp;
use zmes_files::pemfile;

use super::error::{TlsError, TlsWarning};
use super::pair::{Inspected, certify, inspect};
use crate::config::{PairFinding, PairPart, PairWeight, TlsFiles};

/// Returns all problems of a certificate and its key, as far as they are given. Reads files.
pub fn findings(certificate: Option<&Path>, key: Option<&Path>, now: Timestamp) -> Vec<PairFinding> {
    let mut findings = Vec::new();
    let chain = certificate.and_then(|path| {
        let read = pemfile::certificates(path).map(|chain| (path, chain));
        read.map_err(|error| findings.push(problem(PairPart::Certificate, &error.into()))).ok()
    });
    let key = key.and_then(|path| {
        let read = pemfile::private_key(path).map(|key| (path, key));
        read.map_err(|error| findings.push(problem(PairPart::Key, &error.into()))).ok()
    });
    let Some((certificate, chain)) = chain else { return findings };
    let joined = key.and_then(|(path, key)| {
        let files = TlsFiles { certificate: certificate.to_owned(), key: path.to_owned() };
        // Each is fine by itself, so the key is of another kind or belongs to another certificate.
        let joined = certify(&files, &chain, key);
        joined.map_err(|error| findings.push(problem(blamed(&error), &error))).ok()
    });
    let public = joined.and_then(|pair| pair.key.public_key().map(|key| key.to_vec()));
    match inspect(&chain, public.as_deref(), certificate, now) {
        Ok(Inspected { warnings, .. }) => findings.extend(warnings.iter().map(warning)),
        Err(error) => findings.push(problem(PairPart::Certificate, &error)),
    }
    findings
}

/// Returns the file to blame if certificate and key do not match.
fn blamed(error: &TlsError) -> PairPart {
    match error {
        TlsError::File(_) | TlsError::OnlyIssuers { .. } => PairPart::Certificate,
        TlsError::BadKey { .. } | TlsError::KeyMismatch { .. } | TlsError::Provider(_) => PairPart::Key,
    }
}

fn problem(part: PairPart, error: &TlsError) -> PairFinding {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    let (weight, message) = (PairWeight::Fatal, format!("{error}{cause}"));
    PairFinding { part, weight, fault: None, message, hint: error.hint() }
}

fn warning(warning: &TlsWarning) -> PairFinding {
    let (message, hint) = (warning.to_string(), warning.hint().to_owned());
    let weight = if warning.is_grave() { PairWeight::Grave } else { PairWeight::Slight };
    PairFinding { part: PairPart::Certificate, weight, fault: Some(warning.fault()), message, hint }
}
