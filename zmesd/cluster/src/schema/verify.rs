//! Whether the ledger is as it should be, as findings for `doctor`.

use jiff::Timestamp;
use sqlx::{AssertSqlSafe, MySqlConnection, Row};
use zmes_shared::views::{CLUSTER_CLOCK_MS, Severity};

use super::plan::{Tables, usable, version};
use super::tables::{TABLES, VERSION};
use crate::fault::LedgerError;
use crate::line::{LedgerLine, Work, attempt};
use crate::times;

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Check {
    /// The tables are there, of the right version, and `InnoDB`.
    Schema,
    /// The account may do what is needed, and no more.
    Grants,
    /// Transactions mean what the statements take them to mean.
    Isolation,
    /// What was written survives a crash of the server.
    Durability,
    /// The clocks of database and node agree.
    Clock,
    /// The Galera member has a quorum and notices quickly that another one is gone.
    Galera,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckFinding {
    /// What was looked at.
    pub check: Check,
    /// How severe it is.
    pub severity: Severity,
    /// What was found.
    pub detail: String,
    /// What to do about it; empty where all is well.
    pub hint: String,
}

/// By how much the database's clock is ahead of the node's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockOffset {
    /// Milliseconds; negative: it is behind.
    pub ms: i64,
    /// Time for the answer: the offset is known to half of this.
    pub round_trip_ms: i64,
}

impl ClockOffset {
    /// Says whether the clocks agree, as far as can be known.
    pub fn agrees(self) -> bool {
        self.ms.abs() - self.round_trip_ms / 2 <= CLUSTER_CLOCK_MS
    }
}

/// Compares the clocks. `wall` tells the node's time.
pub async fn clock_offset(
    line: &mut LedgerLine,
    wall: impl Fn() -> Timestamp + Send + Sync,
) -> Result<ClockOffset, LedgerError> {
    attempt!(line.statements(), |connection| { offset(connection, &wall).await })
}

/// Looks at everything. An error: the database does not answer, or lets the account do nothing.
pub async fn verify(
    line: &mut LedgerLine,
    wall: impl Fn() -> Timestamp + Send + Sync,
) -> Result<Vec<CheckFinding>, LedgerError> {
    attempt!(line.statements(), |connection| {
        let mut findings = vec![schema(connection).await?];
        // Without tables nothing can be said of the rest.
        if findings.iter().all(|finding| finding.severity < Severity::Error) {
            findings.push(grants(connection).await?);
        }
        let variables = Variables::read(connection).await?;
        findings.push(isolation(&variables));
        findings.push(durability(&variables));
        findings.push(clock(offset(connection, &wall).await?));
        findings.extend(galera(connection, &variables).await?);
        Ok(findings)
    })
}

fn fine(check: Check, detail: impl Into<String>) -> CheckFinding {
    CheckFinding { check, severity: Severity::Ok, detail: detail.into(), hint: String::new() }
}

fn warning(check: Check, detail: impl Into<String>, hint: &str) -> CheckFinding {
    CheckFinding { check, severity: Severity::Warning, detail: detail.into(), hint: hint.to_owned() }
}

fn critical(check: Check, detail: impl Into<String>, hint: &str) -> CheckFinding {
    CheckFinding { check, severity: Severity::Error, detail: detail.into(), hint: hint.to_owned() }
}

const INIT: &str = "zmesctl cluster init --database-url URL (an administrator's)";

