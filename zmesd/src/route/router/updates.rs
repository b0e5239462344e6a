//! Updates: an alarm was sent without labels, and they are known now; or a better picture of it is there.
//!
//! Watchers get every update with labels. Phones and targets that want updates and were sent the alarm get one silent
//! message that replaces it. Rights, mute and the app's own settings apply as they are now. Filter, rules, snoozes and
//! intervals do not: if they withheld the alarm, they withheld its update with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use zmes_providers::Urgency;
use zmes_shared::Label;

use super::Router;
use super::alarms::TokenVerdict;
use crate::domain::{Alarm, AlarmLabels, AlarmSpan, Origin, Phase, Token, TokenId, ToldStart};
use crate::route::better::PictureCommand;
use crate::route::labels::LabelRequest;
use crate::route::unlabelled::UnlabelledAlarm;
use crate::route::{PictureRequest, PushBatch, PushDelivery};
use crate::state::{Note, UnlabelledStart};

impl Router {
    /// Notes an alarm that is told without labels, and the pushes that tell of it; of one with labels, who needs no update
    /// any more. Detection has run by then, so that its picture is there, too.
    pub(super) fn note_unlabelled(&mut self, alarm: &Arc<Alarm>, deliveries: &[PushDelivery]) {
        let looked_for = self.parts.labels.borrow().sources().any();
        let pictures = self.parts.pictures.borrow().update;
        if !(looked_for || pictures) || alarm.origin == Origin::Test {
            return;
        }
        if !alarm.labels.known.is_empty() {
            for delivery in deliveries {
                self.unlabelled.labelled(alarm, delivery.token.id);
            }
            return;
        }
        self.unlabelled.add(alarm);
        let (mut labels_expected, mut pictures_wanted) = (false, false);
        for delivery in deliveries {
            let wants_labels = looked_for && self.token_wants_labels(&delivery.token);
            let wants_picture = self.token_wants_picture(&delivery.token);
            if wants_labels || wants_picture {
                self.unlabelled.told(alarm, delivery.token.id, delivery.id);
            }
            labels_expected |= wants_labels;
            pictures_wanted |= wants_picture;
        }
        // Of an alarm that was found late the pictures are there already.
        if pictures_wanted && alarm.origin == Origin::Poll {
            self.watch_for_picture(alarm, labels_expected);
        }
    }

    fn watch_for_picture(&self, alarm: &Alarm, labels_expected: bool) {
        if let Some(event) = alarm.event {
            self.parts.picture_requests.ask(PictureRequest { event, at: alarm.at, labels_expected });
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
                if alarm.origin == Origin::Poll && self.parts.pictures.borrow().update {
                    let labels = self.parts.labels.borrow();
                    self.watch_for_picture(&alarm, labels.update && labels.sources().any());
                }
            }
        }
    }

    /// Sends the updates whose labels are known. Until the catalog has been read, token owners cannot be judged.
    pub(super) fn tell_updates(&mut self) {
        if !self.judges() {
            return;
        }
        let mut updates = Vec::new();
        for UnlabelledAlarm { alarm: start, told, seen_at } in self.unlabelled.take_seen() {
            let Some(at) = seen_at else { continue };
            self.alarms += 1;
            self.parts.counters.alarms_by.count((Phase::Update, start.origin));
            let alarm = update_of(&start, at, self.labels.of(start.event));
            let verdicts = self.update_tokens(&alarm, &told, Self::token_wants_labels);
            self.remember(self.alarms, &alarm, Some((Vec::new(), Vec::new())), &verdicts);
            updates.push((alarm, verdicts));
        }
        self.send_updates(&updates);
    }

    /// Sends the updates for a better picture.
    pub(super) fn on_better_picture(&mut self, command: PictureCommand) {
        let PictureCommand { better, reply } = command;
        if !self.judges() {
            // It is reported again.
            return;
        }
        let tokens = &self.tokens;
        let wants = |token| tokens.get(token).is_some_and(|entry| self.token_wants_picture(entry.token()));
        let wanting: BTreeSet<_> = self.unlabelled.told_of(better.event).filter(|id| wants(*id)).collect();
        let mut updates = Vec::new();
        for (start, told) in self.unlabelled.take_worse(&better, |token| wanting.contains(&token)) {
            let alarm = update_of(&start, self.parts.clock.now(), Arc::default());
            let verdicts = self.update_tokens(&alarm, &told, Self::token_wants_picture);
            // Watchers and scripts are told of labels alone.
            self.remember(0, &alarm, None, &verdicts);
            updates.push((alarm, verdicts));
        }
        self.send_updates(&updates);
        // The caller may have given up; it will report again, and find nobody left.
        reply.send(()).ok();
    }

    fn send_updates(&mut self, updates: &[(Arc<Alarm>, Vec<TokenVerdict>)]) {
        let (mut pushes, mut batches) = (Vec::new(), Vec::new());
        for (alarm, verdicts) in updates {
            let (decisions, deliveries) = self.deliveries(verdicts);
            if !decisions.is_empty() {
                pushes.push((Arc::clone(alarm), decisions));
                batches.push((Arc::clone(alarm), deliveries));
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

    fn token_wants_labels(&self, token: &Token) -> bool {
        self.reaches(token) && self.targets.hears_updates(token, self.parts.labels.borrow().update)
    }

    fn token_wants_picture(&self, token: &Token) -> bool {
        self.parts.pictures.borrow().update && self.reaches(token) && self.targets.hears_updates(token, true)
    }

    fn update_tokens(
        &self,
        alarm: &Alarm,
        told: &BTreeMap<TokenId, ToldStart>,
        wants: impl Fn(&Self, &Token) -> bool,
    ) -> Vec<TokenVerdict> {
        if !self.push.enabled {
            return Vec::new();
        }
        let verdict = |(&id, &start): (&TokenId, &ToldStart)| {
            let wants = self.tokens.get(id).is_some_and(|entry| wants(self, entry.token()));
            let decision = self.may_hear(id, Some(alarm.monitor)).filter(|_| wants)?;
            let badge = self.tokens.badge(id);
            let verdict = self.notice(id, decision, None, Urgency::Silent)?;
            Some(TokenVerdict { badge, start: Some(start), ..verdict })
        };
        told.iter().filter_map(verdict).collect()
    }
}

/// Returns the update of an alarm.
fn update_of(start: &Alarm, at: Timestamp, labels: Arc<[Label]>) -> Arc<Alarm> {
    let passed = Duration::try_from(at.duration_since(start.at)).ok();
    Arc::new(Alarm {
        labels: AlarmLabels { known: labels, waited: None },
        at,
        // Push latencies do not include the wait.
        detected: Instant::now(),
        phase: Phase::Update,
        span: Some(AlarmSpan { began: start.at, lasted: passed }),
        ..start.clone()
    })
}
