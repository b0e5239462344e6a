//! Reads the configuration file, each time it is needed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use zmes_providers::PushPart;

use crate::config::{Config, Environment, Loaded, Looks, Problems};
use crate::ports::{Clock, wall_clock};
use crate::tls;

#[derive(Debug, Clone)]
pub(super) struct ConfigFile {
    pub(super) path: PathBuf,
    pub(super) environment: Environment,
}

impl ConfigFile {
    pub(super) fn load(&self) -> Result<Config, Problems> {
        Config::load(&self.path, &self.environment)
    }

    /// Reads and checks the file, and the certificates and keys that it names. Reads many files.
    pub(super) fn examine(&self, clock: &Arc<dyn Clock>) -> Result<Loaded, Problems> {
        with_looks(clock, |looks| Loaded::read(&self.path, &self.environment, Some(looks)))
    }
}

/// Calls `check` with the functions that check certificates and keys of the server and of transports.
pub(super) fn with_looks<T>(clock: &Arc<dyn Clock>, check: impl FnOnce(Looks<'_>) -> T) -> T {
    let now = clock.now();
    let pair = |certificate: Option<&Path>, key: Option<&Path>| tls::findings(certificate, key, now);
    let push = |part: &PushPart<'_>| zmes_providers::findings(part, &wall_clock(clock));
    check(Looks { pair: &pair, push: &push })
}
