//! The statements of the lease. Each names what was seen, so that it does nothing where something has changed since.

use std::time::Duration;

use super::{LeaseAction, LeaseEvent, LeaseRow};
use crate::fault::LedgerError;
use crate::line::{LedgerLine, attempt};
use crate::node::{NodeId, NodeKey};

/// Does what [`Lease::on`](super::Lease::on) asked for, and returns what to tell it; `None`: it is no statement. An error is
/// [`LeaseEvent::Unanswered`]; its reason is returned beside.
///
/// `clock` is the steady clock that the lease is told. It is read before the statement is sent.
pub async fn perform(
    line: &mut LedgerLine,
    own: NodeKey,
    action: LeaseAction,
    clock: impl Fn() -> Duration,
) -> (Option<LeaseEvent>, Option<LedgerError>) {
    let sent = clock();
    let result = match action {
        LeaseAction::Take(row) => {
            let taken = take(line, own, row).await;
            taken.map(|taken| LeaseEvent::Taken { sent, epoch: taken.then_some(row.epoch + 1) })
        }
        LeaseAction::Renew(epoch) => {
            renew(line, own, epoch).await.map(|held| LeaseEvent::Renewed { sent, epoch, held })
        }
        LeaseAction::Release(epoch) => release(line, own, epoch).await.map(|()| LeaseEvent::Answered),
        LeaseAction::Ask(row) => ask(line, own.id, row).await.map(|()| LeaseEvent::Answered),
        LeaseAction::Lead(_)
        | LeaseAction::Fence
        | LeaseAction::Drain
        | LeaseAction::Alone
        | LeaseAction::Together => return (None, None),
    };
    match result {
        Ok(event) => (Some(event), None),
        Err(error) => (Some(LeaseEvent::Unanswered), Some(error)),
    }
}

async fn take(line: &mut LedgerLine, own: NodeKey, seen: LeaseRow) -> Result<bool, LedgerError> {
    attempt!(line.statements(), |connection| {
        let sql = "UPDATE `lease` SET `holder` = ?, `holder_epoch` = ?, `epoch` = `epoch` + 1, `beat` = `beat` + 1, \
                   `wanted` = NULL, `renewed` = UTC_TIMESTAMP(3) WHERE `name` = 'push' AND `epoch` = ? AND `beat` = ?";
        let done = sqlx::query(sql)
            .bind(own.id.0)
            .bind(own.epoch)
            .bind(seen.epoch)
            .bind(seen.beat)
            .execute(connection)
            .await?;
        Ok(done.rows_affected() > 0)
    })
}

async fn renew(line: &mut LedgerLine, own: NodeKey, epoch: u64) -> Result<bool, LedgerError> {
    attempt!(line.statements(), |connection| {
        let sql = "UPDATE `lease` SET `beat` = `beat` + 1, `renewed` = UTC_TIMESTAMP(3) WHERE `name` = 'push' \
                   AND `holder` = ? AND `holder_epoch` = ? AND `epoch` = ?";
        let query = sqlx::query(sql).bind(own.id.0).bind(own.epoch).bind(epoch);
        Ok(query.execute(connection).await?.rows_affected() > 0)
    })
}

async fn release(line: &mut LedgerLine, own: NodeKey, epoch: u64) -> Result<(), LedgerError> {
    attempt!(line.statements(), |connection| {
        let sql = "UPDATE `lease` SET `holder` = NULL, `beat` = `beat` + 1, `renewed` = UTC_TIMESTAMP(3) \
                   WHERE `name` = 'push' AND `holder` = ? AND `holder_epoch` = ? AND `epoch` = ?";
        sqlx::query(sql).bind(own.id.0).bind(own.epoch).bind(epoch).execute(connection).await?;
        Ok(())
    })
}

async fn ask(line: &mut LedgerLine, wanted: NodeId, seen: LeaseRow) -> Result<(), LedgerError> {
    attempt!(line.statements(), |connection| {
        let sql = "UPDATE `lease` SET `wanted` = ? WHERE `name` = 'push' AND `epoch` = ? AND `wanted` <=> ?";
        let query = sqlx::query(sql).bind(wanted.0).bind(seen.epoch).bind(seen.wanted.map(|node| node.0));
        query.execute(connection).await?;
        Ok(())
    })
}

/// Asks the holder to hand over to this node (`zmesctl cluster handover`). It does so if that node is at work.
pub async fn ask_for(line: &mut LedgerLine, wanted: NodeId) -> Result<(), LedgerError> {
    attempt!(line.statements(), |connection| {
        let sql = "UPDATE `lease` SET `wanted` = ? WHERE `name` = 'push'";
        sqlx::query(sql).bind(wanted.0).execute(connection).await?;
        Ok(())
    })
}
