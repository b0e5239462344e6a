//! The check of an installation that `doctor`, `check`, `status` and the metrics share.
//!
//! Each part has a deadline of its own and reports [`Finding`]s. Parts that wait for others run in parallel, so the
//! whole takes as long as the slowest of them ([`PROVIDERS`]), and a part that hangs hides no other.

use std::time::Duration;

use tokio::time::error::Elapsed;
use tokio::time::timeout;
use zmes_shared::control::Role;
use zmes_shared::views::{Finding, Severity};

use super::capturing::Capturing;
use super::measure::PartOutcome;
use super::part::Part;
use super::scene::Snapshot;
use super::{
    certificate, clock, configuration, daemon, database, handshake, monitors, pictures, push, refused,
    registrations, store,
};
use crate::admin::{AdminParts, cluster, mqtt};
use crate::ports::ConfigExamined;

/// How long the providers may take: the longest part.
pub(super) const PROVIDERS: Duration = Duration::from_secs(20);
/// Time limit for reading the configuration: it may be on a disk that has to spin up.
pub(super) const CONFIGURATION: Duration = Duration::from_secs(10);
/// Time limit for reading the whole state file and writing a file beside it.
const STORE: Duration = Duration::from_secs(15);
/// How long the cluster's ledger may take to be looked at.
const CLUSTER: Duration = Duration::from_secs(12);
/// How long the handshakes with the port for apps may take.
const HANDSHAKES: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(in crate::admin) struct Survey(Vec<(Part, PartOutcome)>);

impl Survey {
    /// Checks these parts. The certificate must be valid for `within`, if that is given.
    pub(in crate::admin) async fn of(parts: &AdminParts, wanted: &[Part], within: Option<Duration>) -> Self {
        let looks = Probes::take(parts, wanted).await;
        Self(wanted.iter().map(|&part| (part, looks.outcome(parts, part, within))).collect())
    }

    #[cfg(test)]
    pub(super) fn with(part: Part, findings: Vec<Finding>) -> Self {
        Self(vec![(part, findings.into())])
    }

    /// Returns the checked parts, in the order in which they were asked for.
    pub(in crate::admin) fn outcomes(&self) -> impl Iterator<Item = (Part, &PartOutcome)> {
        self.0.iter().map(|(part, outcome)| (*part, outcome))
    }

    pub(in crate::admin) fn worst(&self) -> Option<&Finding> {
        worst(self.0.iter().flat_map(|(_, outcome)| &outcome.findings))
    }

    pub(super) fn into_findings(self) -> Vec<Finding> {
        self.0.into_iter().flat_map(|(_, outcome)| outcome.findings).collect()
    }
}

/// Answers of other tasks. `None`: no checked part needs them.
struct Probes {
    daemon: Option<PartOutcome>,
    configuration: Option<Result<Option<ConfigExamined>, Elapsed>>,
    database: Option<database::DatabaseProbe>,
    port: Option<Vec<Finding>>,
    store: Option<PartOutcome>,
    push: Option<push::ProviderProbe>,
    pictures: Option<Vec<Finding>>,
    cluster: Option<PartOutcome>,
    capturing: Capturing,
    phones: Option<PhoneFindings>,
}

#[derive(Debug)]
struct PhoneFindings {
    waiting: usize,
    findings: Vec<Finding>,
}

impl PhoneFindings {
    async fn look(parts: &AdminParts) -> Self {
        match Snapshot::load(parts, Role::Observer).await {
            Ok(scene) => Self { waiting: scene.waiting(), findings: registrations::findings(&scene).await },
            Err(error) => {
                let hint = error.hint.unwrap_or_default();
                Self { waiting: 0, findings: vec![Finding::error("tokens", error.message, hint)] }
            }
        }
    }
}

