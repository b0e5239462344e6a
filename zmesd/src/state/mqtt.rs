//! What home automation remembers: who we are to Home Assistant, which events the broker has, what is retained there.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use zmes_shared::control::Since;

use super::ends::{self, RecordedEnd};
use super::handle::{OpenAlarm, RecordedAlarm, StateHandle, StateResult};
use super::remembered::{recent, understood};
use super::troubles::{self, TroubleRow};
use super::{SqlResult, record};

const INSTANCE: &str = "instance";
const CURSOR: &str = "cursor";
const STARTS: &str = "starts";
const PUBLISHED: &str = "published";

/// A device that was announced to Home Assistant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MqttDevice {
    pub topic: String,
    pub object: String,
    pub hash: String,
    pub components: Vec<String>,
}

/// What a daemon before has left; the texts are their owner's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MqttMemory {
    pub instance: Option<String>,
    pub cursor: Option<String>,
    pub starts: Option<String>,
    pub published: Option<String>,
    pub devices: Vec<MqttDevice>,
}

/// Alarms that may have been missed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MqttMissed {
    /// Oldest first.
    pub alarms: Vec<RecordedAlarm>,
    /// Oldest first.
    pub ends: Vec<RecordedEnd>,
    /// The last alarm of each monitor that goes on.
    pub open: Vec<OpenAlarm>,
    /// Everything that was noted before is on the disk, and so in here.
    pub settled: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MqttNote {
    Instance(String),
    Cursor(String),
    Starts(String),
    Published(String),
    /// All devices, in place of those before.
    Devices(Vec<MqttDevice>),
}

pub(super) async fn keep(transaction: &mut SqliteConnection, note: &MqttNote) -> SqlResult {
    let (name, value) = match note {
        MqttNote::Instance(value) => (INSTANCE, value),
        MqttNote::Cursor(value) => (CURSOR, value),
        MqttNote::Starts(value) => (STARTS, value),
        MqttNote::Published(value) => (PUBLISHED, value),
        MqttNote::Devices(devices) => return keep_devices(transaction, devices).await,
    };
    let query = sqlx::query("REPLACE INTO mqtt (name, value) VALUES (?, ?)").bind(name).bind(value);
    query.execute(transaction).await.map(drop)
}

async fn keep_devices(transaction: &mut SqliteConnection, devices: &[MqttDevice]) -> SqlResult {
    sqlx::query("DELETE FROM mqtt_devices").execute(&mut *transaction).await?;
    for MqttDevice { topic, object, hash, components } in devices {
        let insert = "REPLACE INTO mqtt_devices (topic, object, hash, components) VALUES (?, ?, ?, ?)";
        let row = sqlx::query(insert).bind(topic).bind(object).bind(hash).bind(components.join(" "));
        row.execute(&mut *transaction).await?;
    }
    Ok(())
}

impl StateHandle {
    /// Returns what home automation remembers.
    pub async fn mqtt_memory(&self) -> StateResult<MqttMemory> {
        let pool = self.settled().await;
        let rows = sqlx::query("SELECT name, value FROM mqtt").fetch_all(&pool).await;
        let rows: Vec<(String, String)> =
            understood("mqtt", &self.answer(rows)?, |row| Ok((row.try_get(0)?, row.try_get(1)?)));
        let query = "SELECT topic, object, hash, components FROM mqtt_devices ORDER BY topic";
        let devices = self.answer(sqlx::query(query).fetch_all(&pool).await)?;
        let mut memory =
            MqttMemory { devices: understood("mqtt_devices", &devices, device), ..MqttMemory::default() };
        for (name, value) in rows {
            match name.as_str() {
                INSTANCE => memory.instance = Some(value),
                CURSOR => memory.cursor = Some(value),
                STARTS => memory.starts = Some(value),
                PUBLISHED => memory.published = Some(value),
                _ => {}
            }
        }
        Ok(memory)
    }

    /// Returns alarms and ends after `since`, at most `limit` of each (the newest win), and what goes on now.
    pub async fn mqtt_missed(&self, since: Timestamp, now: Timestamp, limit: u32) -> StateResult<MqttMissed> {
        let settled = self.settle().await;
        let (pool, since) = (self.reader(), Since::Time(since));
        let span = self.answer(record::span(&pool, since, limit).await)?;
        let alarms = self.replay_page(span, limit).await?.into_iter().map(|(_, alarm)| alarm).collect();
        let (ends, _) = self.answer(ends::after(&pool, since, limit).await)?;
        let open = self.answer(ends::open(&pool, recent(now)).await)?;
        Ok(MqttMissed { alarms, ends, open, settled })
    }

    /// Returns the last alarm of each monitor that goes on.
    pub async fn alarms_that_go_on(&self, now: Timestamp) -> StateResult<Vec<OpenAlarm>> {
        self.answer(ends::open(&self.settled().await, recent(now)).await)
    }

    /// Returns the troubles that stand, oldest first.
    pub async fn standing_troubles(&self) -> StateResult<Vec<TroubleRow>> {
        self.answer(troubles::standing(&self.settled().await).await)
    }
}

fn device(row: &SqliteRow) -> SqlResult<MqttDevice> {
    let components = row.try_get::<&str, _>(3)?.split_whitespace().map(ToOwned::to_owned).collect();
    Ok(MqttDevice { topic: row.try_get(0)?, object: row.try_get(1)?, hash: row.try_get(2)?, components })
}
