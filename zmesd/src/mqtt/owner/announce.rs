//! Devices for Home Assistant: what is announced when, and how fast.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;
use tracing::debug;

use super::MqttOwner;
use crate::mqtt::home_assistant::{self, Announced, Publication, Remembered, Site};
use crate::ports::BrokerMessage;
use crate::state::{MqttDevice, MqttNote};

/// Between two announcements: each makes Home Assistant work.
const PACE: Duration = Duration::from_millis(50);
/// After Home Assistant has started, devices are announced within this time: other programs do the same then.
const AFTER_BIRTH: Duration = Duration::from_secs(10);

/// What is on its way to Home Assistant.
#[derive(Debug, Default)]
pub(super) struct Announcing {
    /// What it was told, as far as that is written down.
    known: Vec<Remembered>,
    /// What it will have been told when the queue is empty.
    target: Option<Vec<Remembered>>,
    queue: VecDeque<Publication>,
    next_at: Option<Instant>,
    in_flight: usize,
    birth: Option<Instant>,
    /// Everything was queued once for this connection.
    whole: bool,
}

impl Announcing {
    pub(super) fn remembered(&mut self, known: Vec<Remembered>) {
        *self = Self { known, ..Self::default() };
    }

    pub(super) fn known(&self) -> &[Remembered] {
        &self.known
    }

    /// Says whether everything was queued once for this connection.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    /// The connection is over: all is announced with the next one.
    pub(super) fn interrupt(&mut self) {
        self.queue.clear();
        (self.in_flight, self.next_at, self.birth, self.target) = (0, None, None, None);
        self.whole = false;
    }

    /// Returns the next message, if it is time.
    pub(super) fn next(&mut self, now: Instant) -> Option<BrokerMessage> {
        if self.next_at.is_some_and(|at| now < at) {
            return None;
        }
        let Publication { topic, payload } = self.queue.pop_front()?;
        self.next_at = Some(now + PACE);
        self.in_flight += 1;
        Some(BrokerMessage::retained(topic, payload))
    }

    fn due(&self) -> Option<Instant> {
        let queued = (!self.queue.is_empty()).then(|| self.next_at.unwrap_or_else(Instant::now));
        [queued, self.birth].into_iter().flatten().min()
    }
}

impl MqttOwner {
    pub(super) fn announcing_due(&self) -> Option<Instant> {
        // Without room nothing can be sent before an acknowledgement, which wakes the task.
        if self.line.has_room() { self.announcing.due() } else { None }
    }

    pub(super) fn announce_due(&mut self) {
        if self.announcing.birth.is_some_and(|at| at <= Instant::now()) {
            self.announcing.birth = None;
            self.announce(true);
            self.slots.all_again();
        }
    }

    /// Home Assistant has started.
    pub(super) fn on_birth(&mut self) {
        debug!("Home Assistant has started: announcing devices again");
        // Another message does not postpone what is due.
        let due = Instant::now() + AFTER_BIRTH.mul_f64(fastrand::f64());
        self.announcing.birth.get_or_insert(due);
    }

    /// Announces what has changed; `again`: also what has not, because the broker or Home Assistant may have lost it.
    pub(super) fn announce(&mut self, again: bool) {
        let catalog = std::sync::Arc::clone(&self.parts.catalog.borrow());
        if !self.knows_monitors() || self.cleared {
            return;
        }
        // What is still on its way may say something else of the same devices: all of them follow it.
        let under_way = !self.announcing.queue.is_empty() || self.announcing.in_flight > 0;
        let again = again || !self.announcing.whole || under_way;
        self.announcing.whole = true;
        if !self.config.home_assistant.enabled {
            let gone = self.announcing.known.iter().map(|device| empty(&device.topic)).collect();
            self.start(gone, Vec::new());
            return;
        }
        let portal = self.parts.links.borrow().link_url.page();
        let version = catalog.version.map(|version| version.to_string());
        let monitors =
            self.cameras.iter().map(|(id, camera)| Announced { id: id.0, name: camera.name.to_string() });
        let site = Site {
            instance: &self.instance,
            topic: &self.config.topic,
            prefix: &self.config.home_assistant.prefix,
            version: env!("CARGO_PKG_VERSION"),
            zoneminder_version: version.as_deref(),
            portal: portal.as_deref(),
            commands: self.config.commands,
            picture: self.config.picture,
            monitors: monitors.collect(),
        };
        let mut queue: VecDeque<_> = home_assistant::changes(&self.announcing.known, &site).into();
        if again {
            let planned: std::collections::BTreeSet<_> =
                queue.iter().map(|publication| publication.topic.clone()).collect();
            let configs = home_assistant::configs(&site).into_iter();
            let rest = configs.filter(|config| !planned.contains(&config.topic));
            queue.extend(rest.map(|config| Publication { topic: config.topic, payload: config.payload }));
        }
        let target = home_assistant::remember(&site);
        self.start(queue, target);
    }

    fn start(&mut self, queue: VecDeque<Publication>, target: Vec<Remembered>) {
        if queue.is_empty() {
            if self.announcing.queue.is_empty() && self.announcing.in_flight == 0 {
                self.keep_devices(target);
            }
            return;
        }
        // A kill in the middle must not leave a device that nobody knows of: what may be there is written down first.
        let mut possible = self.announcing.known.clone();
        for device in &target {
            if !possible.iter().any(|known| known.topic == device.topic) {
                possible.push(Remembered { hash: String::new(), ..device.clone() });
            }
        }
        self.keep_devices(possible);
        (self.announcing.queue, self.announcing.target) = (queue, Some(target));
    }

    /// The broker has taken an announcement.
    pub(super) fn announced(&mut self) {
        self.announcing.in_flight = self.announcing.in_flight.saturating_sub(1);
        if self.announcing.in_flight == 0
            && self.announcing.queue.is_empty()
            && let Some(target) = self.announcing.target.take()
        {
            debug!(devices = target.len(), "all devices are announced");
            self.keep_devices(target);
        }
    }

    /// Writes down what Home Assistant knows of.
    pub(super) fn keep_devices(&mut self, devices: Vec<Remembered>) {
        if devices == self.announcing.known {
            return;
        }
        let rows = devices.iter().cloned().map(|device| {
            let Remembered { object, topic, hash, components } = device;
            MqttDevice { topic, object, hash, components }
        });
        self.note(MqttNote::Devices(rows.collect()));
        self.announcing.known = devices;
    }
}

fn empty(topic: &str) -> Publication {
    Publication { topic: topic.to_owned(), payload: String::new() }
}
