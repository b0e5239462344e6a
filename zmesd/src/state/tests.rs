mod cluster;
mod ends;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::Connection;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use zmes_providers::{App, Platform, PushToken, Urgency};
use zmes_shared::control::Since;
use zmes_shared::words::LabelWait;
use zmes_shared::{EventId, Label, MonitorId};

use super::{AlarmQuery, Device, DeviceNote, EndNote, LastFilter, Note, OpenError, State, TokenDecision};
use crate::config::StateConfig;
use crate::domain::{
    Alarm, AlarmLabels, AlarmSpan, Decision, DeliveryId, MonitorFilter, Origin, Phase, PushState, Revoked,
    SkipReason, SnoozeId, StartState, Token, TokenBlock, TokenId,
};
use crate::ports::{Clock, SystemClock};

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

fn config(directory: &Path) -> StateConfig {
    StateConfig {
        directory: directory.to_owned(),
        keep_events: Duration::from_hours(1),
        keep_deliveries: Duration::from_hours(1),
        keep_tombstones: Duration::from_hours(1),
        max_size: 1 << 28,
    }
}

fn alarm(event: u64, monitor: u32, origin: Origin) -> Note {
    Note::Announced(
        Arc::new(Alarm {
            monitor: MonitorId(monitor),
            monitor_name: "Garage".into(),
            event: (event > 0).then_some(EventId(event)),
            cause: "Motion".into(),
            labels: AlarmLabels::default(),
            at: clock().now(),
            detected: Instant::now(),
            origin,
            phase: Phase::Start,
            span: None,
            elsewhere: None,
            stands_for_event: false,
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
    let device = Device { user: "amy".into(), kind: App::ZmNinja, app: "1.8.001".into() };
    let filter = MonitorFilter::parse("1,2", "0,60").unwrap();
    let at = Timestamp::from_second(1_900_000_000).unwrap();
    let sent = Note::Sent([device.clone()].into(), MonitorId(2), at);
    let last = LastFilter { filter, broken_at: Some(at) };
    let note = DeviceNote { device: device.clone(), last: Some(last.clone()), forget_intervals: false };
    write(
        directory.path(),
        vec![alarm(7, 3, Origin::Poll), alarm(0, 4, Origin::Poll), Note::Devices(vec![note]), sent],
    )
    .await;

    let state = State::open(&config(directory.path()), clock()).await.unwrap();
    assert_eq!(state.remembered.cursors[&MonitorId(3)].event, EventId(7));
    assert!(state.remembered.announced.contains(&EventId(7)));
    let unidentified = &state.remembered.unidentified;
    assert_eq!((unidentified.len(), unidentified[&MonitorId(4)].len()), (1, 1));
    assert_eq!(state.remembered.filters[&device], last);
    assert_eq!(state.remembered.sent[&(device, MonitorId(2))], at);
}

#[tokio::test]
async fn a_late_alarm_never_moves_a_cursor_back_but_a_restored_database_does() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), vec![alarm(101, 1, Origin::Poll), alarm(100, 1, Origin::Reconciled)]).await;
    let state = State::open(&config(directory.path()), clock()).await.unwrap();
    assert_eq!(state.remembered.cursors[&MonitorId(1)].event, EventId(101));
    state.handle.reader.borrow().clone().close().await;
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
    // In pages it is the same.
    for (from, limit) in [(10, 10), (12, 10), (9, 10), (10, 2), (13, 10)] {
        let whole = ids(since(Since::Event(EventId(from)), limit).await.unwrap());
        let mut span = state.handle.replay_span(Since::Event(EventId(from)), limit).await.unwrap();
        let (gap, mut paged) = (span.gap, Vec::new());
        while let Some((number, alarm)) = state.handle.replay_page(span, 1).await.unwrap().pop() {
            span.after = number;
            paged.push(alarm.event.map_or(0, |event| event.0));
        }
        assert_eq!((paged, gap), whole, "since {from}, at most {limit}");
    }
    // The latest announcement is there, too.
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

fn token(id: i64) -> Token {
    let secret = PushToken::parse(&format!("secret-{id}:with-colon")).unwrap();
    Token {
        state: PushState::Disabled,
        user: "amy".into(),
        app: App::ZmNinjaNg,
        app_version: "1.1.14".into(),
        profile: "Home".into(),
        filter: MonitorFilter::parse("1,2", "0,60").unwrap(),
        badge: 7,
        last_seen_at: Timestamp::from_second(1_900_000_060).unwrap(),
        mute_until: Some(Timestamp::from_second(1_900_003_600).unwrap()),
        ..Token::new(TokenId(id), secret, Platform::Ios, Timestamp::from_second(1_900_000_000).unwrap())
    }
}

fn decided(id: i64, token: i64, decision: Decision) -> TokenDecision {
    TokenDecision {
        id: DeliveryId(id),
        token: TokenId(token),
        decision,
        badge: 8,
        by: None,
        urgency: Urgency::Normal,
        start: None,
    }
}

#[tokio::test]
async fn a_token_comes_back_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let at = Timestamp::from_second(1_900_000_000).unwrap();
    let kept = token(3);
    let revoked = Some(Revoked { at: clock().now(), reason: "admin".into(), blocked: false });
    let gone = Token { revoked, mute_until: Some(Timestamp::MAX), block_changed: Some(at), ..token(4) };
    let notes = vec![
        Note::Token(Arc::new(Token { badge: 1, ..kept.clone() })),
        Note::Token(Arc::new(kept.clone())),
        Note::Token(Arc::new(gone.clone())),
        Note::TokenSent(vec![TokenId(3)], MonitorId(2), at),
    ];
    write(directory.path(), notes).await;
    let state = State::open(&config(directory.path()), clock()).await.unwrap();
    let [first, second] = &state.remembered.tokens[..] else { panic!("{:?}", state.remembered.tokens) };
    assert_eq!(first, &kept);
    assert_eq!(
        (second.revoked.as_ref().map(|revoked| &*revoked.reason), second.mute_until.is_some()),
        (Some("admin"), true)
    );
    assert!(second.muted(clock().now()));
    // When an admin unblocked it: nodes of a cluster compare it.
    assert_eq!(second.block(), Some(TokenBlock { at, is_on: false }));
    assert_eq!(state.remembered.token_sent, [((TokenId(3), MonitorId(2)), at)].into());
}

