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
    options: MySqlConnectOptions,
    place: String,
    /// TLS is offered and not asked for: where it fails, the connection is made without it.
    is_tls_offered: bool,
}

/// The options hold the password.
impl fmt::Debug for LedgerServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LedgerServer").field("place", &self.place).finish_non_exhaustive()
    }
}

impl LedgerServer {
    /// A server with these options; `place` names it in sentences, without a password.
    pub fn new(options: MySqlConnectOptions, place: String) -> Self {
        let options = options.statement_cache_capacity(128).disable_statement_logging();
        Self { options, place, is_tls_offered: false }
    }

    /// The server that a URL names, with the URL's database selected if it names one. Reads the files of its `ssl-ca` and
    /// so on, with which TLS is required; without them it is offered, and not verified.
    pub fn of_url(url: &DatabaseUrl) -> Result<Self, LedgerError> {
        let (options, place) = account_at(&url.address, &url.user, &SecretString::from(url.password.clone()));
        let options = match &url.tls {
            None => options.ssl_mode(MySqlSslMode::Preferred),
            Some(tls) => {
                // Over a socket nobody can stand between, and the server has no name there.
                let mode = match place {
                    ServerAddress::Socket(_) => MySqlSslMode::Preferred,
                    ServerAddress::Tcp(..) if tls.verify_server => MySqlSslMode::VerifyIdentity,
                    ServerAddress::Tcp(..) => MySqlSslMode::VerifyCa,
                };
                with_files(options.ssl_mode(mode), tls)?
            }
        };
        let options = if url.name.is_empty() { options } else { options.database(&url.name) };
        Ok(Self { is_tls_offered: url.tls.is_none(), ..Self::new(options, place.to_string()) })
    }

    /// A server on this machine, by its socket.
    pub fn socket(path: &Path, user: &str, password: &SecretString) -> Self {
        let options = account(user, password).socket(path);
        Self::new(options, path.display().to_string())
    }

    /// A server by TCP, without TLS.
    pub fn tcp(host: &str, port: u16, user: &str, password: &SecretString) -> Self {
        let options = account(user, password).host(host).port(port).ssl_mode(MySqlSslMode::Disabled);
        Self::new(options, format!("{host}:{port}"))
    }

    /// The same server, with this schema selected.
    #[must_use]
    pub fn with_schema(mut self, schema: &str) -> Self {
        self.options = self.options.database(schema);
        self
    }

    /// Where it is: `/run/mysqld/mysqld.sock`, `db.example.org:3306`.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Connects and sets the session up.
    pub(crate) async fn connect(&self) -> Result<MySqlConnection, LedgerError> {
        let explain = |error: &sqlx::Error| LedgerError::of_connecting(error, &self.place);
        let mut connection = match self.options.connect().await {
            Err(error) if self.is_tls_offered && is_about_tls(&error) => {
                self.options.clone().ssl_mode(MySqlSslMode::Disabled).connect().await
            }
            opened => opened,
        }
        .map_err(|error| explain(&error))?;
        for statement in REQUIRED {
            let said = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await;
            said.map_err(|error| explain(&error))?;
        }
        for statement in WELCOME {
            match sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await {
                Ok(_) | Err(sqlx::Error::Database(_)) => {}
                Err(error) => return Err(explain(&error)),
            }
        }
        Ok(connection)
    }

    /// What is said when it does not answer in time.
    pub(crate) fn late(&self) -> LedgerError {
        LedgerError::new(
            LedgerFault::Late,
            format!("no answer from the database at {} in time", self.place),
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

/// Returns the options for an account at a server, without TLS or a schema, and where the server is: the first place where
/// it may be at this moment.
pub fn account_at(
    address: &DatabaseAddress,
    user: &str,
    password: &SecretString,
) -> (MySqlConnectOptions, ServerAddress) {
    let place = ServerAddress::all(address).into_iter().next();
    let place = place.unwrap_or_else(|| ServerAddress::Tcp("127.0.0.1".to_owned(), 3306));
    let options = account(user, password);
    let options = match &place {
        ServerAddress::Socket(path) => options.socket(path),
        ServerAddress::Tcp(host, port) => options.host(host).port(*port),
    };
    (options, place)
}

fn account(user: &str, password: &SecretString) -> MySqlConnectOptions {
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
