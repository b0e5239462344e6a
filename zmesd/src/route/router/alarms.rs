//! Handles one alarm: decides for each session, then for each token.

mod frames;
mod labels;
mod test;

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{debug, info};
use zmes_cluster::outcomes::DeviceHandle;
use zmes_providers::Urgency;
use zmes_shared::SessionId;
use zmes_zoneminder::MonitorRights;

use super::Router;
use crate::config::WithoutLabels;
use crate::domain::{
    Alarm, DecidedBy, Decision, DeliveryId, Phase, PushState, SkipReason, Snooze, SnoozeId, Token, TokenId,
    ToldStart,
};
use crate::route::decided::AlarmDecisions;
use crate::route::handle::WriteReport;
use crate::route::policy::{self, Receiver, Verdict, Wishes};
use crate::route::sessions::Session;
use crate::route::tap::{AnnouncedAlarm, TapEvent};
use crate::route::tokens::TokenEntry;
use crate::route::{PushBatch, PushDelivery, PushOrder, PushReceipt};
use crate::rules::{AlarmFacts, AlarmTime, Candidates, Channel, ReceiverFacts};
use crate::state::{Note, TokenDecision};
use crate::telemetry::TargetKind;
use frames::AlarmFrames;

#[derive(Default)]
struct AlarmRound {
    /// A test alarm: intervals and badges do not count.
    test: bool,
    dry_run: bool,
    /// The alarm was announced before: its push to a token does not start an interval for the copy to the session, or
    /// vice versa.
    latecomer: bool,
    /// No labels were found: what to do, unless a rule decides.
    unlabelled: Option<WithoutLabels>,
    receipts: Option<mpsc::Sender<WriteReport>>,
    push_receipts: Option<mpsc::Sender<PushReceipt>>,
    /// Devices of which it is known what became of it.
    done: Option<Arc<HashSet<DeviceHandle>>>,
}

/// The decisions for sessions, the rules that made them, and the tokens whose session got its copy.
type SessionsTold = (Vec<(SessionId, Decision)>, Vec<(SessionId, DecidedBy)>, BTreeSet<TokenId>);

/// What was decided for sessions, and by which rules.
type SessionDecisions = (Vec<(SessionId, Decision)>, Vec<(SessionId, DecidedBy)>);

/// What was decided about a message for one token.
pub(super) struct TokenVerdict {
    pub(super) token: Arc<Token>,
    pub(super) decision: Decision,
    /// The rule or snooze that decided.
    pub(super) by: Option<DecidedBy>,
    pub(super) urgency: Urgency,
    /// The number on the app's icon, if the push is sent.
    pub(super) badge: u32,
    /// Of an end or an update: what told of its start.
    pub(super) start: Option<ToldStart>,
}

impl Router {
    pub(super) fn on_alarm(&mut self, alarm: Alarm) {
        if self.drop_if_told(&alarm) {
            return;
        }
        if Self::is_past(&alarm) {
            self.record_past(alarm);
            return;
        }
        if alarm.is_end() {
            self.on_end(alarm);
            return;
        }
        self.alarms += 1;
        self.parts.counters.alarms.increment();
        self.parts.counters.alarms_by.count((Phase::Start, alarm.origin));
        if alarm.late() {
            self.parts.counters.reconciled.increment();
        }
        info!(monitor = %alarm.monitor, "Broadcasting new events to all {} websocket clients", self.sessions.len());
        let (alarm, round) = (Arc::new(self.labelled(alarm)), AlarmRound::default());
        let rules = Arc::clone(&self.parts.rules.borrow());
        let candidates = rules.candidates(&self.alarm_facts(&alarm));
        let ids: Vec<SessionId> = self.sessions.all().map(Session::id).collect();
        let (sessions, by, copied) = self.tell_sessions(&alarm, &round, &ids, &candidates);
        self.parts.counters.timings.decided.record(alarm.detected.elapsed());
        if self.parts.ledger.is_some() {
            self.leave_to_cluster(alarm, sessions, by, &copied);
            return;
        }
        if let Some(until) = self.wait_for_labels(&alarm) {
            self.hold(alarm, until, sessions, by, &copied);
            return;
        }
        let verdicts = self.decide_tokens(&alarm, &round, None, &candidates);
        self.remember_sent(&alarm, &verdicts, &copied);
        let (decisions, deliveries) = self.deliveries(&verdicts);
        self.note_started(&alarm, &sessions, &deliveries);
        self.note_unlabelled(&alarm, &deliveries);
        self.count_wishes(&alarm, &by, &verdicts);
        self.remember(self.alarms, &alarm, Some((sessions, by)), &verdicts);
        self.missed.keep(self.alarms, &alarm, Instant::now());
        let recorded = self.try_note(Note::Announced(Arc::clone(&alarm), decisions));
        self.push(PushBatch { alarm, deliveries, recorded, receipts: None, ledger: None });
    }

