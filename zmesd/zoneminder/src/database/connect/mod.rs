//! Opens one connection: where, with or without TLS, and with which login method.
//!
//! Without a CA certificate in `zm.conf`, TLS is tried first (MySQL 8 wants it for the first login). If it fails, the
//! connection is made without TLS, as ZoneMinder does. With a CA, the server is always verified. A local socket is not
//! verified: nothing can be between.

mod tls_files;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use secrecy::ExposeSecret;
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::{ConnectOptions, MySqlConnection};
use tracing::{info, warn};

use self::tls_files::TlsTexts;
use super::explain::{Answer, Fault, TlsFault};
use crate::conf::DatabaseConfig;
use zmes_shared::database::ServerAddress;

/// Sent to each new session, one by one: no server knows all of them, and a refusal does no harm. The limits are the
/// server's side of [`super::DEADLINE`]: `zmupdate.pl` may lock a table for an hour, and abandoned statements must not
/// pile up behind it.
const SESSION: [&str; 5] = [
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET SESSION TRANSACTION READ ONLY",
    "SET SESSION lock_wait_timeout = 4",
    "SET SESSION max_statement_time = 5",
    "SET SESSION max_execution_time = 5000",
];

/// Opens connections to one database, and remembers whether TLS works.
#[derive(Debug)]
pub(super) struct Connector {
    pub(super) database: DatabaseConfig,
    /// Connect without TLS at once: it failed, and nothing has changed since.
    plain: AtomicBool,
    /// Why TLS was given up, as last logged.
    told: Mutex<Option<String>>,
    /// It was logged that the server is not verified.
    unverified: AtomicBool,
}

impl Connector {
    pub(super) fn new(database: DatabaseConfig) -> Self {
        let (plain, unverified) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { database, plain, told: Mutex::default(), unverified }
    }

    /// Reports that a connection broke: it may be another server now, so TLS is tried again.
    pub(super) fn failed(&self) {
        self.plain.store(false, Ordering::Relaxed);
    }

    /// Tries each place in turn until a server answers, also if it refuses.
    pub(super) async fn connect(&self) -> Answer<MySqlConnection> {
        let texts = TlsTexts::read(&self.database).await?;
        let mut silent = Vec::new();
        for place in ServerAddress::all(&self.database.address) {
            match self.connect_to(&place, texts.as_ref()).await {
                Ok(mut connection) => {
                    prepare(&mut connection).await?;
                    self.tell_unverified();
                    return Ok(connection);
                }
                Err(Fault::Sql(sqlx::Error::Io(error))) => silent.push((place, error)),
                Err(fault) => {
                    self.failed();
                    return Err(fault);
                }
            }
        }
        self.failed();
        Err(Fault::Unreachable(silent))
    }

    async fn connect_to(&self, place: &ServerAddress, texts: Option<&TlsTexts>) -> Answer<MySqlConnection> {
        if let Some(texts) = texts {
            let opened = self.open(place, Tls::Asked(texts)).await;
            return opened.map_err(|error| refused(place, error));
        }
        if self.plain.load(Ordering::Relaxed) {
            return Ok(self.open(place, Tls::Never).await?);
        }
        let first = match self.open(place, Tls::Offered).await {
            Ok(connection) => {
                self.tell_tls_again();
                return Ok(connection);
            }
            Err(error) => error,
        };
        let Some(reason) = TlsFault::of(&first) else { return Err(first.into()) };
        match self.open(place, Tls::Never).await {
            Ok(connection) => {
                self.plain.store(true, Ordering::Relaxed);
                self.tell_plain(place, &reason);
                Ok(connection)
            }
            // The cause was not TLS: the server does not answer any more.
            Err(error @ sqlx::Error::Io(_)) => Err(error.into()),
            Err(error) => Err(Fault::WithoutTls { error, reason }),
        }
    }

    async fn open(&self, place: &ServerAddress, tls: Tls<'_>) -> Result<MySqlConnection, sqlx::Error> {
        let DatabaseConfig { user, password, .. } = &self.database;
        zmes_mysql::connect(&self.options(place, tls), place, user, password).await
    }

    fn options(&self, place: &ServerAddress, tls: Tls<'_>) -> MySqlConnectOptions {
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
        let options = match place {
            ServerAddress::Socket(path) => options.socket(PathBuf::as_path(path)),
            ServerAddress::Tcp(host, port) => options.host(host).port(*port),
        };
        match tls {
            Tls::Never => options.ssl_mode(MySqlSslMode::Disabled),
            Tls::Offered => options.ssl_mode(MySqlSslMode::Preferred),
            Tls::Asked(texts) => texts.apply(options, place),
        }
    }

    /// Logs once that TLS was given up, and again if the reason changes.
    fn tell_plain(&self, place: &ServerAddress, reason: &TlsFault) {
        let reason = reason.sentence();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.as_ref() != Some(&reason) {
            warn!(%place, %reason, "connected to the database without TLS, which no CA certificate asks for");
            *told = Some(reason);
        }
    }

    fn tell_tls_again(&self) {
        if self.told.lock().unwrap_or_else(PoisonError::into_inner).take().is_some() {
            info!("connected to the database with TLS again");
        }
    }

    fn tell_unverified(&self) {
        let Some((message, hint)) = self.database.unverified() else { return };
        if !self.unverified.swap(true, Ordering::Relaxed) {
            warn!(hint, "{message}");
        }
    }
}

/// Whether a connection uses TLS.
#[derive(Debug, Clone, Copy)]
enum Tls<'t> {
    Never,
    /// Where the server offers it, unverified.
    Offered,
    /// Yes, by these files.
    Asked(&'t TlsTexts),
}

/// Separates failures of TLS from others, if TLS was used.
fn refused(place: &ServerAddress, error: sqlx::Error) -> Fault {
    match TlsFault::of(&error) {
        Some(fault) => Fault::Tls { place: place.clone(), fault },
        None => Fault::Sql(error),
    }
}

/// Sends [`SESSION`]. The server may refuse parts of it; a broken connection is an error.
async fn prepare(connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
    for statement in SESSION {
        match sqlx::raw_sql(statement).execute(&mut *connection).await {
            Ok(_) | Err(sqlx::Error::Database(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
