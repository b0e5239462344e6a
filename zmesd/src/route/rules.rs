//! What the configuration says about pushes, as far as deciding goes.

use std::time::Duration;

use crate::config::{PushConfig, PushMode};

/// `[push]` for the router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PushRules {
    /// Tokens are decided upon.
    pub enabled: bool,
    /// Phones can be reached: their tokens are taken.
    pub phones: bool,
    /// The least time between two alarms of a monitor, for tokens whose filter names no intervals at all.
    pub interval_default: Duration,
    /// Nothing is sent, only decided: then nothing counts that a phone would have to have seen.
    pub shadow: bool,
}

impl PushRules {
    /// Push is on where it is enabled and there is a way to send; in shadow mode nothing is sent, so no way is needed.
    pub fn new(config: &PushConfig) -> Self {
        let shadow = config.mode == PushMode::Shadow;
        let phones = config.enabled && (config.has_way() || shadow);
        let enabled = phones || (config.enabled && !config.targets.is_empty());
        Self { enabled, phones, interval_default: config.interval_default, shadow }
    }
}
