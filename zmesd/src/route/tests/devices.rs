//! State of a device: filters that come back or do not; tokens that change hands, are revoked or blocked; alarms missed
//! while the daemon was down; logins that end with their access token.

use super::*;
use crate::domain::TokenId;
use zmes_shared::views::FilterFrom;
use zmes_zoneminder::AccessPass;

fn only(monlist: &str, intlist: &str) -> MonitorFilter {
    MonitorFilter::parse(monlist, intlist).unwrap()
}

impl RouterWorld {
    async fn state(&self, client: &Client, monlist: &str) {
        self.router.set_filter(client.id, only(monlist, ""), None).await.unwrap();
    }

    async fn leave(&self, client: Client, left: SessionEnd) {
        self.router.close(client.id, "gone", left, None).await.unwrap();
    }

    /// Returns the monitors of a client's filter, and where it comes from.
    async fn filter_of(&self, client: &Client) -> (String, FilterFrom) {
        let filter = self.router.visibility(client.id).await.unwrap().filter;
        let listed = self.router.list(ClientFilter::default()).await.unwrap();
        let shown = listed.iter().find(|listed| listed.id == client.id).unwrap();
        (filter.lists().0, shown.filter_from.unwrap())
    }
}

fn is(monlist: &str, from: FilterFrom) -> (String, FilterFrom) {
    (monlist.to_owned(), from)
}

#[tokio::test]
async fn zmninjang_on_a_desktop_says_all_monitors_by_saying_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let mut world = RouterWorld::start(directory.path().into(), std::slice::from_ref(&amy)).await;
    let client = world.enter(&amy, App::ZmNinjaNg, Some("1.1.14")).await;
    world.state(&client, "1").await;
    assert_eq!(world.filter_of(&client).await, is("1", FilterFrom::Stated));
    // The connection breaks. The app then sends only its login, and expects its earlier filter.
    world.leave(client, SessionEnd::Broken).await;
    let mut client = world.enter(&amy, App::ZmNinjaNg, Some("1.1.14")).await;
    assert_eq!(world.filter_of(&client).await, is("1", FilterFrom::Reconnect));
    world.announce(alarm_at(2, 10, T)).await;
    world.announce(alarm_at(1, 11, T)).await;
    assert_eq!(client.events(), ["11"]);
    // The user chooses all monitors: the app closes the connection, connects again, and sends no filter.
    world.leave(client, SessionEnd::ByApp).await;
    let mut client = world.enter(&amy, App::ZmNinjaNg, Some("1.1.14")).await;
    assert_eq!(world.filter_of(&client).await, is("", FilterFrom::Default));
    world.announce(alarm_at(2, 12, T)).await;
    assert_eq!(client.events(), ["12"]);
}

#[tokio::test]
async fn a_restart_is_a_break_and_what_the_app_closed_does_not_come_back_after_it() {
    let directory = tempfile::tempdir().unwrap();
    let (amy, bob) = (user("amy", MonitorRights::All), user("bob", MonitorRights::All));
    let users = [amy.clone(), bob.clone()];
    let mut world = RouterWorld::start(directory.path().into(), &users).await;
    let (open, closed) = (
        world.enter(&amy, App::ZmNinjaNg, Some("1")).await,
        world.enter(&bob, App::ZmNinjaNg, Some("1")).await,
    );
    world.state(&open, "1").await;
    world.state(&closed, "2").await;
    world.leave(closed, SessionEnd::ByApp).await;
    let mut world = world.restart(&users).await;
    let open = world.enter(&amy, App::ZmNinjaNg, Some("1")).await;
    let closed = world.enter(&bob, App::ZmNinjaNg, Some("1")).await;
    assert_eq!(world.filter_of(&open).await, is("1", FilterFrom::Reconnect));
    assert_eq!(world.filter_of(&closed).await, is("", FilterFrom::Default));
}

#[tokio::test]
async fn a_script_without_a_version_leaves_nothing_to_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let users = [amy.clone()];
    let mut world = RouterWorld::start(directory.path().into(), &users).await;
    let pyzm = world.enter(&amy, App::Unknown, None).await;
    world.router.set_filter(pyzm.id, only("2", "3600"), None).await.unwrap();
    world.announce(alarm_at(2, 10, T)).await;
    world.leave(pyzm, SessionEnd::Broken).await;
    let mut node = world.enter(&amy, App::Unknown, None).await;
    assert_eq!(world.filter_of(&node).await, is("", FilterFrom::Default));
    world.announce(alarm_at(1, 11, T)).await;
    world.router.set_filter(node.id, only("2", "3600"), None).await.unwrap();
    world.announce(alarm_at(2, 12, T)).await;
    assert_eq!(node.events(), ["11", "12"], "neither filter nor interval is inherited");
    world.leave(node, SessionEnd::Broken).await;
    let mut world = world.restart(&users).await;
    let mut browser = world.enter(&amy, App::Unknown, None).await;
    world.announce(alarm_at(1, 13, T)).await;
    assert_eq!(browser.events(), ["13"]);
}

