//! Devices that were registered at any node: each change has a number, so that every node reads the changes in order.
//!
//! The number comes from a row that each change increments in its own transaction. The row stays locked until the commit,
//! so numbers become visible in their order: who has read up to a number has missed none before it.

use std::fmt;

use jiff::Timestamp;
use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, MySqlConnection, Row};

use crate::fault::{LedgerError, LedgerFault};
use crate::line::{Line, Work, attempt};
use crate::times;

/// Longest token and longest body of a device, in bytes.
const TOKEN_MAX: usize = 2048;
const BODY_MAX: usize = 16_384;
/// Devices of one page.
pub const PAGE: u32 = 1_000;

/// Names a device: the SHA-256 of its token.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceHandle([u8; 32]);

impl DeviceHandle {
    /// The handle with these bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Debug for DeviceHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A registered device.
#[derive(Clone, PartialEq, Eq)]
pub struct LedgerDevice {
    /// Its handle.
    pub handle: DeviceHandle,
    /// When it was changed so, by the clock of the node where it happened. Of two changes the later one stays.
    pub changed: Timestamp,
    /// It was unregistered: nothing is sent to it, and every node forgets it.
    pub deleted: bool,
    /// The token; at most 2,048 bytes.
    pub token: Vec<u8>,
    /// Whose it is.
    pub owner: String,
    /// What kind of device it is.
    pub platform: String,
    /// Whether it wants pushes.
    pub state: String,
    /// Until when it is silent.
    pub muted_until: Option<Timestamp>,
    /// The number on its icon, as its app or an admin has set it.
    pub badge: u32,
    /// App, profile, filter and all else, as JSON; at most 16,384 bytes.
    pub body: Vec<u8>,
}

/// The token is a secret.
impl fmt::Debug for LedgerDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { handle, changed, deleted, owner, state, .. } = self;
        f.debug_struct("LedgerDevice")
            .field("handle", handle)
            .field("changed", changed)
            .field("deleted", deleted)
            .field("owner", owner)
            .field("state", state)
            .finish_non_exhaustive()
    }
}

/// What came of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceChange {
    /// It is in the ledger under this number.
    Kept(u64),
    /// The ledger has a later change of the device, with this number.
    Older(u64),
}

/// Changes of devices, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceNews {
    /// The devices as they are now.
    pub devices: Vec<LedgerDevice>,
    /// All devices are read anew, beginning with these: forget what is not among them once there is no more to read.
    pub from_scratch: bool,
    /// There is more to read at once.
    pub more: bool,
}

/// Reads changes of devices, each at least once.
#[derive(Debug, Default)]
pub struct DeviceReader {
    /// All changes up to this number were read.
    rev: u64,
    /// All devices are being read, and before that began changes up to this number were forgotten.
    reading_all: Option<u64>,
}

/// Writes changes of devices; returns what came of each, in their order.
pub async fn change(line: &mut Line, devices: &[LedgerDevice]) -> Result<Vec<DeviceChange>, LedgerError> {
    for device in devices {
        check(device)?;
    }
    attempt!(line.transaction(), |connection| {
        // First of all: whoever else changes devices waits here, and so nobody waits for anybody in a circle.
        let mut rev = locked(connection, "device").await?;
        let before = rev;
        let mut changes = Vec::with_capacity(devices.len());
        for device in devices {
            let known = known(connection, device).await?;
            if let Some((known, false)) = known {
                changes.push(DeviceChange::Older(known));
                continue;
            }
            rev += 1;
            write(connection, device, rev, known.is_some()).await?;
            changes.push(DeviceChange::Kept(rev));
        }
        if rev > before {
            let sql = "UPDATE `counter` SET `value` = ? WHERE `name` = 'device'";
            sqlx::query(sql).bind(rev).execute(&mut *connection).await?;
        }
        Ok(changes)
    })
}

fn check(device: &LedgerDevice) -> Result<(), LedgerError> {
    if device.token.len() <= TOKEN_MAX && device.body.len() <= BODY_MAX {
        return Ok(());
    }
    let message = format!("the device {:?} does not fit into the ledger", device.handle);
    Err(LedgerError::new(LedgerFault::Unfit, message, "shorten its list of monitors"))
}

/// Returns the value of a counter, whose row stays locked until the transaction ends.
pub(crate) async fn locked(connection: &mut MySqlConnection, name: &str) -> Work<u64> {
    let sql = "SELECT `value` FROM `counter` WHERE `name` = ? FOR UPDATE";
    Ok(sqlx::query(sql).bind(name).fetch_one(connection).await?.try_get(0)?)
}

/// Returns the number of the last change of that device, and whether this change is at least as late.
async fn known(connection: &mut MySqlConnection, device: &LedgerDevice) -> Work<Option<(u64, bool)>> {
    let sql =
        format!("SELECT `rev`, {} >= `changed` FROM `device` WHERE `handle` = ? FOR UPDATE", times::DATETIME);
    let row = sqlx::query(AssertSqlSafe(sql))
        .bind(times::bound(device.changed))
        .bind(device.handle.as_bytes().as_slice())
        .fetch_optional(connection)
        .await?;
    Ok(row.map(|row| Ok::<_, sqlx::Error>((row.try_get(0)?, row.try_get::<i64, _>(1)? != 0))).transpose()?)
}

