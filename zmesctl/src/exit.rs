//! The exit codes, which scripts rely on.

use std::process::ExitCode;

/// The exit codes of `zmesctl`. They are never renamed or renumbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Success, or the check passed.
    Done = 0,
    /// The daemon refused, or the check failed.
    Negative = 1,
    Usage = 2,
    /// `zmesd` cannot be reached.
    Unreachable = 3,
    /// No such token, client, monitor or event.
    NotFound = 4,
    Forbidden = 5,
    Timeout = 6,
    Partial = 7,
    /// `zmesd` and `zmesctl` speak different versions.
    Version = 8,
}

impl Exit {
    pub const PLUGIN_WARNING: Self = Self::Negative;
    pub const PLUGIN_CRITICAL: Self = Self::Usage;
    pub const PLUGIN_UNKNOWN: Self = Self::Unreachable;
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
