//! What keeps a database from being used, each with its own sentence, its cure, and the line of the value.

use anyhow::{Context, Result, ensure};
use zmes_tests::{Database, World};

use crate::place::{ails, configure, free_port, goes_on, prepare};

/// Starts the daemon with these lines, expects these words and this cure, and ends it.
async fn fails(world: &mut World, lines: &str, words: &str, cure: &str) -> Result<()> {
    configure(world, lines)?;
    world.launch_daemon().await?;
    let hint = ails(world, words).await.map_err(|error| error.context(lines.to_owned()))?;
    ensure!(hint.contains(cure), "{lines}: no `{cure}` in `{hint}`");
    world.kill_daemon().await
}

#[tokio::test]
async fn each_trouble_names_its_cure_and_the_line_of_the_value() -> Result<()> {
    let mut world = prepare().await?;
    let (conf, port) = (world.path("conf.d/02-database.conf").display().to_string(), free_port()?);
    let at = |name: &str| format!("{name} in {conf}:2");
    for (line, words, cure) in [
        (format!("ZM_DB_HOST=127.0.0.1:{port}"), "connection refused", at("ZM_DB_HOST")),
        ("ZM_DB_HOST=no-such-host.invalid".to_owned(), "the name is not known", at("ZM_DB_HOST")),
        ("ZM_DB_HOST=localhost:/nonexistent/db.sock".to_owned(), "no such socket", at("ZM_DB_HOST")),
        ("ZM_DB_PASS=planted-wrong".to_owned(), "access denied for `zmuser`", at("ZM_DB_PASS")),
        ("ZM_DB_NAME=cameras".to_owned(), "cameras", "GRANT SELECT".to_owned()),
    ] {
        fails(&mut world, &format!("# mine\n{line}\n"), words, &cure).await?;
    }
    // An account that can see all databases gets "no database has that name".
    let user = Database::USER;
    world.database.sql(&format!("GRANT SELECT ON *.* TO '{user}'@'localhost'")).await?;
    fails(&mut world, "# mine\nZM_DB_NAME=cameras\n", "there is no database `cameras`", &at("ZM_DB_NAME"))
        .await?;
    configure(&world, "")?;
    world.start_daemon().await?;
    goes_on(&world, 100).await
}

#[tokio::test]
async fn an_account_with_ed25519_hears_what_to_change_and_gets_in_afterwards() -> Result<()> {
    let mut world = prepare().await?;
    let (user, password) = (Database::USER, Database::PASSWORD);
    let account = format!("'{user}'@'localhost'");
    world.database.sql("INSTALL SONAME 'auth_ed25519'").await?;
    let sql = format!("ALTER USER {account} IDENTIFIED VIA ed25519 USING PASSWORD('{password}')");
    world.database.sql(&sql).await?;
    world.launch_daemon().await?;
    let hint = ails(&world, "uses a login method that zmesd does not support (ed25519)").await?;
    let command =
        hint.split("MariaDB: ").nth(1).and_then(|rest| rest.split(';').next()).context(hint.clone())?;
    // The command from the hint runs unchanged, with the password.
    world.database.sql(&command.replace('…', password)).await?;
    goes_on(&world, 100).await
}

#[tokio::test]
async fn a_missing_right_is_granted_by_the_command_of_the_hint() -> Result<()> {
    let mut world = prepare().await?;
    let user = Database::USER;
    world.database.sql(&format!("REVOKE ALL ON zm.* FROM '{user}'@'localhost'")).await?;
    world.database.sql(&format!("GRANT SELECT ON zm.Monitors TO '{user}'@'localhost'")).await?;
    world.launch_daemon().await?;
    let hint = ails(&world, "missing in database `zm` or hidden from `zmuser`").await?;
    let command =
        hint.split("mysql -e \"").nth(1).and_then(|rest| rest.split('"').next()).context(hint.clone())?;
    world.database.sql(&command.replace("\\`", "`")).await?;
    goes_on(&world, 100).await
}

#[tokio::test]
async fn the_name_of_this_server_is_compared_as_the_database_compares_it() -> Result<()> {
    let mut world = prepare().await?;
    world.database.sql("INSERT INTO Servers (Id, Name) VALUES (3, 'zoneminder1'), (4, 'other')").await?;
    world.database.sql("UPDATE Monitors SET ServerId = 3").await?;
    configure(&world, "ZM_SERVER_HOST=ZoneMinder1\n")?;
    world.start_daemon().await?;
    goes_on(&world, 100).await?;
    world.kill_daemon().await?;
    configure(&world, "ZM_SERVER_HOST=nowhere\n")?;
    world.launch_daemon().await?;
    let hint = ails(&world, "no server `nowhere` in table `Servers`").await?;
    let place = format!("ZM_SERVER_HOST in {}:1", world.path("conf.d/02-database.conf").display());
    ensure!(hint.contains(&place), "{hint}");
    world.database.sql("UPDATE Servers SET Name = 'Nowhere ' WHERE Id = 3").await?;
    goes_on(&world, 101).await
}

#[tokio::test]
async fn a_password_that_ends_in_a_backslash_gets_in() -> Result<()> {
    let mut world = prepare().await?;
    let user = Database::USER;
    let account = format!("'{user}'@'localhost'");
    world.database.sql(&format!("SET PASSWORD FOR {account} = PASSWORD('s3cret\\\\')")).await?;
    // The next line is a setting of its own, as in every zm.conf.
    configure(&world, "ZM_DB_PASS=s3cret\\\r\nZM_DB_NAME=zm\r\n")?;
    world.start_daemon().await?;
    goes_on(&world, 100).await
}
