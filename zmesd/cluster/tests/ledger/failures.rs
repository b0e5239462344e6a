//! What happens while the database is away, deaf, silent, locked, or gone in the middle of a commit.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Executor};
use tokio::time::Instant;
use zmes_cluster::LedgerFault;
use zmes_cluster::alarms::{AlarmWriter, Reader};
use zmes_cluster::node::{Admission, Health, Heartbeat, NodeId, NodeSettings, heartbeat, register};

use crate::mariadb::MariaDb;
use crate::nodes::{CAPACITY, alarm, events, member, read_all, settings, write_all};
use crate::proxy::{Proxy, Weather};

const DEADLINE: Duration = Duration::from_millis(400);

#[tokio::test]
async fn alarms_go_on_after_the_database_was_stopped_and_started() {
    let Some(mut server) = MariaDb::durable().await else { return };
    let mut line = server.line();
    let mut reading = server.line();
    let mut writer = AlarmWriter::new(member(&mut line, "north").await, CAPACITY);
    let mut reader = Reader::from_oldest(NodeId(99));
    let mut heard = Vec::new();
    for round in 0..3 {
        for event in 0..10 {
            writer.push(alarm(1 + round * 100 + event)).unwrap();
        }
        write_all(&mut writer, &mut line).await;
        heard.extend(read_all(&mut reader, &mut reading).await);
        server.kill();
        for event in 10..20 {
            writer.push(alarm(1 + round * 100 + event)).unwrap();
        }
        for _ in 0..2 {
            let error = writer.write(&mut line).await.unwrap_err();
            assert_eq!(error.fault, LedgerFault::Unreachable, "{error:?}");
            assert!(error.message.contains("127.0.0.1:"), "{error}");
            assert!(reader.read(&mut reading).await.unwrap_err().fault.is_away());
        }
        server.resume().await;
        write_all(&mut writer, &mut line).await;
        heard.extend(read_all(&mut reader, &mut reading).await);
    }
    let expected: Vec<u64> =
        (0..3).flat_map(|round| (0..20).map(move |event| 1 + round * 100 + event)).collect();
    assert_eq!(heard, expected);
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_neither_lost_nor_written_twice() {
    let Some(server) = MariaDb::start().await else { return };
    let proxy = Proxy::start(server.port).await;
    let mut line = MariaDb::line_within(proxy.port, DEADLINE);
    let mut reading = server.line();
    let mut writer = AlarmWriter::new(member(&mut line, "north").await, CAPACITY);
    let mut reader = Reader::from_oldest(NodeId(99));
    let mut heard = Vec::new();
    for round in 0..12_u64 {
        for event in 0..5 {
            writer.push(alarm(1 + round * 5 + event)).unwrap();
        }
        // Deaf from a moment on that is another one in each round: before, within or after the transaction.
        let deaf = async {
            tokio::time::sleep(Duration::from_micros(400 * round)).await;
            proxy.set(if round % 3 == 0 { Weather::Silent } else { Weather::Deaf });
        };
        let ((), _answer) = tokio::join!(deaf, writer.write(&mut line));
        proxy.set(if round % 2 == 0 { Weather::Cut } else { Weather::Fine(Duration::ZERO) });
        heard.extend(read_all(&mut reader, &mut reading).await);
        proxy.set(Weather::Fine(Duration::from_millis(1)));
        write_all(&mut writer, &mut line).await;
    }
    heard.extend(read_all(&mut reader, &mut reading).await);
    assert_eq!(heard, (1..=60).collect::<Vec<_>>());
}

#[tokio::test]
async fn each_call_ends_in_time_whatever_the_database_does() {
    let Some(server) = MariaDb::start().await else { return };
    let proxy = Proxy::start(server.port).await;
    let mut line = MariaDb::line_within(proxy.port, DEADLINE);
    let north = member(&mut line, "north").await;
    let health = Health::default();
    for weather in [Weather::Silent, Weather::Deaf] {
        proxy.set(weather);
        for _ in 0..2 {
            let begin = Instant::now();
            let error = heartbeat(&mut line, north.key, &health).await.unwrap_err();
            assert_eq!(error.fault, LedgerFault::Late, "{error:?}");
            assert!(begin.elapsed() < DEADLINE * 4, "{:?}", begin.elapsed());
        }
        proxy.set(Weather::Fine(Duration::ZERO));
        assert_eq!(heartbeat(&mut line, north.key, &health).await.unwrap(), Heartbeat::Alive);
    }
    server.freeze();
    let error = heartbeat(&mut line, north.key, &health).await.unwrap_err();
    assert_eq!(error.fault, LedgerFault::Late, "{error:?}");
    server.thaw();
    assert_eq!(heartbeat(&mut line, north.key, &health).await.unwrap(), Heartbeat::Alive);
    // A connection that the server has closed for being idle is replaced unseen.
    server.sql("KILL USER zmesd").await;
    assert_eq!(heartbeat(&mut line, north.key, &health).await.unwrap(), Heartbeat::Alive);
}

#[tokio::test]
async fn who_vanishes_within_a_transaction_locks_nobody_out_for_long() {
    let Some(server) = MariaDb::start().await else { return };
    let proxy = Proxy::start(server.port).await;
    let mut line = MariaDb::line_within(proxy.port, DEADLINE);
    let north = member(&mut line, "north").await;
    let mut writer = AlarmWriter::new(north, CAPACITY);
    writer.push(alarm(1)).unwrap();
    writer.push(alarm(2)).unwrap();
    // Another one holds the second alarm's key, so that the writer waits within its transaction; then it vanishes.
    let mut other = server.connection().await;
    let dedup = format!("X'{:?}'", alarm(2).dedup);
    other.execute("START TRANSACTION").await.unwrap();
    let insert = format!(
        "INSERT INTO alarm VALUES (77, 1, {dedup}, 1, 1, 2, UTC_TIMESTAMP(3), UTC_TIMESTAMP(3), 0, '')"
    );
    other.execute(AssertSqlSafe(insert)).await.unwrap();
    assert!(writer.write(&mut line).await.unwrap_err().fault.is_away());
    proxy.set(Weather::Silent);
    other.execute("ROLLBACK").await.unwrap();
    // The server's half of the deadline ends what the client left open.
    let mut again = server.line();
    let mut next = AlarmWriter::new(north, CAPACITY);
    next.push(alarm(3)).unwrap();
    let begin = Instant::now();
    while let Err(error) = next.write(&mut again).await {
        assert!(begin.elapsed() < Duration::from_secs(15), "{error:?}");
    }
}

#[tokio::test]
async fn a_database_that_forgot_what_it_had_confirmed_is_told_again() {
    let Some(mut server) = MariaDb::start().await else { return };
    let mut line = server.line();
    let mut reader = Reader::from_oldest(NodeId(99));
    let mut writer = AlarmWriter::new(member(&mut line, "north").await, CAPACITY);
    // As a crash without `innodb_flush_log_at_trx_commit = 1` leaves it: what was committed last is gone.
    server.sql("UPDATE node SET epoch = epoch + 3").await;
    let member_now = member(&mut line, "north").await;
    writer.renew(member_now);
    for event in 1..=3 {
        writer.push(alarm(event)).unwrap();
        writer.write(&mut line).await.unwrap();
    }
    assert_eq!(read_all(&mut reader, &mut line).await, [1, 2, 3]);
    server.sql("DELETE FROM alarm WHERE seq > 1; UPDATE node SET epoch = epoch - 1, seq = 1").await;
    assert_eq!(heartbeat(&mut line, member_now.key, &Health::default()).await.unwrap(), Heartbeat::Forgotten);
    writer.push(alarm(4)).unwrap();
    assert_eq!(writer.write(&mut line).await.unwrap_err().fault, LedgerFault::Forgotten);
    // The node starts again; it remembers its epoch, and so the numbers that it uses again are read.
    let settings = NodeSettings { last_epoch: member_now.key.epoch, ..settings("north") };
    let Admission::Member(member_now) = register(&mut line, &settings).await.unwrap() else {
        panic!("refused")
    };
    let mut writer = AlarmWriter::new(member_now, CAPACITY);
    writer.push(alarm(5)).unwrap();
    write_all(&mut writer, &mut line).await;
    let news = reader.read(&mut line).await.unwrap();
    assert_eq!((events(&news), news.alarms[0].key.seq), (vec![5], 2));
    server.kill();
}
