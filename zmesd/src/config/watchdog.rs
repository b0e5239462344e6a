//! `[watchdog]` as values.

use std::fmt;
use std::path::Path;

use toml::de::DeTable;

use super::WatchdogConfig;
use super::file::WatchdogSection;
use super::problem::Problems;
use super::reader::Reader;

impl Default for WatchdogConfig {
    /// The values for a file without `[watchdog]`.
    fn default() -> Self {
        let mut problems = Problems::new(Path::new(""));
        WatchdogSection::once(&mut Reader::new("", &[], &mut problems), &DeTable::new()).config(None)
    }
}

/// Receivers of troubles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchdogReceiver {
    /// All tokens of a user of ZoneMinder.
    User(String),
    /// The token whose handle begins like this.
    Handle(String),
}

impl fmt::Display for WatchdogReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => write!(f, "user:{user}"),
            Self::Handle(handle) => f.write_str(handle),
        }
    }
}

/// `camera-to`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CameraReceivers {
    /// Those of `notify`.
    Admin,
    /// Also all tokens whose owner may see the camera.
    Viewers,
}
