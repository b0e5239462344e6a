//! Nodes at three members: order, fences, the lease, lost members.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Executor, MySqlConnection};
use tokio::time::{Instant, sleep};
use zmes_cluster::LedgerFault;
use zmes_cluster::alarms::{AlarmWriter, Reader};

use zmes_cluster::node::{Health, Heartbeat, NodeId, NodeKey, heartbeat};
use zmes_cluster::records::{Record, RecordKey, RecordKind, RecordReader, change};
use zmes_cluster::schema::{Check, verify};
use zmes_shared::views::Severity;

use crate::contender::{Contender, sender};
use crate::galera::Galera;
use crate::nodes::{CAPACITY, alarm, beside, member, read_all, write_all};
use crate::proxy::{Proxy, Weather};

const DEADLINE: Duration = Duration::from_secs(5);
const TERM: Duration = Duration::from_secs(3);

/// One test, because three members take ten seconds to start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_on_three_members() {
    let Some(cluster) = Galera::start().await else { return };
    healthy(&cluster).await;
    a_fence_holds_across_members(&cluster).await;
    each_alarm_once_and_in_order(&cluster).await;
    a_commit_in_doubt_is_found_at_another_member(&cluster).await;
    records_of_all_members(&cluster).await;
    the_lease_goes_from_member_to_member(&cluster).await;
    a_minority_says_so(&cluster).await;
}

async fn healthy(cluster: &Galera) {
    for index in 1..=3 {
        healthy_at(cluster, index).await;
    }
}

async fn healthy_at(cluster: &Galera, index: u16) {
    let began = Instant::now();
    let findings = loop {
        #[expect(clippy::disallowed_methods, reason = "the test's own clock against that of a real server")]
        match verify(&mut cluster.line(index, DEADLINE), jiff::Timestamp::now).await {
            Ok(findings) => break findings,
            // The account was made at one member, and reaches the others a moment later.
            Err(error) if error.fault == LedgerFault::Grants && began.elapsed() < DEADLINE => {
                sleep(Duration::from_millis(20)).await;
            }
            Err(error) => panic!("{error:?}"),
        }
    };
    assert!(findings.iter().all(|finding| finding.severity == Severity::Ok), "{findings:?}");
    assert!(findings.iter().any(|finding| finding.check == Check::Galera), "{findings:?}");
}

/// Begins a transaction at a member with this statement; returns how many rows it met.
async fn begun(connection: &mut MySqlConnection, statement: String) -> u64 {
    connection.execute("START TRANSACTION").await.unwrap();
    connection.execute(AssertSqlSafe(statement)).await.unwrap().rows_affected()
}

/// Why each transaction writes the node's row: a row that was only read fences nothing.
async fn a_fence_holds_across_members(cluster: &Galera) {
    let (mut first, mut second) = (cluster.line(1, DEADLINE), cluster.line(2, DEADLINE));
    let key = member(&mut first, "fenced").await.key;
    let mut hung = cluster.connection(1).await;
    let read = format!(
        "INSERT INTO alarm (node, seq, dedup, phase, monitor, at, written, body) SELECT {id}, 1, REPEAT('r', 16), 1, 1, \
         UTC_TIMESTAMP(3), UTC_TIMESTAMP(3), '' FROM node WHERE id = {id} AND epoch = {epoch}",
        id = key.id.0,
        epoch = key.epoch
    );
    assert_eq!(begun(&mut hung, read).await, 1);
    let next = member(&mut second, "fenced").await.key;
    seen_at(&mut first, next).await;
    hung.execute("COMMIT").await.expect("Galera certifies what was written, not what was read");

    let write = format!("UPDATE node SET seq = 2 WHERE id = {} AND epoch = {}", next.id.0, next.epoch);
    assert_eq!(begun(&mut hung, write).await, 1);
    let last = member(&mut second, "fenced").await.key;
    seen_at(&mut first, last).await;
    let refused = hung.execute("COMMIT").await.unwrap_err();
    assert!(refused.to_string().contains("Deadlock"), "{refused}");

    // The same by the crate: the writer of the start before finds out.
    let mut writer = AlarmWriter::new(
        zmes_cluster::node::Membership { key: next, seq: 5, away: None, is_known: false },
        CAPACITY,
    );
    writer.push(alarm(1)).unwrap();
    assert_eq!(writer.write(&mut first).await.unwrap_err().fault, LedgerFault::Fenced);
    let mut cleaning = cluster.connection(1).await;
    cleaning.execute("DELETE FROM alarm").await.unwrap();
    cleaning.execute("DELETE FROM node").await.unwrap();
}

