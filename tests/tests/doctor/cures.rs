//! Hints that are true: faults whose obvious explanation would be the wrong one.

use std::fs;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use zmes_tests::{Certificate, UserRow, Validity};

use crate::world::{ails, doctor, first_red, is_well, open, quiet_world};

#[tokio::test]
async fn monitors_of_another_server() -> Result<()> {
    let mut world = quiet_world()
        .monitor(1, "Garage")
        .monitor(2, "Yard")
        .setting("zoneminder", "server-id", "1")
        .prepare()
        .await?;
    world
        .database
        .sql("DELETE FROM Servers; INSERT INTO Servers (Id, Name) VALUES (1, 'nvr1'), (2, 'nvr2'); UPDATE Monitors SET ServerId=2")
        .await?;
    world.observe()?;
    world.launch_daemon().await?;
    let told = "2 monitors belong to server 2 (nvr2); this is server 1 (nvr1)";
    ails(&world, "", "monitors", told, "zoneminder.server-id = 2").await?;
    world.database.sql("UPDATE Monitors SET ServerId=1").await?;
    world.run(&["monitors", "reload"]).await?.expect_code(0)?;
    world.wait_watching().await?;
    is_well(&world, "").await?;
    Ok(())
}

/// A process that looks like the `zmc` of a monitor; it ends with the test.
struct FakeZmc(Child);

impl FakeZmc {
    fn start(monitor: u32) -> Result<Self> {
        let script = format!("exec -a zmc sh -c 'read line' zmc -m {monitor}");
        let mut command = Command::new("bash");
        command.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::null());
        Ok(Self(command.spawn().context("no bash")?))
    }
}

impl Drop for FakeZmc {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[tokio::test]
async fn a_path_map_that_is_wrong_while_zmc_runs() -> Result<()> {
    const MONITOR: u32 = 4211;
    let mut world = quiet_world().monitor(MONITOR, "Garage").prepare().await?;
    let elsewhere = world.path("elsewhere");
    fs::create_dir(&elsewhere)?;
    world.settings.set_path("zoneminder", "path-map", &elsewhere);
    world.observe()?;
    world.launch_daemon().await?;
    world.wait_monitor(MONITOR, "looked at", |monitor| monitor["trouble"] == "no_memory").await?;
    let step = format!("monitor {MONITOR}");
    ails(&world, "", &step, "zmc is not running", &format!("zmdc.pl restart zmc -m {MONITOR}")).await?;
    let zmc = FakeZmc::start(MONITOR)?;
    let told = format!("zmc runs for it, but its memory zm.mmap.{MONITOR} is not in {}", elsewhere.display());
    ails(&world, "", &step, &told, "grep -rs ZM_PATH_MAP ").await?;
    drop(zmc);
    // A sandboxed service cannot see processes of others; what zmc writes into the database shows it, too.
    ails(&world, "", &step, "zmc is not running", "zmdc.pl").await?;
    world
        .database
        .sql(&format!("REPLACE INTO Monitor_Status (MonitorId, Status) VALUES ({MONITOR}, 'Connected')"))
        .await?;
    ails(&world, "", &step, &told, "grep -rs ZM_PATH_MAP ").await?;
    world.settings.remove("zoneminder", "path-map");
    world.write_settings()?;
    world.kill_daemon().await?;
    world.start_daemon().await?;
    is_well(&world, "").await?;
    Ok(())
}

#[tokio::test]
async fn a_reload_says_which_certificate_is_served_now() -> Result<()> {
    let world = open(quiet_world().monitor(1, "Garage")).await?;
    let people = world.run(&["reload"]).await?.expect_code(0)?.stdout;
    ensure!(people == "Configuration reloaded. Nothing has changed.\n", "{people}");
    let renewed = Certificate::write_for(world.directory(), "renewed", Validity::Long, &["zm.example.org"])?;
    fs::copy(&renewed.certificate, &world.certificate.certificate)?;
    fs::copy(&renewed.key, &world.certificate.key)?;
    let people = world.run(&["reload"]).await?.expect_code(0)?.stdout;
    ensure!(people.starts_with("Configuration reloaded. Certificate "), "{people}");
    ensure!(
        people.contains("zm.example.org") && people.ends_with(", valid until 4096-01-01, is now served.\n"),
        "{people}"
    );
    is_well(&world, "").await?;
    Ok(())
}

#[tokio::test]
async fn a_user_without_the_right_is_told_of_the_right() -> Result<()> {
    let amy = UserRow::new("amy", "pw").monitor_ids("1");
    let world = open(quiet_world().monitor(1, "Garage").monitor(2, "Yard").user(amy)).await?;
    let _app = world.login("amy", "pw").await?;
    is_well(&world, "amy --monitor 1").await?;
    ails(
        &world,
        "amy --monitor Yard",
        "user",
        "ZoneMinder does not let amy see monitor 2 (Yard)",
        "Options > Users",
    )
    .await?;
    world.database.sql("UPDATE Users SET MonitorIds='' WHERE Username='amy'").await?;
    world.run(&["monitors", "reload"]).await?.expect_code(0)?;
    is_well(&world, "amy --monitor Yard").await?;
    Ok(())
}

#[tokio::test]
async fn a_password_in_plain_text_is_no_wrong_password() -> Result<()> {
    let world = open(quiet_world().monitor(1, "Garage").user(UserRow::new("amy", "pw"))).await?;
    world.database.sql("UPDATE Users SET Password='pw' WHERE Username='amy'").await?;
    ails(&world, "amy", "user", "in an unknown format", "set the password again in ZoneMinder").await?;
    let answer = doctor(&world, "amy", 1).await?;
    ensure!(!answer.to_string().contains("'pw'"), "{answer}");
    ensure!(first_red(&answer)?.0 == "user", "{answer:#}");
    Ok(())
}
