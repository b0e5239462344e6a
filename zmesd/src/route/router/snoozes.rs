//! Sets, lists and ends snoozes, on request and by time, and sends one push for what was withheld.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;
use tracing::info;
use zmes_shared::MonitorId;
use zmes_zoneminder::MonitorRights;

use super::Router;
use super::alarms::TokenVerdict;
use crate::domain::{
    Alarm, AlarmLabels, DecidedBy, Decision, Origin, Phase, SkipReason, Snooze, SnoozeId, SnoozeScope,
    TokenId,
};
use crate::route::policy;
use crate::route::snooze_handle::{SnoozeAuthor, SnoozeCommand};
use crate::route::snoozes::{MAX_SNOOZES, SnoozeEntry, SnoozeSummary, TooManySnoozes};
use crate::route::{PushBatch, PushDelivery};
use crate::state::{Note, TokenDecision};
use zmes_providers::Urgency;

/// The monitor name in a digest about all monitors.
const ALL_MONITORS: &str = "All monitors";

/// One push of a digest: an alarm that stands for the withheld ones, and its recipients.
type Digest = (Arc<Alarm>, Arc<[TokenDecision]>, Vec<PushDelivery>);

impl Router {
    pub(super) fn on_snooze_command(&mut self, command: SnoozeCommand) {
        // A reply that cannot be sent is not an error: the caller has given up.
        match command {
            SnoozeCommand::Set(snooze, reply) => drop(reply.send(self.set_snooze(snooze))),
            SnoozeCommand::List(reply) => {
                drop(reply.send(self.snoozes.all().map(SnoozeEntry::summary).collect()));
            }
            SnoozeCommand::End(ids, author, reply) => drop(reply.send(self.end_snoozes(&ids, &author))),
            SnoozeCommand::Link(wish, reply) => drop(reply.send(self.on_link_snooze(&wish))),
            SnoozeCommand::App(session, snooze, hint, reply) => {
                reply.send(self.on_app_snooze(session, &snooze, hint.as_ref())).ok();
            }
        }
    }

    fn set_snooze(&mut self, snooze: Snooze) -> Result<SnoozeSummary, TooManySnoozes> {
        let set = self.place_snooze(snooze)?;
        let Snooze { id, monitor, scope, until, hard, tell, by, origin, .. } = &set.snooze;
        let (monitor, scope) = (monitor.map(|monitor| monitor.0), self.scope_named(scope));
        info!(snooze = %id, monitor, scope, %until, hard, tell, by, %origin, "snooze set");
        Ok(set)
    }

    /// Sets a snooze without a log line.
    pub(super) fn place_snooze(&mut self, snooze: Snooze) -> Result<SnoozeSummary, TooManySnoozes> {
        // While the disk is stuck, ends wait here.
        if self.unended.len() >= MAX_SNOOZES {
            return Err(TooManySnoozes);
        }
        let set = self.snoozes.set(snooze)?;
        self.keep_snooze(set.snooze.clone());
        self.share_snooze(&set.snooze, false);
        Ok(set)
    }

    /// Ends snoozes early. What they withheld is not sent: whoever ends them knows.
    pub(super) fn end_snoozes(&mut self, ids: &[SnoozeId], author: &SnoozeAuthor) -> Vec<SnoozeSummary> {
        let ended: Vec<_> = ids.iter().filter_map(|id| self.snoozes.end(*id)).collect();
        let (at, SnoozeAuthor { by, origin }) = (self.parts.clock.now(), author);
        for entry in &ended {
            let id = entry.snooze.id;
            self.share_snooze(&entry.snooze, true);
            info!(snooze = %id, withheld = entry.total(), by, %origin, "snooze ended");
            if !self.try_note(Note::SnoozeEnded(id, at, Vec::new())) {
                self.unended.push((id, at));
            }
        }
        ended.iter().map(SnoozeEntry::summary).collect()
    }

    pub(super) fn scope_named(&self, scope: &SnoozeScope) -> String {
        match scope {
            SnoozeScope::Everybody => "everybody".to_owned(),
            SnoozeScope::User(user) => user.clone(),
            SnoozeScope::Token(id) => {
                self.tokens.get(*id).map_or_else(|| id.to_string(), |entry| entry.token().handle.to_string())
            }
        }
    }

    pub(super) fn keep_snooze(&mut self, snooze: Snooze) {
        if let Err(Note::Snooze(snooze)) = self.parts.state.try_note(Note::Snooze(snooze)) {
            self.unkept.push(snooze.id);
        }
    }

    /// Returns whether snoozes need the upkeep timer: every snooze ends at some time.
    pub(super) fn snoozes_have_upkeep(&self) -> bool {
        !self.unkept.is_empty() || !self.unended.is_empty() || self.snoozes.len() > 0
    }