impl Probes {
    async fn take(parts: &AdminParts, wanted: &[Part]) -> Self {
        let any = |needing: &[Part]| needing.iter().any(|part| wanted.contains(part));
        let asks_database =
            any(&[Part::Database]) || any(&[Part::Monitors]) && monitors::need_the_database(parts);
        let examine = timeout(CONFIGURATION, parts.configuration.examine());
        let (daemon, configuration, database, port, store, push, pictures, cluster) = tokio::join!(
            when(any(&[Part::Daemon]), daemon::look(parts)),
            when(any(&[Part::Configuration, Part::Certificate]), examine),
            when(asks_database, database::look(parts)),
            when(any(&[Part::Port]), within("port", HANDSHAKES, handshake::look(parts))),
            when(any(&[Part::State]), within("state", STORE, store::look(parts))),
            when(any(&[Part::Push]), push::look(parts, PROVIDERS)),
            when(any(&[Part::Pictures]), Box::pin(pictures::findings(parts))),
            when(any(&[Part::Cluster]), within("cluster", CLUSTER, Box::pin(cluster::look(parts)))),
        );
        // The rights have just been read from the database.
        let phones = when(any(&[Part::Push, Part::Tokens]), PhoneFindings::look(parts)).await;
        let mut capturing = when(any(&[Part::Monitors]), Capturing::look(parts)).await.unwrap_or_default();
        if let Some(report) = database.as_ref().and_then(database::DatabaseProbe::report) {
            capturing = capturing.and(&report.connected);
        }
        Self { daemon, configuration, database, port, store, push, pictures, cluster, capturing, phones }
    }

    fn outcome(&self, parts: &AdminParts, part: Part, within: Option<Duration>) -> PartOutcome {
        let examined = self.examined();
        let report = self.database.as_ref().and_then(database::DatabaseProbe::report);
        match part {
            Part::Daemon => self.daemon.clone().unwrap_or_default(),
            Part::Configuration => {
                self.configuration.as_ref().map_or_else(PartOutcome::default, |examined| {
                    configuration::findings(examined, &parts.configuration.running()).into()
                })
            }
            Part::Database => {
                let look = self.database.as_ref();
                look.map_or_else(PartOutcome::default, |look| look.outcome(parts, examined))
            }
            Part::Monitors => monitors::look(parts, report, &self.capturing),
            Part::Port => self.port.clone().unwrap_or_default().into(),
            Part::Certificate => certificate::look(parts, examined, within),
            Part::Mqtt => mqtt::findings(parts).into(),
            Part::Cluster => self.cluster.clone().unwrap_or_default(),
            Part::Refused => refused::findings(parts).into(),
            Part::Clock => clock::findings(parts, report.and_then(|report| report.clock)).into(),
            Part::State => self.store.clone().unwrap_or_default(),
            Part::Push => match (&self.push, &self.phones) {
                (Some(look), Some(phones)) => look.outcome(parts, phones.waiting),
                (None, _) | (_, None) => PartOutcome::default(),
            },
            Part::Pictures => self.pictures.clone().unwrap_or_default().into(),
            Part::Tokens => {
                self.phones.as_ref().map(|phones| phones.findings.clone()).unwrap_or_default().into()
            }
        }
    }

    fn examined(&self) -> Option<&ConfigExamined> {
        self.configuration.as_ref().and_then(|examined| examined.as_ref().ok()).and_then(Option::as_ref)
    }
}

/// Returns the worst finding, the first of its severity; `None` if there are only good ones.
pub(super) fn worst<'f>(findings: impl Iterator<Item = &'f Finding> + Clone) -> Option<&'f Finding> {
    let severity = findings.clone().map(|finding| finding.severity).max()?;
    findings.filter(|finding| finding.severity > Severity::Ok).find(|finding| finding.severity == severity)
}

async fn when<T>(wanted: bool, look: impl Future<Output = T>) -> Option<T> {
    if wanted { Some(look.await) } else { None }
}

/// Gives a part its deadline; one that hangs is a finding itself.
async fn within<T: From<Vec<Finding>>>(
    step: &'static str,
    limit: Duration,
    part: impl Future<Output = T>,
) -> T {
    timeout(limit, part).await.unwrap_or_else(|_| {
        let detail = format!("no result within {} s", limit.as_secs());
        vec![Finding::error(step, detail, "journalctl -u zmesd -n 50")].into()
    })
}
