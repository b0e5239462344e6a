//! RFC 6455, sentence by sentence: every MUST that a server has, by raw bytes over TLS and plain text.
//!
//! Two things are left to the server, and this is what it does: a length that is not in its shortest form is taken
//! (5.2 obliges the sender alone), and a close frame with a code that must not be sent, or that was registered after the RFC
//! (1014), is answered with 1002.

use anyhow::{Context, Result, ensure};
use zmes_tests::{Endpoint, HalfOpen, World};

const FIN: u8 = 0x80;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

const QUESTION: &[u8] = br#"{"event":"control","data":{"type":"version"}}"#;

/// A daemon that speaks TLS and one that does not.
struct Both {
    worlds: [World; 2],
}

impl Both {
    async fn new() -> Result<Self> {
        let plain = World::new().setting("server", "plaintext", "true");
        Ok(Self { worlds: [World::new().start().await?, plain.start().await?] })
    }

    async fn endpoints(&self) -> Result<[Endpoint; 2]> {
        let [secure, plain] = &self.worlds;
        Ok([secure.endpoint().await?, plain.endpoint().await?])
    }

    /// Both daemons still let an app in.
    async fn go_on(&self) -> Result<()> {
        for world in &self.worlds {
            world.admin().await?.sync().await?;
        }
        Ok(())
    }
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    HalfOpen::frame(first, true, payload)
}

/// The same, masked with bytes that change something.
fn scrambled(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
    let mut frame = frame(first, payload);
    let start = frame.len() - payload.len();
    let (head, body) = frame.split_at_mut(start);
    head[start - 4..].copy_from_slice(&MASK);
    body.iter_mut().zip(MASK.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    frame
}

fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(FIN | CLOSE, &[&code.to_be_bytes()[..], reason].concat())
}

/// Sends bytes after an upgrade and returns the code of the close frame that must come, whatever comes before it.
async fn closed_with(endpoint: &Endpoint, bytes: &[u8]) -> Result<u16> {
    let mut app = HalfOpen::upgraded(endpoint).await?;
    app.write(bytes).await?;
    app.closed().await?.context("no close frame with a code")
}

async fn ensure_answered(app: &mut HalfOpen, what: &str) -> Result<()> {
    app.write(&frame(FIN | TEXT, QUESTION)).await?;
    let (opcode, text) = app.read_frame().await?.with_context(|| format!("hung up after {what}"))?;
    ensure!(opcode == TEXT && String::from_utf8_lossy(&text).contains("version"), "{what}: {opcode}");
    Ok(())
}

