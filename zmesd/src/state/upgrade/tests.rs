use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqlStr};
use tempfile::TempDir;
use zmes_providers::App;
use zmes_shared::paths::STATE_FILE;
use zmes_shared::{EventId, MonitorId};

use super::*;
use crate::config::StateConfig;
use crate::domain::MonitorFilter;
use crate::ports::SystemClock;
use crate::state::{Device, LastFilter, State, StoreFault};

struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join(STATE_FILE)
    }

    fn copy(&self, version: &str) -> PathBuf {
        file::beside(&self.path(), &format!("{BEFORE}{version}"))
    }

    async fn open(&self) -> Result<State, OpenError> {
        let config = StateConfig {
            directory: self.directory.path().to_owned(),
            keep_events: Duration::from_hours(1),
            keep_deliveries: Duration::from_hours(1),
            keep_tombstones: Duration::from_hours(1),
            max_size: 1 << 28,
        };
        State::open(&config, Arc::new(SystemClock)).await
    }

    async fn refused(&self) -> OpenError {
        match self.open().await {
            Ok(_) => panic!("it must not open"),
            Err(error) => error,
        }
    }

    fn names(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(self.directory.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

/// Suffix of the copy of the file before the upgrade.
fn newest() -> String {
    NEWEST.to_string()
}

/// The version of a file that a newer zmesd has made.
fn newer() -> i64 {
    NEWEST + 1
}

/// Runs statements on a file, and closes it.
async fn execute(path: &Path, sql: String) {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut file = options.connect().await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut file).await.unwrap();
    file.close().await.unwrap();
}

/// A place with the file of version 1.
async fn of_version_1() -> Place {
    let place = Place::new();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/state/schema-1.sql");
    execute(&place.path(), fs::read_to_string(fixture).unwrap()).await;
    place
}

async fn version(path: &Path) -> i64 {
    read(path).await.unwrap().unwrap().version
}

#[tokio::test]
async fn what_a_file_of_version_1_holds_is_there_after_the_upgrade_and_in_a_copy() {
    let place = of_version_1().await;
    let state = place.open().await.unwrap();
    let remembered = &state.remembered;
    assert_eq!(remembered.cursors[&MonitorId(1)].event, EventId(32_910));
    assert_eq!(remembered.cursors[&MonitorId(2)].event, EventId(32_909));
    assert!(remembered.announced.contains(&EventId(32_908)));
    // Apps that send no version, such as amy's, have no stored devices any more.
    let admin = Device { user: "admin".to_owned(), kind: App::Unknown, app: "1.8.001".to_owned() };
    let last = LastFilter { filter: MonitorFilter::parse("1", "0").unwrap(), broken_at: None };
    assert_eq!(remembered.filters, [(admin, last)].into());
    assert!(remembered.sent.is_empty());
    let alarms = state.handle.alarms_of_event(EventId(32_910), 10).await.unwrap();
    assert_eq!((alarms[0].monitor_name.as_str(), alarms[0].late), ("Garage — Süd", true));
    drop(state);
    assert_eq!(version(&place.path()).await, NEWEST);
    assert_eq!(version(&place.copy(&newest())).await, 1);
    let modes =
        [place.path(), place.copy(&newest())].map(|path| fs::metadata(path).unwrap().permissions().mode());
    assert_eq!(modes[0], modes[1], "nobody else may read the copy");
    // The copy is a complete state file: a user goes back to it, and forward again.
    fs::rename(place.copy(&newest()), place.path()).unwrap();
    for leftover in ["wal", "shm"] {
        fs::remove_file(place.directory.path().join(format!("{STATE_FILE}-{leftover}"))).ok();
    }
    assert_eq!(place.open().await.unwrap().remembered.filters.len(), 1);
}

#[tokio::test]
async fn a_file_of_today_is_not_copied() {
    let place = Place::new();
    drop(place.open().await.unwrap());
    drop(place.open().await.unwrap());
    assert!(!place.names().iter().any(|name| name.contains("before")), "{:?}", place.names());
}

#[tokio::test]
async fn an_upgrade_that_was_cut_short_is_made_again_with_a_fresh_copy() {
    let place = of_version_1().await;
    fs::write(place.copy(&newest()), "an older copy").unwrap();
    fs::write(place.copy(&format!("{NEWEST}.part")), "half a copy").unwrap();
    place.open().await.unwrap();
    assert_eq!(version(&place.copy(&newest())).await, 1);
    assert!(!place.copy(&format!("{NEWEST}.part")).exists());
}

#[tokio::test]
async fn an_upgrade_that_was_cut_short_between_its_steps_keeps_the_way_back() {
    let place = of_version_1().await;
    drop(place.open().await.unwrap());
    // The tables are those of today, so that the step fails: what counts is the copy.
    execute(&place.path(), format!("DELETE FROM _sqlx_migrations WHERE version = {NEWEST}")).await;
    place.refused().await;
    assert_eq!(version(&place.copy(&newest())).await, 1);
}

#[tokio::test]
async fn a_copy_that_cannot_be_made_stops_the_upgrade() {
    let place = of_version_1().await;
    fs::create_dir(place.copy(&format!("{NEWEST}.part"))).unwrap();
    let before = fs::read(place.path()).unwrap();
    let problem = place.refused().await;
    assert!(matches!(problem, OpenError::Copy { version: 1, .. }), "{problem}");
    assert!(problem.to_string().contains(&format!("zmesd.db.before-{NEWEST}")), "{problem}");
    assert_eq!(fs::read(place.path()).unwrap(), before);
    assert_eq!(version(&place.path()).await, 1);
}

#[tokio::test]
async fn only_the_newest_copies_are_kept() {
    let place = of_version_1().await;
    let (newest, newer) = (newest(), newer().to_string());
    for old in ["-3", "-2", "-1", "1", "2", &newer, "x", "2.old"] {
        fs::write(place.copy(old), "").unwrap();
    }
    place.open().await.unwrap();
    let copies: BTreeSet<_> = place.names().into_iter().filter(|name| name.contains("before")).collect();
    // Files of a newer zmesd, and tables that no zmesd has made, stay untouched.
    let kept =
        ["1", "2", &newest, &newer, "x", "2.old"].map(|version| format!("{STATE_FILE}.before-{version}"));
    assert_eq!(copies, BTreeSet::from(kept));
}

async fn written_by(place: &Place, version: i64, description: &str) {
    // Closed in order: a connection that is only dropped may still write a moment later.
    place.open().await.unwrap().handle.reader.borrow().clone().close().await;
    let row = format!("INSERT INTO _sqlx_migrations VALUES ({version}, '{description}', 0, 1, x'00', 0)");
    execute(&place.path(), row).await;
}

#[tokio::test]
async fn a_newer_file_names_the_zmesd_that_reads_it_and_the_way_back() {
    let place = of_version_1().await;
    fs::copy(place.path(), place.copy(&newer().to_string())).unwrap();
    written_by(&place, newer(), "zmesd 0.7.0: something new").await;
    let before = fs::read(place.path()).unwrap();
    let problem = place.refused().await;
    assert_eq!(problem.fault(), StoreFault::File);
    let said = format!("{problem}");
    let expected = format!(
        "has tables of version {}, made by zmesd 0.7.0; this zmesd ({}) supports up to version {NEWEST}",
        newer(),
        env!("CARGO_PKG_VERSION")
    );
    assert!(said.contains(&expected), "{said}");
    let hint = problem.hint();
    assert!(hint.starts_with("install zmesd 0.7.0 again; or go back"), "{hint}");
    assert!(
        hint.contains(&format!(
            "mv {} {}",
            place.copy(&newer().to_string()).display(),
            place.path().display()
        )),
        "{hint}"
    );
    assert_eq!(fs::read(place.path()).unwrap(), before);

    let place = Place::new();
    written_by(&place, 999, "later").await;
    let problem = place.refused().await;
    assert!(problem.to_string().contains("made by a newer zmesd"), "{problem}");
    assert!(problem.hint().starts_with("install a newer zmesd again; or move"), "{}", problem.hint());
}

#[tokio::test]
async fn a_copy_that_is_itself_too_new_is_not_offered() {
    let place = Place::new();
    written_by(&place, newer(), "zmesd 0.7.0: something new").await;
    fs::copy(place.path(), place.copy(&newer().to_string())).unwrap();
    let problem = place.refused().await;
    assert!(matches!(problem, OpenError::Newer { copy: None, .. }), "{problem:?}");
}

#[tokio::test]
async fn a_database_of_somebody_else_is_refused_and_left_as_it_is() {
    let place = Place::new();
    execute(&place.path(), "CREATE TABLE recipes (name TEXT)".to_owned()).await;
    let before = fs::read(place.path()).unwrap();
    let problem = place.refused().await;
    assert!(matches!(problem, OpenError::Foreign { .. }), "{problem}");
    assert_eq!(fs::read(place.path()).unwrap(), before);
}

#[tokio::test]
async fn an_empty_file_is_a_new_one() {
    let place = Place::new();
    fs::write(place.path(), "").unwrap();
    drop(place.open().await.unwrap());
    assert_eq!(version(&place.path()).await, NEWEST);
}

#[tokio::test]
async fn what_was_written_right_before_a_crash_is_in_the_copy_too() {
    let place = of_version_1().await;
    // A file whose log was not merged yet, as kill -9 leaves it.
    let options = SqliteConnectOptions::new().filename(place.path());
    let mut crashed = options.connect().await.unwrap();
    let row = "INSERT INTO cursors (monitor_id, event_id, at) VALUES (9, 99, 1900000000000)";
    sqlx::query(SqlStr::from_static(row)).execute(&mut crashed).await.unwrap();
    let left = Place::new();
    for name in place.names() {
        fs::copy(place.directory.path().join(&name), left.directory.path().join(&name)).unwrap();
    }
    assert_eq!(left.open().await.unwrap().remembered.cursors[&MonitorId(9)].event, EventId(99));
    let mut copy =
        SqliteConnectOptions::new().filename(left.copy(&newest())).read_only(true).connect().await.unwrap();
    let event: i64 = sqlx::query_scalar("SELECT event_id FROM cursors WHERE monitor_id = 9")
        .fetch_one(&mut copy)
        .await
        .unwrap();
    assert_eq!(event, 99);
}
