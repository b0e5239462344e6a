//! Alarms, ends and troubles as the messages that programs read. Pure.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use zmes_shared::machine::{MachineAlarm, MachineMessage};
use zmes_shared::words::{MachineKind, Origin, Phase};

use crate::domain::Alarm;
use crate::state::{RecordedAlarm, RecordedEnd};

/// What is published later than this after it was found is late.
const LATE: SignedDuration = SignedDuration::from_secs(5);

/// Returns the message for what the router has announced; `None` for what is no alarm.
pub(super) fn of_alarm(alarm: &Alarm) -> Option<MachineMessage> {
    let kind = match (alarm.origin, alarm.phase) {
        (Origin::Poll | Origin::Reconciled, Phase::Start) => MachineKind::AlarmStart,
        (Origin::Poll | Origin::Reconciled, Phase::End) => MachineKind::AlarmEnd,
        (Origin::Poll | Origin::Reconciled, Phase::Update) => MachineKind::AlarmUpdate,
        (Origin::Test, Phase::Start) => MachineKind::Test,
        (Origin::Test, Phase::End | Phase::Update)
        | (Origin::Snooze | Origin::Trouble | Origin::Unknown, _)
        | (_, Phase::Unknown) => return None,
    };
    let message = MachineMessage::of_alarm(MachineAlarm {
        kind,
        at: alarm.at,
        late: alarm.late(),
        monitor: alarm.monitor,
        name: &alarm.monitor_name,
        event: alarm.event,
        cause: &alarm.cause,
        lasted: alarm.lasted(),
    });
    let labels = (!alarm.labels.known.is_empty()).then(|| alarm.labels.known.to_vec());
    Some(MachineMessage { labels, ..message })
}

/// Says whether the record has it, with which what the broker missed is published afterwards.
pub(super) fn is_recorded(kind: MachineKind) -> bool {
    matches!(kind, MachineKind::AlarmStart | MachineKind::AlarmEnd)
}

/// Returns the message for an alarm of the record.
pub(super) fn of_recorded(alarm: &RecordedAlarm, now: Timestamp) -> MachineMessage {
    recorded(MachineKind::AlarmStart, alarm, alarm.at, None, now)
}

/// Returns the message for an end of the record.
pub(super) fn of_recorded_end(end: &RecordedEnd, now: Timestamp) -> MachineMessage {
    recorded(MachineKind::AlarmEnd, &end.alarm, end.ended_at, Duration::try_from(end.lasted).ok(), now)
}

fn recorded(
    kind: MachineKind,
    alarm: &RecordedAlarm,
    at: Timestamp,
    lasted: Option<Duration>,
    now: Timestamp,
) -> MachineMessage {
    MachineMessage::of_alarm(MachineAlarm {
        kind,
        at,
        late: alarm.late || now.duration_since(at) > LATE,
        monitor: alarm.monitor,
        name: &alarm.monitor_name,
        event: alarm.event,
        cause: &alarm.cause,
        lasted,
    })
}
