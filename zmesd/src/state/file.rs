//! Opening the state file: directory, pragmas, and the remembered state.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, SqliteConnection, SqlitePool};
use tokio::sync::{mpsc, watch};
use zmes_shared::paths::STATE_FILE;

use super::SqlResult;
use super::connection::WritingConnection;
use super::handle::{Remembered, StateHandle, StoreReport};
use super::open_error::OpenError;
use super::store::{Outlets, Store};
use super::writer::{Committed, StateWriter};
use super::{remembered, set_aside, upgrade};
use crate::config::StateConfig;
use crate::ports::Clock;

/// Notes that may wait for the writer. Beyond it they are dropped and counted: the sockets do not wait for a disk.
const NOTES_BOUND: usize = 4096;
/// How long a statement waits for another process's lock; only a backup tool would hold one.
pub(super) const BUSY: Duration = Duration::from_secs(5);
/// SQLite's default, pinned: a damaged header does not reveal it.
pub(super) const PAGE_SIZE: u32 = 4096;
/// To this size (bytes) SQLite cuts its log back once it has been emptied.
const LOG_KEPT: &str = "16777216";
const READERS: u32 = 2;

#[derive(Debug)]
pub struct State {
    pub handle: StateHandle,
    pub writer: StateWriter,
    pub remembered: Remembered,
    /// Why nothing can be written now, if so.
    pub trouble: watch::Receiver<Option<String>>,
    pub committed: watch::Receiver<Committed>,
    /// Grows when a damaged or lost file was replaced: everything must be noted again.
    pub renewed: watch::Receiver<u64>,
}

impl State {
    /// Opens the file, brings its tables up to date and reads what is remembered. A damaged file is moved away first
    /// and replaced by a new one with what can be read of it.
    pub async fn open(config: &StateConfig, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let path = config.directory.join(STATE_FILE);
        let (reader, remembered) = open(&path, clock.now()).await?;
        let (notes, queue) = mpsc::channel(NOTES_BOUND);
        let (trouble_tx, trouble) = watch::channel(None);
        let (committed_tx, committed) =
            watch::channel(Committed { last: remembered.last_delivery, attempts: 0 });
        let (reader_tx, reader) = watch::channel(reader);
        let (renewed_tx, renewed) = watch::channel(0);
        let (damage, damaged) = watch::channel(None);
        let handle = StateHandle { notes, reader, damage, path: path.display().to_string().into() };
        let outlets = Outlets { trouble: trouble_tx, committed: committed_tx };
        let store = Store::new(WritingConnection::new(path), config.clone(), reader_tx, renewed_tx, damaged);
        let writer = StateWriter::new(store, queue, outlets, clock);
        Ok(Self { handle, writer, remembered, trouble, committed, renewed })
    }
}

pub(super) async fn open(path: &Path, now: Timestamp) -> Result<(SqlitePool, Remembered), OpenError> {
    make_directory(path)?;
    set_aside::finish(path).map_err(|error| OpenError::of(path, sqlx::Error::Io(error)))?;
    match open_whole(path, now).await {
        Err(problem @ OpenError::Damaged { .. }) => {
            let damage = std::error::Error::source(&problem).map_or_else(String::new, ToString::to_string);
            set_aside::replace(path, &damage, now).await?;
            open_whole(path, now).await
        }
        opened => opened,
    }
}

async fn open_whole(path: &Path, now: Timestamp) -> Result<(SqlitePool, Remembered), OpenError> {
    let of = |source| OpenError::of(path, source);
    let fresh = !path.exists();
    let found = upgrade::look(path).await?;
    let pool = pool(path, READERS).await.map_err(of)?;
    let read = async {
        upgrade::upgrade(&pool, path, found.as_ref()).await?;
        remembered::read(&pool, now).await.map_err(of)
    };
    match read.await {
        Ok(mut remembered) => {
            remembered.since = remembered.since.filter(|_| !fresh);
            // A reader must not create a removed file again: the writer does.
            pool.set_connect_options(options(path));
            Ok((pool, remembered))
        }
        Err(problem) => {
            pool.close().await;
            Err(problem)
        }
    }
}

/// Creates the directory of the file with access for the daemon's user only; an existing one keeps its mode.
pub(super) fn make_directory(file: &Path) -> Result<(), OpenError> {
    use std::os::unix::fs::DirBuilderExt;
    let Some(path) = file.parent() else { return Ok(()) };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| OpenError::Directory { path: path.to_owned(), source })
}

/// Returns how an existing file is opened for writing.
pub(super) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .page_size(PAGE_SIZE)
        // Counts for new files alone; an older one keeps its size and uses free pages again.
        .auto_vacuum(SqliteAutoVacuum::Incremental)
        .journal_mode(SqliteJournalMode::Wal)
        .pragma("journal_size_limit", LOG_KEPT)
        // FULL: a commit is on the disk, not only in the kernel, when it is reported.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY)
        .foreign_keys(true)
}

pub(super) async fn pool(path: &Path, connections: u32) -> SqlResult<SqlitePool> {
    connect(options(path).create_if_missing(true), connections).await
}

/// Creates a file that is complete by itself, without a log beside it.
pub(super) async fn fresh(path: &Path) -> SqlResult<SqlitePool> {
    connect(options(path).create_if_missing(true).journal_mode(SqliteJournalMode::Delete), 1).await
}

async fn connect(options: SqliteConnectOptions, connections: u32) -> SqlResult<SqlitePool> {
    SqlitePoolOptions::new().max_connections(connections).acquire_timeout(BUSY).connect_with(options).await
}

pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

pub(super) async fn open_read_only(path: &Path) -> SqlResult<SqliteConnection> {
    SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(BUSY).connect().await
}

/// Returns the files whose names begin with that of `path` and with `infix`, each with the rest of its name.
pub(super) fn siblings(path: &Path, infix: &str) -> Vec<(String, PathBuf)> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str()))
    else {
        return Vec::new();
    };
    let prefix = format!("{name}{infix}");
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let rest = |entry: fs::DirEntry| {
        Some((entry.file_name().to_str()?.strip_prefix(&prefix)?.to_owned(), entry.path()))
    };
    entries.filter_map(Result::ok).filter_map(rest).collect()
}

/// Takes a file that is not there for one that was removed or renamed.
pub(super) fn allow_missing(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Has SQLite read and compare every page.
pub(super) async fn examine(pool: &SqlitePool, path: &str, writable: bool) -> SqlResult<StoreReport> {
    let mut damage: Vec<String> = sqlx::query_scalar("PRAGMA quick_check(10)").fetch_all(pool).await?;
    damage.retain(|line| line != "ok");
    let bytes = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
    let bytes: i64 = sqlx::query_scalar(bytes).fetch_one(pool).await?;
    Ok(StoreReport { path: path.to_owned(), bytes: bytes.cast_unsigned(), damage, writable })
}
