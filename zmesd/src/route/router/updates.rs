//! Updates: an alarm was sent without labels, and they are known now.
//!
//! Watchers get every update. Phones and targets that want updates and were sent the alarm get one silent message that
//! replaces it. Rights, mute and the app's own settings apply as they are now. Filter, rules, snoozes and intervals do
//! not: if they withheld the alarm, they withheld its update with it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use zmes_providers::Urgency;

use super::Router;
use super::alarms::TokenVerdict;
use crate::domain::{Alarm, AlarmLabels, AlarmSpan, Origin, Phase, Token, TokenId, ToldStart};
use crate::route::labels::LabelRequest;
use crate::route::unlabelled::UnlabelledAlarm;
use crate::route::{PushBatch, PushDelivery};
use crate::state::{Note, UnlabelledStart};

impl Router {
    /// Notes an alarm that is told without labels, and the pushes that tell of it; of one with labels, who needs no update
    /// any more.
    pub(super) fn note_unlabelled(&mut self, alarm: &Arc<Alarm>, deliveries: &[PushDelivery]) {
        let looked_for = self.parts.labels.borrow().sources().any();
        if !looked_for || alarm.origin == Origin::Test {
            return;
        }
        if !alarm.labels.known.is_empty() {
            for delivery in deliveries {
                self.unlabelled.labelled(alarm, delivery.token.id);
            }
            return;
        }
        self.unlabelled.add(alarm);
        for delivery in deliveries {
            if self.token_wants_update(&delivery.token) {
                self.unlabelled.told(alarm, delivery.token.id, delivery.id);
            }
        }
    }

    /// Restores what the previous run sent without labels in its last minute.
    pub(super) fn remember_unlabelled(&mut self) {
        for start in std::mem::take(&mut self.parts.remembered.unlabelled) {
            let UnlabelledStart { alarm, told, seen } = start;
            let Some(event) = alarm.event else { continue };
            let alarm = Arc::new(alarm);
            self.unlabelled.add(&alarm);
            for (token, delivery) in told {
                self.unlabelled.told(&alarm, token, delivery);
            }
            if let Some((at, labels)) = seen {
                self.labels.keep(event, &labels);
                self.unlabelled.seen(&[event], at);
            } else {
                // If the queue is full, the event is not read, and there is no update.
                self.parts.label_requests.ask(LabelRequest { event, waits_until: None });
            }
        }
    }

    /// Sends the updates that are ready. Until the catalog has been read, token owners cannot be judged.
    pub(super) fn tell_updates(&mut self) {
        if !self.judges() {
            return;
        }
        let (mut pushes, mut batches) = (Vec::new(), Vec::new());
        for UnlabelledAlarm { alarm: start, told, seen_at } in self.unlabelled.take_seen() {
            let Some(at) = seen_at else { continue };
            self.alarms += 1;
            self.parts.counters.alarms_by.count((Phase::Update, start.origin));
            let passed = Duration::try_from(at.duration_since(start.at)).ok();
            let alarm = Arc::new(Alarm {
                labels: AlarmLabels { known: self.labels.of(start.event), waited: None },
                at,
                // Push latencies do not include the wait.
                detected: Instant::now(),
                phase: Phase::Update,
                span: Some(AlarmSpan { began: start.at, lasted: passed }),
                ..Alarm::clone(&start)
            });
            let verdicts = self.update_tokens(&alarm, &told);
            let (decisions, deliveries) = self.deliveries(&verdicts);
            self.remember(self.alarms, &alarm, Some((Vec::new(), Vec::new())), &verdicts);
            if !decisions.is_empty() {
                pushes.push((Arc::clone(&alarm), decisions));
                batches.push((alarm, deliveries));
            }
        }
        if pushes.is_empty() {
            return;
        }
        let recorded = self.try_note(Note::Updated(pushes));
        for (alarm, deliveries) in batches {
            self.push(PushBatch { alarm, deliveries, recorded, receipts: None, ledger: None });
        }
    }

    fn token_wants_update(&self, token: &Token) -> bool {
        self.reaches(token) && self.targets.hears_updates(token, self.parts.labels.borrow().update)
    }

    fn update_tokens(&self, alarm: &Alarm, told: &BTreeMap<TokenId, ToldStart>) -> Vec<TokenVerdict> {
        if !self.push.enabled {
            return Vec::new();
        }
        let verdict = |(&id, &start): (&TokenId, &ToldStart)| {
            let wants = self.tokens.get(id).is_some_and(|entry| self.token_wants_update(entry.token()));
            let decision = self.may_hear(id, Some(alarm.monitor)).filter(|_| wants)?;
            let badge = self.tokens.badge(id);
            let verdict = self.notice(id, decision, None, Urgency::Silent)?;
            Some(TokenVerdict { badge, start: Some(start), ..verdict })
        };
        told.iter().filter_map(verdict).collect()
    }
}
