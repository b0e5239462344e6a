//! One look at the directories of an event. Blocks on the disk.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use nix::errno::Errno;

use super::beneath::Root;
use super::place::{Directory, EventPlace, Storage, StorageRoots, is_time_of_day};
use super::{NoPicture, Picture, PictureKind, whole};

/// What is looked for.
#[derive(Debug, Clone)]
pub(super) struct Search {
    pub(super) place: EventPlace,
    pub(super) kinds: Vec<PictureKind>,
    /// A picture written before is of an earlier alarm of the event.
    pub(super) since: Option<Timestamp>,
    /// In bytes.
    pub(super) max_size: u64,
}

/// Returns the first of the pictures that is there, whole, and not of an earlier alarm. If there are only earlier ones,
/// it is the last of those, marked as such.
pub(super) fn look(search: &Search, roots: &StorageRoots) -> Result<Picture, NoPicture> {
    let mut first = None;
    for storage in &search.place.storages {
        match roots
            .root(storage)
            .ok_or(NoPicture::NoStorage(storage.id))
            .and_then(|root| in_storage(search, storage, &root))
        {
            Ok(picture) => return Ok(picture),
            // Of the storage with the copy only a picture is of interest.
            Err(error) => _ = first.get_or_insert(error),
        }
    }
    Err(first.unwrap_or(NoPicture::NoStorage(0)))
}

fn in_storage(search: &Search, storage: &Storage, path: &Path) -> Result<Picture, NoPicture> {
    let root = Root::open(path).map_err(|source| NoPicture::Root { path: path.to_owned(), source })?;
    for directory in search.place.directories() {
        let Some(directory) = resolve(&root, path, directory)? else { continue };
        return in_directory(search, &root, path, &directory);
    }
    let monitor = search.place.of_monitor();
    let full = path.join(&monitor);
    // Each server may have a directory of the same name: without the monitor this is not that of the other server.
    if storage.elsewhere && resolve(&root, path, Directory::At(monitor))?.is_none() {
        return Err(NoPicture::NotMounted(full));
    }
    Err(NoPicture::NoDirectory(full))
}

/// Returns the path of a directory below the root; `None`: it is not there.
fn resolve(root: &Root, path: &Path, directory: Directory) -> Result<Option<PathBuf>, NoPicture> {
    let directory = match directory {
        Directory::At(directory) => directory,
        Directory::LinkedFrom { day, link } => match root.link(&day, &link) {
            Ok(target) if is_time_of_day(&target) => day.join(target),
            Ok(_) => return Err(NoPicture::Link(path.join(day).join(link))),
            Err(error) => return absent(error, path.join(day)).map_or(Ok(None), Err),
        },
    };
    match root.has_directory(&directory) {
        Ok(()) => Ok(Some(directory)),
        Err(error) => absent(error, path.join(directory)).map_or(Ok(None), Err),
    }
}

fn in_directory(search: &Search, root: &Root, path: &Path, directory: &Path) -> Result<Picture, NoPicture> {
    let (mut earlier, mut trouble) = (None, None);
    for kind in &search.kinds {
        let file = directory.join(name(*kind, &search.place));
        match picture(search, root, path, &file, *kind) {
            Ok(Some(picture)) if picture.earlier => earlier = Some(later_of(earlier, picture)),
            Ok(Some(picture)) => return Ok(picture),
            Ok(None) => {}
            Err(error) => _ = trouble.get_or_insert(error),
        }
    }
    earlier.ok_or_else(|| trouble.unwrap_or_else(|| NoPicture::NotWritten(path.join(directory))))
}

/// Returns the one that was written last; the first of two that were written at once.
fn later_of(one: Option<Picture>, other: Picture) -> Picture {
    match one {
        Some(one) if one.written >= other.written => one,
        Some(_) | None => other,
    }
}

fn name(kind: PictureKind, place: &EventPlace) -> String {
    match kind {
        PictureKind::Objdetect => "objdetect.jpg".to_owned(),
        PictureKind::Alarm => "alarm.jpg".to_owned(),
        PictureKind::Snapshot => "snapshot.jpg".to_owned(),
        PictureKind::Frame(frame) => place.frame(frame),
    }
}

/// Reads one file; `None`: it is not there.
fn picture(
    search: &Search,
    root: &Root,
    path: &Path,
    file: &Path,
    kind: PictureKind,
) -> Result<Option<Picture>, NoPicture> {
    let full = || path.join(file);
    let unreadable = |source| NoPicture::Unreadable { path: full(), source };
    let opened = match root.file(file) {
        Ok(opened) => opened,
        Err(error) => return absent(error, full()).map_or(Ok(None), Err),
    };
    let before = opened.metadata().map_err(unreadable)?;
    if !before.is_file() {
        return Err(unreadable(io::Error::other("not a regular file")));
    }
    let (size, limit) = (before.len(), search.max_size);
    if size > limit {
        return Err(NoPicture::TooLarge { path: full(), size, limit });
    }
    let (mut bytes, opened) = read(opened, limit).map_err(unreadable)?;
    let after = opened.metadata().map_err(unreadable)?;
    let unchanged = after.len() == size && u64::try_from(bytes.len()) == Ok(size);
    let unchanged = unchanged && after.modified().ok() == before.modified().ok();
    let Some(length) = whole::length(&bytes).filter(|_| unchanged) else {
        return Err(NoPicture::NotWhole(full()));
    };
    bytes.truncate(length);
    let written =
        after.modified().ok().and_then(|at| Timestamp::try_from(at).ok()).unwrap_or(Timestamp::UNIX_EPOCH);
    let earlier = search.since.is_some_and(|since| written < since);
    Ok(Some(Picture { bytes, kind, written, earlier }))
}

/// Reads at most one byte more than `limit`, so that a file that grows meanwhile is noticed and costs no memory.
fn read(file: File, limit: u64) -> io::Result<(Vec<u8>, File)> {
    let mut bytes = Vec::new();
    let mut reader = file.take(limit.saturating_add(1));
    reader.read_to_end(&mut bytes)?;
    Ok((bytes, reader.into_inner()))
}

/// Tells what is not there from what cannot be read; `None`: it is not there.
fn absent(source: io::Error, path: PathBuf) -> Option<NoPicture> {
    match source.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENOENT | Errno::ENOTDIR) => None,
        Some(Errno::ELOOP | Errno::EXDEV) => Some(NoPicture::Link(path)),
        _ => Some(NoPicture::Unreadable { path, source }),
    }
}
