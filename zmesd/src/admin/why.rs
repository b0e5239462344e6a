//! `why`: what was decided about an event, for each client and each token, and why.

mod unseen;

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use zmes_shared::control::{ClientFilter, ControlError, Role};
use zmes_shared::views::{HeldView, Why, WhyAlarm, WhyTarget, WhyTimes};
use zmes_shared::words::{DeliveryState, Phase, Reason, StateSource, TargetKind};
use zmes_shared::{EventId, Label, MonitorId, SessionId};

use super::answers::off_loop;
use super::snoozes::SnoozeNames;
use super::token_names::{TokenNames, TokenScope};
use super::tokens::view;
use super::{labels, rules, words};
use crate::admin::AdminParts;
use crate::domain::{Origin, SkipReason, Token, TokenId};
use crate::ports::PushSide;
use crate::route::{RulesInUse, SessionDecision};
use crate::state::{DeliveryRow, RecordedAlarm, TokenRow};

const ALARMS: u32 = 100;
const DELIVERIES: u32 = 20_000;

#[derive(Debug)]
struct Evidence {
    event: EventId,
    alarms: Vec<RecordedAlarm>,
    /// The monitor is polled, not followed in the Events table alone.
    polled: bool,
    sessions: Vec<SessionDecision>,
    deliveries: Vec<DeliveryRow>,
    known: TokenNames,
    snoozes: SnoozeNames,
    users: HashMap<SessionId, Option<String>>,
    rules: RulesInUse,
    labels: Vec<Label>,
    /// Decisions for tokens wait for labels.
    held: bool,
}

pub(super) async fn explain(
    parts: &AdminParts,
    asker: Role,
    event: EventId,
    token: Option<&str>,
) -> Result<Why, ControlError> {
    let known = TokenNames::load(&parts.state, asker).await?;
    let only = token.map(|name| known.find(name, TokenScope::Any).map(|row| row.token.id)).transpose()?;
    let evidence = gather(parts, event, known).await?;
    if evidence.is_empty() {
        let token = only.and_then(|id| evidence.known.row(id)).map(|row| &row.token);
        let token = token.map(|token| (evidence.known.handle(token), token));
        return unseen::explain(parts, event, token).await;
    }
    let (push, started_at) = (Arc::clone(&parts.push), parts.started_at);
    off_loop(move || told(evidence, &*push, only, started_at)).await
}

fn told(evidence: Evidence, push: &dyn PushSide, only: Option<TokenId>, started_at: Timestamp) -> Why {
    let (monitor_id, monitor) = evidence.monitor();
    let mut targets = evidence.tokens(only, |token| push.held(token));
    let mut times = WhyTimes { announced_at: evidence.announced_at(), ..WhyTimes::default() };
    let mut notes = Vec::new();
    if evidence.held {
        notes.push("pushes wait for labels (labels.wait)".to_owned());
    }
    if only.is_none() {
        targets.splice(0..0, evidence.clients(monitor_id));
        if let Some((note, started_at)) = evidence.forgotten_clients(started_at) {
            notes.push(note);
            times.started_at = started_at;
        }
    }
    Why {
        event_id: evidence.event,
        monitor_id,
        monitor,
        announced: true,
        explanation: evidence.explanation(),
        times,
        labels: evidence.labels,
        alarms: evidence.alarms.into_iter().map(alarm).collect(),
        targets,
        notes,
    }
}

async fn gather(parts: &AdminParts, event: EventId, known: TokenNames) -> Result<Evidence, ControlError> {
    let state = &parts.state;
    let alarms = state.alarms_of_event(event, ALARMS).await?;
    let deliveries = state.deliveries_of_event(event, DELIVERIES).await?;
    let snoozes = SnoozeNames::of_deliveries(state, &deliveries).await?;
    let sessions = parts.router.session_decisions(event).await?;
    let clients = parts.router.list(ClientFilter::default()).await?;
    let users = clients.into_iter().map(|client| (client.id, client.user)).collect();
    let rules = parts.router.rules().await?;
    let labels = state.labels_of(&[event]).await?.remove(&event).unwrap_or_default();
    let held = state.is_held(event).await?;
    let monitor = alarms.first().map(|alarm| alarm.monitor);
    let reports = parts.reports.borrow().clone();
    let report = monitor.and_then(|monitor| reports.get(&monitor));
    let polled = report.is_none_or(|report| report.source() != StateSource::Database);
    Ok(Evidence { event, alarms, polled, sessions, deliveries, known, snoozes, users, rules, labels, held })
}

