//! Connections to the database server: where it is, how to log in, and which are free.
//!
//! This is not sqlx's own pool because that one retries a refused connection by itself until its time is up and then
//! only says that it timed out, and because it keeps the address it was made with. Here every attempt looks anew which
//! socket exists, and the first honest reason comes back at once.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use secrecy::ExposeSecret;
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::{ConnectOptions, Connection, MySqlConnection};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::explain::Fault;
use crate::config::{DatabaseAddress, DatabaseConfig};

/// Connections at the same time. ZoneMinder itself uses one or two per monitor of the server's usual 151; logins are
/// short and queue here rather than there.
const CONNECTIONS: usize = 4;

/// Where distributions put the socket that `localhost` means: Debian, its older name, Red Hat, SUSE, upstream.
const SOCKETS: [&str; 5] = [
    "/run/mysqld/mysqld.sock",
    "/var/run/mysqld/mysqld.sock",
    "/var/lib/mysql/mysql.sock",
    "/run/mysql/mysql.sock",
    "/tmp/mysql.sock",
];

/// Said to each new session, one by one, because no server knows them all: an old or a different one refuses some,
/// which is fine. The limits are the server's half of [`super::DEADLINE`]: a statement that nobody waits for any more
/// must not wait on for a table that `zmupdate.pl` holds for an hour, and pile up there.
const SESSION: [&str; 5] = [
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET SESSION TRANSACTION READ ONLY",
    "SET SESSION lock_wait_timeout = 4",
    "SET SESSION max_statement_time = 5",
    "SET SESSION max_execution_time = 5000",
];

/// The connections of one database.
#[derive(Debug)]
pub(super) struct Pool {
    database: DatabaseConfig,
    permits: Semaphore,
    idle: Mutex<Vec<MySqlConnection>>,
}

impl Pool {
    pub(super) fn new(database: DatabaseConfig) -> Self {
        Self { database, permits: Semaphore::new(CONNECTIONS), idle: Mutex::default() }
    }

    /// Returns what the connections lead to.
    pub(super) fn database(&self) -> &DatabaseConfig {
        &self.database
    }

    /// Returns where the database is, in words.
    pub(super) fn place(&self) -> String {
        match &self.database.address {
            DatabaseAddress::Default => "the database on this machine".to_owned(),
            DatabaseAddress::Socket(path) => Place::Socket(path.clone()).to_string(),
            DatabaseAddress::Tcp { host, port } => Place::Tcp(host.clone(), *port).to_string(),
        }
    }

    /// Waits for a free connection; makes one where there is none or the old ones are dead.
    pub(super) async fn take(&self) -> Result<Lease<'_>, Fault> {
        let permit = self.permits.acquire().await.map_err(|_closed| sqlx::Error::PoolClosed)?;
        while let Some(mut connection) = self.pop() {
            if connection.ping().await.is_ok() {
                return Ok(Lease { pool: self, connection, _permit: permit });
            }
        }
        let connection = Box::pin(self.connect()).await?;
        Ok(Lease { pool: self, connection, _permit: permit })
    }

    fn pop(&self) -> Option<MySqlConnection> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Tries each place in turn until a server answers, be it with a refusal.
    async fn connect(&self) -> Result<MySqlConnection, Fault> {
        let mut silent = Vec::new();
        for place in self.places() {
            match self.options(&place).connect().await {
                Ok(mut connection) => {
                    prepare(&mut connection).await?;
                    return Ok(connection);
                }
                Err(sqlx::Error::Io(error)) => silent.push((place.to_string(), error)),
                Err(error) => return Err(Fault::Sql(error)),
            }
        }
        Err(Fault::Unreachable(silent))
    }

    /// Returns where the server may be at this moment: a socket may have appeared since the last time.
    fn places(&self) -> Vec<Place> {
        match &self.database.address {
            DatabaseAddress::Socket(path) => vec![Place::Socket(path.clone())],
            DatabaseAddress::Tcp { host, port } => vec![Place::Tcp(host.clone(), *port)],
            DatabaseAddress::Default => this_machine(SOCKETS.iter().map(PathBuf::from)),
        }
    }

    fn options(&self, place: &Place) -> MySqlConnectOptions {
        let mut options = MySqlConnectOptions::new()
            .username(&self.database.user)
            .database(&self.database.name)
            // Without this sqlx sets UTC, and the age of an event, which is stored in local time, is hours off.
            .timezone(None)
            .statement_cache_capacity(32)
            .disable_statement_logging();
        let password = self.database.password.expose_secret();
        if !password.is_empty() {
            // An empty password must be left out: scrambled it is a wrong one.
            options = options.password(password);
        }
        match place {
            // TLS is used where the server offers it, on a socket too: MySQL 8 wants it for the first login.
            Place::Socket(path) => options.socket(path),
            Place::Tcp(host, port) => self.with_tls(options.host(host).port(*port)),
        }
    }

    fn with_tls(&self, options: MySqlConnectOptions) -> MySqlConnectOptions {
        let Some(tls) = &self.database.tls else { return options };
        let mode = if tls.verify_server { MySqlSslMode::VerifyIdentity } else { MySqlSslMode::VerifyCa };
        let options = options.ssl_mode(mode).ssl_ca(&tls.ca);
        match &tls.client {
            Some((certificate, key)) => options.ssl_client_cert(certificate).ssl_client_key(key),
            None => options,
        }
    }
}

/// Returns where a server on this machine may be, as MySQL's own clients understand `localhost`.
fn this_machine(sockets: impl Iterator<Item = PathBuf>) -> Vec<Place> {
    let tcp = Place::Tcp("127.0.0.1".to_owned(), 3306);
    sockets.filter(|path| path.exists()).map(Place::Socket).chain([tcp]).collect()
}

/// Says [`SESSION`]; a refusal of the server is no fault, a broken connection is.
async fn prepare(connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
    for statement in SESSION {
        match sqlx::raw_sql(statement).execute(&mut *connection).await {
            Ok(_) | Err(sqlx::Error::Database(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// One address of a server.
#[derive(Debug)]
enum Place {
    Socket(PathBuf),
    Tcp(String, u16),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "{}", path.display()),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
        }
    }
}

/// A connection in use. It is only used again if [`keep`](Lease::keep) is called: after a failure, or when a deadline
/// cut a statement short, nobody knows what is still to come on it.
#[derive(Debug)]
pub(super) struct Lease<'a> {
    pool: &'a Pool,
    connection: MySqlConnection,
    _permit: SemaphorePermit<'a>,
}

impl Lease<'_> {
    /// Gives the connection back for others.
    pub(super) fn keep(self) {
        self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(self.connection);
    }
}

impl Deref for Lease<'_> {
    type Target = MySqlConnection;

    fn deref(&self) -> &MySqlConnection {
        &self.connection
    }
}

impl DerefMut for Lease<'_> {
    fn deref_mut(&mut self) -> &mut MySqlConnection {
        &mut self.connection
    }
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
