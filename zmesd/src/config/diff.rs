//! What a reload changes: which keys differ, and which of them can be put in force while the daemon runs.

use std::collections::BTreeMap;

use super::Config;
use super::effective::{Value, groups};
use super::file::SECTIONS;
use super::section::Reload;

/// The keys in which two configurations differ, each list in the order of its names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigDiff {
    /// Dotted keys whose new value can be put in force at once.
    pub hot: Vec<String>,
    /// Dotted keys whose new value needs a restart.
    pub needs_restart: Vec<String>,
}

impl ConfigDiff {
    /// Compares two configurations.
    pub(super) fn between(old: &Config, new: &Config) -> Self {
        let (before, after) = (keyed(old), keyed(new));
        let mut diff = Self::default();
        let mut keys: Vec<_> = before.keys().chain(after.keys()).collect();
        keys.sort();
        keys.dedup();
        for key in keys {
            let (was, is) = (before.get(key), after.get(key));
            if was.map(|(_, value)| value.exact()) == is.map(|(_, value)| value.exact()) {
                continue;
            }
            let section = was.or(is).map_or("", |(section, _)| section);
            let name = was.or(is).map_or("", |(_, value)| value.name);
            match reload_of(section, name) {
                // With TLS switched on or off the sockets change their nature, and the files come with it.
                Reload::Hot
                    if section == "server.tls" && old.server.tls.is_some() != new.server.tls.is_some() =>
                {
                    diff.needs_restart.push(key.clone());
                }
                Reload::Hot => diff.hot.push(key.clone()),
                Reload::Restart => diff.needs_restart.push(key.clone()),
            }
        }
        diff
    }

    /// Says whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.hot.is_empty() && self.needs_restart.is_empty()
    }
}

/// Returns the values of a configuration by their dotted keys.
fn keyed(config: &Config) -> BTreeMap<String, (&'static str, Value)> {
    let groups = groups(config).into_iter();
    let keyed = groups.flat_map(|group| {
        let (path, section) = (group.path_with_index(), group.section);
        group.values.into_iter().map(move |value| (format!("{path}.{}", value.name), (section, value)))
    });
    keyed.collect()
}

/// Returns when a change of that key takes effect.
fn reload_of(section: &str, name: &str) -> Reload {
    let section = SECTIONS.iter().find(|known| known.path == section);
    let key = section.and_then(|section| section.keys.iter().find(|key| key.name == name));
    key.map_or(Reload::Restart, |key| key.reload)
}
