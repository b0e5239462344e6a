//! Handles a test alarm: decided like any other, but intervals and badges do not count, and it is for some targets alone.

use std::sync::Arc;

use tokio::time::Instant;
use zmes_shared::{EventId, SessionId};

use super::{AlarmRound, Router, TokenVerdict};
use crate::domain::{Alarm, AlarmLabels, Decision, Origin, Phase, SkipReason};
use crate::route::PushBatch;
use crate::route::handle::{AlarmTarget, AlarmTestReport, AlarmTestRequest, TestTarget};
use crate::route::sessions::Session;
use crate::state::Note;

/// First id for test alarms: far beyond any real event, and still exact as a JavaScript number.
const TEST_EVENTS_FROM: u64 = 9_000_000_000_000;
/// The cause of a test alarm, so that it is not taken for a real one.
const TEST_CAUSE: &str = "Test alarm by zmesctl";

impl Router {
    pub(in crate::route::router) fn on_test(&mut self, request: AlarmTestRequest) -> AlarmTestReport {
        self.alarms += 1;
        self.tests += 1;
        let event = EventId(TEST_EVENTS_FROM + self.tests);
        let alarm = Arc::new(Alarm {
            monitor: request.monitor,
            monitor_name: request.monitor_name,
            event: Some(event),
            cause: TEST_CAUSE.into(),
            labels: AlarmLabels::default(),
            at: self.parts.clock.now(),
            detected: Instant::now(),
            origin: Origin::Test,
            phase: Phase::Start,
            span: None,
            elsewhere: None,
            stands_for_event: false,
        });
        let AlarmTestRequest { dry_run, receipts, only, token, push_receipts, .. } = request;
        let round = AlarmRound { test: true, dry_run, receipts, push_receipts, ..AlarmRound::default() };
        let rules = Arc::clone(&self.parts.rules.borrow());
        let candidates = rules.candidates(&self.alarm_facts(&alarm));
        let (meant, others) = self.test_sessions(&only, token.is_some());
        let (mut sessions, by, _) = self.tell_sessions(&alarm, &round, &meant, &candidates);
        sessions.extend(others.into_iter().map(|id| (id, Decision::Skip(SkipReason::OtherTarget))));
        sessions.sort_unstable_by_key(|(id, _)| *id);
        let verdicts =
            if only.is_empty() { self.decide_tokens(&alarm, &round, token, &candidates) } else { Vec::new() };
        let session = |&(id, decision): &(SessionId, Decision)| TestTarget {
            target: AlarmTarget::Session(id),
            decision,
            by: by.iter().find(|(decided, _)| *decided == id).map(|(_, by)| by.clone()),
        };
        let told = |verdict: &TokenVerdict| TestTarget {
            target: AlarmTarget::Token(verdict.token.id, verdict.token.handle),
            decision: verdict.decision,
            by: verdict.by.clone(),
        };
        let targets = sessions.iter().map(session).chain(verdicts.iter().map(told)).collect();
        if !round.dry_run {
            self.parts.counters.alarms_by.count((Phase::Start, Origin::Test));
            let (decisions, deliveries) = self.deliveries(&verdicts);
            self.remember(self.alarms, &alarm, Some((sessions, by)), &verdicts);
            let recorded = self.try_note(Note::Announced(Arc::clone(&alarm), decisions));
            self.push(PushBatch { alarm, deliveries, recorded, receipts: round.push_receipts, ledger: None });
        }
        AlarmTestReport { alarm: self.alarms, event, targets }
    }

    /// Returns the sessions that a test is for, then the other authenticated ones. A test for a token is for none.
    fn test_sessions(&self, only: &[SessionId], for_token: bool) -> (Vec<SessionId>, Vec<SessionId>) {
        if for_token {
            return (Vec::new(), Vec::new());
        }
        let logged_in = self.sessions.all().filter(|session| session.login().is_some());
        logged_in.map(Session::id).partition(|id| only.is_empty() || only.contains(id))
    }
}
