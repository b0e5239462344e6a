//! Phones, snoozes and alarms that other nodes of a cluster have told of.

use std::path::Path;

use zmes_cluster::alarms::DedupKey;
use zmes_cluster::outcomes::DeviceHandle;
use zmes_providers::Platform;
use zmes_shared::words::SnoozeOrigin;

use super::*;
use crate::domain::{Elsewhere, MonitorFilter, PushState, Revoked, TokenBlock};
use crate::route::{ScopeElsewhere, SnoozeElsewhere, TokenElsewhere};

fn told(token: &str, second: i64) -> TokenElsewhere {
    TokenElsewhere {
        token: PushToken::parse(token).unwrap(),
        platform: Platform::Android,
        state: PushState::Enabled,
        user: "amy".to_owned(),
        app: App::ZmNinja,
        app_version: String::new(),
        profile: String::new(),
        filter: MonitorFilter::default(),
        mute_until: None,
        revoked: None,
        block: None,
        is_older: false,
        changed: Timestamp::from_second(second).unwrap(),
        badge: None,
        seen_at: Timestamp::from_second(second).unwrap(),
    }
}

async fn in_a_cluster(directory: PathBuf) -> (RouterWorld, mpsc::Receiver<LedgerNews>) {
    let (news_tx, news) = mpsc::channel(64);
    let ledger = LedgerSide::new(news_tx, [], &[]);
    let amy = user("amy", MonitorRights::All);
    (RouterWorld::with_ledger(directory, &[amy], PUSH_ON, Some(ledger)).await, news)
}

/// Returns whether the tokens that the cluster was told of are blocked.
fn told_of(news: &mut mpsc::Receiver<LedgerNews>) -> Vec<bool> {
    let mut blocked = Vec::new();
    while let Ok(news) = news.try_recv() {
        if let LedgerNews::Token(token, _) = news {
            blocked.push(token.blocked());
        }
    }
    blocked
}

#[tokio::test]
async fn a_blocked_token_stays_so_when_its_app_was_at_a_node_that_did_not_know_it() {
    let directory = tempfile::tempdir().unwrap();
    let (world, mut news) = in_a_cluster(directory.path().to_owned()).await;
    world.router.token_elsewhere(told("one", 1_900_000_000)).await.unwrap();
    let token = world.stored().await.remove(0);
    world.router.revoke(vec![token.id], Revoked::ADMIN.to_owned()).await.unwrap();
    world.router.block(vec![token.id]).await.unwrap();
    told_of(&mut news);

    // That node was cut off: what it tells is later, and knows of no block.
    world.router.token_elsewhere(told("one", 1_900_000_100)).await.unwrap();
    assert!(world.stored().await[0].blocked());
    assert_eq!(told_of(&mut news), [true], "the other node hears of the block");

    // The same from a node that has it from before the block, and was told of since.
    let block = TokenBlock { at: Timestamp::from_second(1_700_000_000).unwrap(), is_on: false };
    let older = TokenElsewhere { block: Some(block), is_older: true, ..told("one", 1_900_000_200) };
    world.router.token_elsewhere(older).await.unwrap();
    assert!(world.stored().await[0].blocked());

    let at = world.stored().await[0].block().unwrap().at + Duration::from_secs(1);
    let unblocked =
        TokenElsewhere { block: Some(TokenBlock { at, is_on: false }), ..told("one", 1_900_000_300) };
    world.router.token_elsewhere(unblocked).await.unwrap();
    assert!(world.stored().await[0].revoked.is_none(), "a later word of an admin ends it");
    world.stop_all().await;
}

#[tokio::test]
async fn a_revoked_token_that_was_forgotten_does_not_come_back() {
    let directory = tempfile::tempdir().unwrap();
    let (world, _news) = in_a_cluster(directory.path().to_owned()).await;
    let at = Timestamp::from_second(1_900_000_000).unwrap();
    let revoked = Revoked { at, reason: Revoked::ADMIN.to_owned(), blocked: false };
    let gone = TokenElsewhere { revoked: Some(revoked.clone()), ..told("gone", 1_900_000_000) };
    world.router.token_elsewhere(gone.clone()).await.unwrap();
    assert!(world.stored().await.is_empty());
    // Its app may not register one that is blocked.
    let block = Some(TokenBlock { at, is_on: true });
    let revoked = Some(Revoked { blocked: true, ..revoked });
    world.router.token_elsewhere(TokenElsewhere { revoked, block, ..gone }).await.unwrap();
    assert!(world.stored().await[0].blocked());
    world.stop_all().await;
}

