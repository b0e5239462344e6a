//! Failures of the database in words that say what to do.

use sqlx::mysql::MySqlDatabaseError;

use super::cells::{Odd, clean};
use crate::config::DatabaseConfig;
use crate::ports::{DatabaseFault, DbError};

/// Longest text of a server that is repeated.
const SERVER_TEXT: usize = 200;

/// Why a question was not answered, before it is put into words.
#[derive(Debug)]
pub(super) enum Fault {
    /// No server answered at any of these places.
    Unreachable(Vec<(String, std::io::Error)>),
    /// The driver or the server said no.
    Sql(sqlx::Error),
    /// The answer is not what ZoneMinder's tables should hold.
    Answer(String),
    /// A table or column is missing, or hidden: a server only shows what the account may read.
    Missing(String),
}

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
    /// Says how far the way to the database goes.
    pub(super) fn kind(&self) -> DatabaseFault {
        match self {
            Self::Unreachable(_) => DatabaseFault::Unreachable,
            Self::Answer(_) => DatabaseFault::Other,
            Self::Missing(_) => DatabaseFault::Privileges,
            Self::Sql(error) => kind_of_sql(error),
        }
    }

    /// Turns the failure into what the ports know.
    pub(super) fn explain(self, database: &DatabaseConfig) -> DbError {
        let DatabaseConfig { user, name, .. } = database;
        match self {
            Self::Unreachable(places) => {
                let places: Vec<String> =
                    places.iter().map(|(place, error)| format!("{place}: {}", io(error))).collect();
                DbError::Unavailable(places.join("; "))
            }
            Self::Answer(what) => DbError::Unexpected(what),
            Self::Missing(what) => DbError::Unexpected(format!(
                "{what} is missing in database `{name}` or hidden from `{user}`; is it ZoneMinder's database? \
                 If so: GRANT SELECT ON `{name}`.* TO `{user}`"
            )),
            Self::Sql(error) => sql(&error, database),
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the standard library's list, not ours")]
fn io(error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        ErrorKind::NotFound => "no such socket".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        // What the TLS layer refuses reaches us as bad data: a certificate of another name or authority.
        ErrorKind::InvalidData => format!("TLS: {error}"),
        _ => error.to_string(),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the driver's list, not ours")]
fn sql(error: &sqlx::Error, database: &DatabaseConfig) -> DbError {
    match error {
        sqlx::Error::Database(refusal) => match refusal.try_downcast_ref::<MySqlDatabaseError>() {
            Some(refusal) => server(refusal.number(), refusal.message(), database),
            None => DbError::Unexpected(clean(refusal.message(), SERVER_TEXT)),
        },
        sqlx::Error::Protocol(text) => protocol(text, database),
        sqlx::Error::Io(cause) => DbError::Unavailable(format!("connection lost: {}", io(cause))),
        sqlx::Error::Tls(cause) => DbError::Unavailable(format!("TLS: {cause}")),
        sqlx::Error::Configuration(cause) => DbError::Unavailable(format!("configuration: {cause}")),
        other => DbError::Unexpected(clean(&other.to_string(), SERVER_TEXT)),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the driver's list, not ours")]
fn kind_of_sql(error: &sqlx::Error) -> DatabaseFault {
    let number = match error {
        sqlx::Error::Database(refusal) => {
            refusal.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number)
        }
        sqlx::Error::Protocol(text) if text.contains("authentication plugin") => return DatabaseFault::Login,
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) => return DatabaseFault::Unreachable,
        _ => None,
    };
    match number {
        Some(1045 | 1698 | 1251 | 1524) => DatabaseFault::Login,
        Some(1044 | 1142 | 1143) => DatabaseFault::Privileges,
        Some(1049) => DatabaseFault::NoDatabase,
        Some(1040 | 1203 | 1226 | 1129 | 1130 | 1053) => DatabaseFault::Unreachable,
        Some(_) | None => DatabaseFault::Other,
    }
}

/// The refusals that an operator meets, by MySQL's error numbers, which MariaDB shares.
fn server(number: u16, text: &str, database: &DatabaseConfig) -> DbError {
    let DatabaseConfig { user, name, .. } = database;
    let text = clean(text, SERVER_TEXT);
    match number {
        1045 | 1698 => DbError::Unavailable(format!(
            "access denied for `{user}`: check ZM_DB_USER and ZM_DB_PASS in zm.conf, or database-url ({text})"
        )),
        1044 => DbError::Unavailable(format!(
            "`{user}` may not use the database `{name}`: GRANT SELECT ON `{name}`.* TO `{user}` ({text})"
        )),
        1049 => DbError::Unavailable(format!(
            "there is no database `{name}`: check ZM_DB_NAME in zm.conf, or database-url"
        )),
        1142 | 1143 => DbError::Unexpected(format!(
            "`{user}` may not read all of ZoneMinder's tables: GRANT SELECT ON `{name}`.* TO `{user}` ({text})"
        )),
        1251 | 1524 => unknown_login(&text, database),
        // Too many connections, host blocked or unknown, shutting down, lock wait, statement time, killed.
        1040 | 1203 | 1226 | 1129 | 1130 | 1053 | 1205 | 1969 | 3024 | 1317 | 1927 => {
            DbError::Unavailable(format!("the server says: {text} ({number})"))
        }
        _ => DbError::Unexpected(format!("the server says: {text} ({number})")),
    }
}

fn protocol(text: &str, database: &DatabaseConfig) -> DbError {
    if text.contains("authentication plugin") {
        return unknown_login(text, database);
    }
    DbError::Unavailable(format!("protocol: {}", clean(text, SERVER_TEXT)))
}

/// `ed25519`, `parsec`, `gssapi` and what else the driver does not speak.
fn unknown_login(text: &str, database: &DatabaseConfig) -> DbError {
    let user = &database.user;
    DbError::Unavailable(format!(
        "`{user}` is to log in by a method that zmesd does not know ({}): ALTER USER `{user}` IDENTIFIED VIA \
         mysql_native_password USING PASSWORD('…') on MariaDB, or IDENTIFIED WITH caching_sha2_password on MySQL",
        clean(text, SERVER_TEXT)
    ))
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::*;
    use crate::config::DatabaseAddress;

    fn database() -> DatabaseConfig {
        DatabaseConfig {
            address: DatabaseAddress::Default,
            user: "zmuser".into(),
            password: "s3cret".to_owned().into(),
            name: "zm".into(),
            tls: None,
        }
    }

    #[test]
    fn every_place_that_was_tried_is_named() {
        let places = vec![
            ("/run/mysqld/mysqld.sock".to_owned(), Error::from(ErrorKind::PermissionDenied)),
            ("127.0.0.1:3306".to_owned(), Error::from(ErrorKind::ConnectionRefused)),
        ];
        let DbError::Unavailable(cause) = Fault::Unreachable(places).explain(&database()) else {
            panic!("an outage is no odd answer")
        };
        assert_eq!(cause, "/run/mysqld/mysqld.sock: permission denied; 127.0.0.1:3306: connection refused");
    }

    #[test]
    fn a_login_method_that_the_driver_does_not_speak_comes_with_its_cure() {
        let error = sqlx::Error::Protocol("unknown authentication plugin: client_ed25519".into());
        let cause = Fault::Sql(error).explain(&database()).to_string();
        assert!(cause.contains("client_ed25519") && cause.contains("mysql_native_password"), "{cause}");
    }

    #[test]
    fn a_refusal_says_what_to_grant() {
        let DbError::Unexpected(cause) = server(1142, "SELECT command denied\nto user", &database()) else {
            panic!("a missing privilege is no outage")
        };
        assert!(cause.contains("GRANT SELECT ON `zm`.* TO `zmuser`"), "{cause}");
        assert!(!cause.contains('\n'), "the server's text is cleaned");
    }
}
