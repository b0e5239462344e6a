//! Pictures in real directories, with a store that says where they lie.

#![expect(
    clippy::disallowed_methods,
    reason = "files have the time of the machine; each test awaits its tasks itself"
)]

mod elsewhere;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use jiff::Timestamp;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use tempfile::TempDir;
use tokio::time::Instant;
use zmes_shared::{EventId, MonitorId};

use super::*;
use crate::PictureStore;

const EVENT: EventId = EventId(4711);

/// Answers from memory; what it answers can change.
#[derive(Debug)]
struct Store {
    place: Mutex<Option<EventPlace>>,
    frames: Vec<u64>,
    /// How often it was asked for a place.
    asked: AtomicUsize,
    /// How often it was asked for alarm frames.
    asked_frames: AtomicUsize,
}

#[async_trait]
impl PictureStore for Store {
    async fn place(&self, event: EventId) -> Result<Option<EventPlace>, DbError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Ok(self.place.lock().unwrap().clone().filter(|place| place.event == event))
    }

    async fn alarm_frames(&self, _event: EventId, limit: u32) -> Result<Vec<u64>, DbError> {
        self.asked_frames.fetch_add(1, Ordering::Relaxed);
        Ok(self.frames.iter().copied().take(usize::try_from(limit).unwrap()).collect())
    }
}

/// A storage on the disk, and a reader of it.
struct World {
    disk: TempDir,
    store: Arc<Store>,
    reader: PictureReader<Arc<Store>>,
}

impl World {
    fn new(scheme: Scheme) -> Self {
        Self::with_frames(scheme, Vec::new())
    }

    fn with_frames(scheme: Scheme, frames: Vec<u64>) -> Self {
        let disk = TempDir::new().unwrap();
        let place = EventPlace {
            event: EVENT,
            monitor: MonitorId(3),
            storages: vec![storage(disk.path())],
            server: None,
            scheme,
            start: "2026-11-30T14:03:59".parse().ok(),
            digits: 5,
        };
        let store = Arc::new(Store {
            place: Mutex::new(Some(place)),
            frames,
            asked: AtomicUsize::new(0),
            asked_frames: AtomicUsize::new(0),
        });
        let reader = PictureReader::new(Arc::clone(&store), StorageRoots::default());
        Self { disk, store, reader }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.disk.path().join(path)
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        put(&self.path(path), bytes);
    }

    /// Waits for a picture so long.
    async fn read_for(&self, wait: Duration, wanted: Wanted) -> Result<Arc<Picture>, NoPicture> {
        self.reader.read(&wanted, Instant::now() + wait).await
    }

    /// Takes what is there.
    async fn read(&self) -> Result<Arc<Picture>, NoPicture> {
        self.read_for(Duration::ZERO, any()).await
    }
}

fn storage(path: &Path) -> Storage {
    Storage { id: 1, path: Some(path.to_owned()), elsewhere: false }
}

