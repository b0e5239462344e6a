//! Leaving a broker: nothing that is not true any more stays there.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};
use tracing::{info, warn};
use zmes_shared::MonitorId;

use super::{GOODBYE, MqttOwner, OFFLINE, PublishedStates};
use crate::mqtt::cameras;
use crate::mqtt::line::{LineEvent, Tag};
use crate::mqtt::topics::Topics;
use crate::mqtt::view::MqttRequest;
use crate::ports::{BrokerMessage, MqttRefusal};
use crate::state::MqttNote;

/// How long emptying everything may take.
const EMPTY: Duration = Duration::from_secs(10);
/// How long the broker is listened to for what it retains.
const LISTEN: Duration = Duration::from_secs(1);
/// Retained messages that are looked at in that time.
const HEARD: usize = 20_000;

impl MqttOwner {
    pub(super) async fn on_request(&mut self, request: MqttRequest) {
        match request {
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
        let heard = self.listen().await;
        for topic in &heard {
            self.slots.set(topic, "-");
        }
        let emptied = self.empty(true).await.ok_or(MqttRefusal::Unfinished)?;
        self.goodbye().await;
        self.line.cut();
        self.cleared = true;
        self.parts.status.change(|health| {
            (health.cleared, health.connected_at, health.away_since) = (true, None, None);
        });
        info!(topics = emptied, "everything that the MQTT broker retained of zmesd was removed");
        Ok(emptied)
    }

    /// Returns the topics of ours that the broker retains, as far as it lets us know.
    async fn listen(&mut self) -> BTreeSet<String> {
        let prefix = &self.config.home_assistant.prefix;
        let filters = [format!("{}/#", self.config.topic), format!("{prefix}/device/+/config")];
        let device = format!("{prefix}/device/zmesd_{}", self.instance);
        let mut found = BTreeSet::new();
        if let Err(error) = self.line.subscribe(&filters).await {
            warn!(error, "removing only what this zmesd has published itself");
            return found;
        }
        let until = Instant::now() + LISTEN;
        for _ in 0..HEARD {
            let Ok(event) = timeout_at(until, self.line.next()).await else { break };
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
                    break;
                }
                LineEvent::Up => {}
            }
        }
        found
    }

    /// Empties every topic of ours, `discovery`: also the devices; returns how many. `None`: not in time.
    pub(super) async fn empty(&mut self, discovery: bool) -> Option<u64> {
        let status = self.topics.server("status");
        let mut topics: BTreeSet<String> = self.slots.topics().cloned().collect();
        if discovery {
            topics.extend(self.announcing.known().iter().map(|device| device.topic.clone()));
        }
        if let Some(es) = self.config.es_topic.as_ref().filter(|_| self.config.es_retain) {
            topics.extend(self.cameras.iter().map(|(id, _)| format!("{es}/{id}")));
        }
        topics.remove(&status);
        let count = topics.len() as u64 + 1;
        let mut messages = VecDeque::from([BrokerMessage::retained(status.clone(), OFFLINE)]);
        messages.extend(topics.into_iter().map(|topic| BrokerMessage::retained(topic, "")));
        messages.push_back(BrokerMessage::retained(status, ""));
        if !self.drive(messages, EMPTY).await {
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

    /// Publishes messages and waits until the broker has them; `false`: not in time.
    async fn drive(&mut self, mut messages: VecDeque<BrokerMessage>, within: Duration) -> bool {
        let deadline = Instant::now() + within;
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
            self.drive(VecDeque::from([offline]), GOODBYE).await;
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
        let before = std::mem::take(&mut self.published);
        let old = Topics::new(&before.topic);
        let moved = !before.topic.is_empty() && before.topic != self.config.topic;
        let gone = |id: &MonitorId| moved || self.cameras.get(*id).is_none();
        // Before the monitors are known, all of them would seem to be gone.
        if self.parts.catalog.borrow().loaded_at.is_none() {
            self.published = before;
            return;
        }
        let gone: Vec<_> = before.monitors.iter().map(|id| MonitorId(*id)).filter(gone).collect();
        for id in gone {
            cameras::remove(id, &old, &mut self.slots);
        }
        if moved {
            for name in ["status", "push", "push/attributes", "clients"] {
                self.slots.remove(&old.server(name));
            }
        }
        self.note_published();
    }

    /// Notes below which topic states are retained, and of which monitors.
    pub(super) fn note_published(&mut self) {
        // What was there before is still to be cleaned up.
        let same_place = self.published.topic.is_empty() || self.published.topic == self.config.topic;
        if !same_place && !self.line.is_up() {
            return;
        }
        let mut monitors: BTreeSet<u32> = self.cameras.iter().map(|(id, _)| id.0).collect();
        if !self.line.is_up() {
            monitors.extend(&self.published.monitors);
        }
        let now =
            PublishedStates { topic: self.config.topic.clone(), monitors: monitors.into_iter().collect() };
        if now != self.published {
            // Numbers and texts can always be written.
            self.note(MqttNote::Published(serde_json::to_string(&now).unwrap_or_default()));
            self.published = now;
        }
    }
}
