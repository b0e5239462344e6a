//! Refusals of a server, by MySQL's error numbers, which MariaDB shares.

use super::{SERVER_TEXT, clean, correct, trouble};
use crate::conf::{DatabaseAddress, DatabaseConfig};
use crate::{DatabaseFault, DbError};

pub(super) fn explain(number: u16, text: &str, database: &DatabaseConfig) -> DbError {
    let DatabaseConfig { user, name, origin, .. } = database;
    let text = clean(text, SERVER_TEXT);
    let account = account(&text);
    let unavailable = |fault, message, hint| DbError::Unavailable(trouble(fault, message, hint));
    match number {
        // The server is there, but wants TLS: MySQL, MariaDB.
        3159 | 4031 => unavailable(
            DatabaseFault::Tls,
            format!("the server only accepts connections with TLS ({text})"),
            format!("set {} to the CA certificate of the server", origin.of("ZM_DB_SSL_CA_CERT")),
        ),
        1045 | 1698 => unavailable(
            DatabaseFault::Login,
            format!("access denied for `{user}` ({text})"),
            login_hint(number, database),
        ),
        1044 => {
            let message = format!("`{user}` may not use the database `{name}` ({text})");
            unavailable(DatabaseFault::Privileges, message, grant(account.as_deref(), database))
        }
        1049 => unavailable(
            DatabaseFault::Schema,
            format!("there is no database `{name}`"),
            format!("mysql -e 'SHOW DATABASES' shows them; {}", correct("ZM_DB_NAME", database)),
        ),
        1142 | 1143 => {
            let message = format!("`{user}` may not read all of ZoneMinder's tables ({text})");
            let hint = grant(account.as_deref(), database);
            DbError::Unexpected(trouble(DatabaseFault::Privileges, message, hint))
        }
        1251 | 1524 => plugin(&text, database),
        1129 | 1130 => unavailable(
            DatabaseFault::Busy,
            format!("the server does not accept connections from this machine ({text})"),
            "mysqladmin flush-hosts on the server; an account for this machine: CREATE USER 'USER'@'THIS-HOST'".into(),
        ),
        1040 | 1203 | 1226 => unavailable(
            DatabaseFault::Busy,
            format!("the server has too many connections ({text})"),
            "mysqladmin processlist shows them; raise max_connections in the server's configuration".to_owned(),
        ),
        // Shutting down, lock wait, statement time, killed.
        1053 | 1205 | 1317 | 1927 | 1969 | 3024 => {
            let hint = "mysqladmin processlist shows what blocks it; zmupdate.pl locks tables for long".to_owned();
            unavailable(DatabaseFault::Unreachable, format!("the server says: {text} ({number})"), hint)
        }
        _ => {
            let hint = format!("check the tables: mysqlcheck {name}");
            DbError::Unexpected(trouble(DatabaseFault::Other, format!("the server says: {text} ({number})"), hint))
        }
    }
}

/// Says how to log in; 1698 is for accounts tied to a system user (`unix_socket`, `auth_socket`).
fn login_hint(number: u16, database: &DatabaseConfig) -> String {
    let DatabaseConfig { user, name, origin, .. } = database;
    let place = match &database.address {
        DatabaseAddress::Tcp { host, port } => format!("-h {host} -P {port} "),
        DatabaseAddress::Socket(path) => format!("-S {} ", path.display()),
        DatabaseAddress::Default => String::new(),
    };
    let by_system = if number == 1698 {
        format!(
            "; an account that is bound to the system's user needs a password for zmesd: {}",
            native(user)
        )
    } else {
        String::new()
    };
    format!(
        "correct {} or {}, then: systemctl restart zmesd; to try a password: mysql {place}-u {user} -p {name}{by_system}",
        origin.of("ZM_DB_USER"),
        origin.of("ZM_DB_PASS"),
    )
}

/// A login method that zmesd does not support: `ed25519`, `parsec`, `gssapi` and others.
pub(super) fn plugin(name: &str, database: &DatabaseConfig) -> DbError {
    let user = &database.user;
    let (message, hint) = if name == "caching_sha2_password" {
        (
            format!("`{user}` cannot log in with caching_sha2_password without TLS"),
            format!(
                "switch TLS on in the server, or log in once by any other client (mysql -u {user} -p) after each of its \
                 starts, or: ALTER USER `{user}` IDENTIFIED WITH mysql_native_password BY '…'"
            ),
        )
    } else {
        let method = name.strip_prefix("client_").unwrap_or(name);
        (
            format!(
                "`{user}` uses a login method that zmesd does not support ({})",
                clean(method, SERVER_TEXT)
            ),
            format!(
                "MariaDB: {}; MySQL: ALTER USER `{user}` IDENTIFIED WITH caching_sha2_password BY '…'",
                native(user)
            ),
        )
    };
    DbError::Unavailable(trouble(DatabaseFault::Plugin, message, hint))
}

fn native(user: &str) -> String {
    format!("ALTER USER `{user}`@`localhost` IDENTIFIED VIA mysql_native_password USING PASSWORD('…')")
}

/// Returns the GRANT for an account, as the server names it in its refusal, if it does.
pub(super) fn grant(account: Option<&str>, database: &DatabaseConfig) -> String {
    let DatabaseConfig { user, name, .. } = database;
    let host = if database.address.is_local() { "localhost" } else { "%" };
    let account = account.map_or_else(|| format!("'{user}'@'{host}'"), str::to_owned);
    format!("mysql -e \"GRANT SELECT ON `{name}`.* TO {account}\"").replace('`', "\\`")
        + ", then: zmesctl monitors reload"
}

/// Returns the account that a refusal names: `'zmuser'@'localhost'`.
fn account(text: &str) -> Option<String> {
    let at = text.find("'@'")?;
    let start = text.get(..at)?.rfind('\'')?;
    let end = at + 3 + text.get(at + 3..)?.find('\'')?;
    text.get(start..=end).map(str::to_owned)
}
