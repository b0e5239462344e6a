//! What can still be read of a damaged state file, table by table into a new one.
//!
//! A damaged page costs only the rows on it: where reading fails, it goes on at the next readable row id. Each value is
//! read with the type that SQLite reports, so invalid text costs its row.

use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Connection, Row, SqliteConnection, TypeInfo, ValueRef};

use super::SqlResult;
use super::open_error::primary_code;

/// SQLite's primary code where a table refuses a value: the type of a STRICT column, or NULL.
const CONSTRAINT: u32 = 19;
const ROWS: i64 = 500;
/// Damaged positions in one table after which its rest is skipped.
const LEAPS: u32 = 200;
/// Row ids are looked for as far ahead as this power of two.
const FARTHEST: u32 = 40;
/// Rows of the log that are taken over, the newest: a start must not take minutes.
const LOG: i64 = 50_000;

/// Order in which a table is read.
enum Key {
    /// Ascending row ids: all of them.
    RowId,
    /// Ascending row ids: the newest of them.
    Newest,
    /// These columns, without row ids.
    Columns(&'static str),
}

/// The most valuable first.
const TABLES: [(&str, Key); 21] = [
    ("tokens", Key::RowId),
    ("keys", Key::Columns("name")),
    ("snoozes", Key::RowId),
    ("troubles", Key::Newest),
    ("cursors", Key::RowId),
    ("mqtt", Key::Columns("name")),
    ("mqtt_devices", Key::Columns("topic")),
    ("held_alarms", Key::RowId),
    ("cluster_node", Key::RowId),
    ("unlogged_alarms", Key::RowId),
    ("ledger_positions", Key::RowId),
    ("ledger_tokens", Key::RowId),
    ("token_sent", Key::Columns("token_id, monitor_id")),
    ("device_filters", Key::Columns("user_name, kind, app")),
    ("device_sent", Key::Columns("user_name, kind, app, monitor_id")),
    ("rule_hits", Key::Columns("rule, hour")),
    ("alarms", Key::Newest),
    ("labels", Key::Columns("event_id, name")),
    ("pushed_alarms", Key::Newest),
    ("deliveries", Key::Newest),
    ("attempts", Key::Newest),
];

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Salvaged {
    pub(super) tokens: u64,
    pub(super) alarms: u64,
    pub(super) rows: u64,
    /// Tables that could not be read completely.
    pub(super) incomplete: Vec<&'static str>,
}

/// Copies what can be read; errors come from writing the new file.
pub(super) async fn copy(from: &mut SqliteConnection, to: &mut SqliteConnection) -> SqlResult<Salvaged> {
    let mut salvaged = Salvaged::default();
    let mut transaction = to.begin().await?;
    for (name, key) in TABLES {
        let mut copying = Copying::new(name, from, &mut transaction).await?;
        match key {
            Key::RowId => copying.by_row_id(from, &mut transaction, i64::MIN).await?,
            Key::Newest => {
                let newest = AssertSqlSafe(format!("SELECT MAX(rowid) FROM {name}"));
                let newest: SqlResult<Option<i64>> = sqlx::query_scalar(newest).fetch_one(&mut *from).await;
                // If even the newest row is unreadable: from the beginning.
                let after = newest.ok().flatten().map_or(0, |newest| newest.saturating_sub(LOG));
                copying.by_row_id(from, &mut transaction, after).await?;
            }
            Key::Columns(columns) => copying.by_columns(from, &mut transaction, columns).await?,
        }
        salvaged.rows += copying.rows;
        match name {
            "tokens" => salvaged.tokens = copying.rows,
            "alarms" => salvaged.alarms = copying.rows,
            _ => {}
        }
        if copying.damaged {
            salvaged.incomplete.push(name);
        }
    }
    if !salvaged.incomplete.contains(&"alarms") {
        keep_beginning(from, &mut transaction).await?;
    }
    transaction.commit().await?;
    Ok(salvaged)
}

/// Keeps the begin of the record, so that the next start catches up with missed events. If alarms are missing in it, it
/// begins now, so that nothing is announced twice.
async fn keep_beginning(from: &mut SqliteConnection, to: &mut SqliteConnection) -> SqlResult {
    let began = "SELECT strftime('%Y-%m-%d %H:%M:%S', MIN(installed_on)) FROM _sqlx_migrations";
    if let Ok(Some(began)) = sqlx::query_scalar::<_, Option<String>>(began).fetch_one(from).await {
        sqlx::query("UPDATE _sqlx_migrations SET installed_on = ?").bind(began).execute(to).await?;
    }
    Ok(())
}

struct Copying {
    name: &'static str,
    columns: String,
    insert: String,
    width: usize,
    rows: u64,
    damaged: bool,
}

impl Copying {
    /// A damaged file may be of an older zmesd, whose tables have fewer columns: the others keep their defaults.
    async fn new(
        name: &'static str,
        from: &mut SqliteConnection,
        to: &mut SqliteConnection,
    ) -> SqlResult<Self> {
        let mut columns = columns_of(name, to).await?;
        if let Ok(there) = columns_of(name, from).await
            && !there.is_empty()
        {
            columns.retain(|column| there.contains(column));
        }
        let (width, places) = (columns.len(), vec!["?"; columns.len()].join(", "));
        let columns = columns.join(", ");
        let insert = format!("INSERT OR IGNORE INTO {name} ({columns}) VALUES ({places})");
        Ok(Self { name, columns, insert, width, rows: 0, damaged: false })
    }