#[tokio::test]
async fn alarm_cursor_and_pushes_are_on_the_disk_together() {
    let directory = tempfile::tempdir().unwrap();
    let Note::Announced(alarm, _) = alarm(7, 3, Origin::Poll) else { panic!() };
    let skip = Decision::Skip(SkipReason::Filter);
    let decisions = [decided(1, 3, Decision::Send), decided(2, 4, skip)];
    let tokens = [token(3), token(4)].map(|token| Note::Token(Arc::new(token)));
    write(directory.path(), tokens.into_iter().chain([Note::Announced(alarm, decisions.into())]).collect())
        .await;

    let state = State::open(&config(directory.path()), clock()).await.unwrap();
    assert_eq!(state.remembered.cursors[&MonitorId(3)].event, EventId(7));
    assert_eq!(state.remembered.last_delivery, DeliveryId(2));
    let badges: Vec<_> = state.remembered.tokens.iter().map(|token| token.badge).collect();
    assert_eq!(badges, [8, 7], "counted where it is pushed");
    let page = state.handle.pushes_after(DeliveryId(0), 10).await.unwrap();
    let pushes = page.pushes;
    assert_eq!((pushes.len(), page.last, page.full), (1, Some(DeliveryId(1)), false));
    assert_eq!(
        (pushes[0].token.token.expose(), pushes[0].alarm.event),
        ("secret-3:with-colon", Some(EventId(7)))
    );
    assert!(state.handle.pushes_after(DeliveryId(1), 10).await.unwrap().pushes.is_empty());
}

