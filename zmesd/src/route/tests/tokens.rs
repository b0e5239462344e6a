//! Tokens: how apps register them, and what is pushed to them.

use serde_json::json;
use zmes_providers::Platform;

use super::*;
use crate::domain::{PushState, Token, TokenId};
use crate::route::PushBatch;

impl RouterWorld {
    /// Starts with two users whose apps are connected and have registered tokens A and B.
    pub(super) async fn with_two_phones(directory: PathBuf, users: &[User; 2]) -> (Self, [Client; 2]) {
        let mut world = Self::start(directory, users).await;
        let [first, second] = users.clone();
        let clients = [world.login(first, None).await, world.login(second, None).await];
        for (client, token) in clients.iter().zip(["A", "B"]) {
            world.register(client, token, |_| {}).await.unwrap();
        }
        (world, clients)
    }

    pub(super) async fn register(
        &self,
        client: &Client,
        token: &str,
        change: impl FnOnce(&mut Registration),
    ) -> Result<(), TokenFault> {
        let mut registration = Registration {
            token: PushToken::parse(token).unwrap(),
            platform: Platform::Android,
            state: PushState::Enabled,
            filter: None,
            kind: App::ZmNinja,
            app_version: None,
            profile: None,
        };
        change(&mut registration);
        self.router.register(client.id, registration).await.unwrap()
    }

    /// Returns the tokens as stored on disk.
    pub(super) async fn stored(&self) -> Vec<Token> {
        self.router.ping().await.unwrap();
        // Thousands of rows may take longer than one wait for the disk on a busy machine.
        for _ in 0..30 {
            if self.state.settle().await {
                break;
            }
        }
        self.state.tokens().await.unwrap().into_iter().map(|row| row.token).collect()
    }

    /// Returns the pushes since the last call: event, token, badge.
    pub(super) fn pushed(&mut self) -> Vec<(u64, String, u32)> {
        let mut pushed = Vec::new();
        for batch in self.batches() {
            let event = batch.alarm.event.unwrap().0;
            let one =
                |delivery: PushDelivery| (event, delivery.token.token.expose().to_owned(), delivery.badge);
            pushed.extend(batch.deliveries.into_iter().map(one));
        }
        pushed
    }

    fn batches(&mut self) -> Vec<PushBatch> {
        let alarm = |order| if let PushOrder::Alarm(batch) = order { Some(batch) } else { None };
        self.orders().into_iter().filter_map(alarm).collect()
    }

    pub(super) fn orders(&mut self) -> Vec<PushOrder> {
        std::iter::from_fn(|| self.pushes.try_recv().ok()).collect()
    }

    async fn filter(&self, client: &Client, monlist: &str, intlist: &str, hint: Option<&str>) {
        let hint = hint.map(|hint| PushToken::parse(hint).unwrap());
        let filter = MonitorFilter::parse(monlist, intlist).unwrap();
        self.router.set_filter(client.id, filter, hint).await.unwrap();
    }
}

fn pushes(pushed: &[(u64, &str, u32)]) -> Vec<(u64, String, u32)> {
    pushed.iter().map(|(event, token, badge)| (*event, (*token).to_owned(), *badge)).collect()
}

fn supplementary(event: &str) -> (String, Value) {
    (event.to_owned(), json!("true"))
}

fn plain(event: &str) -> (String, Value) {
    (event.to_owned(), Value::Null)
}

fn lists(token: &Token) -> (String, String) {
    token.filter.lists()
}

fn only(monlist: &str, intlist: &str) -> MonitorFilter {
    MonitorFilter::parse(monlist, intlist).unwrap()
}

#[tokio::test]
async fn a_token_gets_a_push_and_its_socket_a_supplementary_copy() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let mut world = RouterWorld::start(directory.path().into(), std::slice::from_ref(&amy)).await;
    let mut client = world.login(amy.clone(), None).await;
    let mut other = world.login(amy, None).await;
    world.register(&client, "T", |_| {}).await.unwrap();
    assert!(matches!(world.orders().as_slice(), [PushOrder::Register(token)] if token.token.expose() == "T"));
    world.announce(alarm_at(1, 10, T)).await;
    world.announce(Alarm { origin: Origin::Reconciled, ..alarm_at(2, 11, T) }).await;
    assert_eq!(client.told(), [supplementary("10"), supplementary("11")]);
    assert_eq!(other.told(), [plain("10"), plain("11")]);
    assert_eq!(world.pushed(), pushes(&[(10, "T", 1), (11, "T", 2)]), "late ones are pushed, too");
    assert_eq!(world.stored().await[0].badge, 2);
    let listed = world.router.list(ClientFilter::default()).await.unwrap();
    let handle = PushToken::parse("T").unwrap().handle().to_string();
    assert_eq!((listed[0].token.as_ref(), listed[1].token.as_ref()), (Some(&handle), None));
}

