//! Clients that stall, hang up or send garbage, none of them logged in: other clients do not notice.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use zmes_tests::{AppClient, Endpoint, HalfOpen, State, World, client_hello, tcp};

const FIN: u8 = 0x80;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;

/// A world with one camera, one member, and the daemon's pid.
struct Street {
    world: World,
    endpoint: Endpoint,
    member: AppClient,
    pid: u32,
    event: u64,
}

impl Street {
    async fn new(builder: zmes_tests::WorldBuilder) -> Result<Self> {
        let mut world = builder.monitor(1, "Front").start().await?;
        let (endpoint, member, pid) = (world.endpoint().await?, world.admin().await?, world.daemon()?.pid());
        Ok(Self { world, endpoint, member, pid, event: 100 })
    }

    /// The daemon is the same process, the member gets the next alarm, and a new client can log in.
    async fn goes_on(&mut self, after: &str) -> Result<()> {
        self.event += 1;
        self.world.daemon()?.ensure_running().with_context(|| after.to_owned())?;
        self.world.alarm(1, self.event).await?;
        self.member.expect_alarm(self.event, 1).await.with_context(|| format!("after {after}"))?;
        self.world.admin().await.with_context(|| format!("a newcomer after {after}"))?;
        let status = self.world.status().await?;
        ensure!(status["pid"] == self.pid, "another process after {after}: {status}");
        Ok(())
    }

    fn hello(&self) -> Result<Vec<u8>> {
        client_hello(self.endpoint.tls.as_ref().context("no TLS")?)
    }
}

/// Opens TCP and sends a part of what TLS begins with.
async fn partial(endpoint: &Endpoint, bytes: &[u8]) -> Result<TcpStream> {
    let mut stream = tcp(endpoint.address).await?;
    stream.write_all(bytes).await?;
    Ok(stream)
}

/// Finishes TLS and sends a part of what comes then.
async fn partial_http(endpoint: &Endpoint, bytes: &[u8]) -> Result<HalfOpen> {
    let mut half = HalfOpen::connect(endpoint).await?;
    half.write(bytes).await?;
    Ok(half)
}

/// Finishes the upgrade and sends bytes of frames.
async fn partial_frame(endpoint: &Endpoint, bytes: &[u8]) -> Result<HalfOpen> {
    let mut half = HalfOpen::upgraded(endpoint).await?;
    half.write(bytes).await?;
    Ok(half)
}

/// One frame that takes 8192 bytes on the wire: old servers read that much and then waited for more.
fn frame_of_8192() -> Vec<u8> {
    let header = HalfOpen::text_frame(&[b'x'; 8000]).len() - 8000;
    HalfOpen::text_frame(&vec![b'x'; 8192 - header])
}

