//! Writes groups of notes, and replaces a file that is damaged or was removed.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::SqlitePool;
use sqlx::pool::PoolConnection;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tracing::{debug, error, info, warn};

use super::connection::{FilePresence, WritingConnection};
use super::note::Note;
use super::open_error::is_damage;
use super::trouble::{LOG_LIMIT, Trouble};
use super::waiting::Dropped;
use super::writer::Committed;
use super::{SqlResult, bounds, commit, file, set_aside};
use crate::config::StateConfig;

/// Minimum time between two new files: on a failing disk one would follow the other.
const BETWEEN_RENEWALS: Duration = Duration::from_mins(1);
/// How long readers may take to close a file that is replaced.
const READERS_LET_GO: Duration = Duration::from_secs(5);
/// Groups between two checks of the file's size.
const GROUPS: u32 = 16;

#[derive(Debug)]
pub(super) struct Outlets {
    pub(super) trouble: watch::Sender<Option<String>>,
    pub(super) committed: watch::Sender<Committed>,
}

impl Outlets {
    pub(super) fn is_troubled(&self) -> bool {
        self.trouble.borrow().is_some()
    }

    /// Reports why nothing can be written; logged once.
    pub(super) fn fails(&self, sentence: &str) {
        let before = self.trouble.send_replace(Some(sentence.to_owned()));
        if before.is_none() {
            error!(
                error = sentence,
                "cannot write the state file: alarms are still sent, and wait in memory to be recorded"
            );
        }
    }

    /// Signals that something was written.
    pub(super) fn works(&self, dropped: &mut Dropped) {
        if self.trouble.send_replace(None).is_none() {
            return;
        }
        info!("the state file can be written again");
        let Dropped { deliveries, notes, .. } = std::mem::take(dropped);
        if deliveries + notes > 0 {
            warn!(
                deliveries,
                notes, "dropped what waited for the state file: it is missing in the delivery log"
            );
        }
    }

    /// Counts outcomes that were written or dropped.
    pub(super) fn settled(&self, outcomes: u64) {
        if outcomes > 0 {
            self.committed.send_modify(|committed| committed.attempts += outcomes);
        }
    }
}

#[derive(Debug)]
enum Cause {
    Damaged(String),
    Gone,
    Replaced,
}

/// The file as the writer has it.
#[derive(Debug)]
pub(super) struct Store {
    connection: WritingConnection,
    keep: StateConfig,
    reader: watch::Sender<SqlitePool>,
    renewed: watch::Sender<u64>,
    /// Damage found by a reader.
    damaged: watch::Receiver<Option<String>>,
    renewed_at: Option<Instant>,
    groups: u32,
}

impl Store {
    pub(super) fn new(
        connection: WritingConnection,
        keep: StateConfig,
        reader: watch::Sender<SqlitePool>,
        renewed: watch::Sender<u64>,
        damaged: watch::Receiver<Option<String>>,
    ) -> Self {
        Self { connection, keep, reader, renewed, damaged, renewed_at: None, groups: 0 }
    }

    pub(super) fn path(&self) -> &Path {
        self.connection.path()
    }

    /// Writes a group in one transaction.
    pub(super) async fn write(&mut self, group: &[Note], now: Timestamp) -> Result<(), Trouble> {
        if group.iter().all(|note| matches!(note, Note::Barrier(_))) {
            return Ok(());
        }
        self.look(now).await?;
        if let Err(problem) = self.commit(group).await {
            // The group is tried again, then with the new file.
            if is_damage(&problem) && self.may_renew() {
                self.renew(Cause::Damaged(problem.to_string()), now).await?;
            }
            return Err(Trouble::Refused(problem));
        }
        self.groups += 1;
        if self.groups.is_multiple_of(GROUPS) {
            self.bound(now).await;
        }
        Ok(())
    }

    async fn commit(&mut self, group: &[Note]) -> SqlResult {
        let mut connection = self.connection.take().await?;
        commit::group(&mut connection, group).await?;
        self.connection.put_back(connection);
        Ok(())
    }

    /// Ensures that the file exists, is not damaged, and that SQLite's log is not too long.
    pub(super) async fn look(&mut self, now: Timestamp) -> Result<(), Trouble> {
        let presence = self.connection.presence().await;
        let file = self.path().display();
        match presence {
            FilePresence::Same => {}
            FilePresence::Gone => {
                error!(%file, "the state file was removed: writing a new one");
                self.renew(Cause::Gone, now).await?;
            }
            FilePresence::Other => {
                warn!(%file, "the state file was replaced by another one: using it");
                self.renew(Cause::Replaced, now).await?;
            }
        }
        if self.damaged.has_changed().unwrap_or(false) && self.may_renew() {
            self.damaged.mark_unchanged();
            if let Some(damage) = self.damage().await {
                self.renew(Cause::Damaged(damage), now).await?;
            }
        }
        if self.connection.log_size().await > LOG_LIMIT {
            self.empty_log().await?;
        }
        Ok(())
    }

