//! Pictures that another server has on its disk.

use super::*;

/// Another server, which has a picture from the given question on.
#[derive(Debug)]
struct Other {
    has_it_at: usize,
    asked: Mutex<Vec<u32>>,
    written: Timestamp,
}

#[async_trait]
impl PicturesElsewhere for Other {
    async fn picture(&self, server: u32, wanted: &Wanted, _deadline: Instant) -> Option<Picture> {
        let mut asked = self.asked.lock().unwrap();
        asked.push(server);
        let has_it = asked.len() >= self.has_it_at;
        has_it.then(|| Picture::received(jpeg(9, 300), PictureKind::Alarm, self.written, wanted)).flatten()
    }
}

/// An event of that server, whose storage is mounted here or not.
fn world(server: Option<u32>, is_mounted: bool, has_it_at: usize) -> (World, Arc<Other>) {
    let mut world = World::new(Scheme::Medium);
    let mut place = world.store.place.lock().unwrap().clone().unwrap();
    place.server = server;
    place.storages[0].elsewhere = !is_mounted;
    *world.store.place.lock().unwrap() = Some(place);
    let other = Arc::new(Other { has_it_at, asked: Mutex::default(), written: Timestamp::now() });
    let reader = PictureReader::new(Arc::clone(&world.store), StorageRoots::default());
    world.reader = reader.with_others(Arc::clone(&other) as _);
    (world, other)
}

#[tokio::test(start_paused = true)]
async fn a_server_is_asked_again_until_it_has_the_picture_whether_its_storage_is_known_here_or_not() {
    for is_mounted in [true, false] {
        let (world, other) = world(Some(2), is_mounted, 3);
        let picture = world.read_for(Duration::from_secs(4), any()).await.unwrap();
        assert_eq!((picture.bytes[3], picture.kind, picture.earlier), (9, PictureKind::Alarm, false));
        assert_eq!(*other.asked.lock().unwrap(), [2, 2, 2]);
        // Many phones want the picture of one alarm.
        world.read().await.unwrap();
        assert_eq!(other.asked.lock().unwrap().len(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn where_no_server_has_the_picture_the_reason_is_that_of_this_one() {
    let (world, other) = world(Some(2), false, usize::MAX);
    let began = Instant::now();
    let error = world.read_for(Duration::from_secs(4), any()).await.unwrap_err();
    assert!(matches!(error, NoPicture::NotMounted(_)), "{error}");
    assert!(began.elapsed() >= Duration::from_secs(4) && other.asked.lock().unwrap().len() > 2);
    assert!(error.hint().contains("cluster.address"), "{}", error.hint());
}

#[tokio::test(start_paused = true)]
async fn nobody_is_asked_for_what_this_server_has_written_or_can_read() {
    let (own, other) = world(None, true, 1);
    own.read_for(Duration::from_secs(4), any()).await.unwrap_err();
    assert!(other.asked.lock().unwrap().is_empty());
    let (mounted, other) = world(Some(2), true, 1);
    mounted.put("3/2026-11-30/4711/alarm.jpg", &jpeg(1, 300));
    assert_eq!(mounted.read().await.unwrap().bytes[3], 1);
    assert!(other.asked.lock().unwrap().is_empty());
}

#[test]
fn what_is_received_is_whole_and_small_enough_and_may_be_of_an_earlier_alarm() {
    let at: Timestamp = "2026-12-01T04:00:00Z".parse().unwrap();
    let wanted = Wanted { alarm_at: Some(at), max_size: 305, ..any() };
    let received = |bytes: &[u8], written: &str| {
        Picture::received(bytes.to_vec(), PictureKind::Alarm, written.parse().unwrap(), &wanted)
    };
    let whole = jpeg(9, 300);
    let picture = received(&[&whole[..], &[0; 9]].concat(), "2026-12-01T03:59:59Z").unwrap();
    assert_eq!((picture.bytes.len(), picture.earlier), (305, false));
    assert!(received(&whole, "2026-12-01T03:59:00Z").unwrap().earlier);
    assert_eq!(received(&whole[..304], "2026-12-01T04:00:00Z"), None);
    assert_eq!(received(&jpeg(9, 301), "2026-12-01T04:00:00Z"), None);
}