/// Waits until a start of a node has arrived at the line's member.
async fn seen_at(line: &mut zmes_cluster::LedgerLine, key: NodeKey) {
    let begin = Instant::now();
    while !zmes_cluster::node::nodes(line).await.unwrap().iter().any(|node| node.key == key) {
        assert!(begin.elapsed() < DEADLINE, "nothing arrives");
        sleep(Duration::from_millis(5)).await;
    }
}

async fn each_alarm_once_and_in_order(cluster: &Galera) {
    let mut tasks = Vec::new();
    for (node, at_member) in [("north", 1), ("south", 2)] {
        let mut line = cluster.line(at_member, DEADLINE);
        let mut writer = AlarmWriter::new(member(&mut line, node).await, CAPACITY);
        tasks.push(beside(async move {
            for event in 1..=200_u64 {
                // Every third event is told by both, at the same time.
                let own = event * 10 + u64::from(at_member);
                writer.push(alarm(if event % 3 == 0 { event * 10 } else { own })).unwrap();
                write_all(&mut writer, &mut line).await;
            }
        }));
    }
    let mut line = cluster.line(3, DEADLINE);
    let mut reader = Reader::from_oldest(NodeId(999));
    let mut heard = Vec::new();
    while !tasks.iter().all(tokio::task::JoinHandle::is_finished) {
        heard.extend(read_all(&mut reader, &mut line).await);
    }
    for task in tasks {
        task.await.unwrap();
    }
    // What was committed elsewhere arrives a moment later.
    let begin = Instant::now();
    while heard.len() < 334 && begin.elapsed() < DEADLINE {
        heard.extend(read_all(&mut reader, &mut line).await);
    }
    let expected: Vec<u64> = (1..=200)
        .flat_map(
            |event| if event % 3 == 0 { vec![event * 10] } else { vec![event * 10 + 1, event * 10 + 2] },
        )
        .collect();
    for own in [1, 2] {
        let of_node: Vec<u64> = heard.iter().copied().filter(|event| event % 10 == own).collect();
        assert!(of_node.is_sorted(), "{of_node:?}");
    }
    heard.sort_unstable();
    assert_eq!(heard, expected);
}

/// A node whose member does not answer goes on at another one, and does not know what came of its last commit.
async fn a_commit_in_doubt_is_found_at_another_member(cluster: &Galera) {
    let proxy = Proxy::start(cluster.port(1)).await;
    let mut first = Galera::line_by(proxy.port, Duration::from_millis(300));
    let mut second = cluster.line(2, DEADLINE);
    let mut reader = Reader::from_now(NodeId(999));
    let mut reading = cluster.line(3, DEADLINE);
    reader.read(&mut reading).await.unwrap();
    let mut writer = AlarmWriter::new(member(&mut first, "wandering").await, CAPACITY);
    let (mut told, mut heard) = (Vec::new(), Vec::new());
    for round in 0..12_u64 {
        for event in 0..4 {
            told.push(700_000 + round * 10 + event);
            writer.push(alarm(700_000 + round * 10 + event)).unwrap();
        }
        let deaf = async {
            sleep(Duration::from_micros(500 * round)).await;
            proxy.set(Weather::Deaf);
        };
        let ((), _answer) = tokio::join!(deaf, writer.write(&mut first));
        write_all(&mut writer, &mut second).await;
        proxy.set(Weather::Fine(Duration::ZERO));
        heard.extend(read_all(&mut reader, &mut reading).await);
    }
    let begin = Instant::now();
    while heard.len() < told.len() && begin.elapsed() < DEADLINE {
        heard.extend(read_all(&mut reader, &mut reading).await);
    }
    assert_eq!(heard, told);
}

