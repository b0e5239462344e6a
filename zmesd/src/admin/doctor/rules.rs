//! Rules: those that name what does not exist, and those that mute a phone at the moment.

use std::collections::BTreeSet;

use zmes_shared::MonitorId;
use zmes_shared::views::{Finding, Sentence};

use super::scene::{Snapshot, some};
use crate::domain::Token;
use crate::rules::{
    AlarmFacts, AlarmTime, Channel, LocalTimes, MonitorName, ReceiverFacts, ReceiverName, Rule, RuleAction,
    is_same_name,
};

const STEP: &str = "rules";

/// Returns what rules name that does not exist.
pub(super) fn findings(scene: &Snapshot<'_>) -> Vec<Finding> {
    // Before the first load every name is unknown.
    if scene.catalog.loaded_at.is_none() {
        return Vec::new();
    }
    let (mut monitors, mut receivers) = (Vec::new(), Vec::new());
    for rule in scene.rules.rules.iter() {
        let unknown = rule.monitors.iter().filter(|name| !is_monitor(scene, name));
        monitors.extend(unknown.map(|name| format!("{name} (rule \"{}\")", rule.name)));
        let unknown = rule.receivers.iter().filter(|name| !is_receiver(scene, name));
        receivers.extend(unknown.map(|name| format!("{name} (rule \"{}\")", rule.name)));
    }
    let warn = |what: &str, names: &[String], hint: &str| {
        (!names.is_empty()).then(|| Finding::warning(STEP, format!("{what}: {}", some(names)), hint))
    };
    let monitors = warn(
        "no monitor is called so",
        &monitors,
        "zmesctl monitors list shows names and ids; correct monitors in zmesd.toml",
    );
    let receivers = warn(
        "no user and no token is called so",
        &receivers,
        "zmesctl tokens list shows tokens and their users; correct receivers in zmesd.toml",
    );
    monitors.into_iter().chain(receivers).collect()
}

fn is_monitor(scene: &Snapshot<'_>, name: &MonitorName) -> bool {
    scene.catalog.names().any(|(id, known)| name.names(id, known))
}

fn is_receiver(scene: &Snapshot<'_>, name: &ReceiverName) -> bool {
    match name {
        ReceiverName::Platform(_) => true,
        ReceiverName::Handle(start) => scene.known.rows.iter().any(|row| row.token.handle.begins_with(start)),
        ReceiverName::User(user) => {
            let owners = scene.known.rows.iter().map(|row| row.token.user.as_str());
            scene
                .catalog
                .users
                .keys()
                .map(String::as_str)
                .chain(owners)
                .any(|known| is_same_name(user, known))
        }
    }
}

/// Returns that rules mute a phone now: for that monitor, or for some that it would ring for.
pub(super) fn mutes(scene: &Snapshot<'_>, token: &Token, wanted: Option<MonitorId>) -> Option<Finding> {
    let time = AlarmTime { at: scene.now, machine: &scene.rules.zone };
    let receiver = ReceiverFacts {
        channel: Channel::Push,
        user: &token.user,
        handle: Some(token.handle),
        platform: Some(token.platform),
    };
    let heard = scene.watched().filter(|monitor| match wanted {
        Some(wanted) => monitor.id == wanted,
        None => scene.hears(token, monitor.id),
    });
    let mut times = LocalTimes::new(time);
    let mut muted: Vec<(&Rule, MonitorId)> = Vec::new();
    for monitor in heard {
        // Causes are not known before an alarm, so a rule by cause is not a state of the phone.
        let facts =
            AlarmFacts { monitor: monitor.id, monitor_name: &monitor.name, cause: "", labels: None, time };
        let rules =
            scene.rules.rules.iter().filter(|rule| rule.cause_has.is_empty() && rule.cause_lacks.is_empty());
        let mut holds =
            rules.filter(|rule| rule.holds_for(&facts, &mut times).is_ok() && rule.is_for(&receiver).is_ok());
        muted.extend(
            holds.next().filter(|rule| rule.action == RuleAction::Mute).map(|rule| (rule, monitor.id)),
        );
    }
    let (first, _) = muted.first()?;
    let names: BTreeSet<&str> = muted.iter().map(|(rule, _)| &*rule.name).collect();
    let names: Vec<_> = names.into_iter().map(|name| format!("\"{name}\"")).collect();
    let monitors: Vec<_> = muted.iter().map(|(_, monitor)| monitor.to_string()).collect();
    let (rules, mute) = if names.len() == 1 { ("rule", "mutes") } else { ("rules", "mute") };
    let (of, all) =
        if monitors.len() == 1 { ("monitor", some(&monitors)) } else { ("monitors", some(&monitors)) };
    let detail = format!("{rules} {} {mute} this phone for {of} {all} now", some(&names));
    let mut detail = Sentence::from(detail);
    // With several rules, each has its own time.
    if names.len() == 1
        && let Some(until) = first.schedule.changes_after(time)
    {
        detail = detail.text(", until ").time(until.timestamp());
    }
    let hint = format!("zmesctl rules test --monitor {} --for {}", muted.first()?.1, scene.call(token));
    Some(Finding::warning(STEP, detail, hint))
}
