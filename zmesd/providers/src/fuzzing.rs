//! Answers of providers as a target of the fuzzer: see `zmesd::fuzzing`.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{StatusCode, Version};

use super::answer::ProviderAnswer;
use super::reading::BodyContent;
use super::words::refusal;
use super::{apns, fcm_error};
use crate::push::PushError;
use crate::token::PushToken;

/// The token of the push: byte 1 in an answer stands for it, byte 2 for our credentials.
const TOKEN: &str = "cXyz:APA91bHPRgkFLJu6sgQ9vKfU3eYwD7";
const SECRET: &str = "ya29.planted-bearer-4f1d";
/// Longest text of an error, in characters.
const LONGEST: usize = 400;
/// Longest wait that an answer may cause.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// Two bytes of status, a line with `Retry-After`, then the body.
pub fn provider_answers(bytes: &[u8]) {
    let [high, low, rest @ ..] = bytes else { return };
    let mut parts = rest.splitn(2, |byte| *byte == b'\n');
    let (wait, body) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let body = String::from_utf8_lossy(body).replace('\u{1}', TOKEN).replace('\u{2}', SECRET);
    let Some(answer) = answer(u16::from_be_bytes([*high, *low]), wait, body) else { return };
    let Ok(token) = PushToken::parse(TOKEN) else { return };
    assert!(answer.retry_after().is_none_or(|wait| wait <= LONGEST_WAIT), "{:?}", answer.retry_after());
    let of_the_token = is_of_the_token(&answer);
    if !answer.status.is_success() {
        let error = fcm_error::judge(&answer, &token, SECRET).error;
        check(&answer, &error, of_the_token);
        assert!(!error.to_string().contains(SECRET), "the bearer in {error}");
        // A failing proxy may pass on, as JSON, what the provider told it.
        let told = answer.status.is_server_error() && matches!(answer.content(), BodyContent::Json(_));
        check(&answer, &refusal(&answer, answer.said(Some(&token), &[SECRET])), of_the_token || told);
    }
    // Its bearers are JWTs, which no error may contain.
    if let Err(error) = apns::judge(&answer, &token) {
        check(&answer, &error, of_the_token);
    }
}

fn answer(status: u16, wait: &[u8], body: String) -> Option<ProviderAnswer> {
    let mut headers = HeaderMap::new();
    if let Ok(wait) = HeaderValue::from_bytes(wait) {
        headers.insert(RETRY_AFTER, wait);
    }
    let status = StatusCode::from_u16(100 + status % 500).ok()?;
    Some(ProviderAnswer {
        status,
        headers,
        body,
        whole: true,
        version: Version::HTTP_2,
        at: Timestamp::UNIX_EPOCH,
    })
}

fn check(answer: &ProviderAnswer, error: &PushError, may_be_dead: bool) {
    let said = error.to_string();
    assert!(said.chars().count() <= LONGEST, "{} characters", said.chars().count());
    assert!(!said.contains(TOKEN), "the token in {said}");
    assert!(!said.chars().any(char::is_control), "{said:?}");
    assert!(
        may_be_dead || !matches!(error, PushError::Dead(_)),
        "{} lays a token to rest: {said}",
        answer.status
    );
}

/// Says whether an answer of this status may be about the token. Other statuses mean that the provider refused us,
/// failed, or was not reached, whatever the body says.
fn is_of_the_token(answer: &ProviderAnswer) -> bool {
    let status = answer.status.as_u16();
    status < 500 && ![401, 403, 407, 408, 429].contains(&status)
}
