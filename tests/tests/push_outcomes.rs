//! What becomes of a push that a provider does not take, for each transport: the token's state and its log afterwards.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use zmes_tests::standin::{Apns, Arrival, Behaviour, Contract, Fcm, FcmFunction, PushProxy, Route, StandIn};
use zmes_tests::{AppClient, World, WorldBuilder, wait_until};

/// The event of the alarm that is refused; the next ones follow it.
const FIRST: u64 = 32_910;

fn garage() -> WorldBuilder {
    World::new().monitor(1, "Garage")
}

/// What must have become of a token and of its push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The token is gone, and can be restored.
    Dead,
    /// The message is given up; the token stays.
    Refused,
    /// It arrives in the end, and its failures are in the log.
    Late,
}

/// A phone with its token, and how the provider treats its first push.
struct Case {
    token: &'static str,
    behaviour: Behaviour,
    fate: Fate,
}

fn case(token: &'static str, behaviour: Behaviour, fate: Fate) -> Case {
    Case { token, behaviour, fate }
}

/// Registers the phones of all cases, raises one alarm, and checks every token and its log against the expected
/// outcome. A second alarm then shows which tokens still get pushes.
async fn play<C: Contract>(
    world: &World,
    provider: &StandIn<C>,
    platform: &str,
    cases: &[Case],
) -> Result<()> {
    let mut phones: Vec<(AppClient, String)> = Vec::new();
    for Case { token, behaviour, fate } in cases {
        phones.push((world.phone(platform, token).await?, world.handle(token).await?));
        match fate {
            Fate::Dead | Fate::Refused => provider.always_token(token, behaviour.clone()),
            Fate::Late => provider.answer_token_next(token, 1, behaviour),
        }
    }
    world.alarm(1, FIRST).await?;
    for (case, (phone, handle)) in cases.iter().zip(&mut phones) {
        // The open socket gets its copy, however the provider answers.
        phone.expect_alarm(FIRST, 1).await?;
        ensure_fate(world, case, handle)
            .await
            .with_context(|| format!("{}: {:?}", case.token, case.behaviour))?;
    }
    for Case { token, .. } in cases {
        provider.always_token(token, Behaviour::Accept);
    }
    world.alarm(1, FIRST + 1).await?;
    for (phone, _) in &mut phones {
        phone.expect_alarm(FIRST + 1, 1).await?;
    }
    for (Case { token, fate, .. }, (_, handle)) in cases.iter().zip(&phones) {
        if *fate == Fate::Dead {
            world.run(&["tokens", "restore", handle]).await?.expect_code(0)?;
            ensure!(world.lists(handle).await?, "{token} is not restored");
        } else {
            world.wait_delivery(handle, FIRST + 1, "sent").await?;
        }
    }
    world.alarm(1, FIRST + 2).await?;
    for (Case { token, fate, .. }, (_, handle)) in cases.iter().zip(&phones) {
        world.wait_delivery(handle, FIRST + 2, "sent").await?;
        // A dead token did not get the alarm in between; a refused push was not retried.
        let expected = if *fate == Fate::Dead { 2 } else { 3 } + usize::from(*fate == Fate::Late);
        let pushes = provider.pushes_to(token);
        ensure!(pushes.len() == expected, "{token}: {} pushes: {pushes:?}", pushes.len());
    }
    provider.ensure_no_violations()
}

