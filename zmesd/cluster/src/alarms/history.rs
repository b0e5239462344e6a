//! Reads the past: for replays, and for the story of one event.

use jiff::Timestamp;
use sqlx::{AssertSqlSafe, Row};
use zmes_shared::EventId;

use super::{LogKey, LoggedAlarm, alarm_of_row, columns};
use crate::fault::LedgerError;
use crate::line::{LedgerLine, attempt};
use crate::times;

/// Messages of one event that are read; many ends and updates of one event are no use.
const OF_EVENT: u32 = 1_000;

/// Where a page of the past ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bookmark {
    written_ms: i64,
    key: LogKey,
}

/// A page of the past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryPage {
    /// Alarms of all nodes, in the order in which they were written.
    pub alarms: Vec<LoggedAlarm>,
    /// Where to go on; `None`: this is the end.
    pub next: Option<Bookmark>,
}

impl Bookmark {
    /// Begins with what was written at this time.
    pub fn at(from: Timestamp) -> Self {
        let key = LogKey { node: crate::node::NodeId(0), seq: 0 };
        Self { written_ms: times::bound(from), key }
    }
}

/// Returns alarms of all nodes from there on, at most `limit`.
///
/// What is written in this very moment may be missing: who replays and then follows the log begins to follow first, and
/// leaves out what it has seen.
pub async fn history(line: &mut LedgerLine, from: Bookmark, limit: u32) -> Result<HistoryPage, LedgerError> {
    attempt!(line.statements(), |connection| {
        let sql = format!(
            "SELECT {}, {} FROM `alarm` WHERE `written` >= {at} AND (`written` > {at} OR `node` > ? OR `node` = ? AND `seq` > ?) \
             ORDER BY `written`, `node`, `seq` LIMIT ?",
            columns(),
            times::millis("`written`"),
            at = times::DATETIME
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(from.written_ms)
            .bind(from.written_ms)
            .bind(from.key.node.0)
            .bind(from.key.node.0)
            .bind(from.key.seq)
            .bind(limit)
            .fetch_all(&mut *connection)
            .await?;
        let mut page = HistoryPage { alarms: Vec::with_capacity(rows.len()), next: None };
        for row in &rows {
            let key = LogKey { node: crate::node::NodeId(row.try_get(0)?), seq: row.try_get(1)? };
            page.next = Some(Bookmark { written_ms: row.try_get(9)?, key });
            page.alarms.extend(alarm_of_row(row)?);
        }
        if rows.len() < limit as usize {
            page.next = None;
        }
        Ok(page)
    })
}

/// Returns what was told of an event, in order.
pub async fn of_event(line: &mut LedgerLine, event: EventId) -> Result<Vec<LoggedAlarm>, LedgerError> {
    attempt!(line.statements(), |connection| {
        let sql = format!(
            "SELECT {} FROM `alarm` WHERE `event` = ? ORDER BY `written`, `node`, `seq` LIMIT {OF_EVENT}",
            columns()
        );
        let rows = sqlx::query(AssertSqlSafe(sql)).bind(event.0).fetch_all(&mut *connection).await?;
        let mut alarms = Vec::with_capacity(rows.len());
        for row in &rows {
            alarms.extend(alarm_of_row(row)?);
        }
        Ok(alarms)
    })
}
