//! The router of one node among several.
//!
//! Sessions are told at once, by every node. About tokens the node decides that sends for all, once the ledger has the
//! alarm; a node that cannot reach the ledger decides about its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::time::Instant;
use tracing::{debug, info, warn};
use zmes_cluster::outcomes::DeviceHandle;
use zmes_shared::SessionId;

use super::Router;
use super::alarms::TokenVerdict;
use crate::domain::{
    Alarm, DecidedBy, Decision, LedgerMark, PushState, Revoked, SkipReason, Snooze, SnoozeId, SnoozeScope,
    Token, TokenBlock, TokenId,
};
use crate::route::labels::{HeldDecision, LabelRequest};
use crate::route::ledger::{
    LedgerCommand, LedgerDecided, LedgerNews, LedgerQuestion, PusherLegacy, ScopeElsewhere, SnoozeElsewhere,
    TokenElsewhere,
};
use crate::state::{ClusterNote, EndNote, Note};

impl Router {
    /// Announces an alarm to sessions alone.
    pub(super) fn leave_to_cluster(
        &mut self,
        alarm: Arc<Alarm>,
        sessions: Vec<(SessionId, Decision)>,
        by: Vec<(SessionId, DecidedBy)>,
        copied: &BTreeSet<TokenId>,
    ) {
        if let Some(event) = alarm.event
            && self.parts.labels.borrow().sources().any()
        {
            self.parts.label_requests.ask(LabelRequest { event, waits_until: None });
        }
        self.remember_sent(&alarm, &[], copied);
        self.note_started(&alarm, &sessions, &[]);
        self.note_unlabelled(&alarm, &[]);
        self.count_wishes(&alarm, &by, &[]);
        if let Some(ledger) = &mut self.parts.ledger {
            ledger.counted(&alarm, by.iter().filter_map(|(_, by)| by.rule()).cloned());
        }
        self.remember(self.alarms, &alarm, Some((sessions, by)), &[]);
        self.missed.keep(self.alarms, &alarm, Instant::now());
        // Before the record: if the daemon dies between the two, the alarm is announced again and found in the ledger.
        self.tell_cluster(&alarm);
        self.note(Note::Announced(alarm, Arc::default()));
    }

    /// Has the ledger told of an alarm of this node, or of its end.
    pub(super) fn tell_cluster(&mut self, alarm: &Arc<Alarm>) {
        let Some(ledger) = &mut self.parts.ledger else { return };
        if alarm.elsewhere.is_some() {
            ledger.told_elsewhere(alarm);
            return;
        }
        let entry = ledger.entry(alarm);
        self.note(Note::Cluster(Box::new(ClusterNote::Unlogged(entry.clone()))));
        if let Some(ledger) = &mut self.parts.ledger {
            ledger.tell(LedgerNews::Alarm(Arc::clone(alarm), entry));
        }
    }

    /// Writes down what other nodes have told long ago, so that replays and `events` have it here, too.
    pub(super) fn record_past(&mut self, alarm: Alarm) {
        let alarm = Arc::new(alarm);
        self.tell_cluster(&alarm);
        if alarm.is_end() {
            self.note(Note::Ended(Box::new(EndNote { end: alarm, pushes: Vec::new() })));
        } else {
            self.note(Note::Announced(alarm, Arc::default()));
        }
    }

    /// Drops an alarm that the apps of this node have heard of from the other one of two nodes. About tokens it is decided once in
    /// any case: the ledger has such an alarm under one key.
    pub(super) fn drop_if_told(&self, alarm: &Alarm) -> bool {
        let is_told = self.parts.ledger.as_ref().is_some_and(|ledger| ledger.has_told(alarm));
        if is_told {
            debug!(monitor = %alarm.monitor, event = ?alarm.event, "an alarm that two nodes tell of is announced once");
            if let Some(elsewhere) = &alarm.elsewhere {
                self.note(Note::Cluster(Box::new(ClusterNote::Read(elsewhere.clone()))));
            }
        }
        is_told
    }

    /// Says whether the apps of this node have heard of it, and it is only to be recorded.
    pub(super) fn is_past(alarm: &Alarm) -> bool {
        alarm.elsewhere.as_ref().is_some_and(|elsewhere| elsewhere.is_past)
    }

