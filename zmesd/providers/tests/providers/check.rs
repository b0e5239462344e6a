//! `push check`: each step by name, and the first that fails is the last.

use tokio::net::TcpListener;
use zmes_providers::{ApnsIdentity, CheckStep};

use crate::server::{Authority, Reply, Seen, Server, answer};
use crate::world::{account, apns, function, hasty, only, proxy};

fn outline(steps: &[CheckStep]) -> Vec<String> {
    steps.iter().map(|step| format!("{} {}", step.name, if step.ok() { "ok" } else { "failed" })).collect()
}

fn last(steps: &[CheckStep]) -> &str {
    steps.last().map_or("", |step| step.detail.as_str())
}

const CONNECTED: [&str; 3] = ["dns ok", "tcp ok", "tls ok"];

#[tokio::test]
async fn a_proxy_is_looked_at_step_by_step() {
    let authority = Authority::new();
    let server = Server::start(&authority, |_| answer(200, "AirNotifier")).await;
    let steps = only(&proxy(server.url(), Some(&authority.file))).check().await;
    assert_eq!(outline(&steps), [&CONNECTED[..], &["http ok", "credentials ok"]].concat());
    assert!(steps[2].detail.contains("CN=localhost < CN=test authority, "), "{}", steps[2].detail);
    assert!(steps[2].detail.ends_with(" days left"), "{}", steps[2].detail);
    assert_eq!(steps[3].detail, "HTTP/2 200 OK");
    let seen = server.seen();
    let asked: Vec<_> = seen.iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect();
    assert_eq!(asked, ["GET /", "GET /api/v2/push"], "nothing that sends");

    let broken = Server::start(&authority, |_| answer(503, "")).await;
    let steps = only(&proxy(broken.url(), Some(&authority.file))).check().await;
    assert_eq!(outline(&steps), [&CONNECTED[..], &["http failed"]].concat());
    let silent = Server::start(&authority, |_| Reply::Hang).await;
    let steps = hasty(&proxy(silent.url(), Some(&authority.file))).check().await;
    assert!(last(&steps).contains("no answer in time"), "{steps:?}");
}

#[tokio::test]
async fn the_first_step_that_fails_is_the_last_and_says_why() {
    let authority = Authority::new();
    let server = Server::start(&authority, |_| answer(200, "")).await;
    let others = Authority::called("another authority");
    let steps = only(&proxy(server.url(), Some(&others.file))).check().await;
    assert_eq!(outline(&steps), ["dns ok", "tcp ok", "tls failed"]);
    assert_eq!(last(&steps), "certificate signed by an unknown authority");

    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let steps = only(&proxy(format!("https://127.0.0.1:{closed}"), Some(&authority.file))).check().await;
    assert_eq!(outline(&steps), ["dns ok", "tcp failed"]);
    assert_eq!(last(&steps), format!("127.0.0.1:{closed}: connection refused"));

    let steps = only(&proxy("https://zmesd.invalid".to_owned(), Some(&authority.file))).check().await;
    assert_eq!(outline(&steps), ["dns failed"]);
}

#[tokio::test]
async fn credentials_are_tried_where_nothing_is_sent_by_it() {
    let authority = Authority::new();
    let fcm = Server::start(&authority, |_| answer(404, "")).await;
    let good =
        Server::start(&authority, |_| answer(200, r#"{"access_token":"ya29.1","expires_in":3599}"#)).await;
    let steps = only(&account(fcm.url(), &good.url(), &authority.file)).check().await;
    assert_eq!(outline(&steps), [&CONNECTED[..], &["http ok", "credentials ok"]].concat());
    assert!(!format!("{steps:?}").contains("ya29"));
    let bad = Server::start(&authority, |_| answer(400, r#"{"error":"invalid_grant"}"#)).await;
    let steps = only(&account(fcm.url(), &bad.url(), &authority.file)).check().await;
    assert_eq!(outline(&steps).last().map(String::as_str), Some("credentials failed"));
    assert!(last(&steps).contains("invalid_grant"), "{steps:?}");

    let script = |seen: &Seen| match seen.header("authorization") {
        "jwt-of-the-app" => answer(400, r#"{"Error":"No Token Found"}"#),
        _ => answer(401, r#"{"Error":"Invalid credentials"}"#),
    };
    let server = Server::start(&authority, script).await;
    let steps = only(&function(server.url(), &authority.file)).check().await;
    assert_eq!(outline(&steps), [&CONNECTED[..], &["http ok", "credentials ok"]].concat());
}

#[tokio::test]
async fn apple_is_asked_about_a_device_that_does_not_exist() {
    let authority = Authority::new();
    let key = authority.directory.path().join("AuthKey.p8");
    std::fs::write(&key, rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let identity = ApnsIdentity::Token { key, key_id: "ABCDE12345".into(), team_id: "FGHIJ67890".into() };
    for (status, reason, expected) in
        [(400, "BadDeviceToken", "credentials ok"), (403, "InvalidProviderToken", "credentials failed")]
    {
        let body = format!(r#"{{"reason":"{reason}"}}"#);
        let server = Server::start(&authority, move |_| answer(status, &body)).await;
        let steps = only(&apns(server.url(), identity.clone(), &authority.file)).check().await;
        assert_eq!(outline(&steps), [&CONNECTED[..], &["http ok", expected]].concat());
        assert!(last(&steps).contains(reason), "{steps:?}");
        assert_eq!(server.seen()[0].path, format!("/3/device/{}", "0".repeat(64)));
    }
}
