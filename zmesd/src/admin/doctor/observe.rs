//! What the troubles are made of: the facts that `doctor` and `check` judge, as conditions with an id.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, timeout};
use zmes_shared::MonitorId;
use zmes_shared::views::{Sentence, Severity};
use zmes_shared::words::{FaultKind, Mender, TroubleKind};
use zmes_zoneminder::{DbHealth, OtherServer};

use super::servers::OtherServers;
use super::store;
use crate::admin::conditions::{Diagnosis, diagnose};
use crate::admin::monitors::join;
use crate::admin::push_cure::push_cure;
use crate::admin::troubles::SECOND_TRY;
use crate::admin::{AdminParts, cluster, mqtt};
use crate::detect::{Condition, RemoteSight};
use crate::domain::{Revoked, Token};
use crate::ports::{ProbeFailure, TransportFailure, TransportHealth};
use crate::state::{self, TokenRow};
use crate::troubles::{CameraSight, Look, Observation, TroubleId};

/// How often what takes a query is read again: phones, free space, the certificate.
const SLOW: Duration = Duration::from_secs(30);
/// Time limit of such a reading.
const SLOW_DEADLINE: Duration = Duration::from_secs(5);
/// How long the database must be away. Alarms still arrive, so a restart of the database is not a trouble.
const DATABASE: Duration = Duration::from_mins(1);
/// How long a camera of another server must be lost, at least: `zmc` tells the database every 10 s.
const REMOTE: Duration = Duration::from_secs(30);
/// How long pushes must fail, if they have not failed [`FAILURES`] times before.
const PUSHES: Duration = Duration::from_mins(1);
/// This many failures in a row are a trouble at once: the transport then pauses.
const FAILURES: u64 = 5;
/// This many refused messages in a row.
const REFUSALS: u64 = 3;
/// How long the disk must be low: a backup that is written and removed is not a trouble.
const DISK: Duration = Duration::from_mins(1);
/// This many failed attempts in a row at one phone.
const SILENT_FAILURES: u32 = 5;
/// No push was accepted for this long.
const SILENT_FOR: SignedDuration = SignedDuration::from_hours(24);
/// Maximum number of phones named at a time.
const SILENT_TOLD: usize = 20;
/// This many failed checks in a row of a provider.
const PROBE_FAILURES: u64 = 2;
/// How long a user must be without a token: an app that replaces its token registers the next one at about that time.
const DEAF: SignedDuration = SignedDuration::from_mins(1);
/// Maximum number of users named at a time.
const DEAF_TOLD: usize = 20;

/// Observes. Remembers the last answers to what takes a query.
#[derive(Debug, Default)]
pub(in crate::admin) struct Observer {
    slow: Option<(Instant, SlowLook)>,
    servers: OtherServers,
}

/// What took a query or a file to find out.
#[derive(Debug, Default)]
struct SlowLook {
    found: BTreeMap<TroubleId, Observation>,
    unknown_kinds: BTreeSet<TroubleKind>,
}

impl SlowLook {
    fn unknown() -> Self {
        let kinds = [TroubleKind::Silent, TroubleKind::Deaf, TroubleKind::Certificate, TroubleKind::Store];
        Self { unknown_kinds: kinds.into(), ..Self::default() }
    }
}

impl Observer {
    /// Starts with the troubles that stood when the daemon ended.
    pub(in crate::admin) fn remembering<'a>(standing: impl Iterator<Item = &'a TroubleId>) -> Self {
        Self { servers: OtherServers::remembering(standing), ..Self::default() }
    }

    /// Returns the current observations.
    pub(in crate::admin) async fn look(&mut self, parts: &AdminParts) -> Look {
        if self.slow.as_ref().is_none_or(|(at, _)| at.elapsed() >= SLOW) {
            let read = timeout(SLOW_DEADLINE, slow(parts)).await;
            // What could not be read in time stays as it was.
            let before = self.slow.take().map(|(_, before)| before);
            self.slow = Some((Instant::now(), read.ok().or(before).unwrap_or_else(SlowLook::unknown)));
        }
        let mut look = Look::default();
        cameras(parts, &mut self.servers, &mut look);
        let probes = parts.configuration.running().watchdog.probe_interval;
        for health in parts.push.health() {
            transport(&health, &mut look);
            probe(&health, probes, &mut look);
        }
        database(parts, &mut look);
        store(parts, &mut look);
        broker(parts, &mut look);
        for (id, observation) in cluster::observations(parts) {
            look.others.entry(id).or_insert(observation);
        }
        if let Some((_, slow)) = &self.slow {
            look.unknown_kinds.clone_from(&slow.unknown_kinds);
            for (id, observation) in &slow.found {
                look.others.entry(id.clone()).or_insert_with(|| observation.clone());
            }
        }
        look
    }
}

