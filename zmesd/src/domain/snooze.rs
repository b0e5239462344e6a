//! Snoozes: for a while, alarms of a monitor are not pushed to some phones.

use std::fmt;

use jiff::Timestamp;
use zmes_shared::MonitorId;
use zmes_shared::words::SnoozeOrigin;

use super::{Token, TokenId};

/// The number of a snooze in the state file; never used again.
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
    /// The tokens of a user of ZoneMinder.
    User(String),
    Token(TokenId),
}

impl SnoozeScope {
    /// Says whether the token is in it.
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
    /// `None`: all monitors.
    pub monitor: Option<MonitorId>,
    pub scope: SnoozeScope,
    pub since: Timestamp,
    pub until: Timestamp,
    /// Also what a rule calls urgent is not pushed.
    pub hard: bool,
    /// At its end, phones from which alarms were withheld get one push with their number.
    pub tell: bool,
    /// Who set it: a user of the machine or of ZoneMinder.
    pub by: String,
    pub origin: SnoozeOrigin,
}

impl Snooze {
    /// Returns a time as the state file has it, so that a restart does not change what a snooze says.
    pub fn time(at: Timestamp) -> Timestamp {
        Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
    }

    /// Says whether it silences alarms of that monitor for that token at that time.
    pub fn covers(&self, monitor: MonitorId, token: &Token, at: Timestamp) -> bool {
        self.monitor.is_none_or(|own| own == monitor) && at < self.until && self.scope.has(token)
    }
}
