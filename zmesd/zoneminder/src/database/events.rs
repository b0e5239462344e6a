//! The rows of `Events`.
//!
//! ZoneMinder stores local time without a zone. Up to 1.36 the server itself writes the start of an event
//! (`from_unixtime`), so that it can work out the age in the zone in which the start was written. From 1.37 on `zmc`
//! writes it in the zone of its own process, which the server does not know; but the time of each picture is still
//! written by the server, and with it how long after the start it was taken. So there the pictures tell.

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, MySql, QueryBuilder};
use zmes_shared::{EventId, MonitorId};

use super::cells::{Cells, Odd, readable};
use super::explain::Answer;
use super::schema::{Schema, Session};
use crate::EventRow;

/// Maximum number of open events of a monitor that are read. One is usual; crashes leave others open.
const MAX_OPEN: u32 = 8;
/// Number of newest events that the zone is computed from; the last may have no pictures yet.
const LATEST: u32 = 20;
/// The smallest difference of two zones, in seconds.
const ZONE_STEP: i128 = 15 * 60;

pub(super) async fn newest(session: &mut Session<'_>) -> Answer<Option<EventId>> {
    session.schema.require("Events", &["Id"])?;
    let newest = sqlx::query("SELECT MAX(`Id`) AS `Newest` FROM `Events`");
    let row = newest.fetch_one(&mut *session.connection).await?;
    let newest = Cells(&row).integer("Newest")?;
    newest.map(|id| u64::try_from(id).map(EventId).map_err(|_| Odd("Id").into())).transpose()
}

/// Returns the events after `after`, and those of `also` that exist, ordered by id.
pub(super) async fn since(
    session: &mut Session<'_>,
    after: EventId,
    also: &[EventId],
    limit: u32,
) -> Answer<Vec<EventRow>> {
    let mut query = QueryBuilder::<MySql>::new(format!("{} WHERE `Id` > ", select(session.schema)?));
    query.push_bind(after.0);
    if !also.is_empty() {
        query.push(" OR `Id` IN (");
        let mut ids = query.separated(", ");
        for id in also {
            ids.push_bind(id.0);
        }
        query.push(")");
    }
    query.push(" ORDER BY `Id` LIMIT ").push_bind(limit);
    // With a list the text differs each time: not worth preparing.
    let rows = query.build().persistent(also.is_empty()).fetch_all(&mut *session.connection).await?;
    finish(session, &rows).await
}

pub(super) async fn open(session: &mut Session<'_>, monitor: MonitorId) -> Answer<Vec<EventRow>> {
    let (select, (_, end)) = (select(session.schema)?, times(session.schema));
    let sql =
        format!("{select} WHERE `MonitorId` = ? AND `{end}` IS NULL ORDER BY `Id` DESC LIMIT {MAX_OPEN}");
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(monitor.0).fetch_all(&mut *session.connection).await?;
    finish(session, &rows).await
}

/// The columns of start and end; 1.36 renamed them.
fn times(schema: &Schema) -> (&'static str, &'static str) {
    if schema.has("Events", "StartDateTime") {
        ("StartDateTime", "EndDateTime")
    } else {
        ("StartTime", "EndTime")
    }
}

pub(super) fn start_column(schema: &Schema) -> &'static str {
    times(schema).0
}

/// The age of an event by its own pictures, which all give the same; NULL before the first one.
const AGE_BY_PICTURES: &str = "(SELECT CAST(UNIX_TIMESTAMP() AS SIGNED) - CAST(UNIX_TIMESTAMP(`f`.`TimeStamp`) AS SIGNED) \
     + CAST(`f`.`Delta` AS SIGNED) FROM `Frames` AS `f` WHERE `f`.`EventId` = `Events`.`Id` LIMIT 1)";

/// Says whether ages come from pictures: see above.
fn pictures_tell(schema: &Schema) -> bool {
    let needed =
        [("Monitors", "Capturing"), ("Frames", "EventId"), ("Frames", "TimeStamp"), ("Frames", "Delta")];
    needed.iter().all(|(table, column)| schema.has(table, column))
}

