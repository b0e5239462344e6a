//! Why did this phone not ring? Faults of one phone, in the walk and where it is asked for by token and by user.

use anyhow::{Context, Result, ensure};
use serde_json::json;
use zmes_tests::World;
use zmes_tests::standin::{Behaviour, Fcm, PushProxy};

use crate::world::{PHONE, ails, doctor, house, is_well, open, phone, quiet_world};

/// Returns the findings, except "no push was ever made".
fn worried(answer: &serde_json::Value) -> Vec<&serde_json::Value> {
    let findings = answer["findings"].as_array().into_iter().flatten();
    findings.filter(|finding| finding["severity"] != "ok" && finding["step"] != "last answer").collect()
}

/// Runs the `zmesctl` command of a hint.
async fn obey(world: &World, hint: &str) -> Result<()> {
    let (_, command) = hint.rsplit_once("zmesctl ").with_context(|| hint.to_owned())?;
    let arguments: Vec<&str> = command.split_whitespace().collect();
    world.run(&arguments).await?.expect_code(0).map(drop)
}

#[tokio::test]
async fn a_token_that_its_provider_calls_dead() -> Result<()> {
    let fcm = Fcm::start().await?;
    let world = open(quiet_world().monitor(1, "Garage").with_fcm(&fcm)).await?;
    let _app = phone(&world, PHONE, "", "").await?;
    let handle = world.handle(PHONE).await?;
    fcm.messages.always_token(PHONE, Fcm::unregistered());
    world.alarm(1, 5).await?;
    world.wait_token(PHONE, "revoked", |token| token["state"] == "revoked").await?;
    let restore = format!("zmesctl tokens restore {handle}");
    ails(&world, "", "token", " was revoked at ", &restore).await?;
    let hint =
        ails(&world, &handle, "token", "because its provider said: 404 UNREGISTERED", &restore).await?;
    obey(&world, &hint).await?;
    is_well(&world, "").await?;
    is_well(&world, &handle).await?;
    // A token that an admin revoked is not a fault of the installation, only the reason why this phone is silent.
    world.run(&["tokens", "revoke", &handle, "--yes"]).await?.expect_code(0)?;
    is_well(&world, "").await?;
    ails(&world, &handle, "token", "revoked by an admin at ", &restore).await?;
    Ok(())
}

#[tokio::test]
async fn a_dead_token_of_a_phone_that_has_a_new_one() -> Result<()> {
    let fcm = Fcm::start().await?;
    let world = open(quiet_world().monitor(1, "Garage").with_fcm(&fcm)).await?;
    let _app = phone(&world, PHONE, "", "").await?;
    fcm.messages.always_token(PHONE, Fcm::unregistered());
    world.alarm(1, 5).await?;
    world.wait_token(PHONE, "revoked", |token| token["state"] == "revoked").await?;
    let _reinstalled = phone(&world, "fcm:APA91b-after-the-app-was-installed-anew", "", "").await?;
    is_well(&world, "").await?;
    Ok(())
}

#[tokio::test]
async fn an_owner_who_is_disabled() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = open(house(&proxy)).await?;
    let app = phone(&world, PHONE, "", "").await?;
    let handle = world.handle(PHONE).await?;
    world.database.sql("UPDATE Users SET Enabled=0 WHERE Username='admin'").await?;
    // doctor reads the database again before it judges.
    let hint =
        ails(&world, "", "owner", "ZoneMinder does not let admin in: the user is disabled", "mysql ").await?;
    ails(&world, &handle, "owner", "the user is disabled", &hint).await?;
    ails(&world, "admin", "user", "the user is disabled", &hint).await?;
    drop(app);
    let statement = hint.split('"').nth(1).context("no SQL")?;
    world.database.sql(statement).await?;
    obey(&world, &hint).await?;
    is_well(&world, "").await?;
    is_well(&world, &handle).await?;
    is_well(&world, "admin").await?;
    Ok(())
}

#[tokio::test]
async fn a_list_without_the_monitor() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = open(house(&proxy)).await?;
    let mut app = phone(&world, PHONE, "1", "0").await?;
    let handle = world.handle(PHONE).await?;
    let show = format!("zmesctl tokens show {handle}");
    // It may be intended: a warning in the walk, nothing where the phone is asked for, red for that monitor.
    let walk = is_well(&world, "").await?;
    let warned =
        walk["findings"].as_array().into_iter().flatten().find(|finding| finding["step"] == "filter");
    let warned = warned.with_context(|| format!("no warning: {walk:#}"))?;
    ensure!(warned["severity"] == "warning", "{warned}");
    let detail = warned["detail"].as_str().unwrap_or_default();
    ensure!(detail.contains("monitor 2 (Yard) is in no app's list"), "{detail}");
    let asked = is_well(&world, &handle).await?;
    ensure!(worried(&asked).is_empty(), "{asked:#}");
    ails(&world, &format!("{handle} --monitor 2"), "filter", "monitor 2 is not in its list", &show).await?;
    ails(&world, "admin --monitor 2", "client", "gets alarms of monitors 1", "tick the monitor").await?;
    is_well(&world, &format!("{handle} --monitor 1")).await?;
    // Ticked in the app, which then says so.
    app.send(&json!({"event": "push", "data": {"type": "token", "platform": "android", "token": PHONE,
        "state": "enabled", "monlist": "1,2", "intlist": "0,0"}}))
        .await?;
    app.sync().await?;
    is_well(&world, "").await?;
    is_well(&world, &format!("{handle} --monitor 2")).await?;
    Ok(())
}

