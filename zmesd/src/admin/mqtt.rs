//! `mqtt status`, `mqtt check`, `mqtt clear`, and what doctor, `check` and the troubles say of the broker.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use zmes_shared::MonitorId;
use zmes_shared::control::{ControlError, ErrorCode, Role};
use zmes_shared::views::{Finding, MqttCleared, MqttStatus, PushCheck, Sentence};
use zmes_shared::words::FaultKind;

use super::push::checked;
use crate::admin::AdminParts;
use crate::monitors::Catalog;
use crate::ports::{MqttChoice, MqttFailure, MqttHealth, MqttRefusal};
use crate::rules::MonitorName;

/// How long the broker must be away until that is a trouble: a restart of it is none.
pub(super) const AWAY: Duration = Duration::from_mins(1);
const STEP: &str = "mqtt";
const ENABLE: &str = "set enabled = true and url in [mqtt] of zmesd.toml, then: zmesctl reload";

/// What to do once a message that was too long has ended the connection.
const SUBSCRIBE: &str = "remove the message of more than 8 MiB that the broker retains at mqtt.home-assistant.status-topic \
                         or below mqtt.topic, then: zmesctl reload";

/// What to do once connections have ended at pictures.
const PICTURES: &str = "lower mqtt.max-picture, or raise the broker's limit (max_packet_size of mosquitto), then: \
                        zmesctl reload. Otherwise one picture is tried every hour";

pub(super) fn status(parts: &AdminParts) -> Result<MqttStatus, ControlError> {
    parts.mqtt.health().map(view).ok_or_else(|| refused(MqttRefusal::NotEnabled))
}

pub(super) fn view(health: MqttHealth) -> MqttStatus {
    let MqttHealth {
        broker,
        connected_at,
        away_since,
        failure,
        acknowledged,
        backlog,
        ignored_commands,
        cleared,
        unsubscribed,
        pictures_rest_until,
    } = health;
    let current = failure.as_ref().filter(|_| connected_at.is_none());
    let cure = current.map(|failure| cure(failure.fault)).or_else(|| unsubscribed.then_some(SUBSCRIBE));
    let cure = cure.or_else(|| pictures_rest_until.map(|_| PICTURES));
    MqttStatus {
        connected: connected_at.is_some(),
        since: connected_at.or(away_since),
        broker,
        acknowledged,
        backlog,
        hint: cure.map(ToOwned::to_owned),
        last_error_at: failure.as_ref().map(|failure| failure.at),
        last_error: failure.map(|failure| failure.text),
        ignored_commands,
        cleared,
    }
}

/// An admin may just have fixed something; observers get an answer that is up to 10 s old.
pub(super) async fn check(parts: &AdminParts, role: Role) -> Result<PushCheck, ControlError> {
    let check = parts.mqtt.check(role == Role::Admin).await.map_err(refused)?;
    Ok(PushCheck { checks: vec![checked(check)] })
}

pub(super) async fn clear(parts: &AdminParts) -> Result<MqttCleared, ControlError> {
    let topics = parts.mqtt.clear().await.map_err(refused)?;
    Ok(MqttCleared { topics })
}

fn refused(refusal: MqttRefusal) -> ControlError {
    let (code, hint) = match refusal {
        MqttRefusal::NotEnabled => (ErrorCode::Conflict, ENABLE),
        MqttRefusal::Away => (ErrorCode::Unavailable, "zmesctl mqtt check shows why"),
        MqttRefusal::Unfinished => {
            (ErrorCode::Timeout, "run it again; zmesctl mqtt status shows the connection")
        }
        MqttRefusal::Busy => (ErrorCode::Busy, "try again; zmesctl mqtt status shows the connection"),
    };
    ControlError::new(code, refusal.to_string()).with_hint(hint)
}