/// The first line of the notes, up to the length of a cause.
const FIRST_LINE: &str = "SUBSTRING_INDEX(LEFT(`Notes`, 255), '\n', 1)";

fn select(schema: &Schema) -> Answer<String> {
    let (start, end) = times(schema);
    schema.require("Events", &["Id", "MonitorId", "Cause", "AlarmFrames", start, end])?;
    let by_pictures = if pictures_tell(schema) { AGE_BY_PICTURES } else { "NULL" };
    let notes = if schema.has("Events", "Notes") { FIRST_LINE } else { "NULL" };
    Ok(format!(
        "SELECT `Id`, `MonitorId`, `Cause`, {notes} AS `FirstNote`, `AlarmFrames`, TIMESTAMPDIFF(SECOND, `{start}`, NOW()) AS `Age`, \
         {by_pictures} AS `AgeByPictures`, `{end}` IS NULL AS `IsOpen` FROM `Events`"
    ))
}

/// A row whose age may still need a correction for the zone.
struct Raw {
    event: EventRow,
    /// Seconds since its start, as written.
    by_start: Option<i128>,
    by_pictures: Option<i128>,
}

async fn finish(session: &mut Session<'_>, rows: &[MySqlRow]) -> Answer<Vec<EventRow>> {
    let raw = read(rows);
    let unsure = raw.iter().any(|raw| raw.by_pictures.is_none() && raw.by_start.is_some());
    let shifts = if unsure && pictures_tell(session.schema) {
        Shifts::read(session).await?
    } else {
        Shifts::default()
    };
    let aged = raw.into_iter().map(|Raw { mut event, by_start, by_pictures }| {
        let by_start = by_start.map(|age| age - shifts.of(event.monitor));
        let age = by_pictures.or(by_start).unwrap_or_default();
        event.age = Duration::from_secs(u64::try_from(age.max(0)).unwrap_or(u64::MAX));
        event
    });
    Ok(aged.collect())
}

/// By how much the zone in which starts are written is behind the server's, in seconds: as the newest events with pictures
/// have it. Monitors of several servers may have zones of their own.
#[derive(Debug, Default)]
struct Shifts {
    by_monitor: BTreeMap<MonitorId, i128>,
    newest: i128,
}

impl Shifts {
    async fn read(session: &mut Session<'_>) -> Answer<Self> {
        let sql = format!("{} ORDER BY `Id` DESC LIMIT {LATEST}", select(session.schema)?);
        let latest = session.rows(sql).await?;
        let mut shifts = Self::default();
        // The oldest first, so that the newest counts.
        for raw in read(&latest).into_iter().rev() {
            let (Some(by_start), Some(by_pictures)) = (raw.by_start, raw.by_pictures) else { continue };
            // Zones differ by quarters of an hour, all else is rounding.
            let shift = (by_start - by_pictures + ZONE_STEP / 2).div_euclid(ZONE_STEP) * ZONE_STEP;
            shifts.by_monitor.insert(raw.event.monitor, shift);
            shifts.newest = shift;
        }
        Ok(shifts)
    }

    fn of(&self, monitor: MonitorId) -> i128 {
        self.by_monitor.get(&monitor).copied().unwrap_or(self.newest)
    }
}

fn read(rows: &[MySqlRow]) -> Vec<Raw> {
    readable("Events", rows, |cells| {
        let event = EventRow {
            id: EventId(cells.id("Id")?),
            monitor: MonitorId(cells.id("MonitorId")?),
            cause: cells.shown("Cause")?.unwrap_or_default(),
            notes: cells.shown("FirstNote")?.unwrap_or_default(),
            // NULL in an event that has just begun.
            alarm_frames: u32::try_from(cells.integer("AlarmFrames")?.unwrap_or_default())
                .map_err(|_| Odd("AlarmFrames"))?,
            age: Duration::ZERO,
            open: cells.flag("IsOpen")?,
        };
        Ok(Raw { event, by_start: cells.integer("Age")?, by_pictures: cells.integer("AgeByPictures")? })
    })
}
