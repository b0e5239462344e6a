//! Which database server it is, and whether an account exists there: looked at before a ledger is made.

use std::fmt;

use sqlx::{MySqlConnection, Row};

use super::plan::Account;
use crate::fault::{LedgerError, LedgerFault, number};
use crate::line::{LedgerLine, Work, attempt};

/// Oldest servers that know what the statements need.
const MARIADB: (u32, u32) = (10, 5);
const MYSQL: (u32, u32) = (8, 0);
/// Refusals to read the list of accounts: access to the database, the table, a column.
const HIDDEN: [u16; 3] = [1044, 1142, 1143];

/// Name and version of a database server. Displayed: `MariaDB 10.11.19`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerVersion {
    /// It is MariaDB; else MySQL, or what calls itself so.
    pub is_mariadb: bool,
    /// `10.11.19`
    pub number: String,
    /// Its first two numbers.
    pub series: (u32, u32),
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", if self.is_mariadb { "MariaDB" } else { "MySQL" }, self.number)
    }
}

impl ServerVersion {
    /// Reads `VERSION()`: `10.11.19-MariaDB-0+deb12u1`, `8.0.36-0ubuntu0.22.04.1`.
    fn parse(text: &str) -> Self {
        let digits = |character: char| character.is_ascii_digit() || character == '.';
        let number: String = text.chars().take_while(|&character| digits(character)).take(20).collect();
        let mut parts = number.split('.').map(|part| part.parse().unwrap_or(0));
        let series = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        Self { is_mariadb: text.contains("MariaDB"), number, series }
    }

    pub(super) async fn read(connection: &mut MySqlConnection) -> Work<Self> {
        let row = sqlx::query("SELECT VERSION()").fetch_one(connection).await?;
        Ok(Self::parse(&row.try_get::<String, _>(0)?))
    }

    /// Refuses a server that is too old.
    pub(super) fn usable(&self) -> Result<(), LedgerError> {
        let least = if self.is_mariadb { MARIADB } else { MYSQL };
        if self.series >= least {
            return Ok(());
        }
        Err(LedgerError::new(
            LedgerFault::Other,
            format!("the server is {self}: the ledger needs MariaDB 10.5 or MySQL 8.0, or later"),
            "upgrade the database server first; ZoneMinder works with the newer ones, too",
        ))
    }
}

/// Returns which server it is.
pub async fn server_version(line: &mut LedgerLine) -> Result<ServerVersion, LedgerError> {
    attempt!(line.statements(), |connection| { ServerVersion::read(connection).await })
}

/// Says whether the account exists; `None`: who asks may not know.
pub async fn account_exists(line: &mut LedgerLine, account: &Account) -> Result<Option<bool>, LedgerError> {
    attempt!(line.statements(), |connection| {
        let sql = "SELECT COUNT(*) FROM `mysql`.`user` WHERE `User` = ? AND `Host` = ?";
        let query = sqlx::query(sql).bind(&account.user).bind(&account.host).persistent(false);
        match query.fetch_one(connection).await {
            Ok(row) => Ok(Some(row.try_get::<i64, _>(0)? > 0)),
            Err(error) if number(&error).is_some_and(|number| HIDDEN.contains(&number)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_too_old_is_refused_by_name() {
        for (text, shown) in [
            ("10.11.19-MariaDB-0+deb12u1", "MariaDB 10.11.19"),
            ("11.4.2-MariaDB-ubu2404-log", "MariaDB 11.4.2"),
            ("8.0.36-0ubuntu0.22.04.1", "MySQL 8.0.36"),
            ("8.4.3", "MySQL 8.4.3"),
        ] {
            let version = ServerVersion::parse(text);
            assert_eq!(version.to_string(), shown);
            assert!(version.usable().is_ok(), "{text}");
        }
        for text in ["10.3.39-MariaDB-0+deb10u1", "5.7.44-log", "10.4.34-MariaDB", "nonsense", ""] {
            let error = ServerVersion::parse(text).usable().unwrap_err();
            assert!(error.message.contains("needs MariaDB 10.5 or MySQL 8.0"), "{text}: {error}");
        }
    }
}
