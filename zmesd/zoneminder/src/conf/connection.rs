//! How to reach ZoneMinder's database: from the values of `zm.conf`, or from a `mysql://` URL.
//!
//! Messages never quote a URL or a password.

use std::path::PathBuf;

use secrecy::SecretString;
use zmes_shared::database::{DatabaseAddress, DatabaseTls, DatabaseUrl, UrlFault};
use zmes_shared::text::quotable;

use super::origin::{DatabaseOrigin, ValuePlace};
use super::zm_conf::ZmConf;

const PORT: u16 = 3306;
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
        let DatabaseUrl { address, user, password, name, tls } = DatabaseUrl::parse(url)?;
        if name.is_empty() {
            return Err(UrlFault::MissingDatabase);
        }
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
        let Self { address, user, name, tls, .. } = self.clone();
        DatabaseUrl { address, user, password: String::new(), name, tls }.text(password)
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

#[cfg(test)]
mod tests;
