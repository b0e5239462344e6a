//! Nodes and alarms for tests.

use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinHandle;
use zmes_cluster::LedgerLine;
use zmes_cluster::alarms::{AlarmWriter, DedupKey, LedgerAlarm, News, Reader};
use zmes_cluster::node::{Admission, Membership, NodeSettings, register};
use zmes_shared::words::Phase;
use zmes_shared::{EventId, MonitorId};

/// Runs something beside the test, which awaits or aborts it.
#[expect(clippy::disallowed_methods, reason = "the test hears of its end")]
pub(crate) fn beside<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    tokio::task::spawn(future)
}

/// Alarms that may wait.
pub(crate) const CAPACITY: usize = 4_096;

/// What a node of that name says of itself. Its identity follows from the name.
pub(crate) fn settings(name: &str) -> NodeSettings {
    let mut identity = [0; 16];
    identity[..name.len()].copy_from_slice(name.as_bytes());
    NodeSettings {
        name: name.to_owned(),
        identity,
        last_epoch: 0,
        server: Some(1),
        prefer: 0,
        version: "0.2.0".to_owned(),
        address: String::new(),
    }
}

/// Registers a start of a node, which must be admitted.
pub(crate) async fn member(line: &mut LedgerLine, name: &str) -> Membership {
    match register(line, &settings(name)).await.unwrap() {
        Admission::Member(member) => member,
        Admission::Twin(twin) => panic!("{twin:?}"),
    }
}

/// A start of an event.
pub(crate) fn alarm(event: u64) -> LedgerAlarm {
    LedgerAlarm {
        dedup: DedupKey::start(EventId(event)),
        phase: Phase::Start,
        monitor: MonitorId(u32::try_from(event % 4).unwrap()),
        event: Some(EventId(event)),
        at: Timestamp::from_second(1_800_000_000).unwrap(),
        body: format!(r#"{{"event":{event}}}"#).into_bytes(),
    }
}

/// Writes an alarm for each of these events, trying again for half a minute.
pub(crate) async fn write_all(writer: &mut AlarmWriter, line: &mut LedgerLine) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while !writer.backlog().is_empty() {
        if let Err(error) = writer.write(line).await {
            assert!(error.fault.is_away() && tokio::time::Instant::now() < deadline, "{error:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Returns the events of what is new; all of it must be in order.
pub(crate) fn events(news: &News) -> Vec<u64> {
    // Nodes take turns; within a node there is an order.
    assert!(
        news.alarms.is_sorted_by(|one, other| one.key.node != other.key.node || one.key.seq < other.key.seq)
    );
    news.alarms.iter().filter_map(|logged| logged.alarm.event).map(|event| event.0).collect()
}

/// Reads until there is no more.
pub(crate) async fn read_all(reader: &mut Reader, line: &mut LedgerLine) -> Vec<u64> {
    let mut all = Vec::new();
    loop {
        let news = reader.read(line).await.unwrap();
        all.extend(events(&news));
        if !news.more {
            return all;
        }
    }
}
