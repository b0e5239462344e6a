//! `badges reset`

use zmes_shared::control::{ControlError, ErrorCode};
use zmes_shared::views::TokensChanged;

use super::busy;
use super::token_names::{Known, Wanted};
use super::tokens::change::{Chosen, changed, done};
use crate::control::ControlParts;
use crate::domain::TokenId;

/// What the answer says of the change.
const CHANGE: &str = "badge_reset";

/// Sets the numbers on the icons of apps.
pub(super) async fn reset(
    parts: &ControlParts,
    names: &[String],
    all: bool,
    to: u32,
    dry_run: bool,
) -> Result<TokensChanged, ControlError> {
    if all != names.is_empty() {
        let error = ControlError::new(ErrorCode::BadRequest, "either some tokens or all of them");
        return Err(error.with_hint("zmesctl badges reset --all"));
    }
    let known = Known::load(&parts.state).await?;
    let Chosen { ids, failed } = Chosen::find(&known, names, Wanted::Live);
    let ids: Vec<TokenId> = if all {
        let live = known.rows.iter().filter(|row| row.token.revoked.is_none());
        live.map(|row| row.token.id).collect()
    } else {
        ids.into_iter().collect()
    };
    let changed = if dry_run || ids.is_empty() {
        changed(parts, &known, CHANGE, &ids, dry_run)
    } else {
        parts.router.set_badges((!all).then(|| ids.clone()), to).await.map_err(busy)?;
        done(parts, CHANGE, &ids).await?
    };
    Ok(TokensChanged { failed, ..changed })
}
