//! Leaving a broker: nothing that is not true any more stays there.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};
use tracing::{info, warn};
use zmes_shared::MonitorId;
use zmes_shared::words::FaultKind;

use super::{GOODBYE, MqttOwner, OFFLINE, PublishedStates};
use crate::mqtt::cameras;
use crate::mqtt::line::{LineEvent, Tag};
use crate::mqtt::topics::{OF_MONITOR, OF_PLACE, Topics};
use crate::mqtt::view::MqttRequest;
use crate::ports::{BrokerMessage, MqttRefusal};
use crate::state::MqttNote;

/// How long emptying everything may take.
pub(super) const EMPTY: Duration = Duration::from_secs(10);
/// How long `mqtt clear` may take: less than its caller waits.
const CLEAR: Duration = Duration::from_secs(20);
/// How long the broker is listened to for what it retains, at most.
const LISTEN: Duration = Duration::from_secs(3);
/// Without a message for this long it has told everything.
const QUIET: Duration = Duration::from_millis(500);
/// Retained messages that are looked at in that time.
const HEARD: usize = 20_000;

impl MqttOwner {
    pub(super) async fn on_request(&mut self, request: MqttRequest) {
        match request {
            // Whoever asked was told that it did not work.
            MqttRequest::Clear(reply) if reply.is_closed() => {}
            MqttRequest::Clear(reply) => {
                let cleared = self.clear().await;
                // The caller may have given up.
                reply.send(cleared).ok();
            }
        }
    }

    /// Removes everything that is retained, also what an earlier installation left, and publishes nothing until a reload.
    async fn clear(&mut self) -> Result<u64, MqttRefusal> {
        if !self.line.is_up() {
            return Err(MqttRefusal::Away);
        }
        let Some(emptied) = self.clear_until(Instant::now() + CLEAR).await else {
            // Part of it is gone, and too much is subscribed to: everything is published again from nothing.
            if self.line.is_up() {
                self.on_down(FaultKind::Timeout, "the broker did not take in time what mqtt clear removes");
            }
            self.line.cut();
            let open = self.read_open().await;
            self.take_config(open);
            return Err(MqttRefusal::Unfinished);
        };
        self.goodbye().await;
        self.line.cut();
        self.cleared = true;
        self.parts.status.change(|health| {
            (health.cleared, health.connected_at, health.away_since) = (true, None, None);
        });
        info!(topics = emptied, "everything that the MQTT broker retained of zmesd was removed");
        Ok(emptied)
    }

    /// Listens and empties by turns until nothing more is heard; returns from how many topics. `None`: not in time.
    async fn clear_until(&mut self, deadline: Instant) -> Option<u64> {
        let heard = self.listen(deadline).await?;
        let mut emptied = self.empty(true, heard, deadline).await?;
        loop {
            // What came too fast was not heard the first time.
            let rest = self.listen(deadline).await?;
            if rest.is_empty() {
                return Some(emptied);
            }
            emptied += rest.len() as u64;
            let messages = rest.into_iter().map(|topic| BrokerMessage::retained(topic, "")).collect();
            if !self.drive(messages, deadline).await {
                return None;
            }
        }
    }

    /// Returns the topics of ours that the broker retains, as far as it lets us know. `None`: the connection is lost.
    async fn listen(&mut self, deadline: Instant) -> Option<BTreeSet<String>> {
        let prefix = &self.config.home_assistant.prefix;
        let filters = [format!("{}/#", self.config.topic), format!("{prefix}/device/+/config")];
        let device = format!("{prefix}/device/zmesd_{}", self.instance);
        let mut found = BTreeSet::new();
        if let Err(error) = self.line.subscribe(&filters).await {
            warn!(error, "removing only what this zmesd has published itself");
            return Some(found);
        }
        let until = deadline.min(Instant::now() + LISTEN);
        for _ in 0..HEARD {
            let quiet = until.min(Instant::now() + QUIET);
            let Ok(event) = timeout_at(quiet, self.line.next()).await else { break };
            match event {
                LineEvent::Message { topic, payload, retained } => {
                    let ours = self.topics.is_ours(&topic) || topic.starts_with(&device);
                    if retained && ours && !payload.is_empty() {
                        found.insert(topic);
                    }
                }
                LineEvent::Acked(tag) => self.on_ack(tag),
                LineEvent::Down(fault, text) => {
                    self.on_down(fault, &text);
                    return None;
                }
                LineEvent::Up => {}
            }
        }
        Some(found)
    }

    /// Empties every topic of ours, and these, which the broker retains, too; `discovery`: also the devices. Returns how
    /// many. `None`: not in time, and nothing is forgotten.
    pub(super) async fn empty(
        &mut self,
        discovery: bool,
        heard: BTreeSet<String>,
        deadline: Instant,
    ) -> Option<u64> {
        let status = self.topics.server("status");
        let mut topics = heard;
        topics.extend(self.slots.topics().cloned());
        topics.extend(self.retained_before());
        if discovery {
            topics.extend(self.announcing.known().iter().map(|device| device.topic.clone()));
        }
        topics.remove(&status);
        let count = topics.len() as u64 + 1;
        let mut messages = VecDeque::from([BrokerMessage::retained(status.clone(), OFFLINE)]);
        messages.extend(topics.into_iter().map(|topic| BrokerMessage::retained(topic, "")));
        messages.push_back(BrokerMessage::retained(status, ""));
        if !self.drive(messages, deadline).await {
            return None;
        }
        if discovery {
            self.keep_devices(Vec::new());
        }
        self.slots.forget();
        self.published = PublishedStates::default();
        self.note(MqttNote::Published(String::new()));
        Some(count)
    }

