use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;
use zmes_zoneminder::DatabaseTrouble;

use super::*;

const NOW: i64 = 1_900_000_000;

/// `password`
const HASH: &str = "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19";

/// `password`, with bcrypt's lowest cost.
const CHEAP: &str = "$2y$04$zmesdzmesdzmesdzmesdze.TI.Jsg1LanDzRN/YejBoG4./yZrisC";

/// Users in memory, unavailable while `outage` is set. Counts the queries.
#[derive(Debug, Default)]
struct Accounts {
    users: Vec<User>,
    secret: Option<&'static str>,
    outage: Option<DbError>,
    asked: AtomicU64,
}

#[async_trait]
impl AccountStore for Accounts {
    async fn find(&self, name: &str) -> Result<Option<User>, DbError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        match &self.outage {
            Some(error) => Err(error.clone()),
            None => Ok(self.users.iter().find(|user| user.name == name).cloned()),
        }
    }

    async fn all(&self) -> Result<Vec<User>, DbError> {
        Ok(self.users.clone())
    }

    async fn token_secret(&self) -> Result<Option<SecretString>, DbError> {
        match &self.outage {
            Some(error) => Err(error.clone()),
            None => Ok(self.secret.map(|secret| secret.to_owned().into())),
        }
    }
}

#[derive(Debug)]
struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(NOW).unwrap()
    }
}

fn user(name: &str, password: &str) -> User {
    User {
        name: name.to_owned(),
        password: password.to_owned().into(),
        enabled: true,
        api_enabled: true,
        may_see_events: true,
        token_min_expiry: NOW - 100,
        rights: MonitorRights::All,
    }
}

fn authenticator(accounts: Accounts, enabled: bool) -> (Authenticator, Arc<Accounts>) {
    let accounts = Arc::new(accounts);
    let config = AuthConfig { enabled, timeout: Duration::from_secs(20), enforce_monitor_permissions: true };
    let store: Arc<dyn AccountStore> = Arc::<Accounts>::clone(&accounts);
    // Cheap hashes: nothing here measures time.
    let users = [("cheap".to_owned(), Arc::new(user("cheap", CHEAP)))].into();
    let catalog = watch::channel(Arc::new(Catalog { users, ..Catalog::default() })).1;
    let config = watch::channel(config).1;
    let authenticator = Authenticator::new(store, config, catalog, Arc::new(Fixed), Arc::default());
    (authenticator, accounts)
}

fn with_users(users: Vec<User>) -> Authenticator {
    authenticator(Accounts { users, secret: Some("lab-secret"), ..Accounts::default() }, true).0
}

fn password(user: &str, password: &str) -> Login {
    let credentials = Credentials::Password { user: user.to_owned(), password: password.to_owned().into() };
    Login { credentials, address: "192.0.2.7".parse().unwrap() }
}

fn token(user: &str, iat: i64) -> Login {
    let claims = json!({"iss": "ZoneMinder", "iat": iat, "exp": NOW + 60, "user": user, "type": "access"});
    let token = encode(&Header::default(), &claims, &EncodingKey::from_secret(b"lab-secret")).unwrap();
    Login { credentials: Credentials::AccessToken(token.into()), address: "192.0.2.7".parse().unwrap() }
}

fn word(verdict: &LoginVerdict) -> String {
    match verdict {
        LoginVerdict::Accepted(user) | LoginVerdict::AcceptedUntil(user, _) => {
            format!("accepted {}", user.name)
        }
        LoginVerdict::Rejected(reason) => format!("rejected {reason}"),
        LoginVerdict::Throttled => "throttled".to_owned(),
        LoginVerdict::Unavailable(reason) => format!("unavailable {reason}"),
    }
}

#[tokio::test]
async fn the_right_password_is_accepted() {
    let auth = with_users(vec![user("amy", HASH)]);
    assert_eq!(word(&auth.verify(password("amy", "password")).await), "accepted amy");
    assert_eq!(word(&auth.verify(password("amy", "wrong")).await), "rejected wrong password");
    assert_eq!(word(&auth.verify(password("bob", "password")).await), "rejected unknown user");
    assert_eq!(word(&auth.verify(password("", "")).await), "rejected unknown user");
    assert_eq!(auth.counters.rejected.value(), 3);
}

