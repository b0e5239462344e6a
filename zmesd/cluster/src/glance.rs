//! One statement that says whether anything is new: it is what a node asks 20 times a second.

use std::time::Duration;

use sqlx::{AssertSqlSafe, MySqlConnection, Row};

use crate::fault::LedgerError;
use crate::lease::LeaseRow;
use crate::line::{LedgerLine, Stop, Work, attempt};
use crate::node::{self, NodeId, NodeKey};
use crate::times;

/// The ledger at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glance {
    /// Each node with the number of its newest alarm, ordered by id.
    pub heads: Vec<Head>,
    /// Who sends pushes.
    pub lease: LeaseRow,
    /// Number of the last change of a record.
    pub rev: u64,
}

/// One node in a [`Glance`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The node.
    pub node: NodeKey,
    /// Number of its newest alarm. All alarms up to it are visible.
    pub seq: u64,
    /// What that was when the node started: the alarms after it are of this start.
    pub first: u64,
    /// How long nothing was heard of it.
    pub silent: Duration,
    /// It has said goodbye.
    pub stopped: bool,
    /// Whether it would rather send pushes than others.
    pub prefer: i16,
    /// It says that nothing keeps it from sending.
    pub is_well: bool,
}

impl Head {
    /// Says whether it is at work.
    pub fn is_alive(&self) -> bool {
        node::is_alive(self.stopped, self.silent)
    }

    /// Says whether it can send pushes, as far as it knows.
    pub fn can_send(&self) -> bool {
        self.is_alive() && self.is_well && self.prefer != node::NEVER
    }
}

/// Looks at the ledger.
pub async fn glance(line: &mut LedgerLine) -> Result<Glance, LedgerError> {
    attempt!(line.statements(), |connection| { look(connection).await })
}

pub(crate) async fn look(connection: &mut MySqlConnection) -> Work<Glance> {
    let sql = format!(
        "SELECT l.`holder`, l.`holder_epoch`, l.`epoch`, l.`beat`, l.`wanted`, c.`value`, \
         n.`id`, n.`epoch`, n.`seq`, n.`first`, {}, n.`stopped`, n.`prefer`, n.`health` = '' \
         FROM `lease` l JOIN `counter` c ON c.`name` = 'record' LEFT JOIN `node` n ON TRUE \
         WHERE l.`name` = 'push' ORDER BY n.`id`",
        times::age("n.`seen`")
    );
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(connection).await?;
    let Some(first) = rows.first() else { return Err(Stop::Fault(LedgerError::incomplete())) };
    let holder = match first.try_get::<Option<u16>, _>(0)? {
        Some(id) => Some(NodeKey { id: NodeId(id), epoch: first.try_get(1)? }),
        None => None,
    };
    let wanted = first.try_get::<Option<u16>, _>(4)?.map(NodeId);
    let lease = LeaseRow { holder, epoch: first.try_get(2)?, beat: first.try_get(3)?, wanted };
    let rev = first.try_get(5)?;
    let mut heads = Vec::with_capacity(rows.len());
    for row in &rows {
        let Some(id) = row.try_get::<Option<u16>, _>(6)? else { continue };
        heads.push(Head {
            node: NodeKey { id: NodeId(id), epoch: row.try_get(7)? },
            seq: row.try_get(8)?,
            first: row.try_get(9)?,
            silent: times::duration(row.try_get(10)?),
            stopped: row.try_get(11)?,
            prefer: row.try_get(12)?,
            is_well: row.try_get::<Option<bool>, _>(13)?.unwrap_or_default(),
        });
    }
    Ok(Glance { heads, lease, rev })
}
