//! Each monitor: is its shared memory there, understood, alive, and of the ZoneMinder that the database is of?

use std::collections::BTreeMap;

use zmes_shared::views::{Finding, MonitorTrouble, MonitorView};
use zmes_shared::{EventId, MonitorId};
use zmes_zoneminder::DatabaseReport;

use super::super::monitors::{Listed, join};
use super::capturing::Capturing;
use super::measure::{Outcome, failures, number};
use crate::admin::AdminParts;
use crate::config::Source;

pub(super) const SWITCH_ON: &str =
    "switch detection on in ZoneMinder (Function or Capturing of a monitor), then: zmesctl monitors reload";
/// Monitors that are told one by one.
const TOLD: usize = 20;

/// Says how the monitors are. `report` is what the database says, where it was asked.
pub(super) fn look(parts: &AdminParts, report: Option<&DatabaseReport>, capturing: &Capturing) -> Outcome {
    let listed = join(parts);
    let watched = listed.iter().filter(|listed| listed.watched);
    let sick = watched.clone().filter(|listed| !listed.view.healthy).count();
    let perf = vec![number("monitors", watched.count() as u64), failures("monitors_failed", sick as u64)];
    Outcome::new(findings(parts, &listed, report, capturing), perf)
}

/// Says whether only the database can tell why: the monitors are another server's, or their memory lies elsewhere.
pub(super) fn need_the_database(parts: &AdminParts) -> bool {
    let listed = join(parts);
    let missing = |listed: &Listed| listed.watched && listed.view.trouble == Some(MonitorTrouble::NoMemory);
    listed.is_empty() || listed.iter().any(missing)
}

fn findings(
    parts: &AdminParts,
    listed: &[Listed],
    report: Option<&DatabaseReport>,
    capturing: &Capturing,
) -> Vec<Finding> {
    let source = parts.configuration.running().zoneminder.source;
    let watched: Vec<_> = listed.iter().filter(|listed| listed.watched).map(|listed| &listed.view).collect();
    if watched.is_empty() {
        return vec![nothing(listed, parts.catalog.now().loaded_at.is_some(), report)];
    }
    let mut findings: Vec<_> = watched.iter().filter_map(|view| one(view, source, capturing)).collect();
    let sick = findings.iter().filter(|finding| !finding.ok).count();
    // The worst first: it may be what the rest follows from.
    findings.sort_by_key(|finding| finding.ok);
    if findings.len() > TOLD {
        let more = findings.len() - TOLD;
        findings.truncate(TOLD);
        let list = format!("and {more} monitors more");
        findings.push(Finding::warning("monitors", list, "zmesctl monitors list"));
    }
    if sick < watched.len() {
        findings.insert(0, summary(watched.len() - sick, listed));
    }
    findings
}

/// Says what is wrong with one monitor, if anything is.
pub(super) fn one(view: &MonitorView, source: Source, capturing: &Capturing) -> Option<Finding> {
    let step = format!("monitor {}", view.id);
    let told = |reason: &str| format!("{}: {reason}", view.name);
    if let Some(layout) = unknown_layout(view, source) {
        let detail = told(&format!(
            "unknown layout of the shared memory (size {layout}): alarms come late, from the database"
        ));
        let hint = "update zmesd to a version that knows this ZoneMinder; zoneminder.source = \"db\" says that it is \
                    meant so";
        return Some(Finding::error(step, detail, hint));
    }
    if view.trouble == Some(MonitorTrouble::NoMemory) && capturing.of(view.id) {
        let conf = capturing.zm_conf();
        let detail = told(&format!(
            "zmc runs for it, but its memory zm.mmap.{} is not in {}, where ZM_PATH_MAP or zoneminder.path-map says",
            view.id,
            capturing.path_map()
        ));
        let hint = format!(
            "grep -rs ZM_PATH_MAP {conf} {}; ls /dev/shm/zm.mmap.* shows where it is; correct the value, \
             then: systemctl restart zmesd",
            conf.trim_end_matches("zm.conf").to_owned() + "conf.d"
        );
        return Some(Finding::error(step, detail, hint));
    }
    match (&view.reason, view.healthy) {
        (None, true) => None,
        (Some(reason), true) => Some(Finding::warning(step, told(reason), remark_hint(view))),
        (reason, false) => {
            let reason = reason.as_deref().unwrap_or("not alive");
            Some(Finding::error(step, told(reason), hint(view)))
        }
    }
}

