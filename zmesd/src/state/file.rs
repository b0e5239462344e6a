//! Opening the state file: directory, pragmas, and what is remembered.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use tokio::sync::{mpsc, watch};
use zmes_shared::paths::STATE_FILE;

use super::handle::{Remembered, StateHandle, StoreReport};
use super::open_error::OpenError;
use super::writer::{Committed, Keep, StateWriter};
use super::{remembered, upgrade};
use crate::config::StateConfig;
use crate::ports::Clock;

/// Notes that may wait for the disk. Beyond it they are dropped and counted: the sockets do not wait for a disk.
const NOTES_BOUND: usize = 4096;
/// How long a statement waits for another process's lock; only a backup tool would hold one.
pub(super) const BUSY: Duration = Duration::from_secs(5);

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
        let open = |source| OpenError::of(&path, source);
        let fresh = !path.exists();
        let found = upgrade::look(&path).await?;
        let writer = pool(&path, 1).await.map_err(open)?;
        upgrade::upgrade(&writer, &path, found.as_ref()).await?;
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
