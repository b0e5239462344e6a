//! Requests about snoozes: monitors that are not pushed for a while.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::MonitorId;

/// Maximum length of a snooze in milliseconds: 30 days.
pub const SNOOZE_MAX_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// A snooze to set. `Debug` hides the token.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SnoozeSet {
    /// The monitor whose alarms are not pushed; absent: all monitors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor: Option<MonitorId>,
    /// It lasts this many milliseconds, at most 30 days; either this or `until`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_ms: Option<u64>,
    /// It ends at this time, at most 30 days from now; either this or `for_ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Only for the phones of this ZoneMinder user; absent: for everybody. Not together with `token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Only for this token, in any form that names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Also withhold alarms that a rule calls urgent.
    #[serde(default, skip_serializing_if = "super::request::is_false")]
    pub hard: bool,
    /// At its end, send each phone one silent push with the number of withheld alarms; absent: only if the snooze is
    /// for a user or a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tell: Option<bool>,
}

impl std::fmt::Debug for SnoozeSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SnoozeSet")
            .field("monitor", &self.monitor)
            .field("for_ms", &self.for_ms)
            .field("until", &self.until)
            .field("user", &self.user)
            .field("hard", &self.hard)
            .field("tell", &self.tell)
            .finish_non_exhaustive()
    }
}

/// Which snoozes to end: exactly one member.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SnoozeEnd {
    /// The snooze with this number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// Every snooze of this monitor, but not those of all monitors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor: Option<MonitorId>,
    /// Every snooze.
    #[serde(default, skip_serializing_if = "super::request::is_false")]
    pub all: bool,
}
