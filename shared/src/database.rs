//! Where a database is, and the `mysql://` URL that says it: both programs read it in the same way.
//!
//! Messages never quote a URL or a password.

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::host;
use crate::text::quotable;

const PORT: u16 = 3306;
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
/// What to do about one half of a client's certificate and key.
pub const PAIR_HINT: &str = "a client certificate and its key belong together: give both or none";

/// Where the database listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseAddress {
    /// The host `localhost` without a port: the usual sockets in turn, then 127.0.0.1:3306, as libmysql does.
    Default,
    /// A Unix socket.
    Socket(PathBuf),
    /// Host and port.
    Tcp {
        /// Name or address.
        host: String,
        /// Port, 3306 unless said otherwise.
        port: u16,
    },
}

/// `ZM_DB_SSL_*`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseTls {
    /// `ZM_DB_SSL_CA_CERT`
    pub ca: PathBuf,
    /// `ZM_DB_SSL_CLIENT_CERT` and `ZM_DB_SSL_CLIENT_KEY`
    pub client: Option<(PathBuf, PathBuf)>,
    /// Whether the server's name must match its certificate (`ZM_DB_SSL_VERIFY_SERVER_CERT`).
    pub verify_server: bool,
}

/// What a `mysql://` URL says.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl {
    /// Where the server listens.
    pub address: DatabaseAddress,
    /// Name of the account.
    pub user: String,
    /// Its password; may be empty.
    pub password: String,
    /// Name of the database; empty: the URL names none.
    pub name: String,
    /// TLS, if `ssl-ca` is given.
    pub tls: Option<DatabaseTls>,
}

/// Hides the password.
impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text("[hidden]"))
    }
}

impl DatabaseUrl {
    /// Reads `mysql://user:password@host:port/name?socket=/path&ssl-ca=/path&ssl-cert=/path&ssl-key=/path`.
    pub fn parse(url: &str) -> Result<Self, UrlFault> {
        let rest = url.strip_prefix("mysql://").or_else(|| url.strip_prefix("mariadb://"));
        let rest = rest.ok_or(UrlFault::Scheme)?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        // A password with an unescaped `/` or `@` is read as people mean it: the host is behind the last `@`, the
        // name behind the `/` that follows.
        let (user, place) = rest.rsplit_once('@').ok_or(UrlFault::MissingUser)?;
        let (address, name) = place.split_once('/').unwrap_or((place, ""));
        let (user, password) = user.split_once(':').unwrap_or((user, ""));
        let (user, password, name) = (decoded(user)?, decoded(password)?, decoded(name)?);
        if user.is_empty() {
            return Err(UrlFault::MissingUser);
        }
        if name.contains('/') {
            return Err(UrlFault::MissingDatabase);
        }
        let UrlOptions { socket, tls } = UrlOptions::read(query)?;
        let address = match socket {
            Some(socket) => DatabaseAddress::Socket(socket),
            None => authority(address)?,
        };
        Ok(Self { address, user, password, name, tls })
    }

    /// Returns the URL with `password` in the place of its password, as it is: see [`escaped`].
    pub fn text(&self, password: &str) -> String {
        let (host, socket) = match &self.address {
            DatabaseAddress::Default => ("localhost".to_owned(), None),
            DatabaseAddress::Socket(path) => {
                ("localhost".to_owned(), Some(format!("socket={}", path.display())))
            }
            DatabaseAddress::Tcp { host, port } if host.contains(':') => (format!("[{host}]:{port}"), None),
            DatabaseAddress::Tcp { host, port } => (format!("{host}:{port}"), None),
        };
        let mut options: Vec<_> = socket.into_iter().collect();
        if let Some(tls) = &self.tls {
            options.push(format!("ssl-ca={}", tls.ca.display()));
            if let Some((certificate, key)) = &tls.client {
                options.push(format!("ssl-cert={}&ssl-key={}", certificate.display(), key.display()));
            }
        }
        let mark = if options.is_empty() { "" } else { "?" };
        let (user, name) = (escaped(&self.user), escaped(&self.name));
        format!("mysql://{user}:{password}@{host}/{name}{mark}{}", options.join("&"))
    }
}

/// Returns a text as it stands in a URL: letters, digits and `-._~`, and all else as `%41` (RFC 3986 section 2).
pub fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let one = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(one).collect()
}

/// Why a `mysql://` URL is refused. Never quotes the URL: it holds a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlFault {
    /// Another scheme, or none.
    #[error("does not start with mysql://")]
    Scheme,
    /// No user in front of the host.
    #[error("names no user")]
    MissingUser,
    /// No database, or a path.
    #[error("names no database")]
    MissingDatabase,
    /// Neither `host`, `host:port` nor `[ipv6]:port`.
    #[error("has no proper host and port")]
    InvalidHost,
    /// An option that is not one of `socket`, `ssl-ca`, `ssl-cert`, `ssl-key`.
    #[error("has an unknown option `{}`", quotable(.0))]
    UnknownOption(String),
    /// An option whose value is not an absolute path.
    #[error("option `{0}` is not an absolute path")]
    RelativePath(&'static str),
    /// `ssl-cert` without `ssl-key`, or the other way round.
    #[error("is given alone")]
    HalfPair,
    /// `ssl-cert` without `ssl-ca`.
    #[error("has ssl-cert without ssl-ca")]
    MissingCa,
    /// A `%` without two hexadecimal digits.
    #[error("has a `%` that is not followed by two hexadecimal digits")]
    Escape,
    /// Bytes that are not UTF-8.
    #[error("is not UTF-8 once its `%` are resolved")]
    NotUtf8,
}

