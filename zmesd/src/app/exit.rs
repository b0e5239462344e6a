//! The daemon's fixed exit codes: those of sysexits(3), which systemd's restart policy uses.

use std::process::ExitCode;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Ok = 0,
    /// The command line is wrong.
    Usage = 64,
    /// A port or the control socket is in use.
    Unavailable = 69,
    /// A bug.
    Internal = 70,
    Permission = 77,
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
