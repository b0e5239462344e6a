//! A client's HTTP request: read within limits, and checked by the rules of RFC 9110 (lists), RFC 9112 (`Host`) and RFC
//! 6455 4.2.1 (requirements of an upgrade).
//!
//! tungstenite's own check reads one line of each header and accepts only a comma or a space between elements. Whatever
//! else the RFCs allow is first normalised to that form, so that a single check decides.

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_tungstenite::tungstenite::error::{CapacityError, Error, ProtocolError};
use tokio_tungstenite::tungstenite::handshake::machine::TryParse;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response, create_response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::{
    CONNECTION, HOST, HeaderName, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};

use super::authority::HostAuthority;
use super::upgrade::UpgradeError;

/// Maximum length of a request in bytes, with all headers: a browser may send all cookies of ZoneMinder's host.
const LONGEST: usize = 64 * 1024;
/// Where a POST is looked at: snooze buttons.
const POSTED: &[u8] = b"/s/";
/// Reads in which it must have come: each is parsed anew, and bytes one at a time would cost their square.
const READS: usize = 512;
/// Initial buffer size; most requests are shorter.
const ROOM: usize = 1024;

/// A request as it came.
#[derive(Debug)]
pub(super) struct Incoming {
    /// Its head, as that of a GET.
    pub(super) request: Request,
    /// It is a POST to a path below [`POSTED`].
    pub(super) posted: bool,
}

/// Reads one request and nothing beyond it; of a POST also what came with its head. Needs a deadline around it.
pub(super) async fn read<S>(stream: &mut S) -> Result<Incoming, UpgradeError>
where
    S: AsyncRead + Unpin,
{
    let mut head = BytesMut::with_capacity(ROOM);
    for _ in 0..READS {
        if stream.read_buf(&mut head).await.map_err(Error::from)? == 0 {
            if head.is_empty() {
                return Err(UpgradeError::Silent);
            }
            return Err(Error::Protocol(ProtocolError::HandshakeIncomplete).into());
        }
        match Request::try_parse(&head) {
            Ok(Some((length, _))) if length < head.len() => {
                return Err(UpgradeError::BadRequest("data before the handshake has ended"));
            }
            Ok(Some((_, request))) => return Ok(Incoming { request, posted: false }),
            Ok(None) if head.len() >= LONGEST => return Err(UpgradeError::TooLong),
            Ok(None) => {}
            Err(error) => return posted(&head, &error).ok_or_else(|| unreadable(&error)),
        }
    }
    Err(UpgradeError::TooLong)
}