#[tokio::test]
async fn a_disabled_token_gets_plain_alarms_over_its_socket() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let mut world = RouterWorld::start(directory.path().into(), std::slice::from_ref(&amy)).await;
    let mut client = world.login(amy, None).await;
    world.register(&client, "T", |_| {}).await.unwrap();
    world.orders();
    world.register(&client, "T", |token| token.state = PushState::Disabled).await.unwrap();
    assert!(matches!(world.orders().as_slice(), [PushOrder::Withdraw(TokenId(1), _)]));
    world.announce(alarm_at(1, 10, T)).await;
    assert_eq!(client.told(), [plain("10")]);
    assert!(world.pushed().is_empty());
    let deliveries = world.state.deliveries_of_token(TokenId(1), 10).await.unwrap();
    assert_eq!((deliveries[0].decision.word(), deliveries[0].reason.as_str()), ("skipped", "disabled"));
}

#[tokio::test]
async fn while_push_is_off_nothing_is_registered_and_all_alarms_are_plain() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let users = std::slice::from_ref(&amy);
    let mut world = RouterWorld::start(directory.path().into(), users).await;
    let client = world.login(amy.clone(), None).await;
    world.register(&client, "T", |_| {}).await.unwrap();
    world.stop_all().await;
    let off = PushRules { enabled: false, phones: false, ..PUSH_ON };
    let mut world = RouterWorld::with_rules(directory.path().into(), users, off).await;
    let mut client = world.connect(8).await;
    world.attach(&client, amy, None, Some("T")).await;
    world.register(&client, "U", |_| {}).await.unwrap();
    world.announce(alarm_at(1, 10, T)).await;
    assert_eq!(client.told(), [plain("10")]);
    assert!(world.orders().is_empty());
    assert_eq!(world.stored().await.len(), 1);
    assert!(world.state.deliveries_of_token(TokenId(1), 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_badge_does_not_grow_while_nothing_is_sent_but_intervals_hold() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let shadow = PushRules { shadow: true, ..PUSH_ON };
    let mut world =
        RouterWorld::with_rules(directory.path().into(), std::slice::from_ref(&amy), shadow).await;
    let client = world.login(amy, None).await;
    world.register(&client, "T", |token| token.filter = Some(only("1", "60"))).await.unwrap();
    for (event, at) in [(10, T), (11, T + 30), (12, T + 60)] {
        world.announce(alarm_at(1, event, at)).await;
    }
    assert_eq!(world.pushed(), pushes(&[(10, "T", 0), (12, "T", 0)]), "what would have been sent");
    assert_eq!(world.stored().await[0].badge, 0);
}

/// All message orders of the real apps: `A` and `B` register without lists, `C` sets the filter, `N` is zmNinjaNg's
/// token message with lists, `1` its badge, and auth carries lists (`a`), none (`n`), or only the token (`t`).
#[tokio::test]
async fn every_order_of_the_apps_ends_in_the_same_stored_state() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let mut world = RouterWorld::start(directory.path().into(), std::slice::from_ref(&amy)).await;
    let orders = [
        "aA", "aCA", "aCBA", "aBCA", "aAC", "aABC", "aACB", "nCA", "nCBA", "nBCA", "nAC", "nABC", "nACB",
        "nNCA", "nAN", "nNA", "nC1N", "nN1C", "n1NC", "nCN1", "aAA", "aAtA", "nCAtA", "nCAtC", "nCAnAtA",
    ];
    for (number, order) in orders.iter().enumerate() {
        let token = format!("token-of-{number}-{order}");
        let mut client = world.connect(8).await;
        for step in order.chars() {
            match step {
                'a' | 'n' => {
                    client = world.connect(8).await;
                    let filter = (step == 'a').then(|| only("1,2", "0,60"));
                    world.attach(&client, amy.clone(), filter, None).await;
                }
                't' => {
                    client = world.connect(8).await;
                    world.attach(&client, amy.clone(), None, Some(&token)).await;
                }
                'A' | 'B' => world.register(&client, &token, |_| {}).await.unwrap(),
                'C' => world.filter(&client, "1,2", "0,60", Some(&token)).await,
                'N' => {
                    world
                        .register(&client, &token, |token| token.filter = Some(only("1,2", "0,60")))
                        .await
                        .unwrap();
                }
                '1' => world.router.set_badge(client.id, 1, None).await.unwrap(),
                other => panic!("{other}"),
            }
        }
        let stored = world.stored().await.pop().unwrap();
        assert_eq!(stored.token.expose(), token);
        assert_eq!(lists(&stored), ("1,2".to_owned(), "0,60".to_owned()), "{order}");
        assert_eq!(stored.badge, u32::from(order.contains('1')), "{order}");
        assert_eq!((stored.state, stored.platform), (PushState::Enabled, Platform::Android));
        assert_eq!(
            (stored.user.as_str(), stored.app, stored.app_version.as_str()),
            ("amy", App::ZmNinja, "1.8.001")
        );
        let visible = world.router.visibility(client.id).await.unwrap();
        assert_eq!(visible.filter.lists(), lists(&stored), "the socket has what the token has: {order}");
    }
}