#[tokio::test]
async fn a_test_counts_no_badge_and_moves_no_cursor() {
    let directory = tempfile::tempdir().unwrap();
    let Note::Announced(alarm, _) = alarm(7, 3, Origin::Test) else { panic!() };
    let tested = Note::Announced(alarm, [decided(1, 3, Decision::Send)].into());
    write(directory.path(), vec![Note::Token(Arc::new(token(3))), tested]).await;
    let state = State::open(&config(directory.path()), clock()).await.unwrap();
    assert!(state.remembered.cursors.is_empty());
    assert_eq!(state.remembered.tokens[0].badge, 7);
    assert!(state.remembered.announced.is_empty());
}

#[tokio::test]
async fn a_trouble_of_the_same_moment_is_not_counted_for_an_alarm() {
    let directory = tempfile::tempdir().unwrap();
    let Note::Announced(mut told, _) = alarm(7, 3, Origin::Poll) else { panic!() };
    Arc::make_mut(&mut told).event = None;
    let mut notes = vec![Note::Announced(Arc::clone(&told), [decided(1, 3, Decision::Send)].into())];
    for (number, origin) in (2..).zip([Origin::Test, Origin::Snooze, Origin::Trouble]) {
        let other = Arc::new(Alarm { origin, ..Alarm::clone(&told) });
        let pushes = vec![(other, [decided(number, 3, Decision::Send)].into())];
        notes.push(Note::SnoozeEnded(SnoozeId(1), told.at, pushes));
    }
    write(directory.path(), notes).await;
    let state = State::open(&config(directory.path()), clock()).await.unwrap();
    let query = AlarmQuery { monitor: None, since: None, until: None, before: None, limit: 10 };
    let (alarms, _) = state.handle.tallied_alarms(query).await.unwrap();
    let queued: Vec<_> = alarms.iter().map(|tallied| tallied.told.queued).collect();
    assert_eq!(queued, [1]);
}

#[tokio::test]
async fn what_is_old_is_forgotten_and_what_is_not_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let long_ago = clock().now() - Duration::from_hours(2);
    let Note::Announced(mut old, _) = alarm(7, 3, Origin::Poll) else { panic!() };
    Arc::make_mut(&mut old).at = long_ago;
    let Note::Announced(new, _) = alarm(8, 3, Origin::Poll) else { panic!() };
    let revoked = |id| Token {
        revoked: Some(Revoked { at: long_ago, reason: String::new(), blocked: false }),
        ..token(id)
    };
    let notes = vec![
        Note::Token(Arc::new(token(3))),
        Note::Token(Arc::new(revoked(2))),
        // Its id must not be given away while deliveries of it may be kept.
        Note::Token(Arc::new(revoked(4))),
        Note::Announced(old, [decided(1, 3, Decision::Send)].into()),
        Note::Announced(new, [decided(2, 3, Decision::Send)].into()),
    ];
    write(directory.path(), notes).await;
    let hour = Duration::from_hours(1);
    let config = StateConfig { keep_deliveries: hour, keep_tombstones: hour, ..config(directory.path()) };
    let state = State::open(&config, clock()).await.unwrap();
    let (handle, stop) = (state.handle.clone(), CancellationToken::new());
    let writing = TaskTracker::new();
    // A writer begins by looking for old entries.
    writing.spawn(state.writer.run(stop.clone()));
    assert!(handle.settle().await);
    let known: Vec<_> = handle.tokens().await.unwrap().iter().map(|row| row.token.id.0).collect();
    assert_eq!(known, [3, 4]);
    let left: Vec<_> = handle.deliveries_queued(10).await.unwrap().iter().map(|row| row.id.0).collect();
    assert_eq!(left, [2]);
    let report = handle.examine().await.unwrap();
    assert!(report.damage.is_empty() && report.writable && report.bytes > 0, "{report:?}");
    stop.cancel();
    writing.close();
    writing.wait().await;
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

