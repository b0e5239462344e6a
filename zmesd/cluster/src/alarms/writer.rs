//! Writes a node's alarms to the log, in order.

use sqlx::{AssertSqlSafe, MySqlConnection, Row};

use super::{AlarmKey, Backlog, BacklogEntry, LedgerAlarm, Ticket, phase_number};
use crate::fault::{LedgerError, is_duplicate};
use crate::line::{Line, Stop, Work, attempt};
use crate::node::{Heartbeat, Membership, NodeId, NodeKey, not_ours};
use crate::outcomes::{self, DeviceOutcome};
use crate::times;

/// Alarms of one transaction. A commit costs more than a row: this is what lets a backlog be written in seconds.
const BATCH: usize = 64;

/// What came of an alarm that waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Its ticket.
    pub ticket: Ticket,
    /// Where it is in the log.
    pub place: Place,
}

/// Where an alarm is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// This node wrote it.
    Ours(AlarmKey),
    /// It was there already: another node saw it in the Events table, or this one before its last restart.
    Before(AlarmKey),
}

impl Place {
    /// Its key, whoever wrote it.
    pub fn key(self) -> AlarmKey {
        match self {
            Self::Ours(key) | Self::Before(key) => key,
        }
    }
}

/// The one writer of a node's alarms.
#[derive(Debug)]
pub struct AlarmWriter {
    node: NodeKey,
    backlog: Backlog,
}

impl AlarmWriter {
    /// A writer for a node that has just been registered; this many alarms may wait.
    pub fn new(member: Membership, capacity: usize) -> Self {
        Self { node: member.key, backlog: Backlog::new(member.seq, capacity.max(BATCH)) }
    }

    /// Adds an alarm; returns its ticket, and what was dropped to make room for it.
    pub fn push(&mut self, alarm: LedgerAlarm) -> Result<(Ticket, Option<BacklogEntry>), LedgerError> {
        alarm.check()?;
        Ok(self.backlog.push(alarm))
    }

    /// See [`Backlog::note`].
    pub fn note(
        &mut self,
        ticket: Ticket,
        outcomes: Vec<DeviceOutcome>,
        settled: bool,
    ) -> Result<(), Vec<DeviceOutcome>> {
        self.backlog.note(ticket, outcomes, settled)
    }

    /// Goes on under another registration of the same node. Numbers that were used are not used again.
    pub fn renew(&mut self, member: Membership) {
        self.node = member.key;
        self.backlog.skip_to(member.seq);
    }

    /// What waits.
    pub fn backlog(&self) -> &Backlog {
        &self.backlog
    }

    /// Writes what has waited longest, up to 64 alarms in one transaction, and says what came of each.
    ///
    /// After an error nothing is lost: the next call tries the same alarms again under the same numbers. With
    /// [`LedgerFault::Fenced`](crate::LedgerFault::Fenced) nothing will ever be written again by this writer; with
    /// [`LedgerFault::Forgotten`](crate::LedgerFault::Forgotten) it goes on once the node is registered again: see
    /// [`renew`](Self::renew).
    pub async fn write(&mut self, line: &mut Line) -> Result<Vec<Written>, LedgerError> {
        let batch = self.backlog.batch(BATCH);
        let Some(last) = batch.last() else { return Ok(Vec::new()) };
        let (node, seq) = (self.node, last.seq());
        let written = attempt!(line.transaction(), |connection| {
            fence(connection, node, seq).await?;
            let mut written = Vec::with_capacity(batch.len());
            for entry in &batch {
                let place = write(connection, node.id, entry).await?;
                written.push(Written { ticket: entry.ticket, place });
            }
            Ok(written)
        })?;
        self.backlog.settle();
        Ok(written)
    }
}

/// Makes the transaction one of this start of the node, and of no other.
///
/// An `INSERT … SELECT … FROM node WHERE epoch = ?` would not: under READ COMMITTED it reads without a lock, and Galera
/// certifies rows that were written, not rows that were read. A start at another member could commit in between, take the
/// same number for another alarm, and one of the two would be taken for a duplicate. Writing the node's row puts both into
/// one order, on one server and on several.
async fn fence(connection: &mut MySqlConnection, node: NodeKey, seq: u64) -> Work<()> {
    let sql = "UPDATE `node` SET `seq` = GREATEST(`seq`, ?), `seen` = UTC_TIMESTAMP(3) WHERE `id` = ? AND `epoch` = ?";
    let done = sqlx::query(sql).bind(seq).bind(node.id.0).bind(node.epoch).execute(&mut *connection).await?;
    if done.rows_affected() > 0 {
        return Ok(());
    }
    Err(match not_ours(connection, node).await? {
        Heartbeat::Fenced => Stop::Fault(LedgerError::fenced()),
        Heartbeat::Removed | Heartbeat::Forgotten => Stop::Fault(LedgerError::forgotten()),
        Heartbeat::Alive => Stop::Again,
    })
}

async fn write(connection: &mut MySqlConnection, node: NodeId, entry: &BacklogEntry) -> Work<Place> {
    let own = AlarmKey { node, seq: entry.seq() };
    let place = match insert(connection, own, entry).await {
        Ok(()) => Place::Ours(own),
        Err(error) if is_duplicate(&error) => match find(connection, &entry.alarm).await? {
            Some(found) if found == own => Place::Ours(own),
            Some(found) => Place::Before(found),
            // The number was taken, or the row was removed just now; in no case was this alarm told of.
            None => return Err(Stop::Again),
        },
        Err(error) => return Err(error.into()),
    };
    outcomes::insert(connection, place.key(), entry.outcomes.iter()).await?;
    if entry.settled {
        let sql = "UPDATE `alarm` SET `settled` = TRUE WHERE `node` = ? AND `seq` = ?";
        let AlarmKey { node, seq } = place.key();
        sqlx::query(sql).bind(node.0).bind(seq).execute(&mut *connection).await?;
    }
    Ok(place)
}

async fn insert(
    connection: &mut MySqlConnection,
    key: AlarmKey,
    entry: &BacklogEntry,
) -> Result<(), sqlx::Error> {
    let alarm = &entry.alarm;
    let sql = format!(
        "INSERT INTO `alarm` (`node`, `seq`, `dedup`, `phase`, `monitor`, `event`, `at`, `written`, `settled`, `body`) \
         VALUES (?, ?, ?, ?, ?, ?, {}, UTC_TIMESTAMP(3), ?, ?)",
        times::DATETIME
    );
    sqlx::query(AssertSqlSafe(sql))
        .bind(key.node.0)
        .bind(key.seq)
        .bind(alarm.dedup.bytes().as_slice())
        .bind(phase_number(alarm.phase))
        .bind(alarm.monitor.0)
        .bind(alarm.event.map(|event| event.0))
        .bind(times::bound(alarm.at))
        .bind(entry.settled)
        .bind(&alarm.body)
        .execute(connection)
        .await?;
    Ok(())
}

async fn find(connection: &mut MySqlConnection, alarm: &LedgerAlarm) -> Work<Option<AlarmKey>> {
    let sql = "SELECT `node`, `seq` FROM `alarm` WHERE `dedup` = ?";
    let row = sqlx::query(sql).bind(alarm.dedup.bytes().as_slice()).fetch_optional(connection).await?;
    let key =
        row.map(|row| Ok::<_, sqlx::Error>(AlarmKey { node: NodeId(row.try_get(0)?), seq: row.try_get(1)? }));
    Ok(key.transpose()?)
}
