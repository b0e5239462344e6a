//! The lines of `watch`.

use std::time::Duration;

use jiff::Timestamp;
use zmes_shared::Label;
use zmes_shared::control::{Decided, TokenState, WatchEvent, WatchKind, WatchedToken};
use zmes_shared::views::{ClientView, MonitorView, SnoozedBy};
use zmes_shared::words::{DeliveryOutcome, DeliveryState, Phase, Reason, TargetKind};

use super::tokens::view::{millis, platform, told};
use crate::admin::rules;
use crate::domain::{Alarm, DecidedBy, Decision, Origin, PushState, Token};
use crate::route::{PushOutcome, SessionChange};
use crate::state::{DeliveryRow, RecordedAlarm, RecordedEnd, RecordedUpdate};
use crate::troubles::Trouble;

pub(super) fn alarm(number: u64, alarm: &Alarm) -> WatchEvent {
    let kind = WatchKind::Alarm {
        alarm: number,
        event_id: alarm.event,
        monitor_id: alarm.monitor,
        monitor: alarm.monitor_name.to_string(),
        cause: alarm.cause.to_string(),
        origin: alarm.origin,
        late: alarm.late(),
        phase: alarm.phase,
        lasted_ms: alarm.lasted().map(millis),
        labels: told_labels(alarm.phase, &alarm.labels.known),
    };
    WatchEvent { at: alarm.at, kind }
}

/// An alarm from the record.
pub(super) fn recorded(alarm: RecordedAlarm) -> WatchEvent {
    let (at, late) = (alarm.at, alarm.late);
    of_record(alarm, at, late, Phase::Start, None, Vec::new())
}

/// An end from the record.
pub(super) fn ended(end: RecordedEnd) -> WatchEvent {
    let RecordedEnd { alarm, ended_at, lasted } = end;
    // Start and end were found at the same time, afterwards: the duration is not known. It is not known either where the
    // clock was set back meanwhile; that end was seen when it came.
    let late = lasted.is_zero();
    let lasted = Duration::try_from(lasted).ok().filter(|_| !late);
    of_record(alarm, ended_at, late, Phase::End, lasted, Vec::new())
}

/// An update from the record.
pub(super) fn updated(update: RecordedUpdate) -> WatchEvent {
    let RecordedUpdate { alarm, at, labels } = update;
    let late = alarm.late;
    of_record(alarm, at, late, Phase::Update, None, labels)
}

/// A line of the record, which has no numbers, and knows of the origin only whether it was late.
fn of_record(
    alarm: RecordedAlarm,
    at: Timestamp,
    late: bool,
    phase: Phase,
    lasted: Option<Duration>,
    labels: Vec<Label>,
) -> WatchEvent {
    let kind = WatchKind::Alarm {
        alarm: 0,
        event_id: alarm.event,
        monitor_id: alarm.monitor,
        monitor: alarm.monitor_name,
        cause: alarm.cause,
        origin: if late { Origin::Reconciled } else { Origin::Poll },
        late,
        phase,
        lasted_ms: lasted.map(millis),
        labels,
    };
    WatchEvent { at, kind }
}

/// Of a start they are not told, as the record does not keep what was known then: an update names them.
fn told_labels(phase: Phase, known: &[Label]) -> Vec<Label> {
    if phase == Phase::Update { known.to_vec() } else { Vec::new() }
}

pub(super) fn decision(
    number: u64,
    alarm: &Alarm,
    target: TargetKind,
    id: String,
    decision: Decision,
    by: Option<&DecidedBy>,
    snoozed: Option<SnoozedBy>,
) -> WatchEvent {
    let rule = rules::name(by);
    let decided = Decided { decision: decision.state(), reason: decision.reason(), rule, snoozed };
    let kind = WatchKind::Decision {
        alarm: number,
        event_id: alarm.event,
        monitor_id: alarm.monitor,
        target,
        id,
        phase: alarm.phase,
        decided,
    };
    WatchEvent { at: alarm.at, kind }
}

pub(super) fn recorded_with(row: &DeliveryRow) -> WatchEvent {
    let kind = WatchKind::Alarm {
        alarm: 0,
        event_id: row.event,
        monitor_id: row.monitor,
        monitor: row.monitor_name.clone(),
        cause: row.cause.clone(),
        origin: row.origin,
        late: row.origin == Origin::Reconciled,
        phase: row.phase,
        lasted_ms: row.lasted.map(millis),
        labels: told_labels(row.phase, &row.labels.known),
    };
    WatchEvent { at: row.at, kind }
}

pub(super) fn decided(row: &DeliveryRow, token: &str, snoozed: Option<SnoozedBy>) -> WatchEvent {
    let rule = rules::name(row.by.as_ref());
    let decided = if row.decision == DeliveryState::Skipped {
        Decided { decision: row.decision, reason: row.reason.clone(), rule, snoozed }
    } else {
        // The decision was to send; the outcome has its own line.
        Decided { decision: DeliveryState::Sent, reason: Reason::None, rule, snoozed: None }
    };
    let kind = WatchKind::Decision {
        alarm: 0,
        event_id: row.event,
        monitor_id: row.monitor,
        target: TargetKind::Token,
        id: token.to_owned(),
        phase: row.phase,
        decided,
    };
    WatchEvent { at: row.at, kind }
}

