//! The queue of the cluster is full, and has room again.

use super::*;
use crate::domain::SnoozeScope;
use crate::route::fakes::snooze;

/// How long the router may take to offer again what found no room.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn alarms_tokens_and_snoozes_that_found_no_room_reach_the_cluster_once_there_is() {
    let directory = tempfile::tempdir().unwrap();
    let (news_tx, mut news) = mpsc::channel(1);
    let ledger = LedgerSide::new(news_tx, [], &[]);
    let amy = user("amy", MonitorRights::All);
    let (path, users) = (directory.path().to_owned(), [amy.clone()]);
    let mut world = RouterWorld::with_ledger(path, &users, PUSH_ON, Some(ledger)).await;
    for event in 1..=5 {
        world.alarms.send(alarm_at(1, event, 1_900_000_000)).await.unwrap();
    }
    let client = world.login(amy, None).await;
    world.register(&client, "one", |_| {}).await.unwrap();
    world.router.set_badge(client.id, 3, None).await.unwrap();
    let until = Timestamp::from_second(4_000_000_000).unwrap();
    world.router.set_snooze(snooze(None, SnoozeScope::Everybody, until)).await.unwrap().unwrap();
    world.router.ping().await.unwrap();

    let (mut events, mut badges, mut snoozes) = (Vec::new(), Vec::new(), 0);
    while events.len() < 5 || badges.last() != Some(&3) || snoozes == 0 {
        match timeout(PATIENCE, news.recv()).await.expect("the router offers it again").unwrap() {
            LedgerNews::Alarm(alarm, _) => events.extend(alarm.event),
            LedgerNews::Token(token, _) => badges.push(token.badge),
            LedgerNews::Snooze(..) => snoozes += 1,
            LedgerNews::TokenAgain(token, _) => panic!("the ledger has lost nothing: {token:?}"),
            LedgerNews::Decided(decided) => panic!("nobody asked: {decided:?}"),
        }
    }
    assert_eq!(events, (1..=5).map(EventId).collect::<Vec<_>>(), "each once, in order");
    assert_eq!(snoozes, 1);
    world.stop_all().await;
}
