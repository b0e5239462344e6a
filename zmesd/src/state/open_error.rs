//! Why the state file cannot be used, and what can be done about it.

use std::error::Error;
use std::path::{Path, PathBuf};

use sqlx::migrate::MigrateError;

use super::upgrade;

/// SQLite's names of the causes: the primary result codes that are distinguished (sqlite.org/rescode.html).
const BUSY: u32 = 5;
const READONLY: u32 = 8;
const IOERR: u32 = 10;
const CORRUPT: u32 = 11;
const FULL: u32 = 13;
const CANTOPEN: u32 = 14;
const NOTADB: u32 = 26;

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("cannot create the state directory {path}")]
    Directory { path: PathBuf, source: std::io::Error },
    #[error(
        "{path} has tables of version {found}, made by {by}; this zmesd ({}) supports up to version {reads}",
        env!("CARGO_PKG_VERSION")
    )]
    Newer {
        path: PathBuf,
        found: i64,
        by: String,
        reads: i64,
        /// The file as it was before that upgrade, where it is kept.
        copy: Option<PathBuf>,
    },
    #[error("{path} is a database of another program")]
    Foreign { path: PathBuf },
    /// It is damaged, or no database at all. Nothing was changed.
    #[error("{path} is damaged, or not a database")]
    Damaged {
        path: PathBuf,
        /// The file as it was before an upgrade, where that is kept.
        copy: Option<PathBuf>,
        source: sqlx::Error,
    },
    /// It cannot be copied before its tables are brought up to date. Nothing was changed.
    #[error("cannot copy {path} to {copy} before its tables of version {version} are brought up to date")]
    Copy { path: PathBuf, copy: PathBuf, version: i64, source: Box<dyn Error + Send + Sync> },
    #[error("cannot open the state file {path}")]
    Open { path: PathBuf, source: sqlx::Error },
    #[error("cannot update the tables of {path}")]
    Migrate {
        path: PathBuf,
        /// The file as it was before.
        copy: Option<PathBuf>,
        source: MigrateError,
    },
}

/// Where the cause is, which decides the hint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreFault {
    /// The file is not one that this zmesd can use: trying again does not help.
    File,
    /// The disk is full, or another process holds the file: trying again may help.
    Surroundings,
    Permission,
}

impl OpenError {
    /// Classifies an error of SQLite.
    pub(super) fn of(path: &Path, source: sqlx::Error) -> Self {
        let path = path.to_owned();
        if is_damage(&source) {
            let copy = upgrade::newest_copy(&path);
            return Self::Damaged { path, copy, source };
        }
        Self::Open { path, source }
    }

    pub fn fault(&self) -> StoreFault {
        let cause = self.source().and_then(fault_of);
        match self {
            Self::Newer { .. } | Self::Foreign { .. } | Self::Damaged { .. } => StoreFault::File,
            Self::Directory { .. } | Self::Open { .. } => cause.unwrap_or(StoreFault::Permission),
            // Mostly the disk is full.
            Self::Copy { .. } => cause.unwrap_or(StoreFault::Surroundings),
            Self::Migrate { .. } => cause.unwrap_or(StoreFault::File),
        }
    }

    /// Returns the hint for an admin.
    pub fn hint(&self) -> String {
        match self {
            Self::Newer { path, by, copy, .. } => {
                let again = format!("install {by} again");
                let aside = aside(path);
                match copy {
                    Some(copy) => format!(
                        "{again}; or go back to what was before that upgrade: {aside}, then mv {} {}",
                        copy.display(),
                        path.display()
                    ),
                    None => format!("{again}; or {aside}: {ANEW}"),
                }
            }
            Self::Foreign { path } => format!("set state.directory, or {}", aside(path)),
            Self::Damaged { path, copy, .. } => {
                let kept = copy.as_ref().map_or_else(String::new, |copy| {
                    format!("; {} is what it was before the last upgrade", copy.display())
                });
                format!("{}: {ANEW} (sqlite3 FILE .recover may save the tokens){kept}", aside(path))
            }
            Self::Copy { copy, .. } if self.fault() == StoreFault::Surroundings => {
                format!("nothing was changed; make room on the disk of {}", copy.display())
            }
            Self::Migrate { copy: Some(copy), .. } if self.fault() != StoreFault::Permission => format!(
                "the file is as it was before the step that failed, and {} holds what was before all of them",
                copy.display()
            ),
            Self::Open { path, .. } if self.fault() == StoreFault::Surroundings => {
                format!("is the disk full, or does another process hold {} (a backup)?", path.display())
            }
            Self::Directory { path, .. }
            | Self::Open { path, .. }
            | Self::Copy { path, .. }
            | Self::Migrate { path, .. } => format!(
                "the user of zmesd must be able to write there (ls -ld {}), or set state.directory",
                path.display()
            ),
        }
    }
}

const ANEW: &str = "zmesd then starts with an empty one, and phones register again when their app is opened";

/// Returns the instruction to move a file away, with SQLite's files beside it.
fn aside(path: &Path) -> String {
    format!("move {0} away ({0}-wal too, if it exists)", path.display())
}

/// Returns SQLite's primary result code, if the error is from SQLite.
pub(super) fn primary_code(problem: &sqlx::Error) -> Option<u32> {
    let code = problem.as_database_error()?.code()?.parse::<u32>().ok()?;
    Some(code & 0xff)
}

/// Says whether an error means a damaged file.
pub(super) fn is_damage(problem: &sqlx::Error) -> bool {
    matches!(primary_code(problem), Some(CORRUPT | NOTADB))
}

/// Returns what an error of SQLite means while the daemon runs, if it is known.
pub(super) fn plain(problem: &sqlx::Error) -> Option<&'static str> {
    match primary_code(problem)? {
        BUSY => Some("another process holds the state file's lock"),
        READONLY => Some("the state file is read-only"),
        IOERR => Some("the disk of the state file fails"),
        FULL => Some("the disk of the state file is full"),
        CANTOPEN => Some("the state file cannot be opened"),
        _ => None,
    }
}

/// Finds the cause in an error, or in its sources.
fn fault_of(error: &(dyn Error + 'static)) -> Option<StoreFault> {
    if let Some(error) = error.downcast_ref::<std::io::Error>() {
        let full = error.kind() == std::io::ErrorKind::StorageFull;
        return Some(if full { StoreFault::Surroundings } else { StoreFault::Permission });
    }
    match error.downcast_ref::<sqlx::Error>().and_then(primary_code) {
        Some(BUSY | FULL) => Some(StoreFault::Surroundings),
        Some(READONLY | CANTOPEN) => Some(StoreFault::Permission),
        Some(CORRUPT | NOTADB) => Some(StoreFault::File),
        Some(_) => None,
        None => error.source().and_then(fault_of),
    }
}
