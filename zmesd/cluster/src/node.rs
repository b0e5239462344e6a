//! The nodes: who they are, who is alive, and that each name has one instance.
//!
//! A node has a name (configured), an identity (16 random bytes that it keeps on its own disk) and an epoch that grows with
//! each start. The epoch fences: what an instance writes holds only while the epoch is its own. The identity tells a
//! restart from a second host with the same name, which is refused while the first is alive.

use std::time::Duration;

use sqlx::{AssertSqlSafe, MySqlConnection, Row};

use crate::fault::{LedgerError, LedgerFault, is_duplicate};
use crate::line::{LedgerLine, Stop, Work, attempt};
use crate::times;

/// A node of which nothing was heard for this long counts as gone: others may take its name, or watch its monitors.
pub const SILENCE: Duration = Duration::from_secs(10);

/// [`NodeSettings::prefer`] of a node that is not configured to send pushes.
pub const NEVER: i16 = i16::MIN;

/// Says whether a node is at work.
pub(crate) fn is_alive(stopped: bool, silent: Duration) -> bool {
    !stopped && silent < SILENCE
}

/// Longest name, version, and address or trouble of a node, in characters.
const NAME_MAX: usize = 64;
const VERSION_MAX: usize = 32;
const TEXT_MAX: usize = 255;

/// Number of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u16);

/// One start of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeKey {
    /// The node.
    pub id: NodeId,
    /// Which start of it.
    pub epoch: u64,
}

/// What a node says of itself when it starts.
#[derive(Debug, Clone)]
pub struct NodeSettings {
    /// Its name, unique among the nodes; at most 64 characters.
    pub name: String,
    /// Random, made once and kept on the node's own disk.
    pub identity: [u8; 16],
    /// The last epoch that this node remembers (0: none): after a crash of the database that forgot it, it is not used again.
    pub last_epoch: u64,
    /// `Servers.Id` of the host in ZoneMinder, where it has one.
    pub server: Option<u32>,
    /// The node with the highest number sends pushes, if it is well; [`NEVER`] keeps it from that.
    pub prefer: i16,
    /// Version of the program; at most 32 characters.
    pub version: String,
    /// How other nodes reach this one; may be empty.
    pub address: String,
}

impl NodeSettings {
    fn check(&self) -> Result<(), LedgerError> {
        let Self { name, version, address, .. } = self;
        let fits = |text: &str, max| text.chars().count() <= max && !text.chars().any(char::is_control);
        if !name.is_empty() && fits(name, NAME_MAX) && fits(version, VERSION_MAX) && fits(address, TEXT_MAX) {
            return Ok(());
        }
        let message = format!("the node's name may have {NAME_MAX} characters, its address {TEXT_MAX}");
        Err(LedgerError::new(LedgerFault::Unfit, message, "shorten [cluster] name or address in zmesd.toml"))
    }
}

/// What came of a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// It is a node now. Instances before it are fenced.
    Member(Membership),
    /// Another host with this name is alive: this one must not start.
    Twin(Twin),
}

/// A node that may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    /// Its key.
    pub key: NodeKey,
    /// Number of its newest alarm: the next one gets the number after it.
    pub seq: u64,
    /// How long nothing was heard of it before this start; `None`: it is new.
    pub away: Option<Duration>,
    /// The ledger knows this installation, not only one of its name: what was in the ledger when it was there last, and is not
    /// any more, was forgotten since, also if the ledger was restored from an older copy meanwhile.
    pub is_known: bool,
}

/// The other host with the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Twin {
    /// The name that both have.
    pub name: String,
    /// How others reach it; may be empty.
    pub address: String,
    /// `Servers.Id` of its host.
    pub server: Option<u32>,
    /// How long nothing was heard of it.
    pub silent: Duration,
}

/// What came of a sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heartbeat {
    /// The node is what it was.
    Alive,
    /// A later start has the name: this instance must not write any more, nor send.
    Fenced,
    /// An admin has removed the node; it may register anew.
    Removed,
    /// The database has lost what it had confirmed, this start of the node with it: register anew.
    Forgotten,
}

/// What a node tells with a sign of life.
#[derive(Debug, Clone, Default)]
pub struct Health {
    /// What keeps it from sending pushes; empty: nothing. A node that is well then takes the lease. More than 255
    /// characters are cut off.
    pub trouble: String,
    /// By how much the database's clock is ahead of the node's, in milliseconds.
    pub clock_ms: i32,
}

