//! Changes that a reload brings: keys that differ, and whether they take effect while the daemon runs.

use std::collections::BTreeSet;

use super::section::{Reload, SettingsArea};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingChange {
    /// The dotted key: `push.fcm.proxy[0].url`.
    pub key: String,
    pub area: SettingsArea,
    /// The value in use as TOML, secrets hidden; `None`: the key is new.
    pub old: Option<String>,
    /// The value of the file; `None`: it was removed.
    pub new: Option<String>,
    pub reload: Reload,
}

/// The keys in which two configurations differ, in the order of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigDiff {
    pub changes: Vec<SettingChange>,
}

impl ConfigDiff {
    /// Returns the dotted keys whose new value takes effect on reload.
    pub fn hot(&self) -> Vec<String> {
        self.keys(Reload::Hot)
    }

    /// Returns the dotted keys whose new value needs a restart.
    pub fn needs_restart(&self) -> Vec<String> {
        self.keys(Reload::Restart)
    }

    fn keys(&self, reload: Reload) -> Vec<String> {
        let keys = self.changes.iter().filter(|change| change.reload == reload);
        keys.map(|change| change.key.clone()).collect()
    }

    /// Returns the parts of the daemon that have something to apply on reload.
    pub fn hot_areas(&self) -> BTreeSet<SettingsArea> {
        let hot = self.changes.iter().filter(|change| change.reload == Reload::Hot);
        hot.map(|change| change.area).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}
