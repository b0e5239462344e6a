//! Secrets stay secret: planted words appear in no log at trace level, no answer, no error.

use anyhow::{Result, ensure};
use serde_json::json;
use zmes_tests::{Claims, Database, UserRow, World, access_token};

const PASSWORD: &str = "planted-user-password";
const WRONG: &str = "planted-wrong-password";
const TOKEN: &str = "planted-push-token:APA91bH";

#[tokio::test]
async fn no_secret_is_ever_printed() -> Result<()> {
    let mut world = World::new()
        .monitor(1, "Front")
        .user(UserRow::new("amy", PASSWORD))
        .setting("log", "level", "\"trace\"")
        .start()
        .await?;
    let hash = world.database.sql("SELECT Password FROM Users WHERE Username='amy'").await?;
    let jwt = access_token(Claims::of("amy"), World::AUTH_SECRET)?;
    let forged = access_token(Claims::of("amy"), "x")?;
    let mut app = world.login("amy", PASSWORD).await?;
    app.send(&json!({"event": "push", "data": {"type": "token", "platform": "ios", "token": TOKEN}, "token": TOKEN}))
        .await?;
    app.next_json().await?;
    for data in [json!({"user": "amy", "password": WRONG}), json!({"token": forged}), json!({"token": jwt})] {
        let mut other = world.app().await?;
        other.send(&json!({"event": "auth", "data": data})).await?;
        other.next_json().await?;
    }
    // Also not within what could not be understood.
    let mut broken = world.app().await?;
    broken.send_text(&format!(r#"{{"event":"auth","data":{{"user":"amy","password":"{PASSWORD}""#)).await?;
    broken.next_json().await?;
    broken
        .send_text(&format!(
            r#"{{"event":"auth","data":{{"user":["amy"],"password":{{"p":"{PASSWORD}"}}}}}}"#
        ))
        .await?;
    broken.next_json().await?;
    world.alarm(1, 5).await?;
    app.expect_alarm(5, 1).await?;

    let mut said = String::new();
    for arguments in [
        &["status", "--json"][..],
        &["clients", "list", "--json"],
        &["config", "show"],
        &["config", "show", "--json"],
        &["check", "all", "--json"],
        &["watch", "--jsonl", "--duration", "100ms"],
        &["reload", "--json"],
    ] {
        let output = world.run(arguments).await?;
        said += &output.stdout;
        said += &output.stderr;
    }
    // The database refuses the password: that is when programs like to print it.
    let user = Database::USER;
    world.database.sql(&format!("ALTER USER '{user}'@'localhost' IDENTIFIED BY 'changed'")).await?;
    world.database.stop().await?;
    world.database.resume().await?;
    let status = world.wait_status("refused", |status| status["database"] == "down").await?;
    said += &status.to_string();
    said += &world.run(&["check", "db", "--json"]).await?.stdout;
    let pid = world.daemon()?.pid();
    said += &std::fs::read_to_string(format!("/proc/{pid}/cmdline"))?;
    world.daemon()?.end(nix::sys::signal::Signal::SIGTERM).await?;
    said += &world.daemon()?.log();

    ensure!(said.contains("amy"), "the log says nothing at all");
    let signature = |token: &str| token.rsplit('.').next().unwrap_or_default().to_owned();
    for (what, secret) in [
        ("the password", PASSWORD),
        ("a wrong password", WRONG),
        ("the stored hash", hash.trim_start_matches('*')),
        ("the database's password", Database::PASSWORD),
        ("the auth secret", World::AUTH_SECRET),
        ("an access token", &signature(&jwt)),
        ("a forged token", &signature(&forged)),
        ("the push token", TOKEN),
    ] {
        let line = said.lines().find(|line| line.contains(secret));
        ensure!(line.is_none(), "{what} was printed: {line:?}");
    }
    Ok(())
}
