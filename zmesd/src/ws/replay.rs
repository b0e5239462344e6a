//! Replays missed alarms to an app that asks for them.

use std::time::Duration;

use async_trait::async_trait;
use secrecy::ExposeSecret;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use zmes_shared::SessionId;
use zmes_shared::control::Since;

use crate::protocol::{AlarmBody, AppReply, alarm};
use crate::route::{RouterHandle, Visibility};
use crate::state::{RecordedAlarm, ReplaySpan, StateError, StateHandle};

/// Maximum number of alarms in one replay: what an app can show. If there are more, the answer says `gap`.
const LIMIT: u32 = 1000;
const PAGE: u32 = 32;
/// A page ends after this many bytes of frames; the next one is read when these are in the kernel.
const PAGE_BYTES: usize = 16 * 1024;
/// How long the record may take for one page.
const DEADLINE: Duration = Duration::from_secs(5);

#[async_trait]
pub trait AlarmRecord: Send + Sync + std::fmt::Debug {
    /// Returns the positions of the alarms after `since`, at most `limit`.
    async fn span(&self, since: Since, limit: u32) -> Result<ReplaySpan, StateError>;

    /// Returns the next alarms of a span, oldest first, at most `limit`, each with its number.
    async fn page(&self, span: ReplaySpan, limit: u32) -> Result<Vec<(i64, RecordedAlarm)>, StateError>;
}

#[async_trait]
impl AlarmRecord for StateHandle {
    async fn span(&self, since: Since, limit: u32) -> Result<ReplaySpan, StateError> {
        self.replay_span(since, limit).await
    }

    async fn page(&self, span: ReplaySpan, limit: u32) -> Result<Vec<(i64, RecordedAlarm)>, StateError> {
        self.replay_page(span, limit).await
    }
}

/// The rest of a replay in progress, after a page.
#[derive(Debug)]
pub(super) struct ReplayRest {
    span: ReplaySpan,
    told: usize,
}

/// The next frames, and what comes after them. The last page ends with the result.
#[derive(Debug, Default)]
pub(super) struct ReplayPage {
    pub(super) frames: std::vec::IntoIter<Utf8Bytes>,
    pub(super) rest: Option<ReplayRest>,
}

impl ReplayPage {
    pub(super) fn is_done(&self) -> bool {
        self.frames.len() == 0 && self.rest.is_none()
    }

    fn unavailable() -> Self {
        Self { frames: vec![AppReply::ReplayUnavailable.to_frame()].into_iter(), rest: None }
    }
}

pub(super) async fn begin(
    record: &dyn AlarmRecord,
    router: &RouterHandle,
    session: SessionId,
    since: Since,
) -> ReplayPage {
    // The router is informed first, so that it does not also send the same alarms as missed.
    if router.replays(session).await.is_err() {
        return ReplayPage::unavailable();
    }
    match in_time(session, record.span(since, LIMIT)).await {
        Some(span) => go_on(record, router, session, ReplayRest { span, told: 0 }).await,
        None => ReplayPage::unavailable(),
    }
}

/// Visibility is read for each page: rights may have changed since the last one.
pub(super) async fn go_on(
    record: &dyn AlarmRecord,
    router: &RouterHandle,
    session: SessionId,
    mut rest: ReplayRest,
) -> ReplayPage {
    loop {
        let Ok(visibility) = router.visibility(session).await else { return ReplayPage::unavailable() };
        let Some(alarms) = in_time(session, record.page(rest.span, PAGE)).await else {
            return ReplayPage::unavailable();
        };
        let page = cut(&alarms, &visibility, &rest);
        // Skip pages without any frame for this session.
        match page.rest {
            Some(next) if page.frames.len() == 0 => rest = next,
            Some(_) | None => return page,
        }
    }
}

async fn in_time<T>(session: SessionId, question: impl Future<Output = Result<T, StateError>>) -> Option<T> {
    match tokio::time::timeout(DEADLINE, question).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => {
            tracing::debug!(%session, error = &error as &dyn std::error::Error, "replay failed");
            None
        }
        Err(_) => {
            tracing::debug!(%session, "replay timed out");
            None
        }
    }
}