#[tokio::test]
async fn a_phone_that_was_silenced_or_switched_off() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = open(house(&proxy)).await?;
    let mut app = phone(&world, PHONE, "", "").await?;
    let handle = world.handle(PHONE).await?;
    world.run(&["tokens", "mute", &handle, "--for", "1h"]).await?.expect_code(0)?;
    let hint = ails(&world, &handle, "mute", "muted by an admin until", "zmesctl tokens unmute").await?;
    obey(&world, &hint).await?;
    is_well(&world, &handle).await?;
    app.send(&json!({"event": "push", "data": {"type": "token", "platform": "android", "token": PHONE,
        "state": "disabled"}}))
        .await?;
    app.sync().await?;
    ails(&world, &handle, "state", "pushes are switched off in its app", "in the app").await?;
    let people = world.run(&["doctor", &handle]).await?.expect_code(1)?.stdout;
    ensure!(people.contains(&format!("token {handle}:\n")), "{people}");
    ensure!(
        people
            .lines()
            .last()
            .is_some_and(|line| line.starts_with(&format!("First error: token {handle}: state:")))
    );
    Ok(())
}

#[tokio::test]
async fn a_provider_that_refuses_pushes_though_it_answers_checks() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = open(house(&proxy)).await?;
    let _app = phone(&world, PHONE, "", "").await?;
    let (handle, mut event) = (world.handle(PHONE).await?, 5);
    for (behaviour, words, cure) in [
        (PushProxy::wrong_app_key(), "the provider refused us: ", "push.proxy.app-key"),
        (Behaviour::status(404, "no such page"), "404", "push.proxy.url"),
    ] {
        let failed = world.token(PHONE).await?.context("no token")?["failures"].as_u64();
        proxy.always(behaviour);
        if event > 5 {
            world.end_alarm(1, event - 1).await?;
        }
        world.alarm(1, event).await?;
        world.wait_token(PHONE, "failing", |token| token["failures"].as_u64() > failed).await?;
        // The provider was not checked: the pushes themselves show it.
        let status = world.status().await?;
        ensure!(
            status["worst"]["step"] == "push proxy" && status["worst"]["severity"] == "error",
            "{status:#}"
        );
        ails(&world, "", "push proxy", words, cure).await?;
        ails(&world, &handle, "push proxy", words, cure).await?;
        let check = world.run(&["check", "push", "--nagios"]).await?.expect_code(2)?;
        ensure!(check.stdout.contains(cure), "{check:#?}");
        proxy.always(Behaviour::Accept);
        world.wait_delivery(&handle, event, "sent").await?;
        is_well(&world, "").await?;
        is_well(&world, &handle).await?;
        event += 1;
    }
    Ok(())
}

#[tokio::test]
async fn who_is_not_there_is_not_found() -> Result<()> {
    let world = open(quiet_world().monitor(1, "Garage")).await?;
    for line in ["no-such-user", "00000000", "admin --monitor 99"] {
        let answer = doctor(&world, line, 4).await?;
        ensure!(answer["error"]["code"] == "not_found", "{answer}");
    }
    let meant = doctor(&world, "Admin", 4).await?;
    ensure!(meant["error"]["hint"] == "did you mean admin? zmesctl doctor admin", "{meant}");
    // A user without phone and app.
    ails(
        &world,
        "admin",
        "tokens",
        "no app of admin is connected, and no phone is registered",
        "open the app",
    )
    .await?;
    Ok(())
}

#[tokio::test]
async fn phones_that_are_all_muted_are_a_warning_everywhere() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = open(house(&proxy)).await?;
    let app = phone(&world, PHONE, "", "").await?;
    let handle = world.handle(PHONE).await?;
    world.run(&["tokens", "mute", &handle]).await?.expect_code(0)?;
    let walk = is_well(&world, "").await?;
    let warned = worried(&walk).into_iter().find(|finding| finding["step"] == "tokens").cloned();
    let warned = warned.with_context(|| format!("no warning: {walk:#}"))?;
    ensure!(warned["detail"] == "the only phone is muted by an admin: none rings", "{warned}");
    let check = world.run(&["check", "push", "--nagios"]).await?.expect_code(1)?;
    ensure!(check.stdout.starts_with("ZMESD WARNING - push: tokens: the only phone"), "{check:#?}");
    obey(&world, warned["hint"].as_str().unwrap_or_default()).await?;
    let well = is_well(&world, "").await?;
    ensure!(worried(&well).is_empty(), "{well:#}");
    world.alarm(1, 5).await?;
    world.wait_delivery(&handle, 5, "sent").await?;
    drop(app);
    Ok(())
}