/// One node, as others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRow {
    /// Its key.
    pub key: NodeKey,
    /// Its name.
    pub name: String,
    /// `Servers.Id` of its host.
    pub server: Option<u32>,
    /// Number of its newest alarm.
    pub seq: u64,
    /// How long nothing was heard of it.
    pub silent: Duration,
    /// It has said goodbye.
    pub stopped: bool,
    /// By how much the database's clock is ahead of its clock, in milliseconds.
    pub clock_ms: i32,
    /// See [`NodeSettings::prefer`].
    pub prefer: i16,
    /// Version of its program.
    pub version: String,
    /// How others reach it.
    pub address: String,
    /// What keeps it from sending pushes; empty: nothing.
    pub trouble: String,
}

impl NodeRow {
    /// Says whether it is at work.
    pub fn is_alive(&self) -> bool {
        is_alive(self.stopped, self.silent)
    }
}

/// What came of removing a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// It is gone. Its alarms stay as long as others do.
    Done,
    /// It is at work: stop it first.
    Alive,
    /// There is no such node.
    Unknown,
}

/// Registers a start of a node, and fences the one before.
pub async fn register(line: &mut LedgerLine, settings: &NodeSettings) -> Result<Admission, LedgerError> {
    settings.check()?;
    attempt!(line.transaction(), |connection| {
        let Some(known) = Known::read(connection, &settings.name).await? else {
            return insert(connection, settings).await.map(Admission::Member);
        };
        if known.identity != settings.identity && is_alive(known.stopped, known.silent) {
            let Known { address, server, silent, .. } = known;
            return Ok(Admission::Twin(Twin { name: settings.name.clone(), address, server, silent }));
        }
        let key = NodeKey { id: known.key.id, epoch: known.key.epoch.max(settings.last_epoch) + 1 };
        update(connection, settings, key).await?;
        let is_known = known.identity == settings.identity;
        Ok(Admission::Member(Membership { key, seq: known.seq, away: Some(known.silent), is_known }))
    })
}

/// The row of a name, locked until the transaction ends.
struct Known {
    key: NodeKey,
    seq: u64,
    identity: [u8; 16],
    address: String,
    server: Option<u32>,
    silent: Duration,
    stopped: bool,
}

impl Known {
    async fn read(connection: &mut MySqlConnection, name: &str) -> Work<Option<Self>> {
        let sql = format!(
            "SELECT `id`, `epoch`, `seq`, `identity`, `address`, `server`, {}, `stopped` FROM `node` \
             WHERE `name` = ? FOR UPDATE",
            times::age("`seen`")
        );
        let row = sqlx::query(AssertSqlSafe(sql)).bind(name).fetch_optional(connection).await?;
        let Some(row) = row else { return Ok(None) };
        let identity: Vec<u8> = row.try_get(3)?;
        Ok(Some(Self {
            key: NodeKey { id: NodeId(row.try_get(0)?), epoch: row.try_get(1)? },
            seq: row.try_get(2)?,
            identity: identity.try_into().unwrap_or_default(),
            address: row.try_get(4)?,
            server: row.try_get(5)?,
            silent: times::duration(row.try_get(6)?),
            stopped: row.try_get(7)?,
        }))
    }
}

async fn insert(connection: &mut MySqlConnection, settings: &NodeSettings) -> Work<Membership> {
    // Not `ON DUPLICATE KEY UPDATE`: each start would use up a number of the small `id`.
    let sql = "INSERT INTO `node` (`name`, `identity`, `server`, `epoch`, `seen`, `prefer`, `version`, `address`) \
               VALUES (?, ?, ?, ?, UTC_TIMESTAMP(3), ?, ?, ?)";
    let inserted = sqlx::query(sql)
        .bind(&settings.name)
        .bind(settings.identity.as_slice())
        .bind(settings.server)
        .bind(settings.last_epoch + 1)
        .bind(settings.prefer)
        .bind(&settings.version)
        .bind(&settings.address)
        .execute(connection)
        .await;
    match inserted {
        Ok(done) => {
            let id = u16::try_from(done.last_insert_id()).map_err(|_| sqlx::Error::RowNotFound)?;
            let key = NodeKey { id: NodeId(id), epoch: settings.last_epoch + 1 };
            Ok(Membership { key, seq: 0, away: None, is_known: false })
        }
        // Two new hosts with one name: the second one finds the first.
        Err(error) if is_duplicate(&error) => Err(Stop::Again),
        Err(error) => Err(error.into()),
    }
}

async fn update(connection: &mut MySqlConnection, settings: &NodeSettings, key: NodeKey) -> Work<()> {
    let sql = "UPDATE `node` SET `identity` = ?, `server` = ?, `epoch` = ?, `first` = `seq`, `seen` = UTC_TIMESTAMP(3), \
               `stopped` = FALSE, `prefer` = ?, `version` = ?, `address` = ?, `health` = '' WHERE `id` = ?";
    sqlx::query(sql)
        .bind(settings.identity.as_slice())
        .bind(settings.server)
        .bind(key.epoch)
        .bind(settings.prefer)
        .bind(&settings.version)
        .bind(&settings.address)
        .bind(key.id.0)
        .execute(connection)
        .await?;
    Ok(())
}

