//! `[push]` and its transports as values: what to reach, with which secrets.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

/// `[push]`
#[derive(Debug, Clone)]
pub struct PushConfig {
    /// `enabled`
    pub enabled: bool,
    /// `interval-default`: for tokens that name no intervals; zero: each alarm.
    pub interval_default: Duration,
    /// `retry-for`: a push older than this is not worth sending.
    pub retry_for: Duration,
    /// `mode`
    pub mode: PushMode,
    /// `storm-limit`: pushes a minute for one token.
    pub storm_limit: u32,
    /// `picture-url`, with `EVENTID` in it. A secret, as it may hold credentials.
    pub picture_url: Option<SecretString>,
    /// `[push.proxy]`, where it is enabled.
    pub proxy: Option<PushProxyConfig>,
    /// `[push.fcm]`, where it is enabled.
    pub fcm: Option<FcmConfig>,
    /// `[push.apns]`, where it is enabled.
    pub apns: Option<ApnsConfig>,
}

impl PushConfig {
    /// Says whether there is a way to phones at all.
    pub fn has_way(&self) -> bool {
        self.proxy.is_some() || self.fcm.is_some() || self.apns.is_some()
    }
}

impl Default for PushConfig {
    /// Push without a transport: what a file that does not mention `[push]` means.
    fn default() -> Self {
        Self {
            enabled: true,
            interval_default: Duration::ZERO,
            retry_for: Duration::from_mins(10),
            mode: PushMode::Live,
            storm_limit: 30,
            picture_url: None,
            proxy: None,
            fcm: None,
            apns: None,
        }
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
