//! What comes over MQTT: commands about snoozes, and that Home Assistant has started.

use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::Instant;
use tracing::{info, warn};
use zmes_shared::MonitorId;
use zmes_shared::words::SnoozeOrigin;

use super::{CLIENTS, MqttOwner, ONLINE};
use crate::domain::{Snooze, SnoozeId, SnoozeScope};
use crate::limits::Quota;
use crate::mqtt::commands::MqttCommand;
use crate::route::{Busy, SnoozeAuthor};

/// Commands that are carried out: each asks the router.
pub(super) const QUOTA: Quota = Quota { burst: 20.0, every: Duration::from_secs(1) };
/// Who sets a snooze over MQTT; brokers do not tell who it was.
const AUTHOR: &str = "mqtt";

impl MqttOwner {
    pub(super) async fn on_message(&mut self, topic: &str, payload: &[u8], retained: bool) {
        if topic == self.config.home_assistant.status_topic {
            if payload == ONLINE.as_bytes() && !retained {
                self.on_birth();
            }
            return;
        }
        if !self.config.commands || self.cleared {
            return;
        }
        if retained {
            return self
                .ignore(topic, "it is retained: it would silence the camera again at each connection");
        }
        let Some(command) = MqttCommand::parse(&self.config.topic, topic, payload) else {
            return self.ignore(topic, "it is not understood: see \"Home Assistant\" in the documentation");
        };
        if self.cameras.get(command.monitor).is_none() {
            return self.ignore(topic, "there is no such monitor");
        }
        let now = Instant::now();
        if self.commands_left.left(QUOTA, now) < 1.0 {
            return self.ignore(topic, "there are too many");
        }
        self.commands_left.charge(1.0, QUOTA, now);
        if self.obey(command, topic).await.is_err() {
            return self.ignore(topic, "the router is busy");
        }
        self.look_at_router().await;
    }

    /// Counts what was ignored, and tells of the first.
    fn ignore(&mut self, topic: &str, reason: &str) {
        self.parts.counters.mqtt.ignored.increment();
        let mut first = false;
        self.parts.status.change(|health| {
            first = health.ignored_commands == 0;
            health.ignored_commands += 1;
        });
        if first {
            let topic = zmes_shared::text::quotable(topic);
            warn!(topic, reason, "ignoring an MQTT command; others are only counted");
        }
    }

    async fn obey(&mut self, MqttCommand { monitor, snooze }: MqttCommand, topic: &str) -> Result<(), Busy> {
        let now = Snooze::time(self.now());
        let Some(minutes) = snooze else { return self.end_snooze(monitor, topic).await };
        let lasting = SignedDuration::from_mins(i64::try_from(minutes).unwrap_or(i64::MAX));
        let until = now.saturating_add(lasting).unwrap_or(now);
        let set = self.parts.router.set_snooze(Snooze {
            id: SnoozeId(0),
            monitor: Some(monitor),
            scope: SnoozeScope::Everybody,
            since: now,
            until,
            hard: false,
            tell: false,
            by: AUTHOR.to_owned(),
            origin: SnoozeOrigin::Mqtt,
        });
        match set.await? {
            Ok(_) => info!(%monitor, %until, topic, "snooze set by an MQTT command"),
            Err(full) => warn!(%monitor, topic, error = %full, "an MQTT command was not carried out"),
        }
        Ok(())
    }

    /// Ends the snoozes of this monitor for all phones; one for all monitors is somebody else's decision.
    async fn end_snooze(&mut self, monitor: MonitorId, topic: &str) -> Result<(), Busy> {
        let set = self.parts.router.snoozes().await?;
        let ours = set
            .iter()
            .map(|one| &one.snooze)
            .filter(|snooze| snooze.monitor == Some(monitor) && snooze.scope == SnoozeScope::Everybody);
        let ids: Vec<_> = ours.map(|snooze| snooze.id).collect();
        if !ids.is_empty() {
            let author = SnoozeAuthor { by: AUTHOR.to_owned(), origin: SnoozeOrigin::Mqtt };
            self.parts.router.end_snoozes(ids, author).await?;
            info!(%monitor, topic, "snooze ended by an MQTT command");
        }
        Ok(())
    }

    /// Reads what only the router knows: snoozes, and now and then the number of clients.
    pub(super) async fn look_at_router(&mut self) {
        if !self.line.is_up() || self.cleared {
            return;
        }
        if let Ok(set) = self.parts.router.snoozes().await {
            let snoozes: Vec<_> = set.iter().map(|one| &one.snooze).collect();
            self.cameras.snoozes(&snoozes, &self.topics, &mut self.slots);
        }
        if self.looks.is_multiple_of(CLIENTS)
            && let Ok(clients) = self.parts.router.count().await
        {
            self.slots.set(&self.topics.server("clients"), clients.authenticated.to_string());
        }
        if self.looks.is_multiple_of(CLIENTS) {
            self.look_at_open().await;
        }
        self.looks = self.looks.wrapping_add(1);
    }
}
