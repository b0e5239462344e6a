//! The router's task.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info};
use zmes_shared::control::{ClientFilter, ClientState, Decided, WatchEvent, WatchKind};
use zmes_shared::views::{ClientCounts, ClientView};
use zmes_shared::{EventId, MonitorId, SessionId};

use super::devices::Devices;
use super::handle::{
    AlarmTestRequest, Attach, Attached, CloseReason, Command, Outgoing, SessionOpening, TestTarget, Tested,
    Visibility,
};
use super::revalidate::renew;
use super::sessions::{LoggedIn, Queued, Session};
use super::tap::Tap;
use crate::config::AuthConfig;
use crate::domain::{Alarm, Decision, MonitorFilter, MonitorRights, Origin, SkipReason};
use crate::monitors::Catalog;
use crate::ports::Clock;
use crate::protocol::{self, AlarmBody};
use crate::state::{Device, Note, Remembered, StateHandle};
use crate::telemetry::Counters;

/// Where the ids of test alarms begin: far beyond any real event, and still exact in a JavaScript number.
const TEST_EVENTS_FROM: u64 = 9_000_000_000_000;
/// What a test alarm gives as its cause, so that nobody takes it for a real one.
const TEST_CAUSE: &str = "Test alarm by zmesctl";

/// What the router needs.
#[derive(Debug)]
pub struct RouterParts {
    /// Alarms of poller and reconciler.
    pub alarms: mpsc::Receiver<Alarm>,
    /// Commands of [`super::RouterHandle`]s.
    pub commands: mpsc::Receiver<Command>,
    /// Monitors, and users whose rights may change.
    pub catalog: watch::Receiver<Arc<Catalog>>,
    /// `[auth]`: while it is off, nobody's rights come from the catalog.
    pub auth: watch::Receiver<AuthConfig>,
    /// Where alarms, filters and intervals are kept.
    pub state: StateHandle,
    /// What the daemon before had kept.
    pub remembered: Remembered,
    /// Who watches.
    pub tap: Tap,
    /// Counters of the daemon.
    pub counters: Arc<Counters>,
    /// Wall time.
    pub clock: Arc<dyn Clock>,
}

/// The router.
///
/// Owns: the session table, the devices' filters and intervals. Receives: alarms, commands, catalogs. Sends: frames
/// to sessions, notes to the state, batches to the tap, all without waiting. Ends: when it is told to, after poller
/// and sessions have ended.
#[derive(Debug)]
pub struct Router {
    parts: RouterParts,
    sessions: BTreeMap<SessionId, Session>,
    devices: Devices,
    alarms: u64,
    tests: u64,
    /// Who logged in before may not have been asked for credentials.
    enforced_since: Instant,
}

impl Router {
    /// Puts the router together.
    pub fn new(mut parts: RouterParts) -> Self {
        let devices = Devices::restore(std::mem::take(&mut parts.remembered));
        Self {
            parts,
            sessions: BTreeMap::new(),
            devices,
            alarms: 0,
            tests: 0,
            enforced_since: Instant::now(),
        }
    }

