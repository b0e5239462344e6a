//! `GET` and `POST /s/…` on the apps' port: the snooze button of a notification.
//!
//! A GET shows a page with one button and changes nothing: mail scanners and previews open links. The POST does it. Plain
//! HTML without a script; the link itself is what permits it, so nothing of a body counts.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::upgrade::hang_up;
use crate::links;
use crate::ports::{NoAnswer, SnoozeDoor, SnoozeOffer, SnoozePressed};

/// Time in which the page must have been taken.
const WRITE_DEADLINE: Duration = Duration::from_secs(10);
/// Time until there is an answer, in case the door does not keep its own.
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);
const HOUR: u32 = 60;
const DAY: u32 = 24 * HOUR;
const STYLE: &str = "body{font:1.1em sans-serif;margin:2em auto;max-width:24em;padding:0 1em}\
    button{font:inherit;padding:.7em 1.4em}";
/// SHA-256 of [`STYLE`], by which it alone is applied.
const STYLE_HASH: &str = "8SgkZIywY50iHjqkNICcGse935oRFzz2N9hByxMbwLg=";

/// A request about a snooze.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SnoozeAsked {
    link: String,
    /// It is a POST.
    presses: bool,
}

/// Returns which snooze a path is about; `None`: it is the path of something else. `posted`: it came as a POST.
pub(super) fn asked(path: &str, posted: bool) -> Option<SnoozeAsked> {
    links::in_snooze_path(path).map(|link| SnoozeAsked { link: link.to_owned(), presses: posted })
}

struct SnoozePage {
    status: &'static str,
    title: String,
    text: String,
    /// The button: its words, and the link that it posts to, relative to this one; empty: this one.
    button: Option<(String, String)>,
}

/// Answers a request about a snooze, and closes the connection.
pub(super) async fn serve<S>(mut stream: S, asked: &SnoozeAsked, client: IpAddr, door: &dyn SnoozeDoor)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let page =
        timeout(ANSWER_DEADLINE, page(asked, client, door)).await.unwrap_or_else(|_| refused(NoAnswer::Busy));
    let answer = page.render();
    let written = timeout(WRITE_DEADLINE, async {
        stream.write_all(answer.as_bytes()).await?;
        stream.flush().await
    });
    // Reads, and drops, what may follow the head of a POST: a bounded part of it, for a moment.
    if matches!(written.await, Ok(Ok(()))) {
        hang_up(stream).await;
    }
}

async fn page(asked: &SnoozeAsked, client: IpAddr, door: &dyn SnoozeDoor) -> SnoozePage {
    let SnoozeAsked { link, presses } = asked;
    let page = if *presses {
        door.press(link, client).await.map(|pressed| after(pressed, &TimeZone::system()))
    } else {
        door.offer(link, client).await.map(before)
    };
    page.unwrap_or_else(refused)
}

fn before(offer: SnoozeOffer) -> SnoozePage {
    let SnoozeOffer { monitor, minutes } = offer;
    let (text, button) = if minutes == 0 {
        ("Ends what a button has set for this camera.".to_owned(), "End the snooze".to_owned())
    } else {
        let time = span(minutes);
        (format!("No notifications of this camera here for {time}."), format!("Snooze for {time}"))
    };
    SnoozePage { status: "200 OK", title: monitor, text, button: Some((button, String::new())) }
}

fn after(pressed: SnoozePressed, zone: &TimeZone) -> SnoozePage {
    let (status, title, text, undo) = match pressed {
        SnoozePressed::Set { monitor, until, undo } => {
            let text = format!(
                "No notifications of this camera here until {} (time of the server).",
                time(until, zone)
            );
            ("200 OK", monitor, text, undo)
        }
        SnoozePressed::Ended { monitor } => {
            ("200 OK", monitor, "Notifications of this camera come here again.".to_owned(), None)
        }
        SnoozePressed::Silent { monitor, until } => {
            let text = format!(
                "Another snooze still silences this camera here, until {} (time of the server).",
                time(until, zone)
            );
            ("200 OK", monitor, text, None)
        }
        SnoozePressed::TooMany => {
            let text = "Too many snoozes are set. Nothing was changed.".to_owned();
            ("503 Service Unavailable", "Not now".to_owned(), text, None)
        }
    };
    SnoozePage { status, title, text, button: undo.map(|link| ("Undo".to_owned(), link)) }
}

