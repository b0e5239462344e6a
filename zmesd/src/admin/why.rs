//! `why`: what was decided about an event, for each client and each token, and why.

mod unseen;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use zmes_shared::control::{ClientFilter, ControlError, Role};
use zmes_shared::views::{HeldView, Why, WhyAlarm, WhyTarget};
use zmes_shared::{EventId, MonitorId, SessionId};

use super::answers::{busy, unreadable};
use super::off_loop::off_loop;
use super::push::held;
use super::token_names::{TokenNames, TokenScope};
use super::tokens::view;
use crate::admin::AdminParts;
use crate::domain::{Decision, MonitorFilter, Origin, Token, TokenId};
use crate::ports::PushSide;
use crate::route::SessionDecision;
use crate::state::{DeliveryRow, Outcome, RecordedAlarm, TokenRow};

/// Alarms of one event that are told at most: a long one may have many.
const ALARMS: u32 = 100;
/// Deliveries of one event that are told at most.
const DELIVERIES: u32 = 20_000;

/// What is known of an event.
#[derive(Debug)]
struct Evidence {
    event: EventId,
    alarms: Vec<RecordedAlarm>,
    sessions: Vec<SessionDecision>,
    deliveries: Vec<DeliveryRow>,
    known: TokenNames,
    users: HashMap<SessionId, Option<String>>,
}

/// Explains an event; only for one token where one is named.
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

/// Says what became of an alarm, for each client and token or for one token.
fn told(evidence: Evidence, push: &dyn PushSide, only: Option<TokenId>, started_at: Timestamp) -> Why {
    let (monitor_id, monitor) = evidence.monitor();
    let mut targets = evidence.tokens(only, |token| held(push, token));
    let mut notes = Vec::new();
    if only.is_none() {
        targets.splice(0..0, evidence.clients(monitor_id));
        notes.extend(evidence.forgotten_clients(started_at));
    }
    Why {
        event_id: evidence.event,
        monitor_id,
        monitor,
        announced: true,
        explanation: evidence.explanation(),
        alarms: evidence.alarms.into_iter().map(alarm).collect(),
        targets,
        notes,
    }
}

async fn gather(parts: &AdminParts, event: EventId, known: TokenNames) -> Result<Evidence, ControlError> {
    let state = &parts.state;
    let alarms = state.alarms_of_event(event, ALARMS).await.map_err(|error| unreadable(&error))?;
    let deliveries =
        state.deliveries_of_event(event, DELIVERIES).await.map_err(|error| unreadable(&error))?;
    let sessions = parts.router.session_decisions(event).await.map_err(busy)?;
    let clients = parts.router.list(ClientFilter::default()).await.map_err(busy)?;
    let users = clients.into_iter().map(|client| (client.id, client.user)).collect();
    Ok(Evidence { event, alarms, sessions, deliveries, known, users })
}

fn alarm(alarm: RecordedAlarm) -> WhyAlarm {
    WhyAlarm { at: alarm.at, cause: alarm.cause, late: alarm.late }
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
        // The router remembers the decisions alone; a test without tokens is nowhere else.
        (None, None)
    }

    fn explanation(&self) -> String {
        match (self.alarms.as_slice(), self.deliveries.first()) {
            ([], Some(delivery)) if delivery.origin == Origin::Test => {
                format!("a test alarm of {}", delivery.at)
            }
            ([], Some(delivery)) => {
                format!("announced {}; the alarm itself is no longer in the record", delivery.at)
            }
            ([], None) => {
                let at =
                    self.sessions.first().map_or_else(String::new, |decision| format!(" of {}", decision.at));
                format!("a test alarm{at}, or one that is not in the record")
            }
            ([alarm], _) if alarm.late => {
                format!("announced late, {}: polling could not see it, the Events table had it", alarm.at)
            }
            ([alarm], _) => format!("announced {}", alarm.at),
            ([alarm, .., last], _) => {
                format!("announced {} times, from {} to {}", self.alarms.len(), alarm.at, last.at)
            }
        }
    }

    /// What was decided for clients is kept in memory alone.
    fn forgotten_clients(&self, started_at: Timestamp) -> Option<String> {
        let last = self.alarms.last().map(|alarm| alarm.at).or(self.deliveries.last().map(|last| last.at))?;
        if !self.sessions.is_empty() {
            return None;
        }
        Some(if last < started_at {
            format!("zmesd was started {started_at}, later: what was decided for clients is not remembered")
        } else {
            "no client was connected, or so much has come since that it is not remembered".to_owned()
        })
    }

    fn clients(&self, monitor: Option<MonitorId>) -> Vec<WhyTarget> {
        let target = |decided: &SessionDecision| {
            let user = self.users.get(&decided.session);
            let left = if user.is_some() { "" } else { "; it has left since" };
            WhyTarget {
                kind: "session".to_owned(),
                id: decided.session.to_string(),
                user: user.cloned().flatten(),
                at: decided.at,
                decision: decided.decision.as_str().to_owned(),
                reason: decided.decision.reason().to_owned(),
                explanation: format!("{}{left}", for_client(decided.decision, monitor)),
                transport: None,
                attempts: None,
                latency_ms: None,
                provider_id: None,
                held: None,
            }
        };
        self.sessions.iter().map(target).collect()
    }

    fn tokens(&self, only: Option<TokenId>, held: impl Fn(&Token) -> Option<HeldView>) -> Vec<WhyTarget> {
        let deliveries = self.deliveries.iter().filter(|row| only.is_none_or(|only| only == row.token));
        let told = |delivery: &DeliveryRow| {
            let waits = self.known.row(delivery.token).filter(|_| delivery.decision == "queued");
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
        WhyTarget {
            kind: "token".to_owned(),
            user: row.map(|row| row.token.user.clone()),
            at: delivery.at,
            decision: delivery.decision.clone(),
            reason: delivery.reason.clone(),
            explanation: for_token(delivery, row, &handle),
            transport: view::told(&delivery.transport),
            attempts: Some(delivery.attempts),
            latency_ms: delivery.latency.map(view::millis),
            provider_id: delivery.provider_id.clone(),
            held: None,
            id: handle,
        }
    }

    /// A token for which nothing was decided, though the event was announced.
    fn undecided(&self, row: &TokenRow) -> Option<WhyTarget> {
        let at = self.alarms.first().map(|alarm| alarm.at).or(self.sessions.first().map(|first| first.at))?;
        let token = &row.token;
        let explanation = match &token.revoked {
            _ if token.created_at > at => format!("it was registered only later, {}", token.created_at),
            Some(revoked) if revoked.at <= at => format!("it was revoked then ({})", revoked.reason),
            Some(_) | None => format!(
                "nothing is recorded for it about event {}: was push.enabled false, or is it too long ago?",
                self.event
            ),
        };
        Some(WhyTarget {
            kind: "token".to_owned(),
            id: self.known.handle(token),
            user: Some(token.user.clone()),
            at,
            decision: "skipped".to_owned(),
            reason: "not decided".to_owned(),
            explanation,
            transport: None,
            attempts: None,
            latency_ms: None,
            provider_id: None,
            held: None,
        })
    }
}

