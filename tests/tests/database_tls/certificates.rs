//! The matrix of the server's certificates: without a CA in `zm.conf` all of them do, with one the certificate is blamed.

use anyhow::{Result, ensure};
use zmes_tests::{World, wait_until};

use crate::authorities::{Authorities, Kind};
use crate::place::{ails, configure, free_port, goes_on, listening, prepare};

/// Returns how many TLS handshakes the server has finished.
async fn handshakes(world: &World) -> Result<u64> {
    let shown = world.database.sql("SHOW GLOBAL STATUS LIKE 'Ssl_finished_accepts'").await?;
    Ok(shown.split_whitespace().nth(1).unwrap_or_default().parse()?)
}

fn told_plain(log: &str) -> usize {
    log.matches("connected to the database without TLS").count()
}

#[tokio::test]
async fn where_zm_conf_names_no_ca_every_certificate_of_the_server_does_over_tcp() -> Result<()> {
    let mut world = prepare().await?;
    let (authorities, port) = (Authorities::new(world.directory())?, free_port()?);
    configure(&world, &format!("ZM_DB_HOST=127.0.0.1:{port}\n"))?;
    let with = |kind: Option<Kind>| -> Result<Vec<String>> {
        let tls =
            kind.map_or_else(|| Ok(vec!["--skip-ssl".to_owned()]), |kind| authorities.arguments(kind))?;
        Ok([listening(port), tls].concat())
    };
    world.database.restart_with(with(Some(Kind::Version1))?).await?;
    world.start_daemon().await?;
    goes_on(&world, 100).await?;
    // Up to four connections; the problem is logged once.
    for _ in 0..3 {
        world.run(&["check", "db"]).await?.expect_code(0)?;
    }
    ensure!(told_plain(&world.daemon()?.log()) == 1, "told once: {}", world.daemon()?.log());
    let mut event = 101;
    for kind in Kind::BAD.map(Some).into_iter().skip(1).chain([None]) {
        world.database.restart_with(with(kind)?).await?;
        goes_on(&world, event).await.map_err(|error| error.context(format!("{kind:?}")))?;
        event += 1;
    }
    // Fixed: TLS again, without a restart of the daemon.
    world.database.restart_with(with(Some(Kind::Good))?).await?;
    goes_on(&world, event).await?;
    ensure!(handshakes(&world).await? > 0, "TLS is used where it can be");
    Ok(())
}

#[tokio::test]
async fn where_zm_conf_names_no_ca_every_certificate_of_the_server_does_over_the_socket() -> Result<()> {
    let mut world = prepare().await?;
    let authorities = Authorities::new(world.directory())?;
    world.database.restart_with(authorities.arguments(Kind::Version1)?).await?;
    world.start_daemon().await?;
    goes_on(&world, 100).await?;
    for (event, kind) in [(101, Kind::Weak), (102, Kind::Expired), (103, Kind::Good)] {
        world.database.restart_with(authorities.arguments(kind)?).await?;
        goes_on(&world, event).await.map_err(|error| error.context(format!("{kind:?}")))?;
    }
    ensure!(handshakes(&world).await? > 0, "TLS is used where it can be");
    Ok(())
}

#[tokio::test]
async fn a_server_that_speaks_only_tls_1_0_is_used_without_tls() -> Result<()> {
    let mut world = prepare().await?;
    let (authorities, port) = (Authorities::new(world.directory())?, free_port()?);
    configure(&world, &format!("ZM_DB_HOST=127.0.0.1:{port}\n"))?;
    let old = [listening(port), authorities.arguments(Kind::Good)?, vec!["--tls-version=TLSv1.0".to_owned()]];
    world.database.restart_with(old.concat()).await?;
    let spoken = world.database.sql("SELECT @@have_ssl, @@tls_version").await?;
    ensure!(spoken == "YES\tTLSv1.0", "{spoken}");
    world.start_daemon().await?;
    goes_on(&world, 100).await?;
    ensure!(handshakes(&world).await? == 0, "no client of today finishes a handshake of TLS 1.0");
    // Where a CA is configured, the error says so; once fixed, the daemon continues.
    world.kill_daemon().await?;
    let ca = authorities.ca().display().to_string();
    configure(&world, &format!("ZM_DB_HOST=127.0.0.1:{port}\nZM_DB_SSL_CA_CERT={ca}\n"))?;
    world.launch_daemon().await?;
    let hint = ails(&world, "only supports TLS versions before 1.2").await?;
    ensure!(hint.contains("tls_version"), "{hint}");
    world.database.restart_with([listening(port), authorities.arguments(Kind::Good)?].concat()).await?;
    goes_on(&world, 101).await
}

