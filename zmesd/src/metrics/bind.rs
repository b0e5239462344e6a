//! Opens the port or Unix socket on which metrics are served.

use std::io;
use std::net::TcpListener as StdTcpListener;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener as StdUnixListener, UnixStream as StdUnixStream};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::config::MetricsListen;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 64;
/// Mode of a Unix socket: the permissions of its directory decide who can reach it.
const SOCKET_MODE: u32 = 0o660;

/// Why `metrics.listen` cannot be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve metrics on {listen}")]
pub struct BindError {
    /// Where.
    pub listen: MetricsListen,
    /// Why.
    #[source]
    pub source: io::Error,
}

impl BindError {
    /// Returns what an admin can do about it.
    pub fn hint(&self) -> String {
        let denied = self.is_permission();
        match &self.listen {
            MetricsListen::Port(address) if denied => {
                format!(
                    "ports below 1024 need CAP_NET_BIND_SERVICE; metrics.listen asks for {}",
                    address.port()
                )
            }
            MetricsListen::Port(address) => format!(
                "`ss -ltnp 'sport = :{}'` shows who uses the port; stop it or change metrics.listen",
                address.port()
            ),
            MetricsListen::Socket(path) => format!(
                "the user of zmesd must be able to write to {}, and nothing else may be in its place; or change \
                 metrics.listen",
                path.parent().unwrap_or(path).display()
            ),
        }
    }

    /// Says whether permissions are the cause (exit code 77 rather than 69).
    pub fn is_permission(&self) -> bool {
        self.source.kind() == io::ErrorKind::PermissionDenied
    }
}

/// A bound port or socket.
#[derive(Debug)]
pub struct Bound {
    socket: Listening,
    listen: MetricsListen,
}

#[derive(Debug)]
enum Listening {
    Port(TcpListener),
    Socket {
        socket: UnixListener,
        /// Removed when it closes.
        _file: OwnFile,
    },
}

/// A connection.
#[derive(Debug)]
pub(super) enum ScrapeStream {
    /// Over a port.
    Port(TcpStream),
    /// Over a Unix socket.
    Socket(UnixStream),
}

impl Bound {
    /// Binds it. Needs a runtime.
    pub fn open(listen: &MetricsListen) -> Result<Self, BindError> {
        let (socket, listen) = match listen {
            MetricsListen::Port(address) => port(*address).map(|socket| {
                // Port 0: the system chooses, and the log names the port.
                let listen = socket.local_addr().map_or(*address, |actual| actual);
                (Listening::Port(socket), MetricsListen::Port(listen))
            }),
            MetricsListen::Socket(path) => unix_socket(path)
                .map(|(socket, file)| (Listening::Socket { socket, _file: file }, listen.clone())),
        }
        .map_err(|source| BindError { listen: listen.clone(), source })?;
        Ok(Self { socket, listen })
    }

    /// Returns the address or path.
    pub fn listen(&self) -> &MetricsListen {
        &self.listen
    }

    /// Accepts the next connection. Cancel-safe.
    pub(super) async fn accept(&self) -> io::Result<ScrapeStream> {
        match &self.socket {
            Listening::Port(socket) => socket.accept().await.map(|(stream, _)| ScrapeStream::Port(stream)),
            Listening::Socket { socket, .. } => {
                socket.accept().await.map(|(stream, _)| ScrapeStream::Socket(stream))
            }
        }
    }
}

fn port(address: std::net::SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restarted daemon must not wait until the kernel has dropped old connections (TIME_WAIT).
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(StdTcpListener::from(socket))
}

/// A socket's path, removed at the end if it is still the socket that was made here.
#[derive(Debug)]
struct OwnFile {
    path: PathBuf,
    made: (u64, u64),
}

impl Drop for OwnFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|found| found == self.made) {
            std::fs::remove_file(&self.path).ok();
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    std::fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}

fn unix_socket(path: &Path) -> io::Result<(UnixListener, OwnFile)> {
    let bound = match StdUnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            remove_stale(path)?;
            StdUnixListener::bind(path)?
        }
        first => first?,
    };
    let file = OwnFile { path: path.to_owned(), made: identity(path)? };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE))?;
    bound.set_nonblocking(true)?;
    Ok((UnixListener::from_std(bound)?, file))
}

/// Removes a socket on which no process listens; keeps anything else.
fn remove_stale(path: &Path) -> io::Result<()> {
    let in_use = || io::Error::from(io::ErrorKind::AddrInUse);
    if !std::fs::symlink_metadata(path)?.file_type().is_socket() {
        return Err(in_use());
    }
    match StdUnixStream::connect(path) {
        Err(error) if error.raw_os_error() == Some(Errno::ECONNREFUSED as i32) => std::fs::remove_file(path),
        Err(_) | Ok(_) => Err(in_use()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_that_a_dead_daemon_left_is_replaced_and_a_living_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("metrics.sock");
        let listen = MetricsListen::Socket(path.clone());
        drop(StdUnixListener::bind(&path).unwrap());
        let living = Bound::open(&listen).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        let refused = Bound::open(&listen).unwrap_err();
        assert_eq!(refused.source.kind(), io::ErrorKind::AddrInUse);
        assert!(!refused.is_permission() && refused.hint().contains("metrics.listen"));
        drop(living);
        assert!(!path.exists(), "it is tidied up");
    }

    #[tokio::test]
    async fn what_is_no_socket_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("metrics.sock");
        std::fs::write(&path, "precious").unwrap();
        Bound::open(&MetricsListen::Socket(path.clone())).unwrap_err();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }

    #[tokio::test]
    async fn another_ones_socket_is_not_removed_at_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("metrics.sock");
        let bound = Bound::open(&MetricsListen::Socket(path.clone())).unwrap();
        std::fs::rename(&path, directory.path().join("old.sock")).unwrap();
        let _other = StdUnixListener::bind(&path).unwrap();
        drop(bound);
        assert!(path.exists());
    }

    #[tokio::test]
    async fn a_taken_port_is_named_with_a_hint() {
        let taken = Bound::open(&MetricsListen::Port("127.0.0.1:0".parse().unwrap())).unwrap();
        let error = Bound::open(taken.listen()).unwrap_err();
        assert!(error.to_string().starts_with("cannot serve metrics on 127.0.0.1:"), "{error}");
        assert!(error.hint().contains("ss -ltnp"), "{}", error.hint());
    }
}
