//! Changing and showing the current configuration.

use std::sync::Arc;

use async_trait::async_trait;
use zmes_shared::control::ControlError;
use zmes_shared::views::{ConfigReloaded, ConfigShown};

use crate::config::{Config, ConfigDiff, Problem};

/// The file on the disk, compared with the current configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigExamined {
    /// A start would fail for these.
    pub problems: Vec<Problem>,
    /// It would start with these.
    pub warnings: Vec<Problem>,
    /// What has changed since it was loaded; empty if there are problems.
    pub diff: ConfigDiff,
}

/// What the control socket can do with the configuration.
#[async_trait]
pub trait ConfigReload: Send + Sync + std::fmt::Debug {
    /// Reads the file again and applies it, or changes nothing and says why. Returns when it is applied.
    async fn reload(&self) -> Result<ConfigReloaded, ControlError>;

    /// Returns the current configuration.
    fn running(&self) -> Arc<Config>;

    /// Checks the file and what it names as a start would. `None`: there is no file (the demo).
    async fn examine(&self) -> Option<ConfigExamined>;

    /// Returns the values in use, secrets hidden.
    fn show(&self) -> ConfigShown;
}
