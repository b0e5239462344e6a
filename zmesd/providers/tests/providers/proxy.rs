//! The PushProxy, and what is true of every transport: outcomes, deadlines, certificates.

use std::time::Duration;

use serde_json::json;
use tokio::net::TcpListener;
use zmes_providers::{Platform, PushError, PushToken};

use crate::server::{Authority, Odd, Reply, Server, answer};
use crate::world::{APNS_TOKEN, FCM_TOKEN, hasty, kind, only, proxy, push};

#[tokio::test]
async fn a_push_and_a_registration_are_those_of_0_93() {
    let authority = Authority::new();
    let server = Server::start(&authority, |_| answer(202, "{}")).await;
    let transport = only(&proxy(server.url(), Some(&authority.file)));
    assert_eq!((transport.name(), transport.target()), ("proxy", format!("localhost:{}", server.port)));
    let token = PushToken::parse(APNS_TOKEN).unwrap();
    transport.register(&token, Platform::Ios).await.unwrap();
    transport.send(&push(APNS_TOKEN, Platform::Ios)).await.unwrap();
    let seen = server.seen();
    for request in &seen {
        assert_eq!(request.method, "POST");
        assert_eq!(request.header("content-type"), "application/json");
        assert_eq!(
            (request.header("x-an-app-name"), request.header("x-an-app-key")),
            ("zmninjapro", "s3cret-key")
        );
    }
    let [registration, push] = seen.as_slice() else { panic!("{seen:?}") };
    assert_eq!(registration.path, "/api/v2/tokens");
    assert_eq!(registration.json(), json!({"device": "ios", "token": APNS_TOKEN, "channel": "default"}));
    assert_eq!(push.path, "/api/v2/push");
    assert_eq!(
        push.json(),
        json!({"device": "ios", "token": APNS_TOKEN, "alert": "Alarms: Garage (32910)", "sound": "blop.caf",
            "custom": {"mid": "1"}, "badge": 1})
    );
}

#[tokio::test]
async fn answers_mean_what_the_three_classes_say() {
    let authority = Authority::new();
    let server = Server::start(&authority, |seen| {
        let alert = seen.json()["alert"].as_str().unwrap().to_owned();
        let wanted = alert.split(['(', ')']).nth(1).unwrap().parse().unwrap();
        let body = match wanted {
            404 => r#"{"error":"NotRegistered"}"#.to_owned(),
            // As a careless provider writes: with everything that is nobody's business.
            _ => format!("{{\"error\":\"no {FCM_TOKEN} RgkFLJu6sg s3cret-key\r\n{}\"}}", "x".repeat(200_000)),
        };
        let headers = vec![("retry-after", "7".to_owned()), ("location", "/elsewhere".to_owned())];
        Reply::Answer(wanted, headers, body)
    })
    .await;
    let transport = only(&proxy(server.url(), Some(&authority.file)));
    for (status, expected) in [
        (302, "redirect"),
        (400, "message"),
        (401, "credentials"),
        (403, "credentials"),
        (404, "dead"),
        (410, "not_found"),
        (429, "limited"),
        (500, "provider"),
        (503, "provider"),
    ] {
        let mut push = push(FCM_TOKEN, Platform::Android);
        push.alarms[0].event = Some(zmes_shared::EventId(status));
        let error = transport.send(&push).await.unwrap_err();
        assert_eq!(kind(&error), expected, "{status}: {error}");
        assert!(error.to_string().len() < 500 && !error.to_string().contains('\n'), "{error}");
        if let PushError::Transport(fault) = error {
            assert_eq!(fault.retry_after, Some(Duration::from_secs(7)));
        }
    }
    assert_eq!(server.seen().len(), 9, "no redirect is followed, nothing is sent twice");
}

#[tokio::test]
async fn a_key_that_is_no_header_is_our_fault_and_sends_nothing() {
    let authority = Authority::new();
    let server = Server::start(&authority, |_| answer(202, "")).await;
    let mut config = proxy(server.url(), Some(&authority.file));
    config.proxy.as_mut().unwrap().app_key = "s3cret\nkey".into();
    let error = only(&config).send(&push(FCM_TOKEN, Platform::Android)).await.unwrap_err();
    assert_eq!((kind(&error), server.seen().len()), ("credentials", 0));
}

#[tokio::test]
async fn a_proxy_that_never_answers_costs_one_deadline() {
    let authority = Authority::new();
    let server = Server::start(&authority, |_| Reply::Hang).await;
    let transport = hasty(&proxy(server.url(), Some(&authority.file)));
    let error = transport.send(&push(FCM_TOKEN, Platform::Android)).await.unwrap_err();
    assert_eq!(kind(&error), "timeout");
    assert_eq!(error.to_string(), format!("localhost:{}: no answer in time", server.port));
}

#[tokio::test]
async fn what_cannot_be_reached_says_why() {
    let authority = Authority::new();
    let push = push(FCM_TOKEN, Platform::Android);
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let transport = only(&proxy(format!("https://localhost:{closed}"), Some(&authority.file)));
    let error = transport.send(&push).await.unwrap_err();
    assert_eq!(
        (kind(&error), error.to_string()),
        ("refused", format!("localhost:{closed}: connection refused"))
    );

    let server = Server::start(&authority, |_| answer(202, "")).await;
    let others = Authority::called("another authority");
    let error = only(&proxy(server.url(), Some(&others.file))).send(&push).await.unwrap_err();
    assert_eq!(kind(&error), "unknown_authority");
    assert!(error.to_string().ends_with("certificate signed by an unknown authority"), "{error}");

    let odd = Odd { expired: true, ..Odd::default() };
    let expired = Server::start_odd(&authority, odd, |_| answer(202, "")).await;
    let error = only(&proxy(expired.url(), Some(&authority.file))).send(&push).await.unwrap_err();
    assert_eq!(kind(&error), "certificate_expired");
    assert!(
        error.to_string().contains("certificate expired ") && error.to_string().ends_with(" days ago"),
        "{error}"
    );

    let named = format!("https://127.0.0.1:{}", server.port);
    let error = only(&proxy(named, Some(&authority.file))).send(&push).await.unwrap_err();
    assert_eq!(kind(&error), "certificate_name");
    let expected = "certificate is not for 127.0.0.1 but for localhost";
    assert!(error.to_string().ends_with(expected), "{error}");
    assert!(server.seen().is_empty() && expired.seen().is_empty(), "nothing is told to whom is not trusted");
}
