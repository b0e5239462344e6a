//! All phones at once: tokens that fail, owners without rights, monitors that are in no list.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use tokio::task::yield_now;
use zmes_shared::MonitorId;
use zmes_shared::views::{Finding, Sentence, Severity};
use zmes_zoneminder::Monitor;

use super::phone::chosen_in_vain;
use super::rules;
use super::scene::{Obstacle, Snapshot, some};
use crate::domain::{PushState, Token};
use crate::state::TokenRow;

/// An older failure may be that of a transport that works again.
const RECENT: SignedDuration = SignedDuration::from_hours(24);
/// This many failures in a row are an error.
const FAILURES: u32 = 3;
const TOLD: usize = 10;

pub(super) async fn findings(scene: &Snapshot<'_>) -> Vec<Finding> {
    let mut findings = vec![summary(scene)];
    findings.extend(rules::findings(scene));
    findings.extend(owners(scene));
    findings.extend(lost(scene));
    findings.extend(failing(scene));
    findings.extend(lists(scene));
    let mut unheard = Vec::new();
    for monitor in scene.watched() {
        // With many phones each monitor takes milliseconds: other tasks run in between.
        yield_now().await;
        unheard.extend(Some(monitor).filter(|monitor| is_unheard(scene, monitor)));
    }
    findings.extend(unlisted(scene, unheard.iter().map(|monitor| &***monitor)));
    findings.extend(slow(scene));
    findings
}

fn summary(scene: &Snapshot<'_>) -> Finding {
    let (mut all, mut muted, mut disabled) = (0, 0, 0);
    for row in scene.live() {
        all += 1;
        muted += usize::from(row.token.muted(scene.now));
        disabled += usize::from(row.token.state == PushState::Disabled);
    }
    let connected = scene.listening().count();
    if all == 0 && connected == 0 {
        // A new installation without phones is not an error.
        let detail =
            "no phone is registered, and no app is connected yet: open the app, switch its event server on";
        return Finding::good("tokens", detail);
    }
    if all > 0 && muted == all {
        let detail = match all {
            1 => "the only phone is muted by an admin: none rings".to_owned(),
            many => format!("all {many} phones are muted by an admin: none rings"),
        };
        return Finding::warning("tokens", detail, "zmesctl tokens unmute --all --yes");
    }
    let detail =
        format!("registered: {all} ({muted} muted, {disabled} disabled); apps connected: {connected}");
    Finding::good("tokens", detail)
}

/// Phones whose owner may get no alarms.
fn owners(scene: &Snapshot<'_>) -> Vec<Finding> {
    let mut barred: BTreeMap<&str, (Obstacle, Vec<String>)> = BTreeMap::new();
    for row in scene.live().filter(|row| row.token.state == PushState::Enabled) {
        let Some(trouble) = scene.barred(&row.token.user) else { continue };
        let (_, tokens) = barred.entry(&row.token.user).or_insert((trouble, Vec::new()));
        tokens.push(scene.call(&row.token));
    }
    let finding = |(Obstacle { detail, hint }, tokens): (Obstacle, Vec<String>)| {
        Finding::error("owner", format!("{detail}; owner of {}", some(&tokens)), hint)
    };
    barred.into_values().take(TOLD).map(finding).collect()
}

/// Phones whose provider reported the token dead, and that have not registered another one.
fn lost(scene: &Snapshot<'_>) -> Vec<Finding> {
    // When a phone of that user and platform was last seen: probably the same phone with its next token.
    let mut seen: BTreeMap<(&str, &str), Timestamp> = BTreeMap::new();
    for row in scene.live() {
        let last = seen.entry((&row.token.user, row.token.platform.as_str())).or_insert(Timestamp::MIN);
        *last = row.token.last_seen_at.max(*last);
    }
    let finding = |row: &TokenRow| {
        let token = &row.token;
        let dead = token.revoked.as_ref().filter(|revoked| !revoked.by_person() && !revoked.blocked)?;
        let next = seen.get(&(token.user.as_str(), token.platform.as_str()));
        if next.is_some_and(|&next| next >= dead.at) {
            return None;
        }
        let handle = scene.call(token);
        let detail = Sentence::from(format!("token {handle} of {} was revoked at ", owner(token)))
            .time(dead.at)
            .text(format!(" and the phone has registered no other: its provider said {}", dead.reason));
        let hint =
            format!("open the app on that phone; if the provider was wrong: zmesctl tokens restore {handle}");
        Some(Finding::error("token", detail, hint))
    };
    scene.known.rows.iter().filter_map(finding).take(TOLD).collect()
}

