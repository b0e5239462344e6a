//! Accounts with MySQL 8's `caching_sha2_password` on a server without TLS: the first login after each start needs the
//! password itself.

use std::process::Command;

use anyhow::{Result, ensure};
use zmes_tests::{Database, Site, World};

use crate::mysql::MySql;
use crate::place::{ails, configure, goes_on, prepare};

#[tokio::test]
async fn the_first_login_over_tcp_without_tls_succeeds_and_the_next_after_a_restart_too() -> Result<()> {
    let mut world = prepare().await?;
    let mysql = MySql::start(world.directory(), world.database.socket(), Database::PASSWORD).await?;
    configure(&world, &format!("ZM_DB_HOST=127.0.0.1:{}\n", mysql.port()))?;
    world.start_daemon().await?;
    goes_on(&world, 100).await?;
    ensure!(mysql.full_logins() >= 1, "the password was in no cache");
    let before = mysql.full_logins();
    mysql.forget();
    world.database.stop().await?;
    world.wait_status("down", |status| status["database"] == "down").await?;
    world.database.resume().await?;
    goes_on(&world, 101).await?;
    ensure!(mysql.full_logins() > before, "the password was in no cache");
    Ok(())
}

#[tokio::test]
async fn the_first_login_over_the_local_socket_without_tls_succeeds() -> Result<()> {
    let mut world = prepare().await?;
    let mysql = MySql::start(world.directory(), world.database.socket(), Database::PASSWORD).await?;
    configure(&world, &format!("ZM_DB_HOST=localhost:{}\n", mysql.socket().display()))?;
    world.start_daemon().await?;
    goes_on(&world, 100).await?;
    ensure!(mysql.full_logins() >= 1, "the password was in no cache");
    Ok(())
}

#[tokio::test]
async fn a_wrong_password_stays_a_wrong_password() -> Result<()> {
    let mut world = prepare().await?;
    let mysql = MySql::start(world.directory(), world.database.socket(), "another").await?;
    configure(&world, &format!("ZM_DB_HOST=localhost:{}\n", mysql.socket().display()))?;
    world.launch_daemon().await?;
    let hint = ails(&world, "access denied for `zmuser`").await?;
    ensure!(hint.contains("ZM_DB_PASS in "), "{hint}");
    ensure!(mysql.full_logins() == 0);
    Ok(())
}

/// Has a daemon use a ledger by this URL of the stand-in.
async fn with_a_ledger(world: &mut World, mysql: &MySql, query: &str, host: &str) -> Result<()> {
    let made = world.path("made-url").display().to_string();
    let admin = format!("mysql://root@localhost/zmesd?socket={}", world.database.socket().display());
    let init = ["cluster", "init", "--database-url", &admin, "--output", &made, "--yes"];
    world.run(&init).await?.expect_code(0)?;
    // Admins have such accounts, too.
    let url = |user: &str| format!("mysql://{user}:{}@{host}/zmesd{query}", Database::PASSWORD);
    let looks = ["cluster", "init", "--database-url", &url("root"), "--output", &made, "--dry-run"];
    world.run(&looks).await?.expect_code(0)?;
    ensure!(mysql.full_logins() == 1, "the password was in no cache");
    mysql.forget();
    std::fs::write(world.path("cluster-url"), url("zmesd"))?;
    world.settings.set("cluster", "enabled", "true");
    world.settings.set_text("cluster", "name", "a");
    world.settings.set_path("cluster", "database-url-file", &world.path("cluster-url"));
    world.write_settings()?;
    world.start_daemon().await?;
    Site::wait_cluster(world, "connected", |status| status["connected"] == true).await?;
    ensure!(mysql.full_logins() >= 2, "the password was in no cache");
    let before = mysql.full_logins();
    mysql.forget();
    world.database.stop().await?;
    Site::wait_cluster(world, "away", |status| status["connected"] == false).await?;
    world.database.resume().await?;
    Site::wait_cluster(world, "connected again", |status| status["connected"] == true).await?;
    ensure!(mysql.full_logins() > before, "the password was in no cache");
    Ok(())
}

#[tokio::test]
async fn the_first_login_of_a_ledgers_account_over_tcp_succeeds_and_the_next_after_a_restart_too()
-> Result<()> {
    let mut world = prepare().await?;
    let mysql = MySql::start(world.directory(), world.database.socket(), Database::PASSWORD).await?;
    let host = format!("127.0.0.1:{}", mysql.port());
    with_a_ledger(&mut world, &mysql, "", &host).await
}

#[tokio::test]
async fn the_first_login_of_a_ledgers_account_over_the_local_socket_succeeds() -> Result<()> {
    let mut world = prepare().await?;
    let mysql = MySql::start(world.directory(), world.database.socket(), Database::PASSWORD).await?;
    let query = format!("?socket={}", mysql.socket().display());
    with_a_ledger(&mut world, &mysql, &query, "localhost").await
}

/// Validates the stand-in: MariaDB's own client accepts it as a MySQL server.
#[tokio::test]
async fn mariadbs_own_client_logs_in_too() -> Result<()> {
    let world = prepare().await?;
    let mysql = MySql::start(world.directory(), world.database.socket(), Database::PASSWORD).await?;
    let (port, socket) =
        (format!("--port={}", mysql.port()), format!("--socket={}", mysql.socket().display()));
    for place in
        [["--protocol=tcp", "--host=127.0.0.1", port.as_str()], ["--protocol=socket", &socket, "--batch"]]
    {
        mysql.forget();
        let mut command = Command::new("mariadb");
        command.args(["--no-defaults", "--skip-ssl", "--batch", "--skip-column-names", "--user=zmuser"]);
        command.arg(format!("--password={}", Database::PASSWORD)).args(place).args([
            "zm",
            "-e",
            "SELECT 6 * 7",
        ]);
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(said.trim() == "42", "{place:?}: {said} {}", String::from_utf8_lossy(&output.stderr));
    }
    ensure!(mysql.full_logins() == 2, "each wanted the password itself");
    Ok(())
}