#[tokio::test]
async fn the_users_flags_count_for_passwords_and_tokens() {
    let users = vec![
        User { enabled: false, ..user("disabled", HASH) },
        User { api_enabled: false, ..user("noapi", HASH) },
        User { may_see_events: false, ..user("noevents", HASH) },
    ];
    let reasons = [
        ("disabled", "rejected the user is disabled"),
        ("noapi", "rejected the API is disabled for the user"),
        ("noevents", "rejected the user may not see events"),
    ];
    let auth = with_users(users);
    for (name, reason) in reasons {
        assert_eq!(word(&auth.verify(password(name, "password")).await), reason);
        assert_eq!(word(&auth.verify(token(name, NOW)).await), reason);
        assert_eq!(word(&auth.verify(password(name, "wrong")).await), "rejected wrong password");
    }
}

#[tokio::test]
async fn a_token_is_accepted_until_it_is_revoked() {
    let auth = with_users(vec![user("amy", HASH)]);
    assert_eq!(word(&auth.verify(token("amy", NOW)).await), "accepted amy");
    assert_eq!(word(&auth.verify(token("amy", NOW - 100)).await), "accepted amy", "issued in that second");
    let revoked = "rejected the user's tokens of that time were revoked";
    assert_eq!(word(&auth.verify(token("amy", NOW - 101)).await), revoked);
    assert_eq!(word(&auth.verify(token("bob", NOW)).await), "rejected unknown user");
    let LoginVerdict::AcceptedUntil(_, pass) = auth.verify(token("amy", NOW)).await else { panic!("no end") };
    assert_eq!((pass.issued_at, pass.expires_at.as_second()), (NOW, NOW + 60));
}

#[tokio::test]
async fn without_a_secret_no_token_counts() {
    let accounts = Accounts { users: vec![user("amy", HASH)], ..Accounts::default() };
    let (auth, _) = authenticator(accounts, true);
    assert!(matches!(auth.verify(token("amy", NOW)).await, LoginVerdict::Rejected(_)));
}

#[tokio::test]
async fn a_password_in_plain_text_is_refused_by_name() {
    let auth = with_users(vec![user("amy", "password")]);
    let LoginVerdict::Rejected(reason) = auth.verify(password("amy", "password")).await else {
        panic!("let in")
    };
    assert!(reason.contains("plain text"), "{reason}");
}

#[tokio::test]
async fn an_unreachable_database_rejects_no_login() {
    for outage in [
        DbError::Unavailable(DatabaseTrouble::late("refused")),
        DbError::Unexpected(DatabaseTrouble::late("no table")),
    ] {
        let (auth, _) = authenticator(Accounts { outage: Some(outage), ..Accounts::default() }, true);
        let expected = "unavailable the database is not available";
        assert_eq!(word(&auth.verify(password("amy", "password")).await), expected);
        assert_eq!(word(&auth.verify(token("amy", NOW)).await), expected);
        assert_eq!(auth.counters.rejected.value(), 0);
    }
}

#[tokio::test]
async fn after_too_many_failures_logins_are_not_checked() {
    let accounts = Accounts { users: vec![user("amy", HASH)], ..Accounts::default() };
    let (auth, accounts) = authenticator(accounts, true);
    let address = "192.0.2.7".parse().unwrap();
    for _ in 0..30 {
        auth.limiter.failed(address, None, None, "");
    }
    assert_eq!(word(&auth.verify(password("amy", "password")).await), "throttled");
    assert_eq!(word(&auth.verify(token("amy", NOW)).await), "throttled");
    assert_eq!(accounts.asked.load(Ordering::Relaxed), 0);
    let elsewhere = Login { address: "192.0.2.8".parse().unwrap(), ..password("amy", "password") };
    assert_eq!(word(&auth.verify(elsewhere).await), "accepted amy");
}

