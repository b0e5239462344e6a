//! APNs: signing keys, certificates in every wrapping, and Apple's answers.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use futures_util::future::join_all;
use hyper::Version;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use rcgen::{KeyPair, PublicKeyData};
use serde_json::Value;
use zmes_providers::{ApnsIdentity, Platform, Transports, WallClock};

use crate::server::{Authority, Odd, Reply, Seen, Server, answer};
use crate::world::{APNS_TOKEN, FCM_TOKEN, apns, fixture, kind, only, push};

fn taken(_: &Seen) -> Reply {
    Reply::Answer(200, vec![("apns-id", "EC1BF194-B3B2-424A-89F6-000000000001".to_owned())], String::new())
}

/// Writes a signing key; returns it with its public half.
fn signing_key(authority: &Authority) -> (ApnsIdentity, DecodingKey) {
    let pair = KeyPair::generate().unwrap();
    let key = authority.directory.path().join("AuthKey.p8");
    fs::write(&key, pair.serialize_pem()).unwrap();
    let public = DecodingKey::from_ec_der(pair.der_bytes());
    (ApnsIdentity::Token { key, key_id: "ABCDE12345".into(), team_id: "FGHIJ67890".into() }, public)
}

fn certificate(file: &str, password: Option<&str>) -> ApnsIdentity {
    ApnsIdentity::Certificate { certificate: fixture(file), key: None, password: password.map(Into::into) }
}

#[tokio::test]
async fn apple_can_verify_the_one_token_that_all_pushes_share() {
    let authority = Authority::new();
    let server = Server::start(&authority, taken).await;
    let (identity, public) = signing_key(&authority);
    let transport = only(&apns(server.url(), identity, &authority.file));
    let push = push(APNS_TOKEN, Platform::Ios);
    for outcome in join_all((0..20).map(|_| transport.send(&push))).await {
        let id = outcome.unwrap().provider_id;
        assert_eq!(id.as_deref(), Some("EC1BF194-B3B2-424A-89F6-000000000001"));
    }
    let seen = server.seen();
    let bearers: HashSet<_> = seen.iter().map(|request| request.header("authorization").to_owned()).collect();
    assert_eq!((seen.len(), bearers.len()), (20, 1));
    let request = &seen[0];
    assert_eq!((request.method.as_str(), request.version), ("POST", Version::HTTP_2));
    assert_eq!(request.path, format!("/3/device/{APNS_TOKEN}"));
    for (name, value) in [
        ("apns-topic", "com.example.app"),
        ("apns-push-type", "alert"),
        ("apns-priority", "10"),
        ("apns-expiration", "1795620120"),
        ("apns-collapse-id", "zmes-1-32910"),
    ] {
        assert_eq!(request.header(name), value, "{name}");
    }
    assert_eq!(request.json()["aps"]["alert"]["title"], "Garage Alarm");
    let token = request.header("authorization").strip_prefix("Bearer ").unwrap();
    assert!(!token.contains(['=', '+', '/']), "base64url without padding: {token}");
    let mut rules = Validation::new(Algorithm::ES256);
    rules.validate_exp = false;
    rules.required_spec_claims.clear();
    let decoded = decode::<Value>(token, &public, &rules).unwrap();
    assert_eq!(decoded.header.kid.as_deref(), Some("ABCDE12345"));
    assert_eq!(decoded.claims["iss"], "FGHIJ67890");
    assert!(decoded.claims["iat"].as_i64().is_some());
}