#[tokio::test]
async fn where_zm_conf_names_a_ca_the_servers_certificate_is_blamed_and_nothing_falls_back() -> Result<()> {
    let mut world = prepare().await?;
    let (authorities, port) = (Authorities::new(world.directory())?, free_port()?);
    let ca = authorities.ca().display().to_string();
    let lines =
        format!("ZM_DB_HOST=127.0.0.1:{port}\nZM_DB_SSL_CA_CERT={ca}\nZM_DB_SSL_VERIFY_SERVER_CERT=1\n");
    configure(&world, &lines)?;
    world.database.restart_with([listening(port), authorities.arguments(Kind::Good)?].concat()).await?;
    world.start_daemon().await?;
    goes_on(&world, 100).await?;
    ensure!(handshakes(&world).await? > 0, "TLS was asked for");
    let conf = world.path("conf.d/02-database.conf").display().to_string();
    for (kind, words, cure) in [
        (Kind::Version1, "the database server's certificate is X.509 version 1", "openssl x509 -req"),
        (Kind::Weak, "has a key of less than 2048 bits", "RSA of 2048 bits"),
        (Kind::Sha1, "SHA-1", "-sha256"),
        (Kind::Expired, "the database server's certificate expired at 2001-01-01", "openssl x509 -req"),
        (Kind::OtherName, "is for db.example.org, not for 127.0.0.1", "VERIFY_SERVER_CERT"),
        (Kind::OtherIssuer, "was not issued by the named CA", "openssl s_client -starttls mysql"),
    ] {
        world.database.restart_with([listening(port), authorities.arguments(kind)?].concat()).await?;
        let hint = ails(&world, words).await.map_err(|error| error.context(format!("{kind:?}")))?;
        ensure!(hint.contains(cure), "{kind:?}: {hint}");
        if matches!(kind, Kind::OtherName | Kind::OtherIssuer) {
            ensure!(hint.contains(&conf), "the file of the value is named: {hint}");
        }
    }
    world.database.restart_with([listening(port), vec!["--skip-ssl".to_owned()]].concat()).await?;
    let hint = ails(&world, "the database server offers no TLS").await?;
    ensure!(hint.contains("ssl-cert"), "{hint}");
    ensure!(handshakes(&world).await? == 0 && told_plain(&world.daemon()?.log()) == 0, "nothing fell back");
    world.database.restart_with([listening(port), authorities.arguments(Kind::Good)?].concat()).await?;
    goes_on(&world, 101).await
}

#[tokio::test]
async fn the_files_of_the_database_are_read_as_all_others_and_named_by_line() -> Result<()> {
    let mut world = prepare().await?;
    let (authorities, port) = (Authorities::new(world.directory())?, free_port()?);
    world.database.restart_with([listening(port), authorities.arguments(Kind::Good)?].concat()).await?;
    let ca = world.path("the-ca.pem");
    let pem = std::fs::read_to_string(authorities.ca())?;
    let lines = format!("# TLS\nZM_DB_HOST=127.0.0.1:{port}\nZM_DB_SSL_CA_CERT={}\n", ca.display());
    configure(&world, &lines)?;
    world.launch_daemon().await?;
    let place = format!("ZM_DB_SSL_CA_CERT in {}:3", world.path("conf.d/02-database.conf").display());
    let key = std::fs::read_to_string(&world.certificate.key)?;
    for (content, words) in [
        (None, "no such file"),
        (Some(String::new()), "the-ca.pem holds no certificate in PEM form: it is empty"),
        (Some(key), "the-ca.pem holds no certificate in PEM form: it holds a private key"),
    ] {
        match content {
            None => drop(std::fs::remove_file(&ca)),
            Some(content) => std::fs::write(&ca, content)?,
        }
        let hint = ails(&world, words).await?;
        ensure!(hint.contains(&place), "{hint}");
    }
    // Harmless, and from then on all is well, without a restart.
    std::fs::write(&ca, format!("\u{feff}the home CA\r\n{}", pem.replace('\n', "\r\n")))?;
    wait_until("the check holds", async || Ok((world.run(&["check", "db"]).await?.code == 0).then_some(())))
        .await?;
    goes_on(&world, 100).await
}
