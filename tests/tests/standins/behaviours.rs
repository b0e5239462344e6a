//! The behaviours of the stand-ins really happen, over HTTP/2 and over HTTP/1.1.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use zmes_tests::standin::{Answer, Behaviour, FcmFunction};
use zmes_tests::{wait_until, within};

use super::client::{answer, builder, client, h2_reason, old_client, send};

const BOTH: [&[u8]; 2] = [b"h2", b"http/1.1"];

fn push(client: &Client, function: &FcmFunction, token: &str) -> RequestBuilder {
    let body: Value = json!({
        "token": token, "title": "Garage Alarm", "body": "Motion", "sound": "default", "badge": 1,
        "log_message_id": "NONE", "data": {"mid": "1", "eid": "32910", "notification_foreground": "true"},
        "android": {"icon": "ic_stat_notification", "priority": "high"},
    });
    client.post(function.send_url()).header("authorization", FcmFunction::KEY).json(&body)
}

async fn failed(request: RequestBuilder) -> Result<reqwest::Error> {
    within("a failure", request.send()).await?.err().context("it was answered")
}

/// Fails unless the next push is taken, on the connection of that number.
async fn ensure_taken_on(client: &Client, function: &FcmFunction, connection: usize) -> Result<()> {
    let (status, body) = answer(push(client, function, "next")).await?;
    let arrival = function.pushes().pop().context("nothing arrived")?;
    ensure!(status == 200 && arrival.accepted(), "{status} {body}");
    ensure!(arrival.request.connection == connection, "on connection {}", arrival.request.connection);
    function.ensure_no_violations()
}

#[tokio::test]
async fn any_answer_comes_with_its_headers_and_in_the_order_that_was_asked_for() -> Result<()> {
    let function = FcmFunction::start().await?;
    for client in [client(&function.ca())?, old_client(&function.ca())?] {
        function.answer_next(2, &Behaviour::retry_after(7));
        function.answer_next(1, &Behaviour::Answer(Answer::new(418, "{}").header("x-tea", "green")));
        function.answer_token_next("own", 1, &Behaviour::status(599, "{}"));
        for (token, status, header) in [
            ("a", 503, "retry-after: 7"),
            ("own", 599, ""),
            ("own", 503, "retry-after: 7"),
            ("a", 418, "x-tea: green"),
        ] {
            let response = send(push(&client, &function, token)).await?;
            ensure!(response.status() == status, "{}", response.status());
            if let Some((name, value)) = header.split_once(": ") {
                ensure!(response.headers()[name] == value, "{:?}", response.headers());
            }
        }
        function.always(Behaviour::status(500, ""));
        for _ in 0..2 {
            ensure!(send(push(&client, &function, "a")).await?.status() == 500);
        }
        function.always(Behaviour::Accept);
        ensure!(send(push(&client, &function, "a")).await?.status() == 200);
    }
    Ok(())
}

#[tokio::test]
async fn a_hanging_push_holds_up_nothing_else() -> Result<()> {
    let function = FcmFunction::start().await?;
    let client = client(&function.ca())?;
    function.answer_token_next("hung", 1, &Behaviour::Hang);
    let hung = push(&client, &function, "hung").send();
    let others = async {
        function.wait_pushes_to("hung", 1).await?;
        ensure_taken_on(&client, &function, 1).await
    };
    tokio::select! {
        biased;
        answered = hung => anyhow::bail!("answered: {answered:?}"),
        others = others => others?,
    }
    ensure!(function.pushes_to("hung").iter().all(|arrival| arrival.status.is_none()));
    // HTTP/1.1 has no second request on that connection.
    let old = old_client(&function.ca())?;
    function.always(Behaviour::Hang);
    let hung = push(&old, &function, "old").send();
    tokio::select! {
        biased;
        answered = hung => anyhow::bail!("answered: {answered:?}"),
        arrived = function.wait_pushes_to("old", 1) => ensure!(arrived?.iter().all(|one| one.status.is_none())),
    }
    Ok(())
}

#[tokio::test]
async fn a_slow_push_is_taken_in_the_end() -> Result<()> {
    let function = FcmFunction::start().await?;
    let client = client(&function.ca())?;
    function.answer_next(1, &Behaviour::Slow(Duration::from_millis(200)));
    let begun = tokio::time::Instant::now();
    ensure_taken_on(&client, &function, 1).await?;
    ensure!(begun.elapsed() >= Duration::from_millis(200));
    Ok(())
}

