use super::super::fakes::{ONE, ScriptedStore, TWO, config};
use super::*;
use zmes_shared::MonitorId;
use zmes_zoneminder::DatabaseTrouble;

struct Bench {
    store: ScriptedStore,
    reconciler: Reconciler,
    reports: mpsc::Receiver<ReconcilerReport>,
    config: watch::Sender<DetectConfig>,
}

impl Bench {
    /// Returns a reconciler of the very first run.
    fn first() -> Self {
        Self::new(Duration::ZERO, &[])
    }

    /// Returns a reconciler whose previous runs announced these events.
    fn after(announced: &[u64]) -> Self {
        Self::new(60 * 24 * MINUTE, announced)
    }

    fn new(reaches_back: Duration, announced: &[u64]) -> Self {
        let store = ScriptedStore::default();
        let (config, settings) = watch::channel(config());
        let (report_tx, reports) = mpsc::channel(64);
        let record = Record::new(reaches_back, announced.iter().copied().map(EventId).collect());
        let reconciler =
            Reconciler::new(Arc::new(store.clone()), settings, record, report_tx, Arc::default());
        Self { store, reconciler, reports, config }
    }

    async fn reports(&mut self) -> Vec<ReconcilerReport> {
        self.reconciler.round().await.unwrap();
        std::iter::from_fn(|| self.reports.try_recv().ok()).collect()
    }

    /// Returns the ids that one round reports.
    async fn ids(&mut self) -> Vec<u64> {
        let rows =
            self.reports().await.into_iter().filter_map(|report| {
                if let ReconcilerReport::Rows(rows) = report { Some(rows) } else { None }
            });
        rows.flatten().map(|row| row.id.0).collect()
    }

    /// Returns the events that one round reports as ended.
    async fn ended(&mut self) -> Vec<u64> {
        let ended = self.reports().await.into_iter().filter_map(|report| {
            if let ReconcilerReport::Ended(ended) = report { Some(ended) } else { None }
        });
        ended.flatten().map(|(_, event)| event.0).collect()
    }
}

const NONE: [u64; 0] = [];
const MINUTE: Duration = Duration::from_mins(1);

async fn pass(time: Duration) {
    tokio::time::advance(time).await;
}

#[tokio::test(start_paused = true)]
async fn the_very_first_start_begins_at_the_end_of_the_table() {
    let mut bench = Bench::first();
    bench.store.past(7, ONE, MINUTE);
    assert_eq!(bench.ids().await, NONE);
    bench.store.past(8, ONE, Duration::ZERO);
    assert_eq!(bench.ids().await, [8]);
    assert_eq!(bench.ids().await, NONE);
}

#[tokio::test(start_paused = true)]
async fn an_event_right_after_the_very_first_start_began_before_it_and_is_told() {
    let mut bench = Bench::first();
    pass(MINUTE).await;
    assert_eq!(bench.ids().await, NONE);
    // The pictures from before the alarm are part of the event.
    bench.store.past(8, ONE, Duration::from_secs(5));
    assert_eq!(bench.ids().await, [8]);
}

#[tokio::test(start_paused = true)]
async fn an_empty_table_is_a_beginning_too() {
    let mut bench = Bench::first();
    assert_eq!(bench.ids().await, NONE);
    bench.store.open(1, ONE, "Motion");
    assert_eq!(bench.ids().await, [1]);
}

#[tokio::test(start_paused = true)]
async fn what_happened_while_the_daemon_was_down_is_caught_up_if_it_is_young() {
    let mut bench = Bench::after(&[3, 19, 20]);
    pass(30 * MINUTE).await;
    for (id, monitor, minutes) in [
        (3, TWO, 25),
        (4, TWO, 20),
        (19, ONE, 9),
        (20, ONE, 8),
        (21, TWO, 8),
        (22, ONE, 7),
        (23, MonitorId(3), 1),
    ] {
        bench.store.past(id, monitor, minutes * MINUTE);
    }
    assert_eq!(bench.ids().await, [21, 22, 23]);
}

#[tokio::test(start_paused = true)]
async fn the_beginning_is_found_in_a_long_table_without_reading_it() {
    let mut bench = Bench::after(&[]);
    pass(60 * 24 * MINUTE).await;
    for id in 1..=1000_u32 {
        bench.store.past(u64::from(id) * 7, ONE, (1001 - id) * MINUTE);
    }
    let found = bench.ids().await;
    assert_eq!(found, (991..=1000).map(|id| id * 7).collect::<Vec<u64>>());
    assert!(bench.store.statements() < 20, "{} statements", bench.store.statements());
}

