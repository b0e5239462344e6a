//! Records: changes in order, the later one stays, what is forgotten.

use std::time::Duration;

use jiff::Timestamp;
use zmes_cluster::LedgerFault;
use zmes_cluster::outcomes::DeviceHandle;
use zmes_cluster::records::{
    PAGE, Record, RecordChange, RecordKey, RecordKind, RecordReader, change, unchanged,
};
use zmes_cluster::retention::{STEP, forget};

use crate::mariadb::MariaDb;
use crate::nodes::beside;

const DAY: Duration = Duration::from_hours(24);

fn device(number: u32, changed: i64) -> Record {
    let mut id = [0; 32];
    id[..4].copy_from_slice(&number.to_be_bytes());
    Record {
        key: RecordKey::device(DeviceHandle::new(id)),
        changed: Timestamp::from_millisecond(1_700_000_000_123 + 1_000 * changed).unwrap(),
        deleted: false,
        body: format!(r#"{{"token":"planted-token-{number}","owner":"amy","monitors":[1,2]}}"#).into_bytes(),
    }
}

#[tokio::test]
async fn a_device_that_is_registered_at_one_node_is_known_to_the_others() {
    let Some(server) = MariaDb::start().await else { return };
    let (mut north, mut south) = (server.line(), server.line());
    let mut reader = RecordReader::default();
    assert!(reader.read(&mut south).await.unwrap().records.is_empty());
    let (one, two) = (device(1, 0), device(2, 0));
    let changes = change(&mut north, &[one.clone(), two.clone()]).await.unwrap();
    assert_eq!(changes, [RecordChange::Kept(1), RecordChange::Kept(2)]);
    assert_eq!(reader.read(&mut south).await.unwrap().records, [one.clone(), two.clone()]);
    assert!(!format!("{one:?}").contains("planted"));
    // The other node changes one; it alone is read.
    let later = Record { body: b"{}".to_vec(), ..device(1, 10) };
    assert_eq!(change(&mut south, std::slice::from_ref(&later)).await.unwrap(), [RecordChange::Kept(3)]);
    assert_eq!(reader.read(&mut south).await.unwrap().records, std::slice::from_ref(&later));
    // What comes late from a node that was away does not win.
    let late = Record { body: b"[]".to_vec(), ..device(1, 5) };
    assert_eq!(change(&mut north, &[late]).await.unwrap(), [RecordChange::Older(3)]);
    assert!(reader.read(&mut south).await.unwrap().records.is_empty());
    // A clock that is a year ahead wins once, and not for a year.
    let ahead = Record { changed: Timestamp::from_second(4_000_000_000).unwrap(), ..later.clone() };
    assert_eq!(change(&mut north, &[ahead]).await.unwrap(), [RecordChange::Kept(4)]);
    let soon = RecordReader::after(3).read(&mut south).await.unwrap().records[0].changed;
    assert!(soon < Timestamp::from_second(4_000_000_000).unwrap(), "{soon}");
    let long = Record { body: vec![b'x'; 20_481], ..device(3, 0) };
    assert_eq!(change(&mut north, &[long]).await.unwrap_err().fault, LedgerFault::Unfit);
}

#[tokio::test]
async fn who_reads_while_many_register_misses_none() {
    let Some(server) = MariaDb::start().await else { return };
    let writers: Vec<_> = (0..4_u32)
        .map(|writer| {
            let mut line = server.line();
            beside(async move {
                for index in 0..100 {
                    let device = device(writer * 1_000 + index, 0);
                    loop {
                        match change(&mut line, std::slice::from_ref(&device)).await {
                            Ok(_) => break,
                            Err(error) => assert!(error.fault.is_away(), "{error:?}"),
                        }
                    }
                }
            })
        })
        .collect();
    let mut line = server.line();
    let mut reader = RecordReader::default();
    let mut heard = Vec::new();
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        heard.extend(reader.read(&mut line).await.unwrap().records);
    }
    for writer in writers {
        writer.await.unwrap();
    }
    heard.extend(reader.read(&mut line).await.unwrap().records);
    let mut handles: Vec<RecordKey> = heard.iter().map(|device| device.key).collect();
    assert_eq!(handles.len(), 400);
    handles.sort_unstable();
    handles.dedup();
    assert_eq!(handles.len(), 400);
}

