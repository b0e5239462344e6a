//! The connection as it comes and goes, what the broker has acknowledged, and what is sent next.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};
use zmes_shared::words::FaultKind;

use super::{MqttOwner, ONLINE, QueuedEvent};
use crate::mqtt::line::{LineEvent, Tag};
use crate::ports::{BrokerMessage, MqttFailure};

/// How often the cursor is written down at most.
pub(super) const CURSOR: Duration = Duration::from_millis(200);

impl MqttOwner {
    pub(super) async fn on_line(&mut self, event: LineEvent) {
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
        let unsubscribed = self.line.is_unsubscribed();
        self.parts.status.change(|health| health.unsubscribed = unsubscribed);
        self.online_said = false;
        self.cursor.reopen();
        self.events.clear();
        (self.backlog.behind, self.backlog.since, self.backlog.due) = (true, now, Instant::now());
        self.clean_up_before();
        self.look_at_router().await;
        self.slots.all_again();
        self.announce(true);
    }

    pub(super) fn on_down(&mut self, fault: FaultKind, text: &str) {
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
        self.interrupt_pictures();
    }

    pub(super) fn on_ack(&mut self, tag: Tag) {
        self.parts.counters.mqtt.published.increment();
        self.parts.status.change(|health| health.acknowledged += 1);
        match tag {
            Tag::Event(Some(id)) => self.finish(&id),
            Tag::Discovery => self.announced(),
            Tag::Picture => self.picture_sent(),
            Tag::Emptied(topic) => {
                self.slots.emptied(&topic);
                if !self.slots.is_emptying() {
                    self.note_published();
                }
            }
            Tag::State | Tag::Online | Tag::Event(None) => {}
        }
    }

    /// Hands over as much as the connection takes: states, then that we are there, then alarms, then devices and pictures.
    pub(super) fn send(&mut self) {
        while self.line.has_room() && !self.cleared {
            let (message, tag) = if let Some(message) = self.slots.next() {
                let empty = message.payload.is_empty().then(|| Tag::Emptied(message.topic.clone()));
                (message, empty.unwrap_or(Tag::State))
            } else if !self.online_said {
                self.online_said = true;
                (BrokerMessage::retained(self.topics.server("status"), ONLINE), Tag::Online)
            } else if let Some(QueuedEvent { message, id }) = self.events.pop_front() {
                (message, Tag::Event(id))
            } else if let Some(message) = self.announcing.next(Instant::now()) {
                (message, Tag::Discovery)
            } else if let Some(picture) = self.next_picture() {
                picture
            } else {
                return;
            };
            // There is room, so it only fails if the connection is about to end, and then all is sent again.
            self.line.publish(message, tag);
        }
    }
}