#[tokio::test]
async fn what_the_other_nodes_have_forgotten_is_revoked_here_and_told_to_nobody_until_its_app_comes_back() {
    let directory = tempfile::tempdir().unwrap();
    let (world, mut news) = in_a_cluster(directory.path().to_owned()).await;
    for token in ["gone", "stays"] {
        world.router.token_elsewhere(told(token, 1_900_000_000)).await.unwrap();
    }
    let device = |token: &str| DeviceHandle::new(PushToken::parse(token).unwrap().handle().digest());
    let absent = vec![device("gone"), device("unknown")];
    world.router.tokens_absent(absent, Some(vec![device("stays")])).await.unwrap();
    let revoked: Vec<_> = world.stored().await.into_iter().map(|token| token.revoked).collect();
    assert_eq!(revoked[0].as_ref().map(|revoked| &*revoked.reason), Some(Revoked::ELSEWHERE));
    assert!(revoked[0].as_ref().is_some_and(Revoked::by_person) && revoked[1].is_none());
    // The database has lost the other one.
    let Ok(LedgerNews::TokenAgain(token, at)) = news.try_recv() else { panic!() };
    assert_eq!((token.token.expose(), at), ("stays", token.created_at));
    assert!(told_of(&mut news).is_empty());
    world.router.tokens_absent(Vec::new(), None).await.unwrap();
    let mut again = Vec::new();
    while let Ok(LedgerNews::TokenAgain(token, at)) = news.try_recv() {
        again.push((token.token.expose().to_owned(), at == token.created_at));
    }
    assert_eq!(again, [("gone".to_owned(), false), ("stays".to_owned(), true)]);
    // Its app has registered it at another node.
    world.router.token_elsewhere(told("gone", 1_900_000_100)).await.unwrap();
    assert!(world.stored().await[0].revoked.is_none());
    world.stop_all().await;
}

#[tokio::test]
async fn a_snooze_that_is_read_before_its_phone_holds_once_the_phone_is_known() {
    let directory = tempfile::tempdir().unwrap();
    let (world, _news) = in_a_cluster(directory.path().to_owned()).await;
    let device = DeviceHandle::new(told("one", 1).token.handle().digest());
    let snooze = SnoozeElsewhere {
        monitor: Some(MonitorId(7)),
        scope: ScopeElsewhere::Device(device),
        since: Timestamp::from_second(1_900_000_000).unwrap(),
        until: Timestamp::from_second(4_000_000_000).unwrap(),
        hard: false,
        tell: false,
        by: "amy".to_owned(),
        origin: SnoozeOrigin::App,
        ended: false,
    };
    let ended = SnoozeElsewhere { monitor: Some(MonitorId(8)), ..snooze.clone() };
    for early in [snooze, ended.clone(), SnoozeElsewhere { ended: true, ..ended }] {
        world.router.snooze_elsewhere(early).await.unwrap();
    }
    assert!(world.router.snoozes().await.unwrap().is_empty(), "nobody has this phone");
    world.router.token_elsewhere(told("one", 1_900_000_000)).await.unwrap();
    let monitors: Vec<_> =
        world.router.snoozes().await.unwrap().into_iter().map(|set| set.snooze.monitor).collect();
    assert_eq!(monitors, [Some(MonitorId(7))]);
    world.stop_all().await;
}

/// The event that its row stands for.
fn of_event(monitor: u32, event: u64) -> Alarm {
    Alarm { stands_for_event: true, ..alarm_at(monitor, event, T) }
}

/// The same alarm as node 2 has told of it.
fn of_node_2(alarm: Alarm, seq: u64) -> Alarm {
    let name = "nvr2".into();
    Alarm { elsewhere: Some(Elsewhere { node: 2, epoch: 1, seq, name, is_past: false }), ..alarm }
}

