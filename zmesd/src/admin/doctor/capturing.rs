//! For which monitors a `zmc` runs: a wrong `ZM_PATH_MAP` must not be reported as a `zmc` that has stopped.

use std::collections::BTreeSet;
use std::fs;

use zmes_shared::MonitorId;

use super::super::monitors::{ListedMonitor, join};
use crate::admin::AdminParts;

/// The monitors of running `zmc` processes, by the table of processes and the database.
#[derive(Debug, Clone, Default)]
pub(super) struct Capturing {
    monitors: BTreeSet<MonitorId>,
    pub(super) path_map: String,
    pub(super) zm_conf: String,
}

impl Capturing {
    pub(super) async fn look(parts: &AdminParts) -> Self {
        if !join(parts).iter().any(ListedMonitor::is_missing) {
            return Self::default();
        }
        let config = parts.configuration.running();
        let monitors = tokio::task::spawn_blocking(running).await.unwrap_or_default();
        let conf = config.origin.zm_conf.as_ref();
        Self {
            monitors,
            path_map: config.zoneminder.path_map.display().to_string(),
            zm_conf: conf.map_or_else(|| "/etc/zm/zm.conf".to_owned(), |conf| conf.display().to_string()),
        }
    }

    /// Adds the monitors that the database reports: a hardened service cannot see other processes.
    pub(super) fn and(mut self, connected: &BTreeSet<MonitorId>) -> Self {
        self.monitors.extend(connected);
        self
    }

    pub(super) fn of(&self, monitor: MonitorId) -> bool {
        self.monitors.contains(&monitor)
    }

    #[cfg(test)]
    pub(super) fn with<const N: usize>(monitors: [MonitorId; N], path_map: &str, zm_conf: &str) -> Self {
        Self { monitors: monitors.into(), path_map: path_map.to_owned(), zm_conf: zm_conf.to_owned() }
    }
}

fn running() -> BTreeSet<MonitorId> {
    let Ok(processes) = fs::read_dir("/proc") else { return BTreeSet::new() };
    let lines = processes.flatten().filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines.filter_map(|line| monitor_of(&line)).collect()
}

/// Returns the monitor of a command line `zmc -m N`, as `zmdc.pl` starts it.
fn monitor_of(line: &[u8]) -> Option<MonitorId> {
    let text = String::from_utf8_lossy(line);
    let mut words = text.split('\0');
    let program = words.next()?;
    if program.rsplit('/').next() != Some("zmc") {
        return None;
    }
    let mut words = words.skip_while(|word| !matches!(*word, "-m" | "--monitor"));
    words.nth(1)?.parse().ok().map(MonitorId)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zmc_is_known_by_its_command_line() {
        assert_eq!(monitor_of(b"/usr/bin/zmc\0-m\x003\0"), Some(MonitorId(3)));
        assert_eq!(monitor_of(b"zmc\0--monitor\x0012\0"), Some(MonitorId(12)));
        for other in
            [&b"/usr/bin/zma\0-m\x003\0"[..], b"zmc\0-d\0/dev/video0\0", b"zmc\0-m\0", b"", b"zmc\0-m\0x"]
        {
            assert_eq!(monitor_of(other), None, "{other:?}");
        }
    }
}
