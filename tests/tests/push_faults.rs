//! Providers that are broken, and mended: what `push queue` and `push check` say of it, and that every alarm arrives then
//! without a restart.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use zmes_tests::standin::{Answer, Behaviour, FcmFunction, PushProxy, Route, Shown};
use zmes_tests::{World, wait_until};

const TOKEN: &str = "faults:APA91bHPRgkF-phone";
const PAGE: &str = "<!DOCTYPE html><html><head><title>Welcome to nginx!</title></head><body>…";

/// Returns how the one transport is.
async fn transport(world: &World) -> Result<Value> {
    let queue = world.ctl().json(&["push", "queue"]).await?;
    Ok(queue["transports"][0].clone())
}

/// Waits until the transport fails in that way.
async fn fails(world: &World, fault: &str) -> Result<Value> {
    wait_until(&format!("the transport fails: {fault}"), async || {
        let transport = transport(world).await?;
        Ok((transport["fault"] == fault).then_some(transport))
    })
    .await
}

/// Ends the rest, and waits until that alarm and the next one have arrived.
async fn rings_again(world: &World, handle: &str, event: u64) -> Result<()> {
    world.run(&["push", "retry"]).await?.expect_code(0)?;
    world.wait_delivery(handle, event, "sent").await?;
    world.end_alarm(1, event).await?;
    world.alarm(1, event + 1).await?;
    world.wait_delivery(handle, event + 1, "sent").await?;
    world.end_alarm(1, event + 1).await?;
    let now = transport(world).await?;
    ensure!(now["open"] == false && now["fault"].is_null() && now["last_success_at"].is_string(), "{now}");
    Ok(())
}

fn page(status: u16) -> Behaviour {
    Behaviour::Answer(Answer::new(status, PAGE).header("content-type", "text/html; charset=UTF-8"))
}

