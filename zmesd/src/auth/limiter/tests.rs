use super::*;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Fails with this many different passwords.
fn fail(limiter: &Limiter, times: usize, from: &str, user: Option<&str>) {
    for _ in 0..times {
        limiter.failed(address(from), user, None, "wrong password");
    }
}

fn open(limiter: &Limiter, from: &str, user: Option<&str>) -> bool {
    limiter.standing(address(from), user) == Standing::Open
}

#[tokio::test(start_paused = true)]
async fn thirty_failures_then_one_every_two_seconds() {
    let limiter = Limiter::new();
    fail(&limiter, 29, "192.0.2.1", None);
    assert!(open(&limiter, "192.0.2.1", None));
    fail(&limiter, 1, "192.0.2.1", None);
    assert!(!open(&limiter, "192.0.2.1", None));
    assert!(open(&limiter, "192.0.2.2", None), "others are not concerned");
    tokio::time::advance(Duration::from_secs(2)).await;
    assert!(open(&limiter, "192.0.2.1", None));
    fail(&limiter, 1, "192.0.2.1", None);
    assert!(!open(&limiter, "192.0.2.1", None));
}

#[tokio::test(start_paused = true)]
async fn a_customer_of_ipv6_is_a_whole_64() {
    let limiter = Limiter::new();
    fail(&limiter, 30, "2001:db8:1:2::1", None);
    assert!(!open(&limiter, "2001:db8:1:2:ffff::9", None));
    assert!(open(&limiter, "2001:db8:1:3::1", None));
}

#[tokio::test(start_paused = true)]
async fn guesses_at_one_user_from_one_address_lock_that_pair_first() {
    let limiter = Limiter::new();
    fail(&limiter, 15, "192.0.2.1", Some("amy"));
    assert_eq!(limiter.standing(address("192.0.2.1"), Some("amy")), Standing::Locked);
    assert_eq!(
        limiter.standing(address("192.0.2.1"), Some("AMY")),
        Standing::Locked,
        "case is no way around"
    );
    assert!(open(&limiter, "192.0.2.1", Some("bob")), "the other users of that address");
    assert!(open(&limiter, "192.0.2.2", Some("amy")), "the user elsewhere");
    tokio::time::advance(Duration::from_secs(4)).await;
    assert!(open(&limiter, "192.0.2.1", Some("amy")));
}

#[tokio::test(start_paused = true)]
async fn guesses_from_many_addresses_lock_no_user_out_at_home() {
    let limiter = Limiter::new();
    limiter.succeeded(address("192.0.2.200"), "amy");
    for host in 1..=9 {
        fail(&limiter, 10, &format!("192.0.2.{host}"), Some("amy"));
    }
    assert_eq!(limiter.standing(address("192.0.2.100"), Some("amy")), Standing::Locked, "elsewhere");
    assert_eq!(limiter.standing(address("192.0.2.200"), Some("amy")), Standing::Familiar, "at home");
    assert!(open(&limiter, "192.0.2.100", Some("bob")));
    tokio::time::advance(Duration::from_millis(500)).await;
    assert!(open(&limiter, "192.0.2.100", Some("amy")));
}

#[tokio::test(start_paused = true)]
async fn guesses_at_an_address_do_not_lock_out_users_who_logged_in_there() {
    let limiter = Limiter::new();
    limiter.succeeded(address("192.0.2.1"), "amy");
    for user in 0..10 {
        fail(&limiter, 3, "192.0.2.1", Some(&format!("guess{user}")));
    }
    assert_eq!(limiter.standing(address("192.0.2.1"), Some("bob")), Standing::Locked);
    assert_eq!(limiter.standing(address("192.0.2.1"), Some("amy")), Standing::Familiar);
    fail(&limiter, 15, "192.0.2.1", Some("amy"));
    assert_eq!(
        limiter.standing(address("192.0.2.1"), Some("amy")),
        Standing::Locked,
        "guessing at amy is bounded"
    );
}

#[tokio::test(start_paused = true)]
async fn the_same_wrong_credential_again_costs_nothing() {
    let limiter = Limiter::new();
    let (here, there) = (address("192.0.2.1"), address("192.0.2.2"));
    let stale = limiter.password("amy", &"old".into(), None);
    assert_eq!(limiter.known(here, stale), None);
    assert!(limiter.failed(here, Some("amy"), Some(stale), "unknown user"));
    for _ in 0..28_800 {
        tokio::time::advance(Duration::from_secs(3)).await;
        assert!(!limiter.failed(here, Some("amy"), Some(stale), "unknown user"));
    }
    assert!(open(&limiter, "192.0.2.1", Some("amy")) && open(&limiter, "192.0.2.1", Some("bob")));
    assert_eq!(limiter.known(here, stale), Some("unknown user"));
    assert_eq!(limiter.known(there, stale), None, "what one address tried tells another nothing");
    let other = limiter.password("amy", &"older".into(), None);
    assert!(limiter.failed(here, Some("amy"), Some(other), "unknown user"), "another one is a guess");
    tokio::time::advance(REMEMBERED).await;
    assert_eq!(limiter.known(here, stale), None);
}

#[tokio::test]
async fn a_verdict_is_remembered_only_for_what_it_was_about() {
    let limiter = Limiter::new();
    let user = |stored: &str, enabled| User {
        name: "amy".to_owned(),
        password: stored.to_owned().into(),
        enabled,
        api_enabled: true,
        may_see_events: true,
        token_min_expiry: 0,
        rights: zmes_zoneminder::MonitorRights::All,
    };
    let print = |found: Option<&User>| limiter.password("amy", &"pw".into(), found);
    let (now, changed, barred) = (user("*A", true), user("*B", true), user("*A", false));
    assert_eq!(print(Some(&now)), print(Some(&user("*A", true))));
    for other in [print(None), print(Some(&changed)), print(Some(&barred))] {
        assert_ne!(print(Some(&now)), other);
    }
    assert_ne!(Limiter::new().password("amy", &"pw".into(), None), print(None), "the key is of this process");
}

#[tokio::test]
async fn memory_is_bounded() {
    let limiter = Limiter::new();
    for number in 0..(u32::try_from(MAX_NETWORKS).unwrap() + 50) {
        let from = IpAddr::from(std::net::Ipv4Addr::from_bits(0x0a00_0000 + number));
        limiter.failed(from, None, Some(Fingerprint(1)), "");
    }
    for number in 0..100 {
        limiter.failed(address("192.0.2.1"), None, Some(Fingerprint(number)), "");
        limiter.succeeded(IpAddr::from(std::net::Ipv4Addr::from_bits(u32::try_from(number).unwrap())), "amy");
    }
    let state = limiter.state();
    assert_eq!(state.mistakes.len(), MAX_NETWORKS);
    assert_eq!(state.mistakes[&address("192.0.2.1")].len(), MAX_MISTAKES);
    assert_eq!(state.homes["amy"].len(), MAX_HOMES);
}
