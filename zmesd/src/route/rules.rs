//! What the configuration says about pushes, as far as deciding goes.

use std::time::Duration;

use crate::config::{PushConfig, PushMode};

/// `[push]` for the router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PushRules {
    /// Tokens are taken, and decided upon.
    pub enabled: bool,
    /// The least time between two alarms of a monitor, for tokens whose filter names no intervals at all.
    pub interval_default: Duration,
}

impl PushRules {
    /// Push is on where it is enabled and there is a way to send; in shadow mode nothing is sent, so no way is needed.
    pub fn new(config: &PushConfig) -> Self {
        let way = config.proxy.is_some() || config.fcm.is_some() || config.apns.is_some();
        let enabled = config.enabled && (way || config.mode == PushMode::Shadow);
        Self { enabled, interval_default: config.interval_default }
    }
}