async fn ensure_fate(world: &World, case: &Case, handle: &str) -> Result<()> {
    match case.fate {
        Fate::Dead => {
            let failed = world.wait_delivery(handle, FIRST, "failed").await?;
            ensure!(failed["attempts"] == 1 && failed["reason"] != "", "{failed}");
            wait_until("the token is revoked", async || Ok((!world.lists(handle).await?).then_some(()))).await
        }
        Fate::Refused => {
            let failed = world.wait_delivery(handle, FIRST, "failed").await?;
            ensure!(failed["attempts"] == 1 && failed["reason"] != "", "{failed}");
            let shown = world.token(case.token).await?.context("the token is gone")?;
            ensure!(shown["state"] == "enabled" && shown["last_error"].is_string(), "{shown}");
            Ok(())
        }
        Fate::Late => {
            let sent = world.wait_delivery(handle, FIRST, "sent").await?;
            ensure!(sent["attempts"] == 2 && sent["latency_ms"].is_u64(), "{sent}");
            let shown = world
                .wait_token(case.token, "delivered to", |shown| shown["last_delivered_at"].is_string())
                .await?;
            ensure!(shown["state"] == "enabled" && shown["failures"] == 0, "{shown}");
            Ok(())
        }
    }
}

/// The same answer, with a `Retry-After` that a test can wait for: without one, 429 means a minute.
fn soon(behaviour: Behaviour) -> Behaviour {
    let Behaviour::Answer(answer) = &behaviour else { return behaviour };
    Behaviour::Answer(answer.clone().retry_after(1))
}

#[tokio::test]
async fn fcm_tells_dead_tokens_bad_messages_and_bad_moments_apart() -> Result<()> {
    let fcm = Fcm::start().await?;
    let world = garage().with_fcm(&fcm).start().await?;
    let cases = [
        case("fcm:APA91b-unregistered", Fcm::unregistered(), Fate::Dead),
        case("fcm:APA91b-not-a-token", Fcm::invalid_token(), Fate::Dead),
        case("fcm:APA91b-bad-message", Fcm::invalid_data(), Fate::Refused),
        case("fcm:APA91b-unavailable", Fcm::unavailable(), Fate::Late),
        case("fcm:APA91b-broken-down", Fcm::internal(), Fate::Late),
        case("fcm:APA91b-not-allowed", Fcm::permission_denied(), Fate::Late),
        case("fcm:APA91b-reset-answer", Behaviour::Reset, Fate::Late),
    ];
    play(&world, &fcm.messages, "android", &cases).await?;
    fcm.ensure_no_violations()
}

#[tokio::test]
async fn a_bearer_that_has_ended_is_renewed_and_loses_no_push() -> Result<()> {
    let fcm = Fcm::start().await?;
    let world = garage().with_fcm(&fcm).start().await?;
    let token = "fcm:APA91b-bearer";
    let mut phone = world.phone("ios", token).await?;
    let handle = world.handle(token).await?;
    for (event, logins) in [(5, 1), (6, 1), (7, 2)] {
        if event == 7 {
            fcm.revoke_bearers();
        }
        world.alarm(1, event).await?;
        phone.expect_alarm(event, 1).await?;
        let sent = world.wait_delivery(&handle, event, "sent").await?;
        ensure!(sent["provider_id"].as_str().is_some_and(|id| id.contains("messages/")), "{sent}");
        ensure!(fcm.oauth.arrivals_on(Route::Login).len() == logins, "event {event}");
    }
    // Google's login page is down for a moment, just when it is needed.
    fcm.revoke_bearers();
    fcm.oauth.answer_next_on(Route::Login, 1, &Behaviour::status(503, ""));
    world.alarm(1, 8).await?;
    world.wait_delivery(&handle, 8, "sent").await?;
    ensure!(world.lists(&handle).await?);
    fcm.ensure_no_violations()
}

#[tokio::test]
async fn retry_after_is_honoured() -> Result<()> {
    let fcm = Fcm::start().await?;
    let world = garage().with_fcm(&fcm).start().await?;
    let token = "fcm:APA91b-patient";
    let _phone = world.phone("android", token).await?;
    fcm.messages.answer_next(1, &Fcm::quota_exceeded(4));
    world.alarm(1, 5).await?;
    let sent = world.wait_delivery(&world.handle(token).await?, 5, "sent").await?;
    ensure!(sent["attempts"] == 2, "{sent}");
    let pushes = fcm.messages.pushes_to(token);
    ensure!(pushes.len() == 2, "{pushes:?}");
    let waited = pushes[1].at.duration_since(pushes[0].at);
    ensure!(waited >= Duration::from_secs(4), "tried again after {waited:?}");
    fcm.ensure_no_violations()
}

