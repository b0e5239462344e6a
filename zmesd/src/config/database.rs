//! How to reach ZoneMinder's database: from the values of `zm.conf`, or from a `mysql://` URL.
//!
//! Messages never quote a URL or a password.

use std::net::IpAddr;
use std::path::PathBuf;

use secrecy::SecretString;

use super::problem::quotable;
use super::section::Complaint;
use super::zmconf::ZmConf;
use super::{DatabaseAddress, DatabaseConfig, DatabaseOrigin, DatabaseTls, ValuePlace};

/// MySQL's port.
const PORT: u16 = 3306;

/// What is wrong with a value of `zm.conf`: its name, and the complaint.
pub(super) type ZmComplaint = (&'static str, Complaint);

impl DatabaseConfig {
    /// Takes `ZM_DB_*`; gives all that is wrong with them.
    pub(super) fn from_zmconf(conf: &ZmConf) -> Result<Self, Vec<ZmComplaint>> {
        let mut complaints = Vec::new();
        if let Some(kind) = conf.text("ZM_DB_TYPE").filter(|kind| !matches!(*kind, "mysql" | "mariadb")) {
            let message = format!("`{}` is not supported", quotable(kind));
            complaints
                .push(("ZM_DB_TYPE", Complaint::new(message).hint("ZoneMinder itself runs on mysql alone")));
        }
        let address = host(conf.text("ZM_DB_HOST").unwrap_or_default()).unwrap_or_else(|complaint| {
            complaints.push(("ZM_DB_HOST", complaint));
            DatabaseAddress::Default
        });
        if conf.text("ZM_DB_USER").is_none() {
            let complaint =
                Complaint::new("is missing").hint("ZoneMinder needs it too; or give zoneminder.database-url");
            complaints.push(("ZM_DB_USER", complaint));
        }
        let tls = tls_of_zmconf(conf).unwrap_or_else(|complaint| {
            complaints.push(complaint);
            None
        });
        let text = |name, default: &str| conf.text(name).unwrap_or(default).to_owned();
        if !complaints.is_empty() {
            return Err(complaints);
        }
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
    pub(super) fn from_url(url: &str) -> Result<Self, Complaint> {
        let rest = url.strip_prefix("mysql://").or_else(|| url.strip_prefix("mariadb://"));
        let rest = rest.ok_or_else(|| Complaint::new("does not start with mysql://"))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        // A password with an unescaped `/` or `@` is read as people mean it: the host is behind the last `@`, the
        // name behind the `/` that follows.
        let (user, place) = rest.rsplit_once('@').ok_or_else(|| Complaint::new("names no user"))?;
        let (address, name) = place.split_once('/').unwrap_or((place, ""));
        let (user, password) = user.split_once(':').unwrap_or((user, ""));
        let (user, password, name) = (decoded(user)?, decoded(password)?, decoded(name)?);
        if user.is_empty() {
            return Err(Complaint::new("names no user"));
        }
        if name.is_empty() || name.contains('/') {
            return Err(Complaint::new("names no database").hint("end it with /zm"));
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
    pub(super) fn stated_at(self, place: ValuePlace) -> Self {
        Self { origin: DatabaseOrigin::of_url(place), ..self }
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
fn host(text: &str) -> Result<DatabaseAddress, Complaint> {
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
        Ok(_) | Err(_) => Err(Complaint::new(format!("`{}` is not host, host:port or localhost:/socket", quotable(text)))
            .hint("IPv6 addresses do not work in zm.conf: give zoneminder.database-url, mysql://user:password@[::1]/zm")),
    }
}

/// Reads `ZM_DB_SSL_*`.
fn tls_of_zmconf(conf: &ZmConf) -> Result<Option<DatabaseTls>, ZmComplaint> {
    let path = |name| conf.text(name).map(PathBuf::from);
    let client = match (path("ZM_DB_SSL_CLIENT_CERT"), path("ZM_DB_SSL_CLIENT_KEY")) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        (Some(_), None) => return Err(("ZM_DB_SSL_CLIENT_CERT", pair_complaint())),
        (None, Some(_)) => return Err(("ZM_DB_SSL_CLIENT_KEY", pair_complaint())),
    };
    // Unset, the client library decides, and the one of most installations does not compare names.
    let verify_server = conf
        .text("ZM_DB_SSL_VERIFY_SERVER_CERT")
        .is_some_and(|text| !["0", "false", "no", "off"].iter().any(|no| text.eq_ignore_ascii_case(no)));
    Ok(path("ZM_DB_SSL_CA_CERT").map(|ca| DatabaseTls { ca, client, verify_server }))
}

fn pair_complaint() -> Complaint {
    Complaint::new("is given alone")
        .hint("a client certificate and its key belong together: give both or none")
}

/// What stands behind the `?` of a URL.
struct Options {
    socket: Option<PathBuf>,
    tls: Option<DatabaseTls>,
}

impl Options {
    fn read(query: &str) -> Result<Self, Complaint> {
        let (mut socket, mut ca, mut certificate, mut key) = (None, None, None, None);
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let slot = match name {
                "socket" => &mut socket,
                "ssl-ca" => &mut ca,
                "ssl-cert" => &mut certificate,
                "ssl-key" => &mut key,
                _ => {
                    let message = format!("has an unknown option `{}`", quotable(name));
                    return Err(
                        Complaint::new(message).hint("options are socket, ssl-ca, ssl-cert and ssl-key")
                    );
                }
            };
            let path = PathBuf::from(decoded(value)?);
            if !path.is_absolute() {
                return Err(Complaint::new(format!("option `{name}` is not an absolute path")));
            }
            *slot = Some(path);
        }
        let client = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return Err(pair_complaint()),
        };
        if client.is_some() && ca.is_none() {
            return Err(
                Complaint::new("has ssl-cert without ssl-ca").hint("give ssl-ca too: TLS starts with it")
            );
        }
        Ok(Self { socket, tls: ca.map(|ca| DatabaseTls { ca, client, verify_server: true }) })
    }
}

/// Reads `host`, `host:port` or `[ipv6]:port` of a URL; nothing at all is the local database.
fn authority(text: &str) -> Result<DatabaseAddress, Complaint> {
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
        Some(_) | None => Err(Complaint::new("has no proper host and port")),
    }
}

/// Resolves `%41` (RFC 3986 section 2.1).
fn decoded(text: &str) -> Result<String, Complaint> {
    let broken = || {
        Complaint::new("has a `%` that is not followed by two hexadecimal digits").hint("write `%` as %25")
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (digits, tail) = rest.split_at_checked(2).ok_or_else(broken)?;
        let digits =
            str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|d| d.is_ascii_hexdigit()));
        bytes.push(digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).ok_or_else(broken)?);
        rest = tail;
    }
    String::from_utf8(bytes).map_err(|_| Complaint::new("is not UTF-8 once its `%` are resolved"))
}

impl DatabaseConfig {
    /// Returns the URL of the database with `password` in the place of its password.
    pub(super) fn url(&self, password: &str) -> String {
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
}

#[cfg(test)]
mod tests;