    /// Runs until `stop`, then handles what is queued already.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                Some(alarm) = self.parts.alarms.recv() => self.on_alarm(alarm),
                Some(command) = self.parts.commands.recv() => self.on_command(command),
                Ok(()) = self.parts.catalog.changed() => self.on_catalog(),
                // Who came in while nobody was asked for credentials is looked at once they count again.
                Ok(()) = self.parts.auth.changed() => {
                    self.enforced_since = Instant::now();
                    self.on_catalog();
                }
                () = stop.cancelled() => break,
            }
        }
    }

    fn on_command(&mut self, command: Command) {
        // A reply that nobody waits for any more is no error: the caller has given up.
        match command {
            Command::Open(opening) => self.on_open(opening),
            Command::Attach(attach, reply) => {
                if let Some(attached) = self.on_attach(attach) {
                    reply.send(attached).ok();
                }
            }
            Command::SetFilter(session, filter, reply) => {
                self.on_filter(session, filter);
                reply.send(()).ok();
            }
            Command::Close(session, reason) => self.on_close(session, reason),
            Command::Visibility(session, reply) => drop(reply.send(self.visibility(session))),
            Command::List(filter, reply) => drop(reply.send(self.list(&filter))),
            Command::Count(reply) => drop(reply.send(self.count())),
            Command::Disconnect(session, reply) => {
                let known = self.sessions.get_mut(&session);
                reply.send(known.map(|session| session.end(CloseReason::Disconnected)).is_some()).ok();
            }
            Command::Test(request, reply) => drop(reply.send(self.on_test(request))),
            Command::TokenDead(_, _, reply) => drop(reply.send(())),
            Command::Ping(reply) => drop(reply.send(())),
        }
    }

    fn on_open(&mut self, opening: SessionOpening) {
        let session = Session::open(opening);
        self.tell(&session, "connected", None);
        self.sessions.insert(session.id, session);
    }

    fn on_attach(&mut self, attach: Attach) -> Option<Attached> {
        let device = Device { user: attach.user.name.clone(), app: attach.app.clone().unwrap_or_default() };
        let alone = !self.sessions.values().any(|other| {
            other.id != attach.id && other.login.as_ref().is_some_and(|login| login.device == device)
        });
        let session = self.sessions.get_mut(&attach.id)?;
        let before = session.login.take().filter(|login| login.device == device);
        if let Some(filter) = &attach.filter {
            keep_filter(&mut self.devices, &self.parts, &device, filter.clone());
        }
        let (held, mut last_sent) =
            before.map_or((None, BTreeMap::new()), |login| (Some(login.filter), login.last_sent));
        // Of two phones of one user and app, the second must not be silenced by what the first got.
        if last_sent.is_empty() && alone {
            last_sent = self.devices.sent(&device);
        }
        let stored = || self.devices.filter(&device).cloned();
        let filter = attach.filter.or(held).or_else(stored).unwrap_or_default();
        let Attach { user, app, asked_at, .. } = attach;
        session.login = Some(LoggedIn { user, app, asked_at, device, filter: filter.clone(), last_sent });
        if self.parts.auth.borrow().enabled {
            renew(session, &self.parts.catalog.borrow(), self.enforced_since);
        }
        if let Some(session) = self.sessions.get(&attach.id) {
            self.tell(session, "authenticated", None);
        }
        Some(Attached { filter })
    }

    fn on_filter(&mut self, id: SessionId, filter: MonitorFilter) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(login) = &mut session.login else { return };
        login.filter = filter.clone();
        keep_filter(&mut self.devices, &self.parts, &login.device, filter);
        if let Some(session) = self.sessions.get(&id) {
            self.tell(session, "filter", None);
        }
    }

    fn on_close(&mut self, id: SessionId, reason: &'static str) {
        if let Some(session) = self.sessions.remove(&id) {
            self.tell(&session, "closed", Some(reason));
        }
    }

    fn on_catalog(&mut self) {
        if !self.parts.auth.borrow_and_update().enabled {
            return;
        }
        let catalog = Arc::clone(&self.parts.catalog.borrow_and_update());
        self.sessions.values_mut().for_each(|session| renew(session, &catalog, self.enforced_since));
    }

    fn on_alarm(&mut self, alarm: Alarm) {
        self.alarms += 1;
        self.parts.counters.alarms.increment();
        if alarm.late() {
            self.parts.counters.reconciled.increment();
        }
        let frame = frame_of(&alarm);
        info!(monitor = %alarm.monitor, "Broadcasting new events to all {} websocket clients", self.sessions.len());
        let mut decisions = Vec::with_capacity(self.sessions.len());
        let mut sent = BTreeSet::new();
        for session in self.sessions.values_mut() {
            let mut decision = session.decide(alarm.monitor, alarm.at, true);
            if decision == Decision::Send {
                decision = deliver(session, Outgoing::Frame(frame.clone()));
                if decision == Decision::Send {
                    sent.extend(keep_sent(session, &mut self.devices, alarm.monitor, alarm.at));
                }
            }
            decisions.push((session.id, decision));
        }
        let alarm = Arc::new(alarm);
        self.watch_alarm(&alarm, &decisions);
        self.note(Note::Announced(Arc::clone(&alarm), Arc::default()));
        if !sent.is_empty() {
            self.note(Note::Sent(sent, alarm.monitor, alarm.at));
        }
    }

    fn on_test(&mut self, request: AlarmTestRequest) -> Tested {
        self.alarms += 1;
        self.tests += 1;
        let event = EventId(TEST_EVENTS_FROM + self.tests);
        let now = self.parts.clock.now();
        let alarm = Alarm {
            monitor: request.monitor,
            monitor_name: request.monitor_name,
            event: Some(event),
            cause: TEST_CAUSE.into(),
            at: now,
            detected: Instant::now(),
            origin: Origin::Test,
        };
        let frame = frame_of(&alarm);
        let mut decisions = Vec::new();
        for session in self.sessions.values_mut().filter(|session| session.login.is_some()) {
            let meant = request.only.is_empty() || request.only.contains(&session.id);
            let mut decision = if meant {
                session.decide(alarm.monitor, now, false)
            } else {
                Decision::Skip(SkipReason::OtherTarget)
            };
            if decision == Decision::Send && !request.dry_run {
                let outgoing = match &request.receipts {
                    Some(receipts) => Outgoing::Tracked(Box::new((frame.clone(), receipts.clone()))),
                    None => Outgoing::Frame(frame.clone()),
                };
                decision = deliver(session, outgoing);
            }
            decisions.push((session.id, decision));
        }
        if !request.dry_run {
            self.watch_alarm(&alarm, &decisions);
        }
        let targets =
            decisions.into_iter().map(|(session, decision)| TestTarget { session, decision }).collect();
        Tested { alarm: self.alarms, event, targets }
    }

    fn visibility(&self, id: SessionId) -> Visibility {
        match self.sessions.get(&id).and_then(|session| session.login.as_ref()) {
            Some(login) => Visibility { rights: login.user.rights.clone(), filter: login.filter.clone() },
            None => Visibility { rights: MonitorRights::none(), filter: MonitorFilter::All },
        }
    }

    fn list(&self, filter: &ClientFilter) -> Vec<ClientView> {
        let catalog = self.parts.catalog.borrow();
        let wanted = |session: &&Session| filter.state.is_none_or(|state| state == state_of(session));
        self.sessions.values().filter(wanted).map(|session| session.view(&catalog.monitors)).collect()
    }

    fn count(&self) -> ClientCounts {
        let authenticated = self.sessions.values().filter(|session| session.login.is_some()).count();
        ClientCounts {
            total: self.sessions.len() as u64,
            authenticated: authenticated as u64,
            dropped_slow: self.parts.counters.slow_sessions.value(),
            rejected: self.parts.counters.rejected.value(),
        }
    }

    fn note(&self, note: Note) {
        keep(&self.parts, note);
    }

    fn tell(&self, session: &Session, change: &str, reason: Option<&str>) {
        let at = self.parts.clock.now();
        self.parts.tap.send_with(|| {
            let client = session.view(&self.parts.catalog.borrow().monitors);
            let (change, reason) = (change.to_owned(), reason.map(str::to_owned));
            vec![WatchEvent { at, kind: WatchKind::Session { change, reason, client } }]
        });
    }

    fn watch_alarm(&self, alarm: &Alarm, decisions: &[(SessionId, Decision)]) {
        let number = self.alarms;
        debug!(alarm = number, monitor = %alarm.monitor, targets = decisions.len(), "decided");
        self.parts.tap.send_with(|| {
            let announced = WatchKind::Alarm {
                alarm: number,
                event_id: alarm.event,
                monitor_id: alarm.monitor,
                monitor: alarm.monitor_name.to_string(),
                cause: alarm.cause.to_string(),
                origin: alarm.origin.as_str().to_owned(),
                late: alarm.late(),
            };
            let decided = decisions.iter().map(|(session, decision)| WatchKind::Decision {
                alarm: number,
                event_id: alarm.event,
                monitor_id: alarm.monitor,
                target: "session".to_owned(),
                id: session.to_string(),
                decided: Decided {
                    decision: decision.as_str().to_owned(),
                    reason: decision.reason().to_owned(),
                },
            });
            let kinds = std::iter::once(announced).chain(decided);
            kinds.map(|kind| WatchEvent { at: alarm.at, kind }).collect()
        });
    }
}

