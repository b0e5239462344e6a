//! What Home Assistant is told so that it makes devices and entities by itself: device-based discovery. Pure.
//!
//! There is one device for the server and one for each monitor. Their configurations are published retained. The payload
//! uses the long names of all keys: they are the same in every version since 2024.11.
//!
//! Facts that this rests on: the documentation of Home Assistant's MQTT integration, section "Device discovery payload", and
//! runs against 2026.2 and 2026.11 (`tests/run --home-assistant`):
//!
//! - A component that is only left out stays. It has to be published once with nothing but its `platform`, then left out.
//! - An empty payload removes a device with everything in it.
//! - An unknown key, a bad `configuration_url`, or no `origin` refuses the whole device. An unknown key inside a component is
//!   dropped silently.
//! - Home Assistant subscribes to the topics of a device a moment after it has read the configuration.

mod changes;
mod components;
#[cfg(test)]
mod tests;

use std::fmt::Write;

use serde::Serialize;
use sha2::{Digest, Sha256};
use zmes_shared::text::{REPLACEMENT, is_hidden_in_name};

pub use changes::changes;
use components::Components;

/// Longest name of a device, in characters.
const NAME_MAX: usize = 128;
/// Longest portal of which links are made, in bytes.
const PORTAL_MAX: usize = 1024;
/// Name of the software that announces, and the beginning of each device's identifier.
const SOFTWARE: &str = "zmesd";
/// Bytes of a hash that are kept.
const HASH: usize = 16;
/// QoS that Home Assistant subscribes with.
const QOS: u8 = 1;

/// What is announced: the server with its monitors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site<'a> {
    /// Identifies this zmesd for ever, whatever its topic is: 8 hex digits.
    pub instance: &'a str,
    /// `mqtt.topic`.
    pub topic: &'a str,
    /// `mqtt.home-assistant.prefix`.
    pub prefix: &'a str,
    /// zmesd's own version.
    pub version: &'a str,
    /// ZoneMinder's version, once it is known.
    pub zoneminder_version: Option<&'a str>,
    /// The address of ZoneMinder's web page, to which devices link.
    pub portal: Option<&'a str>,
    /// Commands are accepted: `mqtt.commands`.
    pub commands: bool,
    /// Pictures are published at the topic `picture`.
    pub picture: bool,
    /// The monitors that are told of.
    pub monitors: Vec<Announced>,
}

/// A monitor that is announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// ZoneMinder's id.
    pub id: u32,
    /// Its name, as ZoneMinder has it: any text.
    pub name: String,
}

/// The configuration of one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Identifies the device: `zmesd_7f3a91c2_3`.
    pub object: String,
    /// Where it is published.
    pub topic: String,
    /// The JSON.
    pub payload: String,
}

/// What was published of a device, kept over restarts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// The device.
    pub object: String,
    /// Where its configuration was published.
    pub topic: String,
    /// Hash of the configuration.
    pub hash: String,
    /// Keys of its components.
    pub components: Vec<String>,
}

/// A message to publish, retained and with QoS 1. An empty payload removes what the topic retains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// Where.
    pub topic: String,
    /// What.
    pub payload: String,
}

/// Returns the configuration of each device: first the server, which the others refer to, then the monitors.
pub fn configs(site: &Site<'_>) -> Vec<Config> {
    let mut configs = vec![config(site, None, &[])];
    configs.extend(site.monitors.iter().map(|monitor| config(site, Some(monitor), &[])));
    configs
}

/// Returns what to keep once [`configs`] is published.
pub fn remember(site: &Site<'_>) -> Vec<Remembered> {
    let server = std::iter::once(None);
    let devices = server.chain(site.monitors.iter().map(Some));
    let kept = devices.map(|device| {
        let Config { object, topic, payload } = config(site, device, &[]);
        let components = Components::of(site, device).keys().map(ToOwned::to_owned).collect();
        Remembered { object, topic, hash: hash(&payload), components }
    });
    kept.collect()
}

