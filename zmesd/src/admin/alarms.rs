//! `alarm test`, `alarm force` and `alarm cancel`

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use zmes_shared::control::{AlarmTest, ControlError, ErrorCode, Role};
use zmes_shared::views::{AlarmForced, AlarmTested, PushModeState, TargetDecision};
use zmes_shared::words::{DeliveryState, Reason, TargetKind};
use zmes_shared::{MonitorId, SessionId};
use zmes_zoneminder::{Monitor, TriggerError};

use super::answers::no_monitor;
use super::rules;
use super::snoozes::SnoozeNames;
use super::token_names::{TokenNames, TokenScope};
use super::tokens::view;
use crate::admin::forced::ForcedError;
use crate::admin::{Admin, AdminParts, conditions};
use crate::domain::{Decision, SkipReason, TokenId};
use crate::monitors::Catalog;
use crate::route::{AlarmTarget, AlarmTestRequest, PushEnding, PushReceipt, TestTarget, WriteReport};

/// How long `--wait` waits for the last frame to be written.
const WAIT: Duration = Duration::from_secs(5);
/// How long `--wait` waits for the last provider; shorter than the deadline of `zmesctl`.
const WAIT_PUSH: Duration = Duration::from_secs(25);
/// Receipts for clients and tokens that are added after the count.
const RECEIPTS_SLACK: usize = 64;
/// The shortest and the longest time that an alarm is forced for, in milliseconds.
const FORCED_MS: std::ops::RangeInclusive<u64> = 1_000..=3_600_000;

/// Milliseconds until a frame was written; `None`: the client disconnected first.
type WrittenAfter = Option<u64>;

#[derive(Debug, Default)]
struct Receipts {
    written: HashMap<SessionId, WrittenAfter>,
    pushed: HashMap<TokenId, PushReceipt>,
    last_errors: HashMap<TokenId, String>,
}

pub(super) async fn test(
    parts: &AdminParts,
    asker: Role,
    test: AlarmTest,
) -> Result<AlarmTested, ControlError> {
    let token = match &test.token {
        Some(name) => {
            Some(TokenNames::load(&parts.state, asker).await?.find(name, TokenScope::Live)?.token.id)
        }
        None => None,
    };
    let monitor = tested_monitor(&parts.catalog.now(), test.monitor)?;
    let waits = test.wait && !test.dry_run;
    let (mut receipts, mut written, mut push_receipts, mut pushed) = (None, None, None, None);
    if waits {
        let clients = parts.router.count().await?.total;
        let tokens = parts.router.token_counts().await?.total;
        let (sender, receiver) = mpsc::channel(bound(clients));
        (receipts, written) = (Some(sender), Some(receiver));
        let (sender, receiver) = mpsc::channel(bound(tokens));
        (push_receipts, pushed) = (Some(sender), Some(receiver));
    }
    let start = Instant::now();
    let request = AlarmTestRequest {
        monitor: monitor.id,
        monitor_name: Arc::clone(&monitor.name),
        dry_run: test.dry_run,
        receipts,
        only: Vec::new(),
        token,
        push_receipts,
    };
    let tested = parts.router.test(request).await?;
    let receipts = match (&mut written, &mut pushed) {
        (Some(written), Some(pushed)) => {
            let of_frame = |receipt: WriteReport| {
                (receipt.session, receipt.written.then(|| view::millis(start.elapsed())))
            };
            let of_push = |receipt: PushReceipt| (receipt.token, receipt);
            let (written, pushed) = tokio::join!(
                collect(written, start + WAIT, of_frame),
                collect(pushed, start + WAIT_PUSH, of_push)
            );
            let last_errors = last_errors(parts, &tested.targets, &pushed).await;
            Some(Receipts { written, pushed, last_errors })
        }
        (_, _) => None,
    };
    let shadow = parts.push.mode() == PushModeState::Shadow;
    let ids = tested.targets.iter().filter_map(|target| target.by.as_ref()?.snooze()).collect();
    let names = SnoozeNames::load(&parts.state, ids).await?;
    let used = parts.router.rules().await?;
    let told = |target: &TestTarget| {
        let (snoozed, rule) = (names.get(target.by.as_ref()), rules::name(target.by.as_ref()));
        let explanation = rule.as_deref().map(|rule| match target.decision {
            Decision::Skip(SkipReason::Rule) => rules::muted(rule, &used),
            Decision::Send | Decision::Skip(_) => rules::passed(rule, &used),
        });
        TargetDecision { snoozed, rule, explanation, ..decided(target, receipts.as_ref(), shadow) }
    };
    let targets = tested.targets.iter().map(told).collect();
    Ok(AlarmTested { event_id: tested.event, monitor_id: monitor.id, dry_run: test.dry_run, targets })
}