#[tokio::test]
async fn success_and_outage_cost_nothing_and_failure_does() {
    let auth = with_users(vec![user("amy", HASH)]);
    let address = "192.0.2.7".parse().unwrap();
    for _ in 0..29 {
        auth.limiter.failed(address, None, None, "");
    }
    for _ in 0..3 {
        assert_eq!(word(&auth.verify(password("amy", "password")).await), "accepted amy");
    }
    assert_eq!(word(&auth.verify(password("bob", "wrong")).await), "rejected unknown user");
    assert_eq!(word(&auth.verify(password("bob", "other")).await), "throttled");
    assert_eq!(word(&auth.verify(password("amy", "password")).await), "accepted amy", "who lives there");
    assert_eq!(word(&auth.verify(password("amy", "wrong")).await), "throttled", "and nobody learns who does");
    assert_eq!(word(&auth.verify(token("amy", NOW)).await), "throttled");
}

#[tokio::test(start_paused = true)]
async fn a_script_with_an_old_password_locks_out_no_client() {
    let (auth, accounts) = authenticator(
        Accounts {
            users: vec![user("amy", HASH), User { enabled: false, ..user("gone", HASH) }],
            secret: Some("lab-secret"),
            ..Accounts::default()
        },
        true,
    );
    for _ in 0..100 {
        assert_eq!(word(&auth.verify(password("amy", "old")).await), "rejected wrong password");
        assert_eq!(word(&auth.verify(password("bob", "old")).await), "rejected unknown user");
        assert_eq!(word(&auth.verify(password("gone", "password")).await), "rejected the user is disabled");
        assert!(matches!(auth.verify(token("bob", NOW)).await, LoginVerdict::Rejected(_)));
    }
    assert_eq!(word(&auth.verify(password("amy", "password")).await), "accepted amy", "the next success");
    assert!(accounts.asked.load(Ordering::Relaxed) > 400, "the database is asked each time");
    let refused = auth.counters.refusals.entries(None);
    let told: Vec<_> = refused.iter().map(|entry| (&entry.rejection.user, entry.rejection.count)).collect();
    assert!(told.contains(&(&Some("amy".to_owned()), 100)), "{told:?}");
    assert_eq!(auth.counters.rejected.value(), 400);
}

#[tokio::test]
async fn a_password_that_becomes_right_is_right_at_once() {
    let (auth, _) = authenticator(Accounts { users: vec![user("amy", CHEAP)], ..Accounts::default() }, true);
    for _ in 0..3 {
        assert_eq!(word(&auth.verify(password("amy", "new")).await), "rejected wrong password");
    }
    let changed = bcrypt::hash("new", 4).unwrap();
    let accounts: Arc<dyn AccountStore> =
        Arc::new(Accounts { users: vec![user("amy", &changed)], ..Accounts::default() });
    let auth = Authenticator { accounts, ..auth };
    assert_eq!(word(&auth.verify(password("amy", "new")).await), "accepted amy");
}

#[tokio::test]
async fn a_hostile_name_is_kept_clean_and_short() {
    let auth = with_users(vec![]);
    let name = format!("amy\nBad authentication provided by 192.0.2.9\u{1b}[2J\u{202e}{}", "x".repeat(200));
    auth.verify(password(&name, "x")).await;
    let refused = auth.counters.refusals.entries(None);
    let shown = refused[0].rejection.user.as_deref().unwrap();
    assert!(shown.chars().count() == 64 && !shown.contains(['\n', '\u{1b}', '\u{202e}']), "{shown:?}");
    assert_eq!(refused[0].rejection.detail.as_deref(), Some("unknown user"));
}

#[tokio::test]
async fn what_is_too_long_is_not_looked_up() {
    let accounts = Accounts { users: vec![user("amy", HASH)], ..Accounts::default() };
    let (auth, accounts) = authenticator(accounts, true);
    let long = "rejected user name or password too long";
    assert_eq!(word(&auth.verify(password("amy", &"x".repeat(4097))).await), long);
    assert_eq!(word(&auth.verify(password(&"x".repeat(257), "password")).await), long);
    assert_eq!(accounts.asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn without_authentication_everybody_sees_everything() {
    let (auth, accounts) = authenticator(Accounts::default(), false);
    for (given, name) in [("amy", "amy"), ("", "anonymous"), ("a\nb", "a\u{fffd}b")] {
        let LoginVerdict::Accepted(user) = auth.verify(password(given, "")).await else { panic!("kept out") };
        assert_eq!(user.name, name);
        assert_eq!(user.rights, MonitorRights::All);
        assert_eq!(user.barred(), None);
    }
    assert_eq!(accounts.asked.load(Ordering::Relaxed), 0);
}
