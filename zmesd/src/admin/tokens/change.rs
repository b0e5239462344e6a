//! What admins change of tokens. Each answer comes when the change is on the disk.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use zmes_shared::control::{ControlError, ErrorCode, Role, TokenFilter, TokenSelection};
use zmes_shared::views::{TokenFailure, TokensChanged};

use super::{fits, settled, understood, view};
use crate::admin::AdminParts;
use crate::admin::answers::busy;
use crate::admin::off_loop::off_loop;
use crate::admin::token_names::{TokenNames, TokenScope, bounded, echoed, repeated};
use crate::domain::{Revoked, TokenId};

/// Tokens that an answer lists at most.
const LISTED: usize = 10_000;

/// The tokens of a selection, and the names that match none.
#[derive(Debug, Default)]
pub(in crate::admin) struct TokenChoice {
    pub(in crate::admin) ids: BTreeSet<TokenId>,
    pub(in crate::admin) failed: Vec<TokenFailure>,
}

impl TokenChoice {
    pub(in crate::admin) fn find(known: &TokenNames, names: &[String], scope: TokenScope) -> Self {
        let mut chosen = Self::default();
        for name in names {
            match known.find(name, scope) {
                Ok(row) => drop(chosen.ids.insert(row.token.id)),
                Err(error) => chosen.failed.push(TokenFailure { token: echoed(name), error }),
            }
        }
        chosen
    }
}

/// Finds the tokens of a selection, off the loop: there may be very many.
pub(in crate::admin) async fn choose(
    parts: &AdminParts,
    asker: Role,
    selection: TokenSelection,
    scope: TokenScope,
) -> Result<(TokenNames, TokenChoice), ControlError> {
    match &selection {
        TokenSelection::Named(names) if names.is_empty() => {
            return Err(ControlError::new(ErrorCode::BadRequest, "no token is named"));
        }
        TokenSelection::Named(names) => bounded(names)?,
        TokenSelection::Matching(filter) => understood(filter)?,
    }
    let (known, now) = (TokenNames::load(&parts.state, asker).await?, parts.clock.now());
    off_loop(move || {
        let chosen = match selection {
            TokenSelection::Named(names) => TokenChoice::find(&known, &names, scope),
            TokenSelection::Matching(filter) => {
                TokenChoice { ids: matching(&known, &filter, scope, now), failed: Vec::new() }
            }
        };
        (known, chosen)
    })
    .await
}

/// Returns the tokens of `scope` that match.
fn matching(
    known: &TokenNames,
    filter: &TokenFilter,
    scope: TokenScope,
    now: Timestamp,
) -> BTreeSet<TokenId> {
    // A filter without a state matches all tokens of the scope.
    let any = TokenFilter { state: None, ..filter.clone() };
    let candidates = known.rows.iter().filter(|row| scope.includes(&row.token));
    let chosen = candidates.filter(|row| {
        let view = view::token(row, String::new(), now, false);
        filter.state.is_none_or(|state| view.state == state) && fits(&any, row, &view, now)
    });
    chosen.map(|row| row.token.id).collect()
}

pub(in crate::admin) async fn revoke(
    parts: &AdminParts,
    asker: Role,
    tokens: TokenSelection,
    dry_run: bool,
) -> Result<TokensChanged, ControlError> {
    let (known, TokenChoice { ids, failed }) = choose(parts, asker, tokens, TokenScope::Live).await?;
    let changed = gone(parts, known, ids.into_iter().collect(), Revoked::ADMIN, dry_run).await?;
    Ok(TokensChanged { failed, ..changed })
}

/// Revokes the tokens that were not seen for at least `stale`, or those of them that match.
pub(in crate::admin) async fn prune(
    parts: &AdminParts,
    asker: Role,
    stale: Duration,
    select: Option<TokenFilter>,
    dry_run: bool,
) -> Result<TokensChanged, ControlError> {
    let filter = TokenFilter { stale_ms: Some(view::millis(stale)), ..select.unwrap_or_default() };
    let tokens = TokenSelection::Matching(filter);
    let (known, TokenChoice { ids, .. }) = choose(parts, asker, tokens, TokenScope::Live).await?;
    gone(parts, known, ids.into_iter().collect(), Revoked::PRUNED, dry_run).await
}

