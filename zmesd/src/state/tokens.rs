//! Tokens in the state file.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::TryStreamExt;
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row, SqliteConnection, SqlitePool};
use zmes_providers::{App, Platform, PushToken};
use zmes_shared::MonitorId;

use super::SqlResult;
use super::remembered::{optional_time, tell_left_out, time, understood};
use crate::domain::{MonitorFilter, PushState, Revoked, Token, TokenId};

/// The columns that make a [`Token`], in the order in which [`token`] reads them.
pub(super) const COLUMNS: &str = "t.id, t.token, t.platform, t.push_state, t.user_name, t.app, t.app_version, \
    t.profile, t.monitor_list, t.interval_list, t.badge_count, t.created_on, t.last_seen_at, t.mute_until, \
    t.revoked_at, t.revoked_reason, t.transport, t.blocked, t.block_changed";
pub(super) const WIDTH: usize = 19;

/// [`Timestamp::MAX`] in the file: its last whole second, because its milliseconds cannot be read back.
const FOREVER: i64 = 253_402_207_200_000;

/// Rows that are read in one turn of the runtime's thread: less than a millisecond.
const TURN: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    pub token: Token,
    pub last_notified_at: Option<Timestamp>,
    /// Why the last attempt failed; `None` once one has succeeded.
    pub last_error: Option<String>,
    pub last_error_at: Option<Timestamp>,
    /// Attempts that have failed since the last success.
    pub failures: u32,
}

pub(super) async fn rows(pool: &SqlitePool) -> SqlResult<Vec<TokenRow>> {
    select(pool, ", t.last_notified_at, t.last_error, t.last_error_at, t.failures", health).await
}

pub(super) async fn all(pool: &SqlitePool) -> SqlResult<Vec<Token>> {
    select(pool, "", |row| token(row, 0)).await
}

/// Reads all tokens with further columns, row by row: all rows at once would take several times the memory of the
/// tokens, and the daemon would keep it.
async fn select<T>(
    pool: &SqlitePool,
    further: &str,
    read: fn(&SqliteRow) -> SqlResult<Option<T>>,
) -> SqlResult<Vec<T>> {
    let query = format!("SELECT {COLUMNS}{further} FROM tokens t ORDER BY t.id");
    let mut rows = sqlx::query(AssertSqlSafe(query)).fetch(pool);
    let (mut found, mut all, mut left_out) = (Vec::new(), 0_usize, 0);
    while let Some(row) = rows.try_next().await? {
        all += 1;
        match read(&row) {
            Ok(row) => found.extend(row),
            Err(_) => left_out += 1,
        }
        if all.is_multiple_of(TURN) {
            tokio::task::yield_now().await;
        }
    }
    tell_left_out("tokens", left_out, all);
    Ok(found)
}

fn health(row: &SqliteRow) -> SqlResult<Option<TokenRow>> {
    let Some(token) = token(row, 0)? else { return Ok(None) };
    Ok(Some(TokenRow {
        token,
        last_notified_at: optional_time(row, WIDTH)?,
        last_error: row.try_get(WIDTH + 1)?,
        last_error_at: optional_time(row, WIDTH + 2)?,
        failures: row.try_get(WIDTH + 3)?,
    }))
}

/// Returns when tokens last got an alarm of monitors for which they want an interval.
pub(super) async fn sent(pool: &SqlitePool) -> SqlResult<HashMap<(TokenId, MonitorId), Timestamp>> {
    let rows = sqlx::query("SELECT token_id, monitor_id, at FROM token_sent").fetch_all(pool).await?;
    let one = |row: &SqliteRow| Ok(((TokenId(row.try_get(0)?), MonitorId(row.try_get(1)?)), time(row, 2)?));
    Ok(understood("token_sent", &rows, one))
}

/// Reads a token whose columns begin at `first`; `None`: it is invalid, for example because the file was edited.
pub(super) fn token(row: &SqliteRow, first: usize) -> SqlResult<Option<Token>> {
    let text = |column: usize| row.try_get::<&str, _>(first + column);
    let Ok(secret) = PushToken::stored(text(1)?) else { return Ok(None) };
    let Some(platform) = Platform::stored(text(2)?) else { return Ok(None) };
    let revoked = match optional_time(row, first + 14)? {
        Some(at) => Some(Revoked { at, reason: text(15)?.to_owned(), blocked: row.try_get(first + 17)? }),
        None => None,
    };
    Ok(Some(Token {
        id: TokenId(row.try_get(first)?),
        handle: secret.handle(),
        token: secret,
        platform,
        state: PushState::parse(text(3)?),
        user: text(4)?.to_owned(),
        app: App::parse(text(5)?),
        app_version: text(6)?.to_owned(),
        profile: text(7)?.to_owned(),
        // We wrote it, so it parses; in an edited file the token loses its filter, not its alarms.
        filter: MonitorFilter::parse(text(8)?, text(9)?).unwrap_or_default(),
        badge: row.try_get(first + 10)?,
        created_at: time(row, first + 11)?,
        last_seen_at: time(row, first + 12)?,
        mute_until: optional_time(row, first + 13)?
            .map(|at| if millis(at) >= FOREVER { Timestamp::MAX } else { at }),
        revoked,
        transport: row.try_get::<Option<&str>, _>(first + 16)?.map(Arc::from),
        block_changed: optional_time(row, first + 18)?,
    }))
}