fn refused(why: NoAnswer) -> SnoozePage {
    let (status, title, text) = match why {
        NoAnswer::None | NoAnswer::Missing | NoAnswer::NotYet => (
            "404 Not Found",
            links::NO_SNOOZE,
            "It has expired, or was never valid. Buttons of a notification work for an hour, Undo as long as its snooze.",
        ),
        NoAnswer::Busy => ("503 Service Unavailable", "Not now", "Too many requests. Try again in a moment."),
    };
    SnoozePage { status, title: title.to_owned(), text: text.to_owned(), button: None }
}

impl SnoozePage {
    /// Any page of a browser may read the answer, as ntfy's web app does that presses the button: without it, that shows an
    /// error. There are no cookies that would be sent along, and the link is the right to press.
    fn render(&self) -> String {
        let Self { status, title, text, button } = self;
        let (title, text) = (escaped(title), escaped(text));
        let mut body = format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\"><meta name=\"robots\" content=\"noindex\">\
             <title>{title}</title><style>{STYLE}</style></head>\n<body><h1>{title}</h1>\n<p>{text}</p>\n"
        );
        // Writing to a String cannot fail.
        if let Some((words, link)) = button {
            let action =
                if link.is_empty() { String::new() } else { format!(" action=\"{}\"", escaped(link)) };
            let _ =
                writeln!(body, "<form method=\"post\"{action}><button>{}</button></form>", escaped(words));
        }
        body.push_str("</body></html>\n");
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {length}\r\n\
             Cache-Control: private, no-store\r\nX-Content-Type-Options: nosniff\r\n\
             Content-Security-Policy: default-src 'none'; style-src 'sha256-{STYLE_HASH}'; form-action 'self'; \
             base-uri 'none'; frame-ancestors 'none'\r\n\
             Referrer-Policy: no-referrer\r\nAccess-Control-Allow-Origin: *\r\nConnection: close\r\n\r\n{body}"
        )
    }
}

/// Writes minutes as people do.
fn span(minutes: u32) -> String {
    let count =
        |number: u32, one: &str, many: &str| format!("{number} {}", if number == 1 { one } else { many });
    if minutes.is_multiple_of(DAY) {
        count(minutes / DAY, "day", "days")
    } else if minutes.is_multiple_of(HOUR) {
        count(minutes / HOUR, "hour", "hours")
    } else {
        count(minutes, "minute", "minutes")
    }
}

fn time(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
}

/// Writes a text so that it means nothing in HTML: a camera may be called anything.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest::{SHA256, digest};
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn the_hash_is_that_of_the_style() {
        assert_eq!(STANDARD.encode(digest(&SHA256, STYLE.as_bytes())), STYLE_HASH);
    }

    #[test]
    fn doctor_knows_a_link_that_does_nothing_by_the_beginning_of_its_page() {
        let answer = refused(NoAnswer::None).render();
        let (_, page) = answer.split_once("\r\n\r\n").unwrap();
        assert!(page.get(..256).is_some_and(|page| links::DeadLink::SnoozeButton.is_answered_by(page)));
    }

    #[test]
    fn a_camera_may_be_called_anything() {
        let monitor = "<script>alert('x')</script> & \"".to_owned();
        let page = before(SnoozeOffer { monitor, minutes: 60 }).render();
        assert!(!page.contains("<script") && page.contains("&lt;script&gt;alert(&#39;x&#39;)"), "{page}");
    }

    #[test]
    fn a_page_has_one_button_and_says_what_it_does() {
        for (minutes, told) in [(30, "30 minutes"), (60, "1 hour"), (480, "8 hours"), (2880, "2 days")] {
            let page = before(SnoozeOffer { monitor: "Garage".to_owned(), minutes }).render();
            let button = format!("<form method=\"post\"><button>Snooze for {told}</button></form>");
            assert!(page.matches("<form").count() == 1 && page.contains(&button), "{page}");
        }
        let until = "2026-11-30T17:05:00Z".parse().unwrap();
        let set = SnoozePressed::Set { monitor: "Garage".to_owned(), until, undo: Some("AQ-_x".to_owned()) };
        let page = after(set, &TimeZone::UTC).render();
        assert!(
            page.contains("until 2026-11-30 17:05") && page.contains(" action=\"AQ-_x\"><button>Undo<"),
            "{page}"
        );
        let page = after(SnoozePressed::Ended { monitor: "Garage".to_owned() }, &TimeZone::UTC).render();
        assert!(!page.contains("<form"), "{page}");
    }
}
