//! Ends of alarms: who gets them.

use zmes_shared::words::Phase;

use super::*;
use crate::config::EndConfig;
use crate::domain::AlarmSpan;

const PHONE: &str = "cXyz:APA91bHPRgkFLJu6sg";
const BOTH: EndConfig = EndConfig { push: true, websocket: true };

/// Returns the end of a monitor's alarms, the first of which was at `began`.
fn end_at(monitor: u32, event: u64, began: i64, at: i64) -> Alarm {
    let began = Timestamp::from_second(began).unwrap();
    let span = Some(AlarmSpan { began, lasted: Some(Duration::from_secs(42)) });
    Alarm { phase: Phase::End, span, ..alarm_at(monitor, event, at) }
}

/// Returns the pushes that the router ordered: `10` for a start, `-10` for an end, with the start that an end belongs
/// to.
pub(super) fn pushed(world: &mut RouterWorld) -> Vec<(i64, Option<i64>)> {
    let mut pushed = Vec::new();
    while let Ok(order) = world.pushes.try_recv() {
        let PushOrder::Alarm(batch) = order else { continue };
        let event = batch.alarm.event.map_or(0, |event| event.0.cast_signed());
        let event = if batch.alarm.is_end() { -event } else { event };
        pushed
            .extend(batch.deliveries.iter().map(|delivery| (event, delivery.start.map(|start| start.id.0))));
    }
    pushed
}

#[tokio::test]
async fn ends_are_off_by_default_and_if_on_go_to_those_who_got_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let mut world = RouterWorld::start(directory.path().into(), std::slice::from_ref(&amy)).await;
    let mut client = world.login(amy.clone(), Some(("1", "60"))).await;
    world.register(&client, PHONE, |_| {}).await.unwrap();
    world.announce(alarm_at(1, 10, T)).await;
    world.announce(end_at(1, 10, T, T + 5)).await;
    assert_eq!((client.events(), pushed(&mut world)), (vec!["10".to_owned()], vec![(10, None)]));

    world.ends.send(BOTH).unwrap();
    let mut other = world.login(amy.clone(), Some(("2", "0"))).await;
    world.announce(alarm_at(1, 11, T + 100)).await;
    // Within the interval: this app gets only the first alarm, and its end.
    world.announce(alarm_at(1, 12, T + 101)).await;
    let mut late = world.login(amy, None).await;
    world.announce(end_at(1, 12, T + 100, T + 110)).await;
    assert_eq!(client.events(), ["11", "11"]);
    assert_eq!((other.events(), late.events()), (vec![], vec![]), "who was told of no start");
    assert_eq!(pushed(&mut world), [(11, None), (-11, Some(2))]);
    world.announce(end_at(1, 12, T + 100, T + 111)).await;
    assert_eq!((client.events(), pushed(&mut world)), (vec![], vec![]), "one end");
}

#[tokio::test]
async fn an_end_is_the_alarm_again_with_another_cause() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let mut world = RouterWorld::start(directory.path().into(), std::slice::from_ref(&amy)).await;
    world.ends.send(BOTH).unwrap();
    let mut client = world.login(amy, None).await;
    world.announce(alarm_at(1, 10, T)).await;
    world.announce(end_at(1, 10, T, T + 5)).await;
    client.outbox.try_recv().unwrap();
    let Ok(Outgoing::Frame(text)) = client.outbox.try_recv() else { panic!("no frame") };
    assert_eq!(
        serde_json::from_str::<Value>(&text).unwrap(),
        serde_json::json!({"event": "alarm", "type": "", "status": "Success", "events": [{"EventId": "10",
            "MonitorId": "1", "Name": "Garage", "MonitorName": "Garage", "Cause": "End:Motion"}]})
    );
}

#[tokio::test]
async fn a_mute_and_rights_stop_an_end_and_an_end_that_was_skipped_is_written_down() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let mut world = RouterWorld::start(directory.path().into(), std::slice::from_ref(&amy)).await;
    world.ends.send(BOTH).unwrap();
    let mut client = world.login(amy.clone(), None).await;
    world.register(&client, PHONE, |_| {}).await.unwrap();
    world.announce(alarm_at(1, 10, T)).await;
    world.publish(catalog(&[user("amy", MonitorRights::none())])).await;
    world.announce(end_at(1, 10, T, T + 5)).await;
    assert_eq!(client.events(), ["10"]);
    assert_eq!(pushed(&mut world), [(10, None)]);
    let rows = world.state.deliveries_of_event(EventId(10), 10).await.unwrap();
    let told: Vec<_> = rows.iter().map(|row| (row.phase, row.reason.to_string())).collect();
    assert_eq!(told, [(Phase::Start, String::new()), (Phase::End, "rights".to_owned())]);
    let alarm = world.state.alarms_of_event(EventId(10), 1).await.unwrap().pop().unwrap();
    assert_eq!(alarm.ended_at, Some(Timestamp::from_second(T + 5).unwrap()));
}

#[tokio::test]
async fn after_a_restart_the_end_goes_to_the_phones_that_were_told_and_to_no_older_start() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let users = [amy.clone()];
    let mut world = RouterWorld::start(directory.path().into(), &users).await;
    world.ends.send(BOTH).unwrap();
    let client = world.login(amy.clone(), None).await;
    world.register(&client, PHONE, |_| {}).await.unwrap();
    let now = T;
    world.announce(alarm_at(2, 9, now - 60)).await;
    world.announce(alarm_at(1, 10, now)).await;
    let mut world = world.restart(&users).await;
    world.ends.send(BOTH).unwrap();
    world.announce(end_at(1, 10, now, now + 5)).await;
    assert_eq!(pushed(&mut world), [(-10, Some(2))]);
    world.announce(end_at(2, 11, now - 10, now + 5)).await;
    assert_eq!(pushed(&mut world), [], "that start belongs to an episode whose end nobody saw");
}

#[tokio::test]
async fn if_only_targets_are_reached_phones_get_no_end_and_sockets_no_copy() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let mut world = RouterWorld::start(directory.path().into(), std::slice::from_ref(&amy)).await;
    world.ends.send(BOTH).unwrap();
    let client = world.login(amy.clone(), None).await;
    world.register(&client, PHONE, |_| {}).await.unwrap();
    world.announce(alarm_at(1, 10, T)).await;
    assert_eq!(pushed(&mut world), [(10, None)]);
    world.stop_all().await;

    let targets_only = PushRules { phones: false, ..PUSH_ON };
    let mut world =
        RouterWorld::with_rules(directory.path().into(), std::slice::from_ref(&amy), targets_only).await;
    world.ends.send(BOTH).unwrap();
    let mut client = world.connect(8).await;
    world.attach(&client, amy, None, Some(PHONE)).await;
    world.announce(end_at(1, 10, T, T + 5)).await;
    assert_eq!(pushed(&mut world), []);
    world.announce(alarm_at(1, 11, T + 60)).await;
    world.announce(end_at(1, 11, T + 60, T + 65)).await;
    let mut frames = Vec::new();
    while let Ok(Outgoing::Frame(text)) = client.outbox.try_recv() {
        frames.push(text.to_string());
    }
    assert!(!frames.iter().any(|frame| frame.contains("supplementary")), "{frames:?}");
    assert_eq!(frames.len(), 2);
    assert_eq!(pushed(&mut world), []);
}