fn cameras(parts: &AdminParts, servers: &mut OtherServers, look: &mut Look) {
    let offline = parts.configuration.running().watchdog.camera_offline;
    look.camera_offline = (!offline.is_zero()).then_some(offline);
    look.cameras_unknown = parts.catalog.now().loaded_at.is_none();
    let mut by_server: BTreeMap<Arc<OtherServer>, Vec<MonitorId>> = BTreeMap::new();
    for listed in join(parts).iter().filter(|listed| listed.watched) {
        let report = &listed.report;
        look.cameras.insert(report.id, sight(report.id, &report.name, &report.condition));
        if let Some(server) = &listed.elsewhere {
            look.elsewhere.insert(report.id);
            by_server.entry(Arc::clone(server)).or_default().push(report.id);
        }
    }
    servers.judge(&by_server, look);
}

fn sight(id: MonitorId, name: &str, condition: &Condition) -> CameraSight {
    match condition {
        Condition::Captured | Condition::Numbering(_) | Condition::Flapping { .. } => CameraSight::Seen,
        // Its alarms come from the database, which has its own trouble.
        Condition::Database { .. }
        | Condition::NotLookedAt
        | Condition::NotWatched(_)
        | Condition::Elsewhere { trouble: Some(_), .. }
        | Condition::Elsewhere { sight: RemoteSight::Unknown, .. } => CameraSight::Unknown,
        Condition::NoPicture
        | Condition::Unreadable(_)
        | Condition::Frozen { .. }
        | Condition::Elsewhere { trouble: None, .. } => {
            let Some(Diagnosis { severity, sentence, cure }) = diagnose(id, condition) else {
                return CameraSight::Seen;
            };
            CameraSight::Lost(Observation {
                severity,
                name: name.to_owned(),
                text: sentence.into(),
                hint: cure.unwrap_or_default(),
                hold: if matches!(condition, Condition::Elsewhere { .. }) { REMOTE } else { Duration::ZERO },
            })
        }
    }
}

fn transport(health: &TransportHealth, look: &mut Look) {
    let id = |kind| TroubleId::about(kind, health.transport.as_str());
    let kinds = [TroubleKind::Push, TroubleKind::Credentials, TroubleKind::Quota];
    let observation = |text: Sentence, hint: String, hold| Observation {
        severity: Severity::Error,
        name: String::new(),
        text,
        hint,
        hold,
    };
    if let Some(failure) = &health.failure {
        let TransportFailure { fault, count, .. } = failure;
        let (kind, hold) = match (fault.kind, fault.kind.mender()) {
            (FaultKind::Limited, _) => (TroubleKind::Quota, PUSHES),
            (_, Mender::Configuration) => (TroubleKind::Credentials, Duration::ZERO),
            (_, _) if *count >= FAILURES => (TroubleKind::Push, Duration::ZERO),
            (_, _) => (TroubleKind::Push, PUSHES),
        };
        let text = format!("pushes through {} fail: {fault}", health.transport);
        let hint = push_cure(fault.kind, &health.transport, &health.target);
        look.others.insert(id(kind), observation(text.into(), hint, hold));
        // While it fails, nothing proves that another trouble of it is over.
        look.unknown.extend(kinds.map(id));
        return;
    }
    if let Some(refusals) = health.refusals.as_ref().filter(|refusals| refusals.count >= REFUSALS) {
        let text =
            format!("{} refused the last {} messages: {}", health.target, refusals.count, refusals.detail);
        let hint = "zmesctl tokens list --failing shows the phones; zmesctl push check".to_owned();
        look.others.insert(id(TroubleKind::Push), observation(text.into(), hint, PUSHES));
    } else if health.last_success.is_none() && health.refusals.is_none() {
        // Nothing was sent since the start, or since the transport was replaced.
        look.unknown.extend(kinds.map(id));
    }
}

