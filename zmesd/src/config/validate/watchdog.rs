//! `[watchdog]`: what is wrong with a URL must be told without the URL.

use std::time::Duration;

use zmes_providers::PingUrl;

use super::{Checker, Reported};
use crate::config::WatchdogConfig;
use crate::config::file::WatchdogSection;

/// The shortest time after which a camera counts as offline, and between two checks of a provider.
const SHORTEST: Duration = Duration::from_secs(1);

impl Checker<'_> {
    pub(super) fn watchdog(&mut self, section: &WatchdogSection) -> Result<WatchdogConfig, Reported> {
        let mut spans_are_good = Ok(());
        for span in [&section.camera_offline, &section.probe_interval] {
            if !span.value.is_zero() && span.value < SHORTEST {
                let hint = "write \"1s\" or more; \"0s\": off";
                spans_are_good = Err(self.problem(&span.place, "is less than a second", hint));
            }
        }
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
        spans_are_good?;
        Ok(section.config(url))
    }
}
