//! What all nodes know: devices, snoozes, troubles. Each change has a number, so that every node reads the changes in order.
//!
//! The number comes from a row that each change increments in its own transaction. The row stays locked until the commit,
//! so numbers become visible in their order: who has read up to a number has missed none before it. One number and one
//! table serve all kinds, so that a node follows all of it with one question.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, MySqlConnection, Row};

use crate::fault::{LedgerError, LedgerFault};
use crate::line::{LedgerLine, Work, attempt};
use crate::outcomes::DeviceHandle;
use crate::times;

/// Longest body of a record, in bytes.
pub const BODY_MAX: usize = 20_480;
/// Records of one page.
pub const PAGE: u32 = 500;

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// A registered device; its id is the handle.
    Device,
    /// Monitors that are not pushed for a while.
    Snooze,
    /// A condition that keeps nodes from seeing or telling.
    Trouble,
}

impl RecordKind {
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Device => 1,
            Self::Snooze => 2,
            Self::Trouble => 3,
        }
    }

    /// As people call it.
    fn word(self) -> &'static str {
        match self {
            Self::Device => "phone",
            Self::Snooze => "snooze",
            Self::Trouble => "trouble",
        }
    }

    /// What to do about one that is too long.
    fn too_long(self) -> &'static str {
        match self {
            Self::Device => "shorten its list of monitors",
            Self::Snooze | Self::Trouble => "this is a defect of zmesd: zmesctl report",
        }
    }

    fn of_number(number: u8) -> Option<Self> {
        [Self::Device, Self::Snooze, Self::Trouble].into_iter().find(|kind| kind.number() == number)
    }
}

/// Names a record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey {
    /// What it is about.
    pub kind: RecordKind,
    /// Which of them: a hash, or a random number.
    pub id: [u8; 32],
}

impl RecordKey {
    /// The record of a device.
    pub fn device(handle: DeviceHandle) -> Self {
        Self { kind: RecordKind::Device, id: *handle.as_bytes() }
    }
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `phone 0a1b2c3d`: of a device, the short form of its handle.
impl fmt::Display for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind.word())?;
        self.id.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A record as it is since its last change.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// Its key.
    pub key: RecordKey,
    /// When it was changed so, by the clock of the node where it happened. Of two changes the later one stays.
    pub changed: Timestamp,
    /// It is over: soon it is forgotten. The body stays until then, so that a node that was away learns what it was.
    pub deleted: bool,
    /// All of it, as JSON; at most [`BODY_MAX`] bytes.
    pub body: Vec<u8>,
}

/// The body of a device has its token, which is a secret.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, changed, deleted, .. } = self;
        f.debug_struct("Record")
            .field("key", key)
            .field("changed", changed)
            .field("deleted", deleted)
            .finish_non_exhaustive()
    }
}

/// What came of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordChange {
    /// It is in the ledger under this number.
    Kept(u64),
    /// The ledger has a later change of the record, with this number.
    Older(u64),
}

/// Changes of records, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordNews {
    /// The records as they are now.
    pub records: Vec<Record>,
    /// All records are read anew, beginning with these: forget what is not among them once there is no more to read.
    pub from_scratch: bool,
    /// There is more to read at once.
    pub more: bool,
}

/// Reads changes of records, each at least once.
#[derive(Debug, Default)]
pub struct RecordReader {
    /// All changes up to this number were read.
    rev: u64,
    /// All records are being read, and before that began changes up to this number were forgotten.
    reading_all: Option<u64>,
}

/// Writes changes of records; returns what came of each, in their order.
pub async fn change(line: &mut LedgerLine, records: &[Record]) -> Result<Vec<RecordChange>, LedgerError> {
    for record in records {
        check(record)?;
    }
    attempt!(line.transaction(), |connection| {
        // First of all: whoever else changes records waits here, and so nobody waits for anybody in a circle.
        let mut rev = locked(connection).await?;
        let before = rev;
        let mut changes = Vec::with_capacity(records.len());
        for record in records {
            let known = known(connection, record).await?;
            if let Some((known, false)) = known {
                changes.push(RecordChange::Older(known));
                continue;
            }
            rev += 1;
            write(connection, record, rev, known.is_some()).await?;
            changes.push(RecordChange::Kept(rev));
        }
        if rev > before {
            let sql = "UPDATE `counter` SET `value` = ? WHERE `name` = 'record'";
            sqlx::query(sql).bind(rev).execute(&mut *connection).await?;
        }
        Ok(changes)
    })
}

