//! Binds TCP ports.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use super::bind_error::BindError;

/// Binds all addresses listed in a setting, or none; `backlog` connections may wait to be accepted.
///
/// `[::]:9000` also serves IPv4, whatever the system's default is, unless `0.0.0.0:9000` is listed, too: then each
/// serves its own family.
pub fn bind_all(
    addresses: &[SocketAddr],
    key: &'static str,
    backlog: i32,
) -> Result<Vec<TcpListener>, BindError> {
    let open = |&address: &SocketAddr| {
        let own_family_only = addresses.iter().any(|other| {
            other.port() == address.port()
                && other.is_ipv4()
                && other.ip().is_unspecified()
                && address.is_ipv6()
        });
        let only_v6 = address.is_ipv6().then_some(own_family_only);
        listen(address, only_v6, backlog).map_err(|source| BindError::port(address, key, source))
    };
    addresses.iter().map(open).collect()
}

/// Binds one port. Whether an IPv6 address also serves IPv4 is the system's default.
pub fn bind_port(address: SocketAddr, key: &'static str, backlog: i32) -> Result<TcpListener, BindError> {
    listen(address, None, backlog).map_err(|source| BindError::port(address, key, source))
}

fn listen(address: SocketAddr, only_v6: Option<bool>, backlog: i32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if let Some(only_v6) = only_v6 {
        socket.set_only_v6(only_v6)?;
    }
    // A restarted daemon must not wait until the connections of the previous one are forgotten.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    fn on(address: &str, port: u16) -> SocketAddr {
        SocketAddr::new(address.parse().unwrap(), port)
    }

    fn bind(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, BindError> {
        bind_all(addresses, "server.listen", 16)
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
        assert_eq!(error.to_string(), format!("cannot bind {address}: address already in use"));
        assert!(error.hint().contains("ss -ltnp"));
    }
}
