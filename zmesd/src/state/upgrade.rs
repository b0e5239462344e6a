//! State files of other versions: an older file is copied and then upgraded, a newer one is refused.
//!
//! A step is one transaction together with its entry in SQLite's list of steps, so a crash leaves the file as it was
//! before a step or as it is after it.

use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{Connection, SqlStr, SqliteConnection, SqlitePool};
use tracing::{info, warn};

use super::open_error::{OpenError, is_damage};
use super::{SqlResult, file};

/// The tables, step by step. A step that was released is never changed. Its description begins with the version of
/// zmesd that brought it: an older one names that version when it refuses the file.
const MIGRATIONS: [(i64, &str, &str); 11] = [
    (1, "zmesd 0.1.0: alarms and devices", include_str!("../../migrations/0001_alarms_and_devices.sql")),
    (
        2,
        "zmesd 0.1.0: tokens and deliveries",
        include_str!("../../migrations/0002_tokens_and_deliveries.sql"),
    ),
    (3, "zmesd 0.1.0: devices and blocked tokens", include_str!("../../migrations/0003_devices.sql")),
    (4, "zmesd 0.3.0: rules and snoozes", include_str!("../../migrations/0004_rules_and_snoozes.sql")),
    (5, "zmesd 0.3.0: troubles", include_str!("../../migrations/0005_troubles.sql")),
    (6, "zmesd 0.3.0: ends of alarms", include_str!("../../migrations/0006_ends.sql")),
    (7, "zmesd 0.3.0: labels", include_str!("../../migrations/0007_labels.sql")),
    (8, "zmesd 0.3.0: keys of its own", include_str!("../../migrations/0008_keys.sql")),
    (9, "zmesd 0.3.0: home automation", include_str!("../../migrations/0009_mqtt.sql")),
    (10, "zmesd 0.3.0: hits of rules", include_str!("../../migrations/0010_rule_hits.sql")),
    (11, "zmesd 0.3.0: cluster", include_str!("../../migrations/0011_cluster.sql")),
];
/// The version of the tables that this zmesd reads and writes.
pub(super) const NEWEST: i64 = MIGRATIONS[MIGRATIONS.len() - 1].0;
const COPIES: usize = 3;
/// `zmesd.db` + this + the version that the file got then.
const BEFORE: &str = ".before-";
/// Suffix of a copy that is not complete yet.
const UNFINISHED: &str = ".part";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) version: i64,
    /// The zmesd that introduced that version, if the file has it: "zmesd 0.2.0".
    pub(super) by: String,
}

/// Examines a state file without changing it; `None`: there is none, or it is empty.
///
/// A file of a newer zmesd, a damaged file, and a file of another program are errors.
pub(super) async fn look(path: &Path) -> Result<Option<Found>, OpenError> {
    let Some(found) = read(path).await? else { return Ok(None) };
    if found.version <= NEWEST {
        return Ok(Some(found));
    }
    let copy = copy_for(path, NEWEST).await;
    Err(OpenError::Newer { path: path.to_owned(), found: found.version, by: found.by, reads: NEWEST, copy })
}

/// Returns the copy that a zmesd with the newest version `reads` can read.
async fn copy_for(path: &Path, reads: i64) -> Option<PathBuf> {
    let mut copies = copies(path);
    copies.sort_unstable();
    let (_, copy) = copies.into_iter().find(|(version, _)| *version > reads)?;
    let found = read(&copy).await.ok().flatten()?;
    (found.version <= reads).then_some(copy)
}

/// Returns the newest copy, as a last resort.
pub(super) fn newest_copy(path: &Path) -> Option<PathBuf> {
    copies(path).into_iter().max().map(|(_, copy)| copy)
}

async fn read(path: &Path) -> Result<Option<Found>, OpenError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.len() == 0 => return Ok(None),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(OpenError::of(path, sqlx::Error::Io(error))),
    }
    let of = |source| OpenError::of(path, source);
    let mut file = file::open_read_only(path).await.map_err(of)?;
    let found = found(&mut file).await;
    // The connection was read-only; an error when closing it does not matter.
    file.close().await.ok();
    match found.map_err(of)? {
        Content::Nothing => Ok(None),
        Content::Ours(found) => Ok(Some(found)),
        Content::Foreign => Err(OpenError::Foreign { path: path.to_owned() }),
    }
}

enum Content {
    Nothing,
    Ours(Found),
    Foreign,
}

