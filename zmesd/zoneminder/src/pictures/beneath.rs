//! Files below a root, reached without following a link.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat, openat2, readlinkat};
use nix::sys::stat::Mode;

/// The root directory of a storage. That itself may be a link: an admin has set it.
#[derive(Debug)]
pub(super) struct Root(OwnedFd);

impl Root {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(Self(open(path, flags, Mode::empty())?))
    }

    /// Opens a file to read it. A FIFO does not block.
    ///
    /// # Errors
    ///
    /// `ELOOP` where a part of the path is a link.
    pub(super) fn file(&self, path: &Path) -> io::Result<File> {
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        Ok(File::from(self.enter(path, flags)?))
    }

    /// Reads a link in a directory, without following it.
    pub(super) fn link(&self, directory: &Path, name: &str) -> io::Result<PathBuf> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let directory = self.enter(directory, flags)?;
        let target: OsString = readlinkat(directory.as_fd(), name)?;
        Ok(target.into())
    }

    /// Says whether a directory is there.
    pub(super) fn has_directory(&self, path: &Path) -> io::Result<()> {
        self.enter(path, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC).map(drop)
    }

    fn enter(&self, path: &Path, flags: OFlag) -> io::Result<OwnedFd> {
        let resolve = ResolveFlag::RESOLVE_BENEATH
            | ResolveFlag::RESOLVE_NO_SYMLINKS
            | ResolveFlag::RESOLVE_NO_MAGICLINKS;
        match openat2(self.0.as_fd(), path, OpenHow::new().flags(flags).resolve(resolve)) {
            // Before Linux 5.6, or forbidden by a filter of system calls that does not know it.
            Err(Errno::ENOSYS | Errno::EPERM) => Ok(step_by_step(self.0.as_fd(), path, flags)?),
            opened => Ok(opened?),
        }
    }
}

/// Opens each directory on the way by itself, none of which may be a link.
fn step_by_step(root: impl AsFd, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
    let mut at = root
        .as_fd()
        .try_clone_to_owned()
        .map_err(|error| error.raw_os_error().map_or(Errno::EIO, Errno::from_raw))?;
    let mut parts = path.components().peekable();
    while let Some(part) = parts.next() {
        let Component::Normal(name) = part else { return Err(Errno::EXDEV) };
        let last = parts.peek().is_none();
        let through = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let flags = if last { flags } else { through } | OFlag::O_NOFOLLOW;
        at = openat(at.as_fd(), name, flags, Mode::empty()).map_err(|error| {
            // A link that was to be a directory.
            let link = error == Errno::ENOTDIR && readlinkat(at.as_fd(), name).is_ok();
            if link { Errno::ELOOP } else { error }
        })?;
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read as _;
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    fn tree() -> TempDir {
        let tree = TempDir::new().unwrap();
        fs::create_dir_all(tree.path().join("root/3/4711")).unwrap();
        fs::create_dir(tree.path().join("outside")).unwrap();
        fs::write(tree.path().join("outside/secret"), "secret").unwrap();
        fs::write(tree.path().join("root/3/4711/alarm.jpg"), "picture").unwrap();
        symlink("../../../outside/secret", tree.path().join("root/3/4711/snapshot.jpg")).unwrap();
        symlink("4711", tree.path().join("root/3/4712")).unwrap();
        symlink("/etc", tree.path().join("root/5")).unwrap();
        tree
    }

    fn read(mut file: File) -> String {
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        text
    }

    type Open = fn(&Root, &Path) -> io::Result<File>;

    /// As the kernel does it, and as it is done where the kernel cannot.
    const WAYS: [Open; 2] = [Root::file, |root, path| {
        Ok(File::from(step_by_step(root.0.as_fd(), path, OFlag::O_RDONLY | OFlag::O_CLOEXEC)?))
    }];

    #[test]
    fn a_file_below_the_root_is_opened() {
        let tree = tree();
        let root = Root::open(&tree.path().join("root")).unwrap();
        for open in WAYS {
            assert_eq!(read(open(&root, Path::new("3/4711/alarm.jpg")).unwrap()), "picture");
            let missing = open(&root, Path::new("3/4711/objdetect.jpg")).unwrap_err();
            assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        }
    }

    #[test]
    fn no_link_below_the_root_is_followed() {
        let tree = tree();
        let root = Root::open(&tree.path().join("root")).unwrap();
        for open in WAYS {
            for path in ["3/4711/snapshot.jpg", "3/4712/alarm.jpg", "5/passwd"] {
                let error = open(&root, Path::new(path)).unwrap_err();
                assert_eq!(error.raw_os_error(), Some(Errno::ELOOP as i32), "{path}: {error}");
            }
            for path in ["../outside/secret", "/etc/passwd", "3/../../outside/secret"] {
                let error = open(&root, Path::new(path)).unwrap_err();
                assert_eq!(error.raw_os_error(), Some(Errno::EXDEV as i32), "{path}: {error}");
            }
        }
    }

    #[test]
    fn the_root_itself_may_be_a_link() {
        let tree = tree();
        symlink("root", tree.path().join("events")).unwrap();
        let root = Root::open(&tree.path().join("events")).unwrap();
        assert_eq!(root.link(Path::new("3"), "4712").unwrap(), Path::new("4711"));
        assert!(root.has_directory(Path::new("3/4711")).is_ok());
    }
}
