//! Opening the state file: directory, pragmas, migrations.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{SqlStr, SqlitePool};
use tokio::sync::{mpsc, watch};
use zmes_shared::paths::STATE_FILE;

use super::handle::{Remembered, StateHandle, StoreReport};
use super::remembered;
use super::writer::{Committed, Keep, StateWriter};
use crate::config::StateConfig;
use crate::ports::Clock;

/// Notes that may wait for the disk. Beyond it they are dropped and counted: the sockets do not wait for a disk.
const NOTES_BOUND: usize = 4096;
/// How long a statement waits for another process's lock; only a backup tool would hold one.
const BUSY: Duration = Duration::from_secs(5);

/// Why the state file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory is missing and cannot be made.
    #[error("cannot create the state directory {path}")]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A newer zmesd has written it.
    #[error("{path} was written by a newer zmesd")]
    Newer {
        /// Which file.
        path: PathBuf,
    },
    /// It cannot be opened or is damaged.
    #[error("cannot open the state file {path}")]
    Open {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// Its tables cannot be brought up to date.
    #[error("cannot update the tables of {path}")]
    Migrate {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: MigrateError,
    },
}

impl OpenError {
    /// Says what an admin can do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Directory { path, .. } | Self::Open { path, .. } | Self::Migrate { path, .. } => format!(
                "the user of zmesd must be able to write there (ls -ld {}), or set state.directory",
                path.display()
            ),
            Self::Newer { .. } => "install the newer zmesd again, or move the file away".to_owned(),
        }
    }
}

/// The opened state, before its writer runs.
#[derive(Debug)]
pub struct State {
    /// The way in for others.
    pub handle: StateHandle,
    /// The task that writes.
    pub writer: StateWriter,
    /// What the daemon before had kept.
    pub remembered: Remembered,
    /// Why nothing can be written now, if so.
    pub trouble: watch::Receiver<Option<String>>,
    /// What is on the disk.
    pub committed: watch::Receiver<Committed>,
}

impl State {
    /// Opens the file, brings its tables up to date and reads what is remembered.
    pub async fn open(config: &StateConfig, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        make_directory(&config.directory)?;
        let path = config.directory.join(STATE_FILE);
        let open = |source| OpenError::Open { path: path.clone(), source };
        let fresh = !path.exists();
        let writer = pool(&path, 1).await.map_err(open)?;
        migrate(&writer, &path).await?;
        let mut remembered = remembered::read(&writer, clock.now()).await.map_err(open)?;
        remembered.since = remembered.since.filter(|_| !fresh);
        let reader = pool(&path, 2).await.map_err(open)?;
        let (notes, queue) = mpsc::channel(NOTES_BOUND);
        let (trouble_tx, trouble) = watch::channel(None);
        let (committed_tx, committed) =
            watch::channel(Committed { last: remembered.last_delivery, attempts: 0 });
        let handle = StateHandle { notes, reader, path: path.display().to_string().into() };
        let keep = Keep {
            events: config.keep_events,
            deliveries: config.keep_deliveries,
            tombstones: config.keep_tombstones,
        };
        let writer = StateWriter::new(writer, queue, trouble_tx, committed_tx, keep, clock);
        Ok(Self { handle, writer, remembered, trouble, committed })
    }
}

/// Creates the directory for nobody but the daemon's user; an existing one keeps its mode.
fn make_directory(path: &Path) -> Result<(), OpenError> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| OpenError::Directory { path: path.to_owned(), source })
}

pub(super) async fn pool(path: &Path, connections: u32) -> Result<SqlitePool, sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // FULL: a commit is on the disk, not only in the kernel, when it is reported.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY)
        .foreign_keys(true);
    SqlitePoolOptions::new().max_connections(connections).acquire_timeout(BUSY).connect_with(options).await
}

/// The tables, step by step. A step that was released is never changed.
const MIGRATIONS: [(i64, &str, &str); 2] = [
    (1, "alarms and devices", include_str!("../../migrations/0001_alarms_and_devices.sql")),
    (2, "tokens and deliveries", include_str!("../../migrations/0002_tokens_and_deliveries.sql")),
];

async fn migrate(pool: &SqlitePool, path: &Path) -> Result<(), OpenError> {
    let migration = |(version, description, sql): (i64, &'static str, &'static str)| {
        Migration::new(version, description.into(), MigrationType::Simple, SqlStr::from_static(sql), false)
    };
    match Migrator::with_migrations(MIGRATIONS.map(migration).into()).run(pool).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(_)) => Err(OpenError::Newer { path: path.to_owned() }),
        Err(source) => Err(OpenError::Migrate { path: path.to_owned(), source }),
    }
}

/// Has SQLite read and compare every page.
pub(super) async fn examine(
    pool: &SqlitePool,
    path: &str,
    writable: bool,
) -> Result<StoreReport, sqlx::Error> {
    let found = sqlx::query_scalar::<_, String>("PRAGMA quick_check(10)").fetch_all(pool).await?;
    let bytes = sqlx::query_scalar::<_, i64>(
        "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
    )
    .fetch_one(pool)
    .await?;
    Ok(StoreReport {
        path: path.to_owned(),
        bytes: bytes.cast_unsigned(),
        damage: found.into_iter().filter(|line| line != "ok").collect(),
        writable,
    })
}