/// Returns the keys of the alarms that the cluster was told of.
fn keys(news: &mut mpsc::Receiver<LedgerNews>) -> Vec<DedupKey> {
    let mut keys = Vec::new();
    while let Ok(news) = news.try_recv() {
        if let LedgerNews::Alarm(_, entry) = news {
            keys.push(entry.dedup);
        }
    }
    keys
}

/// Opens the state of a router that has ended.
async fn reopened(directory: &Path) -> State {
    let config = StateConfig {
        directory: directory.to_owned(),
        keep_events: Duration::from_hours(1),
        keep_deliveries: Duration::from_hours(1),
        keep_tombstones: Duration::from_hours(1),
        max_size: 1 << 28,
    };
    State::open(&config, Arc::new(SystemClock)).await.unwrap()
}

#[tokio::test]
async fn an_alarm_that_its_node_and_the_one_that_watched_it_tell_of_is_announced_once() {
    let directory = tempfile::tempdir().unwrap();
    let (mut world, mut news) = in_a_cluster(directory.path().to_owned()).await;
    let mut app = world.login(user("amy", MonitorRights::All), None).await;
    // The other node has told of it before it died; or this one's alarm went on while the other one watched.
    world.announce(of_node_2(of_event(2, 10), 1)).await;
    world.announce(of_event(2, 10)).await;
    assert_eq!(app.events(), ["10"]);
    assert!(keys(&mut news).is_empty());
    // The other way round: this node was first here.
    world.announce(of_event(2, 11)).await;
    world.announce(of_node_2(of_event(2, 11), 2)).await;
    assert_eq!(app.events(), ["11"]);
    assert_eq!(keys(&mut news), [DedupKey::start(EventId(11))]);
    // Further alarms within either of them are told by both.
    world.announce(alarm_at(2, 10, T + 60)).await;
    world.announce(of_node_2(alarm_at(2, 11, T + 60), 3)).await;
    assert_eq!(app.events(), ["10", "11"]);
    assert!(keys(&mut news).iter().all(|key| *key != DedupKey::start(EventId(10))));
    // After ZoneMinder's database was restored, the number is another monitor's.
    world.announce(of_event(3, 10)).await;
    world.announce(of_node_2(of_event(3, 11), 4)).await;
    assert_eq!(app.events(), ["10", "11"]);
    world.stop_all().await;
    let state = reopened(directory.path()).await;
    let memory = state.handle.cluster_memory(Timestamp::UNIX_EPOCH, Duration::ZERO).await.unwrap();
    assert_eq!(memory.positions, [(2, 1, 4)]);
}

#[tokio::test]
async fn what_was_dropped_as_told_is_read_over_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let (world, _news) = in_a_cluster(directory.path().to_owned()).await;
    world.announce(of_event(2, 11)).await;
    world.announce(of_node_2(of_event(2, 11), 7)).await;
    world.announce(of_node_2(of_event(2, 12), 8)).await;
    world.announce(of_node_2(alarm_at(2, 13, T), 9)).await;
    world.stop_all().await;
    let state = reopened(directory.path()).await;
    let memory = state.handle.cluster_memory(Timestamp::UNIX_EPOCH, Duration::ZERO).await.unwrap();
    assert_eq!(memory.positions, [(2, 1, 9)]);
    let told: Vec<_> = state.remembered.told_elsewhere.into_iter().collect();
    assert_eq!(told, [(EventId(12), MonitorId(2)), (EventId(13), MonitorId(2))]);
    // An alarm that goes on over this restart, too, is the one that was told.
    let (news_tx, mut news) = mpsc::channel(64);
    let told = told.into_iter().map(|(event, monitor)| (event, Some(monitor)));
    let ledger = LedgerSide::new(news_tx, told.chain([(EventId(11), None)]), &[]);
    let amy = user("amy", MonitorRights::All);
    let other = tempfile::tempdir().unwrap();
    let mut world =
        RouterWorld::with_ledger(other.path().to_owned(), std::slice::from_ref(&amy), PUSH_ON, Some(ledger))
            .await;
    let mut app = world.login(amy, None).await;
    world.announce(of_event(2, 12)).await;
    assert_eq!(app.events(), [""; 0]);
    world.announce(alarm_at(2, 12, T + 60)).await;
    assert_eq!((app.events().len(), keys(&mut news).len()), (1, 1));
    world.stop_all().await;
}
