//! The connection that writes.
//!
//! A connection on which anything has failed is closed and opened anew: SQLite ends a transaction by itself when the
//! disk is full (`sqlite.org/lang_transaction.html`, "Response To Errors Within A Transaction"), sqlx counts it as still
//! open, and every later `BEGIN` on that connection is then refused.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sqlx::{ConnectOptions, SqliteConnection};

use super::file;

/// Which file a path led to: device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity(u64, u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FilePresence {
    Same,
    /// Nothing: it was removed, or its directory was.
    Gone,
    /// Another file, such as a restored copy.
    Other,
}

/// The writing connection, while it is usable.
#[derive(Debug)]
pub(super) struct WritingConnection {
    path: PathBuf,
    identity: Option<Identity>,
    idle: Option<SqliteConnection>,
}

impl WritingConnection {
    /// Describes the connection to a file; it is opened by the first write.
    pub(super) fn new(path: PathBuf) -> Self {
        let identity = identity(&path).ok();
        Self { path, identity, idle: None }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the connection out, opened if necessary. One that is not [put back](Self::put_back) is closed.
    pub(super) async fn take(&mut self) -> Result<SqliteConnection, sqlx::Error> {
        match self.idle.take() {
            Some(connection) => Ok(connection),
            None => file::options(&self.path).connect().await,
        }
    }

    /// Returns the connection after work that has succeeded.
    pub(super) fn put_back(&mut self, connection: SqliteConnection) {
        self.idle = Some(connection);
    }

    /// Hands the connection over, to read from it once more.
    pub(super) fn release(&mut self) -> Option<SqliteConnection> {
        self.idle.take()
    }

    /// Returns what the path leads to now. In WAL mode SQLite does not notice that its file was removed, and would go on
    /// writing to it.
    pub(super) async fn presence(&self) -> FilePresence {
        let path = self.path.clone();
        let found = tokio::task::spawn_blocking(move || identity(&path)).await;
        match (found, self.identity) {
            (Ok(Err(error)), _) if error.kind() == io::ErrorKind::NotFound => FilePresence::Gone,
            (Ok(Ok(found)), Some(known)) if found != known => FilePresence::Other,
            // Opening it fails, too, with the reason.
            (Ok(_) | Err(_), _) => FilePresence::Same,
        }
    }

    /// Returns the size of SQLite's log beside the file, in bytes.
    pub(super) async fn log_size(&self) -> u64 {
        let log = file::beside(&self.path, "-wal");
        let size = tokio::task::spawn_blocking(move || std::fs::metadata(log).map(|found| found.len()));
        size.await.ok().and_then(Result::ok).unwrap_or_default()
    }
}

fn identity(path: &Path) -> io::Result<Identity> {
    std::fs::metadata(path).map(|found| Identity(found.dev(), found.ino()))
}
