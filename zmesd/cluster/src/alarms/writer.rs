//! Writes a node's alarms to the log, in order.

use std::collections::HashMap;

use sqlx::{MySql, MySqlConnection, QueryBuilder, Row};

use super::{Backlog, BacklogEntry, LedgerAlarm, LogKey, Ticket, phase_number};
use crate::fault::{LedgerError, LedgerFault};
use crate::line::{LedgerLine, Stop, Work, attempt};
use crate::lists::padded;
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
    Ours(LogKey),
    /// It was there already: another node saw it in the Events table, or this one before its last restart.
    Before(LogKey),
}

impl Place {
    /// Its key, whoever wrote it.
    pub fn key(self) -> LogKey {
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
    /// So many are written one by one: the database has refused them together.
    singly: usize,
    /// What it will never take, and why.
    given_up: Vec<(BacklogEntry, LedgerError)>,
}

impl AlarmWriter {
    /// A writer for a node that has just been registered; this many alarms may wait.
    pub fn new(member: Membership, capacity: usize) -> Self {
        let backlog = Backlog::new(member.seq, capacity.max(BATCH));
        Self { node: member.key, backlog, singly: 0, given_up: Vec::new() }
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

    /// Takes what the database will never take, with its reason: other nodes do not hear of it.
    pub fn given_up(&mut self) -> Vec<(BacklogEntry, LedgerError)> {
        std::mem::take(&mut self.given_up)
    }

    fn failed(&mut self, batch: usize, error: &LedgerError) {
        match error.fault {
            LedgerFault::Unfit | LedgerFault::Other if batch > 1 => self.singly = batch,
            LedgerFault::Unfit | LedgerFault::Other => {
                self.singly = self.singly.saturating_sub(1);
                self.given_up.extend(self.backlog.refuse().map(|entry| (entry, error.clone())));
            }
            LedgerFault::Unreachable
            | LedgerFault::Late
            | LedgerFault::Closed
            | LedgerFault::Contended
            | LedgerFault::Login
            | LedgerFault::Grants
            | LedgerFault::NoSchema
            | LedgerFault::OldSchema
            | LedgerFault::NewSchema
            | LedgerFault::Fenced
            | LedgerFault::Forgotten => {}
        }
    }

    /// What waits.
    pub fn backlog(&self) -> &Backlog {
        &self.backlog
    }

    /// Writes what has waited longest, up to 64 alarms in one transaction, and says what came of each.
    ///
    /// After an error nothing is lost: the next call tries the same alarms again under the same numbers. What the database
    /// refuses in a batch is tried one by one; what it refuses then goes behind the others, and is given up at last
    /// ([`given_up`](Self::given_up)) if it takes those. With [`LedgerFault::Fenced`] nothing will ever be written again by
    /// this writer; with [`LedgerFault::Forgotten`] it goes on once the node is registered again: see
    /// [`renew`](Self::renew).
    pub async fn write(&mut self, line: &mut LedgerLine) -> Result<Vec<Written>, LedgerError> {
        let batch = self.backlog.batch(if self.singly > 0 { 1 } else { BATCH });
        let Some(last) = batch.last() else { return Ok(Vec::new()) };
        let (node, seq) = (self.node, last.seq());
        let written = attempt!(line.transaction(), |connection| {
            fence(connection, node, seq).await?;
            insert(connection, node.id, &batch).await?;
            let places = places(connection, node.id, &batch).await?;
            add_known(connection, &batch, &places).await?;
            Ok(places)
        });
        let written = written.inspect_err(|error| self.failed(batch.len(), error))?;
        self.singly = self.singly.saturating_sub(1);
        let tickets = batch.iter().map(|entry| entry.ticket);
        let written = tickets.zip(written).map(|(ticket, place)| Written { ticket, place }).collect();
        self.backlog.settle(batch.len());
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

/// Writes the alarms of a batch that are not in the log yet, in one statement: however far away the database is, the
/// whole batch takes five round trips.
async fn insert(connection: &mut MySqlConnection, node: NodeId, batch: &[BacklogEntry]) -> Work<()> {
    let mut query = QueryBuilder::<MySql>::new(
        "INSERT INTO `alarm` (`node`, `seq`, `dedup`, `phase`, `monitor`, `event`, `settled`, `body`, `at`, `written`) VALUES ",
    );
    for (index, entry) in padded(batch).enumerate() {
        let alarm = &entry.alarm;
        query.push(if index == 0 { "(" } else { ", (" });
        let mut values = query.separated(", ");
        values.push_bind(node.0).push_bind(entry.seq()).push_bind(alarm.dedup.bytes().to_vec());
        values.push_bind(phase_number(alarm.phase)).push_bind(alarm.monitor.0);
        values.push_bind(alarm.event.map(|event| event.0)).push_bind(false).push_bind(&alarm.body);
        query.push(", ");
        times::push(&mut query, alarm.at);
        query.push(", UTC_TIMESTAMP(3))");
    }
    // What is there already stays as it is. `INSERT IGNORE` would also ignore what does not fit.
    query.push(" ON DUPLICATE KEY UPDATE `seq` = `seq`");
    query.build().execute(connection).await?;
    Ok(())
}

/// Returns where each alarm of a batch is in the log.
async fn places(connection: &mut MySqlConnection, node: NodeId, batch: &[BacklogEntry]) -> Work<Vec<Place>> {
    let mut query =
        QueryBuilder::<MySql>::new("SELECT `dedup`, `node`, `seq` FROM `alarm` WHERE `dedup` IN (");
    let mut keys = query.separated(", ");
    for entry in padded(batch) {
        keys.push_bind(entry.alarm.dedup.bytes().to_vec());
    }
    query.push(")");
    let mut found = HashMap::with_capacity(batch.len());
    for row in query.build().fetch_all(connection).await? {
        found.insert(
            row.try_get::<Vec<u8>, _>(0)?,
            LogKey { node: NodeId(row.try_get(1)?), seq: row.try_get(2)? },
        );
    }
    let places = batch.iter().map(|entry| {
        let own = LogKey { node, seq: entry.seq() };
        match found.get(entry.alarm.dedup.bytes().as_slice()) {
            Some(key) if *key == own => Ok(Place::Ours(own)),
            Some(key) => Ok(Place::Before(*key)),
            // Its number was taken by another alarm: nobody was told of this one.
            None => Err(Stop::Again),
        }
    });
    places.collect()
}

/// Writes what is known already of a batch's alarms.
async fn add_known(connection: &mut MySqlConnection, batch: &[BacklogEntry], places: &[Place]) -> Work<()> {
    let pairs = || batch.iter().zip(places);
    let known: Vec<(LogKey, &DeviceOutcome)> = pairs()
        .flat_map(|(entry, place)| entry.outcomes.iter().map(|outcome| (place.key(), outcome)))
        .collect();
    outcomes::insert(connection, &known).await?;
    let settled: Vec<LogKey> =
        pairs().filter(|(entry, _)| entry.settled).map(|(_, place)| place.key()).collect();
    outcomes::settle(connection, &settled).await
}
