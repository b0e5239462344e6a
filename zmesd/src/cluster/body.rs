//! Bodies in the ledger as JSON: alarms and devices. Members are only ever added: nodes may differ in version.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use zmes_cluster::alarms::{DedupKey, LedgerAlarm};
use zmes_cluster::outcomes::DeviceHandle;
use zmes_cluster::records::Record;
use zmes_providers::{App, Platform, PushToken};
use zmes_shared::words::SnoozeOrigin;
use zmes_shared::{MonitorId, text};

use crate::domain::{
    Alarm, AlarmLabels, AlarmSpan, Elsewhere, MonitorFilter, Origin, PushState, Revoked, Token, TokenBlock,
};
use crate::route::{AlarmBody, ScopeElsewhere, SnoozeElsewhere, TokenElsewhere};

/// Longest name and cause that are taken, in characters.
const TEXT: usize = 512;

/// Returns an alarm as the ledger has it. Unreadable parts are left out: the alarm itself is in the columns.
pub(super) fn alarm(logged: &LedgerAlarm, elsewhere: Option<Elsewhere>, late: bool) -> Alarm {
    let body: AlarmBody = serde_json::from_slice(&logged.body).unwrap_or_default();
    let began = body.began.and_then(|began| Timestamp::from_millisecond(began).ok());
    let shown = |text: &str| Arc::from(text::stripped(text, TEXT));
    Alarm {
        monitor: logged.monitor,
        monitor_name: shown(&body.name),
        event: logged.event,
        cause: shown(&body.cause),
        labels: AlarmLabels::default(),
        at: logged.at,
        detected: Instant::now(),
        origin: if late || body.late { Origin::Reconciled } else { Origin::Poll },
        phase: logged.phase,
        span: began.map(|began| AlarmSpan { began, lasted: body.lasted_ms.map(Duration::from_millis) }),
        elsewhere,
        stands_for_event: logged.event.is_some_and(|event| logged.dedup == DedupKey::start(event)),
    }
}

