//! The configuration file, with what the command line says about it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use zmes_providers::PushPart;

use crate::config::{Config, Environment, Loaded, Looks, Problems};
use crate::ports::{Clock, wall_clock};
use crate::tls;

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

    /// Reads and checks it, with a look into the certificates and keys that it names. Reads many files.
    pub(super) fn examine(&self, clock: &Arc<dyn Clock>) -> Result<Loaded, Problems> {
        let mut loaded = with_looks(clock, |looks| Loaded::read_with(&self.path, &self.environment, looks))?;
        if let Some(level) = &self.log_level {
            loaded.config.log.level.clone_from(level);
        }
        Ok(loaded)
    }
}

/// Hands over those who look into what a configuration names: certificates and keys of the server and of transports.
pub(super) fn with_looks<T>(clock: &Arc<dyn Clock>, check: impl FnOnce(Looks<'_>) -> T) -> T {
    let now = clock.now();
    let pair = |certificate: Option<&Path>, key: Option<&Path>| tls::findings(certificate, key, now);
    let push = |part: &PushPart<'_>| zmes_providers::findings(part, &wall_clock(clock));
    check(Looks { pair: &pair, push: &push })
}