/// Gives a sign of life: once a second.
pub async fn heartbeat(
    line: &mut LedgerLine,
    key: NodeKey,
    health: &Health,
) -> Result<Heartbeat, LedgerError> {
    // Not in a transaction: one statement is one anyway. The server counts rows that match, also where nothing changes
    // (sqlx asks for it: CLIENT_FOUND_ROWS).
    attempt!(line.statements(), |connection| {
        let sql = "UPDATE `node` SET `seen` = UTC_TIMESTAMP(3), `health` = ?, `clock` = ? WHERE `id` = ? AND `epoch` = ?";
        let done = sqlx::query(sql)
            .bind(health.trouble.chars().take(TEXT_MAX).collect::<String>())
            .bind(health.clock_ms)
            .bind(key.id.0)
            .bind(key.epoch)
            .execute(&mut *connection)
            .await?;
        if done.rows_affected() > 0 {
            return Ok(Heartbeat::Alive);
        }
        not_ours(connection, key).await
    })
}

/// Notes `Servers.Id` of a node's host, where it was not known at the registration: `zm.conf` may only have the name.
pub async fn set_server(line: &mut LedgerLine, key: NodeKey, server: u32) -> Result<(), LedgerError> {
    attempt!(line.statements(), |connection| {
        let sql = "UPDATE `node` SET `server` = ? WHERE `id` = ? AND `epoch` = ?";
        sqlx::query(sql).bind(server).bind(key.id.0).bind(key.epoch).execute(connection).await?;
        Ok(())
    })
}

/// Says what became of a node whose row did not match.
pub(crate) async fn not_ours(connection: &mut MySqlConnection, key: NodeKey) -> Work<Heartbeat> {
    let row = sqlx::query("SELECT `epoch` FROM `node` WHERE `id` = ?").bind(key.id.0);
    let epoch: Option<u64> = row.fetch_optional(connection).await?.map(|row| row.try_get(0)).transpose()?;
    match epoch {
        None => Ok(Heartbeat::Removed),
        Some(epoch) if epoch > key.epoch => Ok(Heartbeat::Fenced),
        Some(epoch) if epoch < key.epoch => Ok(Heartbeat::Forgotten),
        // It was not ours a moment ago: look again.
        Some(_) => Err(Stop::Again),
    }
}

/// Says goodbye: others need not wait to see that this node is gone.
pub async fn stop(line: &mut LedgerLine, key: NodeKey) -> Result<(), LedgerError> {
    attempt!(line.statements(), |connection| {
        let sql =
            "UPDATE `node` SET `stopped` = TRUE, `seen` = UTC_TIMESTAMP(3) WHERE `id` = ? AND `epoch` = ?";
        sqlx::query(sql).bind(key.id.0).bind(key.epoch).execute(connection).await?;
        Ok(())
    })
}

/// Returns all nodes, ordered by name.
pub async fn nodes(line: &mut LedgerLine) -> Result<Vec<NodeRow>, LedgerError> {
    attempt!(line.statements(), |connection| {
        let sql = format!(
            "SELECT `id`, `epoch`, `name`, `server`, `seq`, {}, `stopped`, `clock`, `prefer`, `version`, `address`, \
             `health` FROM `node` ORDER BY `name`",
            times::age("`seen`")
        );
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(connection).await?;
        let mut nodes = Vec::with_capacity(rows.len());
        for row in rows {
            nodes.push(NodeRow {
                key: NodeKey { id: NodeId(row.try_get(0)?), epoch: row.try_get(1)? },
                name: row.try_get(2)?,
                server: row.try_get(3)?,
                seq: row.try_get(4)?,
                silent: times::duration(row.try_get(5)?),
                stopped: row.try_get(6)?,
                clock_ms: row.try_get(7)?,
                prefer: row.try_get(8)?,
                version: row.try_get(9)?,
                address: row.try_get(10)?,
                trouble: row.try_get(11)?,
            });
        }
        Ok(nodes)
    })
}

/// Removes a node that is not at work any more.
pub async fn remove(line: &mut LedgerLine, name: &str) -> Result<Removal, LedgerError> {
    attempt!(line.transaction(), |connection| {
        let Some(known) = Known::read(connection, name).await? else { return Ok(Removal::Unknown) };
        if is_alive(known.stopped, known.silent) {
            return Ok(Removal::Alive);
        }
        sqlx::query("DELETE FROM `node` WHERE `id` = ?").bind(known.key.id.0).execute(connection).await?;
        Ok(Removal::Done)
    })
}
