//! Makes the ledger: the statements are shown first, then run.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use sqlx::{AssertSqlSafe, MySqlConnection, Row};

use super::tables::{NEEDS, STEPS, TABLES, VERSION};
use super::versions::ServerVersion;
use crate::fault::{LedgerError, LedgerFault, number};
use crate::line::{LedgerLine, Stop, Work, attempt};

/// Longest name of a schema, an account or a host.
const NAME: usize = 64;

/// The account that the nodes use.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its name.
    pub user: String,
    /// Where it may come from: `localhost`, `%`, `192.168.1.%`.
    pub host: String,
    /// The password of a new account; `None`: the account exists.
    pub password: Option<SecretString>,
}

/// One statement of a [`Plan`]. Displayed, it hides a password.
#[derive(Clone)]
pub struct Statement {
    text: String,
    shown: String,
}

impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.shown, f)
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Statement {
    /// Its first line: `CREATE TABLE IF NOT EXISTS` with the table.
    pub fn title(&self) -> &str {
        self.shown.lines().next().unwrap_or_default().trim_end_matches(" (")
    }
}

/// What is to be done to make a ledger, or to bring one up to date.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Version of the tables that exist; `None`: there is no ledger.
    pub found: Option<u64>,
    /// What is run, in this order. Each can be repeated.
    pub statements: Vec<Statement>,
}

impl Plan {
    /// Looks what exists, and says what is to be done. `admin` is a line without a schema, of an account that may create
    /// schemas and accounts.
    pub async fn make(admin: &mut LedgerLine, schema: &str, account: &Account) -> Result<Self, LedgerError> {
        let schema_name = name("schema", schema)?;
        let (server, found, tables) = attempt!(admin.statements(), |connection| {
            let server = ServerVersion::read(connection).await?;
            Ok((server, version(connection, schema).await?, tables(connection, schema).await?))
        })?;
        server.usable()?;
        usable(found)?;
        foreign(schema, &tables)?;
        let found = found.map(|found| found.is);
        // Each statement can be repeated: one that is lost is made again, whatever version is noted.
        let is_whole = TABLES.iter().all(|table| tables.iter().any(|name| name == table));
        let from = found.filter(|_| is_whole);
        let mut statements = vec![plain(format!("CREATE DATABASE IF NOT EXISTS {schema_name}"))];
        statements.push(plain(format!("USE {schema_name}")));
        for (version, steps) in STEPS.iter().filter(|(version, _)| from.is_none_or(|from| *version > from)) {
            statements.extend(steps.iter().map(|step| plain((*step).to_owned())));
            statements.push(plain(format!(
                "INSERT INTO `counter` (`name`, `value`) VALUES ('schema', {version}), ('schema-needs', {NEEDS}) \
                 ON DUPLICATE KEY UPDATE `value` = VALUES(`value`)"
            )));
        }
        statements.extend(grants(schema, account)?);
        Ok(Self { found, statements })
    }

    /// Runs it, within the deadline of the line: give it minutes. A failure names the statement; what was done before
    /// stays, and running the plan again goes on.
    pub async fn run(&self, admin: &mut LedgerLine) -> Result<(), LedgerError> {
        let statements = &self.statements;
        attempt!(admin.statements(), |connection| {
            // To change a large table may take minutes. MySQL does not know this limit.
            match sqlx::raw_sql("SET SESSION max_statement_time = 0").execute(&mut *connection).await {
                Ok(_) | Err(sqlx::Error::Database(_)) => {}
                Err(error) => return Err(error.into()),
            }
            for statement in statements {
                let run = sqlx::raw_sql(AssertSqlSafe(statement.text.clone())).execute(&mut *connection);
                run.await.map_err(|error| failed(statement, &error))?;
            }
            Ok(())
        })
    }
}

/// Names the statement that failed; a broken connection is a broken connection.
fn failed(statement: &Statement, error: &sqlx::Error) -> Stop {
    let explained = LedgerError::of(error);
    let message = format!("{}: {}", statement.title(), explained.message);
    Stop::Fault(LedgerError { message, ..explained })
}

/// Version of the tables that exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tables {
    pub(super) is: u64,
    /// Oldest program that can use them.
    pub(super) needs: u64,
}

/// Refuses tables that this program would not understand. Those of a newer version that has only added to them are fine:
/// nodes are upgraded one by one.
pub(super) fn usable(found: Option<Tables>) -> Result<(), LedgerError> {
    match found {
        Some(Tables { is, needs }) if needs > VERSION => Err(LedgerError::new(
            LedgerFault::NewSchema,
            format!(
                "the ledger has version {is}, for programs of version {needs} and later; this one has {VERSION}"
            ),
            "install the version of zmesd that the other nodes run",
        )),
        Some(_) | None => Ok(()),
    }
}

