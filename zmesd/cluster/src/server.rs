//! Where the ledger is, and what is said to each new connection.

use std::fmt;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, MySqlConnection};
use zmes_files::pemfile;
use zmes_shared::database::{DatabaseAddress, DatabaseTls, DatabaseUrl, ServerAddress};

use crate::fault::{LedgerError, LedgerFault};

/// Said to each connection; a server that refuses one of these is not used, because without them statements mean
/// something else. A strict mode makes a text that is too long an error; without it MariaDB cuts it off.
const REQUIRED: [&str; 3] = [
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')",
    "SET SESSION autocommit = 1",
];
/// Said to each connection; not every server knows all of them. They are the server's half of our deadlines: when a
/// client vanishes in the middle of a transaction, its locks are gone within seconds and not after the 8 hours of
/// `wait_timeout`. MySQL has no `idle_transaction_timeout`, so there it is `wait_timeout` that ends such a session.
const WELCOME: [&str; 5] = [
    "SET SESSION innodb_lock_wait_timeout = 1",
    "SET SESSION lock_wait_timeout = 2",
    "SET SESSION idle_transaction_timeout = 3",
    "SET SESSION wait_timeout = 20",
    "SET SESSION max_statement_time = 5",
];

/// The database server that holds the ledger, and the account for it.
///
/// How TLS is used is the caller's: [`LedgerServer::new`] takes complete options.
#[derive(Clone)]
pub struct LedgerServer {
    /// Without host or socket: where the server is may change between two connections.
    options: MySqlConnectOptions,
    address: DatabaseAddress,
    /// The mode of connections by TCP is that of the options; by a socket this one.
    by_socket: Option<MySqlSslMode>,
    /// TLS is offered and not asked for: where it fails, the connection is made without it.
    is_tls_offered: bool,
}

/// The options hold the password.
impl fmt::Debug for LedgerServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LedgerServer").field("place", &self.place()).finish_non_exhaustive()
    }
}

impl LedgerServer {
    /// The server at this address, with options for account, schema and TLS.
    pub fn new(address: DatabaseAddress, options: MySqlConnectOptions) -> Self {
        let options = options.statement_cache_capacity(128).disable_statement_logging();
        Self { options, address, by_socket: None, is_tls_offered: false }
    }

    /// The server that a URL names, with the URL's database selected if it names one. Reads the files of its `ssl-ca` and
    /// so on, with which TLS is required; without them it is offered, and not verified.
    pub fn of_url(url: &DatabaseUrl) -> Result<Self, LedgerError> {
        let options = account(&url.user, &SecretString::from(url.password.clone()));
        let options = match &url.tls {
            None => options.ssl_mode(MySqlSslMode::Preferred),
            Some(tls) if tls.verify_server => {
                with_files(options.ssl_mode(MySqlSslMode::VerifyIdentity), tls)?
            }
            Some(tls) => with_files(options.ssl_mode(MySqlSslMode::VerifyCa), tls)?,
        };
        let options = if url.name.is_empty() { options } else { options.database(&url.name) };
        // Over a socket nobody can stand between, and the server has no name there.
        let by_socket = url.tls.is_some().then_some(MySqlSslMode::Preferred);
        let is_tls_offered = url.tls.is_none();
        Ok(Self { by_socket, is_tls_offered, ..Self::new(url.address.clone(), options) })
    }

    /// A server on this machine, by its socket.
    pub fn socket(path: &Path, user: &str, password: &SecretString) -> Self {
        Self::new(DatabaseAddress::Socket(path.to_owned()), account(user, password))
    }

    /// A server by TCP, without TLS.
    pub fn tcp(host: &str, port: u16, user: &str, password: &SecretString) -> Self {
        let options = account(user, password).ssl_mode(MySqlSslMode::Disabled);
        Self::new(DatabaseAddress::Tcp { host: host.to_owned(), port }, options)
    }

    /// The same server, with this schema selected.
    #[must_use]
    pub fn with_schema(mut self, schema: &str) -> Self {
        self.options = self.options.database(schema);
        self
    }

    /// Where it is: `/run/mysqld/mysqld.sock`, `db.example.org:3306`; of several places on this machine the first.
    pub fn place(&self) -> String {
        self.places().first().map(ToString::to_string).unwrap_or_default()
    }

