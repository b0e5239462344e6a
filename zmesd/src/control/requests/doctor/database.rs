//! ZoneMinder's database: is it reached, does it let us in, does it tell what is needed?

use std::time::Duration;

use tokio::time::{Instant, timeout};
use zmes_shared::views::{Finding, Perf, Reloaded};

use super::measure::{Outcome, took};
use super::monitors;
use crate::config::{Config, ConfigDiff, DatabaseAddress};
use crate::control::ControlParts;
use crate::ports::{ConfigExamined, DatabaseFault, DatabaseReport, DbError, DbHealth};

/// How long monitors, users and rights may take to be read anew.
const REFRESH: Duration = Duration::from_secs(10);
const STEP: &str = "database";

/// What a look at the database has brought.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) examined: Result<DatabaseReport, (DatabaseFault, DbError)>,
    /// `None`: not asked, or not in time.
    pub(super) refreshed: Option<Result<Reloaded, DbError>>,
    pub(super) took: Perf,
}

/// Asks the server, and has monitors, users and rights read anew: what is said of them afterwards is fresh.
pub(super) async fn look(parts: &ControlParts) -> Look {
    let began = Instant::now();
    let examined = parts.zoneminder.examine().await;
    let refreshed = match examined {
        Ok(_) => timeout(REFRESH, parts.catalog.refresh()).await.ok(),
        Err(_) => None,
    };
    Look { examined, refreshed, took: took("db", began) }
}

/// Says what the daemon's own questions have met with last, without asking another one.
pub(super) fn glance(parts: &ControlParts) -> Vec<Finding> {
    match &*parts.database.borrow() {
        DbHealth::Down(reason) => {
            let detail = format!("the database does not answer: {reason}");
            vec![Finding::error(STEP, detail, "zmesctl check db asks it, and names the cure")]
        }
        DbHealth::Up | DbHealth::Untried => Vec::new(),
    }
}

impl Look {
    /// Returns what the server said of itself.
    pub(super) fn report(&self) -> Option<&DatabaseReport> {
        self.examined.as_ref().ok()
    }

    /// Says how the database is, and whether the cameras' memory is of the same ZoneMinder. `examined` tells whether the
    /// file names another database by now.
    pub(super) fn outcome(&self, parts: &ControlParts, examined: Option<&ConfigExamined>) -> Outcome {
        let mut findings = self.findings(parts, examined);
        findings.extend(self.report().and_then(|report| monitors::strange(parts, &report.newest)));
        Outcome::new(findings, vec![self.took.clone()])
    }

    fn findings(&self, parts: &ControlParts, examined: Option<&ConfigExamined>) -> Vec<Finding> {
        let changed = examined.is_some_and(|file| names_another(&file.diff));
        let health = parts.database.borrow().clone();
        self.judge(&parts.configuration.running(), &health, changed)
    }

    /// Says how the database is. `changed`: the file names another one by now.
    pub(super) fn judge(&self, config: &Config, health: &DbHealth, changed: bool) -> Vec<Finding> {
        let report = match &self.examined {
            Ok(report) => report,
            Err((fault, error)) => {
                let hint = if changed {
                    "the configuration names another way by now: systemctl restart zmesd".to_owned()
                } else {
                    hint(*fault, config)
                };
                return vec![Finding::error(STEP, error.to_string(), hint)];
            }
        };
        let mut findings = vec![self.answered(report, config)];
        findings.extend(trouble(self.refreshed.as_ref(), health, config));
        if report.zoneminder.is_none() {
            let hint = "zmupdate.pl brings it up to date; or set zoneminder.version";
            findings.push(Finding::warning(STEP, "the database does not tell ZoneMinder's version", hint));
        }
        findings
    }

    fn answered(&self, report: &DatabaseReport, config: &Config) -> Finding {
        let version = report.zoneminder.map_or_else(String::new, |version| format!(", ZoneMinder {version}"));
        let counts = match &self.refreshed {
            Some(Ok(counts)) => format!("; monitors: {}, users: {}", counts.monitors, counts.users),
            Some(Err(_)) | None => String::new(),
        };
        let database = &config.zoneminder.database;
        let place = if database.name.is_empty() { "the database".to_owned() } else { database.place() };
        Finding::good(STEP, format!("{place} answers ({}{version}){counts}", report.server))
    }
}

/// Says whether the file leads to another database than the one in force: by itself, or by `zm.conf`.
fn names_another(diff: &ConfigDiff) -> bool {
    let ways = ["zoneminder.database-url", "zoneminder.config"];
    diff.needs_restart.iter().any(|key| ways.contains(&key.as_str()))
}

