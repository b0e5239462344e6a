//! `[push]` as values.

use std::path::Path;

use toml::de::DeTable;
use zmes_providers::ProviderSettings;

use super::PushConfig;
use super::file::PushSection;
use super::problem::Problems;
use super::reader::Reader;

impl Default for PushConfig {
    /// Push without a transport: the values for a file without `[push]`.
    fn default() -> Self {
        let mut problems = Problems::new(Path::new(""));
        PushSection::once(&mut Reader::new("", &[], &mut problems), &DeTable::new()).config(
            None,
            None,
            None,
            Vec::new(),
        )
    }
}

impl PushConfig {
    pub(super) fn take_transports(&mut self, new: &Self) {
        self.proxy.clone_from(&new.proxy);
        self.fcm.clone_from(&new.fcm);
        self.apns.clone_from(&new.apns);
        self.targets.clone_from(&new.targets);
    }

    /// Returns the enabled providers, and their common settings.
    pub fn providers(&self) -> ProviderSettings {
        ProviderSettings {
            picture_url: self.picture_url.clone(),
            proxy: self.proxy.clone(),
            fcm: self.fcm.clone(),
            apns: self.apns.clone(),
            targets: self.targets.clone(),
        }
    }

    /// Says whether phones can be reached; a target reaches none.
    pub fn has_way(&self) -> bool {
        self.proxy.is_some() || self.fcm.is_some() || self.apns.is_some()
    }
}

/// `mode` of `[push]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushMode {
    Live,
    /// Decide and log, send nothing.
    Shadow,
}
