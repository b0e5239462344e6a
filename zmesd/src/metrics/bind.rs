//! Opens the port or Unix socket on which metrics are served.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::Path;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_util::either::Either;

use crate::config::MetricsListen;
use crate::sockets::{self, BindError, BindFault, SocketFile};

pub(super) const KEY: &str = "metrics.listen";

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 64;
/// Mode of a Unix socket: the permissions of its directory decide who can reach it.
const SOCKET_MODE: u32 = 0o660;

#[derive(Debug)]
pub struct Bound {
    socket: MetricsSocket,
    listen: MetricsListen,
}

#[derive(Debug)]
enum MetricsSocket {
    Port(TcpListener),
    Socket {
        socket: UnixListener,
        /// Removed when it closes.
        _file: SocketFile,
    },
}

pub(super) type MetricsPeer = Either<TcpStream, UnixStream>;

impl Bound {
    /// Binds it. Needs a runtime.
    pub fn open(listen: &MetricsListen) -> Result<Self, BindError> {
        let socket = listen_on(listen)?;
        // Port 0: the system chooses, and the log names the port.
        let listen = match (&socket, listen) {
            (MetricsSocket::Port(socket), MetricsListen::Port(address)) => {
                MetricsListen::Port(socket.local_addr().unwrap_or(*address))
            }
            _ => listen.clone(),
        };
        Ok(Self { socket, listen })
    }

    pub fn listen(&self) -> &MetricsListen {
        &self.listen
    }

    /// Accepts the next connection. Cancel-safe.
    pub(super) async fn accept(&self) -> io::Result<MetricsPeer> {
        match &self.socket {
            MetricsSocket::Port(socket) => socket.accept().await.map(|(stream, _)| Either::Left(stream)),
            MetricsSocket::Socket { socket, .. } => {
                socket.accept().await.map(|(stream, _)| Either::Right(stream))
            }
        }
    }
}

fn listen_on(listen: &MetricsListen) -> Result<MetricsSocket, BindError> {
    match listen {
        MetricsListen::Port(address) => {
            let socket = sockets::bind_port(*address, KEY, BACKLOG)?;
            let socket = TcpListener::from_std(socket);
            socket.map(MetricsSocket::Port).map_err(|source| BindError::port(*address, KEY, source))
        }
        MetricsListen::Socket(path) => {
            let refused = |source| BindError::socket(path, KEY, BindFault::Refused(source));
            let bound = sockets::replacing_stale(path, || StdUnixListener::bind(path));
            let bound = bound.map_err(|fault| BindError::socket(path, KEY, fault))?;
            unix_socket(bound, path).map_err(refused)
        }
    }
}

fn unix_socket(bound: StdUnixListener, path: &Path) -> io::Result<MetricsSocket> {
    let file = SocketFile::new(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE))?;
    bound.set_nonblocking(true)?;
    Ok(MetricsSocket::Socket { socket: UnixListener::from_std(bound)?, _file: file })
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
        assert!(matches!(refused.fault, BindFault::Answered), "{refused:?}");
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
        assert!(error.to_string().starts_with("cannot bind 127.0.0.1:"), "{error}");
        assert!(error.hint().contains("ss -ltnp"), "{}", error.hint());
    }
}
