//! Where no daemon answers: what keeps it from starting is named first.

use std::net::TcpListener;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use zmes_tests::{FakeDaemon, World};

use crate::world::{doctor, first_red, quiet_world};

/// Asks about a daemon that does not run.
async fn outside(world: &World, code: i32) -> Result<Value> {
    doctor(world, &format!("--config {}", world.settings_file().display()), code).await
}

#[tokio::test]
async fn a_daemon_that_was_stopped() -> Result<()> {
    let mut world = quiet_world().monitor(1, "Garage").start().await?;
    world.kill_daemon().await?;
    let answer = outside(&world, 3).await?;
    let (step, detail, hint) = first_red(&answer)?;
    ensure!(step == "daemon" && detail.contains("left the socket"), "{answer:#}");
    ensure!(hint.contains("systemctl"), "{hint}");
    ensure!(answer["error"]["code"] == "unreachable", "{answer}");
    let steps: Vec<_> =
        answer["findings"].as_array().context("no list")?.iter().map(|one| &one["step"]).collect();
    ensure!(
        steps == ["configuration", "database", "monitors", "certificate", "state", "port", "push", "daemon"],
        "{steps:?}"
    );
    let people =
        world.run(&["doctor", "--config", &world.settings_file().to_string_lossy()]).await?.expect_code(3)?;
    let last = people.stdout.lines().last().unwrap_or_default();
    ensure!(
        last.starts_with("First error: daemon: zmesd does not run") && people.stderr.is_empty(),
        "{people:#?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_configuration_that_is_wrong() -> Result<()> {
    let mut world = quiet_world().monitor(1, "Garage").prepare().await?;
    world.settings.set_text("server", "lisen", "[::]:9000");
    world.write_settings()?;
    let answer = outside(&world, 3).await?;
    let (step, detail, _) = first_red(&answer)?;
    let place = format!("{}:", world.settings_file().display());
    ensure!(step == "configuration" && detail.starts_with(&place) && detail.contains("listen"), "{answer:#}");
    let daemon = answer["findings"].as_array().and_then(|findings| findings.last()).context("no list")?;
    ensure!(daemon["step"] == "daemon", "{answer:#}");
    ensure!(daemon["hint"].as_str().is_some_and(|hint| hint.starts_with("fix the errors above")), "{daemon}");
    Ok(())
}

#[tokio::test]
async fn a_port_that_another_process_has() -> Result<()> {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?;
    let world = quiet_world()
        .monitor(1, "Garage")
        .setting("server", "listen", &format!("[\"{address}\"]"))
        .prepare()
        .await?;
    let (step, detail, hint) = first_red(&outside(&world, 3).await?)?;
    ensure!(step == "port" && detail.contains(&address.to_string()), "{step}: {detail}");
    ensure!(hint.contains("ss -ltnp"), "{hint}");
    Ok(())
}

#[tokio::test]
async fn an_expired_certificate_is_red_from_outside_too() -> Result<()> {
    let mut world = quiet_world().monitor(1, "Garage").prepare().await?;
    let directory = world.directory().to_owned();
    let expired = zmes_tests::Certificate::write(&directory, "expired", zmes_tests::Validity::Expired)?;
    world.settings.set_path("server.tls", "certificate", &expired.certificate);
    world.settings.set_path("server.tls", "key", &expired.key);
    world.write_settings()?;
    let (step, detail, hint) = first_red(&outside(&world, 3).await?)?;
    ensure!(step == "certificate" && detail.contains("expired on 2001-01-01"), "{step}: {detail}");
    ensure!(hint.contains("renew"), "{hint}");
    Ok(())
}

#[tokio::test]
async fn a_daemon_that_hangs() -> Result<()> {
    let world = quiet_world().monitor(1, "Garage").prepare().await?;
    std::fs::create_dir_all(world.path("run"))?;
    let mute = FakeDaemon::listen(world.ctl().socket(), "")?;
    let line = format!("--timeout 200ms --config {}", world.settings_file().display());
    let answer = tokio::select! {
        answer = doctor(&world, &line, 6) => answer?,
        served = mute.serve() => anyhow::bail!("it ended: {served:?}"),
    };
    ensure!(first_red(&answer)?.1.contains("it hangs"), "{answer:#}");
    Ok(())
}
