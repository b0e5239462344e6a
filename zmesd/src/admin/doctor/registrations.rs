//! All phones at once: tokens that fail, owners who may hear nothing, monitors that nobody hears of.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use tokio::task::yield_now;
use zmes_shared::MonitorId;
use zmes_shared::views::{Finding, Sentence};
use zmes_zoneminder::Monitor;

use super::phone::vain;
use super::scene::{Scene, Trouble, some};
use crate::domain::{PushState, Token};
use crate::state::TokenRow;

/// A failure that is older was perhaps that of a way which is open again.
const RECENT: SignedDuration = SignedDuration::from_hours(24);
/// So many failures in a row are more than a bad moment.
const FAILURES: u32 = 3;
/// Users who are told one by one.
const TOLD: usize = 10;

/// Says how the phones are, and whether each monitor has somebody who hears of it.
pub(super) async fn findings(scene: &Scene<'_>) -> Vec<Finding> {
    let mut findings = vec![summary(scene)];
    findings.extend(owners(scene));
    findings.extend(buried(scene));
    findings.extend(failing(scene));
    findings.extend(lists(scene));
    let mut unheard = Vec::new();
    for monitor in scene.watched() {
        // With many phones each monitor takes milliseconds: others get their turn in between.
        yield_now().await;
        unheard.extend(Some(monitor).filter(|monitor| is_unheard(scene, monitor)));
    }
    findings.extend(nobody(scene, unheard.iter().map(|monitor| &***monitor)));
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
        // Nothing is broken, and the first app mends it.
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
    // When a phone of that user and kind was heard of last: it seems to be the same phone's next token.
    let mut seen: BTreeMap<(&str, &str), Timestamp> = BTreeMap::new();
    for row in scene.live() {
        let last = seen.entry((&row.token.user, row.token.platform.as_str())).or_insert(Timestamp::MIN);
        *last = row.token.last_seen_at.max(*last);
    }
    let lost = |row: &TokenRow| {
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
    scene.known.rows.iter().filter_map(lost).take(TOLD).collect()
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
    // Somebody may have meant it so: it is red where that monitor is asked for.
    Some(Finding::warning("filter", detail, hint))
}

/// Phones that can never ring, because their owners may see none of the monitors that they want.
fn lists(scene: &Scene<'_>) -> Vec<Finding> {
    let enabled = scene.live().filter(|row| row.token.state == PushState::Enabled);
    let allowed = enabled.filter(|row| scene.barred(&row.token.user).is_none());
    let named = |row: &TokenRow| {
        let finding = vain(scene, &row.token)?;
        let token = format!("token {} of {}: ", scene.call(&row.token), owner(&row.token));
        let detail = Sentence::from(token).join(finding.sentence());
        Some(Finding::error(finding.step, detail, finding.hint.unwrap_or_default()))
    };
    allowed.filter_map(named).take(TOLD).collect()
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