fn bound(receivers: u64) -> usize {
    usize::try_from(receivers).unwrap_or_default().saturating_add(RECEIPTS_SLACK)
}

pub(super) async fn force(
    admin: &Admin,
    monitor: MonitorId,
    for_ms: u64,
) -> Result<AlarmForced, ControlError> {
    if !FORCED_MS.contains(&for_ms) {
        let message = format!("an alarm cannot be forced for {for_ms} ms");
        return Err(ControlError::new(ErrorCode::BadRequest, message).with_hint("between 1s and 1h"));
    }
    forcible(&admin.parts.catalog.now(), monitor)?;
    let via = admin.forced.force(monitor, Duration::from_millis(for_ms)).await.map_err(refused)?;
    let (trigger, via) = ("on".to_owned(), via.as_str().to_owned());
    Ok(AlarmForced { monitor_id: monitor, trigger, via, for_ms: Some(for_ms) })
}

pub(super) async fn cancel(admin: &Admin, monitor: MonitorId) -> Result<AlarmForced, ControlError> {
    // An alarm of a monitor that is no longer watched can still be cancelled.
    let catalog = admin.parts.catalog.now();
    here(catalog.monitors.find(monitor).ok_or_else(|| no_monitor(monitor, &catalog.monitors))?)?;
    let via = admin.forced.cancel(monitor).await.map_err(refused)?;
    let (trigger, via) = ("cancelled".to_owned(), via.as_str().to_owned());
    Ok(AlarmForced { monitor_id: monitor, trigger, via, for_ms: None })
}

/// Returns the monitor of a test alarm: the requested one, else the first that is watched.
fn tested_monitor(catalog: &Catalog, wanted: Option<MonitorId>) -> Result<Arc<Monitor>, ControlError> {
    let monitors = &catalog.monitors;
    if let Some(id) = wanted {
        return monitors.find(id).cloned().ok_or_else(|| no_monitor(id, monitors));
    }
    if let Some(first) = monitors.watched().next() {
        return Ok(Arc::clone(first));
    }
    if catalog.loaded_at.is_none() {
        let error = ControlError::new(ErrorCode::Unavailable, "no monitor is known yet");
        return Err(error.with_hint("the database has not answered yet: zmesctl check db"));
    }
    let error = ControlError::new(ErrorCode::NotFound, "no monitor is watched");
    Err(error.with_hint("zmesctl monitors list says why; or name one with --monitor"))
}

fn forcible(catalog: &Catalog, monitor: MonitorId) -> Result<(), ControlError> {
    let found = catalog.monitors.find(monitor).ok_or_else(|| no_monitor(monitor, &catalog.monitors))?;
    here(found)?;
    found.watched.map_err(|reason| {
        let message = format!("monitor {monitor} is not watched: {}", conditions::switched_off(reason));
        ControlError::new(ErrorCode::NotFound, message)
            .with_hint("change its function in ZoneMinder's console")
    })
}

/// Triggers lie in shared memory, which only the server that captures the monitor has.
fn here(monitor: &Monitor) -> Result<(), ControlError> {
    let Some(server) = &monitor.elsewhere else { return Ok(()) };
    let id = monitor.id;
    let message =
        format!("monitor {id} is captured by {server}: its alarms can only be forced and cancelled there");
    let hint = format!("there: zmu -m {id} -a forces one, zmu -m {id} -c cancels it");
    Err(ControlError::new(ErrorCode::Unavailable, message).with_hint(hint))
}

fn refused(error: ForcedError) -> ControlError {
    match error {
        ForcedError::Trigger(TriggerError::NotPermitted(detail)) => {
            ControlError::new(ErrorCode::Forbidden, format!("zmesd cannot force alarms: {detail}")).with_hint(
                "start zmtrigger.pl in ZoneMinder (OPT_TRIGGERS), or give zmesd write access to the shared memory",
            )
        }
        ForcedError::Trigger(error @ TriggerError::NotCaptured(_)) => {
            ControlError::new(ErrorCode::Unavailable, error.to_string())
                .with_hint("zmesctl monitors list says what is wrong with it")
        }
        ForcedError::Trigger(error @ TriggerError::Failed { .. }) => {
            ControlError::new(ErrorCode::Unavailable, error.to_string())
        }
        error @ ForcedError::Late => ControlError::new(ErrorCode::Timeout, error.to_string()),
        error @ ForcedError::Stopping => ControlError::new(ErrorCode::Conflict, error.to_string()),
    }
}

/// Collects receipts until all have arrived (every sender is dropped) or the deadline has passed.
async fn collect<R, K: Eq + Hash, V>(
    receipts: &mut mpsc::Receiver<R>,
    deadline: Instant,
    entry: impl Fn(R) -> (K, V),
) -> HashMap<K, V> {
    let mut collected = HashMap::new();
    while let Ok(Some(receipt)) = timeout_at(deadline, receipts.recv()).await {
        collected.extend([entry(receipt)]);
    }
    collected
}

