//! What admins change of tokens. Each answer comes when the change is on the disk.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use zmes_shared::control::{ControlError, ErrorCode, Role, TokenFilter, TokenSelection};
use zmes_shared::views::{TokenFailure, TokensChanged};

use super::{fits, settled, understood, view};
use crate::admin::AdminParts;
use crate::admin::answers::off_loop;
use crate::admin::token_names::{TokenNames, TokenScope, bounded, echoed, repeated};
use crate::domain::{Revoked, TokenId};
use crate::route::{Busy, RouterHandle};

/// Tokens that an answer lists at most.
const LISTED: usize = 10_000;

/// The tokens of a selection, and the names without a match.
#[derive(Debug, Default)]
struct TokenChoice {
    ids: BTreeSet<TokenId>,
    failed: Vec<TokenFailure>,
}

impl TokenChoice {
    fn find(known: &TokenNames, names: &[String], scope: TokenScope) -> Self {
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
async fn choose(
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

/// Change applied to all tokens of a selection.
#[derive(Debug, Clone, Copy)]
pub(in crate::admin) enum BulkChange {
    Revoke(&'static str),
    /// Revokes tokens, revoked ones among them, so that their apps cannot register them again.
    Block,
    /// Allows apps to register blocked tokens again.
    Unblock,
    /// Until then ([`Timestamp::MAX`]: until they are unmuted); `None` unmutes.
    Mute(Option<Timestamp>),
    /// Sets the number on the icon of the app.
    Badge(u32),
}

impl BulkChange {
    fn word(self) -> &'static str {
        match self {
            Self::Revoke(_) => "revoked",
            Self::Block => "blocked",
            Self::Unblock => "unblocked",
            Self::Mute(Some(_)) => "muted",
            Self::Mute(None) => "unmuted",
            Self::Badge(_) => "badge_reset",
        }
    }

    /// To be blocked, a named token may be revoked already. Without a state, a filter matches tokens that are not
    /// revoked, as for other changes.
    fn scope(self, tokens: &TokenSelection) -> TokenScope {
        match (self, tokens) {
            (Self::Block, TokenSelection::Matching(filter)) if filter.state.is_none() => TokenScope::Live,
            (Self::Block, _) => TokenScope::NotBlocked,
            (Self::Unblock, _) => TokenScope::Blocked,
            (Self::Revoke(_) | Self::Mute(_) | Self::Badge(_), _) => TokenScope::Live,
        }
    }

    async fn apply(self, router: &RouterHandle, ids: Vec<TokenId>) -> Result<Vec<TokenId>, Busy> {
        match self {
            Self::Revoke(reason) => router.revoke(ids, reason.to_owned()).await,
            Self::Block => router.block(ids).await,
            Self::Unblock => router.unblock(ids).await,
            Self::Mute(until) => {
                let mut reached = Vec::new();
                for id in ids {
                    if router.mute(id, until).await? {
                        reached.push(id);
                    }
                }
                Ok(reached)
            }
            Self::Badge(to) => {
                router.set_badges(Some(ids.clone()), to).await?;
                Ok(ids)
            }
        }
    }
}

/// Changes the tokens of a selection, or shows which would change.
pub(in crate::admin) async fn bulk(
    parts: &AdminParts,
    asker: Role,
    change: BulkChange,
    tokens: TokenSelection,
    dry_run: bool,
) -> Result<TokensChanged, ControlError> {
    let (scope, named) = (change.scope(&tokens), matches!(tokens, TokenSelection::Named(_)));
    let (known, TokenChoice { mut ids, mut failed }) = choose(parts, asker, tokens, scope).await?;
    failed.extend(without_targets(&known, &mut ids, change, named));
    let chosen: Vec<_> = ids.iter().copied().collect();
    let shown = if dry_run || ids.is_empty() {
        changed(parts, known, change.word(), chosen, dry_run).await?
    } else {
        let reached = change.apply(&parts.router, chosen).await?;
        if matches!(change, BulkChange::Mute(_)) {
            let reached: BTreeSet<_> = reached.iter().copied().collect();
            failed.extend(ids.difference(&reached).map(|&id| revoked_meanwhile(&known, id)));
        }
        done(parts, change.word(), reached).await?
    };
    Ok(TokensChanged { failed, ..shown })
}

/// Leaves out targets, which are not an admin's to change in this way; returns what to say of those that were named.
fn without_targets(
    known: &TokenNames,
    ids: &mut BTreeSet<TokenId>,
    change: BulkChange,
    named: bool,
) -> Vec<TokenFailure> {
    if matches!(change, BulkChange::Mute(_)) {
        return Vec::new();
    }
    let is_target = |id: &TokenId| known.row(*id).is_some_and(|row| row.token.handle.is_target());
    let left_out: Vec<_> = ids.iter().copied().filter(is_target).collect();
    ids.retain(|id| !left_out.contains(id));
    let told = left_out.into_iter().filter(|_| named).filter_map(|id| known.row(id));
    told.map(|row| {
        let token = known.handle(&row.token);
        let error = if let BulkChange::Badge(_) = change {
            ControlError::new(ErrorCode::Conflict, format!("target {token} has no badge"))
                .with_hint("only phones show a number on the app's icon")
        } else {
            ControlError::new(ErrorCode::Conflict, format!("target {token} is configured in zmesd.toml"))
                .with_hint(format!("remove it there, then: zmesctl reload; or: zmesctl tokens mute {token}"))
        };
        TokenFailure { token, error }
    })
    .collect()
}

fn revoked_meanwhile(known: &TokenNames, id: TokenId) -> TokenFailure {
    let token = known.row(id).map(|row| known.handle(&row.token)).unwrap_or_default();
    let message = format!("token {token} was revoked a moment ago");
    TokenFailure { token, error: ControlError::new(ErrorCode::Conflict, message) }
}

/// Revokes the tokens that were not seen for at least `stale`, or those of them that match.
pub(in crate::admin) async fn prune(
    parts: &AdminParts,
    asker: Role,
    stale_ms: u64,
    select: Option<TokenFilter>,
    dry_run: bool,
) -> Result<TokensChanged, ControlError> {
    let filter = TokenFilter { stale_ms: Some(stale_ms), ..select.unwrap_or_default() };
    let change = BulkChange::Revoke(Revoked::PRUNED);
    bulk(parts, asker, change, TokenSelection::Matching(filter), dry_run).await
}

pub(in crate::admin) async fn restore(
    parts: &AdminParts,
    asker: Role,
    name: &str,
) -> Result<TokensChanged, ControlError> {
    let known = TokenNames::load(&parts.state, asker).await?;
    let row = known.find(name, TokenScope::Revoked)?;
    let id = row.token.id;
    if row.token.handle.is_target() {
        let message = format!("target {} is not configured", known.handle(&row.token));
        return Err(ControlError::new(ErrorCode::Conflict, message)
            .with_hint("add it to zmesd.toml, then: zmesctl reload"));
    }
    if !parts.router.restore(id).await? {
        // It was registered again, blocked, or deleted a moment ago.
        let message = format!("token {} is not revoked any more", repeated(name));
        return Err(ControlError::new(ErrorCode::Conflict, message));
    }
    done(parts, "restored", vec![id]).await
}

pub(in crate::admin) async fn mute(
    parts: &AdminParts,
    asker: Role,
    tokens: TokenSelection,
    for_ms: Option<u64>,
    dry_run: bool,
) -> Result<TokensChanged, ControlError> {
    let until = for_ms.map_or(Timestamp::MAX, |for_ms| {
        let lasting = SignedDuration::try_from(Duration::from_millis(for_ms)).unwrap_or(SignedDuration::MAX);
        parts.clock.now().saturating_add(lasting).unwrap_or(Timestamp::MAX)
    });
    bulk(parts, asker, BulkChange::Mute(Some(until)), tokens, dry_run).await
}

/// Waits until a change is on the disk and shows the tokens as they are now.
async fn done(
    parts: &AdminParts,
    change: &'static str,
    ids: Vec<TokenId>,
) -> Result<TokensChanged, ControlError> {
    settled(parts).await?;
    let known = TokenNames::load(&parts.state, Role::Observer).await?;
    changed(parts, known, change, ids, false).await
}

/// Shows tokens that were, or would be, changed.
async fn changed(
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
