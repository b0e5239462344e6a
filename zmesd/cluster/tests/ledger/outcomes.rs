//! What became of alarms: the next pusher finds what is open, and nothing that is done.

use std::time::Duration;

use jiff::Timestamp;
use zmes_cluster::alarms::{AlarmWriter, LogKey, Place};
use zmes_cluster::outcomes::{
    DeviceHandle, DeviceOutcome, OutcomeKind, PusherReport, open_alarms, pusher_state, report,
};
use zmes_cluster::retention::forget;
use zmes_shared::MonitorId;

use crate::mariadb::MariaDb;
use crate::nodes::{CAPACITY, alarm, member, write_all};

const HOUR: Duration = Duration::from_hours(1);

fn phone(number: u8) -> DeviceHandle {
    DeviceHandle::new([number; 32])
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn taken(number: u8) -> DeviceOutcome {
    DeviceOutcome {
        device: phone(number),
        kind: OutcomeKind::Taken,
        reason: String::new(),
        provider_id: format!("projects/x/{number}"),
        at: at(0),
    }
}

fn withheld(number: u8) -> DeviceOutcome {
    let reason = "é".repeat(200);
    DeviceOutcome { kind: OutcomeKind::Withheld, reason, provider_id: String::new(), ..taken(number) }
}

/// What the table has of an alarm, by device.
async fn outcomes_of(server: &MariaDb, alarm: LogKey) -> Vec<DeviceOutcome> {
    let query = "SELECT `handle`, `outcome`, `reason`, `provider_id`, TIMESTAMPDIFF(SECOND, '1970-01-01', `at`) \
                 FROM `done` WHERE `node` = ? AND `seq` = ? ORDER BY `handle`";
    let query = sqlx::query_as::<_, (Vec<u8>, u8, String, String, i64)>(query).bind(alarm.node.0).bind(alarm.seq);
    let rows = query.fetch_all(&mut server.connection().await).await.unwrap();
    let outcome = |(handle, kind, reason, provider_id, second): (Vec<u8>, u8, String, String, i64)| {
        let kind = match kind {
            1 => OutcomeKind::Taken,
            2 => OutcomeKind::Withheld,
            other => panic!("{other}"),
        };
        let device = DeviceHandle::new(handle.try_into().unwrap());
        DeviceOutcome { device, kind, reason, provider_id, at: Timestamp::from_second(second).unwrap() }
    };
    rows.into_iter().map(outcome).collect()
}

#[tokio::test]
async fn a_new_pusher_finds_what_is_open_and_for_whom() {
    let Some(server) = MariaDb::start().await else { return };
    let mut line = server.line();
    let north = member(&mut line, "north").await;
    let mut writer = AlarmWriter::new(north, CAPACITY);
    for event in 1..=4 {
        writer.push(alarm(event)).unwrap();
    }
    write_all(&mut writer, &mut line).await;
    let key = |seq| LogKey::new(north.key.id, seq);
    let done = PusherReport {
        outcomes: vec![(key(1), taken(1)), (key(1), taken(2)), (key(2), taken(1)), (key(3), withheld(1))],
        told: vec![(phone(1), MonitorId(1), at(5)), (phone(1), MonitorId(1), at(3))],
        badges: vec![(phone(1), 2, at(5)), (phone(2), 1, at(5))],
        settled: vec![key(1)],
    };
    // Twice: the answer to the first was lost.
    report(&mut line, &done).await.unwrap();
    report(&mut line, &done).await.unwrap();

    let open = open_alarms(&mut line, HOUR, None, 2).await.unwrap();
    let shown: Vec<_> = open.iter().map(|open| (open.logged.key.seq, open.done.clone())).collect();
    assert_eq!(shown, [(2, vec![phone(1)]), (3, vec![phone(1)])]);
    let next = open_alarms(&mut line, HOUR, Some(open[1].logged.key), 2).await.unwrap();
    assert_eq!(next.iter().map(|open| open.logged.key.seq).collect::<Vec<_>>(), [4]);
    assert!(open_alarms(&mut line, HOUR, Some(key(4)), 2).await.unwrap().is_empty());
    assert!(open_alarms(&mut line, Duration::ZERO, None, 9).await.unwrap().is_empty());

    let why = outcomes_of(&server, key(3)).await;
    assert_eq!(why[0].reason, "é".repeat(120));
    assert_eq!(outcomes_of(&server, key(1)).await, [taken(1), taken(2)]);
    // What the pusher before has sent late changes nothing of what is known.
    let late = PusherReport { outcomes: vec![(key(3), taken(1))], ..PusherReport::default() };
    report(&mut line, &late).await.unwrap();
    assert_eq!(outcomes_of(&server, key(3)).await[0].kind, OutcomeKind::Withheld);
    let state = pusher_state(&mut line).await.unwrap();
    assert_eq!(state.told, [(phone(1), MonitorId(1), at(5))]);
    assert_eq!(state.badges, [(phone(1), 2), (phone(2), 1)]);
}

#[tokio::test]
async fn what_a_node_has_sent_alone_is_written_with_the_alarm() {
    let Some(server) = MariaDb::start().await else { return };
    let mut line = server.line();
    let (north, south) = (member(&mut line, "north").await, member(&mut line, "south").await);
    let mut writer = AlarmWriter::new(north, CAPACITY);
    let (first, _) = writer.push(alarm(1)).unwrap();
    let (second, _) = writer.push(alarm(2)).unwrap();
    writer.note(first, vec![taken(1), taken(2)], true).unwrap();
    writer.note(second, vec![taken(1)], false).unwrap();
    // The leader has seen the second one in the Events table meanwhile.
    let mut leader = AlarmWriter::new(south, CAPACITY);
    leader.push(alarm(2)).unwrap();
    write_all(&mut leader, &mut line).await;
    let written = writer.write(&mut line).await.unwrap();
    assert!(matches!(written[1].place, Place::Before(key) if key.node == south.key.id));
    assert!(writer.note(first, vec![taken(3)], true).is_err(), "it does not wait any more");
    let open = open_alarms(&mut line, HOUR, None, 9).await.unwrap();
    let shown: Vec<_> = open.iter().map(|open| (open.logged.key, open.done.clone())).collect();
    assert_eq!(shown, [(LogKey::new(south.key.id, 1), vec![phone(1)])]);
}

#[tokio::test]
async fn what_is_old_is_forgotten_in_steps() {
    let Some(server) = MariaDb::start().await else { return };
    let mut line = server.line();
    let north = member(&mut line, "north").await;
    server
        .sql(
            "INSERT INTO alarm SELECT 1, seq, UNHEX(MD5(seq)), 1, 1, seq, UTC_TIMESTAMP(3), \
             UTC_TIMESTAMP(3) - INTERVAL IF(seq <= 2500, 25, 1) HOUR, 0, '' FROM seq_1_to_2600; \
             INSERT INTO done SELECT 1, seq, REPEAT('x', 32), 1, '', '', \
             UTC_TIMESTAMP(3) - INTERVAL IF(seq <= 1500, 25, 1) HOUR FROM seq_1_to_2600",
        )
        .await;
    let keep = Duration::from_hours(24);
    let mut steps = Vec::new();
    loop {
        let forgotten = forget(&mut line, keep, keep).await.unwrap();
        steps.push((forgotten.alarms, forgotten.outcomes));
        if !forgotten.has_more() {
            break;
        }
    }
    assert_eq!(steps, [(1_000, 1_000), (1_000, 500), (500, 0)]);
    assert_eq!(server.number("SELECT COUNT(*) FROM alarm").await, 100);
    assert_eq!(server.number("SELECT MIN(seq) FROM alarm").await, 2_501);
    // The numbers go on, also when nothing is left.
    server.sql("DELETE FROM alarm").await;
    let mut writer = AlarmWriter::new(north, CAPACITY);
    writer.push(alarm(1)).unwrap();
    write_all(&mut writer, &mut line).await;
    let mut next = AlarmWriter::new(member(&mut line, "north").await, CAPACITY);
    server.sql("DELETE FROM alarm").await;
    next.push(alarm(2)).unwrap();
    assert_eq!(next.write(&mut line).await.unwrap()[0].place, Place::Ours(LogKey::new(north.key.id, 2)));
}
