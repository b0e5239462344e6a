//! The entities of each device.

use std::collections::BTreeMap;

use serde::Serialize;
use zmes_shared::control::SNOOZE_MAX_MS;
use zmes_shared::words::MachineKind;

use super::{Announced, Availability, SOFTWARE, Site};

/// Longest snooze that a command can ask for, in minutes.
const SNOOZE_MAX: u64 = SNOOZE_MAX_MS / 60_000;

/// What an emptied topic stands for: states are emptied when a monitor or the topic is gone, which may reach Home Assistant
/// before its device is. Without these it would warn.
const NO_ATTRIBUTES: &str = "{{ value or '{}' }}";
const NO_TIME: &str = "{{ value or 'None' }}";

/// Every component that a version of zmesd ever announced, with its platform: to remove one, its platform has to be known.
/// A key must never get another platform, because Home Assistant would keep the old entity.
const PLATFORMS: [(&str, &str); 10] = [
    ("alarm", "event"),
    ("clients", "sensor"),
    ("motion", "binary_sensor"),
    ("notify", "switch"),
    ("picture", "image"),
    ("push", "binary_sensor"),
    ("snooze", "number"),
    ("trouble", "event"),
    ("until", "sensor"),
    ("watching", "binary_sensor"),
];

/// Returns the key and the platform of a component, by its key; `None` if no version of zmesd had it.
pub(super) fn known(key: &str) -> Option<(&'static str, &'static str)> {
    PLATFORMS.into_iter().find(|(name, _)| *name == key)
}

/// The components of one device by their keys.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub(super) struct Components(BTreeMap<&'static str, Component>);

impl Components {
    /// Returns those of the server (`None`) or a monitor.
    pub(super) fn of(site: &Site<'_>, monitor: Option<&Announced>) -> Self {
        let mut components = Self(BTreeMap::new());
        match monitor {
            None => components.server(site),
            Some(monitor) => components.monitor(site, monitor.id),
        }
        components
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }

    /// Adds components with nothing but their platform, which removes them.
    pub(super) fn remove(&mut self, keys: &[&'static str]) {
        for (key, platform) in keys.iter().filter_map(|key| known(key)) {
            self.0.entry(key).or_insert(Component { platform, ..Component::default() });
        }
    }

    fn server(&mut self, site: &Site<'_>) {
        let base = site.topic;
        let object = format!("{SOFTWARE}_{}", site.instance);
        self.add(&object, "push", "Problem", |push| {
            push.device_class = Some("problem");
            push.state_topic = Some(format!("{base}/push"));
            push.attributes(format!("{base}/push/attributes"));
        });
        self.add(&object, "trouble", "Trouble", |trouble| {
            trouble.event_types = Some(&[MachineKind::Trouble, MachineKind::Resolved]);
            trouble.state_topic = Some(format!("{base}/trouble"));
        });
        self.add(&object, "clients", "Clients", |clients| {
            clients.entity_category = Some("diagnostic");
            clients.state_class = Some("measurement");
            clients.state_topic = Some(format!("{base}/clients"));
        });
    }

    fn monitor(&mut self, site: &Site<'_>, id: u32) {
        let base = format!("{}/{id}", site.topic);
        let object = format!("{SOFTWARE}_{}_{id}", site.instance);
        self.add(&object, "motion", "Motion", |motion| {
            motion.device_class = Some("motion");
            motion.state_topic = Some(format!("{base}/alarm"));
            motion.attributes(format!("{base}/attributes"));
            motion.availability = Some([
                Availability::plain(format!("{}/status", site.topic)),
                Availability::switch(format!("{base}/watching")),
            ]);
            motion.availability_mode = Some("all");
        });
        self.add(&object, "alarm", "Alarm", |alarm| {
            alarm.device_class = Some("motion");
            alarm.event_types = Some(&[
                MachineKind::AlarmStart,
                MachineKind::AlarmUpdate,
                MachineKind::AlarmEnd,
                MachineKind::Test,
            ]);
            alarm.state_topic = Some(format!("{base}/event"));
        });
        if site.picture {
            self.add(&object, "picture", "Last alarm", |picture| {
                picture.image_topic = Some(format!("{base}/picture"));
                picture.content_type = Some("image/jpeg");
            });
        }
        self.add(&object, "watching", "Watching", |watching| {
            watching.device_class = Some("connectivity");
            watching.entity_category = Some("diagnostic");
            watching.state_topic = Some(format!("{base}/watching"));
            watching.attributes(format!("{base}/watching/attributes"));
        });
        self.add(&object, "until", "Snoozed until", |until| {
            until.device_class = Some("timestamp");
            until.entity_category = Some("diagnostic");
            until.state_topic = Some(format!("{base}/snoozed-until"));
            until.value_template = Some(NO_TIME);
        });
        if site.commands {
            self.commands(&object, &base);
        }
    }

    fn commands(&mut self, object: &str, base: &str) {
        self.add(object, "notify", "Notifications", |notify| {
            notify.icon = Some("mdi:bell");
            notify.state_topic = Some(format!("{base}/notifications"));
            notify.command_topic = Some(format!("{base}/notifications/set"));
        });
        self.add(object, "snooze", "Snooze", |snooze| {
            snooze.icon = Some("mdi:bell-sleep");
            snooze.entity_category = Some("config");
            snooze.command_topic = Some(format!("{base}/snooze/set"));
            snooze.range = Some(Range { min: 0, max: SNOOZE_MAX, step: 1, mode: "box" });
            snooze.unit_of_measurement = Some("min");
        });
    }

    fn add(
        &mut self,
        object: &str,
        key: &'static str,
        name: &'static str,
        fill: impl FnOnce(&mut Component),
    ) {
        let Some((key, platform)) = known(key) else { return };
        let unique_id = Some(format!("{object}_{key}"));
        let mut component = Component { platform, unique_id, name: Some(name), ..Component::default() };
        fill(&mut component);
        self.0.insert(key, component);
    }
}

/// One entity. The order of the members is that of the JSON.
#[derive(Debug, Clone, Default, Serialize)]
struct Component {
    platform: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    unique_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icon: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_class: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_class: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entity_category: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_types: Option<&'static [MachineKind]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_template: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    json_attributes_topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    json_attributes_template: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command_topic: Option<String>,
    #[serde(flatten)]
    range: Option<Range>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit_of_measurement: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    availability: Option<[Availability; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    availability_mode: Option<&'static str>,
}

impl Component {
    fn attributes(&mut self, topic: String) {
        self.json_attributes_topic = Some(topic);
        self.json_attributes_template = Some(NO_ATTRIBUTES);
    }
}

/// What a number can be, and how it is entered.
#[derive(Debug, Clone, Serialize)]
struct Range {
    min: u32,
    max: u64,
    step: u32,
    mode: &'static str,
}
