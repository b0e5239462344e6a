//! `monitors list` and `monitors reload`

use std::sync::Arc;

use zmes_shared::MonitorId;
use zmes_shared::control::{ControlError, ErrorCode};
use zmes_shared::views::{MonitorCounts, MonitorElsewhere, MonitorView, Monitors, Reloaded, ServerView};
use zmes_shared::words::MonitorCondition;
use zmes_zoneminder::{Monitor, OtherServer};

use super::{conditions, snoozes};
use crate::admin::AdminParts;
use crate::detect::MonitorReport;

pub(super) struct ListedMonitor {
    pub(super) report: MonitorReport,
    /// ZoneMinder is set up so that it can alarm.
    pub(super) watched: bool,
    /// The server that captures it, if that is not this machine.
    pub(super) elsewhere: Option<Arc<OtherServer>>,
    /// No node of the cluster is at work there, and this one watches it.
    pub(super) is_orphan: bool,
}

pub(super) async fn list(parts: &AdminParts) -> Monitors {
    let silenced = snoozes::for_everybody(parts).await;
    let view = |listed: &ListedMonitor| MonitorView {
        snoozed_until: silenced.until(listed.report.id),
        server: listed.elsewhere.as_deref().map(|server| server_view(server, listed.is_orphan)),
        ..conditions::view(&listed.report)
    };
    let catalog = parts.catalog.now();
    let other = |(id, name): (&MonitorId, &Arc<str>)| MonitorElsewhere { id: *id, name: name.to_string() };
    Monitors {
        monitors: join(parts).iter().map(view).collect(),
        elsewhere: catalog.others.iter().map(other).collect(),
    }
}

pub(super) async fn reload(parts: &AdminParts) -> Result<Reloaded, ControlError> {
    parts.catalog.refresh().await.map_err(|error| {
        ControlError::new(ErrorCode::Unavailable, error.to_string())
            .with_hint("zmesd keeps the monitors and users it knows; zmesctl check db")
    })
}

/// Returns how many monitors there are, and how many of those that should be read are.
pub(super) fn counts(parts: &AdminParts) -> MonitorCounts {
    let listed = join(parts);
    let (healthy, stale): (Vec<_>, Vec<_>) =
        listed.iter().filter(|listed| listed.watched).partition(|listed| listed.report.healthy());
    let elsewhere = listed.iter().filter(|listed| listed.watched && listed.elsewhere.is_some()).count();
    MonitorCounts {
        total: listed.len() as u64,
        watched: healthy.len() as u64,
        stale: stale.len() as u64,
        elsewhere: (elsewhere > 0).then_some(elsewhere as u64),
    }
}

fn server_view(server: &OtherServer, orphan: bool) -> ServerView {
    ServerView { id: server.id, name: server.name.clone(), orphan }
}

impl ListedMonitor {
    /// Says whether its alarms should be seen, but its shared memory is missing.
    pub(super) fn is_missing(&self) -> bool {
        self.watched && self.report.condition.word() == MonitorCondition::NotThere
    }
}

/// Joins the monitors of the database with the poller's view of them, ordered by id.
pub(super) fn join(parts: &AdminParts) -> Vec<ListedMonitor> {
    let reports = parts.reports.borrow().clone();
    let catalog = parts.catalog.now();
    // The database decides: the poller follows a moment later, and may still watch a removed monitor.
    let listed = |monitor: &Arc<Monitor>| {
        let seen = reports.get(&monitor.id).cloned();
        let report = seen.unwrap_or_else(|| MonitorReport::unpolled(monitor));
        let report = MonitorReport { name: Arc::clone(&monitor.name), ..report };
        let elsewhere = monitor.elsewhere.clone();
        let is_orphan = catalog.is_orphan(monitor);
        ListedMonitor { report, watched: monitor.watched.is_ok(), elsewhere, is_orphan }
    };
    catalog.monitors.iter().map(listed).collect()
}