    async fn by_row_id(
        &mut self,
        from: &mut SqliteConnection,
        to: &mut SqliteConnection,
        mut after: i64,
    ) -> SqlResult {
        let query = format!(
            "SELECT {}, rowid FROM {} WHERE rowid > ? ORDER BY rowid LIMIT {ROWS}",
            self.columns, self.name
        );
        let mut leaps = 0;
        loop {
            let (rows, whole) = read(from, &query, Some(after)).await;
            let (full, before) = (i64::try_from(rows.len()) == Ok(ROWS), after);
            for row in &rows {
                // A misplaced page may have lower ids: always move forward.
                after = after.max(row.try_get(self.width)?);
                self.insert(row, to).await?;
            }
            if whole && !full {
                return Ok(());
            }
            if whole {
                continue;
            }
            self.damaged = true;
            leaps += 1;
            let Some(next) = leap(from, &query, after.max(before)).await.filter(|_| leaps < LEAPS) else {
                return Ok(());
            };
            after = next;
        }
    }

    /// From both ends as far as possible.
    async fn by_columns(
        &mut self,
        from: &mut SqliteConnection,
        to: &mut SqliteConnection,
        key: &str,
    ) -> SqlResult {
        for order in [key.to_owned(), format!("{} DESC", key.replace(", ", " DESC, "))] {
            let query = format!("SELECT {} FROM {} ORDER BY {order}", self.columns, self.name);
            let (rows, whole) = read(from, &query, None).await;
            for row in &rows {
                self.insert(row, to).await?;
            }
            if whole {
                break;
            }
            self.damaged = true;
        }
        Ok(())
    }

    /// Inserts a row; one whose values are not what the table takes is left out.
    async fn insert(&mut self, row: &SqliteRow, to: &mut SqliteConnection) -> SqlResult {
        let Some(arguments) = arguments(row, self.width) else {
            self.damaged = true;
            return Ok(());
        };
        let insert = sqlx::query_with(AssertSqlSafe(self.insert.clone()), arguments);
        match insert.execute(to).await {
            Ok(done) => self.rows += done.rows_affected(),
            Err(problem) if primary_code(&problem) == Some(CONSTRAINT) => self.damaged = true,
            Err(problem) => return Err(problem),
        }
        Ok(())
    }
}

async fn columns_of(table: &str, connection: &mut SqliteConnection) -> SqlResult<Vec<String>> {
    sqlx::query_scalar("SELECT name FROM pragma_table_info(?)").bind(table).fetch_all(connection).await
}

/// Returns the rows that can be read, and whether these were all.
async fn read(from: &mut SqliteConnection, query: &str, after: Option<i64>) -> (Vec<SqliteRow>, bool) {
    use futures_util::TryStreamExt;
    let mut query = sqlx::query(AssertSqlSafe(query.to_owned()));
    if let Some(after) = after {
        query = query.bind(after);
    }
    let (mut rows, mut stream) = (Vec::new(), query.fetch(from));
    loop {
        match stream.try_next().await {
            Ok(Some(row)) => rows.push(row),
            Ok(None) => return (rows, true),
            Err(_) => return (rows, false),
        }
    }
}

/// Returns the nearest row id after a damaged place from which reading can continue; `None`: there is none.
async fn leap(from: &mut SqliteConnection, query: &str, damaged: i64) -> Option<i64> {
    let base = damaged.max(0);
    let mut bad = base;
    for power in 0..FARTHEST {
        let probe = base.checked_add(1 << power)?;
        if readable(from, query, probe).await {
            let mut good = probe;
            while good - bad > 1 {
                let middle = i64::midpoint(bad, good);
                if readable(from, query, middle).await { good = middle } else { bad = middle }
            }
            return Some(good);
        }
        bad = probe;
    }
    None
}

/// Says whether the first row after a row id can be read.
async fn readable(from: &mut SqliteConnection, query: &str, after: i64) -> bool {
    let first = query.replace(&format!("LIMIT {ROWS}"), "LIMIT 1");
    sqlx::query(AssertSqlSafe(first)).bind(after).fetch_optional(from).await.is_ok()
}

fn arguments(row: &SqliteRow, width: usize) -> Option<SqliteArguments> {
    let mut arguments = SqliteArguments::default();
    for column in 0..width {
        let raw = row.try_get_raw(column).ok()?;
        if raw.is_null() {
            // Its type would be that of the column.
            arguments.add(None::<i64>).ok()?;
            continue;
        }
        let kind = raw.type_info().name().to_owned();
        match kind.as_str() {
            "TEXT" => arguments.add(row.try_get_unchecked::<String, _>(column).ok()?).ok()?,
            "INTEGER" => arguments.add(row.try_get_unchecked::<i64, _>(column).ok()?).ok()?,
            _ => return None,
        }
    }
    Some(arguments)
}
