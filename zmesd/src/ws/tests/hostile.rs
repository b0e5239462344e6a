//! Malformed, stalled and broken peers: each ends alone; the server and other peers are not affected.

use futures_util::SinkExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::app::{App, VERSION, client_config, tls};
use super::settings;
use super::world::{PATIENCE, WsWorld};

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Returns one masked frame with a zero mask, so that the payload is sent unchanged.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    assert!(length < 126);
    [&[first, 0x80 | length, 0, 0, 0, 0][..], payload].concat()
}

async fn still_well(app: &mut App) {
    app.say(VERSION).await;
    assert_eq!(app.json().await["type"], "version");
}

#[tokio::test]
async fn what_breaks_the_protocol_is_closed_with_its_code() {
    let world = WsWorld::secure(settings());
    let mut bystander = App::logged_in(&world).await;
    let unmasked = [0x81, 0x02, b'h', b'i'];
    let too_long = [0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0];
    for (name, bytes, code) in [
        ("unmasked", unmasked.to_vec(), 1002),
        ("bad UTF-8", frame(0x81, &[0xff, 0xfe]), 1007),
        ("a close frame with a body of one byte", frame(0x88, &[3]), 1002),
        ("a ping in pieces", frame(0x09, b"x"), 1002),
        ("a reserved bit", frame(0xc1, b"{}"), 1002),
        ("an unknown opcode", frame(0x83, b"{}"), 1002),
        ("a continuation of nothing", frame(0x80, b"{}"), 1002),
        ("64 KiB and a byte", too_long.to_vec(), 1009),
    ] {
        let mut app = App::connect(&world).await;
        app.raw(&bytes).await;
        assert_eq!(app.closed().await.0, code, "{name}");
        assert!(!matches!(app.next().await, Some(Ok(_))), "{name}");
    }
    still_well(&mut bystander).await;
}

#[tokio::test]
async fn the_limit_of_64_kib_is_exact_and_counts_fragments_together() {
    let world = WsWorld::secure(settings());
    let mut app = App::logged_in(&world).await;
    app.say(&"x".repeat(65_536)).await;
    assert_eq!(app.reason().await, "BADJSON");
    app.websocket.send(Message::text("x".repeat(65_537))).await.unwrap();
    assert_eq!(app.closed().await.0, 1009);

    let mut pieces = App::logged_in(&world).await;
    pieces.raw(&frame(0x01, &[b' '; 100])).await;
    for _ in 0..656 {
        if pieces.websocket.get_mut().write_all(&frame(0x00, &[b' '; 100])).await.is_err() {
            break;
        }
    }
    assert_eq!(pieces.closed().await.0, 1009);
}

#[tokio::test]
async fn what_is_only_nonsense_is_answered() {
    let world = WsWorld::secure(settings());
    let mut app = App::logged_in(&world).await;
    app.websocket.send(Message::Binary(Bytes::from_static(b"{}"))).await.unwrap();
    assert_eq!(app.reason().await, "BADJSON");
    for text in ["hello", "[1,2]", "null", r#"{"event":"auth","data":"x"}"#, &"[".repeat(60_000)] {
        app.say(text).await;
        assert_eq!(app.reason().await, "BADJSON", "{text:.40}");
    }
    let (first, rest) = VERSION.split_at(20);
    app.raw(&frame(0x01, first.as_bytes())).await;
    app.raw(&frame(0x89, b"between")).await;
    app.raw(&frame(0x80, rest.as_bytes())).await;
    assert_eq!(app.next().await.unwrap().unwrap(), Message::Pong(Bytes::from_static(b"between")));
    assert_eq!(app.json().await["type"], "version", "a text in two pieces is one");
}

#[tokio::test]
async fn a_flood_is_closed_with_1008() {
    let mut world = WsWorld::secure(settings());
    let mut app = App::connect(&world).await;
    for _ in 0..200 {
        if app.websocket.send(Message::text(VERSION)).await.is_err() {
            break;
        }
    }
    assert_eq!(world.end_of_session().await, "rate");
}

