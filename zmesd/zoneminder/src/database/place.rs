//! Where the server may be.

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::conf::{DatabaseAddress, DatabaseConfig};

/// Where distributions put the socket that `localhost` means: Debian, its older name, Red Hat, SUSE, upstream.
const SOCKETS: [&str; 5] = [
    "/run/mysqld/mysqld.sock",
    "/var/run/mysqld/mysqld.sock",
    "/var/lib/mysql/mysql.sock",
    "/run/mysql/mysql.sock",
    "/tmp/mysql.sock",
];

/// Ids of accounts that belong to people begin here (`UID_MIN` of login.defs).
const FIRST_PERSON: u32 = 1000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ServerAddress {
    Socket(PathBuf),
    Tcp(String, u16),
}

impl ServerAddress {
    /// Returns where the server may be at this moment: a socket may have appeared since the last time.
    pub(super) fn all(database: &DatabaseConfig) -> Vec<Self> {
        match &database.address {
            DatabaseAddress::Socket(path) => vec![Self::Socket(path.clone())],
            DatabaseAddress::Tcp { host, port } => vec![Self::Tcp(host.clone(), *port)],
            DatabaseAddress::Default => this_machine(SOCKETS.iter().map(PathBuf::from)),
        }
    }

    pub(super) fn describe(database: &DatabaseConfig) -> String {
        match &database.address {
            DatabaseAddress::Default => "the database on this machine".to_owned(),
            DatabaseAddress::Socket(path) => Self::Socket(path.clone()).to_string(),
            DatabaseAddress::Tcp { host, port } => Self::Tcp(host.clone(), *port).to_string(),
        }
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "{}", path.display()),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
        }
    }
}

/// Returns where a server on this machine may be, as MySQL's own clients understand `localhost`.
fn this_machine(sockets: impl Iterator<Item = PathBuf>) -> Vec<ServerAddress> {
    let tcp = ServerAddress::Tcp("127.0.0.1".to_owned(), 3306);
    sockets.filter(is_a_servers).map(ServerAddress::Socket).chain([tcp]).collect()
}

/// Says whether a socket is there that a server may have made. Anybody can make one in `/tmp` and would be told the
/// password; servers run as root or as an account of the system.
fn is_a_servers(path: &PathBuf) -> bool {
    path.metadata().is_ok_and(|found| path != Path::new("/tmp/mysql.sock") || found.uid() < FIRST_PERSON)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn localhost_is_the_sockets_that_exist_at_that_moment_and_then_tcp() {
        let directory = tempfile::TempDir::new().unwrap();
        let [debian, red_hat] = ["mysqld.sock", "mysql.sock"].map(|name| directory.path().join(name));
        let places = || {
            let sockets = [debian.clone(), red_hat.clone()].into_iter();
            this_machine(sockets).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(places(), ["127.0.0.1:3306"]);
        std::fs::write(&red_hat, "").unwrap();
        assert_eq!(places(), [red_hat.display().to_string(), "127.0.0.1:3306".to_owned()]);
        std::fs::write(&debian, "").unwrap();
        assert_eq!(places().first(), Some(&debian.display().to_string()));
    }
}