#[tokio::test]
async fn a_registration_without_lists_keeps_those_of_its_owner_and_a_new_one_gets_all() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let users = [amy.clone()];
    let mut world = RouterWorld::start(directory.path().into(), &users).await;
    let client = world.login(amy.clone(), None).await;
    world.register(&client, "T", |token| token.filter = Some(only("2", "30"))).await.unwrap();
    let mut world = world.restart(&users).await;
    let other = world.login(user("bob", MonitorRights::All), None).await;
    world.register(&other, "U", |_| {}).await.unwrap();
    let client = world.login(amy, None).await;
    world.register(&client, "T", |token| token.state = PushState::Disabled).await.unwrap();
    let stored = world.stored().await;
    assert_eq!(lists(&stored[0]), ("2".to_owned(), "30".to_owned()));
    assert_eq!((stored[0].user.as_str(), stored[0].state), ("amy", PushState::Disabled));
    assert_eq!(lists(&stored[1]), (String::new(), String::new()));
}

#[tokio::test]
async fn repeated_registrations_reach_the_provider_less_often() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let mut world = RouterWorld::start(directory.path().into(), std::slice::from_ref(&amy)).await;
    let client = world.login(amy, None).await;
    for _ in 0..5 {
        world.register(&client, "T", |_| {}).await.unwrap();
    }
    assert_eq!(world.orders().len(), 1);
    for state in [PushState::Disabled, PushState::Enabled, PushState::Disabled, PushState::Enabled] {
        world.register(&client, "T", |token| token.state = state).await.unwrap();
        let platform = if state == PushState::Enabled { Platform::Ios } else { Platform::Android };
        world.register(&client, "T", |token| token.platform = platform).await.unwrap();
    }
    let told = |order: &PushOrder| matches!(order, PushOrder::Register(_));
    assert!(!world.orders().iter().any(told), "not yet");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(31)).await;
    tokio::time::resume();
    let late = timeout(Duration::from_secs(5), world.pushes.recv()).await.unwrap().unwrap();
    let PushOrder::Register(token) = late else { panic!("{late:?}") };
    assert_eq!(token.platform, Platform::Ios, "the last word counts");
}

#[tokio::test]
async fn a_second_session_takes_the_token_over_and_there_is_one_push() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let mut world = RouterWorld::start(directory.path().into(), std::slice::from_ref(&amy)).await;
    let mut first = world.login(amy.clone(), Some(("1", "0"))).await;
    world.register(&first, "T", |_| {}).await.unwrap();
    let mut second = world.login(amy, None).await;
    world.register(&second, "T", |token| token.filter = Some(only("1,2", "0,0"))).await.unwrap();
    world.announce(alarm_at(1, 10, T)).await;
    world.announce(alarm_at(2, 11, T)).await;
    assert_eq!(first.told(), [plain("10")], "it goes on by itself");
    assert_eq!(second.told(), [supplementary("10"), supplementary("11")]);
    assert_eq!(world.pushed(), pushes(&[(10, "T", 1), (11, "T", 2)]));
    // A routine message of the first app takes the token back, but does not bring back its old filter.
    world.router.set_badge(first.id, 0, Some(PushToken::parse("T").unwrap())).await.unwrap();
    assert_eq!(lists(&world.stored().await[0]).0, "1,2");
    world.router.close(second.id, "gone", SessionEnd::Broken, None).await.unwrap();
    world.router.close(first.id, "gone", SessionEnd::Broken, None).await.unwrap();
    world.announce(alarm_at(1, 12, T)).await;
    assert_eq!(world.pushed(), pushes(&[(12, "T", 1)]), "no socket, still a push");
}

