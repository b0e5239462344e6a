use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use zmes_providers::{Platform, PushToken, Urgency};
use zmes_shared::paths::STATE_FILE;
use zmes_shared::{EventId, MonitorId};

use super::*;
use crate::config::StateConfig;
use crate::domain::{Alarm, Decision, DeliveryId, Origin, Phase, SkipReason, Token, TokenId};
use crate::ports::{Clock, SystemClock};
use crate::state::{Note, State, TokenDecision};

/// Enough rows for several pages of the table.
const PHONES: i64 = 400;

struct Place(TempDir);

impl Place {
    /// Lays down a state file with phones, closed in order.
    async fn with_phones() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        let state = place.open().await.unwrap();
        for id in 1..=PHONES {
            assert!(state.handle.note(Note::Token(Arc::new(phone(id)))));
        }
        let stop = CancellationToken::new();
        stop.cancel();
        state.writer.run(stop).await;
        place
    }

    fn path(&self) -> PathBuf {
        self.0.path().join(STATE_FILE)
    }

    async fn open(&self) -> Result<State, OpenError> {
        let hour = Duration::from_hours(1);
        let config = StateConfig {
            directory: self.0.path().to_owned(),
            keep_events: hour,
            keep_deliveries: hour,
            keep_tombstones: hour,
            max_size: 1 << 28,
        };
        State::open(&config, Arc::new(SystemClock)).await
    }

    /// Opens, writes one more phone, and opens again: returns how many phones there were at first and at last.
    async fn phones_now_and_later(&self) -> (usize, usize) {
        let state = self.open().await.unwrap();
        let before = state.remembered.tokens.len();
        assert!(state.handle.note(Note::Token(Arc::new(phone(PHONES + 1)))));
        let stop = CancellationToken::new();
        stop.cancel();
        state.writer.run(stop).await;
        (before, self.open().await.unwrap().remembered.tokens.len())
    }

    fn names(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Overwrites bytes of the file.
    fn damage(&self, at: u64, length: usize) {
        let file = fs::OpenOptions::new().write(true).open(self.path()).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, &vec![0xA5; length], at).unwrap();
    }

    /// Returns where the root page of a table begins.
    async fn root(&self, table: &str) -> u64 {
        let mut file = SqliteConnectOptions::new().filename(self.path()).connect().await.unwrap();
        let query = format!("SELECT rootpage FROM sqlite_schema WHERE name = '{table}'");
        let page: i64 = sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&mut file).await.unwrap();
        file.close().await.unwrap();
        (page.cast_unsigned() - 1) * u64::from(file::PAGE_SIZE)
    }
}

fn phone(id: i64) -> Token {
    let secret = PushToken::parse(&format!("secret-{id}:{}", "x".repeat(140))).unwrap();
    Token::new(TokenId(id), secret, Platform::Android, Timestamp::UNIX_EPOCH)
}

/// Asserts that the damaged file lies beside the new one, and is reported.
fn is_aside(place: &Place) -> PathBuf {
    let told = set_aside_lately(place.0.path(), SystemClock.now());
    assert_eq!(told.len(), 1, "{:?}", place.names());
    assert!(!told[0].saved.is_empty());
    let left: Vec<_> =
        place.names().into_iter().filter(|name| name.contains(NEW) || name.contains(MENDED)).collect();
    assert_eq!(left, [""; 0]);
    told[0].path.clone()
}

/// The same, where the damage was seen before anything was opened for writing.
fn is_aside_untouched(place: &Place, content: &[u8]) {
    assert_eq!(fs::read(is_aside(place)).unwrap(), content, "it was changed");
}

#[tokio::test]
async fn what_is_no_database_any_more_is_set_aside_and_the_daemon_starts() {
    let whole = fs::read(Place::with_phones().await.path()).unwrap();
    for content in [
        b"precious, but no database at all\n".repeat(200),
        vec![0; 65536],
        b"SQLite format 3\0".to_vec(),
        whole[..4096].iter().map(|byte| byte ^ 0x5A).collect(),
    ] {
        let place = Place(tempfile::tempdir().unwrap());
        fs::write(place.path(), &content).unwrap();
        assert_eq!(place.phones_now_and_later().await, (0, 1));
        is_aside_untouched(&place, &content);
    }
}

