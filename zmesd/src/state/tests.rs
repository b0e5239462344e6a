use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use zmes_shared::control::Since;
use zmes_shared::{EventId, MonitorId};

use super::{Device, Note, OpenError, State};
use crate::config::StateConfig;
use crate::domain::{Alarm, App, MonitorFilter, Origin, Platform, PushState, PushToken, Token, TokenId};
use crate::ports::{Clock, SystemClock};

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

fn config(directory: &Path) -> StateConfig {
    StateConfig {
        directory: directory.to_owned(),
        keep_events: Duration::from_hours(1),
        keep_deliveries: Duration::ZERO,
        keep_tombstones: Duration::ZERO,
    }
}

fn alarm(event: u64, monitor: u32, origin: Origin) -> Note {
    Note::Announced(
        Arc::new(Alarm {
            monitor: MonitorId(monitor),
            monitor_name: "Garage".into(),
            event: (event > 0).then_some(EventId(event)),
            cause: "Motion".into(),
            at: clock().now(),
            detected: Instant::now(),
            origin,
        }),
        Arc::default(),
    )
}

/// Opens the state, writes the notes, stops the writer: everything is on the disk when this returns.
async fn write(directory: &Path, notes: Vec<Note>) {
    let state = State::open(&config(directory), clock()).await.unwrap();
    for note in notes {
        assert!(state.handle.note(note));
    }
    let stop = CancellationToken::new();
    stop.cancel();
    state.writer.run(stop).await;
}

#[tokio::test]
async fn what_is_noted_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let device = Device { user: "amy".into(), app: "1.8.001".into() };
    let filter = MonitorFilter::parse("1,2", "0,60").unwrap();
    let at = Timestamp::from_second(1_900_000_000).unwrap();
    let sent = Note::Sent([device.clone()].into(), MonitorId(2), at);
    write(
        directory.path(),
        vec![alarm(7, 3, Origin::Poll), Note::Filter(device.clone(), filter.clone()), sent],
    )
    .await;

    let state = State::open(&config(directory.path()), clock()).await.unwrap();
    assert_eq!(state.remembered.cursors[&MonitorId(3)].event, EventId(7));
    assert!(state.remembered.announced.contains(&EventId(7)));
    assert_eq!(state.remembered.filters[&device], filter);
    assert_eq!(state.remembered.sent[&(device, MonitorId(2))], at);
}

#[tokio::test]
async fn a_late_alarm_never_moves_a_cursor_back_but_a_restored_database_does() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), vec![alarm(101, 1, Origin::Poll), alarm(100, 1, Origin::Reconciled)]).await;
    let state = State::open(&config(directory.path()), clock()).await.unwrap();
    assert_eq!(state.remembered.cursors[&MonitorId(1)].event, EventId(101));
    state.handle.reader.close().await;
    write(directory.path(), vec![alarm(5, 1, Origin::Poll)]).await;
    let state = State::open(&config(directory.path()), clock()).await.unwrap();
    assert_eq!(state.remembered.cursors[&MonitorId(1)].event, EventId(5));
}

