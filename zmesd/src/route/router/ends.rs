//! The end of an alarm: sent to the receivers that got its start.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::time::Instant;
use zmes_providers::Urgency;
use zmes_shared::{MonitorId, SessionId};

use super::Router;
use super::alarms::{TokenVerdict, wants_pushes};
use crate::domain::{Alarm, Decision, DeliveryId, Phase, SkipReason, Token, TokenId};
use crate::protocol::{self, AlarmBody};
use crate::route::ends::EndedStart;
use crate::route::policy::{self, EndReceiver};
use crate::route::{PushBatch, PushDelivery};
use crate::state::{EndNote, Note, TokenDecision};

/// The prefix that ES 6 and 7 put before the cause.
const ENDED: &str = "End:";

/// Late alarms that sessions got after their login, and whose end they have not got.
type LateStarts = HashMap<(MonitorId, SessionId), Arc<Alarm>>;

/// A message, the decisions for tokens, and the deliveries to send.
type DecidedMessage = (Arc<Alarm>, Arc<[TokenDecision]>, Vec<PushDelivery>);

impl Router {
    /// Rights, mute and the app's own settings apply as they are now. Filter, rules, snoozes and intervals do not: they
    /// decided about the start, and the end follows each start that was sent.
    pub(super) fn on_end(&mut self, end: Alarm) {
        self.parts.counters.alarms_by.count((Phase::End, end.origin));
        let end = Arc::new(end);
        self.held.ended(&end);
        let mut ended = self.open_starts.take(&end);
        if !ended.iter().any(|ended| ended.start.event == end.event) {
            let (start, sessions, tokens) = (Arc::clone(&end), Vec::new(), Vec::new());
            ended.push(EndedStart { start, sessions, tokens });
        }
        let (mut pushes, mut batches) = (Vec::new(), Vec::new());
        for EndedStart { start, sessions, tokens } in ended {
            self.alarms += 1;
            let alarm = Arc::new(end_of(&start, &end));
            let sessions = self.end_sessions(&alarm, &sessions);
            let verdicts = self.end_tokens(&alarm, &tokens);
            let (decisions, deliveries) = self.deliveries(&verdicts);
            self.missed.keep(self.alarms, &alarm, Instant::now());
            self.remember(self.alarms, &alarm, Some((sessions, Vec::new())), &verdicts);
            if !decisions.is_empty() {
                pushes.push((Arc::clone(&alarm), decisions));
                batches.push((alarm, deliveries));
            }
        }
        self.tell_cluster(&end);
        let recorded = self.try_note(Note::Ended(Box::new(EndNote { end, pushes })));
        for (alarm, deliveries) in batches {
            self.push(PushBatch { alarm, deliveries, recorded, receipts: None, ledger: None });
        }
    }

    /// Sends late alarms, and their ends, to sessions that have logged in right after the start.
    pub(super) fn tell_missed(&mut self, now: Instant) {
        if self.missed.due().is_none_or(|due| due > now) {
            return;
        }
        let mut told = LateStarts::new();
        for (number, alarm, sessions) in self.missed.take(now) {
            if alarm.is_end() {
                let theirs = |id: &SessionId| told.remove(&(alarm.monitor, *id)).is_some();
                let sessions: Vec<_> = sessions.into_iter().filter(theirs).collect();
                let decisions = self.end_sessions(&alarm, &sessions);
                self.missed.remember(number, decisions, Vec::new());
                continue;
            }
            let (decisions, by) = self.tell_latecomers(&alarm, &sessions);
            let sent = decisions.iter().filter(|(_, decision)| *decision == Decision::Send);
            told.extend(sent.map(|(id, _)| ((alarm.monitor, *id), Arc::clone(&alarm))));
            self.missed.remember(number, decisions, by);
        }
        for ((_, session), start) in told {
            self.session_started(&start, session);
        }
    }

