//! The faults of an installation: each is the first red step, with the command that fixes it; once fixed, nothing is red.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use zmes_tests::standin::{Authority, Behaviour, PushProxy, Route};
use zmes_tests::{Certificate, Validity, World, epoch_seconds};

use crate::world::{PHONE, ails, doctor, first_red, house, is_well, open, phone, quiet_world};

#[tokio::test]
async fn in_a_healthy_house_nothing_is_red() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = open(house(&proxy)).await?;
    let _app = phone(&world, PHONE, "1,2", "0,60").await?;
    world.alarm(1, 5).await?;
    world.wait_delivery(&world.handle(PHONE).await?, 5, "sent").await?;
    let answer = is_well(&world, "").await?;
    let findings = answer["findings"].as_array().context("no list")?;
    let worried: Vec<_> = findings.iter().filter(|finding| finding["severity"] != "ok").collect();
    ensure!(worried.is_empty(), "{worried:#?}");
    let steps: Vec<_> = findings.iter().filter_map(|finding| finding["step"].as_str()).collect();
    let expected = [
        "daemon",
        "configuration",
        "zm.conf",
        "database",
        "monitors",
        "port",
        "certificate",
        "clock",
        "state",
        "push proxy",
        "tokens",
    ];
    ensure!(steps == expected, "{steps:?}");
    let port = &findings[5]["detail"];
    ensure!(port.as_str().is_some_and(|text| text.contains("TLS 1.3, WebSocket")), "{port}");

    let people = world.run(&["doctor"]).await?.expect_code(0)?;
    ensure!(people.stdout.ends_with("No errors found.\n") && people.stderr.is_empty(), "{people:#?}");
    ensure!(world.run(&["doctor", "-q"]).await?.expect_code(0)?.stdout.is_empty());
    let lines = world.run(&["doctor", "--jsonl"]).await?.expect_code(0)?.stdout;
    ensure!(lines.lines().count() == findings.len(), "{lines}");
    // doctor leaves no trace: no client, no file, no push.
    world.wait_status("alone with its app", |status| status["clients"]["total"] == 1).await?;
    ensure!(proxy.pushes_to(PHONE).len() == 1);
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn a_wrong_database_password() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let mut world = house(&proxy).prepare().await?;
    let conf = world.path("zm.conf");
    let right = fs::read_to_string(&conf)?;
    fs::write(&conf, right.replace(zmes_tests::Database::PASSWORD, "planted-wrong-password"))?;
    world.launch_daemon().await?;
    let place = conf.display().to_string();
    let hint = ails(&world, "", "database", "access denied for `zmuser`", &place).await?;
    ensure!(hint.contains("ZM_DB_PASS") && hint.contains("systemctl restart zmesd"), "{hint}");
    let people = world.run(&["doctor"]).await?.expect_code(1)?.stdout;
    ensure!(!people.contains("planted"), "{people}");
    // Corrected, but not reloaded yet.
    fs::write(&conf, right)?;
    ails(&world, "", "database", "access denied", "by now: systemctl restart zmesd").await?;
    world.kill_daemon().await?;
    world.start_daemon().await?;
    is_well(&world, "").await?;
    Ok(())
}

/// Puts other files in the place of the pair, and has the daemon take them.
async fn serve(world: &World, pair: &Certificate) -> Result<()> {
    fs::copy(&pair.certificate, &world.certificate.certificate)?;
    fs::copy(&pair.key, &world.certificate.key)?;
    world.run(&["reload"]).await?.expect_code(0).map(drop)
}

#[tokio::test]
async fn an_expired_certificate() -> Result<()> {
    let mut world = open(quiet_world().monitor(1, "Garage")).await?;
    let directory = world.directory().to_owned();
    let expired = Certificate::write(&directory, "expired", Validity::Expired)?;
    let good = Certificate::write(&directory, "renewed", Validity::Long)?;
    // On the disk alone it is what the next reload brings.
    fs::copy(&expired.certificate, &world.certificate.certificate)?;
    fs::copy(&expired.key, &world.certificate.key)?;
    ails(&world, "", "certificate", "expired on 2001-01-01", "zmesctl reload").await?;
    world.run(&["reload"]).await?.expect_code(0)?;
    ails(&world, "", "certificate", "expired on 2001-01-01", "zmesctl reload").await?;
    serve(&world, &good).await?;
    is_well(&world, "").await?;
    // It also serves from the start with one: no alarms would be worse.
    serve(&world, &expired).await?;
    world.kill_daemon().await?;
    world.start_daemon().await?;
    ails(&world, "", "certificate", "expired on 2001-01-01", "zmesctl reload").await?;
    Ok(())
}

#[tokio::test]
async fn a_certificate_without_a_name() -> Result<()> {
    let world = open(quiet_world().monitor(1, "Garage")).await?;
    let directory = world.directory().to_owned();
    let nameless = Certificate::write_for(&directory, "nameless", Validity::Long, &[])?;
    serve(&world, &nameless).await?;
    ails(&world, "", "certificate", "only in the subject", "-addext subjectAltName=DNS:NAME").await?;
    serve(&world, &Certificate::write(&directory, "named", Validity::Long)?).await?;
    is_well(&world, "").await?;
    Ok(())
}

