//! All phones at once: tokens that fail, owners who may hear nothing, monitors that nobody hears of.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use zmes_shared::MonitorId;
use zmes_shared::views::Finding;

use super::scene::{Scene, Trouble, some};
use crate::domain::{Monitor, MonitorFilter, PushState, Revoked, Token};
use crate::state::TokenRow;

/// A failure that is older was perhaps that of a way which is open again.
const RECENT: SignedDuration = SignedDuration::from_hours(24);
/// So many failures in a row are more than a bad moment.
const FAILURES: u32 = 3;
/// Users who are told one by one.
const TOLD: usize = 10;

/// Says how the phones are, and whether each monitor has somebody who hears of it.
pub(super) fn findings(scene: &Scene<'_>) -> Vec<Finding> {
    let mut findings = vec![summary(scene)];
    findings.extend(owners(scene));
    findings.extend(buried(scene));
    findings.extend(failing(scene));
    let unheard: Vec<_> = scene.watched().filter(|monitor| is_unheard(scene, monitor)).collect();
    findings.extend(nobody(scene, unheard.iter().map(|monitor| &***monitor)));
    findings.extend(older(scene, |id| unheard.iter().any(|monitor| monitor.id == id)));
    findings.extend(slow(scene));
    findings
}

fn summary(scene: &Scene<'_>) -> Finding {
    let (mut all, mut muted, mut disabled) = (0, 0, 0);
    for row in scene.live() {
        all += 1;
        muted += usize::from(row.token.muted(scene.now));
        disabled += usize::from(row.token.state == PushState::Disabled);
    }
    let connected = scene.listening().count();
    if all == 0 && connected == 0 {
        let hint = "open the app, switch its event server on, and see: zmesctl clients list";
        return Finding::warning("tokens", "no phone is registered, and no app is connected", hint);
    }
    let detail =
        format!("registered: {all} ({muted} muted, {disabled} disabled); apps connected: {connected}");
    Finding::good("tokens", detail)
}

/// Phones whose owner may hear nothing.
fn owners(scene: &Scene<'_>) -> Vec<Finding> {
    let mut barred: BTreeMap<&str, (Trouble, Vec<String>)> = BTreeMap::new();
    for row in scene.live().filter(|row| row.token.state == PushState::Enabled) {
        let Some(trouble) = scene.barred(&row.token.user) else { continue };
        let (_, tokens) = barred.entry(&row.token.user).or_insert((trouble, Vec::new()));
        tokens.push(scene.call(&row.token));
    }
    let finding = |(Trouble { detail, hint }, tokens): (Trouble, Vec<String>)| {
        Finding::error("owner", format!("{detail}; owner of {}", some(&tokens)), hint)
    };
    barred.into_values().take(TOLD).map(finding).collect()
}

/// Phones that a provider has given up, and that have not come back under another token.
fn buried(scene: &Scene<'_>) -> Vec<Finding> {
    let lost = |row: &&TokenRow| {
        let dead = row.token.revoked.as_ref().filter(|revoked| !revoked.by_person() && !revoked.blocked);
        dead.is_some_and(|revoked| !scene.live().any(|other| replaces(&other.token, &row.token, revoked)))
    };
    let finding = |row: &TokenRow| {
        let handle = scene.call(&row.token);
        let (at, reason) = row
            .token
            .revoked
            .as_ref()
            .map(|revoked| (revoked.at.to_string(), revoked.reason.as_str()))
            .unwrap_or_default();
        let detail = format!(
            "token {handle} of {} was laid to rest {at}, and the phone has no other: {reason}",
            owner(&row.token)
        );
        let hint =
            format!("open the app on that phone; if the provider was wrong: zmesctl tokens restore {handle}");
        Finding::error("token", detail, hint)
    };
    scene.known.rows.iter().filter(lost).take(TOLD).map(finding).collect()
}

/// Says whether a token seems to be the same phone's next one.
fn replaces(other: &Token, dead: &Token, revoked: &Revoked) -> bool {
    other.user == dead.user && other.platform == dead.platform && other.last_seen_at >= revoked.at
}