#[tokio::test]
async fn the_opening_handshake_is_judged_as_section_4_2_says() -> Result<()> {
    const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";
    const WISH: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
    let both = Both::new().await?;
    for (headers, status, line) in [
        // 4.2.2: the value is the key with a fixed number, hashed.
        (
            format!("Host: zm\r\n{WISH}{KEY}{VERSION}"),
            "101",
            "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        ),
        (
            format!("Host: zm\r\nUPGRADE: WebSocket\r\nconnection: UPGRADE\r\n{KEY}{VERSION}"),
            "101",
            "upgrade: websocket",
        ),
        (
            format!(
                "Host: zm\r\nUpgrade: websocket\r\nConnection: keep-alive\r\nConnection: Upgrade\r\n{KEY}{VERSION}"
            ),
            "101",
            "connection: Upgrade",
        ),
        // 4.2.2, 4.4: another version gets an answer that names the supported one.
        (format!("Host: zm\r\n{WISH}{KEY}Sec-WebSocket-Version: 8\r\n"), "426", "Sec-WebSocket-Version: 13"),
        (format!("Host: zm\r\n{WISH}{KEY}"), "426", "Sec-WebSocket-Version: 13"),
        (format!("Host: zm\r\n{KEY}{VERSION}Connection: Upgrade\r\n"), "426", "Upgrade: websocket"),
        (format!("Host: zm\r\n{KEY}{VERSION}Upgrade: websocket\r\n"), "426", "Upgrade: websocket"),
        // 4.2.1: the decoded key is 16 bytes long; 11.3.1: it appears once.
        (format!("Host: zm\r\n{WISH}{VERSION}"), "400", "Connection: close"),
        (format!("Host: zm\r\n{WISH}{VERSION}Sec-WebSocket-Key: c2hvcnQ=\r\n"), "400", "Connection: close"),
        (
            format!("Host: zm\r\n{WISH}{VERSION}Sec-WebSocket-Key: not base64 at all!!!!\r\n"),
            "400",
            "Connection: close",
        ),
        (format!("Host: zm\r\n{WISH}{VERSION}{KEY}{KEY}"), "400", "Connection: close"),
        (format!("{WISH}{VERSION}{KEY}"), "400", "Connection: close"),
    ] {
        for endpoint in both.endpoints().await? {
            let mut app = HalfOpen::connect(&endpoint).await?;
            app.write(format!("GET / HTTP/1.1\r\n{headers}\r\n").as_bytes()).await?;
            let head = app.read_head().await?;
            ensure!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{headers}\n{head}");
            ensure!(
                head.to_lowercase().contains(&format!("\r\n{}\r\n", line.to_lowercase())),
                "{headers}\n{head}"
            );
        }
    }
    both.go_on().await
}

#[tokio::test]
async fn no_extension_and_no_sub_protocol_is_agreed_to() -> Result<()> {
    let both = Both::new().await?;
    for endpoint in both.endpoints().await? {
        let mut app = HalfOpen::connect(&endpoint).await?;
        let wishes = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\
             Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: superchat\r\n\r\n";
        let request =
            String::from_utf8_lossy(HalfOpen::request()).replacen("\r\n\r\n", &format!("\r\n{wishes}"), 1);
        app.write(request.as_bytes()).await?;
        let head = app.read_head().await?.to_lowercase();
        ensure!(head.starts_with("http/1.1 101 "), "{head}");
        ensure!(!head.contains("extensions") && !head.contains("protocol:"), "{head}");
        ensure_answered(&mut app, "wishes").await?;
    }
    Ok(())
}

#[tokio::test]
async fn frames_against_section_5_fail_the_connection() -> Result<()> {
    let both = Both::new().await?;
    let mut cases = vec![
        ("5.1: an unmasked text".to_owned(), HalfOpen::frame(FIN | TEXT, false, b"{}"), 1002),
        ("5.1: an unmasked ping".to_owned(), HalfOpen::frame(FIN | PING, false, b""), 1002),
        ("5.1: an unmasked close".to_owned(), HalfOpen::frame(FIN | CLOSE, false, &[3, 232]), 1002),
        ("5.4: a continuation of nothing".to_owned(), frame(FIN, b"{}"), 1002),
        ("5.4: a continuation of nothing that goes on".to_owned(), frame(0, b"{}"), 1002),
        ("5.4: a text within a text".to_owned(), [frame(TEXT, b"{"), frame(FIN | TEXT, b"}")].concat(), 1002),
        ("5.4: a binary within a text".to_owned(), [frame(TEXT, b"{"), frame(BINARY, b"}")].concat(), 1002),
        (
            "5.4: a continuation after the end".to_owned(),
            [frame(TEXT, b"{"), frame(FIN, b"}"), frame(FIN, b"")].concat(),
            1002,
        ),
        (
            "5.2: a length with its highest bit set".to_owned(),
            [&[FIN | TEXT, 0xFF][..], &[0xFF; 8], &[0; 4]].concat(),
            1009,
        ),
        ("64 KiB and a byte".to_owned(), frame(FIN | TEXT, &[b' '; 65_537]), 1009),
        (
            "64 KiB and a byte in pieces".to_owned(),
            [frame(TEXT, &[b' '; 65_536]), frame(FIN, b" ")].concat(),
            1009,
        ),
    ];
    for bit in [0x40, 0x20, 0x10] {
        cases.push((format!("5.2: reserved bit {bit:x} of a text"), frame(FIN | bit | TEXT, b"{}"), 1002));
        cases.push((format!("5.2: reserved bit {bit:x} of a ping"), frame(FIN | bit | PING, b""), 1002));
    }
    for opcode in (0x3..=0x7).chain(0xB..=0xF) {
        cases.push((format!("5.2: opcode {opcode:x}"), frame(FIN | opcode, b""), 1002));
    }
    for opcode in [CLOSE, PING, PONG] {
        let long = [&[3, 232][..], &[b'x'; 124]].concat();
        cases.push((format!("5.5: control frame {opcode:x} of 126 bytes"), frame(FIN | opcode, &long), 1002));
        cases.push((format!("5.5: control frame {opcode:x} in pieces"), frame(opcode, &[3, 232]), 1002));
    }
    for endpoint in both.endpoints().await? {
        for (what, bytes, code) in &cases {
            let found = closed_with(&endpoint, bytes).await.with_context(|| what.clone())?;
            ensure!(found == *code, "{what}: closed with {found} instead of {code}");
        }
    }
    both.go_on().await
}

#[tokio::test]
async fn text_that_is_not_utf8_fails_the_connection_with_1007() -> Result<()> {
    let both = Both::new().await?;
    let split = |first: &[u8], second: &[u8]| [frame(TEXT, first), frame(FIN, second)].concat();
    let cases = [
        ("a lone continuation byte", frame(FIN | TEXT, b"\x80")),
        ("a byte that never occurs", frame(FIN | TEXT, b"a\xFFb")),
        ("an overlong slash", frame(FIN | TEXT, b"\xC0\xAF")),
        ("a surrogate", frame(FIN | TEXT, b"\xED\xA0\x80")),
        ("beyond U+10FFFF", frame(FIN | TEXT, b"\xF4\x90\x80\x80")),
        ("cut off at the end", frame(FIN | TEXT, b"{\xE2\x82")),
        ("cut off at the end of the last fragment", split(b"{", b"\xE2\x82")),
        ("split over fragments and wrong", split(b"\xE2", b"(\xA1")),
        ("wrong in the first of two fragments", split(b"\xC3\x28", b"}")),
        ("the reason of a close frame", close(1000, b"\xC3\x28")),
    ];
    for endpoint in both.endpoints().await? {
        for (what, bytes) in &cases {
            let found = closed_with(&endpoint, bytes).await.with_context(|| (*what).to_owned())?;
            ensure!(found == 1007, "{what}: closed with {found}");
        }
    }
    both.go_on().await
}

#[tokio::test]
async fn what_section_5_allows_is_taken() -> Result<()> {
    let both = Both::new().await?;
    let (first, rest) = QUESTION.split_at(10);
    let euro = "{\u{20AC}";
    let (half, other_half) = euro.as_bytes().split_at(2);
    let pad = |length: usize| [QUESTION, &vec![b' '; length - QUESTION.len()]].concat();
    let length = u8::try_from(QUESTION.len())?;
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("a mask that changes something", scrambled(FIN | TEXT, QUESTION), "version"),
        ("two fragments", [frame(TEXT, first), scrambled(FIN, rest)].concat(), "version"),
        ("empty fragments", [frame(TEXT, b""), frame(0, QUESTION), frame(FIN, b"")].concat(), "version"),
        ("a character over two fragments", [frame(TEXT, half), frame(FIN, other_half)].concat(), "BADJSON"),
        ("an empty text", frame(FIN | TEXT, b""), "BADJSON"),
        ("a binary, which the protocol has none of", frame(FIN | BINARY, QUESTION), "BADJSON"),
        ("125 bytes", frame(FIN | TEXT, &pad(125)), "version"),
        ("126 bytes", frame(FIN | TEXT, &pad(126)), "version"),
        ("127 bytes", frame(FIN | TEXT, &pad(127)), "version"),
        ("65,535 bytes", frame(FIN | TEXT, &pad(65_535)), "version"),
        ("65,536 bytes", frame(FIN | TEXT, &pad(65_536)), "version"),
        (
            "a length in 16 bits",
            [&[FIN | TEXT, 0xFE, 0, length, 0, 0, 0, 0][..], QUESTION].concat(),
            "version",
        ),
        (
            "a length in 64 bits",
            [&[FIN | TEXT, 0xFF, 0, 0, 0, 0, 0, 0, 0, length, 0, 0, 0, 0][..], QUESTION].concat(),
            "version",
        ),
        (
            "an unsolicited pong",
            [frame(FIN | PONG, b"hello"), frame(FIN | TEXT, QUESTION)].concat(),
            "version",
        ),
    ];
    for endpoint in both.endpoints().await? {
        for (what, bytes, answer) in &cases {
            let mut app = HalfOpen::upgraded(&endpoint).await?;
            app.write(bytes).await?;
            let (opcode, text) = app.read_frame().await?.with_context(|| format!("hung up: {what}"))?;
            let text = String::from_utf8_lossy(&text).into_owned();
            ensure!(opcode == TEXT && text.contains(answer), "{what}: {opcode} {text}");
            ensure_answered(&mut app, what).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn each_ping_has_its_pong_also_between_fragments() -> Result<()> {
    let both = Both::new().await?;
    for endpoint in both.endpoints().await? {
        let mut app = HalfOpen::upgraded(&endpoint).await?;
        for payload in [&b""[..], b"x", &[0xFF; 125]] {
            app.write(&scrambled(FIN | PING, payload)).await?;
            let (opcode, echoed) = app.read_frame().await?.context("hung up")?;
            ensure!(opcode == PONG && echoed == payload, "{opcode} {echoed:?}");
        }
        let (first, rest) = QUESTION.split_at(10);
        app.write(&frame(TEXT, first)).await?;
        app.write(&frame(FIN | PING, b"between")).await?;
        let (opcode, echoed) = app.read_frame().await?.context("hung up")?;
        ensure!(opcode == PONG && echoed == b"between", "{opcode} {echoed:?}");
        app.write(&[frame(FIN | PONG, b""), frame(FIN, rest)].concat()).await?;
        let (opcode, text) = app.read_frame().await?.context("hung up")?;
        ensure!(opcode == TEXT && String::from_utf8_lossy(&text).contains("version"), "{opcode}");
    }
    Ok(())
}

#[tokio::test]
async fn a_close_frame_is_answered_and_nothing_after_it_counts() -> Result<()> {
    let both = Both::new().await?;
    for endpoint in both.endpoints().await? {
        for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3999, 4000, 4999]
        {
            let mut app = HalfOpen::upgraded(&endpoint).await?;
            // Bytes after a close frame are ignored (5.5.1): they are neither answered nor checked.
            let after = [frame(FIN | TEXT, QUESTION), frame(FIN | 0x3, b"")].concat();
            app.write(&[close(code, b"bye"), after].concat()).await?;
            let (opcode, payload) =
                app.read_frame().await?.with_context(|| format!("no answer to {code}"))?;
            ensure!(
                opcode == CLOSE && payload.starts_with(&code.to_be_bytes()),
                "{code}: {opcode} {payload:?}"
            );
            ensure!(app.read_frame().await?.is_none(), "something comes after the close frame");
        }
        let mut app = HalfOpen::upgraded(&endpoint).await?;
        app.write(&frame(FIN | CLOSE, b"")).await?;
        ensure!(app.read_frame().await? == Some((CLOSE, Vec::new())), "no code is answered without one");
        ensure!(app.read_frame().await?.is_none());
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
            let found = closed_with(&endpoint, &close(code, b"")).await.with_context(|| code.to_string())?;
            ensure!(found == 1002, "{code}, which must not be sent: answered with {found}");
        }
        let found = closed_with(&endpoint, &frame(FIN | CLOSE, &[3])).await?;
        ensure!(found == 1002, "half a code: answered with {found}");
    }
    both.go_on().await
}