/// Returns the names of the tables that are in that schema.
async fn tables(connection: &mut MySqlConnection, schema: &str) -> Work<Vec<String>> {
    let sql =
        "SELECT `TABLE_NAME` AS `name` FROM information_schema.`TABLES` WHERE `TABLE_SCHEMA` = ? LIMIT 1000";
    let rows = sqlx::query(sql).bind(schema).persistent(false).fetch_all(connection).await?;
    Ok(rows.iter().map(|row| row.try_get("name")).collect::<Result<_, _>>()?)
}

/// Refuses a schema that holds something else: the account could read and change all of it.
fn foreign(schema: &str, tables: &[String]) -> Result<(), LedgerError> {
    let mut others = tables.iter().filter(|name| !TABLES.contains(&name.as_str()));
    let Some(first) = others.next() else { return Ok(()) };
    Err(LedgerError::new(
        LedgerFault::Unfit,
        format!("the schema {schema} has other tables ({first} and {} more)", others.count()),
        "the ledger needs a schema of its own: end the URL with /zmesd",
    ))
}

/// Returns the version of the tables of that schema; `None` where there are none.
pub(super) async fn version(connection: &mut MySqlConnection, schema: &str) -> Work<Option<Tables>> {
    let sql = format!(
        "SELECT CAST(MAX(IF(`name` = 'schema', `value`, NULL)) AS UNSIGNED), \
         CAST(MAX(IF(`name` = 'schema-needs', `value`, NULL)) AS UNSIGNED) FROM `{schema}`.`counter`"
    );
    match sqlx::query(AssertSqlSafe(sql)).persistent(false).fetch_one(connection).await {
        Ok(row) => {
            let (is, needs): (Option<u64>, Option<u64>) = (row.try_get(0)?, row.try_get(1)?);
            Ok(is.map(|is| Tables { is, needs: needs.unwrap_or(is) }))
        }
        // No such database, no such table.
        Err(error) if number(&error).is_some_and(|number| [1049, 1146].contains(&number)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn grants(schema: &str, account: &Account) -> Result<Vec<Statement>, LedgerError> {
    let (user, host) = (text("user", &account.user)?, text("host", &account.host)?);
    let mut statements = Vec::new();
    if let Some(password) = &account.password {
        let create =
            |password: &str| format!("CREATE USER IF NOT EXISTS {user}@{host} IDENTIFIED BY {password}");
        let text = create(&text("password", password.expose_secret())?);
        statements.push(Statement { text, shown: create("'…'") });
    }
    // In a GRANT, the `_` of a schema's name would stand for any character.
    let pattern = schema.replace('_', "\\_");
    statements.push(plain(format!("GRANT SELECT, INSERT, UPDATE, DELETE ON `{pattern}`.* TO {user}@{host}")));
    Ok(statements)
}

fn plain(text: String) -> Statement {
    Statement { shown: text.clone(), text }
}

/// Quotes a name.
pub(super) fn name(what: &str, name: &str) -> Result<String, LedgerError> {
    let fits = !name.is_empty() && name.len() <= NAME;
    if fits && name.chars().all(|character| character.is_ascii_alphanumeric() || "_-".contains(character)) {
        return Ok(format!("`{name}`"));
    }
    Err(unfit(what, "may have letters, digits, - and _"))
}

/// Quotes a text.
fn text(what: &str, text: &str) -> Result<String, LedgerError> {
    // Whether a backslash escapes depends on the server's sql_mode, so that it can be written in no safe way.
    if text.is_empty() || text.len() > 4 * NAME || text.contains(['\\', '\0', '\n', '\r']) {
        return Err(unfit(
            what,
            "must not be empty, longer than 256 bytes, or contain a backslash or a line break",
        ));
    }
    Ok(format!("'{}'", text.replace('\'', "''")))
}

fn unfit(what: &str, rule: &str) -> LedgerError {
    LedgerError::new(
        LedgerFault::Unfit,
        format!("the name or text of the {what} {rule}"),
        "choose another one",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown_and_no_text_leaves_its_quotes() {
        let account = Account {
            user: "o'brien".into(),
            host: "%".into(),
            password: Some("planted'; --".to_owned().into()),
        };
        let statements = grants("zm_esd", &account).unwrap();
        let shown: Vec<_> = statements.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "CREATE USER IF NOT EXISTS 'o''brien'@'%' IDENTIFIED BY '…'",
                "GRANT SELECT, INSERT, UPDATE, DELETE ON `zm\\_esd`.* TO 'o''brien'@'%'"
            ]
        );
        assert!(statements.iter().any(|statement| statement.text.ends_with("BY 'planted''; --'")));
        assert!(!format!("{statements:?} {account:?}").contains("planted"));
        for bad in ["a`b", "", "a b", "schema;"] {
            assert!(name("schema", bad).is_err(), "{bad}");
        }
        assert!(text("user", "a\\").is_err());
    }

    #[test]
    fn a_newer_ledger_is_refused_unless_it_has_only_more() {
        let newer = |needs| usable(Some(Tables { is: VERSION + 1, needs }));
        assert_eq!(newer(VERSION + 1).unwrap_err().fault, LedgerFault::NewSchema);
        assert!(newer(VERSION).is_ok() && usable(None).is_ok());
    }
}