    pub(super) async fn prune(&mut self, now: Timestamp) {
        let pruned = async {
            let mut connection = self.connection.take().await?;
            let gone = bounds::by_age(&mut connection, &self.keep, now.as_millisecond()).await?;
            self.connection.put_back(connection);
            SqlResult::Ok(gone)
        };
        match pruned.await {
            Ok(gone) => debug!(?gone, "removed old rows from the state file"),
            Err(problem) => error!(error = %problem, "cannot remove old rows from the state file"),
        }
        self.bound(now).await;
    }

    async fn bound(&mut self, now: Timestamp) {
        let max_size = self.keep.max_size;
        let bounded = async {
            let mut connection = self.connection.take().await?;
            let gone = bounds::by_size(&mut connection, max_size, now.as_millisecond()).await?;
            self.connection.put_back(connection);
            SqlResult::Ok(gone)
        };
        match bounded.await {
            Ok(0) => {}
            Ok(rows) => warn!(
                rows,
                max_size, "the state file has reached state.max-size: the oldest deliveries were dropped"
            ),
            Err(problem) => {
                warn!(error = problem.to_string(), "cannot keep the state file within state.max-size");
            }
        }
    }

    async fn empty_log(&mut self) -> Result<(), Trouble> {
        let mut connection = self.connection.take().await.map_err(Trouble::Refused)?;
        let emptied = sqlx::query_as::<_, (i64, i64, i64)>("PRAGMA wal_checkpoint(TRUNCATE)");
        match emptied.fetch_one(&mut connection).await {
            Ok((0, ..)) => {
                self.connection.put_back(connection);
                Ok(())
            }
            Ok(_) => Err(Trouble::Log),
            Err(problem) => Err(Trouble::Refused(problem)),
        }
    }

    fn may_renew(&self) -> bool {
        self.renewed_at.is_none_or(|at| at.elapsed() >= BETWEEN_RENEWALS)
    }

    /// Returns the damage that SQLite finds: a reader may have found it in a file that was replaced.
    async fn damage(&mut self) -> Option<String> {
        let mut connection = self.connection.take().await.ok()?;
        let found = sqlx::query_scalar::<_, String>("PRAGMA quick_check(1)").fetch_one(&mut connection).await;
        match found {
            Ok(line) if line == "ok" => {
                self.connection.put_back(connection);
                None
            }
            Ok(line) => Some(line),
            Err(problem) => is_damage(&problem).then(|| problem.to_string()),
        }
    }

    /// Replaces a file that is damaged or was removed.
    async fn renew(&mut self, cause: Cause, now: Timestamp) -> Result<(), Trouble> {
        let path = self.connection.path().to_owned();
        let reader = self.reader.borrow().clone();
        let mut old = match self.connection.release() {
            Some(connection) => Some(connection),
            // It still reads the removed file.
            None => reader.acquire().await.ok().map(PoolConnection::detach),
        };
        // The last connection to the old file removes its log by name; the new file must not have one yet.
        timeout(READERS_LET_GO, reader.close()).await.ok();
        match cause {
            Cause::Damaged(damage) => {
                set_aside::close(old).await;
                set_aside::replace(&path, &damage, now).await.map_err(Trouble::Lost)?;
            }
            Cause::Gone => {
                let rescued = match file::make_directory(&path) {
                    Ok(()) => set_aside::rescue(&mut old, &path).await,
                    Err(problem) => Err(problem),
                };
                // Keep this connection: only it can still read the file.
                if let Some(old) = old {
                    self.connection.put_back(old);
                }
                rescued.map_err(Trouble::Lost)?;
            }
            Cause::Replaced => set_aside::close(old).await,
        }
        let (reader, _) = file::open(&path, now).await.map_err(Trouble::Lost)?;
        self.connection = WritingConnection::new(path);
        self.renewed_at = Some(Instant::now());
        self.reader.send_replace(reader);
        self.renewed.send_modify(|renewed| *renewed += 1);
        Ok(())
    }

    /// Closes the connection after a last checkpoint.
    pub(super) async fn close(mut self) {
        set_aside::close(self.connection.release()).await;
        let reader = self.reader.borrow().clone();
        timeout(READERS_LET_GO, reader.close()).await.ok();
    }
}
