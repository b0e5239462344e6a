//! `[push]` and its transports as values: what to reach, with which secrets.

use std::path::PathBuf;

use secrecy::SecretString;

use super::PushConfig;

impl PushConfig {
    /// Takes over the transports of another configuration.
    pub(super) fn take_transports(&mut self, new: &Self) {
        self.proxy.clone_from(&new.proxy);
        self.fcm.clone_from(&new.fcm);
        self.apns.clone_from(&new.apns);
    }

    /// Says whether there is a way to phones at all.
    pub fn has_way(&self) -> bool {
        self.proxy.is_some() || self.fcm.is_some() || self.apns.is_some()
    }
}

/// `mode` of `[push]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushMode {
    /// Send.
    Live,
    /// Decide and log, send nothing.
    Shadow,
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

/// `[push.fcm]`; at least one of the two ways is there.
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
    /// `key`; `None` where the function asks for none.
    pub key: Option<SecretString>,
}

/// `[push.apns]`
#[derive(Debug, Clone)]
pub struct ApnsConfig {
    /// How to prove who we are.
    pub identity: ApnsIdentity,
    /// `topic`: the app's bundle id.
    pub topic: String,
    /// `endpoint`
    pub endpoint: ApnsEndpoint,
    /// `ca-certificate`: one more root to trust, PEM.
    pub ca_certificate: Option<PathBuf>,
}

/// How to prove to APNs who we are.
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