/// Writes a token as it is now; results of pushes stay, unless it was registered again after being revoked.
pub(super) async fn keep(transaction: &mut SqliteConnection, token: &Token) -> SqlResult {
    let (monitors, intervals) = token.filter.lists();
    // The router's ids are right: a file that was damaged or restored may have this token under another id, or another
    // token under this id.
    let other = sqlx::query("DELETE FROM tokens WHERE token = ? AND id <> ?");
    other.bind(token.token.expose()).bind(token.id.0).execute(&mut *transaction).await?;
    sqlx::query(
        "INSERT INTO tokens (id, token, platform, push_state, user_name, app, app_version, profile, monitor_list, \
         interval_list, badge_count, created_on, last_seen_at, mute_until, revoked_at, revoked_reason, blocked, block_changed) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18) \
         ON CONFLICT (id) DO UPDATE SET \
         token = ?2, created_on = ?12, platform = ?3, push_state = ?4, user_name = ?5, app = ?6, app_version = ?7, profile = ?8, \
         monitor_list = ?9, interval_list = ?10, badge_count = ?11, last_seen_at = ?13, mute_until = ?14, \
         failures = IIF(revoked_at IS NOT NULL AND ?15 IS NULL, 0, failures), \
         last_error = IIF(revoked_at IS NOT NULL AND ?15 IS NULL, NULL, last_error), \
         revoked_at = ?15, revoked_reason = ?16, blocked = ?17, block_changed = ?18",
    )
    .bind(token.id.0)
    .bind(token.token.expose())
    .bind(token.platform.as_str())
    .bind(token.state.as_str())
    .bind(&token.user)
    .bind(token.app.as_str())
    .bind(&token.app_version)
    .bind(&token.profile)
    .bind(monitors)
    .bind(intervals)
    .bind(token.badge)
    .bind(token.created_at.as_millisecond())
    .bind(token.last_seen_at.as_millisecond())
    .bind(token.mute_until.map(millis))
    .bind(token.revoked.as_ref().map(|revoked| revoked.at.as_millisecond()))
    .bind(token.revoked.as_ref().map_or("", |revoked| revoked.reason.as_str()))
    .bind(token.blocked())
    .bind(token.block_changed.map(millis))
    .execute(transaction)
    .await
    .map(drop)
}

pub(super) async fn keep_sent(
    transaction: &mut SqliteConnection,
    tokens: &[TokenId],
    monitor: MonitorId,
    at: Timestamp,
) -> SqlResult {
    for token in tokens {
        let keep = sqlx::query("REPLACE INTO token_sent (token_id, monitor_id, at) VALUES (?, ?, ?)");
        let keep = keep.bind(token.0).bind(monitor.0).bind(at.as_millisecond());
        keep.execute(&mut *transaction).await?;
    }
    Ok(())
}

/// Removes when tokens were sent alarms of monitors at those times; later times stay.
pub(super) async fn forget_sent(
    transaction: &mut SqliteConnection,
    untold: &[(TokenId, MonitorId, Timestamp)],
) -> SqlResult {
    for (token, monitor, at) in untold {
        let forget = sqlx::query("DELETE FROM token_sent WHERE token_id = ? AND monitor_id = ? AND at = ?");
        let forget = forget.bind(token.0).bind(monitor.0).bind(at.as_millisecond());
        forget.execute(&mut *transaction).await?;
    }
    Ok(())
}

/// Deletes tokens that were revoked before that time (ms). Blocked ones stay, so that a stolen phone stays blocked. The one
/// with the highest id stays, too: the next registration gets the id after it, and a link of the revoked token must not open
/// under the owner of another.
pub(super) async fn forget_revoked(connection: &mut SqliteConnection, before: i64) -> SqlResult<u64> {
    let forget = "DELETE FROM token_sent WHERE token_id IN \
                  (SELECT id FROM tokens WHERE revoked_at < ? AND NOT blocked)";
    sqlx::query(forget).bind(before).execute(&mut *connection).await?;
    let forget = "DELETE FROM ledger_tokens WHERE token_id IN \
                  (SELECT id FROM tokens WHERE revoked_at < ? AND NOT blocked AND id < (SELECT MAX(id) FROM tokens))";
    sqlx::query(forget).bind(before).execute(&mut *connection).await?;
    let forget =
        "DELETE FROM tokens WHERE revoked_at < ? AND NOT blocked AND id < (SELECT MAX(id) FROM tokens)";
    let done = sqlx::query(forget).bind(before).execute(connection).await?;
    Ok(done.rows_affected())
}

fn millis(at: Timestamp) -> i64 {
    at.as_millisecond().min(FOREVER)
}
