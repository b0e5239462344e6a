//! One alarm for one phone, from the token to the provider's last answer.

use std::time::Duration;

use zmes_providers::App;
use zmes_shared::MonitorId;
use zmes_shared::views::{Finding, Sentence};
use zmes_shared::words::{DeliveryState, Reason};

use super::capturing::Capturing;
use super::monitors::one;
use super::push::ProviderProbe;
use super::registrations::owner;
use super::rules;
use super::scene::{Obstacle, Snapshot, some};
use crate::admin::conditions::{self, SWITCH_ON};
use crate::admin::monitors::join;
use crate::domain::{MonitorFilter, PushState, Revoked, SkipReason, Snooze, Token};
use crate::state::{DeliveryRow, TokenRow};

const RECENT: u32 = 50;
/// An interval this long looks as if no alarms came.
const LONG: Duration = Duration::from_hours(1);

pub(super) async fn findings(
    scene: &Snapshot<'_>,
    row: &TokenRow,
    wanted: Option<MonitorId>,
    push: &ProviderProbe,
) -> Vec<Finding> {
    let token = &row.token;
    let about = format!("token {}", scene.call(token));
    let mut findings = vec![known(scene, token)];
    if token.revoked.is_none() {
        findings.extend(switched_off(scene, wanted));
        findings.push(enabled(token));
        findings.push(mute(scene, token));
        findings.extend(rules::mutes(scene, token, wanted));
        findings.extend(snoozed(scene, token, wanted).await);
        findings.push(owned(scene, token));
        findings.push(rights(scene, token, wanted));
        findings.push(filter(scene, token, wanted));
        findings.push(interval(scene, token, wanted));
        findings.extend(cameras(scene, token, wanted).await);
        findings.extend(push.for_token(scene.parts, &scene.parts.push.ways(token)));
        findings.extend(history(scene, row).await);
    }
    findings.into_iter().map(|finding| finding.about(about.as_str())).collect()
}

fn known(scene: &Snapshot<'_>, token: &Token) -> Finding {
    let handle = scene.call(token);
    if let Some(revoked) = &token.revoked {
        let Revoked { at, reason, blocked } = revoked;
        let restore = format!("zmesctl tokens restore {handle}");
        let (before, after, hint) = match reason.as_str() {
            _ if *blocked => {
                ("blocked by an admin at ", String::new(), format!("zmesctl tokens unblock {handle}"))
            }
            Revoked::ADMIN => ("revoked by an admin at ", String::new(), restore),
            Revoked::NOT_CONFIGURED => {
                let hint = "add it to zmesd.toml, then: zmesctl reload".to_owned();
                ("removed from zmesd.toml at ", String::new(), hint)
            }
            Revoked::ELSEWHERE => ("revoked at another node, which was noticed at ", String::new(), restore),
            Revoked::PRUNED => {
                ("revoked by `tokens prune` at ", ": its app had not been seen".to_owned(), restore)
            }
            _ => (
                "revoked at ",
                format!(" because its provider said: {reason}"),
                format!("open the app on that phone; if the provider was wrong: {restore}"),
            ),
        };
        return Finding::error("token", Sentence::from(before).time(*at).text(after), hint);
    }
    let app = if token.app == App::Unknown { String::new() } else { format!(" with {}", token.app.as_str()) };
    if token.handle.is_target() {
        return Finding::good("token", format!("a target of {}, configured in zmesd.toml", owner(token)));
    }
    let platform = token.platform.as_str();
    let detail = format!("an {platform} phone of {}{app}, last seen ", owner(token));
    Finding::good("token", Sentence::from(detail).time(token.last_seen_at))
}

fn enabled(token: &Token) -> Finding {
    match token.state {
        PushState::Enabled if token.handle.is_target() => Finding::good("state", "enabled"),
        PushState::Enabled => Finding::good("state", "its app wants pushes"),
        PushState::Disabled => {
            let detail = "pushes are switched off in its app (state is disabled)";
            Finding::error("state", detail, "switch them on in the app: settings of its event server")
        }
    }
}

fn mute(scene: &Snapshot<'_>, token: &Token) -> Finding {
    if !token.muted(scene.now) {
        return Finding::good("mute", "not muted");
    }
    let detail = Sentence::from("muted by an admin");
    let detail = match token.mute_until.filter(|&until| until != jiff::Timestamp::MAX) {
        Some(until) => detail.text(" until ").time(until),
        None => detail,
    };
    Finding::error("mute", detail, format!("zmesctl tokens unmute {}", scene.call(token)))
}

