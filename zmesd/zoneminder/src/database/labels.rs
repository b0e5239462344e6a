//! What was detected in events: in `Events.Notes`, and as tags (1.37.44 and later).

use sqlx::mysql::MySqlRow;
use sqlx::{MySql, QueryBuilder};
use zmes_shared::{EventId, LABEL_MAX, Label, MAX_LABELS};

use super::cells::{clean, readable};
use super::explain::Answer;
use super::schema::{Schema, Session};
use crate::labels::in_notes;
use crate::{LabelSources, LabelsRead};

/// Events of one statement.
const EVENTS: usize = 64;

/// The notes from the first `detected:` on, at most 4 KiB: notes may have megabytes. Compared as bytes, because the
/// column's collation ignores case.
const NOTES: &str = "SUBSTRING(CAST(`Notes` AS BINARY), \
     LOCATE(CAST('detected:' AS BINARY), CAST(`Notes` AS BINARY)), 4096)";

pub(super) async fn read(
    session: &mut Session<'_>,
    events: &[EventId],
    sources: LabelSources,
) -> Answer<LabelsRead> {
    let notes = sources.notes && session.schema.has("Events", "Notes");
    let tags = sources.tags && has_tags(session.schema);
    let mut read = LabelsRead { possible: notes || tags, ..LabelsRead::default() };
    let events = events.get(..EVENTS).unwrap_or(events);
    if events.is_empty() {
        return Ok(read);
    }
    if notes {
        session.schema.require("Events", &["Id"])?;
        let sql = format!("SELECT `Id`, {NOTES} AS `Detected` FROM `Events` WHERE `Id` IN (");
        let rows = of_events(session, sql, events, ")").await?;
        let labels = readable("Events", &rows, |cells| {
            let notes = cells.text("Detected")?.unwrap_or_default();
            Ok((EventId(cells.id("Id")?), in_notes(&notes)))
        });
        for (event, labels) in labels {
            add(&mut read, event, labels);
        }
    }
    if tags {
        let sql = "SELECT `et`.`EventId` AS `EventId`, `t`.`Name` AS `Name` FROM `Events_Tags` AS `et` \
                   JOIN `Tags` AS `t` ON `t`.`Id` = `et`.`TagId` WHERE `et`.`EventId` IN (";
        let limit = format!(") ORDER BY `et`.`EventId`, `t`.`Id` LIMIT {}", EVENTS * MAX_LABELS);
        let rows = of_events(session, sql.to_owned(), events, &limit).await?;
        let labels = readable("Events_Tags", &rows, |cells| {
            let name = cells.text("Name")?.unwrap_or_default();
            Ok((EventId(cells.id("EventId")?), Label::new(&clean(&name, LABEL_MAX), None)))
        });
        for (event, label) in labels {
            add(&mut read, event, label);
        }
    }
    Ok(read)
}

fn has_tags(schema: &Schema) -> bool {
    let needed = [("Tags", "Id"), ("Tags", "Name"), ("Events_Tags", "TagId"), ("Events_Tags", "EventId")];
    needed.iter().all(|(table, column)| schema.has(table, column))
}

fn add(read: &mut LabelsRead, event: EventId, labels: impl IntoIterator<Item = Label>) {
    for label in labels {
        label.merge_into(read.found.entry(event).or_default());
    }
}

async fn of_events(
    session: &mut Session<'_>,
    sql: String,
    events: &[EventId],
    rest: &str,
) -> Answer<Vec<MySqlRow>> {
    let mut query = QueryBuilder::<MySql>::new(sql);
    let mut ids = query.separated(", ");
    for id in events {
        ids.push_bind(id.0);
    }
    query.push(rest);
    // The number of events differs each time: not worth preparing.
    Ok(query.build().persistent(false).fetch_all(&mut *session.connection).await?)
}