/// Makes the configuration of the server (`None`) or a monitor. `removed` are keys of components that it had.
fn config(site: &Site<'_>, monitor: Option<&Announced>, removed: &[&'static str]) -> Config {
    let server = format!("{SOFTWARE}_{}", site.instance);
    let object = monitor.map_or_else(|| server.clone(), |monitor| format!("{server}_{}", monitor.id));
    let mut components = Components::of(site, monitor);
    components.remove(removed);
    let discovery = Discovery {
        device: match monitor {
            None => device_of_server(site, &object),
            Some(monitor) => device_of_monitor(site, &object, &server, monitor),
        },
        origin: DiscoveryOrigin { name: SOFTWARE, sw_version: site.version },
        availability: [Availability::plain(format!("{}/status", site.topic))],
        qos: QOS,
        components,
    };
    let topic = format!("{}/device/{object}/config", site.prefix);
    // Serializing maps with text keys into memory cannot fail.
    Config { object, topic, payload: serde_json::to_string(&discovery).unwrap_or_default() }
}

fn device_of_server<'a>(site: &Site<'a>, object: &str) -> DeviceInfo<'a> {
    DeviceInfo {
        identifiers: [object.to_owned()],
        name: "ZoneMinder notifications".to_owned(),
        manufacturer: "ZoneMinder",
        model: SOFTWARE.to_owned(),
        sw_version: Some(site.version),
        via_device: None,
        configuration_url: portal(site).map(ToOwned::to_owned),
    }
}

fn device_of_monitor<'a>(site: &Site<'a>, object: &str, server: &str, monitor: &Announced) -> DeviceInfo<'a> {
    let Announced { id, name } = monitor;
    DeviceInfo {
        identifiers: [object.to_owned()],
        name: shown(name).unwrap_or_else(|| format!("Monitor {id}")),
        manufacturer: "ZoneMinder",
        model: format!("Monitor {id}"),
        sw_version: site.zoneminder_version,
        via_device: Some(server.to_owned()),
        configuration_url: portal(site).map(|portal| format!("{portal}/?view=watch&mid={id}")),
    }
}

/// Returns a name for people; `None` if nothing of it can be seen.
fn shown(name: &str) -> Option<String> {
    let visible = |character: char| if is_hidden_in_name(character) { REPLACEMENT } else { character };
    let bounded: String = name.trim().chars().take(NAME_MAX).map(visible).collect();
    let seen = bounded.chars().any(|character| character != REPLACEMENT && !character.is_whitespace());
    seen.then_some(bounded)
}

/// Returns the portal without a slash at its end, if Home Assistant accepts it: it refuses a device with a bad link.
fn portal<'a>(site: &Site<'a>) -> Option<&'a str> {
    let portal = site.portal?.trim_end_matches('/');
    let rest = portal.strip_prefix("https://").or_else(|| portal.strip_prefix("http://"))?;
    let host = rest.split('/').next().unwrap_or_default();
    let of_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    let of_path = |byte: u8| byte.is_ascii_alphanumeric() || b"./-_~%".contains(&byte);
    let path = rest.get(host.len()..).unwrap_or_default();
    let good = host.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric() || first == b'[')
        && host.bytes().all(of_host)
        && path.bytes().all(of_path)
        && portal.len() <= PORTAL_MAX;
    good.then_some(portal)
}

fn hash(payload: &str) -> String {
    let mut hash = String::with_capacity(2 * HASH);
    for byte in Sha256::digest(payload).iter().take(HASH) {
        // Writing to a String cannot fail.
        let _ = write!(hash, "{byte:02x}");
    }
    hash
}

/// The JSON of a device's configuration.
#[derive(Serialize)]
struct Discovery<'a> {
    device: DeviceInfo<'a>,
    origin: DiscoveryOrigin<'a>,
    availability: [Availability; 1],
    qos: u8,
    components: Components,
}

#[derive(Serialize)]
struct DeviceInfo<'a> {
    identifiers: [String; 1],
    name: String,
    manufacturer: &'static str,
    model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sw_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    via_device: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    configuration_url: Option<String>,
}

#[derive(Serialize)]
struct DiscoveryOrigin<'a> {
    name: &'static str,
    sw_version: &'a str,
}

/// A topic that says whether something can be used.
#[derive(Debug, Clone, Serialize)]
struct Availability {
    topic: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_available: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_not_available: Option<&'static str>,
}

impl Availability {
    /// `online` and `offline`, which Home Assistant expects by itself.
    fn plain(topic: String) -> Self {
        Self { topic, payload_available: None, payload_not_available: None }
    }

    fn switch(topic: String) -> Self {
        Self { topic, payload_available: Some("ON"), payload_not_available: Some("OFF") }
    }
}
