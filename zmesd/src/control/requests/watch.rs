//! `watch`: how things are, what the record holds, then what happens.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::timeout;
use zmes_shared::control::{
    ClientFilter, ControlError, ErrorCode, Since, WatchEvent, WatchFilter, WatchKind,
};
use zmes_shared::views::MonitorView;
use zmes_shared::{EventId, MonitorId, MonitorState};

use super::{busy, monitors, no_monitor, no_token};
use crate::control::{ControlParts, MonitorReports};
use crate::ports::Clock;
use crate::route::TapReceiver;
use crate::state::RecordedAlarm;

/// Alarms of the record that a watcher gets at most; the newest win.
const RECORDED: u32 = 10_000;
/// How long the record may take.
const RECORD_DEADLINE: Duration = Duration::from_secs(5);
/// Alarms whose deliveries are still recognised as theirs.
const REMEMBERED: usize = 1024;

/// An alarm of the record, to know it again when it also comes alive.
type Recorded = (MonitorId, Option<EventId>, i64);

/// What one peer watches.
#[derive(Debug)]
pub(in crate::control) struct Watcher {
    live: TapReceiver,
    reports: watch::Receiver<MonitorReports>,
    seen: MonitorReports,
    only: Option<MonitorId>,
    /// Numbers of the last alarms of `only`: a delivery names its alarm, not its monitor.
    alarms: VecDeque<u64>,
    /// Alarms that were sent from the record and may come again from the tap.
    recorded: HashSet<Recorded>,
    clock: Arc<dyn Clock>,
}

impl Watcher {
    /// Begins to watch; returns the watcher and what it begins with.
    ///
    /// It listens before it looks: what happens meanwhile is in the record, in the tap, or in both, never in neither.
    pub(in crate::control) async fn open(
        parts: &ControlParts,
        filter: WatchFilter,
    ) -> Result<(Self, Vec<WatchEvent>), ControlError> {
        if let Some(token) = &filter.token {
            return Err(no_token(token));
        }
        let catalog = parts.catalog.now();
        if let Some(monitor) = filter.monitor.filter(|&id| catalog.monitors.find(id).is_none()) {
            return Err(no_monitor(monitor, &catalog.monitors));
        }
        let mut reports = parts.reports.clone();
        let seen = Arc::clone(&reports.borrow_and_update());
        let mut watcher = Self {
            live: parts.tap.subscribe(),
            reports,
            seen,
            only: filter.monitor,
            alarms: VecDeque::new(),
            recorded: HashSet::new(),
            clock: Arc::clone(&parts.clock),
        };
        let mut events = present(parts).await?;
        events.retain(|event| watcher.wants(event));
        if let Some(since) = filter.since {
            events.extend(watcher.record(parts, since).await?);
        }
        Ok((watcher, events))
    }

    /// Returns what happens next; may be empty. Cancel-safe.
    pub(in crate::control) async fn next(&mut self) -> Vec<WatchEvent> {
        tokio::select! {
            batch = self.live.recv() => match batch {
                Ok(events) => self.filtered(&events),
                Err(RecvError::Lagged(missed)) => vec![self.lagged(missed)],
                // The parts hold a sender: this is the end of the process.
                Err(RecvError::Closed) => std::future::pending().await,
            },
            Ok(()) = self.reports.changed() => self.changes(),
        }
    }

