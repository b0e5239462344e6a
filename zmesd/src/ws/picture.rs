//! `GET /p/…` on the apps' port: the picture of a push.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::upgrade::hang_up;
use crate::links;
use crate::ports::{NoAnswer, PictureDoor};

/// How long a phone may take to receive one part of a picture.
const WRITE_DEADLINE: Duration = Duration::from_secs(10);
/// Size of a part in bytes.
const PART: usize = 64 * 1024;
/// How long a phone may take for the whole picture: slow phones keep others waiting.
const ALL_DEADLINE: Duration = Duration::from_secs(30);
/// How long to wait for an answer, in case the picture desk exceeds its own deadline.
const ANSWER_DEADLINE: Duration = Duration::from_secs(15);
/// A picture must not be cached, shown in a frame of another page, or interpreted as another type.
const HEADERS: &str = "Cache-Control: private, no-store\r\n\
    X-Content-Type-Options: nosniff\r\n\
    Content-Security-Policy: default-src 'none'; sandbox\r\n\
    Referrer-Policy: no-referrer\r\n\
    Cross-Origin-Resource-Policy: cross-origin\r\n\
    Connection: close\r\n";

/// A request for a picture.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PictureAsked {
    link: String,
}

/// Returns which picture a path asks for, or `None` if it is the path of something else.
pub(super) fn asked(path: &str) -> Option<PictureAsked> {
    links::in_path(path).map(|link| PictureAsked { link: link.to_owned() })
}

/// Answers a request for a picture, and closes the connection.
pub(super) async fn serve<S>(mut stream: S, asked: &PictureAsked, client: IpAddr, door: &dyn PictureDoor)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let answer = timeout(ANSWER_DEADLINE, door.picture(&asked.link, client)).await;
    let answer = answer.unwrap_or(Err(NoAnswer::Busy));
    let (head, body) = match &answer {
        Ok(shown) => {
            let bytes = &shown.picture.bytes[..];
            let about = shown.about.as_ref().map(|(name, value)| format!("{name}: {value}\r\n"));
            (head("200 OK", "image/jpeg", &about.unwrap_or_default(), bytes.len()), bytes)
        }
        Err(refusal) => {
            let (status, retry, body): (_, _, &[u8]) = match refusal {
                NoAnswer::None | NoAnswer::Missing => ("404 Not Found", "", links::NO_PICTURE.as_bytes()),
                NoAnswer::NotYet => ("404 Not Found", "Retry-After: 2\r\n", links::NO_PICTURE.as_bytes()),
                NoAnswer::Busy => ("503 Service Unavailable", "Retry-After: 2\r\n", b"busy\n"),
            };
            (head(status, "text/plain; charset=utf-8", retry, body.len()), body)
        }
    };
    let written = async {
        timeout(WRITE_DEADLINE, stream.write_all(head.as_bytes())).await.ok()?.ok()?;
        for part in body.chunks(PART) {
            timeout(WRITE_DEADLINE, stream.write_all(part)).await.ok()?.ok()?;
        }
        timeout(WRITE_DEADLINE, stream.flush()).await.ok()?.ok()
    };
    let written = timeout(ALL_DEADLINE, written).await;
    // Lets the next request have its turn.
    drop(answer);
    // A phone that stops reading has disconnected.
    if written.ok().flatten().is_some() {
        hang_up(stream).await;
    }
}

fn head(status: &str, kind: &str, more: &str, length: usize) -> String {
    let mut head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{more}");
    // Writing to a String cannot fail.
    let _ = write!(head, "{HEADERS}\r\n");
    head
}
