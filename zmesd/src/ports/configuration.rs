//! Changing and showing the configuration in force.

use async_trait::async_trait;
use zmes_shared::control::ControlError;
use zmes_shared::views::{ConfigReloaded, ConfigShown};

/// The configuration in force, as the control socket may touch it.
#[async_trait]
pub trait ConfigReload: Send + Sync + std::fmt::Debug {
    /// Reads the file again and applies it, or changes nothing and says why. Returns when it is in force.
    async fn reload(&self) -> Result<ConfigReloaded, ControlError>;

    /// Returns the values in force, secrets hidden.
    fn show(&self) -> ConfigShown;
}
