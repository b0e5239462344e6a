//! Binds Unix sockets: a socket that a dead process has left is replaced, anything else is left alone.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

use super::bind_error::BindFault;

/// Binds a Unix socket. An existing one is removed first if no process listens on it.
pub fn replacing_stale<T>(path: &Path, bind: impl Fn() -> io::Result<T>) -> Result<T, BindFault> {
    let bound = match bind() {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            remove_stale(path)?;
            bind()
        }
        first => first,
    };
    bound.map_err(BindFault::Refused)
}

fn remove_stale(path: &Path) -> Result<(), BindFault> {
    let failed = |what| move |source| BindFault::Preparation { what, path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => {}
        Ok(_) => return Err(BindFault::NotASocket),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(failed("read the metadata of")(source)),
    }
    match connect(path) {
        // A full queue also belongs to a listener, if a slow one.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(BindFault::Answered),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(failed("remove the stale socket"))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(failed("connect to")(source)),
        Ok(_) => Err(BindFault::Answered),
    }
}

/// Connects without waiting: if there is a listener, the kernel answers immediately.
fn connect(path: &Path) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&SockAddr::unix(path)?)?;
    Ok(socket)
}

/// A socket's path, removed at the end if it still is the socket created here.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    made: (u64, u64),
}

impl SocketFile {
    pub fn new(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), made: inode(path)? })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if inode(&self.path).is_ok_and(|found| found == self.made) {
            fs::remove_file(&self.path).ok();
        }
    }
}

fn inode(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}
