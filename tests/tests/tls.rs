//! The certificate: problems are said at the start and at a reload, and never cost a client.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::PermissionsExt;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use zmes_tests::{AppClient, Certificate, Daemon, Endpoint, Process, Validity, World, wait_until};

/// Starts a daemon that must refuse to start; returns its exit code and output.
async fn refused_start(world: &World) -> Result<(Option<i32>, String)> {
    let file = world.settings_file();
    let mut command = Daemon::command(world.directory(), &["--config", &file.to_string_lossy()])?;
    let log = world.path("refused.log");
    drop(fs::remove_file(&log));
    let mut process = Process::spawn("zmesd", &mut command, &log)?;
    let status = process.exit().await?;
    Ok((status.code(), process.log()))
}

#[tokio::test]
async fn a_pair_that_cannot_serve_stops_the_start_and_is_named() -> Result<()> {
    let mut world = World::new().prepare().await?;
    let other = Certificate::write(world.directory(), "other", Validity::Long)?;
    let good = world.certificate.clone();
    let path = |name: &str, content: &str| -> Result<std::path::PathBuf> {
        let path = world.path(name);
        fs::write(&path, content)?;
        Ok(path)
    };
    let (missing, empty, text) =
        (world.path("missing.pem"), path("empty.pem", "")?, path("text.pem", "hello")?);
    let key_as_certificate = good.key.clone();
    for (what, certificate, key) in [
        ("a missing certificate", &missing, &good.key),
        ("a missing key", &good.certificate, &missing),
        ("an empty certificate", &empty, &good.key),
        ("an empty key", &good.certificate, &empty),
        ("text for a certificate", &text, &good.key),
        ("a key for a certificate", &key_as_certificate, &good.key),
        ("a certificate for a key", &good.certificate, &good.certificate),
        ("a key of another certificate", &good.certificate, &other.key),
    ] {
        world.settings.set_path("server.tls", "certificate", certificate);
        world.settings.set_path("server.tls", "key", key);
        world.write_settings()?;
        let (code, said) = refused_start(&world).await?;
        ensure!(code == Some(78), "{what}: exit code {code:?}\n{said}");
        let bad = if certificate == &good.certificate { key } else { certificate };
        ensure!(said.contains(&*bad.to_string_lossy()), "{what}: the file is not named:\n{said}");
    }
    Ok(())
}

#[tokio::test]
async fn a_key_that_may_not_be_read_is_a_matter_of_permission() -> Result<()> {
    if !nix::unistd::Uid::effective().is_root() {
        // Without root, a file without read permission shows the same.
        return Ok(());
    }
    let world = World::new().prepare().await?;
    fs::set_permissions(&world.certificate.key, fs::Permissions::from_mode(0o600))?;
    for name in ["state", "run"] {
        fs::create_dir_all(world.path(name))?;
        fs::set_permissions(world.path(name), fs::Permissions::from_mode(0o777))?;
    }
    // Beside the world, because other users may not be able to reach the build directory.
    let copy = world.path("zmesd");
    fs::copy(zmes_tests::zmesd_binary()?, &copy)?;
    let mut command = std::process::Command::new("setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
        .arg(&copy)
        .arg("--config")
        .arg(world.settings_file());
    let mut process = Process::spawn("zmesd", &mut command, &world.path("refused.log"))?;
    let status = process.exit().await?;
    let said = process.log();
    ensure!(matches!(status.code(), Some(77 | 78)), "{status}\n{said}");
    ensure!(said.contains(&*world.certificate.key.to_string_lossy()) && said.contains("ermission"), "{said}");
    Ok(())
}

#[tokio::test]
async fn tls_1_2_and_1_3_are_spoken_and_plain_text_only_if_asked() -> Result<()> {
    let world = World::new().start().await?;
    let endpoint = world.endpoint().await?;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let endpoint = Endpoint { tls: Some(world.certificate.client(&[version])?), ..endpoint.clone() };
        AppClient::connect(&endpoint).await?.authenticate("admin", "adminpass").await?;
    }
    ensure!(AppClient::connect(&Endpoint { tls: None, ..endpoint }).await.is_err(), "plain text was served");

    let plain = World::new().monitor(1, "Front").setting("server", "plaintext", "true").start().await?;
    let endpoint = plain.endpoint().await?;
    ensure!(endpoint.tls.is_none(), "{endpoint:?}");
    let mut app = plain.admin().await?;
    plain.alarm(1, 5).await?;
    app.expect_alarm(5, 1).await?;
    Ok(())
}

/// Says whether a new client that trusts only `certificate` can connect.
async fn serves(world: &World, certificate: &Certificate) -> Result<bool> {
    let endpoint =
        Endpoint { tls: Some(certificate.client(rustls::ALL_VERSIONS)?), ..world.endpoint().await? };
    Ok(AppClient::connect(&endpoint).await.is_ok())
}

