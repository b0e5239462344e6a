//! The file of a report: a compressed archive, written at once, never over an existing file.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use tar::{Builder, Header};

/// Only its owner may read a report.
const MODE: u32 = 0o600;
/// How many names are tried if reports of the same second exist.
const NAMES: u32 = 20;

/// A file in the bundle.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) content: String,
}

/// The destination of a report.
#[derive(Debug)]
pub(super) enum Place {
    /// A file that must not exist yet.
    File(PathBuf),
    /// A generated name in this directory.
    In(PathBuf),
}

impl Place {
    /// Creates the file. Also returns its path.
    pub(super) fn create(&self, name: &str) -> Result<(File, PathBuf), (PathBuf, io::Error)> {
        let directory = match self {
            Self::File(path) => return create(path.clone()),
            Self::In(directory) => directory,
        };
        let mut number = 1;
        loop {
            let name = if number == 1 { format!("{name}.tar.gz") } else { format!("{name}-{number}.tar.gz") };
            match create(directory.join(name)) {
                Err((_, error)) if error.kind() == io::ErrorKind::AlreadyExists && number < NAMES => {
                    number += 1;
                }
                outcome => return outcome,
            }
        }
    }
}

/// Symbolic links are not followed: the directory may be writable by everyone.
fn create(path: PathBuf) -> Result<(File, PathBuf), (PathBuf, io::Error)> {
    match OpenOptions::new().write(true).create_new(true).mode(MODE).open(&path) {
        Ok(file) => Ok((file, path)),
        Err(error) => Err((path, error)),
    }
}

/// Writes the entries below the directory `name` in the archive. A file that cannot be completed is removed.
pub(super) fn write(
    file: File,
    path: &Path,
    name: &str,
    entries: &[Entry],
    now: Timestamp,
) -> io::Result<u64> {
    let written = pack(file, name, entries, now);
    if written.is_err() {
        // The incomplete file is useless; the first error is the one to report.
        std::fs::remove_file(path).ok();
    }
    written
}

fn pack(file: File, name: &str, entries: &[Entry], now: Timestamp) -> io::Result<u64> {
    let mut archive = Builder::new(GzEncoder::new(file, Compression::default()));
    for entry in entries {
        let mut header = Header::new_gnu();
        header.set_size(entry.content.len() as u64);
        header.set_mode(MODE);
        header.set_mtime(now.as_second().max(0).cast_unsigned());
        archive.append_data(&mut header, format!("{name}/{}", entry.name), entry.content.as_bytes())?;
    }
    let mut file = archive.into_inner()?.finish()?;
    file.flush()?;
    file.sync_all()?;
    Ok(file.metadata()?.len())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_bundle_is_an_archive_that_only_its_owner_reads_and_replaces_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::In(directory.path().to_path_buf());
        let entries = [Entry { name: "README.txt".to_owned(), content: "hello\n".to_owned() }];
        let write_one = || {
            let (file, path) = place.create("report").unwrap();
            write(file, &path, "report", &entries, Timestamp::UNIX_EPOCH).unwrap();
            path
        };
        let (first, second) = (write_one(), write_one());
        assert!(first.ends_with("report.tar.gz") && second.ends_with("report-2.tar.gz"));
        assert_eq!(std::fs::metadata(&first).unwrap().permissions().mode() & 0o777, 0o600);
        let unpacked = flate2::read::GzDecoder::new(File::open(&first).unwrap());
        let mut archive = tar::Archive::new(unpacked);
        let names: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap().path().unwrap().display().to_string())
            .collect();
        assert_eq!(names, ["report/README.txt"]);
        let (_, error) = Place::File(first.clone()).create("x").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(directory.path().join("elsewhere"), &link).unwrap();
        assert!(Place::File(link).create("x").is_err());
    }
}