/// Reads the head of a POST that may be granted. tungstenite's parser has read it whole by then, and refuses the method
/// alone.
fn posted(head: &[u8], error: &Error) -> Option<Incoming> {
    let rest = head.strip_prefix(b"POST ").filter(|rest| rest.starts_with(POSTED))?;
    if !matches!(error, Error::Protocol(ProtocolError::WrongHttpMethod)) {
        return None;
    }
    let (_, request) = Request::try_parse(&[b"GET ", rest].concat()).ok()??;
    Some(Incoming { request, posted: true })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a foreign enum: all other errors are broken syntax")]
fn unreadable(error: &Error) -> UpgradeError {
    match error {
        Error::Protocol(ProtocolError::WrongHttpMethod | ProtocolError::WrongHttpVersion) => {
            UpgradeError::NotWebSocket
        }
        Error::Capacity(CapacityError::TooManyHeaders) => UpgradeError::TooLong,
        // Also a folded header line or a space before a colon, which RFC 9112 5.1 and 5.2 forbid.
        _ => UpgradeError::BadRequest("not an HTTP/1.1 request"),
    }
}

/// Returns how the client names this server: the target if it is a whole URL (RFC 9112 3.2.2), else `Host`. `None` if
/// the name is not valid: then no origin equals it.
pub(super) fn authority(request: &Request) -> Option<HostAuthority> {
    let target = request.uri().authority().map(|authority| HostAuthority::parse(authority.as_str()));
    target.unwrap_or_else(|| HostAuthority::parse(request.headers().get(HOST)?.to_str().ok()?))
}

pub(super) fn grant(request: &mut Request) -> Result<Response, UpgradeError> {
    if !lists(request, &UPGRADE, "websocket") || !lists(request, &CONNECTION, "upgrade") {
        return Err(UpgradeError::NotWebSocket);
    }
    match count(request, &HOST) {
        0 => return Err(UpgradeError::BadRequest("no Host header")),
        1 => {}
        _ => return Err(UpgradeError::BadRequest("more than one Host header")),
    }
    // RFC 6455 11.3.1 and 11.3.5: at most once per request.
    if count(request, &SEC_WEBSOCKET_VERSION) > 1 || count(request, &SEC_WEBSOCKET_KEY) > 1 {
        return Err(UpgradeError::BadRequest("more than one Sec-WebSocket-Version or Sec-WebSocket-Key"));
    }
    let headers = request.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    create_response(request).map_err(|error| refused(&error))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a foreign enum: what is left is no upgrade")]
fn refused(error: &Error) -> UpgradeError {
    match error {
        Error::Protocol(ProtocolError::MissingSecWebSocketKey) => {
            UpgradeError::BadRequest("no Sec-WebSocket-Key")
        }
        Error::Protocol(ProtocolError::InvalidSecWebSocketKey) => {
            UpgradeError::BadRequest("Sec-WebSocket-Key is not 16 bytes in base64")
        }
        // Includes a missing or different version: the answer names ours (RFC 6455 4.4).
        _ => UpgradeError::NotWebSocket,
    }
}

fn count(request: &Request, name: &HeaderName) -> usize {
    request.headers().get_all(name).iter().count()
}

/// Returns whether one of the header's lines has this element. Lines of one name form one list (RFC 9110 5.3); elements
/// are separated by commas with optional spaces and tabs, and empty ones do not count (5.6.1).
fn lists(request: &Request, name: &HeaderName, element: &str) -> bool {
    let lines = request.headers().get_all(name).iter();
    lines
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .any(|found| found.trim_ascii().eq_ignore_ascii_case(element.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    const VERSION: &str = "Sec-WebSocket-Version: 13";

    /// Returns the outcome of a request with these header lines.
    async fn told(lines: &[&str]) -> Result<(), String> {
        let text = format!("GET / HTTP/1.1\r\n{}\r\n\r\n", lines.join("\r\n"));
        let mut request = read(&mut text.as_bytes()).await.map_err(|error| error.to_string())?.request;
        let response = grant(&mut request).map_err(|error| error.to_string())?;
        assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        Ok(())
    }

    #[tokio::test]
    async fn two_connection_lines_and_a_tab_are_an_upgrade() {
        for lines in [
            &["Connection: Upgrade", "Upgrade: websocket"][..],
            &["Connection: keep-alive", "Connection: Upgrade", "Upgrade: websocket"],
            &["Connection: Upgrade", "Connection: keep-alive", "Upgrade: websocket"],
            &["Connection: keep-alive,\tUpgrade", "Upgrade: websocket"],
            &["Connection:\tupgrade\t", "Upgrade:\twebsocket "],
            &["Connection: keep-alive, Upgrade", "Upgrade: websocket"],
            &["connection: , ,UPGRADE ,", "UPGRADE: WebSocket"],
            &["Connection: Upgrade", "Upgrade: websocket, foo"],
            &["Connection: Upgrade", "Upgrade: h2c", "Upgrade: websocket"],
            &["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c,websocket"],
            &[
                "Connection: Upgrade",
                "Upgrade: websocket",
                "Sec-WebSocket-Protocol: chat",
                "Sec-WebSocket-Protocol: superchat, x",
                "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
                "Sec-WebSocket-Extensions: foo",
            ],
        ] {
            let all = [&["Host: zm", VERSION, KEY][..], lines].concat();
            assert_eq!(told(&all).await, Ok(()), "{lines:?}");
        }
    }

    #[tokio::test]
    async fn what_asks_for_no_upgrade_is_no_upgrade() {
        let not_websocket = Err(UpgradeError::NotWebSocket.to_string());
        for lines in [
            &["Host: zm", VERSION, KEY][..],
            &["Host: zm", VERSION, KEY, "Upgrade: websocket"],
            &["Host: zm", VERSION, KEY, "Connection: Upgrade"],
            &["Host: zm", VERSION, KEY, "Connection: Upgrade", "Upgrade: websockets"],
            &["Host: zm", VERSION, KEY, "Connection: Upgrade", "Upgrade: h2c websocket"],
            &["Host: zm", VERSION, KEY, "Connection: Upgraded, no-upgrade", "Upgrade: websocket"],
            &["Host: zm", KEY, "Connection: Upgrade", "Upgrade: websocket"],
            &["Host: zm", KEY, "Sec-WebSocket-Version: 8", "Connection: Upgrade", "Upgrade: websocket"],
            &["Host: zm", KEY, "Sec-WebSocket-Version: 13, 8", "Connection: Upgrade", "Upgrade: websocket"],
        ] {
            assert_eq!(told(lines).await, not_websocket, "{lines:?}");
        }
    }

    #[tokio::test]
    async fn a_request_that_is_broken_is_named() {
        for (lines, what) in [
            (&[VERSION, KEY][..], "no Host header"),
            (&["Host: zm", "Host: zm", VERSION, KEY], "more than one Host header"),
            (&["Host: zm", VERSION], "no Sec-WebSocket-Key"),
            (&["Host: zm", VERSION, "Sec-WebSocket-Key: short"], "not 16 bytes"),
            (&["Host: zm", VERSION, "Sec-WebSocket-Key:"], "not 16 bytes"),
            (&["Host: zm", VERSION, KEY, KEY], "more than one Sec-WebSocket"),
            (&["Host: zm", VERSION, VERSION, KEY], "more than one Sec-WebSocket"),
            (&["Host: zm", VERSION, KEY, "X-Folded: a", " b"], "not an HTTP/1.1 request"),
            (&["Host: zm", VERSION, KEY, "X-Blank : a"], "not an HTTP/1.1 request"),
        ] {
            let all = [&["Connection: Upgrade", "Upgrade: websocket"][..], lines].concat();
            let error = told(&all).await.unwrap_err();
            assert!(error.contains(what), "{lines:?}: {error}");
        }
    }

    #[tokio::test]
    async fn only_a_snooze_button_is_posted_to() {
        let answer = |head: &'static str| async move { read(&mut head.as_bytes()).await };
        let posted = answer("POST /s/x HTTP/1.1\r\nHost: zm\r\nContent-Length: 3\r\n\r\na=b").await.unwrap();
        assert!(posted.posted && posted.request.uri().path() == "/s/x", "{posted:?}");
        assert!(!answer("GET /s/x HTTP/1.1\r\nHost: zm\r\n\r\n").await.unwrap().posted);
        for head in [
            "POST / HTTP/1.1\r\nHost: zm\r\n\r\n",
            "POST /p/x.jpg HTTP/1.1\r\nHost: zm\r\n\r\n",
            "PUT /s/x HTTP/1.1\r\nHost: zm\r\n\r\n",
            "POST /s/x HTTP/1.0\r\nHost: zm\r\n\r\n",
        ] {
            assert!(matches!(answer(head).await, Err(UpgradeError::NotWebSocket)), "{head}");
        }
    }

    #[tokio::test]
    async fn a_request_without_an_end_is_given_up() {
        let endless = format!("GET / HTTP/1.1\r\nHost: zm\r\nCookie: {}", "x".repeat(2 * LONGEST));
        assert!(matches!(read(&mut endless.as_bytes()).await, Err(UpgradeError::TooLong)));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(200));
        assert!(matches!(read(&mut many.as_bytes()).await, Err(UpgradeError::TooLong)));
        let half = "GET / HTTP/1.1\r\nHost: z";
        assert!(matches!(read(&mut half.as_bytes()).await, Err(UpgradeError::Broken(_))));
        let eager = "GET / HTTP/1.1\r\nHost: zm\r\n\r\n\u{1}";
        assert!(matches!(read(&mut eager.as_bytes()).await, Err(UpgradeError::BadRequest(_))));
    }

    #[tokio::test]
    async fn a_whole_url_counts_for_more_than_host() {
        for (line, host, own) in [
            ("/", "zm.example.org:9000", "zm.example.org:9000"),
            ("ws://zm.example.org:9000/", "other", "zm.example.org:9000"),
        ] {
            let text = format!("GET {line} HTTP/1.1\r\nHost: {host}\r\n\r\n");
            let request = read(&mut text.as_bytes()).await.unwrap().request;
            assert_eq!(authority(&request), HostAuthority::parse(own), "{line}");
        }
    }
}