    pub(super) fn on_ledger_command(&mut self, command: LedgerCommand) {
        // A reply that cannot be sent is not an error: the caller has given up.
        match command {
            LedgerCommand::Decide(question, reply) => {
                self.on_question(question);
                reply.send(()).ok();
            }
            LedgerCommand::Token(token, reply) => {
                self.on_token_elsewhere(token);
                reply.send(()).ok();
            }
            LedgerCommand::Absent(forgotten, lost, reply) => {
                self.on_tokens_forgotten(&forgotten);
                self.on_tokens_lost(lost.as_deref());
                reply.send(()).ok();
            }
            LedgerCommand::Snooze(snooze, reply) => {
                self.on_snooze_elsewhere(snooze);
                reply.send(()).ok();
            }
            LedgerCommand::Snoozes(reply) => {
                let set: Vec<Snooze> = self.snoozes.all().map(|entry| entry.snooze.clone()).collect();
                reply.send(set.iter().filter_map(|snooze| self.snooze_to_tell(snooze, false)).collect()).ok();
            }
            LedgerCommand::Adopt(legacy, reply) => {
                self.adopt(&legacy);
                reply.send(()).ok();
            }
            LedgerCommand::Leave(reply) => {
                self.held.leave();
                reply.send(()).ok();
            }
        }
    }

    fn on_question(&mut self, question: LedgerQuestion) {
        let alarm = Arc::new(self.labelled(Alarm::clone(&question.alarm)));
        let question = LedgerQuestion { alarm: Arc::clone(&alarm), ..question };
        let until = if self.judges() { self.wait_for_labels(&alarm) } else { Some(Instant::now()) };
        let held = HeldDecision::new(0, alarm, until.unwrap_or_else(Instant::now), Vec::new());
        let held = held.for_ledger(question.mark, question.done);
        if until.is_none() || !self.held.hold(held.clone()) {
            self.release(&held);
        }
    }

    /// Tells the cluster what was decided.
    pub(super) fn tell_decided(&mut self, mark: LedgerMark, verdicts: &[TokenVerdict]) {
        let Some(ledger) = &mut self.parts.ledger else { return };
        let reason = |verdict: &TokenVerdict| match verdict.decision {
            Decision::Send => None,
            Decision::Skip(reason) => Some((verdict.token.handle, reason.word().to_owned())),
        };
        let withheld: Vec<_> = verdicts.iter().filter_map(reason).collect();
        let sends = verdicts.len() - withheld.len();
        let at = self.parts.clock.now();
        ledger.tell(LedgerNews::Decided(LedgerDecided { mark, at, withheld, sends }));
    }

    /// Tells the other nodes of a token, if anything has changed that is theirs, too.
    pub(super) fn share(&mut self, token: &Arc<Token>, is_badge: bool) {
        let Some(ledger) = &mut self.parts.ledger else { return };
        if token.handle.is_target() || !(ledger.differs(token) || is_badge) {
            return;
        }
        self.snooze_early(token);
        self.tell_of_token(token, is_badge);
    }

    fn tell_of_token(&mut self, token: &Arc<Token>, is_badge: bool) {
        let at = self.parts.clock.now();
        let note = ClusterNote::TokenChanged { token: token.id, at, is_badge };
        self.note(Note::Cluster(Box::new(note)));
        if let Some(ledger) = &mut self.parts.ledger {
            ledger.tell_token(token, is_badge);
        }
    }

    fn on_token_elsewhere(&mut self, told: TokenElsewhere) {
        let before = self.tokens.find(&told.token).map(|entry| Arc::clone(entry.token()));
        if before.is_none() {
            let is_blocked = told.block.is_some_and(|block| block.is_on);
            if told.revoked.is_some() && !is_blocked {
                // What was forgotten here must not come back at each start.
                return;
            }
            let is_full = self.tokens.room() == 0;
            if self.parts.ledger.as_mut().is_some_and(|ledger| ledger.is_newly_full(is_full)) {
                let handle = told.token.handle();
                warn!(%handle, "too many tokens: those that are new at other nodes get no pushes from this one");
            }
            if is_full {
                return;
            }
        }
        let now = self.parts.clock.now();
        let id = before.as_ref().map_or_else(|| self.tokens.next_id(), |before| before.id);
        if before.is_none() {
            self.tokens.insert(Token::new(id, told.token.clone(), told.platform, told.changed.min(now)));
        }
        let known_until = (!told.is_older).then_some(told.changed);
        let known = before.as_ref().and_then(|before| before.block());
        let (block, is_known_later) = later(known, told.block);
        let tells_block = if told.is_older { block != known } else { is_known_later };
        let changed = self.tokens.change(id, |token| take_over(token, told, block));
        let token = changed.or_else(|| {
            let new = before.is_none().then(|| self.tokens.get(id)).flatten();
            new.map(|entry| Arc::clone(entry.token()))
        });
        if tells_block && let Some(entry) = self.tokens.get(id) {
            let token = Arc::clone(entry.token());
            self.tell_of_token(&token, false);
        }
        let Some(token) = token else { return };
        if let Some(ledger) = &mut self.parts.ledger {
            ledger.differs(&token);
        }
        self.snooze_early(&token);
        debug!(handle = %token.handle, "token changed at another node");
        self.tell_token(if before.is_none() { "registered" } else { "changed" }, &token);
        self.changed_elsewhere(before.as_deref(), &token);
        if let Some(at) = known_until {
            // After the token: its id is another's if the daemon dies between the two.
            self.note(Note::Cluster(Box::new(ClusterNote::TokensShared(vec![(id, at)]))));
        }
    }

