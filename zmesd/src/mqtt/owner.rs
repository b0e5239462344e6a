//! The task: owns the connection, the states, the alarms on their way and what was announced.

mod announce;
mod backlog;
mod command;
mod leave;
mod trouble;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use zmes_shared::MonitorId;
use zmes_shared::machine::MachineMessage;
use zmes_shared::words::{FaultKind, MachineKind};

use self::announce::Announcing;
use super::cameras::{Cameras, json};
use super::cursor::AckCursor;
use super::es;
use super::line::{BrokerLine, LineEvent, Tag};
use super::message;
use super::slots::Slots;
use super::topics::Topics;
use super::view::{MqttRequest, MqttStatus};
use crate::config::{BrokerConfig, MqttConfig};
use crate::detect::MonitorReports;
use crate::domain::Alarm;
use crate::limits::Bucket;
use crate::monitors::Catalog;
use crate::ports::{Broker, BrokerMessage, BrokerSettings, Clock, MqttFailure, MqttHealth};
use crate::route::{RouterHandle, Tap, TapEvent, TapReceiver};
use crate::state::{MqttNote, Note, StateHandle};
use crate::telemetry::Counters;
use crate::troubles::{Trouble, TroubleId};

/// Alarms that wait in memory; the rest is read from the record.
const EVENTS: usize = 1000;
/// How often snoozes are looked at.
const SNOOZES: Duration = Duration::from_secs(2);
/// Looks at snoozes between two at the number of clients.
const CLIENTS: u32 = 30;
/// How often the cursor is written down at most.
const CURSOR: Duration = Duration::from_millis(200);
/// Largest packet that is sent or taken, in bytes; announcements of devices are the largest, at about 4 KiB.
const MAX_PACKET: usize = 64 * 1024;
/// How long the end may take: what is on its way, then the goodbye.
const GOODBYE: Duration = Duration::from_millis(1500);

const ONLINE: &str = "online";
const OFFLINE: &str = "offline";

/// What the owner is made of.
#[derive(Debug)]
pub struct MqttParts {
    pub broker: Arc<dyn Broker>,
    pub config: watch::Receiver<MqttConfig>,
    pub requests: mpsc::Receiver<MqttRequest>,
    pub status: Arc<MqttStatus>,
    pub router: RouterHandle,
    pub tap: Tap,
    pub catalog: watch::Receiver<Arc<Catalog>>,
    pub reports: watch::Receiver<MonitorReports>,
    pub state: StateHandle,
    pub counters: Arc<Counters>,
    pub clock: Arc<dyn Clock>,
}

/// A message that is not retained, and what is done once the broker has it.
#[derive(Debug)]
struct QueuedEvent {
    message: BrokerMessage,
    id: Option<String>,
}

/// Where states are retained, and of which monitors: what a daemon after this one has to clean up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct PublishedStates {
    topic: String,
    monitors: Vec<u32>,
}

/// Owns what this file's module says. Receives: the tap, reports, the catalog, settings, requests of admins. Sends: to the
/// broker; snoozes to the router. Ends: when told to, after a goodbye.
#[derive(Debug)]
pub struct MqttOwner {
    parts: MqttParts,
    config: MqttConfig,
    instance: String,
    topics: Topics,
    line: BrokerLine,
    tap: Option<TapReceiver>,
    slots: Slots,
    cameras: Cameras,
    troubles: BTreeMap<TroubleId, Trouble>,
    published: PublishedStates,
    cursor: AckCursor,
    cursor_due: Option<Instant>,
    events: VecDeque<QueuedEvent>,
    /// The record has alarms that were not queued: it is read before live ones are.
    behind: bool,
    backlog_due: Instant,
    announcing: Announcing,
    online_said: bool,
    commands_left: Bucket,
    looks: u32,
    cleared: bool,
}

impl MqttOwner {
    pub fn new(parts: MqttParts) -> Self {
        let config = MqttConfig::default();
        let now = Instant::now();
        Self {
            line: BrokerLine::new(Arc::clone(&parts.broker)),
            topics: Topics::new(&config.topic),
            cursor: AckCursor::starting(parts.clock.now()),
            parts,
            config,
            instance: String::new(),
            tap: None,
            slots: Slots::default(),
            cameras: Cameras::default(),
            troubles: BTreeMap::new(),
            published: PublishedStates::default(),
            cursor_due: None,
            events: VecDeque::new(),
            behind: true,
            backlog_due: now,
            announcing: Announcing::default(),
            online_said: false,
            commands_left: Bucket::full(command::QUOTA, now),
            looks: 0,
            cleared: false,
        }
    }