/// Returns that alarms are withheld from it now, if so: by the snooze that lasts longest.
async fn snoozed(scene: &Snapshot<'_>, token: &Token, wanted: Option<MonitorId>) -> Option<Finding> {
    let set = scene.parts.router.snoozes().await.ok()?;
    let concerns = |snooze: &&Snooze| {
        let heard = |id: MonitorId| wanted.is_none_or(|wanted| wanted == id) && scene.hears(token, id);
        snooze.scope.has(token) && snooze.until > scene.now && snooze.monitor.is_none_or(heard)
    };
    let concerned: Vec<_> = set.iter().map(|one| &one.snooze).filter(concerns).collect();
    let longest = concerned.iter().max_by_key(|snooze| (snooze.monitor.is_none(), snooze.until))?;
    let Snooze { id, monitor, until, by, .. } = longest;
    let what = monitor.map_or_else(|| "all monitors are".to_owned(), |id| format!("monitor {id} is"));
    let others = match concerned.len() - 1 {
        0 => String::new(),
        1 => "; and 1 other snooze: zmesctl snooze list".to_owned(),
        many => format!("; and {many} other snoozes: zmesctl snooze list"),
    };
    let detail = Sentence::from(format!("{what} snoozed until ")).time(*until);
    let detail = detail.text(format!(" by {by} (snooze {id}){others}"));
    Some(Finding::warning("snooze", detail, format!("zmesctl snooze end {id}")))
}

fn owned(scene: &Snapshot<'_>, token: &Token) -> Finding {
    match scene.barred(&token.user) {
        Some(Obstacle { detail, hint }) => Finding::error("owner", detail, hint),
        None => Finding::good("owner", format!("{} may get alarms", owner(token))),
    }
}

fn rights(scene: &Snapshot<'_>, token: &Token, wanted: Option<MonitorId>) -> Finding {
    if let Some(Obstacle { detail, hint }) = scene.unseen(&token.user, wanted) {
        return Finding::error("rights", detail, hint);
    }
    let seen = scene.seen_of_all(&token.user);
    Finding::good("rights", format!("{} may see {seen} monitors", owner(token)))
}

/// A list without the requested monitor is red, and so is a list none of whose monitors can ring the phone: none can
/// raise alarms, or its owner may see none of them. Other monitors are left out on purpose.
fn filter(scene: &Snapshot<'_>, token: &Token, wanted: Option<MonitorId>) -> Finding {
    let MonitorFilter::Only(only) = &token.filter else {
        return Finding::good("filter", "it gets alarms of all monitors");
    };
    let listed = some(&only.keys().map(ToString::to_string).collect::<Vec<_>>());
    let handle = scene.call(token);
    let hint = if token.handle.is_target() {
        format!(
            "add it to monitors of the target in zmesd.toml, then: zmesctl reload; zmesctl tokens show {handle}"
        )
    } else {
        format!(
            "tick it in the app, in the monitors of its event server settings; zmesctl tokens show {handle} shows the list"
        )
    };
    let red =
        |what: String| Finding::error("filter", format!("{what}: {} {listed}", chosen(token)), hint.as_str());
    // Without rights, the list does not matter.
    if let Some(id) = wanted.filter(|id| !only.contains_key(id) && scene.may_hear(&token.user, *id)) {
        return red(format!("monitor {id} is not in its list"));
    }
    if let Some(finding) = chosen_in_vain(scene, token) {
        return finding;
    }
    let mut elsewhere = scene.others().filter(|id| only.contains_key(id));
    if !scene.watched().any(|monitor| only.contains_key(&monitor.id)) && elsewhere.next().is_none() {
        return red("no monitor that can alarm is in its list".to_owned());
    }
    let missing: Vec<_> = scene
        .watched()
        .filter(|monitor| !only.contains_key(&monitor.id) && scene.may_hear(&token.user, monitor.id))
        .map(|monitor| format!("{} ({})", monitor.id, monitor.name))
        .collect();
    if missing.is_empty() {
        Finding::good("filter", format!("it gets alarms of {listed}: all that its owner may see"))
    } else {
        Finding::good("filter", format!("it gets alarms of {listed}, not of {}", some(&missing)))
    }
}

/// Returns that a phone has chosen only monitors that its owner may not see, if so: it can never ring.
pub(super) fn chosen_in_vain(scene: &Snapshot<'_>, token: &Token) -> Option<Finding> {
    let MonitorFilter::Only(only) = &token.filter else { return None };
    if !scene.is_in_vain(&token.user, only.keys().copied()) || scene.unseen(&token.user, None).is_some() {
        return None;
    }
    let listed = some(&only.keys().map(ToString::to_string).collect::<Vec<_>>());
    let whom = owner(token);
    let detail =
        format!("{} {listed}, but ZoneMinder lets {whom} see none of them: it can never ring", chosen(token));
    let hint = format!(
        "choose others, or allow them: ZoneMinder > Options > Users > {whom}, then: zmesctl monitors reload"
    );
    Some(Finding::error("filter", detail, hint))
}

/// Returns where the monitors of a token were chosen.
fn chosen(token: &Token) -> &'static str {
    if token.handle.is_target() { "zmesd.toml has chosen" } else { "its app has chosen" }
}

