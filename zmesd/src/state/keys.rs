//! Secrets that zmesd has made for itself.

use jiff::Timestamp;
use sqlx::{SqliteConnection, SqlitePool};

use super::SqlResult;
use crate::links::{LinkKey, LinkKeys};

/// The row of the key of links to pictures.
const LINKS: &str = "picture links";
/// The row of the key that the nodes of a cluster have agreed on last. If it is the same, it was not replaced since by this
/// server alone.
const AGREED: &str = "picture links of the cluster";

/// Returns the key of links; `None`: there is none yet, or it is unreadable.
pub(super) async fn link_keys(pool: &SqlitePool) -> SqlResult<Option<LinkKeys>> {
    let Some(current) = read(pool, LINKS).await? else { return Ok(None) };
    let is_agreed = read(pool, AGREED).await?.is_some_and(|agreed| agreed == current);
    Ok(Some(LinkKeys::new(current, is_agreed)))
}

async fn read(pool: &SqlitePool, name: &str) -> SqlResult<Option<LinkKey>> {
    let query = sqlx::query_scalar("SELECT key FROM keys WHERE name = ?").bind(name);
    let bytes: Option<Vec<u8>> = query.fetch_optional(pool).await?;
    Ok(bytes.and_then(|bytes| LinkKey::stored(&bytes)))
}

pub(super) async fn keep_link_keys(
    connection: &mut SqliteConnection,
    keys: &LinkKeys,
    at: Timestamp,
) -> SqlResult {
    for name in [Some(LINKS), keys.is_agreed.then_some(AGREED)].into_iter().flatten() {
        let keep = sqlx::query("REPLACE INTO keys (name, key, made_at) VALUES (?, ?, ?)");
        let keep = keep.bind(name).bind(&keys.current.bytes()[..]).bind(at.as_millisecond());
        keep.execute(&mut *connection).await?;
    }
    Ok(())
}
