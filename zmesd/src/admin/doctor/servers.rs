//! The other servers of an installation, where zmesd watches the monitors of all: what is told of a server as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use zmes_shared::MonitorId;
use zmes_shared::views::{Finding, Sentence, Severity};
use zmes_shared::words::TroubleKind;
use zmes_zoneminder::OtherServer;
use zmes_zoneminder::conf::ServerScope;

use crate::admin::conditions::diagnose;
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
    /// Makes one observation of the cameras of a server that is lost, in place of one for each of them.
    pub(super) fn judge(&mut self, by_server: &BTreeMap<Arc<OtherServer>, Vec<MonitorId>>, look: &mut Look) {
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
            if let Some(first) = lost.first() {
                let hold = look.camera_offline.unwrap_or(GROUP_HOLD).max(first.hold);
                let text = format!("{} of {known} cameras deliver nothing; {}: ", lost.len(), first.name);
                let text = Sentence::from(text).join(first.text.clone());
                let (name, hint) = (server.to_string(), cure(server));
                let observation = Observation { severity: Severity::Error, name, text, hint, hold };
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

fn cure(server: &OtherServer) -> String {
    if server.id == 0 {
        return "assign them to a server in ZoneMinder's console: no server captures them".to_owned();
    }
    format!("on {server}: systemctl status zoneminder; does it reach the database?")
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
        let sick: Vec<_> = listed.iter().filter(|listed| !listed.report.healthy()).collect();
        let total = listed.len();
        if let Some(first) = sick.first().filter(|_| is_whole(sick.len(), total)) {
            self.covered.extend(sick.iter().map(|listed| listed.report.id));
            let (report, lost) = (&first.report, sick.len());
            let why = diagnose(report.id, &report.condition).map_or_else(String::new, |found| found.sentence);
            let detail =
                format!("{server}: {lost} of {total} monitors deliver nothing; {}: {why}", report.name);
            self.findings.push(Finding::error(step, detail, cure(server)));
            return;
        }
        let monitors = if total == 1 { "1 monitor is".to_owned() } else { format!("{total} monitors are") };
        let detail = format!(
            "{server}: {monitors} watched in the Events table: alarms are seen up to 0.5 s later, and others within one \
             recording only after 2 calm minutes"
        );
        self.findings.push(Finding::good(step, detail));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

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
