//! What a node of a cluster keeps: who it is, what the ledger does not have yet, how far others were read.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, SqlitePool};
use zmes_cluster::alarms::{DedupKey, LedgerAlarm, LogKey};
use zmes_cluster::node::NodeId;
use zmes_cluster::outcomes::OutcomeKind;
use zmes_shared::MonitorId;
use zmes_shared::words::{DeliveryState, Phase, SkipReason};

use super::deliveries;
use super::handle::{StateHandle, StateResult};
use super::note::TokenDecision;
use super::remembered::{event, optional_time, time, understood};
use super::{SqlResult, signed};
use crate::domain::{Alarm, Elsewhere, LedgerMark, TokenId};

/// What a node wants stored.
#[derive(Debug, Clone)]
pub enum ClusterNote {
    /// Who it is, and the start that the ledger has seen last.
    Node { identity: [u8; 16], epoch: u64 },
    /// An alarm is on its way to the ledger.
    Unlogged(LedgerAlarm),
    /// The ledger has these.
    Logged(Vec<DedupKey>),
    /// A token was changed here.
    TokenChanged { token: TokenId, at: Timestamp, is_badge: bool },
    /// The ledger has what these tokens were until then.
    TokensShared(Vec<(TokenId, Timestamp)>),
    /// An alarm of another node was read that is not recorded a second time.
    Read(Elsewhere),
    /// Pushes of the daemon before that the ledger knows of are not sent from the disk.
    LeavePushes,
}

/// How a token stands towards the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SharedToken {
    pub changed: Timestamp,
    pub badge_at: Option<Timestamp>,
    pub is_shared: bool,
}

/// What came of a push of an alarm of the ledger, before a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentBefore {
    pub key: LogKey,
    pub token: TokenId,
    pub kind: OutcomeKind,
    /// When the alarm was found.
    pub at: Timestamp,
}

/// What a node remembers of its last run.
#[derive(Debug, Clone, Default)]
pub struct ClusterMemory {
    pub identity: Option<[u8; 16]>,
    pub epoch: u64,
    /// Alarms that the ledger may not have, in order, each with the tokens that were told of it.
    pub unlogged: Vec<(LedgerAlarm, Vec<(TokenId, Timestamp)>)>,
    /// What was sent of alarms that were in the ledger, which may not know of it.
    pub sent: Vec<SentBefore>,
    /// Node, start of it, number of its last alarm in the record.
    pub positions: Vec<(u16, u64, u64)>,
    pub tokens: HashMap<TokenId, SharedToken>,
}

pub(super) async fn keep(transaction: &mut SqliteConnection, note: &ClusterNote) -> SqlResult {
    match note {
        ClusterNote::Node { identity, epoch } => {
            let query = sqlx::query("REPLACE INTO cluster_node (one, identity, epoch) VALUES (1, ?, ?)");
            query.bind(&identity[..]).bind(epoch.cast_signed()).execute(transaction).await?;
        }
        ClusterNote::Unlogged(alarm) => {
            let query = "INSERT OR IGNORE INTO unlogged_alarms (dedup, phase, monitor_id, event_id, at, body) \
                         VALUES (?, ?, ?, ?, ?, ?)";
            let query = sqlx::query(query).bind(&alarm.dedup.bytes()[..]).bind(alarm.phase.word());
            let query = query.bind(alarm.monitor.0).bind(alarm.event.map(signed));
            query.bind(alarm.at.as_millisecond()).bind(&alarm.body).execute(transaction).await?;
        }
        ClusterNote::Logged(keys) => {
            for key in keys {
                let query = sqlx::query("DELETE FROM unlogged_alarms WHERE dedup = ?");
                query.bind(&key.bytes()[..]).execute(&mut *transaction).await?;
            }
        }
        ClusterNote::TokenChanged { token, at, is_badge } => {
            let query = "INSERT INTO ledger_tokens (token_id, changed, badge_at, shared) VALUES (?1, ?2, ?3, 0) \
                         ON CONFLICT (token_id) DO UPDATE SET changed = ?2, badge_at = COALESCE(?3, badge_at), shared = 0";
            let at = at.as_millisecond();
            let query = sqlx::query(query).bind(token.0).bind(at).bind(is_badge.then_some(at));
            query.execute(transaction).await?;
        }
        ClusterNote::TokensShared(tokens) => {
            for (token, at) in tokens {
                let query = "INSERT INTO ledger_tokens (token_id, changed, shared) VALUES (?1, ?2, 1) \
                             ON CONFLICT (token_id) DO UPDATE SET shared = 1, changed = ?2 WHERE changed <= ?2";
                let query = sqlx::query(query).bind(token.0).bind(at.as_millisecond());
                query.execute(&mut *transaction).await?;
            }
        }
        ClusterNote::Read(elsewhere) => read_up_to(transaction, elsewhere).await?,
        ClusterNote::LeavePushes => {
            let query = "UPDATE deliveries SET decision = ?, reason = ? WHERE decision = 'queued' \
                         AND alarm IN (SELECT number FROM pushed_alarms WHERE ledger IS NOT NULL)";
            let query =
                sqlx::query(query).bind(DeliveryState::Skipped.word()).bind(SkipReason::Elsewhere.word());
            query.execute(transaction).await?;
        }
    }
    Ok(())
}

