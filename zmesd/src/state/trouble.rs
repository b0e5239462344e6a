//! Why the state file cannot be written at the moment.

use std::error::Error;
use std::path::Path;

use super::open_error::{OpenError, plain};

/// SQLite's log may grow to this many bytes; then nothing is written until it has been emptied.
pub(super) const LOG_LIMIT: u64 = 64 * 1024 * 1024;

/// Why a group of notes was not written.
#[derive(Debug)]
pub(super) enum Trouble {
    Refused(sqlx::Error),
    /// SQLite's log has reached its limit, and another process prevents a checkpoint.
    Log,
    /// A damaged or removed file cannot be replaced.
    Lost(OpenError),
}

impl Trouble {
    pub(super) fn sentence(&self, path: &Path) -> String {
        match self {
            Self::Refused(problem) => match plain(problem) {
                Some(plain) => format!("{plain}: {problem}"),
                None => problem.to_string(),
            },
            Self::Log => format!(
                "another process reads the state file and keeps its log ({} MiB) from being emptied: end it \
                 (fuser -v {})",
                LOG_LIMIT / (1024 * 1024),
                path.display()
            ),
            Self::Lost(problem) => match problem.source() {
                Some(cause) => format!("{problem}: {cause}"),
                None => problem.to_string(),
            },
        }
    }
}