#[tokio::test]
async fn a_monitor_whose_memory_is_stale() -> Result<()> {
    let world = open(quiet_world().monitor(1, "Garage").monitor(2, "Yard")).await?;
    world.shm(2)?.set_heartbeat(epoch_seconds() - 600)?;
    world.wait_monitor(2, "stale", |monitor| monitor["healthy"] == false).await?;
    ails(&world, "", "monitor 2", "Yard: zmc's last sign of life", "zmdc.pl restart zmc -m 2").await?;
    // A restarted zmc creates its memory again.
    world.shm(2)?.start()?;
    world.wait_monitor(2, "alive", |monitor| monitor["healthy"] == true).await?;
    is_well(&world, "").await?;
    Ok(())
}

#[tokio::test]
async fn a_monitor_whose_layout_is_unknown() -> Result<()> {
    let world = open(quiet_world().monitor(1, "Garage")).await?;
    world.shm(1)?.poke(&881_u32.to_le_bytes(), 0)?;
    world.wait_monitor(1, "followed in the database", |monitor| monitor["source"] == "db").await?;
    let hint =
        ails(&world, "", "monitor 1", "unknown shared-memory layout (size 881)", "update zmesd").await?;
    ensure!(hint.contains("zoneminder.source = \"db\""), "{hint}");
    world.shm(1)?.start()?;
    world.wait_monitor(1, "understood", |monitor| monitor["source"] == "shm").await?;
    is_well(&world, "").await?;
    Ok(())
}

#[tokio::test]
async fn a_proxy_that_refuses() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = open(house(&proxy)).await?;
    let _app = phone(&world, PHONE, "1,2", "0,0").await?;
    proxy.refuse().await?;
    let port = proxy.address().port().to_string();
    for line in ["", "admin", &world.handle(PHONE).await?] {
        let hint = ails(&world, line, "push proxy", "tcp failed: ", "nc -vz ").await?;
        ensure!(hint.contains(&port), "{hint}");
    }
    proxy.resume().await?;
    is_well(&world, "").await?;
    is_well(&world, "admin").await?;
    Ok(())
}

#[tokio::test]
async fn a_proxy_whose_certificate_is_not_trusted() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let mut world = house(&proxy).prepare().await?;
    let stranger = Authority::new()?;
    world.settings.set_path("push.proxy", "ca-certificate", &stranger.ca());
    world.write_settings()?;
    world.start_daemon().await?;
    let hint = ails(&world, "", "push proxy", "tls failed: ", "push.proxy.ca-certificate").await?;
    ensure!(hint.contains(&format!("openssl s_client -connect {}", proxy.address())), "{hint}");
    world.settings.set_path("push.proxy", "ca-certificate", &proxy.ca());
    world.write_settings()?;
    // After the file is fixed, doctor says what remains to do.
    let answer = doctor(&world, "", 1).await?;
    let changed = answer["findings"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|finding| finding["step"] == "configuration" && finding["hint"] == "zmesctl reload");
    ensure!(changed && first_red(&answer)?.0 == "push proxy", "{answer:#}");
    world.run(&["reload"]).await?.expect_code(0)?;
    is_well(&world, "").await?;
    Ok(())
}

#[tokio::test]
async fn what_hangs_hides_nothing_else() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = open(house(&proxy)).await?;
    proxy.always_on(Route::Probe, Behaviour::Hang);
    world.database.freeze().await?;
    let answer = doctor(&world, "", 1).await?;
    world.database.thaw()?;
    ensure!(first_red(&answer)?.0 == "database", "{answer:#}");
    let step = |name: &str| -> Result<Value> {
        let findings = answer["findings"].as_array().context("no list")?;
        Ok(findings.iter().find(|finding| finding["step"] == name).cloned().unwrap_or(json!(null)))
    };
    ensure!(step("push proxy")?["ok"] == false, "{answer:#}");
    for well in ["daemon", "configuration", "monitors", "port", "certificate", "clock", "state", "tokens"] {
        ensure!(step(well)?["ok"] == true, "{well}: {answer:#}");
    }
    Ok(())
}

/// The configuration on the disk is judged as the daemon itself would judge it at its next start.
#[tokio::test]
async fn a_configuration_that_was_broken_since_the_start() -> Result<()> {
    let mut world = open(quiet_world().monitor(1, "Garage")).await?;
    world.settings.set_text("log", "levle", "info");
    world.write_settings()?;
    let file = world.settings_file();
    ails(&world, "", "configuration", "unknown key", "level").await?;
    ensure!(Path::new(&file).exists());
    world.settings.remove("log", "levle");
    world.settings.set("server", "max-clients", "5");
    world.write_settings()?;
    let answer = is_well(&world, "").await?;
    let mut findings = answer["findings"].as_array().into_iter().flatten();
    ensure!(findings.any(|finding| finding["hint"] == "zmesctl reload"), "{answer:#}");
    world.run(&["reload"]).await?.expect_code(0)?;
    is_well(&world, "").await?;
    Ok(())
}