async fn write(connection: &mut MySqlConnection, device: &LedgerDevice, rev: u64, exists: bool) -> Work<()> {
    // A clock that is ahead must not win against everybody for as long as it is ahead.
    let columns = format!(
        "`rev` = ?, `changed` = LEAST({at}, UTC_TIMESTAMP(3)), `updated` = UTC_TIMESTAMP(3), `deleted` = ?, `token` = ?, \
         `owner` = ?, `platform` = ?, `state` = ?, `muted_until` = {at}, `badge` = ?, `body` = ?",
        at = times::DATETIME
    );
    let sql = if exists {
        format!("UPDATE `device` SET {columns} WHERE `handle` = ?")
    } else {
        format!("INSERT INTO `device` SET {columns}, `handle` = ?")
    };
    sqlx::query(AssertSqlSafe(sql))
        .bind(rev)
        .bind(times::bound(device.changed))
        .bind(device.deleted)
        .bind(&device.token)
        .bind(&device.owner)
        .bind(&device.platform)
        .bind(&device.state)
        .bind(device.muted_until.map(times::bound))
        .bind(device.badge)
        .bind(&device.body)
        .bind(device.handle.as_bytes().as_slice())
        .execute(connection)
        .await?;
    Ok(())
}

impl DeviceReader {
    /// A reader that has read all changes up to this number; 0: none.
    pub fn after(rev: u64) -> Self {
        Self { rev, reading_all: None }
    }

    /// Number of the last change that was read.
    pub fn rev(&self) -> u64 {
        self.rev
    }

    /// Returns the next changes, at most [`PAGE`] of them. After an error nothing is missed.
    pub async fn read(&mut self, line: &mut Line) -> Result<DeviceNews, LedgerError> {
        let (since, known) = (self.rev, self.reading_all);
        let (devices, reading_all) = attempt!(line.statements(), |connection| {
            if since == 0 {
                let floor = floor(connection).await?;
                return Ok((page(connection, 0).await?, Some(floor)));
            }
            let devices = page(connection, since).await?;
            if known.is_some() {
                return Ok((devices, known));
            }
            // Asked after the page: what was forgotten meanwhile is seen here.
            let floor = floor(connection).await?;
            if since >= floor {
                return Ok((devices, None));
            }
            Ok((page(connection, 0).await?, Some(floor)))
        })?;
        let from_scratch = reading_all.is_some() && known.is_none();
        let more = devices.len() == PAGE as usize;
        let last = devices.last().map_or(if from_scratch { 0 } else { since }, |(rev, _)| *rev);
        // Who has read all of it has missed nothing that was forgotten before.
        self.rev = if more { last } else { last.max(reading_all.unwrap_or_default()) };
        self.reading_all = reading_all.filter(|_| more);
        let devices = devices.into_iter().filter_map(|(_, device)| device).collect();
        Ok(DeviceNews { devices, from_scratch, more })
    }
}

/// Returns the number of the last change that is forgotten.
async fn floor(connection: &mut MySqlConnection) -> Work<u64> {
    let sql = "SELECT `value` FROM `counter` WHERE `name` = 'device-floor'";
    Ok(sqlx::query(sql).fetch_one(connection).await?.try_get(0)?)
}

/// Returns changes after a number, each with its own; `None` in place of what cannot be read.
async fn page(connection: &mut MySqlConnection, since: u64) -> Work<Vec<(u64, Option<LedgerDevice>)>> {
    let sql = format!(
        "SELECT `rev`, `handle`, {}, `deleted`, `token`, `owner`, `platform`, `state`, {}, `badge`, `body` \
         FROM `device` WHERE `rev` > ? ORDER BY `rev` LIMIT {PAGE}",
        times::millis("`changed`"),
        times::millis("`muted_until`")
    );
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(since).fetch_all(connection).await?;
    let devices = rows.iter().map(|row| Ok((row.try_get(0)?, device_of_row(row)?)));
    Ok(devices.collect::<Result<_, sqlx::Error>>()?)
}

fn device_of_row(row: &MySqlRow) -> Result<Option<LedgerDevice>, sqlx::Error> {
    let Some(handle) = DeviceHandle::of_bytes(&row.try_get::<Vec<u8>, _>(1)?) else { return Ok(None) };
    Ok(Some(LedgerDevice {
        handle,
        changed: times::timestamp(row.try_get(2)?),
        deleted: row.try_get(3)?,
        token: row.try_get(4)?,
        owner: row.try_get(5)?,
        platform: row.try_get(6)?,
        state: row.try_get(7)?,
        muted_until: row.try_get::<Option<i64>, _>(8)?.map(times::timestamp),
        badge: row.try_get(9)?,
        body: row.try_get(10)?,
    }))
}