async fn found(file: &mut SqliteConnection) -> SqlResult<Content> {
    let tables = sqlx::query_scalar::<_, String>("SELECT name FROM sqlite_schema WHERE type = 'table'");
    let tables = tables.fetch_all(&mut *file).await?;
    // Our files have none; another program's file may have one (sqlite.org/pragma.html).
    let application: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *file).await?;
    if application != 0 {
        return Ok(Content::Foreign);
    }
    if !tables.iter().any(|table| table == "_sqlx_migrations") {
        return Ok(if tables.is_empty() { Content::Nothing } else { Content::Foreign });
    }
    let last =
        "SELECT version, description FROM _sqlx_migrations WHERE success ORDER BY version DESC LIMIT 1";
    let last: Option<(i64, String)> = sqlx::query_as(last).fetch_optional(file).await?;
    let Some((version, description)) = last else { return Ok(Content::Nothing) };
    let by = description.split_once(':').map(|(by, _)| by).filter(|by| by.starts_with("zmesd "));
    Ok(Content::Ours(Found { version, by: by.unwrap_or("a newer zmesd").to_owned() }))
}

/// Upgrades the tables; a copy of the file is kept beside it.
pub(super) async fn upgrade(pool: &SqlitePool, path: &Path, found: Option<&Found>) -> Result<(), OpenError> {
    let older = found.filter(|found| found.version < NEWEST);
    let copy = match older {
        Some(found) => Some(keep_copy(pool, path, found.version).await?),
        None => None,
    };
    migrate(pool, path, copy.as_deref()).await?;
    if let (Some(found), Some(copy)) = (older, copy) {
        let (from, to) = (found.version, NEWEST);
        info!(from, to, copy = %copy.display(), "state file upgraded; the previous one is kept as a copy");
        forget_copies(path);
    }
    Ok(())
}

/// Takes the steps that a file lacks; `copy` is the file as it was before.
pub(super) async fn migrate(pool: &SqlitePool, path: &Path, copy: Option<&Path>) -> Result<(), OpenError> {
    let migration = |(version, description, sql): (i64, &'static str, &'static str)| {
        Migration::new(version, description.into(), MigrationType::Simple, SqlStr::from_static(sql), false)
    };
    let failed =
        |source| OpenError::Migrate { path: path.to_owned(), copy: copy.map(Path::to_owned), source };
    Migrator::with_migrations(MIGRATIONS.map(migration).into()).run(pool).await.map_err(failed)
}

/// Copies the file to `zmesd.db.before-N`, where N is the version that it is about to get. A copy of an attempt that
/// was cut short before its first step is replaced: what the file holds now is newer. After a step the copy stays: it is
/// the only way back.
async fn keep_copy(pool: &SqlitePool, path: &Path, version: i64) -> Result<PathBuf, OpenError> {
    let copy = file::beside(path, &format!("{BEFORE}{NEWEST}"));
    if let Ok(Some(kept)) = read(&copy).await
        && kept.version < version
    {
        return Ok(copy);
    }
    let unfinished = file::beside(&copy, UNFINISHED);
    let made = copied(pool, path, &unfinished).await.and_then(|()| Ok(finish(&unfinished, &copy)?));
    match made {
        Ok(()) => Ok(copy),
        Err(source) => {
            // An incomplete copy only takes space.
            fs::remove_file(&unfinished).ok();
            let source = match source.downcast::<sqlx::Error>() {
                Ok(problem) if is_damage(&problem) => return Err(OpenError::of(path, *problem)),
                Ok(problem) => problem,
                Err(other) => other,
            };
            Err(OpenError::Copy { path: path.to_owned(), copy, version, source })
        }
    }
}

async fn copied(
    pool: &SqlitePool,
    path: &Path,
    unfinished: &Path,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    file::allow_missing(fs::remove_file(unfinished))?;
    // The copy has the same mode as the file. SQLite treats an empty file as a new one.
    let mode = fs::metadata(path)?.permissions().mode() & 0o777;
    drop(OpenOptions::new().write(true).create_new(true).mode(mode).open(unfinished)?);
    let name = unfinished.to_str().ok_or("its name is not UTF-8")?;
    sqlx::query("VACUUM INTO ?").bind(name).execute(pool).await?;
    Ok(())
}

/// Has the copy on the disk under its name before anything is changed.
fn finish(unfinished: &Path, copy: &Path) -> io::Result<()> {
    File::open(unfinished)?.sync_all()?;
    fs::rename(unfinished, copy)?;
    copy.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

/// Removes all but the newest copies; those of a newer zmesd are ignored.
fn forget_copies(path: &Path) {
    let mut own: Vec<_> = copies(path).into_iter().filter(|(version, _)| *version <= NEWEST).collect();
    own.sort_unstable();
    let old = own.len().saturating_sub(COPIES);
    for (_, copy) in own.into_iter().take(old) {
        match fs::remove_file(&copy) {
            Ok(()) => info!(copy = %copy.display(), "an old copy of the state file was removed"),
            Err(error) => {
                warn!(copy = %copy.display(), %error, "cannot remove an old copy of the state file");
            }
        }
    }
}

/// Returns the copies beside a file, with the version from which each was upgraded.
fn copies(path: &Path) -> Vec<(i64, PathBuf)> {
    let copies = file::siblings(path, BEFORE).into_iter();
    copies.filter_map(|(version, copy)| Some((version.parse().ok()?, copy))).collect()
}

#[cfg(test)]
mod tests;
