//! Missed alarms again, for an app that asks.

use std::time::Duration;

use async_trait::async_trait;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use zmes_shared::SessionId;
use zmes_shared::control::Since;

use crate::protocol::{AlarmBody, Reply, alarm};
use crate::route::{RouterHandle, Visibility};
use crate::state::{RecordedAlarm, Replay, StateError, StateHandle};

/// Alarms in one replay: what an app shows at most. Where there are more, the answer says `gap`.
const LIMIT: u32 = 1000;
/// How long the record may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// Where alarms are recorded.
#[async_trait]
pub trait AlarmRecord: Send + Sync + std::fmt::Debug {
    /// Returns the alarms after `since`, oldest first, at most `limit`.
    async fn alarms_since(&self, since: Since, limit: u32) -> Result<Replay, StateError>;
}

#[async_trait]
impl AlarmRecord for StateHandle {
    async fn alarms_since(&self, since: Since, limit: u32) -> Result<Replay, StateError> {
        Self::alarms_since(self, since, limit).await
    }
}

/// Returns the frames of a replay, oldest first, with its result as the last.
///
/// What the session may see is asked for now, not remembered: rights may have changed since it logged in.
pub(super) async fn frames(
    record: &dyn AlarmRecord,
    router: &RouterHandle,
    session: SessionId,
    since: Since,
) -> Vec<Utf8Bytes> {
    let Ok(visibility) = router.replays(session).await else {
        return vec![Reply::ReplayUnavailable.to_frame()];
    };
    match tokio::time::timeout(DEADLINE, record.alarms_since(since, LIMIT)).await {
        Ok(Ok(replay)) => visible(&replay, &visibility),
        Ok(Err(error)) => {
            tracing::debug!(%session, error = &error as &dyn std::error::Error, "cannot replay alarms");
            vec![Reply::ReplayUnavailable.to_frame()]
        }
        Err(_) => {
            tracing::debug!(%session, "the record of alarms did not answer in time");
            vec![Reply::ReplayUnavailable.to_frame()]
        }
    }
}

fn visible(replay: &Replay, visibility: &Visibility) -> Vec<Utf8Bytes> {
    let wanted = |alarm: &&RecordedAlarm| {
        visibility.rights.allow(alarm.monitor) && visibility.filter.interval(alarm.monitor).is_some()
    };
    let mut frames: Vec<Utf8Bytes> = replay.alarms.iter().filter(wanted).map(frame).collect();
    frames.push(Reply::Replayed { count: frames.len(), gap: replay.gap }.to_frame());
    frames
}

fn frame(recorded: &RecordedAlarm) -> Utf8Bytes {
    alarm(&AlarmBody {
        event: recorded.event,
        monitor: recorded.monitor,
        monitor_name: &recorded.monitor_name,
        cause: &recorded.cause,
        late: recorded.late,
        replayed: true,
        supplementary: false,
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::{Value, json};
    use zmes_shared::{EventId, MonitorId};

    use super::*;
    use crate::domain::{MonitorFilter, MonitorRights};

    fn recorded(event: u64, monitor: u32, late: bool) -> RecordedAlarm {
        RecordedAlarm {
            at: Timestamp::UNIX_EPOCH,
            event: Some(EventId(event)),
            monitor: MonitorId(monitor),
            monitor_name: format!("M{monitor}"),
            cause: "Motion".to_owned(),
            late,
        }
    }

    #[test]
    fn a_replay_is_what_the_session_may_see_and_wants_oldest_first() {
        let alarms =
            vec![recorded(1, 1, false), recorded(2, 2, false), recorded(3, 3, false), recorded(4, 1, true)];
        let visibility = Visibility {
            rights: MonitorRights::Only(std::sync::Arc::new([MonitorId(1), MonitorId(2)].into())),
            filter: MonitorFilter::parse("1,3", "3600,0").unwrap(),
        };
        let frames = visible(&Replay { alarms, gap: false }, &visibility);
        let read: Vec<Value> = frames.iter().map(|frame| serde_json::from_str(frame).unwrap()).collect();
        let brief: Vec<_> = read
            .iter()
            .map(|frame| {
                (&frame["events"][0]["EventId"], &frame["replayed"], &frame["late"], &frame["count"])
            })
            .collect();
        let null = Value::Null;
        assert_eq!(
            brief,
            [
                (&json!("1"), &json!("true"), &null, &null),
                (&json!("4"), &json!("true"), &json!("true"), &null),
                (&null, &null, &null, &json!("2")),
            ]
        );
    }
}
