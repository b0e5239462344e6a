//! `[watchdog]`: what is wrong with a URL must be told without the URL.

use std::time::Duration;

use zmes_providers::PingUrl;

use super::{Checker, Reported};
use crate::config::WatchdogConfig;
use crate::config::file::WatchdogSection;

/// The shortest time after which a camera counts as offline.
const SHORTEST: Duration = Duration::from_secs(1);

impl Checker<'_> {
    pub(super) fn watchdog(&mut self, section: &WatchdogSection) -> Result<WatchdogConfig, Reported> {
        let offline = &section.camera_offline;
        let too_short = !offline.value.is_zero() && offline.value < SHORTEST;
        let offline_is_good = if too_short {
            Err(self.problem(&offline.place, "is less than a second", "write \"1s\" or more; \"0s\": off"))
        } else {
            Ok(())
        };
        let url = self.secret(&section.ping_url)?;
        let url = url.map(|url| PingUrl::parse(&url)).transpose().map_err(|problem| {
            let hint = "write the URL as the service shows it: \"https://hc-ping.com/UUID\"";
            self.problem(&section.ping_url.place, problem.to_string(), hint)
        })?;
        if url.as_ref().is_some_and(PingUrl::is_exposed) {
            let hint =
                "who reads it can report in place of this machine: use https:// where the service has it";
            self.warn(&section.ping_url.place, "is sent unencrypted over the network", hint);
        }
        offline_is_good?;
        Ok(section.config(url))
    }
}
