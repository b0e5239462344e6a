//! Upgrades of the state file: the content of an older zmesd is kept, with a copy, kill -9 in the middle does no harm,
//! and what cannot be read is refused with a way out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use zmes_tests::{Daemon, Process, World, skipped};

/// The version of the tables of this zmesd.
const VERSION: u64 = 11;

fn file(world: &World) -> PathBuf {
    world.path("state/zmesd.db")
}

fn copy(world: &World) -> PathBuf {
    world.path(&format!("state/zmesd.db.before-{VERSION}"))
}

/// The copy, before it is complete.
fn half_copy(world: &World) -> PathBuf {
    world.path(&format!("state/zmesd.db.before-{VERSION}.part"))
}

/// Runs Python's SQLite, so that the program under test does not judge its own file.
fn sqlite(database: &Path, script: &str) -> Result<Value> {
    let program = format!("import json, sqlite3, sys\ndb = sqlite3.connect(sys.argv[1])\n{script}");
    let output = Command::new("python3").arg("-c").arg(program).arg(database).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout).unwrap_or_default())
}

/// Creates the file of version 1, with this many additional alarms.
fn lay_down(world: &World, more_alarms: u32) -> Result<()> {
    let path = file(world);
    fs::create_dir_all(path.parent().context("no directory")?)?;
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/state/schema-1.sql");
    let alarm = "(1900000000000, ?, 1, 'Garage', 'Motion: All', 0)";
    sqlite(
        &path,
        &format!(
            "db.executescript(open({fixture:?}).read())\n\
             db.executemany(\"INSERT INTO alarms (at, event_id, monitor_id, monitor_name, cause, late) VALUES {alarm}\", \
             ((event,) for event in range(1, {more_alarms} + 1)))\ndb.commit()\n"
        ),
    )?;
    Ok(())
}

/// Returns the version of a file's tables and how many alarms it has; it must be whole.
fn whole(path: &Path) -> Result<(u64, u64)> {
    let script = "assert db.execute('PRAGMA integrity_check').fetchone() == ('ok',)\n\
                  one = lambda sql: db.execute(sql).fetchone()[0]\n\
                  print(json.dumps([one('SELECT MAX(version) FROM _sqlx_migrations'), one('SELECT COUNT(*) FROM alarms')]))";
    let found = sqlite(path, script)?;
    let number = |place: usize| found[place].as_u64().with_context(|| found.to_string());
    Ok((number(0)?, number(1)?))
}

fn start(world: &World) -> Result<Command> {
    Daemon::command(world.directory(), &["--config", &world.settings_file().to_string_lossy()])
}

/// Starts a daemon that must refuse to start, and returns its output.
fn refused(world: &World, code: i32) -> Result<String> {
    let Output { status, stderr, .. } = start(world)?.output()?;
    let said = String::from_utf8_lossy(&stderr).into_owned();
    ensure!(status.code() == Some(code), "{status}: {said}");
    Ok(said)
}

#[tokio::test]
async fn what_an_older_zmesd_has_left_goes_on() -> Result<()> {
    let mut world = World::new().monitor(1, "Garage").monitor(2, "Yard").prepare().await?;
    lay_down(&world, 0)?;
    world.start_daemon().await?;
    // A device with a stored filter: monitor 1 alone.
    let mut app = world.device("1.8.001").await?;
    world.alarm(2, 40_000).await?;
    world.alarm(1, 40_001).await?;
    app.expect_alarm(40_001, 1).await?;
    // And the record of alarms.
    app.send(&json!({"event": "control", "data": {"type": "replay", "since": "32908"}})).await?;
    let replayed = app.next_json().await?;
    ensure!(replayed["events"][0]["EventId"] == "32910" && replayed["replayed"] == "true", "{replayed}");
    world.run(&["check", "store"]).await?.expect_code(0)?;
    let why = world.ctl().json(&["why", "32910"]).await?;
    ensure!(why["announced"] == true, "{why}");
    ensure!(world.daemon()?.end(Signal::SIGTERM).await?.success());
    ensure!(whole(&file(&world))? == (VERSION, 5) && whole(&copy(&world))? == (1, 3));
    Ok(())
}

