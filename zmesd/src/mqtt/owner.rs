//! The task: owns the connection, the states, the alarms on their way and what was announced.

mod alarms;
mod announce;
mod backlog;
mod command;
mod connection;
mod leave;
mod pictures;
mod trouble;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use zmes_shared::MonitorId;
use zmes_zoneminder::Monitor;

use self::announce::Announcing;
use self::pictures::AlarmPictures;
use super::cameras::Cameras;
use super::cursor::AckCursor;
use super::line::BrokerLine;
use super::slots::Slots;
use super::starts::DecidedStarts;
use super::topics::Topics;
use super::view::{MqttRequest, MqttStatus};
use crate::config::{BrokerConfig, MqttConfig, PictureConfig};
use crate::detect::MonitorReports;
use crate::limits::Bucket;
use crate::monitors::Catalog;
use crate::ports::{Broker, BrokerMessage, BrokerSettings, Clock, MqttHealth, PictureUploads};
use crate::route::{RouterHandle, Tap, TapEvent, TapReceiver};
use crate::rules::RuleSet;
use crate::state::{MqttNote, Note, OpenAlarm, StateHandle};
use crate::telemetry::Counters;
use crate::troubles::{Trouble, TroubleId};

/// Alarms that wait in memory; the rest is read from the record.
const EVENTS: usize = 1000;
/// How often snoozes are looked at.
const SNOOZES: Duration = Duration::from_secs(2);
/// Looks at snoozes between two at the number of clients.
const CLIENTS: u32 = 30;
/// Largest packet that is sent, in bytes, beside pictures; announcements of devices are the largest, at about 4 KiB.
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
    pub pictures: Arc<dyn PictureUploads>,
    /// For links to events.
    pub links: watch::Receiver<PictureConfig>,
    pub rules: watch::Receiver<Arc<RuleSet>>,
    pub zone: TimeZone,
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

/// What waits in the record, as far as is known.
#[derive(Debug)]
struct EventBacklog {
    /// The record has alarms that were not queued: it is read before live ones are.
    behind: bool,
    /// Since when: what came later is published whatever `mqtt.keep` says.
    since: Timestamp,
    /// Alarms and ends that were seen meanwhile.
    waiting: u64,
    /// Alarms may wait for the disk and be missing in the record: it is read once more.
    unsettled: bool,
    /// When it is read next.
    due: Instant,
}

/// Where states are retained, and of which monitors: what a daemon after this one has to clean up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct PublishedStates {
    topic: String,
    monitors: Vec<u32>,
    /// `mqtt.es-topic`, where its messages are retained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    es: Option<String>,
    /// Pictures may be retained.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pictures: bool,
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
    /// What the broker may retain, as far as that is written down.
    published: PublishedStates,
    cursor: AckCursor,
    cursor_due: Option<Instant>,
    events: VecDeque<QueuedEvent>,
    backlog: EventBacklog,
    announcing: Announcing,
    pictures: AlarmPictures,
    decided: DecidedStarts,
    online_said: bool,
    user_missed: bool,
    commands_left: Bucket,
    looks: u32,
    cleared: bool,
}

impl MqttOwner {
    pub fn new(parts: MqttParts) -> Self {
        let config = MqttConfig::default();
        let now = Instant::now();
        let pictures = AlarmPictures::new(Arc::clone(&parts.pictures));
        Self {
            line: BrokerLine::new(Arc::clone(&parts.broker)),
            topics: Topics::new(&config.topic),
            cursor: AckCursor::starting(parts.clock.now()),
            backlog: EventBacklog {
                behind: true,
                since: parts.clock.now(),
                waiting: 0,
                unsettled: false,
                due: now,
            },
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
            announcing: Announcing::default(),
            pictures,
            decided: DecidedStarts::default(),
            online_said: false,
            user_missed: false,
            commands_left: Bucket::full(command::QUOTA, now),
            looks: 0,
            cleared: false,
        }
    }

