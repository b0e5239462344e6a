//! What can be wrong with the files of a transport, each as a sentence and with what to do about it.

use std::path::PathBuf;

/// Why a transport cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum TransportProblem {
    /// A file cannot be read.
    #[error("{key}: cannot read {path}")]
    Unreadable {
        /// The key that names it.
        key: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file holds no certificate.
    #[error("{key}: {path} holds no certificate in PEM form")]
    NoCertificate {
        /// The key that names it.
        key: &'static str,
        /// Which file.
        path: PathBuf,
    },
    /// The file holds no private key.
    #[error("{key}: {path} holds no private key in PEM form")]
    NoKey {
        /// The key that names it.
        key: &'static str,
        /// Which file.
        path: PathBuf,
    },
    /// A certificate or key is damaged, or of a kind that cannot be used.
    #[error("{key}: {path} cannot be used: {detail}")]
    Unusable {
        /// The key that names it.
        key: &'static str,
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// The file is no service account of Google's.
    #[error("push.fcm.service-account: {path} is no service account: {detail}")]
    Account {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// The .p12 file cannot be opened.
    #[error("push.apns.certificate: {path} cannot be opened with this password: {detail}")]
    Keystore {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// The certificate and its key do not do together.
    #[error("push.apns.certificate: the certificate and its key cannot be used: {0}")]
    Identity(String),
    /// A URL that is none.
    #[error("{key}: is not a URL: {detail}")]
    Url {
        /// Which key.
        key: &'static str,
        /// What is wrong.
        detail: String,
    },
    /// The machine trusts nobody.
    #[error("no certificate authorities are installed on this machine{detail}")]
    NoRoots {
        /// What went wrong on the way, if anything.
        detail: String,
    },
    /// The client cannot be set up.
    #[error("cannot set up the client for pushes: {0}")]
    Client(String),
}

impl TransportProblem {
    /// Returns the key of the configuration that is to blame; `None`: no single one.
    pub fn key(&self) -> Option<&'static str> {
        match self {
            Self::Unreadable { key, .. }
            | Self::NoCertificate { key, .. }
            | Self::NoKey { key, .. }
            | Self::Unusable { key, .. }
            | Self::Url { key, .. } => Some(key),
            Self::Account { .. } => Some("push.fcm.service-account"),
            Self::Keystore { .. } | Self::Identity(_) => Some("push.apns.certificate"),
            Self::NoRoots { .. } | Self::Client(_) => None,
        }
    }

    /// Returns what to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Unreadable { path, source, .. } => unreadable_hint(path, source),
            Self::NoCertificate { path, .. } => {
                format!("`openssl x509 -inform DER -in {} -out cert.pem` converts from DER", path.display())
            }
            Self::NoKey { key, .. } if *key == "push.apns.key" => {
                "name the .p8 file of Apple's developer site (\"BEGIN PRIVATE KEY\"); with a certificate, the key \
                 that belongs to it"
                    .to_owned()
            }
            Self::NoKey { path, .. } => {
                format!("`openssl pkey -in {} -out key.pem` writes a key without a passphrase", path.display())
            }
            Self::Unusable { .. } => "the file is damaged, or not what this key wants: copy it again".to_owned(),
            Self::Account { .. } => {
                "in Google's console: project settings, service accounts, \"generate new private key\"".to_owned()
            }
            Self::Keystore { .. } => {
                "give push.apns.certificate-password, or leave it out if the file has none".to_owned()
            }
            Self::Identity(_) => {
                "the key must be that of this certificate: compare `openssl x509 -noout -pubkey` of the one with \
                 `openssl pkey -pubout` of the other"
                    .to_owned()
            }
            Self::Url { .. } => "write it as https://host:port".to_owned(),
            Self::NoRoots { .. } => {
                "install the package ca-certificates, or set SSL_CERT_FILE in the service".to_owned()
            }
            Self::Client(_) => "this is a defect of the build".to_owned(),
        }
    }
}

fn unreadable_hint(path: &std::path::Path, source: &std::io::Error) -> String {
    let path = path.display();
    #[expect(clippy::wildcard_enum_match_arm, reason = "a foreign enum: for the rest, the cause says it all")]
    match source.kind() {
        std::io::ErrorKind::PermissionDenied => format!(
            "`setfacl -m u:zmesd:r {path}` (and `x` on the directories above it), or LoadCredential= in the service"
        ),
        std::io::ErrorKind::NotFound => "name the right file".to_owned(),
        _ => format!("look at {path}"),
    }
}