/// When to kill: as soon as this is seen in the state's directory.
struct Moment {
    name: &'static str,
    seen: fn(&World) -> bool,
}

const MOMENTS: [Moment; 4] = [
    Moment { name: "the file is open", seen: |world| world.path("state/zmesd.db-wal").exists() },
    Moment {
        name: "the copy is being made",
        seen: |world| half_copy(world).exists() || copy(world).exists(),
    },
    Moment { name: "the copy is complete", seen: |world| copy(world).exists() },
    Moment {
        name: "the tables are being changed",
        seen: |world| {
            let log = fs::metadata(world.path("state/zmesd.db-wal"));
            copy(world).exists() && log.is_ok_and(|log| log.len() > 0)
        },
    },
];

#[tokio::test]
async fn a_daemon_that_is_killed_while_it_upgrades_begins_again() -> Result<()> {
    let mut world = World::new().monitor(1, "Garage").prepare().await?;
    let alarms = 100_000;
    lay_down(&world, alarms)?;
    let original = world.path("original.db");
    fs::copy(file(&world), &original)?;
    let wanted = u64::from(alarms) + 3;
    for Moment { name, seen } in MOMENTS {
        let leftovers = ["", "-wal", "-shm"].map(|end| world.path(&format!("state/zmesd.db{end}")));
        for path in leftovers.into_iter().chain([copy(&world), half_copy(&world)]) {
            ensure!(fs::remove_file(&path).is_ok() || !path.exists(), "{}", path.display());
        }
        fs::copy(&original, file(&world))?;
        let mut process = Process::spawn("zmesd", &mut start(&world)?, &world.path("killed.log"))?;
        loop {
            if let Some(status) = process.exited()? {
                bail!("{name}: zmesd ended with {status}");
            }
            if seen(&world) {
                break;
            }
        }
        process.end(Signal::SIGKILL).await?;
        let copied = copy(&world).exists();
        // Opening the file from outside would merge the log, so the test opens copies.
        let left = world.path("left");
        fs::create_dir_all(&left)?;
        for entry in fs::read_dir(world.path("state"))? {
            let entry = entry?;
            fs::copy(entry.path(), left.join(entry.file_name()))?;
        }
        let (version, count) = whole(&left.join("zmesd.db")).context(name)?;
        ensure!((1..=VERSION).contains(&version) && count == wanted, "{name}: {version}, {count}");
        let copy_left = left.join(copy(&world).file_name().context("no name")?);
        ensure!(!copied || whole(&copy_left)? == (1, wanted), "{name}: the copy");
        fs::remove_dir_all(&left)?;
        world.start_daemon().await.context(name)?;
        ensure!(world.daemon()?.end(Signal::SIGTERM).await?.success());
        ensure!(whole(&file(&world))? == (VERSION, wanted), "{name}");
        if copied || version == 1 {
            ensure!(whole(&copy(&world))? == (1, wanted), "{name}: the copy afterwards");
        }
        ensure!(!half_copy(&world).exists(), "{name}: half a copy was left");
    }
    Ok(())
}

