//! Each monitor: is its shared memory there, known, updated, and of the same ZoneMinder as the database?

use std::collections::BTreeMap;

use zmes_shared::views::Finding;
use zmes_shared::words::{MonitorCondition, StateSource};
use zmes_shared::{EventId, MonitorId};
use zmes_zoneminder::DatabaseReport;

use super::capturing::Capturing;
use super::measure::{PartOutcome, failures, number};
use super::servers::ServerFindings;
use crate::admin::AdminParts;
use crate::admin::conditions::{Diagnosis, SWITCH_ON, diagnose};
use crate::admin::monitors::{ListedMonitor, join};
use crate::detect::MonitorReport;

/// Maximum number of monitors with a finding of their own.
const TOLD: usize = 20;

/// Judges the monitors. `report`: what the database answered, if it was asked.
pub(super) fn look(
    parts: &AdminParts,
    report: Option<&DatabaseReport>,
    capturing: &Capturing,
) -> PartOutcome {
    let listed = join(parts);
    let sick = watched(&listed).filter(|report| !report.healthy()).count();
    let perf =
        vec![number("monitors", watched(&listed).count() as u64), failures("monitors_failed", sick as u64)];
    PartOutcome { findings: findings(parts, &listed, report, capturing), perf }
}

fn watched(listed: &[ListedMonitor]) -> impl Iterator<Item = &MonitorReport> {
    listed.iter().filter(|listed| listed.watched).map(|listed| &listed.report)
}

/// Says whether the database has to explain it: the monitors belong to another server, or their memory is elsewhere.
pub(super) fn need_the_database(parts: &AdminParts) -> bool {
    let listed = join(parts);
    listed.is_empty() || listed.iter().any(ListedMonitor::is_missing)
}

fn findings(
    parts: &AdminParts,
    listed: &[ListedMonitor],
    report: Option<&DatabaseReport>,
    capturing: &Capturing,
) -> Vec<Finding> {
    let watched: Vec<_> = watched(listed).collect();
    if watched.is_empty() {
        return vec![nothing(listed, parts.catalog.now().loaded_at.is_some(), report)];
    }
    let servers = ServerFindings::of(listed, &parts.configuration.running().zoneminder.servers);
    let single = watched.iter().filter(|report| !servers.covered.contains(&report.id));
    let mut findings: Vec<_> = single.filter_map(|report| one(report, capturing)).collect();
    // A camera without a picture is alive, by itself and among others.
    let lost = watched.iter().filter(|report| servers.covered.contains(&report.id) && !report.healthy());
    let sick = lost.count() + findings.iter().filter(|finding| !finding.ok).count();
    // The worst first: the others may follow from it.
    findings.sort_by_key(|finding| finding.ok);
    if findings.len() > TOLD {
        let more = findings.len() - TOLD;
        findings.truncate(TOLD);
        let rest = format!("and {more} more monitors");
        findings.push(Finding::warning("monitors", rest, "zmesctl monitors list"));
    }
    findings.splice(0..0, servers.findings);
    if sick < watched.len() {
        findings.insert(0, summary(watched.len() - sick, listed));
    }
    findings
}

pub(super) fn one(report: &MonitorReport, capturing: &Capturing) -> Option<Finding> {
    let MonitorReport { id, name, condition, .. } = report;
    let step = format!("monitor {id}");
    if condition.word() == MonitorCondition::NotThere && capturing.of(*id) {
        return Some(elsewhere_mapped(report, capturing));
    }
    let Diagnosis { severity, sentence, cure } = diagnose(*id, condition)?;
    Some(Finding::new(step, severity, format!("{name}: {sentence}"), Some(cure.unwrap_or_default())))
}

/// Returns that a `zmc` runs, but its memory is not where the daemon expects it.
fn elsewhere_mapped(report: &MonitorReport, capturing: &Capturing) -> Finding {
    let MonitorReport { id, name, .. } = report;
    let Capturing { path_map, zm_conf: conf, .. } = capturing;
    let detail = format!(
        "{name}: zmc runs for it, but its memory zm.mmap.{id} is not in {path_map}, where ZM_PATH_MAP or zoneminder.path-map says"
    );
    let hint = format!(
        "grep -rs ZM_PATH_MAP {conf} {}; ls /dev/shm/zm.mmap.* shows where it is; correct the value, \
         then: systemctl restart zmesd",
        conf.trim_end_matches("zm.conf").to_owned() + "conf.d"
    );
    Finding::error(format!("monitor {id}"), detail, hint)
}

