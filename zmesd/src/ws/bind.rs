//! Opening the ports.

use std::io;
use std::net::{SocketAddr, TcpListener};

use nix::errno::Errno;
use socket2::{Domain, Protocol, Socket, Type};

/// Connections that may wait to be accepted: thousands of phones come back at once after an outage.
const BACKLOG: i32 = 4096;

/// Why a port cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct BindError {
    /// Which address and port.
    pub address: SocketAddr,
    /// Why.
    #[source]
    pub source: io::Error,
}

impl BindError {
    /// Returns what to do about it.
    pub fn hint(&self) -> Option<String> {
        let port = self.address.port();
        if self.source.raw_os_error() == Some(Errno::EAFNOSUPPORT as i32) {
            return Some(format!("this kernel has no IPv6: write \"0.0.0.0:{port}\" in server.listen"));
        }
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "a foreign enum: for the rest, the cause says it all"
        )]
        match self.source.kind() {
            io::ErrorKind::AddrInUse => Some(format!(
                "another process uses port {port}: `ss -ltnp 'sport = :{port}'` shows which; stop it or change server.listen"
            )),
            io::ErrorKind::PermissionDenied => {
                Some(format!("ports below 1024 need CAP_NET_BIND_SERVICE; server.listen asks for {port}"))
            }
            io::ErrorKind::AddrNotAvailable => {
                Some(format!("no interface has the address {}; `ip address` lists them", self.address.ip()))
            }
            _ => None,
        }
    }
}

/// Opens all addresses of `server.listen`, or none.
///
/// `[::]:9000` serves IPv4 too, whatever the system's default is; only where `0.0.0.0:9000` is listed beside it, each
/// serves its own family.
pub fn bind(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, BindError> {
    let open = |&address: &SocketAddr| {
        let own_family_only = addresses.iter().any(|other| {
            other.port() == address.port()
                && other.is_ipv4()
                && other.ip().is_unspecified()
                && address.is_ipv6()
        });
        listen(address, own_family_only).map_err(|source| BindError { address, source })
    };
    addresses.iter().map(open).collect()
}

fn listen(address: SocketAddr, own_family_only: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(own_family_only)?;
    }
    // A restarted daemon must not wait for the connections of the one before to be forgotten.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    fn on(address: &str, port: u16) -> SocketAddr {
        SocketAddr::new(address.parse().unwrap(), port)
    }

    #[test]
    fn the_unspecified_ipv6_address_serves_ipv4_too() {
        let listeners = bind(&[on("::", 0)]).unwrap();
        let port = listeners[0].local_addr().unwrap().port();
        TcpStream::connect(on("127.0.0.1", port)).unwrap();
        TcpStream::connect(on("::1", port)).unwrap();
    }

    #[test]
    fn both_families_can_be_listed() {
        let port = bind(&[on("::", 0)]).unwrap()[0].local_addr().unwrap().port();
        let listeners = bind(&[on("::", port), on("0.0.0.0", port)]).unwrap();
        assert_eq!(listeners.len(), 2);
    }

    #[test]
    fn a_taken_port_is_named_with_a_hint() {
        let taken = bind(&[on("127.0.0.1", 0)]).unwrap();
        let address = taken[0].local_addr().unwrap();
        let error = bind(&[address]).unwrap_err();
        assert_eq!((error.address, error.source.kind()), (address, io::ErrorKind::AddrInUse));
        assert!(error.hint().unwrap().contains("ss -ltnp"));
    }
}