    /// Returns the recorded alarms since then.
    async fn record(&mut self, parts: &ControlParts, since: Since) -> Result<Vec<WatchEvent>, ControlError> {
        let unavailable =
            |why: String| ControlError::new(ErrorCode::Unavailable, format!("cannot read the record: {why}"));
        let read = timeout(RECORD_DEADLINE, parts.state.alarms_since(since, RECORDED));
        let replay = read.await.map_err(|_| unavailable("the disk does not answer".to_owned()))?;
        let replay = replay.map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            unavailable(format!("{error}: {cause}"))
        })?;
        // Zero: something is missing, and nobody knows how much.
        let gap = replay.gap.then(|| self.lagged(0));
        let only = self.only;
        let alarms = replay.alarms.into_iter().filter(|alarm| only.is_none_or(|only| only == alarm.monitor));
        let mut events: Vec<_> = gap.into_iter().collect();
        for alarm in alarms {
            self.recorded.insert((alarm.monitor, alarm.event, alarm.at.as_millisecond()));
            events.push(recorded(alarm));
        }
        Ok(events)
    }

    fn filtered(&mut self, events: &[WatchEvent]) -> Vec<WatchEvent> {
        let mut wanted = Vec::new();
        for event in events {
            self.remember(event);
            if self.wants(event) && !self.is_recorded(event) {
                wanted.push(event.clone());
            }
        }
        wanted
    }

    fn remember(&mut self, event: &WatchEvent) {
        let WatchKind::Alarm { alarm, monitor_id, .. } = &event.kind else { return };
        if self.only == Some(*monitor_id) {
            self.alarms.truncate(REMEMBERED - 1);
            self.alarms.push_front(*alarm);
        }
    }

    fn wants(&self, event: &WatchEvent) -> bool {
        let Some(only) = self.only else { return true };
        match &event.kind {
            WatchKind::Alarm { .. } | WatchKind::Decision { .. } | WatchKind::Monitor { .. } => {
                event.kind.monitor_id() == Some(only)
            }
            WatchKind::Delivery { alarm, .. } => self.alarms.contains(alarm),
            WatchKind::Lagged { .. } => true,
            WatchKind::Session { .. } | WatchKind::Unknown => false,
        }
    }

    /// Says whether the event is an alarm that was already sent from the record.
    fn is_recorded(&mut self, event: &WatchEvent) -> bool {
        if self.recorded.is_empty() {
            return false;
        }
        let WatchKind::Alarm { monitor_id, event_id, .. } = &event.kind else { return false };
        self.recorded.remove(&(*monitor_id, *event_id, event.at.as_millisecond()))
    }

    /// Compares the new reports with the last ones.
    fn changes(&mut self) -> Vec<WatchEvent> {
        let now = Arc::clone(&self.reports.borrow_and_update());
        let before = std::mem::replace(&mut self.seen, Arc::clone(&now));
        let changed = now.values().filter(|view| before.get(&view.id) != Some(*view)).cloned();
        let gone = before.values().filter(|view| !now.contains_key(&view.id)).map(gone);
        let at = self.clock.now();
        let events = changed.chain(gone).map(|view| monitor(at, "changed", view));
        events.filter(|event| self.wants(event)).collect()
    }

    fn lagged(&self, missed: u64) -> WatchEvent {
        WatchEvent { at: self.clock.now(), kind: WatchKind::Lagged { missed } }
    }
}

/// How things are: every monitor, every client.
async fn present(parts: &ControlParts) -> Result<Vec<WatchEvent>, ControlError> {
    let clients = parts.router.list(ClientFilter::default()).await.map_err(busy)?;
    let at = parts.clock.now();
    let monitors = monitors::list(parts).monitors.into_iter().map(|view| monitor(at, "present", view));
    let clients = clients.into_iter().map(|client| WatchEvent {
        at,
        kind: WatchKind::Session { change: "present".to_owned(), reason: None, client },
    });
    Ok(monitors.chain(clients).collect())
}

fn monitor(at: Timestamp, change: &str, monitor: MonitorView) -> WatchEvent {
    WatchEvent { at, kind: WatchKind::Monitor { change: change.to_owned(), monitor } }
}

/// A monitor that is not looked at any more.
fn gone(view: &MonitorView) -> MonitorView {
    MonitorView {
        state: MonitorState::Unknown,
        source: "none".to_owned(),
        healthy: false,
        reason: Some("no longer watched".to_owned()),
        ..view.clone()
    }
}

/// An alarm as it was announced; its number was that of an earlier daemon perhaps, and is not kept.
fn recorded(alarm: RecordedAlarm) -> WatchEvent {
    let origin = if alarm.late { "reconciled" } else { "poll" };
    let kind = WatchKind::Alarm {
        alarm: 0,
        event_id: alarm.event,
        monitor_id: alarm.monitor,
        monitor: alarm.monitor_name,
        cause: alarm.cause,
        origin: origin.to_owned(),
        late: alarm.late,
    };
    WatchEvent { at: alarm.at, kind }
}