#[tokio::test]
async fn while_another_session_of_the_device_is_connected_nothing_is_guessed() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let mut world = RouterWorld::start(directory.path().into(), std::slice::from_ref(&amy)).await;
    let laptop = world.enter(&amy, App::ZmNinjaNg, Some("1")).await;
    world.state(&laptop, "1").await;
    let desktop = world.enter(&amy, App::ZmNinjaNg, Some("1")).await;
    world.state(&desktop, "2").await;
    world.leave(laptop, SessionEnd::Broken).await;
    let laptop = world.enter(&amy, App::ZmNinjaNg, Some("1")).await;
    assert_eq!(world.filter_of(&laptop).await, is("", FilterFrom::Default));
}

#[tokio::test]
async fn with_a_token_its_filter_counts_and_without_one_the_last_of_the_app() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let users = [amy.clone()];
    let mut world = RouterWorld::start(directory.path().into(), &users).await;
    for (token, monitors) in [("T", "1"), ("U", "2")] {
        let client = world.login(amy.clone(), None).await;
        world.register(&client, token, |token| token.filter = Some(only(monitors, "0"))).await.unwrap();
        world.leave(client, SessionEnd::ByApp).await;
    }
    let mut world = world.restart(&users).await;
    for (hint, filter) in [
        (Some("T"), is("1", FilterFrom::Token)),
        (Some("U"), is("2", FilterFrom::Token)),
        (None, is("", FilterFrom::Default)),
        (Some("unknown"), is("", FilterFrom::Default)),
    ] {
        let client = world.connect(8).await;
        world.attach(&client, amy.clone(), None, hint).await;
        assert_eq!(world.filter_of(&client).await, filter, "{hint:?}");
    }
    let stranger = world.connect(8).await;
    world.attach(&stranger, user("bob", MonitorRights::All), None, Some("T")).await;
    assert_eq!(world.filter_of(&stranger).await, is("", FilterFrom::Default), "not his");
    // A token's session that breaks comes back with only its login, as zmNinjaNg does.
    let mut world = world.restart(&users).await;
    let client = world.connect(8).await;
    world.attach(&client, amy.clone(), None, Some("T")).await;
    world.leave(client, SessionEnd::Broken).await;
    let client = world.connect(8).await;
    world.attach(&client, amy, None, None).await;
    assert_eq!(world.filter_of(&client).await, is("1", FilterFrom::Reconnect));
}

/// zmNinjaNg on a phone, "all monitors" with every row off: `"monlist":"","intlist":""` in the token message.
#[tokio::test]
async fn empty_lists_in_a_token_message_are_all_monitors_unless_a_filter_was_stated() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let mut world = RouterWorld::start(directory.path().into(), std::slice::from_ref(&amy)).await;
    let all = |token: &mut Registration| token.filter = Some(MonitorFilter::All);
    let client = world.enter(&amy, App::ZmNinjaNg, Some("1")).await;
    world.register(&client, "T", |token| token.filter = Some(only("2,3", "0,60"))).await.unwrap();
    assert_eq!(world.filter_of(&client).await, is("2,3", FilterFrom::Stated));
    world.register(&client, "T", all).await.unwrap();
    assert_eq!(world.stored().await[0].filter, MonitorFilter::All, "the rows were switched off meanwhile");
    world.register(&client, "T", |token| token.filter = Some(only("2,3", "0,60"))).await.unwrap();
    world.leave(client, SessionEnd::ByApp).await;
    let client = world.enter(&amy, App::ZmNinjaNg, Some("1")).await;
    world.register(&client, "T", all).await.unwrap();
    assert_eq!(world.stored().await[0].filter, MonitorFilter::All);
    world.announce(alarm_at(9, 10, T)).await;
    assert_eq!(world.pushed(), [(10, "T".to_owned(), 1)], "it rings for all");
    // A filter sent in this session stays, whichever of the two messages comes first.
    world.state(&client, "2").await;
    world.register(&client, "T", all).await.unwrap();
    assert_eq!(world.stored().await[0].filter.lists().0, "2");
    world.leave(client, SessionEnd::ByApp).await;
    let client = world.enter(&amy, App::ZmNinjaNg, Some("1")).await;
    world.register(&client, "T", all).await.unwrap();
    world.state(&client, "2").await;
    assert_eq!(world.stored().await[0].filter.lists().0, "2");
}

