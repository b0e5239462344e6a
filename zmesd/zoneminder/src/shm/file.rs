//! One `zm.mmap.N`: opened once, read by position, opened again when `zmc` has replaced it.
//!
//! Handles the file, not its content. It is not mapped: a `zmc` that truncates the file under a mapping would
//! kill the daemon, and reading 1448 bytes costs a microsecond.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::OFlag;
use tokio::time::Instant;

/// How often the path is compared with the open file. A `zmc` that ends marks its memory as invalid, which is seen at
/// once; this finds the others.
const COMPARE_EVERY: Duration = Duration::from_millis(200);

/// Pause after a failed open. A new `zmc` needs seconds until its first picture.
const RETRY_EVERY: Duration = Duration::from_millis(100);

/// The same after a permission error: it lasts longer, and reading the owners costs more.
const RETRY_DENIED_EVERY: Duration = Duration::from_secs(5);

/// Which file a descriptor belongs to.
type Identity = (u64, u64);

#[derive(Debug)]
struct Open {
    file: File,
    identity: Identity,
    compare_at: Instant,
}

/// A file that comes and goes.
#[derive(Debug)]
pub(super) struct ShmFile {
    path: PathBuf,
    open: Option<Open>,
    retry_at: Option<Instant>,
    opened: u64,
}

impl ShmFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, open: None, retry_at: None, opened: 0 }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns how often the file was opened.
    pub(super) fn opened(&self) -> u64 {
        self.opened
    }

    /// Says whether the pause after a failed open still lasts.
    pub(super) fn resting(&self, now: Instant) -> bool {
        self.open.is_none() && self.retry_at.is_some_and(|at| now < at)
    }

    /// Reads from the beginning as much as there is, at most `buffer`.
    pub(super) fn read(&mut self, buffer: &mut [u8], now: Instant) -> io::Result<usize> {
        if self.open.as_ref().is_some_and(|open| now >= open.compare_at) {
            self.compare(now);
        }
        if self.open.is_none() {
            self.reopen(now)?;
        }
        let Some(open) = &self.open else { return Err(io::ErrorKind::NotFound.into()) };
        let length = read_fully(&open.file, buffer);
        if length.is_err() {
            self.close(now);
        }
        length
    }

    /// Closes the file if the path now leads to another one; returns whether it did.
    pub(super) fn compare(&mut self, now: Instant) -> bool {
        let Some(open) = &mut self.open else { return false };
        open.compare_at = now + COMPARE_EVERY;
        let same = std::fs::symlink_metadata(&self.path).is_ok_and(|found| identity(&found) == open.identity);
        if !same {
            self.open = None;
        }
        !same
    }

    fn close(&mut self, now: Instant) {
        self.open = None;
        self.retry_at = Some(now + RETRY_EVERY);
    }

    fn reopen(&mut self, now: Instant) -> io::Result<()> {
        self.retry_at = Some(now + RETRY_EVERY);
        let file = open_regular(&self.path, false).inspect_err(|error| {
            if error.kind() == io::ErrorKind::PermissionDenied {
                self.retry_at = Some(now + RETRY_DENIED_EVERY);
            }
        })?;
        let identity = identity(&file.metadata()?);
        self.open = Some(Open { file, identity, compare_at: now + COMPARE_EVERY });
        self.opened += 1;
        Ok(())
    }
}

fn identity(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

/// Opens regular files only: everyone can write to `/dev/shm`, and a FIFO there would block the daemon, a link lead it
/// to another file.
pub(super) fn open_regular(path: &Path, write: bool) -> io::Result<File> {
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW;
    let file = OpenOptions::new().read(true).write(write).custom_flags(flags.bits()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(file)
}

/// Reads from the beginning until the buffer is full or the file ends.
pub(super) fn read_fully(file: &File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, filled as u64) {
            Ok(0) => break,
            Ok(length) => filled += length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
