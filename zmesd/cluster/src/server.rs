//! Where the ledger is, and what is said to each new connection.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use secrecy::{ExposeSecret, SecretString};
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, MySqlConnection};
use tokio::task::spawn_blocking;
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

/// The database server that holds the ledger, and the account for it. The rules are those of connections to ZoneMinder's
/// database: without a CA, TLS is tried, and where it fails the connection is made without it; with one, the server is always
/// verified, except over a socket, where nothing can be between.
#[derive(Clone)]
pub struct LedgerServer {
    /// Without host, socket and TLS: where the server is, and what its files hold, may change between two connections.
    options: MySqlConnectOptions,
    user: String,
    password: SecretString,
    address: DatabaseAddress,
    tls: TlsUse,
    /// Connect without TLS at once: it failed, and no connection has broken since.
    plain: Arc<AtomicBool>,
}

/// Whether connections use TLS.
#[derive(Clone)]
enum TlsUse {
    Never,
    /// Where the server offers it, unverified.
    Offered,
    /// Yes, by these files.
    Asked(DatabaseTls),
}

/// The options hold the password.
impl fmt::Debug for LedgerServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LedgerServer").field("place", &self.place()).finish_non_exhaustive()
    }
}

impl LedgerServer {
    /// The server at this address, with the files by which it is verified.
    pub fn new(
        address: DatabaseAddress,
        user: &str,
        password: &SecretString,
        tls: Option<&DatabaseTls>,
    ) -> Self {
        let tls = tls.map_or(TlsUse::Offered, |tls| TlsUse::Asked(tls.clone()));
        let plain = Arc::new(AtomicBool::new(false));
        let (options, user, password) = (account(user, password), user.to_owned(), password.clone());
        Self { options, user, password, address, tls, plain }
    }

    /// The server that a URL names, with the URL's database selected if it names one.
    pub fn of_url(url: &DatabaseUrl) -> Self {
        let password = SecretString::from(url.password.clone());
        let server = Self::new(url.address.clone(), &url.user, &password, url.tls.as_ref());
        if url.name.is_empty() { server } else { server.with_schema(&url.name) }
    }

    /// A server on this machine, by its socket.
    pub fn socket(path: &Path, user: &str, password: &SecretString) -> Self {
        let address = DatabaseAddress::Socket(path.to_owned());
        Self { tls: TlsUse::Never, ..Self::new(address, user, password, None) }
    }

    /// A server by TCP, without TLS.
    pub fn tcp(host: &str, port: u16, user: &str, password: &SecretString) -> Self {
        let address = DatabaseAddress::Tcp { host: host.to_owned(), port };
        Self { tls: TlsUse::Never, ..Self::new(address, user, password, None) }
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
        let options = self.with_tls().await?;
        let mut places = self.places().into_iter().peekable();
        while let Some(place) = places.next() {
            let is_last = places.peek().is_none();
            let explain = |error: &sqlx::Error| LedgerError::of_connecting(error, &place.to_string());
            match self.connect_to(&place, options.clone()).await {
                Ok(mut connection) => {
                    prepare(&mut connection).await.map_err(|error| explain(&error))?;
                    return Ok(connection);
                }
                Err(sqlx::Error::Io(_)) if !is_last => {}
                Err(error) => {
                    // It may be another server the next time.
                    self.plain.store(false, Ordering::Relaxed);
                    return Err(explain(&error));
                }
            }
        }
        Err(self.late())
    }

    /// Returns the options with what the files for TLS hold now: they may have been renewed.
    async fn with_tls(&self) -> Result<MySqlConnectOptions, LedgerError> {
        let options = self.options.clone();
        match self.tls.clone() {
            TlsUse::Never => Ok(options.ssl_mode(MySqlSslMode::Disabled)),
            TlsUse::Offered => Ok(options.ssl_mode(MySqlSslMode::Preferred)),
            TlsUse::Asked(tls) => {
                spawn_blocking(move || with_files(options, &tls)).await.unwrap_or_else(|_| Err(self.late()))
            }
        }
    }

    async fn connect_to(
        &self,
        place: &ServerAddress,
        options: MySqlConnectOptions,
    ) -> Result<MySqlConnection, sqlx::Error> {
        let options = match (place, &self.tls) {
            (ServerAddress::Socket(path), TlsUse::Asked(_)) => {
                options.socket(path).ssl_mode(MySqlSslMode::Preferred)
            }
            (ServerAddress::Socket(path), TlsUse::Never | TlsUse::Offered) => options.socket(path),
            (ServerAddress::Tcp(host, port), _) => options.host(host).port(*port),
        };
        let is_offered = matches!(self.tls, TlsUse::Offered);
        if is_offered && self.plain.load(Ordering::Relaxed) {
            return self.open(place, options.ssl_mode(MySqlSslMode::Disabled)).await;
        }
        match self.open(place, options.clone()).await {
            Err(error) if is_offered && is_about_tls(&error) => {
                let opened = self.open(place, options.ssl_mode(MySqlSslMode::Disabled)).await?;
                self.plain.store(true, Ordering::Relaxed);
                Ok(opened)
            }
            opened => opened,
        }
    }

    async fn open(
        &self,
        place: &ServerAddress,
        options: MySqlConnectOptions,
    ) -> Result<MySqlConnection, sqlx::Error> {
        zmes_mysql::connect(&options, place, &self.user, &self.password).await
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

/// Requires TLS by these files.
fn with_files(options: MySqlConnectOptions, tls: &DatabaseTls) -> Result<MySqlConnectOptions, LedgerError> {
    let unread = |error: pemfile::PemError| LedgerError::new(LedgerFault::Unfit, error.told(), error.hint());
    let certificates = |path: &Path| pemfile::certificates(path).map_err(unread);
    let ca = pemfile::certificates_text(&certificates(&tls.ca)?);
    let mode = if tls.verify_server { MySqlSslMode::VerifyIdentity } else { MySqlSslMode::VerifyCa };
    let options = options.ssl_mode(mode).ssl_ca_from_pem(ca.into_bytes());
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
fn account(user: &str, password: &SecretString) -> MySqlConnectOptions {
    let options = MySqlConnectOptions::new()
        .username(user)
        .timezone(None)
        .statement_cache_capacity(128)
        .disable_statement_logging();
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