#[tokio::test]
async fn a_token_that_changes_its_owner_drops_lists_and_intervals_that_are_not_stated() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let guest = user("guest", MonitorRights::Only(Arc::new([MonitorId(1)].into())));
    let users = [amy.clone(), guest.clone()];
    let mut world = RouterWorld::start(directory.path().into(), &users).await;
    let home = world.enter(&amy, App::ZmNinja, Some("1.8.001")).await;
    world.register(&home, "T", |token| token.filter = Some(only("2,3", "0,0"))).await.unwrap();
    let office = world.enter(&guest, App::ZmNinja, Some("1.8.001")).await;
    world.register(&office, "T", |_| {}).await.unwrap();
    world.announce(alarm_at(1, 10, T)).await;
    assert_eq!(world.pushed(), [(10, "T".to_owned(), 1)], "amy's lists would leave nothing to the guest");
    // The interval that the guest asks for does not count from alarms that amy got.
    world.register(&home, "T", |token| token.filter = Some(only("1", "3600"))).await.unwrap();
    world.announce(alarm_at(1, 11, T)).await;
    world.register(&office, "T", |token| token.filter = Some(only("1", "3600"))).await.unwrap();
    world.announce(alarm_at(1, 12, T + 1)).await;
    assert_eq!(world.pushed(), [(11, "T".to_owned(), 2), (12, "T".to_owned(), 3)]);
    let mut world = world.restart(&users).await;
    world.announce(alarm_at(1, 13, T + 2)).await;
    assert!(world.pushed().is_empty(), "the guest's own interval counts, over a restart too");
}

#[tokio::test]
async fn a_token_that_comes_back_after_revoke_has_no_lists() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let mut world = RouterWorld::start(directory.path().into(), std::slice::from_ref(&amy)).await;
    for (reason, lists) in [("admin", ""), ("prune", ""), ("UNREGISTERED", "2")] {
        let client = world.enter(&amy, App::ZmNinja, Some("1")).await;
        world.register(&client, "T", |token| token.filter = Some(only("2", "0"))).await.unwrap();
        world.leave(client, SessionEnd::ByApp).await;
        world.router.revoke(vec![TokenId(1)], reason.to_owned()).await.unwrap();
        let client = world.enter(&amy, App::ZmNinja, Some("1")).await;
        world.register(&client, "T", |_| {}).await.unwrap();
        assert_eq!(world.stored().await[0].filter.lists().0, lists, "{reason}");
        world.leave(client, SessionEnd::ByApp).await;
    }
}

#[tokio::test]
async fn a_blocked_token_stays_out_over_a_restart_until_it_is_unblocked() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let users = [amy.clone()];
    let mut world = RouterWorld::start(directory.path().into(), &users).await;
    let mut client = world.login(amy.clone(), None).await;
    world.register(&client, "T", |token| token.filter = Some(only("1", "0"))).await.unwrap();
    let id = TokenId(1);
    assert_eq!(world.router.block(vec![id, TokenId(7)]).await.unwrap(), [id]);
    assert_eq!(world.router.block(vec![id]).await.unwrap(), [], "it is already");
    assert!(!world.router.restore(id).await.unwrap(), "unblock comes first");
    world.orders();
    let before = world.stored().await;
    let refused = world.register(&client, "T", |token| token.filter = Some(only("2", "0"))).await;
    assert_eq!(refused, Err(TokenFault::Blocked));
    assert_eq!(world.stored().await, before, "nothing has changed");
    world.announce(alarm_at(1, 10, T)).await;
    assert!(world.pushed().is_empty());
    assert_eq!(client.events(), ["10"], "its socket goes on: that is the user's login");

    let mut world = world.restart(&users).await;
    let client = world.connect(8).await;
    world.attach(&client, amy, None, Some("T")).await;
    assert_eq!(world.register(&client, "T", |_| {}).await, Err(TokenFault::Blocked));
    let bob = world.login(user("bob", MonitorRights::All), None).await;
    assert_eq!(world.register(&bob, "T", |_| {}).await, Err(TokenFault::Blocked), "whoever it is");
    world.register(&bob, "U", |_| {}).await.unwrap();
    assert_eq!(world.router.unblock(vec![id]).await.unwrap(), [id]);
    assert!(world.stored().await[0].revoked.is_some(), "still revoked");
    world.register(&client, "T", |_| {}).await.unwrap();
    world.announce(alarm_at(1, 11, T)).await;
    assert_eq!(world.pushed().iter().filter(|(_, token, _)| token == "T").count(), 1, "it rings again");
}

