//! Binds the control socket: its directory, mode and group, and what to do if the file exists.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use interprocess::local_socket::tokio::prelude::*;
use interprocess::local_socket::tokio::{Listener, Stream};
use interprocess::local_socket::{GenericFilePath, ListenerOptions};
use interprocess::os::unix::local_socket::ListenerOptionsExt;
use interprocess::os::unix::uds_local_socket::tokio::Listener as UnixSocketListener;
use nix::unistd::Group;
use tokio::net::UnixStream;
use tracing::debug;

/// Mode of the directory: its group may reach the socket.
const DIRECTORY_MODE: u32 = 0o750;
/// Mode of the socket: its group may connect.
const SOCKET_MODE: u32 = 0o660;
/// How long a connect to a socket that is in the way may take; a living daemon's kernel answers at once.
const PROBE_DEADLINE: Duration = Duration::from_secs(2);

/// Why the control socket cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// A daemon answers there.
    #[error("zmesd is already running: {} answers", path.display())]
    AlreadyRunning {
        /// The socket.
        path: PathBuf,
    },
    /// Something else has the socket's name. It is left alone.
    #[error("{} exists and is not a socket", path.display())]
    InTheWay {
        /// What is in the way.
        path: PathBuf,
    },
    /// The operating system refuses.
    #[error("cannot {what} {}", path.display())]
    Io {
        /// What was tried: "bind the control socket".
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl BindError {
    /// Says what an admin can do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::AlreadyRunning { .. } => "zmesctl status shows it; stop it first".to_owned(),
            Self::InTheWay { path } => {
                format!("move {} away, or set control.socket", path.display())
            }
            Self::Io { path, .. } => format!(
                "the user of zmesd must be able to write to {}; or set control.socket",
                path.parent().unwrap_or(path).display()
            ),
        }
    }

    /// Says whether permissions are the cause (exit code 77 rather than 69).
    pub fn is_permission(&self) -> bool {
        match self {
            Self::Io { source, .. } => source.kind() == io::ErrorKind::PermissionDenied,
            Self::AlreadyRunning { .. } | Self::InTheWay { .. } => false,
        }
    }
}

/// The listening control socket. Its file is removed when this is dropped, except where it was inherited.
#[derive(Debug)]
pub struct ControlListener {
    listener: Listener,
}

impl ControlListener {
    /// Binds the socket at `path`, for the daemon's user and the members of `group`.
    ///
    /// A socket that a dead daemon left behind is replaced; it is dead if connecting to it is refused.
    pub async fn bind(path: &Path, group: &str) -> Result<Self, BindError> {
        let group = Group::from_name(group).ok().flatten();
        let _lock = prepare_directory(path, group.as_ref())?;
        let bound = match create(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                remove_stale(path).await?;
                create(path)
            }
            first => first,
        };
        let listener = bound.map_err(|source| io_error("bind the control socket", path, source))?;
        ensure_mode(path, SOCKET_MODE).map_err(|source| io_error("set the mode of", path, source))?;
        give_to(path, group.as_ref());
        Ok(Self { listener })
    }

    /// Takes over a listening Unix socket (systemd's `LISTEN_FDS`).
    pub fn from_fd(socket: OwnedFd) -> io::Result<Self> {
        Ok(Self { listener: UnixSocketListener::try_from(socket)?.into() })
    }

    /// Waits for the next peer.
    pub(super) async fn accept(&self) -> io::Result<UnixStream> {
        let Stream::UdSocket(stream) = self.listener.accept().await?;
        Ok(stream.into())
    }
}

fn io_error(what: &'static str, path: &Path, source: io::Error) -> BindError {
    BindError::Io { what, path: path.to_owned(), source }
}

/// Creates the directory if it is missing and locks it.
///
/// Without the lock, of two daemons that start at once and find the same dead socket, the second would remove what
/// the first has just bound. A file system that knows no locks is used without.
fn prepare_directory(socket: &Path, group: Option<&Group>) -> Result<Option<File>, BindError> {
    let Some(directory) = socket.parent().filter(|parent| !parent.as_os_str().is_empty()) else {
        return Ok(None);
    };
    if !directory.exists() {
        let created = DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory);
        created.map_err(|source| io_error("create", directory, source))?;
        ensure_mode(directory, DIRECTORY_MODE)
            .map_err(|source| io_error("set the mode of", directory, source))?;
        give_to(directory, group);
    }
    let Ok(lock) = File::open(directory) else { return Ok(None) };
    match lock.try_lock() {
        Err(fs::TryLockError::WouldBlock) => Err(BindError::AlreadyRunning { path: socket.to_owned() }),
        Ok(()) | Err(fs::TryLockError::Error(_)) => Ok(Some(lock)),
    }
}

fn create(path: &Path) -> io::Result<Listener> {
    let options = || Ok::<_, io::Error>(ListenerOptions::new().name(path.to_fs_name::<GenericFilePath>()?));
    match options()?.mode(SOCKET_MODE).create_tokio() {
        // Not every system lets a mode be set before the bind; there it is set right after it.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => options()?.create_tokio(),
        result => result,
    }
}

/// Removes the socket at `path` if no process listens on it.
async fn remove_stale(path: &Path) -> Result<(), BindError> {
    let running = || BindError::AlreadyRunning { path: path.to_owned() };
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => {}
        Ok(_) => return Err(BindError::InTheWay { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(io_error("examine", path, source)),
    }
    let Ok(probe) = tokio::time::timeout(PROBE_DEADLINE, UnixStream::connect(path)).await else {
        return Err(running());
    };
    match probe {
        // A full queue is a listener's as well, if a slow one's.
        Ok(_) => Err(running()),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(running()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(|source| io_error("remove the stale socket", path, source))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(io_error("connect to", path, source)),
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