async fn records_of_all_members(cluster: &Galera) {
    let mut tasks = Vec::new();
    for at_member in 1..=3_u8 {
        let mut line = cluster.line(at_member.into(), DEADLINE);
        tasks.push(beside(async move {
            let mut conflicts = 0;
            for number in 0..50 {
                let mut id = [at_member; 32];
                id[1] = number;
                let record = Record {
                    key: RecordKey { kind: RecordKind::Snooze, id },
                    changed: jiff::Timestamp::UNIX_EPOCH,
                    deleted: false,
                    body: vec![at_member, number],
                };
                while let Err(error) = change(&mut line, std::slice::from_ref(&record)).await {
                    assert_eq!(error.fault, LedgerFault::Contended, "{error:?}");
                    conflicts += 1;
                }
            }
            conflicts
        }));
    }
    let mut line = cluster.line(2, DEADLINE);
    let mut reader = RecordReader::default();
    let mut heard = Vec::new();
    let begin = Instant::now();
    while heard.len() < 150 && begin.elapsed() < Duration::from_mins(1) {
        heard.extend(reader.read(&mut line).await.unwrap().records);
    }
    let mut conflicts = 0;
    for task in tasks {
        conflicts += task.await.unwrap();
    }
    println!("150 records at three members at once in {:?}, {conflicts} gave up six times", begin.elapsed());
    heard.sort_unstable_by_key(|record| record.key);
    heard.dedup_by_key(|record| record.key);
    assert_eq!(heard.len(), 150);
}

async fn the_lease_goes_from_member_to_member(cluster: &Galera) {
    let started = Instant::now();
    let (mut leases, mut tasks) = (Vec::new(), Vec::new());
    for (at_member, name) in [(1, "north"), (2, "south"), (3, "east")] {
        let key = member(&mut cluster.line(at_member, DEADLINE), name).await.key;
        let deadline = zmes_cluster::lease::LeaseTiming::new(TERM).deadline();
        let mut contender = Contender::new(key, cluster.line(at_member, deadline), TERM, started);
        leases.push((key, Arc::clone(&contender.lease)));
        tasks.push(beside(async move {
            loop {
                contender.turn().await;
                sleep(Duration::from_millis(50)).await;
            }
        }));
    }
    for (trouble, repair) in [("stop", "cont"), ("kill", "start"), ("stop", "cont"), ("kill", "start")] {
        let holder = until(&leases, started, |sender| sender.is_some()).await.unwrap();
        let index = leases.iter().position(|(key, _)| *key == holder).unwrap();
        let at_member = (index + 1).to_string();
        cluster.lab(&[trouble, &at_member]);
        let begin = Instant::now();
        let next = until(&leases, started, |sender| sender.is_some_and(|key| key != holder)).await.unwrap();
        println!("{trouble} of the holder's member: the next one sends after {:?}", begin.elapsed());
        assert_ne!(next, holder);
        // The lab's command waits for the member; meanwhile the nodes are looked at.
        let repairing = async {
            cluster.lab_beside(&[repair, &at_member]).await;
            cluster.whole().await;
        };
        let looking = async {
            loop {
                sender(&leases, started).await;
                sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::select! {
            () = repairing => {}
            () = looking => {}
        }
    }
    for task in tasks {
        task.abort();
    }
}

/// Waits for a sender; two at once are a failure.
async fn until(
    leases: &[(NodeKey, Arc<tokio::sync::Mutex<zmes_cluster::lease::Lease>>)],
    started: Instant,
    is_it: impl Fn(Option<NodeKey>) -> bool,
) -> Option<NodeKey> {
    let begin = Instant::now();
    loop {
        let found = sender(leases, started).await;
        if is_it(found) {
            return found;
        }
        assert!(begin.elapsed() < Duration::from_mins(1), "nobody takes over");
        sleep(Duration::from_millis(2)).await;
    }
}

async fn a_minority_says_so(cluster: &Galera) {
    let mut line = cluster.line(3, DEADLINE);
    let key = member(&mut line, "west").await.key;
    cluster.lab(&["kill", "1"]);
    cluster.lab(&["kill", "2"]);
    let begin = Instant::now();
    let error = loop {
        match heartbeat(&mut line, key, &Health::default()).await {
            Err(error) if error.fault == LedgerFault::Closed => break error,
            Ok(Heartbeat::Alive) | Err(_) => {}
            Ok(other) => panic!("{other:?}"),
        }
        assert!(begin.elapsed() < Duration::from_secs(30), "a minority goes on");
        sleep(Duration::from_millis(50)).await;
    };
    assert!(error.message.contains("no quorum"), "{error:?}");
    assert!(error.fault.is_away());
}
