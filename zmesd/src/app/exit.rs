//! The exit codes of the daemon, as pinned: those of sysexits(3) that systemd's restart policy looks at.

use std::process::ExitCode;

/// How the daemon ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Stopped on request.
    Ok,
    /// Wrong command line: 64.
    Usage,
    /// A port or the control socket is in use: 69.
    Unavailable,
    /// A bug: 70.
    Internal,
    /// Something is not permitted: 77.
    Permission,
    /// The configuration has problems: 78.
    Config,
}

impl Exit {
    /// Returns the number.
    pub fn number(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Usage => 64,
            Self::Unavailable => 69,
            Self::Internal => 70,
            Self::Permission => 77,
            Self::Config => 78,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}
