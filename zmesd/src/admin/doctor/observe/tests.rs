use zmes_providers::{CheckStep, Platform, PushToken};

use super::*;
use crate::domain::TokenId;
use crate::ports::ProbeResult;

const HOUR: Duration = Duration::from_hours(1);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// A token that was revoked in that second, for that reason; `None`: it is live.
fn token(id: i64, user: &str, revoked: Option<(i64, &str)>) -> TokenRow {
    let secret = PushToken::parse(&format!("token-{id}")).unwrap();
    let new = Token::new(TokenId(id), secret, Platform::Android, at(0));
    let revoked =
        revoked.map(|(second, reason)| Revoked { at: at(second), reason: reason.to_owned(), blocked: false });
    let token = Token { user: user.to_owned(), revoked, ..new };
    TokenRow { token, last_notified_at: None, last_error: None, last_error_at: None, failures: 0 }
}

fn deaf_users(rows: &[TokenRow]) -> Vec<String> {
    deaf(rows, at(70), |user| user != "gone").into_keys().map(|id| id.to_string()).collect()
}

#[test]
fn a_user_is_deaf_once_the_last_token_died() {
    let died = Some((10, "404 UNREGISTERED"));
    assert!(deaf_users(&[token(1, "amy", died), token(2, "amy", None)]).is_empty(), "another one is left");
    assert!(deaf_users(&[token(1, "amy", None), token(2, "amy", died)]).is_empty(), "in any order");
    assert_eq!(deaf_users(&[token(1, "amy", died), token(2, "bob", None)]), ["deaf:amy"]);
    assert!(deaf_users(&[token(1, "", died), token(2, "gone", died)]).is_empty(), "whom it would concern");
    let mut blocked = token(1, "amy", died);
    blocked.token.revoked.as_mut().unwrap().blocked = true;
    assert!(deaf_users(&[blocked]).is_empty(), "an admin has decided");
    let many: Vec<_> = (0..100).map(|id| token(id, &format!("user-{id}"), died)).collect();
    assert_eq!(deaf_users(&many).len(), DEAF_TOLD);
}

#[test]
fn a_user_whose_last_token_an_admin_revoked_is_not_deaf() {
    let died = |second| Some((second, "410 Unregistered"));
    let revoked = |second| Some((second, Revoked::ADMIN));
    assert!(deaf_users(&[token(1, "amy", died(10)), token(2, "amy", revoked(20))]).is_empty());
    assert!(deaf_users(&[token(1, "amy", Some((10, Revoked::PRUNED)))]).is_empty());
    let rows = [token(1, "amy", revoked(10)), token(2, "amy", died(20))];
    assert!(deaf(&rows, at(79), |_| true).is_empty(), "the app may be about to register another token");
    let (_, observation) = deaf(&rows, at(80), |_| true).pop_first().unwrap();
    let handle = rows[1].token.handle;
    assert!(observation.hint.contains(&format!("zmesctl tokens restore {handle}")), "{}", observation.hint);
    let text = observation.text.to_string();
    assert!(text.ends_with(", because its provider said 410 Unregistered"), "{text}");
}

/// A check that failed: how often in a row, from when to when.
fn failed(count: u64, since: i64, last: i64) -> ProbeResult {
    let step = CheckStep {
        name: "tcp",
        took: Duration::ZERO,
        detail: "connection refused".to_owned(),
        fault: Some(FaultKind::Refused),
    };
    ProbeResult { failure: Some(ProbeFailure { count, since: at(since), last: at(last), step }) }
}

/// Observations of a transport with this last check.
fn probed(every: Duration, probe: Option<ProbeResult>, change: impl Fn(&mut TransportHealth)) -> Look {
    let mut health = TransportHealth {
        transport: "fcm".to_owned(),
        target: "fcm.googleapis.com:443".to_owned(),
        probe,
        ..TransportHealth::default()
    };
    change(&mut health);
    let mut look = Look::default();
    super::probe(&health, every, &mut look);
    look
}

fn id() -> TroubleId {
    TroubleId::about(TroubleKind::Probe, "fcm")
}

#[test]
fn a_provider_that_fails_two_checks_some_minutes_apart_is_a_trouble() {
    let look = probed(HOUR, Some(failed(2, 0, 180)), |_| ());
    let observation = &look.others[&id()];
    let expected = "the last 2 checks of fcm (fcm.googleapis.com:443) failed: tcp: connection refused";
    assert_eq!(observation.text.to_string(), expected);
    assert!(observation.hint.starts_with("nc -vz fcm.googleapis.com 443"), "{}", observation.hint);
    for (count, last) in [(1, 0), (2, 1), (7, 30)] {
        let look = probed(HOUR, Some(failed(count, 0, last)), |_| ());
        assert!(look.others.is_empty() && look.unknown.contains(&id()), "{count} {last}");
    }
    assert_eq!(probed(Duration::from_secs(2), Some(failed(2, 0, 2)), |_| ()).others.len(), 1);
}

#[test]
fn a_trouble_of_a_check_is_over_when_a_check_succeeds_and_stays_while_nothing_is_known() {
    let over = |look: Look| look.others.is_empty() && look.unknown.is_empty();
    assert!(over(probed(HOUR, Some(ProbeResult::default()), |_| ())));
    assert!(over(probed(Duration::ZERO, Some(failed(9, 0, 900)), |_| ())), "it is off");
    assert!(probed(HOUR, None, |_| ()).unknown.contains(&id()), "not checked since the start");
    let fails = |health: &mut TransportHealth| {
        let fault = zmes_providers::TransportFault::unanswered(FaultKind::Timeout, "no answer in time");
        health.failure = Some(TransportFailure { fault, since: at(0), last: at(9), count: 9 });
    };
    let look = probed(HOUR, Some(failed(9, 0, 900)), fails);
    assert!(look.others.is_empty() && look.unknown.contains(&id()), "pushes fail, and that is told");
}
