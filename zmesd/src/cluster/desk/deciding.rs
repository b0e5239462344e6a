//! Alarms that are decided about in a turn of this node, and what came of their pushes.

use std::sync::Arc;

use tokio::time::Instant;
use tracing::debug;
use zmes_cluster::outcomes::{DeviceHandle, DeviceOutcome, OutcomeKind};

use super::{Desk, FORGET_EVERY, NEWS, PRUNE_EVERY, TakeoverStage};
use crate::cluster::turns::TurnKind;
use crate::domain::LedgerMark;
use crate::route::{LedgerDecided, LedgerEnding, LedgerOutcome, LedgerQuestion};

impl Desk {
    pub(super) fn on_decided(&mut self, decided: LedgerDecided) {
        let LedgerDecided { mark, at, withheld, sends } = decided;
        let Some(entry) = self.entries.get_mut(mark.alarm).filter(|entry| entry.turn == Some(mark.turn))
        else {
            return;
        };
        entry.sends = Some(sends);
        for (token, reason) in withheld {
            let device = DeviceHandle::new(token.digest());
            let kind = OutcomeKind::Withheld;
            let outcome = DeviceOutcome { device, kind, reason, provider_id: String::new(), at };
            self.note_outcome(mark.alarm, outcome);
        }
        self.settle_if_done(mark.alarm);
    }

    pub(super) fn on_outcome(&mut self, outcome: LedgerOutcome) {
        let LedgerOutcome { mark, token, monitor, alarm_at, badge, kind, reason, provider_id, at } = outcome;
        let device = DeviceHandle::new(token.digest());
        let kind = match kind {
            LedgerEnding::Taken => Some(OutcomeKind::Taken),
            LedgerEnding::Withheld => Some(OutcomeKind::Withheld),
            LedgerEnding::Abandoned => Some(OutcomeKind::Abandoned),
            LedgerEnding::Left => None,
        };
        let Some(entry) = self.entries.get_mut(mark.alarm) else { return };
        if entry.turn == Some(mark.turn) {
            entry.ended += 1;
            entry.is_left |= kind.is_none();
        }
        if let Some(kind) = kind {
            if kind == OutcomeKind::Taken {
                self.report.told.push((device, monitor, alarm_at));
                if badge > 0 {
                    self.report.badges.push((device, badge, at));
                }
            }
            self.note_outcome(mark.alarm, DeviceOutcome { device, kind, reason, provider_id, at });
        }
        self.settle_if_done(mark.alarm);
    }

    /// Notes what became of an alarm for a device: for the ledger, or for the writer while the ledger does not have it.
    pub(super) fn note_outcome(&mut self, number: u64, outcome: DeviceOutcome) {
        let Some(entry) = self.entries.get_mut(number) else { return };
        entry.done.insert(outcome.device);
        match entry.key {
            Some(key) => self.report.outcomes.push((key, outcome)),
            None => self.notes.push((number, outcome)),
        }
    }

    pub(super) fn settle_if_done(&mut self, number: u64) {
        let Some(entry) = self.entries.get_mut(number) else { return };
        // What was left is in the list of open alarms of the node that sends now; or this one goes on with it, alone.
        if !entry.is_over() || entry.is_settled || entry.is_left {
            return;
        }
        entry.is_settled = true;
        if entry.key.is_none() && entry.own.is_none() {
            self.entries.remove(number);
            return;
        }
        if let Some(key) = entry.key {
            self.report.settled.push(key);
            self.entries.settle(number, key);
        }
    }

    /// It is this node's to send, in this turn.
    pub(super) fn take_on(&mut self, number: u64) {
        if let Some(entry) = self.entries.get_mut(number) {
            entry.take_on(self.turn.number);
            self.undecided.push_back(number);
        }
    }

    /// Says whether every push that has begun has come out, and all outcomes are known here.
    fn is_clean(&self) -> bool {
        // In this order: who sends tells the outcome first, and counts down then.
        self.parts.turns.is_still() && self.parts.outcomes.is_empty()
    }

    /// Says whether a push of an alarm is on its way since an earlier turn. Its provider may take it yet, and a request ends
    /// by its deadline at the latest: until then the alarm is not decided about again. Others do not wait for it.
    fn waits_for_old_pushes(&mut self, number: u64) -> bool {
        let turn = self.entries.get_mut(number).and_then(|entry| entry.turn);
        if turn.is_none_or(|turn| turn >= self.turn.number) {
            return false;
        }
        if self.parts.turns.is_under_way(number) {
            return true;
        }
        // Its outcome was told before that.
        self.take_outcomes(self.parts.outcomes.len());
        false
    }

    /// Says whether the ledger has everything that came of pushes.
    pub(super) fn is_reported(&self) -> bool {
        let nothing = self.report.outcomes.is_empty() && self.report.settled.is_empty();
        // Other statements follow each other without a pause where there are many alarms.
        let is_reporting = !self.statements.is_empty() && self.last == Self::REPORTING;
        self.is_clean() && nothing && self.parts.news.is_empty() && !is_reporting
    }

    /// Has the router decide about what is this node's turn to push, a few at a time: news must not wait for all of it.
    /// Returns whether there is more.
    pub(super) async fn decide_next(&mut self) -> bool {
        if self.takeover.stage == TakeoverStage::New {
            self.take_outcomes(self.parts.outcomes.len());
            self.takeover.stage = TakeoverStage::Known;
        }
        for number in self.on_their_way.extract_if(.., |number| !self.parts.turns.is_under_way(*number)) {
            self.undecided.push_front(number);
        }
        if let Some(legacy) = self.legacy.take() {
            if self.parts.router.adopt(legacy).await.is_err() {
                debug!("router busy: intervals and badges of the pusher before are not taken over");
            }
            self.takeover.stage = TakeoverStage::Inherited;
        }
        let may = match self.turn.kind {
            TurnKind::None => false,
            // What cannot be read is done without: no badge is worth a push.
            TurnKind::Lead => {
                self.takeover.stage == TakeoverStage::Inherited
                    || self.refusals.of_turn && self.turn_since.elapsed() > self.patience()
            }
            TurnKind::Alone => true,
        };
        if !may {
            return false;
        }
        let turn = self.turn.number;
        for _ in 0..NEWS {
            let Some(number) = self.undecided.pop_front() else { return false };
            if self.waits_for_old_pushes(number) {
                self.on_their_way.push(number);
                continue;
            }
            let Some(entry) = self.entries.get_mut(number) else { continue };
            if entry.turn == Some(turn) || entry.is_settled || !entry.alarm.phase.is_start() {
                continue;
            }
            let mark = LedgerMark { alarm: number, turn, key: entry.key };
            let done = Arc::new(entry.done.clone());
            let question = LedgerQuestion { alarm: Arc::clone(&entry.alarm), mark, done };
            let Ok(at_once) = self.parts.router.decide(question).await else {
                self.undecided.push_front(number);
                return false;
            };
            entry.asked(turn);
            if !at_once {
                debug!("router busy: the next alarms are decided about later");
                return false;
            }
        }
        true
    }

    /// Pushes that were withdrawn have no outcome: their alarms are settled when nothing can be sent of them any more.
    pub(super) fn prune(&mut self, now: Instant) {
        self.look_for_refusals();
        if now < self.prune_at {
            return;
        }
        self.prune_at = now + PRUNE_EVERY;
        for (number, key) in self.entries.over(now, self.parts.retry_for + FORGET_EVERY) {
            if self.turn.kind == TurnKind::Lead {
                self.report.settled.extend(key);
            }
            self.entries.remove(number);
        }
    }
}
