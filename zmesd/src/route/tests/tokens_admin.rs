//! What admins and providers do to tokens, and test alarms for them.

use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use zmes_providers::Platform;

use super::*;
use crate::domain::{DeliveryId, Token, TokenId};
use crate::state::Note;

fn import(token: &str, monlist: &str) -> Token {
    let token = PushToken::parse(token).unwrap();
    let filter = MonitorFilter::parse(monlist, "").unwrap();
    Token { filter, badge: 3, ..Token::new(TokenId(0), token, Platform::Ios, Timestamp::UNIX_EPOCH) }
}

async fn start(directory: &tempfile::TempDir) -> (RouterWorld, User) {
    let amy = user("amy", MonitorRights::All);
    (RouterWorld::start(directory.path().into(), std::slice::from_ref(&amy)).await, amy)
}

#[tokio::test]
async fn a_registration_that_found_no_room_is_on_the_disk_once_there_is_some() {
    registered_while_there_is_no_room(false).await;
}

#[tokio::test]
async fn a_router_that_is_never_idle_writes_down_what_found_no_room_too() {
    registered_while_there_is_no_room(true).await;
}

/// Registers while the queue is full, and waits for the disk. If `busy`, the router gets requests all the time.
async fn registered_while_there_is_no_room(busy: bool) {
    let directory = tempfile::tempdir().unwrap();
    let (mut world, amy) = start(&directory).await;
    let client = world.login(amy, None).await;
    // Another process holds the file: nothing is written, and the queue fills.
    let path = directory.path().join(zmes_shared::paths::STATE_FILE);
    let mut other = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
    while world.state.note(Note::Devices(Vec::new())) {
        tokio::task::yield_now().await;
    }
    world.register(&client, "T", |_| {}).await.unwrap();
    assert!(world.state.tokens().await.unwrap().is_empty());
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    let kept = async {
        while world.state.tokens().await.unwrap().is_empty() {
            if busy {
                world.router.ping().await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(20), kept).await.unwrap();
    assert_eq!(world.state.tokens().await.unwrap()[0].token.token.expose(), "T");
}

#[tokio::test]
async fn an_interval_does_not_count_from_a_push_that_was_given_up() {
    let directory = tempfile::tempdir().unwrap();
    let (mut world, amy) = start(&directory).await;
    let client = world.login(amy.clone(), None).await;
    let filter = || Some(MonitorFilter::parse("1", "60").unwrap());
    world.register(&client, "T", |token| token.filter = filter()).await.unwrap();
    // With the app disconnected, nobody got the first alarm.
    world.router.close(client.id, "left", SessionEnd::Broken, None).await.unwrap();
    world.announce(alarm_at(1, 10, T)).await;
    world.announce(alarm_at(1, 11, T + 10)).await;
    let at = |second: i64| Timestamp::from_second(second).unwrap();
    world.router.untold(vec![(TokenId(1), MonitorId(1), at(T))]).await.unwrap();
    world.router.ping().await.unwrap();
    world.announce(alarm_at(1, 12, T + 20)).await;
    let events =
        |world: &mut RouterWorld| world.pushed().into_iter().map(|(event, ..)| event).collect::<Vec<_>>();
    assert_eq!(events(&mut world), [10, 12]);
    // The same after a restart; an alarm that is sent later does count.
    world
        .router
        .untold(vec![(TokenId(1), MonitorId(1), at(T)), (TokenId(1), MonitorId(1), at(T + 20))])
        .await
        .unwrap();
    world.router.ping().await.unwrap();
    let mut world = world.restart(std::slice::from_ref(&amy)).await;
    world.announce(alarm_at(1, 13, T + 30)).await;
    world.announce(alarm_at(1, 14, T + 40)).await;
    // An app that got its copy over the socket counts as notified.
    let client = world.login(amy, None).await;
    world.register(&client, "T", |token| token.filter = filter()).await.unwrap();
    world.announce(alarm_at(1, 15, T + 100)).await;
    world.router.untold(vec![(TokenId(1), MonitorId(1), at(T + 100))]).await.unwrap();
    world.router.ping().await.unwrap();
    world.announce(alarm_at(1, 16, T + 110)).await;
    assert_eq!(events(&mut world), [13, 15]);
}

#[tokio::test]
async fn a_revoked_token_gets_nothing_and_can_be_restored() {
    let directory = tempfile::tempdir().unwrap();
    let (mut world, amy) = start(&directory).await;
    let mut client = world.login(amy.clone(), Some(("1", "0"))).await;
    world.register(&client, "T", |_| {}).await.unwrap();
    world.announce(alarm_at(1, 10, T)).await;
    world.orders();
    client.events();
    let revoked = world.router.revoke(vec![TokenId(1), TokenId(9)], "admin".into()).await.unwrap();
    assert_eq!(revoked, [TokenId(1)]);
    assert!(world.router.revoke(vec![TokenId(1)], "admin".into()).await.unwrap().is_empty());
    assert!(matches!(world.orders().as_slice(), [PushOrder::Withdraw(TokenId(1), _)]));
    world.announce(alarm_at(1, 11, T)).await;
    assert_eq!(client.told(), [("11".to_owned(), Value::Null)], "a plain session");
    assert!(world.pushed().is_empty());
    let rows = world.state.deliveries_of_token(TokenId(1), 10).await.unwrap();
    assert_eq!((rows.len(), rows[0].reason.as_str()), (1, "revoked"), "what waited is withdrawn");

    let mut world = world.restart(&[amy]).await;
    let stored = world.stored().await;
    assert_eq!(stored[0].revoked.as_ref().unwrap().reason, "admin");
    assert_eq!(world.router.token_counts().await.unwrap().total, 0);
    assert!(world.router.restore(TokenId(1)).await.unwrap());
    assert!(!world.router.restore(TokenId(1)).await.unwrap());
    world.announce(alarm_at(1, 12, T)).await;
    assert_eq!(world.pushed(), [(12, "T".to_owned(), 2)]);
}

#[tokio::test]
async fn a_dead_token_comes_back_with_its_settings_when_its_app_registers_again() {
    let directory = tempfile::tempdir().unwrap();
    let (mut world, amy) = start(&directory).await;
    let client = world.login(amy.clone(), None).await;
    world.register(&client, "T", |token| token.filter = Some(import("T", "1").filter)).await.unwrap();
    world.router.token_dead(TokenId(1), "UNREGISTERED\u{1b}[2J".into()).await.unwrap();
    assert_eq!(world.stored().await[0].revoked.as_ref().unwrap().reason, "UNREGISTERED[2J");
    let again = world.connect(8).await;
    world.attach(&again, amy, None, Some("T")).await;
    let listed = world.router.list(ClientFilter::default()).await.unwrap();
    assert_eq!(listed[1].token, None, "naming it is not registering it");
    world.register(&again, "T", |_| {}).await.unwrap();
    let stored = world.stored().await;
    assert_eq!((stored.len(), stored[0].id, stored[0].filter.lists().0.as_str()), (1, TokenId(1), "1"));
    assert_eq!(stored[0].revoked, None);
}

#[tokio::test]
async fn a_muted_token_is_silent_but_its_socket_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let (mut world, amy) = start(&directory).await;
    let mut client = world.login(amy, None).await;
    world.register(&client, "T", |_| {}).await.unwrap();
    let until = Timestamp::from_second(T + 60).unwrap();
    assert!(world.router.mute(TokenId(1), Some(until)).await.unwrap());
    world.announce(alarm_at(1, 10, T)).await;
    assert!(world.pushed().is_empty());
    assert_eq!(client.told(), [("10".to_owned(), "true".into())]);
    world.announce(alarm_at(1, 11, T + 60)).await;
    assert_eq!(world.pushed(), [(11, "T".to_owned(), 1)], "it ends by itself");
    assert!(world.router.mute(TokenId(1), Some(Timestamp::MAX)).await.unwrap());
    assert_eq!(world.router.token_counts().await.unwrap().enabled, 0);
    world.announce(alarm_at(1, 12, T + 61)).await;
    assert!(world.pushed().is_empty());
    let users = [user("amy", MonitorRights::All)];
    let mut world = world.restart(&users).await;
    world.announce(alarm_at(1, 13, T + 62)).await;
    assert!(world.pushed().is_empty(), "for ever is for longer than the daemon runs");
    assert!(world.router.mute(TokenId(1), None).await.unwrap());
    assert!(!world.router.mute(TokenId(2), None).await.unwrap());
    world.announce(alarm_at(1, 14, T + 63)).await;
    assert_eq!(world.pushed(), [(14, "T".to_owned(), 2)]);
}

#[tokio::test]
async fn badges_are_set_for_some_or_for_all_with_one_note() {
    let directory = tempfile::tempdir().unwrap();
    let (world, _) = start(&directory).await;
    let many = (0..5000).map(|number| import(&format!("T{number}"), "")).collect();
    assert_eq!(world.router.import(many, false).await.unwrap().len(), 5000);
    assert_eq!(
        world.router.set_badges(Some(vec![TokenId(1), TokenId(1), TokenId(9999)]), 7).await.unwrap(),
        1
    );
    assert_eq!(world.stored().await[0].badge, 7);
    assert_eq!(world.router.set_badges(None, 0).await.unwrap(), 5000);
    assert!(world.stored().await.iter().all(|token| token.badge == 0), "the queue of notes has room for it");
    let ids = (1..=5000).map(TokenId).collect();
    assert_eq!(world.router.revoke(ids, "prune".into()).await.unwrap().len(), 5000);
    assert!(world.stored().await.iter().all(|token| token.revoked.is_some()));
}

#[tokio::test]
async fn importing_twice_changes_nothing_and_what_apps_have_registered_wins() {
    use TokenImported::{Changed, Kept, New, Refused, Unchanged};
    let directory = tempfile::tempdir().unwrap();
    let (mut world, amy) = start(&directory).await;
    let client = world.login(amy, Some(("5", "0"))).await;
    world.register(&client, "live", |_| {}).await.unwrap();
    let file = || vec![import("live", "1"), import("T", "1"), import("U", ""), import("T", "2")];
    let outcome = [Kept(TokenId(1)), New(TokenId(2)), New(TokenId(3)), Changed(TokenId(2))];
    assert_eq!(world.router.import(file(), true).await.unwrap(), outcome);
    assert_eq!(world.stored().await.len(), 1, "a dry run changes nothing");
    assert_eq!(world.router.import(file(), false).await.unwrap(), outcome);
    world.announce(alarm_at(2, 10, T)).await;
    let stored = world.stored().await;
    assert_eq!((stored[1].filter.lists().0.as_str(), stored[1].badge), ("2", 4));

    let again = [import("live", "1"), import("T", "2"), import("U", "")].to_vec();
    let unchanged = [Kept(TokenId(1)), Unchanged(TokenId(2)), Unchanged(TokenId(3))];
    assert_eq!(world.router.import(again.clone(), false).await.unwrap(), unchanged);
    assert_eq!(world.stored().await, stored, "the badge has moved on, too");
    world.router.revoke(vec![TokenId(3)], "UNREGISTERED".into()).await.unwrap();
    let Refused(why) = world.router.import(again, false).await.unwrap()[2] else { panic!("taken") };
    assert!(why.contains("restore"), "{why}");
    assert_eq!(world.stored().await[0].filter.lists().0, "5");
}

#[tokio::test]
async fn an_imported_token_gets_what_everybody_gets_until_its_app_registers_it() {
    let directory = tempfile::tempdir().unwrap();
    let (mut world, _) = start(&directory).await;
    world.router.import(vec![import("T", "")], false).await.unwrap();
    world.announce(alarm_at(7, 10, T)).await;
    assert_eq!(world.pushed(), [(10, "T".to_owned(), 4)]);
    let narrow = user("bob", MonitorRights::Only(Arc::new([MonitorId(1)].into())));
    world.publish(catalog(std::slice::from_ref(&narrow))).await;
    let client = world.login(narrow, None).await;
    world.register(&client, "T", |_| {}).await.unwrap();
    assert!(!world.orders().iter().any(|order| matches!(order, PushOrder::Withdraw(..))));
    world.announce(alarm_at(7, 11, T)).await;
    assert!(world.pushed().is_empty());
}

#[tokio::test]
async fn what_waits_for_the_old_owner_is_withdrawn() {
    let directory = tempfile::tempdir().unwrap();
    let (mut world, amy) = start(&directory).await;
    let first = world.login(amy, None).await;
    world.register(&first, "T", |_| {}).await.unwrap();
    world.announce(alarm_at(1, 10, T)).await;
    world.orders();
    let second = world.login(user("bob", MonitorRights::none()), None).await;
    world.register(&second, "T", |_| {}).await.unwrap();
    assert!(matches!(world.orders().as_slice(), [PushOrder::Withdraw(..)]), "its provider knows it already");
    let rows = world.state.deliveries_of_token(TokenId(1), 10).await.unwrap();
    assert_eq!(rows[0].reason.as_str(), "another user");
}

#[tokio::test]
async fn a_test_goes_to_one_token_or_to_all_and_counts_for_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (mut world, amy) = start(&directory).await;
    let client = world.login(amy, Some(("1", "3600"))).await;
    world.register(&client, "T", |_| {}).await.unwrap();
    world.router.import(vec![import("U", "2")], false).await.unwrap();
    world.announce(alarm_at(1, 10, T)).await;
    world.orders();
    let request = |dry_run, token| AlarmTestRequest {
        monitor: MonitorId(1),
        monitor_name: "Garage".into(),
        dry_run,
        receipts: None,
        only: Vec::new(),
        token,
        push_receipts: None,
    };
    let decisions = |tested: AlarmTestReport| {
        let each = tested.targets.into_iter();
        each.map(|target| match target.target {
            AlarmTarget::Session(id) => (format!("session {id}"), String::from(target.decision.reason())),
            AlarmTarget::Token(id, _) => (format!("token {id}"), target.decision.reason().into()),
        })
        .collect::<Vec<_>>()
    };
    let all = [("session 1", ""), ("token 1", ""), ("token 2", "filter")]
        .map(|(who, why)| (who.to_owned(), why.to_owned()));
    assert_eq!(decisions(world.router.test(request(true, None)).await.unwrap()), all);
    assert!(world.orders().is_empty(), "a dry run orders nothing");
    let tested = world.router.test(request(false, None)).await.unwrap();
    assert_eq!(world.pushed(), [(tested.event.0, "T".to_owned(), 1)], "the badge as it is");
    assert_eq!(decisions(tested), all);
    let one = world.router.test(request(false, Some(TokenId(2)))).await.unwrap();
    assert_eq!(decisions(one), [("token 2".to_owned(), "filter".to_owned())]);
    let nobody = world.router.test(request(false, Some(TokenId(9)))).await.unwrap();
    assert!(decisions(nobody).is_empty());
    let rows = world.state.deliveries_of_token(TokenId(1), 10).await.unwrap();
    assert_eq!(rows.len(), 2, "the alarm and the test that was meant");
    assert_eq!((rows[0].origin, world.stored().await[0].badge), (Origin::Test, 1));
}

