//! `badges reset`

use zmes_shared::control::{ControlError, Role, TokenSelection};
use zmes_shared::views::TokensChanged;

use super::answers::busy;
use super::token_names::TokenScope;
use super::tokens::change::{TokenChoice, changed, choose, done};
use crate::admin::AdminParts;

const CHANGE: &str = "badge_reset";

/// Sets the numbers on the icons of apps.
pub(super) async fn reset(
    parts: &AdminParts,
    asker: Role,
    tokens: TokenSelection,
    to: u32,
    dry_run: bool,
) -> Result<TokensChanged, ControlError> {
    let (known, TokenChoice { ids, failed }) = choose(parts, asker, tokens, TokenScope::Live).await?;
    let ids: Vec<_> = ids.into_iter().collect();
    let changed = if dry_run || ids.is_empty() {
        changed(parts, known, CHANGE, ids, dry_run).await?
    } else {
        parts.router.set_badges(Some(ids.clone()), to).await.map_err(busy)?;
        done(parts, CHANGE, ids).await?
    };
    Ok(TokensChanged { failed, ..changed })
}
