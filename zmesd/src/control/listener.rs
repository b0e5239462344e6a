//! Binds the control socket: its directory, mode and group, and what to do if the file exists.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use interprocess::local_socket::tokio::prelude::*;
use interprocess::local_socket::tokio::{Listener, Stream};
use interprocess::local_socket::{GenericFilePath, ListenerOptions};
use interprocess::os::unix::local_socket::ListenerOptionsExt;
use interprocess::os::unix::uds_local_socket::tokio::Listener as UnixSocketListener;
use nix::unistd::Group;
use tokio::net::UnixStream;
use tracing::debug;

use crate::sockets::{self, BindError, BindFault};

/// Mode of the directory: its group may reach the socket.
const DIRECTORY_MODE: u32 = 0o750;
/// Mode of the socket: its group may connect.
const SOCKET_MODE: u32 = 0o660;
const KEY: &str = "control.socket";

/// The listening control socket. Its file is removed when this is dropped, except where it was inherited.
#[derive(Debug)]
pub struct ControlListener {
    listener: Listener,
}

impl ControlListener {
    /// Binds the socket at `path`, for the daemon's user and the members of `group`.
    ///
    /// A socket that a dead daemon left behind is replaced; it is dead if connecting to it is refused.
    pub fn bind(path: &Path, group: &str) -> Result<Self, BindError> {
        let failed = |fault| BindError::socket(path, KEY, fault);
        let group = Group::from_name(group).ok().flatten();
        let _lock = prepare_directory(path, group.as_ref()).map_err(failed)?;
        let listener = sockets::replacing_stale(path, || create(path)).map_err(failed)?;
        ensure_mode(path, SOCKET_MODE).map_err(|source| failed(step("set the mode of", path, source)))?;
        give_to(path, group.as_ref());
        Ok(Self { listener })
    }

    /// Takes over a listening Unix socket (systemd's `LISTEN_FDS`).
    pub fn from_fd(socket: OwnedFd) -> io::Result<Self> {
        Ok(Self { listener: UnixSocketListener::try_from(socket)?.into() })
    }

    pub(super) async fn accept(&self) -> io::Result<UnixStream> {
        let Stream::UdSocket(stream) = self.listener.accept().await?;
        Ok(stream.into())
    }
}

fn step(what: &'static str, path: &Path, source: io::Error) -> BindFault {
    BindFault::Preparation { what, path: path.to_owned(), source }
}

/// Creates the directory if it is missing and locks it.
///
/// Without the lock, of two daemons that start at once and find the same dead socket, the second would remove what
/// the first has just bound. A file system that knows no locks is used without.
fn prepare_directory(socket: &Path, group: Option<&Group>) -> Result<Option<File>, BindFault> {
    let Some(directory) = socket.parent().filter(|parent| !parent.as_os_str().is_empty()) else {
        return Ok(None);
    };
    if !directory.exists() {
        let created = DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory);
        created.map_err(|source| step("create", directory, source))?;
        ensure_mode(directory, DIRECTORY_MODE)
            .map_err(|source| step("set the mode of", directory, source))?;
        give_to(directory, group);
    }
    let Ok(lock) = File::open(directory) else { return Ok(None) };
    match lock.try_lock() {
        Err(fs::TryLockError::WouldBlock) => Err(BindFault::Answered),
        Ok(()) | Err(fs::TryLockError::Error(_)) => Ok(Some(lock)),
    }
}

fn create(path: &Path) -> io::Result<Listener> {
    let options = || Ok::<_, io::Error>(ListenerOptions::new().name(path.to_fs_name::<GenericFilePath>()?));
    match options()?.mode(SOCKET_MODE).create_tokio() {
        // Not every system allows a mode to be set before the bind; there it is set right after it.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => options()?.create_tokio(),
        result => result,
    }
}

/// Sets the mode where the umask, or a system without modes before bind, has left another.
fn ensure_mode(path: &Path, mode: u32) -> io::Result<()> {
    if fs::metadata(path)?.permissions().mode() & 0o7777 == mode {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(mode))
}

/// Gives a path to the admin group. Not being allowed to is normal: the unit filters `chown`, and there the
/// daemon's own group is the admin group anyway.
fn give_to(path: &Path, group: Option<&Group>) {
    let Some(group) = group else { return };
    if let Err(error) = std::os::unix::fs::chown(path, None, Some(group.gid.as_raw())) {
        debug!(path = %path.display(), group = group.name, %error, "the control socket keeps its group");
    }
}
