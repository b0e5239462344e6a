//! Secrets that zmesd has made for itself.

use jiff::Timestamp;
use sqlx::{SqliteConnection, SqlitePool};

use super::SqlResult;
use crate::links::LinkKey;

/// The row of the key of links to pictures.
const LINKS: &str = "picture links";

/// Returns the key of links; `None`: there is none yet, or it is unreadable.
pub(super) async fn link_key(pool: &SqlitePool) -> SqlResult<Option<LinkKey>> {
    let query = sqlx::query_scalar("SELECT key FROM keys WHERE name = ?").bind(LINKS);
    let bytes: Option<Vec<u8>> = query.fetch_optional(pool).await?;
    Ok(bytes.and_then(|bytes| LinkKey::stored(&bytes)))
}

pub(super) async fn keep_link_key(
    connection: &mut SqliteConnection,
    key: &LinkKey,
    at: Timestamp,
) -> SqlResult {
    let keep = sqlx::query("REPLACE INTO keys (name, key, made_at) VALUES (?, ?, ?)");
    let keep = keep.bind(LINKS).bind(&key.bytes()[..]).bind(at.as_millisecond());
    keep.execute(connection).await.map(drop)
}