pub(super) fn outcome(
    row: &DeliveryRow,
    token: &str,
    outcome: DeliveryOutcome,
    at: Timestamp,
    detail: Option<String>,
) -> WatchEvent {
    let latency = Duration::try_from(at.duration_since(row.at)).unwrap_or_default();
    let kind = WatchKind::Delivery {
        alarm: 0,
        event_id: row.event,
        monitor_id: Some(row.monitor),
        target: TargetKind::Token,
        id: token.to_owned(),
        outcome,
        detail,
        latency_ms: millis(latency),
        phase: row.phase,
        labels: row.labels.known.to_vec(),
    };
    WatchEvent { at, kind }
}

pub(super) fn queued(row: &DeliveryRow, token: &str) -> WatchEvent {
    outcome(row, token, DeliveryOutcome::Queued, row.at, told(row.reason.as_str()))
}

pub(super) fn delivery(number: u64, outcome: &PushOutcome) -> WatchEvent {
    let kind = WatchKind::Delivery {
        alarm: number,
        event_id: outcome.alarm.event,
        monitor_id: Some(outcome.alarm.monitor),
        target: TargetKind::Token,
        id: outcome.token.handle.to_string(),
        outcome: outcome.outcome,
        detail: outcome.detail.clone(),
        latency_ms: millis(outcome.latency),
        phase: outcome.alarm.phase,
        labels: outcome.alarm.labels.known.to_vec(),
    };
    WatchEvent { at: outcome.at, kind }
}

pub(super) fn session(changed: &SessionChange) -> WatchEvent {
    let SessionChange { at, change, reason, tried, client } = changed;
    let (change, reason) = ((*change).to_owned(), reason.map(str::to_owned));
    let (tried, count) = tried.as_ref().map(|tried| (tried.user.clone(), tried.count)).unzip();
    WatchEvent { at: *at, kind: WatchKind::Session { change, reason, client: client.clone(), tried, count } }
}

pub(super) fn present(at: Timestamp, client: ClientView) -> WatchEvent {
    let kind =
        WatchKind::Session { change: "present".to_owned(), reason: None, client, tried: None, count: None };
    WatchEvent { at, kind }
}

pub(super) fn token(at: Timestamp, change: &str, token: &Token) -> WatchEvent {
    let state = match token.state {
        _ if token.muted(at) => TokenState::Muted,
        PushState::Enabled => TokenState::Enabled,
        PushState::Disabled => TokenState::Disabled,
    };
    let words = [token.app.as_str(), &token.app_version];
    let watched = WatchedToken {
        handle: token.handle.to_string(),
        platform: platform(token.platform),
        state,
        user: Some(token.user.clone()).filter(|user| !user.is_empty()),
        app: words.iter().copied().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "),
    };
    let reason = token.revoked.as_ref().map(|revoked| revoked.reason.clone());
    WatchEvent { at, kind: WatchKind::Token { change: change.to_owned(), reason, token: watched } }
}

pub(super) fn monitor(at: Timestamp, change: &str, monitor: MonitorView) -> WatchEvent {
    WatchEvent { at, kind: WatchKind::Monitor { change: change.to_owned(), monitor } }
}

/// `cleared_at`: it is over since then.
pub(super) fn trouble(
    at: Timestamp,
    change: &str,
    trouble: &Trouble,
    cleared_at: Option<Timestamp>,
) -> WatchEvent {
    let monitor_id = trouble.id.monitor();
    let kind = WatchKind::Trouble {
        change: change.to_owned(),
        monitor_id,
        monitor: monitor_id.map(|_| trouble.name.clone()),
        trouble: trouble.view(cleared_at),
    };
    WatchEvent { at, kind }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use zmes_shared::MonitorId;

    use super::*;

    #[test]
    fn an_end_before_its_start_is_not_late_but_one_at_the_same_time_is() {
        let told = |seconds| {
            let at = Timestamp::from_second(1_800_000_000).unwrap();
            let lasted = SignedDuration::from_secs(seconds);
            let alarm = RecordedAlarm {
                at,
                event: None,
                monitor: MonitorId(1),
                monitor_name: "Front".to_owned(),
                cause: "Motion".to_owned(),
                late: false,
                ended_at: Some(at + lasted),
                elsewhere: false,
            };
            let WatchKind::Alarm { late, origin, lasted_ms, .. } =
                ended(RecordedEnd { alarm, ended_at: at + lasted, lasted }).kind
            else {
                panic!("no alarm")
            };
            (late, origin, lasted_ms)
        };
        assert_eq!(told(7), (false, Origin::Poll, Some(7000)));
        assert_eq!(told(0), (true, Origin::Reconciled, None));
        assert_eq!(told(-3600), (false, Origin::Poll, None), "the clock was set back");
    }
}
