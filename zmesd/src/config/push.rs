//! `[push]` as values.

use std::time::Duration;

use secrecy::SecretString;
use zmes_providers::{ApnsConfig, FcmConfig, ProviderSettings, PushProxyConfig};

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
    /// Returns the providers that are enabled, and what they share.
    pub fn providers(&self) -> ProviderSettings {
        ProviderSettings {
            picture_url: self.picture_url.clone(),
            proxy: self.proxy.clone(),
            fcm: self.fcm.clone(),
            apns: self.apns.clone(),
        }
    }

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