#[tokio::test]
async fn a_scrambled_header_costs_nothing() {
    let place = Place::with_phones().await;
    place.damage(0, HEADER);
    let content = fs::read(place.path()).unwrap();
    let all = usize::try_from(PHONES).unwrap();
    assert_eq!(place.phones_now_and_later().await, (all, all + 1));
    is_aside_untouched(&place, &content);
}

#[tokio::test]
async fn a_damaged_table_costs_the_others_nothing() {
    for table in ["token_sent", "device_filters", "device_sent", "cursors"] {
        let place = Place::with_phones().await;
        place.damage(place.root(table).await, file::PAGE_SIZE as usize);
        let all = usize::try_from(PHONES).unwrap();
        assert_eq!(place.phones_now_and_later().await, (all, all + 1), "{table}");
        is_aside(&place);
    }
}

#[tokio::test]
async fn a_damaged_page_of_phones_costs_the_phones_on_it() {
    let place = Place::with_phones().await;
    let content = fs::read(place.path()).unwrap();
    // The pages that hold phones 150 to 250, wherever they are.
    let pages: BTreeSet<usize> = (150..250)
        .flat_map(|id| {
            // In the table, and in the index of it.
            let secret = format!("secret-{id}:{}", "x".repeat(140));
            let windows = content.windows(secret.len()).enumerate();
            let at = windows.filter(|(_, window)| *window == secret.as_bytes()).map(|(at, _)| at);
            at.map(|at| at / file::PAGE_SIZE as usize).collect::<Vec<_>>()
        })
        .collect();
    assert!(pages.len() > 3, "{pages:?}");
    for page in pages {
        place.damage(page as u64 * u64::from(file::PAGE_SIZE), file::PAGE_SIZE as usize);
    }
    let (now, later) = place.phones_now_and_later().await;
    assert!((200..=300).contains(&now) && later == now + 1, "{now}");
    is_aside(&place);
    let told = set_aside_lately(place.0.path(), SystemClock.now());
    assert!(told[0].saved.contains("not all of tokens could be read"), "{}", told[0].saved);
}

#[tokio::test]
async fn a_file_that_was_cut_is_read_as_far_as_it_goes() {
    let place = Place::with_phones().await;
    let content = fs::read(place.path()).unwrap();
    let most = &content[..content.len() * 3 / 4 / 4096 * 4096];
    fs::write(place.path(), most).unwrap();
    let (now, later) = place.phones_now_and_later().await;
    assert!(now > 30 && later == now + 1, "{now}");
    is_aside(&place);
}

#[tokio::test]
async fn a_log_of_garbage_harms_nothing() {
    let place = Place::with_phones().await;
    fs::write(file::beside(&place.path(), "-wal"), vec![0xA5; 100_000]).unwrap();
    let all = usize::try_from(PHONES).unwrap();
    assert_eq!(place.phones_now_and_later().await, (all, all + 1));
}

#[tokio::test]
async fn a_phone_whose_text_is_no_text_costs_that_phone() {
    let place = Place::with_phones().await;
    let mut file = SqliteConnectOptions::new().filename(place.path()).connect().await.unwrap();
    let broken = "UPDATE tokens SET user_name = CAST(x'fffe41' AS TEXT) WHERE id = 7";
    sqlx::query(broken).execute(&mut file).await.unwrap();
    file.close().await.unwrap();
    let all = usize::try_from(PHONES).unwrap();
    assert_eq!(place.phones_now_and_later().await, (all - 1, all));
}

#[tokio::test]
async fn a_file_of_another_program_is_refused_and_left_as_it_is() {
    let place = Place::with_phones().await;
    let mut file = SqliteConnectOptions::new().filename(place.path()).connect().await.unwrap();
    sqlx::query("PRAGMA application_id = 1196444487").execute(&mut file).await.unwrap();
    file.close().await.unwrap();
    let content = fs::read(place.path()).unwrap();
    let problem = place.open().await.map(drop).unwrap_err();
    assert!(matches!(problem, OpenError::Foreign { .. }), "{problem}");
    assert_eq!(fs::read(place.path()).unwrap(), content);
}

#[tokio::test]
async fn of_many_damaged_files_the_first_and_the_newest_are_kept() {
    let place = Place(tempfile::tempdir().unwrap());
    for _ in 0..KEPT + 3 {
        fs::write(
            place.path(),
            "garbage that is no database, and longer than a header of SQLite is ............",
        )
        .unwrap();
        let state = place.open().await.unwrap();
        state.handle.settle().await;
        let stop = CancellationToken::new();
        stop.cancel();
        state.writer.run(stop).await;
    }
    assert_eq!(all(&place.path()).len(), KEPT);
}

