//! ZoneMinder's database: can it be reached, does it accept the login, does it answer the queries?

use std::time::Duration;

use tokio::time::{Instant, timeout};
use zmes_shared::views::{Finding, Perf, Reloaded};
use zmes_zoneminder::{DatabaseReport, DbError, DbHealth};

use super::measure::{PartOutcome, took};
use super::monitors;
use crate::admin::AdminParts;
use crate::config::{Config, ConfigDiff};
use crate::ports::ConfigExamined;

const REFRESH: Duration = Duration::from_secs(10);
const STEP: &str = "database";

#[derive(Debug)]
pub(super) struct DatabaseProbe {
    pub(super) examined: Result<DatabaseReport, DbError>,
    /// `None`: not read, or not in time.
    pub(super) refreshed: Option<Result<Reloaded, DbError>>,
    pub(super) took: Perf,
}

/// Examines the server, and reads monitors, users and rights again: later steps judge fresh data.
pub(super) async fn look(parts: &AdminParts) -> DatabaseProbe {
    let began = Instant::now();
    let examined = parts.zoneminder.examine().await;
    let refreshed = match examined {
        Ok(_) => timeout(REFRESH, parts.catalog.refresh()).await.ok(),
        Err(_) => None,
    };
    DatabaseProbe { examined, refreshed, took: took("db", began) }
}

/// Returns why the daemon's last query failed, if it did; sends no query.
pub(super) fn glance(parts: &AdminParts) -> Vec<Finding> {
    match &*parts.database.borrow() {
        DbHealth::Down(reason) => {
            let detail = format!("the database does not answer: {reason}");
            vec![Finding::error(STEP, detail, reason.hint.as_str())]
        }
        DbHealth::Up | DbHealth::Untried => Vec::new(),
    }
}

impl DatabaseProbe {
    pub(super) fn report(&self) -> Option<&DatabaseReport> {
        self.examined.as_ref().ok()
    }

    /// Judges the database, and whether the shared memory belongs to the same ZoneMinder. `examined`: the file on the
    /// disk, which may name another database since.
    pub(super) fn outcome(&self, parts: &AdminParts, examined: Option<&ConfigExamined>) -> PartOutcome {
        let mut findings = self.findings(parts, examined);
        findings.extend(self.report().and_then(|report| monitors::strange(parts, &report.newest)));
        PartOutcome { findings, perf: vec![self.took.clone()] }
    }

    fn findings(&self, parts: &AdminParts, examined: Option<&ConfigExamined>) -> Vec<Finding> {
        let changed = examined.is_some_and(|file| names_another(&file.diff));
        let health = parts.database.borrow().clone();
        self.judge(&parts.configuration.running(), &health, changed)
    }

    pub(super) fn judge(&self, config: &Config, health: &DbHealth, changed: bool) -> Vec<Finding> {
        let report = match &self.examined {
            Ok(report) => report,
            Err(error) => {
                let hint = if changed {
                    "the configuration has changed by now: systemctl restart zmesd".to_owned()
                } else {
                    error.trouble().hint.clone()
                };
                return vec![Finding::error(STEP, error.to_string(), hint)];
            }
        };
        let mut findings = vec![self.answered(report, config)];
        findings.extend(trouble(self.refreshed.as_ref(), health));
        if report.zoneminder.is_none() {
            let hint = "run zmupdate.pl, or set zoneminder.version";
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

/// Says whether the file names another database than the one in use, directly or by `zm.conf`.
fn names_another(diff: &ConfigDiff) -> bool {
    let ways = ["zoneminder.database-url", "zoneminder.config"];
    diff.needs_restart().iter().any(|key| ways.contains(&key.as_str()))
}

fn trouble(refreshed: Option<&Result<Reloaded, DbError>>, health: &DbHealth) -> Option<Finding> {
    match (refreshed, health) {
        (None, _) => {
            let detail = format!("monitors and users could not be read within {} s", REFRESH.as_secs());
            Some(Finding::error(STEP, detail, "mysqladmin processlist shows what blocks it"))
        }
        (Some(Err(error)), _) => Some(Finding::error(STEP, error.to_string(), error.trouble().hint.as_str())),
        (Some(Ok(_)), DbHealth::Down(reason)) => {
            let detail = format!("some queries fail: {reason}");
            Some(Finding::error(STEP, detail, reason.hint.as_str()))
        }
        (Some(Ok(_)), DbHealth::Up | DbHealth::Untried) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zmes_zoneminder::DatabaseTrouble;

    #[test]
    fn a_server_that_answers_half_is_red() {
        let reloaded = Ok(Reloaded { monitors: 1, added: 0, removed: 0, users: 1 });
        assert!(trouble(Some(&reloaded), &DbHealth::Up).is_none());
        let down = DbHealth::Down(DatabaseTrouble::late("no grant"));
        assert!(trouble(Some(&reloaded), &down).is_some_and(|finding| !finding.ok));
        assert!(trouble(None, &DbHealth::Up).is_some_and(|finding| !finding.ok));
    }
}
