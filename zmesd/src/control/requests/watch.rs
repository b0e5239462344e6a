//! `watch`: how things are, what the record holds, then what happens.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::timeout;
use zmes_shared::control::{
    ClientFilter, ControlError, ErrorCode, Since, WatchEvent, WatchFilter, WatchKind,
};
use zmes_shared::views::MonitorView;
use zmes_shared::{EventId, MonitorId, MonitorState};

use super::{busy, lines, monitors, no_monitor, token_names};
use crate::control::{ControlParts, MonitorReports};
use crate::domain::{Alarm, Token, TokenId};
use crate::ports::Clock;
use crate::route::{AnnouncedAlarm, PushOutcome, TapEvent, TapReceiver};
use crate::telemetry::Counters;

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
    token: Option<TokenId>,
    /// The last alarms with their numbers, newest first: a delivery does not know the number.
    alarms: VecDeque<(u64, Recorded)>,
    /// Alarms that were sent from the record and may come again from the tap.
    recorded: HashSet<Recorded>,
    counters: Arc<Counters>,
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
        let token = match &filter.token {
            Some(name) => Some(token_names::resolve(&parts.state, name).await?),
            None => None,
        };
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
            token: token.as_ref().map(|token| token.id),
            alarms: VecDeque::new(),
            recorded: HashSet::new(),
            counters: Arc::clone(&parts.counters),
            clock: Arc::clone(&parts.clock),
        };
        let mut events = watcher.present(parts, token.as_ref()).await?;
        if let Some(since) = filter.since {
            events.extend(watcher.record(parts, since).await?);
        }
        Ok((watcher, events))
    }

    /// Returns what happens next; may be empty. Cancel-safe.
    pub(in crate::control) async fn next(&mut self) -> Vec<WatchEvent> {
        tokio::select! {
            batch = self.live.recv() => match batch {
                Ok(event) => self.lines(&event),
                Err(RecvError::Lagged(missed)) => {
                    self.counters.lagged.add(missed);
                    vec![self.lagged(missed)]
                }
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
            events.push(lines::recorded(alarm));
        }
        Ok(events)
    }

    /// Returns the lines that this watcher gets of an event.
    fn lines(&mut self, event: &TapEvent) -> Vec<WatchEvent> {
        match event {
            TapEvent::Alarm(announced) => self.alarm(announced),
            TapEvent::Session(_) if self.only.is_some() || self.token.is_some() => Vec::new(),
            TapEvent::Session(change) => vec![lines::session(change)],
            TapEvent::Token(change) if self.token.is_none_or(|token| token == change.token.id) => {
                // Watching a monitor says nothing about tokens, unless one is named, too.
                let wanted = self.only.is_none() || self.token.is_some();
                wanted.then(|| lines::token(change.at, change.change, &change.token)).into_iter().collect()
            }
            TapEvent::Token(_) => Vec::new(),
            TapEvent::Delivery(outcome) => self.delivery(outcome).into_iter().collect(),
        }
    }

    fn alarm(&mut self, announced: &AnnouncedAlarm) -> Vec<WatchEvent> {
        let AnnouncedAlarm { number, alarm, decided } = announced;
        if self.only.is_some_and(|only| only != alarm.monitor) {
            return Vec::new();
        }
        self.alarms.truncate(REMEMBERED - 1);
        self.alarms.push_front((*number, key(alarm)));
        let mut wanted = Vec::new();
        if !self.recorded.remove(&key(alarm)) {
            wanted.push(lines::alarm(*number, alarm));
        }
        // Too many alarms have come since: what was decided is not remembered any more.
        let Some(decided) = decided.upgrade() else {
            wanted.push(self.lagged(1));
            return wanted;
        };
        if self.token.is_none() {
            wanted.extend(
                decided.sessions.iter().map(|(id, decision)| {
                    lines::decision(*number, alarm, "session", id.to_string(), *decision)
                }),
            );
        }
        let tokens = decided.tokens.iter().filter(|(token, _)| self.token.is_none_or(|id| id == token.id));
        wanted.extend(tokens.map(|(token, decision)| {
            lines::decision(*number, alarm, "token", token.handle.to_string(), *decision)
        }));
        wanted
    }

    fn delivery(&self, outcome: &PushOutcome) -> Option<WatchEvent> {
        let monitor = self.only.is_none_or(|only| only == outcome.alarm.monitor);
        let token = self.token.is_none_or(|token| token == outcome.token.id);
        // One of before this watcher, or of before the daemon's start, has no number here.
        let known = self.alarms.iter().find(|(_, known)| *known == key(&outcome.alarm));
        (monitor && token).then(|| lines::delivery(known.map_or(0, |(number, _)| *number), outcome))
    }

    /// Compares the new reports with the last ones.
    fn changes(&mut self) -> Vec<WatchEvent> {
        let now = Arc::clone(&self.reports.borrow_and_update());
        let before = std::mem::replace(&mut self.seen, Arc::clone(&now));
        let changed = now.values().filter(|view| before.get(&view.id) != Some(*view)).cloned();
        let gone = before.values().filter(|view| !now.contains_key(&view.id)).map(gone);
        let at = self.clock.now();
        let wanted = |view: &MonitorView| self.wants(view.id);
        changed.chain(gone).filter(wanted).map(|view| lines::monitor(at, "changed", view)).collect()
    }

    /// Says whether changes of that monitor are wanted.
    fn wants(&self, monitor: MonitorId) -> bool {
        match self.only {
            Some(only) => only == monitor,
            None => self.token.is_none(),
        }
    }

    /// How things are: every monitor, every client; or the one monitor, the one token.
    async fn present(
        &self,
        parts: &ControlParts,
        token: Option<&Token>,
    ) -> Result<Vec<WatchEvent>, ControlError> {
        let at = parts.clock.now();
        let monitors = monitors::list(parts).monitors.into_iter().filter(|view| self.wants(view.id));
        let mut events: Vec<_> = monitors.map(|view| lines::monitor(at, "present", view)).collect();
        events.extend(token.map(|token| lines::token(at, "present", token)));
        if self.only.is_none() && token.is_none() {
            let clients = parts.router.list(ClientFilter::default()).await.map_err(busy)?;
            events.extend(clients.into_iter().map(|client| lines::present(at, client)));
        }
        Ok(events)
    }

    fn lagged(&self, missed: u64) -> WatchEvent {
        WatchEvent { at: self.clock.now(), kind: WatchKind::Lagged { missed } }
    }
}

/// What an alarm is known by.
fn key(alarm: &Alarm) -> Recorded {
    (alarm.monitor, alarm.event, alarm.at.as_millisecond())
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