async fn schema(connection: &mut MySqlConnection) -> Work<CheckFinding> {
    let name: Option<String> =
        sqlx::query("SELECT DATABASE()").fetch_one(&mut *connection).await?.try_get(0)?;
    let Some(name) = name else {
        return Ok(critical(Check::Schema, "no schema is selected", "name it in [cluster] database-url"));
    };
    let found = version(connection, &name).await?;
    if let Err(error) = usable(found) {
        return Ok(critical(Check::Schema, error.message, &error.hint));
    }
    let Some(Tables { is, .. }) = found else {
        return Ok(critical(Check::Schema, format!("there is no ledger in the schema {name}"), INIT));
    };
    if is < VERSION {
        let detail = format!("the ledger has version {is}, this program needs {VERSION}");
        return Ok(critical(Check::Schema, detail, INIT));
    }
    let sql = "SELECT `TABLE_NAME` AS `name`, `ENGINE` AS `engine` FROM information_schema.`TABLES` \
               WHERE `TABLE_SCHEMA` = DATABASE()";
    let rows = sqlx::query(sql).fetch_all(&mut *connection).await?;
    let mut tables = Vec::with_capacity(rows.len());
    for row in &rows {
        tables.push((row.try_get::<String, _>("name")?, row.try_get::<Option<String>, _>("engine")?));
    }
    for needed in TABLES {
        let Some((_, engine)) = tables.iter().find(|(name, _)| name == needed) else {
            return Ok(critical(Check::Schema, format!("the table {needed} is missing"), INIT));
        };
        if engine.as_deref() != Some("InnoDB") {
            let detail = format!("the table {needed} is not InnoDB: it has no transactions");
            return Ok(critical(Check::Schema, detail, &format!("ALTER TABLE {needed} ENGINE=InnoDB")));
        }
    }
    Ok(fine(Check::Schema, format!("schema {name}, version {is}")))
}

