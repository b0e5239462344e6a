//! Alarms and snoozes for the router's tests.

use jiff::Timestamp;
use tokio::time::Instant;
use zmes_shared::words::SnoozeOrigin;
use zmes_shared::{EventId, MonitorId};

use crate::domain::{Alarm, AlarmLabels, Origin, Phase, Snooze, SnoozeId, SnoozeScope};

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

pub(super) fn alarm_at(monitor: u32, event: u64, at: i64) -> Alarm {
    Alarm {
        monitor: MonitorId(monitor),
        monitor_name: "Garage".into(),
        event: Some(EventId(event)),
        cause: "Motion".into(),
        labels: AlarmLabels::default(),
        at: Timestamp::from_second(at).unwrap(),
        detected: Instant::now(),
        origin: Origin::Poll,
        phase: Phase::Start,
        span: None,
        elsewhere: None,
        stands_for_event: false,
    }
}
