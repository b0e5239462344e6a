//! What FCM's errors mean for the token, the message, and us.

use serde::Deserialize;

use super::answer::{Answer, quote};
use super::may_be_dead;
use crate::domain::PushToken;
use crate::ports::PushError;

/// `{"error": {…}}`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    error: Details,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Details {
    message: String,
    status: String,
    #[serde(rename = "details")]
    parts: Vec<Detail>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Detail {
    #[serde(rename = "errorCode")]
    error_code: String,
    #[serde(rename = "fieldViolations")]
    field_violations: Vec<Violation>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Violation {
    field: String,
}

/// An error of FCM, read.
#[derive(Debug)]
pub(super) struct Refusal {
    error: PushError,
    /// Our OAuth token is not good (any more); another one may be.
    pub(super) unauthenticated: bool,
}

impl Refusal {
    pub(super) fn into_error(self) -> PushError {
        self.error
    }
}

/// Reads an answer that is no success.
pub(super) fn judge(answer: &Answer, token: &PushToken, bearer: &str) -> Refusal {
    let error = serde_json::from_str::<Body>(&answer.body).unwrap_or_default().error;
    let codes = || error.parts.iter().map(|part| part.error_code.as_str());
    let code = codes().find(|code| !code.is_empty()).unwrap_or_default();
    let said = if error.message.is_empty() { &answer.body } else { &error.message };
    let word = if code.is_empty() { error.status.as_str() } else { code };
    let detail = quote(&format!("{} {word}: {said}", answer.status.as_u16()), Some(token), &[bearer]);
    let unauthenticated = answer.status.as_u16() == 401 && code != "THIRD_PARTY_AUTH_ERROR";
    let error = match code {
        // Whatever the body was copied from: a server that is not well judges neither token nor message.
        _ if answer.status.is_server_error() => answer.temporary(detail),
        "UNREGISTERED" if may_be_dead(answer) => PushError::Dead(detail),
        "SENDER_ID_MISMATCH" => PushError::WrongApp(detail),
        "INVALID_ARGUMENT" if may_be_dead(answer) && concerns_token(&error) => PushError::Dead(detail),
        "INVALID_ARGUMENT" => PushError::Message(detail),
        // The app's project has no key for APNs (or for Web Push): Android does not care.
        "THIRD_PARTY_AUTH_ERROR" => PushError::Phone { detail, retry_after: None },
        "QUOTA_EXCEEDED" | "UNAVAILABLE" | "INTERNAL" => answer.temporary(detail),
        // Without FCM's own code, the same errors by Google's general ones.
        _ if answer.status.as_u16() == 400 && concerns_token(&error) => PushError::Dead(detail),
        _ if answer.status.as_u16() == 404 && error.message.contains("entity was not found") => {
            PushError::Dead(detail)
        }
        _ => answer.by_status(detail),
    };
    Refusal { error, unauthenticated }
}

/// Says whether an invalid argument is the token itself, and nothing but the token.
fn concerns_token(error: &Details) -> bool {
    let mut fields = error.parts.iter().flat_map(|part| &part.field_violations).peekable();
    if fields.peek().is_some() {
        return fields.all(|violation| violation.field == "message.token");
    }
    error.message.contains("not a valid FCM registration token")
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use reqwest::header::HeaderMap;

    use super::*;

    fn judged(status: u16, body: &str) -> (String, bool) {
        let answer = Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: body.to_owned(),
            http2: true,
            at: "2026-11-25T12:00:00Z".parse().unwrap(),
        };
        let token = PushToken::parse("cXyz:APA91bHPRgkFLJu6sg").unwrap();
        let refusal = judge(&answer, &token, "ya29.bearer");
        let unauthenticated = refusal.unauthenticated;
        let error = refusal.into_error();
        let kind = match &error {
            PushError::Dead(_) => "dead",
            PushError::WrongApp(_) => "wrong app",
            PushError::Message(_) => "message",
            PushError::Credentials(_) => "credentials",
            PushError::Temporary { .. } => "temporary",
            PushError::Phone { .. } => "phone",
        };
        let text = error.to_string();
        assert!(!text.contains("APA91b") && !text.contains("ya29"), "{text}");
        (kind.to_owned(), unauthenticated)
    }

    fn fcm(status: &str, code: &str, message: &str) -> String {
        format!(
            r#"{{"error":{{"code":1,"message":"{message}","status":"{status}","details":[
            {{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"{code}"}}]}}}}"#
        )
    }

    #[test]
    fn fcms_codes_decide() {
        let invalid = "The registration token is not a valid FCM registration token";
        for (status, body, expected) in [
            (404, fcm("NOT_FOUND", "UNREGISTERED", "Requested entity was not found."), "dead"),
            (400, fcm("INVALID_ARGUMENT", "INVALID_ARGUMENT", invalid), "dead"),
            (400, fcm("INVALID_ARGUMENT", "INVALID_ARGUMENT", "Invalid value at 'message.data'"), "message"),
            (403, fcm("PERMISSION_DENIED", "SENDER_ID_MISMATCH", "SenderId mismatch"), "wrong app"),
            (429, fcm("RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", "Quota exceeded"), "temporary"),
            (503, fcm("UNAVAILABLE", "UNAVAILABLE", "busy"), "temporary"),
            (500, fcm("INTERNAL", "INTERNAL", "cXyz:APA91bHPRgkFLJu6sg"), "temporary"),
            (401, fcm("UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR", "APNs key"), "phone"),
        ] {
            assert_eq!(judged(status, &body), (expected.to_owned(), false), "{body}");
        }
    }

    #[test]
    fn a_provider_that_is_not_well_lays_no_token_to_rest() {
        // Found by the fuzzer: 500 with the body of a 404.
        let unregistered = fcm("NOT_FOUND", "UNREGISTERED", "Requested entity was not found.");
        let invalid = "The registration token is not a valid FCM registration token";
        let invalid = fcm("INVALID_ARGUMENT", "INVALID_ARGUMENT", invalid);
        for status in [500, 502, 503, 429] {
            assert_eq!(judged(status, &unregistered).0, "temporary", "{status}");
        }
        assert_eq!(judged(401, &unregistered).0, "credentials");
        assert_eq!(judged(503, &invalid).0, "temporary");
        assert_eq!(judged(404, &unregistered).0, "dead");
    }

    #[test]
    fn violations_tell_the_token_from_the_rest() {
        let body = |fields: &str| {
            format!(
                r#"{{"error":{{"code":400,"message":"Request contains an invalid argument.","status":"INVALID_ARGUMENT",
                "details":[{{"errorCode":"INVALID_ARGUMENT"}},{{"fieldViolations":[{fields}]}}]}}}}"#
            )
        };
        let token = r#"{"field":"message.token","description":"Invalid registration token"}"#;
        assert_eq!(judged(400, &body(token)).0, "dead");
        assert_eq!(judged(400, &body(&format!(r#"{token},{{"field":"message.data"}}"#))).0, "message");
    }

    #[test]
    fn what_does_not_speak_fcm_kills_no_token() {
        assert_eq!(judged(404, "<html>404 page not found</html>").0, "credentials");
        assert_eq!(judged(403, r#"{"error":{"status":"PERMISSION_DENIED"}}"#).0, "credentials");
        assert_eq!(judged(502, "").0, "temporary");
        assert_eq!(judged(400, "[1]").0, "message");
        assert_eq!(
            judged(401, r#"{"error":{"status":"UNAUTHENTICATED"}}"#),
            ("credentials".to_owned(), true)
        );
    }
}