/// Judges the connection; nothing where `[mqtt]` is not enabled.
pub(super) fn findings(parts: &AdminParts) -> Vec<Finding> {
    let Some(health) = parts.mqtt.health() else { return Vec::new() };
    let mut findings = vec![judge(&health, parts.clock.now())];
    findings.extend(told_of(&parts.mqtt.choice(), &parts.catalog.now()));
    findings
}

/// Judges whose monitors are published: a mistake there looks as if all were well.
fn told_of(choice: &MqttChoice, catalog: &Catalog) -> Vec<Finding> {
    let MqttChoice { user, monitors } = choice;
    if catalog.loaded_at.is_none() {
        return Vec::new();
    }
    if !user.is_empty() {
        let wrong = match catalog.users.get(user) {
            None => Some("has no such user"),
            Some(found) => found.barred().map(|_| "lets this user see nothing"),
        };
        if let Some(wrong) = wrong {
            let detail = format!("mqtt.user is {user}, but ZoneMinder {wrong}: no alarm is published");
            return vec![Finding::error(STEP, detail, USERS)];
        }
    }
    let known = |wanted: &MonitorName| catalog.names().any(|(id, name)| wanted.names(id, name));
    let unknown: Vec<_> = monitors.iter().filter(|name| !known(name)).map(ToString::to_string).collect();
    if !unknown.is_empty() {
        let detail = format!("ZoneMinder has no monitor {}, which mqtt.monitors names", unknown.join(", "));
        return vec![Finding::warning(STEP, detail, "zmesctl monitors list shows names and ids")];
    }
    let told = |id: MonitorId| user.is_empty() || catalog.may_hear(user, id).is_ok();
    let chosen = |id, name: &str| monitors.is_empty() || monitors.iter().any(|wanted| wanted.names(id, name));
    let own = catalog.monitors.iter().filter(|monitor| !catalog.is_orphan(monitor));
    let mut own = own.filter(|monitor| chosen(monitor.id, &monitor.name)).peekable();
    // All that are chosen may be those of other nodes, which publish them.
    if own.peek().is_none() || own.any(|monitor| told(monitor.id)) {
        return Vec::new();
    }
    let detail = format!("no monitor is published: {user} may see none of them");
    vec![Finding::warning(STEP, detail, USERS)]
}

const USERS: &str = "correct mqtt.user, or the user's rights in ZoneMinder; then: zmesctl reload";

fn judge(health: &MqttHealth, now: Timestamp) -> Finding {
    let MqttHealth { broker, connected_at, failure, .. } = health;
    if health.cleared {
        let detail = "`mqtt clear` was run: nothing is published";
        return Finding::warning(STEP, detail, "zmesctl reload publishes again; or set mqtt.enabled = false");
    }
    if health.unsubscribed && connected_at.is_some() {
        let detail =
            format!("{broker} retains a message that is too long: nothing that comes over MQTT is heard");
        return Finding::warning(STEP, detail, SUBSCRIBE);
    }
    if let Some(until) = health.pictures_rest_until.filter(|_| connected_at.is_some()) {
        let detail = Sentence::from(format!(
            "{broker} has ended the connection twice while a picture was sent: the next one is sent after "
        ));
        return Finding::warning(STEP, detail.time(until), PICTURES);
    }
    if let Some(since) = connected_at {
        return Finding::good(STEP, Sentence::from(format!("connected to {broker} since ")).time(*since));
    }
    let (detail, hint) = away(health);
    let lasting = health.away_since.is_some_and(|since| now.duration_since(since) >= held());
    let refused = failure.as_ref().is_some_and(|failure| failure.fault == FaultKind::Credentials);
    if lasting || refused { Finding::error(STEP, detail, hint) } else { Finding::warning(STEP, detail, hint) }
}

fn held() -> SignedDuration {
    SignedDuration::try_from(AWAY).unwrap_or(SignedDuration::MAX)
}