/// Makes a page of the alarms that the session may see and wants, as many as fit.
fn cut(alarms: &[(i64, RecordedAlarm)], visibility: &Visibility, rest: &ReplayRest) -> ReplayPage {
    let ReplayRest { mut span, told } = *rest;
    let (mut frames, mut bytes) = (Vec::new(), 0);
    for (number, recorded) in alarms {
        if bytes >= PAGE_BYTES {
            break;
        }
        span.after = *number;
        let monitor = recorded.monitor;
        if visibility.rights.allow(monitor) && visibility.filter.interval(monitor).is_some() {
            let frame = frame(recorded, visibility);
            bytes += frame.len();
            frames.push(frame);
        }
    }
    let told = told + frames.len();
    let whole = alarms.is_empty() || span.after >= span.until;
    if whole {
        frames.push(AppReply::Replayed { count: told, gap: span.gap }.to_frame());
    }
    ReplayPage { frames: frames.into_iter(), rest: (!whole).then_some(ReplayRest { span, told }) }
}

fn frame(recorded: &RecordedAlarm, visibility: &Visibility) -> Utf8Bytes {
    let links = visibility.links.as_ref();
    let picture = links.zip(recorded.event).and_then(|(links, event)| links.picture(event, recorded.at));
    alarm(&AlarmBody {
        event: recorded.event,
        monitor: recorded.monitor,
        monitor_name: &recorded.monitor_name,
        cause: &recorded.cause,
        picture: picture.as_ref().map(ExposeSecret::expose_secret),
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
    use crate::domain::MonitorFilter;
    use zmes_zoneminder::MonitorRights;

    fn recorded(event: u64, monitor: u32, late: bool) -> (i64, RecordedAlarm) {
        let alarm = RecordedAlarm {
            at: Timestamp::UNIX_EPOCH,
            event: Some(EventId(event)),
            monitor: MonitorId(monitor),
            monitor_name: format!("M{monitor}"),
            cause: "Motion".to_owned(),
            late,
            ended_at: None,
            elsewhere: false,
        };
        (event.cast_signed(), alarm)
    }

    fn rest(until: i64) -> ReplayRest {
        ReplayRest { span: ReplaySpan { after: 0, until, gap: false }, told: 0 }
    }

    #[test]
    fn a_replay_is_what_the_session_may_see_and_wants_oldest_first() {
        let alarms =
            [recorded(1, 1, false), recorded(2, 2, false), recorded(3, 3, false), recorded(4, 1, true)];
        let visibility = Visibility {
            rights: MonitorRights::Only(std::sync::Arc::new([MonitorId(1), MonitorId(2)].into())),
            filter: MonitorFilter::parse("1,3", "3600,0").unwrap(),
            links: None,
        };
        let page = cut(&alarms, &visibility, &rest(4));
        assert!(page.rest.is_none());
        let read: Vec<Value> = page.frames.map(|frame| serde_json::from_str(&frame).unwrap()).collect();
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

    #[test]
    fn a_page_is_bounded_and_the_next_one_goes_on_where_it_ended() {
        let all = Visibility { rights: MonitorRights::All, filter: MonitorFilter::All, links: None };
        let long = |event| {
            let (number, alarm) = recorded(event, 1, false);
            (number, RecordedAlarm { cause: "x".repeat(5000), ..alarm })
        };
        let alarms: Vec<_> = (1..=10).map(long).collect();
        let first = cut(&alarms, &all, &rest(10));
        assert_eq!(first.frames.len(), 4, "16 KiB of 5 KiB each");
        let rest = first.rest.unwrap();
        assert_eq!((rest.span.after, rest.told), (4, 4));
        let second = cut(&alarms[4..], &all, &rest);
        let third = cut(&alarms[8..], &all, &second.rest.unwrap());
        let last = third.frames.last().unwrap();
        assert!(last.contains(r#""count":"10""#), "{last}");
    }

    #[test]
    fn alarms_that_were_forgotten_meanwhile_end_the_replay() {
        let all = Visibility { rights: MonitorRights::All, filter: MonitorFilter::All, links: None };
        let page = cut(&[], &all, &rest(10));
        assert!(page.rest.is_none());
        assert_eq!(page.frames.len(), 1);
    }
}
