//! Devices: changes in order, the later one stays, what is forgotten.

use std::time::Duration;

use jiff::Timestamp;
use zmes_cluster::LedgerFault;
use zmes_cluster::devices::{DeviceChange, DeviceHandle, DeviceReader, LedgerDevice, change};
use zmes_cluster::retention::{STEP, forget};

use crate::mariadb::MariaDb;
use crate::nodes::beside;

const DAY: Duration = Duration::from_hours(24);

fn device(number: u32, changed: i64) -> LedgerDevice {
    let mut handle = [0; 32];
    handle[..4].copy_from_slice(&number.to_be_bytes());
    LedgerDevice {
        handle: DeviceHandle::new(handle),
        changed: Timestamp::from_second(1_700_000_000 + changed).unwrap(),
        deleted: false,
        token: format!("planted-token-{number}").into_bytes(),
        owner: "amy".to_owned(),
        platform: "android".to_owned(),
        state: "enabled".to_owned(),
        muted_until: number
            .is_multiple_of(2)
            .then(|| Timestamp::from_millisecond(1_700_000_000_123).unwrap()),
        badge: number,
        body: br#"{"monitors":[1,2]}"#.to_vec(),
    }
}

#[tokio::test]
async fn a_device_that_is_registered_at_one_node_is_known_to_the_others() {
    let Some(server) = MariaDb::start().await else { return };
    let (mut north, mut south) = (server.line(), server.line());
    let mut reader = DeviceReader::default();
    assert!(reader.read(&mut south).await.unwrap().devices.is_empty());
    let (one, two) = (device(1, 0), device(2, 0));
    let changes = change(&mut north, &[one.clone(), two.clone()]).await.unwrap();
    assert_eq!(changes, [DeviceChange::Kept(1), DeviceChange::Kept(2)]);
    assert_eq!(reader.read(&mut south).await.unwrap().devices, [one.clone(), two.clone()]);
    assert!(!format!("{one:?}").contains("planted"));
    // The other node changes one; it alone is read.
    let later = LedgerDevice { state: "disabled".to_owned(), ..device(1, 10) };
    assert_eq!(change(&mut south, std::slice::from_ref(&later)).await.unwrap(), [DeviceChange::Kept(3)]);
    assert_eq!(reader.read(&mut south).await.unwrap().devices, std::slice::from_ref(&later));
    // What comes late from a node that was away does not win.
    let late = LedgerDevice { state: "muted".to_owned(), ..device(1, 5) };
    assert_eq!(change(&mut north, &[late]).await.unwrap(), [DeviceChange::Older(3)]);
    assert!(reader.read(&mut south).await.unwrap().devices.is_empty());
    // A clock that is a year ahead wins once, and not for a year.
    let ahead = LedgerDevice { changed: Timestamp::from_second(4_000_000_000).unwrap(), ..later.clone() };
    assert_eq!(change(&mut north, &[ahead]).await.unwrap(), [DeviceChange::Kept(4)]);
    let soon = DeviceReader::after(3).read(&mut south).await.unwrap().devices[0].changed;
    assert!(soon < Timestamp::from_second(4_000_000_000).unwrap(), "{soon}");
    let long = LedgerDevice { token: vec![b'x'; 2_049], ..device(3, 0) };
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
    let mut reader = DeviceReader::default();
    let mut heard = Vec::new();
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        heard.extend(reader.read(&mut line).await.unwrap().devices);
    }
    for writer in writers {
        writer.await.unwrap();
    }
    heard.extend(reader.read(&mut line).await.unwrap().devices);
    let mut handles: Vec<DeviceHandle> = heard.iter().map(|device| device.handle).collect();
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
    let mut reader = DeviceReader::default();
    let (mut read, mut pages) = (0, 0);
    loop {
        let news = reader.read(&mut line).await.unwrap();
        assert_eq!(news.from_scratch, pages == 0);
        (read, pages) = (read + news.devices.len(), pages + 1);
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
    let mut away = DeviceReader::default();
    let mut there = DeviceReader::default();
    assert_eq!(away.read(&mut line).await.unwrap().devices.len(), 5);
    there.read(&mut line).await.unwrap();
    let gone = |number| LedgerDevice { deleted: true, ..device(number, 10) };
    change(&mut line, &[gone(2), gone(4)]).await.unwrap();
    let heard = there.read(&mut line).await.unwrap();
    assert!(heard.devices.iter().all(|device| device.deleted) && !heard.from_scratch, "{heard:?}");
    assert_eq!(forget(&mut line, DAY, DAY).await.unwrap().devices, 0, "not yet");
    server.sql("UPDATE device SET updated = updated - INTERVAL 2 DAY").await;
    assert_eq!(forget(&mut line, DAY, DAY).await.unwrap().devices, 2);
    let heard = away.read(&mut line).await.unwrap();
    assert!(heard.from_scratch, "{heard:?}");
    assert_eq!(heard.devices, [device(1, 0), device(3, 0), device(5, 0)]);
    assert!(there.read(&mut line).await.unwrap().devices.is_empty(), "it has heard of all");
    for reader in [&mut away, &mut there] {
        change(&mut line, &[device(9, 0)]).await.unwrap();
        let heard = reader.read(&mut line).await.unwrap();
        assert!(!heard.from_scratch && heard.devices.len() == 1, "{heard:?}");
    }
    assert_eq!(STEP, 1_000);
}
