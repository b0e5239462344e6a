//! `tokens block` and `tokens unblock`: a blocked token cannot be registered again by its app.

use zmes_shared::control::{ControlError, Role, TokenSelection};
use zmes_shared::views::TokensChanged;

use super::change::{TokenChoice, changed, choose, done};
use crate::admin::AdminParts;
use crate::admin::answers::busy;
use crate::admin::token_names::TokenScope;
use crate::domain::TokenId;

/// Revokes tokens, revoked ones among them, so that their apps cannot register them again.
pub(in crate::admin) async fn block(
    parts: &AdminParts,
    asker: Role,
    tokens: TokenSelection,
    dry_run: bool,
) -> Result<TokensChanged, ControlError> {
    set(parts, asker, tokens, true, dry_run).await
}

/// Lets apps register blocked tokens again.
pub(in crate::admin) async fn unblock(
    parts: &AdminParts,
    asker: Role,
    tokens: TokenSelection,
    dry_run: bool,
) -> Result<TokensChanged, ControlError> {
    set(parts, asker, tokens, false, dry_run).await
}

async fn set(
    parts: &AdminParts,
    asker: Role,
    tokens: TokenSelection,
    blocked: bool,
    dry_run: bool,
) -> Result<TokensChanged, ControlError> {
    let (change, scope) =
        if blocked { ("blocked", scope_to_block(&tokens)) } else { ("unblocked", TokenScope::Blocked) };
    let (known, TokenChoice { ids, failed }) = choose(parts, asker, tokens, scope).await?;
    let ids: Vec<TokenId> = ids.into_iter().collect();
    let changed = if dry_run || ids.is_empty() {
        changed(parts, known, change, ids, dry_run).await?
    } else {
        let router = &parts.router;
        let ids = if blocked { router.block(ids).await } else { router.unblock(ids).await };
        done(parts, change, ids.map_err(busy)?).await?
    };
    Ok(TokensChanged { failed, ..changed })
}

/// Without a state, a filter matches tokens that are not revoked, as in `revoke`; a named token may be revoked already.
fn scope_to_block(tokens: &TokenSelection) -> TokenScope {
    match tokens {
        TokenSelection::Matching(filter) if filter.state.is_none() => TokenScope::Live,
        TokenSelection::Named(_) | TokenSelection::Matching(_) => TokenScope::NotBlocked,
    }
}
