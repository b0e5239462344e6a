use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use tempfile::TempDir;
use zmes_shared::MonitorState;

use super::*;

const ONE: MonitorId = MonitorId(1);

/// A source on an empty directory, and a clock that only moves when told.
struct World {
    directory: TempDir,
    source: ShmSource,
    now: Instant,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let source = ShmSource::new(directory.path().to_owned());
        Self { directory, source, now: Instant::now() }
    }

    fn zmc(&self, size: u32) -> Synthetic {
        Synthetic::start(self.directory.path(), ONE, size)
    }

    fn read(&mut self) -> Result<Reading, ReadError> {
        self.now += Duration::from_millis(20);
        self.source.read(ONE, self.now)
    }

    fn read_after(&mut self, pause: Duration) -> Result<Reading, ReadError> {
        self.now += pause;
        self.read()
    }
}

#[test]
fn a_missing_file_is_no_running_zmc_and_is_found_when_it_comes() {
    let mut world = World::new();
    let error = world.read().unwrap_err();
    assert!(error.zmc_is_away());
    let said = error.to_string();
    let directory = world.directory.path().display();
    assert_eq!(said, format!("no zm.mmap.1 in {directory}: zmc is not running"));
    world.zmc(768);
    assert!(world.read_after(Duration::from_millis(100)).is_ok());
}

#[test]
fn a_zmc_that_stops_and_one_that_follows_are_two_generations() {
    let mut world = World::new();
    let zmc = world.zmc(768);
    zmc.state(MonitorState::Alarm);
    let first = world.read().unwrap();
    zmc.stop();
    assert!(
        matches!(world.read(), Err(ReadError::NotThere { .. })),
        "not the alarm that stays in the dead inode"
    );
    let _next = world.zmc(768);
    let second = world.read_after(Duration::from_millis(100)).unwrap();
    assert_eq!(second.state, MonitorState::Idle);
    assert_ne!(first.generation, second.generation);
}

#[test]
fn a_zmc_that_was_replaced_between_two_looks_is_seen_at_once() {
    let mut world = World::new();
    let zmc = world.zmc(768);
    let first = world.read().unwrap();
    zmc.stop();
    let next = world.zmc(872);
    next.last_event(5);
    let second = world.read().unwrap();
    assert_eq!((second.layout, second.last_event), (872, 5));
    assert_ne!(first.generation, second.generation);
}

#[test]
fn a_file_that_was_replaced_without_a_word_is_noticed_soon() {
    let mut world = World::new();
    let _killed = world.zmc(768);
    world.read().unwrap();
    // Unlinked by `zmpkg.pl` after a kill: the dead inode stays valid.
    let next = world.zmc(768);
    next.last_event(9);
    assert_eq!(world.read().unwrap().last_event, 0);
    assert_eq!(world.read_after(Duration::from_millis(200)).unwrap().last_event, 9);
}

#[test]
fn an_unlinked_file_is_noticed_soon() {
    let mut world = World::new();
    let zmc = world.zmc(336);
    world.read().unwrap();
    std::fs::remove_file(zmc.path()).unwrap();
    assert!(matches!(world.read_after(Duration::from_millis(200)), Err(ReadError::NotThere { .. })));
}

#[test]
fn the_same_inode_filled_again_is_a_new_generation() {
    for layout in layout::Layout::ALL {
        let mut world = World::new();
        let zmc = world.zmc(layout.size);
        let first = world.read().unwrap();
        // What a zmc does that finds the file of one that was killed.
        let again = Synthetic::empty(world.directory.path(), ONE, layout.size);
        assert_eq!(world.read(), Err(ReadError::Starting));
        again.fill(1_795_000_500);
        let second = world.read().unwrap();
        assert_ne!(first.generation, second.generation, "layout {}", layout.size);
        assert_eq!(second.generation, world.read().unwrap().generation);
        drop(zmc);
    }
}

#[test]
fn a_file_that_is_only_created_is_a_zmc_that_starts() {
    let mut world = World::new();
    let zmc = Synthetic::empty(world.directory.path(), ONE, 768);
    assert_eq!(world.read(), Err(ReadError::Starting));
    zmc.put(4095, &[0]);
    assert_eq!(world.read(), Err(ReadError::Starting));
    zmc.fill(1);
    assert!(world.read().is_ok());
}

#[test]
fn neither_a_fifo_nor_a_link_nor_a_directory_is_followed() {
    let mut world = World::new();
    let path = world.directory.path().join("zm.mmap.1");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRUSR).unwrap();
    assert!(matches!(world.read(), Err(ReadError::Io { .. })));
    std::fs::remove_file(&path).unwrap();
    let target = Synthetic::start(world.directory.path(), MonitorId(2), 768);
    std::os::unix::fs::symlink(target.path(), &path).unwrap();
    assert!(matches!(world.read_after(Duration::from_secs(1)), Err(ReadError::Io { .. })));
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert!(matches!(world.read_after(Duration::from_secs(1)), Err(ReadError::Io { .. })));
}