    /// Runs until `stop`. Without `[mqtt]` it only waits for a configuration that has it.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            if !self.wait_until_enabled(&stop).await {
                return;
            }
            if !self.serve(&stop).await {
                self.end().await;
                return;
            }
        }
    }

    /// Returns once there is a broker; `false`: the daemon stops.
    async fn wait_until_enabled(&mut self, stop: &CancellationToken) -> bool {
        loop {
            if self.parts.config.borrow_and_update().broker.is_some() {
                return true;
            }
            tokio::select! {
                () = stop.cancelled() => return false,
                changed = self.parts.config.changed() => if changed.is_err() { return false },
            }
        }
    }

    /// Serves until `[mqtt]` is not enabled any more (`true`), or until `stop`.
    async fn serve(&mut self, stop: &CancellationToken) -> bool {
        let remembered = self.remember(stop).await;
        if !remembered {
            return false;
        }
        self.tap = Some(self.parts.tap.subscribe());
        self.read_troubles().await;
        self.take_config();
        let mut snoozes = interval(SNOOZES);
        snoozes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let due = |at: Option<Instant>| sleep_until(at.unwrap_or_else(Instant::now));
            let (cursor_due, announcing_due) = (self.cursor_due, self.announcing_due());
            let backlog = self.behind && self.online_said && self.events.is_empty() && self.knows_monitors();
            tokio::select! {
                biased;
                () = stop.cancelled() => return false,
                Ok(()) = self.parts.config.changed() => if !self.on_config().await { return true },
                event = next_of(&mut self.tap) => self.on_tap(event).await,
                event = self.line.next() => self.on_line(event).await,
                Some(request) = self.parts.requests.recv() => self.on_request(request).await,
                Ok(()) = self.parts.reports.changed() => self.take_reports(),
                Ok(()) = self.parts.catalog.changed() => self.take_catalog(),
                () = due(cursor_due), if cursor_due.is_some() => self.write_cursor(),
                () = due(announcing_due), if announcing_due.is_some() => self.announce_due(),
                () = sleep_until(self.backlog_due), if backlog => self.read_backlog().await,
                _ = snoozes.tick() => self.look_at_router().await,
            }
            self.send();
            let (backlog, slots) = (self.events.len() as u64, self.line.is_up());
            self.parts.status.change(|health| health.backlog = backlog);
            self.parts.counters.mqtt.connected.set(u64::from(slots));
        }
    }

    /// Takes the settings in use, from nothing.
    fn take_config(&mut self) {
        self.config = self.parts.config.borrow_and_update().clone();
        self.topics = Topics::new(&self.config.topic);
        self.slots.forget();
        self.cameras = Cameras::default();
        self.cleared = false;
        let Some(broker) = self.config.broker.clone() else { return };
        self.parts.status.set(Some(MqttHealth {
            broker: broker.url.to_string(),
            connected_at: None,
            away_since: Some(self.parts.clock.now()),
            failure: None,
            acknowledged: 0,
            backlog: 0,
            ignored_commands: 0,
            cleared: false,
        }));
        self.take_catalog();
        self.take_reports();
        self.show_troubles();
        self.line.connect(self.settings(broker));
    }

    fn settings(&self, config: BrokerConfig) -> BrokerSettings {
        let client_id = config.client_id.clone().unwrap_or_else(|| format!("zmesd-{}", self.instance));
        let will = Some(BrokerMessage::retained(self.topics.server("status"), OFFLINE));
        BrokerSettings { config, client_id, will, max_packet: MAX_PACKET }
    }

    /// A reload: the section has changed, or an admin wants another try. `false`: it is not enabled any more.
    async fn on_config(&mut self) -> bool {
        let new = self.parts.config.borrow_and_update().clone();
        if new == self.config && !self.cleared && self.line.is_up() {
            return true;
        }
        let enabled = new.broker.is_some();
        let url = |config: &MqttConfig| config.broker.as_ref().map(|broker| broker.url.clone());
        let moves = url(&new) != url(&self.config) || new.topic != self.config.topic || !enabled;
        if moves && self.line.is_up() {
            // What is retained there would be false for ever.
            let discovery = url(&new) != url(&self.config);
            self.empty(discovery).await;
        }
        self.goodbye().await;
        if !enabled {
            info!("mqtt is not enabled any more: disconnected from the broker");
            self.tap = None;
            self.parts.status.set(None);
            self.config = new;
            return false;
        }
        self.take_config();
        true
    }

    fn take_catalog(&mut self) {
        let catalog = Arc::clone(&self.parts.catalog.borrow_and_update());
        if catalog.loaded_at.is_none() || self.cleared {
            return;
        }
        let monitors =
            catalog.monitors.iter().filter(|monitor| self.tells_of(&catalog, monitor.id, &monitor.name));
        let now: BTreeMap<_, _> = monitors.map(|monitor| (monitor.id, Arc::clone(&monitor.name))).collect();
        let changed = self.cameras.set(now, &self.topics, &mut self.slots);
        if self.line.is_up() {
            self.clean_up_before();
        } else {
            self.note_published();
        }
        if changed {
            self.take_reports();
            self.show_troubles();
            if self.line.is_up() {
                self.announce(false);
            }
        }
    }

    /// Says whether the monitors are known: before that, alarms of all of them would seem to be nobody's.
    fn knows_monitors(&self) -> bool {
        self.parts.catalog.borrow().loaded_at.is_some()
    }

    /// Says whether a monitor is told of at all.
    fn tells_of(&self, catalog: &Catalog, id: MonitorId, name: &str) -> bool {
        let config = &self.config;
        let chosen =
            config.monitors.is_empty() || config.monitors.iter().any(|chosen| chosen.names(id, name));
        chosen && (config.user.is_empty() || catalog.may_hear(&config.user, id).is_ok())
    }

    fn take_reports(&mut self) {
        let reports = Arc::clone(&self.parts.reports.borrow_and_update());
        for report in reports.values() {
            self.cameras.report(report, &self.topics, &mut self.slots);
        }
    }

    async fn on_tap(&mut self, event: Result<TapEvent, RecvError>) {
        match event {
            // Each node publishes what its own cameras see.
            Ok(TapEvent::Alarm(announced)) if announced.alarm.elsewhere.is_some() => {}
            Ok(TapEvent::Alarm(announced)) => self.on_alarm(&announced.alarm),
            Ok(TapEvent::Trouble(told)) => self.on_trouble(&told),
            Ok(TapEvent::Decided(_) | TapEvent::Session(_) | TapEvent::Token(_) | TapEvent::Delivery(_)) => {}
            Err(RecvError::Lagged(missed)) => {
                warn!(missed, "mqtt was too slow for what happened: reading it from the record");
                self.behind = true;
                self.read_troubles().await;
                self.show_troubles();
            }
            // The router has ended, and the daemon is about to.
            Err(RecvError::Closed) => self.tap = None,
        }
    }

    fn on_alarm(&mut self, alarm: &Alarm) {
        let Some(mut told) = message::of_alarm(alarm) else { return };
        if self.cameras.get(alarm.monitor).is_none() {
            // The catalog may know it since a moment.
            self.take_catalog();
        }
        if self.cameras.get(alarm.monitor).is_none() || self.cleared {
            return;
        }
        let wanted = self.cameras.alarm(&told, &self.topics, &mut self.slots);
        // What is recorded waits for the connection in the record, behind what is there already.
        let recorded = message::is_recorded(told.event_type);
        let behind = self.behind && told.event_type != MachineKind::Test;
        if !self.line.is_up() || behind {
            self.behind |= recorded;
            return;
        }
        if !wanted {
            return;
        }
        self.judge(&mut told, alarm.monitor);
        self.queue(&told);
    }

    /// Adds what depends on this moment.
    fn judge(&self, told: &mut MachineMessage, monitor: MonitorId) {
        if self.cameras.snoozed(monitor, self.parts.clock.now()) {
            told.snoozed = Some(true);
        }
    }

    /// Queues an alarm, unless the broker has it; `false`: there is no room.
    fn queue(&mut self, told: &MachineMessage) -> bool {
        let Some(monitor) = &told.monitor else { return true };
        if self.events.len() >= EVENTS {
            self.behind = true;
            return false;
        }
        let recorded = message::is_recorded(told.event_type);
        if recorded && !self.cursor.take(&told.id, told.at) {
            return true;
        }
        if let Some(base) = &self.config.es_topic
            && let (Some(topic), Some(payload)) =
                (es::topic(base, told), es::payload(told, self.config.es_ends))
        {
            let message = BrokerMessage { topic, payload: payload.into(), retain: self.config.es_retain };
            self.events.push_back(QueuedEvent { message, id: None });
        }
        let topic = self.topics.monitor(monitor.id, "event");
        let message = BrokerMessage { topic, payload: json(told), retain: false };
        self.events.push_back(QueuedEvent { message, id: recorded.then(|| told.id.clone()) });
        true
    }

    async fn on_line(&mut self, event: LineEvent) {
        match event {
            LineEvent::Up => self.on_up().await,
            LineEvent::Down(fault, text) => self.on_down(fault, &text),
            LineEvent::Acked(tag) => self.on_ack(tag),
            LineEvent::Message { topic, payload, retained } => {
                self.on_message(&topic, &payload, retained).await;
            }
        }
    }

    async fn on_up(&mut self) {
        let now = self.parts.clock.now();
        let mut broker = String::new();
        self.parts.status.change(|health| {
            (health.connected_at, health.away_since) = (Some(now), None);
            broker.clone_from(&health.broker);
        });
        info!(broker, "connected to the MQTT broker");
        let mut filters = Vec::new();
        if self.config.commands {
            filters.extend(self.topics.commands());
        }
        if self.config.home_assistant.enabled {
            filters.push(self.config.home_assistant.status_topic.clone());
        }
        if let Err(error) = self.line.subscribe(&filters).await {
            warn!(error, "what comes over MQTT is not heard: check the broker's ACL; zmesctl mqtt check");
        }
        self.online_said = false;
        self.cursor.reopen();
        self.events.clear();
        (self.behind, self.backlog_due) = (true, Instant::now());
        self.clean_up_before();
        self.look_at_router().await;
        self.slots.all_again();
        self.announce(true);
    }

    fn on_down(&mut self, fault: FaultKind, text: &str) {
        let now = self.parts.clock.now();
        let mut first = false;
        let failure = MqttFailure { at: now, fault, text: text.to_owned() };
        self.parts.status.change(|health| {
            first =
                health.connected_at.is_some() || health.failure.as_ref().is_none_or(|last| last.text != text);
            health.connected_at = None;
            health.away_since.get_or_insert(now);
            health.failure = Some(failure);
        });
        if first {
            warn!(error = text, "the MQTT broker is away; zmesctl mqtt check shows why");
        }
        self.events.clear();
        self.cursor.reopen();
        self.online_said = false;
        self.announcing.interrupt();
    }

    fn on_ack(&mut self, tag: Tag) {
        self.parts.counters.mqtt.published.increment();
        self.parts.status.change(|health| health.acknowledged += 1);
        match tag {
            Tag::Event(Some(id)) => {
                self.cursor.finish(&id);
                self.cursor_due.get_or_insert_with(|| Instant::now() + CURSOR);
            }
            Tag::Discovery => self.announced(),
            Tag::State | Tag::Online | Tag::Event(None) => {}
        }
    }

    /// Hands over as much as the connection takes: states, then that we are there, then alarms, then devices.
    fn send(&mut self) {
        while self.line.has_room() && !self.cleared {
            let (message, tag) = if let Some(message) = self.slots.next() {
                (message, Tag::State)
            } else if !self.online_said {
                self.online_said = true;
                (BrokerMessage::retained(self.topics.server("status"), ONLINE), Tag::Online)
            } else if let Some(QueuedEvent { message, id }) = self.events.pop_front() {
                (message, Tag::Event(id))
            } else if let Some(message) = self.announcing.next(Instant::now()) {
                (message, Tag::Discovery)
            } else {
                return;
            };
            // There is room, so it only fails if the connection is about to end, and then all is sent again.
            self.line.publish(message, tag);
        }
    }

    fn write_cursor(&mut self) {
        self.cursor_due = None;
        self.note(MqttNote::Cursor(self.cursor.document()));
    }

    fn note(&self, note: MqttNote) {
        if !self.parts.state.note(Note::Mqtt(note)) {
            self.parts.counters.lost_notes.increment();
        }
    }

    fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }
}

async fn next_of(tap: &mut Option<TapReceiver>) -> Result<TapEvent, RecvError> {
    match tap {
        Some(tap) => tap.recv().await,
        None => std::future::pending().await,
    }
}
