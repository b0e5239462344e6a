//! ZoneMinder's own words.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a monitor is doing, in the words of ZoneMinder's `Monitor::State`.
///
/// The corresponding numbers differ by version; only the daemon's layout table knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum MonitorState {
    /// No motion. Since ZoneMinder 1.37 also during continuous recording.
    Idle,
    /// Motion, but in too few frames so far.
    Prealarm,
    /// Motion, or a forced alarm.
    Alarm,
    /// The motion has ended, the event has not.
    Alert,
    /// Continuous recording without an alarm (up to ZoneMinder 1.36).
    Tape,
    /// No capture daemon (`zmc`) runs for this monitor. ZoneMinder has no such state.
    Down,
    /// Unknown so far, or a word of a newer daemon.
    #[serde(other)]
    Unknown,
}

impl MonitorState {
    /// Returns whether an alarm is in progress: ALARM or ALERT.
    pub fn alarmed(self) -> bool {
        matches!(self, Self::Alarm | Self::Alert)
    }

    /// Returns the word for people, programs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Idle => "idle",
            Self::Prealarm => "prealarm",
            Self::Alarm => "alarm",
            Self::Alert => "alert",
            Self::Tape => "tape",
            Self::Down => "down",
        }
    }
}

impl fmt::Display for MonitorState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