/// Judges the last checks made without a message. While pushes fail, that is reported, and failing checks are not.
fn probe(health: &TransportHealth, every: Duration, look: &mut Look) {
    let id = TroubleId::about(TroubleKind::Probe, health.transport.as_str());
    if every.is_zero() {
        return;
    }
    if health.fails() {
        look.unknown.insert(id);
        return;
    }
    let Some(probe) = &health.probe else {
        look.unknown.insert(id);
        return;
    };
    let Some(ProbeFailure { count, since, last, step }) = &probe.failure else { return };
    // Two requests at the same time are not a second attempt.
    let apart = SignedDuration::try_from(SECOND_TRY.min(every) / 2).unwrap_or_default();
    if *count < PROBE_FAILURES || last.duration_since(*since) < apart {
        look.unknown.insert(id);
        return;
    }
    let text = format!(
        "the last {count} checks of {} ({}) failed: {}: {}",
        health.transport, health.target, step.name, step.detail
    );
    let fault = step.fault.unwrap_or(FaultKind::Unknown);
    let observation = Observation {
        severity: Severity::Error,
        name: String::new(),
        text: text.into(),
        hint: push_cure(fault, &health.transport, &health.target),
        hold: Duration::ZERO,
    };
    look.others.insert(id, observation);
}

fn database(parts: &AdminParts, look: &mut Look) {
    let id = TroubleId::of(TroubleKind::Database);
    match &*parts.database.borrow() {
        DbHealth::Up => {}
        DbHealth::Untried => drop(look.unknown.insert(id)),
        DbHealth::Down(reason) => {
            let observation = Observation {
                severity: Severity::Error,
                name: String::new(),
                text: format!("the database does not answer: {reason}").into(),
                hint: reason.hint.clone(),
                hold: DATABASE,
            };
            look.others.insert(id, observation);
        }
    }
}

fn broker(parts: &AdminParts, look: &mut Look) {
    let Some(health) = parts.mqtt.health() else { return };
    if health.connected_at.is_some() || health.cleared {
        return;
    }
    let (text, hint) = mqtt::away(&health);
    let observation = Observation {
        severity: Severity::Error,
        name: String::new(),
        text: text.into(),
        hint: hint.to_owned(),
        hold: mqtt::AWAY,
    };
    look.others.insert(TroubleId::of(TroubleKind::Mqtt), observation);
}

fn store(parts: &AdminParts, look: &mut Look) {
    for finding in store::glance(parts) {
        let observation = Observation {
            severity: finding.severity,
            name: String::new(),
            text: finding.sentence(),
            hint: finding.hint.unwrap_or_default(),
            hold: Duration::ZERO,
        };
        look.others.insert(TroubleId::of(TroubleKind::Store), observation);
    }
}

/// Reads what takes a query or a file.
async fn slow(parts: &AdminParts) -> SlowLook {
    let (mut found, mut unknown_kinds) = (BTreeMap::new(), BTreeSet::new());
    let directory = parts.configuration.running().state.directory.clone();
    let place = directory.clone();
    let room = tokio::task::spawn_blocking(move || state::room(&place)).await.ok().flatten();
    if let Some(room) = room.filter(store::is_low) {
        let observation = Observation {
            severity: Severity::Warning,
            name: String::new(),
            text: store::low(&directory, &room).into(),
            hint: state::room_hint(&directory),
            hold: DISK,
        };
        found.insert(TroubleId::of(TroubleKind::Store), observation);
    }
    found.extend(certificate(parts));
    if let Ok(rows) = parts.state.tokens().await {
        let (catalog, auth) = (parts.catalog.now(), parts.configuration.running().auth.enabled);
        let exists = |user: &str| !auth || catalog.loaded_at.is_none() || catalog.users.contains_key(user);
        let now = parts.clock.now();
        found.extend(deaf(&rows, now, exists));
        let broken: Vec<_> = parts.push.health().into_iter().filter(TransportHealth::fails).collect();
        let broken = |row: &TokenRow| {
            let way = parts.push.ways(&row.token).into_iter().next();
            way.is_none_or(|way| broken.iter().any(|health| health.transport == way))
        };
        // Phones behind a failing transport are covered by the transport's trouble.
        let silent = rows.iter().filter(|row| is_silent(row, now) && !broken(row));
        found.extend(silent.take(SILENT_TOLD).map(silence));
    } else {
        unknown_kinds.extend([TroubleKind::Silent, TroubleKind::Deaf]);
    }
    SlowLook { found, unknown_kinds }
}

