//! Alarms from the time when the daemon was down, for apps that reconnect after the start.
//!
//! The first reconciliation finishes milliseconds after the start, before any app has reconnected: apps retry after 2
//! to 10 s. So what it announces is kept for a minute and sent to each session that logs in during that time. It is
//! sent once per session, whatever an earlier session of the same app got: that one may have broken before the frame
//! was read.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use zmes_shared::{EventId, SessionId};

use super::token_handle::SessionDecision;
use crate::domain::{Alarm, DecidedBy, Decision};

/// How long after the start sessions get missed alarms.
const COME_BACK_WITHIN: Duration = Duration::from_mins(1);
/// How long a session has after its login to send its filter before it gets missed alarms.
const STATES_FILTER_WITHIN: Duration = Duration::from_secs(1);
/// Maximum number of alarms kept; the newest stay.
const MAX_ALARMS: usize = 256;
/// Maximum number of decisions kept for `why`; 16 bytes each.
const MAX_DECISIONS: usize = 100_000;
/// Maximum number of alarms sent in one turn of the router, all sessions together: takes a few milliseconds.
const MAX_TURN: usize = 2000;

/// The late alarms of the first minute, and the sessions that have yet to get them.
#[derive(Debug)]
pub(super) struct Missed {
    until: Instant,
    alarms: VecDeque<MissedAlarm>,
    /// Oldest first: when to send to a session that has logged in, and the number of the first alarm that it got live.
    waiting: VecDeque<(Instant, SessionId, u64)>,
    decisions: usize,
}

#[derive(Debug)]
struct MissedAlarm {
    number: u64,
    alarm: Arc<Alarm>,
    told: Vec<(SessionId, Decision)>,
    /// The rules that decided for sessions, ordered by session id.
    by: Vec<(SessionId, DecidedBy)>,
}

impl Missed {
    pub(super) fn new(started: Instant) -> Self {
        Self {
            until: started + COME_BACK_WITHIN,
            alarms: VecDeque::new(),
            waiting: VecDeque::new(),
            decisions: 0,
        }
    }

    pub(super) fn keep(&mut self, number: u64, alarm: &Arc<Alarm>, now: Instant) {
        let of_a_late_one = || self.alarms.iter().any(|kept| kept.alarm.monitor == alarm.monitor);
        let wanted = if alarm.is_end() { of_a_late_one() } else { alarm.late() };
        if !wanted || now >= self.until {
            return;
        }
        if self.alarms.len() >= MAX_ALARMS {
            self.decisions -= self.alarms.pop_front().map_or(0, |oldest| oldest.told.len());
        }
        self.alarms.push_back(MissedAlarm {
            number,
            alarm: Arc::clone(alarm),
            told: Vec::new(),
            by: Vec::new(),
        });
    }

    /// A session has logged in. `next` is the number of the next alarm, the first that the session gets live.
    pub(super) fn welcome(&mut self, session: SessionId, next: u64, now: Instant) {
        if now < self.until && !self.alarms.is_empty() {
            self.waiting.push_back((now + STATES_FILTER_WITHIN, session, next));
        }
    }

    /// A session asks for a replay: it does not get the same alarms a second time.
    pub(super) fn replays(&mut self, session: SessionId) {
        self.waiting.retain(|(_, waiting, _)| *waiting != session);
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.waiting.front().map(|(due, _, _)| *due)
    }

    /// Returns what to send now, and to which sessions, oldest alarm first.
    pub(super) fn take(&mut self, now: Instant) -> Vec<(u64, Arc<Alarm>, Vec<SessionId>)> {
        let mut turn: Vec<_> =
            self.alarms.iter().map(|found| (found.number, Arc::clone(&found.alarm), Vec::new())).collect();
        let mut told = 0;
        while told < MAX_TURN
            && let Some(&(due, session, next)) = self.waiting.front()
            && due <= now
        {
            self.waiting.pop_front();
            // The session did not get the end live if it had not got the start yet.
            let wanted = |number: u64, alarm: &Alarm| number < next || alarm.is_end();
            for (_, _, sessions) in turn.iter_mut().filter(|(number, alarm, _)| wanted(*number, alarm)) {
                sessions.push(session);
                told += 1;
            }
        }
        turn
    }

    pub(super) fn remember(
        &mut self,
        number: u64,
        decisions: Vec<(SessionId, Decision)>,
        by: Vec<(SessionId, DecidedBy)>,
    ) {
        let room = MAX_DECISIONS.saturating_sub(self.decisions);
        if let Some(found) = self.alarms.iter_mut().find(|found| found.number == number) {
            self.decisions += decisions.len().min(room);
            found.told.extend(decisions.into_iter().take(room));
            found.by.extend(by.into_iter().take(room));
            found.by.sort_unstable_by_key(|(session, _)| *session);
        }
    }

    /// Returns the alarms that were sent to sessions after their login, with the decisions.
    pub(super) fn all(&self) -> impl Iterator<Item = (&Arc<Alarm>, &[(SessionId, Decision)])> {
        self.alarms.iter().map(|found| (&found.alarm, found.told.as_slice()))
    }

    pub(super) fn of_event(&self, event: EventId) -> impl Iterator<Item = SessionDecision> {
        let about = self.alarms.iter().filter(move |found| found.alarm.event == Some(event));
        about.flat_map(|found| SessionDecision::each(found.number, &found.alarm, &found.told, &found.by))
    }
}
