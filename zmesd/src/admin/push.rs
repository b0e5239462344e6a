//! `push check`, `push queue` and `push retry`

use jiff::Timestamp;
use zmes_shared::control::{ControlError, ErrorCode, Role, TransportChoice, TransportKind};
use zmes_shared::views::{
    CheckStep, DeliveryView, PushCheck, PushQueue, PushRetried, RetriedTransport, TransportCheck,
    TransportView,
};

use super::token_names::TokenNames;
use super::tokens::view;
use crate::admin::AdminParts;
use crate::admin::push_cure::push_cure;
use crate::ports::{self, PushBusy, TransportHealth};
use crate::state::DeliveryRow;

const SHOWN: u32 = 100;

/// Contacts the providers as far as possible without sending a message.
pub(super) async fn check(
    parts: &AdminParts,
    transport: Option<TransportChoice>,
) -> Result<PushCheck, ControlError> {
    let only = named(transport.as_ref())?;
    let checks = parts.push.check(only.as_deref()).await;
    configured(transport.as_ref(), &checks)?;
    Ok(PushCheck { checks: checks.into_iter().map(checked).collect() })
}

fn named(transport: Option<&TransportChoice>) -> Result<Option<String>, ControlError> {
    if transport == Some(&TransportChoice::Kind(TransportKind::Unknown)) {
        return Err(super::answers::unsupported());
    }
    Ok(transport.map(ToString::to_string))
}

/// A transport that was named must be among those that answered.
fn configured<T>(choice: Option<&TransportChoice>, answers: &[T]) -> Result<(), ControlError> {
    let Some(choice) = choice.filter(|_| answers.is_empty()) else { return Ok(()) };
    let (code, name, place) = match choice {
        TransportChoice::Target(name) => {
            let name = format!("target @{}", zmes_shared::text::quotable(name));
            (ErrorCode::NotFound, name, "[[target]]".to_owned())
        }
        TransportChoice::Kind(kind) if kind.is_of_targets() => {
            (ErrorCode::Conflict, kind.as_str().to_owned(), "[[target]]".to_owned())
        }
        TransportChoice::Kind(kind) => {
            (ErrorCode::Conflict, kind.as_str().to_owned(), format!("[push.{}]", kind.as_str()))
        }
    };
    let hint = format!("see {place} in zmesd.toml; zmesctl push check shows what there is");
    Err(ControlError::new(code, format!("{name} is not configured")).with_hint(hint))
}

pub(super) fn checked(check: ports::TransportCheck) -> TransportCheck {
    let steps = check.steps.into_iter().map(|step| CheckStep {
        name: step.name.to_owned(),
        ok: step.ok(),
        ms: view::millis(step.took),
        detail: step.detail,
        fault: step.fault.map(|kind| kind.word().to_owned()),
    });
    TransportCheck {
        transport: check.transport,
        target: check.target,
        ok: check.ok,
        steps: steps.collect(),
        age_ms: (!check.age.is_zero()).then(|| view::millis(check.age)),
    }
}

pub(super) async fn queue(parts: &AdminParts) -> Result<PushQueue, ControlError> {
    let rows = parts.state.deliveries_queued(SHOWN).await?;
    let known = TokenNames::load(&parts.state, Role::Observer).await?;
    let handle = |id| known.row(id).map(|row| known.handle(&row.token));
    let now = parts.clock.now();
    let transports = parts.push.health().into_iter().map(|health| transport(health, now));
    let waiting = |row: &DeliveryRow| DeliveryView {
        held: known.row(row.token).and_then(|known| parts.push.held(&known.token)),
        ..view::delivery(row, handle(row.token))
    };
    Ok(PushQueue {
        // The disk knows of pushes that the dispatcher has not read yet, and the other way round.
        queued: parts.push.counts().queued.max(rows.len() as u64),
        transports: transports.collect(),
        deliveries: rows.iter().map(waiting).collect(),
    })
}

fn transport(health: TransportHealth, now: Timestamp) -> TransportView {
    let hint = health
        .failure
        .as_ref()
        .map(|failure| push_cure(failure.fault.kind, &health.transport, &health.target));
    let failure = health.failure.as_ref();
    TransportView {
        open: health.rests_until.is_some(),
        // Where the rest is over, the next push is the probe.
        retry_at: health.rest(now).and(health.rests_until),
        last_error: failure.map(|failure| failure.fault.to_string()),
        in_flight: health.in_flight,
        fault: failure.map(|failure| failure.fault.kind.word().to_owned()),
        status: failure.and_then(|failure| failure.fault.status),
        failing_since: failure.map(|failure| failure.since),
        failures: failure.map_or(0, |failure| failure.count),
        last_success_at: health.last_success,
        hint,
        transport: health.transport,
    }
}

/// Ends the pause of transports, and sends the pushes that wait for them.
pub(super) async fn retry(
    parts: &AdminParts,
    transport: Option<TransportChoice>,
) -> Result<PushRetried, ControlError> {
    let only = named(transport.as_ref())?;
    let health = parts.push.health();
    let retried = parts.push.retry(only.as_deref()).await.map_err(|error: PushBusy| {
        ControlError::new(ErrorCode::Busy, error.to_string())
            .with_hint("try again; zmesctl check ping tells whether zmesd moves")
    })?;
    configured(transport.as_ref(), &retried)?;
    let last_error = |name: &str| {
        let failure = health.iter().find(|health| health.transport == name)?.failure.as_ref()?;
        Some(failure.fault.to_string())
    };
    let view = |retried: ports::Retried| RetriedTransport {
        rested: retried.rest.is_some(),
        rest_ms: retried.rest.map(view::millis),
        waiting: retried.waiting,
        last_error: last_error(&retried.transport),
        transport: retried.transport,
    };
    Ok(PushRetried { transports: retried.into_iter().map(view).collect() })
}