/// Returns why pushes wait: a token's pushes stay in order, so a test waits for those that are tried again.
async fn last_errors(
    parts: &AdminParts,
    targets: &[TestTarget],
    pushed: &HashMap<TokenId, PushReceipt>,
) -> HashMap<TokenId, String> {
    let tokens = targets.iter().filter_map(|target| match target.target {
        AlarmTarget::Token(token, _) if target.decision == Decision::Send => Some(token),
        AlarmTarget::Token(..) | AlarmTarget::Session(_) => None,
    });
    let open: Vec<TokenId> = tokens.filter(|token| !pushed.contains_key(token)).collect();
    if open.is_empty() {
        return HashMap::new();
    }
    let Ok(known) = TokenNames::load(&parts.state, Role::Observer).await else { return HashMap::new() };
    open.into_iter().filter_map(|id| Some((id, known.row(id)?.last_error.clone()?))).collect()
}

/// Returns the decision for a target, and with `--wait` its result.
fn decided(target: &TestTarget, receipts: Option<&Receipts>, shadow: bool) -> TargetDecision {
    let (kind, id) = match target.target {
        AlarmTarget::Session(session) => (TargetKind::Session, session.to_string()),
        AlarmTarget::Token(_, handle) => (TargetKind::Token, handle.to_string()),
    };
    let (decision, reason) = (target.decision.state(), target.decision.reason());
    let (latency_ms, transport, provider_id) = (None, None, None);
    let (rule, explanation, snoozed) = (None, None, None);
    let view = TargetDecision {
        kind,
        id,
        decision,
        reason,
        latency_ms,
        transport,
        provider_id,
        rule,
        explanation,
        snoozed,
    };
    if target.decision != Decision::Send {
        return view;
    }
    match (target.target, receipts) {
        (AlarmTarget::Session(session), Some(receipts)) => written(view, receipts.written.get(&session)),
        (AlarmTarget::Token(token, _), Some(receipts)) => {
            pushed(view, receipts.pushed.get(&token), receipts.last_errors.get(&token))
        }
        (AlarmTarget::Token(..), None) if shadow => {
            let reason = SkipReason::Shadow.into();
            TargetDecision { decision: DeliveryState::Skipped, reason, ..view }
        }
        (AlarmTarget::Session(_) | AlarmTarget::Token(..), None) => view,
    }
}

fn written(target: TargetDecision, receipt: Option<&WrittenAfter>) -> TargetDecision {
    match receipt {
        Some(&Some(latency)) => TargetDecision { latency_ms: Some(latency), ..target },
        Some(&None) => failed(target, "the client disconnected first"),
        None => failed(target, "not written in time"),
    }
}

fn pushed(
    target: TargetDecision,
    receipt: Option<&PushReceipt>,
    last_error: Option<&String>,
) -> TargetDecision {
    let Some(receipt) = receipt else {
        let last = last_error.map_or_else(String::new, |error| format!(" (it last said: {error})"));
        let reason = format!("no answer from its provider yet{last}: zmesctl tokens log shows the result");
        return failed(target, &reason);
    };
    let target = TargetDecision {
        latency_ms: Some(view::millis(receipt.latency)),
        transport: view::told(&receipt.transport),
        ..target
    };
    match &receipt.ending {
        PushEnding::Sent(provider_id) => TargetDecision { provider_id: provider_id.clone(), ..target },
        PushEnding::Skipped(reason) => TargetDecision {
            decision: DeliveryState::Skipped,
            reason: Reason::Skip(*reason),
            latency_ms: None,
            ..target
        },
        PushEnding::Failed(reason) => failed(target, reason),
    }
}

fn failed(target: TargetDecision, reason: &str) -> TargetDecision {
    TargetDecision { decision: DeliveryState::Failed, reason: reason.to_owned().into(), ..target }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_behind_pushes_that_fail_says_why_they_do() {
        let target = TargetDecision {
            kind: TargetKind::Token,
            id: "1a2b3c4d".to_owned(),
            decision: DeliveryState::Sent,
            reason: Reason::None,
            latency_ms: None,
            transport: None,
            provider_id: None,
            rule: None,
            explanation: None,
            snoozed: None,
        };
        let waits = pushed(target.clone(), None, Some(&"401 Unauthorized".to_owned()));
        assert_eq!(waits.decision, DeliveryState::Failed);
        assert!(waits.reason.as_str().contains("(it last said: 401 Unauthorized)"), "{}", waits.reason);
        assert!(pushed(target, None, None).reason.as_str().starts_with("no answer from its provider yet: "));
    }
}