#[test]
fn a_file_that_may_not_be_read_says_what_to_do() {
    let mut world = World::new();
    let zmc = world.zmc(768);
    std::fs::set_permissions(zmc.path(), std::fs::Permissions::from_mode(0o640)).unwrap();
    let group = Ownership::of(zmc.path()).unwrap().group;
    let told = ReadError::Permission(Denied::of(zmc.path())).to_string();
    assert!(told.contains(&format!("usermod -aG {group} ")), "{told}");
    std::fs::set_permissions(zmc.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
    let told = ReadError::Permission(Denied::of(zmc.path())).to_string();
    assert!(told.contains("mode 0600") && told.contains("run zmesd as "), "{told}");
    // Root may read anything: only others can see the refusal itself.
    std::fs::set_permissions(zmc.path(), std::fs::Permissions::from_mode(0o000)).unwrap();
    if !nix::unistd::geteuid().is_root() {
        assert!(matches!(world.read(), Err(ReadError::Permission(_))));
    }
}

#[test]
fn layout_760_takes_the_numbering_of_the_version() {
    for (version, expected) in [
        (None, MonitorState::Alarm),
        (Some(ZmVersion(1, 36, 33)), MonitorState::Alarm),
        (Some(ZmVersion(1, 36, 16)), MonitorState::Alarm),
        (Some(ZmVersion(1, 36, 15)), MonitorState::Alert),
    ] {
        let mut world = World::new();
        world.source.assume_version(version);
        world.zmc(760).number(3);
        assert_eq!(world.read().unwrap().state, expected, "{version:?}");
        assert_eq!(world.source.other_numbering(ONE), None);
    }
}

#[test]
fn layout_760_is_corrected_by_what_is_seen_and_says_so() {
    let mut world = World::new();
    let zmc = world.zmc(760);
    zmc.number(0);
    world.read().unwrap();
    assert_eq!(world.read().unwrap().state, MonitorState::Idle, "new zmc never write 0");
    zmc.number(2);
    assert_eq!(world.read().unwrap().state, MonitorState::Alarm);
    assert_eq!(world.source.other_numbering(ONE), Some(Numbering::FromIdle));

    let mut world = World::new();
    world.source.assume_version(Some(ZmVersion(1, 36, 10)));
    let zmc = world.zmc(760);
    zmc.number(5);
    world.read().unwrap();
    assert_eq!(world.read().unwrap().state, MonitorState::Tape, "old zmc never write 5");
    zmc.number(3);
    assert_eq!(world.read().unwrap().state, MonitorState::Alarm);
    assert_eq!(world.source.other_numbering(ONE), Some(Numbering::FromUnknown));
}

#[test]
fn one_torn_look_does_not_renumber_and_a_new_zmc_starts_anew() {
    let mut world = World::new();
    let zmc = world.zmc(760);
    zmc.number(0);
    world.read().unwrap();
    zmc.number(3);
    assert_eq!(world.read().unwrap().state, MonitorState::Alarm);
    zmc.number(0);
    world.read().unwrap();
    world.read().unwrap();
    assert!(world.source.other_numbering(ONE).is_some());
    zmc.stop();
    world.zmc(760).number(3);
    assert_eq!(world.read().unwrap().state, MonitorState::Alarm);
    assert_eq!(world.source.other_numbering(ONE), None);
}

#[test]
fn a_forgotten_monitor_keeps_no_file_open() {
    let mut world = World::new();
    let _zmc = world.zmc(768);
    world.read().unwrap();
    world.source.forget(ONE);
    assert!(world.source.slots.is_empty());
}

/// Run with `--ignored --nocapture`: prints what 50 monitors at 50 Hz cost.
#[test]
#[ignore = "a measurement, not a test"]
fn measure_fifty_monitors() {
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let zmcs: Vec<_> = (1..=50).map(|id| Synthetic::start(directory.path(), MonitorId(id), 888)).collect();
    for zmc in &zmcs {
        zmc.cause(b"Motion: Front door");
    }
    let mut source = ShmSource::new(directory.path().to_owned());
    let (rounds, start) = (5000_u32, Instant::now());
    for round in 0..rounds {
        let now = start + Duration::from_millis(20) * round;
        for id in 1..=50 {
            source.read(MonitorId(id), now).unwrap();
        }
    }
    let per_round = start.elapsed() / rounds;
    println!("one round of 50: {per_round:?}; at 50 Hz {:.3} % of a core", per_round.as_secs_f64() * 5000.0);
}