#[tokio::test]
async fn a_file_of_a_newer_zmesd_is_refused_by_name_and_the_way_back_works() -> Result<()> {
    let mut world = World::new().monitor(1, "Garage").prepare().await?;
    lay_down(&world, 0)?;
    world.start_daemon().await?;
    ensure!(world.daemon()?.end(Signal::SIGTERM).await?.success());
    // What a later zmesd does with it: a copy, then a step more.
    fs::copy(file(&world), world.path("state/zmesd.db.before-99"))?;
    let step = "INSERT INTO _sqlx_migrations VALUES (99, 'zmesd 4.5.0: something new', 0, 1, x'00', 0)";
    sqlite(
        &file(&world),
        &format!("db.execute(\"{step}\")\ndb.execute('CREATE TABLE news (x)')\ndb.commit()"),
    )?;
    let before = fs::read(file(&world))?;
    let said = refused(&world, 78)?;
    let back = format!("mv {0}.before-99 {0}", file(&world).display());
    for part in [
        "has tables of version 99, made by zmesd 4.5.0",
        &format!("supports up to version {VERSION}"),
        "install zmesd 4.5.0 again",
        &back,
    ] {
        ensure!(said.contains(part), "`{part}` is missing in: {said}");
    }
    ensure!(fs::read(file(&world))? == before, "it was changed");
    fs::rename(file(&world), world.path("newer.db"))?;
    let went = Command::new("sh").args(["-c", &back]).status()?;
    ensure!(went.success());
    world.start_daemon().await?;
    let why = world.ctl().json(&["why", "32910"]).await?;
    ensure!(why["announced"] == true, "{why}");
    Ok(())
}

#[tokio::test]
async fn a_disk_too_full_for_the_copy_stops_the_upgrade_and_changes_nothing() -> Result<()> {
    let private = Command::new("unshare").args(["--mount", "true"]).output();
    if !private.is_ok_and(|output| output.status.success()) {
        return skipped("a disk of its own needs root and unshare(1)");
    }
    let world = World::new().monitor(1, "Garage").prepare().await?;
    lay_down(&world, 5_000)?;
    let original = world.path("original.db");
    fs::rename(file(&world), &original)?;
    let daemon = start(&world)?;
    // Room for the file and its log, but not for a copy; the disk is seen by these processes alone.
    let script = "size=$(stat -c %s \"$1\"); mount -t tmpfs -o size=$((size * 3 / 2 + 40960)) tmpfs \"$2\" || exit 90\n\
                  cp \"$1\" \"$2/zmesd.db\" && shift && state=$1 && shift\n\
                  \"$@\"; code=$?\n\
                  cmp \"$state/../original.db\" \"$state/zmesd.db\" || exit 91\n\
                  ls \"$state\" | grep before && exit 92\n\
                  exit $code";
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "bash", "-c", script, "bash"]);
    command.arg(&original).arg(world.path("state")).arg(daemon.get_program()).args(daemon.get_args());
    let Output { status, stderr, stdout } = command.output()?;
    let said = String::from_utf8_lossy(&stderr);
    ensure!(status.code() == Some(69), "{status}: {said}{}", String::from_utf8_lossy(&stdout));
    for part in ["cannot copy ", &format!("zmesd.db.before-{VERSION}"), "nothing was changed; make room"] {
        ensure!(said.contains(part), "`{part}` is missing in: {said}");
    }
    // With enough space the upgrade succeeds, and the state of the old file is kept.
    fs::rename(&original, file(&world))?;
    let mut world = world;
    world.start_daemon().await?;
    ensure!(copy(&world).is_file(), "there is no copy of the old file");
    Ok(())
}

#[tokio::test]
async fn a_state_file_that_is_read_only_is_a_matter_of_permissions() -> Result<()> {
    if !nix::unistd::Uid::effective().is_root() {
        return skipped("becoming another user needs root");
    }
    let world = World::new().monitor(1, "Garage").prepare().await?;
    lay_down(&world, 0)?;
    fs::set_permissions(&world.certificate.key, std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    let program = world.path("zmesd");
    fs::copy(zmes_tests::zmesd_binary()?, &program)?;
    std::os::unix::fs::chown(world.directory(), Some(65534), Some(65534))?;
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(&program);
    command.arg("--config").arg(world.settings_file());
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(77) && said.contains("zmesd.db"), "{}: {said}", output.status);
    // Given to its user, it is served.
    std::os::unix::fs::chown(world.directory(), Some(0), Some(0))?;
    let mut world = world;
    world.start_daemon().await?;
    Ok(())
}