#[tokio::test]
async fn apns_tells_dead_tokens_bad_messages_and_bad_moments_apart() -> Result<()> {
    let apns = Apns::with_key().await?;
    let world = garage().with_apns(&apns).start().await?;
    let cases = [
        case(
            "00000000000000000000000000000000000000000000000000000000000000a1",
            Apns::unregistered(1_700_000_000_000),
            Fate::Dead,
        ),
        case(
            "00000000000000000000000000000000000000000000000000000000000000a2",
            Apns::bad_device_token(),
            Fate::Dead,
        ),
        case(
            "00000000000000000000000000000000000000000000000000000000000000a3",
            Apns::wrong_topic(),
            Fate::Dead,
        ),
        case(
            "00000000000000000000000000000000000000000000000000000000000000b1",
            Apns::payload_too_large(),
            Fate::Refused,
        ),
        case(
            "00000000000000000000000000000000000000000000000000000000000000c1",
            soon(Apns::too_many_requests()),
            Fate::Late,
        ),
        case(
            "00000000000000000000000000000000000000000000000000000000000000c2",
            Apns::internal_server_error(),
            Fate::Late,
        ),
        case(
            "00000000000000000000000000000000000000000000000000000000000000c4",
            Behaviour::Reset,
            Fate::Late,
        ),
    ];
    play(&world, &apns, "ios", &cases).await
}

#[tokio::test]
async fn a_provider_token_that_apple_calls_expired_loses_no_push() -> Result<()> {
    let apns = Apns::with_key().await?;
    let world = garage().with_apns(&apns).start().await?;
    let token = "00000000000000000000000000000000000000000000000000000000000000c3";
    let _phone = world.phone("ios", token).await?;
    apns.answer_next(1, &Apns::expired_provider_token());
    world.alarm(1, FIRST).await?;
    world.wait_delivery(&world.handle(token).await?, FIRST, "sent").await?;
    ensure!(apns.pushes_to(token).len() == 2 && apns.accepted().len() == 1);
    apns.ensure_no_violations()
}

#[tokio::test]
async fn apns_takes_each_kind_of_certificate() -> Result<()> {
    let apns = Apns::with_certificate().await?;
    let identity = apns.identity().context("no certificate")?;
    let token = "00000000000000000000000000000000000000000000000000000000000000d1";
    let (mut world, mut event) = (garage().with_apns(&apns).prepare().await?, FIRST);
    for p12 in [None, Some(identity.p12("")?), Some(identity.legacy_p12("")?)] {
        if let Some(file) = &p12 {
            world.kill_daemon().await?;
            world.settings.set_path("push.apns", "certificate", file);
            world.settings.remove("push.apns", "key");
            world.write_settings()?;
        }
        world.start_daemon().await?;
        let _phone = world.phone("ios", token).await?;
        world.alarm(1, event).await?;
        let handle = world.handle(token).await?;
        let sent = world.wait_delivery(&handle, event, "sent").await?;
        ensure!(sent["provider_id"].is_string() && sent["transport"] == "apns", "{p12:?}: {sent}");
        world.end_alarm(1, event).await?;
        event += 1;
    }
    apns.ensure_no_violations()
}

