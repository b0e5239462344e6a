//! Answers of providers as a target of the fuzzer: see [`crate::fuzzing`].

use std::time::Duration;

use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};

use super::answer::Answer;
use super::{apns, dead_words, fcm_error, fcm_proxy, may_be_dead};
use crate::domain::PushToken;
use crate::ports::PushError;

/// The token that was pushed to: the byte 1 in an answer stands for it, and 2 for what we had to prove.
const TOKEN: &str = "cXyz:APA91bHPRgkFLJu6sgQ9vKfU3eYwD7";
const SECRET: &str = "ya29.planted-bearer-4f1d";
/// Longest text that is made of an answer, in characters.
const LONGEST: usize = 400;
/// No provider silences a phone for longer.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// Two bytes of status, a line with `Retry-After`, then the body.
pub(crate) fn provider_answers(bytes: &[u8]) {
    let [high, low, rest @ ..] = bytes else { return };
    let mut parts = rest.splitn(2, |byte| *byte == b'\n');
    let (wait, body) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let body = String::from_utf8_lossy(body).replace('\u{1}', TOKEN).replace('\u{2}', SECRET);
    let Some(answer) = answer(u16::from_be_bytes([*high, *low]), wait, body) else { return };
    let Ok(token) = PushToken::parse(TOKEN) else { return };
    assert!(answer.retry_after().is_none_or(|wait| wait <= LONGEST_WAIT), "{:?}", answer.retry_after());
    if !answer.status.is_success() {
        let error = fcm_error::judge(&answer, &token, SECRET).into_error();
        check(&answer, &error);
        assert!(!error.to_string().contains(SECRET), "the bearer in {error}");
        // Its bearers are JWTs, which no text of an answer may hold.
        check(&answer, &apns::judge(&answer, &token));
    }
    fcm_proxy::is_mismatch(&answer.body);
    dead_words(&answer);
}

fn answer(status: u16, wait: &[u8], body: String) -> Option<Answer> {
    let mut headers = HeaderMap::new();
    if let Ok(wait) = HeaderValue::from_bytes(wait) {
        headers.insert(RETRY_AFTER, wait);
    }
    let status = StatusCode::from_u16(100 + status % 500).ok()?;
    Some(Answer { status, headers, body, http2: true, at: Timestamp::UNIX_EPOCH })
}

fn check(answer: &Answer, error: &PushError) {
    let said = error.to_string();
    assert!(said.chars().count() <= LONGEST, "{} characters", said.chars().count());
    assert!(!said.contains(TOKEN), "the token in {said}");
    assert!(!said.chars().any(char::is_control), "{said:?}");
    let status = answer.status;
    let temporary = matches!(error, PushError::Temporary { .. });
    assert!(!status.is_server_error() || temporary, "{status} is more than temporary: {said}");
    assert!(
        may_be_dead(answer) || !matches!(error, PushError::Dead(_)),
        "{status} lays a token to rest: {said}"
    );
}
