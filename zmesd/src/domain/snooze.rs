//! Snoozes: for a while, alarms of a monitor are not pushed to some phones.

use std::fmt;

use jiff::Timestamp;
use zmes_shared::MonitorId;
use zmes_shared::words::SnoozeOrigin;

use super::{Token, TokenId};

/// The number of a snooze in the state file; never reused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SnoozeId(pub i64);

impl fmt::Display for SnoozeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whose phones a snooze silences.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SnoozeScope {
    Everybody,
    /// The tokens of one ZoneMinder user.
    User(String),
    Token(TokenId),
}

impl SnoozeScope {
    /// Returns whether the snooze applies to this token.
    pub fn has(&self, token: &Token) -> bool {
        match self {
            Self::Everybody => true,
            Self::User(user) => *user == token.user,
            Self::Token(id) => *id == token.id,
        }
    }
}

/// Alarms of a monitor are not pushed until a time. Connected apps still get them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snooze {
    pub id: SnoozeId,
    /// `None` for all monitors.
    pub monitor: Option<MonitorId>,
    pub scope: SnoozeScope,
    pub since: Timestamp,
    pub until: Timestamp,
    /// Also withhold alarms that a rule marks as urgent.
    pub hard: bool,
    /// At the end, phones from which alarms were withheld get one push with their number.
    pub tell: bool,
    /// Who set it: a user of the machine or of ZoneMinder.
    pub by: String,
    pub origin: SnoozeOrigin,
}

impl Snooze {
    /// Truncates a time to the state file's milliseconds, so that a restart does not change the snooze.
    pub fn time(at: Timestamp) -> Timestamp {
        Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
    }

    /// Returns whether it silences alarms of this monitor for this token at this time.
    pub fn covers(&self, monitor: MonitorId, token: &Token, at: Timestamp) -> bool {
        self.monitor.is_none_or(|own| own == monitor) && at < self.until && self.scope.has(token)
    }
}