/// Finds users whose last token died: the provider reported it dead, and no other token is left.
///
/// A user with a token that is muted, or switched off in the app, is not deaf: that is intended. So is the last token's
/// revocation by an admin.
fn deaf(
    rows: &[TokenRow],
    now: Timestamp,
    exists: impl Fn(&str) -> bool,
) -> BTreeMap<TroubleId, Observation> {
    let mut last: BTreeMap<&str, Option<(&Token, &Revoked)>> = BTreeMap::new();
    for token in rows.iter().map(|row| &row.token).filter(|token| !token.user.is_empty()) {
        let Some(revoked) = &token.revoked else {
            last.insert(&token.user, None);
            continue;
        };
        let known = last.entry(&token.user).or_insert(Some((token, revoked)));
        if known.is_some_and(|(_, before)| before.at < revoked.at) {
            *known = Some((token, revoked));
        }
    }
    let died = last.into_iter().filter_map(|(user, last)| Some((user, last?)));
    let died = died.filter(|(user, (_, revoked))| {
        !revoked.by_person() && !revoked.blocked && now.duration_since(revoked.at) >= DEAF && exists(user)
    });
    died.take(DEAF_TOLD).map(|(user, (token, revoked))| deafness(user, token, revoked)).collect()
}

fn deafness(user: &str, token: &Token, revoked: &Revoked) -> (TroubleId, Observation) {
    let handle = token.handle;
    let text = Sentence::from(format!("no phone gets pushes: the last token, {handle}, was revoked at "))
        .time(revoked.at)
        .text(format!(", because its provider said {}", revoked.reason));
    let observation = Observation {
        // Removing the app looks the same.
        severity: Severity::Warning,
        name: format!("user {user}"),
        text,
        hint: format!(
            "open the app on a phone of {user}; if the provider was wrong: zmesctl tokens restore {handle}; if it is \
             intended: zmesctl tokens block {handle}"
        ),
        hold: Duration::ZERO,
    };
    (TroubleId::about(TroubleKind::Deaf, user), observation)
}

fn certificate(parts: &AdminParts) -> Option<(TroubleId, Observation)> {
    let certificate = parts.certificate.summary()?;
    let problems = certificate.problems.iter().filter(|problem| problem.grave || problem.expires_soon());
    let worst = problems.max_by_key(|problem| problem.grave)?;
    let observation = Observation {
        severity: if worst.grave { Severity::Error } else { Severity::Warning },
        name: String::new(),
        text: format!("{}: {}", certificate.subject, worst.message).into(),
        hint: worst.hint.clone(),
        hold: Duration::ZERO,
    };
    Some((TroubleId::of(TroubleKind::Certificate), observation))
}

fn is_silent(row: &TokenRow, now: Timestamp) -> bool {
    let last = row.last_notified_at.unwrap_or(row.token.created_at);
    row.token.revoked.is_none() && row.failures >= SILENT_FAILURES && now.duration_since(last) >= SILENT_FOR
}

fn silence(row: &TokenRow) -> (TroubleId, Observation) {
    let handle = row.token.handle.to_string();
    let text = match row.last_notified_at {
        Some(at) => Sentence::from("no push was accepted since ").time(at),
        None => Sentence::from("no push was ever accepted"),
    };
    let error = row.last_error.as_deref().unwrap_or("no reason is known");
    let observation = Observation {
        severity: Severity::Warning,
        name: format!("token {handle}"),
        text: text.text(format!("; the last {} attempts failed: {error}", row.failures)),
        hint: format!("zmesctl doctor {handle}"),
        hold: Duration::ZERO,
    };
    (TroubleId::about(TroubleKind::Silent, handle), observation)
}

#[cfg(test)]
mod tests;