    /// Runs until `stop`. Without `[mqtt]` it only waits for a configuration that has it.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            if !self.wait_until_enabled(&stop).await || !self.remember(&stop).await {
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
        self.tap = Some(self.parts.tap.subscribe());
        self.read_troubles().await;
        let open = self.read_open().await;
        self.take_config(open);
        let mut snoozes = interval(SNOOZES);
        snoozes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let due = |at: Option<Instant>| sleep_until(at.unwrap_or_else(Instant::now));
            let (cursor_due, announcing_due) = (self.cursor_due, self.announcing_due());
            let reads = (self.backlog.behind || self.backlog.unsettled) && self.online_said;
            let backlog = reads && self.events.is_empty() && self.knows_monitors();
            // By chance, not in order: whoever floods one of them holds up no other.
            tokio::select! {
                () = stop.cancelled() => return false,
                Ok(()) = self.parts.config.changed() => if !self.on_config().await { return true },
                event = next_of(&mut self.tap) => self.on_tap(event).await,
                event = self.line.next() => self.on_line(event).await,
                Some(request) = self.parts.requests.recv() => self.on_request(request).await,
                Ok(()) = self.parts.reports.changed() => self.take_reports(),
                Ok(()) = self.parts.catalog.changed() => self.take_catalog(),
                () = due(cursor_due), if cursor_due.is_some() => self.write_cursor(),
                Ok(()) = self.parts.links.changed() => if self.line.is_up() { self.announce(false) },
                found = self.pictures.next() => self.on_picture(found),
                () = due(announcing_due), if announcing_due.is_some() => self.announce_due(),
                () = sleep_until(self.backlog.due), if backlog => self.read_backlog().await,
                _ = snoozes.tick() => self.look_at_router().await,
            }
            self.send();
            let queued = self.events.iter().filter(|event| event.id.is_some()).count() as u64;
            let (backlog, connected) = (queued + self.backlog.waiting, self.line.is_up());
            self.parts.status.change(|health| health.backlog = backlog);
            self.parts.counters.mqtt.connected.set(u64::from(connected));
        }
    }

    /// Takes the settings in use, from nothing; `open`: the alarms that go on.
    fn take_config(&mut self, open: Vec<OpenAlarm>) {
        self.config = self.parts.config.borrow_and_update().clone();
        self.topics = Topics::new(&self.config.topic);
        self.slots.forget();
        self.cameras = Cameras::starting(open);
        (self.cleared, self.user_missed) = (false, false);
        self.pictures.forget();
        let Some(broker) = self.config.broker.clone() else { return };
        let fresh = MqttHealth::unreached(&broker.url);
        // What is counted since the start goes on, unless it is of another broker.
        let before = self.parts.status.get().filter(|health| health.broker == fresh.broker);
        let away_since = before.as_ref().and_then(|health| health.away_since);
        self.parts.status.set(Some(MqttHealth {
            away_since: away_since.or_else(|| Some(self.parts.clock.now())),
            acknowledged: before.as_ref().map_or(0, |health| health.acknowledged),
            ignored_commands: before.as_ref().map_or(0, |health| health.ignored_commands),
            failure: before.and_then(|health| health.failure),
            ..fresh
        }));
        self.take_catalog();
        self.take_reports();
        self.show_troubles();
        self.line.connect(self.settings(broker));
    }

    fn settings(&self, config: BrokerConfig) -> BrokerSettings {
        let client_id = config.client_id.clone().unwrap_or_else(|| format!("zmesd-{}", self.instance));
        let will = Some(BrokerMessage::retained(self.topics.server("status"), OFFLINE));
        let picture = if self.config.picture { usize::try_from(self.config.max_picture) } else { Ok(0) };
        BrokerSettings { config, client_id, will, max_packet: MAX_PACKET + picture.unwrap_or(0) }
    }

    /// A reload: the section has changed, or an admin wants another try. `false`: it is not enabled any more.
    async fn on_config(&mut self) -> bool {
        let new = self.parts.config.borrow_and_update().clone();
        let works = self.line.is_up() && !self.line.is_unsubscribed() && !self.cleared;
        if new == self.config && works && !self.pictures.rest() {
            return true;
        }
        let enabled = new.broker.is_some();
        let url = |config: &MqttConfig| config.broker.as_ref().map(|broker| broker.url.clone());
        let moves = url(&new) != url(&self.config) || new.topic != self.config.topic || !enabled;
        if moves && self.line.is_up() {
            // What is retained there would be false for ever.
            let discovery = url(&new) != url(&self.config);
            self.empty(discovery, BTreeSet::new(), Instant::now() + leave::EMPTY).await;
        }
        self.goodbye().await;
        if !enabled {
            info!("mqtt is not enabled any more: disconnected from the broker");
            self.tap = None;
            self.parts.status.set(None);
            self.config = new;
            return false;
        }
        let open = self.read_open().await;
        self.line.hear_again();
        self.take_config(open);
        true
    }

    fn take_catalog(&mut self) {
        let catalog = Arc::clone(&self.parts.catalog.borrow_and_update());
        if !self.knows_monitors() || self.cleared {
            self.warn_of_user();
            return;
        }
        // Each node has devices for its own cameras alone: else Home Assistant would get and lose some with each failure of
        // another node.
        let is_told = |monitor: &&Arc<Monitor>| {
            !catalog.is_orphan(monitor) && self.tells_of(&catalog, monitor.id, &monitor.name)
        };
        let monitors = catalog.monitors.iter().filter(is_told);
        let now: BTreeMap<_, _> = monitors.map(|monitor| (monitor.id, Arc::clone(&monitor.name))).collect();
        self.empty_es(|id| !now.contains_key(id));
        let changed = self.cameras.set(now, &self.topics, &mut self.slots);
        self.decided.retain(|id| self.cameras.get(id).is_some());
        if self.line.is_up() {
            self.clean_up_before();
        } else {
            self.note_published();
        }
        if changed {
            self.take_reports();
            self.show_troubles();
        }
        if self.line.is_up() && (changed || !self.announcing.is_whole()) {
            self.announce(false);
        }
    }

    /// Says whether it is known which monitors are told of: before that, all of them would seem to be gone. A user whom
    /// ZoneMinder does not have is a mistake, for which no device is removed. A catalog that was not taken yet is not known
    /// either: the cameras are still those of the one before, at a start none.
    fn knows_monitors(&self) -> bool {
        if self.parts.catalog.has_changed().unwrap_or(false) {
            return false;
        }
        let (catalog, user) = (self.parts.catalog.borrow(), &self.config.user);
        catalog.loaded_at.is_some() && (user.is_empty() || catalog.users.contains_key(user))
    }

    /// Tells, once, that ZoneMinder does not have the user of `mqtt.user`.
    fn warn_of_user(&mut self) {
        if self.parts.catalog.borrow().loaded_at.is_some() && !self.cleared && !self.user_missed {
            self.user_missed = true;
            warn!(user = self.config.user, "mqtt.user names no user of ZoneMinder: nothing is published");
        }
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

    fn write_cursor(&mut self) {
        self.cursor_due = None;
        // Before the cursor: what is done according to that is judged no more.
        if let Some(starts) = self.decided.document() {
            self.note(MqttNote::Starts(starts));
        }
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
