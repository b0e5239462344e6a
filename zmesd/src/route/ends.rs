//! Who was told of an alarm that goes on: they are told of its end.
//!
//! A receiver hears of one end an episode, that of the alarm it was told of last: others of the same stay in alarm (the
//! next section of a recording, `realarm-interval`) only say that it goes on.

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
    /// With the delivery that told it.
    tokens: BTreeMap<TokenId, (DeliveryId, Arc<Alarm>)>,
}

/// An alarm that has ended, and the receivers for which it was the last.
#[derive(Debug)]
pub(super) struct EndedStart {
    pub(super) start: Arc<Alarm>,
    pub(super) sessions: Vec<SessionId>,
    pub(super) tokens: Vec<(TokenId, DeliveryId)>,
}

impl OpenStarts {
    /// Returns what a former daemon told, oldest first. Its sessions are gone.
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

    /// The token has another owner now, who was told of nothing, or its app wants no pushes any more.
    pub(super) fn forget_token(&mut self, token: TokenId) {
        self.by_monitor.values_mut().for_each(|told| drop(told.tokens.remove(&token)));
    }

    /// Takes out the alarms that an end ends, oldest first. Those before its episode have no end: a former daemon did not
    /// live to see it.
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
