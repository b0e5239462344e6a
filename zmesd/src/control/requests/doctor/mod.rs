//! `doctor`: a walk over the installation in the order in which things break, or after one alarm for one phone.
//!
//! Each part has a deadline of its own and reports what it has found as [`Finding`]s; the parts that wait for others
//! run side by side, so the whole takes as long as the slowest of them ([`LONGEST`]) and one that hangs hides nothing.

mod certificate;
mod clock;
mod configuration;
mod database;
mod handshake;
mod monitors;
mod phone;
mod push;
mod refused;
mod registrations;
mod scene;
mod store;
mod user;

use std::time::Duration;

use zmes_shared::MonitorId;
use zmes_shared::control::ControlError;
use zmes_shared::views::{Doctor, Finding};

use super::check;
use crate::control::ControlParts;
use scene::{Scene, Target};

/// How long the providers may take: the longest part.
const LONGEST: Duration = Duration::from_secs(20);
/// How long the configuration may take to be read: it lies on disks that may sleep.
const CONFIGURATION: Duration = Duration::from_secs(10);
/// How long the state file may take to be read whole, and a file beside it to be written.
const STORE: Duration = Duration::from_secs(15);
/// How long the own port may take for its handshakes.
const HANDSHAKES: Duration = Duration::from_secs(10);

/// Walks over the installation; follows one alarm where a token or a user is named.
pub(super) async fn examine(
    parts: &ControlParts,
    target: Option<&str>,
    monitor: Option<MonitorId>,
) -> Result<Doctor, ControlError> {
    let monitors = parts.catalog.now();
    if let Some(id) = monitor.filter(|&id| monitors.monitors.find(id).is_none()) {
        return Err(super::no_monitor(id, &monitors.monitors));
    }
    let findings = match target {
        None => walk(parts).await,
        Some(name) => follow(parts, name, monitor).await?,
    };
    Ok(Doctor::new(findings))
}

/// In the order in which things break: what the daemon is told, what it asks, what it reads, whom it serves, what it
/// writes, by which ways it sends, and to whom.
async fn walk(parts: &ControlParts) -> Vec<Finding> {
    let (daemon, configuration, database, port, store, push) = tokio::join!(
        check::ping(parts),
        tokio::time::timeout(CONFIGURATION, parts.configuration.examine()),
        database::look(parts),
        within("port", HANDSHAKES, handshake::look(parts)),
        within("state", STORE, store::look(parts)),
        push::look(parts, LONGEST),
    );
    let mut findings = vec![alive(&daemon)];
    let examined = configuration.as_ref().ok().and_then(Option::as_ref);
    findings.extend(configuration::findings(&configuration, &parts.configuration.running()));
    findings.extend(database.findings(parts, examined));
    findings.extend(monitors::findings(parts, database.report().map(|report| &report.newest)));
    findings.extend(port);
    findings.extend(certificate::findings(parts, examined));
    findings.extend(refused::findings(parts));
    findings.extend(clock::findings(parts, database.report().and_then(|report| report.clock)));
    findings.extend(store);
    // Rights are those that the database had a moment ago.
    let (ways, registrations) = match Scene::load(parts).await {
        Ok(scene) => (push.findings(parts, scene.waiting()), registrations::findings(&scene)),
        Err(error) => {
            let finding = Finding::error("tokens", error.message, error.hint.unwrap_or_default());
            (push.findings(parts, 0), vec![finding])
        }
    };
    findings.extend(ways);
    findings.extend(registrations);
    findings
}

/// From the token or user to the provider's last answer: the way of one alarm to one phone.
async fn follow(
    parts: &ControlParts,
    name: &str,
    monitor: Option<MonitorId>,
) -> Result<Vec<Finding>, ControlError> {
    let (daemon, database, push) =
        tokio::join!(check::ping(parts), database::look(parts), push::look(parts, LONGEST));
    let scene = Scene::load(parts).await?;
    let target = scene.target(name)?;
    let mut findings: Vec<_> = [alive(&daemon)].into_iter().filter(|finding| !finding.ok).collect();
    // Where the database is away, rights and monitors are those of before.
    findings.extend(database.findings(parts, None).into_iter().filter(|finding| !finding.ok));
    findings.extend(match target {
        Target::Token(row) => phone::findings(&scene, row, monitor, &push).await,
        Target::User(name) => {
            let mut findings = user::findings(&scene, &name, monitor, &push).await;
            findings.extend(refused::logins(parts, &name));
            findings
        }
    });
    Ok(findings)
}

fn alive(ping: &zmes_shared::views::CheckPart) -> Finding {
    match &ping.hint {
        Some(hint) if !ping.ok => Finding::error("daemon", ping.detail.as_str(), hint.as_str()),
        Some(_) | None => Finding::good("daemon", ping.detail.as_str()),
    }
}

/// Gives a part its deadline; one that hangs is a finding itself.
async fn within(
    step: &'static str,
    limit: Duration,
    part: impl Future<Output = Vec<Finding>>,
) -> Vec<Finding> {
    tokio::time::timeout(limit, part).await.unwrap_or_else(|_| {
        let detail = format!("no result within {} s", limit.as_secs());
        vec![Finding::error(step, detail, "journalctl -u zmesd -n 50")]
    })
}
