//! `doctor`: checks the installation in the order in which things break, or follows one alarm to one phone.
//!
//! It is a [`Survey`] of all [`Part`]s; `check` judges the same survey, and the [`Board`] keeps the last findings for
//! `status` and the metrics.

mod board;
mod capturing;
mod certificate;
mod clock;
mod configuration;
mod daemon;
mod database;
mod handshake;
mod keeper;
mod measure;
mod monitors;
mod observe;
mod outside;
mod part;
mod phone;
mod pictures;
mod push;
mod refused;
mod registrations;
mod rules;
mod scene;
mod servers;
mod store;
mod survey;
mod user;

use zmes_shared::MonitorId;
use zmes_shared::control::{ControlError, Role};
use zmes_shared::views::{Doctor, Finding};

pub(in crate::admin) use board::Board;
pub(in crate::admin) use keeper::{glance, keep};
pub(super) use measure::{PartOutcome, failures as counted, milliseconds};
pub(in crate::admin) use observe::Observer;
pub use outside::{OutsideFindings, OutsideParts, look as look_from_outside};
pub(super) use part::Part;
pub(super) use survey::Survey;

use crate::admin::AdminParts;
use scene::{DoctorTarget, Snapshot};

pub(super) async fn examine(
    parts: &AdminParts,
    board: &Board,
    asker: Role,
    target: Option<&str>,
    monitor: Option<MonitorId>,
) -> Result<Doctor, ControlError> {
    let monitors = parts.catalog.now();
    if let Some(id) = monitor.filter(|&id| monitors.monitors.find(id).is_none()) {
        return Err(super::answers::no_monitor(id, &monitors.monitors));
    }
    let findings = match target {
        None => {
            let survey = Survey::of(parts, &Part::ALL, None).await;
            board.keep(&survey);
            survey.into_findings()
        }
        Some(name) => follow(parts, asker, name, monitor).await?,
    };
    Ok(Doctor::new(findings))
}

/// From the token or user to the provider's last answer: the way of one alarm to one phone.
async fn follow(
    parts: &AdminParts,
    asker: Role,
    name: &str,
    monitor: Option<MonitorId>,
) -> Result<Vec<Finding>, ControlError> {
    let (daemon, database, push) =
        tokio::join!(daemon::look(parts), database::look(parts), push::look(parts, survey::PROVIDERS));
    let scene = Snapshot::load(parts, asker).await?;
    let target = scene.target(name)?;
    // If the database is down, rights and monitors are the last known ones.
    let general = daemon.findings.into_iter().chain(database.outcome(parts, None).findings);
    let mut findings: Vec<_> = general.filter(|finding| !finding.ok).collect();
    findings.extend(match target {
        DoctorTarget::Token(row) => phone::findings(&scene, row, monitor, &push).await,
        DoctorTarget::User(name) => {
            let mut findings = user::findings(&scene, &name, monitor, &push).await;
            findings.extend(refused::logins(parts, &name));
            findings
        }
    });
    Ok(findings)
}