#[tokio::test]
async fn a_function_tells_dead_tokens_and_bad_moments_apart() -> Result<()> {
    let function = FcmFunction::start().await?;
    let world = garage().with_fcm_function("zmninja", &function).start().await?;
    let (gone, never, other) = ("fn:APA91b-gone-token", "fn:APA91b-never-token", "fn:APA91b-other-error");
    let cases = [
        case(gone, FcmFunction::not_found(gone), Fate::Dead),
        case(never, FcmFunction::not_valid(never), Fate::Dead),
        case(other, FcmFunction::firebase_error(other, "Message is too big"), Fate::Refused),
        case("fn:APA91b-other-key", FcmFunction::invalid_credentials(), Fate::Late),
        case("fn:APA91b-busy", soon(Behaviour::status(429, "Rate exceeded.")), Fate::Late),
        case("fn:APA91b-broken", Behaviour::status(500, "Internal Server Error"), Fate::Late),
        case("fn:APA91b-refused", Behaviour::GoAway, Fate::Late),
    ];
    // A stream that GOAWAY refused may be repeated by the client itself, unseen: then the log has one attempt.
    let (unseen, seen) = cases.split_last().context("no cases")?;
    play(&world, &function, "android", seen).await?;
    let _phone = world.phone("android", unseen.token).await?;
    function.answer_token_next(unseen.token, 1, &unseen.behaviour);
    world.alarm(1, FIRST + 3).await?;
    world.wait_delivery(&world.handle(unseen.token).await?, FIRST + 3, "sent").await?;
    ensure!(function.pushes_to(unseen.token).len() == 2);
    function.ensure_no_violations()
}

#[tokio::test]
async fn on_sender_mismatch_the_next_function_is_tried_once_and_remembered() -> Result<()> {
    let first = FcmFunction::start().await?;
    let second = FcmFunction::start_under(first.authority()).await?;
    let mut world =
        garage().with_fcm_function("one", &first).with_fcm_function("two", &second).start().await?;
    let (token, lost) = ("fn:APA91b-second-app", "fn:APA91b-no-app");
    first.always(FcmFunction::sender_mismatch(token));
    second.always_token(lost, FcmFunction::sender_mismatch(lost));
    let mut phone = world.phone("android", token).await?;
    let handle = world.handle(token).await?;
    for event in 5..7 {
        world.alarm(1, event).await?;
        phone.expect_alarm(event, 1).await?;
        world.wait_delivery(&handle, event, "sent").await?;
    }
    ensure!(first.pushes_to(token).len() == 1 && second.pushes_to(token).len() == 2, "it is not remembered");
    drop(phone);
    world.end_alarm(1, 6).await?;
    world.kill_daemon().await?;
    world.start_daemon().await?;
    world.alarm(1, 7).await?;
    world.wait_delivery(&handle, 7, "sent").await?;
    ensure!(
        first.pushes_to(token).len() == 1 && second.pushes_to(token).len() == 3,
        "it is forgotten at a start"
    );
    // A token of neither app: kept, flagged, and not retried without end.
    let _stranger = world.phone("android", lost).await?;
    let stranger = world.handle(lost).await?;
    world.alarm(1, 8).await?;
    world.wait_delivery(&stranger, 8, "failed").await?;
    ensure!(first.pushes_to(lost).len() == 1 && second.pushes_to(lost).len() == 1);
    let shown = world.token(lost).await?.context("a mismatch has cost a token")?;
    ensure!(shown["state"] == "enabled" && shown["last_error"].is_string(), "{shown}");
    first.ensure_no_violations()?;
    second.ensure_no_violations()
}

