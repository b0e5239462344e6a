//! `[server.tls]`: the files, and what the caller's check of certificates says about them.

use std::path::{Path, PathBuf};

use super::super::file::TlsSection;
use super::super::problem::Problem;
use super::{Checker, Reported, TlsFiles};

/// Looks into a certificate and its key, as far as they can be read. Certificates are not the configuration's business,
/// so who asks for a check brings somebody who knows them.
pub type PairCheck<'a> = &'a dyn Fn(Option<&Path>, Option<&Path>) -> Vec<PairFinding>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairFinding {
    pub part: PairPart,
    pub weight: PairWeight,
    /// `None`: TLS is not possible with it.
    pub fault: Option<CertificateFault>,
    pub message: String,
    pub hint: String,
}

/// What follows from something that is wrong with a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairWeight {
    /// TLS is not possible with it.
    Fatal,
    /// Apps that look at certificates at all do not connect.
    Grave,
    /// Apps may complain.
    Slight,
}

/// What can be wrong with a certificate that can be served: the served one and the one on the disk are compared by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateFault {
    Expired,
    ExpiresSoon,
    NotYetValid,
    NoNames,
    Version1,
    IsCa,
    LeafNotFirst,
    ChainOutOfOrder,
    ChainIncomplete,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairPart {
    Certificate,
    Key,
}

impl Checker<'_> {
    pub(super) fn tls(&mut self, tls: &TlsSection) -> Result<TlsFiles, Reported> {
        let absent = "name the certificate and key of your web server, create a pair there, or set server.plaintext = \
                      true behind a proxy that does TLS";
        let certificate = self.required_file(&tls.certificate, absent);
        let key = self.required_file(&tls.key, absent);
        self.examine(tls, certificate.as_ref().ok(), key.as_ref().ok());
        Ok(TlsFiles { certificate: certificate?, key: key? })
    }

    fn examine(&mut self, tls: &TlsSection, certificate: Option<&PathBuf>, key: Option<&PathBuf>) {
        let Some(examine) = self.pair else { return };
        for PairFinding { part, weight, fault, message, hint } in
            examine(certificate.map(PathBuf::as_path), key.map(PathBuf::as_path))
        {
            let place = match part {
                PairPart::Certificate => &tls.certificate.place,
                PairPart::Key => &tls.key.place,
            };
            if weight == PairWeight::Fatal {
                self.problem(place, message, hint);
                continue;
            }
            let warning = place.problem(self.path, message, hint);
            let grave = weight == PairWeight::Grave;
            self.warnings.push(Problem { grave, certificate: fault, ..warning });
        }
    }
}