#[tokio::test]
async fn a_push_proxy_that_is_not_one_is_no_delivery_and_rings_once_it_is_mended() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = World::new().monitor(1, "Garage").with_push_proxy(&proxy).start().await?;
    let _phone = world.phone("ios", TOKEN).await?;
    let handle = world.handle(TOKEN).await?;
    let redirect = Behaviour::Answer(Answer::new(302, "").header("location", "https://portal.example.org/"));
    let title = "a web page (\"Welcome to nginx!\")";
    let mut event = 10;
    for (behaviour, fault, said, hint) in [
        (page(200), "web_page", title, "push.proxy.url"),
        (page(404), "not_found", title, "push.proxy.url"),
        (Behaviour::status(200, ""), "bad_answer", "an empty answer", "push.proxy.url"),
        (redirect, "redirect", "redirects to https://portal.example.org", "push.proxy.url"),
        (PushProxy::wrong_app_key(), "credentials", "Invalid application", "push.proxy.app-key"),
        (
            Behaviour::Answer(Answer::new(503, "down").header("retry-after", "86400")),
            "provider",
            "503",
            "zmesctl push retry proxy",
        ),
    ] {
        proxy.always(behaviour);
        world.alarm(1, event).await?;
        let failing = fails(&world, fault).await?;
        ensure!(failing["last_error"].as_str().is_some_and(|error| error.contains(said)), "{failing}");
        ensure!(failing["hint"].as_str().is_some_and(|text| text.contains(hint)), "{failing}");
        ensure!(failing["failing_since"].is_string() && failing["failures"].as_u64() >= Some(1), "{failing}");
        let waits = world.delivery(&handle, event).await?.context("no delivery")?;
        ensure!(waits["decision"] == "queued", "{fault} is no delivery: {waits}");
        proxy.always(Behaviour::Accept);
        rings_again(&world, &handle, event).await.with_context(|| fault.to_owned())?;
        event += 2;
    }
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn certificates_names_and_doors_that_are_wrong_and_then_right() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = World::new().monitor(1, "Garage").with_push_proxy(&proxy).start().await?;
    let _phone = world.phone("ios", TOKEN).await?;
    let handle = world.handle(TOKEN).await?;
    let mut event = 10;
    for (shown, fault, hint) in [
        (Some(Shown::Expired), "certificate_expired", "only the operator of 127.0.0.1 can renew it"),
        (Some(Shown::OtherName), "certificate_name", "push.proxy.url"),
        (Some(Shown::Strangers), "unknown_authority", "push.proxy.ca-certificate"),
        (None, "refused", "nc -vz 127.0.0.1"),
    ] {
        match shown {
            Some(shown) => proxy.show(shown).await?,
            None => proxy.refuse().await?,
        }
        world.alarm(1, event).await?;
        let failing = fails(&world, fault).await?;
        ensure!(failing["hint"].as_str().is_some_and(|text| text.contains(hint)), "{failing}");
        // The check sees the same, by the same word.
        let check = world.run(&["push", "check", "--json"]).await?.expect_code(1)?.json()?;
        let steps = check["checks"][0]["steps"].as_array().cloned().unwrap_or_default();
        ensure!(steps.last().is_some_and(|step| step["fault"] == fault), "{check}");
        match shown {
            Some(_) => proxy.show(Shown::Good).await?,
            None => proxy.resume().await?,
        }
        rings_again(&world, &handle, event).await.with_context(|| fault.to_owned())?;
        world.run(&["push", "check"]).await?.expect_code(0)?;
        event += 2;
    }
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_mended_by_a_reload() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let mut world = World::new().monitor(1, "Garage").with_push_proxy(&proxy).prepare().await?;
    world.settings.set_text("push.proxy", "url", "https://push.invalid:8801");
    world.write_settings()?;
    world.start_daemon().await?;
    let _phone = world.phone("ios", TOKEN).await?;
    let handle = world.handle(TOKEN).await?;
    world.alarm(1, 10).await?;
    let failing = fails(&world, "dns").await?;
    ensure!(
        failing["hint"].as_str().is_some_and(|hint| hint.starts_with("getent hosts push.invalid")),
        "{failing}"
    );
    world.settings.set_text("push.proxy", "url", &proxy.url());
    world.write_settings()?;
    let reloaded = world.ctl().json(&["reload"]).await?;
    ensure!(reloaded["applied"].to_string().contains("push.proxy.url"), "{reloaded}");
    // Failed pushes are retried without further action.
    world.wait_delivery(&handle, 10, "sent").await?;
    rings_again(&world, &handle, 10).await?;
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn push_check_and_the_sender_read_the_same() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = World::new().monitor(1, "Garage").with_push_proxy(&proxy).start().await?;
    for (behaviour, code, fault) in [
        (Behaviour::Accept, 0, Value::Null),
        (page(200), 1, "web_page".into()),
        (Behaviour::status(401, "{}"), 1, "credentials".into()),
        (Behaviour::Accept, 0, Value::Null),
    ] {
        proxy.always_on(Route::Probe, behaviour);
        let check = world.run(&["push", "check", "--json"]).await?.expect_code(code)?.json()?;
        let steps = check["checks"][0]["steps"].as_array().cloned().unwrap_or_default();
        ensure!(steps.last().is_some_and(|step| step["fault"] == fault), "{check}");
        ensure!(check["checks"][0]["age_ms"].is_null(), "an admin hears how it is now: {check}");
    }
    // Observers get the last known result, with its age.
    let before = proxy.arrivals_on(Route::Probe).len();
    for _ in 0..10 {
        let output = world.ctl().run_as(65534, 0, &["push", "check", "--json"]).await?.expect_code(0)?;
        ensure!(output.json()?["checks"][0]["ok"] == true);
    }
    let asked = proxy.arrivals_on(Route::Probe).len() - before;
    ensure!(asked <= 4, "ten looks within ten seconds have asked {asked} times");
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn a_functions_400_is_read_and_what_was_an_outage_arrives() -> Result<()> {
    let function = FcmFunction::start().await?;
    let world = World::new().monitor(1, "Garage").with_fcm_function("zmninja", &function).start().await?;
    let _phone = world.phone("android", TOKEN).await?;
    let handle = world.handle(TOKEN).await?;
    let mut event = 10;
    for (behaviour, fault) in [
        (FcmFunction::firebase_error(TOKEN, "The service is currently unavailable."), "provider"),
        (FcmFunction::firebase_error(TOKEN, "Quota exceeded for quota metric"), "limited"),
        (page(200), "web_page"),
        (FcmFunction::invalid_credentials(), "credentials"),
    ] {
        function.always(behaviour);
        world.alarm(1, event).await?;
        fails(&world, fault).await?;
        let shown = world.token(TOKEN).await?.context("an outage has cost a token")?;
        ensure!(shown["state"] == "enabled", "{shown}");
        function.always(Behaviour::Accept);
        rings_again(&world, &handle, event).await.with_context(|| fault.to_owned())?;
        event += 2;
    }
    function.ensure_no_violations()
}
