//! How to reach ZoneMinder's database: from the values of `zm.conf`, or from a `mysql://` URL.
//!
//! Messages never quote a URL or a password.

use std::net::IpAddr;
use std::path::PathBuf;

use secrecy::SecretString;
use zmes_shared::text::quotable;

use super::origin::{DatabaseOrigin, ValuePlace};
use super::zm_conf::ZmConf;

const PORT: u16 = 3306;
/// What to do about one half of a client's certificate and key.
pub const PAIR_HINT: &str = "a client certificate and its key belong together: give both or none";

/// Whose monitors are watched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ServerScope {
    /// All monitors: there is one server, and it is this machine.
    #[default]
    Single,
    /// Those of one server, which is this machine.
    Own(ServerIdentity),
    /// Those of all servers. `None`: none of them is this machine.
    All(Option<ServerIdentity>),
}

impl ServerScope {
    /// Returns which server this machine is, where that was said.
    pub fn own(&self) -> Option<&ServerIdentity> {
        match self {
            Self::Single => None,
            Self::Own(identity) => Some(identity),
            Self::All(identity) => identity.as_ref(),
        }
    }

    /// Says whether monitors of other servers are watched, too.
    pub fn is_all(&self) -> bool {
        matches!(self, Self::All(_))
    }
}

impl From<Option<ServerIdentity>> for ServerScope {
    fn from(own: Option<ServerIdentity>) -> Self {
        own.map_or(Self::Single, Self::Own)
    }
}

/// How `server-id` and `zm.conf` name this server in a multi-server installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerIdentity {
    /// `Servers.Id`
    Id(u32),
    /// `Servers.Name` (`ZM_SERVER_NAME` or `ZM_SERVER_HOST`), looked up in the database.
    Name(String),
}

/// How to reach ZoneMinder's database.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// Where it listens.
    pub address: DatabaseAddress,
    /// User name.
    pub user: String,
    /// Password; may be empty.
    pub password: SecretString,
    /// Database name, usually `zm`.
    pub name: String,
    /// TLS, if `ZM_DB_SSL_CA_CERT` is set.
    pub tls: Option<DatabaseTls>,
    /// Where these values stand.
    pub origin: DatabaseOrigin,
}

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

/// What is wrong with the values of `zm.conf` that lead to the database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionFault {
    /// `ZM_DB_TYPE` is neither `mysql` nor `mariadb`.
    #[error("`{}` is not supported", quotable(.0))]
    UnsupportedType(String),
    /// `ZM_DB_HOST` cannot be read.
    #[error("`{}` is not host, host:port or localhost:/socket", quotable(.0))]
    InvalidHost(String),
    /// There is no `ZM_DB_USER`.
    #[error("is missing")]
    MissingUser,
    /// `ZM_DB_SSL_CLIENT_CERT` without `ZM_DB_SSL_CLIENT_KEY`.
    #[error("is given alone")]
    CertificateWithoutKey,
    /// `ZM_DB_SSL_CLIENT_KEY` without `ZM_DB_SSL_CLIENT_CERT`.
    #[error("is given alone")]
    KeyWithoutCertificate,
}

impl ConnectionFault {
    /// Returns the name of the value in `zm.conf`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::UnsupportedType(_) => "ZM_DB_TYPE",
            Self::InvalidHost(_) => "ZM_DB_HOST",
            Self::MissingUser => "ZM_DB_USER",
            Self::CertificateWithoutKey => "ZM_DB_SSL_CLIENT_CERT",
            Self::KeyWithoutCertificate => "ZM_DB_SSL_CLIENT_KEY",
        }
    }
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
    /// Returns what to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::MissingDatabase => "end it with /zm",
            Self::UnknownOption(_) => "options are socket, ssl-ca, ssl-cert and ssl-key",
            Self::HalfPair => PAIR_HINT,
            Self::MissingCa => "give ssl-ca too: TLS starts with it",
            Self::Escape => "write `%` as %25",
            Self::Scheme | Self::MissingUser | Self::InvalidHost | Self::RelativePath(_) | Self::NotUtf8 => {
                "write mysql://user:password@host/zm, with % as %25, @ as %40 and / as %2F"
            }
        }
    }
}

impl DatabaseConfig {
    /// Takes `ZM_DB_*`; gives all that is wrong with them.
    pub fn from_zmconf(conf: &ZmConf) -> Result<Self, Vec<ConnectionFault>> {
        let mut faults = Vec::new();
        if let Some(kind) = conf.text("ZM_DB_TYPE").filter(|kind| !matches!(*kind, "mysql" | "mariadb")) {
            faults.push(ConnectionFault::UnsupportedType(kind.to_owned()));
        }
        let address = host(conf.text("ZM_DB_HOST").unwrap_or_default()).unwrap_or_else(|fault| {
            faults.push(fault);
            DatabaseAddress::Default
        });
        if conf.text("ZM_DB_USER").is_none() {
            faults.push(ConnectionFault::MissingUser);
        }
        let tls = tls_of_zmconf(conf).unwrap_or_else(|fault| {
            faults.push(fault);
            None
        });
        if !faults.is_empty() {
            return Err(faults);
        }
        let text = |name, default: &str| conf.text(name).unwrap_or(default).to_owned();
        Ok(Self {
            address,
            user: text("ZM_DB_USER", ""),
            password: text("ZM_DB_PASS", "").into(),
            name: text("ZM_DB_NAME", "zm"),
            tls,
            origin: DatabaseOrigin::of_zm_conf(conf),
        })
    }