async fn gone(
    parts: &AdminParts,
    known: TokenNames,
    ids: Vec<TokenId>,
    reason: &str,
    dry_run: bool,
) -> Result<TokensChanged, ControlError> {
    if dry_run || ids.is_empty() {
        return changed(parts, known, "revoked", ids, dry_run).await;
    }
    let gone = parts.router.revoke(ids, reason.to_owned()).await.map_err(busy)?;
    done(parts, "revoked", gone).await
}

/// Undoes a revocation.
pub(in crate::admin) async fn restore(
    parts: &AdminParts,
    asker: Role,
    name: &str,
) -> Result<TokensChanged, ControlError> {
    let id = TokenNames::load(&parts.state, asker).await?.find(name, TokenScope::Revoked)?.token.id;
    if !parts.router.restore(id).await.map_err(busy)? {
        // It was registered again, blocked, or deleted a moment ago.
        let message = format!("token {} is not revoked any more", repeated(name));
        return Err(ControlError::new(ErrorCode::Conflict, message));
    }
    done(parts, "restored", vec![id]).await
}

/// Mutes tokens for a while, or until they are unmuted.
pub(in crate::admin) async fn mute(
    parts: &AdminParts,
    asker: Role,
    tokens: TokenSelection,
    lasting: Option<Duration>,
    dry_run: bool,
) -> Result<TokensChanged, ControlError> {
    let until = lasting.map_or(Timestamp::MAX, |lasting| {
        let lasting = SignedDuration::try_from(lasting).unwrap_or(SignedDuration::MAX);
        parts.clock.now().saturating_add(lasting).unwrap_or(Timestamp::MAX)
    });
    set_mute(parts, asker, tokens, Some(until), dry_run).await
}

pub(in crate::admin) async fn unmute(
    parts: &AdminParts,
    asker: Role,
    tokens: TokenSelection,
    dry_run: bool,
) -> Result<TokensChanged, ControlError> {
    set_mute(parts, asker, tokens, None, dry_run).await
}

async fn set_mute(
    parts: &AdminParts,
    asker: Role,
    tokens: TokenSelection,
    until: Option<Timestamp>,
    dry_run: bool,
) -> Result<TokensChanged, ControlError> {
    let change = if until.is_some() { "muted" } else { "unmuted" };
    let (known, TokenChoice { ids, mut failed }) = choose(parts, asker, tokens, TokenScope::Live).await?;
    if dry_run || ids.is_empty() {
        let ids: Vec<_> = ids.into_iter().collect();
        return Ok(TokensChanged { failed, ..changed(parts, known, change, ids, dry_run).await? });
    }
    let mut reached = Vec::new();
    for id in ids {
        if parts.router.mute(id, until).await.map_err(busy)? {
            reached.push(id);
            continue;
        }
        let token = known.row(id).map(|row| known.handle(&row.token)).unwrap_or_default();
        let message = format!("token {token} was revoked a moment ago");
        failed.push(TokenFailure { token, error: ControlError::new(ErrorCode::Conflict, message) });
    }
    Ok(TokensChanged { failed, ..done(parts, change, reached).await? })
}

/// Waits until a change is on the disk and shows the tokens as they are now.
pub(in crate::admin) async fn done(
    parts: &AdminParts,
    change: &'static str,
    ids: Vec<TokenId>,
) -> Result<TokensChanged, ControlError> {
    settled(parts).await?;
    let known = TokenNames::load(&parts.state, Role::Observer).await?;
    changed(parts, known, change, ids, false).await
}

/// Shows tokens that were, or would be, changed.
pub(in crate::admin) async fn changed(
    parts: &AdminParts,
    known: TokenNames,
    change: &'static str,
    ids: Vec<TokenId>,
    dry_run: bool,
) -> Result<TokensChanged, ControlError> {
    let now = parts.clock.now();
    off_loop(move || {
        let rows = ids.iter().take(LISTED).filter_map(|&id| known.row(id));
        TokensChanged {
            change: change.to_owned(),
            dry_run,
            count: ids.len() as u64,
            tokens: rows.map(|row| view::token(row, known.handle(&row.token), now, false)).collect(),
            failed: Vec::new(),
        }
    })
    .await
}
