//! The cursor's file: used by one hook at a time, replaced as a whole.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use tokio::task::JoinSet;

use super::cursor::Cursor;
use crate::error::CliError;
use crate::render::clean;

/// A longer file is not a cursor.
const LONGEST: u64 = 1024 * 1024;

/// The file of a cursor, locked by this process. Written in the background, one version at a time; of the versions that
/// arrive meanwhile, only the last is written.
#[derive(Debug)]
pub(super) struct CursorStore {
    path: PathBuf,
    /// The lock ends with the process, however that ends.
    _lock: File,
    writing: JoinSet<io::Result<()>>,
    next: Option<String>,
}

impl CursorStore {
    /// Locks the file for this process, and reads it. The cursor is `None` if the file does not exist yet.
    pub(super) fn open(path: &Path) -> Result<(Self, Option<Cursor>), CliError> {
        let lock_path = beside(path, ".lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&lock_path);
        let lock = lock.map_err(|source| unwritable(&lock_path, source))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(CliError::Usage {
                    message: format!("another zmesctl hook uses the cursor {}", shown(path)),
                    hint: "give each hook a file of its own with --cursor".to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(unwritable(&lock_path, source)),
        }
        let cursor = read(path)?;
        Ok((Self { path: path.to_owned(), _lock: lock, writing: JoinSet::new(), next: None }, cursor))
    }

    /// Writes the first version, and fails at once if that is impossible.
    pub(super) fn begin(&self, cursor: &Cursor) -> Result<(), CliError> {
        replace(&self.path, &cursor.document()).map_err(|source| unwritable(&self.path, source))
    }

    /// Schedules this version to be written after the one in progress.
    pub(super) fn keep(&mut self, cursor: &Cursor) {
        self.next = Some(cursor.document());
        self.start();
    }

    /// Waits until a version is written; forever if none is being written. Cancel-safe.
    pub(super) async fn written(&mut self) -> io::Result<()> {
        match self.writing.join_next().await {
            Some(written) => {
                self.start();
                written.unwrap_or_else(|error| Err(io::Error::other(error)))
            }
            None => std::future::pending().await,
        }
    }

    /// Waits until everything is written.
    pub(super) async fn finish(&mut self) -> io::Result<()> {
        let mut last = Ok(());
        while !self.writing.is_empty() {
            last = self.written().await;
        }
        last
    }

    fn start(&mut self) {
        if !self.writing.is_empty() {
            return;
        }
        if let Some(document) = self.next.take() {
            let path = self.path.clone();
            self.writing.spawn_blocking(move || replace(&path, &document));
        }
    }
}

fn read(path: &Path) -> Result<Option<Cursor>, CliError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(CliError::File { file: shown(path), source }),
    };
    let mut bytes = Vec::new();
    let read = file.take(LONGEST + 1).read_to_end(&mut bytes);
    read.map_err(|source| CliError::File { file: shown(path), source })?;
    let text = String::from_utf8(bytes).map_err(|_| "it is no text".to_owned());
    let text = text.and_then(|text| match text.len() as u64 {
        0..=LONGEST => Ok(text),
        _ => Err("it is too long".to_owned()),
    });
    text.and_then(|text| Cursor::parse(&text)).map(Some).map_err(|wrong| CliError::Usage {
        message: format!("{} is no cursor that this zmesctl can read: {}", shown(path), clean(&wrong)),
        hint: "remove it to begin with what happens from now on, or name another file with --cursor"
            .to_owned(),
    })
}

/// Replaces the file. After a crash it is complete, either old or new.
fn replace(path: &Path, document: &str) -> io::Result<()> {
    let new = beside(path, ".new");
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
    file.write_all(document.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn unwritable(path: &Path, source: io::Error) -> CliError {
    CliError::Unwritable { file: shown(path), option: "--cursor", source }
}

fn shown(path: &Path) -> String {
    clean(&path.to_string_lossy()).into_owned()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[tokio::test]
    async fn a_cursor_is_kept_whole_and_held_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cursor");
        let (mut store, none) = CursorStore::open(&path).unwrap();
        assert_eq!(none, None);
        let cursor = |second| Cursor::starting(Timestamp::from_second(second).unwrap());
        store.begin(&cursor(1)).unwrap();
        for second in 2..50 {
            store.keep(&cursor(second));
        }
        store.finish().await.unwrap();
        let refused = CursorStore::open(&path).unwrap_err();
        assert!(matches!(refused, CliError::Usage { .. }), "{refused:?}");
        drop(store);
        let (_store, kept) = CursorStore::open(&path).unwrap();
        assert_eq!(kept, Some(cursor(49)));
        let mut names: Vec<_> =
            fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["cursor", "cursor.lock"]);
    }

    #[test]
    fn what_is_no_cursor_is_refused_and_stays_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cursor");
        fs::write(&path, "my thesis\n").unwrap();
        let refused = CursorStore::open(&path).unwrap_err();
        assert!(refused.hint().unwrap().starts_with("remove it"), "{refused:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "my thesis\n");
        let nowhere = CursorStore::open(&directory.path().join("no/cursor")).unwrap_err();
        assert!(nowhere.hint().unwrap().ends_with("choose another with --cursor"), "{nowhere:?}");
    }
}