/// Writes what was decided about alarms of the ledger. Ends are sent by the node that sent their starts, whoever sends now.
pub(super) async fn decide(
    transaction: &mut SqliteConnection,
    mark: LedgerMark,
    messages: &[(Arc<Alarm>, Arc<[TokenDecision]>)],
) -> SqlResult {
    for (alarm, decisions) in messages {
        let number = deliveries::decide(transaction, alarm, decisions).await?;
        if alarm.phase.is_start()
            && let Some(number) = number
        {
            let query = "UPDATE pushed_alarms SET ledger = ?, ledger_turn = ?, ledger_node = ?, ledger_seq = ? \
                         WHERE number = ?";
            let query = sqlx::query(query).bind(mark.alarm.cast_signed()).bind(mark.turn.cast_signed());
            let query = query.bind(mark.key.map(|key| key.node.0));
            let query = query.bind(mark.key.map(|key| key.seq.cast_signed()));
            query.bind(number).execute(&mut *transaction).await?;
        }
    }
    Ok(())
}

/// Writes that the record has an alarm of another node.
pub(super) async fn read_up_to(transaction: &mut SqliteConnection, alarm: &Elsewhere) -> SqlResult {
    let query = sqlx::query("REPLACE INTO ledger_positions (node, epoch, seq) VALUES (?, ?, ?)");
    let query = query.bind(alarm.node).bind(alarm.epoch.cast_signed()).bind(alarm.seq.cast_signed());
    query.execute(transaction).await.map(drop)
}

/// Reads four columns: the number of the alarm, the turn, and the place in the ledger.
pub(super) fn mark(row: &SqliteRow, column: usize) -> SqlResult<Option<LedgerMark>> {
    let number =
        |column| Ok::<_, sqlx::Error>(row.try_get::<Option<i64>, _>(column)?.map(i64::cast_unsigned));
    let (alarm, turn, seq) = (number(column)?, number(column + 1)?, number(column + 3)?);
    let node = row.try_get::<Option<u16>, _>(column + 2)?;
    let key = node.zip(seq).map(|(node, seq)| LogKey::new(NodeId(node), seq));
    Ok(alarm.map(|alarm| LedgerMark { alarm, turn: turn.unwrap_or_default(), key }))
}

impl StateHandle {
    /// Returns what this installation remembers as a node. `retry_for`: how long pushes are tried.
    pub async fn cluster_memory(&self, now: Timestamp, retry_for: Duration) -> StateResult<ClusterMemory> {
        let since = SignedDuration::try_from(retry_for).ok().and_then(|age| now.checked_sub(age).ok());
        self.answer(memory(&self.reader(), since.unwrap_or(Timestamp::MIN)).await)
    }
}

