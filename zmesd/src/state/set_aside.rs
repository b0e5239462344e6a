//! A damaged state file is moved away, and replaced by a new one with what could be recovered.
//!
//! The new file is complete before the old one is moved, and nothing is deleted: the damaged file stays as
//! `zmesd.db.damaged-<time>`, with a line of text beside it that says what was recovered.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sqlx::{Connection, SqliteConnection};
use tracing::{error, info, warn};
use zmes_shared::views::Sentence;

use super::open_error::{OpenError, is_damage};
use super::salvage::{self, Salvaged};
use super::{file, upgrade};

/// Maximum number of damaged files, so that they do not fill a failing disk.
const KEPT: usize = 5;
/// `zmesd.db` + this + the time.
const DAMAGED: &str = ".damaged-";
/// How the time is written there.
const TIME: &str = "%Y%m%dT%H%M%SZ";
/// The new file while it is being made.
const NEW: &str = ".new";
/// The damaged file with a header from elsewhere, to be read.
const MENDED: &str = ".mended";
/// The line of text beside a damaged file.
const REPORT: &str = ".txt";
/// SQLite's files beside a database.
const COMPANIONS: [&str; 2] = ["-wal", "-shm"];
/// For this long a damaged file is shown by `doctor`.
const SHOWN: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Size of SQLite's header (sqlite.org/fileformat.html, 1.3).
const HEADER: usize = 100;
/// Largest file that is copied to repair its header, in bytes.
const LARGEST: u64 = 1024 * 1024 * 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    pub path: PathBuf,
    pub at: Timestamp,
    pub saved: String,
}

impl SetAside {
    pub fn sentence(&self) -> Sentence {
        let Self { path, at, saved } = self;
        let aside = format!(" and set aside as {}: {saved}", path.display());
        Sentence::from("the state file was damaged on ").time(*at).text(aside)
    }

    pub fn hint(&self) -> String {
        let file = self.path.display();
        format!(
            "is the disk sound (dmesg)? `sqlite3 {file} .recover` may find more; to end this warning, move {file} away"
        )
    }
}

/// Moves a damaged file away and replaces it by a new one with what could be recovered.
pub(super) async fn replace(path: &Path, damage: &str, now: Timestamp) -> Result<SetAside, OpenError> {
    let io = |error: io::Error| OpenError::of(path, sqlx::Error::Io(error));
    let new = file::beside(path, NEW);
    remove_all(&new).map_err(io)?;
    let made = make(path, &new).await;
    remove_all(&file::beside(path, MENDED)).ok();
    let saved = made.inspect_err(|_| drop(remove_all(&new)))?;
    let aside = SetAside { path: free_name(path, now), at: now, saved: sentence(&saved) };
    swap(path, &new, &aside, damage).map_err(io)?;
    error!(
        file = %aside.path.display(),
        damage,
        saved = aside.saved,
        "the state file was damaged: moved away, and replaced by a new one"
    );
    forget_oldest(path);
    Ok(aside)
}

/// Completes a [`replace`] during which the daemon was killed.
pub(super) fn finish(path: &Path) -> io::Result<()> {
    let new = file::beside(path, NEW);
    if path.exists() {
        // It was incomplete when the daemon was killed; it is made again if needed.
        return remove_all(&new);
    }
    if !new.exists() || file::beside(&new, "-journal").exists() {
        return Ok(());
    }
    info!(file = %path.display(), "putting in place the state file that was made before the daemon was killed");
    fs::rename(&new, path)
}

/// Makes a new file from a connection to a removed file; takes the connection if that succeeds.
pub(super) async fn rescue(lost: &mut Option<SqliteConnection>, path: &Path) -> Result<(), OpenError> {
    let io = |error: io::Error| OpenError::of(path, sqlx::Error::Io(error));
    let new = file::beside(path, NEW);
    // Without a connection, an interrupted replacement is the best source.
    let (Some(connection), Some(name)) = (lost.as_mut(), new.to_str()) else { return Ok(()) };
    remove_all(&new).map_err(io)?;
    if let Err(problem) = sqlx::query("VACUUM INTO ?").bind(name).execute(connection).await {
        remove_all(&new).ok();
        if !is_damage(&problem) {
            return Err(OpenError::of(path, problem));
        }
        warn!(
            error = problem.to_string(),
            "the state file that was removed is damaged, too: beginning with an empty one"
        );
        close(lost.take()).await;
        return Ok(());
    }
    // Closing it removes its log, which must not be that of the new file.
    close(lost.take()).await;
    remove_all(path).and_then(|()| fs::rename(&new, path)).map_err(io)?;
    info!(file = %path.display(), "the state file was written again from the one that was removed");
    Ok(())
}

/// Returns the damaged files of the last seven days that still exist, newest first.
pub fn set_aside_lately(directory: &Path, now: Timestamp) -> Vec<SetAside> {
    let path = directory.join(zmes_shared::paths::STATE_FILE);
    let mut found = all(&path);
    found.retain(|(_, at)| now.duration_since(*at) < SHOWN);
    found.reverse();
    let described = found.into_iter().map(|(path, at)| {
        let report = fs::read_to_string(file::beside(&path, REPORT)).unwrap_or_default();
        let saved = report.lines().next().unwrap_or_default().chars().take(200).collect();
        SetAside { path, at, saved }
    });
    described.collect()
}

