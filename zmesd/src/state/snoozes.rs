//! Snoozes in the state file.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, SqlitePool};
use zmes_shared::MonitorId;
use zmes_shared::words::{Origin, SnoozeOrigin};

use super::SqlResult;
use super::remembered::{time, understood};
use crate::domain::{Snooze, SnoozeId, SnoozeScope, TokenId};

const EVERYBODY: &str = "everybody";
const USER: &str = "user";
const TOKEN: &str = "token";

const COLUMNS: &str = "id, monitor_id, scope_kind, scope, since, until, hard, tell, set_by, origin";

/// Writes a snooze as it is now.
pub(super) async fn keep(transaction: &mut SqliteConnection, snooze: &Snooze) -> SqlResult {
    let (kind, scope) = match &snooze.scope {
        SnoozeScope::Everybody => (EVERYBODY, String::new()),
        SnoozeScope::User(user) => (USER, user.clone()),
        SnoozeScope::Token(token) => (TOKEN, token.to_string()),
    };
    sqlx::query(
        "REPLACE INTO snoozes (id, monitor_id, scope_kind, scope, since, until, hard, tell, set_by, origin) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(snooze.id.0)
    .bind(snooze.monitor.map(|monitor| monitor.0))
    .bind(kind)
    .bind(scope)
    .bind(snooze.since.as_millisecond())
    .bind(snooze.until.as_millisecond())
    .bind(snooze.hard)
    .bind(snooze.tell)
    .bind(&snooze.by)
    .bind(snooze.origin.word())
    .execute(transaction)
    .await?;
    Ok(())
}

/// Writes that a snooze has ended.
pub(super) async fn end(transaction: &mut SqliteConnection, id: SnoozeId, at: Timestamp) -> SqlResult {
    let query = "UPDATE snoozes SET ended_at = ? WHERE id = ?";
    sqlx::query(query).bind(at.as_millisecond()).bind(id.0).execute(transaction).await?;
    Ok(())
}

/// Rows of ended ones that are kept; an app can set and end one as often as it likes.
const ENDED_MAX: i64 = 20_000;

/// Removes the rows of those that ended before that time (milliseconds since 1970), and the oldest beyond [`ENDED_MAX`].
/// The newest stays: numbers count on from it.
pub(super) async fn forget(connection: &mut SqliteConnection, before: i64) -> SqlResult<u64> {
    let query = "DELETE FROM snoozes WHERE id < (SELECT MAX(id) FROM snoozes) \
         AND (ended_at < ?1 OR (ended_at IS NOT NULL AND id <= (SELECT MAX(id) FROM snoozes) - ?2))";
    Ok(sqlx::query(query).bind(before).bind(ENDED_MAX).execute(connection).await?.rows_affected())
}

/// Returns those that have not ended, including those whose time came while the daemon was down.
pub(super) async fn current(pool: &SqlitePool) -> SqlResult<Vec<Snooze>> {
    let query = format!("SELECT {COLUMNS} FROM snoozes WHERE ended_at IS NULL ORDER BY id");
    let rows = sqlx::query(sqlx::AssertSqlSafe(query)).fetch_all(pool).await?;
    Ok(understood("snoozes", &rows, snooze))
}

/// Returns those of these numbers, each with whether it has ended.
pub(super) async fn some(pool: &SqlitePool, ids: &[SnoozeId]) -> SqlResult<Vec<(Snooze, bool)>> {
    let ids = ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let query = format!(
        "SELECT {COLUMNS}, ended_at IS NOT NULL FROM snoozes WHERE id IN (SELECT value FROM json_each(?))"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(query)).bind(format!("[{ids}]")).fetch_all(pool).await?;
    Ok(understood("snoozes", &rows, |row| Ok((snooze(row)?, row.try_get(10)?))))
}

/// Returns the highest number ever given; 0 if there was none.
pub(super) async fn last(pool: &SqlitePool) -> SqlResult<SnoozeId> {
    sqlx::query_scalar("SELECT COALESCE(MAX(id), 0) FROM snoozes").fetch_one(pool).await.map(SnoozeId)
}

/// Returns how many alarms each current snooze has withheld from each token; troubles do not count.
pub(super) async fn withheld(pool: &SqlitePool) -> SqlResult<BTreeMap<SnoozeId, BTreeMap<TokenId, u32>>> {
    let query = "SELECT s.id, d.token_id, COUNT(*) FROM snoozes s \
         JOIN deliveries d ON d.decided_by = 'snooze:' || s.id AND d.decided_by <> '' \
         JOIN pushed_alarms a ON a.number = d.alarm \
         WHERE s.ended_at IS NULL AND a.origin NOT IN (?, ?) GROUP BY s.id, d.token_id";
    let (test, trouble) = (Origin::Test.word(), Origin::Trouble.word());
    let rows = sqlx::query(query).bind(test).bind(trouble).fetch_all(pool).await?;
    let one = |row: &SqliteRow| {
        Ok((SnoozeId(row.try_get(0)?), TokenId(row.try_get(1)?), row.try_get::<u32, _>(2)?))
    };
    let mut withheld: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for (snooze, token, count) in understood::<_, Vec<_>>("deliveries", &rows, one) {
        withheld.entry(snooze).or_default().insert(token, count);
    }
    Ok(withheld)
}

fn snooze(row: &SqliteRow) -> SqlResult<Snooze> {
    let scope: String = row.try_get(3)?;
    let unreadable =
        |problem: String| sqlx::Error::ColumnDecode { index: "scope".to_owned(), source: problem.into() };
    let scope = match row.try_get::<&str, _>(2)? {
        EVERYBODY => SnoozeScope::Everybody,
        USER => SnoozeScope::User(scope),
        TOKEN => SnoozeScope::Token(TokenId(scope.parse().map_err(|_| unreadable(scope))?)),
        other => return Err(unreadable(other.to_owned())),
    };
    Ok(Snooze {
        id: SnoozeId(row.try_get(0)?),
        monitor: row.try_get::<Option<u32>, _>(1)?.map(MonitorId),
        scope,
        since: time(row, 4)?,
        until: time(row, 5)?,
        hard: row.try_get(6)?,
        tell: row.try_get(7)?,
        by: row.try_get(8)?,
        origin: SnoozeOrigin::parse(row.try_get(9)?),
    })
}
