//! What an app asks for: monitors, and a minimum interval for each.

use std::collections::BTreeMap;
use std::time::Duration;

use zmes_shared::MonitorId;

/// Maximum number of entries; no ZoneMinder installation is known to have more monitors.
const MAX_ENTRIES: usize = 4096;

/// The monitors whose alarms an app wants (`monlist`), and their minimum intervals (`intlist`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum MonitorFilter {
    /// All alarms of all monitors: the filter of an app that sent none, or `""`.
    #[default]
    All,
    /// These monitors, each with the minimum time between two of its alarms.
    Only(BTreeMap<MonitorId, Duration>),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterProblem {
    #[error("monlist: `{0}` is not a monitor id")]
    Monitor(String),
    #[error("intlist: `{0}` is not a number of seconds")]
    Interval(String),
    #[error("more than {MAX_ENTRIES} entries")]
    TooLong,
}

impl MonitorFilter {
    /// Combines the two comma-separated lists of the app protocol.
    ///
    /// Entries are trimmed and empty ones skipped (positions in both lists still correspond). An empty `monlist` means
    /// all monitors, whatever `intlist` says; a missing interval is 0.
    pub fn parse(monlist: &str, intlist: &str) -> Result<Self, FilterProblem> {
        let monitors: Vec<&str> = monlist.split(',').map(str::trim).collect();
        if monitors.iter().all(|entry| entry.is_empty()) {
            return Ok(Self::All);
        }
        let intervals: Vec<&str> = intlist.split(',').map(str::trim).collect();
        if monitors.len().max(intervals.len()) > MAX_ENTRIES {
            return Err(FilterProblem::TooLong);
        }
        let mut only = BTreeMap::new();
        for (position, entry) in monitors.iter().enumerate().filter(|(_, entry)| !entry.is_empty()) {
            let monitor = entry.parse().map_err(|_| FilterProblem::Monitor((*entry).to_owned()))?;
            let seconds = match intervals.get(position).copied().unwrap_or_default() {
                "" => 0,
                text => text.parse::<u32>().map_err(|_| FilterProblem::Interval(text.to_owned()))?,
            };
            only.entry(monitor).or_insert(Duration::from_secs(seconds.into()));
        }
        Ok(Self::Only(only))
    }

    pub fn interval(&self, monitor: MonitorId) -> Option<Duration> {
        match self {
            Self::All => Some(Duration::ZERO),
            Self::Only(only) => only.get(&monitor).copied(),
        }
    }

    /// Returns the two lists in the form of the app protocol; empty for all monitors.
    pub fn lists(&self) -> (String, String) {
        match self {
            Self::All => (String::new(), String::new()),
            Self::Only(only) => (
                only.keys().map(ToString::to_string).collect::<Vec<_>>().join(","),
                only.values().map(|interval| interval.as_secs().to_string()).collect::<Vec<_>>().join(","),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(monlist: &str, intlist: &str, monitor: u32) -> Option<u64> {
        let filter = MonitorFilter::parse(monlist, intlist).unwrap();
        filter.interval(MonitorId(monitor)).map(|interval| interval.as_secs())
    }

    #[test]
    fn lists_are_paired_by_position() {
        assert_eq!(interval("1,2,4,5,6", "0,0,3600,60,0", 4), Some(3600));
        assert_eq!(interval("1,2,4,5,6", "0,0,3600,60,0", 5), Some(60));
        assert_eq!(interval("1,2,4,5,6", "0,0,3600,60,0", 3), None);
        assert_eq!(interval("1,2,3", "0,3600", 3), Some(0), "a missing interval is 0");
        assert_eq!(interval("1,2", "0,0,90", 2), Some(0), "a surplus interval is ignored");
    }

    #[test]
    fn an_empty_monlist_is_all_monitors_each_time() {
        assert_eq!(interval("", "", 7), Some(0));
        assert_eq!(interval("", "0,60", 7), Some(0));
        assert_eq!(interval(" , ", "", 7), Some(0));
    }

    #[test]
    fn blanks_and_trailing_commas_are_harmless() {
        assert_eq!(interval("1, 2", "0, 30", 2), Some(30));
        assert_eq!(interval("1,2,", "0,0,", 2), Some(0));
        assert_eq!(interval("5", "0", 5), Some(0));
    }

    #[test]
    fn what_is_no_number_is_named() {
        assert_eq!(MonitorFilter::parse("1,x", "0"), Err(FilterProblem::Monitor("x".into())));
        assert_eq!(MonitorFilter::parse("1", "soon"), Err(FilterProblem::Interval("soon".into())));
        assert_eq!(MonitorFilter::parse("-1", ""), Err(FilterProblem::Monitor("-1".into())));
    }

    #[test]
    fn lists_come_back_as_they_were() {
        let filter = MonitorFilter::parse("4,2", "60,0").unwrap();
        assert_eq!(filter.lists(), ("2,4".to_owned(), "0,60".to_owned()));
        assert_eq!(MonitorFilter::All.lists(), (String::new(), String::new()));
    }
}