fn put(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn jpeg(content: u8, length: usize) -> Vec<u8> {
    [&[0xff, 0xd8, 0xff], &vec![content; length][..], &[0xff, 0xd9]].concat()
}

fn any() -> Wanted {
    Wanted { event: EVENT, order: PictureKind::ORDER.to_vec(), alarm_at: None, max_size: 4 * 1024 * 1024 }
}

fn age(path: &Path, seconds: u64) {
    let file = fs::File::options().append(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
}

#[tokio::test]
async fn each_layout_is_read_also_where_the_database_lives_in_another_zone() {
    for (scheme, directory) in [
        (Scheme::Shallow, "3/4711"),
        (Scheme::Medium, "3/2026-11-30/4711"),
        (Scheme::Medium, "3/2026-12-01/4711"),
        (Scheme::Deep, "3/26/11/30/14/03/59"),
    ] {
        let world = World::new(scheme);
        world.put(&format!("{directory}/snapshot.jpg"), &jpeg(1, 300));
        let picture = world.read().await.unwrap_or_else(|error| panic!("{directory}: {error}"));
        assert_eq!((picture.kind, picture.bytes.len()), (PictureKind::Snapshot, 305), "{directory}");
    }
}

#[tokio::test]
async fn in_the_deep_layout_the_link_of_the_event_comes_before_the_time_of_another_one() {
    let world = World::new(Scheme::Deep);
    world.put("3/26/11/30/14/03/59/alarm.jpg", &jpeg(1, 300));
    world.put("3/26/11/30/20/03/59/alarm.jpg", &jpeg(2, 300));
    symlink("20/03/59", world.path("3/26/11/30/.4711")).unwrap();
    assert_eq!(world.read().await.unwrap().bytes[3], 2);
}

#[tokio::test]
async fn a_link_of_the_event_that_points_elsewhere_is_refused() {
    let world = World::new(Scheme::Deep);
    fs::create_dir_all(world.path("3/26/11/30")).unwrap();
    symlink("../../../../../etc", world.path("3/26/11/30/.4711")).unwrap();
    let error = world.read().await.unwrap_err();
    assert!(matches!(&error, NoPicture::Link(path) if path.ends_with("3/26/11/30/.4711")), "{error:?}");
}

#[tokio::test]
async fn links_and_files_that_are_none_are_refused_and_named() {
    let world = World::new(Scheme::Shallow);
    world.put("secret", &jpeg(9, 300));
    fs::create_dir_all(world.path("3/4711")).unwrap();
    symlink("../../secret", world.path("3/4711/alarm.jpg")).unwrap();
    let error = world.read().await.unwrap_err();
    assert!(matches!(&error, NoPicture::Link(path) if path.ends_with("3/4711/alarm.jpg")), "{error:?}");
    fs::remove_file(world.path("3/4711/alarm.jpg")).unwrap();
    mkfifo(&world.path("3/4711/alarm.jpg"), Mode::S_IRWXU).unwrap();
    let error = world.read().await.unwrap_err();
    assert!(error.to_string().ends_with("alarm.jpg: not a regular file"), "{error}");
    // Another picture of the event is still taken.
    world.put("3/4711/snapshot.jpg", &jpeg(1, 300));
    assert_eq!(world.read().await.unwrap().kind, PictureKind::Snapshot);
}

#[tokio::test]
async fn the_best_picture_that_is_there_is_taken() {
    let world = World::new(Scheme::Medium);
    world.put("3/2026-11-30/4711/snapshot.jpg", &jpeg(1, 300));
    world.put("3/2026-11-30/4711/alarm.jpg", &jpeg(2, 300));
    let kind = |order: &[PictureKind]| {
        let wanted = Wanted { order: order.to_vec(), ..any() };
        let world = &world;
        async move { world.read_for(Duration::ZERO, wanted).await.unwrap().kind }
    };
    assert_eq!(kind(&PictureKind::ORDER).await, PictureKind::Alarm);
    assert_eq!(kind(&[PictureKind::Snapshot, PictureKind::Alarm]).await, PictureKind::Snapshot);
    world.put("3/2026-11-30/4711/objdetect.jpg", &jpeg(3, 300));
    assert_eq!(kind(&[PictureKind::Objdetect, PictureKind::Snapshot]).await, PictureKind::Objdetect);
}

#[tokio::test]
async fn a_picture_that_is_being_written_is_waited_for() {
    let world = World::new(Scheme::Shallow);
    let whole = jpeg(7, 4000);
    world.put("3/4711/alarm.jpg", &whole[..1500]);
    let error = world.read().await.unwrap_err();
    assert!(matches!(&error, NoPicture::NotWhole(path) if path.ends_with("3/4711/alarm.jpg")), "{error:?}");
    let path = world.path("3/4711/alarm.jpg");
    let writer = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(120)).await;
        put(&path, &jpeg(7, 4000));
    });
    let picture = world.read_for(Duration::from_secs(30), any()).await.unwrap();
    assert_eq!(picture.bytes, whole);
    writer.await.unwrap();
}