    /// Has a token written that was changed at another node; what waits for it is not sent if it must not be any more.
    fn changed_elsewhere(&mut self, before: Option<&Token>, token: &Arc<Token>) {
        let id = token.id;
        if !self.try_note(Note::Token(Arc::clone(token))) {
            self.tokens.not_written([id]);
        }
        if let Some(reason) = before.and_then(|before| withdraws(before, token, self.parts.clock.now())) {
            info!(handle = %token.handle, reason = reason.word(), "pushes withdrawn: the token was changed at another node");
            if token.revoked.is_some()
                && let Some(session) = self.attachments.detach_token(id)
            {
                self.tell_session(session, "token");
            }
            self.note(Note::Withdrawn(id, reason));
            self.withdraw(id);
        }
    }

    /// Revokes tokens, and tells no other node: they have forgotten them.
    fn on_tokens_forgotten(&mut self, devices: &[DeviceHandle]) {
        let devices: BTreeSet<&[u8; 32]> = devices.iter().map(DeviceHandle::as_bytes).collect();
        let is_one = |token: &Token| devices.contains(&token.handle.digest());
        let live = self.tokens.live().map(|entry| Arc::clone(entry.token()));
        let forgotten: Vec<_> = live.filter(|token| is_one(token)).collect();
        for before in forgotten {
            let now = self.parts.clock.now();
            let Some(token) = self.tokens.revoke(before.id, now, Revoked::ELSEWHERE) else { continue };
            if let Some(ledger) = &mut self.parts.ledger {
                ledger.differs(&token);
            }
            info!(handle = %token.handle, "token revoked: the other nodes did so while this one was away");
            self.tell_token("revoked", &token);
            self.changed_elsewhere(Some(&before), &token);
        }
    }

    /// Has the ledger told again of tokens, also of revoked ones. Whatever it knows of them is later than what is told.
    fn on_tokens_lost(&mut self, devices: Option<&[DeviceHandle]>) {
        let only = devices.map(|devices| devices.iter().map(DeviceHandle::as_bytes).collect::<BTreeSet<_>>());
        let is_one = |token: &Token| {
            !token.handle.is_target()
                && only.as_ref().is_none_or(|only| only.contains(&token.handle.digest()))
        };
        let tokens = self.tokens.all().map(|entry| Arc::clone(entry.token()));
        let lost: Vec<_> = tokens.filter(|token| is_one(token)).collect();
        for token in lost {
            let at = token.revoked.as_ref().map_or(token.created_at, |revoked| revoked.at);
            let note = ClusterNote::TokenChanged { token: token.id, at, is_badge: false };
            self.note(Note::Cluster(Box::new(note)));
            if let Some(ledger) = &mut self.parts.ledger {
                ledger.tell(LedgerNews::TokenAgain(token, at));
            }
        }
    }

    /// Sets the snoozes that were read before this phone was known.
    fn snooze_early(&mut self, token: &Token) {
        let device = DeviceHandle::new(token.handle.digest());
        let early = self.parts.ledger.as_mut().map(|ledger| ledger.take_early(device));
        early.into_iter().flatten().for_each(|snooze| self.on_snooze_elsewhere(snooze));
    }

    /// Tells the other nodes of a snooze that was set or ended by people.
    pub(super) fn share_snooze(&mut self, snooze: &Snooze, ended: bool) {
        let Some(told) = self.snooze_to_tell(snooze, ended) else { return };
        let at = self.parts.clock.now();
        if let Some(ledger) = &mut self.parts.ledger {
            ledger.tell(LedgerNews::Snooze(told, at));
        }
    }

    fn snooze_to_tell(&self, snooze: &Snooze, ended: bool) -> Option<SnoozeElsewhere> {
        let Snooze { monitor, scope, since, until, hard, tell, by, origin, .. } = snooze.clone();
        let scope = match scope {
            SnoozeScope::Everybody => ScopeElsewhere::Everybody,
            SnoozeScope::User(user) => ScopeElsewhere::User(user),
            SnoozeScope::Token(id) => {
                ScopeElsewhere::Device(DeviceHandle::new(self.tokens.get(id)?.token().handle.digest()))
            }
        };
        Some(SnoozeElsewhere { monitor, scope, since, until, hard, tell, by, origin, ended })
    }

