//! The configuration of pushes, as far as it affects decisions.

use std::time::Duration;

use crate::config::{PushConfig, PushMode};

/// `[push]` for the router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PushRules {
    /// Decisions are made for tokens.
    pub enabled: bool,
    /// Phones can be reached, so their tokens are accepted.
    pub phones: bool,
    /// The minimum time between two alarms of a monitor, for tokens whose filter names no intervals.
    pub interval_default: Duration,
    /// Only decide, send nothing. Then nothing counts that a phone would have to have received.
    pub shadow: bool,
}

impl PushRules {
    /// Push is on if it is enabled and there is a transport. In shadow mode nothing is sent, so no transport is needed.
    pub fn new(config: &PushConfig) -> Self {
        let shadow = config.mode == PushMode::Shadow;
        let phones = config.enabled && (config.has_way() || shadow);
        let enabled = phones || (config.enabled && !config.targets.is_empty());
        Self { enabled, phones, interval_default: config.interval_default, shadow }
    }
}