#[tokio::test]
async fn deliveries_count_on_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let (mut world, amy) = start(&directory).await;
    let client = world.login(amy.clone(), None).await;
    for token in ["T", "U"] {
        world.register(&client, token, |_| {}).await.unwrap();
    }
    world.announce(alarm_at(1, 10, T)).await;
    let world = world.restart(&[amy]).await;
    world.announce(alarm_at(1, 11, T)).await;
    assert!(world.state.settle().await);
    let queued = world.state.pushes_after(DeliveryId(0), 10).await.unwrap();
    let ids: Vec<_> = queued.pushes.iter().map(|push| (push.id.0, push.token.id.0, push.badge)).collect();
    assert_eq!(ids, [(1, 1, 1), (2, 2, 1), (3, 1, 2), (4, 2, 2)]);
}

#[tokio::test]
async fn a_session_that_logs_in_as_another_user_loses_its_token() {
    let directory = tempfile::tempdir().unwrap();
    let (mut world, amy) = start(&directory).await;
    let mut client = world.login(amy, None).await;
    world.register(&client, "T", |_| {}).await.unwrap();
    world.attach(&client, user("bob", MonitorRights::All), None, None).await;
    world.announce(alarm_at(1, 10, T)).await;
    assert_eq!(client.told(), [("10".to_owned(), Value::Null)]);
    assert_eq!(world.pushed().len(), 1);
    assert_eq!(world.stored().await[0].user, "amy");
}
