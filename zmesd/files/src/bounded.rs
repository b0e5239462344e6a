//! Reading files: bounded, never blocking, and with an answer to "why not".

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::OFlag;
use nix::unistd::{Uid, User};

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is not there.
    #[error("no such file")]
    Missing,
    /// It is there, but not for this user.
    #[error("permission denied")]
    Denied,
    /// It is a directory, a device or the like.
    #[error("not a regular file")]
    Irregular,
    /// It is larger than anything that belongs there, in bytes.
    #[error("larger than {0} bytes")]
    TooLarge(u64),
    /// Something else.
    #[error(transparent)]
    Other(io::Error),
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound || error.kind() == io::ErrorKind::NotADirectory {
            Self::Missing
        } else if error.kind() == io::ErrorKind::PermissionDenied {
            Self::Denied
        } else {
            Self::Other(error)
        }
    }
}

/// Opens a regular file. A FIFO does not block it.
fn open(path: &Path) -> Result<File, FileError> {
    let file = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(FileError::Irregular) }
}

/// Says whether a file can be read, without reading it.
pub fn readable(path: &Path) -> Result<(), FileError> {
    open(path).map(drop)
}

/// Reads a whole file of at most `limit` bytes.
pub fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let mut content = Vec::new();
    let count = open(path)?.take(limit + 1).read_to_end(&mut content)?;
    if u64::try_from(count).unwrap_or(u64::MAX) > limit {
        Err(FileError::TooLarge(limit))
    } else {
        Ok(content)
    }
}

/// Returns the name of a user, or the number where there is none.
pub fn user_name(uid: Uid) -> String {
    User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name)
}

/// Returns the content without a byte order mark of UTF-8, which editors of Windows put in front.
pub fn without_bom(content: &[u8]) -> &[u8] {
    content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn reading_is_bounded_and_takes_regular_files_alone() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "12345").unwrap();
        assert_eq!(read_bounded(&file, 5).unwrap(), b"12345");
        assert!(matches!(read_bounded(&file, 4), Err(FileError::TooLarge(4))));
        assert!(matches!(read_bounded(&directory.path().join("none"), 4), Err(FileError::Missing)));
        assert!(matches!(read_bounded(&file.join("below"), 4), Err(FileError::Missing)));
        assert!(matches!(readable(directory.path()), Err(FileError::Irregular)));
        assert!(matches!(readable(Path::new("/dev/zero")), Err(FileError::Irregular)));
    }

    #[test]
    fn a_fifo_does_not_block() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRUSR).unwrap();
        assert!(matches!(readable(&fifo), Err(FileError::Irregular)));
    }
}