#[tokio::test]
async fn a_reset_answer_begins_and_breaks_off() -> Result<()> {
    let function = FcmFunction::start().await?;
    let client = client(&function.ca())?;
    function.answer_next(1, &Behaviour::Reset);
    let response = send(push(&client, &function, "a")).await?;
    ensure!(response.status() == 200);
    let error = within("the end of the body", response.bytes()).await?.err().context("it was complete")?;
    ensure!(h2_reason(&error) == Some(h2::Reason::INTERNAL_ERROR), "{error:?}");
    ensure_taken_on(&client, &function, 1).await?;

    let old = old_client(&function.ca())?;
    function.answer_next(1, &Behaviour::Reset);
    let response = send(push(&old, &function, "a")).await?;
    ensure!(within("the end of the body", response.bytes()).await?.is_err(), "it was complete");
    ensure_taken_on(&old, &function, 3).await
}

#[tokio::test]
async fn goaway_turns_a_push_away_and_ends_the_connection() -> Result<()> {
    let function = FcmFunction::start().await?;
    let client = client(&function.ca())?;
    ensure_taken_on(&client, &function, 1).await?;
    function.answer_next(1, &Behaviour::GoAway);
    let error = failed(push(&client, &function, "a")).await?;
    ensure!(h2_reason(&error) == Some(h2::Reason::REFUSED_STREAM), "{error:?}");
    ensure_taken_on(&client, &function, 2).await?;
    // What repeats refused streams by itself, as HTTP/2 allows, does not even notice.
    let patient = builder(&function.ca(), None, &BOTH)?.build()?;
    function.answer_next(1, &Behaviour::GoAway);
    let (status, body) = answer(push(&patient, &function, "again")).await?;
    ensure!(status == 200 && function.pushes_to("again").len() == 2, "{status} {body}");

    let old = old_client(&function.ca())?;
    function.answer_next(1, &Behaviour::GoAway);
    failed(push(&old, &function, "a")).await?;
    ensure_taken_on(&old, &function, 6).await
}

#[tokio::test]
async fn a_closed_connection_answers_nothing() -> Result<()> {
    let function = FcmFunction::start().await?;
    for (client, next) in [(client(&function.ca())?, 2), (old_client(&function.ca())?, 4)] {
        function.answer_next(1, &Behaviour::CloseConnection);
        failed(push(&client, &function, "a")).await?;
        ensure_taken_on(&client, &function, next).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_black_hole_answers_no_ping_while_new_connections_work() -> Result<()> {
    let function = FcmFunction::start().await?;
    let client = builder(&function.ca(), None, &BOTH)?
        .http2_keep_alive_interval(Duration::from_millis(200))
        .http2_keep_alive_timeout(Duration::from_millis(200))
        .build()?;
    function.answer_next(1, &Behaviour::BlackHole);
    let error = failed(push(&client, &function, "a")).await?;
    ensure!(!error.is_connect() && format!("{error:?}").contains("KeepAliveTimedOut"), "{error:?}");
    ensure_taken_on(&client, &function, 2).await
}

#[tokio::test]
async fn a_closed_door_refuses_and_opens_again_on_the_same_port() -> Result<()> {
    let function = FcmFunction::start().await?;
    let client = client(&function.ca())?;
    ensure_taken_on(&client, &function, 1).await?;
    for round in 2..4 {
        function.refuse().await?;
        wait_until("the client sees that the port is closed", async || {
            let error = failed(push(&client, &function, "a")).await?;
            Ok(error.is_connect().then_some(()))
        })
        .await?;
        function.resume().await?;
        ensure_taken_on(&client, &function, round).await?;
    }
    Ok(())
}

#[tokio::test]
async fn only_the_authority_is_trusted() -> Result<()> {
    let (function, other) = (FcmFunction::start().await?, FcmFunction::start().await?);
    let error = failed(push(&client(&other.ca())?, &function, "a")).await?;
    ensure!(error.is_connect(), "{error:?}");
    wait_until("the handshake has failed", async || {
        Ok((!function.handshake_failures().is_empty()).then_some(()))
    })
    .await?;
    ensure!(function.arrivals().is_empty() && function.connections() == 0);
    Ok(())
}
