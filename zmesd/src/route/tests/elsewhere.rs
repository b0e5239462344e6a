//! Phones and snoozes that other nodes of a cluster have told of.

use std::collections::BTreeSet;

use zmes_cluster::outcomes::DeviceHandle;
use zmes_providers::Platform;
use zmes_shared::words::SnoozeOrigin;

use super::*;
use crate::domain::{MonitorFilter, PushState, Revoked, TokenBlock};
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
    let ledger = LedgerSide::new(news_tx, BTreeSet::new(), &[]);
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
