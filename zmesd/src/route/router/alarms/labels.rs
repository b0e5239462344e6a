//! Alarms whose decisions for tokens wait for labels.
//!
//! Sessions get the alarm at once. Decisions that wait are on disk from the announcement on, in the same transaction,
//! and are made once: when labels are known or the wait ends. Rights, filters, mutes, snoozes, rules and intervals are
//! those of that moment; the time is the alarm's own.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use tracing::{debug, warn};
use zmes_shared::words::LabelWait;
use zmes_shared::{Label, SessionId};

use super::AlarmRound;
use crate::domain::{Alarm, AlarmLabels, AlarmSpan, DecidedBy, Decision, Origin, Phase, TokenId};
use crate::route::PushBatch;
use crate::route::labels::{HeldDecision, LabelCommand, LabelReport, LabelRequest};
use crate::route::router::Router;
use crate::state::Note;

/// The longest wait that survives a restart, whatever the clock says: the maximum of `labels.wait`.
const LONGEST: Duration = Duration::from_secs(30);

impl Router {
    /// Adds what was detected in the event before this alarm.
    pub(in crate::route::router) fn labelled(&self, alarm: Alarm) -> Alarm {
        let known = self.labels.of(alarm.event);
        Alarm { labels: AlarmLabels { known, waited: None }, ..alarm }
    }

    /// Has the labels of an alarm's event looked for. Returns until when its decisions for tokens wait; `None`: they are
    /// made at once.
    pub(in crate::route::router) fn wait_for_labels(&self, alarm: &Alarm) -> Option<Instant> {
        let event = alarm.event?;
        let config = self.parts.labels.borrow();
        if !config.sources().any() {
            return None;
        }
        let waits = !config.wait.is_zero()
            && self.labels_possible
            && alarm.origin == Origin::Poll
            && alarm.labels.known.is_empty()
            && self.push.enabled
            && !self.held.is_full()
            && self.tokens.live().next().is_some();
        let waits_until = waits.then(|| alarm.detected + config.wait);
        // If the queue is full, the labels are not read, and waiting would be pointless.
        let asked = self.parts.label_requests.ask(LabelRequest { event, waits_until });
        waits_until.filter(|_| asked)
    }

    /// Announces an alarm whose decisions for tokens wait.
    pub(super) fn hold(
        &mut self,
        alarm: Arc<Alarm>,
        until: Instant,
        sessions: Vec<(SessionId, Decision)>,
        by: Vec<(SessionId, DecidedBy)>,
        copied: &BTreeSet<TokenId>,
    ) {
        self.remember_sent(&alarm, &[], copied);
        self.note_started(&alarm, &sessions, &[]);
        self.note_unlabelled(&alarm, &[]);
        self.remember(self.alarms, &alarm, Some((sessions, by.clone())), &[]);
        self.missed.keep(self.alarms, &alarm, Instant::now());
        let wait =
            SignedDuration::try_from(until.saturating_duration_since(Instant::now())).unwrap_or_default();
        let ends_at = self.parts.clock.now().saturating_add(wait).unwrap_or(Timestamp::MAX);
        // If the state has no room, the alarm waits in memory only: after a crash it would be announced again.
        self.note(Note::Held(Arc::clone(&alarm), ends_at));
        self.held.hold(HeldDecision::new(self.alarms, alarm, until, by));
    }

    /// Resumes the waits that were pending when the last run ended.
    pub(in crate::route::router) fn hold_again(&mut self) {
        let (now, wall) = (Instant::now(), self.parts.clock.now());
        let waits = self.parts.labels.borrow().sources().any();
        for held in std::mem::take(&mut self.parts.remembered.held) {
            let left = Duration::try_from(held.until.duration_since(wall)).unwrap_or_default();
            let mut until = now + if waits { left.min(LONGEST) } else { Duration::ZERO };
            if let Some(event) = held.alarm.event
                && !self.parts.label_requests.ask(LabelRequest { event, waits_until: Some(until) })
            {
                until = now;
            }
            let end = held.ended_at.map(|at| end_of_held(&held.alarm, at));
            self.held.hold(HeldDecision::new(0, Arc::new(held.alarm), until, Vec::new()).with_end(end));
        }
        self.remember_unlabelled();
    }

    /// Returns when the next wait ends. Until the catalog has been read, token owners cannot be judged.
    pub(in crate::route::router) fn wait_ends(&self) -> Option<Instant> {
        self.held.due().filter(|_| self.judges())
    }

    pub(in crate::route::router) fn judges(&self) -> bool {
        !self.auth_enabled() || self.parts.catalog.borrow().read_at.is_some()
    }

    pub(in crate::route::router) fn on_wait_over(&mut self) {
        for held in self.held.take_due(Instant::now()) {
            self.release(&held);
        }
    }

