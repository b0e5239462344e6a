//! A world whose database also listens on TCP, and the lines of `zm.conf` that lead to it.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use zmes_tests::{Database, World, wait_until};

/// Returns a port that is free at this moment.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Prepares a world with one camera and an account for TCP; no daemon yet.
pub(crate) async fn prepare() -> Result<World> {
    let world =
        World::new().monitor(1, "Front").setting("control", "admin-group", "\"root\"").prepare().await?;
    let (user, password) = (Database::USER, Database::PASSWORD);
    let account = format!("'{user}'@'127.0.0.1'");
    let sql = format!("CREATE USER {account} IDENTIFIED BY '{password}'; GRANT SELECT ON zm.* TO {account};");
    world.database.sql(&sql).await?;
    Ok(world)
}

/// Returns the arguments of a server that listens on that port, too.
pub(crate) fn listening(port: u16) -> Vec<String> {
    vec!["--skip-networking=0".to_owned(), "--bind-address=127.0.0.1".to_owned(), format!("--port={port}")]
}

/// Writes lines into `conf.d/02-database.conf`, where they override `zm.conf`.
pub(crate) fn configure(world: &World, lines: &str) -> Result<()> {
    fs::create_dir_all(world.path("conf.d"))?;
    Ok(fs::write(world.path("conf.d/02-database.conf"), lines)?)
}

/// Expects that the daemon comes to work again by itself: database, login, alarm.
pub(crate) async fn goes_on(world: &World, event: u64) -> Result<()> {
    world.wait_status("up", |status| status["database"] == "ok").await?;
    world.wait_watching().await?;
    let mut app = world.admin().await?;
    world.alarm(1, event).await?;
    app.expect_alarm(event, 1).await?;
    world.end_alarm(1, event).await
}

/// Waits until the database is down for this reason; `status`, `check db` and doctor say the same. Returns the hint.
pub(crate) async fn ails(world: &World, words: &str) -> Result<String> {
    let said = wait_until(&format!("`{words}` is said"), async || {
        // It retries; while the server restarts, the error may still be a different one.
        if world.run(&["check", "db"]).await?.code != 1 {
            return Ok(None);
        }
        let status = world.status().await?;
        let said = status["database_error"].as_str().map(str::to_owned);
        Ok(said.filter(|said| said.contains(words)))
    })
    .await?;
    let check = world.run(&["check", "db", "--json"]).await?.expect_code(1)?.json()?;
    ensure!(check["detail"].to_string().contains(words), "{check}");
    let answer = world.run(&["doctor", "--json"]).await?.expect_code(1)?;
    for wrong in [Database::PASSWORD, "sqlx", "DnsName(", "os error"] {
        ensure!(!answer.stdout.contains(wrong) && !said.contains(wrong), "{wrong}: {said} {answer:?}");
    }
    let answer: Value = answer.json()?;
    let mut findings = answer["findings"].as_array().into_iter().flatten();
    let finding = findings.find(|finding| finding["step"] == "database" && finding["ok"] == false);
    let finding = finding.with_context(|| format!("step `database` is not red: {answer:#}"))?;
    ensure!(finding["detail"].to_string().contains(words), "{finding}");
    Ok(finding["hint"].as_str().unwrap_or_default().to_owned())
}