#[tokio::test]
async fn a_directory_that_is_not_there_yet_is_waited_for() {
    let world = World::new(Scheme::Medium);
    let error = world.read().await.unwrap_err();
    assert!(matches!(error, NoPicture::NoDirectory(_)), "{error:?}");
    let path = world.path("3/2026-11-30/4711/alarm.jpg");
    let writer = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(120)).await;
        put(&path, &jpeg(7, 4000));
    });
    assert!(world.read_for(Duration::from_secs(30), any()).await.is_ok());
    writer.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_picture_of_the_alarm_is_awaited_though_a_snapshot_is_there() {
    let world = World::new(Scheme::Shallow);
    world.put("3/4711/snapshot.jpg", &jpeg(1, 300));
    let path = world.path("3/4711/alarm.jpg");
    // ZoneMinder writes the pre-event buffer first.
    let writer = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        put(&path, &jpeg(2, 300));
    });
    let picture = world.read_for(Duration::from_secs(30), any()).await.unwrap();
    writer.await.unwrap();
    assert_eq!(picture.kind, PictureKind::Alarm);
    let alone = World::new(Scheme::Shallow);
    alone.put("3/4711/snapshot.jpg", &jpeg(1, 300));
    let began = Instant::now();
    let picture = alone.read_for(Duration::from_secs(30), any()).await.unwrap();
    assert_eq!(picture.kind, PictureKind::Snapshot);
    assert!(began.elapsed() < Duration::from_secs(2), "long before the deadline");
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_was_taken_in_a_hurry_is_not_what_others_get_who_wait() {
    let world = World::new(Scheme::Shallow);
    world.put("3/4711/snapshot.jpg", &jpeg(1, 300));
    assert_eq!(world.read().await.unwrap().kind, PictureKind::Snapshot);
    let path = world.path("3/4711/alarm.jpg");
    let writer = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(500)).await;
        put(&path, &jpeg(2, 300));
    });
    assert_eq!(world.read_for(Duration::from_secs(4), any()).await.unwrap().kind, PictureKind::Alarm);
    writer.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_push_that_waited_for_detection_shows_its_picture_though_another_was_shown_before() {
    let world = World::new(Scheme::Shallow);
    world.put("3/4711/alarm.jpg", &jpeg(1, 300));
    let wait = Duration::from_secs(2);
    assert_eq!(world.read_for(wait, any()).await.unwrap().kind, PictureKind::Alarm);
    world.put("3/4711/objdetect.jpg", &jpeg(2, 300));
    tokio::time::advance(Duration::from_secs(2)).await;
    let best = world.read_for(wait, any()).await.unwrap();
    assert_eq!(best.kind, PictureKind::Objdetect);
    // That one is kept.
    fs::remove_file(world.path("3/4711/objdetect.jpg")).unwrap();
    tokio::time::advance(Duration::from_secs(20)).await;
    assert!(Arc::ptr_eq(&best, &world.read().await.unwrap()));
}

