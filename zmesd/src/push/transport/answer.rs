//! What providers answer: bounded, without secrets, and judged by status where their words say nothing.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use zmes_shared::text::is_hidden;

use crate::domain::PushToken;
use crate::ports::{Delivered, PushError};

/// So many characters of an answer get into errors and logs.
const MAX_QUOTE: usize = 300;
/// Event servers name tokens by so many of their last characters.
const TAIL: usize = 10;
/// Nobody is waited for longer than that.
const MAX_WAIT: Duration = Duration::from_hours(24);
/// What a provider that says "too many" without saying for how long means.
const TOO_MANY: Duration = Duration::from_mins(1);
/// What begins like a JWT and is at least so long is one, in bytes.
const LEAST_JWT: usize = 30;

/// An answer of a provider.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// At most 64 KiB of it.
    pub(super) body: String,
    pub(super) http2: bool,
    /// When it came.
    pub(super) at: Timestamp,
}

impl Answer {
    /// Returns a header as text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns the status line as people know it.
    pub(super) fn status_line(&self) -> String {
        format!("{} {}", if self.http2 { "HTTP/2" } else { "HTTP/1.1" }, self.status)
    }

    /// Returns how long the provider wants to be left alone.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let asked = self.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let asked = asked.and_then(|text| retry_after(text, self.at));
        asked.or_else(|| (self.status == StatusCode::TOO_MANY_REQUESTS).then_some(TOO_MANY))
    }

    /// Returns what is true of any answer of this status, whatever it says.
    pub(super) fn by_status(&self, detail: String) -> PushError {
        match self.status.as_u16() {
            400 | 413 | 422 => PushError::Message(detail),
            408 | 425 | 429 | 500.. => self.temporary(detail),
            // No success, and no error that says more: the address or we ourselves are not what they should be.
            _ => PushError::Credentials(detail),
        }
    }

    /// Returns the error that is worth another try.
    pub(super) fn temporary(&self, detail: String) -> PushError {
        PushError::Temporary { detail, retry_after: self.retry_after(), unreachable: false }
    }
}

/// Reads `Retry-After`: seconds, or a date.
fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds).min(MAX_WAIT));
    }
    let until = DateTimeParser::new().parse_timestamp(text).ok()?;
    let seconds = u64::try_from(until.as_second().saturating_sub(now.as_second())).unwrap_or_default();
    Some(Duration::from_secs(seconds).min(MAX_WAIT))
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
    let plain = text.chars().map(|character| if is_hidden(character) { ' ' } else { character });
    let words = plain.collect::<String>();
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(MAX_QUOTE) {
        Some((at, _)) => format!("{}…", words.get(..at).unwrap_or_default()),
        None => words,
    }
}

/// Returns that a push was taken, with the provider's id of the message where it tells one.
pub(super) fn delivered(id: &str, token: &PushToken) -> Delivered {
    Delivered { provider_id: Some(quote(id, Some(token), &[])).filter(|id| !id.is_empty()) }
}

/// Takes out what looks secret wherever it comes from: user and query of a URL (pictures are asked for with
/// credentials), and signed tokens.
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

    fn answer(status: u16, retry_after: Option<&str>) -> Answer {
        let mut headers = HeaderMap::new();
        if let Some(text) = retry_after {
            headers.insert(RETRY_AFTER, text.parse().unwrap());
        }
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers,
            body: String::new(),
            http2: true,
            at: "1994-11-06T08:49:07Z".parse().unwrap(),
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let wait = |text| answer(503, Some(text)).retry_after().map(|wait| wait.as_secs());
        assert_eq!(wait("120"), Some(120));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT"), Some(30));
        assert_eq!(wait("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0), "long ago: now");
        assert_eq!(wait("18446744073709551615"), Some(86_400), "nobody is waited for that long");
        assert_eq!((wait("soon"), wait("-1")), (None, None));
        assert_eq!(answer(429, None).retry_after(), Some(TOO_MANY));
        assert_eq!(answer(503, None).retry_after(), None);
    }

    #[test]
    fn a_status_alone_never_kills_a_token() {
        for status in 100..600 {
            let error = answer(status, None).by_status(String::new());
            let fitting = match error {
                PushError::Message(_) => [400, 413, 422].contains(&status),
                PushError::Temporary { unreachable, .. } => {
                    !unreachable && (status >= 500 || [408, 425, 429].contains(&status))
                }
                PushError::Credentials(_) => status < 500,
                PushError::Dead(_) | PushError::WrongApp(_) | PushError::Phone { .. } => false,
            };
            assert!(fitting, "{status}");
        }
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
        let long = quote(&"ü".repeat(1000), None, &[""]);
        assert_eq!(long.chars().count(), 301);
        let short = PushToken::parse("abc").unwrap();
        assert_eq!(quote("abc is short", Some(&short), &[]), "… is short");
    }
}
