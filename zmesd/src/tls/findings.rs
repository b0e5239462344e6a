//! A pair as `check-config` sees it: everything that is wrong at once, each with the file to blame.

use std::error::Error;
use std::path::Path;

use jiff::Timestamp;

use super::error::{TlsError, TlsWarning};
use super::pair::{Inspected, certificates, certify, inspect, private_key};
use crate::config::{PairFinding, PairPart, PairWeight, TlsFiles};

/// Returns what is wrong with a certificate and its key, as far as there are any. Reads files.
pub fn findings(certificate: Option<&Path>, key: Option<&Path>, now: Timestamp) -> Vec<PairFinding> {
    let mut findings = Vec::new();
    let chain = certificate.and_then(|path| {
        let looked_at = certificates(path).and_then(|chain| {
            let Inspected { warnings, .. } = inspect(&chain, path, now)?;
            Ok((path, chain, warnings))
        });
        looked_at.map_err(|error| findings.push(problem(PairPart::Certificate, &error))).ok()
    });
    let key = key.and_then(|path| {
        let read = private_key(path).map(|key| (path, key));
        read.map_err(|error| findings.push(problem(PairPart::Key, &error))).ok()
    });
    let Some((certificate, chain, warnings)) = chain else { return findings };
    findings.extend(warnings.iter().map(warning));
    if let Some((path, key)) = key {
        let files = TlsFiles { certificate: certificate.to_owned(), key: path.to_owned() };
        // Each by itself is fine: what is left is a key of another kind or of another certificate.
        findings.extend(certify(&files, chain, key).err().map(|error| problem(PairPart::Key, &error)));
    }
    findings
}

fn problem(part: PairPart, error: &TlsError) -> PairFinding {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    PairFinding { part, weight: PairWeight::Fatal, message: format!("{error}{cause}"), hint: error.hint() }
}

fn warning(warning: &TlsWarning) -> PairFinding {
    let (message, hint) = (warning.to_string(), warning.hint().to_owned());
    let weight = if warning.is_grave() { PairWeight::Grave } else { PairWeight::Slight };
    PairFinding { part: PairPart::Certificate, weight, message, hint }
}
