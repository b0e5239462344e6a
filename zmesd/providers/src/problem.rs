//! What can be wrong with the files of a transport, each as a sentence and with what to do about it.

use std::path::PathBuf;

use zmes_files::pemfile::{FileContent, PemError};

/// Why a transport cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum TransportProblem {
    /// A file cannot be read, or holds no certificate or key.
    #[error("{key}: {}", problem.told())]
    File {
        /// The key that names it.
        key: &'static str,
        /// What is wrong with it.
        problem: PemError,
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
            Self::File { key, .. } | Self::Unusable { key, .. } | Self::Url { key, .. } => Some(key),
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
                "name the .p8 file of Apple's developer site (\"BEGIN PRIVATE KEY\"); with a certificate, the key \
                 that belongs to it"
                    .to_owned()
            }
            Self::File { problem, .. } => problem.hint(),
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