/// A device as the ledger has it. The token is a secret: this prints nothing.
#[derive(Serialize, Deserialize)]
struct DeviceBody {
    token: String,
    platform: String,
    state: String,
    user: String,
    app: String,
    #[serde(default)]
    app_version: String,
    #[serde(default)]
    profile: String,
    #[serde(default)]
    monlist: String,
    #[serde(default)]
    intlist: String,
    #[serde(default)]
    mute_until: Option<Timestamp>,
    #[serde(default)]
    revoked: Option<RevokedBody>,
    #[serde(default)]
    block: Option<BlockBody>,
    seen_at: Timestamp,
    #[serde(default)]
    badge: u32,
    #[serde(default)]
    badge_at: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct RevokedBody {
    at: Timestamp,
    reason: String,
    #[serde(default)]
    blocked: bool,
}

/// Whether an admin has blocked it, and since when: of two the later counts, whatever else is in the record.
#[derive(Serialize, Deserialize)]
struct BlockBody {
    at: Timestamp,
    on: bool,
}

/// Writes a token; `badge_at`: when the number on its icon was set.
pub(super) fn of_token(token: &Token, badge_at: Option<Timestamp>) -> Vec<u8> {
    let (monlist, intlist) = token.filter.lists();
    let body = DeviceBody {
        token: token.token.expose().to_owned(),
        platform: token.platform.as_str().to_owned(),
        state: token.state.as_str().to_owned(),
        user: token.user.clone(),
        app: token.app.as_str().to_owned(),
        app_version: token.app_version.clone(),
        profile: token.profile.clone(),
        monlist,
        intlist,
        mute_until: token.mute_until,
        revoked: token.revoked.as_ref().map(|revoked| RevokedBody {
            at: revoked.at,
            reason: revoked.reason.clone(),
            blocked: revoked.blocked,
        }),
        block: token.block().map(|TokenBlock { at, is_on }| BlockBody { at, on: is_on }),
        seen_at: token.last_seen_at,
        badge: token.badge,
        badge_at,
    };
    serde_json::to_vec(&body).unwrap_or_default()
}

/// Reads a token, and when the number on its icon was set; `None`: this version does not understand it.
pub(super) fn token(record: &Record) -> Option<(TokenElsewhere, Option<Timestamp>)> {
    let body: DeviceBody = serde_json::from_slice(&record.body).ok()?;
    // Nodes of before the member have the block in the revocation alone.
    let in_revoked = body.revoked.as_ref().filter(|revoked| revoked.blocked);
    let in_revoked = in_revoked.map(|revoked| TokenBlock { at: revoked.at, is_on: true });
    let block = body.block.map(|BlockBody { at, on }| TokenBlock { at, is_on: on }).or(in_revoked);
    let token = TokenElsewhere {
        token: PushToken::parse(&body.token).ok()?,
        platform: Platform::stored(&body.platform).filter(|platform| *platform != Platform::Target)?,
        state: PushState::parse(&body.state),
        user: body.user,
        app: App::parse(&body.app),
        app_version: body.app_version,
        profile: body.profile,
        filter: MonitorFilter::parse(&body.monlist, &body.intlist).ok()?,
        mute_until: body.mute_until,
        revoked: body.revoked.map(|RevokedBody { at, reason, blocked }| Revoked { at, reason, blocked }),
        block,
        is_older: false,
        changed: record.changed,
        badge: Some(body.badge),
        seen_at: body.seen_at,
    };
    Some((token, body.badge_at))
}

#[derive(Serialize, Deserialize)]
struct SnoozeBody {
    /// `None`: all monitors.
    #[serde(default)]
    monitor: Option<u32>,
    /// `user` or `device`; `None`: everybody.
    #[serde(default)]
    scope: Option<String>,
    /// The user, or the digits of the device's handle.
    #[serde(default)]
    whose: String,
    since: Timestamp,
    until: Timestamp,
    #[serde(default)]
    hard: bool,
    #[serde(default)]
    tell: bool,
    #[serde(default)]
    by: String,
    origin: SnoozeOrigin,
    #[serde(default)]
    ended: bool,
}

fn digits(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

/// Writes a snooze; returns which one it is, too.
pub(super) fn of_snooze(snooze: &SnoozeElsewhere) -> ([u8; 32], Vec<u8>) {
    let (scope, whose) = match &snooze.scope {
        ScopeElsewhere::Everybody => (None, String::new()),
        ScopeElsewhere::User(user) => (Some("user".to_owned()), user.clone()),
        ScopeElsewhere::Device(device) => (Some("device".to_owned()), digits(device.as_bytes())),
    };
    let monitor = snooze.monitor.map(|monitor| monitor.0);
    let id = Sha256::digest(format!("{monitor:?}|{scope:?}|{whose}")).into();
    let SnoozeElsewhere { since, until, hard, tell, by, origin, ended, .. } = snooze.clone();
    let body = SnoozeBody { monitor, scope, whose, since, until, hard, tell, by, origin, ended };
    (id, serde_json::to_vec(&body).unwrap_or_default())
}

/// Reads a snooze; `None`: this version does not understand it.
pub(super) fn snooze(body: &[u8]) -> Option<SnoozeElsewhere> {
    let body: SnoozeBody = serde_json::from_slice(body).ok()?;
    let scope = match body.scope.as_deref() {
        None => ScopeElsewhere::Everybody,
        Some("user") => ScopeElsewhere::User(body.whose),
        Some("device") => {
            let digit = |at: usize| u8::from_str_radix(body.whose.get(at..at + 2)?, 16).ok();
            let bytes: Option<Vec<u8>> = (0..32).map(|byte| digit(2 * byte)).collect();
            ScopeElsewhere::Device(DeviceHandle::new(bytes?.try_into().ok()?))
        }
        Some(_) => return None,
    };
    let SnoozeBody { monitor, since, until, hard, tell, by, origin, ended, .. } = body;
    let by = text::stripped(&by, TEXT);
    Some(SnoozeElsewhere {
        monitor: monitor.map(MonitorId),
        scope,
        since,
        until,
        hard,
        tell,
        by,
        origin,
        ended,
    })
}

#[cfg(test)]
mod tests {
    use zmes_cluster::alarms::DedupKey;
    use zmes_cluster::records::RecordKey;
    use zmes_shared::EventId;
    use zmes_shared::words::Phase;

    use super::*;
    use crate::domain::TokenId;

    #[test]
    fn a_token_is_the_same_at_another_node() {
        let now: Timestamp = "2026-11-02T10:00:00Z".parse().unwrap();
        let secret = PushToken::parse("one-token").unwrap();
        let mut written = Token::new(TokenId(7), secret, Platform::Ios, now);
        written.filter = MonitorFilter::parse("1,3", "0,60").unwrap();
        written.user = "amy".to_owned();
        written.mute_until = Some(Timestamp::MAX);
        written.revoked = Some(Revoked { at: now, reason: Revoked::ADMIN.to_owned(), blocked: true });
        written.badge = 5;
        let token = |body: Vec<u8>| {
            let key = RecordKey::device(DeviceHandle::new([0; 32]));
            token(&Record { key, changed: now, deleted: false, body })
        };
        let (read, badge_at) = token(of_token(&written, Some(now))).unwrap();
        assert_eq!(read.block, Some(TokenBlock { at: now, is_on: true }), "blocked in an earlier run");
        let block = TokenBlock { at: Timestamp::MAX, is_on: false };
        let mut unblocked = written.clone();
        unblocked.set_block(block);
        assert_eq!(token(of_token(&unblocked, None)).unwrap().0.block, Some(block));
        assert_eq!((read.token, read.platform, read.user.as_str()), (written.token, Platform::Ios, "amy"));
        assert_eq!((read.filter, read.mute_until), (written.filter, Some(Timestamp::MAX)));
        assert_eq!((read.revoked, read.badge, badge_at), (written.revoked, Some(5), Some(now)));
        assert_eq!(read.changed, now);
        assert!(token(b"{}".to_vec()).is_none() && token(b"\xff".to_vec()).is_none());
    }

    #[test]
    fn a_snooze_is_the_same_at_another_node_and_named_by_monitor_and_scope() {
        let now: Timestamp = "2026-11-02T10:00:00Z".parse().unwrap();
        for scope in [
            ScopeElsewhere::Everybody,
            ScopeElsewhere::User("amy".to_owned()),
            ScopeElsewhere::Device(DeviceHandle::new([7; 32])),
        ] {
            let monitor = Some(MonitorId(3));
            let (hard, tell, ended, by) = (true, false, false, "amy".to_owned());
            let (since, until, origin) = (now, now, SnoozeOrigin::App);
            let written = SnoozeElsewhere { monitor, scope, since, until, hard, tell, by, origin, ended };
            let (id, body) = of_snooze(&written);
            assert_eq!(snooze(&body), Some(written.clone()));
            let later = SnoozeElsewhere { ended: true, hard: false, ..written.clone() };
            assert_eq!(of_snooze(&later).0, id);
            assert_ne!(of_snooze(&SnoozeElsewhere { monitor: None, ..written }).0, id);
        }
        assert!(snooze(b"{}").is_none());
    }

    #[test]
    fn an_alarm_is_there_whatever_its_body_says() {
        let logged = LedgerAlarm {
            dedup: DedupKey::start(EventId(1)),
            phase: Phase::Start,
            monitor: MonitorId(3),
            event: Some(EventId(1)),
            at: Timestamp::UNIX_EPOCH,
            body: b"{\"name\":\"Gar\\u0007age\",\"cause\":5".to_vec(),
        };
        let read = alarm(&logged, None, false);
        assert_eq!((read.monitor, &*read.monitor_name, read.stands_for_event), (MonitorId(3), "", true));
        let again = LedgerAlarm { dedup: DedupKey::from_bytes([7; 16]), ..logged.clone() };
        assert!(!alarm(&again, None, false).stands_for_event);
        let body = br#"{"name":"Garage","cause":"Motion","late":true,"more":[1]}"#.to_vec();
        let read = alarm(&LedgerAlarm { body, ..logged }, None, false);
        assert_eq!((&*read.monitor_name, &*read.cause, read.late()), ("Garage", "Motion", true));
    }
}
