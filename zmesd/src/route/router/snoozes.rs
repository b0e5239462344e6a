//! Snoozes: set, listed, ended by people and by the clock, with one push for what was withheld.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;
use tracing::info;
use zmes_shared::MonitorId;
use zmes_zoneminder::MonitorRights;

use super::Router;
use crate::domain::{
    Alarm, Decision, DeliveryId, Origin, PushState, SkipReason, Snooze, SnoozeId, SnoozeScope, TokenId,
};
use crate::route::snooze_handle::SnoozeCommand;
use crate::route::snoozes::{SnoozeEntry, TooManySnoozes};
use crate::route::{PushBatch, PushDelivery};
use crate::state::{Note, TokenDecision};
use zmes_providers::Urgency;

/// The name of what a push is about that tells of all monitors.
const ALL_MONITORS: &str = "All monitors";

/// One push of a digest: the alarm that stands for those that were withheld, and for whom.
type Digest = (Arc<Alarm>, Arc<[TokenDecision]>, Vec<PushDelivery>);

impl Router {
    pub(super) fn on_snooze_command(&mut self, command: SnoozeCommand) {
        // A reply that cannot be sent is not an error: the caller has given up.
        match command {
            SnoozeCommand::Set(snooze, reply) => drop(reply.send(self.set_snooze(snooze))),
            SnoozeCommand::List(reply) => drop(reply.send(self.snoozes.all().cloned().collect())),
            SnoozeCommand::End(ids, reply) => drop(reply.send(self.end_snoozes(&ids))),
        }
    }

    fn set_snooze(&mut self, snooze: Snooze) -> Result<SnoozeEntry, TooManySnoozes> {
        let entry = self.snoozes.set(snooze)?;
        let Snooze { id, monitor, scope, until, by, origin, .. } = &entry.snooze;
        let (monitor, scope) = (monitor.map(|monitor| monitor.0), self.scope_named(scope));
        info!(snooze = %id, monitor, scope, %until, by, %origin, "snooze set");
        self.keep_snooze(entry.snooze.clone());
        Ok(entry)
    }

    /// Ends snoozes before their time. What they withheld is not told of: whoever ends them knows.
    fn end_snoozes(&mut self, ids: &[SnoozeId]) -> Vec<SnoozeEntry> {
        let ended: Vec<_> = ids.iter().filter_map(|id| self.snoozes.end(*id)).collect();
        let at = self.parts.clock.now();
        for SnoozeEntry { snooze, .. } in &ended {
            info!(snooze = %snooze.id, "snooze ended");
            if !self.try_note(Note::SnoozeEnded(snooze.id, at, Vec::new())) {
                self.unended.push((snooze.id, at));
            }
        }
        ended
    }

    fn scope_named(&self, scope: &SnoozeScope) -> String {
        match scope {
            SnoozeScope::Everybody => "everybody".to_owned(),
            SnoozeScope::User(user) => user.clone(),
            SnoozeScope::Token(id) => {
                self.tokens.get(*id).map_or_else(|| id.to_string(), |entry| entry.token().handle.to_string())
            }
        }
    }

    fn keep_snooze(&mut self, snooze: Snooze) {
        if let Err(Note::Snooze(snooze)) = self.parts.state.try_note(Note::Snooze(snooze)) {
            self.unkept.push(snooze.id);
        }
    }

    /// Says whether snoozes have something to do by the clock.
    pub(super) fn snoozes_have_upkeep(&self) -> bool {
        !self.unkept.is_empty() || !self.unended.is_empty() || self.snoozes.all().next().is_some()
    }

    /// Writes down what found no room, and ends those whose time has come.
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

    /// Ends a snooze whose time has come. End and digests are one note: a crash before it ends the snooze again, one
    /// after it sends what is on the disk.
    fn end_due(&mut self, entry: SnoozeEntry) {
        let (id, at) = (entry.snooze.id, self.parts.clock.now());
        let digests = if entry.snooze.tell { self.digests(&entry) } else { Vec::new() };
        let noted = digests.iter().map(|(alarm, decisions, _)| (Arc::clone(alarm), Arc::clone(decisions)));
        if !self.try_note(Note::SnoozeEnded(id, at, noted.collect())) {
            self.snoozes.put_back(entry);
            return;
        }
        info!(snooze = %id, withheld = entry.total(), "snooze ended");
        for (alarm, _, deliveries) in digests {
            self.push(PushBatch { alarm, deliveries, recorded: true, receipts: None });
        }
    }

    /// Returns one push for each token from which something was withheld, and which may still hear of it.
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

    /// Decides whether a token is told what a snooze has withheld: what people can change counts, no interval does.
    fn may_hear(&self, id: TokenId, monitor: Option<MonitorId>) -> Option<Decision> {
        let token = self.tokens.get(id).filter(|entry| entry.is_live())?.token();
        let catalog = self.parts.catalog.borrow();
        let owner: Option<&MonitorRights> = self.owners.rights(&token.user, self.auth_enabled(), &catalog);
        let Some(rights) = owner else { return Some(Decision::Skip(SkipReason::User)) };
        Some(if monitor.is_some_and(|monitor| !rights.allow(monitor)) {
            Decision::Skip(SkipReason::Rights)
        } else if token.state == PushState::Disabled {
            Decision::Skip(SkipReason::Disabled)
        } else if token.muted(self.parts.clock.now()) {
            Decision::Skip(SkipReason::Muted)
        } else {
            Decision::Send
        })
    }

    fn digest(&mut self, snooze: &Snooze, count: u32, tokens: &[(TokenId, Decision)]) -> Digest {
        let monitor_name = match snooze.monitor {
            None => ALL_MONITORS.into(),
            Some(monitor) => {
                let catalog = self.parts.catalog.borrow();
                let known = catalog.monitors.find(monitor);
                known.map_or_else(|| format!("Monitor {monitor}").into(), |known| Arc::clone(&known.name))
            }
        };
        let alarms = if count == 1 { "alarm" } else { "alarms" };
        let alarm = Arc::new(Alarm {
            monitor: snooze.monitor.unwrap_or(MonitorId(0)),
            monitor_name,
            event: None,
            cause: format!("{count} {alarms} while snoozed").into(),
            at: self.parts.clock.now(),
            detected: Instant::now(),
            origin: Origin::Snooze,
        });
        let (mut decisions, mut deliveries) = (Vec::new(), Vec::new());
        for (id, decision) in tokens {
            let Some(token) = self.tokens.get(*id).map(|entry| Arc::clone(entry.token())) else { continue };
            self.last_delivery = DeliveryId(self.last_delivery.0 + 1);
            let (delivery, urgency) = (self.last_delivery, Urgency::Silent);
            let badge = token.badge;
            if *decision == Decision::Send {
                deliveries.push(PushDelivery { id: delivery, token, badge, urgency });
            }
            let decision = *decision;
            decisions.push(TokenDecision { id: delivery, token: *id, decision, badge, by: None, urgency });
        }
        (alarm, decisions.into(), deliveries)
    }
}