#[tokio::test]
async fn a_new_pair_is_taken_while_clients_stay() -> Result<()> {
    let mut world = World::new().monitor(1, "Front").start().await?;
    let mut member = world.admin().await?;
    for round in 0..2 {
        let renewed = Certificate::write(world.directory(), &format!("renewed{round}"), Validity::Long)?;
        // As an ACME client does it: new content under the old names.
        fs::copy(&renewed.certificate, &world.certificate.certificate)?;
        fs::copy(&renewed.key, &world.certificate.key)?;
        if round == 0 {
            world.run(&["reload"]).await?.expect_code(0)?;
            ensure!(serves(&world, &renewed).await?, "the old pair is still served after `zmesctl reload`");
        } else {
            world.daemon()?.signal(Signal::SIGHUP)?;
            wait_until("the new pair is served after SIGHUP", async || {
                Ok(serves(&world, &renewed).await?.then_some(()))
            })
            .await?;
        }
    }
    world.alarm(1, 5).await?;
    member.expect_alarm(5, 1).await?;
    Ok(())
}

#[tokio::test]
async fn a_bad_new_pair_changes_nothing_and_is_said() -> Result<()> {
    let world = World::new().start().await?;
    let old = world.certificate.clone();
    let other = Certificate::write(world.directory(), "other", Validity::Long)?;
    fs::copy(&other.key, &old.key)?;
    let answer = world.run(&["reload"]).await?.expect_code(1)?;
    ensure!(answer.stderr.contains("error:"), "{answer:?}");
    ensure!(serves(&world, &old).await?, "the good pair is no longer served");
    // The certificate that belongs to that key: the next reload takes both.
    fs::copy(&other.certificate, &old.certificate)?;
    world.run(&["reload"]).await?.expect_code(0)?;
    ensure!(serves(&world, &other).await?, "the mended pair is not served");
    Ok(())
}

#[tokio::test]
async fn a_bad_pair_is_told_with_all_other_problems_by_file_and_line() -> Result<()> {
    let mut world = World::new().prepare().await?;
    let other = Certificate::write(world.directory(), "other", Validity::Long)?;
    let text = world.path("text.pem");
    fs::write(&text, "hello")?;
    let good = world.certificate.clone();
    for (certificate, key, wrong) in [
        (&good.certificate, &other.key, vec![("server.tls.key", "does not belong to the certificate in")]),
        (
            &text,
            &text,
            vec![
                ("server.tls.certificate", "holds no certificate"),
                ("server.tls.key", "holds no private key"),
            ],
        ),
        (
            &world.path("missing.pem"),
            &text,
            vec![("server.tls.certificate", "no such file"), ("server.tls.key", "holds no private key")],
        ),
    ] {
        world.settings.set_path("server.tls", "certificate", certificate);
        world.settings.set_path("server.tls", "key", key);
        world.settings.set("log", "level", "5");
        world.write_settings()?;
        let file = world.settings_file();
        let arguments = ["check-config", "--config", &*file.to_string_lossy()];
        let output = Daemon::command(world.directory(), &arguments)?.output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(78), "{:?}: {said}", output.status);
        let settings = fs::read_to_string(&file)?;
        for (key, message) in wrong.into_iter().chain([("log.level", "")]) {
            let name = key.rsplit('.').next().unwrap_or_default();
            let line = settings.lines().position(|line| line.starts_with(name)).context(name.to_owned())? + 1;
            let start = format!("{}:{line}: {key}: ", file.display());
            let found = said.lines().any(|line| line.trim().starts_with(&start) && line.contains(message));
            ensure!(found, "no `{start}…{message}` in\n{said}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_expired_certificate_serves_but_the_check_fails() -> Result<()> {
    let mut world = World::new().prepare().await?;
    let expired = Certificate::write(world.directory(), "expired", Validity::Expired)?;
    world.settings.set_path("server.tls", "certificate", &expired.certificate);
    world.settings.set_path("server.tls", "key", &expired.key);
    world.write_settings()?;
    world.start_daemon().await?;
    let answer = world.run(&["check", "tls", "--json"]).await?.expect_code(1)?;
    let check = answer.json()?;
    ensure!(check["ok"] == false && check["check"] == "tls", "{check}");
    ensure!(check["detail"].to_string().contains("expired"), "{check}");
    // Renewed in its place, as certbot does: no restart.
    let renewed = Certificate::write(world.directory(), "renewed", Validity::Long)?;
    fs::copy(&renewed.certificate, &expired.certificate)?;
    fs::copy(&renewed.key, &expired.key)?;
    world.run(&["reload"]).await?.expect_code(0)?;
    ensure!(serves(&world, &renewed).await?, "the renewed certificate is not served");
    world.run(&["check", "tls"]).await?.expect_code(0)?;
    Ok(())
}

#[tokio::test]
async fn one_socket_serves_both_families() -> Result<()> {
    let world = World::new().setting("server", "listen", "[\"[::]:0\"]").start().await?;
    let endpoint = world.endpoint().await?;
    for host in [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)] {
        let endpoint = Endpoint { address: (host, endpoint.address.port()).into(), ..endpoint.clone() };
        AppClient::connect(&endpoint).await?.authenticate("admin", "adminpass").await?;
    }
    // An IPv4 address mapped into IPv6 is reported as IPv4.
    let mut app = AppClient::connect(&Endpoint {
        address: ([127, 0, 0, 1], endpoint.address.port()).into(),
        ..endpoint
    })
    .await?;
    app.authenticate("admin", "adminpass").await?;
    let list = world.ctl().json(&["clients", "list", "--address", "127.0.0.1"]).await?;
    ensure!(list["clients"].as_array().is_some_and(|clients| !clients.is_empty()), "{list}");
    Ok(())
}
