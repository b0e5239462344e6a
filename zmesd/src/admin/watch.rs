//! `watch`: the current state, the record since a point, then live events.

mod replay;
mod wishes;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::timeout;
use zmes_shared::MonitorState;
use zmes_shared::control::{
    ClientFilter, ControlError, ErrorCode, Role, Since, WatchEvent, WatchFilter, WatchKind, WatchType,
};
use zmes_shared::views::{MonitorView, SnoozedBy};
use zmes_shared::words::{StateSource, TargetKind};

use self::replay::{AlarmKey, Replay, Told, key};
use self::wishes::Wishes;
use super::answers::unknown_monitor;
use super::snoozes::snoozed_by;
use super::token_names::{TokenNames, TokenScope};
use super::{conditions, lines, monitors};
use crate::admin::AdminParts;
use crate::detect::{MonitorReport, MonitorReports};
use crate::domain::DecidedBy;
use crate::ports::Clock;
use crate::route::{AlarmDecisions, AnnouncedAlarm, PushOutcome, TapEvent, TapReceiver, TroubleTold};
use crate::state::DeliveryRow;
use crate::telemetry::Counters;
use crate::troubles::{Trouble, TroubleChange};

const RECORD_DEADLINE: Duration = Duration::from_secs(5);
/// Alarms whose number is kept for their deliveries.
const REMEMBERED: usize = 1024;
/// Maximum number of queued pushes in the initial state; `push queue` counts all.
const QUEUED: u32 = 1000;

#[derive(Debug)]
pub struct Watcher {
    live: TapReceiver,
    reports: watch::Receiver<MonitorReports>,
    seen: MonitorReports,
    wishes: Wishes,
    /// The last alarms with their numbers, newest first: a delivery does not know the number.
    alarms: VecDeque<(u64, AlarmKey)>,
    told: Told,
    counters: Arc<Counters>,
    clock: Arc<dyn Clock>,
}

impl Watcher {
    /// Starts watching; returns the watcher and the initial lines.
    ///
    /// It subscribes to the tap before it reads the record, so that no event is missed between the two.
    pub(crate) async fn open(
        parts: &AdminParts,
        troubles: &[Trouble],
        asker: Role,
        filter: WatchFilter,
    ) -> Result<(Self, Vec<WatchEvent>), ControlError> {
        let live = parts.tap.subscribe();
        let named = filter.token.is_some() || filter.user.is_some();
        // Live events need no disk.
        let known = if named || filter.since.is_some() {
            Some(TokenNames::load(&parts.state, asker).await?)
        } else {
            None
        };
        let token = match (&filter.token, &known) {
            (Some(name), Some(known)) => Some(known.find(name, TokenScope::Any)?.token.id),
            (_, _) => None,
        };
        let catalog = parts.catalog.now();
        if let Some(monitor) = filter.monitor.filter(|&id| catalog.name_of(id).is_none()) {
            return Err(unknown_monitor(monitor, &catalog));
        }
        let mut reports = parts.reports.clone();
        let seen = Arc::clone(&reports.borrow_and_update());
        let mut watcher = Self {
            live,
            reports,
            seen,
            wishes: Wishes::of(&filter, token, parts.catalog.clone())?,
            alarms: VecDeque::new(),
            told: Told::default(),
            counters: Arc::clone(&parts.counters),
            clock: Arc::clone(&parts.clock),
        };
        let mut events = watcher.present(parts, known.as_ref()).await?;
        events.extend(watcher.standing(troubles));
        if let (Some(since), Some(known)) = (filter.since, &known) {
            events.extend(watcher.record(parts, known, since).await?);
        }
        Ok((watcher, events))
    }

