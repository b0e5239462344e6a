//! Apple's provider API.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use zmes_tests::epoch_seconds;
use zmes_tests::standin::{Apns, Route};

use super::client::{answer, builder, client, client_with, send};
use super::{changed, ensure_noticed};

const TOKEN: &str = "00fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f0";

fn provider_token(apns: &Apns, key_id: &str, team: &str, age: i64) -> Result<String> {
    let key = EncodingKey::from_ec_pem(&fs::read(apns.key().context("no key")?)?)?;
    let header = Header { kid: Some(key_id.to_owned()), typ: None, ..Header::new(Algorithm::ES256) };
    Ok(encode(&header, &json!({"iss": team, "iat": epoch_seconds() - age}), &key)?)
}

/// Everything but the credentials.
fn post(client: &Client, apns: &Apns, token: &str, body: &Value) -> RequestBuilder {
    client
        .post(format!("{}/3/device/{token}", apns.url()))
        .header("apns-topic", Apns::TOPIC)
        .header("apns-push-type", "alert")
        .header("apns-priority", "10")
        .header("apns-expiration", "1800000000")
        .body(body.to_string())
}

fn message() -> Value {
    json!({"aps": {"alert": {"title": "Garage Alarm", "body": "Motion"}, "badge": 1, "sound": "default",
                   "thread-id": "zmninja_alarm", "mutable-content": 1}, "mid": "1", "eid": "32910"})
}

#[tokio::test]
async fn a_provider_token_opens_the_door() -> Result<()> {
    let apns = Apns::with_key().await?;
    let client = client(&apns.ca())?;
    let bearer = provider_token(&apns, Apns::KEY_ID, Apns::TEAM_ID, 3000)?;
    let collapse = "x".repeat(64);
    for request in [
        post(&client, &apns, TOKEN, &message()),
        post(&client, &apns, TOKEN, &message()).header("apns-collapse-id", collapse),
    ] {
        let response = send(request.bearer_auth(&bearer)).await?;
        ensure!(response.status() == 200 && response.headers()["apns-id"].len() == 36, "{response:?}");
    }
    apns.ensure_no_violations()?;
    ensure!(apns.pushes_to(TOKEN).len() == 2 && apns.provider_tokens() == 1);
    Ok(())
}

#[tokio::test]
async fn bad_provider_tokens_are_noticed() -> Result<()> {
    let (apns, other) = (Apns::with_key().await?, Apns::with_key().await?);
    let client = client(&apns.ca())?;
    let good = provider_token(&apns, Apns::KEY_ID, Apns::TEAM_ID, 0)?;
    for (what, authorization) in [
        ("is there 0 times", None),
        ("no bearer", Some(format!("Basic {good}"))),
        ("unpadded base64url", Some(format!("bearer {good}=="))),
        ("unpadded base64url", Some(format!("bearer {}", good.replace('.', "+.")))),
        ("kid", Some(format!("bearer {}", provider_token(&apns, "OTHERKEYID", Apns::TEAM_ID, 0)?))),
        ("iss", Some(format!("bearer {}", provider_token(&apns, Apns::KEY_ID, "OTHERTEAMS", 0)?))),
        ("iat", Some(format!("bearer {}", provider_token(&apns, Apns::KEY_ID, Apns::TEAM_ID, 3700)?))),
        ("iat", Some(format!("bearer {}", provider_token(&apns, Apns::KEY_ID, Apns::TEAM_ID, -300)?))),
        ("verify", Some(format!("bearer {}", provider_token(&other, Apns::KEY_ID, Apns::TEAM_ID, 0)?))),
    ] {
        let known = apns.violations().len();
        let mut request = post(&client, &apns, TOKEN, &message());
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let (status, answer) = answer(request).await?;
        ensure!(status == 403 && answer["reason"] == "InvalidProviderToken", "{what}: {status} {answer}");
        ensure_noticed(&apns, known, status, what)?;
    }
    Ok(())
}

