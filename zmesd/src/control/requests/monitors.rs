//! `monitors list` and `monitors reload`

use std::collections::BTreeMap;

use zmes_shared::control::{ControlError, ErrorCode};
use zmes_shared::views::{MonitorCounts, MonitorView, Monitors, Reloaded};
use zmes_shared::{MonitorId, MonitorState};

use crate::control::ControlParts;
use crate::domain::Monitor;

/// A monitor as the list shows it, and whether alarms of it are meant to be seen.
pub(super) struct Listed {
    pub(super) view: MonitorView,
    pub(super) watched: bool,
}

/// Returns the monitors.
pub(super) fn list(parts: &ControlParts) -> Monitors {
    Monitors { monitors: join(parts).into_iter().map(|listed| listed.view).collect() }
}

/// Reads monitors, users and rights again.
pub(super) async fn reload(parts: &ControlParts) -> Result<Reloaded, ControlError> {
    parts.catalog.refresh().await.map_err(|error| {
        ControlError::new(ErrorCode::Unavailable, error.to_string())
            .with_hint("the last good lists stay in force; zmesctl check db")
    })
}

/// Returns how many monitors there are, and how many of those that should be read are.
pub(super) fn counts(parts: &ControlParts) -> MonitorCounts {
    let listed = join(parts);
    let (healthy, stale): (Vec<_>, Vec<_>) =
        listed.iter().filter(|listed| listed.watched).partition(|listed| listed.view.healthy);
    MonitorCounts { total: listed.len() as u64, watched: healthy.len() as u64, stale: stale.len() as u64 }
}

/// Joins what the database says of the monitors with what the poller sees of them, ordered by id.
pub(super) fn join(parts: &ControlParts) -> Vec<Listed> {
    let reports = parts.reports.borrow().clone();
    let catalog = parts.catalog.now();
    // The poller may already, or still, see monitors that the last list does not have.
    let seen = reports.iter().map(|(id, view)| (*id, Listed { view: view.clone(), watched: true }));
    let mut listed: BTreeMap<MonitorId, Listed> = seen.collect();
    for monitor in catalog.monitors.iter() {
        let entry = listed.entry(monitor.id);
        let listed = entry.or_insert_with(|| Listed { view: unseen(monitor), watched: true });
        listed.watched = monitor.watched.is_ok();
        monitor.name.as_ref().clone_into(&mut listed.view.name);
    }
    listed.into_values().collect()
}

/// A monitor that the poller does not look at (yet).
fn unseen(monitor: &Monitor) -> MonitorView {
    let reason = monitor.watched.err().map_or("not looked at yet", |reason| reason.as_str());
    MonitorView {
        id: monitor.id,
        name: monitor.name.to_string(),
        source: "none".to_owned(),
        state: MonitorState::Unknown,
        last_event_id: None,
        layout: None,
        healthy: false,
        reason: Some(reason.to_owned()),
    }
}