    /// Queues the frame for the sessions that get it. Returns the decisions, the rules behind them, and the tokens
    /// whose session got its copy.
    fn tell_sessions(
        &mut self,
        alarm: &Alarm,
        round: &AlarmRound,
        ids: &[SessionId],
        rules: &Candidates<'_>,
    ) -> SessionsTold {
        let (auth, now) = (self.auth_enabled(), self.parts.clock.now());
        let mut frames = AlarmFrames::new(alarm, &self.parts.links, auth, now);
        let mut decided_by = Vec::new();
        let mut decisions = Vec::with_capacity(ids.len());
        let (mut sent, mut copied) = (BTreeSet::new(), BTreeSet::new());
        let push = self.push;
        for id in ids {
            let Some(session) = self.sessions.get_mut(*id) else { continue };
            let token = self.attachments.token_of(*id);
            let entry = token.and_then(|token| self.tokens.get(token));
            let supplementary = push.phones && entry.is_some_and(wants_pushes);
            let default = if supplementary { push.interval_default } else { Duration::ZERO };
            let Verdict { mut decision, by, .. } = decide(session, entry, default, alarm, round, rules);
            decided_by.extend(by.map(|by| (*id, by)));
            if decision == Decision::Send && !round.dry_run {
                let user = session.login().map_or("", |login| &login.user.name);
                let frame = frames.of(user, supplementary);
                decision = session.deliver(&frame, round.receipts.as_ref());
            }
            if decision == Decision::Send && !round.test {
                copied.extend(token);
                if let Some(device) = session.note_sent(alarm.monitor, alarm.at)
                    && self.devices.set_sent(device, alarm.monitor, alarm.at)
                {
                    sent.insert(device.clone());
                }
            }
            decisions.push((*id, decision));
        }
        if !sent.is_empty() {
            self.note(Note::Sent(sent, alarm.monitor, alarm.at));
        }
        (decisions, decided_by, copied)
    }

    pub(super) fn tell_latecomers(&mut self, alarm: &Alarm, ids: &[SessionId]) -> SessionDecisions {
        let round = AlarmRound { latecomer: true, ..AlarmRound::default() };
        let rules = Arc::clone(&self.parts.rules.borrow());
        let candidates = rules.candidates(&self.alarm_facts(alarm));
        let (decisions, by, _) = self.tell_sessions(alarm, &round, ids, &candidates);
        let decided = decisions.iter().map(|(_, decision)| (TargetKind::Session, *decision));
        self.parts.counters.decisions.count_all(decided);
        (decisions, by)
    }