#[tokio::test(start_paused = true)]
async fn an_earlier_picture_is_looked_for_once_though_many_ask() {
    let world = World::new(Scheme::Shallow);
    world.put("3/4711/alarm.jpg", &jpeg(1, 300));
    age(&world.path("3/4711/alarm.jpg"), 600);
    let again = Wanted { alarm_at: Some(Timestamp::now()), ..any() };
    let began = Instant::now();
    for _ in 0..20 {
        let picture = world.read_for(Duration::from_secs(4), again.clone()).await.unwrap();
        assert_eq!((picture.kind, picture.earlier), (PictureKind::Alarm, true));
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(world.store.asked_frames.load(Ordering::Relaxed), 1);
    // The right one may have come meanwhile.
    tokio::time::advance(Duration::from_secs(3)).await;
    world.put("3/4711/snapshot.jpg", &jpeg(2, 300));
    let picture = world.read_for(Duration::from_secs(4), again).await.unwrap();
    assert_eq!((picture.kind, picture.earlier), (PictureKind::Snapshot, false));
}

#[tokio::test]
async fn of_a_later_alarm_of_an_event_the_newer_picture_is_taken() {
    let now = Timestamp::now();
    let again = || Wanted { alarm_at: Some(now), ..any() };
    for (alarm, snapshot, newest) in [(600, 300, PictureKind::Snapshot), (300, 600, PictureKind::Alarm)] {
        let world = World::with_frames(Scheme::Shallow, vec![900, 899]);
        for (name, seconds) in [("alarm", alarm), ("snapshot", snapshot)] {
            let path = format!("3/4711/{name}.jpg");
            world.put(&path, &jpeg(1, 300));
            age(&world.path(&path), seconds);
        }
        let picture = world.read_for(Duration::ZERO, again()).await.unwrap();
        assert_eq!((picture.kind, picture.earlier), (newest, true), "an earlier one is better than none");
    }

    let world = World::with_frames(Scheme::Shallow, vec![900, 899]);
    world.put("3/4711/alarm.jpg", &jpeg(1, 300));
    age(&world.path("3/4711/alarm.jpg"), 600);
    world.put("3/4711/00899-capture.jpg", &jpeg(3, 300));
    let picture = world.read_for(Duration::ZERO, again()).await.unwrap();
    assert_eq!((picture.kind, picture.earlier), (PictureKind::Frame(899), false));

    world.put("3/4711/snapshot.jpg", &jpeg(4, 300));
    let picture = world.read_for(Duration::ZERO, Wanted { max_size: 1 << 20, ..again() }).await.unwrap();
    assert_eq!((picture.kind, picture.earlier), (PictureKind::Snapshot, false));
}

#[tokio::test]
async fn a_picture_that_is_too_large_is_none_and_says_so() {
    let world = World::new(Scheme::Shallow);
    world.put("3/4711/alarm.jpg", &jpeg(1, 5000));
    let error =
        world.read_for(Duration::from_secs(30), Wanted { max_size: 5000, ..any() }).await.unwrap_err();
    assert!(error.to_string().ends_with("alarm.jpg has 5005 bytes; at most 5000 are read"), "{error}");
    assert!(error.hint().contains("ZM_JPEG_FILE_QUALITY"));
}

#[tokio::test]
async fn an_event_that_moves_to_another_storage_is_found_there() {
    let world = World::new(Scheme::Shallow);
    world.put("other/3/4711/alarm.jpg", &jpeg(1, 300));
    let (store, other) = (Arc::clone(&world.store), world.path("other"));
    let mover = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let mut place = store.place.lock().unwrap();
        place.as_mut().unwrap().storages = vec![storage(&other)];
    });
    assert!(world.read_for(Duration::from_secs(30), any()).await.is_ok());
    mover.await.unwrap();
}

