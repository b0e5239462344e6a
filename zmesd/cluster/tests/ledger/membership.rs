//! Nodes: starts, twins, goodbyes.

use zmes_cluster::LedgerFault;
use zmes_cluster::alarms::AlarmWriter;
use zmes_cluster::node::{
    Admission, Health, Heartbeat, NodeKey, NodeSettings, Removal, heartbeat, nodes, register, remove,
    set_server, stop,
};

use crate::mariadb::MariaDb;
use crate::nodes::{CAPACITY, alarm, beside, member, settings, write_all};

#[tokio::test]
async fn a_start_fences_the_one_before() {
    let Some(server) = MariaDb::start().await else { return };
    let mut line = server.line();
    let first = member(&mut line, "north").await;
    assert_eq!((first.key.epoch, first.seq), (1, 0));
    let mut before = AlarmWriter::new(first, CAPACITY);
    before.push(alarm(1)).unwrap();
    write_all(&mut before, &mut line).await;
    // A beat that changes nothing counts as well: the server counts rows that match.
    for _ in 0..3 {
        assert_eq!(heartbeat(&mut line, first.key, &Health::default()).await.unwrap(), Heartbeat::Alive);
    }

    let second = member(&mut server.line(), "north").await;
    assert_eq!((second.key.id, second.key.epoch, second.seq), (first.key.id, 2, 1));
    assert_eq!(heartbeat(&mut line, first.key, &Health::default()).await.unwrap(), Heartbeat::Fenced);
    before.push(alarm(2)).unwrap();
    let error = before.write(&mut line).await.unwrap_err();
    assert_eq!(error.fault, LedgerFault::Fenced);
    let mut after = AlarmWriter::new(second, CAPACITY);
    after.push(alarm(3)).unwrap();
    write_all(&mut after, &mut line).await;
    assert_eq!(server.number("SELECT COUNT(*) FROM alarm").await, 2);
    assert_eq!(server.number("SELECT event FROM alarm WHERE seq = 2").await, 3);
    let long = NodeSettings { name: "n".repeat(65), ..settings("north") };
    assert_eq!(register(&mut line, &long).await.unwrap_err().fault, LedgerFault::Unfit);
    let health = Health { trouble: "x".repeat(300), clock_ms: -3 };
    assert_eq!(heartbeat(&mut line, second.key, &health).await.unwrap(), Heartbeat::Alive);
    // Starts use up no numbers of nodes.
    let south = member(&mut line, "south").await;
    assert_eq!(south.key.id.0, first.key.id.0 + 1);
}

#[tokio::test]
async fn a_second_host_with_the_same_name_is_refused_while_the_first_is_alive() {
    let Some(server) = MariaDb::start().await else { return };
    let mut line = server.line();
    let first = member(&mut line, "north").await;
    let twin = NodeSettings { identity: [7; 16], ..settings("north") };
    match register(&mut line, &twin).await.unwrap() {
        Admission::Twin(found) => assert_eq!((found.name.as_str(), found.server), ("north", Some(1))),
        Admission::Member(member) => panic!("{member:?}"),
    }
    assert_eq!(heartbeat(&mut line, first.key, &Health::default()).await.unwrap(), Heartbeat::Alive);
    // A host that is gone for good is replaced.
    server.sql("UPDATE node SET seen = seen - INTERVAL 1 MINUTE").await;
    assert!(
        matches!(register(&mut line, &twin).await.unwrap(), Admission::Member(member) if member.key.epoch == 2)
    );
    // One that has said goodbye is replaced at once.
    let twin_key = nodes(&mut line).await.unwrap()[0].key;
    stop(&mut line, twin_key).await.unwrap();
    assert!(!nodes(&mut line).await.unwrap()[0].is_alive());
    assert_eq!(member(&mut line, "north").await.key.epoch, 3);
}

#[tokio::test]
async fn nodes_that_start_together_get_numbers_of_their_own() {
    let Some(server) = MariaDb::start().await else { return };
    let starts = (0..8).map(|index| {
        let mut line = server.line();
        async move { member(&mut line, if index % 2 == 0 { "north" } else { "south" }).await.key }
    });
    let keys = futures_of(starts).await;
    let distinct: std::collections::BTreeSet<_> = keys.iter().collect();
    assert_eq!(distinct.len(), 8, "{keys:?}");
    assert_eq!(server.number("SELECT SUM(epoch) FROM node").await, 8);
}

async fn futures_of<T: Send + 'static>(
    all: impl Iterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let tasks: Vec<_> = all.map(beside).collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

#[tokio::test]
async fn a_node_is_removed_when_it_is_gone() {
    let Some(server) = MariaDb::start().await else { return };
    let mut line = server.line();
    let north = member(&mut line, "north").await;
    assert_eq!(remove(&mut line, "south").await.unwrap(), Removal::Unknown);
    assert_eq!(remove(&mut line, "north").await.unwrap(), Removal::Alive);
    stop(&mut line, north.key).await.unwrap();
    assert_eq!(remove(&mut line, "north").await.unwrap(), Removal::Done);
    assert_eq!(heartbeat(&mut line, north.key, &Health::default()).await.unwrap(), Heartbeat::Removed);
    let again = member(&mut line, "north").await;
    assert_ne!(again.key.id, north.key.id);
}

#[tokio::test]
async fn a_node_learns_how_long_it_was_away_and_whether_the_ledger_knows_it() {
    let Some(server) = MariaDb::start().await else { return };
    let mut line = server.line();
    let first = member(&mut line, "north").await;
    assert_eq!((first.away, first.is_known), (None, false));
    stop(&mut line, first.key).await.unwrap();
    server.sql("UPDATE node SET seen = seen - INTERVAL 40 DAY").await;
    let again = NodeSettings { last_epoch: 1, ..settings("north") };
    let Admission::Member(second) = register(&mut line, &again).await.unwrap() else { panic!() };
    let days = second.away.map(|away| away.as_secs() / 86_400);
    assert_eq!((second.key.epoch, days, second.is_known), (2, Some(40), true));
    // Another host has the name now.
    stop(&mut line, second.key).await.unwrap();
    let other = NodeSettings { identity: [7; 16], ..again };
    let Admission::Member(other) = register(&mut line, &other).await.unwrap() else { panic!() };
    assert!(!other.is_known && other.away.is_some());
}

#[tokio::test]
async fn a_start_knows_how_long_its_node_was_away_and_notes_its_server_once_that_is_known() {
    let Some(server) = MariaDb::start().await else { return };
    let mut line = server.line();
    let unknown = NodeSettings { server: None, ..settings("north") };
    let Admission::Member(first) = register(&mut line, &unknown).await.unwrap() else { panic!("a twin") };
    assert_eq!((first.away, nodes(&mut line).await.unwrap()[0].server), (None, None));
    set_server(&mut line, first.key, 4).await.unwrap();
    assert_eq!(nodes(&mut line).await.unwrap()[0].server, Some(4));
    server.sql("UPDATE node SET seen = seen - INTERVAL 1 HOUR").await;
    let Admission::Member(second) = register(&mut line, &unknown).await.unwrap() else { panic!("a twin") };
    assert!(second.away.is_some_and(|away| away.as_secs() / 60 == 60), "{second:?}");
    // A start that does not count any more changes nothing.
    set_server(&mut line, NodeKey { epoch: 1, ..second.key }, 5).await.unwrap();
    assert_eq!(nodes(&mut line).await.unwrap()[0].server, None);
}
