//! FCM: the service account, and functions that send on behalf of an app.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::future::join_all;
use hyper::Version;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::{Value, json};
use zmes_providers::Platform;

use crate::server::{Authority, Relay, Reply, Seen, Server, answer};
use crate::world::{FCM_TOKEN, account, fixture, function, hasty, kind, only, push};

/// Grants a new token each time: ya29.1, ya29.2, …
async fn oauth(authority: &Authority) -> Server {
    let granted = AtomicU32::new(0);
    Server::start(authority, move |_| {
        let number = granted.fetch_add(1, Ordering::Relaxed) + 1;
        answer(200, &json!({"access_token": format!("ya29.{number}"), "expires_in": 3599}).to_string())
    })
    .await
}

fn taken(_: &Seen) -> Reply {
    answer(200, r#"{"name":"projects/zmes-test/messages/0:1"}"#)
}

#[tokio::test]
async fn twenty_pushes_at_once_fetch_one_token() {
    let authority = Authority::new();
    let (oauth, fcm) = (oauth(&authority).await, Server::start(&authority, taken).await);
    let transport = only(&account(fcm.url(), &oauth.url(), &authority.file));
    let push = push(FCM_TOKEN, Platform::Android);
    for outcome in join_all((0..20).map(|_| transport.send(&push))).await {
        assert_eq!(outcome.unwrap().provider_id.as_deref(), Some("projects/zmes-test/messages/0:1"));
    }
    let seen = fcm.seen();
    assert_eq!(seen.len(), 20);
    for request in &seen {
        assert_eq!((request.method.as_str(), request.version), ("POST", Version::HTTP_2));
        assert_eq!(request.path, "/v1/projects/zmes-test/messages:send");
        assert_eq!(request.header("authorization"), "Bearer ya29.1");
        assert_eq!(request.json()["message"]["data"]["mid"], "1");
    }
    let asked = oauth.seen();
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].method.as_str(), asked[0].path.as_str()), ("POST", "/token"));
    assert_eq!(asked[0].header("content-type"), "application/x-www-form-urlencoded");
    check_assertion(&asked[0].body, &oauth.url());
}

/// Checks what OAuth gets against the public key.
fn check_assertion(body: &str, oauth: &str) {
    let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
    let assertion = body.strip_prefix(grant).unwrap();
    assert!(
        assertion.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)),
        "{assertion}"
    );
    let key = DecodingKey::from_rsa_pem(&std::fs::read(fixture("account.pub")).unwrap()).unwrap();
    let mut rules = Validation::new(Algorithm::RS256);
    rules.set_audience(&[format!("{oauth}/token")]);
    let decoded = decode::<Value>(assertion, &key, &rules).unwrap();
    assert_eq!(decoded.header.kid.as_deref(), Some("k1"));
    let claims = decoded.claims;
    assert_eq!(claims["iss"], "push@zmes-test.iam.gserviceaccount.com");
    assert_eq!(claims["scope"], "https://www.googleapis.com/auth/firebase.messaging");
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
}

#[tokio::test]
async fn a_refused_token_is_fetched_again_once() {
    let authority = Authority::new();
    let push = push(FCM_TOKEN, Platform::Ios);
    let refused = r#"{"error":{"code":401,"status":"UNAUTHENTICATED","message":"expired"}}"#;
    let first = oauth(&authority).await;
    let fcm = Server::start(&authority, move |seen| {
        if seen.header("authorization") == "Bearer ya29.1" { answer(401, refused) } else { taken(seen) }
    })
    .await;
    let transport = only(&account(fcm.url(), &first.url(), &authority.file));
    for outcome in join_all((0..5).map(|_| transport.send(&push))).await {
        outcome.unwrap();
    }
    assert_eq!(first.seen().len(), 2, "one renewal serves all that were refused");

    let second = oauth(&authority).await;
    let never = Server::start(&authority, move |_| answer(401, refused)).await;
    let transport = only(&account(never.url(), &second.url(), &authority.file));
    assert_eq!(kind(&transport.send(&push).await.unwrap_err()), "credentials");
    assert_eq!((second.seen().len(), never.seen().len()), (2, 2));
}

