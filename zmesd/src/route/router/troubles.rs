//! Sends troubles to phones: pushes that are not about an alarm.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::time::Instant;
use zmes_providers::Urgency;
use zmes_shared::MonitorId;
use zmes_shared::words::TroubleKind;

use super::Router;
use crate::domain::{Alarm, AlarmLabels, DecidedBy, Decision, Origin, Phase, SkipReason, TokenId};
use crate::route::PushBatch;
use crate::route::tap::{TapEvent, TroubleTold};
use crate::route::trouble_handle::{TroubleCommand, TroubleMessage};
use crate::state::{Note, TroubleNote};
use crate::troubles::{Trouble, TroubleChange, TroubleId, TroubleNotice};

/// Number of messages whose outcome is remembered: more than the trouble keeper sends at a time.
const REMEMBERED: usize = 64;
/// The monitor name in troubles that concern no camera.
const OWN_NAME: &str = "zmesd";
/// Maximum length of a push's text in characters: more than phones show.
const TEXT_MAX: usize = 300;

/// Recently sent troubles, by message number.
pub(super) type ToldTroubles = VecDeque<(u64, Vec<TokenId>)>;

impl Router {
    pub(super) fn on_trouble_command(&mut self, command: TroubleCommand) {
        let TroubleCommand { message, reply } = command;
        let number = message.number;
        let known = self.told_troubles.iter().find(|(known, _)| *known == number);
        let told = match known {
            Some((_, told)) => Some(told.clone()),
            None => self.tell_trouble(message),
        };
        // The caller may have given up; it will ask again.
        reply.send(told).ok();
    }

    /// Records the trouble together with its push: a crash before the note is written raises the trouble again, a crash
    /// after it sends the push from the disk.
    fn tell_trouble(&mut self, message: TroubleMessage) -> Option<Vec<TokenId>> {
        let TroubleMessage { number, notice, tokens, viewers, avoid } = message;
        let TroubleNotice { change, trouble } = notice;
        let camera = trouble.id.monitor();
        let live = self.tokens.live().map(|entry| entry.token().id);
        let wanted: Vec<_> = live
            .filter(|id| self.push.enabled && !avoid.contains(id))
            .filter(|id| viewers || tokens.contains(id))
            .collect();
        let decided: Vec<_> = wanted
            .into_iter()
            .filter_map(|id| Some((id, self.may_hear_trouble(id, camera)?)))
            // Receivers that asked for it get a decision with a reason; of the others, only those who may see the
            // camera.
            .filter(|(id, (decision, _))| *decision == Decision::Send || tokens.contains(id))
            .collect();
        let at = self.parts.clock.now();
        let alarm = Arc::new(Alarm {
            monitor: camera.unwrap_or(MonitorId(0)),
            monitor_name: if trouble.name.is_empty() { OWN_NAME } else { &trouble.name }.into(),
            event: None,
            cause: self.trouble_text(change, &trouble).into(),
            labels: AlarmLabels::default(),
            at,
            detected: Instant::now(),
            origin: Origin::Trouble,
            phase: Phase::Start,
            span: None,
            elsewhere: None,
            stands_for_event: false,
        });
        let urgency = urgency(change, &trouble.id);
        let verdict = |(id, (decision, by))| self.notice(id, decision, by, urgency);
        let verdicts: Vec<_> = decided.into_iter().filter_map(verdict).collect();
        let (decisions, deliveries) = self.deliveries(&verdicts);
        let told: Vec<_> = deliveries.iter().map(|delivery| delivery.token.id).collect();
        let push = (!decisions.is_empty()).then(|| (Arc::clone(&alarm), decisions));
        let seen = TroubleTold { at, change, trouble: trouble.clone() };
        let note = TroubleNote { change, trouble, at, told: told.clone(), push };
        if !self.try_note(Note::Trouble(Box::new(note))) {
            return None;
        }
        self.parts.tap.send_with(|| TapEvent::Trouble(Arc::new(seen)));
        self.push(PushBatch { alarm, deliveries, recorded: true, receipts: None, ledger: None });
        self.told_troubles.truncate(REMEMBERED - 1);
        self.told_troubles.push_front((number, told.clone()));
        Some(told)
    }

    /// Decides whether a token gets a trouble. A snooze of the camera withholds it but does not count it: it is no
    /// alarm.
    fn may_hear_trouble(
        &self,
        id: TokenId,
        camera: Option<MonitorId>,
    ) -> Option<(Decision, Option<DecidedBy>)> {
        let decision = self.may_hear(id, camera)?;
        let entry = self.tokens.get(id)?;
        let now = self.parts.clock.now();
        let snooze = camera.and_then(|camera| self.snoozes.covering(camera, entry.token(), now));
        Some(match snooze {
            Some(snooze) if decision == Decision::Send => {
                (Decision::Skip(SkipReason::Snoozed), Some(DecidedBy::Snooze(snooze.id)))
            }
            Some(_) | None => (decision, None),
        })
    }

    fn trouble_text(&self, change: TroubleChange, trouble: &Trouble) -> String {
        let time = |at: jiff::Timestamp| at.to_zoned(self.parts.zone.clone()).strftime("%H:%M").to_string();
        let (what, since) = (trouble.text.render(time), time(trouble.since));
        let text = match change {
            TroubleChange::Raised if trouble.hint.is_empty() => format!("{what} (since {since})"),
            TroubleChange::Raised => format!("{what} (since {since}). {}", trouble.hint),
            TroubleChange::Reminder => format!("still, since {since}: {what}"),
            TroubleChange::Cleared => format!("resolved; since {since}: {what}"),
        };
        text.chars().take(TEXT_MAX).collect()
    }
}

/// Only what silences everything may break through a phone's focus: not one server of several.
fn urgency(change: TroubleChange, id: &TroubleId) -> Urgency {
    match (change, id.kind) {
        (TroubleChange::Raised, TroubleKind::Zoneminder) if id.subject.is_empty() => Urgency::Urgent,
        (TroubleChange::Raised, TroubleKind::Push) => Urgency::Urgent,
        (TroubleChange::Raised | TroubleChange::Reminder, _) => Urgency::Normal,
        (TroubleChange::Cleared, _) => Urgency::Silent,
    }
}