#[tokio::test]
async fn bad_messages_are_noticed() -> Result<()> {
    let apns = Apns::with_key().await?;
    let client = client(&apns.ca())?;
    let bearer = provider_token(&apns, Apns::KEY_ID, Apns::TEAM_ID, 0)?;
    let with = |pointer, value: Value| changed(&message(), pointer, Some(&value));
    let bare = || client.post(format!("{}/3/device/{TOKEN}", apns.url())).body(message().to_string());
    let good = || post(&client, &apns, TOKEN, &message());
    for (what, reason, request) in [
        ("no such path", "BadPath", client.post(format!("{}/2/device/x", apns.url()))),
        ("not a POST", "MethodNotAllowed", client.get(format!("{}/3/device/{TOKEN}", apns.url()))),
        ("hexadecimal", "BadDeviceToken", post(&client, &apns, "c:APA91b", &message())),
        ("apns-topic", "BadTopic", bare().header("apns-topic", "org.example.other")),
        ("apns-push-type", "BadMessageId", bare().header("apns-topic", Apns::TOPIC)),
        ("apns-collapse-id", "BadMessageId", good().header("apns-collapse-id", "x".repeat(65))),
        ("bytes", "PayloadTooLarge", post(&client, &apns, TOKEN, &with("/eid", json!("1".repeat(5000)))?)),
        ("/aps/badge", "BadMessage", post(&client, &apns, TOKEN, &with("/aps/badge", json!("1"))?)),
        ("/aps/alert", "BadMessage", post(&client, &apns, TOKEN, &changed(&message(), "/aps/alert", None)?)),
        ("/mid", "BadMessage", post(&client, &apns, TOKEN, &with("/mid", json!(1))?)),
        ("/more is null", "BadMessage", post(&client, &apns, TOKEN, &with("/more", json!(null))?)),
        ("not JSON", "BadMessage", good().body("{")),
    ] {
        let known = apns.violations().len();
        let (status, answer) = answer(request.bearer_auth(&bearer)).await?;
        ensure!(answer["reason"] == reason, "{what}: {status} {answer}");
        ensure_noticed(&apns, known, status, what)?;
    }
    let old = builder(&apns.ca(), None, &[b"http/1.1"])?.build()?;
    ensure!(post(&old, &apns, TOKEN, &message()).send().await.is_err(), "HTTP/1.1 is served");
    ensure!(!apns.handshake_failures().is_empty() && apns.accepted().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_client_certificate_opens_the_door_instead() -> Result<()> {
    let apns = Apns::with_certificate().await?;
    let identity = apns.identity().context("no certificate")?;
    let member = client_with(&apns.ca(), identity)?;
    let (status, _) = answer(post(&member, &apns, TOKEN, &message())).await?;
    ensure!(status == 200, "{status}");
    apns.ensure_no_violations()?;
    let stranger = client(&apns.ca())?;
    ensure!(post(&stranger, &apns, TOKEN, &message()).send().await.is_err(), "a client without certificate");
    ensure!(apns.arrivals_on(Route::Push).len() == 1);
    let (status, _) = answer(post(&member, &apns, TOKEN, &message()).bearer_auth("x")).await?;
    ensure_noticed(&apns, 0, status, "beside the certificate")
}

#[tokio::test]
async fn a_p12_is_of_the_kind_that_was_asked_for() -> Result<()> {
    let apns = Apns::with_certificate().await?;
    let identity = apns.identity().context("no certificate")?;
    for (legacy, password, kind) in
        [(false, "", "AES-256"), (false, "secret", "AES-256"), (true, "", "RC2"), (true, "secret", "RC2")]
    {
        let path = if legacy { identity.legacy_p12(password)? } else { identity.p12(password)? };
        let output = Command::new("openssl")
            .args(["pkcs12", "-legacy", "-noout", "-info", "-passin", &format!("pass:{password}"), "-in"])
            .arg(path)
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success() && said.contains(kind), "{kind}: {said}");
    }
    Ok(())
}

#[tokio::test]
async fn its_errors_are_apples() -> Result<()> {
    let apns = Apns::with_key().await?;
    let client = client(&apns.ca())?;
    let bearer = provider_token(&apns, Apns::KEY_ID, Apns::TEAM_ID, 0)?;
    for (behaviour, code, reason) in [
        (Apns::bad_device_token(), 400, "BadDeviceToken"),
        (Apns::wrong_topic(), 400, "DeviceTokenNotForTopic"),
        (Apns::unregistered(1_700_000_000_000), 410, "Unregistered"),
        (Apns::expired_provider_token(), 403, "ExpiredProviderToken"),
        (Apns::too_many_requests(), 429, "TooManyRequests"),
        (Apns::internal_server_error(), 500, "InternalServerError"),
        (Apns::payload_too_large(), 413, "PayloadTooLarge"),
    ] {
        apns.answer_token_next(TOKEN, 1, &behaviour);
        let (status, answer) = answer(post(&client, &apns, TOKEN, &message()).bearer_auth(&bearer)).await?;
        ensure!(status == code && answer["reason"] == reason, "{status} {answer}");
        ensure!(answer.get("timestamp").is_some() == (code == 410), "{answer}");
    }
    apns.ensure_no_violations()
}
