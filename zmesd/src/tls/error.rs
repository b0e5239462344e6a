//! What can be wrong with a certificate and its key, each as a sentence and with what to do about it.

use std::path::PathBuf;

use jiff::Timestamp;

/// Why TLS is not possible with these files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {path} as user `{user}`")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// As whom the daemon runs.
        user: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file holds no certificate.
    #[error("{path} holds no certificate in PEM form")]
    NoCertificate {
        /// Which file.
        path: PathBuf,
    },
    /// The file holds no private key.
    #[error("{path} holds no private key in PEM form")]
    NoKey {
        /// Which file.
        path: PathBuf,
    },
    /// The key is protected by a passphrase.
    #[error("the private key in {path} is encrypted")]
    EncryptedKey {
        /// Which file.
        path: PathBuf,
    },
    /// The PEM form is damaged.
    #[error("{path} is not valid PEM: {detail}")]
    BadPem {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// A certificate cannot be parsed.
    #[error("certificate {position} in {path} cannot be read: {detail}")]
    BadCertificate {
        /// Which file.
        path: PathBuf,
        /// Which certificate in it, from 1.
        position: usize,
        /// What is wrong.
        detail: String,
    },
    /// The key is of a kind that cannot be used.
    #[error("the private key in {path} cannot be used: {detail}")]
    BadKey {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// The key is another certificate's.
    #[error("the key in {key} does not belong to the certificate in {certificate}")]
    KeyMismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The cryptography cannot do TLS 1.2 and 1.3.
    #[error("cannot set up TLS")]
    Provider(#[source] rustls::Error),
}

impl TlsError {
    /// Returns what to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Unreadable { path, user, source } => unreadable_hint(path, user, source),
            Self::NoCertificate { path } => format!(
                "server.tls.certificate wants the server's certificate first, then its chain; \
                 `openssl x509 -inform DER -in {0} -out cert.pem` converts from DER",
                path.display()
            ),
            Self::NoKey { path } => format!(
                "server.tls.key wants PKCS#8, PKCS#1 or SEC1; `openssl pkey -inform DER -in {} -out key.pem` converts from DER",
                path.display()
            ),
            Self::EncryptedKey { path } => format!(
                "`openssl pkey -in {} -out key.pem` removes the passphrase; protect the file by its mode instead",
                path.display()
            ),
            Self::BadPem { .. } | Self::BadCertificate { .. } => {
                "the file is damaged, perhaps cut off or pasted with blanks: copy it again".to_owned()
            }
            Self::BadKey { .. } => {
                "RSA keys of 2048 bits and more, ECDSA P-256/P-384/P-521 and Ed25519 can be used; \
                 `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256` makes one"
                    .to_owned()
            }
            Self::KeyMismatch { certificate, key } => format!(
                "compare `openssl x509 -noout -pubkey -in {}` with `openssl pkey -pubout -in {}`; \
                 the server's own certificate must be the first in its file",
                certificate.display(),
                key.display()
            ),
            Self::Provider(_) => "this is a defect of the build".to_owned(),
        }
    }
}

fn unreadable_hint(path: &std::path::Path, user: &str, source: &std::io::Error) -> String {
    let path = path.display();
    #[expect(clippy::wildcard_enum_match_arm, reason = "a foreign enum: for the rest, the cause says it all")]
    match source.kind() {
        std::io::ErrorKind::PermissionDenied => format!(
            "`setfacl -m u:{user}:r {path}` (and `x` on the directories above it), or LoadCredential=tls.key:{path} \
             in the service"
        ),
        std::io::ErrorKind::NotFound => format!(
            "`openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 825 -subj /CN=NAME \
             -addext subjectAltName=DNS:NAME -addext basicConstraints=critical,CA:FALSE -keyout key.pem -out cert.pem` \
             makes a pair; {path} does not exist"
        ),
        _ => format!("look at {path}"),
    }
}

/// What apps may complain about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsWarning {
    /// Its time is over.
    #[error("the certificate expired on {0}")]
    Expired(Timestamp),
    /// Its time is over soon.
    #[error("the certificate expires on {at}, in {days} days")]
    ExpiresSoon {
        /// When.
        at: Timestamp,
        /// In how many whole days.
        days: i64,
    },
    /// Its time has not come.
    #[error("the certificate is not valid before {0}")]
    NotYetValid(Timestamp),
    /// It has no subject alternative name.
    #[error("the certificate names its host only in the subject (`{0}`): apps look at subjectAltName alone")]
    NoNames(String),
    /// It is a certification authority's.
    #[error("the certificate is marked CA:TRUE: apps that check certificates refuse it for a server")]
    IsCa,
    /// The chain is out of order.
    #[error("certificate {0} in the file did not issue the one before it")]
    ChainOutOfOrder(usize),
    /// There is no chain.
    #[error("the file holds the server's certificate alone, without that of its issuer `{0}`")]
    ChainIncomplete(String),
}

impl TlsWarning {
    /// Says whether it comes and goes with time.
    pub(super) fn is_about_time(&self) -> bool {
        match self {
            Self::Expired(_) | Self::ExpiresSoon { .. } | Self::NotYetValid(_) => true,
            Self::NoNames(_) | Self::IsCa | Self::ChainOutOfOrder(_) | Self::ChainIncomplete(_) => false,
        }
    }

    /// Says whether an app that looks at certificates at all does not connect, whatever its user has told it to trust.
    pub fn is_grave(&self) -> bool {
        match self {
            Self::Expired(_) | Self::NotYetValid(_) | Self::NoNames(_) => true,
            Self::ExpiresSoon { .. } | Self::IsCa | Self::ChainOutOfOrder(_) | Self::ChainIncomplete(_) => {
                false
            }
        }
    }

    /// Returns what to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Expired(_) | Self::ExpiresSoon { .. } => {
                "renew it; a changed file is picked up by `zmesctl reload` without closing anything"
            }
            Self::NotYetValid(_) => "check the machine's clock",
            Self::NoNames(_) => "issue it with `-addext subjectAltName=DNS:NAME,IP:ADDRESS`",
            Self::IsCa => "issue it with `-addext basicConstraints=critical,CA:FALSE`",
            Self::ChainOutOfOrder(_) => {
                "the order is: server, its issuer, that one's issuer; no root at the end"
            }
            Self::ChainIncomplete(_) => {
                "use the file with the chain (`fullchain.pem`), unless apps know the issuer themselves"
            }
        }
    }
}