fn alarm(alarm: RecordedAlarm) -> WhyAlarm {
    WhyAlarm { at: alarm.at, cause: alarm.cause, late: alarm.late, ended_at: alarm.ended_at }
}

impl Evidence {
    fn is_empty(&self) -> bool {
        self.alarms.is_empty() && self.sessions.is_empty() && self.deliveries.is_empty()
    }

    fn monitor(&self) -> (Option<MonitorId>, Option<String>) {
        if let Some(alarm) = self.alarms.first() {
            return (Some(alarm.monitor), Some(alarm.monitor_name.clone()));
        }
        if let Some(delivery) = self.deliveries.first() {
            return (Some(delivery.monitor), Some(delivery.monitor_name.clone()));
        }
        // Test alarms without tokens are only in the router's memory, without their monitor.
        (None, None)
    }

    fn explanation(&self) -> String {
        match (self.alarms.as_slice(), self.deliveries.first()) {
            ([], Some(delivery)) if delivery.origin == Origin::Test => "a test alarm".to_owned(),
            ([], Some(_)) => "announced; the alarm itself is no longer in the record".to_owned(),
            ([], None) => "a test alarm, or one that is no longer in the record".to_owned(),
            ([alarm], _) if alarm.late && self.polled => {
                "announced late: polling did not see it, the Events table had it".to_owned()
            }
            ([alarm], _) if alarm.late => {
                "announced late: the Events table had it for a while before zmesd read it, and no other source tells of \
                 this monitor"
                    .to_owned()
            }
            ([_], _) => "announced once".to_owned(),
            ([_, _, ..], _) => format!("announced {} times", self.alarms.len()),
        }
    }

    fn announced_at(&self) -> Option<Timestamp> {
        let alarm = self.alarms.first().map(|alarm| alarm.at);
        let delivery = self.deliveries.first().map(|delivery| delivery.at);
        alarm.or(delivery).or(self.sessions.first().map(|decision| decision.at))
    }

    /// Decisions for clients are kept in memory only.
    fn forgotten_clients(&self, started_at: Timestamp) -> Option<(String, Option<Timestamp>)> {
        let last = self.alarms.last().map(|alarm| alarm.at).or(self.deliveries.last().map(|last| last.at))?;
        if !self.sessions.is_empty() {
            return None;
        }
        Some(if last < started_at {
            (
                "decisions for clients are not known: zmesd has been restarted since".to_owned(),
                Some(started_at),
            )
        } else {
            ("no client was connected, or too many alarms have come since: only the last decisions for clients are kept".to_owned(), None)
        })
    }

    fn clients(&self, monitor: Option<MonitorId>) -> Vec<WhyTarget> {
        let target = |decided: &SessionDecision| {
            let user = self.users.get(&decided.session);
            let left = if user.is_some() { "" } else { "; it has disconnected since" };
            let outcome = (decided.decision.state(), decided.decision.reason());
            let rule = rules::name(decided.by.as_ref());
            let told = words::for_client(decided.decision, monitor);
            let told = self.with_rule(told, rule.as_deref(), &outcome.1);
            let explanation = format!("{}{left}", of_phase(decided.phase, told));
            let id = decided.session.to_string();
            let target = plain(TargetKind::Session, id, decided.at, outcome, explanation);
            WhyTarget { user: user.cloned().flatten(), phase: decided.phase, rule, ..target }
        };
        self.sessions.iter().map(target).collect()
    }

    fn tokens(&self, only: Option<TokenId>, held: impl Fn(&Token) -> Option<HeldView>) -> Vec<WhyTarget> {
        let deliveries = self.deliveries.iter().filter(|row| only.is_none_or(|only| only == row.token));
        let told = |delivery: &DeliveryRow| {
            let waits = self.known.row(delivery.token).filter(|_| delivery.decision == DeliveryState::Queued);
            WhyTarget { held: waits.and_then(|row| held(&row.token)), ..self.token(delivery) }
        };
        let mut targets: Vec<_> = deliveries.map(told).collect();
        let missing = only.filter(|_| targets.is_empty()).and_then(|id| self.known.row(id));
        targets.extend(missing.and_then(|row| self.undecided(row)));
        targets
    }