#[tokio::test]
async fn a_daemon_that_was_killed_between_the_two_renames_goes_on_with_the_new_file() {
    let place = Place::with_phones().await;
    fs::rename(place.path(), file::beside(&place.path(), NEW)).unwrap();
    let all = usize::try_from(PHONES).unwrap();
    assert_eq!(place.phones_now_and_later().await, (all, all + 1));
}

/// A note that writes a delivery.
fn tested() -> Note {
    let alarm = Alarm {
        monitor: MonitorId(1),
        monitor_name: "Garage".into(),
        event: Some(EventId(7)),
        cause: "Motion".into(),
        labels: crate::domain::AlarmLabels::default(),
        at: SystemClock.now(),
        detected: tokio::time::Instant::now(),
        origin: Origin::Test,
        phase: Phase::Start,
        span: None,
        elsewhere: None,
        stands_for_event: false,
    };
    let decision = Decision::Skip(SkipReason::Filter);
    let decided = TokenDecision {
        id: DeliveryId(1),
        token: TokenId(1),
        decision,
        badge: 0,
        by: None,
        urgency: Urgency::Normal,
        start: None,
    };
    Note::Announced(Arc::new(alarm), [decided].into())
}

/// A state whose writer runs.
struct Running {
    state: crate::state::StateHandle,
    renewed: tokio::sync::watch::Receiver<u64>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Running {
    async fn start(place: &Place) -> Self {
        Self::run(place.open().await.unwrap())
    }

    fn run(state: State) -> Self {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(state.writer.run(stop.clone()));
        Self { state: state.handle, renewed: state.renewed, stop, tasks }
    }

    async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Writes phones until one of them is on the disk.
    async fn writes(&self, id: i64) {
        for _ in 0..100 {
            assert!(self.state.note(Note::Token(Arc::new(phone(id)))));
            if self.state.settle().await {
                return;
            }
        }
        panic!("nothing is written");
    }
}

#[tokio::test]
async fn a_page_that_is_damaged_while_the_daemon_runs_is_got_over() {
    let place = Place::with_phones().await;
    let root = place.root("deliveries").await;
    let state = place.open().await.unwrap();
    // Before the writer has read it.
    place.damage(root, file::PAGE_SIZE as usize);
    let mut running = Running::run(state);
    running.state.note(tested());
    tokio::time::timeout(Duration::from_secs(30), running.renewed.changed()).await.unwrap().unwrap();
    running.writes(PHONES + 1).await;
    let all = usize::try_from(PHONES).unwrap();
    assert_eq!(running.state.tokens().await.unwrap().len(), all + 1);
    assert!(running.state.examine().await.unwrap().damage.is_empty());
    running.end().await;
    assert_eq!(set_aside_lately(place.0.path(), SystemClock.now()).len(), 1);
    assert_eq!(place.open().await.unwrap().remembered.tokens.len(), all + 1);
}

#[tokio::test]
async fn a_file_that_is_removed_while_the_daemon_runs_is_written_again() {
    for whole_directory in [false, true] {
        let place = Place::with_phones().await;
        let mut running = Running::start(&place).await;
        running.writes(PHONES + 1).await;
        if whole_directory {
            fs::remove_dir_all(place.0.path()).unwrap();
        } else {
            fs::remove_file(place.path()).unwrap();
        }
        running.writes(PHONES + 2).await;
        assert!(running.renewed.has_changed().unwrap());
        running.renewed.mark_unchanged();
        let all = usize::try_from(PHONES).unwrap();
        assert_eq!(running.state.tokens().await.unwrap().len(), all + 2);
        running.end().await;
        assert_eq!(place.open().await.unwrap().remembered.tokens.len(), all + 2);
    }
}

#[tokio::test]
async fn a_copy_that_is_put_in_place_while_the_daemon_runs_is_gone_on_with() {
    let place = Place::with_phones().await;
    let copy = place.0.path().join("copy.db");
    fs::copy(place.path(), &copy).unwrap();
    let running = Running::start(&place).await;
    running.writes(PHONES + 1).await;
    fs::rename(&copy, place.path()).unwrap();
    running.writes(PHONES + 2).await;
    let all = usize::try_from(PHONES).unwrap();
    // Rows missing in the copy are noted again by the tasks that wait for `renewed`.
    assert!(running.renewed.has_changed().unwrap() && running.state.tokens().await.unwrap().len() > all);
    running.end().await;
}

#[tokio::test]
async fn the_file_stays_within_its_bound_and_tokens_are_never_dropped() {
    let place = Place::with_phones().await;
    let mut file = file::options(&place.path()).connect().await.unwrap();
    // Two days of a camera that flaps: 100,000 deliveries and 20,000 alarms, long ago.
    for sql in [
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) \
         INSERT INTO alarms (at, event_id, monitor_id, monitor_name, cause, late) SELECT i, i, 1, 'Garage', 'Motion', 0 FROM n",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) \
         INSERT INTO pushed_alarms (number, at, event_id, monitor_id, monitor_name, cause, origin) SELECT i, i, i, 1, 'Garage', 'Motion', 'poll' FROM n",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) \
         INSERT INTO deliveries (id, alarm, token_id, decision, reason, badge) \
         SELECT i, (i + 99) / 100, 1 + i % 100, IIF(i = 5, 'queued', 'sent'), '', 1 FROM n",
    ] {
        sqlx::query(sql).execute(&mut file).await.unwrap();
    }
    let size = || fs::metadata(place.path()).unwrap().len();
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut file).await.unwrap();
    let (before, limit) = (size(), 2 << 20);
    assert!(before > 2 * limit, "{before}");
    let now = SystemClock.now().as_millisecond();
    assert!(super::super::bounds::by_size(&mut file, limit, now).await.unwrap() > 0);
    // Expired rows are dropped in one go, the pages are given back a batch at a time.
    for _ in 0..10 {
        super::super::bounds::by_size(&mut file, limit, now).await.unwrap();
    }
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut file).await.unwrap();
    assert!(size() <= limit, "{} of {before}", size());
    let count = async |file: &mut SqliteConnection, what: &str| -> i64 {
        sqlx::query_scalar(AssertSqlSafe(format!("SELECT {what}"))).fetch_one(file).await.unwrap()
    };
    assert_eq!(count(&mut file, "COUNT(*) FROM tokens").await, PHONES);
    assert_eq!(count(&mut file, "COUNT(*) FROM deliveries WHERE id = 5").await, 1, "it is still to be sent");
    assert_eq!(count(&mut file, "MAX(id) FROM deliveries").await, 100_000, "the newest stay");
    assert_eq!(count(&mut file, "MAX(number) FROM alarms").await, 20_000);
    file.close().await.unwrap();
    assert_eq!(place.phones_now_and_later().await.0, usize::try_from(PHONES).unwrap());
}