#[tokio::test]
async fn a_service_account_that_google_does_not_believe_sends_nothing() {
    let authority = Authority::new();
    let denied =
        |_: &Seen| answer(400, r#"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#);
    let oauth = Server::start(&authority, denied).await;
    let fcm = Server::start(&authority, taken).await;
    let transport = only(&account(fcm.url(), &oauth.url(), &authority.file));
    let push = push(FCM_TOKEN, Platform::Android);
    for outcome in join_all((0..20).map(|_| transport.send(&push))).await {
        let error = outcome.unwrap_err();
        assert_eq!(kind(&error), "credentials");
        assert!(error.to_string().contains("Invalid JWT Signature."), "{error}");
    }
    assert_eq!((oauth.seen().len(), fcm.seen().len()), (1, 0), "a failure is everybody's who waited for it");
}

#[tokio::test]
async fn fcms_refusals_are_told_apart() {
    let authority = Authority::new();
    let oauth = oauth(&authority).await;
    let number = AtomicU32::new(0);
    let fcm = Server::start(&authority, move |_| {
        let code = ["UNREGISTERED", "SENDER_ID_MISMATCH", "QUOTA_EXCEEDED"];
        let turn = number.fetch_add(1, Ordering::Relaxed) as usize;
        let body = json!({"error": {"code": 1, "message": format!("about {FCM_TOKEN}"), "status": "X", "details": [
            {"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code[turn]}]}});
        answer([404, 403, 429][turn], &body.to_string())
    })
    .await;
    let transport = only(&account(fcm.url(), &oauth.url(), &authority.file));
    for expected in ["dead", "wrong app", "limited"] {
        let error = transport.send(&push(FCM_TOKEN, Platform::Android)).await.unwrap_err();
        assert_eq!(kind(&error), expected, "{error}");
    }
}

#[tokio::test]
async fn a_forgotten_http2_connection_costs_one_push_and_not_every_later_one() {
    let authority = Authority::new();
    let (oauth, fcm) = (oauth(&authority).await, Server::start(&authority, taken).await);
    let relay = Relay::start(fcm.port).await;
    let endpoint = format!("https://localhost:{}", relay.port);
    let transport = hasty(&account(endpoint, &oauth.url(), &authority.file));
    let push = push(FCM_TOKEN, Platform::Android);
    transport.send(&push).await.unwrap();
    relay.forget();
    assert_eq!(kind(&transport.send(&push).await.unwrap_err()), "timeout");
    transport.send(&push).await.unwrap();
    assert_eq!(fcm.seen().len(), 2);
}

#[tokio::test]
async fn a_function_gets_its_key_bare_and_its_words_are_understood() {
    let authority = Authority::new();
    let said = Arc::new(std::sync::Mutex::new((200, String::new())));
    let next = Arc::clone(&said);
    let server = Server::start(&authority, move |_| {
        let (status, body) = next.lock().unwrap().clone();
        answer(status, &body)
    })
    .await;
    let transport = only(&function(format!("{}/send_push", server.url()), &authority.file));
    assert_eq!(transport.name(), "fcm:zmninja");
    let push = push(FCM_TOKEN, Platform::Android);
    let error =
        |words: &str| json!({"Error": format!("token:RgkFLJu6sg=>{words} jwt-of-the-app")}).to_string();
    *said.lock().unwrap() = (200, r#"{"Success":"projects/p/messages/0:1"}"#.to_owned());
    let delivered = transport.send(&push).await.unwrap();
    assert_eq!(delivered.provider_id.as_deref(), Some("projects/p/messages/0:1"));
    for (status, words, expected) in [
        (400, "Requested entity was not found.", "dead"),
        (400, "The registration token is not a valid FCM registration token", "dead"),
        (400, "SenderId mismatch", "wrong app"),
        (400, "something else", "message"),
        (401, "Invalid credentials: not a valid FCM", "credentials"),
        (500, "Requested entity was not found.", "dead"),
        (500, "something else", "provider"),
    ] {
        *said.lock().unwrap() = (status, error(words));
        let error = transport.send(&push).await.unwrap_err();
        assert_eq!(kind(&error), expected, "{error}");
    }
    for request in server.seen() {
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/send_push"));
        assert_eq!(request.header("authorization"), "jwt-of-the-app");
        assert_eq!(request.json()["log_message_id"], "NONE");
    }
}