/// Returns the size of the memory that nobody understands, where the database has to stand in for it.
fn unknown_layout(view: &MonitorView, source: Source) -> Option<u32> {
    view.layout.filter(|_| view.source == "db" && source == Source::Auto)
}

/// Names the command that mends it.
fn hint(view: &MonitorView) -> String {
    if let Some(hint) = &view.hint {
        return hint.clone();
    }
    match view.trouble {
        Some(MonitorTrouble::Database) => "zmesctl check db".to_owned(),
        Some(MonitorTrouble::UnknownLayout) => {
            "update zmesd; until then: zoneminder.source = \"auto\", then systemctl restart zmesd".to_owned()
        }
        Some(MonitorTrouble::Io | MonitorTrouble::Permission) => {
            "journalctl -u zmesd -n 50; dmesg | tail".to_owned()
        }
        Some(MonitorTrouble::NotLookedAt) => "zmesctl check ping; it is looked at within seconds".to_owned(),
        Some(MonitorTrouble::SwitchedOff) => SWITCH_ON.to_owned(),
        Some(
            MonitorTrouble::NoMemory
            | MonitorTrouble::NotCaptured
            | MonitorTrouble::Frozen
            | MonitorTrouble::NoPicture
            | MonitorTrouble::Damaged
            | MonitorTrouble::Flapping
            | MonitorTrouble::Remark,
        )
        | None => format!(
            "zmdc.pl restart zmc -m {}  (as the user of ZoneMinder); then its log: is the camera there?",
            view.id
        ),
    }
}

fn remark_hint(view: &MonitorView) -> String {
    match view.trouble {
        Some(MonitorTrouble::NoPicture) => {
            format!("is the camera on, and its address right? ZoneMinder's log of zmc -m {}", view.id)
        }
        Some(MonitorTrouble::Flapping) => {
            "zones, sensitivity or the signal of the camera; zoneminder.alarm-limit says how many are announced".to_owned()
        }
        Some(_) | None => "zmesctl monitors list; zoneminder.version tells what is ambiguous".to_owned(),
    }
}

fn nothing(listed: &[Listed], known: bool, report: Option<&DatabaseReport>) -> Finding {
    if !known {
        let detail = "no monitor is known yet: the database has not answered since the start";
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

/// Says that the monitors are those of other servers, where this one has none.
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
        "if this machine is {}: set ZM_SERVER_ID in zm.conf, or zoneminder.server-id = {}, then: systemctl restart zmesd; \
         else run zmesd there, too",
        called(first.id, &first.name),
        first.id
    );
    Some(Finding::error("monitors", detail, hint))
}

fn summary(alive: usize, listed: &[Listed]) -> Finding {
    let others = match listed.iter().filter(|listed| !listed.watched).count() {
        0 => String::new(),
        others => format!("; {others} cannot alarm, as set in ZoneMinder"),
    };
    let watched = listed.iter().filter(|listed| listed.watched).count();
    Finding::good("monitors", format!("{alive} of {watched} that are watched are alive{others}"))
}

/// Finds memory that does not belong to the database: what `zmc` opened last must be what the table has last. An event
/// that has just begun may be in one of them alone, so only what the table has ahead counts, and as a warning.
pub(super) fn strange(parts: &AdminParts, newest: &BTreeMap<MonitorId, EventId>) -> Option<Finding> {
    let listed = join(parts);
    let watched: Vec<_> = listed.iter().filter(|listed| listed.watched).map(|listed| &listed.view).collect();
    ahead(&watched, newest)
}

