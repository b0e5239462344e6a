//! Troubles in the state file.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row, SqliteConnection, SqlitePool};
use zmes_shared::control::Since;
use zmes_shared::views::Severity;

use super::note::TroubleNote;
use super::remembered::{time, understood};
use super::{SqlResult, signed};
use crate::domain::TokenId;
use crate::troubles::{Trouble, TroubleChange, TroubleId, TroubleRecord};

const COLUMNS: &str = "id, severity, name, text, hint, since, raised_at, told, cleared_at";
const WARNING: &str = "warning";
const ERROR: &str = "error";

/// A trouble that was raised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TroubleRow {
    pub record: TroubleRecord,
    /// The tokens that were told of it.
    pub told: Vec<TokenId>,
    /// `None`: it stands.
    pub cleared_at: Option<Timestamp>,
}

/// Writes what has become of a trouble; the pushes that tell of it are written by the caller, in the same transaction.
pub(super) async fn keep(transaction: &mut SqliteConnection, note: &TroubleNote) -> SqlResult {
    let TroubleNote { change, trouble, at, told, .. } = note;
    let id = trouble.id.to_string();
    match change {
        TroubleChange::Raised => {
            // A row that still stands is of a time before: there is one trouble of an id at a time.
            end(transaction, &id, *at).await?;
            let told: Vec<_> = told.iter().map(ToString::to_string).collect();
            let insert = "INSERT INTO troubles (id, severity, name, text, hint, since, raised_at, told) \
                          VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
            let severity = if trouble.severity == Severity::Error { ERROR } else { WARNING };
            let row = sqlx::query(insert).bind(id).bind(severity).bind(&trouble.name);
            let row = row.bind(trouble.text.to_string()).bind(&trouble.hint);
            let row = row.bind(trouble.since.as_millisecond()).bind(at.as_millisecond());
            row.bind(told.join(" ")).execute(transaction).await?;
        }
        TroubleChange::Reminder => {}
        TroubleChange::Cleared => end(transaction, &id, *at).await?,
    }
    Ok(())
}

async fn end(transaction: &mut SqliteConnection, id: &str, at: Timestamp) -> SqlResult {
    let query = "UPDATE troubles SET cleared_at = ? WHERE id = ? AND cleared_at IS NULL";
    sqlx::query(query).bind(at.as_millisecond()).bind(id).execute(transaction).await?;
    Ok(())
}

/// Removes those that were over before that time (milliseconds since 1970).
pub(super) async fn forget(connection: &mut SqliteConnection, before: i64) -> SqlResult<u64> {
    let query = "DELETE FROM troubles WHERE cleared_at < ?";
    Ok(sqlx::query(query).bind(before).execute(connection).await?.rows_affected())
}

/// Returns the troubles that stand, oldest first.
pub(super) async fn standing(pool: &SqlitePool) -> SqlResult<Vec<TroubleRow>> {
    let query = format!("SELECT {COLUMNS} FROM troubles WHERE cleared_at IS NULL ORDER BY number");
    let rows = sqlx::query(AssertSqlSafe(query)).fetch_all(pool).await?;
    let rows: Vec<_> = understood("troubles", &rows, row);
    Ok(rows.into_iter().flatten().collect())
}

/// Returns the newest troubles that are over, newest first, at most `limit`.
pub(super) async fn past(pool: &SqlitePool, limit: u32) -> SqlResult<Vec<TroubleRow>> {
    let query =
        format!("SELECT {COLUMNS} FROM troubles WHERE cleared_at IS NOT NULL ORDER BY number DESC LIMIT ?");
    let rows = sqlx::query(AssertSqlSafe(query)).bind(limit).fetch_all(pool).await?;
    let rows: Vec<_> = understood("troubles", &rows, row);
    Ok(rows.into_iter().flatten().collect())
}

/// Returns the troubles that were raised or over after `since`, oldest first, at most `limit` (the newest win). Troubles have
/// no event: after an event means after its alarm.
pub(super) async fn since(pool: &SqlitePool, since: Since, limit: u32) -> SqlResult<Vec<TroubleRow>> {
    let after: Option<i64> = match since {
        Since::Time(at) => Some(at.as_millisecond()),
        Since::Event(event) => {
            let query = "SELECT MAX(at) FROM alarms WHERE event_id <= ?";
            sqlx::query_scalar(query).bind(signed(event)).fetch_one(pool).await?
        }
    };
    let query = format!(
        "SELECT {COLUMNS} FROM troubles WHERE raised_at > ?1 OR cleared_at > ?1 ORDER BY number DESC LIMIT ?2"
    );
    let query = sqlx::query(AssertSqlSafe(query)).bind(after.unwrap_or(i64::MIN)).bind(limit);
    let rows: Vec<_> = understood("troubles", &query.fetch_all(pool).await?, row);
    Ok(rows.into_iter().flatten().rev().collect())
}

/// Reads a row; `None` where its kind is of a newer version.
fn row(row: &SqliteRow) -> SqlResult<Option<TroubleRow>> {
    let Some(id) = TroubleId::parse(row.try_get(0)?) else { return Ok(None) };
    let severity = match row.try_get::<&str, _>(1)? {
        WARNING => Severity::Warning,
        _ => Severity::Error,
    };
    let text: String = row.try_get(3)?;
    let trouble = Trouble {
        id,
        severity,
        name: row.try_get(2)?,
        text: text.into(),
        hint: row.try_get(4)?,
        since: time(row, 5)?,
    };
    let told = row.try_get::<&str, _>(7)?.split(' ').filter_map(|id| id.parse().ok().map(TokenId));
    let cleared_at = row.try_get::<Option<i64>, _>(8)?;
    Ok(Some(TroubleRow {
        record: TroubleRecord { trouble, raised_at: time(row, 6)? },
        told: told.collect(),
        cleared_at: cleared_at.and_then(|at| Timestamp::from_millisecond(at).ok()),
    }))
}