/// Returns records of a kind that are not deleted and were not changed for this long, in the order of their ids, after an
/// id or from the first one; at most [`PAGE`] of them.
pub async fn unchanged(
    line: &mut LedgerLine,
    kind: RecordKind,
    age: Duration,
    after: Option<[u8; 32]>,
) -> Result<Vec<Record>, LedgerError> {
    let after = after.map(Vec::from).unwrap_or_default();
    let rows = attempt!(line.statements(), |connection| {
        let sql = format!(
            "SELECT `rev`, `kind`, `id`, {}, `deleted`, `body` FROM `record` WHERE `kind` = ? AND `id` > ? AND NOT `deleted` \
             AND `changed` < UTC_TIMESTAMP(3) - INTERVAL ? * 1000 MICROSECOND ORDER BY `id` LIMIT {PAGE}",
            times::millis("`changed`")
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(kind.number()).bind(after.as_slice());
        let rows = query.bind(times::interval(age)).fetch_all(connection).await?;
        Ok(rows.iter().map(record_of_row).collect::<Result<Vec<_>, _>>()?)
    })?;
    Ok(rows.into_iter().flatten().collect())
}

/// Says whether a record fits into the ledger; one that does not has others refused with it.
pub fn check(record: &Record) -> Result<(), LedgerError> {
    if record.body.len() <= BODY_MAX {
        return Ok(());
    }
    let message = format!("{} does not fit into the ledger: {BODY_MAX} bytes at most", record.key);
    Err(LedgerError::new(LedgerFault::Unfit, message, record.key.kind.too_long()))
}

/// Returns the number of the last change. Nobody else changes records until the transaction ends.
pub(crate) async fn locked(connection: &mut MySqlConnection) -> Work<u64> {
    let sql = "SELECT `value` FROM `counter` WHERE `name` = 'record' FOR UPDATE";
    Ok(sqlx::query(sql).fetch_one(connection).await?.try_get(0)?)
}

/// Returns the number of the last change of that record, and whether this change is at least as late.
async fn known(connection: &mut MySqlConnection, record: &Record) -> Work<Option<(u64, bool)>> {
    let sql = format!(
        "SELECT `rev`, {} >= `changed` FROM `record` WHERE `kind` = ? AND `id` = ? FOR UPDATE",
        times::DATETIME
    );
    let row = sqlx::query(AssertSqlSafe(sql))
        .bind(times::bound(record.changed))
        .bind(record.key.kind.number())
        .bind(record.key.id.as_slice())
        .fetch_optional(connection)
        .await?;
    Ok(row.map(|row| Ok::<_, sqlx::Error>((row.try_get(0)?, row.try_get::<i64, _>(1)? != 0))).transpose()?)
}

async fn write(connection: &mut MySqlConnection, record: &Record, rev: u64, exists: bool) -> Work<()> {
    // A clock that is ahead must not win against everybody for as long as it is ahead.
    let columns = format!(
        "`rev` = ?, `changed` = LEAST({}, UTC_TIMESTAMP(3)), `updated` = UTC_TIMESTAMP(3), `deleted` = ?, `body` = ?",
        times::DATETIME
    );
    let sql = if exists {
        format!("UPDATE `record` SET {columns} WHERE `kind` = ? AND `id` = ?")
    } else {
        format!("INSERT INTO `record` SET {columns}, `kind` = ?, `id` = ?")
    };
    sqlx::query(AssertSqlSafe(sql))
        .bind(rev)
        .bind(times::bound(record.changed))
        .bind(record.deleted)
        .bind(&record.body)
        .bind(record.key.kind.number())
        .bind(record.key.id.as_slice())
        .execute(connection)
        .await?;
    Ok(())
}

impl RecordReader {
    /// A reader that has read all changes up to this number; 0: none.
    pub fn after(rev: u64) -> Self {
        Self { rev, reading_all: None }
    }

    /// Number of the last change that was read: compare it with [`Glance::rev`](crate::Glance::rev).
    pub fn rev(&self) -> u64 {
        self.rev
    }

    /// Returns the next changes, at most [`PAGE`] of them. After an error nothing is missed.
    pub async fn read(&mut self, line: &mut LedgerLine) -> Result<RecordNews, LedgerError> {
        let (since, known) = (self.rev, self.reading_all);
        let (records, reading_all) = attempt!(line.statements(), |connection| {
            if since == 0 {
                let floor = floor(connection).await?;
                return Ok((page(connection, 0).await?, Some(floor)));
            }
            let records = page(connection, since).await?;
            if known.is_some() {
                return Ok((records, known));
            }
            // Asked after the page: what was forgotten meanwhile is seen here.
            let floor = floor(connection).await?;
            if since >= floor {
                return Ok((records, None));
            }
            Ok((page(connection, 0).await?, Some(floor)))
        })?;
        let from_scratch = reading_all.is_some() && known.is_none();
        let more = records.len() == PAGE as usize;
        let last = records.last().map_or(if from_scratch { 0 } else { since }, |(rev, _)| *rev);
        // Who has read all of it has missed nothing that was forgotten before.
        self.rev = if more { last } else { last.max(reading_all.unwrap_or_default()) };
        self.reading_all = reading_all.filter(|_| more);
        let records = records.into_iter().filter_map(|(_, record)| record).collect();
        Ok(RecordNews { records, from_scratch, more })
    }
}

/// Returns the number of the last change that is forgotten.
async fn floor(connection: &mut MySqlConnection) -> Work<u64> {
    let sql = "SELECT `value` FROM `counter` WHERE `name` = 'record-floor'";
    Ok(sqlx::query(sql).fetch_one(connection).await?.try_get(0)?)
}

/// Returns changes after a number, each with its own; `None` in place of what a newer version has written.
async fn page(connection: &mut MySqlConnection, since: u64) -> Work<Vec<(u64, Option<Record>)>> {
    let sql = format!(
        "SELECT `rev`, `kind`, `id`, {}, `deleted`, `body` FROM `record` WHERE `rev` > ? ORDER BY `rev` LIMIT {PAGE}",
        times::millis("`changed`")
    );
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(since).fetch_all(connection).await?;
    let records = rows.iter().map(|row| Ok((row.try_get(0)?, record_of_row(row)?)));
    Ok(records.collect::<Result<_, sqlx::Error>>()?)
}

fn record_of_row(row: &MySqlRow) -> Result<Option<Record>, sqlx::Error> {
    let Some(kind) = RecordKind::of_number(row.try_get(1)?) else { return Ok(None) };
    let Ok(id) = <[u8; 32]>::try_from(row.try_get::<Vec<u8>, _>(2)?) else { return Ok(None) };
    Ok(Some(Record {
        key: RecordKey { kind, id },
        changed: times::timestamp(row.try_get(3)?),
        deleted: row.try_get(4)?,
        body: row.try_get(5)?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_named() {
        let refused = |kind| {
            let key = RecordKey { kind, id: [0xab; 32] };
            let (changed, deleted, body) = (Timestamp::UNIX_EPOCH, false, vec![b' '; BODY_MAX + 1]);
            let error = check(&Record { key, changed, deleted, body }).unwrap_err();
            (error.message, error.hint)
        };
        let text = "phone abababab does not fit into the ledger: 20480 bytes at most";
        assert_eq!(refused(RecordKind::Device), (text.to_owned(), "shorten its list of monitors".to_owned()));
        let (message, hint) = refused(RecordKind::Snooze);
        assert!(message.starts_with("snooze abababab ") && !hint.contains("monitors"), "{message} ({hint})");
    }
}
