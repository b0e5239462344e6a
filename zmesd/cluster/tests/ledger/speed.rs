//! How fast the ledger is: printed, with bounds that hold on any machine. `--no-capture` shows the numbers.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use zmes_cluster::alarms::{AlarmWriter, Reader};
use zmes_cluster::node::NodeId;

use crate::mariadb::MariaDb;
use crate::nodes::{CAPACITY, alarm, beside, member, read_all, write_all};

/// How often a node looks.
const POLL: Duration = Duration::from_millis(50);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_is_written_in_a_moment_and_an_alarm_is_read_with_the_next_look() {
    let Some(server) = MariaDb::durable().await else { return };
    let mut line = server.line();
    let mut writer = AlarmWriter::new(member(&mut line, "north").await, CAPACITY);
    let (first, last) = (1, 4_000_u64);
    for event in first..=last {
        writer.push(alarm(event)).unwrap();
    }
    let begin = Instant::now();
    write_all(&mut writer, &mut line).await;
    let each_second = 4_000.0 / begin.elapsed().as_secs_f64();
    let begin = Instant::now();
    let read = read_all(&mut Reader::from_oldest(NodeId(99)), &mut server.line()).await;
    println!(
        "backlog: {each_second:.0} alarms a second written, {} read in {:?}",
        read.len(),
        begin.elapsed()
    );
    assert!(each_second > 1_000.0, "{each_second}");

    let mut reading = server.line();
    let mut reader = Reader::from_now(NodeId(99));
    reader.read(&mut reading).await.unwrap();
    let heard = beside(async move {
        let mut heard = Vec::new();
        while heard.len() < 100 {
            let events = read_all(&mut reader, &mut reading).await;
            heard.extend(events.into_iter().map(|event| (event, Instant::now())));
            sleep(POLL).await;
        }
        heard
    });
    let mut told = Vec::new();
    let mut commits = Vec::new();
    for event in last + 1..=last + 100 {
        let begin = Instant::now();
        told.push((event, begin));
        writer.push(alarm(event)).unwrap();
        write_all(&mut writer, &mut line).await;
        commits.push(begin.elapsed());
        sleep(Duration::from_millis(7 + event % 13)).await;
    }
    let heard = heard.await.unwrap();
    let mut latencies: Vec<Duration> = told
        .iter()
        .zip(&heard)
        .map(|((event, begin), (same, end))| {
            assert_eq!(event, same);
            *end - *begin
        })
        .collect();
    latencies.sort_unstable();
    commits.sort_unstable();
    println!(
        "one alarm: commit p50 {:?}, p99 {:?}; at another node p50 {:?}, p99 {:?}",
        commits[50], commits[98], latencies[50], latencies[98]
    );
    assert!(latencies[50] < Duration::from_secs(1), "{latencies:?}");
}

#[tokio::test]
async fn a_look_at_nothing_new_is_one_statement() {
    let Some(server) = MariaDb::start().await else { return };
    let mut line = server.line();
    for name in ["north", "south", "east"] {
        member(&mut line, name).await;
    }
    let mut reader = Reader::from_now(NodeId(1));
    reader.read(&mut line).await.unwrap();
    let questions =
        "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'QUESTIONS'";
    let before = server.number(questions).await;
    for _ in 0..100 {
        reader.read(&mut line).await.unwrap();
    }
    let asked = server.number(questions).await - before;
    // The rest is the counting itself.
    assert!((100..115).contains(&asked), "{asked}");
}