fn frame_of(alarm: &Alarm) -> Utf8Bytes {
    protocol::alarm(&AlarmBody {
        event: alarm.event,
        monitor: alarm.monitor,
        monitor_name: &alarm.monitor_name,
        cause: &alarm.cause,
        late: alarm.late(),
        replayed: false,
        supplementary: false,
    })
}

fn state_of(session: &Session) -> ClientState {
    if session.login.is_some() { ClientState::Authenticated } else { ClientState::Pending }
}

/// Queues a frame; a session that does not read is ended (and counted where it ends, with those that time out).
fn deliver(session: &mut Session, frame: Outgoing) -> Decision {
    match session.queue(frame) {
        Queued::Yes => Decision::Send,
        Queued::Gone => Decision::Skip(SkipReason::Ending),
        Queued::Full => {
            session.end(CloseReason::Slow);
            Decision::Skip(SkipReason::Slow)
        }
    }
}

fn keep_filter(devices: &mut Devices, parts: &RouterParts, device: &Device, filter: MonitorFilter) {
    if devices.set_filter(device, filter.clone()) {
        keep(parts, Note::Filter(device.clone(), filter));
    }
}

/// Remembers when a session got an alarm, and returns its device, where its filter asks for an interval.
fn keep_sent(
    session: &mut Session,
    devices: &mut Devices,
    monitor: MonitorId,
    at: Timestamp,
) -> Option<Device> {
    let login = session.login.as_mut()?;
    if login.filter.interval(monitor).is_none_or(|interval| interval.is_zero()) {
        return None;
    }
    login.last_sent.insert(monitor, at);
    devices.set_sent(&login.device, monitor, at).then(|| login.device.clone())
}

fn keep(parts: &RouterParts, note: Note) {
    if parts.state.note(note) {
        return;
    }
    // Once per thousand: the queue is full because the disk is stuck, and the log may lie on the same disk.
    if parts.counters.lost_notes.value().is_multiple_of(1000) {
        error!("the state file does not keep up: alarms are sent, but not recorded");
    }
    parts.counters.lost_notes.increment();
}