fn nothing(listed: &[ListedMonitor], known: bool, report: Option<&DatabaseReport>) -> Finding {
    if !known {
        let detail = "no monitors are known: the database has not answered since zmesd started";
        return Finding::error("monitors", detail, "zmesctl check db");
    }
    if let Some(finding) = elsewhere(report).filter(|_| listed.is_empty()) {
        return finding;
    }
    match listed.len() {
        0 => {
            let hint = "add one in ZoneMinder's console, then: zmesctl monitors reload";
            Finding::error("monitors", "ZoneMinder has no monitor on this server", hint)
        }
        many => {
            let detail = format!("none of {many} monitors is watched: no phone can ring");
            Finding::error("monitors", detail, SWITCH_ON)
        }
    }
}

/// Reports that all monitors belong to other servers.
fn elsewhere(report: Option<&DatabaseReport>) -> Option<Finding> {
    let servers = report?.servers.as_ref()?;
    let called = |id: u32, name: &Option<String>| match name {
        Some(name) => format!("server {id} ({name})"),
        None if id == 0 => "no server".to_owned(),
        None => format!("server {id}"),
    };
    let shares = servers.others.iter().map(|share| {
        let monitors = if share.monitors == 1 {
            "1 monitor belongs"
        } else {
            &*format!("{} monitors belong", share.monitors)
        };
        format!("{monitors} to {}", called(share.id, &share.name))
    });
    let shares: Vec<_> = shares.take(TOLD).collect();
    let first = servers.others.first()?;
    let detail = format!("{}; this is {}", shares.join(", "), called(servers.own, &servers.name));
    let hint = format!(
        "if this machine is {}, set ZM_SERVER_ID in zm.conf, or zoneminder.server-id = {}, then: systemctl restart zmesd; \
         else run zmesd on that machine as well",
        called(first.id, &first.name),
        first.id
    );
    Some(Finding::error("monitors", detail, hint))
}

fn summary(alive: usize, listed: &[ListedMonitor]) -> Finding {
    let watched = watched(listed).count();
    let others = match listed.len() - watched {
        0 => String::new(),
        1 => "; 1 is not watched, as set in ZoneMinder".to_owned(),
        others => format!("; {others} are not watched, as set in ZoneMinder"),
    };
    Finding::good("monitors", format!("{alive} of {watched} watched monitors are alive{others}"))
}

/// Finds memory that does not belong to the database: what `zmc` opened last must be what the table has last. An event
/// that has just begun may be in one of them alone, so only what the table has ahead counts, and as a warning.
pub(super) fn strange(parts: &AdminParts, newest: &BTreeMap<MonitorId, EventId>) -> Option<Finding> {
    let listed = join(parts);
    ahead(&watched(&listed).collect::<Vec<_>>(), newest)
}