#[tokio::test]
async fn a_replay_is_oldest_first_and_says_when_something_is_missing() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), Vec::new()).await;
    let notes = [10, 11, 0, 13].map(|event| alarm(event, 1, Origin::Poll));
    write(directory.path(), notes.into()).await;
    let state = State::open(&config(directory.path()), clock()).await.unwrap();
    let stop = CancellationToken::new();
    let writing = TaskTracker::new();
    writing.spawn(state.writer.run(stop.clone()));
    let since = |since, limit| state.handle.alarms_since(since, limit);
    let ids = |replay: super::Replay| {
        let ids =
            replay.alarms.iter().map(|alarm| alarm.event.map_or(0, |event| event.0)).collect::<Vec<_>>();
        (ids, replay.gap)
    };
    assert_eq!(ids(since(Since::Event(EventId(10)), 10).await.unwrap()), (vec![11, 0, 13], false));
    assert_eq!(ids(since(Since::Event(EventId(12)), 10).await.unwrap()), (vec![0, 13], false));
    assert_eq!(ids(since(Since::Event(EventId(9)), 10).await.unwrap()), (vec![10, 11, 0, 13], true));
    assert_eq!(ids(since(Since::Event(EventId(10)), 2).await.unwrap()), (vec![0, 13], true));
    let long_ago = Timestamp::from_second(1).unwrap();
    assert_eq!(ids(since(Since::Time(long_ago), 10).await.unwrap()), (vec![10, 11, 0, 13], true));
    let when_it_began = state.remembered.since.unwrap();
    assert_eq!(ids(since(Since::Time(when_it_began), 10).await.unwrap()), (vec![10, 11, 0, 13], false));
    assert_eq!(ids(since(Since::Time(clock().now()), 10).await.unwrap()), (vec![], false));
    // What was announced a moment ago is there too.
    assert!(state.handle.note(alarm(14, 1, Origin::Poll)));
    assert_eq!(ids(since(Since::Event(EventId(13)), 10).await.unwrap()), (vec![14], false));
    stop.cancel();
    writing.close();
    writing.wait().await;
}

#[tokio::test]
async fn a_file_of_a_newer_zmesd_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), vec![]).await;
    let path = directory.path().join(zmes_shared::paths::STATE_FILE);
    let pool = super::file::pool(&path, 1).await.unwrap();
    sqlx::query("INSERT INTO _sqlx_migrations VALUES (999, 'later', 0, 1, x'00', 0)")
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
    let error = State::open(&config(directory.path()), clock()).await.unwrap_err();
    assert!(matches!(error, OpenError::Newer { .. }), "{error}");
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = State::open(&config(&file.join("state")), clock()).await.unwrap_err();
    assert!(error.to_string().contains("file/state"), "{error}");
}

#[tokio::test]
async fn a_token_that_is_muted_until_somebody_unmutes_it_can_be_read_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let secret = PushToken::parse("abc").unwrap();
    let at = Timestamp::from_second(1_900_000_000).unwrap();
    let token = Token {
        id: TokenId(1),
        handle: secret.handle(),
        token: secret,
        platform: Platform::Ios,
        state: PushState::Enabled,
        user: "amy".to_owned(),
        app: App::ZmNinja,
        app_version: String::new(),
        profile: String::new(),
        filter: MonitorFilter::All,
        badge: 0,
        created_at: at,
        last_seen_at: at,
        mute_until: Some(Timestamp::MAX),
        transport: None,
        revoked: None,
    };
    write(directory.path(), vec![Note::Token(Arc::new(token.clone()))]).await;
    let state = State::open(&config(directory.path()), clock()).await.unwrap();
    assert_eq!(state.remembered.tokens, [token]);
}

#[tokio::test]
async fn the_alarms_of_one_event_and_how_far_the_record_reaches_can_be_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    write(
        directory.path(),
        vec![alarm(10, 1, Origin::Poll), alarm(11, 1, Origin::Poll), alarm(10, 1, Origin::Poll)],
    )
    .await;
    let state = State::open(&config(directory.path()), clock()).await.unwrap();
    let stop = CancellationToken::new();
    let writing = TaskTracker::new();
    writing.spawn(state.writer.run(stop.clone()));
    assert_eq!(state.handle.alarms_of_event(EventId(10), 9).await.unwrap().len(), 2);
    assert_eq!(state.handle.alarms_of_event(EventId(10), 1).await.unwrap().len(), 1);
    assert_eq!(state.handle.alarms_of_event(EventId(12), 9).await.unwrap(), []);
    assert!(state.handle.reaches_back_to(clock().now()).await.unwrap());
    assert!(!state.handle.reaches_back_to(Timestamp::from_second(1).unwrap()).await.unwrap());
    stop.cancel();
    writing.close();
    writing.wait().await;
}
