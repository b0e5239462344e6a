//! Snoozes for the router's tests.

use jiff::Timestamp;
use zmes_shared::MonitorId;
use zmes_shared::words::SnoozeOrigin;

use crate::domain::{Snooze, SnoozeId, SnoozeScope};

/// Returns a snooze that was set by root, is not hard, and does not tell at its end.
pub(super) fn snooze(monitor: Option<u32>, scope: SnoozeScope, until: Timestamp) -> Snooze {
    Snooze {
        id: SnoozeId(0),
        monitor: monitor.map(MonitorId),
        scope,
        since: Timestamp::UNIX_EPOCH,
        until,
        hard: false,
        tell: false,
        by: "root".to_owned(),
        origin: SnoozeOrigin::Cli,
    }
}