fn failing(scene: &Snapshot<'_>) -> Option<Finding> {
    let failing: Vec<_> = scene.live().filter(|row| row.failures > 0).collect();
    let worst = failing.iter().max_by_key(|row| (row.failures >= FAILURES, row.last_error_at))?;
    let recent = worst.last_error_at.is_some_and(|at| scene.now.duration_since(at) < RECENT);
    let handle = scene.call(&worst.token);
    let error = worst.last_error.as_deref().unwrap_or("no reason is known");
    let others =
        if failing.len() > 1 { format!(", and {} others fail", failing.len() - 1) } else { String::new() };
    let detail = format!("token {handle} failed {} times in a row: {error}{others}", worst.failures);
    let hint = format!("zmesctl doctor {handle}");
    let lasting = recent && worst.failures >= FAILURES;
    let severity = if lasting { Severity::Error } else { Severity::Warning };
    Some(Finding::new("token", severity, detail, Some(hint)))
}

/// Says whether there are phones or apps, but none that gets alarms of this monitor.
fn is_unheard(scene: &Snapshot<'_>, monitor: &Monitor) -> bool {
    let app =
        |monitors: &Option<Vec<MonitorId>>| monitors.as_ref().is_none_or(|list| list.contains(&monitor.id));
    let any = scene.live().next().is_some() || scene.listening().next().is_some();
    any && !scene.live().any(|row| scene.hears(&row.token, monitor.id))
        && !scene.listening().any(|client| app(&client.monitors))
}

fn unlisted<'m>(scene: &Snapshot<'_>, unheard: impl Iterator<Item = &'m Monitor>) -> Option<Finding> {
    let names: Vec<_> = unheard.map(|monitor| format!("{} ({})", monitor.id, monitor.name)).collect();
    let first = names.first()?;
    let subject = if names.len() == 1 {
        format!("monitor {first} is")
    } else {
        format!("monitors {} are", some(&names))
    };
    let detail = format!("{subject} in no app's list: no phone rings for it, and no app shows its alarms");
    let who = scene.live().next().map_or_else(
        || "zmesctl clients list".to_owned(),
        |row| format!("zmesctl tokens show {}", scene.call(&row.token)),
    );
    let hint =
        format!("tick it in the app, in the monitors of its event server settings; {who} shows a list");
    // It may be intended: it is red only where that monitor is asked for.
    Some(Finding::warning("filter", detail, hint))
}

/// Phones that can never ring, because their owners may see none of the chosen monitors.
fn lists(scene: &Snapshot<'_>) -> Vec<Finding> {
    let enabled = scene.live().filter(|row| row.token.state == PushState::Enabled);
    let allowed = enabled.filter(|row| scene.barred(&row.token.user).is_none());
    let named = |row: &TokenRow| {
        let finding = chosen_in_vain(scene, &row.token)?;
        let token = format!("token {} of {}: ", scene.call(&row.token), owner(&row.token));
        let detail = Sentence::from(token).join(finding.sentence());
        Some(Finding::error(finding.step, detail, finding.hint.unwrap_or_default()))
    };
    allowed.filter_map(named).take(TOLD).collect()
}

fn slow(scene: &Snapshot<'_>) -> Option<Finding> {
    let slow: Vec<_> = scene.listening().filter(|client| client.queued > 100).collect();
    let first = slow.first()?;
    let detail = format!("client {} does not read: {} alarms wait for it", first.id, first.queued);
    Some(Finding::warning("clients", detail, format!("zmesctl clients disconnect {} --yes", first.id)))
}

pub(super) fn owner(token: &Token) -> &str {
    if token.user.is_empty() { "no user (imported)" } else { &token.user }
}
