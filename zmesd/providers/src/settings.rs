//! Where to send, and with which secrets. Errors name settings by their keys in `zmesd.toml` (`push.proxy.url`).

use std::path::{Path, PathBuf};

use secrecy::SecretString;

use crate::targets::TargetConfig;

/// The providers that are enabled, and what they share.
#[derive(Debug, Clone, Default)]
pub struct ProviderSettings {
    /// URL of an event's picture, with `EVENTID` in it. A secret, as it may hold credentials.
    pub picture_url: Option<SecretString>,
    /// A PushProxy: takes every token.
    pub proxy: Option<PushProxyConfig>,
    /// FCM, with a service account or cloud functions.
    pub fcm: Option<FcmConfig>,
    /// APNs: takes tokens of its own form.
    pub apns: Option<ApnsConfig>,
    /// `[[target]]`, in the order of the file.
    pub targets: Vec<TargetConfig>,
}

/// `[push.proxy]`: a PushProxy in the style of AirNotifier.
#[derive(Debug, Clone)]
pub struct PushProxyConfig {
    /// `url`
    pub url: String,
    /// `app-name`
    pub app_name: String,
    /// `app-key`
    pub app_key: SecretString,
    /// `sound`; may be empty.
    pub sound: String,
    /// `ca-certificate`: one more root to trust, PEM.
    pub ca_certificate: Option<PathBuf>,
}

/// `[push.fcm]`: a service account, functions, or both.
#[derive(Debug, Clone)]
pub struct FcmConfig {
    /// `service-account`: Google's JSON file, for HTTP v1.
    pub service_account: Option<PathBuf>,
    /// `endpoint`: where to send with the service account; `None`: Google's own.
    pub endpoint: Option<String>,
    /// `ca-certificate`: one more root to trust, PEM.
    pub ca_certificate: Option<PathBuf>,
    /// `[[push.fcm.proxy]]`, in the order of the file.
    pub proxies: Vec<FcmProxyConfig>,
}

/// `[[push.fcm.proxy]]`: a cloud function that sends on behalf of one app.
#[derive(Debug, Clone)]
pub struct FcmProxyConfig {
    /// `name` of the app; unique.
    pub name: String,
    /// `url`
    pub url: String,
    /// `key`; `None` if the function needs none.
    pub key: Option<SecretString>,
}

/// `[push.apns]`
#[derive(Debug, Clone)]
pub struct ApnsConfig {
    /// Our credentials.
    pub identity: ApnsIdentity,
    /// `topic`: the app's bundle id.
    pub topic: String,
    /// `endpoint`
    pub endpoint: ApnsEndpoint,
    /// `ca-certificate`: one more root to trust, PEM.
    pub ca_certificate: Option<PathBuf>,
}

/// Credentials for APNs.
#[derive(Debug, Clone)]
pub enum ApnsIdentity {
    /// `key` (.p8), `key-id` and `team-id`.
    Token {
        /// PEM file of the signing key.
        key: PathBuf,
        /// Ten characters.
        key_id: String,
        /// Ten characters.
        team_id: String,
    },
    /// `certificate`, with `key` unless one file (.p12) holds both.
    Certificate {
        /// PEM or .p12.
        certificate: PathBuf,
        /// PEM.
        key: Option<PathBuf>,
        /// `certificate-password` of a .p12; `None`: it has none.
        password: Option<SecretString>,
    },
}

/// `endpoint` of `[push.apns]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApnsEndpoint {
    /// Apple's, for apps from the store.
    Production,
    /// Apple's, for apps under development.
    Sandbox,
    /// Another https URL: a gateway, or a test.
    Other(String),
}

impl ApnsEndpoint {
    pub(crate) fn url(&self) -> &str {
        match self {
            Self::Production => "https://api.push.apple.com",
            Self::Sandbox => "https://api.sandbox.push.apple.com",
            Self::Other(url) => url,
        }
    }
}

/// A part of the settings that can be checked alone.
#[derive(Debug, Clone, Copy)]
pub enum PushPart<'a> {
    /// Where to send.
    Url {
        /// Its key.
        key: &'static str,
        /// Its value.
        text: &'a str,
    },
    /// `ca-certificate` of a transport.
    Root {
        /// Its key.
        key: &'static str,
        /// The file.
        path: &'a Path,
    },
    /// `push.fcm.service-account`
    ServiceAccount(&'a Path),
    /// `push.apns.key`, if it is a signing key.
    SigningKey(&'a Path),
    /// `push.apns.certificate` with its key.
    Identity {
        /// PEM or .p12.
        certificate: &'a Path,
        /// PEM.
        key: Option<&'a Path>,
        /// Of a .p12.
        password: Option<&'a SecretString>,
    },
    /// Everything together, if no part has a problem.
    Whole(&'a ProviderSettings),
}

/// What is wrong with a part of `[push]`. The transport cannot be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushFinding {
    /// The key that is wrong; `None`: no single one.
    pub key: Option<&'static str>,
    /// What is wrong. Never contains a secret.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}
