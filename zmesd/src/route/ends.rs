//! Receivers that got the start of an alarm which has not ended: they will get its end.
//!
//! A receiver gets one end per episode: that of the last alarm it was sent. The alarms before it in the episode (an
//! earlier section of the recording, `realarm-interval`) did not end: the monitor stayed in alarm.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use zmes_shared::{EventId, MonitorId, SessionId};

use crate::domain::{Alarm, DeliveryId, TokenId};
use crate::state::StartedPush;

#[derive(Debug, Default)]
pub(super) struct OpenStarts {
    by_monitor: HashMap<MonitorId, ToldReceivers>,
}

#[derive(Debug, Default)]
struct ToldReceivers {
    sessions: BTreeMap<SessionId, Arc<Alarm>>,
    /// With the delivery that announced the start.
    tokens: BTreeMap<TokenId, (DeliveryId, Arc<Alarm>)>,
}

/// An alarm that has ended, and the receivers for which it was the last one.
#[derive(Debug)]
pub(super) struct EndedStart {
    pub(super) start: Arc<Alarm>,
    pub(super) sessions: Vec<SessionId>,
    pub(super) tokens: Vec<(TokenId, DeliveryId)>,
}

impl OpenStarts {
    /// Restores what the previous run sent, oldest first. Its sessions are gone.
    pub(super) fn remembered(started: Vec<StartedPush>) -> Self {
        let mut starts = Self::default();
        let mut last: Option<Arc<Alarm>> = None;
        for StartedPush { token, delivery, alarm } in started {
            let same = last.take().filter(|last| key(last) == key(&alarm) && last.monitor == alarm.monitor);
            let alarm = same.unwrap_or_else(|| Arc::new(alarm));
            starts.token_told(&alarm, token, delivery);
            last = Some(alarm);
        }
        starts
    }

    pub(super) fn session_told(&mut self, start: &Arc<Alarm>, session: SessionId) {
        self.of(start.monitor).sessions.insert(session, Arc::clone(start));
    }

    pub(super) fn token_told(&mut self, start: &Arc<Alarm>, token: TokenId, delivery: DeliveryId) {
        self.of(start.monitor).tokens.insert(token, (delivery, Arc::clone(start)));
    }

    pub(super) fn forget_session(&mut self, session: SessionId) {
        self.by_monitor.values_mut().for_each(|told| drop(told.sessions.remove(&session)));
    }

    /// Forgets a token whose new owner was sent nothing, or whose app no longer wants pushes.
    pub(super) fn forget_token(&mut self, token: TokenId) {
        self.by_monitor.values_mut().for_each(|told| drop(told.tokens.remove(&token)));
    }

    /// Removes and returns the alarms that this end closes, oldest first. Alarms from before its episode get no end,
    /// because the daemon was not running when it came.
    pub(super) fn take(&mut self, end: &Alarm) -> Vec<EndedStart> {
        let began = end.span.map_or(end.at, |span| span.began).as_millisecond();
        let told = self.by_monitor.remove(&end.monitor).unwrap_or_default();
        let mut ended = BTreeMap::<_, EndedStart>::new();
        let mut of = |start: Arc<Alarm>, add: &mut dyn FnMut(&mut EndedStart)| {
            if start.at.as_millisecond() >= began {
                let (sessions, tokens) = (Vec::new(), Vec::new());
                add(ended.entry(key(&start)).or_insert(EndedStart { start, sessions, tokens }));
            }
        };
        for (session, start) in told.sessions {
            of(start, &mut |ended| ended.sessions.push(session));
        }
        for (token, (delivery, start)) in told.tokens {
            of(start, &mut |ended| ended.tokens.push((token, delivery)));
        }
        ended.into_values().collect()
    }

    fn of(&mut self, monitor: MonitorId) -> &mut ToldReceivers {
        self.by_monitor.entry(monitor).or_default()
    }
}

fn key(start: &Alarm) -> (Timestamp, Option<EventId>) {
    (start.at, start.event)
}
