//! `/readyz`: is everything there that the daemon needs to do its work?

use std::fmt::Write as _;

use zmes_shared::words::StateSource;
use zmes_zoneminder::DbHealth;

use super::Parts;
use crate::admin::conditions;
use crate::detect::MonitorReport;
use crate::telemetry::{Labels, Part};

/// Longest reason, in characters: it may be a database's message.
const REASON_MAX: usize = 300;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PartReport {
    pub(super) part: Part,
    pub(super) ready: bool,
    pub(super) detail: String,
}

pub(super) fn parts(parts: &Parts) -> Vec<PartReport> {
    let report = |part: Part| {
        let (ready, detail) = match part {
            Part::Database => database(&parts.database.borrow()),
            Part::Sources => sources(parts),
            Part::Listeners => listeners(parts),
        };
        PartReport { part, ready, detail: one_line(&detail) }
    };
    Part::all().into_iter().map(report).collect()
}

fn database(health: &DbHealth) -> (bool, String) {
    match health {
        DbHealth::Up => (true, "answers".to_owned()),
        DbHealth::Untried => (false, "not asked yet".to_owned()),
        DbHealth::Down(reason) => (false, format!("does not answer: {reason}")),
    }
}

/// One failed camera is a case for alerts. The daemon is not ready when it sees none of them.
fn sources(parts: &Parts) -> (bool, String) {
    if parts.catalog.now().loaded_at.is_none() {
        return (false, "the monitors are not known yet".to_owned());
    }
    let reports = parts.reports.borrow().clone();
    let polled: Vec<&MonitorReport> =
        reports.values().filter(|report| report.source() != StateSource::Nowhere).collect();
    let (seen, total) = (polled.iter().filter(|report| report.healthy()).count(), polled.len());
    match polled.first() {
        None => (true, "no monitor is to be watched".to_owned()),
        Some(first) if seen == 0 => {
            let (id, name) = (first.id, &first.name);
            let reason =
                conditions::diagnose(id, &first.condition).map_or_else(String::new, |found| found.sentence);
            (false, format!("none of {total} monitors can be seen; monitor {id} ({name}): {reason}"))
        }
        Some(_) => (true, format!("{seen} of {total} monitors can be seen")),
    }
}

fn listeners(parts: &Parts) -> (bool, String) {
    let (serving, wanted) = (parts.counters.listeners.value(), parts.listeners as u64);
    (serving >= wanted && wanted > 0, format!("{serving} of {wanted} ports are served"))
}

pub(super) fn report(parts: &[PartReport]) -> (bool, String) {
    let ready = parts.iter().all(|part| part.ready);
    let mut text = if ready { "ready\n".to_owned() } else { "not ready\n".to_owned() };
    for PartReport { part, ready, detail } in parts {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}: {}{detail}", part.word(), if *ready { "" } else { "NOT READY: " });
    }
    (ready, text)
}

/// Makes one bounded line of it: names of monitors and reasons come from outside.
fn one_line(text: &str) -> String {
    zmes_shared::text::bounded(text, REASON_MAX)
}
