//! `tokens …`: registered tokens, their history, and changes by admins.

pub(super) mod change;
pub(super) mod transfer;
pub(super) mod view;

use std::time::Duration;

use jiff::Timestamp;
use zmes_shared::control::{ControlError, ErrorCode, PlatformKind, Role, TokenFilter, TokenState};
use zmes_shared::views::{Deliveries, DeliveryView, TokenShown, TokenView, Tokens};

use super::answers::off_loop;
use super::clients::matches;
use super::snoozes::SnoozeNames;
use super::token_names::{TokenNames, TokenScope};
use crate::admin::AdminParts;
use crate::state::{DeliveryRow, TokenRow};

/// Tokens in one page of a list: about 3 MiB.
const PAGE: usize = 5000;
/// Deliveries that `show` brings along.
const RECENT: u32 = 10;
/// Deliveries that `log` shows by default, and at most.
const LOG: (u32, u32) = (100, 10_000);

pub(super) async fn list(
    parts: &AdminParts,
    asker: Role,
    filter: TokenFilter,
) -> Result<Tokens, ControlError> {
    understood(&filter)?;
    let (known, now) = (TokenNames::load(&parts.state, asker).await?, parts.clock.now());
    off_loop(move || page(&known, &filter, now)).await
}

fn page(known: &TokenNames, filter: &TokenFilter, now: Timestamp) -> Tokens {
    let mut page = Tokens::default();
    for row in known.rows.iter().filter(|row| is_after(row, filter.after)) {
        let view = view::token(row, known.handle(&row.token), now, filter.reveal);
        if !is_wanted(filter, row, &view, now) {
            continue;
        }
        if page.tokens.len() == PAGE {
            return page;
        }
        page.tokens.push(view);
        page.next = Some(row.token.id.0.cast_unsigned());
    }
    page.next = None;
    page
}

/// Refuses words of a newer client.
fn understood(filter: &TokenFilter) -> Result<(), ControlError> {
    if filter.state == Some(TokenState::Unknown) || filter.platform == Some(PlatformKind::Unknown) {
        return Err(crate::admin::answers::unsupported());
    }
    Ok(())
}

/// Revoked and blocked tokens are listed only if the filter names that state.
fn is_wanted(filter: &TokenFilter, row: &TokenRow, view: &TokenView, now: Timestamp) -> bool {
    let in_state = match filter.state {
        Some(state) => view.state == state,
        None => row.token.revoked.is_none(),
    };
    in_state && fits(filter, row, view, now)
}

fn fits(filter: &TokenFilter, row: &TokenRow, view: &TokenView, now: Timestamp) -> bool {
    let TokenFilter { platform, user, state: _, stale_ms, failing, monitor, reveal: _, after: _ } = filter;
    platform.is_none_or(|platform| view.platform == platform)
        && user.as_deref().is_none_or(|pattern| matches(pattern, &view.user))
        && stale_ms.is_none_or(|ms| view::is_stale(&row.token, now, Duration::from_millis(ms)))
        && (!failing || view.failures > 0)
        && monitor.is_none_or(|monitor| row.token.filter.interval(monitor).is_some())
}

fn is_after(row: &TokenRow, after: Option<u64>) -> bool {
    after.is_none_or(|after| row.token.id.0.cast_unsigned() > after)
}

pub(super) async fn show(
    parts: &AdminParts,
    asker: Role,
    name: &str,
    reveal: bool,
) -> Result<TokenShown, ControlError> {
    let known = TokenNames::load(&parts.state, asker).await?;
    let row = known.find(name, TokenScope::Any)?;
    let recent = deliveries(parts, row, RECENT).await?;
    let snoozes = SnoozeNames::of_deliveries(&parts.state, &recent).await?;
    let token = view::token(row, known.handle(&row.token), parts.clock.now(), reveal);
    Ok(TokenShown { token, recent: logged(&recent, &snoozes) })
}

pub(super) async fn log(
    parts: &AdminParts,
    asker: Role,
    name: &str,
    limit: Option<u32>,
) -> Result<Deliveries, ControlError> {
    let (usual, most) = LOG;
    let known = TokenNames::load(&parts.state, asker).await?;
    let rows =
        deliveries(parts, known.find(name, TokenScope::Any)?, limit.unwrap_or(usual).clamp(1, most)).await?;
    let snoozes = SnoozeNames::of_deliveries(&parts.state, &rows).await?;
    off_loop(move || Deliveries { deliveries: logged(&rows, &snoozes) }).await
}

fn logged(rows: &[DeliveryRow], snoozes: &SnoozeNames) -> Vec<DeliveryView> {
    let logged = |row: &DeliveryRow| DeliveryView {
        snoozed: snoozes.get(row.by.as_ref()),
        ..view::delivery(row, None)
    };
    rows.iter().map(logged).collect()
}

async fn deliveries(
    parts: &AdminParts,
    row: &TokenRow,
    limit: u32,
) -> Result<Vec<DeliveryRow>, ControlError> {
    Ok(parts.state.deliveries_of_token(row.token.id, limit).await?)
}

/// Waits until the change is on the disk.
pub(super) async fn settled(parts: &AdminParts) -> Result<(), ControlError> {
    if parts.state.settle().await {
        return Ok(());
    }
    let message = "the change is applied, but not on the disk yet: a restart now would undo it";
    Err(ControlError::new(ErrorCode::Unavailable, message).with_hint("zmesctl check store shows why"))
}
