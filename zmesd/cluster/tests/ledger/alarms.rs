//! The log of alarms: order, each once, who tells what.

use zmes_cluster::alarms::{AlarmWriter, Place, Reader};
use zmes_cluster::{LedgerFault, glance};

use crate::mariadb::MariaDb;
use crate::nodes::{CAPACITY, alarm, events, member, read_all, write_all};

#[tokio::test]
async fn a_thousand_alarms_of_each_node_are_read_once_and_in_order() {
    let Some(server) = MariaDb::start().await else { return };
    let (mut north_line, mut south_line) = (server.line(), server.line());
    let north = member(&mut north_line, "north").await;
    let south = member(&mut south_line, "south").await;
    let mut at_north = Reader::from_now(north.key.id);
    let mut at_south = Reader::from_now(south.key.id);
    at_north.read(&mut north_line).await.unwrap();
    at_south.read(&mut south_line).await.unwrap();

    let writing = |member, first: u64, mut line| async move {
        let mut writer = AlarmWriter::new(member, CAPACITY);
        for event in first..first + 1_000 {
            writer.push(alarm(event)).unwrap();
            if event % 7 == 0 {
                write_all(&mut writer, &mut line).await;
            }
        }
        write_all(&mut writer, &mut line).await;
    };
    let reading = |mut reader: Reader, mut line| async move {
        let mut heard = Vec::new();
        while heard.len() < 1_000 {
            heard.extend(read_all(&mut reader, &mut line).await);
        }
        heard
    };
    let ((), (), heard_at_north, heard_at_south) = tokio::join!(
        writing(north, 1, server.line()),
        writing(south, 10_001, server.line()),
        reading(at_north, north_line),
        reading(at_south, south_line),
    );
    assert_eq!(heard_at_north, (10_001..=11_000).collect::<Vec<_>>());
    assert_eq!(heard_at_south, (1..=1_000).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_two_nodes_tell_stands_in_the_log_once() {
    let Some(server) = MariaDb::start().await else { return };
    let (mut north_line, mut south_line) = (server.line(), server.line());
    let north = member(&mut north_line, "north").await;
    let south = member(&mut south_line, "south").await;
    let (mut of_north, mut of_south) = (AlarmWriter::new(north, CAPACITY), AlarmWriter::new(south, CAPACITY));
    let mut reader = Reader::from_oldest(south.key.id);
    let mut third = Reader::from_oldest(zmes_cluster::node::NodeId(99));

    of_north.push(alarm(5)).unwrap();
    let first = of_north.write(&mut north_line).await.unwrap()[0].place;
    for event in [4, 5, 6] {
        of_south.push(alarm(event)).unwrap();
    }
    let places: Vec<Place> =
        of_south.write(&mut south_line).await.unwrap().iter().map(|written| written.place).collect();
    assert!(
        matches!(places[..], [Place::Ours(_), Place::Before(before), Place::Ours(_)] if before == first.key())
    );
    assert_eq!(read_all(&mut reader, &mut south_line).await, [5]);
    assert_eq!(read_all(&mut third, &mut north_line).await, [5, 4, 6]);

    // A number that was not used is no reason to look again and again.
    of_south.push(alarm(5)).unwrap();
    of_south.write(&mut south_line).await.unwrap();
    read_all(&mut third, &mut north_line).await;
    let glance = glance(&mut north_line).await.unwrap();
    assert!(third.lag(&glance).iter().all(|(_, lag)| *lag == 0), "{:?}", third.lag(&glance));
}

#[tokio::test]
async fn a_reader_that_starts_hears_what_comes_and_a_new_node_from_its_first_alarm() {
    let Some(server) = MariaDb::start().await else { return };
    let mut line = server.line();
    let north = member(&mut line, "north").await;
    let mut of_north = AlarmWriter::new(north, CAPACITY);
    of_north.push(alarm(1)).unwrap();
    write_all(&mut of_north, &mut line).await;
    let mut reader = Reader::from_now(zmes_cluster::node::NodeId(99));
    assert_eq!(read_all(&mut reader, &mut line).await, Vec::<u64>::new());
    of_north.push(alarm(2)).unwrap();
    write_all(&mut of_north, &mut line).await;
    let south = member(&mut line, "south").await;
    let mut of_south = AlarmWriter::new(south, CAPACITY);
    of_south.push(alarm(3)).unwrap();
    write_all(&mut of_south, &mut line).await;
    assert_eq!(read_all(&mut reader, &mut line).await, [2, 3]);
    // A restart goes on with the numbers.
    let mut of_north = AlarmWriter::new(member(&mut line, "north").await, CAPACITY);
    of_north.push(alarm(4)).unwrap();
    write_all(&mut of_north, &mut line).await;
    let news = reader.read(&mut line).await.unwrap();
    assert_eq!(events(&news), [4]);
    assert_eq!(news.alarms[0].alarm, alarm(4));
    assert_eq!(news.alarms[0].key.seq, 3);
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_not_cut_off() {
    let Some(server) = MariaDb::start().await else { return };
    let mut line = server.line();
    let mut writer = AlarmWriter::new(member(&mut line, "north").await, CAPACITY);
    let mut long = alarm(1);
    long.body = vec![b' '; 4_097];
    assert_eq!(writer.push(long.clone()).unwrap_err().fault, LedgerFault::Unfit);
    long.body.truncate(4_096);
    writer.push(long.clone()).unwrap();
    write_all(&mut writer, &mut line).await;
    let news = Reader::from_oldest(zmes_cluster::node::NodeId(99)).read(&mut line).await.unwrap();
    assert_eq!(news.alarms[0].alarm, long);
}
