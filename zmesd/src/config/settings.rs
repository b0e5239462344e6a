//! The values in use, key by key, as the table has them: what `config show` prints and what a reload compares.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use super::diff::{ConfigDiff, SettingChange};
use super::file::SECTIONS;
use super::problem::KeyPlace;
use super::section::{Key, Reload, Section};
use super::shown::Shown;

#[derive(Debug, Clone)]
struct SettingInUse {
    section: &'static Section,
    /// Which one it is, where the section is repeated.
    index: Option<usize>,
    key: &'static Key,
    shown: Shown,
}

impl SettingInUse {
    /// Returns the dotted key: `push.fcm.proxy[0].url`.
    fn dotted(&self) -> String {
        let Self { section: Section { path, .. }, key: Key { name, .. }, .. } = self;
        self.index.map_or_else(|| format!("{path}.{name}"), |index| format!("{path}[{index}].{name}"))
    }

    /// Returns where the default file has it.
    fn order(&self) -> (Option<usize>, Option<usize>, Option<usize>) {
        let section = SECTIONS.iter().position(|section| section.path == self.section.path);
        let key = self.section.keys.iter().position(|key| key.name == self.key.name);
        (section, self.index, key)
    }
}

/// All values in use, in the order of the default file. The other keys of a transport that is not enabled are left out.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings(Vec<SettingInUse>);

impl Settings {
    /// Adds the values of a section, in the order of its keys.
    pub(super) fn add(
        &mut self,
        section: &'static Section,
        index: Option<usize>,
        values: impl IntoIterator<Item = Shown>,
    ) {
        let keyed = section.keys.iter().zip(values);
        self.0.extend(keyed.map(|(key, shown)| SettingInUse { section, index, key, shown }));
    }

    /// The same, without the keys that do not count.
    pub(super) fn add_those(
        &mut self,
        section: &'static Section,
        index: Option<usize>,
        values: impl IntoIterator<Item = Shown>,
        counts: impl Fn(&Key) -> bool,
    ) {
        let keyed = section.keys.iter().zip(values).filter(|(key, _)| counts(key));
        self.0.extend(keyed.map(|(key, shown)| SettingInUse { section, index, key, shown }));
    }

    pub(super) fn toml(&self) -> String {
        let mut toml = String::new();
        let mut above = None;
        for setting in &self.0 {
            let table = (setting.section.path, setting.index);
            if above.replace(table) != Some(table) {
                let separator = if toml.is_empty() { "" } else { "\n" };
                // Writing to a String cannot fail.
                let _ = writeln!(toml, "{separator}{}", setting.section.heading());
            }
            let _ = writeln!(toml, "{} = {}", setting.key.name, setting.shown.toml);
        }
        toml
    }

    pub(super) fn diff(&self, new: &Self) -> ConfigDiff {
        let mut pairs = BTreeMap::<String, [Option<&SettingInUse>; 2]>::new();
        for (side, settings) in [self, new].into_iter().enumerate() {
            for setting in &settings.0 {
                if let Some(slot) = pairs.entry(setting.dotted()).or_default().get_mut(side) {
                    *slot = Some(setting);
                }
            }
        }
        let changes = pairs.into_iter().filter_map(|(key, [old, new_value])| {
            let same = old.zip(new_value).is_some_and(|(old, new)| old.shown.same(&new.shown));
            let setting = new_value.or(old).filter(|_| !same)?;
            let toml = |setting: Option<&SettingInUse>| setting.map(|setting| setting.shown.toml.clone());
            let (area, reload) = (setting.section.area, self.reload(new, setting));
            Some(SettingChange { key, area, old: toml(old), new: toml(new_value), reload })
        });
        ConfigDiff { changes: changes.collect() }
    }

    /// Returns the values in use once `new` was loaded: hot values are the new ones, the others stay.
    pub(super) fn following(&self, new: &Self) -> Self {
        let of = |settings: &Self, wanted| {
            let chosen = settings.0.iter().filter(|setting| self.reload(new, setting) == wanted);
            chosen.cloned().collect::<Vec<_>>()
        };
        let mut settings = of(self, Reload::Restart);
        settings.extend(of(new, Reload::Hot));
        settings.sort_by_key(SettingInUse::order);
        Self(settings)
    }

    /// Returns when a change of a key takes effect. Switching TLS on or off takes other sockets, and [server.tls] appears
    /// or disappears with it.
    fn reload(&self, new: &Self, setting: &SettingInUse) -> Reload {
        let section = setting.section;
        if !section.repeated && self.has(section) != new.has(section) {
            Reload::Restart
        } else {
            setting.key.reload
        }
    }

    fn has(&self, section: &Section) -> bool {
        self.0.iter().any(|setting| setting.section.path == section.path)
    }
}

/// What the check made of values that depend on other files or on the system: absolute paths, contents of files.
#[derive(Debug, Default)]
pub(super) struct Resolved(BTreeMap<String, Shown>);

impl Resolved {
    /// Notes what the value at `place` has become.
    pub(super) fn set(&mut self, place: &KeyPlace, shown: Shown) {
        self.0.insert(place.key.clone(), shown);
    }

    /// Notes that the value at `place` has become this path.
    pub(super) fn set_path(&mut self, place: &KeyPlace, path: &Path) {
        self.set(place, Shown::path(Some(path)));
    }

    pub(super) fn get(&self, place: &KeyPlace) -> Option<Shown> {
        self.0.get(&place.key).cloned()
    }
}
