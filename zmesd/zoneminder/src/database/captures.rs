//! The rows of `Monitor_Status`: what each `zmc` says of itself.
//!
//! From 1.36.34 on a row has the time when a capturing `zmc` renewed it last, every 10 s (`zm_monitor.cpp`, `UpdateFPS`), and
//! `zmstats.pl` deletes rows older than a minute. A `zmc` of 1.38 inserts its row again. One of 1.36 only updates it: a row
//! that was deleted while the database did not answer comes back when `zmc` connects to its camera again, perhaps never.
//! A `zmc` that does not reach its camera writes "Running" once, and then nothing (`zmc.cpp`, around `PrimeCapture`).
//! Up to 1.36.33 only a `zmc` that ends in order says so: one that was killed stays "Connected" for ever.

use std::time::Duration;

use zmes_shared::MonitorId;

use super::cells::{Cells, Odd, readable};
use super::explain::Answer;
use super::schema::Session;
use crate::{CaptureReport, CaptureReports, CaptureStatus};

pub(super) async fn read(session: &mut Session<'_>) -> Answer<Option<CaptureReports>> {
    let schema = session.schema;
    if !schema.has("Monitor_Status", "Status") {
        return Ok(None);
    }
    let dated = schema.has("Monitor_Status", "UpdatedOn");
    let age = if dated { "TIMESTAMPDIFF(SECOND, `UpdatedOn`, NOW())" } else { "NULL" };
    let pictures = if schema.has("Monitor_Status", "CaptureFPS") { "`CaptureFPS` > 0" } else { "NULL" };
    let sql = format!(
        "SELECT `MonitorId`, `Status`, {pictures} AS `Pictures`, {age} AS `Age` FROM `Monitor_Status`"
    );
    let rows = session.rows(sql).await?;
    let reports =
        readable("Monitor_Status", &rows, |cells| Ok((MonitorId(cells.id("MonitorId")?), report(cells)?)));
    // Snapshots up to 1.37.65 are taken for 1.38, too.
    let returning = dated && schema.has("Monitors", "Capturing");
    Ok(Some(CaptureReports { returning, reports: reports.into_iter().collect() }))
}

fn report(cells: Cells<'_>) -> Result<CaptureReport, Odd> {
    let status = match cells.text("Status")?.as_deref() {
        Some("Connected" | "Signal") => CaptureStatus::Connected,
        Some("Running") => CaptureStatus::Connecting,
        Some("NotRunning") => CaptureStatus::NotRunning,
        Some(_) | None => CaptureStatus::Unknown,
    };
    let pictures = cells.integer("Pictures")?.map(|pictures| pictures != 0);
    let age =
        cells.integer("Age")?.map(|age| Duration::from_secs(u64::try_from(age.max(0)).unwrap_or(u64::MAX)));
    Ok(CaptureReport { status, pictures, age })
}