    /// Reads `mysql://user:password@host:port/name?socket=/path&ssl-ca=/path&ssl-cert=/path&ssl-key=/path`.
    pub fn from_url(url: &str) -> Result<Self, UrlFault> {
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
        if name.is_empty() || name.contains('/') {
            return Err(UrlFault::MissingDatabase);
        }
        let Options { socket, tls } = Options::read(query)?;
        let address = match socket {
            Some(socket) => DatabaseAddress::Socket(socket),
            None => authority(address)?,
        };
        let origin = DatabaseOrigin::default();
        Ok(Self { address, user, password: SecretString::from(password), name, tls, origin })
    }

    /// Notes where the URL stands that it was read from.
    #[must_use]
    pub fn stated_at(self, place: ValuePlace) -> Self {
        Self { origin: DatabaseOrigin::of_url(place), ..self }
    }

    /// Returns the URL of the database with `password` in the place of its password.
    pub fn url(&self, password: &str) -> String {
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
        format!("mysql://{}:{password}@{host}/{}{mark}{}", self.user, self.name, options.join("&"))
    }

    /// Returns where the database is, without its password: `zm at 127.0.0.1:3306 as zmuser`.
    pub fn place(&self) -> String {
        let address = match &self.address {
            DatabaseAddress::Default => "localhost".to_owned(),
            DatabaseAddress::Socket(path) => path.display().to_string(),
            DatabaseAddress::Tcp { host, port } => format!("{host}:{port}"),
        };
        format!("{} at {address} as {}", self.name, self.user)
    }

    /// Says that the server is on another machine and that nothing proves who answers there, with what to add.
    pub fn unverified(&self) -> Option<(String, String)> {
        let DatabaseAddress::Tcp { host, port } = &self.address else { return None };
        if self.tls.is_some() || self.address.is_local() {
            return None;
        }
        let message = format!(
            "the connection to the database at {host}:{port} is not verified: no CA certificate is named, so whoever \
             answers there is believed, and without TLS the password can be read on the way"
        );
        let hint = if self.origin.is_url() {
            format!("append ?ssl-ca=/path/to/ca.pem to {}", self.origin.of("ZM_DB_SSL_CA_CERT"))
        } else {
            format!(
                "add these two lines to {}: ZM_DB_SSL_CA_CERT=/path/to/ca.pem and ZM_DB_SSL_VERIFY_SERVER_CERT=1",
                self.origin.file()
            )
        };
        Some((message, hint))
    }
}

impl DatabaseAddress {
    /// Says whether the server is on this machine.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Default | Self::Socket(_) => true,
            Self::Tcp { host, .. } => {
                host.eq_ignore_ascii_case("localhost")
                    || host.parse().is_ok_and(|address: IpAddr| address.to_canonical().is_loopback())
            }
        }
    }
}

/// Reads `ZM_DB_HOST`: `host`, `host:port` or `localhost:/path/to/socket`.
fn host(text: &str) -> Result<DatabaseAddress, ConnectionFault> {
    if text.is_empty() || text.eq_ignore_ascii_case("localhost") {
        return Ok(DatabaseAddress::Default);
    }
    let Some((host, rest)) = text.split_once(':') else {
        return Ok(DatabaseAddress::Tcp { host: text.to_owned(), port: PORT });
    };
    if rest.starts_with('/') {
        return Ok(DatabaseAddress::Socket(PathBuf::from(rest)));
    }
    match rest.parse() {
        Ok(port) if port > 0 && !host.is_empty() => Ok(DatabaseAddress::Tcp { host: host.to_owned(), port }),
        Ok(_) | Err(_) => Err(ConnectionFault::InvalidHost(text.to_owned())),
    }
}

/// Reads `ZM_DB_SSL_*`.
fn tls_of_zmconf(conf: &ZmConf) -> Result<Option<DatabaseTls>, ConnectionFault> {
    let path = |name| conf.text(name).map(PathBuf::from);
    let client = match (path("ZM_DB_SSL_CLIENT_CERT"), path("ZM_DB_SSL_CLIENT_KEY")) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        (Some(_), None) => return Err(ConnectionFault::CertificateWithoutKey),
        (None, Some(_)) => return Err(ConnectionFault::KeyWithoutCertificate),
    };
    // Unset, the client library decides, and the one of most installations does not compare names.
    let verify_server = conf
        .text("ZM_DB_SSL_VERIFY_SERVER_CERT")
        .is_some_and(|text| !["0", "false", "no", "off"].iter().any(|no| text.eq_ignore_ascii_case(no)));
    Ok(path("ZM_DB_SSL_CA_CERT").map(|ca| DatabaseTls { ca, client, verify_server }))
}

/// What stands behind the `?` of a URL.
struct Options {
    socket: Option<PathBuf>,
    tls: Option<DatabaseTls>,
}

impl Options {
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

#[cfg(test)]
mod tests;
