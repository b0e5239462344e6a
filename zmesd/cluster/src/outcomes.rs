//! What became of alarms for devices: written by the pusher, read by whoever takes over from it.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::{AssertSqlSafe, MySql, MySqlConnection, QueryBuilder, Row};
use zmes_shared::MonitorId;

use crate::alarms::{LogKey, LoggedAlarm, alarm_of_row, columns};
use crate::fault::LedgerError;
use crate::line::{LedgerLine, Work, attempt};
use crate::lists::{MOST, padded};
use crate::node::NodeId;
use crate::times::{self, DATETIME};

/// Longest reason and longest id of a provider, in characters.
const TEXT: usize = 120;
/// The column of [`open_alarms`] after those of an alarm.
const WRITTEN: usize = 9;

/// Names a device: the SHA-256 of its token.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceHandle([u8; 32]);

impl DeviceHandle {
    /// The handle with these bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn of_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Debug for DeviceHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutcomeKind {
    /// The provider took it.
    Taken,
    /// It was not to be sent.
    Withheld,
    /// It was tried, and will not be tried again.
    Abandoned,
}

impl OutcomeKind {
    fn number(self) -> u8 {
        match self {
            Self::Taken => 1,
            Self::Withheld => 2,
            Self::Abandoned => 3,
        }
    }
}

/// What became of an alarm for one device. The first that is written stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceOutcome {
    /// The device.
    pub device: DeviceHandle,
    /// What became of it.
    pub kind: OutcomeKind,
    /// Why, as a word; more than 120 characters are cut off.
    pub reason: String,
    /// The provider's id of the message; more than 120 characters are cut off.
    pub provider_id: String,
    /// When.
    pub at: Timestamp,
}

/// What the pusher has done, written in one transaction.
#[derive(Debug, Clone, Default)]
pub struct PusherReport {
    /// Outcomes; up to 256 are one statement.
    pub outcomes: Vec<(LogKey, DeviceOutcome)>,
    /// When devices were last told of a monitor.
    pub told: Vec<(DeviceHandle, MonitorId, Timestamp)>,
    /// Numbers on icons.
    pub badges: Vec<(DeviceHandle, u32, Timestamp)>,
    /// Alarms of which nothing is left to be pushed, once these outcomes are written.
    pub settled: Vec<LogKey>,
}

/// Writes what the pusher has done. It may be repeated, and also a pusher that has lost the lease reports what it sent: the
/// next one must know.
pub async fn report(line: &mut LedgerLine, report: &PusherReport) -> Result<(), LedgerError> {
    let outcomes: Vec<(LogKey, &DeviceOutcome)> =
        report.outcomes.iter().map(|(alarm, outcome)| (*alarm, outcome)).collect();
    attempt!(line.transaction(), |connection| {
        insert(connection, &outcomes).await?;
        told(connection, &report.told).await?;
        badges(connection, &report.badges).await?;
        settle(connection, &report.settled).await?;
        Ok(())
    })
}