/// Says why the server answers, but not all that is asked.
fn trouble(
    refreshed: Option<&Result<Reloaded, DbError>>,
    health: &DbHealth,
    config: &Config,
) -> Option<Finding> {
    let privileges = || hint(DatabaseFault::Privileges, config);
    match (refreshed, health) {
        (None, _) => {
            let detail = format!("monitors and users could not be read within {} s", REFRESH.as_secs());
            Some(Finding::error(STEP, detail, "mysqladmin processlist shows what blocks it"))
        }
        (Some(Err(error)), _) => Some(Finding::error(STEP, error.to_string(), privileges())),
        (Some(Ok(_)), DbHealth::Down(reason)) => {
            Some(Finding::error(STEP, format!("not all questions are answered: {reason}"), privileges()))
        }
        (Some(Ok(_)), DbHealth::Up | DbHealth::Untried) => None,
    }
}

/// Names the command that mends it.
fn hint(fault: DatabaseFault, config: &Config) -> String {
    let database = &config.zoneminder.database;
    let (user, name) = (&database.user, &database.name);
    let file = config.origin.file.display();
    let by_url = config.origin.database_by_url;
    let conf = config
        .origin
        .zm_conf
        .as_ref()
        .map_or_else(|| "zm.conf".to_owned(), |file| file.display().to_string());
    let what = |keys: &str| {
        if by_url {
            format!("correct zoneminder.database-url in {file}, then: systemctl restart zmesd")
        } else {
            format!("correct {keys} in {conf}, then: systemctl restart zmesd")
        }
    };
    match fault {
        DatabaseFault::Unreachable => match &database.address {
            DatabaseAddress::Tcp { host, port } if !is_own(host) => {
                format!(
                    "mysqladmin -h {host} -P {port} ping; if it does not run there: systemctl start mariadb"
                )
            }
            DatabaseAddress::Default | DatabaseAddress::Socket(_) | DatabaseAddress::Tcp { .. } => {
                "systemctl start mariadb".to_owned()
            }
        },
        DatabaseFault::Login => {
            format!("{}; to try a password: mysql -u {user} -p {name}", what("ZM_DB_USER and ZM_DB_PASS"))
        }
        DatabaseFault::NoDatabase => what("ZM_DB_NAME"),
        DatabaseFault::Privileges => {
            format!(
                "mysql -e \"GRANT SELECT ON {name}.* TO '{user}'@'localhost'\", then: zmesctl monitors reload"
            )
        }
        DatabaseFault::Other => "journalctl -u zmesd -n 50; is the database whole? mysqlcheck zm".to_owned(),
    }
}

fn is_own(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Environment, Loaded};

    fn config(url: &str) -> Config {
        let text = format!(
            "[zoneminder]\ndatabase-url = \"{url}\"\n[server]\nplaintext = true\nlisten = [\"127.0.0.1:9000\"]\n"
        );
        Loaded::from_text(&text, Path::new("/etc/zmesd/zmesd.toml"), &Environment::default()).unwrap().config
    }

    #[test]
    fn each_fault_names_its_command_and_never_the_password() {
        let remote = config("mysql://zmuser:planted@db.example.org/zm");
        let local = config("mysql://zmuser:planted@localhost/zm");
        for (fault, config, words) in [
            (DatabaseFault::Unreachable, &local, "systemctl start mariadb"),
            (DatabaseFault::Unreachable, &remote, "mysqladmin -h db.example.org -P 3306 ping"),
            (DatabaseFault::Login, &local, "zoneminder.database-url in /etc/zmesd/zmesd.toml"),
            (DatabaseFault::NoDatabase, &local, "systemctl restart zmesd"),
            (DatabaseFault::Privileges, &local, "GRANT SELECT ON zm.* TO 'zmuser'@'localhost'"),
            (DatabaseFault::Other, &local, "journalctl"),
        ] {
            let hint = hint(fault, config);
            assert!(hint.contains(words) && !hint.contains("planted"), "{fault:?}: {hint}");
        }
    }

    #[test]
    fn a_server_that_answers_half_is_red() {
        let config = config("mysql://zmuser:planted@localhost/zm");
        let reloaded = Ok(Reloaded { monitors: 1, added: 0, removed: 0, users: 1 });
        assert!(trouble(Some(&reloaded), &DbHealth::Up, &config).is_none());
        let down = DbHealth::Down("no grant".to_owned());
        assert!(trouble(Some(&reloaded), &down, &config).is_some_and(|finding| !finding.ok));
        assert!(trouble(None, &DbHealth::Up, &config).is_some_and(|finding| !finding.ok));
    }
}
