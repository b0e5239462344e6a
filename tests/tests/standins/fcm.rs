//! FCM HTTP v1 and the OAuth endpoint that gives out its bearers.

use std::fs;

use anyhow::{Context, Result, ensure};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use zmes_tests::epoch_seconds;
use zmes_tests::standin::{Behaviour, Fcm, OAuth, Route};

use super::client::{answer, client, old_client, send};
use super::{changed, ensure_noticed};

/// Signs an assertion as the service account's file says, with some claims changed.
fn assertion(fcm: &Fcm, changes: &[(&str, Value)]) -> Result<String> {
    let account: Value = serde_json::from_slice(&fs::read(fcm.service_account())?)?;
    ensure!(account["project_id"] == Fcm::PROJECT && account["type"] == "service_account", "{account}");
    let now = epoch_seconds();
    let mut claims = json!({
        "iss": account["client_email"], "scope": "https://www.googleapis.com/auth/firebase.messaging",
        "aud": account["token_uri"], "iat": now, "exp": now + 3600,
    });
    for (name, value) in changes {
        claims[*name] = value.clone();
    }
    let key = account["private_key"].as_str().context("no key")?;
    Ok(encode(&Header::new(Algorithm::RS256), &claims, &EncodingKey::from_rsa_pem(key.as_bytes())?)?)
}

fn login(client: &Client, fcm: &Fcm, assertion: &str) -> RequestBuilder {
    client.post(fcm.oauth.token_uri()).header("content-type", "application/x-www-form-urlencoded").body(
        format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}"),
    )
}

async fn bearer(client: &Client, fcm: &Fcm) -> Result<String> {
    let (status, body) = answer(login(client, fcm, &assertion(fcm, &[])?)).await?;
    ensure!(
        status == 200 && body["token_type"] == "Bearer" && body["expires_in"].is_u64(),
        "{status} {body}"
    );
    Ok(body["access_token"].as_str().context("no token")?.to_owned())
}

fn post(client: &Client, fcm: &Fcm, bearer: &str, body: &Value) -> RequestBuilder {
    let url = format!("{}/v1/projects/{}/messages:send", fcm.messages.url(), Fcm::PROJECT);
    client.post(url).bearer_auth(bearer).json(body)
}

fn android() -> Value {
    json!({"message": {
        "token": "c:APA91b", "notification": {"title": "Garage Alarm", "body": "Motion"},
        "data": {"mid": "1", "eid": "32910", "monitorName": "Garage", "cause": "", "notification_foreground": "true"},
        "android": {"priority": "high", "ttl": "600s",
                    "notification": {"icon": "ic_stat_notification", "sound": "default", "channel_id": "zmninja"}},
    }})
}

fn ios() -> Result<Value> {
    let apns = json!({
        "payload": {"aps": {"alert": {"title": "Garage Alarm", "body": "Motion"}, "badge": 2, "sound": "default",
                            "thread-id": "zmninja_alarm", "mutable-content": 1}},
        "headers": {"apns-priority": "10", "apns-push-type": "alert", "apns-collapse-id": "zmninjapush"},
        "fcm_options": {"image": "https://example.org/x.jpg"},
    });
    changed(&changed(&android(), "/message/android", None)?, "/message/apns", Some(&apns))
}

#[tokio::test]
async fn a_signed_login_and_good_messages_are_taken() -> Result<()> {
    let fcm = Fcm::start().await?;
    let client = client(&fcm.messages.ca())?;
    let bearer = bearer(&client, &fcm).await?;
    let dry = json!({"validate_only": true, "message": {"token": "c:APA91b"}});
    for body in [android(), ios()?, dry] {
        let (status, answer) = answer(post(&client, &fcm, &bearer, &body)).await?;
        let name = answer["name"].as_str().unwrap_or_default();
        ensure!(status == 200 && name.starts_with("projects/zmes-test/messages/"), "{status} {answer}");
    }
    fcm.ensure_no_violations()?;
    ensure!(fcm.oauth.arrivals_on(Route::Login).len() == 1 && fcm.messages.accepted().len() == 3);
    Ok(())
}

