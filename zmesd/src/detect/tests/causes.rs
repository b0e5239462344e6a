//! The cause of an alarm when ZoneMinder provides little: it is never empty.

use super::*;

/// 1.38.4 (888) and 1.39.22 (888): shared memory keeps the cause with which the continuous event was opened.
#[tokio::test(start_paused = true)]
async fn motion_inside_a_continuous_event_is_told_by_the_notes() {
    for (in_memory, in_row, notes, told) in [
        ("Continuous", "Continuous", "Motion: All", "Motion: All"),
        (" Continuous ", "Continuous", "Motion: Front, Yard", "Motion: Front, Yard"),
        // The notes are written through a queue, and may not be there yet.
        ("Continuous", "Continuous", "", "Motion"),
        ("", "", "", "Motion"),
        ("", "Linked", "Motion: All", "Linked"),
        // Shared memory is more precise about the alarm than a row that was opened before it.
        ("Motion:Door", "Continuous", "Motion: All", "Motion:Door"),
    ] {
        let mut world = World::idle(888, Recording::Always, 7).await;
        world.store.open(7, ONE, in_row);
        world.store.notes(7, notes);
        world.source.show(ONE, Ok(reading(888, Alarmed, 7, in_memory)));
        let alarm = world.alarm().await;
        assert_eq!(
            (alarm.event, &*alarm.cause),
            (Some(EventId(7)), told),
            "{in_memory:?} {in_row:?} {notes:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_table_alone_tells_of_has_its_notes_or_the_usual_word() {
    let mut world = World::idle(888, Recording::Always, 7).await;
    world.store.open(7, ONE, "Continuous");
    sleep(Duration::from_secs(3)).await;
    world.store.notes(7, "Motion: All");
    world.store.alarm_frames(7, 9);
    let alarm = world.alarm().await;
    assert_eq!((alarm.event, &*alarm.cause, alarm.late()), (Some(EventId(7)), "Motion: All", true));
}

/// Up to 1.30 (320 bytes) there is no cause in shared memory.
#[tokio::test(start_paused = true)]
async fn where_shared_memory_has_no_cause_the_row_is_asked() {
    for (cause, notes, told) in
        [("Forced Web", "", "Forced Web"), ("", "Motion: All", "Motion: All"), ("", "", "Motion")]
    {
        let mut world = World::idle(872, Recording::OnAlarm, 7).await;
        world.store.open(8, ONE, cause);
        world.store.notes(8, notes);
        world.source.show(ONE, Ok(reading(872, Alarmed, 8, "")));
        let alarm = world.alarm().await;
        assert_eq!((alarm.event, &*alarm.cause, alarm.late()), (Some(EventId(8)), told, false));
        world.silence().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_alarm_without_database_and_cause_is_motion() {
    let mut world = World::idle(872, Recording::OnAlarm, 7).await;
    world.store.set_down(true);
    world.source.show(ONE, Ok(reading(872, Alarmed, 8, "")));
    assert_eq!(&*world.alarm().await.cause, "Motion");
}