#[tokio::test(start_paused = true)]
async fn the_record_of_another_database_hides_nothing_of_this_one() {
    let mut bench = Bench::after(&[7, 8, 900]);
    bench.store.past(7, ONE, MINUTE);
    assert_eq!(bench.ids().await, NONE);
    bench.store.past(8, ONE, Duration::ZERO);
    assert_eq!(bench.ids().await, [8]);
}

#[tokio::test(start_paused = true)]
async fn a_lower_id_that_appears_after_a_higher_is_seen() {
    let mut bench = Bench::first();
    bench.ids().await;
    bench.store.past(13, ONE, Duration::ZERO);
    assert_eq!(bench.ids().await, [13]);
    pass(Duration::from_secs(8)).await;
    assert_eq!(bench.ids().await, NONE);
    bench.store.past(12, TWO, Duration::ZERO);
    assert_eq!(bench.ids().await, [12]);
    pass(Duration::from_secs(11)).await;
    assert_eq!(bench.ids().await, NONE);
    assert_eq!(bench.reconciler.window.as_ref().unwrap().position(), EventId(13));
}

#[tokio::test(start_paused = true)]
async fn an_alarm_inside_a_long_continuous_event_is_seen() {
    let mut bench = Bench::first();
    bench.ids().await;
    bench.store.open(8, ONE, "Continuous");
    for _ in 0..30 {
        pass(MINUTE).await;
        assert_eq!(bench.ids().await, NONE);
    }
    bench.store.alarm_frames(8, 5);
    assert_eq!(bench.ids().await, [8]);
    bench.store.close(8);
    assert_eq!(bench.ids().await, NONE);
}