#[tokio::test]
async fn endless_empty_fragments_are_a_flood() {
    let mut world = WsWorld::secure(settings());
    let mut bystander = App::logged_in(&world).await;
    let mut app = App::connect(&world).await;
    app.raw(&frame(0x01, b"")).await;
    let empty = frame(0x00, b"").repeat(1000);
    // 6 MB: more than the buffers of both ends hold, so the server must end it.
    for _ in 0..1000 {
        let stream = app.websocket.get_mut();
        if stream.write_all(&empty).await.is_err() || stream.flush().await.is_err() {
            break;
        }
    }
    assert_eq!(app.closed().await, (1008, "rate".to_owned()));
    assert_eq!(world.end_of_session().await, "rate");
    still_well(&mut bystander).await;
}

#[tokio::test]
async fn a_long_text_in_many_small_pieces_is_no_flood() {
    let world = WsWorld::secure(settings());
    let mut app = App::logged_in(&world).await;
    for _ in 0..3 {
        app.raw(&frame(0x01, b" ")).await;
        app.raw(&frame(0x00, b"12345678").repeat(8191)).await;
        app.raw(&frame(0x80, b"x")).await;
        assert_eq!(app.reason().await, "BADJSON");
    }
}

#[tokio::test]
async fn stalls_and_closed_connections_delay_no_other() {
    let world = WsWorld::secure(settings());
    let mut bystander = App::logged_in(&world).await;
    let hello = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
    let mut stalled = Vec::new();
    for bytes in [&[][..], &hello[..1], &hello[..3], &hello, b"GET / HTTP/1.1\r\n", b"\0\0\0"] {
        for hang_up in [true, false] {
            let mut tcp = TcpStream::connect(world.address).await.unwrap();
            tcp.write_all(bytes).await.unwrap();
            if !hang_up {
                stalled.push(tcp);
            }
        }
    }
    for text in ["", "GET / HT", REQUEST.get(..60).unwrap()] {
        let mut stream = tls(&world, client_config(&world, rustls::ALL_VERSIONS)).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        let mut abandoned = tls(&world, client_config(&world, rustls::ALL_VERSIONS)).await.unwrap();
        abandoned.write_all(text.as_bytes()).await.unwrap();
        drop(abandoned);
        stalled.push(stream.into_inner().0);
    }
    for bytes in [&frame(0x81, b"{}")[..3], &[0x81, 0xfe, 0xff, 0xff, 0, 0, 0, 0, b'{']] {
        let mut half = App::connect(&world).await;
        half.raw(bytes).await;
        drop(half);
    }
    timeout(PATIENCE, async {
        still_well(&mut bystander).await;
        still_well(&mut App::logged_in(&world).await).await;
    })
    .await
    .expect("stalled peers hold up others");
    drop(stalled);
}

#[tokio::test]
async fn a_stalled_handshake_is_given_up() {
    let world = WsWorld::secure(settings());
    let mut silent = TcpStream::connect(world.address).await.unwrap();
    let mut byte = [0];
    let read = timeout(PATIENCE, silent.read(&mut byte)).await.expect("the server hangs up");
    assert!(matches!(read, Ok(0) | Err(_)));
    assert_eq!(world.counters.rejected.value(), 1);
}

#[tokio::test]
async fn a_browser_that_strays_in_is_told() {
    let world = WsWorld::plain(settings());
    for request in [
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        &REQUEST.replace("13", "8"),
    ] {
        let mut tcp = TcpStream::connect(world.address).await.unwrap();
        tcp.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(PATIENCE, tcp.read_to_string(&mut answer)).await.unwrap().unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\n"),
            "{request}{answer}"
        );
        assert!(answer.ends_with("\r\n\r\nThis port speaks WebSocket.\n"), "{answer}");
    }
}
