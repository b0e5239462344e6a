//! Why a transport cannot be built, with a hint for each problem.

use std::path::PathBuf;

use zmes_files::pemfile::{FileContent, PemError};

/// Why a transport cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum TransportProblem {
    /// A file cannot be read, or holds no certificate or key.
    #[error("{key}: {}", problem.told())]
    File {
        /// Its key in `zmesd.toml`.
        key: &'static str,
        /// What is wrong.
        problem: PemError,
    },
    /// A certificate or key is damaged, or of a kind that cannot be used.
    #[error("{key}: {path} cannot be used: {detail}")]
    Unusable {
        /// Its key in `zmesd.toml`.
        key: &'static str,
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// The file is not a Google service account.
    #[error("push.fcm.service-account: {path} is not a service account: {detail}")]
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
    /// The certificate and its key do not belong together.
    #[error("push.apns.certificate: the certificate and its key cannot be used: {0}")]
    Identity(String),
    /// Not a URL.
    #[error("{key}: is not a URL: {detail}")]
    Url {
        /// Which key.
        key: &'static str,
        /// What is wrong.
        detail: String,
    },
    /// A URL with placeholders has one where it chooses the host.
    #[error("{key}: a placeholder stands in the host")]
    PlaceholderInHost {
        /// Which key.
        key: &'static str,
    },
    /// No certificate authorities are installed.
    #[error("no certificate authorities are installed on this machine{detail}")]
    NoRoots {
        /// Why they could not be read, if known.
        detail: String,
    },
    /// The client cannot be set up.
    #[error("cannot set up the client for pushes: {0}")]
    Client(String),
}

impl TransportProblem {
    /// Returns the key of the configuration that is wrong; `None`: no single one.
    pub fn key(&self) -> Option<&'static str> {
        match self {
            Self::File { key, .. }
            | Self::Unusable { key, .. }
            | Self::Url { key, .. }
            | Self::PlaceholderInHost { key } => Some(key),
            Self::Account { .. } => Some("push.fcm.service-account"),
            Self::Keystore { .. } | Self::Identity(_) => Some("push.apns.certificate"),
            Self::NoRoots { .. } | Self::Client(_) => None,
        }
    }

    /// Returns what to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::File { problem: PemError::Holds { found, .. }, key }
                if *key == "push.apns.key" && !matches!(found, FileContent::Pkcs12 | FileContent::Certificate) =>
            {
                "set it to the .p8 file from Apple's developer site (\"BEGIN PRIVATE KEY\"), or to the key of the \
                 certificate"
                    .to_owned()
            }
            Self::File { problem, .. } => problem.hint(),
            Self::Unusable { .. } => "the file is damaged or of the wrong kind: copy it again".to_owned(),
            Self::Account { .. } => {
                "in Google's console: project settings, service accounts, \"generate new private key\"".to_owned()
            }
            Self::Keystore { .. } => {
                "set push.apns.certificate-password, or remove it if the file has no password".to_owned()
            }
            Self::Identity(_) => {
                "the key must belong to this certificate: `openssl x509 -noout -pubkey -in CERTIFICATE` and \
                 `openssl pkey -pubout -in KEY` must print the same"
                    .to_owned()
            }
            Self::Url { .. } => "write it as https://host:port".to_owned(),
            Self::PlaceholderInHost { .. } => {
                "write host and port as they are: placeholders can only stand after them".to_owned()
            }
            Self::NoRoots { .. } => {
                "install the package ca-certificates, or set SSL_CERT_FILE in the service".to_owned()
            }
            Self::Client(_) => "this is a bug in the build".to_owned(),
        }
    }
}