impl UrlFault {
    /// Returns what to do about it; `name` is the database that such a URL usually names.
    pub fn hint(&self, name: &str) -> String {
        let hint = match self {
            Self::MissingDatabase => return format!("end it with /{name}"),
            Self::UnknownOption(_) => "options are socket, ssl-ca, ssl-cert and ssl-key",
            Self::HalfPair => PAIR_HINT,
            Self::MissingCa => "give ssl-ca too: TLS starts with it",
            Self::Escape => "write `%` as %25",
            Self::Scheme | Self::MissingUser | Self::InvalidHost | Self::RelativePath(_) | Self::NotUtf8 => {
                return format!(
                    "write mysql://user:password@host/{name}, with % as %25, @ as %40 and / as %2F"
                );
            }
        };
        hint.to_owned()
    }
}

impl DatabaseAddress {
    /// Says whether the server is on this machine.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Default | Self::Socket(_) => true,
            Self::Tcp { host, .. } => host::is_this_machine(host),
        }
    }
}

/// What stands behind the `?` of a URL.
struct UrlOptions {
    socket: Option<PathBuf>,
    tls: Option<DatabaseTls>,
}

impl UrlOptions {
    fn read(query: &str) -> Result<Self, UrlFault> {
        let (mut socket, mut ca, mut certificate, mut key) = (None, None, None, None);
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let (name, slot) = match name {
                "socket" => ("socket", &mut socket),
                "ssl-ca" => ("ssl-ca", &mut ca),
                "ssl-cert" => ("ssl-cert", &mut certificate),
                "ssl-key" => ("ssl-key", &mut key),
                _ => return Err(UrlFault::UnknownOption(name.to_owned())),
            };
            let path = PathBuf::from(decoded(value)?);
            if !path.is_absolute() {
                return Err(UrlFault::RelativePath(name));
            }
            *slot = Some(path);
        }
        let client = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return Err(UrlFault::HalfPair),
        };
        if client.is_some() && ca.is_none() {
            return Err(UrlFault::MissingCa);
        }
        Ok(Self { socket, tls: ca.map(|ca| DatabaseTls { ca, client, verify_server: true }) })
    }
}

/// Reads `host`, `host:port` or `[ipv6]:port` of a URL; nothing at all is the local database.
fn authority(text: &str) -> Result<DatabaseAddress, UrlFault> {
    if text.is_empty() || text.eq_ignore_ascii_case("localhost") {
        return Ok(DatabaseAddress::Default);
    }
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':').or(Some("").filter(|_| rest.is_empty()))),
        None => text.split_once(':').map_or((text, Some("")), |(host, port)| (host, Some(port))),
    };
    let number =
        |port: &str| if port.is_empty() { Some(PORT) } else { port.parse().ok().filter(|port| *port > 0) };
    match port.and_then(number) {
        Some(port) if !host.is_empty() => Ok(DatabaseAddress::Tcp { host: decoded(host)?, port }),
        Some(_) | None => Err(UrlFault::InvalidHost),
    }
}

/// Resolves `%41` (RFC 3986 section 2.1).
fn decoded(text: &str) -> Result<String, UrlFault> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (digits, tail) = rest.split_at_checked(2).ok_or(UrlFault::Escape)?;
        let digits =
            str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|d| d.is_ascii_hexdigit()));
        bytes.push(digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).ok_or(UrlFault::Escape)?);
        rest = tail;
    }
    String::from_utf8(bytes).map_err(|_| UrlFault::NotUtf8)
}

/// One place where a server may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerAddress {
    /// A Unix socket.
    Socket(PathBuf),
    /// Host and port.
    Tcp(String, u16),
}

impl ServerAddress {
    /// Returns where the server may be at this moment: a socket may have appeared since the last time.
    pub fn all(address: &DatabaseAddress) -> Vec<Self> {
        match address {
            DatabaseAddress::Socket(path) => vec![Self::Socket(path.clone())],
            DatabaseAddress::Tcp { host, port } => vec![Self::Tcp(host.clone(), *port)],
            DatabaseAddress::Default => this_machine(SOCKETS.iter().map(PathBuf::from)),
        }
    }

    /// Returns what people call it: `the database on this machine`, `db:3306`.
    pub fn describe(address: &DatabaseAddress) -> String {
        match address {
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
    fn a_password_is_read_and_not_printed() {
        let url = DatabaseUrl::parse("mysql://o%27b:p%40ss/w@db:3307/zmesd?ssl-ca=/ca.pem").unwrap();
        assert_eq!((url.user.as_str(), url.password.as_str(), url.name.as_str()), ("o'b", "p@ss/w", "zmesd"));
        assert_eq!(format!("{url:?}"), "mysql://o%27b:[hidden]@db:3307/zmesd?ssl-ca=/ca.pem");
        assert_eq!(DatabaseUrl::parse("mysql://root@localhost").unwrap().name, "");
        assert_eq!(DatabaseUrl::parse("mysql://:planted@h/zm"), Err(UrlFault::MissingUser));
        assert_eq!(escaped("aZ9-._~ä@/%"), "aZ9-._~%C3%A4%40%2F%25");
    }

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