#[tokio::test]
async fn many_devices_are_read_quickly() {
    let Some(server) = MariaDb::start().await else { return };
    let mut line = server.line();
    for chunk in 0..20 {
        let devices: Vec<_> = (0..500).map(|index| device(chunk * 500 + index, 0)).collect();
        change(&mut line, &devices).await.unwrap();
    }
    let begin = tokio::time::Instant::now();
    let mut reader = RecordReader::default();
    let (mut read, mut pages) = (0, 0);
    loop {
        let news = reader.read(&mut line).await.unwrap();
        assert_eq!(news.from_scratch, pages == 0);
        (read, pages) = (read + news.records.len(), pages + 1);
        if !news.more {
            break;
        }
    }
    println!("10,000 devices read in {:?}", begin.elapsed());
    assert_eq!(read, 10_000);
}

#[tokio::test]
async fn a_node_that_was_away_for_too_long_reads_everything_anew() {
    let Some(server) = MariaDb::start().await else { return };
    let mut line = server.line();
    let devices: Vec<_> = (1..=5).map(|number| device(number, 0)).collect();
    change(&mut line, &devices).await.unwrap();
    let mut away = RecordReader::default();
    let mut there = RecordReader::default();
    assert_eq!(away.read(&mut line).await.unwrap().records.len(), 5);
    there.read(&mut line).await.unwrap();
    let gone = |number| Record { deleted: true, ..device(number, 10) };
    change(&mut line, &[gone(2), gone(4)]).await.unwrap();
    let heard = there.read(&mut line).await.unwrap();
    assert!(heard.records.iter().all(|device| device.deleted) && !heard.from_scratch, "{heard:?}");
    assert_eq!(forget(&mut line, DAY, DAY).await.unwrap().records, 0, "not yet");
    server.sql("UPDATE record SET updated = updated - INTERVAL 2 DAY").await;
    assert_eq!(forget(&mut line, DAY, DAY).await.unwrap().records, 2);
    let heard = away.read(&mut line).await.unwrap();
    assert!(heard.from_scratch, "{heard:?}");
    assert_eq!(heard.records, [device(1, 0), device(3, 0), device(5, 0)]);
    assert!(there.read(&mut line).await.unwrap().records.is_empty(), "it has heard of all");
    for reader in [&mut away, &mut there] {
        change(&mut line, &[device(9, 0)]).await.unwrap();
        let heard = reader.read(&mut line).await.unwrap();
        assert!(!heard.from_scratch && heard.records.len() == 1, "{heard:?}");
    }
    assert_eq!(STEP, 1_000);
}

#[tokio::test]
async fn what_was_not_changed_for_long_is_found_in_pages_and_deleted_unless_it_is_changed_meanwhile() {
    let Some(server) = MariaDb::start().await else { return };
    let mut line = server.line();
    let devices: Vec<_> = (0..PAGE + 20).map(|number| device(number, 0)).collect();
    for some in devices.chunks(100) {
        change(&mut line, some).await.unwrap();
    }
    // One was changed lately, one is deleted already, and one is a snooze.
    #[expect(clippy::disallowed_methods, reason = "the test's own clock against that of a real server")]
    let now = Timestamp::now();
    let snooze = RecordKey { kind: RecordKind::Snooze, id: [7; 32] };
    let others = [
        Record { changed: now, ..device(3, 0) },
        Record { deleted: true, ..device(4, 0) },
        Record { key: snooze, ..device(5, 0) },
    ];
    change(&mut line, &others).await.unwrap();
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = unchanged(&mut line, RecordKind::Device, DAY, after).await.unwrap();
        assert!(page.len() <= PAGE as usize);
        let Some(last) = page.last() else { break };
        after = Some(last.key.id);
        found.extend(page);
    }
    let others = others.map(|record| record.key);
    let wanted: Vec<_> = devices.into_iter().filter(|known| !others.contains(&known.key)).collect();
    assert_eq!(found, wanted);
    // Its app registers it before it is deleted.
    let again = Record { changed: now, ..found[1].clone() };
    change(&mut line, &[again]).await.unwrap();
    let over: Vec<_> = found[..2].iter().map(|record| Record { deleted: true, ..record.clone() }).collect();
    let changes = change(&mut line, &over).await.unwrap();
    assert!(matches!(changes[..], [RecordChange::Kept(_), RecordChange::Older(_)]), "{changes:?}");
}
