//! Why the state file cannot be written at the moment.

use std::path::Path;

use super::open_error::{OpenError, primary_code};

/// SQLite's log may grow to this many bytes; then nothing is written until it has been emptied.
pub(super) const LOG_LIMIT: u64 = 64 * 1024 * 1024;

/// Why a group of notes was not written.
#[derive(Debug)]
pub(super) enum Trouble {
    /// SQLite returned an error.
    Refused(sqlx::Error),
    /// SQLite's log has reached its limit, and another process prevents a checkpoint.
    Log,
    /// A damaged or removed file cannot be replaced.
    Lost(OpenError),
}

impl Trouble {
    /// Returns it as one line.
    pub(super) fn sentence(&self, path: &Path) -> String {
        match self {
            Self::Refused(problem) => refused(problem),
            Self::Log => format!(
                "another process reads the state file and keeps its log ({} MiB) from being emptied: end it \
                 (fuser -v {})",
                LOG_LIMIT / (1024 * 1024),
                path.display()
            ),
            Self::Lost(problem) => {
                let cause =
                    std::error::Error::source(problem).map_or_else(String::new, |cause| format!(": {cause}"));
                format!("{problem}{cause}")
            }
        }
    }
}

fn refused(problem: &sqlx::Error) -> String {
    let plain = primary_code(problem).and_then(OpenError::plain);
    plain.map_or_else(|| problem.to_string(), |plain| format!("{plain}: {problem}"))
}
