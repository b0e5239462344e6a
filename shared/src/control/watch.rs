//! The filter for `watch`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::request::is_false;
use crate::{EventId, MonitorId};

/// What to watch; an absent member does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WatchFilter {
    /// Only this monitor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor: Option<MonitorId>,
    /// Only this token (handle).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Only clients, tokens and decisions of this ZoneMinder user; `*` matches any run of characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Only lines of these types; empty: all types. `lagged` is always sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<WatchType>,
    /// Start with the recorded alarms, decisions for tokens and deliveries after this point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
    /// Also troubles: first the open ones, then each that is raised or over. Including `trouble` in `types` has the
    /// same effect.
    #[serde(default, skip_serializing_if = "is_false")]
    pub troubles: bool,
    /// Only alarms and troubles of monitors that this ZoneMinder user may see at that moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub viewer: Option<String>,
}

/// A type of line of `watch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum WatchType {
    /// Alarms that were announced.
    Alarm,
    /// The decision for each client and token.
    Decision,
    /// Results of pushes.
    Delivery,
    /// Clients that connect, change and disconnect.
    #[cfg_attr(feature = "clap", value(alias = "client"))]
    Session,
    /// Tokens that are registered, changed or revoked.
    Token,
    /// Monitors whose state or health changes.
    Monitor,
    /// What keeps zmesd from seeing or sending alarms.
    Trouble,
    /// A type of a newer client.
    #[serde(other)]
    #[cfg_attr(feature = "clap", value(skip))]
    Unknown,
}

/// A point in the record of alarms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Since {
    /// After this event.
    Event(EventId),
    /// After this time.
    Time(Timestamp),
}