    /// Decides for the live tokens, or for one of them. While push is off, decides nothing; a test reports that.
    fn decide_tokens(
        &mut self,
        alarm: &Alarm,
        round: &AlarmRound,
        only: Option<TokenId>,
        rules: &Candidates<'_>,
    ) -> Vec<TokenVerdict> {
        if !self.push.enabled && !round.test {
            return Vec::new();
        }
        let wanted = |entry: &TokenEntry| match only {
            Some(only) => only == entry.token().id,
            None => round.test || self.targets.hears_alarms(entry.token()),
        };
        let is_done = |token: &Token| match &round.done {
            Some(done) => done.contains(&DeviceHandle::new(token.handle.digest())),
            None => false,
        };
        let meant = |entry: &&TokenEntry| {
            wanted(entry) && (round.test || self.reaches(entry.token())) && !is_done(entry.token())
        };
        let verdict = |entry: &TokenEntry| {
            let verdict = if self.push.enabled {
                self.decide_token(entry, alarm, round, rules)
            } else {
                SkipReason::PushOff.into()
            };
            (Arc::clone(entry.token()), verdict)
        };
        let decided: Vec<_> = self.tokens.live().filter(meant).map(verdict).collect();
        // If the badge grew without being sent to the phone, it would jump with the next push. A target has no badge.
        let counts = !round.test && !self.push.shadow;
        let with_badge = |(token, Verdict { decision, by, urgent }): (Arc<Token>, Verdict)| {
            let sends = decision == Decision::Send;
            let counts = counts && !token.handle.is_target();
            let badge = if sends { self.tokens.next_badge(token.id, counts) } else { 0 };
            let urgency = if urgent { Urgency::Urgent } else { Urgency::Normal };
            TokenVerdict { token, decision, by, urgency, badge, start: None }
        };
        decided.into_iter().map(with_badge).collect()
    }

    /// Returns whether a token can be reached: phones need a provider, targets do not.
    pub(super) fn reaches(&self, token: &Token) -> bool {
        self.push.phones || token.handle.is_target()
    }

    fn decide_token(
        &self,
        entry: &TokenEntry,
        alarm: &Alarm,
        round: &AlarmRound,
        rules: &Candidates<'_>,
    ) -> Verdict {
        let token = entry.token();
        let last_sent = entry.sent().get(&alarm.monitor).copied().filter(|_| !round.test);
        let last_sent = if round.latecomer { told_apart(last_sent, alarm.at) } else { last_sent };
        let catalog = self.parts.catalog.borrow();
        let owner = self.owners.rights(&token.user, self.auth_enabled(), &catalog);
        let interval = self.interval(token, alarm);
        let receiver = ReceiverFacts {
            channel: Channel::Push,
            user: &token.user,
            handle: Some(token.handle),
            platform: Some(token.platform),
        };
        let (rule, snooze) = (rules.decide(&receiver), self.snoozes.covering(alarm.monitor, token, alarm.at));
        let wishes = Wishes { rule, snooze };
        let verdict =
            policy::decide_token(alarm.monitor, alarm.at, token, owner, interval, last_sent, wishes);
        match round.unlabelled {
            Some(WithoutLabels::Drop) => policy::drop_unlabelled(verdict),
            Some(WithoutLabels::Send) | None => verdict,
        }
    }

    /// Returns the facts of an alarm that rules can use.
    fn alarm_facts<'a>(&'a self, alarm: &'a Alarm) -> AlarmFacts<'a> {
        AlarmFacts {
            monitor: alarm.monitor,
            monitor_name: &alarm.monitor_name,
            cause: &alarm.cause,
            labels: Some(&*alarm.labels.known).filter(|known| !known.is_empty()),
            time: AlarmTime { at: alarm.at, machine: &self.parts.zone },
        }
    }

    /// Counts what snoozes have withheld, and the alarm once for each rule that decided.
    pub(super) fn count_wishes(
        &mut self,
        alarm: &Alarm,
        sessions: &[(SessionId, DecidedBy)],
        verdicts: &[TokenVerdict],
    ) {
        let by = sessions
            .iter()
            .map(|(_, by)| by)
            .chain(verdicts.iter().filter_map(|verdict| verdict.by.as_ref()));
        let is_counted = |name: &Arc<str>| {
            self.parts.ledger.as_ref().is_some_and(|ledger| ledger.has_counted(alarm, name))
        };
        let names: BTreeSet<Arc<str>> = by.filter_map(DecidedBy::rule).cloned().collect();
        let names: BTreeSet<_> = names.into_iter().filter(|name| !is_counted(name)).collect();
        let rules = Arc::clone(&self.parts.rules.borrow());
        for name in &names {
            self.rule_hits.count(name, alarm.at);
            if let Some(rule) = rules.iter().find(|rule| rule.name == *name) {
                self.parts.counters.rules.count(rule.action);
            }
        }
        if !names.is_empty() {
            self.note(Note::RuleHits(names.into_iter().collect(), alarm.at));
        }
        for TokenVerdict { token, by, .. } in verdicts {
            if let Some(DecidedBy::Snooze(id)) = by {
                self.snoozes.withheld(*id, token.id);
            }
        }
    }

