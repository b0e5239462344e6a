//! Tokens and deliveries as the control protocol shows them.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use zmes_providers::{App, Platform};
use zmes_shared::control::{PlatformKind, TokenState};
use zmes_shared::views::{DeliveryView, FailedAttempt, TokenView};

use crate::admin::rules;
use crate::domain::{MonitorFilter, PushState, Token};
use crate::state::{DeliveryRow, TokenRow};

/// Returns a token as `tokens list` shows it; the secret only where it is to be revealed.
pub(in crate::admin) fn token(row: &TokenRow, handle: String, now: Timestamp, reveal: bool) -> TokenView {
    let token = &row.token;
    let (monitors, intervals) = match &token.filter {
        MonitorFilter::All => (None, None),
        MonitorFilter::Only(only) => {
            (Some(only.keys().copied().collect()), Some(only.values().copied().map(millis).collect()))
        }
    };
    let state = state(token, now);
    TokenView {
        handle,
        platform: platform(token.platform),
        state,
        user: token.user.clone(),
        app: (token.app != App::Unknown).then(|| token.app.as_str().to_owned()),
        app_version: told(&token.app_version),
        profile: told(&token.profile),
        monitors,
        intervals,
        badge: token.badge,
        created_at: token.created_at,
        last_seen_at: token.last_seen_at,
        last_delivered_at: row.last_notified_at,
        last_error: row.last_error.clone(),
        last_error_at: row.last_error_at,
        failures: row.failures,
        mute_until: token.mute_until.filter(|&until| token.muted(now) && until != Timestamp::MAX),
        revoked_at: token.revoked.as_ref().map(|revoked| revoked.at),
        revoked_reason: token.revoked.as_ref().map(|revoked| revoked.reason.clone()),
        transport: token.transport.as_deref().map(str::to_owned),
        token: reveal.then(|| token.token.expose().to_owned()),
    }
}

/// Returns the state of a token. What an admin has set comes before what its app has set.
pub(in crate::admin) fn state(token: &Token, now: Timestamp) -> TokenState {
    if token.revoked.is_some() {
        return if token.blocked() { TokenState::Blocked } else { TokenState::Revoked };
    }
    match token.state {
        _ if token.muted(now) => TokenState::Muted,
        PushState::Disabled => TokenState::Disabled,
        PushState::Enabled => TokenState::Enabled,
    }
}

/// Says whether a token was not seen for at least `age`. A target is never seen.
pub(in crate::admin) fn is_stale(token: &Token, now: Timestamp, age: Duration) -> bool {
    let age = SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX);
    !token.handle.is_target() && now.duration_since(token.last_seen_at) >= age
}

pub(in crate::admin) fn platform(platform: Platform) -> PlatformKind {
    match platform {
        Platform::Ios => PlatformKind::Ios,
        Platform::Android => PlatformKind::Android,
        Platform::Target => PlatformKind::Target,
    }
}

pub(in crate::admin) fn delivery(row: &DeliveryRow, token: Option<String>) -> DeliveryView {
    let failures = row.failures.iter().map(|attempt| FailedAttempt {
        at: attempt.at,
        transport: attempt.transport.clone(),
        answer: attempt.answer.clone(),
        took_ms: millis(attempt.took),
    });
    DeliveryView {
        at: row.at,
        token,
        event_id: row.event,
        monitor_id: row.monitor,
        monitor: row.monitor_name.clone(),
        origin: row.origin,
        phase: row.phase,
        decision: row.decision,
        reason: row.reason.clone(),
        rule: rules::name(row.by.as_ref()),
        transport: told(&row.transport),
        attempts: row.attempts,
        latency_ms: row.latency.map(millis),
        provider_id: row.provider_id.clone(),
        failures: failures.collect(),
        held: None,
        snoozed: None,
    }
}

pub(in crate::admin) fn told(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

pub(in crate::admin) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
