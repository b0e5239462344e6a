//! Requests for pictures on the apps' port, byte for byte; everything else on the port is unaffected.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::settings;
use super::world::{PATIENCE, PICTURE, WsWorld};
use crate::ws::ServerSettings;

/// Sends bytes and returns all that comes until the connection is closed.
pub(super) async fn answer(world: &WsWorld, request: &str) -> Vec<u8> {
    let mut tcp = TcpStream::connect(world.address).await.unwrap();
    tcp.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, tcp.read_to_end(&mut answer)).await.expect("the connection stays open").unwrap();
    answer
}

async fn get(world: &WsWorld, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: zm.example.org\r\n\r\n");
    String::from_utf8_lossy(&answer(world, &request).await).into_owned()
}

#[tokio::test]
async fn a_link_is_answered_with_its_picture_and_the_connection_closed() {
    let world = WsWorld::plain(settings());
    let told = answer(&world, "GET /p/right.jpg HTTP/1.1\r\nHost: zm.example.org\r\n\r\n").await;
    let head = "HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: 12\r\n\
        Cache-Control: private, no-store\r\nX-Content-Type-Options: nosniff\r\n\
        Content-Security-Policy: default-src 'none'; sandbox\r\nReferrer-Policy: no-referrer\r\n\
        Cross-Origin-Resource-Policy: cross-origin\r\nConnection: close\r\n\r\n";
    assert_eq!(told, [head.as_bytes(), PICTURE].concat());
}

#[tokio::test]
async fn every_refusal_is_the_same() {
    let world = WsWorld::plain(settings());
    let refused = get(&world, "/p/wrong.jpg").await;
    assert!(refused.starts_with("HTTP/1.1 404 Not Found\r\n"), "{refused}");
    assert!(refused.ends_with("\r\n\r\nno picture\n"), "{refused}");
    for path in [
        "/p/.jpg",
        "/p/right%2ejpg.jpg",
        "/p/right/.jpg",
        "/p/../right.jpg",
        "/p/right.jpg/x.jpg",
        "/p/lost.jpg",
    ] {
        assert_eq!(get(&world, path).await, refused, "{path}");
    }
    let soon = get(&world, "/p/soon.jpg").await;
    assert_eq!(soon, refused.replace("Cache-Control", "Retry-After: 2\r\nCache-Control"));
    let busy = get(&world, "/p/busy.jpg").await;
    assert!(busy.starts_with("HTTP/1.1 503 Service Unavailable\r\n") && busy.ends_with("busy\n"), "{busy}");
}

#[tokio::test]
async fn what_asks_for_no_picture_is_told_that_this_port_speaks_websocket() {
    let world = WsWorld::plain(settings());
    for path in ["/", "/p", "/p/", "/p/right", "/p/right.png", "/P/right.jpg", "//p/right.jpg"] {
        let told = get(&world, path).await;
        assert!(told.starts_with("HTTP/1.1 426 Upgrade Required\r\n"), "{path}: {told}");
    }
    for method in ["POST", "HEAD", "OPTIONS", "PUT"] {
        let request = format!("{method} /p/right.jpg HTTP/1.1\r\nHost: zm.example.org\r\n\r\n");
        let told = String::from_utf8_lossy(&answer(&world, &request).await).into_owned();
        assert!(told.starts_with("HTTP/1.1 426 Upgrade Required\r\n"), "{method}: {told}");
    }
}

#[tokio::test]
async fn an_upgrade_at_the_path_of_a_picture_is_an_upgrade() {
    let world = WsWorld::plain(settings());
    let request = "GET /p/right.jpg HTTP/1.1\r\nHost: zm.example.org:9000\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let mut tcp = TcpStream::connect(world.address).await.unwrap();
    tcp.write_all(request.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    timeout(PATIENCE, tcp.read_exact(&mut status)).await.unwrap().unwrap();
    assert_eq!(&status, b"HTTP/1.1 101");
}

#[tokio::test]
async fn bytes_behind_a_request_are_refused() {
    let world = WsWorld::plain(settings());
    let two = "GET /p/right.jpg HTTP/1.1\r\nHost: a\r\n\r\nGET /p/right.jpg HTTP/1.1\r\nHost: a\r\n\r\n";
    let told = String::from_utf8_lossy(&answer(&world, two).await).into_owned();
    assert!(told.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{told}");
}

#[tokio::test]
async fn behind_a_trusted_proxy_the_phone_has_its_own_address() {
    let trusted = vec!["127.0.0.0/8".parse().unwrap()];
    let world = WsWorld::plain(ServerSettings { trusted_proxies: trusted, ..settings() });
    let request = "GET /p/from-198.51.100.7.jpg HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 198.51.100.7\r\n\r\n";
    let told = String::from_utf8_lossy(&answer(&world, request).await).into_owned();
    assert!(told.starts_with("HTTP/1.1 503 "), "{told}");
}
