//! Requests exactly as real clients send them, and the answers.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::settings;
use super::world::{PATIENCE, WsWorld};
use crate::ws::ServerSettings;

/// `SocketRocket` (zmNinja on iOS): `SRHTTPConnectMessage.m` and `SRURLOrigin`.
const SOCKET_ROCKET: &str = "GET / HTTP/1.1\r\nHost: zm.example.org:9000\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
    Origin: https://zm.example.org:9000\r\n\r\n";
/// Python's `websocket-client` 1.2.3 (Debian 12) for `wss://zm.example.org:9000`: `_handshake.py`.
const WEBSOCKET_CLIENT: &str = "GET / HTTP/1.1\r\nUpgrade: websocket\r\nHost: zm.example.org:9000\r\n\
    Origin: http://zm.example.org:9000\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\nConnection: Upgrade\r\n\r\n";
/// Firefox, from a page of the server itself: `Connection` is a list.
const FIREFOX: &str = "GET / HTTP/1.1\r\nHost: zm.example.org:9000\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\nAccept: */*\r\n\
    Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nSec-WebSocket-Version: 13\r\n\
    Origin: https://zm.example.org:9000\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nConnection: keep-alive, Upgrade\r\n\
    Cookie: zmSkin=classic; ZMSESSID=0123456789abcdef\r\nSec-Fetch-Dest: empty\r\nSec-Fetch-Mode: websocket\r\n\
    Sec-Fetch-Site: same-origin\r\nPragma: no-cache\r\nCache-Control: no-cache\r\nUpgrade: websocket\r\n\r\n";
/// nginx with `proxy_pass` and `proxy_set_header Host` left out: the backend's own name is in `Host`.
const BEHIND_NGINX: &str = "GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\
    X-Forwarded-Host: zm.example.org\r\nHost: 127.0.0.1:9000\r\nOrigin: https://zm.example.org\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// Sends bytes and returns everything received until the end of the headers, or of the connection.
async fn answer(world: &WsWorld, request: &[u8]) -> String {
    let mut tcp = TcpStream::connect(world.address).await.unwrap();
    tcp.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        match timeout(PATIENCE, tcp.read_u8()).await.expect("no answer") {
            Ok(byte) => answer.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(answer).unwrap()
}

async fn status(world: &WsWorld, request: &str) -> String {
    answer(world, request.as_bytes()).await.chars().skip("HTTP/1.1 ".len()).take(3).collect()
}

#[tokio::test]
async fn clients_that_send_the_servers_own_origin_are_let_in() {
    let world = WsWorld::plain(settings());
    for (who, request) in
        [("SocketRocket", SOCKET_ROCKET), ("websocket-client", WEBSOCKET_CLIENT), ("Firefox", FIREFOX)]
    {
        assert_eq!(status(&world, request).await, "101", "{who}");
        let foreign = request.replace("//zm.example.org", "//evil.example");
        assert_eq!(status(&world, &foreign).await, "403", "{who}, from a page of another site");
    }
}

#[tokio::test]
async fn x_forwarded_host_counts_from_trusted_proxies_alone() {
    assert_eq!(status(&WsWorld::plain(settings()), BEHIND_NGINX).await, "403");
    let trusted = vec!["127.0.0.0/8".parse().unwrap()];
    let world = WsWorld::plain(ServerSettings { trusted_proxies: trusted, ..settings() });
    assert_eq!(status(&world, BEHIND_NGINX).await, "101");
    let chain = BEHIND_NGINX.replace("Host: zm.example.org\r", "Host: edge.example, zm.example.org\r");
    assert_eq!(status(&world, &chain).await, "101");
    assert_eq!(status(&world, &BEHIND_NGINX.replace("//zm.", "//evil.")).await, "403");
}

#[tokio::test]
async fn each_refusal_has_its_status_and_its_words() {
    let world = WsWorld::plain(settings());
    let wrong_version = SOCKET_ROCKET.replace("Version: 13", "Version: 8");
    let told = answer(&world, wrong_version.as_bytes()).await;
    assert!(told.starts_with("HTTP/1.1 426 Upgrade Required\r\n"), "{told}");
    assert!(told.contains("\r\nSec-WebSocket-Version: 13\r\n"), "{told}");
    for (from, to, status, words) in [
        (
            "dGhlIHNhbXBsZSBub25jZQ==",
            "short",
            "400 Bad Request",
            "Sec-WebSocket-Key is not 16 bytes in base64\n",
        ),
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", "400 Bad Request", "no Sec-WebSocket-Key\n"),
        ("Host: zm.example.org:9000\r\n", "", "400 Bad Request", "no Host header\n"),
        ("Host: ", "Folded: a\r\n b\r\nHost: ", "400 Bad Request", "not an HTTP/1.1 request\n"),
        ("GET / HTTP/1.1", "HELO zm", "400 Bad Request", "not an HTTP/1.1 request\n"),
        ("Upgrade: websocket\r\n", "", "426 Upgrade Required", "This port speaks WebSocket.\n"),
        ("GET ", "DELETE ", "426 Upgrade Required", "This port speaks WebSocket.\n"),
    ] {
        let mut tcp = TcpStream::connect(world.address).await.unwrap();
        tcp.write_all(SOCKET_ROCKET.replace(from, to).as_bytes()).await.unwrap();
        let mut told = String::new();
        timeout(PATIENCE, tcp.read_to_string(&mut told)).await.unwrap().unwrap();
        assert!(told.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{to}: {told}");
        assert!(told.ends_with(&format!("\r\n\r\n{words}")), "{to}: {told}");
    }
    assert_eq!(status(&world, SOCKET_ROCKET).await, "101", "and the next one is let in");
}

#[tokio::test]
async fn a_request_that_is_too_long_is_told_so() {
    let world = WsWorld::plain(settings());
    let cookies = SOCKET_ROCKET.replace("Host: ", &format!("Cookie: {}\r\nHost: ", "x".repeat(30_000)));
    assert_eq!(status(&world, &cookies).await, "101", "all cookies of a host");
    let many = SOCKET_ROCKET.replace("Host: ", &format!("{}Host: ", "A: b\r\n".repeat(200)));
    assert!(answer(&world, many.as_bytes()).await.starts_with("HTTP/1.1 431 "));
}

#[tokio::test]
async fn an_answer_reaches_a_peer_that_is_still_sending() {
    let world = WsWorld::plain(settings());
    let request =
        format!("POST /x/1 HTTP/1.1\r\nHost: zm\r\nContent-Length: 20000\r\n\r\n{}", "x".repeat(20_000));
    let mut tcp = TcpStream::connect(world.address).await.unwrap();
    tcp.write_all(request.as_bytes()).await.unwrap();
    let mut told = String::new();
    timeout(PATIENCE, tcp.read_to_string(&mut told)).await.unwrap().expect("reset before it was told");
    assert!(told.starts_with("HTTP/1.1 426 "), "{told}");
}