#[tokio::test]
async fn a_copy_on_another_storage_stands_in_for_one_that_is_not_mounted() {
    let world = World::new(Scheme::Shallow);
    world.put("copy/3/4711/alarm.jpg", &jpeg(1, 300));
    let (gone, copy) = (world.path("gone"), world.path("copy"));
    let storages = |paths: &[&PathBuf]| {
        world.store.place.lock().unwrap().as_mut().unwrap().storages =
            paths.iter().map(|path| storage(path)).collect();
    };
    storages(&[&gone]);
    let error = world.read_for(Duration::from_secs(30), any()).await.unwrap_err();
    assert!(matches!(&error, NoPicture::Root { path, .. } if *path == gone), "{error:?}");
    assert!(error.hint().contains("BindReadOnlyPaths="), "{}", error.hint());
    assert!(!error.hint().contains("ProtectHome"), "a directory below /tmp: {}", error.hint());
    storages(&[&gone, &copy]);
    assert!(world.read().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn nothing_waits_for_a_storage_of_another_server_that_is_not_mounted() {
    let world = World::new(Scheme::Shallow);
    world.store.place.lock().unwrap().as_mut().unwrap().storages[0].elsewhere = true;
    let began = Instant::now();
    let error = world.read_for(Duration::from_secs(30), any()).await.unwrap_err();
    assert!(matches!(&error, NoPicture::NotMounted(path) if path.ends_with("3")), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(1) && error.hint().contains("mount"), "{error}");
    // Mounted, it is read, and an event that has just begun is waited for.
    fs::create_dir(world.path("3")).unwrap();
    let error = world.read().await.unwrap_err();
    assert!(matches!(&error, NoPicture::NoDirectory(_)), "{error:?}");
    world.put("3/4711/alarm.jpg", &jpeg(1, 300));
    assert!(world.read().await.is_ok());
}

/// `ProtectHome=yes` denies what lies there, and takes no mount below it.
#[test]
fn a_storage_that_systemd_hides_is_told_with_the_lines_that_show_it() {
    let hint =
        |path: &str, kind: io::ErrorKind| NoPicture::Root { path: path.into(), source: kind.into() }.hint();
    for kind in [io::ErrorKind::PermissionDenied, io::ErrorKind::NotFound] {
        for path in ["/home/zm/events", "/root", "/run/user/1000/events"] {
            let told = hint(path, kind);
            let lines = format!("add ProtectHome=tmpfs and BindReadOnlyPaths={path} below [Service]");
            assert!(told.contains(&lines), "{path}: {told}");
        }
    }
    let told = hint("/tmp/events", io::ErrorKind::NotFound);
    assert!(told.contains("add BindReadOnlyPaths=/tmp/events below"), "{told}");
    for path in ["/tmp/events", "/srv/events", "/homes/events"] {
        assert!(hint(path, io::ErrorKind::PermissionDenied).contains("ls -ld"), "{path}");
    }
    assert!(hint("/srv/events", io::ErrorKind::NotFound).starts_with("is it mounted?"));
}

#[tokio::test]
async fn an_event_that_was_deleted_has_none() {
    let world = World::new(Scheme::Shallow);
    *world.store.place.lock().unwrap() = None;
    let error = world.read_for(Duration::from_secs(30), any()).await.unwrap_err();
    assert!(matches!(error, NoPicture::NoEvent), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn the_same_picture_is_read_once_for_all_ways() {
    let world = World::new(Scheme::Shallow);
    world.put("3/4711/alarm.jpg", &jpeg(1, 300));
    let first = world.read().await.unwrap();
    fs::remove_file(world.path("3/4711/alarm.jpg")).unwrap();
    assert!(Arc::ptr_eq(&first, &world.read().await.unwrap()));
    let other = Wanted { order: vec![PictureKind::Snapshot], ..any() };
    assert!(world.read_for(Duration::ZERO, other).await.is_err(), "another picture is not that one");
}

#[tokio::test]
async fn a_hundred_phones_that_wait_for_one_picture_look_once() {
    let world = Arc::new(World::new(Scheme::Shallow));
    let waiting: Vec<_> = (0..100)
        .map(|_| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.read_for(Duration::from_secs(30), any()).await.unwrap() })
        })
        .collect();
    while world.store.asked.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    world.put("3/4711/alarm.jpg", &jpeg(1, 300));
    for one in waiting {
        assert_eq!(one.await.unwrap().kind, PictureKind::Alarm);
    }
    // The place is asked for again each second.
    assert!(world.store.asked.load(Ordering::Relaxed) < 20, "{world:?}", world = world.store);
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_hangs_is_given_up_takes_no_other_storage_with_it_and_works_again() {
    let world = World::new(Scheme::Shallow);
    world.put("3/4711/alarm.jpg", &jpeg(1, 300));
    let hung = world.reader.occupy(world.disk.path()).await;
    let began = Instant::now();
    let error = world.read_for(Duration::from_secs(4), any()).await.unwrap_err();
    assert!(matches!(error, NoPicture::Stuck), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(7), "{:?}", began.elapsed());

    // Meanwhile the pictures of another disk are read.
    world.put("other/3/4711/alarm.jpg", &jpeg(2, 300));
    let on = |path: PathBuf| {
        let storages = vec![storage(&path)];
        world.store.place.lock().unwrap().as_mut().unwrap().storages = storages;
    };
    on(world.path("other"));
    assert_eq!(world.read().await.unwrap().bytes[3], 2);
    on(world.disk.path().to_owned());
    tokio::time::advance(Duration::from_mins(1)).await;
    drop(hung);
    assert_eq!(world.read().await.unwrap().bytes[3], 1);
}

#[test]
fn bytes_are_not_printed() {
    let picture = Picture {
        bytes: vec![7; 1000],
        kind: PictureKind::Alarm,
        written: Timestamp::UNIX_EPOCH,
        earlier: false,
    };
    assert_eq!(format!("{picture:?}"), "Picture(Alarm, 1000 bytes, 1970-01-01T00:00:00Z, earlier: false)");
}