#[tokio::test]
async fn whatever_the_push_proxy_does_no_token_is_lost() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = garage().with_push_proxy(&proxy).start().await?;
    let cases = [
        case("proxy-token-error", Behaviour::status(500, "{}"), Fate::Late),
        case("proxy-token-key", PushProxy::wrong_app_key(), Fate::Late),
        case("proxy-token-limit", Behaviour::retry_after(1), Fate::Late),
        case("proxy-token-reset", Behaviour::Reset, Fate::Late),
    ];
    play(&world, &proxy, "ios", &cases).await?;
    // Gone altogether, and back.
    let token = cases[0].token;
    let handle = world.handle(token).await?;
    proxy.refuse().await?;
    world.alarm(1, FIRST + 3).await?;
    world.wait_token(token, "failing", |shown| shown["failures"].as_u64() > Some(0)).await?;
    proxy.resume().await?;
    let sent = world.wait_delivery(&handle, FIRST + 3, "sent").await?;
    ensure!(sent["attempts"].as_u64() > Some(1), "{sent}");
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn a_certificate_of_a_stranger_is_never_trusted() -> Result<()> {
    let (proxy, other) = (PushProxy::start().await?, PushProxy::start().await?);
    let mut world = garage().with_push_proxy(&proxy).prepare().await?;
    world.settings.set_path("push.proxy", "ca-certificate", &other.ca());
    world.write_settings()?;
    world.start_daemon().await?;
    let token = "proxy-token-stranger";
    let _phone = world.phone("android", token).await?;
    world.alarm(1, FIRST).await?;
    world.wait_token(token, "failing", |shown| shown["failures"].as_u64() > Some(0)).await?;
    ensure!(proxy.arrivals().is_empty() && !proxy.handshake_failures().is_empty());
    let handle = world.handle(token).await?;
    let queued = world.delivery(&handle, FIRST).await?.context("not in the log")?;
    ensure!(queued["decision"] == "queued", "{queued}");
    // The right root: a reload is enough, and what has waited arrives.
    world.settings.set_path("push.proxy", "ca-certificate", &proxy.ca());
    world.write_settings()?;
    world.run(&["reload"]).await?.expect_code(0)?;
    world.wait_delivery(&handle, FIRST, "sent").await?;
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn a_black_hole_is_noticed_and_the_push_arrives_by_another_connection() -> Result<()> {
    let apns = Apns::with_key().await?;
    let world = garage().with_apns(&apns).start().await?;
    let token = "00000000000000000000000000000000000000000000000000000000000000e1";
    let _phone = world.phone("ios", token).await?;
    let handle = world.handle(token).await?;
    world.alarm(1, 5).await?;
    world.wait_delivery(&handle, 5, "sent").await?;
    apns.answer_next(1, &Behaviour::BlackHole);
    world.alarm(1, 6).await?;
    world.wait_delivery(&handle, 6, "sent").await?;
    ensure!(apns.connections() > 1 && apns.provider_tokens() == 1);
    apns.ensure_no_violations()
}

/// Waits longer than for anything else: a storm is counted by the minute.
async fn patiently(proxy: &PushProxy, count: usize) -> Result<Vec<Arrival>> {
    for _ in 0..2 {
        if let Ok(pushes) = proxy.wait_accepted(count).await {
            return Ok(pushes);
        }
    }
    proxy.wait_accepted(count).await
}

#[tokio::test]
async fn a_storm_becomes_one_digest_with_its_count() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = garage().setting("push", "storm-limit", "3").with_push_proxy(&proxy).start().await?;
    let token = "proxy-token-storm";
    let mut phone = world.phone("android", token).await?;
    for event in 101..=110 {
        world.alarm(1, event).await?;
        phone.expect_alarm(event, 1).await?;
    }
    let pushes = patiently(&proxy, 4).await?;
    let alert = |push: &Arrival| push.json()["alert"].as_str().unwrap_or_default().to_owned();
    for (push, event) in pushes.iter().zip(101..=103) {
        ensure!(alert(push).contains(&format!("({event})")), "{push:?}");
    }
    let digest = alert(&pushes[3]);
    let mut numbers = digest.split(|character: char| !character.is_ascii_digit());
    ensure!(pushes.len() == 4 && numbers.any(|number| number == "7"), "the count is not told: {digest}");
    let handle = world.handle(token).await?;
    for event in 104..=110 {
        let sent: Value = world.wait_delivery(&handle, event, "sent").await?;
        ensure!(sent["reason"] == "digest", "{sent}");
    }
    ensure!(proxy.accepted().len() == 4);
    proxy.ensure_no_violations()
}
