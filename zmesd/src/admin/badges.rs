//! `badges reset`

use zmes_shared::control::{ControlError, ErrorCode, Role};
use zmes_shared::views::TokensChanged;

use super::answers::busy;
use super::off_loop::off_loop;
use super::token_names::{Known, Wanted, bounded};
use super::tokens::change::{Chosen, changed, done};
use crate::admin::AdminParts;
use crate::domain::TokenId;

/// What the answer says of the change.
const CHANGE: &str = "badge_reset";

/// Sets the numbers on the icons of apps.
pub(super) async fn reset(
    parts: &AdminParts,
    asker: Role,
    names: Vec<String>,
    all: bool,
    to: u32,
    dry_run: bool,
) -> Result<TokensChanged, ControlError> {
    if all != names.is_empty() {
        let error = ControlError::new(ErrorCode::BadRequest, "either some tokens or all of them");
        return Err(error.with_hint("zmesctl badges reset --all"));
    }
    bounded(&names)?;
    let known = Known::load(&parts.state, asker).await?;
    let choose = move || {
        let Chosen { ids, failed } = Chosen::find(&known, &names, Wanted::Live);
        let live = || known.rows.iter().filter(|row| row.token.revoked.is_none()).map(|row| row.token.id);
        let ids: Vec<TokenId> = if all { live().collect() } else { ids.into_iter().collect() };
        (known, ids, failed)
    };
    let (known, ids, failed) = off_loop(choose).await?;
    let changed = if dry_run || ids.is_empty() {
        changed(parts, known, CHANGE, ids, dry_run).await?
    } else {
        parts.router.set_badges(Some(ids.clone()), to).await.map_err(busy)?;
        done(parts, CHANGE, ids).await?
    };
    Ok(TokensChanged { failed, ..changed })
}