#[tokio::test]
async fn a_revoked_token_can_be_blocked_and_a_blocked_one_is_never_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let mut world = RouterWorld::start(directory.path().into(), std::slice::from_ref(&amy)).await;
    let client = world.login(amy, None).await;
    world.register(&client, "T", |_| {}).await.unwrap();
    world.router.revoke(vec![TokenId(1)], "UNREGISTERED".to_owned()).await.unwrap();
    assert_eq!(world.router.block(vec![TokenId(1)]).await.unwrap(), [TokenId(1)]);
    let stored = world.stored().await;
    let revoked = stored[0].revoked.as_ref().unwrap();
    assert_eq!((revoked.reason.as_str(), revoked.blocked), ("UNREGISTERED", true));
}

/// Waits for this many frames. A new login gets missed alarms after a second, so that its filter can come first.
async fn wait_for(client: &mut Client, frames: usize) -> Vec<(String, Value)> {
    let mut told = Vec::new();
    while told.len() < frames {
        let outgoing = timeout(Duration::from_secs(30), client.outbox.recv()).await.unwrap().unwrap();
        let Outgoing::Frame(text) = outgoing else { panic!("{outgoing:?}") };
        let frame: Value = serde_json::from_str(&text).unwrap();
        told.push((frame["events"][0]["EventId"].as_str().unwrap().to_owned(), frame["late"].clone()));
    }
    told
}

fn late(monitor: u32, event: u64) -> Alarm {
    Alarm { origin: Origin::Reconciled, ..alarm_at(monitor, event, T) }
}

fn marked(event: &str) -> (String, Value) {
    (event.to_owned(), "true".into())
}

#[tokio::test]
async fn what_was_missed_while_the_daemon_was_down_is_told_to_those_who_come_back() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let guest = user("guest", MonitorRights::Only(Arc::new([MonitorId(1)].into())));
    let mut world = RouterWorld::start(directory.path().into(), &[amy.clone(), guest.clone()]).await;
    let mut early = world.enter(&amy, App::Unknown, None).await;
    for alarm in [late(1, 10), late(2, 11), late(3, 12)] {
        world.announce(alarm).await;
    }
    world.announce(alarm_at(1, 13, T)).await;
    assert_eq!(early.events(), ["10", "11", "12", "13"]);
    let mut all = world.enter(&amy, App::Unknown, None).await;
    let mut filtered = world.enter(&amy, App::ZmNinjaNg, Some("1")).await;
    let mut restricted = world.enter(&guest, App::Unknown, None).await;
    // Apps state their filter right after the login.
    world.state(&filtered, "2").await;
    assert_eq!(wait_for(&mut all, 3).await, [marked("10"), marked("11"), marked("12")]);
    assert_eq!(wait_for(&mut filtered, 1).await, [marked("11")]);
    assert_eq!(wait_for(&mut restricted, 1).await, [marked("10")]);
    world.attach(&all, amy.clone(), None, None).await;
    world.announce(alarm_at(2, 14, T)).await;
    let mut again = world.enter(&amy, App::Unknown, None).await;
    assert_eq!(wait_for(&mut again, 3).await.len(), 3, "the barrier: who logs in later is told later");
    assert_eq!(all.events(), ["14"], "who logs in again over the same connection is not told twice");
    assert_eq!((filtered.events(), restricted.events()), (vec!["14".to_owned()], Vec::new()));
    assert_eq!(early.events(), ["14"]);
    let mut asking = world.enter(&amy, App::Unknown, None).await;
    world.router.replays(asking.id).await.unwrap();
    let mut barrier = world.enter(&amy, App::Unknown, None).await;
    assert_eq!(wait_for(&mut barrier, 3).await.len(), 3);
    assert_eq!(asking.events(), [""; 0], "who asks for a replay has it from there");
    let decided = world.router.session_decisions(EventId(11)).await.unwrap();
    let of = |client: &Client| {
        let about = decided.iter().filter(|decision| decision.session == client.id);
        about.map(|decision| decision.decision).collect::<Vec<_>>()
    };
    assert_eq!(of(&early), [Decision::Send]);
    assert_eq!(of(&filtered), [Decision::Send]);
    assert_eq!(of(&restricted), [Decision::Skip(SkipReason::Rights)]);
}