async fn make(path: &Path, new: &Path) -> Result<Salvaged, OpenError> {
    let of = |source| OpenError::of(path, source);
    let pool = file::fresh(new).await.map_err(of)?;
    upgrade::migrate(&pool, new, None).await?;
    let mut saved = Salvaged::default();
    let mut to = pool.acquire().await.map_err(of)?;
    if let Some(mut from) = source(path, new).await {
        saved = salvage::copy(&mut from, &mut to).await.map_err(of)?;
        from.close().await.ok();
    }
    // An incomplete table is better than one from before the last upgrade, unless it is empty.
    if saved.tokens == 0
        && let Some(copy) = upgrade::newest_copy(path)
        && let Some(mut from) = readable(&copy).await
    {
        saved = salvage::copy(&mut from, &mut to).await.map_err(of)?;
        from.close().await.ok();
    }
    drop(to);
    pool.close().await;
    Ok(saved)
}

/// Opens the damaged file for reading; where its header is not SQLite's, a copy with another one.
async fn source(path: &Path, new: &Path) -> Option<SqliteConnection> {
    if let Some(connection) = readable(path).await {
        return Some(connection);
    }
    let mended = file::beside(path, MENDED);
    let (damaged, new, target) = (path.to_owned(), new.to_owned(), mended.clone());
    let done = tokio::task::spawn_blocking(move || mend(&damaged, &new, &target)).await;
    done.ok()?.ok()?;
    readable(&mended).await
}

/// Opens a file for reading if its list of tables can be read.
async fn readable(path: &Path) -> Option<SqliteConnection> {
    let mut connection = file::open_read_only(path).await.ok()?;
    let tables = "SELECT COUNT(*) FROM sqlite_schema WHERE name = 'tokens' OR name = 'alarms'";
    let tables: i64 = sqlx::query_scalar(tables).fetch_one(&mut connection).await.ok()?;
    (tables > 0).then_some(connection)
}

/// Copies a file, with the header of another one of the same kind.
fn mend(damaged: &Path, donor: &Path, target: &Path) -> io::Result<()> {
    let length = fs::metadata(damaged)?.len();
    if !(HEADER as u64..=LARGEST).contains(&length) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut header = [0; HEADER];
    io::Read::read_exact(&mut File::open(donor)?, &mut header)?;
    let pages = u32::try_from(length / u64::from(file::PAGE_SIZE)).map_err(io::Error::other)?;
    // The size in pages, and no list of free pages.
    header[28..32].copy_from_slice(&pages.to_be_bytes());
    header[32..40].fill(0);
    fs::copy(damaged, target)?;
    let file = fs::OpenOptions::new().write(true).open(target)?;
    std::os::unix::fs::FileExt::write_all_at(&file, &header, 0)
}

fn swap(path: &Path, new: &Path, aside: &SetAside, damage: &str) -> io::Result<()> {
    File::open(new)?.sync_all()?;
    let mode = fs::metadata(path).map(|found| found.permissions());
    if let Ok(mode) = mode {
        fs::set_permissions(new, mode)?;
    }
    // The log first: left beside the new file, SQLite would take it for its own.
    for companion in COMPANIONS {
        let moved = fs::rename(file::beside(path, companion), file::beside(&aside.path, companion));
        file::allow_missing(moved)?;
    }
    fs::rename(path, &aside.path)?;
    fs::rename(new, path)?;
    let report = format!("{}\n{damage}\n", aside.saved);
    // The text only explains; errors are ignored.
    fs::write(file::beside(&aside.path, REPORT), report).ok();
    path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

fn sentence(saved: &Salvaged) -> String {
    let Salvaged { tokens, alarms, incomplete, .. } = saved;
    if saved.rows == 0 {
        return "nothing could be saved: phones ring again once their app has been opened".to_owned();
    }
    let sentence = format!("saved {tokens} phones and {alarms} recorded alarms");
    if incomplete.is_empty() {
        return sentence;
    }
    format!("{sentence}; not all of {} could be read", incomplete.join(", "))
}

fn free_name(path: &Path, now: Timestamp) -> PathBuf {
    let name = |at: Timestamp| file::beside(path, &format!("{DAMAGED}{}", at.strftime(TIME)));
    let (mut at, step) = (now, SignedDuration::from_secs(1));
    while name(at).exists() {
        at = at.saturating_add(step).unwrap_or(Timestamp::MAX);
        if at == Timestamp::MAX {
            break;
        }
    }
    name(at)
}

/// Returns the damaged files with their times, the oldest first.
fn all(path: &Path) -> Vec<(PathBuf, Timestamp)> {
    let at = |(time, path): (String, PathBuf)| {
        let at = DateTime::strptime(TIME, time).ok()?;
        Some((path, at.to_zoned(TimeZone::UTC).ok()?.timestamp()))
    };
    let mut found: Vec<_> = file::siblings(path, DAMAGED).into_iter().filter_map(at).collect();
    found.sort_unstable_by_key(|(_, at)| *at);
    found
}

fn forget_oldest(path: &Path) {
    let found = all(path);
    let surplus = found.len().saturating_sub(KEPT);
    // The oldest file held most data: keep it, and remove those after it.
    for (old, _) in found.into_iter().skip(1).take(surplus) {
        warn!(file = %old.display(), "removing a damaged state file: {KEPT} are kept");
        remove_all(&old).ok();
        fs::remove_file(file::beside(&old, REPORT)).ok();
    }
}

pub(super) async fn close(connection: Option<SqliteConnection>) {
    if let Some(connection) = connection {
        // An error would repeat that of the last statement.
        connection.close().await.ok();
    }
}

fn remove_all(path: &Path) -> io::Result<()> {
    for suffix in ["", COMPANIONS[0], COMPANIONS[1], "-journal"] {
        file::allow_missing(fs::remove_file(file::beside(path, suffix)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
