//! What a node of a cluster finds again after a restart.

use jiff::SignedDuration;
use zmes_cluster::alarms::{DedupKey, LedgerAlarm, LogKey};
use zmes_cluster::node::NodeId;
use zmes_cluster::outcomes::OutcomeKind;

use super::*;
use crate::domain::{Elsewhere, LedgerMark};
use crate::state::{Attempt, ClusterNote, Outcome, SharedToken};

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
    let memory = state.handle.cluster_memory(at, Duration::from_mins(10)).await.unwrap();
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

fn token(id: i64) -> Note {
    let secret = PushToken::parse(&format!("token-{id}")).unwrap();
    Note::Token(Arc::new(Token::new(TokenId(id), secret, Platform::Android, clock().now())))
}

/// It is to be sent to the first token.
fn decided(id: i64) -> Arc<[TokenDecision]> {
    let (decision, urgency) = (Decision::Send, Urgency::Normal);
    let (token, badge, by, start) = (TokenId(1), 1, None, None);
    [TokenDecision { id: DeliveryId(id), token, decision, badge, by, urgency, start }].into()
}

#[tokio::test]
async fn what_was_sent_of_alarms_in_the_ledger_is_known_after_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let retry_for = Duration::from_mins(10);
    let message = |id: i64, age| {
        let Note::Announced(alarm, _) = alarm(7, 1, Origin::Poll) else { panic!() };
        let at = clock().now() - SignedDuration::from_secs(age);
        vec![(Arc::new(Alarm { at, ..Alarm::clone(&alarm) }), decided(id))]
    };
    let mark = |seq: Option<u64>| {
        let key = seq.map(|seq| LogKey::new(NodeId(3), seq));
        LedgerMark { alarm: 1, turn: 1, key }
    };
    let ended = |id, outcome| {
        let (at, took) = (clock().now(), Duration::ZERO);
        let (delivery, token, transport) = (DeliveryId(id), TokenId(1), "proxy".into());
        Attempt { delivery, token, at, transport, attempts: 1, took, outcome }
    };
    let taken = || {
        let (provider_id, latency) = (None, Duration::ZERO);
        Outcome::Sent { provider_id, latency, digest: false, remember: false }
    };
    let notes = vec![
        token(1),
        Note::Decided(mark(Some(40)), message(1, 5)),
        Note::Decided(mark(Some(41)), message(2, 5)),
        Note::Decided(mark(Some(42)), message(3, 5)),
        Note::Decided(mark(Some(43)), message(4, 700)),
        Note::Decided(mark(None), message(5, 5)),
        Note::Attempts(vec![ended(1, taken()), ended(2, Outcome::Failed("no such app".to_owned()))]),
        Note::Attempts(vec![ended(4, taken()), ended(5, taken())]),
    ];
    write(directory.path(), notes).await;
    let state = State::open(&config(directory.path()), clock()).await.unwrap();
    let memory = state.handle.cluster_memory(clock().now(), retry_for).await.unwrap();
    let sent = memory.sent.iter().map(|sent| (sent.key, sent.token, sent.kind)).collect::<Vec<_>>();
    // Not what waits, what is too old to be sent again, and what goes into the ledger with its alarm.
    let expected = [(40, OutcomeKind::Taken), (41, OutcomeKind::Abandoned)];
    assert_eq!(sent, expected.map(|(seq, kind)| (LogKey::new(NodeId(3), seq), TokenId(1), kind)));
}

#[tokio::test]
async fn pushes_that_the_ledger_knows_of_are_not_sent_from_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let Note::Announced(own, _) = alarm(1, 1, Origin::Poll) else { panic!() };
    let Note::Announced(all, _) = alarm(2, 1, Origin::Poll) else { panic!() };
    let key = Some(LogKey::new(NodeId(3), 40));
    let mark = LedgerMark { alarm: 4 << 40, turn: 2, key };
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
