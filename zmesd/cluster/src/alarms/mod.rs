//! The log of alarms: each node writes its own in order, and reads those of the others in that order.

mod backlog;
mod dedup;
mod reader;
mod writer;

pub use backlog::{Backlog, BacklogEntry, Ticket};
pub use dedup::DedupKey;
pub use reader::{LoggedAlarm, News, Reader};
pub use writer::{AlarmWriter, Place, Written};

use jiff::Timestamp;
use sqlx::Row;
use sqlx::mysql::MySqlRow;
use zmes_shared::words::Phase;
use zmes_shared::{EventId, MonitorId};

use crate::fault::{LedgerError, LedgerFault};
use crate::node::NodeId;
use crate::times;

/// Longest body of an alarm, in bytes.
pub const BODY_MAX: usize = 4096;

/// Where an alarm is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogKey {
    /// The node that wrote it.
    pub node: NodeId,
    /// Its number there.
    pub seq: u64,
}

/// One alarm, or its update or end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerAlarm {
    /// What makes it the same alarm, whoever tells of it.
    pub dedup: DedupKey,
    /// Start, update or end.
    pub phase: Phase,
    /// The monitor.
    pub monitor: MonitorId,
    /// ZoneMinder's event, where it has one.
    pub event: Option<EventId>,
    /// When it was found, by the clock of the node.
    pub at: Timestamp,
    /// All of it, as JSON; at most [`BODY_MAX`] bytes.
    pub body: Vec<u8>,
}

impl LedgerAlarm {
    /// Says whether it can be stored.
    pub(crate) fn check(&self) -> Result<(), LedgerError> {
        if self.body.len() <= BODY_MAX {
            return Ok(());
        }
        let message = format!("an alarm of {} bytes does not fit: {BODY_MAX} at most", self.body.len());
        Err(LedgerError::new(LedgerFault::Unfit, message, "this is a defect of zmesd: zmesctl report"))
    }
}

/// The number of a phase in the table.
pub(crate) fn phase_number(phase: Phase) -> u8 {
    match phase {
        Phase::Start => 1,
        Phase::Update => 2,
        Phase::End => 3,
        // What is not known here means nothing to those who read it.
        Phase::Unknown => 0,
    }
}

/// The columns that [`alarm_of_row`] reads.
pub(crate) fn columns() -> String {
    let at = times::millis("`at`");
    format!("`node`, `seq`, `dedup`, `phase`, `monitor`, `event`, {at}, `body`, {}", times::age("`written`"))
}

/// Reads one row of [`columns`]. `None`: a newer version wrote it, and this one does not know what it is.
pub(crate) fn alarm_of_row(row: &MySqlRow) -> Result<Option<LoggedAlarm>, sqlx::Error> {
    let phase = match row.try_get::<u8, _>(3)? {
        1 => Phase::Start,
        2 => Phase::Update,
        3 => Phase::End,
        _ => return Ok(None),
    };
    let Ok(dedup) = <[u8; 16]>::try_from(row.try_get::<Vec<u8>, _>(2)?) else { return Ok(None) };
    let alarm = LedgerAlarm {
        dedup: DedupKey::from_bytes(dedup),
        phase,
        monitor: MonitorId(row.try_get(4)?),
        event: row.try_get::<Option<u64>, _>(5)?.map(EventId),
        at: times::timestamp(row.try_get(6)?),
        body: row.try_get(7)?,
    };
    let key = LogKey { node: NodeId(row.try_get(0)?), seq: row.try_get(1)? };
    Ok(Some(LoggedAlarm { key, alarm, age: times::duration(row.try_get(8)?) }))
}
