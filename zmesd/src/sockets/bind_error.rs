//! Why a socket cannot be bound, and what to do about it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    Port(SocketAddr),
    Socket(PathBuf),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(address) => address.fmt(f),
            Self::Socket(path) => path.display().fmt(f),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("cannot bind {endpoint}: {fault}")]
pub struct BindError {
    pub endpoint: Endpoint,
    /// The setting that contains the address: `server.listen`.
    pub key: &'static str,
    pub fault: BindFault,
}

#[derive(Debug, thiserror::Error)]
pub enum BindFault {
    #[error("{}", reason(.0))]
    Refused(io::Error),
    /// The operating system refused a preparation step.
    #[error("cannot {what} {}: {}", path.display(), reason(source))]
    Preparation {
        /// The step that failed: "create".
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("another process answers there")]
    Answered,
    /// Something else exists at the path of the Unix socket. It is left alone.
    #[error("it exists and is not a socket")]
    NotASocket,
}

impl BindError {
    pub fn port(address: SocketAddr, key: &'static str, source: io::Error) -> Self {
        Self { endpoint: Endpoint::Port(address), key, fault: BindFault::Refused(source) }
    }

    pub fn socket(path: &Path, key: &'static str, fault: BindFault) -> Self {
        Self { endpoint: Endpoint::Socket(path.to_owned()), key, fault }
    }

    /// Returns whether permissions are the cause (exit code 77 rather than 69).
    pub fn is_permission(&self) -> bool {
        match &self.fault {
            BindFault::Refused(source) | BindFault::Preparation { source, .. } => {
                source.kind() == io::ErrorKind::PermissionDenied
            }
            BindFault::Answered | BindFault::NotASocket => false,
        }
    }

    pub fn hint(&self) -> String {
        let key = self.key;
        match (&self.endpoint, &self.fault) {
            (Endpoint::Port(address), BindFault::Refused(source)) => port_hint(*address, key, source),
            (_, BindFault::NotASocket) => format!("move {} away, or change {key}", self.endpoint),
            (_, BindFault::Answered) if key == "control.socket" => {
                "zmesd is already running: `zmesctl status` shows it; stop it first".to_owned()
            }
            (_, BindFault::Answered) => format!("stop that process, or change {key}"),
            (_, BindFault::Preparation { path, .. }) | (Endpoint::Socket(path), BindFault::Refused(_)) => {
                hint_to_write(path, key)
            }
        }
    }
}

fn port_hint(address: SocketAddr, key: &str, source: &io::Error) -> String {
    let port = address.port();
    if source.raw_os_error() == Some(Errno::EAFNOSUPPORT as i32) {
        return format!("this kernel has no IPv6: write \"0.0.0.0:{port}\" in {key}");
    }
    #[expect(clippy::wildcard_enum_match_arm, reason = "a foreign enum: for the rest, the cause says it all")]
    match source.kind() {
        io::ErrorKind::AddrInUse => {
            format!("`ss -ltnp 'sport = :{port}'` shows which process has it; stop that, or change {key}")
        }
        io::ErrorKind::PermissionDenied => {
            format!("ports below 1024 need CAP_NET_BIND_SERVICE; {key} asks for {port}")
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("no interface has the address {}; `ip address` lists them", address.ip())
        }
        _ => format!("see {key}"),
    }
}

fn hint_to_write(path: &Path, key: &str) -> String {
    let directory = path.parent().unwrap_or(path).display();
    format!("the user of zmesd must be able to write to {directory}; or change {key}")
}

/// Returns the operating system's message, without its number.
fn reason(error: &io::Error) -> String {
    let text = error
        .raw_os_error()
        .map_or_else(|| error.to_string(), |code| Errno::from_raw(code).desc().to_owned());
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(address: &str, errno: Errno) -> BindError {
        let source = io::Error::from_raw_os_error(errno as i32);
        BindError::port(address.parse().unwrap(), "server.listen", source)
    }

    #[test]
    fn each_cause_is_named_with_its_cure() {
        for (error, message, hint) in [
            (
                error("[::]:9000", Errno::EADDRINUSE),
                "cannot bind [::]:9000: address already in use",
                "ss -ltnp 'sport = :9000'",
            ),
            (
                error("[::]:443", Errno::EACCES),
                "cannot bind [::]:443: permission denied",
                "CAP_NET_BIND_SERVICE",
            ),
            (
                error("[::]:9000", Errno::EAFNOSUPPORT),
                "cannot bind [::]:9000: address family",
                "0.0.0.0:9000",
            ),
            (
                error("192.0.2.1:9000", Errno::EADDRNOTAVAIL),
                "cannot bind 192.0.2.1:9000:",
                "192.0.2.1; `ip address`",
            ),
        ] {
            assert!(error.to_string().starts_with(message), "{error}");
            assert!(error.hint().contains(hint), "{}", error.hint());
        }
        assert!(error("[::]:443", Errno::EACCES).is_permission());
    }
}
