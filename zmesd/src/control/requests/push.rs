//! `push check` and `push queue`

use zmes_shared::control::{ControlError, ErrorCode, Role, TransportKind};
use zmes_shared::views::{CheckStep, PushCheck, PushQueue, TransportCheck, TransportView};

use super::token_names::Known;
use super::tokens::view;
use super::unreadable;
use crate::control::ControlParts;
use crate::ports;

/// Deliveries that the queue shows.
const SHOWN: u32 = 100;

/// Goes to the providers as far as possible without sending anything.
pub(super) async fn check(
    parts: &ControlParts,
    transport: Option<TransportKind>,
) -> Result<PushCheck, ControlError> {
    if transport == Some(TransportKind::Unknown) {
        return Err(super::unsupported());
    }
    let kind = transport.map(TransportKind::as_str);
    let checks = parts.push.check(kind).await;
    if let (Some(kind), []) = (kind, checks.as_slice()) {
        let message = format!("{kind} is not configured");
        return Err(ControlError::new(ErrorCode::Conflict, message)
            .with_hint(format!("see [push.{kind}] in zmesd.toml; zmesctl push check shows what there is")));
    }
    Ok(PushCheck { checks: checks.into_iter().map(checked).collect() })
}

fn checked(check: ports::TransportCheck) -> TransportCheck {
    let steps = check.steps.into_iter().map(|step| CheckStep {
        name: step.name.to_owned(),
        ok: step.ok,
        ms: view::millis(step.took),
        detail: step.detail,
    });
    TransportCheck { transport: check.transport, target: check.target, ok: check.ok, steps: steps.collect() }
}

/// Returns what waits to be sent.
pub(super) async fn queue(parts: &ControlParts) -> Result<PushQueue, ControlError> {
    let rows = parts.state.deliveries_queued(SHOWN).await.map_err(|error| unreadable(&error))?;
    let known = Known::load(&parts.state, Role::Observer).await?;
    let handle = |id| known.row(id).map(|row| known.handle(&row.token));
    let transports = parts.push.breakers().into_iter().map(|breaker| TransportView {
        transport: breaker.transport,
        open: breaker.open,
        retry_at: breaker.retry_at,
        last_error: breaker.last_error,
        in_flight: breaker.in_flight,
    });
    Ok(PushQueue {
        // The disk knows of pushes that the dispatcher has not read yet, and the other way round.
        queued: parts.push.counts().queued.max(rows.len() as u64),
        transports: transports.collect(),
        deliveries: rows.iter().map(|row| view::delivery(row, handle(row.token))).collect(),
    })
}
