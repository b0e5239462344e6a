//! What admins change of tokens. Each answer comes when the change is on the disk.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use zmes_shared::control::{ControlError, ErrorCode};
use zmes_shared::views::{TokenFailure, TokensChanged};

use super::{settled, view};
use crate::control::ControlParts;
use crate::control::requests::busy;
use crate::control::requests::token_names::{Known, Wanted, repeated};
use crate::domain::{Token, TokenId};

/// Tokens that an answer lists at most.
const LISTED: usize = 10_000;
/// Why a token is gone that an admin has revoked.
const ADMIN: &str = "admin";
/// Why a token is gone that was not heard of.
const PRUNE: &str = "prune";

/// The tokens that were meant, and those names that mean none.
#[derive(Debug, Default)]
pub(in crate::control::requests) struct Chosen {
    pub(in crate::control::requests) ids: BTreeSet<TokenId>,
    pub(in crate::control::requests) failed: Vec<TokenFailure>,
}

impl Chosen {
    /// Finds the tokens that several names mean.
    pub(in crate::control::requests) fn find(known: &Known, names: &[String], wanted: Wanted) -> Self {
        let mut chosen = Self::default();
        for name in names {
            match known.find(name, wanted) {
                Ok(row) => drop(chosen.ids.insert(row.token.id)),
                Err(error) => chosen.failed.push(TokenFailure { token: repeated(name), error }),
            }
        }
        chosen
    }
}

/// Takes tokens out.
pub(in crate::control::requests) async fn revoke(
    parts: &ControlParts,
    names: &[String],
    dry_run: bool,
) -> Result<TokensChanged, ControlError> {
    if names.is_empty() {
        return Err(ControlError::new(ErrorCode::BadRequest, "no token is named"));
    }
    let known = Known::load(&parts.state).await?;
    let Chosen { ids, failed } = Chosen::find(&known, names, Wanted::Live);
    let changed = gone(parts, known, ids.into_iter().collect(), ADMIN, dry_run).await?;
    Ok(TokensChanged { failed, ..changed })
}

/// Takes out the tokens of which nothing was heard for a while.
pub(in crate::control::requests) async fn prune(
    parts: &ControlParts,
    stale: Duration,
    dry_run: bool,
) -> Result<TokensChanged, ControlError> {
    let known = Known::load(&parts.state).await?;
    let now = parts.clock.now();
    let is_stale = |token: &Token| token.revoked.is_none() && view::is_stale(token, now, stale);
    let tokens = known.rows.iter().map(|row| &row.token);
    let ids = tokens.filter(|token| is_stale(token)).map(|token| token.id).collect();
    gone(parts, known, ids, PRUNE, dry_run).await
}

async fn gone(
    parts: &ControlParts,
    known: Known,
    ids: Vec<TokenId>,
    reason: &str,
    dry_run: bool,
) -> Result<TokensChanged, ControlError> {
    if dry_run || ids.is_empty() {
        return Ok(changed(parts, &known, "revoked", &ids, dry_run));
    }
    let gone = parts.router.revoke(ids, reason.to_owned()).await.map_err(busy)?;
    done(parts, "revoked", &gone).await
}

/// Takes a revocation back.
pub(in crate::control::requests) async fn restore(
    parts: &ControlParts,
    name: &str,
) -> Result<TokensChanged, ControlError> {
    let known = Known::load(&parts.state).await?;
    let id = known.find(name, Wanted::Revoked)?.token.id;
    if !parts.router.restore(id).await.map_err(busy)? {
        // It came back, or was forgotten, a moment ago.
        let message = format!("token {} is not revoked any more", repeated(name));
        return Err(ControlError::new(ErrorCode::Conflict, message));
    }
    done(parts, "restored", &[id]).await
}

/// Silences a token for a while, or until it is unmuted.
pub(in crate::control::requests) async fn mute(
    parts: &ControlParts,
    name: &str,
    lasting: Option<Duration>,
) -> Result<TokensChanged, ControlError> {
    let until = lasting.map_or(Timestamp::MAX, |lasting| {
        let lasting = SignedDuration::try_from(lasting).unwrap_or(SignedDuration::MAX);
        parts.clock.now().saturating_add(lasting).unwrap_or(Timestamp::MAX)
    });
    set_mute(parts, name, Some(until), "muted").await
}

/// Takes a silence back.
pub(in crate::control::requests) async fn unmute(
    parts: &ControlParts,
    name: &str,
) -> Result<TokensChanged, ControlError> {
    set_mute(parts, name, None, "unmuted").await
}

async fn set_mute(
    parts: &ControlParts,
    name: &str,
    until: Option<Timestamp>,
    change: &str,
) -> Result<TokensChanged, ControlError> {
    let known = Known::load(&parts.state).await?;
    let id = known.find(name, Wanted::Live)?.token.id;
    if !parts.router.mute(id, until).await.map_err(busy)? {
        let message = format!("token {} was revoked a moment ago", repeated(name));
        return Err(ControlError::new(ErrorCode::Conflict, message));
    }
    done(parts, change, &[id]).await
}

/// Waits until a change is on the disk and shows the tokens as they are now.
pub(in crate::control::requests) async fn done(
    parts: &ControlParts,
    change: &str,
    ids: &[TokenId],
) -> Result<TokensChanged, ControlError> {
    settled(parts).await?;
    let known = Known::load(&parts.state).await?;
    Ok(changed(parts, &known, change, ids, false))
}

/// Shows tokens that were, or would be, changed.
pub(in crate::control::requests) fn changed(
    parts: &ControlParts,
    known: &Known,
    change: &str,
    ids: &[TokenId],
    dry_run: bool,
) -> TokensChanged {
    let now = parts.clock.now();
    let rows = ids.iter().take(LISTED).filter_map(|&id| known.row(id));
    TokensChanged {
        change: change.to_owned(),
        dry_run,
        count: ids.len() as u64,
        tokens: rows.map(|row| view::token(row, known.handle(&row.token), now, false)).collect(),
        failed: Vec::new(),
    }
}
