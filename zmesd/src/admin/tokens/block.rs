//! `tokens block` and `tokens unblock`: what a stolen phone says changes nothing.

use zmes_shared::control::{ControlError, Role};
use zmes_shared::views::TokensChanged;

use super::change::{Chosen, Meant, changed, done};
use crate::admin::AdminParts;
use crate::admin::answers::busy;
use crate::admin::token_names::Wanted;
use crate::domain::TokenId;

/// Revokes tokens, revoked ones among them, so that their apps cannot register them again.
pub(in crate::admin) async fn block(
    parts: &AdminParts,
    asker: Role,
    meant: Meant,
    dry_run: bool,
) -> Result<TokensChanged, ControlError> {
    set(parts, asker, meant, true, dry_run).await
}

/// Lets apps register blocked tokens again.
pub(in crate::admin) async fn unblock(
    parts: &AdminParts,
    asker: Role,
    meant: Meant,
    dry_run: bool,
) -> Result<TokensChanged, ControlError> {
    set(parts, asker, meant, false, dry_run).await
}

async fn set(
    parts: &AdminParts,
    asker: Role,
    meant: Meant,
    blocked: bool,
    dry_run: bool,
) -> Result<TokensChanged, ControlError> {
    let (change, wanted) =
        if blocked { ("blocked", wanted_to_block(&meant)) } else { ("unblocked", Wanted::Blocked) };
    let (known, Chosen { ids, failed }) = meant.choose(parts, asker, wanted).await?;
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

/// A selection is about phones in use, as that of `revoke` is, unless it asks for revoked ones; a phone that is named may
/// be revoked already.
fn wanted_to_block(meant: &Meant) -> Wanted {
    match meant {
        Meant::Matching(filter) if filter.state.is_none() => Wanted::Live,
        Meant::One(_) | Meant::Some(_) | Meant::Matching(_) => Wanted::NotBlocked,
    }
}