#[tokio::test]
async fn a_reader_that_never_ends_does_not_let_the_log_grow_for_ever() {
    let place = Place::with_phones().await;
    let running = Running::start(&place).await;
    running.writes(PHONES + 1).await;
    let options = SqliteConnectOptions::new().filename(place.path()).read_only(true);
    let mut reader = options.connect().await.unwrap();
    sqlx::query("BEGIN").execute(&mut reader).await.unwrap();
    sqlx::query("SELECT COUNT(*) FROM tokens").execute(&mut reader).await.unwrap();
    // Another program fills the log up to the limit.
    let mut filler = file::options(&place.path()).connect().await.unwrap();
    sqlx::query("CREATE TABLE filler (x)").execute(&mut filler).await.unwrap();
    let log = file::beside(&place.path(), "-wal");
    while fs::metadata(&log).unwrap().len() <= crate::state::trouble::LOG_LIMIT {
        sqlx::query("INSERT INTO filler VALUES (zeroblob(4000000))").execute(&mut filler).await.unwrap();
    }
    let full = fs::metadata(&log).unwrap().len();
    assert!(running.state.note(Note::Token(Arc::new(phone(PHONES + 2)))));
    assert!(!running.state.settle().await, "it waits");
    assert_eq!(fs::metadata(&log).unwrap().len(), full);
    reader.close().await.unwrap();
    running.writes(PHONES + 3).await;
    assert!(fs::metadata(&log).unwrap().len() < full);
    let all = usize::try_from(PHONES).unwrap();
    assert_eq!(running.state.tokens().await.unwrap().len(), all + 3, "what waited is there");
    running.end().await;
}
