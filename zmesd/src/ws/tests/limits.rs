//! Which clients are accepted: limits, origins, proxies.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Error;
use zmes_shared::views::RefusalReason;

use super::app::{AUTH, App, client_config, request, tls};
use super::settings;
use super::world::{Heard, PATIENCE, WsWorld};
use crate::ws::ServerSettings;

async fn status(world: &WsWorld, headers: &[(&'static str, &'static str)]) -> u16 {
    match App::try_connect(world, request(headers)).await {
        Ok(_) => 101,
        Err(Error::Http(response)) => response.status().as_u16(),
        Err(other) => panic!("{other:?}"),
    }
}

fn behind_proxies() -> ServerSettings {
    ServerSettings { trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()], ..settings() }
}

/// Returns the refusals, latest first.
fn refused(world: &WsWorld) -> Vec<(RefusalReason, Option<String>)> {
    let entries = world.counters.refusals.entries(None).into_iter();
    entries.map(|entry| (entry.rejection.reason, entry.rejection.detail)).collect()
}

async fn free(world: &WsWorld) {
    timeout(PATIENCE, async {
        while world.context.limits.taken() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("slots are given back");
}

#[tokio::test]
async fn one_address_cannot_take_all_slots() {
    let world = WsWorld::secure(ServerSettings { max_clients_per_address: 2, ..settings() });
    let (_first, second) = (App::logged_in(&world).await, App::logged_in(&world).await);
    assert!(App::try_connect(&world, request(&[])).await.is_err());
    assert_eq!(refused(&world), [(RefusalReason::MaxClientsPerAddress, None)]);
    drop(second);
    timeout(PATIENCE, async { while App::try_connect(&world, request(&[])).await.is_err() {} })
        .await
        .unwrap();
    App::logged_in(&world).await;
}

#[tokio::test]
async fn a_connection_without_a_login_is_evicted_for_the_next_of_that_address() {
    let mut world = WsWorld::secure(ServerSettings { max_clients_per_address: 2, ..settings() });
    let mut silent = App::connect(&world).await;
    let _second = App::connect(&world).await;
    let mut third = App::connect(&world).await;
    assert_eq!(silent.closed().await, (1013, "no login yet, and others wait".to_owned()));
    assert_eq!(world.end_of_session().await, "no login yet, and others wait");
    third.say(AUTH).await;
    assert_eq!(third.json().await["status"], "Success");
    assert_eq!(refused(&world), [(RefusalReason::Evicted, None)]);
}

#[tokio::test]
async fn a_login_without_a_free_slot_is_told_to_come_again() {
    let world = WsWorld::secure(ServerSettings { max_clients: 1, ..settings() });
    let (mut first, mut second) = (App::connect(&world).await, App::connect(&world).await);
    first.say(AUTH).await;
    assert_eq!(first.json().await["status"], "Success");
    second.say(AUTH).await;
    assert_eq!(second.closed().await, (1013, "max-clients reached".to_owned()));
    drop(first);
    timeout(PATIENCE, async {
        while world.context.limits.taken() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    App::logged_in(&world).await;
}

#[tokio::test]
async fn every_refusal_at_the_port_has_its_reason() {
    let world = WsWorld::secure(settings());
    let mut plain = TcpStream::connect(world.address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, plain.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nThis port speaks TLS: use wss://.\n"), "{answer}");
    assert_eq!(refused(&world), [(RefusalReason::PlainOnTls, None)]);

    // One client does not know the issuer, and one wants another name.
    let stranger =
        rustls::ClientConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
    tls(&world, stranger.into()).await.unwrap_err();
    let tcp = TcpStream::connect(world.address).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(client_config(&world, rustls::ALL_VERSIONS));
    connector.connect("zm.lan".try_into().unwrap(), tcp).await.unwrap_err();
    assert_eq!(status(&world, &[("origin", "https://evil.example")]).await, 403);
    let mut stray = tls(&world, client_config(&world, rustls::ALL_VERSIONS)).await.unwrap();
    stray.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    answer.clear();
    timeout(PATIENCE, stray.read_to_string(&mut answer)).await.unwrap().ok();
    assert!(answer.starts_with("HTTP/1.1 426 Upgrade Required\r\n"), "{answer}");
    let expected = [
        (RefusalReason::NotWebsocket, None),
        (RefusalReason::Origin, Some("https://evil.example".to_owned())),
        (RefusalReason::WrongName, Some("zm.lan".to_owned())),
        (RefusalReason::UntrustedCertificate, Some("localhost".to_owned())),
        (RefusalReason::PlainOnTls, None),
    ];
    timeout(PATIENCE, async {
        while refused(&world).len() < expected.len() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    assert_eq!(refused(&world), expected);
    App::logged_in(&world).await;
}

#[tokio::test]
async fn tls_where_none_is_spoken_has_its_reason() {
    let world = WsWorld::plain(settings());
    let mut tcp = TcpStream::connect(world.address).await.unwrap();
    tcp.write_all(&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]).await.unwrap();
    let mut byte = [0];
    assert!(matches!(timeout(PATIENCE, tcp.read(&mut byte)).await.unwrap(), Ok(0) | Err(_)));
    assert_eq!(refused(&world), [(RefusalReason::TlsOnPlain, None)]);
}

#[tokio::test]
async fn connections_are_refused_at_max_clients() {
    let world = WsWorld::plain(ServerSettings { max_clients: 1, ..settings() });
    let mut app = App::logged_in(&world).await;
    let mut refused = TcpStream::connect(world.address).await.unwrap();
    let mut byte = [0];
    assert!(matches!(timeout(PATIENCE, refused.read(&mut byte)).await.unwrap(), Ok(0) | Err(_)));
    app.websocket.close(None).await.unwrap();
    while app.next().await.is_some() {}
    drop(app);
    free(&world).await;
    App::connect(&world).await;
}

#[tokio::test]
async fn a_web_page_must_be_listed() {
    let allowed = vec!["https://zm.example.org".to_owned()];
    let world = WsWorld::secure(ServerSettings { allowed_origins: allowed, ..settings() });
    assert_eq!(status(&world, &[]).await, 101, "native apps send none");
    assert_eq!(status(&world, &[("origin", "https://ZM.example.org")]).await, 101);
    assert_eq!(status(&world, &[("origin", "https://evil.example")]).await, 403);
    assert_eq!(
        status(&world, &[("origin", "https://zm.example.org"), ("origin", "https://evil.example")]).await,
        403
    );
    assert_eq!(status(&world, &[("origin", "null")]).await, 403);
}

#[tokio::test]
async fn any_path_is_served_and_sub_protocols_are_ignored() {
    let world = WsWorld::plain(settings());
    let mut tcp = TcpStream::connect(world.address).await.unwrap();
    let request = "GET /any/path?x=1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    tcp.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 1024];
    let length = timeout(PATIENCE, tcp.read(&mut answer)).await.unwrap().unwrap();
    let answer = String::from_utf8_lossy(&answer[..length]).to_lowercase();
    assert!(answer.starts_with("http/1.1 101 switching protocols\r\n"), "{answer}");
    assert!(answer.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{answer}");
    assert!(!answer.contains("sec-websocket-protocol") && !answer.contains("extensions"), "{answer}");
}

#[tokio::test]
async fn x_forwarded_for_counts_from_trusted_proxies_alone() {
    let headers: &[(&str, &str)] = &[("x-forwarded-for", "1.1.1.1, 203.0.113.9")];
    for (settings, client) in [(settings(), "127.0.0.1"), (behind_proxies(), "203.0.113.9")] {
        let mut world = WsWorld::secure(settings);
        let _app = App::try_connect(&world, request(headers)).await.unwrap();
        assert_eq!(world.heard().await, Heard::Opened(client.to_owned()));
    }
}

#[tokio::test]
async fn clients_behind_a_proxy_have_limits_of_their_own() {
    let world = WsWorld::secure(ServerSettings { max_clients_per_address: 1, ..behind_proxies() });
    let from = |client| request(&[("x-forwarded-for", client)]);
    let mut first = App::try_connect(&world, from("203.0.113.1")).await.unwrap();
    first.say(AUTH).await;
    assert_eq!(first.json().await["status"], "Success");
    let _second = App::try_connect(&world, from("203.0.113.2")).await.unwrap();
    assert_eq!(status(&world, &[("x-forwarded-for", "203.0.113.1")]).await, 429);
}

#[tokio::test]
async fn the_proxy_header_is_read_from_trusted_proxies_alone() {
    let v1 = b"PROXY TCP4 203.0.113.9 192.0.2.1 4711 9000\r\n".to_vec();
    let v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xcb\x00\x71\x09\xc0\x00\x02\x01\x12\x67\x23\x28".to_vec();
    for header in [&v1, &v2] {
        let mut world = WsWorld::plain(behind_proxies());
        let mut tcp = TcpStream::connect(world.address).await.unwrap();
        tcp.write_all(header).await.unwrap();
        App::upgrade(Box::new(tcp), request(&[])).await.unwrap();
        assert_eq!(world.heard().await, Heard::Opened("203.0.113.9".to_owned()));
    }
    for (settings, header) in [(settings(), &v1), (behind_proxies(), &b"PROXY nonsense\r\n".to_vec())] {
        let world = WsWorld::plain(settings);
        let mut tcp = TcpStream::connect(world.address).await.unwrap();
        tcp.write_all(header).await.unwrap();
        App::upgrade(Box::new(tcp), request(&[])).await.err().expect("no upgrade");
    }
}