    /// Returns the snoozes that silenced tokens.
    fn snoozes_of(&self, verdicts: &[TokenVerdict]) -> Box<[Snooze]> {
        let ids = verdicts.iter().filter_map(|verdict| verdict.by.as_ref()?.snooze());
        let ids: BTreeSet<SnoozeId> = ids.collect();
        ids.into_iter().filter_map(|id| Some(self.snoozes.get(id)?.snooze.clone())).collect()
    }

    /// Returns the minimum time between two alarms of this one's monitor for a token; `None`: its filter excludes it.
    fn interval(&self, token: &Token, alarm: &Alarm) -> Option<Duration> {
        match self.targets.receiver(token) {
            // By the alarm's own name: an alarm of another node may be of a monitor that this one does not know yet.
            Some(target) => target.wants(alarm.monitor, &alarm.monitor_name).then_some(target.interval),
            None => policy::interval(&token.filter, self.push.interval_default, alarm.monitor),
        }
    }

    /// Told by a push or over their session's socket: an interval is one for both.
    pub(super) fn remember_sent(
        &mut self,
        alarm: &Alarm,
        verdicts: &[TokenVerdict],
        copied: &BTreeSet<TokenId>,
    ) {
        let wants_interval = |router: &Self, token: &Token| {
            router.interval(token, alarm).is_some_and(|interval| !interval.is_zero())
        };
        let pushed = verdicts.iter().filter(|verdict| verdict.decision == Decision::Send);
        // Usually no token has an interval; then this is cheap even for ten thousand tokens.
        let pushed =
            pushed.filter(|verdict| wants_interval(self, &verdict.token)).map(|verdict| verdict.token.id);
        let told: BTreeSet<TokenId> = pushed.chain(copied.iter().copied()).collect();
        let mut kept = Vec::new();
        for id in told {
            if self.tokens.get(id).is_some_and(|entry| wants_interval(self, entry.token())) {
                self.tokens.note_sent(id, alarm.monitor, alarm.at);
                kept.push(id);
            }
        }
        if !kept.is_empty() {
            self.note(Note::TokenSent(kept, alarm.monitor, alarm.at));
        }
    }

    /// Assigns delivery numbers to the decisions, and returns the deliveries to send.
    pub(super) fn deliveries(
        &mut self,
        verdicts: &[TokenVerdict],
    ) -> (Arc<[TokenDecision]>, Vec<PushDelivery>) {
        let mut deliveries = Vec::new();
        let mut number = |verdict: &TokenVerdict| {
            self.last_delivery = DeliveryId(self.last_delivery.0 + 1);
            let (id, badge, token) = (self.last_delivery, verdict.badge, verdict.token.id);
            let (urgency, start) = (verdict.urgency, verdict.start);
            if verdict.decision == Decision::Send {
                deliveries.push(PushDelivery {
                    id,
                    token: Arc::clone(&verdict.token),
                    badge,
                    urgency,
                    start,
                });
            }
            TokenDecision {
                id,
                token,
                decision: verdict.decision,
                badge,
                by: verdict.by.clone(),
                urgency,
                start: start.map(|start| start.id),
            }
        };
        (verdicts.iter().map(&mut number).collect(), deliveries)
    }

    pub(super) fn push(&mut self, batch: PushBatch) {
        if !batch.deliveries.is_empty() {
            self.order(PushOrder::Alarm(batch));
        }
    }