fn interval(scene: &Snapshot<'_>, token: &Token, wanted: Option<MonitorId>) -> Finding {
    let longest = match (&token.filter, wanted) {
        (MonitorFilter::All, _) => Some(scene.config.push.interval_default),
        (MonitorFilter::Only(_), Some(id)) => token.filter.interval(id),
        (MonitorFilter::Only(only), None) => only.values().copied().max(),
    };
    let longest = longest.unwrap_or_default();
    if longest.is_zero() {
        return Finding::good("interval", "every alarm is pushed");
    }
    let detail = format!("at most one alarm per monitor in {} s", longest.as_secs());
    if longest < LONG {
        return Finding::good("interval", detail);
    }
    let hint = "its app sets the interval; without one, push.interval-default applies";
    Finding::warning("interval", detail, hint)
}

/// Returns that the monitor that was asked for cannot alarm, as set in ZoneMinder: nothing else matters then.
pub(super) fn switched_off(scene: &Snapshot<'_>, wanted: Option<MonitorId>) -> Option<Finding> {
    let monitor = scene.catalog.monitors.find(wanted?)?;
    let reason = conditions::switched_off(monitor.watched.err()?);
    let detail = format!("{} ({}) cannot alarm, as set in ZoneMinder: {reason}", monitor.id, monitor.name);
    Some(Finding::error("monitor", detail, SWITCH_ON))
}

async fn cameras(scene: &Snapshot<'_>, token: &Token, wanted: Option<MonitorId>) -> Vec<Finding> {
    let concerned = |id| wanted.is_none_or(|wanted| wanted == id) && scene.hears(token, id);
    let listed = join(scene.parts);
    let watched: Vec<_> =
        listed.iter().filter(|listed| listed.watched && concerned(listed.report.id)).collect();
    let capturing = Capturing::look(scene.parts).await;
    let mut findings: Vec<_> = watched.iter().filter_map(|listed| one(&listed.report, &capturing)).collect();
    if findings.is_empty() && !watched.is_empty() {
        let alive = match watched.len() {
            1 => "its monitor is alive".to_owned(),
            many => format!("all its {many} monitors are alive"),
        };
        findings.push(Finding::good("monitors", alive));
    }
    findings
}

async fn history(scene: &Snapshot<'_>, row: &TokenRow) -> Vec<Finding> {
    let handle = scene.call(&row.token);
    let deliveries = match scene.parts.state.deliveries_of_token(row.token.id, RECENT).await {
        Ok(deliveries) => deliveries,
        Err(error) => return vec![Finding::error("last answer", error.to_string(), "zmesctl check store")],
    };
    let mut findings = vec![last_answer(row, &deliveries, &handle)];
    let queued = deliveries.iter().filter(|delivery| delivery.decision == DeliveryState::Queued).count();
    if queued > 0 {
        let detail = format!("{queued} pushes are queued");
        findings.push(Finding::warning("queue", detail, "zmesctl push queue"));
    }
    findings.extend(last_skip(&deliveries, &handle));
    findings
}

fn last_answer(row: &TokenRow, deliveries: &[DeliveryRow], handle: &str) -> Finding {
    let step = "last answer";
    if let Some(error) = row.last_error.as_deref().filter(|_| row.failures > 0) {
        let detail = Sentence::from(format!("the last {} attempts failed", row.failures));
        let detail = match row.last_error_at {
            Some(at) => detail.text(", the last one at ").time(at),
            None => detail,
        };
        let detail = detail.text(format!(": {error}"));
        let hint = format!("zmesctl tokens log {handle}; to try: zmesctl alarm test --token {handle} --wait");
        return Finding::error(step, detail, hint);
    }
    let sent = deliveries.iter().find(|delivery| delivery.decision == DeliveryState::Sent);
    let Some(at) = row.last_notified_at else {
        let hint = format!("zmesctl alarm test --token {handle} --wait");
        return Finding::warning(step, "no provider has taken a push for it yet", hint);
    };
    let by = sent.map_or("a provider", |sent| sent.transport.as_str());
    let id = sent.and_then(|sent| sent.provider_id.as_deref());
    let id = id.map_or_else(String::new, |id| format!(" as {id}"));
    Finding::good(step, Sentence::from(format!("{by} took the last push at ")).time(at).text(id))
}

/// Explains why the last alarm was not for this phone. A monitor left out by list or rights was left out on purpose.
fn last_skip(deliveries: &[DeliveryRow], handle: &str) -> Option<Finding> {
    let last = deliveries.first().filter(|delivery| delivery.decision == DeliveryState::Skipped)?;
    let event = last.event?;
    if matches!(last.reason, Reason::Skip(SkipReason::Rights | SkipReason::Filter)) {
        return None;
    }
    let detail = format!(
        "the last alarm, event {event} of monitor {}, was not sent to it: {}",
        last.monitor, last.reason
    );
    Some(Finding::warning("last alarm", detail, format!("zmesctl why {event} --token {handle}")))
}
