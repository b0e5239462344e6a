//! What was decided for one target of an alarm, as a value that logs, `watch` and answers all read.

/// Send, or not and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The target gets the alarm.
    Send,
    /// It does not.
    Skip(SkipReason),
}

/// Why a target does not get an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SkipReason {
    /// The target's user may not see the monitor, or no events at all.
    Rights,
    /// The target's filter leaves the monitor out.
    Filter,
    /// The last alarm of this monitor is younger than the interval that the target asked for.
    Interval,
    /// The alarm is a test for another target.
    OtherTarget,
    /// The target is not authenticated.
    Pending,
    /// The target did not read what was sent before and was dropped.
    Slow,
    /// The target is being disconnected.
    Ending,
    /// The token's user is unknown, disabled, or may not see events.
    User,
    /// The token's app wants no pushes (`state` is `disabled`).
    Disabled,
    /// An admin has silenced the token.
    Muted,
    /// Nothing is pushed at all: a test for a token says so.
    PushOff,
}

impl SkipReason {
    /// Returns the word for logs, `watch` and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rights => "rights",
            Self::Filter => "filter",
            Self::Interval => "interval",
            Self::OtherTarget => "other target",
            Self::Pending => "not authenticated",
            Self::Slow => "slow",
            Self::Ending => "ending",
            Self::User => "user",
            Self::Disabled => "disabled",
            Self::Muted => "muted",
            Self::PushOff => "push is off",
        }
    }
}

impl Decision {
    /// Returns the word for `watch` and JSON: `sent` or `skipped`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Send => "sent",
            Self::Skip(_) => "skipped",
        }
    }

    /// Returns the reason of a skip, or an empty text.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Send => "",
            Self::Skip(reason) => reason.as_str(),
        }
    }
}
