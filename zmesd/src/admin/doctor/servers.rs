//! The other servers of an installation, where zmesd watches the monitors of all: what is told of a server as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use zmes_shared::MonitorId;
use zmes_shared::views::{Finding, Sentence, Severity};
use zmes_shared::words::{MonitorCondition, TroubleKind};
use zmes_zoneminder::OtherServer;
use zmes_zoneminder::conf::ServerScope;

use crate::admin::conditions::{Diagnosis, diagnose};
use crate::admin::monitors::ListedMonitor;
use crate::troubles::{CameraSight, GROUP_HOLD, Look, Observation, TroubleId};

/// Fewer lost cameras than this are told of one by one.
const LEAST: usize = 2;
/// From this part of its cameras on, in percent, it is the server that is lost.
const PART: usize = 80;

/// The servers that are lost as a whole.
#[derive(Debug, Default)]
pub(super) struct OtherServers(BTreeSet<u32>);

impl OtherServers {
    /// Starts with the servers whose troubles stood when the daemon ended.
    pub(super) fn remembering<'a>(standing: impl Iterator<Item = &'a TroubleId>) -> Self {
        let servers = standing.filter(|trouble| trouble.kind == TroubleKind::Zoneminder);
        Self(servers.filter_map(|trouble| trouble.subject.parse().ok()).collect())
    }

    /// Makes one observation of the cameras of a server that is lost, in place of one for each of them.
    pub(super) fn judge(&mut self, by_server: &BTreeMap<Arc<OtherServer>, Vec<MonitorId>>, look: &mut Look) {
        if look.cameras_unknown {
            return;
        }
        self.0.retain(|id| by_server.keys().any(|server| server.id == *id));
        for (server, cameras) in by_server {
            let trouble = TroubleId::about(TroubleKind::Zoneminder, server.id.to_string());
            let sights: Vec<_> = cameras.iter().filter_map(|id| look.cameras.get(id)).collect();
            let known = sights.iter().filter(|sight| !matches!(sight, CameraSight::Unknown)).count();
            let lost: Vec<_> = sights.iter().filter_map(|sight| lost(sight)).collect();
            if known == 0 {
                look.unknown.insert(trouble);
                continue;
            }
            let stands = self.0.contains(&server.id);
            if !(is_whole(lost.len(), known) || stands && lost.len() * 2 > known) {
                self.0.remove(&server.id);
                continue;
            }
            self.0.insert(server.id);
            let severity = lost.iter().map(|lost| lost.severity).max().unwrap_or(Severity::Ok);
            if let Some(worst) = lost.iter().find(|lost| lost.severity == severity) {
                let hold = look.camera_offline.unwrap_or(GROUP_HOLD).max(worst.hold);
                let text = format!("{} of {known} cameras deliver nothing; {}: ", lost.len(), worst.name);
                let text = Sentence::from(text).join(worst.text.clone());
                let (name, hint) = (server.to_string(), cure(server, severity, &worst.hint));
                let observation = Observation { severity, name, text, hint, hold };
                look.others.insert(trouble, observation);
            }
            for id in cameras {
                look.cameras.insert(*id, CameraSight::Unknown);
            }
        }
    }
}

fn lost(sight: &CameraSight) -> Option<&Observation> {
    match sight {
        CameraSight::Lost(observation) => Some(observation),
        CameraSight::Seen | CameraSight::Unknown => None,
    }
}

fn is_whole(lost: usize, of: usize) -> bool {
    lost >= LEAST && lost * 100 >= of * PART
}

/// `first`: what to do about the first of its cameras.
fn cure(server: &OtherServer, severity: Severity, first: &str) -> String {
    match (server.id, severity) {
        (0, _) => "assign them to a server in ZoneMinder's console: no server captures them".to_owned(),
        (_, Severity::Error) => {
            format!("on {server}: systemctl status zoneminder; does it reach the database?")
        }
        // Its zmc run.
        (_, _) => first.to_owned(),
    }
}

/// What is to be said of the other servers, and which monitors need no finding of their own.
#[derive(Debug, Default)]
pub(super) struct ServerFindings {
    pub(super) findings: Vec<Finding>,
    pub(super) covered: BTreeSet<MonitorId>,
}

impl ServerFindings {
    pub(super) fn of(listed: &[ListedMonitor], scope: &ServerScope) -> Self {
        let mut by_server: BTreeMap<&OtherServer, Vec<&ListedMonitor>> = BTreeMap::new();
        for listed in listed.iter().filter(|listed| listed.watched) {
            if let Some(server) = listed.elsewhere.as_deref() {
                by_server.entry(server).or_default().push(listed);
            }
        }
        let mut told = Self::default();
        for (server, listed) in &by_server {
            told.server(server, listed);
        }
        let own = listed.iter().any(|listed| listed.elsewhere.is_none());
        if let (false, false, ServerScope::All(Some(_))) = (own, by_server.is_empty(), scope) {
            told.findings.push(Finding::warning(
                "servers",
                "no monitor belongs to this machine: each is captured by another server",
                "is ZM_SERVER_ID right in zm.conf? If no zmc runs on this machine, set zoneminder.source = \"db\"",
            ));
        }
        told
    }

