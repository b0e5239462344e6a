//! Answers of providers: bounded, without secrets, and judged by status if their words decide nothing.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{StatusCode, Url, Version};
use zmes_shared::text::is_hidden;
use zmes_shared::words::FaultKind;

use crate::push::{Delivered, PushError, TransportFault};
use crate::token::PushToken;

/// Longest quote of an answer in errors and logs, in characters.
const MAX_QUOTE: usize = 300;
/// Event servers call tokens by this many of their last characters.
const TAIL: usize = 10;
/// Longest wait that a provider can ask for.
pub(super) const MAX_WAIT: Duration = Duration::from_mins(10);
/// Wait after "too many requests" without `Retry-After`.
const TOO_MANY: Duration = Duration::from_mins(1);
/// Largest clock difference for signed requests, in seconds (Google: 5 min, Apple: an hour).
const MAX_SKEW: i64 = 5 * 60;
/// Shortest text that is taken for a JWT if it begins like one, in bytes.
const LEAST_JWT: usize = 30;

#[derive(Debug)]
pub(super) struct ProviderAnswer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// At most 64 KiB of it.
    pub(super) body: String,
    /// The body was not longer.
    pub(super) whole: bool,
    pub(super) version: Version,
    pub(super) at: Timestamp,
}

impl ProviderAnswer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns the status line: `HTTP/2 200 OK`.
    pub(super) fn status_line(&self) -> String {
        let version =
            if self.version == Version::HTTP_2 { "HTTP/2".to_owned() } else { format!("{:?}", self.version) };
        format!("{version} {}", self.status)
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        let asked = self.header(RETRY_AFTER.as_str());
        let asked = asked.and_then(|text| retry_after(text, self.date().unwrap_or(self.at)));
        asked.or_else(|| (self.status == StatusCode::TOO_MANY_REQUESTS).then_some(TOO_MANY))
    }

    /// Returns the fault of the transport that this answer shows.
    pub(super) fn fault(&self, kind: FaultKind, detail: String) -> PushError {
        let (status, retry_after) = (Some(self.status.as_u16()), self.retry_after());
        PushError::Transport(TransportFault { kind, status, detail, retry_after })
    }

    /// Returns what an unsuccessful status alone means, whatever the body says.
    pub(super) fn by_status(&self, detail: String) -> PushError {
        let kind = match self.status.as_u16() {
            // A web page means that the provider itself did not read the message.
            400 | 422 if self.is_page() => FaultKind::WebPage,
            400 | 413 | 422 => return PushError::Message(detail),
            429 => FaultKind::Limited,
            404 | 405 | 410 => FaultKind::NotFound,
            // RFC 6585 6: a captive portal asks for a login.
            511 => FaultKind::WebPage,
            408 | 425 | 500.. => FaultKind::Provider,
            300..400 => {
                // The path is left out: it may repeat ours, which contains the token (APNs) or a key (functions).
                let place = self.header("location").and_then(|place| Url::parse(place).ok());
                let origin = place.map(|place| quote(&place.origin().ascii_serialization(), None, &[]));
                let detail =
                    origin.map_or(detail, |origin| format!("{}: redirects to {origin}", self.status));
                return self.fault(FaultKind::Redirect, detail);
            }
            400.. => FaultKind::Credentials,
            _ => FaultKind::BadAnswer,
        };
        self.fault(kind, detail)
    }

    /// Returns what it means that our signature was refused: the clocks differ too much, or the credentials are wrong.
    pub(super) fn signature_refused(&self, detail: String) -> PushError {
        match self.skew() {
            Some(skew) => self.fault(FaultKind::Clock, format!("{detail} ({skew})")),
            None => self.fault(FaultKind::Credentials, detail),
        }
    }

    /// Says that the clocks differ too much for signed requests, if they do: the cause of a refused signature.
    fn skew(&self) -> Option<String> {
        let theirs = self.date()?;
        let seconds = self.at.as_second().saturating_sub(theirs.as_second());
        let way = if seconds > 0 { "fast" } else { "slow" };
        (seconds.abs() > MAX_SKEW)
            .then(|| format!("this machine's clock is {} min {way}", seconds.abs() / 60))
    }

    fn date(&self) -> Option<Timestamp> {
        DateTimeParser::new().parse_timestamp(self.header("date")?.trim()).ok()
    }
}

