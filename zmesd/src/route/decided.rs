//! The decisions about the last alarms, for `why` and for watchers: a ring of bounded size.

use std::collections::VecDeque;
use std::sync::Arc;

use zmes_shared::{EventId, SessionId};

use super::token_handle::{self, SessionDecision};
use crate::domain::{Alarm, DecidedBy, Decision, Snooze, Token};

/// Maximum number of decisions kept for all alarms together, 16 bytes each. Those of the last alarm are always kept.
const MAX_DECISIONS: usize = 250_000;
const MAX_ALARMS: usize = 1000;

/// A token, what was decided for it, and the rule or snooze that decided.
pub type DecidedToken = (Arc<Token>, Decision, Option<DecidedBy>);

#[derive(Debug)]
pub struct AlarmDecisions {
    pub number: u64,
    pub alarm: Arc<Alarm>,
    /// Includes sessions that have not authenticated.
    pub sessions: Box<[(SessionId, Decision)]>,
    /// The rules that decided for sessions, ordered by session id.
    pub by: Box<[(SessionId, DecidedBy)]>,
    /// Empty without watchers, because the state file has these decisions.
    pub tokens: Box<[DecidedToken]>,
    /// The snoozes that decided for some of the tokens.
    pub snoozes: Box<[Snooze]>,
}

#[derive(Debug, Default)]
pub(super) struct DecisionRing {
    alarms: VecDeque<Arc<AlarmDecisions>>,
    decisions: usize,
}

impl AlarmDecisions {
    /// Returns the rule that decided for a session.
    pub fn rule_of(&self, session: SessionId) -> Option<&DecidedBy> {
        token_handle::rule_of(&self.by, session)
    }

    fn len(&self) -> usize {
        self.sessions.len() + self.tokens.len()
    }
}

impl DecisionRing {
    pub(super) fn push(&mut self, decided: Arc<AlarmDecisions>) {
        self.decisions += decided.len();
        self.alarms.push_back(decided);
        while self.alarms.len() > 1 && (self.alarms.len() > MAX_ALARMS || self.decisions > MAX_DECISIONS) {
            let oldest = self.alarms.pop_front().map_or(0, |oldest| oldest.len());
            self.decisions -= oldest;
        }
    }

    /// Returns the last alarms, oldest first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<AlarmDecisions>> {
        self.alarms.iter()
    }

    /// Returns the decisions for sessions about an event, oldest alarm first.
    pub(super) fn of_event(&self, event: EventId) -> impl Iterator<Item = SessionDecision> {
        let about = self.alarms.iter().filter(move |decided| decided.alarm.event == Some(event));
        about.flat_map(|decided| {
            SessionDecision::each(decided.number, &decided.alarm, &decided.sessions, &decided.by)
        })
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use tokio::time::Instant;
    use zmes_shared::MonitorId;

    use super::*;
    use crate::domain::{AlarmLabels, Origin, Phase};

    fn decided(number: u64, sessions: u64) -> Arc<AlarmDecisions> {
        let alarm = Alarm {
            monitor: MonitorId(1),
            monitor_name: "Garage".into(),
            event: Some(EventId(number)),
            cause: "Motion".into(),
            labels: AlarmLabels::default(),
            at: Timestamp::UNIX_EPOCH,
            detected: Instant::now(),
            origin: Origin::Poll,
            phase: Phase::Start,
            span: None,
            elsewhere: None,
            stands_for_event: false,
        };
        let sessions = (0..sessions).map(|id| (SessionId(id), Decision::Send)).collect();
        Arc::new(AlarmDecisions {
            number,
            alarm: Arc::new(alarm),
            sessions,
            by: Box::default(),
            tokens: Box::default(),
            snoozes: Box::default(),
        })
    }

    #[test]
    fn the_oldest_are_forgotten_and_the_last_one_never() {
        let mut ring = DecisionRing::default();
        for number in 1..=30 {
            ring.push(decided(number, 10_000));
        }
        assert_eq!(ring.of_event(EventId(5)).count(), 0);
        assert_eq!(ring.of_event(EventId(6)).count(), 10_000);
        ring.push(decided(31, 400_000));
        assert_eq!(ring.of_event(EventId(31)).count(), 400_000);
        assert_eq!(ring.of_event(EventId(30)).count(), 0);
        for number in 32..=2000 {
            ring.push(decided(number, 1));
        }
        assert_eq!(ring.of_event(EventId(1000)).count(), 0);
        assert_eq!(ring.of_event(EventId(1001)).count(), 1);
        assert_eq!((ring.alarms.len(), ring.decisions), (1000, 1000));
    }
}
