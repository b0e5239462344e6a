//! Where what is published. Pure.

use zmes_shared::MonitorId;

/// What there is of each monitor below its id, all of it retained.
pub(super) const OF_MONITOR: [&str; 7] =
    ["alarm", "attributes", "notifications", "picture", "snoozed-until", "watching", "watching/attributes"];
/// What there is of the server, all of it retained but the last.
const OF_SERVER: [&str; 5] = ["status", "push", "push/attributes", "clients", "probe"];
/// What is retained of the server.
pub(super) const OF_PLACE: [&str; 4] = ["status", "push", "push/attributes", "clients"];

/// The topics below `mqtt.topic`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Topics {
    pub(super) base: String,
}

impl Topics {
    pub(super) fn new(base: &str) -> Self {
        Self { base: base.to_owned() }
    }

    pub(super) fn server(&self, name: &str) -> String {
        format!("{}/{name}", self.base)
    }

    pub(super) fn monitor(&self, id: MonitorId, name: &str) -> String {
        format!("{}/{id}/{name}", self.base)
    }

    /// Returns what to subscribe to for commands.
    pub(super) fn commands(&self) -> [String; 2] {
        [format!("{}/+/notifications/set", self.base), format!("{}/+/snooze/set", self.base)]
    }

    /// Says whether zmesd publishes at this topic: others may share what is below the base.
    pub(super) fn is_ours(&self, topic: &str) -> bool {
        let Some(rest) = topic.strip_prefix(&self.base).and_then(|rest| rest.strip_prefix('/')) else {
            return false;
        };
        if OF_SERVER.contains(&rest) {
            return true;
        }
        let of_monitor = rest.split_once('/');
        of_monitor.is_some_and(|(id, name)| id.parse::<u32>().is_ok() && OF_MONITOR.contains(&name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_zmesd_publishes_is_ours() {
        let topics = Topics::new("home");
        for ours in ["home/status", "home/push/attributes", "home/3/alarm", "home/3/watching/attributes"] {
            assert!(topics.is_ours(ours), "{ours}");
        }
        for other in
            ["home", "home/", "home/3", "home/kitchen/alarm", "home/3/light", "homes/status", "x/home/status"]
        {
            assert!(!topics.is_ours(other), "{other}");
        }
    }
}