#[tokio::test]
async fn an_interval_is_one_for_push_and_socket_and_survives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let users = [amy.clone()];
    let mut world = RouterWorld::start(directory.path().into(), &users).await;
    let mut client = world.login(amy.clone(), Some(("1,2", "60,0"))).await;
    world.register(&client, "T", |_| {}).await.unwrap();
    for (event, at) in [(10, T), (11, T + 59)] {
        world.announce(alarm_at(1, event, at)).await;
    }
    assert_eq!((client.events(), world.pushed()), (vec!["10".to_owned()], pushes(&[(10, "T", 1)])));
    // The interval holds across a reconnect, a restart, and a session that connects only afterwards.
    world.router.close(client.id, "gone", SessionEnd::Broken, None).await.unwrap();
    let mut world = world.restart(&users).await;
    world.announce(alarm_at(1, 12, T + 59)).await;
    let mut client = world.connect(8).await;
    world.attach(&client, amy, None, Some("T")).await;
    world.announce(alarm_at(1, 13, T + 59)).await;
    world.announce(alarm_at(1, 14, T + 60)).await;
    world.announce(alarm_at(2, 15, T + 60)).await;
    world.announce(alarm_at(2, 16, T + 60)).await;
    assert_eq!(client.events(), ["14", "15", "16"]);
    assert_eq!(world.pushed(), pushes(&[(14, "T", 2), (15, "T", 3), (16, "T", 4)]));
}

#[tokio::test]
async fn the_default_interval_holds_for_pushes_and_their_copies_alone() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let rules = PushRules { interval_default: Duration::from_mins(1), ..PUSH_ON };
    let mut world = RouterWorld::with_rules(directory.path().into(), std::slice::from_ref(&amy), rules).await;
    let mut client = world.login(amy.clone(), None).await;
    world.register(&client, "T", |_| {}).await.unwrap();
    let mut plain_app = world.login(user("bob", MonitorRights::All), None).await;
    for (event, at) in [(10, T), (11, T + 30), (12, T + 60)] {
        world.announce(alarm_at(1, event, at)).await;
    }
    assert_eq!(client.events(), ["10", "12"]);
    assert_eq!(world.pushed(), pushes(&[(10, "T", 1), (12, "T", 2)]));
    assert_eq!(plain_app.events(), ["10", "11", "12"]);
}

#[tokio::test]
async fn rights_are_those_of_the_moment() {
    let directory = tempfile::tempdir().unwrap();
    let only_1 = MonitorRights::Only(Arc::new([MonitorId(1)].into()));
    let amy = user("amy", only_1);
    let mut world = RouterWorld::start(directory.path().into(), std::slice::from_ref(&amy)).await;
    let client = world.login(amy.clone(), None).await;
    world.register(&client, "T", |_| {}).await.unwrap();
    world.announce(alarm_at(1, 10, T)).await;
    world.announce(alarm_at(2, 11, T)).await;
    assert_eq!(world.pushed(), pushes(&[(10, "T", 1)]));
    for users in [vec![User { enabled: false, ..amy.clone() }], Vec::new()] {
        world.publish(catalog(&users)).await;
        world.announce(alarm_at(1, 12, T)).await;
        assert!(world.pushed().is_empty());
    }
    let reasons = world.state.deliveries_of_token(TokenId(1), 10).await.unwrap();
    let reasons: Vec<_> = reasons.iter().map(|row| row.reason.as_str()).collect();
    assert_eq!(reasons, ["user", "user", "rights", ""]);
    world.publish(catalog(&[User { rights: MonitorRights::All, ..amy }])).await;
    world.announce(alarm_at(2, 13, T)).await;
    assert_eq!(world.pushed(), pushes(&[(13, "T", 2)]));
}