/// Tries each statement on no row at all: the server checks the rights all the same.
async fn grants(connection: &mut MySqlConnection) -> Work<CheckFinding> {
    const COLUMNS: [(&str, &str); 9] = [
        ("counter", "name"),
        ("node", "id"),
        ("alarm", "node"),
        ("record", "id"),
        ("told", "handle"),
        ("badge", "handle"),
        ("done", "node"),
        ("lease", "name"),
        ("secret", "name"),
    ];
    for (table, column) in COLUMNS {
        let tries = [
            ("SELECT", format!("SELECT `{column}` FROM `{table}` LIMIT 0")),
            ("UPDATE", format!("UPDATE `{table}` SET `{column}` = `{column}` WHERE FALSE")),
            ("DELETE", format!("DELETE FROM `{table}` WHERE FALSE")),
            ("INSERT", format!("INSERT INTO `{table}` SELECT * FROM `{table}` WHERE FALSE")),
        ];
        for (right, sql) in tries {
            match sqlx::query(AssertSqlSafe(sql)).persistent(false).execute(&mut *connection).await {
                Ok(_) => {}
                Err(error @ sqlx::Error::Database(_)) => {
                    let refused = LedgerError::of(&error).message;
                    let detail = format!("{right} on {table} is refused: {refused}");
                    return Ok(critical(Check::Grants, detail, INIT));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    let sql = "SELECT DISTINCT `PRIVILEGE_TYPE` FROM information_schema.`USER_PRIVILEGES` \
               WHERE `PRIVILEGE_TYPE` NOT IN ('USAGE', 'SELECT') UNION \
               SELECT DISTINCT `PRIVILEGE_TYPE` FROM information_schema.`SCHEMA_PRIVILEGES` \
               WHERE `TABLE_SCHEMA` = DATABASE() AND `PRIVILEGE_TYPE` NOT IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')";
    let rows = sqlx::query(sql).fetch_all(connection).await?;
    let more: Vec<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    Ok(match more.first() {
        None => fine(Check::Grants, "the account may do what is needed, and no more"),
        Some(first) => warning(
            Check::Grants,
            format!("the account may do more than is needed ({first} and {} other rights)", more.len() - 1),
            "use an account that has SELECT, INSERT, UPDATE, DELETE on the ledger's schema alone",
        ),
    })
}

/// Settings of the server.
struct Variables(Vec<(String, String)>);

impl Variables {
    async fn read(connection: &mut MySqlConnection) -> Work<Self> {
        let sql = "SHOW VARIABLES WHERE `Variable_name` IN ('tx_isolation', 'transaction_isolation', 'sql_mode', \
                   'innodb_flush_log_at_trx_commit', 'wsrep_on', 'wsrep_provider_options', 'binlog_format')";
        let rows = sqlx::query(sql).fetch_all(connection).await?;
        let pairs = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
        Ok(Self(pairs.collect::<Result<_, sqlx::Error>>()?))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn isolation(variables: &Variables) -> CheckFinding {
    let level = variables.get("transaction_isolation").or(variables.get("tx_isolation")).unwrap_or_default();
    if level != "READ-COMMITTED" {
        let hint = "a proxy between zmesd and the database may keep SET SESSION from it: connect without it";
        return critical(Check::Isolation, format!("transactions are {level}, not READ-COMMITTED"), hint);
    }
    let mode = variables.get("sql_mode").unwrap_or_default();
    if !mode.contains("STRICT_ALL_TABLES") {
        let hint = "a proxy between zmesd and the database may keep SET SESSION from it: connect without it";
        return critical(Check::Isolation, "values that do not fit would be cut off", hint);
    }
    fine(Check::Isolation, "READ-COMMITTED, strict")
}

fn durability(variables: &Variables) -> CheckFinding {
    match variables.get("innodb_flush_log_at_trx_commit") {
        Some("1") => fine(Check::Durability, "each commit is on the disk"),
        Some(_) | None => warning(
            Check::Durability,
            "innodb_flush_log_at_trx_commit is not 1: a crash of the server loses up to a second of alarms",
            "set it to 1 in the server's configuration, unless Galera has them on other members",
        ),
    }
}

fn clock(offset: ClockOffset) -> CheckFinding {
    let ClockOffset { ms, round_trip_ms } = offset;
    let detail = format!("the database's clock is {ms} ms ahead of this host's (± {} ms)", round_trip_ms / 2);
    if offset.agrees() {
        fine(Check::Clock, detail)
    } else {
        warning(Check::Clock, detail, "run chrony or systemd-timesyncd on both: timedatectl")
    }
}

async fn offset(
    connection: &mut MySqlConnection,
    wall: &(impl Fn() -> Timestamp + Sync),
) -> Work<ClockOffset> {
    let before = wall().as_millisecond();
    let sql = format!("SELECT {}", times::millis("UTC_TIMESTAMP(3)"));
    let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(connection).await?;
    let after = wall().as_millisecond();
    let database: i64 = row.try_get(0)?;
    Ok(ClockOffset { ms: database - i64::midpoint(before, after), round_trip_ms: (after - before).max(0) })
}

async fn galera(connection: &mut MySqlConnection, variables: &Variables) -> Work<Option<CheckFinding>> {
    if variables.get("wsrep_on") != Some("ON") {
        return Ok(None);
    }
    let sql = "SHOW GLOBAL STATUS WHERE `Variable_name` IN ('wsrep_cluster_status', 'wsrep_cluster_size')";
    let rows = sqlx::query(sql).fetch_all(connection).await?;
    let pairs = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
    let status = Variables(pairs.collect::<Result<_, sqlx::Error>>()?);
    let (state, size) = (status.get("wsrep_cluster_status"), status.get("wsrep_cluster_size"));
    if state != Some("Primary") {
        let detail = format!("this Galera member is {}, not Primary", state.unwrap_or("unknown"));
        return Ok(Some(critical(Check::Galera, detail, "start the missing members")));
    }
    let options = variables.get("wsrep_provider_options").unwrap_or_default();
    let suspect = options.split(';').find_map(|option| option.trim().strip_prefix("evs.suspect_timeout = "));
    let detail = format!(
        "{} members; one that crashes is noticed after {}",
        size.unwrap_or("?"),
        suspect.unwrap_or("?")
    );
    Ok(Some(match suspect {
        Some("PT1S" | "PT1.5S" | "PT2S") => fine(Check::Galera, detail),
        Some(_) | None => warning(
            Check::Galera,
            format!("{detail}: commits and pushes stall for that long"),
            "wsrep_provider_options = evs.suspect_timeout=PT2S;evs.keepalive_period=PT0.5S;evs.inactive_check_period=PT0.5S",
        ),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_answer_is_no_wrong_clock() {
        assert!(ClockOffset { ms: 700, round_trip_ms: 600 }.agrees());
        assert!(!ClockOffset { ms: -700, round_trip_ms: 10 }.agrees());
    }
}