async fn spoil(directory: &Path, statement: &'static str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(directory.join("zmesd.db"));
    let mut file = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query(statement).execute(&mut file).await.unwrap();
}

#[tokio::test]
async fn one_row_that_makes_no_sense_keeps_back_no_other_push() {
    let directory = tempfile::tempdir().unwrap();
    let (Note::Announced(first, _), Note::Announced(second, _)) =
        (alarm(7, 3, Origin::Poll), alarm(8, 3, Origin::Poll))
    else {
        panic!()
    };
    let notes = vec![
        Note::Token(Arc::new(token(3))),
        Note::Announced(first, [decided(1, 3, Decision::Send)].into()),
        Note::Announced(second, [decided(2, 3, Decision::Send)].into()),
    ];
    write(directory.path(), notes).await;
    spoil(directory.path(), "UPDATE pushed_alarms SET monitor_name = CAST(x'ff' AS TEXT) WHERE event_id = 7")
        .await;
    let state = State::open(&config(directory.path()), clock()).await.unwrap();
    let page = state.handle.pushes_after(DeliveryId(0), 10).await.unwrap();
    let events: Vec<_> = page.pushes.iter().map(|push| push.alarm.event).collect();
    assert_eq!((events, page.last), (vec![Some(EventId(8))], Some(DeliveryId(2))));
}

#[tokio::test]
async fn a_token_that_the_file_has_under_another_id_is_written_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), vec![Note::Token(Arc::new(token(3))), Note::Token(Arc::new(token(4)))]).await;
    // The router knows the first one as 5, and another token as 4.
    let moved = Token { id: TokenId(5), ..token(3) };
    let other = Token { id: TokenId(4), ..token(9) };
    write(directory.path(), vec![Note::Tokens(vec![Arc::new(moved), Arc::new(other)])]).await;
    let state = State::open(&config(directory.path()), clock()).await.unwrap();
    let kept: Vec<_> =
        state.remembered.tokens.iter().map(|token| (token.id.0, token.token.expose())).collect();
    assert_eq!(kept, [(4, "secret-9:with-colon"), (5, "secret-3:with-colon")]);
}

#[tokio::test]
async fn an_end_and_its_pushes_are_on_the_disk_together_and_a_new_daemon_knows_what_is_open() {
    let directory = tempfile::tempdir().unwrap();
    let started = |event, monitor, decisions: &[TokenDecision]| {
        let Note::Announced(alarm, _) = alarm(event, monitor, Origin::Poll) else { panic!() };
        (Arc::clone(&alarm), Note::Announced(alarm, decisions.into()))
    };
    let (first, first_note) = started(7, 3, &[decided(1, 3, Decision::Send)]);
    let (_, second_note) = started(8, 4, &[decided(2, 3, Decision::Send), decided(3, 4, Decision::Send)]);
    let ended_at = Timestamp::from_millisecond(first.at.as_millisecond() + 42_000).unwrap();
    let span = Some(AlarmSpan { began: first.at, lasted: Some(Duration::from_secs(42)) });
    let end = Arc::new(Alarm { at: ended_at, phase: Phase::End, span, ..Alarm::clone(&first) });
    let push = TokenDecision { start: Some(DeliveryId(1)), ..decided(4, 3, Decision::Send) };
    let ended = EndNote { end: Arc::clone(&end), pushes: vec![(end, [push].into())] };
    let tokens = [token(3), token(4)].map(|token| Note::Token(Arc::new(token)));
    let notes = tokens.into_iter().chain([first_note, second_note, Note::Ended(Box::new(ended))]);
    write(directory.path(), notes.collect()).await;

    let state = State::open(&config(directory.path()), clock()).await.unwrap();
    let open: Vec<_> = state.remembered.open.iter().map(|open| (open.monitor, open.event)).collect();
    assert_eq!(open, [(MonitorId(4), Some(EventId(8)))]);
    let started = state.remembered.started.iter().map(|started| (started.token.0, started.delivery.0));
    assert_eq!(started.collect::<Vec<_>>(), [(3, 2), (4, 3)]);
    let pushes = state.handle.pushes_after(DeliveryId(3), 10).await.unwrap().pushes;
    assert_eq!(pushes[0].start.map(|start| (start.id, start.state)), Some((DeliveryId(1), StartState::Sent)));
    assert!(pushes[0].alarm.is_end() && pushes[0].alarm.lasted() == Some(Duration::from_secs(42)));
    let (ends, _) = state.handle.ends_since(Since::Time(first.at), 10).await.unwrap();
    let ends: Vec<_> = ends.iter().map(|end| (end.alarm.event, end.ended_at, end.lasted.as_secs())).collect();
    assert_eq!(ends, [(Some(EventId(7)), ended_at, 42)]);
    assert!(state.handle.ends_since(Since::Time(ended_at), 10).await.unwrap().0.is_empty());
    let (alarms, _) =
        state.handle.tallied_alarms(AlarmQuery { limit: 9, ..AlarmQuery::default() }).await.unwrap();
    let told: Vec<_> = alarms.iter().map(|one| (one.alarm.ended_at, one.told.queued)).collect();
    assert_eq!(told, [(Some(ended_at), 1), (None, 2)], "ends are not counted among the pushes of an alarm");
}

