//! Describes failures of the database: what to do, and in which line of which file.
//!
//! Doctor, `check db`, `status` and the log all use these sentences.

mod refusal;
mod tls;

pub(super) use tls::TlsFault;

use std::io;

use sqlx::mysql::MySqlDatabaseError;
use tracing::debug;
use zmes_files::pemfile::PemError;

use super::cells::{Odd, clean};
use crate::conf::{DatabaseAddress, DatabaseConfig};
use crate::{DatabaseFault, DatabaseTrouble, DbError};
use zmes_shared::database::ServerAddress;

/// Maximum length of a server's text in a message.
const SERVER_TEXT: usize = 200;

/// Why a query failed, before it is described.
#[derive(Debug)]
pub(super) enum Fault {
    /// No server answered at any of these places.
    Unreachable(Vec<(ServerAddress, io::Error)>),
    /// TLS was asked for and is not possible.
    Tls {
        place: ServerAddress,
        fault: TlsFault,
    },
    /// TLS was offered and failed, and without TLS the server refused.
    WithoutTls {
        error: sqlx::Error,
        reason: TlsFault,
    },
    /// A file named in `zm.conf` is missing or wrong.
    File {
        name: &'static str,
        problem: PemError,
    },
    Sql(sqlx::Error),
    /// The answer is not what ZoneMinder's tables contain.
    Answer(String),
    /// There is no server of that name in `Servers`.
    NoServer(String),
    /// A table or column is missing, or hidden: a server only shows what the account may read.
    Missing(String),
}

/// The outcome of a query.
pub(super) type Answer<T> = Result<T, Fault>;

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<Odd> for Fault {
    fn from(odd: Odd) -> Self {
        Self::Answer(odd.to_string())
    }
}

impl Fault {
    /// Converts the failure to the ports' error.
    pub(super) fn explain(self, database: &DatabaseConfig) -> DbError {
        let DatabaseConfig { user, name, origin, .. } = database;
        match self {
            Self::Unreachable(places) => DbError::Unavailable(unreachable(&places, database)),
            Self::Tls { place, fault } => DbError::Unavailable(fault.trouble(&place, database)),
            Self::WithoutTls { error, reason } => match Self::Sql(error).explain(database) {
                DbError::Unavailable(trouble) => DbError::Unavailable(reason.beside(trouble, database)),
                unexpected @ DbError::Unexpected(_) => unexpected,
            },
            Self::File { name, problem } => DbError::Unavailable(trouble(
                DatabaseFault::File,
                problem.told(),
                file_hint(name, &problem, database),
            )),
            Self::Answer(what) => {
                let hint = format!("check the tables: mysqlcheck {name}; journalctl -u zmesd -n 50");
                DbError::Unexpected(trouble(DatabaseFault::Other, what, hint))
            }
            Self::NoServer(server) => DbError::Unexpected(trouble(
                DatabaseFault::Schema,
                format!("no server `{server}` in table `Servers`"),
                format!(
                    "mysql {name} -e 'SELECT Id, Name FROM Servers' shows the names; correct {}, or set \
                     zoneminder.server-id",
                    origin.of_server()
                ),
            )),
            Self::Missing(what) => DbError::Unexpected(trouble(
                DatabaseFault::Privileges,
                format!("{what} is missing in database `{name}` or hidden from `{user}`"),
                format!(
                    "if `{name}` is ZoneMinder's database: {}; if not: {}",
                    refusal::grant(None, database),
                    correct("ZM_DB_NAME", database)
                ),
            )),
            Self::Sql(error) => sql(&error, database),
        }
    }
}

/// Names a value of `zm.conf` to change; the database's address is only read at the start.
fn correct(name: &'static str, database: &DatabaseConfig) -> String {
    format!("correct {}, then: systemctl restart zmesd", database.origin.of(name))
}

fn trouble(fault: DatabaseFault, message: String, hint: String) -> DatabaseTrouble {
    DatabaseTrouble { fault, message, hint }
}

