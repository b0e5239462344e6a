//! Why did this phone not ring? Faults of one phone, in the walk and where it is asked for by token and by user.

use anyhow::{Context, Result, ensure};
use serde_json::json;
use zmes_tests::World;
use zmes_tests::standin::{Fcm, PushProxy};

use crate::world::{PHONE, ails, doctor, first_red, house, is_well, phone};

/// Runs what stands in a hint behind `zmesctl`.
async fn obey(world: &World, hint: &str) -> Result<()> {
    let (_, command) = hint.rsplit_once("zmesctl ").with_context(|| hint.to_owned())?;
    let arguments: Vec<&str> = command.split_whitespace().collect();
    world.run(&arguments).await?.expect_code(0).map(drop)
}

#[tokio::test]
async fn a_token_that_its_provider_calls_dead() -> Result<()> {
    let fcm = Fcm::start().await?;
    let world = World::new().monitor(1, "Garage").with_fcm(&fcm).start().await?;
    let _app = phone(&world, PHONE, "", "").await?;
    let handle = world.handle(PHONE).await?;
    fcm.messages.always_token(PHONE, Fcm::unregistered());
    world.alarm(1, 5).await?;
    world.wait_token(PHONE, "laid to rest", |token| token["state"] == "revoked").await?;
    let restore = format!("zmesctl tokens restore {handle}");
    ails(&world, "", "token", "was laid to rest", &restore).await?;
    let hint = ails(&world, &handle, "token", "it is gone since", &restore).await?;
    obey(&world, &hint).await?;
    is_well(&world, "").await?;
    is_well(&world, &handle).await?;
    // Taken out knowingly is no fault of the house, only a reason why this phone is silent.
    world.run(&["tokens", "revoke", &handle, "--yes"]).await?.expect_code(0)?;
    is_well(&world, "").await?;
    ails(&world, &handle, "token", "(admin)", &restore).await?;
    Ok(())
}

#[tokio::test]
async fn a_dead_token_of_a_phone_that_has_a_new_one() -> Result<()> {
    let fcm = Fcm::start().await?;
    let world = World::new().monitor(1, "Garage").with_fcm(&fcm).start().await?;
    let _app = phone(&world, PHONE, "", "").await?;
    fcm.messages.always_token(PHONE, Fcm::unregistered());
    world.alarm(1, 5).await?;
    world.wait_token(PHONE, "laid to rest", |token| token["state"] == "revoked").await?;
    let _reinstalled = phone(&world, "fcm:APA91b-after-the-app-was-installed-anew", "", "").await?;
    is_well(&world, "").await?;
    Ok(())
}

#[tokio::test]
async fn an_owner_who_is_disabled() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = house(&proxy).start().await?;
    let app = phone(&world, PHONE, "", "").await?;
    let handle = world.handle(PHONE).await?;
    world.database.sql("UPDATE Users SET Enabled=0 WHERE Username='admin'").await?;
    // The walk has the database read anew before it judges.
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
    let world = house(&proxy).start().await?;
    let mut app = phone(&world, PHONE, "1", "0").await?;
    let handle = world.handle(PHONE).await?;
    let show = format!("zmesctl tokens show {handle}");
    ails(&world, "", "filter", "monitor 2 (Yard) is in nobody's list", &show).await?;
    ails(&world, &handle, "filter", "monitor 2 is newer than its list", "tick it in the app").await?;
    ails(&world, &format!("{handle} --monitor 2"), "filter", "monitor 2 is not in its list", &show).await?;
    ails(&world, "admin --monitor 2", "client", "hears of monitors 1", "tick the monitor").await?;
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
    let world = house(&proxy).start().await?;
    let mut app = phone(&world, PHONE, "", "").await?;
    let handle = world.handle(PHONE).await?;
    world.run(&["tokens", "mute", &handle, "--for", "1h"]).await?.expect_code(0)?;
    let hint =
        ails(&world, &handle, "mute", "an admin has silenced it until", "zmesctl tokens unmute").await?;
    obey(&world, &hint).await?;
    is_well(&world, &handle).await?;
    app.send(&json!({"event": "push", "data": {"type": "token", "platform": "android", "token": PHONE,
        "state": "disabled"}}))
        .await?;
    app.sync().await?;
    ails(&world, &handle, "state", "switched pushes off", "in the app").await?;
    let people = world.run(&["doctor", &handle]).await?.expect_code(1)?.stdout;
    ensure!(people.contains(&format!("token {handle}:\n")), "{people}");
    ensure!(
        people.lines().last().is_some_and(|line| line.starts_with(&format!("Red: token {handle}: state:")))
    );
    Ok(())
}

#[tokio::test]
async fn a_provider_that_does_not_want_us() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = house(&proxy).start().await?;
    let _app = phone(&world, PHONE, "", "").await?;
    let handle = world.handle(PHONE).await?;
    proxy.always(PushProxy::wrong_app_key());
    world.alarm(1, 5).await?;
    world.wait_token(PHONE, "failing", |token| token["failures"].as_u64() > Some(0)).await?;
    let answer = doctor(&world, &handle, 1).await?;
    let (step, _, hint) = first_red(&answer)?;
    ensure!(step == "last answer" || step == "push proxy", "{answer:#}");
    ensure!(hint.contains("zmesctl"), "{hint}");
    Ok(())
}

#[tokio::test]
async fn who_is_not_there_is_not_found() -> Result<()> {
    let world = World::new().monitor(1, "Garage").start().await?;
    for line in ["nobody-we-know", "00000000", "admin --monitor 99"] {
        let answer = doctor(&world, line, 4).await?;
        ensure!(answer["error"]["code"] == "not_found", "{answer}");
    }
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