    /// Decides the waiting alarms if the new configuration no longer waits.
    pub(in crate::route::router) fn on_label_settings(&mut self) {
        self.labels_possible = true;
        self.release_known();
    }

    pub(in crate::route::router) fn on_labels(&mut self, command: LabelCommand) {
        let LabelCommand { report: LabelReport { read, found, possible }, reply } = command;
        let waits = !self.parts.labels.borrow().wait.is_zero();
        if self.labels_possible && !possible && waits {
            let hint = "tags need ZoneMinder 1.38 or newer: add \"notes\" to labels.source, or set labels.wait = \"0s\"";
            warn!(hint, "ZoneMinder has no source of labels: pushes do not wait for them");
        }
        self.labels_possible = possible;
        self.held.read(&read, Instant::now());
        for (event, labels) in &found {
            debug!(%event, labels = Label::listed(labels), "labels");
            self.labels.keep(*event, labels);
        }
        let (at, events) =
            (self.parts.clock.now(), found.iter().map(|(event, _)| *event).collect::<Vec<_>>());
        let noted = found.is_empty() || self.try_note(Note::Labels(found, at));
        if noted {
            self.unlabelled.seen(&events, at);
        }
        self.release_known();
        self.tell_updates();
        // The caller may have given up; it will report again.
        reply.send(noted).ok();
    }

    /// Decides the alarms whose labels are known, or all of them if waiting is off.
    pub(in crate::route::router) fn release_known(&mut self) {
        if !self.judges() {
            return;
        }
        let waits = {
            let config = self.parts.labels.borrow();
            self.labels_possible && !config.wait.is_zero() && config.sources().any()
        };
        let ready = if waits { self.held.take_known(&self.labels) } else { self.held.take_all() };
        for held in ready {
            self.release(&held);
        }
    }

    /// Decides for the tokens.
    pub(in crate::route::router) fn release(&mut self, held: &HeldDecision) {
        let known = self.labels.of(held.alarm.event);
        let ending = if known.is_empty() { held.ending() } else { LabelWait::Found };
        let waited = self.parts.clock.now().duration_since(held.alarm.at);
        let waited = Duration::try_from(waited).unwrap_or_default();
        // An alarm of the ledger comes here, too, where nothing is to be waited for.
        let has_waited = held.ledger.is_none() || !self.parts.labels.borrow().wait.is_zero();
        let alarm = Arc::new(Alarm {
            labels: AlarmLabels { known, waited: has_waited.then_some((waited, ending)) },
            // Latencies of pushes do not contain the wait.
            detected: Instant::now(),
            ..Alarm::clone(&held.alarm)
        });
        let unlabelled = (ending == LabelWait::None).then(|| self.parts.labels.borrow().without);
        let done = held.ledger.as_ref().map(|ledger| Arc::clone(&ledger.done));
        let round = AlarmRound { latecomer: true, unlabelled, done, ..AlarmRound::default() };
        let rules = Arc::clone(&self.parts.rules.borrow());
        let candidates = rules.candidates(&self.alarm_facts(&alarm));
        let verdicts = self.decide_tokens(&alarm, &round, None, &candidates);
        self.remember_sent(&alarm, &verdicts, &BTreeSet::new());
        let (decisions, deliveries) = self.deliveries(&verdicts);
        if let Some(ledger) = &held.ledger {
            self.tell_decided(ledger.mark, &verdicts);
        }
        self.count_wishes(&alarm, &held.by, &verdicts);
        self.remember(held.number, &alarm, None, &verdicts);
        let mut end = None;
        match &held.end {
            Some(ended) => end = self.end_released(&alarm, ended, &deliveries),
            None => self.note_started(&alarm, &[], &deliveries),
        }
        self.note_unlabelled(&alarm, &deliveries);
        let (mut messages, mut batches) = (Vec::new(), Vec::new());
        for (message, decisions, deliveries) in
            [(Arc::clone(&alarm), decisions, deliveries)].into_iter().chain(end)
        {
            messages.push((Arc::clone(&message), decisions));
            batches.push((message, deliveries));
        }
        let mark = held.ledger.as_ref().map(|ledger| ledger.mark);
        // One note: a kill between two would lose the end.
        let recorded = self.try_note(match mark {
            Some(mark) => Note::Decided(mark, messages),
            None => Note::Released(alarm, messages),
        });
        for (alarm, deliveries) in batches {
            let ledger = mark.filter(|_| alarm.phase.is_start());
            self.push(PushBatch { alarm, deliveries, recorded, receipts: None, ledger });
        }
    }
}

/// Returns the end of an alarm whose end the previous run saw, but whose start it had not yet decided.
fn end_of_held(start: &Alarm, at: Timestamp) -> Arc<Alarm> {
    let lasted = Duration::try_from(at.duration_since(start.at)).ok();
    let span = Some(AlarmSpan { began: start.at, lasted });
    Arc::new(Alarm { at, phase: Phase::End, span, ..start.clone() })
}
