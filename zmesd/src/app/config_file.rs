//! The configuration file, with what the command line says about it.

use std::path::PathBuf;

use crate::config::{Config, Environment, Problems};

/// Where the configuration comes from, each time it is read.
#[derive(Debug, Clone)]
pub(super) struct ConfigFile {
    /// The file.
    pub(super) path: PathBuf,
    /// The environment at the start.
    pub(super) environment: Environment,
    /// `--log-level`, which wins over the file.
    pub(super) log_level: Option<String>,
}

impl ConfigFile {
    /// Reads and checks it.
    pub(super) fn load(&self) -> Result<Config, Problems> {
        let mut config = Config::load(&self.path, &self.environment)?;
        if let Some(level) = &self.log_level {
            config.log.level.clone_from(level);
        }
        Ok(config)
    }
}