/// Reads `Retry-After`: seconds, or a date by the provider's own clock; zero and the past are ignored.
fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    let seconds = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number that does not fit is bounded below anyway.
        text.parse().unwrap_or(u64::MAX)
    } else {
        let until = DateTimeParser::new().parse_timestamp(text).ok()?;
        u64::try_from(until.as_second().saturating_sub(now.as_second())).ok()?
    };
    (seconds > 0).then(|| Duration::from_secs(seconds).min(MAX_WAIT))
}

/// Returns a provider's words for logs: without the token, its end, and other secrets; one line, bounded.
pub(super) fn quote(text: &str, token: Option<&PushToken>, secrets: &[&str]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, "…");
    }
    if let Some(token) = token.map(PushToken::expose) {
        text = text.replace(token, "…");
        let tail = token.char_indices().rev().nth(TAIL - 1).and_then(|(at, _)| token.get(at..));
        if let Some(tail) = tail {
            text = text.replace(tail, "…");
        }
    }
    let text = censored(&text);
    let shown = text.chars().filter(|character| character.is_control() || !is_hidden(*character));
    let plain = shown.map(|character| if character.is_control() { ' ' } else { character });
    let words = plain.collect::<String>();
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(MAX_QUOTE) {
        Some((at, _)) => format!("{}…", words.get(..at).unwrap_or_default()),
        None => words,
    }
}

/// Returns a delivery with the provider's message id, if there is one.
pub(super) fn delivered(id: &str, token: &PushToken) -> Delivered {
    Delivered::with_id(Some(quote(id, Some(token), &[])).filter(|id| !id.is_empty()))
}

/// Removes user and query of URLs (those of pictures may contain credentials), and signed tokens.
fn censored(text: &str) -> String {
    let between = |character: char| {
        character.is_whitespace() || character.is_control() || matches!(character, '"' | '<' | '>')
    };
    let words = text.split_inclusive(between).map(|piece| {
        let word = piece.trim_end_matches(between);
        let end = piece.get(word.len()..).unwrap_or_default();
        format!("{}{end}", without_jwt(&without_credentials(word)))
    });
    words.collect()
}

fn without_credentials(word: &str) -> String {
    // Some JSON escapes slashes.
    let split = |mark| word.split_once(mark).map(|(scheme, rest)| (scheme, mark, rest));
    let Some((scheme, mark, rest)) = ["://", ":\\/\\/"].into_iter().find_map(split) else {
        return word.to_owned();
    };
    let (address, cut) = match rest.find(['?', '#']) {
        Some(at) => (rest.get(..at).unwrap_or_default(), "…"),
        None => (rest, ""),
    };
    let address =
        address.rsplit_once('@').map_or_else(|| address.to_owned(), |(_, host)| format!("…@{host}"));
    // Whoever has a link to a picture may see it, and whoever has one of a snooze button may silence a camera.
    for kind in ["/p/", "/s/", "\\/p\\/", "\\/s\\/"] {
        if let Some((server, _)) = address.split_once(kind) {
            return format!("{scheme}{mark}{server}{kind}…");
        }
    }
    format!("{scheme}{mark}{address}{cut}")
}