    fn server(&mut self, server: &OtherServer, listed: &[&ListedMonitor]) {
        let step = format!("server {}", server.id);
        let total = listed.len();
        let monitors = if total == 1 { "1 monitor is".to_owned() } else { format!("{total} monitors are") };
        let unseen =
            |listed: &&&ListedMonitor| listed.report.condition.word() == MonitorCondition::DatabaseAway;
        if listed.iter().any(|listed| unseen(&listed)) {
            self.covered.extend(listed.iter().filter(unseen).map(|listed| listed.report.id));
            // The server may be well: it is the connection from here that is not.
            let detail = format!("{server}: {monitors} not seen while the database is away");
            self.findings.push(Finding::error(step, detail, "zmesctl check db"));
            return;
        }
        let reports = listed.iter().map(|listed| &listed.report);
        let sick: Vec<_> =
            reports.filter_map(|report| Some((report, diagnose(report.id, &report.condition)?))).collect();
        let severity = sick.iter().map(|(_, diagnosis)| diagnosis.severity).max().unwrap_or(Severity::Ok);
        let worst = sick.iter().find(|(_, diagnosis)| diagnosis.severity == severity);
        if let Some((report, Diagnosis { sentence, cure: first, .. })) =
            worst.filter(|_| is_whole(sick.len(), total))
        {
            self.covered.extend(sick.iter().map(|(report, _)| report.id));
            let (name, lost) = (&report.name, sick.len());
            let detail = format!("{server}: {lost} of {total} monitors deliver nothing; {name}: {sentence}");
            let hint = cure(server, severity, first.as_deref().unwrap_or_default());
            self.findings.push(Finding::new(step, severity, detail, Some(hint)));
            return;
        }
        let later =
            "alarms are seen up to 0.5 s later, and others within one recording only after 2 calm minutes";
        if listed.iter().any(|listed| listed.is_orphan) {
            let detail = format!(
                "{server}: no zmesd is at work there, {monitors} watched from here, in the Events table: {later}"
            );
            self.findings.push(Finding::good(step, detail));
            return;
        }
        let detail = format!("{server}: {monitors} watched in the Events table: {later}");
        self.findings.push(Finding::good(step, detail));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use zmes_shared::MonitorState;
    use zmes_zoneminder::{DatabaseTrouble, DbError};

    use super::*;
    use crate::detect::{Condition, MonitorReport, RemoteSight};

    fn server(id: u32) -> Arc<OtherServer> {
        Arc::new(OtherServer { id, name: Some(format!("nvr{id}")) })
    }

    fn lost(name: &str) -> CameraSight {
        CameraSight::Lost(Observation {
            severity: Severity::Error,
            name: name.to_owned(),
            text: "zmc has ended on server 2 (nvr2)".into(),
            hint: String::new(),
            hold: Duration::from_secs(30),
        })
    }

    /// Cameras 1 to `total` of server 2, the first `gone` of them lost.
    fn look(servers: &mut OtherServers, total: u32, gone: u32) -> Look {
        let sight = |id| if id <= gone { lost(&format!("Camera {id}")) } else { CameraSight::Seen };
        let mut look = Look {
            cameras: (1..=total).map(|id| (MonitorId(id), sight(id))).collect(),
            camera_offline: Some(Duration::from_secs(1)),
            ..Look::default()
        };
        let by_server = BTreeMap::from([(server(2), (1..=total).map(MonitorId).collect())]);
        servers.judge(&by_server, &mut look);
        look
    }

    #[test]
    fn forty_cameras_of_a_server_that_is_gone_are_one_observation() {
        let mut servers = OtherServers::default();
        let all = look(&mut servers, 40, 40);
        let (id, observation) = all.others.iter().next().unwrap();
        assert_eq!(id.to_string(), "zoneminder:2");
        assert_eq!(observation.name, "server 2 (nvr2)");
        let text = observation.text.to_string();
        assert_eq!(text, "40 of 40 cameras deliver nothing; Camera 1: zmc has ended on server 2 (nvr2)");
        assert_eq!(observation.hold, Duration::from_secs(30));
        assert!(all.cameras.values().all(|sight| *sight == CameraSight::Unknown));
        assert_eq!(look(&mut servers, 40, 21).others.len(), 1, "until half of them are back");
        let some = look(&mut servers, 40, 20);
        assert!(some.others.is_empty() && some.cameras[&MonitorId(1)] != CameraSight::Unknown);
        assert!(look(&mut servers, 40, 31).others.is_empty(), "less than 80 percent");
    }

    #[test]
    fn cameras_without_a_picture_make_no_dead_server() {
        let mut servers = OtherServers::default();
        let dark = |name: &str| {
            let CameraSight::Lost(observation) = lost(name) else { panic!("{name}") };
            let hint = "is the camera on?".to_owned();
            CameraSight::Lost(Observation { severity: Severity::Warning, hint, ..observation })
        };
        let cameras = [(MonitorId(1), dark("Camera 1")), (MonitorId(2), dark("Camera 2"))];
        let mut look = Look { cameras: cameras.into(), ..Look::default() };
        let by_server = BTreeMap::from([(server(2), vec![MonitorId(1), MonitorId(2)])]);
        servers.judge(&by_server, &mut look);
        let observation = look.others.values().next().unwrap();
        assert_eq!((observation.severity, &*observation.hint), (Severity::Warning, "is the camera on?"));
    }

    #[test]
    fn a_restart_while_the_database_is_away_clears_no_lost_server_and_keeps_its_measure() {
        let standing = ["zoneminder:2", "zoneminder", "camera:7", "database"].map(TroubleId::parse);
        let standing: Vec<_> = standing.into_iter().flatten().collect();
        let mut servers = OtherServers::remembering(standing.iter());
        let mut unread = Look { cameras_unknown: true, ..Look::default() };
        servers.judge(&BTreeMap::new(), &mut unread);
        assert!(unread.others.is_empty());
        assert_eq!(look(&mut servers, 40, 21).others.len(), 1, "it stands until half of them are back");
    }

    #[test]
    fn a_database_that_is_away_blames_no_server() {
        let away = Some(Arc::new(DbError::Unavailable(DatabaseTrouble::late("down"))));
        let of = |trouble: Option<Arc<DbError>>, sight, is_orphan| {
            let listed: Vec<_> = (1..=2)
                .map(|id| {
                    let trouble = trouble.clone();
                    let condition = Condition::Elsewhere { server: server(2), sight, trouble };
                    ListedMonitor {
                        report: MonitorReport {
                            id: MonitorId(id),
                            name: format!("Camera {id}").into(),
                            state: MonitorState::Unknown,
                            last_event: None,
                            layout: None,
                            condition,
                        },
                        watched: true,
                        elsewhere: Some(server(2)),
                        is_orphan,
                    }
                })
                .collect();
            let told = ServerFindings::of(&listed, &ServerScope::All(None));
            let finding = told.findings.into_iter().next().unwrap();
            (finding.severity, finding.detail, finding.hint.unwrap_or_default(), told.covered.len())
        };
        let findings = |trouble, sight| of(trouble, sight, false);
        let (severity, detail, hint, covered) = findings(away, RemoteSight::Unknown);
        assert_eq!((severity, covered), (Severity::Error, 2));
        assert_eq!(detail, "server 2 (nvr2): 2 monitors are not seen while the database is away");
        assert_eq!(hint, "zmesctl check db");
        let (severity, detail, hint, covered) = findings(None, RemoteSight::NoPicture);
        assert_eq!((severity, covered), (Severity::Warning, 2), "{detail}");
        assert!(hint.starts_with("is the camera on"), "{hint}");
        let (severity, _, hint, covered) = findings(None, RemoteSight::Stopped);
        assert_eq!((severity, covered), (Severity::Error, 2));
        assert!(hint.starts_with("on server 2 (nvr2): systemctl status zoneminder"), "{hint}");
        let (severity, _, _, covered) = findings(None, RemoteSight::Captured);
        assert_eq!((severity, covered), (Severity::Ok, 0));
        let (severity, detail, _, _) = of(None, RemoteSight::Captured, true);
        assert_eq!(severity, Severity::Ok);
        let said = "server 2 (nvr2): no zmesd is at work there, 2 monitors are watched from here, in the Events table: ";
        assert!(detail.starts_with(said), "{detail}");
    }

    #[test]
    fn a_single_camera_is_told_of_as_a_camera() {
        let mut servers = OtherServers::default();
        let one = look(&mut servers, 1, 1);
        assert!(one.others.is_empty() && one.cameras[&MonitorId(1)] != CameraSight::Unknown);
    }

    #[test]
    fn what_is_not_known_clears_nothing() {
        let mut servers = OtherServers::default();
        let mut look = Look { cameras: [(MonitorId(1), CameraSight::Unknown)].into(), ..Look::default() };
        servers.judge(&BTreeMap::from([(server(2), vec![MonitorId(1)])]), &mut look);
        assert!(look.unknown.iter().any(|id| id.to_string() == "zoneminder:2"));
    }
}
