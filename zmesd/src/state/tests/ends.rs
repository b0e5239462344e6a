//! Ends of alarms on the disk.

use super::*;

fn started(event: u64, monitor: u32, at: Timestamp) -> Arc<Alarm> {
    let Note::Announced(alarm, _) = alarm(event, monitor, Origin::Poll) else { panic!() };
    Arc::new(Alarm { at, ..Alarm::clone(&alarm) })
}

fn announced(alarm: &Arc<Alarm>) -> Note {
    Note::Announced(Arc::clone(alarm), Arc::default())
}

fn end_of(first: &Alarm, lasted: Duration) -> Note {
    let span = Some(AlarmSpan { began: first.at, lasted: Some(lasted) });
    let end = Arc::new(Alarm { at: first.at + lasted, phase: Phase::End, span, ..first.clone() });
    Note::Ended(Box::new(EndNote { end, pushes: Vec::new() }))
}

#[tokio::test]
async fn an_end_does_not_cover_alarms_that_a_daemon_before_left_open_and_they_stay_closed() {
    let directory = tempfile::tempdir().unwrap();
    let now = clock().now();
    let (old, new) = (started(7, 3, now - Duration::from_mins(50)), started(8, 3, now));
    let (given_up, later) = (started(9, 4, now - Duration::from_mins(50)), started(10, 4, now));
    let notes = [&old, &given_up].map(announced).into_iter().chain([
        Note::GivenUp(MonitorId(4)),
        announced(&new),
        announced(&later),
        end_of(&new, Duration::from_secs(5)),
    ]);
    write(directory.path(), notes.collect()).await;
    let state = State::open(&config(directory.path()), clock()).await.unwrap();
    let open: Vec<_> = state.remembered.open.iter().map(|open| (open.event, open.began)).collect();
    let later_at = Timestamp::from_millisecond(now.as_millisecond()).unwrap();
    assert_eq!(open, [(Some(EventId(10)), later_at)], "what was given up is not a part of it");
    let (ends, _) = state.handle.ends_since(Since::Time(old.at - Duration::from_secs(1)), 10).await.unwrap();
    let ends: Vec<_> = ends.iter().map(|end| (end.alarm.event, end.lasted.as_secs())).collect();
    assert_eq!(ends, [(Some(EventId(8)), 5)]);
}

#[tokio::test]
async fn an_alarm_that_went_on_after_the_clock_was_stepped_back_ends_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let now = clock().now();
    let (first, second) = (started(7, 3, now), started(8, 3, now - Duration::from_mins(30)));
    write(directory.path(), vec![announced(&first), announced(&second)]).await;
    let state = State::open(&config(directory.path()), clock()).await.unwrap();
    let open = &state.remembered.open[0];
    assert_eq!((open.event, open.began), (Some(EventId(8)), open.at));
}

#[tokio::test]
async fn the_start_and_the_end_of_an_alarm_that_waited_for_labels_are_on_the_disk_together() {
    let directory = tempfile::tempdir().unwrap();
    let start = started(7, 3, clock().now());
    let Note::Ended(end) = end_of(&start, Duration::from_secs(5)) else { panic!() };
    let push = TokenDecision { start: Some(DeliveryId(1)), ..decided(2, 3, Decision::Send) };
    let messages = vec![
        (Arc::clone(&start), Arc::from([decided(1, 3, Decision::Send)])),
        (Arc::clone(&end.end), Arc::from([push])),
    ];
    let state = State::open(&config(directory.path()), clock()).await.unwrap();
    let notes = [
        Note::Token(Arc::new(token(3))),
        Note::Held(Arc::clone(&start), clock().now()),
        Note::Ended(end),
        Note::Released(start, messages),
    ];
    for note in notes {
        assert!(state.handle.note(note));
    }
    let stop = CancellationToken::new();
    stop.cancel();
    state.writer.run(stop).await;
    assert_eq!(state.committed.borrow().last, DeliveryId(2), "both may be sent");
    let state = State::open(&config(directory.path()), clock()).await.unwrap();
    assert!(state.remembered.held.is_empty());
    let pushes = state.handle.pushes_after(DeliveryId(0), 10).await.unwrap().pushes;
    let ends: Vec<_> = pushes.iter().map(|push| (push.alarm.is_end(), push.start.is_some())).collect();
    assert_eq!(ends, [(false, false), (true, true)]);
}

#[tokio::test]
async fn of_too_many_ends_the_newest_are_read_and_it_is_said_that_there_were_more() {
    let directory = tempfile::tempdir().unwrap();
    let began = clock().now() - Duration::from_mins(30);
    let mut notes = Vec::new();
    for number in 0..4 {
        let start = started(10 + number, 3, began + Duration::from_mins(number));
        notes.extend([announced(&start), end_of(&start, Duration::from_secs(5))]);
    }
    write(directory.path(), notes).await;
    let state = State::open(&config(directory.path()), clock()).await.unwrap();
    let since = Since::Time(began - Duration::from_secs(1));
    for (limit, newest, left_out) in [(2, vec![12, 13], true), (4, vec![10, 11, 12, 13], false)] {
        let (ends, gap) = state.handle.ends_since(since, limit).await.unwrap();
        let events: Vec<_> = ends.iter().filter_map(|end| end.alarm.event).map(|event| event.0).collect();
        assert_eq!((events, gap), (newest, left_out));
    }
}

/// Returns the number of transactions in SQLite's log: its frames that end one (SQLite, "WAL-mode File Format").
fn transactions(directory: &Path) -> usize {
    let log = std::fs::read(directory.join("zmesd.db-wal")).unwrap();
    let number = |at: usize| u32::from_be_bytes(log[at..at + 4].try_into().unwrap());
    let (page, salts) = (number(8) as usize, &log[16..24]);
    let frames = (32..log.len().saturating_sub(24 + page - 1)).step_by(24 + page);
    frames.filter(|at| log[at + 8..at + 16] == *salts && number(at + 4) != 0).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ends_that_come_together_share_a_flush_of_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let state = State::open(&config(directory.path()), clock()).await.unwrap();
    let (stop, writing) = (CancellationToken::new(), TaskTracker::new());
    writing.spawn(state.writer.run(stop.clone()));
    let now = clock().now();
    let starts: Vec<_> = (1..=40).map(|id| started(u64::from(id), id, now)).collect();
    let mut counts = vec![transactions(directory.path())];
    let begin = starts.iter().map(announced).collect::<Vec<_>>();
    let end = starts.iter().map(|start| end_of(start, Duration::from_secs(5))).collect::<Vec<_>>();
    for notes in [begin, end] {
        for note in notes {
            assert!(state.handle.note(note));
        }
        // Waits for what was noted before.
        assert!(!state.handle.ends_since(Since::Time(now), 100).await.unwrap().1);
        counts.push(transactions(directory.path()));
    }
    let (ends, _) = state.handle.ends_since(Since::Time(now), 100).await.unwrap();
    assert_eq!(ends.len(), 40);
    let used: Vec<_> = counts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    println!("40 starts: {} transactions, 40 ends: {}", used[0], used[1]);
    assert!(used.iter().all(|used| (1..=8).contains(used)), "{used:?}");
    stop.cancel();
    writing.close();
    writing.wait().await;
}