fn without_jwt(word: &str) -> String {
    match word.find("eyJ").filter(|at| word.len() - at >= LEAST_JWT) {
        Some(at) => format!("{}…", word.get(..at).unwrap_or_default()),
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{answer, answer_with, kind};

    fn wait(text: &str) -> Option<u64> {
        answer_with(503, &[("retry-after", text)], "").retry_after().map(|wait| wait.as_secs())
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_bounded() {
        for (text, wanted) in [
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("0", None),
            ("86400", Some(600)),
            ("18446744073709551615", Some(600)),
            ("99999999999999999999999999", Some(600)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", None),
            ("Sat, 06 Nov 2094 08:00:00 GMT", Some(600)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", None),
        ] {
            assert_eq!(wait(text), wanted, "{text:?}");
        }
        assert_eq!(answer(429, "").retry_after(), Some(TOO_MANY));
        assert_eq!(answer(503, "").retry_after(), None);
    }

    #[test]
    fn a_date_is_held_against_the_clock_of_whoever_names_it() {
        let headers =
            [("retry-after", "Tue, 01 Jan 2030 00:00:30 GMT"), ("date", "Tue, 01 Jan 2030 00:00:00 GMT")];
        assert_eq!(answer_with(503, &headers, "").retry_after(), Some(Duration::from_secs(30)));
    }

    #[test]
    fn clocks_that_differ_are_told() {
        let skew = |date| answer_with(400, &[("date", date)], "").skew();
        assert_eq!(
            skew("Sun, 06 Nov 1994 10:49:07 GMT").as_deref(),
            Some("this machine's clock is 120 min slow")
        );
        assert_eq!(
            skew("Sun, 06 Nov 1994 08:09:07 GMT").as_deref(),
            Some("this machine's clock is 40 min fast")
        );
        assert_eq!((skew("Sun, 06 Nov 1994 08:47:00 GMT"), skew("today")), (None, None));
    }

    #[test]
    fn a_status_alone_never_kills_a_token() {
        for status in 100..600 {
            let wanted = match status {
                400 | 413 | 422 => "message",
                404 | 405 | 410 => "not_found",
                429 => "limited",
                300..400 => "redirect",
                ..300 => "bad_answer",
                511 => "web_page",
                408 | 425 | 500.. => "provider",
                400.. => "credentials",
            };
            assert_eq!(kind(&Err::<(), _>(answer(status, "").by_status(String::new()))), wanted, "{status}");
        }
        let page = |status| kind(&Err::<(), _>(answer(status, "<html>").by_status(String::new())));
        assert_eq!([400, 422, 413, 404].map(page), ["web_page", "web_page", "message", "not_found"]);
    }

    #[test]
    fn a_redirect_that_repeats_the_path_shows_no_token() {
        let headers = [("location", "https://gateway.example.org/3/device/00aa11bb22cc33dd?key=s3cret")];
        let error = answer_with(308, &headers, "").by_status("x".to_owned()).to_string();
        assert!(!error.contains("00aa11bb22cc33dd") && !error.contains("s3cret"), "{error}");
    }

    #[test]
    fn a_redirect_says_where_to() {
        let headers = [("location", "https://u:p@other.example.org/login?next=secret")];
        let error = answer_with(302, &headers, "<html>").by_status("x".to_owned());
        assert_eq!(error.to_string(), "302 Found: redirects to https://other.example.org");
    }

    #[test]
    fn quotes_give_no_secret_away_and_stay_on_one_line() {
        let token = PushToken::parse("cXyz:APA91bHPRgkFLJu6sg").unwrap();
        let said = "token:gkFLJu6sg x RgkFLJu6sg=>bad\r\n\u{1b}[31m cXyz:APA91bHPRgkFLJu6sg by s3cret";
        assert_eq!(quote(said, Some(&token), &["s3cret"]), "token:gkFLJu6sg x …=>bad [31m … by …");
        let said = r#"{"image":"https://u:p4ss@zm.example.org/zm/?eid=5&password=p4ss,p4ss","sent":"Bearer eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJYIn0.c2ln"}"#;
        let expected = r#"{"image":"https://…@zm.example.org/zm/…","sent":"Bearer …"}"#;
        assert_eq!(quote(said, None, &[]), expected);
        let said = r"see https:\/\/zm.example.org\/?password=p4ss, or https://example.org/help";
        assert_eq!(quote(said, None, &[]), r"see https:\/\/zm.example.org\/… or https://example.org/help");
        let said =
            "inline keyboard button URL 'https://10.0.0.2:9000/s/AQAAAAMAAAAB' is invalid: Wrong HTTP URL";
        let expected = "inline keyboard button URL 'https://10.0.0.2:9000/s/… is invalid: Wrong HTTP URL";
        assert_eq!(quote(said, None, &[]), expected);
        assert_eq!(
            quote(r"https:\/\/zm.example.org\/p\/AQAA.jpg", None, &[]),
            r"https:\/\/zm.example.org\/p\/…"
        );
        let long = quote(&"ü".repeat(1000), None, &[""]);
        assert_eq!(long.chars().count(), 301);
        let short = PushToken::parse("abc").unwrap();
        assert_eq!(quote("abc is short", Some(&short), &[]), "… is short");
    }
}
