//! Changing and showing the configuration in force.

use std::sync::Arc;

use async_trait::async_trait;
use zmes_shared::control::ControlError;
use zmes_shared::views::{ConfigReloaded, ConfigShown};

use crate::config::{Config, ConfigDiff, Problem};

/// The file as it lies on the disk now, against the configuration in force.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigExamined {
    /// A start would fail for these.
    pub problems: Vec<Problem>,
    /// It would start with these.
    pub warnings: Vec<Problem>,
    /// What is not in force yet; empty where there are problems.
    pub diff: ConfigDiff,
}

/// The configuration in force, as the control socket may touch it.
#[async_trait]
pub trait ConfigReload: Send + Sync + std::fmt::Debug {
    /// Reads the file again and applies it, or changes nothing and says why. Returns when it is in force.
    async fn reload(&self) -> Result<ConfigReloaded, ControlError>;

    /// Returns the configuration in force.
    fn running(&self) -> Arc<Config>;

    /// Looks at the file and what it names as a start would, and changes nothing. `None`: there is no file (the demo).
    async fn examine(&self) -> Option<ConfigExamined>;

    /// Returns the values in force, secrets hidden.
    fn show(&self) -> ConfigShown;
}