#[tokio::test(start_paused = true)]
async fn an_alarm_in_a_section_that_was_open_at_the_very_first_start_is_seen() {
    let mut bench = Bench::first();
    bench.store.open(7, ONE, "Continuous");
    bench.store.open(8, TWO, "Motion");
    bench.store.past(9, TWO, MINUTE);
    pass(60 * MINUTE).await;
    assert_eq!(bench.ids().await, NONE, "what is over, and what runs, is none of its business");
    bench.store.alarm_frames(7, 3);
    bench.store.alarm_frames(8, 3);
    assert_eq!(bench.ids().await, [7]);
    assert_eq!(bench.ids().await, NONE);
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_old_sections_are_followed_unless_they_were_announced() {
    let mut bench = Bench::after(&[8]);
    bench.store.open(7, ONE, "Continuous");
    bench.store.open(8, TWO, "Continuous");
    pass(60 * MINUTE).await;
    bench.store.past(300, MonitorId(3), MINUTE);
    assert_eq!(bench.ids().await, [300]);
    bench.store.alarm_frames(7, 3);
    bench.store.alarm_frames(8, 3);
    assert_eq!(bench.ids().await, [7]);
}

#[tokio::test(start_paused = true)]
async fn events_that_a_crash_left_open_do_not_pile_up() {
    let mut bench = Bench::first();
    bench.ids().await;
    for id in 1..=20 {
        bench.store.open(id, ONE, "Continuous");
        pass(MINUTE).await;
        bench.ids().await;
    }
    pass(MINUTE).await;
    bench.ids().await;
    let window = bench.reconciler.window.as_ref().unwrap();
    assert_eq!(window.watched(|_| true), [EventId(19), EventId(20)]);
    bench.store.delete_after(19);
    bench.store.open(21, TWO, "Continuous");
    bench.ids().await;
    let window = bench.reconciler.window.as_ref().unwrap();
    assert_eq!(window.watched(|_| true), [EventId(19)], "deleted events are not asked for again");
}

#[tokio::test(start_paused = true)]
async fn more_than_a_page_is_read_in_order_and_once() {
    let mut bench = Bench::first();
    bench.ids().await;
    for id in 1..=1200 {
        bench.store.past(id, ONE, Duration::ZERO);
    }
    assert_eq!(bench.ids().await, (1..=1200).collect::<Vec<u64>>());
    assert_eq!(bench.ids().await, NONE);
}

#[tokio::test(start_paused = true)]
async fn a_restored_database_is_followed_from_its_end() {
    let mut bench = Bench::first();
    bench.store.past(900, ONE, MINUTE);
    bench.ids().await;
    bench.store.delete_after(0);
    bench.store.past(100, ONE, 2 * MINUTE);
    assert_eq!(bench.reports().await, [ReconcilerReport::Restored(100)]);
    bench.store.past(101, ONE, Duration::ZERO);
    assert_eq!(bench.ids().await, [101]);
}

#[tokio::test(start_paused = true)]
async fn a_database_that_goes_away_is_told_once_and_nothing_is_skipped() {
    let mut bench = Bench::first();
    assert_eq!(bench.reports().await, [ReconcilerReport::Database(Ok(()))]);
    bench.store.set_down(true);
    let down = DbError::Unavailable(DatabaseTrouble::late("down"));
    assert_eq!(bench.reports().await, [ReconcilerReport::Database(Err(down))]);
    bench.store.past(1, ONE, Duration::ZERO);
    pass(9 * MINUTE).await;
    assert_eq!(bench.reports().await, []);
    bench.store.set_down(false);
    let reports = bench.reports().await;
    assert!(matches!(&reports[0], ReconcilerReport::Rows(rows) if rows[0].id == EventId(1)), "{reports:?}");
    assert_eq!(reports[1..], [ReconcilerReport::Database(Ok(()))]);
    // Events found after a longer outage are no longer news.
    bench.store.set_down(true);
    bench.reports().await;
    bench.store.past(2, ONE, Duration::ZERO);
    pass(11 * MINUTE).await;
    bench.store.set_down(false);
    assert_eq!(bench.ids().await, NONE);
}

#[tokio::test(start_paused = true)]
async fn a_zone_in_which_new_events_look_hours_old_hides_none() {
    let mut bench = Bench::first();
    bench.store.set_shift(300 * MINUTE);
    bench.store.past(7, ONE, MINUTE);
    assert_eq!(bench.ids().await, NONE);
    pass(MINUTE).await;
    bench.store.past(8, ONE, Duration::ZERO);
    bench.store.open(10, TWO, "Motion");
    assert_eq!(bench.ids().await, [8, 10]);
    // Nor are they taken for settled rows, before which no other row can appear.
    bench.store.past(9, TWO, Duration::ZERO);
    assert_eq!(bench.ids().await, [9]);
    bench.store.set_down(true);
    bench.reports().await;
    pass(11 * MINUTE).await;
    bench.store.past(11, ONE, 10 * MINUTE);
    bench.store.set_down(false);
    assert_eq!(bench.ids().await, NONE, "it may have happened at any time of the outage");
}

#[tokio::test(start_paused = true)]
async fn shared_memory_alone_asks_no_database() {
    let mut bench = Bench::first();
    bench.config.send_modify(|config| config.source = Source::Shm);
    assert_eq!(bench.reports().await, []);
    assert_eq!(bench.store.statements(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_an_open_event_is_told_once_and_that_of_a_closed_one_with_it() {
    let mut bench = Bench::first();
    assert_eq!(bench.ids().await, NONE);
    bench.store.open(8, ONE, "Motion");
    bench.store.past(9, TWO, Duration::ZERO);
    assert_eq!(bench.ids().await, [8, 9]);
    pass(MINUTE).await;
    assert_eq!(bench.ended().await, NONE);
    bench.store.close(8);
    assert_eq!(bench.ended().await, [8]);
    assert_eq!(bench.ended().await, NONE);
    bench.store.open(10, ONE, "Motion");
    assert_eq!(bench.ids().await, [10]);
    pass(MINUTE).await;
    assert_eq!(bench.ended().await, NONE);
    bench.store.delete_after(9);
    assert_eq!(bench.ended().await, [10], "the database was restored");
}

#[tokio::test(start_paused = true)]
async fn an_event_that_a_former_daemon_left_open_is_followed_to_its_end() {
    let mut bench = Bench::after(&[5, 8]);
    bench.store.open(5, ONE, "Motion");
    bench.store.past(7, TWO, 2 * 60 * MINUTE);
    bench.store.past(8, TWO, MINUTE);
    bench.reconciler.record =
        bench.reconciler.record.clone().with_open([(EventId(5), ONE), (EventId(8), TWO), (EventId(6), TWO)]);
    let first = bench.ended().await;
    assert_eq!(first, [8, 6], "ended while it was down, or deleted");
    bench.store.close(5);
    assert_eq!(bench.ended().await, [5]);
    assert_eq!(bench.ended().await, NONE);
}
