//! Flapping shared memory: its alarms are limited and reported once, and it ends by itself.

use super::*;

#[tokio::test(start_paused = true)]
async fn memory_that_flaps_is_bounded_told_and_got_over() {
    let settings = DetectConfig { alarm_limit: 60, ..config() };
    let monitors = vec![monitor(ONE, "Front", Recording::OnAlarm)];
    let mut world = World::with(monitors, &[], settings, ScriptedStore::default());
    world.show(768, Idle, 7);
    sleep(Duration::from_millis(50)).await;
    // A new event with every other poll, for a minute and a half: 24 alarms per second.
    for event in 8..2008 {
        world.show(768, Alarmed, event);
        sleep(Duration::from_millis(21)).await;
        world.show(768, Idle, event);
        sleep(Duration::from_millis(21)).await;
    }
    let report = world.report(ONE, |report| report.condition != Condition::Captured).await;
    assert!(report.healthy(), "{report:?}");
    assert_eq!(report.condition, Condition::Flapping { limit: 60 });
    let (mut announced, mut ended) = (Vec::new(), Vec::new());
    while let Ok(alarm) = world.alarms.try_recv() {
        if alarm.is_end() { ended.extend(alarm.event) } else { announced.extend(alarm.event) }
    }
    // Sixty alarms in each of the two minutes, each with its end.
    assert_eq!((announced.len(), &ended), (120, &announced));
    // The last alarm held back is announced at the end of the minute.
    let last = timeout(Duration::from_mins(2), world.alarms.recv()).await.expect("an alarm").unwrap();
    assert_eq!(last.event, Some(EventId(2007)));
    let end = world.told().await;
    assert_eq!((end.event, end.is_end()), (last.event, true), "the monitor has been calm for a while");
    world.report(ONE, |report| report.condition == Condition::Captured).await;
    world.show(768, Alarmed, 3000);
    assert_eq!(world.alarm().await.event, Some(EventId(3000)), "and then as ever");
}
