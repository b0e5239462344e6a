//! Each monitor: is its shared memory there, understood, alive, and of the ZoneMinder that the database is of?

use std::collections::BTreeMap;

use zmes_shared::views::{Finding, MonitorView};
use zmes_shared::{EventId, MonitorId};

use super::super::monitors::{Listed, join};
use crate::config::Source;
use crate::control::ControlParts;

/// Monitors that are told one by one.
const TOLD: usize = 20;

/// Says how the monitors are. `newest` is the newest event of each, where the database told it.
pub(super) fn findings(parts: &ControlParts, newest: Option<&BTreeMap<MonitorId, EventId>>) -> Vec<Finding> {
    let listed = join(parts);
    let source = parts.configuration.running().zoneminder.source;
    let watched: Vec<_> = listed.iter().filter(|listed| listed.watched).map(|listed| &listed.view).collect();
    if watched.is_empty() {
        return vec![nothing(&listed, parts.catalog.now().loaded_at.is_some())];
    }
    let mut findings: Vec<_> = watched.iter().filter_map(|view| one(view, source)).collect();
    let sick = findings.iter().filter(|finding| !finding.ok).count();
    // The worst first: it may be what the rest follows from.
    findings.sort_by_key(|finding| finding.ok);
    if findings.len() > TOLD {
        let more = findings.len() - TOLD;
        findings.truncate(TOLD);
        let list = format!("and {more} monitors more");
        findings.push(Finding::warning("monitors", list, "zmesctl monitors list"));
    }
    findings.extend(newest.into_iter().filter_map(|newest| strange(&watched, newest)));
    if sick < watched.len() {
        findings.insert(0, summary(watched.len() - sick, &listed));
    }
    findings
}

/// Says what is wrong with one monitor, if anything is.
pub(super) fn one(view: &MonitorView, source: Source) -> Option<Finding> {
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
    match (&view.reason, view.healthy) {
        (None, true) => None,
        (Some(reason), true) => Some(Finding::warning(step, told(reason), remark_hint(view))),
        (reason, false) => {
            let reason = reason.as_deref().unwrap_or("not alive");
            Some(Finding::error(step, told(reason), hint(view, reason)))
        }
    }
}

/// Returns the size of the memory that nobody understands, where the database has to stand in for it.
fn unknown_layout(view: &MonitorView, source: Source) -> Option<u32> {
    view.layout.filter(|_| view.source == "db" && source == Source::Auto)
}

/// Names the command that mends it.
fn hint(view: &MonitorView, reason: &str) -> String {
    if reason.starts_with("permission denied") {
        // The reason ends with the remedy.
        return reason.rsplit("; ").next().unwrap_or(reason).to_owned();
    }
    if view.source == "db" {
        return "zmesctl check db".to_owned();
    }
    if reason.contains("layout") {
        return "update zmesd; until then: zoneminder.source = \"auto\", then systemctl restart zmesd"
            .to_owned();
    }
    format!(
        "zmdc.pl restart zmc -m {}  (as the user of ZoneMinder); then its log: is the camera there?",
        view.id
    )
}

fn remark_hint(view: &MonitorView) -> String {
    match &view.reason {
        Some(reason) if reason.contains("no picture") => {
            format!("is the camera on, and its address right? ZoneMinder's log of zmc -m {}", view.id)
        }
        Some(reason) if reason.contains("flap") => {
            "zones, sensitivity or the signal of the camera; zoneminder.alarm-limit says how many are announced".to_owned()
        }
        Some(_) | None => "zmesctl monitors list; zoneminder.version tells what is ambiguous".to_owned(),
    }
}

fn nothing(listed: &[Listed], known: bool) -> Finding {
    if !known {
        let detail = "no monitor is known yet: the database has not answered since the start";
        return Finding::error("monitors", detail, "zmesctl check db");
    }
    let detail = match listed.len() {
        0 => "ZoneMinder has no monitor on this server".to_owned(),
        many => format!("none of {many} monitors is watched: nothing can ring"),
    };
    let hint = "switch detection on in ZoneMinder (Function or Capturing of a monitor), then: zmesctl monitors reload";
    Finding::error("monitors", detail, hint)
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
fn strange(watched: &[&MonitorView], newest: &BTreeMap<MonitorId, EventId>) -> Option<Finding> {
    let ahead = |view: &&&MonitorView| {
        view.healthy
            && view.source == "shm"
            && matches!((view.last_event_id, newest.get(&view.id)), (Some(seen), Some(&newest)) if newest < seen)
    };
    let views: Vec<_> = watched.iter().filter(ahead).collect();
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

    fn view(source: &str, healthy: bool, reason: Option<&str>, layout: Option<u32>) -> MonitorView {
        MonitorView {
            id: MonitorId(3),
            name: "Porch".to_owned(),
            source: source.to_owned(),
            state: MonitorState::Idle,
            last_event_id: Some(EventId(9)),
            layout,
            healthy,
            reason: reason.map(str::to_owned),
        }
    }

    #[test]
    fn each_trouble_names_its_command() {
        let table = [
            (view("shm", false, Some("zmc has stopped"), None), "zmdc.pl restart zmc -m 3"),
            (
                view(
                    "shm",
                    false,
                    Some("permission denied: /dev/shm/zm.mmap.3 (mode 0640); usermod -aG www-data zmesd"),
                    None,
                ),
                "usermod -aG www-data zmesd",
            ),
            (view("db", true, Some("unknown shared-memory layout (size 881)"), Some(881)), "update zmesd"),
            (view("shm", false, Some("unknown shared-memory layout (size 881)"), None), "update zmesd"),
            (view("db", false, Some("connection refused"), None), "zmesctl check db"),
        ];
        for (view, words) in table {
            let finding = one(&view, Source::Auto).unwrap();
            assert_eq!(finding.severity, Severity::Error, "{finding:?}");
            assert_eq!(finding.step, "monitor 3");
            assert!(finding.hint.as_deref().is_some_and(|hint| hint.starts_with(words)), "{finding:?}");
        }
    }

    #[test]
    fn what_is_meant_so_is_no_trouble() {
        assert_eq!(one(&view("db", true, None, None), Source::Db), None);
        assert_eq!(one(&view("shm", true, None, Some(872)), Source::Auto), None);
        let blind = view("shm", true, Some("zmc runs, but the camera delivers no picture"), Some(872));
        assert_eq!(one(&blind, Source::Auto).map(|finding| finding.severity), Some(Severity::Warning));
    }

    #[test]
    fn memory_that_is_ahead_of_the_database_is_strange() {
        let view = view("shm", true, None, Some(872));
        let newest = |id| BTreeMap::from([(MonitorId(3), EventId(id))]);
        assert!(strange(&[&view], &newest(8)).is_some());
        assert!(strange(&[&view], &newest(9)).is_none());
        assert!(strange(&[&view], &newest(10)).is_none(), "it has just begun");
        assert!(strange(&[&view], &BTreeMap::new()).is_none());
    }
}
