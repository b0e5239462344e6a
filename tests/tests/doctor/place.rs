//! Faults of the place: a disk that is full, files that the daemon's own user may not read.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use nix::unistd::Uid;
use zmes_tests::{SmallDisk, World, skipped, zmesctl_binary, zmesd_binary};

use crate::world::{ails, first_red, is_well, quiet_world};

/// A user without any rights.
const NOBODY: u32 = 65534;

#[tokio::test]
async fn a_disk_that_is_full() -> Result<()> {
    let mut world = quiet_world().monitor(1, "Garage").prepare().await?;
    let Some(disk) = SmallDisk::mount(&world.path("state"), "4m")? else { return Ok(()) };
    world.start_daemon().await?;
    is_well(&world, "").await?;
    let filler = disk.fill()?;
    let place = disk.place().display().to_string();
    ails(&world, "", "state", "No space left on device", &format!("df -h {place}")).await?;
    // Nor would a start succeed then; from outside the same is said.
    world.kill_daemon().await?;
    let outside = from_outside(&world)?.expect_code(3)?;
    let (step, detail, _) = first_red(&outside.json()?)?;
    ensure!(step == "state" && detail.contains("No space left on device"), "{outside:#?}");
    fs::remove_file(filler)?;
    world.start_daemon().await?;
    is_well(&world, "").await?;
    world.kill_daemon().await
}

/// Runs `zmesctl doctor` for a daemon that does not run.
fn from_outside(world: &World) -> Result<Outcome> {
    let file = world.settings_file();
    let mut command = Command::new(zmesctl_binary()?);
    command.args(["doctor", "--json", "--socket"]).arg(world.ctl().socket()).arg("--config").arg(file);
    Outcome::of(&mut command)
}

/// What a command printed, and how it ended.
#[derive(Debug)]
struct Outcome {
    code: Option<i32>,
    stdout: String,
}

impl Outcome {
    fn of(command: &mut Command) -> Result<Self> {
        let output = command.output().with_context(|| format!("{command:?}"))?;
        Ok(Self { code: output.status.code(), stdout: String::from_utf8(output.stdout)? })
    }

    fn expect_code(self, code: i32) -> Result<Self> {
        ensure!(self.code == Some(code), "instead of {code}: {self:#?}");
        Ok(self)
    }

    fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("{self:#?}"))
    }
}

/// Makes a directory in which a daemon of `nobody` can work, with the programs in it.
fn for_nobody(world: &World) -> Result<PathBuf> {
    for name in ["state", "run"] {
        fs::create_dir_all(world.path(name))?;
        nix::unistd::chown(&world.path(name), Some(NOBODY.into()), Some(NOBODY.into()))?;
    }
    // Beside the world, because other users may not be able to reach the build directory.
    let programs = world.path("programs");
    fs::create_dir(&programs)?;
    fs::copy(zmesd_binary()?, programs.join("zmesd"))?;
    fs::copy(zmesctl_binary()?, programs.join("zmesctl"))?;
    Ok(programs)
}

fn as_nobody(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "--reuid=65534", "--regid=65534", "--clear-groups", "--"])
        .arg(program);
    command
}

fn powerless() -> Result<bool> {
    let root = Uid::effective().is_root();
    if !root {
        skipped("running the daemon as another user needs root")?;
    }
    Ok(!root)
}

#[tokio::test]
async fn a_key_that_the_daemon_may_not_read_any_more() -> Result<()> {
    if powerless()? {
        return Ok(());
    }
    let mut world = quiet_world().monitor(1, "Garage").prepare().await?;
    let programs = for_nobody(&world)?;
    let key = world.certificate.key.clone();
    fs::set_permissions(&key, Permissions::from_mode(0o644))?;
    let mut command = as_nobody(&programs.join("zmesd"));
    command.arg("--config").arg(world.settings_file());
    world.adopt(command).await?;
    world.wait_watching().await?;
    is_well(&world, "").await?;
    fs::set_permissions(&key, Permissions::from_mode(0o600))?;
    let place = key.display().to_string();
    let hint = ails(&world, "", "certificate", &format!("cannot read {place}"), &place).await?;
    ensure!(hint.contains("chgrp nobody ") || hint.contains("setfacl "), "{hint}");
    fs::set_permissions(&key, Permissions::from_mode(0o644))?;
    is_well(&world, "").await?;
    Ok(())
}

#[tokio::test]
async fn a_key_that_keeps_the_daemon_from_starting() -> Result<()> {
    if powerless()? {
        return Ok(());
    }
    let world = quiet_world().monitor(1, "Garage").prepare().await?;
    let programs = for_nobody(&world)?;
    fs::set_permissions(&world.certificate.key, Permissions::from_mode(0o600))?;
    let place = world.certificate.key.display().to_string();
    let ask = |mut command: Command| -> Result<(String, String, String)> {
        command.args(["doctor", "--json", "--socket"]).arg(world.ctl().socket());
        command.arg("--config").arg(world.settings_file());
        first_red(&Outcome::of(&mut command)?.expect_code(3)?.json()?)
    };
    let expected = |(step, detail, hint): (String, String, String)| -> Result<()> {
        ensure!(step == "certificate" && detail.contains(&place), "{step}: {detail}");
        ensure!(
            detail.contains("permission denied for user nobody") && hint.contains(&place),
            "{detail}: {hint}"
        );
        Ok(())
    };
    expected(ask(as_nobody(&programs.join("zmesctl")))?)?;
    // Root without systemd: the owner of the state directory is taken as the daemon's user.
    expected(ask(Command::new(programs.join("zmesctl")))?)?;
    // Root may read every key; what counts is what the user of the service may.
    let systemctl = programs.join("systemctl");
    fs::write(&systemctl, "#!/bin/sh\necho LoadState=loaded\necho ActiveState=failed\necho User=nobody\n")?;
    fs::set_permissions(&systemctl, Permissions::from_mode(0o755))?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([programs.clone()].into_iter().chain(std::env::split_paths(&path)))?;
    let mut command = Command::new(programs.join("zmesctl"));
    command.env("PATH", path);
    expected(ask(command)?)
}

#[tokio::test]
async fn memory_that_the_daemon_of_the_web_group_may_not_read() -> Result<()> {
    if powerless()? {
        return Ok(());
    }
    let world = quiet_world().monitor(1, "Garage").prepare().await?;
    let programs = for_nobody(&world)?;
    fs::set_permissions(&world.certificate.key, Permissions::from_mode(0o644))?;
    let memory = world.path("shm/zm.mmap.1");
    fs::set_permissions(&memory, Permissions::from_mode(0o640))?;
    let ask = || -> Result<serde_json::Value> {
        let mut command = Command::new(programs.join("zmesctl"));
        command.args(["doctor", "--json", "--socket"]).arg(world.ctl().socket());
        command.arg("--config").arg(world.settings_file());
        Outcome::of(&mut command)?.expect_code(3)?.json()
    };
    let (step, detail, hint) = first_red(&ask()?)?;
    ensure!(step == "monitor 1" && detail.starts_with("Garage: permission denied: "), "{step}: {detail}");
    ensure!(hint == "usermod -aG root nobody && systemctl restart zmesd", "{hint}");
    fs::set_permissions(&memory, Permissions::from_mode(0o644))?;
    let (step, ..) = first_red(&ask()?)?;
    ensure!(step == "daemon", "all but the daemon is well: {step}");
    Ok(())
}