#[tokio::test]
async fn a_user_newer_than_the_catalog_gets_pushes_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let mut world = RouterWorld::start(directory.path().into(), &[]).await;
    let client = world.login(user("new", MonitorRights::All), None).await;
    world.register(&client, "T", |_| {}).await.unwrap();
    world.announce(alarm_at(1, 10, T)).await;
    assert_eq!(world.pushed(), pushes(&[(10, "T", 1)]));
}

#[tokio::test]
async fn while_auth_is_off_all_users_may_see_all_monitors() {
    let directory = tempfile::tempdir().unwrap();
    let mut world = RouterWorld::start(directory.path().into(), &[]).await;
    world.auth.send_modify(|auth| auth.enabled = false);
    let client = world.login(user("anonymous", MonitorRights::All), None).await;
    world.register(&client, "T", |_| {}).await.unwrap();
    world.announce(alarm_at(1, 10, T)).await;
    assert_eq!(world.pushed(), pushes(&[(10, "T", 1)]));
    world.auth.send_modify(|auth| auth.enabled = true);
    world.announce(alarm_at(1, 11, T)).await;
    assert!(world.pushed().is_empty(), "nobody of that name can be asked about");
}

#[tokio::test]
async fn a_badge_is_kept_until_there_is_a_token_and_survives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let users = [amy.clone()];
    let mut world = RouterWorld::start(directory.path().into(), &users).await;
    let client = world.login(amy.clone(), None).await;
    world.router.set_badge(client.id, 7, None).await.unwrap();
    world.register(&client, "T", |_| {}).await.unwrap();
    world.announce(alarm_at(1, 10, T)).await;
    world.register(&client, "T", |_| {}).await.unwrap();
    assert_eq!(world.pushed(), pushes(&[(10, "T", 8)]));
    let mut world = world.restart(&users).await;
    world.announce(alarm_at(1, 11, T)).await;
    assert_eq!(world.pushed(), pushes(&[(11, "T", 9)]));
    let client = world.login(amy, None).await;
    world.router.set_badge(client.id, 0, Some(PushToken::parse("T").unwrap())).await.unwrap();
    let stranger = world.login(user("bob", MonitorRights::All), None).await;
    world.router.set_badge(stranger.id, 50, Some(PushToken::parse("T").unwrap())).await.unwrap();
    assert_eq!(world.stored().await[0].badge, 0);
}

#[tokio::test]
async fn what_changes_nothing_is_not_written() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let mut world = RouterWorld::start(directory.path().into(), std::slice::from_ref(&amy)).await;
    let client = world.login(amy.clone(), None).await;
    let mut watcher = world.tap.subscribe();
    let mut changes = || {
        let mut changes = Vec::new();
        while let Ok(event) = watcher.try_recv() {
            if let TapEvent::Token(change) = event {
                changes.push(change.change);
            }
        }
        changes
    };
    let named = |token: &mut Registration| token.profile = Some("Home".into());
    world.register(&client, "T", named).await.unwrap();
    world.register(&client, "T", |_| {}).await.unwrap();
    assert_eq!(changes(), ["registered"]);
    assert_eq!(world.stored().await[0].profile, "Home", "what is not told stays");
    world.filter(&client, "1", "0", None).await;
    world.filter(&client, "1", "0", None).await;
    assert_eq!(changes(), ["changed"]);
}

#[tokio::test]
async fn an_app_that_invents_tokens_is_refused_and_no_other_user_suffers() {
    let directory = tempfile::tempdir().unwrap();
    let (amy, bob) = (user("amy", MonitorRights::All), user("bob", MonitorRights::All));
    let mut world = RouterWorld::start(directory.path().into(), &[amy.clone(), bob.clone()]).await;
    let client = world.login(amy, None).await;
    for number in 0..100 {
        world.register(&client, &format!("T{number}"), |_| {}).await.unwrap();
    }
    let refused = world.register(&client, "one-more", |_| {}).await;
    assert_eq!(refused, Err(TokenFault::TooManyTokens));
    world.register(&client, "T7", |token| token.state = PushState::Disabled).await.unwrap();
    let other = world.login(bob, None).await;
    world.register(&other, "U", |_| {}).await.unwrap();
    assert_eq!(world.router.token_counts().await.unwrap().total, 101);
}
