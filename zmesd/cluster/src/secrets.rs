//! Keys that all nodes must have in common: the first that proposes one makes it.

use secrecy::{ExposeSecret, SecretSlice};
use sqlx::{MySqlConnection, Row};

use crate::fault::{LedgerError, LedgerFault};
use crate::line::{LedgerLine, Stop, Work, attempt};

/// Longest name in characters, longest key in bytes.
const NAME_MAX: usize = 32;
const KEY_MAX: usize = 64;

/// Returns the key of this name; it is the proposed one if there was none.
pub async fn agree(
    line: &mut LedgerLine,
    name: &str,
    proposed: &SecretSlice<u8>,
) -> Result<SecretSlice<u8>, LedgerError> {
    check(name, proposed)?;
    attempt!(line.statements(), |connection| {
        if let Some(known) = read(connection, name).await? {
            return Ok(known);
        }
        let sql =
            "INSERT INTO `secret` (`name`, `value`) VALUES (?, ?) ON DUPLICATE KEY UPDATE `name` = `name`";
        sqlx::query(sql).bind(name).bind(proposed.expose_secret()).execute(&mut *connection).await?;
        // Another one may have been quicker.
        read(connection, name).await?.ok_or(Stop::Again)
    })
}

/// Replaces the key of this name: what was made with the one before is worth nothing any more.
pub async fn replace(line: &mut LedgerLine, name: &str, key: &SecretSlice<u8>) -> Result<(), LedgerError> {
    check(name, key)?;
    attempt!(line.statements(), |connection| {
        let sql = "INSERT INTO `secret` (`name`, `value`) VALUES (?, ?) ON DUPLICATE KEY UPDATE `value` = VALUES(`value`)";
        sqlx::query(sql).bind(name).bind(key.expose_secret()).execute(connection).await?;
        Ok(())
    })
}

fn check(name: &str, key: &SecretSlice<u8>) -> Result<(), LedgerError> {
    let length = key.expose_secret().len();
    if !name.is_empty() && name.len() <= NAME_MAX && name.is_ascii() && (1..=KEY_MAX).contains(&length) {
        return Ok(());
    }
    let message =
        format!("a key of {length} bytes with a name of {} does not fit into the ledger", name.len());
    Err(LedgerError::new(LedgerFault::Unfit, message, "this is a defect of zmesd: zmesctl report"))
}

async fn read(connection: &mut MySqlConnection, name: &str) -> Work<Option<SecretSlice<u8>>> {
    let query = sqlx::query("SELECT `value` FROM `secret` WHERE `name` = ?").bind(name);
    let Some(row) = query.fetch_optional(connection).await? else { return Ok(None) };
    Ok(Some(row.try_get::<Vec<u8>, _>(0)?.into()))
}