#[tokio::test]
async fn bad_messages_are_noticed() -> Result<()> {
    let fcm = Fcm::start().await?;
    let client = client(&fcm.messages.ca())?;
    let bearer = bearer(&client, &fcm).await?;
    for (what, body, pointer, value) in [
        ("data/eid is not a string", android(), "/message/data/eid", Some(json!(1))),
        ("data/cause is not a string", android(), "/message/data/cause", Some(json!(null))),
        ("data/mid is missing", android(), "/message/data/mid", None),
        ("data/from is a reserved word", android(), "/message/data/from", Some(json!("x"))),
        ("data/gcm.x is a reserved word", android(), "/message/data/gcm.x", Some(json!("x"))),
        ("/message/token is missing", android(), "/message/token", None),
        ("notification/body", android(), "/message/notification/body", Some(json!(""))),
        ("android/ttl", android(), "/message/android/ttl", Some(json!(600))),
        ("android/priority", android(), "/message/android/priority", Some(json!("max"))),
        ("android/notification/icon", android(), "/message/android/notification/icon", None),
        ("neither android nor apns", android(), "/message/android", None),
        ("or both", ios()?, "/message/android", Some(android()["message"]["android"].clone())),
        ("aps/badge", ios()?, "/message/apns/payload/aps/badge", Some(json!("2"))),
        ("aps/mutable-content", ios()?, "/message/apns/payload/aps/mutable-content", Some(json!(true))),
        ("apns-priority", ios()?, "/message/apns/headers/apns-priority", Some(json!(10))),
        ("collapse-id", ios()?, "/message/apns/headers/apns-collapse-id", Some(json!("x".repeat(65)))),
        ("to is not part", android(), "/to", Some(json!("x"))),
        ("bytes", android(), "/message/notification/title", Some(json!("x".repeat(5000)))),
    ] {
        let body = changed(&body, pointer, value.as_ref())?;
        let known = fcm.messages.violations().len();
        let (status, answer) = answer(post(&client, &fcm, &bearer, &body)).await?;
        ensure!(answer["error"]["status"] == "INVALID_ARGUMENT", "{what}: {answer}");
        ensure_noticed(&fcm.messages, known, status, what)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_bearer_may_end_but_not_be_made_up() -> Result<()> {
    let fcm = Fcm::start().await?;
    let client = client(&fcm.messages.ca())?;
    let old = bearer(&client, &fcm).await?;
    fcm.revoke_bearers();
    let (status, body) = answer(post(&client, &fcm, &old, &android())).await?;
    ensure!(status == 401 && body["error"]["status"] == "UNAUTHENTICATED", "{status} {body}");
    let new = bearer(&client, &fcm).await?;
    ensure!(new != old && answer(post(&client, &fcm, &new, &android())).await?.0 == 200);
    fcm.ensure_no_violations()?;
    let (status, _) = answer(post(&client, &fcm, "made-up", &android())).await?;
    ensure_noticed(&fcm.messages, 0, status, "never given out")?;
    ensure!(
        old_client(&fcm.messages.ca())?.get(fcm.messages.url()).send().await.is_err(),
        "HTTP/1.1 is served"
    );
    Ok(())
}

#[tokio::test]
async fn bad_logins_are_noticed() -> Result<()> {
    let (fcm, stranger) = (Fcm::start().await?, Fcm::start().await?);
    let client = client(&fcm.oauth.ca())?;
    let (now, good) = (epoch_seconds(), assertion(&fcm, &[])?);
    let hs256 = encode(&Header::new(Algorithm::HS256), &json!({}), &EncodingKey::from_secret(b"x"))?;
    for (what, assertion) in [
        ("aud", assertion(&fcm, &[("aud", json!("https://oauth2.googleapis.com/token"))])?),
        ("scope", assertion(&fcm, &[("scope", json!("https://www.googleapis.com/auth/cloud-platform"))])?),
        ("iss", assertion(&fcm, &[("iss", json!("somebody@example.org"))])?),
        ("iat", assertion(&fcm, &[("iat", json!(now - 1000)), ("exp", json!(now + 600))])?),
        ("exp", assertion(&fcm, &[("exp", json!(now + 7200))])?),
        ("verify", assertion(&stranger, &[("aud", json!(fcm.oauth.token_uri()))])?),
        ("algorithm", hs256),
        ("unpadded base64url", format!("{good}%3D")),
    ] {
        let known = fcm.oauth.violations().len();
        let (status, answer) = answer(login(&client, &fcm, &assertion)).await?;
        ensure!(answer["error"] == "invalid_grant", "{what}: {answer}");
        ensure_noticed(&fcm.oauth, known, status, what)?;
    }
    let known = fcm.oauth.violations().len();
    let status = send(login(&client, &fcm, &good).body(format!("assertion={good}"))).await?.status().as_u16();
    ensure_noticed(&fcm.oauth, known, status, "the form has the fields")
}

#[tokio::test]
async fn its_errors_are_googles() -> Result<()> {
    let fcm = Fcm::start().await?;
    let client = client(&fcm.messages.ca())?;
    let bearer = bearer(&client, &fcm).await?;
    for (behaviour, code, word, error) in [
        (Fcm::unregistered(), 404, "NOT_FOUND", "UNREGISTERED"),
        (Fcm::sender_mismatch(), 403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"),
        (Fcm::permission_denied(), 403, "PERMISSION_DENIED", ""),
        (Fcm::invalid_token(), 400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"),
        (Fcm::invalid_data(), 400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"),
        (Fcm::quota_exceeded(7), 429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"),
        (Fcm::unavailable(), 503, "UNAVAILABLE", "UNAVAILABLE"),
        (Fcm::internal(), 500, "INTERNAL", "INTERNAL"),
        (Fcm::unauthenticated(), 401, "UNAUTHENTICATED", ""),
    ] {
        fcm.messages.answer_next(1, &behaviour);
        let response = send(post(&client, &fcm, &bearer, &android())).await?;
        ensure!(response.headers().contains_key("retry-after") == (code == 429), "{word}");
        ensure!(response.status() == code, "{word}: {}", response.status());
        let body: Value = response.json().await?;
        ensure!(body["error"]["status"] == word && body["error"]["code"] == code, "{body}");
        let found = body.pointer("/error/details/0/errorCode").and_then(Value::as_str).unwrap_or_default();
        ensure!(found == error, "{body}");
    }
    let about_token = |behaviour| matches!(behaviour, Behaviour::Answer(answer) if answer.body.contains("\"field\":\"message.token\""));
    ensure!(about_token(Fcm::invalid_token()) && !about_token(Fcm::invalid_data()));
    fcm.oauth.answer_next_on(Route::Login, 1, &OAuth::invalid_grant());
    let (status, body) = answer(login(&client, &fcm, &assertion(&fcm, &[])?)).await?;
    ensure!(status == 400 && body["error"] == "invalid_grant", "{status} {body}");
    fcm.ensure_no_violations()
}
