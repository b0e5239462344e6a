//! `cluster status`, `cluster handover`, `cluster leave`, and what doctor, `check` and the troubles say of the cluster.
//!
//! All of it is judged from one snapshot of the node's task ([`judge`]); `doctor` and `check` also look at the ledger
//! itself, on a connection of their own.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use zmes_cluster::schema::{Check, CheckFinding, verify};
use zmes_cluster::{LedgerError, LedgerLine};
use zmes_shared::control::{ControlError, ErrorCode};
use zmes_shared::views::{
    CLUSTER_CLOCK_MS, CLUSTER_LAG_MS, CLUSTER_WAIT_MS, ClusterNode, ClusterStatus, Done, Finding, Sentence,
    Severity,
};
use zmes_shared::words::TroubleKind;
use zmes_zoneminder::conf::DatabaseConfig;

use super::doctor::{PartOutcome, milliseconds};
use crate::admin::AdminParts;
use crate::cluster::{ClusterHandle, ClusterRefusal, ledger_server};
use crate::ports::KeyRotated;
use crate::troubles::{Observation, TroubleId};

const STEP: &str = "cluster";
/// The ledger may be away for this long: a restart of the database, or a Galera member that is lost.
const AWAY: Duration = Duration::from_secs(10);
/// No node sends pushes for this long: a lease is taken within 4 s, on Galera within 7 s.
const UNLED: Duration = Duration::from_secs(15);
/// How long a node must be silent, beyond the 10 s after which it counts as gone: a restart is no trouble.
const SILENT: Duration = Duration::from_secs(20);
/// How long alarms must wait to be read.
const LAGGING: Duration = Duration::from_secs(10);
/// Nodes that a hint names.
const NAMED: usize = 20;
/// Time limit of a look at the ledger.
const LOOK: Duration = Duration::from_secs(5);
const OFF: &str = "this zmesd is not part of a cluster: [cluster] is not enabled";
const ENABLE: &str = "zmesctl cluster init makes the ledger; then set enabled = true in [cluster] of zmesd.toml and restart zmesd";

pub(super) fn status(parts: &AdminParts) -> Result<ClusterStatus, ControlError> {
    Ok((*handle(parts)?.status()).clone())
}

pub(super) async fn handover(parts: &AdminParts, node: Option<String>) -> Result<Done, ControlError> {
    let handle = handle(parts)?;
    let asked = handle.handover(node).await.map_err(|refusal| refused(&refusal, &handle.status()))?;
    Ok(Done { done: format!("{asked} was asked to send the pushes; it takes over within seconds") })
}

pub(super) async fn leave(parts: &AdminParts, node: String) -> Result<Done, ControlError> {
    let handle = handle(parts)?;
    handle.leave(node.clone()).await.map_err(|refusal| refused(&refusal, &handle.status()))?;
    Ok(Done { done: format!("{node} is removed from the cluster") })
}

/// Replaces the key of links at all nodes.
pub(super) async fn rotate_links(
    parts: &AdminParts,
    handle: &ClusterHandle,
) -> Result<KeyRotated, ControlError> {
    let noted = handle.rotate_links().await.map_err(|refusal| refused(&refusal, &handle.status()))?;
    Ok(if noted && parts.state.settle().await { KeyRotated::Written } else { KeyRotated::Unwritten })
}

fn handle(parts: &AdminParts) -> Result<&ClusterHandle, ControlError> {
    let off = || ControlError::new(ErrorCode::Conflict, OFF).with_hint(ENABLE);
    parts.cluster.as_ref().ok_or_else(off)
}

fn refused(refusal: &ClusterRefusal, status: &ClusterStatus) -> ControlError {
    let (code, hint) = match refusal {
        ClusterRefusal::Unknown(_) => (ErrorCode::NotFound, there_are(status)),
        ClusterRefusal::AtWork(_) => {
            let hint = "stop it first: systemctl disable --now zmesd on that host";
            (ErrorCode::Conflict, hint.to_owned())
        }
        ClusterRefusal::Silent(_)
        | ClusterRefusal::Unable(..)
        | ClusterRefusal::NoOther
        | ClusterRefusal::Already(_) => {
            (ErrorCode::Conflict, "zmesctl cluster status shows the nodes".to_owned())
        }
        ClusterRefusal::Ledger(LedgerError { hint, .. }) => (ErrorCode::Unavailable, hint.clone()),
        ClusterRefusal::NoKey => (ErrorCode::Unavailable, "try again".to_owned()),
        ClusterRefusal::Busy => {
            (ErrorCode::Busy, "try again; zmesctl cluster status shows whether the ledger answers".to_owned())
        }
    };
    ControlError::new(code, refusal.to_string()).with_hint(hint)
}