    fn token(&self, delivery: &DeliveryRow) -> WhyTarget {
        let row = self.known.row(delivery.token);
        let handle = row.map_or_else(|| "forgotten".to_owned(), |row| self.known.handle(&row.token));
        let rule = rules::name(delivery.by.as_ref());
        let snoozed = self.snoozes.get(delivery.by.as_ref());
        let skipped = match (delivery.decision, &delivery.reason) {
            (DeliveryState::Skipped, Reason::Skip(reason)) => Some(*reason),
            (DeliveryState::Skipped, _) => Some(SkipReason::Unknown),
            (_, _) => None,
        };
        let explanation = if let Some(snoozed) = &snoozed {
            snoozed.sentence().to_string()
        } else {
            let told = words::for_token(delivery, row, &handle);
            let told = self.with_rule(told, rule.as_deref(), &delivery.reason);
            let told = match labels::sentence(&delivery.labels, skipped) {
                Some(sentence) => format!("{told}; {sentence}"),
                None => told,
            };
            of_phase(delivery.phase, told)
        };
        let outcome = (delivery.decision, delivery.reason.clone());
        WhyTarget {
            user: row.map(|row| row.token.user.clone()),
            phase: delivery.phase,
            rule,
            transport: view::told(&delivery.transport),
            attempts: Some(delivery.attempts),
            latency_ms: delivery.latency.map(view::millis),
            provider_id: delivery.provider_id.clone(),
            snoozed,
            labels: delivery.labels.known.to_vec(),
            label_wait: labels::waited(&delivery.labels),
            ..plain(TargetKind::Token, handle, delivery.at, outcome, explanation)
        }
    }

    /// Adds the rule's decision; a muted alarm needs no further sentence.
    fn with_rule(&self, told: String, rule: Option<&str>, reason: &Reason) -> String {
        match (rule, reason) {
            (None, _) => told,
            (Some(rule), Reason::Skip(SkipReason::Rule)) => rules::muted(rule, &self.rules),
            (Some(rule), _) => format!("{told}; {}", rules::passed(rule, &self.rules)),
        }
    }

    /// A token for which nothing was decided, though the event was announced.
    fn undecided(&self, row: &TokenRow) -> Option<WhyTarget> {
        let at = self.alarms.first().map(|alarm| alarm.at).or(self.sessions.first().map(|first| first.at))?;
        let token = &row.token;
        let (explanation, since) = match &token.revoked {
            _ if token.created_at > at => ("it was registered only later".to_owned(), Some(token.created_at)),
            Some(revoked) if revoked.at <= at => {
                (format!("it was revoked at the time ({})", revoked.reason), Some(revoked.at))
            }
            Some(_) | None => (words::undecided(SkipReason::NotDecided), None),
        };
        let target = skipped(self.known.handle(token), token, at, SkipReason::NotDecided, explanation);
        Some(WhyTarget { since, ..target })
    }
}

/// Marks a sentence as being about the end or the update of the alarm, if it is.
fn of_phase(phase: Phase, told: String) -> String {
    match phase {
        Phase::End => format!("its end: {told}"),
        Phase::Update => format!("its update: {told}"),
        Phase::Start | Phase::Unknown => told,
    }
}

/// A token for which nothing was decided about an event.
fn skipped(
    handle: String,
    token: &Token,
    at: Timestamp,
    reason: SkipReason,
    explanation: String,
) -> WhyTarget {
    let outcome = (DeliveryState::Skipped, reason.into());
    let user = Some(token.user.clone());
    WhyTarget { user, ..plain(TargetKind::Token, handle, at, outcome, explanation) }
}

fn plain(
    kind: TargetKind,
    id: String,
    at: Timestamp,
    (decision, reason): (DeliveryState, Reason),
    explanation: String,
) -> WhyTarget {
    WhyTarget {
        kind,
        id,
        user: None,
        at,
        phase: Phase::Start,
        decision,
        reason,
        explanation,
        since: None,
        rule: None,
        transport: None,
        attempts: None,
        latency_ms: None,
        provider_id: None,
        held: None,
        snoozed: None,
        labels: Vec::new(),
        label_wait: None,
    }
}
