//! From what was published before to what holds now.

use std::collections::{BTreeMap, BTreeSet};

use super::components::{Components, known};
use super::{Announced, Config, Publication, Remembered, Site, config, hash};

/// Returns what to publish, in this order, so that Home Assistant has the site as it is now, whatever it had of the
/// remembered devices. Empty if nothing has changed.
///
/// Devices that are gone, and those whose topic has changed, are removed first. A component that is gone is removed in two
/// steps. What the broker may have lost is not the question here: after a connection, [`super::configs`] is published, too.
pub fn changes(remembered: &[Remembered], site: &Site<'_>) -> Vec<Publication> {
    let server = std::iter::once(None);
    let devices: Vec<Option<&Announced>> = server.chain(site.monitors.iter().map(Some)).collect();
    let configs: Vec<Config> = devices.iter().map(|device| config(site, *device, &[])).collect();
    let topics: BTreeSet<&str> = configs.iter().map(|config| config.topic.as_str()).collect();
    let gone = remembered.iter().filter(|device| !topics.contains(device.topic.as_str()));
    let mut order: Vec<Publication> = gone.map(|device| empty(&device.topic)).collect();
    let known: BTreeMap<&str, &Remembered> =
        remembered.iter().map(|device| (device.topic.as_str(), device)).collect();
    for (device, new) in devices.into_iter().zip(configs) {
        let before = known.get(new.topic.as_str()).copied();
        if before.is_some_and(|before| before.hash == hash(&new.payload)) {
            continue;
        }
        order.extend(before.and_then(|before| removal(before, site, device)));
        order.push(Publication { topic: new.topic, payload: new.payload });
    }
    order
}

/// Returns what removes the components that a device does not have any more, if there are any.
fn removal(before: &Remembered, site: &Site<'_>, device: Option<&Announced>) -> Option<Publication> {
    let now: BTreeSet<&str> = Components::of(site, device).keys().collect();
    let gone: Vec<&str> =
        before.components.iter().map(String::as_str).filter(|key| !now.contains(key)).collect();
    if gone.is_empty() {
        return None;
    }
    let removed: Vec<&'static str> = gone.iter().filter_map(|key| known(key)).map(|(key, _)| key).collect();
    if removed.len() < gone.len() {
        // A newer zmesd announced it, and its platform is not known: everything of the device is made anew.
        return Some(empty(&before.topic));
    }
    let Config { topic, payload, .. } = config(site, device, &removed);
    Some(Publication { topic, payload })
}

fn empty(topic: &str) -> Publication {
    Publication { topic: topic.to_owned(), payload: String::new() }
}