fn there_are(status: &ClusterStatus) -> String {
    let names: Vec<&str> = status.nodes.iter().map(|node| node.name.as_str()).take(NAMED).collect();
    if names.is_empty() {
        return "no node is known yet: zmesctl cluster status".to_owned();
    }
    let more = status.nodes.len().saturating_sub(NAMED);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("there are: {}{more}", names.join(", "))
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ClusterFault {
    /// What it is about: part of the trouble's id.
    about: String,
    severity: Severity,
    text: Sentence,
    hint: String,
    /// How long it must last to be a trouble.
    hold: Duration,
}

/// Judges a snapshot: all that is wrong, the gravest first where one explains the next.
fn judge(status: &ClusterStatus) -> Vec<ClusterFault> {
    let fault = |about: &str, severity, text: Sentence, hint: &str, hold| ClusterFault {
        about: about.to_owned(),
        severity,
        text,
        hint: hint.to_owned(),
        hold,
    };
    let mut faults = Vec::new();
    if status.fenced {
        let text = format!(
            "another zmesd has the name {} too: this one sends for its own cameras, and other nodes do not hear of them",
            status.name
        );
        let hint = "give each node its own name in [cluster] of zmesd.toml, then: systemctl restart zmesd";
        faults.push(fault("name", Severity::Error, text.into(), hint, Duration::ZERO));
        return faults;
    }
    if !status.connected {
        let text = Sentence::from(format!("the ledger ({}) cannot be used", status.ledger));
        let text = status.since.map_or(text.clone(), |since| text.text(" since ").time(since));
        let cause = status.last_error.as_deref().map_or_else(String::new, |error| format!(": {error}"));
        let alone = if status.alone { "; this node sends for its own cameras" } else { "" };
        let hint = status.hint.as_deref().unwrap_or("zmesctl check db");
        faults.push(fault("ledger", Severity::Error, text.text(format!("{cause}{alone}")), hint, AWAY));
        // What was known of the others is old.
        return faults;
    }
    if status.pusher.is_none() {
        let hint = "zmesctl cluster status; journalctl -u zmesd on each node says why it does not take over";
        faults.push(fault("pusher", Severity::Error, "no node sends pushes".into(), hint, UNLED));
    }
    faults.extend(status.nodes.iter().flat_map(|node| judge_node(node, status)));
    if status.waiting_ms > CLUSTER_WAIT_MS {
        let since = status.waiting_ms / 1000;
        let cause = status.last_error.as_deref().map_or_else(String::new, |error| format!(": {error}"));
        let text = format!(
            "{} alarms of this node are not in the ledger, the oldest for {since} s{cause}",
            status.waiting
        );
        let hint = status.hint.as_deref().unwrap_or("the database does not keep up: mysqladmin processlist");
        faults.push(fault("waiting", Severity::Error, text.into(), hint, Duration::ZERO));
    }
    let mut versions: Vec<&str> =
        status.nodes.iter().filter(|node| node.alive).map(|node| node.version.as_str()).collect();
    versions.sort_unstable();
    versions.dedup();
    if versions.len() > 1 {
        let text = format!("nodes run different versions of zmesd: {}", versions.join(", "));
        let hint = "upgrade the others as well";
        faults.push(fault("versions", Severity::Warning, text.into(), hint, Duration::from_hours(24)));
    }
    faults
}

fn judge_node(node: &ClusterNode, status: &ClusterStatus) -> Vec<ClusterFault> {
    let name = &node.name;
    let fault = |severity, text: String, hint: String, hold| ClusterFault {
        about: name.clone(),
        severity,
        text: text.into(),
        hint,
        hold,
    };
    if !node.alive {
        let ago = match node.seen_ms / 1000 {
            seconds @ 0..120 => format!("{seconds} s"),
            seconds => format!("{} min", seconds / 60),
        };
        let leave =
            format!("start zmesd on that host; or, if it is gone for good: zmesctl cluster leave {name}");
        let cameras = whose_cameras(node, status);
        return vec![if node.stopped {
            let text = format!("node {name} is stopped: {cameras}");
            fault(Severity::Warning, text, leave, SILENT)
        } else {
            let text = format!("nothing was heard of node {name} for {ago}: {cameras}");
            fault(Severity::Error, text, leave, SILENT)
        }];
    }
    let mut faults = Vec::new();
    if node.lag_ms > CLUSTER_LAG_MS {
        let text = format!("alarms of node {name} have waited {} ms to be read here", node.lag_ms);
        let hint = "the database does not keep up: mysqladmin processlist; with Galera: SHOW STATUS LIKE 'wsrep_flow%'";
        faults.push(fault(Severity::Warning, text, hint.to_owned(), LAGGING));
    }
    let own = *name == status.name;
    let offset = status.clock_offset_ms.filter(|_| own).unwrap_or(node.clock_offset_ms);
    if offset.abs() > CLUSTER_CLOCK_MS {
        let text = format!("the clocks of node {name} and of its database differ by {} ms", offset.abs());
        let hint = "run chrony or systemd-timesyncd on both: timedatectl";
        faults.push(fault(Severity::Warning, text, hint.to_owned(), SILENT));
    }
    if !node.trouble.is_empty() {
        let text = format!("node {name} cannot send pushes: {}", node.trouble);
        faults.push(fault(Severity::Warning, text, format!("zmesctl push check on {name}"), SILENT));
    }
    faults
}

/// Says what becomes of the alarms of a node that is not at work.
fn whose_cameras(node: &ClusterNode, status: &ClusterStatus) -> String {
    let orphan = status.orphans.iter().find(|orphan| Some(orphan.server_id) == node.server_id);
    match orphan.and_then(|orphan| orphan.watched_by.as_deref()) {
        Some(by) => format!("node {by} watches its cameras in the Events table"),
        None => "alarms of its cameras are not seen".to_owned(),
    }
}

/// Says whether this node tells people of the troubles of others: it sends pushes, or nobody does and it is the first that is
/// at work. Else people would be told by each node.
fn tells_of_others(status: &ClusterStatus) -> bool {
    let first = || status.nodes.iter().find(|node| node.alive);
    status.may_send || status.pusher.is_none() && first().is_some_and(|node| node.name == status.name)
}

/// Returns the troubles of the cluster.
pub(super) fn observations(parts: &AdminParts) -> Vec<(TroubleId, Observation)> {
    let Some(handle) = &parts.cluster else { return Vec::new() };
    let status = handle.status();
    let is_others = |fault: &ClusterFault| {
        status.nodes.iter().any(|node| node.name == fault.about && node.name != status.name)
    };
    let observed = |fault: ClusterFault| {
        let ClusterFault { about, severity, text, hint, hold } = fault;
        let id = TroubleId::about(TroubleKind::Cluster, about);
        (id, Observation { severity, name: String::new(), text, hint, hold })
    };
    let told = judge(&status).into_iter().filter(|fault| tells_of_others(&status) || !is_others(fault));
    told.map(observed).collect()
}

/// Judges the last snapshot: done for every `status`.
pub(super) fn glance(parts: &AdminParts) -> Vec<Finding> {
    parts.cluster.as_ref().map(|handle| findings(&handle.status(), parts.clock.now())).unwrap_or_default()
}

fn findings(status: &ClusterStatus, now: Timestamp) -> Vec<Finding> {
    // What may be over in a moment is a warning.
    let young = |fault: &ClusterFault| {
        let since = status.since.map(|since| now.duration_since(since));
        fault.about == "ledger"
            && since.is_some_and(|since| since < SignedDuration::try_from(fault.hold).unwrap_or_default())
    };
    let mut findings: Vec<Finding> = Vec::new();
    for fault in judge(status) {
        let severity = if young(&fault) { Severity::Warning } else { fault.severity };
        findings.push(Finding::new(STEP, severity, fault.text, Some(fault.hint)));
    }
    if findings.is_empty() {
        findings.push(Finding::good(STEP, summary(status)));
    }
    findings
}

fn summary(status: &ClusterStatus) -> Sentence {
    let nodes = if status.nodes.len() == 1 {
        "1 node is at work".to_owned()
    } else {
        format!("{} nodes are at work", status.nodes.len())
    };
    let pusher = status.pusher.as_deref().unwrap_or_default();
    let text =
        Sentence::from(format!("{nodes}, {pusher} sends the pushes; the ledger ({}) answers", status.ledger));
    status.since.map_or(text.clone(), |since| text.text(" since ").time(since))
}

/// Judges the last snapshot, and looks at the ledger itself: schema, rights, settings of the server.
pub(super) async fn look(parts: &AdminParts) -> PartOutcome {
    let Some(handle) = &parts.cluster else { return PartOutcome::default() };
    let status = handle.status();
    let mut findings = findings(&status, parts.clock.now());
    let config = parts.configuration.running();
    if let Some(node) = &config.cluster.node {
        match examine(parts, &node.database).await {
            Ok(found) => findings.extend(found.into_iter().filter_map(finding)),
            // A ledger that is away has its finding.
            Err(error) if error.fault.is_away() && !status.connected => {}
            Err(LedgerError { message, hint, .. }) => findings.push(Finding::error(STEP, message, hint)),
        }
    }
    let lag = status.nodes.iter().map(|node| node.lag_ms).max().unwrap_or(0);
    PartOutcome { findings, perf: vec![milliseconds("cluster_lag", lag)] }
}

async fn examine(parts: &AdminParts, database: &DatabaseConfig) -> Result<Vec<CheckFinding>, LedgerError> {
    let server = Arc::new(ledger_server(database));
    let clock = Arc::clone(&parts.clock);
    verify(&mut LedgerLine::new(server, LOOK), move || clock.now()).await
}

/// Clocks are judged from the snapshot; of what is well, the tables are enough.
fn finding(found: CheckFinding) -> Option<Finding> {
    let CheckFinding { check, severity, detail, hint } = found;
    match (severity, check) {
        (Severity::Ok, Check::Schema | Check::Galera) => Some(Finding::good(STEP, detail)),
        (Severity::Ok, _) | (_, Check::Clock) => None,
        (Severity::Warning, _) => Some(Finding::warning(STEP, detail, hint)),
        (Severity::Error, _) => Some(Finding::error(STEP, detail, hint)),
    }
}

#[cfg(test)]
mod tests {
    use zmes_shared::views::ClusterOrphan;

    use super::*;

    fn node(name: &str) -> ClusterNode {
        ClusterNode {
            name: name.to_owned(),
            alive: true,
            version: "0.2.0".to_owned(),
            ..ClusterNode::default()
        }
    }

    fn healthy() -> ClusterStatus {
        ClusterStatus {
            nodes: vec![ClusterNode { pusher: true, ..node("nvr1") }, node("nvr2")],
            name: "nvr1".to_owned(),
            connected: true,
            since: Some("2026-11-02T10:00:00Z".parse().unwrap()),
            ledger: "zmesd at db:3306".to_owned(),
            pusher: Some("nvr1".to_owned()),
            ..ClusterStatus::default()
        }
    }

    fn told(status: &ClusterStatus) -> Vec<(String, Severity)> {
        judge(status).into_iter().map(|fault| (fault.about, fault.severity)).collect()
    }

    #[test]
    fn a_cluster_that_works_is_one_good_sentence() {
        let found = findings(&healthy(), "2026-11-02T11:00:00Z".parse().unwrap());
        let [only] = found.as_slice() else { panic!("{found:?}") };
        let detail = "2 nodes are at work, nvr1 sends the pushes; the ledger (zmesd at db:3306) answers since \
                      2026-11-02T10:00:00Z";
        assert_eq!((only.detail.as_str(), only.severity), (detail, Severity::Ok));
    }

    #[test]
    fn each_thing_that_can_be_wrong_has_a_trouble_of_its_own() {
        use Severity::{Error, Warning};
        let change = |change: &dyn Fn(&mut ClusterStatus)| {
            let mut status = healthy();
            change(&mut status);
            told(&status)
        };
        let one = |about: &str, severity| vec![(about.to_owned(), severity)];
        assert_eq!(change(&|_| {}), []);
        assert_eq!(change(&|status| status.fenced = true), one("name", Error));
        assert_eq!(change(&|status| status.connected = false), one("ledger", Error));
        assert_eq!(change(&|status| status.pusher = None), one("pusher", Error));
        assert_eq!(change(&|status| status.nodes[1].alive = false), one("nvr2", Error));
        let stopped = |status: &mut ClusterStatus| {
            (status.nodes[1].alive, status.nodes[1].stopped) = (false, true);
        };
        assert_eq!(change(&stopped), one("nvr2", Warning));
        assert_eq!(change(&|status| status.nodes[1].lag_ms = 5_001), one("nvr2", Warning));
        assert_eq!(change(&|status| status.nodes[1].clock_offset_ms = -501), one("nvr2", Warning));
        assert_eq!(change(&|status| status.clock_offset_ms = Some(501)), one("nvr1", Warning));
        assert_eq!(change(&|status| status.waiting = 1_001), [], "they are young");
        assert_eq!(change(&|status| status.waiting_ms = 10_001), one("waiting", Error));
        let trouble = |status: &mut ClusterStatus| status.nodes[1].trouble = "no provider".to_owned();
        assert_eq!(change(&trouble), one("nvr2", Warning));
        assert_eq!(change(&|status| status.nodes[1].version = "0.3.0".to_owned()), one("versions", Warning));
    }

    #[test]
    fn a_node_that_is_gone_is_told_of_with_who_watches_its_cameras() {
        let mut status = healthy();
        (status.nodes[1].alive, status.nodes[1].server_id, status.nodes[1].seen_ms) =
            (false, Some(2), 30_000);
        let text = |status: &ClusterStatus| judge(status)[0].text.to_string();
        assert_eq!(
            text(&status),
            "nothing was heard of node nvr2 for 30 s: alarms of its cameras are not seen"
        );
        let orphan = |server_id, by: Option<&str>| ClusterOrphan {
            server_id,
            server: None,
            cameras: 2,
            watched_by: by.map(str::to_owned),
        };
        status.orphans = vec![orphan(3, Some("nvr1")), orphan(2, None)];
        assert!(text(&status).ends_with("alarms of its cameras are not seen"), "{}", text(&status));
        status.orphans[1].watched_by = Some("nvr1".to_owned());
        assert!(text(&status).ends_with(": node nvr1 watches its cameras in the Events table"));
        status.nodes[1].stopped = true;
        assert_eq!(text(&status), "node nvr2 is stopped: node nvr1 watches its cameras in the Events table");
    }

    #[test]
    fn a_ledger_that_is_away_for_a_moment_is_a_warning_and_then_an_error() {
        let status = ClusterStatus { connected: false, alone: true, ..healthy() };
        let at = |text: &str| findings(&status, text.parse().unwrap());
        assert_eq!(at("2026-11-02T10:00:05Z")[0].severity, Severity::Warning);
        let late = at("2026-11-02T10:00:11Z");
        assert_eq!(late[0].severity, Severity::Error);
        assert!(late[0].detail.ends_with("; this node sends for its own cameras"), "{late:?}");
    }

    #[test]
    fn troubles_of_others_are_told_by_the_first_node_while_nobody_sends() {
        let status = ClusterStatus { may_send: true, ..healthy() };
        assert!(tells_of_others(&status) && !tells_of_others(&healthy()));
        let unled = ClusterStatus { pusher: None, ..healthy() };
        assert!(
            tells_of_others(&unled) && !tells_of_others(&ClusterStatus { name: "nvr2".to_owned(), ..unled })
        );
    }

    #[test]
    fn a_refusal_says_what_there_is() {
        let error = refused(&ClusterRefusal::Unknown("nvr9".to_owned()), &healthy());
        assert_eq!((error.code, error.hint.as_deref()), (ErrorCode::NotFound, Some("there are: nvr1, nvr2")));
        let error = refused(&ClusterRefusal::AtWork("nvr2".to_owned()), &healthy());
        assert_eq!(
            (error.code, error.message.as_str()),
            (ErrorCode::Conflict, "cannot remove node nvr2: it is running")
        );
    }
}
