//! Detects dead connections: a ping when the app is silent, then a deadline for any frame.

use std::time::Duration;

use tokio::time::Instant;

/// How long an app may be silent before it is pinged. Mobile networks drop idle connections after 30 s or more.
const IDLE: Duration = Duration::from_secs(20);
/// How long to wait for any frame after a ping.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy)]
pub(super) enum Keepalive {
    ToPing { at: Instant },
    ForPong { until: Instant },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Ping,
    Gone,
}

impl Keepalive {
    pub(super) fn new(now: Instant) -> Self {
        Self::ToPing { at: now + IDLE }
    }

    pub(super) fn heard(&mut self, now: Instant) {
        *self = Self::ToPing { at: now + IDLE };
    }

    pub(super) fn deadline(&self) -> Instant {
        let (Self::ToPing { at } | Self::ForPong { until: at }) = *self;
        at
    }

    /// Returns the action that is due; a due ping counts as sent.
    pub(super) fn due(&mut self, now: Instant) -> Due {
        match *self {
            Self::ToPing { at } if at <= now => {
                *self = Self::ForPong { until: now + PATIENCE };
                Due::Ping
            }
            Self::ForPong { until } if until <= now => Due::Gone,
            Self::ToPing { .. } | Self::ForPong { .. } => Due::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_app_is_pinged_and_a_dead_one_given_up() {
        let start = Instant::now();
        let mut keepalive = Keepalive::new(start);
        assert_eq!(keepalive.due(start + Duration::from_secs(19)), Due::Nothing);
        assert_eq!(keepalive.due(start + IDLE), Due::Ping);
        assert_eq!(keepalive.due(start + IDLE), Due::Nothing, "one ping is enough");
        assert_eq!(keepalive.due(start + IDLE + PATIENCE), Due::Gone);
    }

    #[test]
    fn any_frame_is_a_sign_of_life() {
        let start = Instant::now();
        let mut keepalive = Keepalive::new(start);
        keepalive.due(start + IDLE);
        keepalive.heard(start + IDLE + Duration::from_secs(1));
        assert_eq!(keepalive.deadline(), start + IDLE + Duration::from_secs(1) + IDLE);
    }
}