    /// Decides for tokens about the end of an alarm that ended while the decision about its start waited.
    pub(super) fn end_released(
        &mut self,
        start: &Alarm,
        end: &Alarm,
        started: &[PushDelivery],
    ) -> Option<DecidedMessage> {
        let told: Vec<_> = started.iter().map(|delivery| (delivery.token.id, delivery.id)).collect();
        // Push latencies do not include the wait.
        let alarm = Arc::new(Alarm { detected: Instant::now(), ..end_of(start, end) });
        let verdicts = self.end_tokens(&alarm, &told);
        if verdicts.is_empty() {
            return None;
        }
        let (decisions, deliveries) = self.deliveries(&verdicts);
        // Watchers got the end itself when it came.
        self.remember(0, &alarm, None, &verdicts);
        Some((alarm, decisions, deliveries))
    }

    /// Records who gets the end of an alarm.
    pub(super) fn note_started(
        &mut self,
        start: &Arc<Alarm>,
        sessions: &[(SessionId, Decision)],
        deliveries: &[PushDelivery],
    ) {
        for (session, _) in sessions.iter().filter(|(_, decision)| *decision == Decision::Send) {
            self.session_started(start, *session);
        }
        for delivery in deliveries {
            if self.token_wants_end(&delivery.token) {
                self.open_starts.token_told(start, delivery.token.id, delivery.id);
            }
        }
    }

    fn token_wants_end(&self, token: &Token) -> bool {
        self.reaches(token) && policy::wants_end(self.targets.end_receiver(token), *self.parts.ends.borrow())
    }

    fn session_started(&mut self, start: &Arc<Alarm>, session: SessionId) {
        if policy::wants_end(EndReceiver::Session, *self.parts.ends.borrow()) {
            self.open_starts.session_told(start, session);
        }
    }

    fn end_sessions(&mut self, alarm: &Alarm, ids: &[SessionId]) -> Vec<(SessionId, Decision)> {
        let ends = *self.parts.ends.borrow();
        if ids.is_empty() || !policy::wants_end(EndReceiver::Session, ends) {
            return Vec::new();
        }
        let pushed = self.push.phones && policy::wants_end(EndReceiver::Token, ends);
        let [plain, marked] = [false, true].map(|supplementary| {
            protocol::alarm(&AlarmBody {
                event: alarm.event,
                monitor: alarm.monitor,
                monitor_name: &alarm.monitor_name,
                cause: &format!("{ENDED}{}", alarm.cause),
                picture: None,
                late: alarm.late(),
                replayed: false,
                supplementary,
            })
        });
        let mut decisions = Vec::with_capacity(ids.len());
        for id in ids {
            let token = self.attachments.token_of(*id).and_then(|token| self.tokens.get(token));
            let supplementary = pushed && token.is_some_and(wants_pushes);
            let Some(session) = self.sessions.get_mut(*id) else { continue };
            let Some(login) = session.login() else { continue };
            let decision = if login.user.rights.allow(alarm.monitor) {
                session.deliver(if supplementary { &marked } else { &plain }, None)
            } else {
                Decision::Skip(SkipReason::Rights)
            };
            decisions.push((*id, decision));
        }
        decisions
    }

    fn end_tokens(&mut self, alarm: &Alarm, tokens: &[(TokenId, DeliveryId)]) -> Vec<TokenVerdict> {
        if !self.push.enabled {
            return Vec::new();
        }
        let verdict = |&(id, start): &(TokenId, DeliveryId)| {
            let wants = self.tokens.get(id).is_some_and(|entry| self.token_wants_end(entry.token()));
            let decision = self.may_hear(id, Some(alarm.monitor)).filter(|_| wants)?;
            let badge = self.tokens.next_badge(id, false);
            let verdict = self.notice(id, decision, None, Urgency::Silent)?;
            Some(TokenVerdict { badge, start: Some(start.into()), ..verdict })
        };
        tokens.iter().filter_map(verdict).collect()
    }
}

/// Returns the end of an alarm whose episode ends.
fn end_of(start: &Alarm, end: &Alarm) -> Alarm {
    Alarm {
        event: start.event,
        monitor_name: Arc::clone(&start.monitor_name),
        cause: Arc::clone(&start.cause),
        ..end.clone()
    }
}