    /// Returns what may be retained of monitors, whatever this daemon has published of them.
    fn retained_before(&self) -> BTreeSet<String> {
        let ids: BTreeSet<u32> =
            self.cameras.iter().map(|(id, _)| id.0).chain(self.published.monitors.iter().copied()).collect();
        let old = Some(&self.published.topic).filter(|topic| !topic.is_empty());
        let places: BTreeSet<&String> = old.into_iter().chain([&self.config.topic]).collect();
        let es = [self.retained_es(), self.published.es.as_ref()].into_iter().flatten();
        let mut topics: BTreeSet<String> =
            es.flat_map(|es| ids.iter().map(move |id| format!("{es}/{id}"))).collect();
        for place in places {
            let place = Topics::new(place);
            topics.extend(OF_PLACE.map(|name| place.server(name)));
            let of_monitor = |id: &u32| OF_MONITOR.map(|name| place.monitor(MonitorId(*id), name));
            topics.extend(ids.iter().flat_map(of_monitor));
        }
        topics
    }

    /// Publishes messages and waits until the broker has them; `false`: not in time.
    async fn drive(&mut self, mut messages: VecDeque<BrokerMessage>, deadline: Instant) -> bool {
        loop {
            while self.line.has_room()
                && let Some(message) = messages.pop_front()
            {
                if !self.line.publish(message.clone(), Tag::State) {
                    messages.push_front(message);
                    break;
                }
            }
            if messages.is_empty() && self.line.is_idle() {
                return true;
            }
            match timeout_at(deadline, self.line.next()).await {
                Ok(LineEvent::Acked(tag)) => self.on_ack(tag),
                Ok(LineEvent::Down(fault, text)) => {
                    self.on_down(fault, &text);
                    return false;
                }
                Ok(LineEvent::Up | LineEvent::Message { .. }) => {}
                Err(_) => return false,
            }
        }
    }

    /// Says `offline`, and then goodbye: the broker does not publish the will after that.
    pub(super) async fn goodbye(&mut self) {
        // After everything was emptied, nothing may be there again.
        if self.line.is_up() && self.online_said && self.slots.topics().next().is_some() {
            let offline = BrokerMessage::retained(self.topics.server("status"), OFFLINE);
            self.drive(VecDeque::from([offline]), Instant::now() + GOODBYE).await;
        }
        self.line.close(Duration::from_millis(500)).await;
        self.online_said = false;
        self.events.clear();
        self.cursor.reopen();
        self.announcing.interrupt();
        self.parts.counters.mqtt.connected.set(0);
    }

    /// The daemon stops.
    pub(super) async fn end(&mut self) {
        let goodbye = timeout(GOODBYE + Duration::from_secs(1), self.goodbye()).await;
        if goodbye.is_err() {
            warn!("the MQTT broker did not take the goodbye in time; it publishes the will");
        }
        self.write_cursor();
    }

    /// Removes what is retained below an earlier topic, and of monitors that went while there was no connection.
    pub(super) fn clean_up_before(&mut self) {
        if !self.knows_monitors() {
            return;
        }
        let PublishedStates { topic, monitors, es, pictures } = &self.published;
        let old = Topics::new(topic);
        let moved = !topic.is_empty() && *topic != self.config.topic;
        let es_moved = es.as_ref() != self.retained_es();
        for id in monitors.iter().map(|id| MonitorId(*id)) {
            let gone = self.cameras.get(id).is_none();
            if moved || gone {
                cameras::remove(id, &old, &mut self.slots);
            }
            if *pictures && !self.config.picture {
                self.slots.remove(&old.monitor(id, "picture"));
            }
            if let Some(es) = es.as_ref().filter(|_| es_moved || gone) {
                self.slots.remove(&format!("{es}/{id}"));
            }
        }
        if moved {
            for name in OF_PLACE {
                self.slots.remove(&old.server(name));
            }
        }
        self.note_published();
    }

    /// Empties what programs for the old event server are retained of the monitors that are gone.
    pub(super) fn empty_es(&mut self, gone: impl Fn(&MonitorId) -> bool) {
        let Some(es) = self.retained_es().cloned() else { return };
        for id in self.cameras.iter().map(|(id, _)| id).filter(gone) {
            self.slots.remove(&format!("{es}/{id}"));
        }
    }

    /// Returns where messages for programs of the old event server are retained.
    fn retained_es(&self) -> Option<&String> {
        self.config.es_topic.as_ref().filter(|_| self.config.es_retain)
    }

    /// Notes below which topic states may be retained, and of which monitors. What is to be emptied is in it until the
    /// broker has confirmed that: a daemon that is killed before leaves it to the next one.
    pub(super) fn note_published(&mut self) {
        if !self.knows_monitors() {
            return;
        }
        let before = &self.published;
        let mut monitors: BTreeSet<u32> = self.cameras.iter().map(|(id, _)| id.0).collect();
        let (topic, es) = (self.config.topic.clone(), self.retained_es().cloned());
        let emptied = self.line.is_up() && !self.slots.is_emptying();
        if !emptied && !before.topic.is_empty() {
            if before.topic != topic || before.es.is_some() && before.es != es {
                return;
            }
            monitors.extend(&before.monitors);
        }
        let pictures = self.config.picture || !emptied && before.pictures;
        let now = PublishedStates { topic, monitors: monitors.into_iter().collect(), es, pictures };
        if now != *before {
            // Numbers and texts can always be written.
            self.note(MqttNote::Published(serde_json::to_string(&now).unwrap_or_default()));
            self.published = now;
        }
    }
}
