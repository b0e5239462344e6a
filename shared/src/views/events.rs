//! `zmesctl events`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{EventId, Label, MonitorId};

/// Announced alarms, the newest last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Events {
    /// One entry per alarm; a long event may have several.
    pub events: Vec<EventView>,
    /// Where the next page, with older alarms, ends: pass it as `before`. Absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
    /// The record begins after `since`: alarms are missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gap: bool,
}

/// An announced alarm, and how many receivers got it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventView {
    /// The event; `null` if ZoneMinder recorded none.
    pub event_id: Option<EventId>,
    /// Which monitor.
    pub monitor_id: MonitorId,
    /// Its name at the time.
    pub monitor: String,
    /// When it was detected.
    pub at: Timestamp,
    /// Why, in ZoneMinder's words.
    pub cause: String,
    /// Labels of the event; absent if there are none, or if they are unknown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<Label>,
    /// It was found after the fact, in the Events table.
    pub late: bool,
    /// When the monitor left the alarm; absent if it has not yet, or if that is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// The pushes, by outcome; all 0 also after `state.keep-deliveries`.
    pub told: ToldTokens,
    /// The clients; absent if unknown, because decisions for clients are kept in memory for the last alarms only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clients: Option<ToldClients>,
}

/// How many tokens an alarm was sent to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ToldTokens {
    /// The provider accepted the push.
    pub sent: u64,
    /// Not sent, for a reason that `why` names.
    pub skipped: u64,
    /// Given up.
    pub failed: u64,
    /// Still to be sent.
    pub queued: u64,
}

/// How many clients an alarm was sent to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ToldClients {
    /// Queued for the client's connection.
    pub sent: u64,
    /// Not sent, for a reason that `why` names.
    pub skipped: u64,
}

/// How many alarms each monitor had in each of the last 24 hours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventsHourly {
    /// The end of the last hour: when the daemon counted.
    pub until: Timestamp,
    /// Monitors with at least one alarm, by id.
    pub monitors: Vec<MonitorHours>,
}

/// The alarms of one monitor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MonitorHours {
    /// Which monitor.
    pub monitor_id: MonitorId,
    /// Its name.
    pub monitor: String,
    /// Alarms per hour, the oldest hour first; 24 numbers.
    pub hours: Vec<u64>,
    /// Time of the last of these alarms.
    pub last_at: Timestamp,
}
