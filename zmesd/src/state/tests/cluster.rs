//! What a node of a cluster finds again after a restart.

use zmes_cluster::alarms::{DedupKey, LedgerAlarm};

use super::*;
use crate::domain::{Elsewhere, LedgerMark};
use crate::state::{ClusterNote, SharedToken};

fn unlogged(event: u64) -> LedgerAlarm {
    LedgerAlarm {
        dedup: DedupKey::start(EventId(event)),
        phase: Phase::Start,
        monitor: MonitorId(1),
        event: Some(EventId(event)),
        at: Timestamp::from_second(1_900_000_000).unwrap(),
        body: b"{}".to_vec(),
    }
}

fn note(note: ClusterNote) -> Note {
    Note::Cluster(Box::new(note))
}

#[tokio::test]
async fn a_node_knows_who_it_is_what_the_ledger_lacks_and_how_far_others_were_read() {
    let directory = tempfile::tempdir().unwrap();
    let at = Timestamp::from_second(1_900_000_000).unwrap();
    let elsewhere = Elsewhere { node: 2, epoch: 3, seq: 40, name: "nvr2".into(), is_past: false };
    let Note::Announced(told, none) = alarm(7, 9, Origin::Poll) else { panic!() };
    let told = Arc::new(Alarm { elsewhere: Some(elsewhere), ..Alarm::clone(&told) });
    let changed = |token, is_badge| note(ClusterNote::TokenChanged { token: TokenId(token), at, is_badge });
    let notes = vec![
        note(ClusterNote::Node { identity: [7; 16], epoch: 5 }),
        note(ClusterNote::Unlogged(unlogged(1))),
        note(ClusterNote::Unlogged(unlogged(2))),
        note(ClusterNote::Unlogged(unlogged(2))),
        note(ClusterNote::Logged(vec![unlogged(1).dedup])),
        changed(1, true),
        changed(2, false),
        note(ClusterNote::TokensShared(vec![(TokenId(1), at)])),
        Note::Announced(told, none),
    ];
    write(directory.path(), notes).await;
    let state = State::open(&config(directory.path()), clock()).await.unwrap();
    let memory = state.handle.cluster_memory().await.unwrap();
    assert_eq!((memory.identity, memory.epoch), (Some([7; 16]), 5));
    assert_eq!(memory.unlogged, [(unlogged(2), Vec::new())]);
    assert_eq!(memory.positions, [(2, 3, 40)]);
    let shared = |badge_at, is_shared| SharedToken { changed: at, badge_at, is_shared };
    assert_eq!(memory.tokens[&TokenId(1)], shared(Some(at), true));
    assert_eq!(memory.tokens[&TokenId(2)], shared(None, false));
    // An alarm of another node is in the record, moves no cursor, and is not this node's to end.
    assert!(state.remembered.announced.contains(&EventId(7)) && state.remembered.cursors.is_empty());
    assert!(state.remembered.open.is_empty());
    let replay = state.handle.alarms_since(Since::Event(EventId(0)), 10).await.unwrap();
    assert!(replay.alarms[0].elsewhere, "{replay:?}");
}

#[tokio::test]
async fn pushes_that_the_ledger_knows_of_are_not_sent_from_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let token = |id| {
        let secret = PushToken::parse(&format!("token-{id}")).unwrap();
        Note::Token(Arc::new(Token::new(TokenId(id), secret, Platform::Android, clock().now())))
    };
    let decided = |id| -> Arc<[TokenDecision]> {
        let (decision, urgency) = (Decision::Send, Urgency::Normal);
        let (token, badge, by, start) = (TokenId(1), 1, None, None);
        [TokenDecision { id: DeliveryId(id), token, decision, badge, by, urgency, start }].into()
    };
    let Note::Announced(own, _) = alarm(1, 1, Origin::Poll) else { panic!() };
    let Note::Announced(all, _) = alarm(2, 1, Origin::Poll) else { panic!() };
    let mark = LedgerMark { alarm: 4, turn: 2 };
    let decisions =
        vec![token(1), Note::Announced(own, decided(1)), Note::Decided(mark, vec![(all, decided(2))])];
    write(directory.path(), decisions).await;
    let state = State::open(&config(directory.path()), clock()).await.unwrap();
    let page = state.handle.pushes_after(DeliveryId(0), 10).await.unwrap();
    let marks: Vec<_> = page.pushes.iter().map(|push| (push.id.0, push.ledger)).collect();
    assert_eq!(marks, [(1, None), (2, Some(mark))]);
    drop(state);
    write(directory.path(), vec![note(ClusterNote::LeavePushes)]).await;
    let state = State::open(&config(directory.path()), clock()).await.unwrap();
    let page = state.handle.pushes_after(DeliveryId(0), 10).await.unwrap();
    assert_eq!(page.pushes.iter().map(|push| push.id.0).collect::<Vec<_>>(), [1]);
}