fn failing(scene: &Scene<'_>) -> Option<Finding> {
    let failing: Vec<_> = scene.live().filter(|row| row.failures > 0).collect();
    let worst = failing.iter().max_by_key(|row| (row.failures >= FAILURES, row.last_error_at))?;
    let recent = worst.last_error_at.is_some_and(|at| scene.now.duration_since(at) < RECENT);
    let handle = scene.call(&worst.token);
    let error = worst.last_error.as_deref().unwrap_or("no reason is known");
    let others =
        if failing.len() > 1 { format!(", and {} others fail", failing.len() - 1) } else { String::new() };
    let detail = format!("token {handle} failed {} times in a row: {error}{others}", worst.failures);
    let hint = format!("zmesctl doctor {handle}");
    Some(if recent && worst.failures >= FAILURES {
        Finding::error("token", detail, hint)
    } else {
        Finding::warning("token", detail, hint)
    })
}

/// Says whether there are people to hear of alarms, but none hears of that monitor.
fn is_unheard(scene: &Scene<'_>, monitor: &Monitor) -> bool {
    let app =
        |monitors: &Option<Vec<MonitorId>>| monitors.as_ref().is_none_or(|list| list.contains(&monitor.id));
    let anybody = scene.live().next().is_some() || scene.listening().next().is_some();
    anybody
        && !scene.live().any(|row| scene.hears(&row.token, monitor.id))
        && !scene.listening().any(|client| app(&client.monitors))
}

fn nobody<'m>(scene: &Scene<'_>, unheard: impl Iterator<Item = &'m Monitor>) -> Option<Finding> {
    let names: Vec<_> = unheard.map(|monitor| format!("{} ({})", monitor.id, monitor.name)).collect();
    let first = names.first()?;
    let subject = if names.len() == 1 {
        format!("monitor {first} is")
    } else {
        format!("monitors {} are", some(&names))
    };
    let detail = format!("{subject} in nobody's list: no phone rings for it, and no app hears of it");
    let who = scene.live().next().map_or_else(
        || "zmesctl clients list".to_owned(),
        |row| format!("zmesctl tokens show {}", scene.call(&row.token)),
    );
    let hint = format!(
        "tick it in the app, in the monitors of its event server settings; {who} shows a list as it is"
    );
    Some(Finding::error("filter", detail, hint))
}

/// Lists that were made before a monitor was: ZoneMinder numbers monitors upwards and never uses a number again.
fn older(scene: &Scene<'_>, unheard: impl Fn(MonitorId) -> bool) -> Vec<Finding> {
    let mut missed: BTreeMap<MonitorId, Vec<String>> = BTreeMap::new();
    for row in scene.live().filter(|row| row.token.state == PushState::Enabled) {
        for id in newer(scene, &row.token).into_iter().filter(|&id| !unheard(id)) {
            missed.entry(id).or_default().push(scene.call(&row.token));
        }
    }
    let finding = |(id, tokens): (MonitorId, Vec<String>)| {
        let name = scene.catalog.monitors.find(id).map_or("", |monitor| &*monitor.name);
        let detail = format!("monitor {id} ({name}) is newer than the lists of {}", some(&tokens));
        let hint = "if these phones should ring for it: tick it in their apps, or choose all monitors";
        Finding::warning("filter", detail, hint)
    };
    missed.into_iter().take(TOLD).map(finding).collect()
}

/// Returns the monitors that are newer than a token's list and that its owner may hear of.
pub(super) fn newer(scene: &Scene<'_>, token: &Token) -> Vec<MonitorId> {
    let MonitorFilter::Only(only) = &token.filter else { return Vec::new() };
    let Some((last, _)) = only.last_key_value() else { return Vec::new() };
    let newer = scene.watched().map(|monitor| monitor.id).filter(|id| id > last);
    newer.filter(|&id| scene.may_hear(&token.user, id)).collect()
}

fn slow(scene: &Scene<'_>) -> Option<Finding> {
    let slow: Vec<_> = scene.listening().filter(|client| client.queued > 100).collect();
    let first = slow.first()?;
    let detail = format!("client {} does not read: {} alarms wait for it", first.id, first.queued);
    Some(Finding::warning("clients", detail, format!("zmesctl clients disconnect {} --yes", first.id)))
}

/// Returns whose a token is, in words.
pub(super) fn owner(token: &Token) -> &str {
    if token.user.is_empty() { "nobody (it was imported)" } else { &token.user }
}