#[tokio::test]
async fn a_client_that_stalls_before_tls_is_done_delays_no_other() -> Result<()> {
    let mut street = Street::new(World::new()).await?;
    let hello = street.hello()?;
    let endpoint = street.endpoint.clone();
    let mut stalled = Vec::new();
    for (what, bytes) in [
        ("silence", &[][..]),
        ("one byte", &hello[..1]),
        ("three bytes of a TLS record", &hello[..3]),
        ("100 bytes of a ClientHello", &hello[..100]),
        ("all of a ClientHello but a byte", &hello[..hello.len() - 1]),
        ("a ClientHello and then nothing", &hello[..]),
        ("plain HTTP", HalfOpen::request()),
    ] {
        for _ in 0..5 {
            stalled.push(partial(&endpoint, bytes).await.with_context(|| what.to_owned())?);
        }
        street.goes_on(what).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_client_that_stalls_before_it_logs_in_delays_no_other() -> Result<()> {
    let mut street = Street::new(World::new()).await?;
    let endpoint = street.endpoint.clone();
    let request = HalfOpen::request();
    let mut stalled = Vec::new();
    for (what, bytes) in [
        ("TLS and then nothing", &[][..]),
        ("one byte of HTTP", &request[..1]),
        ("half an HTTP request", &request[..request.len() / 2]),
        ("a request without its last byte", &request[..request.len() - 1]),
    ] {
        for _ in 0..5 {
            stalled.push(partial_http(&endpoint, bytes).await.with_context(|| what.to_owned())?);
        }
        street.goes_on(what).await?;
    }
    let frame = HalfOpen::text_frame(br#"{"event":"control","data":{"type":"version"}}"#);
    let fragment = HalfOpen::frame(TEXT, true, b"{\"event\":");
    let exact_payload = HalfOpen::text_frame(&[b'x'; 8192]);
    for (what, bytes) in [
        ("an upgrade and then nothing", &[][..]),
        ("one byte of a frame", &frame[..1]),
        ("a frame's head", &frame[..6]),
        ("half a frame", &frame[..frame.len() / 2]),
        ("a fragment that never goes on", &fragment),
        ("one frame of exactly 8192 bytes", &frame_of_8192()),
        ("one frame with exactly 8192 bytes in it", &exact_payload),
    ] {
        for _ in 0..5 {
            stalled.push(partial_frame(&endpoint, bytes).await.with_context(|| what.to_owned())?);
        }
        street.goes_on(what).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_frame_of_exactly_8192_bytes_is_answered() -> Result<()> {
    let street = Street::new(World::new()).await?;
    let mut half = partial_frame(&street.endpoint, &frame_of_8192()).await?;
    let (opcode, answer) = half.read_frame().await?.context("hung up")?;
    ensure!(opcode == TEXT && String::from_utf8_lossy(&answer).contains("BADJSON"), "{opcode}");
    Ok(())
}

#[tokio::test]
async fn a_client_that_never_reads_delays_no_other_and_is_dropped() -> Result<()> {
    let mut street = Street::new(World::new()).await?;
    let mut deaf = HalfOpen::upgraded(&street.endpoint).await?;
    let question = HalfOpen::text_frame(br#"{"event":"control","data":{"type":"version"}}"#);
    let burst: Vec<u8> = question.iter().copied().cycle().take(question.len() * 500).collect();
    deaf.write_until_stuck(&burst, 2000).await;
    street.goes_on("a client that never reads").await?;
    let pings: Vec<u8> = HalfOpen::frame(FIN | PING, true, &[b'p'; 100]);
    let burst: Vec<u8> = pings.iter().copied().cycle().take(pings.len() * 500).collect();
    let mut flood = HalfOpen::upgraded(&street.endpoint).await?;
    flood.write_until_stuck(&burst, 500).await;
    street.goes_on("a flood of pings").await
}

#[tokio::test]
async fn a_member_that_never_reads_is_dropped_and_counted() -> Result<()> {
    // Long names and causes fill the pipe sooner.
    let name = "Ünreadable \u{1F4F7} ".repeat(4);
    let world = World::new().monitor(1, &name).setting("zoneminder", "alarm-limit", "0");
    let world = world.setting("zoneminder", "poll-interval", "\"1ms\"").start().await?;
    let mut witness = world.admin().await?;
    let mut deaf = HalfOpen::upgraded_narrow(&world.endpoint().await?).await?;
    let auth = br#"{"event":"auth","data":{"user":"admin","password":"adminpass"}}"#;
    deaf.write(&HalfOpen::text_frame(auth)).await?;
    world.wait_status("with two members", |status| status["clients"]["authenticated"] == 2).await?;
    let shm = world.shm(1)?;
    shm.set_cause(&[b'"'; 255])?;
    shm.set_last_event(1000)?;
    shm.set_state(State::Alarm)?;
    witness.expect_alarm(1000, 1).await?;
    let mut event = 1000;
    let status = zmes_tests::wait_until("the deaf member is dropped", async || {
        for _ in 0..100 {
            event += 1;
            shm.set_last_event(event)?;
            witness.expect_alarm(event, 1).await?;
        }
        let status = world.status().await?;
        Ok((status["clients"]["dropped_slow"] == 1).then_some(status))
    })
    .await?;
    assert_eq!(status["clients"]["authenticated"], 1, "{status}");
    Ok(())
}

#[tokio::test]
async fn stalled_clients_are_dropped_at_their_deadline() -> Result<()> {
    let street = Street::new(World::new().setting("auth", "timeout", "\"1s\"")).await?;
    let hello = street.hello()?;
    let mut early = partial(&street.endpoint, &hello[..100]).await?;
    let mut later = partial_http(&street.endpoint, &HalfOpen::request()[..30]).await?;
    let mut latest = HalfOpen::upgraded(&street.endpoint).await?;
    ensure!(latest.closed().await? == Some(1008));
    ensure!(later.closed().await?.is_none());
    // The end of the stream, or a reset: both are the server's doing.
    let mut byte = [0];
    let end = zmes_tests::within("the end", tokio::io::AsyncReadExt::read(&mut early, &mut byte)).await?;
    ensure!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    Ok(())
}

#[tokio::test]
async fn hanging_up_at_any_point_harms_no_other_client() -> Result<()> {
    let mut street = Street::new(World::new()).await?;
    let endpoint = street.endpoint.clone();
    let hello = street.hello()?;
    for length in [0, 1, 3, 5, 100, hello.len() - 1, hello.len()] {
        drop(partial(&endpoint, &hello[..length]).await?);
        partial(&endpoint, &hello[..length]).await?.set_zero_linger()?;
    }
    street.goes_on("hang-ups before TLS").await?;
    let request = HalfOpen::request();
    for length in [0, 1, request.len() / 2, request.len() - 1, request.len()] {
        drop(partial_http(&endpoint, &request[..length]).await?);
    }
    street.goes_on("hang-ups before the upgrade").await?;
    let frame = HalfOpen::text_frame(br#"{"event":"auth","data":{"user":"admin","password":"adminpass"}}"#);
    for length in [0, 1, 2, 6, frame.len() / 2, frame.len()] {
        drop(partial_frame(&endpoint, &frame[..length]).await?);
    }
    street.goes_on("hang-ups before the login").await?;
    for _ in 0..20 {
        drop(street.world.admin().await?);
    }
    street.goes_on("hang-ups after the login").await?;
    let gone = |status: &serde_json::Value| status["clients"]["total"] == 1;
    street.world.wait_status("without those who left", gone).await?;
    Ok(())
}

#[tokio::test]
async fn garbage_in_frames_closes_its_own_connection_alone() -> Result<()> {
    let mut street = Street::new(World::new()).await?;
    let endpoint = street.endpoint.clone();
    let huge = vec![b'x'; 64 * 1024 + 1];
    let claims_huge = [FIN | TEXT, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0];
    for (what, bytes, code) in [
        ("a close frame with a body of one byte", HalfOpen::frame(FIN | CLOSE, true, &[3]), Some(1002)),
        ("an unmasked frame", HalfOpen::frame(FIN | TEXT, false, b"{}"), Some(1002)),
        ("reserved bits", HalfOpen::frame(FIN | 0x70 | TEXT, true, b"{}"), Some(1002)),
        ("a reserved opcode", HalfOpen::frame(FIN | 0x3, true, b"{}"), Some(1002)),
        ("a continuation of nothing", HalfOpen::frame(FIN, true, b"{}"), Some(1002)),
        ("a fragmented ping", HalfOpen::frame(PING, true, b"x"), Some(1002)),
        ("a ping of 126 bytes", HalfOpen::frame(FIN | PING, true, &[b'x'; 126]), Some(1002)),
        ("bad UTF-8", HalfOpen::frame(FIN | TEXT, true, &[0xC3, 0x28]), Some(1007)),
        ("64 KiB and a byte", HalfOpen::text_frame(&huge), Some(1009)),
        ("a frame that claims exabytes", claims_huge.to_vec(), Some(1009)),
    ] {
        let mut half = partial_frame(&endpoint, &bytes).await?;
        let found = half.closed().await.with_context(|| what.to_owned())?;
        ensure!(found == code || found.is_none(), "{what} was closed with {found:?}");
        street.goes_on(what).await?;
    }
    Ok(())
}

#[tokio::test]
async fn garbage_that_is_a_frame_is_answered_or_closed() -> Result<()> {
    let mut street = Street::new(World::new()).await?;
    let endpoint = street.endpoint.clone();
    let deep = "[".repeat(30_000) + &"]".repeat(30_000);
    let deep_object = "{\"a\":".repeat(10_000);
    let many = format!("{{\"event\":\"auth\",\"data\":{{{}\"x\":1}}}}", "\"user\":\"a\",".repeat(4000));
    for (what, bytes) in [
        ("binary", HalfOpen::frame(FIN | BINARY, true, b"{}")),
        ("deep nesting", HalfOpen::text_frame(deep.as_bytes())),
        ("deep objects", HalfOpen::text_frame(deep_object.as_bytes())),
        ("the same member many times", HalfOpen::text_frame(many.as_bytes())),
        ("a NUL", HalfOpen::text_frame(b"\0")),
        ("an empty message", HalfOpen::text_frame(b"")),
        ("numbers beyond numbers", HalfOpen::text_frame(br#"{"event":"push","data":{"badge":1e999}}"#)),
    ] {
        let mut half = partial_frame(&endpoint, &bytes).await?;
        let answer = half.read_frame().await.with_context(|| what.to_owned())?;
        let refused = answer.is_none_or(|(opcode, text)| {
            opcode == CLOSE || (opcode == TEXT && String::from_utf8_lossy(&text).contains("\"Fail\""))
        });
        ensure!(refused, "{what} was not refused");
        street.goes_on(what).await?;
    }
    // In pieces, one byte each, it is still a message.
    let text = br#"{"event":"control","data":{"type":"version"}}"#;
    let mut half = HalfOpen::upgraded(&endpoint).await?;
    for (index, byte) in text.iter().enumerate() {
        let first = if index == 0 { TEXT } else { 0 };
        let last = if index + 1 == text.len() { FIN } else { 0 };
        half.write(&HalfOpen::frame(first | last, true, &[*byte])).await?;
    }
    let (_, answer) = half.read_frame().await?.context("hung up")?;
    ensure!(String::from_utf8_lossy(&answer).contains("\"version\""));
    Ok(())
}

#[tokio::test]
async fn a_house_full_of_clients_gets_no_more_in() -> Result<()> {
    let mut street = Street::new(World::new().setting("server", "max-clients-per-address", "5")).await?;
    let mut inside = Vec::new();
    for _ in 0..4 {
        inside.push(street.world.admin().await?);
    }
    let refused = street.world.admin().await;
    ensure!(refused.is_err(), "one too many was let in");
    drop(inside);
    street.world.wait_status("with room again", |status| status["clients"]["total"] == 1).await?;
    street.goes_on("a full house").await
}

#[tokio::test]
async fn a_chatterbox_is_closed_and_others_are_not() -> Result<()> {
    let mut street = Street::new(World::new()).await?;
    let question = HalfOpen::text_frame(br#"{"event":"control","data":{"type":"version"}}"#);
    let mut chatter = HalfOpen::upgraded(&street.endpoint).await?;
    let closed = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            if chatter.write(&question).await.is_err() {
                return Ok(None);
            }
            match chatter.read_frame().await? {
                Some((CLOSE, payload)) => {
                    return Ok(payload.first_chunk().map(|code| u16::from_be_bytes(*code)));
                }
                None => return Ok(None),
                Some(_) => {}
            }
        }
    });
    let code: Result<Option<u16>> = closed.await.context("it may talk for ever")?;
    ensure!(matches!(code?, None | Some(1008)), "another reason");
    street.goes_on("a chatterbox").await
}