    /// Returns what happens next; may be empty. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Vec<WatchEvent> {
        let mut events = tokio::select! {
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
        };
        events.retain(|event| self.wishes.shows(event));
        events
    }

    async fn record(
        &mut self,
        parts: &AdminParts,
        known: &TokenNames,
        since: Since,
    ) -> Result<Vec<WatchEvent>, ControlError> {
        let read = timeout(RECORD_DEADLINE, replay::read(&parts.state, known, since, &self.wishes));
        let Ok(read) = read.await else {
            let message = "cannot read the record: the disk does not answer";
            return Err(ControlError::new(ErrorCode::Unavailable, message)
                .with_hint("zmesctl check store shows more"));
        };
        let Replay { events, gap, told } = read?;
        self.told = told;
        // Zero: an unknown number of lines is missing.
        let mut all: Vec<_> = gap.then(|| self.lagged(0)).into_iter().collect();
        all.extend(events);
        Ok(all)
    }

    fn lines(&mut self, event: &TapEvent) -> Vec<WatchEvent> {
        match event {
            TapEvent::Alarm(announced) => self.alarm(announced),
            TapEvent::Decided(announced) => self.decisions(announced),
            TapEvent::Session(change) => {
                let tried = change.tried.as_ref().map(|tried| tried.user.as_str());
                let wanted = self.wishes.client(&change.client, change.change == "closed", tried);
                wanted.then(|| lines::session(change)).into_iter().collect()
            }
            TapEvent::Token(change) => {
                let wanted = self.wishes.changes_of(&change.token);
                wanted.then(|| lines::token(change.at, change.change, &change.token)).into_iter().collect()
            }
            TapEvent::Delivery(outcome) => self.delivery(outcome).into_iter().collect(),
            TapEvent::Trouble(told) => self.trouble(told).into_iter().collect(),
        }
    }

    fn alarm(&mut self, announced: &AnnouncedAlarm) -> Vec<WatchEvent> {
        let AnnouncedAlarm { number, alarm, .. } = announced;
        if !self.wishes.alarms_of(alarm.monitor) {
            return Vec::new();
        }
        self.alarms.truncate(REMEMBERED - 1);
        self.alarms.push_front((*number, key(alarm)));
        let mut wanted = Vec::new();
        if !self.told.alarm(alarm) {
            wanted.push(lines::alarm(*number, alarm));
        }
        wanted.extend(self.decisions(announced));
        wanted
    }

    fn decisions(&mut self, announced: &AnnouncedAlarm) -> Vec<WatchEvent> {
        let AnnouncedAlarm { number, alarm, decided } = announced;
        let mut wanted = Vec::new();
        if !self.wishes.includes(WatchType::Decision) || !self.wishes.alarms_of(alarm.monitor) {
            return wanted;
        }
        // Too many alarms since: the decisions were dropped.
        let Some(decided) = decided.upgrade() else {
            wanted.push(self.lagged(1));
            return wanted;
        };
        let clients = decided.sessions.iter().filter(|(id, _)| self.wishes.decided_for(*id));
        wanted.extend(clients.map(|(id, decision)| {
            let by = decided.rule_of(*id);
            lines::decision(*number, alarm, TargetKind::Session, id.to_string(), *decision, by, None)
        }));
        for (token, decision, by) in decided.tokens.iter().filter(|(token, ..)| self.wishes.token(token)) {
            if !self.told.decision(alarm, token.id) {
                wanted.push(lines::decision(
                    *number,
                    alarm,
                    TargetKind::Token,
                    token.handle.to_string(),
                    *decision,
                    by.as_ref(),
                    snoozed(&decided, by.as_ref()),
                ));
            }
        }
        wanted
    }

    fn delivery(&mut self, outcome: &PushOutcome) -> Option<WatchEvent> {
        if !self.wishes.alarms_of(outcome.alarm.monitor)
            || !self.wishes.token(&outcome.token)
            || self.told.outcome(outcome)
        {
            return None;
        }
        // Alarms from before this watcher have no number here.
        let known = self.alarms.iter().find(|(_, known)| *known == key(&outcome.alarm));
        Some(lines::delivery(known.map_or(0, |(number, _)| *number), outcome))
    }

    fn trouble(&mut self, told: &TroubleTold) -> Option<WatchEvent> {
        let TroubleTold { at, change, trouble } = told;
        let (change, cleared_at) = match change {
            TroubleChange::Raised => (replay::RAISED, None),
            TroubleChange::Cleared => (replay::CLEARED, Some(*at)),
            TroubleChange::Reminder => return None,
        };
        let wanted = self.wishes.trouble(trouble.id.monitor()) && !self.told.trouble(trouble, change, *at);
        wanted.then(|| lines::trouble(*at, change, trouble, cleared_at))
    }

    /// Returns the open troubles, which are part of the initial state.
    fn standing(&self, troubles: &[Trouble]) -> Vec<WatchEvent> {
        let at = self.clock.now();
        let wanted = troubles.iter().filter(|trouble| self.wishes.trouble(trouble.id.monitor()));
        wanted.map(|trouble| lines::trouble(at, "present", trouble, None)).collect()
    }

    fn changes(&mut self) -> Vec<WatchEvent> {
        let now = Arc::clone(&self.reports.borrow_and_update());
        let before = std::mem::replace(&mut self.seen, Arc::clone(&now));
        let changed = now.values().filter(|report| before.get(&report.id) != Some(*report));
        let gone = before.values().filter(|report| !now.contains_key(&report.id)).map(gone);
        let changed = changed.map(conditions::view);
        let at = self.clock.now();
        let wanted = |view: &MonitorView| self.wishes.state_of(view.id);
        changed.chain(gone).filter(wanted).map(|view| lines::monitor(at, "changed", view)).collect()
    }

    /// Returns the initial state: monitors, clients, tokens if any are named, and queued pushes.
    async fn present(
        &mut self,
        parts: &AdminParts,
        known: Option<&TokenNames>,
    ) -> Result<Vec<WatchEvent>, ControlError> {
        let at = parts.clock.now();
        let monitors = monitors::list(parts).await.monitors.into_iter();
        let monitors = monitors.filter(|view| self.wishes.state_of(view.id));
        let mut events: Vec<_> = monitors.map(|view| lines::monitor(at, "present", view)).collect();
        if let Some(known) = known.filter(|_| self.wishes.names_owner()) {
            let tokens = known.rows.iter().map(|row| &row.token);
            let tokens = tokens.filter(|token| self.wishes.present(token));
            events.extend(tokens.map(|token| lines::token(at, "present", token)));
        }
        let clients = parts.router.list(ClientFilter::default()).await?;
        let clients = clients.into_iter().filter(|client| self.wishes.client(client, false, None));
        events.extend(clients.map(|client| lines::present(at, client)));
        if self.wishes.includes(WatchType::Delivery) {
            events.extend(self.queued(parts, known).await);
        }
        events.retain(|event| self.wishes.shows(event));
        Ok(events)
    }

    /// Returns the queued pushes; a `lagged` line if the disk does not answer.
    async fn queued(&self, parts: &AdminParts, known: Option<&TokenNames>) -> Vec<WatchEvent> {
        let read = async {
            let rows = parts.state.deliveries_queued(QUEUED).await.ok()?;
            match known {
                _ if rows.is_empty() => Some(Vec::new()),
                Some(known) => Some(self.queued_of(&rows, known)),
                None => {
                    Some(self.queued_of(&rows, &TokenNames::load(&parts.state, Role::Observer).await.ok()?))
                }
            }
        };
        timeout(RECORD_DEADLINE, read).await.ok().flatten().unwrap_or_else(|| vec![self.lagged(0)])
    }

    fn queued_of(&self, rows: &[DeliveryRow], known: &TokenNames) -> Vec<WatchEvent> {
        let named = rows.iter().filter_map(|row| Some((row, &known.row(row.token)?.token)));
        let wanted =
            named.filter(|(row, token)| self.wishes.alarms_of(row.monitor) && self.wishes.token(token));
        wanted.map(|(row, token)| lines::queued(row, &known.handle(token))).collect()
    }

    fn lagged(&self, missed: u64) -> WatchEvent {
        WatchEvent { at: self.clock.now(), kind: WatchKind::Lagged { missed } }
    }
}

/// Returns the snooze that decided for a token, if one did. It was set a moment ago.
fn snoozed(decided: &AlarmDecisions, by: Option<&DecidedBy>) -> Option<SnoozedBy> {
    let id = by?.snooze()?;
    decided.snoozes.iter().find(|snooze| snooze.id == id).map(|snooze| snoozed_by(snooze, false))
}

fn gone(report: &MonitorReport) -> MonitorView {
    MonitorView {
        state: MonitorState::Unknown,
        source: StateSource::Nowhere,
        healthy: false,
        reason: Some("no longer watched".to_owned()),
        trouble: None,
        hint: None,
        ..conditions::view(report)
    }
}