/// Says why no server answered, with the hint for the first reason.
fn unreachable(places: &[(ServerAddress, io::Error)], database: &DatabaseConfig) -> DatabaseTrouble {
    let message: Vec<String> =
        places.iter().map(|(place, error)| format!("{place}: {}", io(error))).collect();
    let message = message.join("; ");
    let denied = places.iter().find(|(_, error)| error.kind() == io::ErrorKind::PermissionDenied);
    if let Some((ServerAddress::Socket(path), _)) = denied {
        let hint = format!("namei -l {} shows which directory zmesd's user cannot enter", path.display());
        return trouble(DatabaseFault::Unreachable, message, hint);
    }
    if let Some((ServerAddress::Tcp(host, _), _)) = places.iter().find(|(_, error)| is_unknown_name(error)) {
        let hint = format!(
            "getent hosts {host} shows how this machine resolves it; else {}",
            correct("ZM_DB_HOST", database)
        );
        return trouble(DatabaseFault::Name, message, hint);
    }
    let hint = match &database.address {
        DatabaseAddress::Default => "systemctl start mariadb".to_owned(),
        DatabaseAddress::Socket(_) => format!(
            "systemctl start mariadb; if it runs, mysqladmin variables | grep -w socket shows where, and {}",
            correct("ZM_DB_HOST", database)
        ),
        DatabaseAddress::Tcp { .. } if database.address.is_local() => {
            format!("systemctl start mariadb; if it runs, {}", correct("ZM_DB_HOST", database))
        }
        DatabaseAddress::Tcp { host, port } => format!(
            "mysqladmin -h {host} -P {port} ping; on that machine: systemctl start mariadb, and its bind-address must \
             admit this one; else {}",
            correct("ZM_DB_HOST", database)
        ),
    };
    trouble(DatabaseFault::Unreachable, message, hint)
}

/// The resolver's failures have no kind of their own in the standard library.
fn is_unknown_name(error: &io::Error) -> bool {
    error.raw_os_error().is_none() && error.to_string().contains("failed to lookup address")
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the standard library's list, not ours")]
fn io(error: &io::Error) -> String {
    use io::ErrorKind;
    if is_unknown_name(error) {
        return "the name is not known".to_owned();
    }
    match error.kind() {
        ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        ErrorKind::NotFound => "no such socket".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        ErrorKind::HostUnreachable => "no route to the host".to_owned(),
        ErrorKind::NetworkUnreachable => "the network cannot be reached".to_owned(),
        ErrorKind::TimedOut => "no answer in time".to_owned(),
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
            "the connection was cut".to_owned()
        }
        ErrorKind::UnexpectedEof => "the server closed the connection".to_owned(),
        kind => kind.to_string(),
    }
}

fn file_hint(name: &'static str, problem: &PemError, database: &DatabaseConfig) -> String {
    format!("{} (named by {})", problem.hint(), database.origin.of(name))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the driver's list, not ours")]
fn sql(error: &sqlx::Error, database: &DatabaseConfig) -> DbError {
    // The driver's text is for developers: it is only logged at level debug.
    debug!(%error, "the database's driver failed");
    let place = ServerAddress::describe(&database.address);
    match error {
        sqlx::Error::Database(refusal) => match refusal.try_downcast_ref::<MySqlDatabaseError>() {
            Some(refusal) => refusal::explain(refusal.number(), refusal.message(), database),
            None => strange(&place, database),
        },
        sqlx::Error::Protocol(text) => match text.split_once("unknown authentication plugin: ") {
            Some((_, rest)) => refusal::plugin(first_word(rest), database),
            None if text.contains("cleartext") => refusal::plugin("mysql_clear_password", database),
            None => strange(&place, database),
        },
        sqlx::Error::Configuration(cause) if cause.to_string().contains("RSA") => {
            refusal::plugin("caching_sha2_password", database)
        }
        sqlx::Error::Io(cause) => {
            let hint = "systemctl status mariadb; did it restart?".to_owned();
            let message = format!("{place}: connection lost: {}", io(cause));
            DbError::Unavailable(trouble(DatabaseFault::Unreachable, message, hint))
        }
        sqlx::Error::Decode(_)
        | sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::RowNotFound
        | sqlx::Error::TypeNotFound { .. } => {
            let hint = format!("mysqlcheck {}; zmesctl log level debug shows the details", database.name);
            let message = format!("{place}: an answer cannot be read");
            DbError::Unexpected(trouble(DatabaseFault::Other, message, hint))
        }
        _ => strange(&place, database),
    }
}

/// What answers is not a database server.
fn strange(place: &str, database: &DatabaseConfig) -> DbError {
    let hint = format!(
        "is a MySQL or MariaDB server behind {}? zmesctl log level debug shows the details",
        database.origin.of("ZM_DB_HOST")
    );
    let message = format!("{place}: the peer does not speak MySQL's protocol");
    DbError::Unavailable(trouble(DatabaseFault::Other, message, hint))
}

/// Returns the first word of a driver's text, whose rest is a position in its source.
fn first_word(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or("unknown")
}

#[cfg(test)]
mod tests;
