//! One user: their rights, their connected apps, and each of their phones.

use zmes_shared::MonitorId;
use zmes_shared::views::{ClientView, Finding};

use super::phone;
use super::push::ProviderProbe;
use super::scene::{Obstacle, Snapshot, some};

/// Maximum number of phones that are checked one by one; a family shares one login.
const PHONES: usize = 20;

/// Follows an alarm of `wanted`, or of any monitor, to everything that belongs to a user.
pub(super) async fn findings(
    scene: &Snapshot<'_>,
    user: &str,
    wanted: Option<MonitorId>,
    push: &ProviderProbe,
) -> Vec<Finding> {
    let mut findings: Vec<_> = phone::switched_off(scene, wanted).into_iter().collect();
    findings.push(account(scene, user, wanted));
    let sessions: Vec<_> = scene.listening().filter(|client| client.user.as_deref() == Some(user)).collect();
    let rows: Vec<_> = scene.live().filter(|row| row.token.user == user).collect();
    findings.extend(sessions.iter().map(|client| session(scene, client, wanted)));
    if sessions.is_empty() && rows.is_empty() {
        findings.push(nothing(scene, user));
    } else if sessions.is_empty() {
        findings.push(Finding::good("clients", "no app is connected: alarms come only as pushes"));
    } else if rows.is_empty() {
        let hint = "switch pushes on in the app; alarms come only while it is open";
        let detail = format!("no phone of {user} is registered for pushes");
        findings.push(Finding::warning("tokens", detail, hint));
    }
    for row in rows.iter().take(PHONES) {
        findings.extend(phone::findings(scene, row, wanted, push).await);
    }
    if rows.len() > PHONES {
        let detail = format!("{} more phones were not checked", rows.len() - PHONES);
        let hint = format!("zmesctl tokens list --user {user}, then: zmesctl doctor HANDLE");
        findings.push(Finding::warning("tokens", detail, hint));
    }
    findings
}

fn account(scene: &Snapshot<'_>, user: &str, wanted: Option<MonitorId>) -> Finding {
    if let Some(Obstacle { detail, hint }) = scene.barred(user).or_else(|| scene.unseen(user, wanted)) {
        return Finding::error("user", detail, hint);
    }
    if scene.config.auth.enabled
        && scene.catalog.users.get(user).is_some_and(|user| user.has_plain_password())
    {
        let detail =
            format!("ZoneMinder stores the password of {user} in an unknown format: no app can log in");
        let hint =
            "set the password again in ZoneMinder (Options > Users); logging in there does not change it";
        return Finding::error("user", detail, hint);
    }
    Finding::good("user", format!("ZoneMinder lets {user} see {} monitors", scene.seen_of_all(user)))
}

fn session(scene: &Snapshot<'_>, client: &ClientView, wanted: Option<MonitorId>) -> Finding {
    let ClientView { id, address, app, monitors, sent, queued, .. } = client;
    let app = app.as_ref().map_or_else(String::new, |app| format!(" ({app})"));
    let heard = monitors.as_ref().map_or_else(
        || "all monitors".to_owned(),
        |list| match list.as_slice() {
            [] => "no monitor".to_owned(),
            list => format!("monitors {}", some(&list.iter().map(ToString::to_string).collect::<Vec<_>>())),
        },
    );
    let detail = format!(
        "connected from {address}{app}, gets alarms of {heard}; alarms sent: {sent}, waiting: {queued}"
    );
    let user = client.user.as_deref().unwrap_or_default();
    // Without rights, the list does not matter.
    let wanted = wanted.filter(|&wanted| scene.may_hear(user, wanted));
    let unlisted = monitors
        .as_ref()
        .is_some_and(|list| list.is_empty() || wanted.is_some_and(|wanted| !list.contains(&wanted)));
    let in_vain = monitors.as_ref().is_some_and(|list| scene.is_in_vain(user, list.iter().copied()));
    let finding = if unlisted || in_vain {
        let hint = if in_vain {
            "its list holds only monitors that the user may not see: tick others in the app"
        } else {
            "tick the monitor in the app, in the settings of its event server"
        };
        Finding::error("client", detail, hint)
    } else {
        Finding::good("client", detail)
    };
    finding.about(format!("client {id}"))
}

fn nothing(scene: &Snapshot<'_>, user: &str) -> Finding {
    let gone: Vec<_> = scene.known.rows.iter().filter(|row| row.token.user == user).collect();
    let detail = format!("no app of {user} is connected, and no phone is registered");
    let Some(row) = gone.first() else {
        let hint = "open the app, switch its event server and pushes on, then: zmesctl clients list";
        return Finding::error("tokens", detail, hint);
    };
    let handle = scene.call(&row.token);
    let reason = row.token.revoked.as_ref().map_or("", |revoked| &revoked.reason);
    let detail = format!("{detail}; token {handle} was revoked ({reason})");
    Finding::error("tokens", detail, format!("zmesctl tokens restore {handle}"))
}