fn ahead(watched: &[&MonitorReport], newest: &BTreeMap<MonitorId, EventId>) -> Option<Finding> {
    let is_ahead = |report: &&&MonitorReport| {
        report.healthy()
            && report.source() == StateSource::SharedMemory
            && matches!((report.last_event, newest.get(&report.id)), (Some(seen), Some(&newest)) if newest < seen)
    };
    let reports: Vec<_> = watched.iter().filter(is_ahead).collect();
    let first = reports.first()?;
    let (seen, newest) = (first.last_event?, newest.get(&first.id)?);
    let others =
        if reports.len() > 1 { format!(", and {} others", reports.len() - 1) } else { String::new() };
    let detail = format!(
        "monitor {} ({}) has opened event {seen}, but its newest event in the database is {newest}{others}: was it deleted, \
         or does the shared memory belong to another ZoneMinder?",
        first.id, first.name
    );
    Some(Finding::warning("monitors", detail, "compare ZM_PATH_MAP and ZM_DB_NAME in zm.conf"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use zmes_shared::MonitorState;
    use zmes_shared::views::Severity;

    use super::*;
    use crate::detect::Condition;
    use zmes_zoneminder::shm::{Denied, Ownership, ReadError};
    use zmes_zoneminder::{DatabaseTrouble, DbError, ServerShare, ServerShares};

    fn report(condition: Condition) -> MonitorReport {
        let (name, state) = ("Porch".into(), MonitorState::Idle);
        let last_event = Some(EventId(9));
        MonitorReport { id: MonitorId(3), name, state, last_event, layout: None, condition }
    }

    fn told(condition: Condition) -> Option<Finding> {
        one(&report(condition), &Capturing::default())
    }

    #[test]
    fn each_trouble_names_its_command() {
        let denied = Denied {
            path: "/dev/shm/zm.mmap.3".into(),
            ownership: Some(Ownership { mode: 0o640, user: "www-data".into(), group: "www-data".into() }),
            own_user: "zmesd".into(),
        };
        let down = Some(Arc::new(DbError::Unavailable(DatabaseTrouble::late("down"))));
        let table = [
            (Condition::Unreadable(ReadError::Stopped), "zmdc.pl restart zmc -m 3"),
            (Condition::Unreadable(ReadError::Permission(denied)), "usermod -aG www-data zmesd"),
            (Condition::Database { layout: Some(881), trouble: None }, "update zmesd"),
            (Condition::Unreadable(ReadError::UnknownLayout(881)), "update zmesd"),
            (Condition::Database { layout: None, trouble: down }, "zmesctl check db"),
        ];
        for (condition, words) in table {
            let finding = told(condition).unwrap();
            assert_eq!(finding.severity, Severity::Error, "{finding:?}");
            assert_eq!(finding.step, "monitor 3");
            assert!(finding.hint.as_deref().is_some_and(|hint| hint.starts_with(words)), "{finding:?}");
        }
    }

    #[test]
    fn what_is_meant_so_is_no_trouble() {
        assert_eq!(told(Condition::Database { layout: None, trouble: None }), None);
        assert_eq!(told(Condition::Captured), None);
        assert_eq!(told(Condition::NoPicture).map(|finding| finding.severity), Some(Severity::Warning));
    }

    #[test]
    fn memory_that_lies_elsewhere_is_not_a_zmc_that_has_stopped() {
        let gone = || {
            let (name, directory) = ("zm.mmap.3".into(), "/mnt/zm".into());
            Condition::Unreadable(ReadError::NotThere { name, directory })
        };
        assert!(told(gone()).unwrap().hint.unwrap().starts_with("zmdc.pl restart zmc -m 3"));
        let elsewhere = Capturing::with([MonitorId(3)], "/mnt/zm", "/etc/zm/zm.conf");
        let finding = one(&report(gone()), &elsewhere).unwrap();
        assert!(
            finding.detail.starts_with("Porch: zmc runs for it, but its memory zm.mmap.3 is not in /mnt/zm"),
            "{finding:?}"
        );
        assert!(finding.hint.unwrap().starts_with("grep -rs ZM_PATH_MAP /etc/zm/zm.conf /etc/zm/conf.d"));
    }

    #[test]
    fn monitors_of_another_server_name_that_server() {
        let share =
            |id, name: Option<&str>, monitors| ServerShare { id, name: name.map(str::to_owned), monitors };
        let servers = ServerShares {
            own: 1,
            name: Some("nvr1".to_owned()),
            others: vec![share(2, Some("nvr2"), 3), share(0, None, 1)],
        };
        let report = DatabaseReport { servers: Some(servers), ..DatabaseReport::default() };
        let finding = nothing(&[], true, Some(&report));
        assert_eq!(
            finding.detail,
            "3 monitors belong to server 2 (nvr2), 1 monitor belongs to no server; this is server 1 (nvr1)"
        );
        assert!(finding.hint.unwrap().contains("zoneminder.server-id = 2"));
        assert_eq!(nothing(&[], true, None).detail, "ZoneMinder has no monitor on this server");
    }

    #[test]
    fn memory_that_is_ahead_of_the_database_is_strange() {
        let view = report(Condition::Captured);
        let newest = |id| BTreeMap::from([(MonitorId(3), EventId(id))]);
        assert!(ahead(&[&view], &newest(8)).is_some());
        assert!(ahead(&[&view], &newest(9)).is_none());
        assert!(ahead(&[&view], &newest(10)).is_none(), "it has just begun");
        assert!(ahead(&[&view], &BTreeMap::new()).is_none());
    }
}
