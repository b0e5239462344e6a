//! How a run ended, as the exit codes that scripts rely on.

use std::process::ExitCode;

/// The exit codes of `zmesctl`. None is ever renamed or renumbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done, or the check holds.
    Done = 0,
    /// The daemon said no, or the check does not hold.
    Negative = 1,
    /// The command line is wrong.
    Usage = 2,
    /// No daemon answers.
    Unreachable = 3,
    /// No such token, client, monitor or event.
    NotFound = 4,
    /// Not permitted.
    Forbidden = 5,
    /// It took longer than allowed.
    Timeout = 6,
    /// Done in part.
    Partial = 7,
    /// `zmesd` and `zmesctl` speak different versions.
    Version = 8,
}

impl Exit {
    /// What plugins of monitoring systems return for a warning.
    pub const PLUGIN_WARNING: Self = Self::Negative;
    /// What they return for what is critical.
    pub const PLUGIN_CRITICAL: Self = Self::Usage;
    /// What they return when they cannot tell.
    pub const PLUGIN_UNKNOWN: Self = Self::Unreachable;
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