fn for_client(decision: Decision, monitor: Option<MonitorId>) -> String {
    let monitor = monitor.map_or_else(|| "the monitor".to_owned(), |id| format!("monitor {id}"));
    match decision {
        Decision::Send => "it went to the app over its WebSocket".to_owned(),
        Decision::Skip(reason) => match reason.as_str() {
            "rights" => format!("ZoneMinder does not let its user see {monitor}"),
            "filter" => format!("{monitor} is not in the list that its app has set"),
            "interval" => format!("the interval that its app wants for {monitor} was not over"),
            "not authenticated" => "the app had not logged in".to_owned(),
            "slow" => "the app did not read what came before, and was dropped".to_owned(),
            "ending" => "the app was just being disconnected".to_owned(),
            "other target" => "the test was for somebody else".to_owned(),
            other => other.to_owned(),
        },
    }
}

fn for_token(delivery: &DeliveryRow, row: Option<&TokenRow>, handle: &str) -> String {
    let DeliveryRow { decision, reason, transport, attempts, latency, monitor, .. } = delivery;
    let tried = if *attempts > 1 { format!(", at the {attempts}. attempt") } else { String::new() };
    match (decision.as_str(), reason.as_str()) {
        ("sent", reason) => {
            let after = latency
                .map_or_else(String::new, |after| format!(", {} ms after the alarm", after.as_millis()));
            let digest = if reason.is_empty() { "" } else { ", as part of a digest (push.storm-limit)" };
            format!("{transport} took it{after}{tried}{digest}")
        }
        ("queued", "") => "it waits to be sent: zmesctl push queue".to_owned(),
        ("queued", reason) => format!("it is tried again; last time: {reason}"),
        ("failed", reason) => format!("given up{tried}: {reason}"),
        ("skipped", Outcome::SHADOW) => shadow(transport, *latency),
        (_, reason) => skipped(reason, *monitor, row, handle),
    }
}

fn shadow(transport: &str, latency: Option<Duration>) -> String {
    let way = if transport.is_empty() {
        "no transport takes this token".to_owned()
    } else {
        format!("{transport} would have got it")
    };
    let after =
        latency.map_or_else(String::new, |after| format!(" {} ms after the alarm", after.as_millis()));
    format!("push.mode is shadow: it was decided, not sent; {way}{after}")
}

fn skipped(reason: &str, monitor: MonitorId, row: Option<&TokenRow>, handle: &str) -> String {
    let user = row.map_or("its user", |row| row.token.user.as_str());
    match reason {
        "rights" => format!("ZoneMinder does not let {user} see monitor {monitor}"),
        "user" => format!("{user} is not a user of ZoneMinder, is disabled, or may see no events"),
        "filter" => {
            let now = match row.map(|row| &row.token.filter) {
                Some(MonitorFilter::Only(only)) if !only.contains_key(&monitor) => "",
                Some(_) | None => " then; now it is",
            };
            format!("monitor {monitor} is not in the list that its app has set{now}")
        }
        "interval" => format!("the interval that its app wants for monitor {monitor} was not over"),
        "disabled" => "its app wants no pushes (state is disabled)".to_owned(),
        "muted" => format!("an admin has silenced this token: zmesctl tokens unmute {handle}"),
        "revoked" => format!("the token was revoked before it was sent: zmesctl tokens restore {handle}"),
        "expired" => "it could not be sent before it was too old (push.retry-for)".to_owned(),
        "push is off" => "push.enabled is false".to_owned(),
        "other target" => "the test was for somebody else".to_owned(),
        other => other.to_owned(),
    }
}