async fn memory(pool: &SqlitePool, since: Timestamp) -> SqlResult<ClusterMemory> {
    let row = sqlx::query("SELECT identity, epoch FROM cluster_node").fetch_optional(pool).await?;
    let (identity, epoch) = match row {
        Some(row) => {
            (row.try_get::<Vec<u8>, _>(0)?.try_into().ok(), row.try_get::<i64, _>(1)?.cast_unsigned())
        }
        None => (None, 0),
    };
    let positions = sqlx::query("SELECT node, epoch, seq FROM ledger_positions").fetch_all(pool).await?;
    let position = |row: &SqliteRow| {
        let (epoch, seq): (i64, i64) = (row.try_get(1)?, row.try_get(2)?);
        Ok((row.try_get(0)?, epoch.cast_unsigned(), seq.cast_unsigned()))
    };
    let tokens =
        sqlx::query("SELECT token_id, changed, badge_at, shared FROM ledger_tokens").fetch_all(pool).await?;
    let token = |row: &SqliteRow| {
        let shared = SharedToken {
            changed: time(row, 1)?,
            badge_at: optional_time(row, 2)?,
            is_shared: row.try_get(3)?,
        };
        Ok((TokenId(row.try_get(0)?), shared))
    };
    Ok(ClusterMemory {
        identity,
        epoch,
        unlogged: unlogged(pool).await?,
        sent: sent(pool, since).await?,
        positions: understood("ledger_positions", &positions, position),
        tokens: understood::<_, Vec<_>>("ledger_tokens", &tokens, token).into_iter().collect(),
    })
}

async fn unlogged(pool: &SqlitePool) -> SqlResult<Vec<(LedgerAlarm, Vec<(TokenId, Timestamp)>)>> {
    let query = "SELECT dedup, phase, monitor_id, event_id, at, body FROM unlogged_alarms ORDER BY number";
    let rows = sqlx::query(query).fetch_all(pool).await?;
    let one = |row: &SqliteRow| {
        let dedup = <[u8; 16]>::try_from(row.try_get::<Vec<u8>, _>(0)?);
        let dedup = dedup.map_err(|_| sqlx::Error::ColumnNotFound("dedup".to_owned()))?;
        Ok(LedgerAlarm {
            dedup: DedupKey::from_bytes(dedup),
            phase: Phase::parse(row.try_get(1)?),
            monitor: MonitorId(row.try_get(2)?),
            event: event(row, 3)?,
            at: time(row, 4)?,
            body: row.try_get(5)?,
        })
    };
    let mut alarms = Vec::new();
    for alarm in understood::<_, Vec<LedgerAlarm>>("unlogged_alarms", &rows, one) {
        let told = told(pool, &alarm).await?;
        alarms.push((alarm, told));
    }
    Ok(alarms)
}

/// Returns the tokens for which it is known what became of an alarm: this node was alone when it told of it.
async fn told(pool: &SqlitePool, alarm: &LedgerAlarm) -> SqlResult<Vec<(TokenId, Timestamp)>> {
    let query = "SELECT d.token_id, a.at FROM pushed_alarms a JOIN deliveries d ON d.alarm = a.number \
                 WHERE a.at = ? AND a.monitor_id = ? AND a.event_id IS ? AND a.phase = ? \
                 AND d.decision IN ('sent', 'failed')";
    let query = sqlx::query(query).bind(alarm.at.as_millisecond()).bind(alarm.monitor.0);
    let rows = query.bind(alarm.event.map(signed)).bind(alarm.phase.word()).fetch_all(pool).await?;
    Ok(understood("deliveries", &rows, |row| Ok((TokenId(row.try_get(0)?), time(row, 1)?))))
}

/// Returns what came of pushes of alarms that were found since then, and that the ledger had.
async fn sent(pool: &SqlitePool, since: Timestamp) -> SqlResult<Vec<SentBefore>> {
    let query = "SELECT a.ledger_node, a.ledger_seq, d.token_id, d.decision, a.at \
                 FROM pushed_alarms a JOIN deliveries d ON d.alarm = a.number \
                 WHERE a.at >= ? AND a.ledger_seq IS NOT NULL AND d.decision IN ('sent', 'failed')";
    let rows = sqlx::query(query).bind(since.as_millisecond()).fetch_all(pool).await?;
    let one = |row: &SqliteRow| {
        let seq: i64 = row.try_get(1)?;
        let sent = row.try_get::<&str, _>(3)? == DeliveryState::Sent.word();
        Ok(SentBefore {
            key: LogKey::new(NodeId(row.try_get(0)?), seq.cast_unsigned()),
            token: TokenId(row.try_get(2)?),
            kind: if sent { OutcomeKind::Taken } else { OutcomeKind::Abandoned },
            at: time(row, 4)?,
        })
    };
    Ok(understood("deliveries", &rows, one))
}