fn ahead(watched: &[&MonitorView], newest: &BTreeMap<MonitorId, EventId>) -> Option<Finding> {
    let is_ahead = |view: &&&MonitorView| {
        view.healthy
            && view.source == "shm"
            && matches!((view.last_event_id, newest.get(&view.id)), (Some(seen), Some(&newest)) if newest < seen)
    };
    let views: Vec<_> = watched.iter().filter(is_ahead).collect();
    let first = views.first()?;
    let (seen, newest) = (first.last_event_id?, newest.get(&first.id)?);
    let others = if views.len() > 1 { format!(", and {} others", views.len() - 1) } else { String::new() };
    let detail = format!(
        "monitor {} ({}) has opened event {seen}, but the newest of it in the database is {newest}{others}: deleted, or is \
         the memory that of another ZoneMinder?",
        first.id, first.name
    );
    Some(Finding::warning("monitors", detail, "compare ZM_PATH_MAP and ZM_DB_NAME in zm.conf"))
}

#[cfg(test)]
mod tests {
    use zmes_shared::MonitorState;
    use zmes_shared::views::Severity;

    use super::*;
    use zmes_zoneminder::{ServerShare, ServerShares};

    fn view(
        source: &str,
        healthy: bool,
        trouble: Option<MonitorTrouble>,
        layout: Option<u32>,
    ) -> MonitorView {
        MonitorView {
            id: MonitorId(3),
            name: "Porch".to_owned(),
            source: source.to_owned(),
            state: MonitorState::Idle,
            last_event_id: Some(EventId(9)),
            layout,
            healthy,
            reason: trouble.map(|trouble| format!("{trouble:?}")),
            trouble,
            hint: (trouble == Some(MonitorTrouble::Permission))
                .then(|| "usermod -aG www-data zmesd".to_owned()),
        }
    }

    fn told(view: &MonitorView, source: Source) -> Option<Finding> {
        one(view, source, &Capturing::default())
    }

    #[test]
    fn each_trouble_names_its_command() {
        use MonitorTrouble::{Database, NotCaptured, Permission, UnknownLayout};
        let table = [
            (view("shm", false, Some(NotCaptured), None), "zmdc.pl restart zmc -m 3"),
            (view("shm", false, Some(Permission), None), "usermod -aG www-data zmesd"),
            (view("db", true, Some(UnknownLayout), Some(881)), "update zmesd"),
            (view("shm", false, Some(UnknownLayout), None), "update zmesd"),
            (view("db", false, Some(Database), None), "zmesctl check db"),
        ];
        for (view, words) in table {
            let finding = told(&view, Source::Auto).unwrap();
            assert_eq!(finding.severity, Severity::Error, "{finding:?}");
            assert_eq!(finding.step, "monitor 3");
            assert!(finding.hint.as_deref().is_some_and(|hint| hint.starts_with(words)), "{finding:?}");
        }
    }

    #[test]
    fn what_is_meant_so_is_no_trouble() {
        assert_eq!(told(&view("db", true, None, None), Source::Db), None);
        assert_eq!(told(&view("shm", true, None, Some(872)), Source::Auto), None);
        let blind = view("shm", true, Some(MonitorTrouble::NoPicture), Some(872));
        assert_eq!(told(&blind, Source::Auto).map(|finding| finding.severity), Some(Severity::Warning));
    }

    #[test]
    fn memory_that_lies_elsewhere_is_not_a_zmc_that_has_stopped() {
        let gone = view("shm", false, Some(MonitorTrouble::NoMemory), None);
        assert!(told(&gone, Source::Auto).unwrap().hint.unwrap().starts_with("zmdc.pl restart zmc -m 3"));
        let elsewhere = Capturing::with([MonitorId(3)], "/mnt/zm", "/etc/zm/zm.conf");
        let finding = one(&gone, Source::Auto, &elsewhere).unwrap();
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
        let view = view("shm", true, None, Some(872));
        let newest = |id| BTreeMap::from([(MonitorId(3), EventId(id))]);
        assert!(ahead(&[&view], &newest(8)).is_some());
        assert!(ahead(&[&view], &newest(9)).is_none());
        assert!(ahead(&[&view], &newest(10)).is_none(), "it has just begun");
        assert!(ahead(&[&view], &BTreeMap::new()).is_none());
    }
}