#[tokio::test]
async fn an_expired_provider_token_is_renewed_once() {
    let authority = Authority::new();
    let server = Server::start(&authority, |_| answer(403, r#"{"reason":"ExpiredProviderToken"}"#)).await;
    let (identity, _) = signing_key(&authority);
    let transport = only(&apns(server.url(), identity, &authority.file));
    let error = transport.send(&push(APNS_TOKEN, Platform::Ios)).await.unwrap_err();
    assert_eq!(kind(&error), "credentials");
    let bearers: Vec<_> =
        server.seen().iter().map(|request| request.header("authorization").to_owned()).collect();
    assert_eq!(bearers.len(), 2);
    assert_ne!(bearers[0], bearers[1]);
}

#[tokio::test]
async fn certificates_of_every_wrapping_prove_who_we_are() {
    let authority = Authority::new();
    let clients = fixture("client-ca.pem");
    let odd = Odd { clients_of: Some(&clients), ..Odd::default() };
    let server = Server::start_odd(&authority, odd, taken).await;
    for (file, password) in [
        ("legacy-3des.p12", Some("swordfish")),
        ("legacy-rc2.p12", Some("swordfish")),
        ("legacy-empty.p12", None),
        ("modern.p12", Some("swordfish")),
        ("client.pem", None),
    ] {
        let transport = only(&apns(server.url(), certificate(file, password), &authority.file));
        let outcome = transport.send(&push(APNS_TOKEN, Platform::Ios)).await;
        assert!(outcome.is_ok(), "{file}: {outcome:?}");
    }
    let seen = server.seen();
    assert_eq!(seen.len(), 5);
    assert!(seen.iter().all(|request| !request.headers.contains_key("authorization")));

    let (identity, _) = signing_key(&authority);
    let transport = only(&apns(server.url(), identity, &authority.file));
    let error = transport.send(&push(APNS_TOKEN, Platform::Ios)).await.unwrap_err();
    assert_eq!(kind(&error), "own_certificate");
    assert!(error.to_string().contains("certificate"), "{error}");
}

#[test]
fn a_wrong_password_is_a_problem_with_a_hint() {
    let authority = Authority::new();
    for (file, password) in [("legacy-rc2.p12", Some("sw0rdfish")), ("modern.p12", None)] {
        let config = apns("https://localhost".to_owned(), certificate(file, password), &authority.file);
        let problem = Transports::build(&config, WallClock::default()).unwrap_err();
        let said = problem.to_string();
        assert!(said.starts_with("push.apns.certificate: ") && said.contains(file), "{said}");
        assert!(
            said.contains("cannot be opened with this password") && !said.contains("sw0rdfish"),
            "{said}"
        );
        assert!(problem.hint().contains("push.apns.certificate-password"));
    }
    let identity = ApnsIdentity::Certificate {
        certificate: fixture("client-ca.pem"),
        key: Some(PathBuf::from("/nonexistent/key.pem")),
        password: None,
    };
    let config = apns("https://localhost".to_owned(), identity, &authority.file);
    let said = Transports::build(&config, WallClock::default()).unwrap_err().to_string();
    assert!(said.starts_with("push.apns.key: cannot read /nonexistent/key.pem as user "), "{said}");
    assert!(said.ends_with(": no such file"), "{said}");
}

#[tokio::test]
async fn apples_reasons_are_told_apart_and_no_path_is_made_of_a_token() {
    let authority = Authority::new();
    let server = Server::start(&authority, |seen| match seen.path.as_bytes().last() {
        Some(b'0') => answer(410, r#"{"reason":"Unregistered","timestamp":1700000000000}"#),
        Some(b'1') => answer(400, r#"{"reason":"BadDeviceToken"}"#),
        Some(b'2') => answer(413, r#"{"reason":"PayloadTooLarge"}"#),
        Some(b'3') => answer(429, r#"{"reason":"TooManyRequests"}"#),
        _ => answer(500, "a1b2c3d4e5f60718a1b2c3d4e5f60718a1b2c3d4e5f60718a1b2c3d4e5f6071f"),
    })
    .await;
    let (identity, _) = signing_key(&authority);
    let transport = only(&apns(server.url(), identity, &authority.file));
    let others = &APNS_TOKEN[..63];
    for (last, expected) in
        [("0", "dead"), ("1", "dead"), ("2", "message"), ("3", "phone"), ("f", "provider")]
    {
        let error = transport.send(&push(&format!("{others}{last}"), Platform::Ios)).await.unwrap_err();
        assert_eq!(kind(&error), expected, "{error}");
    }
    let error = transport.send(&push("../../x", Platform::Ios)).await.unwrap_err();
    assert_eq!((kind(&error), server.seen().len()), ("message", 5));
    assert_eq!(kind(&transport.send(&push(FCM_TOKEN, Platform::Ios)).await.unwrap_err()), "message");
}