    fn on_snooze_elsewhere(&mut self, told: SnoozeElsewhere) {
        let SnoozeElsewhere { monitor, scope, since, until, hard, tell, by, origin, ended } = told.clone();
        let scope = match scope {
            ScopeElsewhere::Everybody => SnoozeScope::Everybody,
            ScopeElsewhere::User(user) => SnoozeScope::User(user),
            ScopeElsewhere::Device(device) => {
                let is_its = |token: &Token| token.handle.digest() == *device.as_bytes();
                let token = self.tokens.live().find(|entry| is_its(entry.token()));
                let Some(token) = token.map(|entry| entry.token().id) else {
                    let now = self.parts.clock.now();
                    if let Some(ledger) = &mut self.parts.ledger {
                        ledger.keep_early(device, told, now);
                    }
                    return;
                };
                SnoozeScope::Token(token)
            }
        };
        let now = self.parts.clock.now();
        let same = |snooze: &Snooze| snooze.monitor == monitor && snooze.scope == scope;
        let known = self.snoozes.all().find(|entry| same(&entry.snooze)).map(|entry| entry.snooze.clone());
        if ended {
            let Some(id) = known.filter(|known| known.since <= since).map(|known| known.id) else { return };
            self.snoozes.end(id);
            if !self.try_note(Note::SnoozeEnded(id, now, Vec::new())) {
                self.unended.push((id, now));
            }
            return;
        }
        if until <= now || known.is_some_and(|known| known.until == until && known.hard == hard) {
            return;
        }
        let snooze = Snooze { id: SnoozeId::default(), monitor, scope, since, until, hard, tell, by, origin };
        if let Ok(set) = self.snoozes.set(snooze) {
            info!(snooze = %set.snooze.id, %until, "snooze set at another node");
            self.keep_snooze(set.snooze);
        }
    }

    fn adopt(&mut self, legacy: &PusherLegacy) {
        let live: Vec<_> = self.tokens.live().map(|entry| Arc::clone(entry.token())).collect();
        for token in live {
            let device = DeviceHandle::new(token.handle.digest());
            for (monitor, at) in legacy.told.get(&device).into_iter().flatten() {
                let known = self.tokens.get(token.id).and_then(|entry| entry.sent().get(monitor).copied());
                if known.is_none_or(|known| known < *at) {
                    self.tokens.note_sent(token.id, *monitor, *at);
                }
            }
            if let Some(badge) = legacy.badges.get(&device) {
                // A number that was set since is told with the token.
                self.tokens.change(token.id, |token| token.badge = *badge);
            }
        }
    }
}

/// Returns the later word about a block, and whether that is the one which was known.
fn later(known: Option<TokenBlock>, told: Option<TokenBlock>) -> (Option<TokenBlock>, bool) {
    match (known, told) {
        (Some(known), Some(told)) if known.at <= told.at => (Some(told), false),
        (Some(known), _) => (Some(known), true),
        (None, told) => (told, false),
    }
}

/// What an admin has blocked stays so, also where its app was seen since at a node that did not know it.
fn take_over(token: &mut Token, told: TokenElsewhere, block: Option<TokenBlock>) {
    if told.is_older {
        return block.into_iter().for_each(|block| token.set_block(block));
    }
    let blocked = token.revoked.take().filter(|revoked| revoked.blocked);
    let TokenElsewhere {
        platform, state, user, app, app_version, profile, filter, mute_until, revoked, ..
    } = told;
    (token.platform, token.state, token.app, token.filter) = (platform, state, app, filter);
    (token.user, token.app_version, token.profile) = (user, app_version, profile);
    (token.mute_until, token.revoked) = (mute_until, revoked);
    if let Some(block) = block {
        if block.is_on && token.revoked.is_none() {
            token.revoked = blocked;
        }
        token.set_block(block);
    }
    token.last_seen_at = token.last_seen_at.max(told.seen_at);
    if let Some(badge) = told.badge {
        token.badge = badge;
    }
}

/// Says why pushes that wait for a token are not sent any more.
fn withdraws(before: &Token, now: &Token, at: jiff::Timestamp) -> Option<SkipReason> {
    if now.revoked.is_some() && before.revoked.is_none() {
        return Some(SkipReason::Revoked);
    }
    if now.user != before.user {
        return Some(SkipReason::AnotherUser);
    }
    if now.state == PushState::Disabled && before.state == PushState::Enabled {
        return Some(SkipReason::Disabled);
    }
    (now.muted(at) && !before.muted(at)).then_some(SkipReason::Muted)
}
