//! The lease on a real database: many contend, one sends.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use zmes_cluster::lease::{LeaseEvent, LeaseTiming, ask_for};
use zmes_cluster::node::{NodeId, NodeKey};

use crate::contender::{Contender, sender};
use crate::mariadb::MariaDb;
use crate::nodes::{beside, member};
use crate::proxy::{Proxy, Weather};

/// A term that tests can wait for.
const TERM: Duration = Duration::from_millis(400);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_times_somebody_else_takes_over_and_never_do_two_send() {
    let Some(server) = MariaDb::start().await else { return };
    let started = Instant::now();
    let mut leases = Vec::new();
    let mut tasks = Vec::new();
    let mut proxies = Vec::new();
    for name in ["north", "south", "east", "west"] {
        let proxy = Proxy::start(server.port).await;
        let key = member(&mut server.line(), name).await.key;
        let line = MariaDb::line_within(proxy.port, LeaseTiming::new(TERM).deadline());
        let mut contender = Contender::new(key, line, TERM, started);
        leases.push((key, Arc::clone(&contender.lease)));
        proxies.push((key, proxy));
        tasks.push(beside(async move {
            loop {
                contender.turn().await;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }));
    }
    let mut handed_over = 0;
    let mut gaps = Vec::new();
    let mut last: Option<NodeKey> = None;
    while handed_over < 100 {
        let begin = Instant::now();
        let next = loop {
            assert!(begin.elapsed() < Duration::from_secs(30), "nobody takes over");
            match sender(&leases, started).await {
                Some(key) if Some(key) != last => break key,
                Some(_) | None => tokio::time::sleep(Duration::from_millis(2)).await,
            }
        };
        gaps.push(begin.elapsed());
        handed_over += 1;
        // The one before comes back while the next one is in trouble.
        let weather = [Weather::Cut, Weather::Silent, Weather::Deaf][handed_over % 3];
        for (key, proxy) in &proxies {
            proxy.set(if *key == next { weather } else { Weather::Fine(Duration::from_millis(1)) });
        }
        last = Some(next);
    }
    for task in tasks {
        task.abort();
    }
    gaps.sort_unstable();
    let (median, worst) = (gaps[gaps.len() / 2], gaps[gaps.len() - 1]);
    println!("taken over a hundred times, term {TERM:?}: p50 {median:?}, worst {worst:?}");
    assert!(median < TERM * 3, "{median:?}");
}

#[tokio::test]
async fn a_stop_and_a_wish_hand_over_at_once() {
    let Some(server) = MariaDb::start().await else { return };
    let started = Instant::now();
    let mut contenders = Vec::new();
    for name in ["north", "south", "east"] {
        let key = member(&mut server.line(), name).await.key;
        contenders.push(Contender::new(key, server.line(), TERM, started));
    }
    let leases: Vec<_> = contenders.iter().map(|node| (node.key, Arc::clone(&node.lease))).collect();
    contenders[0].turn().await;
    assert_eq!(sender(&leases, started).await, Some(leases[0].0));
    let wanted: NodeId = leases[2].0.id;
    ask_for(&mut server.line(), wanted).await.unwrap();
    for contender in &mut contenders {
        contender.turn().await;
    }
    assert_eq!(sender(&leases, started).await, Some(leases[2].0), "not the one who looked first");
    contenders[2].tell(LeaseEvent::Stop).await;
    contenders[1].turn().await;
    assert_eq!(sender(&leases, started).await, Some(leases[1].0));
    assert!(started.elapsed() < TERM * 10, "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_step_of_the_databases_clock_makes_no_second_sender() {
    let Some(server) = MariaDb::start().await else { return };
    let started = Instant::now();
    let north = member(&mut server.line(), "north").await.key;
    let south = member(&mut server.line(), "south").await.key;
    let mut holder = Contender::new(north, server.line(), TERM, started);
    let mut other = Contender::new(south, server.line(), TERM, started);
    let leases = [(north, Arc::clone(&holder.lease)), (south, Arc::clone(&other.lease))];
    holder.turn().await;
    for clock in ["UNIX_TIMESTAMP() + 86400", "UNIX_TIMESTAMP() - 86400", "DEFAULT"] {
        server.sql(&format!("SET GLOBAL init_connect = 'SET timestamp = {clock}'")).await;
        // `init_connect` is for new connections.
        (holder.line, other.line) = (server.line(), server.line());
        for _ in 0..5 {
            holder.turn().await;
            other.turn().await;
            assert_eq!(sender(&leases, started).await, Some(north), "{clock}");
        }
    }
}
