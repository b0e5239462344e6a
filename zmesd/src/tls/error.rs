//! Problems of a certificate and its key, each as a sentence with a hint.

use std::path::PathBuf;

use jiff::Timestamp;
use zmes_files::FileError;
use zmes_files::pemfile::PemError;

use crate::config::CertificateFault;

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error(transparent)]
    File(#[from] PemError),
    #[error("the private key in {path} cannot be used: {detail}")]
    BadKey { path: PathBuf, detail: String },
    #[error("the key in {key} does not belong to the certificate in {certificate}")]
    KeyMismatch { certificate: PathBuf, key: PathBuf },
    #[error("{certificate} holds only the certificate of an authority (`{subject}`), not the server's own")]
    OnlyIssuers { certificate: PathBuf, subject: String },
    #[error("cannot set up TLS")]
    Provider(#[source] rustls::Error),
}

impl TlsError {
    pub fn hint(&self) -> String {
        match self {
            Self::File(PemError::Unreadable { path, source: FileError::Missing, .. }) => format!(
                "`openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 825 -subj /CN=NAME \
                 -addext subjectAltName=DNS:NAME -addext basicConstraints=critical,CA:FALSE -keyout key.pem -out \
                 cert.pem` makes a pair; {} does not exist",
                path.display()
            ),
            Self::File(problem) => problem.hint(),
            Self::BadKey { .. } => {
                "RSA keys of 2048 bits and more, ECDSA P-256/P-384/P-521 and Ed25519 can be used; \
                 `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256` makes one"
                    .to_owned()
            }
            Self::KeyMismatch { certificate, key } => format!(
                "compare `openssl x509 -noout -pubkey -in {}` with `openssl pkey -pubout -in {}`",
                certificate.display(),
                key.display()
            ),
            Self::OnlyIssuers { certificate, .. } => format!(
                "put the server's own certificate in front: `cat own.pem {0} > fullchain.pem`; `openssl x509 -noout \
                 -subject -in {0}` shows the first one in a file",
                certificate.display()
            ),
            Self::Provider(_) => "this is a defect of the build".to_owned(),
        }
    }
}

/// Returns a date: people and programs read the same message, and no time zone changes it by more than a day.
fn date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsWarning {
    #[error("the certificate expired on {}", date(*.0))]
    Expired(Timestamp),
    #[error("the certificate expires on {}, in {days} days", date(*at))]
    ExpiresSoon { at: Timestamp, days: i64 },
    #[error("the certificate is not valid before {}", date(*.0))]
    NotYetValid(Timestamp),
    #[error("the certificate names its host only in the subject (`{0}`), but apps check only subjectAltName")]
    NoNames(String),
    #[error(
        "the certificate is X.509 version 1: browsers, iOS and Android refuse it, and so does every app that checks"
    )]
    Version1,
    #[error("the certificate is marked CA:TRUE: apps that check certificates refuse it for a server")]
    IsCa,
    #[error(
        "the server's own certificate is number {0} in the file: zmesd serves it first, other servers would not"
    )]
    LeafNotFirst(usize),
    #[error("certificate {0} in the file did not issue the one before it: zmesd serves them in order")]
    ChainOutOfOrder(usize),
    #[error("the file holds the server's certificate alone, without that of its issuer `{0}`")]
    ChainIncomplete(String),
}

impl TlsWarning {
    /// Returns whether the problem comes and goes with time.
    pub(super) fn is_about_time(&self) -> bool {
        matches!(self, Self::Expired(_) | Self::ExpiresSoon { .. } | Self::NotYetValid(_))
    }

    /// Returns whether apps that check certificates refuse this one, whatever their users trust.
    pub fn is_grave(&self) -> bool {
        matches!(self, Self::Expired(_) | Self::NotYetValid(_) | Self::NoNames(_) | Self::Version1)
    }

    pub fn fault(&self) -> CertificateFault {
        match self {
            Self::Expired(_) => CertificateFault::Expired,
            Self::ExpiresSoon { .. } => CertificateFault::ExpiresSoon,
            Self::NotYetValid(_) => CertificateFault::NotYetValid,
            Self::NoNames(_) => CertificateFault::NoNames,
            Self::Version1 => CertificateFault::Version1,
            Self::IsCa => CertificateFault::IsCa,
            Self::LeafNotFirst(_) => CertificateFault::LeafNotFirst,
            Self::ChainOutOfOrder(_) => CertificateFault::ChainOutOfOrder,
            Self::ChainIncomplete(_) => CertificateFault::ChainIncomplete,
        }
    }

    pub fn hint(&self) -> &'static str {
        match self {
            Self::Expired(_) | Self::ExpiresSoon { .. } => {
                "renew it; a changed file is picked up by `zmesctl reload` without closing anything"
            }
            Self::NotYetValid(_) => "check the machine's clock",
            Self::NoNames(_) => "issue it with `-addext subjectAltName=DNS:NAME,IP:ADDRESS`",
            Self::Version1 => {
                "issue it anew as version 3, with extensions: `openssl x509 -req -in req.pem -CA ca.pem -CAkey ca-key.pem \
                 -CAcreateserial -days 825 -extfile <(echo subjectAltName=DNS:NAME) -out cert.pem`"
            }
            Self::IsCa => "issue it with `-addext basicConstraints=critical,CA:FALSE`",
            Self::LeafNotFirst(_) | Self::ChainOutOfOrder(_) => {
                "the order is: server, its issuer, that one's issuer; no root at the end"
            }
            Self::ChainIncomplete(_) => {
                "use the file with the chain (`fullchain.pem`), unless apps know the issuer themselves"
            }
        }
    }
}