#[tokio::test]
async fn labels_keep_their_highest_confidence_and_what_waits_is_read_by_the_next_daemon() {
    let directory = tempfile::tempdir().unwrap();
    let label = |name: &str, percent| Label::new(name, percent).unwrap();
    let (now, long_ago) = (clock().now(), clock().now() - Duration::from_hours(2));
    let seen = |labels: Vec<Label>| vec![(EventId(7), Arc::from(labels))];
    let Note::Announced(told, _) = alarm(7, 3, Origin::Poll) else { panic!() };
    let Note::Announced(other, _) = alarm(8, 3, Origin::Poll) else { panic!() };
    let wait = (Duration::from_millis(4200), LabelWait::Found);
    let known: Arc<[Label]> = [label("person", Some(95))].into();
    let labels = AlarmLabels { known: Arc::clone(&known), waited: Some(wait) };
    let released = Arc::new(Alarm { labels: labels.clone(), ..Alarm::clone(&other) });
    let notes = vec![
        Note::Token(Arc::new(token(3))),
        Note::Labels(seen(vec![label("person", None), label("cat", Some(80))]), now),
        Note::Labels(seen(vec![label("person", Some(60)), label("cat", Some(40))]), now),
        Note::Labels(vec![(EventId(6), Arc::clone(&known))], long_ago),
        Note::Held(Arc::clone(&told), now),
        Note::Held(Arc::clone(&other), now),
        Note::Released(Arc::clone(&released), vec![(released, [decided(1, 3, Decision::Send)].into())]),
    ];
    write(directory.path(), notes).await;
    let state = State::open(&config(directory.path()), clock()).await.unwrap();
    let held: Vec<_> = state.remembered.held.iter().map(|held| held.alarm.event).collect();
    assert_eq!(held, [told.event], "the other one was decided");
    assert_eq!(state.remembered.announced.len(), 2, "both are in the record, with the cursor");
    assert_eq!(state.remembered.cursors[&MonitorId(3)].event, EventId(8));
    let pushes = state.handle.pushes_after(DeliveryId(0), 10).await.unwrap().pushes;
    assert_eq!(pushes[0].alarm.labels, labels, "a push says after a restart what was detected");
    let found = state.handle.labels_of(&[EventId(6), EventId(7)]).await.unwrap();
    assert_eq!(Label::listed(&found[&EventId(7)]), "cat 80 %, person 60 %");
    assert!(!found.contains_key(&EventId(6)), "it is older than keep-events");
}