    /// Writes down what found no room before, and ends the snoozes that are due.
    pub(super) fn snooze_upkeep(&mut self) {
        for id in std::mem::take(&mut self.unkept) {
            if let Some(snooze) = self.snoozes.get(id).map(|entry| entry.snooze.clone()) {
                self.keep_snooze(snooze);
            }
        }
        for (id, at) in std::mem::take(&mut self.unended) {
            if !self.try_note(Note::SnoozeEnded(id, at, Vec::new())) {
                self.unended.push((id, at));
            }
        }
        let now = self.parts.clock.now();
        for entry in self.snoozes.take_due(now) {
            self.end_due(entry);
        }
    }

    /// Ends a snooze that is due. End and digests are one note: a crash before it is written ends the snooze again, a
    /// crash after it sends the digests from the disk.
    fn end_due(&mut self, entry: SnoozeEntry) {
        let (id, at) = (entry.snooze.id, self.parts.clock.now());
        let tells = entry.snooze.tell && entry.total() > 0;
        if tells && self.auth_enabled() && self.parts.catalog.borrow().read_at.is_none() {
            // Until the catalog has been read, owners cannot be judged: a digest would be skipped.
            self.snoozes.put_back(entry);
            return;
        }
        let digests = if tells { self.digests(&entry) } else { Vec::new() };
        let noted = digests.iter().map(|(alarm, decisions, _)| (Arc::clone(alarm), Arc::clone(decisions)));
        if !self.try_note(Note::SnoozeEnded(id, at, noted.collect())) {
            self.snoozes.put_back(entry);
            return;
        }
        info!(snooze = %id, withheld = entry.total(), "snooze ended");
        for (alarm, _, deliveries) in digests {
            self.push(PushBatch { alarm, deliveries, recorded: true, receipts: None, ledger: None });
        }
    }

    /// Returns one push for each token from which something was withheld and which may still get it.
    fn digests(&mut self, entry: &SnoozeEntry) -> Vec<Digest> {
        let mut by_count = BTreeMap::<u32, Vec<TokenId>>::new();
        for (token, count) in &entry.withheld {
            by_count.entry(*count).or_default().push(*token);
        }
        let counted = by_count.into_iter().filter_map(|(count, tokens)| {
            let decided: Vec<_> = tokens
                .iter()
                .filter_map(|id| Some((*id, self.may_hear(*id, entry.snooze.monitor)?)))
                .collect();
            (!decided.is_empty()).then_some((count, decided))
        });
        let counted: Vec<_> = counted.collect();
        counted.into_iter().map(|(count, tokens)| self.digest(&entry.snooze, count, &tokens)).collect()
    }

    /// Decides whether a token gets what a snooze has withheld. User and admin settings apply; intervals do not.
    pub(super) fn may_hear(&self, id: TokenId, monitor: Option<MonitorId>) -> Option<Decision> {
        let token = self.tokens.get(id).filter(|entry| entry.is_live())?.token();
        let catalog = self.parts.catalog.borrow();
        let owner: Option<&MonitorRights> = self.owners.rights(&token.user, self.auth_enabled(), &catalog);
        let Some(rights) = owner else { return Some(Decision::Skip(SkipReason::User)) };
        if monitor.is_some_and(|monitor| !rights.allow(monitor)) {
            return Some(Decision::Skip(SkipReason::Rights));
        }
        let switched_off = policy::switched_off(token, self.parts.clock.now());
        Some(switched_off.map_or(Decision::Send, Decision::Skip))
    }

    fn digest(&mut self, snooze: &Snooze, count: u32, tokens: &[(TokenId, Decision)]) -> Digest {
        let monitor_name = match snooze.monitor {
            None => ALL_MONITORS.into(),
            Some(monitor) => {
                let catalog = self.parts.catalog.borrow();
                let known = catalog.name_of(monitor);
                known.map_or_else(|| format!("Monitor {monitor}").into(), Arc::clone)
            }
        };
        let alarms = if count == 1 { "alarm" } else { "alarms" };
        let alarm = Arc::new(Alarm {
            monitor: snooze.monitor.unwrap_or(MonitorId(0)),
            monitor_name,
            event: None,
            cause: format!("{count} {alarms} while snoozed").into(),
            labels: AlarmLabels::default(),
            at: self.parts.clock.now(),
            detected: Instant::now(),
            origin: Origin::Snooze,
            phase: Phase::Start,
            span: None,
            elsewhere: None,
            stands_for_event: false,
        });
        let verdict =
            |&(id, decision): &(TokenId, Decision)| self.notice(id, decision, None, Urgency::Silent);
        let verdicts: Vec<_> = tokens.iter().filter_map(verdict).collect();
        let (decisions, deliveries) = self.deliveries(&verdicts);
        (alarm, decisions, deliveries)
    }

    /// Returns the verdict for a message that is not an alarm: the badge does not grow.
    pub(super) fn notice(
        &self,
        id: TokenId,
        decision: Decision,
        by: Option<DecidedBy>,
        urgency: Urgency,
    ) -> Option<TokenVerdict> {
        let token = Arc::clone(self.tokens.get(id)?.token());
        let badge = token.badge;
        Some(TokenVerdict { token, decision, by, urgency, badge, start: None })
    }
}