    fn places(&self) -> Vec<ServerAddress> {
        ServerAddress::all(&self.address)
    }

    /// Connects to the first place where a server answers, and sets the session up.
    pub(crate) async fn connect(&self) -> Result<MySqlConnection, LedgerError> {
        let mut places = self.places().into_iter().peekable();
        while let Some(place) = places.next() {
            let is_last = places.peek().is_none();
            let explain = |error: &sqlx::Error| LedgerError::of_connecting(error, &place.to_string());
            match self.connect_to(&place).await {
                Ok(mut connection) => {
                    prepare(&mut connection).await.map_err(|error| explain(&error))?;
                    return Ok(connection);
                }
                Err(sqlx::Error::Io(_)) if !is_last => {}
                Err(error) => return Err(explain(&error)),
            }
        }
        Err(self.late())
    }

    async fn connect_to(&self, place: &ServerAddress) -> Result<MySqlConnection, sqlx::Error> {
        let options = match (place, self.by_socket) {
            (ServerAddress::Socket(path), Some(mode)) => self.options.clone().socket(path).ssl_mode(mode),
            (ServerAddress::Socket(path), None) => self.options.clone().socket(path),
            (ServerAddress::Tcp(host, port), _) => self.options.clone().host(host).port(*port),
        };
        match options.connect().await {
            Err(error) if self.is_tls_offered && is_about_tls(&error) => {
                options.ssl_mode(MySqlSslMode::Disabled).connect().await
            }
            opened => opened,
        }
    }

    /// What is said when it does not answer in time.
    pub(crate) fn late(&self) -> LedgerError {
        LedgerError::new(
            LedgerFault::Late,
            format!("no answer from the database at {} in time", self.place()),
            "mysqladmin processlist shows what it does; with Galera: SHOW STATUS LIKE 'wsrep_flow_control_paused'",
        )
    }
}

/// Adds the files that a URL names.
fn with_files(options: MySqlConnectOptions, tls: &DatabaseTls) -> Result<MySqlConnectOptions, LedgerError> {
    let unread = |error: pemfile::PemError| LedgerError::new(LedgerFault::Unfit, error.told(), error.hint());
    let certificates = |path: &Path| pemfile::certificates(path).map_err(unread);
    let ca = pemfile::certificates_text(&certificates(&tls.ca)?);
    let options = options.ssl_ca_from_pem(ca.into_bytes());
    let Some((certificate, key)) = &tls.client else { return Ok(options) };
    let key = pemfile::private_key(key).map_err(unread)?;
    let chain = pemfile::certificates_text(&certificates(certificate)?);
    Ok(options.ssl_client_cert_from_pem(chain).ssl_client_key_from_pem(pemfile::key_text(&key)))
}

/// Says whether a failure is, or may be, about TLS. rustls' errors come as invalid data.
#[expect(clippy::wildcard_enum_match_arm, reason = "the driver's list, not ours")]
fn is_about_tls(error: &sqlx::Error) -> bool {
    use std::io::ErrorKind;
    match error {
        sqlx::Error::Tls(_) => true,
        sqlx::Error::Io(error) => matches!(
            error.kind(),
            ErrorKind::InvalidData
                | ErrorKind::UnexpectedEof
                | ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::BrokenPipe
        ),
        _ => false,
    }
}

/// Says to a new connection what each is told.
async fn prepare(connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
    for statement in REQUIRED {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *connection).await?;
    }
    for statement in WELCOME {
        match sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *connection).await {
            Ok(_) | Err(sqlx::Error::Database(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Returns the options for an account, without an address, TLS or a schema.
pub fn account(user: &str, password: &SecretString) -> MySqlConnectOptions {
    let options = MySqlConnectOptions::new().username(user);
    let password = password.expose_secret();
    // An empty password must be left out: scrambled it is a wrong one.
    if password.is_empty() { options } else { options.password(password) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_printed() {
        let server = LedgerServer::tcp("db", 3306, "zmesd", &"planted".into()).with_schema("zmesd");
        assert_eq!(format!("{server:?}"), r#"LedgerServer { place: "db:3306", .. }"#);
    }
}