    /// Counts the decisions, keeps them for `why` and shows them to watchers. `number` is the alarm's; 0 if unknown.
    /// `sessions` is `None` if they got the alarm earlier and only the decisions for tokens waited for labels.
    pub(super) fn remember(
        &mut self,
        number: u64,
        alarm: &Arc<Alarm>,
        sessions: Option<SessionDecisions>,
        verdicts: &[TokenVerdict],
    ) {
        let announced_before = sessions.is_none();
        let show: fn(AnnouncedAlarm) -> TapEvent =
            if announced_before { TapEvent::Decided } else { TapEvent::Alarm };
        let (sessions, by) = sessions.unwrap_or_default();
        let targets = sessions.len() + verdicts.len();
        let sessions_decided = sessions.iter().map(|(_, decision)| (TargetKind::Session, *decision));
        let tokens_decided = verdicts.iter().map(|verdict| (TargetKind::Token, verdict.decision));
        if !alarm.follows_start() {
            self.parts.counters.decisions.count_all(sessions_decided.chain(tokens_decided));
        }
        debug!(alarm = number, monitor = %alarm.monitor, targets, announced_before, "decided");
        let watched = self.parts.tap.watched();
        if announced_before && !watched {
            return;
        }
        let token =
            |verdict: &TokenVerdict| (Arc::clone(&verdict.token), verdict.decision, verdict.by.clone());
        let tokens = verdicts.iter().filter(|_| watched).map(token).collect();
        let (alarm, sessions) = (Arc::clone(alarm), sessions.into());
        let snoozes = if watched { self.snoozes_of(verdicts) } else { Box::default() };
        let decided = Arc::new(AlarmDecisions {
            number,
            alarm: Arc::clone(&alarm),
            sessions,
            by: by.into(),
            tokens,
            snoozes,
        });
        let decisions = Arc::downgrade(&decided);
        self.ring.push(decided);
        self.parts.tap.send_with(|| show(AnnouncedAlarm { number, alarm, decided: decisions }));
    }
}

/// Returns when the interval began for an alarm that is decided out of order. The copy of this alarm that went to the
/// token's session does not count; a later alarm that was sent counts like an earlier one.
fn told_apart(last_sent: Option<Timestamp>, at: Timestamp) -> Option<Timestamp> {
    let last = last_sent.filter(|last| *last != at)?;
    let ahead = last.duration_since(at);
    if ahead.is_positive() { at.saturating_sub(ahead).ok() } else { Some(last) }
}

/// Returns whether a session of this token gets copies of pushes. An admin's mute does not change that.
pub(super) fn wants_pushes(entry: &TokenEntry) -> bool {
    entry.is_live() && entry.token().state == PushState::Enabled
}

/// Decides for a session. If it has a token, the interval counts from what the token was last sent.
fn decide(
    session: &Session,
    entry: Option<&TokenEntry>,
    interval_default: Duration,
    alarm: &Alarm,
    round: &AlarmRound,
    rules: &Candidates<'_>,
) -> Verdict {
    let Some(login) = session.login() else { return SkipReason::Pending.into() };
    let told = entry.map_or(&login.sent, TokenEntry::sent);
    let same = |at: &Timestamp| round.latecomer && *at == alarm.at;
    let last_sent = told.get(&alarm.monitor).copied().filter(|at| !round.test && !same(at));
    let rights: &MonitorRights = &login.user.rights;
    let facts = ReceiverFacts {
        channel: Channel::WebSocket,
        user: &login.user.name,
        handle: entry.map(|entry| entry.token().handle),
        platform: entry.map(|entry| entry.token().platform),
    };
    let wishes = Wishes { rule: rules.decide(&facts), snooze: None };
    let interval = policy::interval(&login.filter, interval_default, alarm.monitor);
    let receiver = Receiver { rights, interval, last_sent, wishes };
    policy::decide(alarm.monitor, alarm.at, receiver)
}
