//! Alarms, ends and troubles as the messages that programs read. Pure.

use jiff::{SignedDuration, Timestamp};
use zmes_shared::machine::{MachineAlarm, MachineMessage};
use zmes_shared::views::TroubleView;
use zmes_shared::words::{MachineKind, Origin, Phase};

use crate::domain::Alarm;
use crate::state::{RecordedAlarm, RecordedEnd};
use crate::troubles::Trouble;

/// What is published later than this after it was found is late.
const LATE: SignedDuration = SignedDuration::from_secs(5);

/// Returns the message for what the router has announced; `None` for what is no alarm.
pub(super) fn of_alarm(alarm: &Alarm) -> Option<MachineMessage> {
    let kind = match (alarm.origin, alarm.phase) {
        (Origin::Poll | Origin::Reconciled, Phase::Start) => MachineKind::AlarmStart,
        (Origin::Poll | Origin::Reconciled, Phase::End) => MachineKind::AlarmEnd,
        (Origin::Test, Phase::Start) => MachineKind::Test,
        (Origin::Test, Phase::End)
        | (Origin::Snooze | Origin::Trouble | Origin::Unknown, _)
        | (_, Phase::Update | Phase::Unknown) => return None,
    };
    let message = MachineMessage::of_alarm(MachineAlarm {
        kind,
        at: alarm.at,
        late: alarm.late(),
        monitor: alarm.monitor,
        name: &alarm.monitor_name,
        event: alarm.event,
        cause: &alarm.cause,
    });
    let labels = (!alarm.labels.known.is_empty()).then(|| alarm.labels.known.to_vec());
    let lasted = alarm.lasted().and_then(|lasted| SignedDuration::try_from(lasted).ok());
    Some(MachineMessage {
        labels,
        duration: seconds(lasted.filter(|_| kind == MachineKind::AlarmEnd)),
        ..message
    })
}

/// Returns the message for an alarm of the record.
pub(super) fn of_recorded(alarm: &RecordedAlarm, now: Timestamp) -> MachineMessage {
    recorded(MachineKind::AlarmStart, alarm, alarm.at, now)
}

/// Returns the message for an end of the record.
pub(super) fn of_recorded_end(end: &RecordedEnd, now: Timestamp) -> MachineMessage {
    let message = recorded(MachineKind::AlarmEnd, &end.alarm, end.ended_at, now);
    MachineMessage { duration: seconds(Some(end.lasted)), ..message }
}

fn recorded(kind: MachineKind, alarm: &RecordedAlarm, at: Timestamp, now: Timestamp) -> MachineMessage {
    MachineMessage::of_alarm(MachineAlarm {
        kind,
        at,
        late: alarm.late || now.duration_since(at) > LATE,
        monitor: alarm.monitor,
        name: &alarm.monitor_name,
        event: alarm.event,
        cause: &alarm.cause,
    })
}

fn seconds(lasted: Option<SignedDuration>) -> Option<u64> {
    u64::try_from(lasted?.as_millis().saturating_add(500) / 1000).ok()
}

/// Returns a trouble as programs are told of it.
pub(super) fn trouble(trouble: &Trouble, at: Timestamp, raised: bool) -> TroubleView {
    let (text, parts) = trouble.sentence().into_parts();
    TroubleView {
        id: trouble.id.to_string(),
        kind: trouble.id.kind,
        severity: trouble.severity,
        since: trouble.since,
        cleared_at: (!raised).then_some(at),
        text,
        parts,
        hint: trouble.hint.clone(),
    }
}