/// Writes outcomes.
pub(crate) async fn insert(
    connection: &mut MySqlConnection,
    outcomes: &[(LogKey, &DeviceOutcome)],
) -> Work<()> {
    for chunk in outcomes.chunks(MOST) {
        let mut query = QueryBuilder::<MySql>::new(
            "INSERT INTO `done` (`node`, `seq`, `handle`, `outcome`, `reason`, `provider_id`, `at`) VALUES ",
        );
        for (index, (alarm, outcome)) in padded(chunk).enumerate() {
            query.push(if index == 0 { "(" } else { ", (" });
            let mut values = query.separated(", ");
            values.push_bind(alarm.node.0).push_bind(alarm.seq);
            values.push_bind(outcome.device.as_bytes().to_vec()).push_bind(outcome.kind.number());
            values.push_bind(cut(&outcome.reason)).push_bind(cut(&outcome.provider_id));
            query.push(", ");
            times::push(&mut query, outcome.at);
            query.push(")");
        }
        // `INSERT IGNORE` would also ignore what does not fit.
        query.push(" ON DUPLICATE KEY UPDATE `at` = `at`");
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// Notes that nothing is left to be pushed of these alarms.
pub(crate) async fn settle(connection: &mut MySqlConnection, alarms: &[LogKey]) -> Work<()> {
    for chunk in alarms.chunks(MOST) {
        let mut query = QueryBuilder::<MySql>::new("UPDATE `alarm` SET `settled` = TRUE WHERE ");
        for (index, alarm) in padded(chunk).enumerate() {
            query.push(if index == 0 { "(`node` = " } else { " OR (`node` = " });
            query.push_bind(alarm.node.0).push(" AND `seq` = ").push_bind(alarm.seq).push(")");
        }
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

async fn told(connection: &mut MySqlConnection, told: &[(DeviceHandle, MonitorId, Timestamp)]) -> Work<()> {
    for chunk in told.chunks(MOST) {
        let mut query = QueryBuilder::<MySql>::new("INSERT INTO `told` (`handle`, `monitor`, `at`) VALUES ");
        for (index, (device, monitor, at)) in padded(chunk).enumerate() {
            query.push(if index == 0 { "(" } else { ", (" });
            query.push_bind(device.as_bytes().to_vec()).push(", ").push_bind(monitor.0).push(", ");
            times::push(&mut query, *at);
            query.push(")");
        }
        query.push(" ON DUPLICATE KEY UPDATE `at` = GREATEST(`at`, VALUES(`at`))");
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

async fn badges(connection: &mut MySqlConnection, badges: &[(DeviceHandle, u32, Timestamp)]) -> Work<()> {
    for chunk in badges.chunks(MOST) {
        let mut query = QueryBuilder::<MySql>::new("INSERT INTO `badge` (`handle`, `count`, `at`) VALUES ");
        for (index, (device, count, at)) in padded(chunk).enumerate() {
            query.push(if index == 0 { "(" } else { ", (" });
            query.push_bind(device.as_bytes().to_vec()).push(", ").push_bind(*count).push(", ");
            times::push(&mut query, *at);
            query.push(")");
        }
        // The count first: the server assigns from left to right, and the time is what decides.
        query.push(
            " ON DUPLICATE KEY UPDATE `count` = IF(VALUES(`at`) >= `at`, VALUES(`count`), `count`), \
             `at` = GREATEST(`at`, VALUES(`at`))",
        );
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT).collect()
}

/// An alarm that may have to be pushed still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenAlarm {
    /// The alarm.
    pub logged: LoggedAlarm,
    /// Devices for which it is known what became of it: these are done.
    pub done: Vec<DeviceHandle>,
}

/// A place in the list of open alarms: after an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenPlace {
    written: Timestamp,
    key: LogKey,
}

impl Default for OpenPlace {
    /// The begin of the list.
    fn default() -> Self {
        Self { written: Timestamp::UNIX_EPOCH, key: LogKey::new(NodeId(0), 0) }
    }
}

/// A part of the list of open alarms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenPage {
    /// The alarms; not those of kinds that this version does not know.
    pub open: Vec<OpenAlarm>,
    /// Where the next page begins; `None`: this is the last one.
    pub next: Option<OpenPlace>,
}

/// Returns alarms that were written within `younger_than` and are not settled, in the order in which they were written,
/// beginning `after` a place: what a new pusher has to look at. At most `limit`.
pub async fn open_alarms(
    line: &mut LedgerLine,
    younger_than: Duration,
    after: OpenPlace,
    limit: u32,
) -> Result<OpenPage, LedgerError> {
    attempt!(line.statements(), |connection| {
        // By time, so that phones hear of them in that order; node and number make each place one that can be named.
        let sql = format!(
            "SELECT {}, {} FROM `alarm` WHERE NOT `settled` \
             AND `written` > UTC_TIMESTAMP(3) - INTERVAL ? * 1000 MICROSECOND \
             AND (`written` > {DATETIME} OR `written` = {DATETIME} AND (`node` > ? OR `node` = ? AND `seq` > ?)) \
             ORDER BY `written`, `node`, `seq` LIMIT ?",
            columns(),
            times::millis("`written`")
        );
        let (written, key) = (times::bound(after.written), after.key);
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(times::interval(younger_than))
            .bind(written)
            .bind(written)
            .bind(key.node.0)
            .bind(key.node.0)
            .bind(key.seq)
            .bind(limit)
            .fetch_all(&mut *connection)
            .await?;
        let mut page = OpenPage { open: Vec::with_capacity(rows.len()), next: None };
        for row in &rows {
            page.open.extend(alarm_of_row(row)?.map(|logged| OpenAlarm { logged, done: Vec::new() }));
        }
        if let Some(last) = rows.last().filter(|_| rows.len() == limit as usize) {
            let key = LogKey { node: NodeId(last.try_get(0)?), seq: last.try_get(1)? };
            page.next = Some(OpenPlace { written: times::timestamp(last.try_get(WRITTEN)?), key });
        }
        for chunk in page.open.chunks_mut(MOST) {
            add_done(connection, chunk).await?;
        }
        Ok(page)
    })
}

/// Adds for which devices it is known what came of these alarms.
async fn add_done(connection: &mut MySqlConnection, open: &mut [OpenAlarm]) -> Work<()> {
    let mut query = QueryBuilder::<MySql>::new("SELECT `node`, `seq`, `handle` FROM `done` WHERE ");
    for (index, OpenAlarm { logged, .. }) in padded(open).enumerate() {
        query.push(if index == 0 { "(`node` = " } else { " OR (`node` = " });
        query.push_bind(logged.key.node.0).push(" AND `seq` = ").push_bind(logged.key.seq).push(")");
    }
    for row in query.build().fetch_all(connection).await? {
        let key = LogKey { node: NodeId(row.try_get(0)?), seq: row.try_get(1)? };
        if let Some(open) = open.iter_mut().find(|open| open.logged.key == key) {
            open.done.extend(DeviceHandle::of_bytes(&row.try_get::<Vec<u8>, _>(2)?));
        }
    }
    Ok(())
}

/// When devices were last told of monitors, and the numbers on their icons: what a new pusher begins with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PusherState {
    /// When a device was last told of a monitor.
    pub told: Vec<(DeviceHandle, MonitorId, Timestamp)>,
    /// Numbers on icons.
    pub badges: Vec<(DeviceHandle, u32)>,
}

/// Reads what the pusher before has left.
pub async fn pusher_state(line: &mut LedgerLine) -> Result<PusherState, LedgerError> {
    attempt!(line.statements(), |connection| {
        let mut state = PusherState::default();
        let sql = format!("SELECT `handle`, `monitor`, {} FROM `told`", times::millis("`at`"));
        for row in sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut *connection).await? {
            let Some(device) = DeviceHandle::of_bytes(&row.try_get::<Vec<u8>, _>(0)?) else { continue };
            state.told.push((device, MonitorId(row.try_get(1)?), times::timestamp(row.try_get(2)?)));
        }
        for row in sqlx::query("SELECT `handle`, `count` FROM `badge`").fetch_all(&mut *connection).await? {
            let Some(device) = DeviceHandle::of_bytes(&row.try_get::<Vec<u8>, _>(0)?) else { continue };
            state.badges.push((device, row.try_get(1)?));
        }
        Ok(state)
    })
}

impl LogKey {
    /// The alarm with this number of this node.
    pub fn new(node: NodeId, seq: u64) -> Self {
        Self { node, seq }
    }
}