/// Says that the broker is away, and what to do.
pub(super) fn away(health: &MqttHealth) -> (String, &'static str) {
    let broker = &health.broker;
    match &health.failure {
        Some(MqttFailure { text, fault, .. }) => {
            (format!("the MQTT broker {broker} is not connected: {text}"), cure(*fault))
        }
        None => (format!("the MQTT broker {broker} is not connected yet"), "zmesctl mqtt check"),
    }
}

fn cure(fault: FaultKind) -> &'static str {
    #[expect(clippy::wildcard_enum_match_arm, reason = "most faults are of the network")]
    match fault {
        FaultKind::Credentials => {
            "check mqtt.username, mqtt.password and mqtt.client-id, and the broker's log; zmesctl mqtt check"
        }
        FaultKind::Dns => "check the host in mqtt.url; zmesctl mqtt check",
        FaultKind::UnknownAuthority | FaultKind::CertificateName => {
            "name the broker's root certificate in mqtt.ca-certificate, and the host as the certificate has it in mqtt.url"
        }
        FaultKind::CertificateExpired | FaultKind::BadCertificate => "renew the broker's certificate",
        FaultKind::OwnCertificate => "check mqtt.certificate and mqtt.key: the broker refuses what they show",
        FaultKind::Tls => "is that port one with TLS? mqtts:// is mostly port 8883, mqtt:// 1883",
        _ => "check that the broker runs, and host and port in mqtt.url; zmesctl mqtt check",
    }
}

#[cfg(test)]
mod tests {
    use zmes_shared::views::Severity;

    use super::*;
    use crate::config::BrokerUrl;

    fn health(now: Timestamp) -> MqttHealth {
        let url = BrokerUrl { host: "broker".to_owned(), port: 8883, tls: true };
        MqttHealth { away_since: Some(now), ..MqttHealth::unreached(&url) }
    }

    #[test]
    fn whoever_names_a_user_or_a_monitor_that_does_not_exist_is_told_so() {
        let now: Timestamp = "2026-11-02T10:00:00Z".parse().unwrap();
        let catalog = Catalog { loaded_at: Some(now), ..Catalog::default() };
        let told = |user: &str, monitors: &[&str]| {
            let monitors = monitors.iter().map(|name| MonitorName::parse(name)).collect();
            told_of(&MqttChoice { user: user.to_owned(), monitors }, &catalog)
        };
        assert_eq!(told("", &[]), []);
        let user = told("amy", &[]);
        assert!(user[0].severity == Severity::Error && user[0].detail.contains("no such user"));
        let monitor = told("", &["Gatre", "7"]);
        assert_eq!(monitor[0].severity, Severity::Warning);
        assert!(monitor[0].detail.contains("no monitor Gatre, 7"), "{monitor:?}");
        let never = Catalog::default();
        assert_eq!(told_of(&MqttChoice { user: "amy".to_owned(), monitors: Vec::new() }, &never), []);
    }

    #[test]
    fn a_short_absence_is_a_warning_and_a_refused_password_an_error_at_once() {
        let now: Timestamp = "2026-11-02T10:00:00Z".parse().unwrap();
        let failure =
            |fault| Some(MqttFailure { at: now, fault, text: "tcp: connection refused".to_owned() });
        let refused = MqttHealth { failure: failure(FaultKind::Refused), ..health(now) };
        assert_eq!(judge(&refused, now).severity, Severity::Warning);
        assert_eq!(judge(&refused, now + SignedDuration::from_secs(60)).severity, Severity::Error);
        let password = MqttHealth { failure: failure(FaultKind::Credentials), ..health(now) };
        assert_eq!(judge(&password, now).severity, Severity::Error);
        let connected = MqttHealth { connected_at: Some(now), ..refused };
        assert_eq!(judge(&connected, now).severity, Severity::Ok);
        assert!(view(connected.clone()).hint.is_none());
        let resting =
            MqttHealth { pictures_rest_until: Some(now + SignedDuration::from_hours(1)), ..connected };
        assert_eq!(judge(&resting, now).severity, Severity::Warning);
        assert_eq!(view(resting).hint.as_deref(), Some(PICTURES));
    }
}