#[tokio::test]
async fn an_app_whose_token_was_pushed_to_hears_of_the_missed_alarm_over_its_socket_too() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let users = [amy.clone()];
    let mut world = RouterWorld::start(directory.path().into(), &users).await;
    let client = world.login(amy.clone(), None).await;
    world.register(&client, "T", |token| token.filter = Some(only("1", "60"))).await.unwrap();
    let mut world = world.restart(&users).await;
    world.announce(late(1, 10)).await;
    assert_eq!(world.pushed(), [(10, "T".to_owned(), 1)]);
    let mut client = world.connect(8).await;
    world.attach(&client, amy, None, Some("T")).await;
    assert_eq!(wait_for(&mut client, 1).await, [marked("10")]);
    world.announce(alarm_at(1, 11, T + 59)).await;
    world.announce(alarm_at(1, 12, T + 60)).await;
    assert_eq!(client.events(), ["12"], "the interval counts from it");
}

impl RouterWorld {
    async fn enter_by_token(&mut self, user: &User, pass: AccessPass) -> Client {
        let client = self.connect(8).await;
        let (id, user, asked_at) = (client.id, Arc::new(user.clone()), Instant::now());
        let login =
            NewLogin { pass: Some(pass), user, app: None, filter: None, kind: App::Unknown, hint: None };
        self.router.attach(id, asked_at, login).await.unwrap();
        client
    }
}

#[tokio::test]
async fn a_session_ends_with_its_access_token_and_others_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let mut world = RouterWorld::start(directory.path().into(), std::slice::from_ref(&amy)).await;
    // Long enough for one of them to log in again before it expires.
    let soon = AccessPass { issued_at: 100, expires_at: SystemClock.now() + Duration::from_secs(3) };
    let late = AccessPass { issued_at: 100, expires_at: Timestamp::MAX };
    let expired = world.enter_by_token(&amy, soon).await;
    let mut kept = world.enter_by_token(&amy, late).await;
    let mut renewed = world.enter_by_token(&amy, soon).await;
    world.attach(&renewed, amy.clone(), None, None).await;
    assert_eq!(expired.kicked().await, CloseReason::PassExpired);
    world.announce(alarm_at(1, 10, T)).await;
    assert_eq!((kept.events(), renewed.events()), (vec!["10".to_owned()], vec!["10".to_owned()]));
}

#[tokio::test]
async fn revoke_all_tokens_ends_sessions_by_access_token_at_the_next_reading_and_no_others() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let mut world = RouterWorld::start(directory.path().into(), std::slice::from_ref(&amy)).await;
    let pass = |issued_at| AccessPass { issued_at, expires_at: Timestamp::MAX };
    let old = world.enter_by_token(&amy, pass(99)).await;
    let mut new = world.enter_by_token(&amy, pass(100)).await;
    let mut by_password = world.login(amy.clone(), None).await;
    world.publish(catalog(&[User { token_min_expiry: 100, ..amy }])).await;
    assert_eq!(old.kicked().await, CloseReason::UserRevoked);
    world.announce(alarm_at(1, 10, T)).await;
    assert_eq!((new.events(), by_password.events()), (vec!["10".to_owned()], vec!["10".to_owned()]));
}

#[tokio::test]
async fn an_app_that_registers_without_end_is_one_line_a_minute() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let mut world = RouterWorld::start(directory.path().into(), std::slice::from_ref(&amy)).await;
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(world.login(amy.clone(), None).await);
    }
    for round in 0..50 {
        let client = &clients[round % 5];
        world.register(client, "T", |token| token.profile = Some(round.to_string())).await.unwrap();
    }
    let told = |order: &PushOrder| matches!(order, PushOrder::Register(_));
    assert_eq!(world.orders().iter().filter(|order| told(order)).count(), 1);
    assert_eq!(world.stored().await[0].profile, "49", "the last word counts");
}

#[tokio::test]
async fn many_clients_are_listed_page_by_page() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let mut world = RouterWorld::start(directory.path().into(), std::slice::from_ref(&amy)).await;
    let mut clients = Vec::new();
    for _ in 0..1001 {
        clients.push(world.connect(1).await);
    }
    let listed = world.router.list(ClientFilter::default()).await.unwrap();
    assert!(listed.iter().map(|client| client.id).eq(clients.iter().map(|client| client.id)));
}
